# Writes one database to standard output. Whose things are is left out, so that it can be loaded anywhere, by whoever owns a database.
set -euo pipefail
mkdir -p /tmp/server
ln -sf /run/husorden/db.sock /tmp/server/.s.PGSQL.5432
dump="pg_dump --host=/tmp/server --username=husorden --no-owner --no-privileges --dbname=$PART"
case "$FORMAT" in
    custom) exec $dump --format=custom ;;
    sql) exec $dump --format=plain ;;
    *) $dump --format=plain | gzip --fast ;;
esac
