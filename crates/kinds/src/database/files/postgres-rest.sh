# A server that ended in order has kept its log itself. Says so, so that nobody waits for more; one that was killed keeps the rest of it when
# it runs again.
set -eu
"$BIN/pg_controldata" -D "$DATA" | grep -q '^Database cluster state: *shut down$' || { echo "it was not shut down in order" >&2; exit 1; }
for each in "$DATA"/pg_wal/archive_status/*.ready; do
    [ ! -e "$each" ] || { echo "a piece of its log is not kept yet" >&2; exit 1; }
done
exec /run/husorden-tool log note --store /srv/store --data "$DATA/pg_wal" --prefix 0 --by time
