# Removes what an upgrade left behind: every data folder but the one that is served.
set -eu
cd /srv/db
[ -d "$DB" ]
for each in *; do
    [ "$each" = "$DB" ] || rm -rf "./$each"
done
