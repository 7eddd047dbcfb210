SET SESSION sql_log_bin = 0;
SET @make = (SELECT IF(COUNT(*) = 0, 'GRANT RELOAD, BINLOG ADMIN ON *.* TO keeper@`127.0.0.1` IDENTIFIED BY ""', 'DO 0') FROM mysql.global_priv WHERE User = 'keeper');
EXECUTE IMMEDIATE @make;
