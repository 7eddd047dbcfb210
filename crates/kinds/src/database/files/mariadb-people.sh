# Carries out the SQL on standard input in the server that runs. Whatever comes of it, passwords are judged again afterwards.
set -eu
client="mariadb --no-defaults --socket=/run/husorden/db.sock --user=site"
status=0
$client || status=$?
$client --execute='SET GLOBAL strict_password_validation = ON'
exit $status
