if [ -n "$DATABASE" ]; then
    mariadb-dump --no-defaults --socket=/run/husorden/db.sock --user=site --single-transaction --quick --routines --triggers --events \
        --hex-blob --max-allowed-packet=64M --databases site | gzip --fast | stream database/site.sql.gz
fi
# What is changed while it is read is there in one state or the other.
tar --create --file=- --directory=/srv/www --numeric-owner --owner=0 --group=0 --warning=no-file-changed . | gzip --fast | stream files.tar.gz
