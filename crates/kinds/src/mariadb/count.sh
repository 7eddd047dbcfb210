# Says how many rows every table of every database has, all of them as they are at one moment. LIMIT_MS bounds a database; 0 is no bound.
# What lives in memory alone is not counted: a backup begins where a power cut ends.
set -eu
client="mariadb --no-defaults --socket=/run/husorden/db.sock --user=site --batch --skip-column-names"
{
    echo "SET SESSION sql_mode = ''; SET @limit = $LIMIT_MS;"
    cat <<'SQL'
SELECT CONCAT('SET @began = IF(@of <=> ', QUOTE(TABLE_SCHEMA), ', @began, SYSDATE(6));\nSET @of = ', QUOTE(TABLE_SCHEMA), ';\n',
    'SET SESSION max_statement_time = IF(', @limit, ' = 0, 0, GREATEST(0.001, (', @limit,
    ' - TIMESTAMPDIFF(MICROSECOND, @began, SYSDATE(6)) / 1000) / 1000));\n',
    'SELECT ''count'', ', QUOTE(CONCAT(TABLE_SCHEMA, '.', TABLE_NAME)), ', COUNT(*) FROM `', REPLACE(TABLE_SCHEMA, '`', '``'), '`.`',
    REPLACE(TABLE_NAME, '`', '``'), '`;')
    FROM information_schema.TABLES WHERE TABLE_TYPE = 'BASE TABLE' AND ENGINE <> 'MEMORY'
    AND TABLE_SCHEMA NOT IN ('mysql', 'sys', 'performance_schema', 'information_schema')
    ORDER BY TABLE_SCHEMA, DATA_LENGTH LIMIT 20000;
SQL
} > /tmp/list.sql
$client --raw < /tmp/list.sql > /tmp/tables.sql
# Rows that were written or deleted, by whomever.
writes="SELECT 'writes', SUM(VARIABLE_VALUE) FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME IN ('HANDLER_WRITE', 'HANDLER_DELETE');"
{
    echo "$writes SET SESSION sql_mode = '', lock_wait_timeout = 5; START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY;"
    cat <<'SQL'
SELECT 'count', s.SCHEMA_NAME, COUNT(t.TABLE_NAME) FROM information_schema.SCHEMATA s
    LEFT JOIN information_schema.TABLES t ON t.TABLE_SCHEMA = s.SCHEMA_NAME
    WHERE s.SCHEMA_NAME NOT IN ('mysql', 'sys', 'performance_schema', 'information_schema') GROUP BY s.SCHEMA_NAME;
SELECT 'count', CONCAT(TABLE_SCHEMA, '.', TABLE_NAME), '-' FROM information_schema.TABLES
    WHERE TABLE_TYPE = 'BASE TABLE' AND TABLE_SCHEMA NOT IN ('mysql', 'sys', 'performance_schema', 'information_schema') LIMIT 20000;
SQL
    cat /tmp/tables.sql
    echo "SET SESSION max_statement_time = 0; COMMIT; $writes"
} > /tmp/count.sql
# One that took too long, or that does not open, has no number; the others have.
$client --force < /tmp/count.sql > /tmp/said || true
[ "$(grep -c '^writes' /tmp/said)" = 2 ]
cat /tmp/said
echo end
