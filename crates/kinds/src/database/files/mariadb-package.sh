ask="--no-defaults --socket=/run/husorden/db.sock --user=site"
# Users with what they may, each as the server itself says it.
for user in $USERS; do
    for account in $(mariadb $ask --batch --skip-column-names --execute="SELECT CONCAT(QUOTE(User), '@', QUOTE(Host)) FROM mysql.global_priv WHERE User = '$user'"); do
        mariadb $ask --batch --skip-column-names --raw --execute="SHOW CREATE USER $account; SHOW GRANTS FOR $account" | sed 's/$/;/'
    done
done | one users.sql
for part in $PARTS; do
    mariadb-dump $ask --single-transaction --quick --routines --triggers --events --hex-blob --max-allowed-packet=64M --databases "$part" |
        gzip --fast | stream "database/$part.sql.gz"
done
