# Starts the pooler, which stays process 1. The server's socket has the platform's name, and the pooler looks for another.
set -eu
mkdir -p /tmp/server
ln -sf /run/husorden/db.sock /tmp/server/.s.PGSQL.5432
exec pgbouncer /run/live/pooler.ini
