# Writes one database to standard output, as it is at one moment. What defines itself by a user defines itself by whoever loads it;
# rows begin with INSERT and are not touched.
set -euo pipefail
dump() {
    mariadb-dump --no-defaults --socket=/run/husorden/db.sock --user=site --single-transaction --quick --routines --triggers --events \
        --hex-blob --max-allowed-packet=64M "$PART" |
    sed -E '/^(\/\*![0-9]+ |CREATE )/ s/DEFINER *= *`[^`]*`@`[^`]*`//g'
}
case "$FORMAT" in
    sql) dump ;;
    *) dump | gzip --fast ;;
esac
