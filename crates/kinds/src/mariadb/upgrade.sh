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
mariadb-upgrade --socket=/tmp/upgrade.sock
kill -TERM "$server"
wait "$server"
mv "$DB.new" "$DB"
