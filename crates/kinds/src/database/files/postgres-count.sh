# Says how many rows every table of every database has, each database as it is at one moment. LIMIT_MS bounds a database; 0 is no bound.
# What is emptied by a power cut is not counted: a backup begins where one ends.
set -eu
mkdir -p /tmp/server
ln -sf /run/husorden/db.sock /tmp/server/.s.PGSQL.5432
psql() {
    command psql --no-psqlrc --quiet --tuples-only --no-align --field-separator="$(printf '\t')" --host=/tmp/server --username=husorden "$@"
}
# Transactions that have ended; those that only read are none.
writes() {
    psql --dbname=postgres --set=ON_ERROR_STOP=1 --command="SELECT 'writes', pg_snapshot_xmax(s)::text::bigint
        - (SELECT count(*) FROM pg_snapshot_xip(s)) FROM pg_current_snapshot() AS s"
}
writes
psql --dbname=postgres --set=ON_ERROR_STOP=1 --command="SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate ORDER BY 1" > /tmp/databases
while read -r database; do
    psql --dbname="$database" --set=ON_ERROR_ROLLBACK=on --set=limit="$LIMIT_MS" --file=- <<'SQL'
BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY;
SET LOCAL statement_timeout = :limit;
SET LOCAL lock_timeout = :limit;
SELECT 'count', current_database(), count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'm', 'v', 'S') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e');
SELECT 'count', translate(concat_ws('.', current_database(), n.nspname, c.relname), E'\t\r\n', '???'), '-'
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'm') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY 2 LIMIT 20000;
SELECT format($x$DO $do$BEGIN PERFORM set_config('statement_timeout', CASE WHEN %1$s = 0 THEN 0
        ELSE greatest(1, %1$s - extract(epoch FROM clock_timestamp() - transaction_timestamp()) * 1000) END::int::text, true); END$do$$x$, :limit),
    format('SELECT ''count'', %L, count(*) FROM %I.%I',
        translate(concat_ws('.', current_database(), n.nspname, c.relname), E'\t\r\n', '???'), n.nspname, c.relname)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'm') AND c.relpersistence <> 'u' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    ORDER BY c.relpages LIMIT 20000
\gexec
COMMIT;
SQL
done < /tmp/databases
writes
echo end
