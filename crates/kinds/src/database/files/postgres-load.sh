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
# In the place of what is there: all of it goes first, but for what belongs to an extension. The snapshot that was taken before brings it back.
if [ -n "${EMPTY:-}" ]; then
    psql $server --username=husorden --dbname="$PART" --file=- <<'END'
SET client_min_messages = warning;
DO $$
DECLARE one record;
BEGIN
    FOR one IN
        SELECT n.nspname AS schema, c.relname AS name,
               CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE' WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END AS kind
          FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
           AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
         ORDER BY c.relkind = 'S'
    LOOP
        EXECUTE format('DROP %s IF EXISTS %I.%I CASCADE', one.kind, one.schema, one.name);
    END LOOP;
    FOR one IN
        SELECT p.oid::regprocedure::text AS name FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
         WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
           AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
         ORDER BY name
    LOOP
        EXECUTE format('DROP ROUTINE IF EXISTS %s CASCADE', one.name);
    END LOOP;
    FOR one IN
        SELECT n.nspname AS schema, t.typname AS name
          FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace LEFT JOIN pg_class c ON c.oid = t.typrelid
         WHERE (t.typtype IN ('e', 'd', 'r') OR c.relkind = 'c') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
           AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e')
    LOOP
        EXECUTE format('DROP TYPE IF EXISTS %I.%I CASCADE', one.schema, one.name);
    END LOOP;
    FOR one IN
        SELECT n.nspname AS name FROM pg_namespace n
         WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'public')
           AND NOT EXISTS (SELECT FROM pg_extension e WHERE e.extnamespace = n.oid)
           AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_namespace'::regclass AND d.objid = n.oid AND d.deptype = 'e')
    LOOP
        EXECUTE format('DROP SCHEMA IF EXISTS %I CASCADE', one.name);
    END LOOP;
    PERFORM lo_unlink(oid) FROM pg_largeobject_metadata;
END $$;
END
fi
plain() {
    case "$FORMAT" in
        custom) pg_restore --no-owner --no-privileges --no-comments --file=- ;;
        sql) cat ;;
        *) gzip --decompress --stdout ;;
    esac
}
{ printf '\\restrict %s\n' "$word"; plain | sed -E '/^COPY .* FROM stdin;$/,/^\\\.$/b; /^\\(un)?restrict [A-Za-z0-9]+$/d; /^COMMENT ON EXTENSION /d'; } |
    psql $server --username=husorden_load --dbname="$PART" --single-transaction --file=-
