# Carries out what stands on standard input in one database, all of it or nothing, as a user that may no more than an owner of it. The
# client is restricted: no other connection, no files and no programs. Dumps restrict it by a word of their own, which is left out, and
# describe extensions, which only their owner may; rows are not touched.
set -euo pipefail
mkdir -p /tmp/server
ln -sf /run/husorden/db.sock /tmp/server/.s.PGSQL.5432
server="--no-psqlrc --quiet --set=ON_ERROR_STOP=1 --host=/tmp/server --output=/dev/null"
away="DROP ROLE IF EXISTS husorden_load"
psql $server --username=husorden --dbname=postgres --command="SET client_min_messages = warning" --command="$away" \
    --command="CREATE ROLE husorden_load LOGIN IN ROLE \"$PART.owner\"" \
    --command="ALTER ROLE husorden_load SET role = '$PART.owner'"
trap 'psql $server --username=husorden --dbname=postgres --command="$away"' EXIT
word=$(tr -d - < /proc/sys/kernel/random/uuid)
plain() {
    case "$FORMAT" in
        custom) pg_restore --no-owner --no-privileges --no-comments --file=- ;;
        sql) cat ;;
        *) gzip --decompress --stdout ;;
    esac
}
{ printf '\\restrict %s\n' "$word"; plain | sed -E '/^COPY .* FROM stdin;$/,/^\\\.$/b; /^\\(un)?restrict [A-Za-z0-9]+$/d; /^COMMENT ON EXTENSION /d'; } |
    psql $server --username=husorden_load --dbname="$PART" --single-transaction --file=-
