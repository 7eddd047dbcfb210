# Carries the log out again on a copied server, from where it was copied to a second: the server knows its own place in the log, and what
# comes after that is given to it. Nothing of it can be reached meanwhile but by this sandbox.
set -euo pipefail
cd /srv/db
# What was begun and not ended is begun anew: the data as it was copied is kept beside until it is done.
rm -rf "$DB.replay" /srv/replay/plain
cp -R --reflink=auto "$DB" "$DB.replay"
aim=$(/run/husorden-tool log target --store /srv/replay --at "$AT")
files=
if ls /srv/replay/*.seg > /dev/null 2>&1; then
    /run/husorden-tool log extract /srv/replay --to /srv/replay/plain > /dev/null
    files=$(ls /srv/replay/plain/*)
fi
mariadbd --defaults-file=/run/conf/mariadb.cnf --datadir="/srv/db/$DB.replay" --socket=/tmp/replay.sock --strict-password-validation=OFF ${GRANTS-} > /tmp/replay.log 2>&1 &
server=$!
client="mariadb --no-defaults --socket=/tmp/replay.sock --user=site"
until $client --execute='SELECT 1' > /dev/null 2>&1; do
    kill -0 "$server" || { tail -n 20 /tmp/replay.log >&2; exit 1; }
    sleep 0.2
done
if [ -n "$files" ]; then
    place=$($client --batch --skip-column-names --execute='SELECT @@GLOBAL.gtid_binlog_pos')
    set -- --no-defaults --local-load=/tmp
    [ -z "$place" ] || set -- "$@" --start-position="$place"
    [ "$aim" = end ] || set -- "$@" --stop-datetime="$(date --utc --date="$AT 1 second" '+%Y-%m-%d %H:%M:%S')"
    # A log that ends with what the data has already is an error to this tool. There is nothing to be carried out then.
    ended=(0 0)
    TZ=UTC mariadb-binlog "$@" $files 2> /tmp/said | $client --binary-mode || ended=("${PIPESTATUS[@]}")
    if [ "${ended[1]}" != 0 ] || { [ "${ended[0]}" != 0 ] && ! grep --quiet 'never reached expected GTID state' /tmp/said; }; then
        cat /tmp/said >&2
        exit 1
    fi
fi
kill -TERM "$server"
wait "$server"
rm -rf "$DB" /srv/replay/*
mv "$DB.replay" "$DB"
