# What moving out and moving back have in common. The order stands on standard input, a line each: address, port, user, password and
# database of what is attached. Secrets lie in this sandbox's own /tmp, which is memory.
set -euo pipefail
umask 077
read -r HOST
read -r PORT
read -r NAME
read -r PASSWORD
read -r DATABASE
# The way leads from port to port of one machine, so there is no name to verify.
printf '[client]\nprotocol=tcp\nhost=%s\nport=%s\nuser=%s\npassword=%s\nssl\nskip-ssl-verify-server-cert\nloose-connect-timeout=10\n' \
    "$HOST" "$PORT" "$NAME" "$PASSWORD" > /tmp/attached.cnf
printf '[client]\nsocket=/run/husorden/db.sock\nuser=site\n' > /tmp/own.cnf
attached() { mariadb --defaults-file=/tmp/attached.cnf --batch --skip-column-names "$@"; }
own() { mariadb --defaults-file=/tmp/own.cnf --batch --skip-column-names "$@"; }
stop() { printf '%s\n' "$1" >&2; exit 1; }

# Whoever is attached was made a user there a moment ago; the server may also have to wake.
answers() {
    for _ in $(seq 120); do
        "$1" --execute='SELECT 1' "$2" > /dev/null 2> /tmp/said && return
        sleep 1
    done
    stop "The database does not answer: $(tail -n 1 /tmp/said)"
}

# Where the application's own configuration says that its data lies.
away() { grep -q "'attached-" /srv/www/wp-config.php; }

tables() { "$1" --execute="SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = '$2'"; }

# Every table with its count of rows, but for the note of the move itself.
counted() {
    "$1" --execute="SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = '$2' AND TABLE_TYPE = 'BASE TABLE'
        AND TABLE_NAME <> 'husorden_moving' ORDER BY TABLE_NAME" |
    while IFS= read -r table; do
        printf '%s %s\n' "$table" "$("$1" --execute="SELECT COUNT(*) FROM \`${table//\`/\`\`}\`" "$2" < /dev/null)"
    done
}

# All of one database, as SQL. What defines itself by a user defines itself by whoever loads it; rows begin with INSERT and are not
# touched.
dumped() {
    mariadb-dump --defaults-file="/tmp/$1.cnf" --single-transaction --quick --routines --triggers --events --hex-blob \
        --max-allowed-packet=64M --ignore-table="$2.husorden_moving" "$2" |
    sed -E '/^(\/\*![0-9]+ |CREATE )/ s/DEFINER *= *`[^`]*`@`[^`]*`//g'
}
