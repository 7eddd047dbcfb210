# Reads every table and index of every database, and whether they hold together.
set -eu
mkdir -p /tmp/server
ln -sf /run/husorden/db.sock /tmp/server/.s.PGSQL.5432
export PGOPTIONS='-c default_transaction_read_only=off'
"$BIN/pg_amcheck" --all --install-missing --host=/tmp/server --username=husorden >&2
echo end
