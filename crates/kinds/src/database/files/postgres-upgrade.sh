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
ln -sf "$OLD" /tmp/old/.s.PGSQL.5432
old="--host=/tmp/old --username=husorden"
new="--host=/tmp/new --username=husorden"
psql="psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --output=/dev/null"
asked="psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --tuples-only --no-align"
# What people made: what belongs to an extension may differ between its versions.
tables="SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'm', 'v', 'S') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')"
roles="SELECT count(*) FROM pg_roles WHERE rolname !~ '^pg_'"

same() {
    before=$($asked $old --dbname="$2" --command="$3")
    after=$($asked $new --dbname="$2" --command="$3")
    if [ "$before" != "$after" ]; then
        echo "there were $before $1 in $2, and there are $after after the upgrade" >&2
        exit 1
    fi
}

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
    same "tables, views and sequences" "$database" "$tables"
done
same roles postgres "$roles"
vacuumdb --quiet --all --analyze-only $new
kill -INT "$server"
wait "$server"
"$BIN/initdb" --sync-only --pgdata="/srv/db/$DB.new" > /dev/null
mv "$DB.new" "$DB"
