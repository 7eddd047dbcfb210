# Puts a first page into a site that has no files yet.
set -eu
cd /srv/www
rm -f .husorden-welcome
[ -z "$(find . ! -type d -print -quit)" ] || exit 0
cp /run/conf/welcome.html .husorden-welcome
chmod 0644 .husorden-welcome
mkdir -p "./$DOCROOT"
mv .husorden-welcome "./$DOCROOT/$INDEX"
