# Carries out the SQL on standard input in the server that runs. Its socket has the platform's name, and psql looks for another.
set -eu
mkdir -p /tmp/server
ln -sf /run/husorden/db.sock /tmp/server/.s.PGSQL.5432
# The platform's own word holds also where the disk is used up and sessions begin read-only.
export PGOPTIONS='-c default_transaction_read_only=off'
exec psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --host=/tmp/server --username=husorden --dbname=postgres --output=/dev/null --file=-
