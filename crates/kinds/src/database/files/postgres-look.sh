# Waits for the server, which takes up what was cut when it starts.
set -eu
mkdir -p /tmp/server
ln -sf /run/husorden/db.sock /tmp/server/.s.PGSQL.5432
psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --host=/tmp/server --username=husorden --dbname=postgres --output=/dev/null --command='SELECT 1'
echo end
