# Brings the data of an older version into a new cluster of this one, by dump and restore: text sorts by another library there, and what
# is restored is indexed anew. The old server answers on its unix socket alone, and read-only; its data stays as it is, so that it can
# go on if this fails.
set -eu
cd /srv/db
if [ ! -d "$FROM" ]; then
    echo "the data of $FROM is missing" >&2
    exit 1
fi
rm -rf "$DB" "$DB.new"
mkdir -p /tmp/old /tmp/new
ln -sf /run/husorden/db.sock /tmp/old/.s.PGSQL.5432
old="--host=/tmp/old --username=husorden"
new="--host=/tmp/new --username=husorden"
psql="psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --output=/dev/null"

"$BIN/initdb" --pgdata="/srv/db/$DB.new" --username=husorden --auth=peer --encoding=UTF8 --locale-provider=icu --icu-locale=und \
    --locale=C.UTF-8 --data-checksums --no-instructions --no-sync > /dev/null
perl /run/conf/identify.pl "$DB.new" "$IDENTITY"
"$BIN/pg_resetwal" -f -D "$DB.new" > /dev/null
"$BIN/postgres" -D "/srv/db/$DB.new" -c config_file=/run/conf/postgresql.conf -c listen_addresses= -c ssl=off \
    -c unix_socket_directories=/tmp/new -c fsync=off -c full_page_writes=off -c shared_preload_libraries= -c archive_mode=off > /tmp/new/log 2>&1 &
server=$!
until pg_isready --quiet $new; do
    kill -0 "$server" || { tail -n 20 /tmp/new/log >&2; exit 1; }
    sleep 0.1
done

# Roles come with their passwords and with the notes on them; the platform's own is there already.
pg_dumpall $old --globals-only --no-tablespaces | sed '/^CREATE ROLE husorden;/d; /^ALTER ROLE husorden /d' | $psql $new --dbname=postgres
for database in $(psql --no-psqlrc --tuples-only --no-align $old --dbname=postgres \
    --command="SELECT datname FROM pg_database WHERE NOT datistemplate AND datname <> 'postgres'"); do
    pg_dump $old --create --dbname="$database" | $psql $new --dbname=postgres
done
vacuumdb --quiet --all --analyze-only $new
kill -INT "$server"
wait "$server"
"$BIN/initdb" --sync-only --pgdata="/srv/db/$DB.new" > /dev/null
mv "$DB.new" "$DB"
