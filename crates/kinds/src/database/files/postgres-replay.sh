# Carries the log out again on a copied cluster, from where it was copied to a time: first what the copy itself holds, as after a power cut,
# and then piece by piece what was kept. It ends by itself at that time, with everything that was committed until then. What was begun and
# not ended goes on where it was.
set -eu
cd /srv/db
# It was carried out, and this task was ended before it could say so.
if [ ! -e /srv/replay/done ]; then
    aim=$(/run/husorden-tool log target --store /srv/replay --at "$AT")
    rm -f "$DB/postmaster.pid"
    # What waited to be kept was the other's.
    rm -f "$DB"/pg_wal/archive_status/*
    mkdir -p /tmp/replay
    touch "$DB/recovery.signal"
    set -- -c restore_command='/run/husorden-tool log fetch --store /srv/replay --name %f --to %p' -c recovery_target_action=promote
    [ "$aim" = end ] || set -- "$@" -c recovery_target_time="$(date --utc --date="$AT" '+%Y-%m-%d %H:%M:%S.%6N+00')"
    "$BIN/postgres" -D "/srv/db/$DB" -c config_file=/run/conf/postgresql.conf -c listen_addresses= -c ssl=off \
        -c unix_socket_directories=/tmp/replay -c archive_mode=off -c hot_standby=off -c shared_preload_libraries= "$@" > /tmp/replay/log 2>&1 &
    server=$!
    until pg_isready --quiet --host=/tmp/replay --username=husorden; do
        kill -0 "$server" || { tail -n 20 /tmp/replay/log >&2; exit 1; }
        sleep 0.1
    done
    touch /srv/replay/done
    kill -INT "$server"
    wait "$server"
fi
rm -rf /srv/replay/*
