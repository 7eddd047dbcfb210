# Waits for the server, which takes up what was cut when it starts.
set -eu
mariadb --no-defaults --socket=/run/husorden/db.sock --user=site --batch --skip-column-names --execute='DO 1'
echo end
