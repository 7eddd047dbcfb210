# Copies the prepared, empty cluster into the volume, and tells it whose it is. A copy that was cut is thrown away; a whole one is kept.
set -eu
cd /srv/db
[ -d "$DB" ] && exit 0
rm -rf "$DB.new"
cp -R --reflink=auto /srv/template/data "$DB.new"
chmod -R go-rwx "$DB.new"
# Counters of what initdb did: with them autovacuum works through the catalogues in the first minutes of every instance, and the log of one that
# nobody writes to grows. The catalogues were vacuumed and analysed when the template was made.
rm -f "$DB.new"/pg_stat/*
perl /run/conf/identify.pl "$DB.new" "$IDENTITY"
"$BIN/pg_resetwal" -f -D "$DB.new" > /dev/null
mv "$DB.new" "$DB"
