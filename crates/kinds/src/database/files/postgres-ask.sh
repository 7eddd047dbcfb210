# Asks the server that runs what stands on standard input, as the platform: a row a line. Its socket has the platform's name, and psql
# looks for another.
set -eu
unset LD_PRELOAD
mkdir -p /tmp/server
ln -sf /run/husorden/db.sock /tmp/server/.s.PGSQL.5432
export PGOPTIONS='-c statement_timeout=5s -c default_transaction_read_only=off'
exec psql --no-psqlrc --quiet --tuples-only --no-align --field-separator=' ' --set=ON_ERROR_STOP=1 --host=/tmp/server \
    --username=husorden --dbname=postgres --file=-
