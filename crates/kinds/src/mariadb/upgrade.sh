# Lifts a copy of the data to this version. The old data stays as it is, so that the old server can go on if this fails.
# The server listens only on a socket in this sandbox's own /tmp, which nobody else can reach.
set -eu
cd /srv/db
if [ ! -d "$FROM" ]; then
    echo "the data of $FROM is missing" >&2
    exit 1
fi
rm -rf "$DB" "$DB.new"
cp -R --reflink=auto "$FROM" "$DB.new"
mariadbd --defaults-file=/run/conf/mariadb.cnf --datadir="/srv/db/$DB.new" --socket=/tmp/upgrade.sock --skip-grant-tables &
server=$!
until mariadb --socket=/tmp/upgrade.sock --execute='SELECT 1' > /dev/null 2>&1; do
    kill -0 "$server" || exit 1
    sleep 0.2
done
asked="mariadb --no-defaults --socket=/tmp/upgrade.sock --batch --skip-column-names"
users=$($asked --execute='SELECT COUNT(*) FROM mysql.global_priv')
mariadb-upgrade --socket=/tmp/upgrade.sock
# What people made is there still, and opens: a table that does not has no engine to name.
before=$(find "$FROM" -mindepth 2 -name '*.frm' -not -name '#sql*' -not -path "$FROM/mysql/*" -not -path "$FROM/sys/*" \
    -not -path "$FROM/performance_schema/*" | wc -l)
after=$($asked --execute="SELECT COUNT(*) FROM information_schema.TABLES WHERE (ENGINE IS NOT NULL OR TABLE_TYPE = 'VIEW')
    AND TABLE_SCHEMA NOT IN ('mysql', 'sys', 'performance_schema', 'information_schema')")
if [ "$before" != "$after" ]; then
    echo "there were $before tables and views, and $after open after the upgrade" >&2
    exit 1
fi
if [ "$users" -gt "$($asked --execute='SELECT COUNT(*) FROM mysql.global_priv')" ]; then
    echo "users are missing after the upgrade" >&2
    exit 1
fi
kill -TERM "$server"
wait "$server"
mv "$DB.new" "$DB"
