# Brings a copy that was taken while the server ran to rest: the same version takes up what was cut, and ends in order. The server listens
# only on a socket in this sandbox's own /tmp.
set -eu
mariadbd --defaults-file=/run/conf/mariadb.cnf --datadir="/srv/db/$DB" --socket=/tmp/rest.sock --skip-grant-tables &
server=$!
until mariadb --no-defaults --socket=/tmp/rest.sock --execute='SELECT 1' > /dev/null 2>&1; do
    kill -0 "$server" || exit 1
    sleep 0.2
done
kill -TERM "$server"
wait "$server"
