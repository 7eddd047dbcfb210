# Reads every table and index that people made, and whether they hold together.
set -eu
client="mariadb --no-defaults --socket=/run/husorden/db.sock --user=site --batch --skip-column-names"
$client --raw > /tmp/check.sql <<'SQL'
SET SESSION sql_mode = '';
SELECT CONCAT('CHECK TABLE `', REPLACE(TABLE_SCHEMA, '`', '``'), '`.`', REPLACE(TABLE_NAME, '`', '``'), '`;') FROM information_schema.TABLES
    WHERE TABLE_TYPE = 'BASE TABLE' AND TABLE_SCHEMA NOT IN ('mysql', 'sys', 'performance_schema', 'information_schema');
SQL
$client < /tmp/check.sql > /tmp/checked
awk -F '\t' '$3 == "error" || ($3 == "status" && $4 != "OK") { print $1 ": " $4; wrong = 1 } END { exit wrong }' /tmp/checked >&2
echo end
