# Tells a copied cluster that it is one of its own. It may have been copied while it ran: it is brought to rest first.
set -eu
cd /srv/db
rm -f "$DB/postmaster.pid"
echo | "$BIN/postgres" --single -D "$DB" postgres > /dev/null
perl /run/conf/identify.pl "$DB" "$IDENTITY"
"$BIN/pg_resetwal" -f -D "$DB" > /dev/null
