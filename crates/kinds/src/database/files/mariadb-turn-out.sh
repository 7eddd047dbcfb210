# Ends everybody's sessions but the platform's own, and has the server take no changes.
set -eu
client="mariadb --no-defaults --socket=/run/husorden/db.sock --user=site --batch --skip-column-names"
$client --execute="SELECT CONCAT('KILL ', id, ';') FROM information_schema.processlist
    WHERE user NOT IN ('site', 'system user', 'event_scheduler', 'unauthenticated user')" | $client --force
exec $client --execute='SET SESSION lock_wait_timeout = 2; SET GLOBAL read_only = 1'
