# Carries out what stands on standard input in one database, as a user that may no more than an owner of it. The client is told to keep
# off files and programs. What fails in the middle is brought back by the snapshot that was taken before.
set -euo pipefail
umask 077
admin="mariadb --no-defaults --socket=/run/husorden/db.sock --user=site"
away="DROP USER IF EXISTS husorden_load@localhost"
word=$(cat /proc/sys/kernel/random/uuid)
printf "%s; CREATE USER husorden_load@localhost IDENTIFIED BY '%s'; GRANT ALL PRIVILEGES ON \`%s\`.* TO husorden_load@localhost;" \
    "$away" "$word" "${PART//_/\\_}" | $admin
trap '$admin --execute="$away"' EXIT
printf '[client]\nsocket=/run/husorden/db.sock\nuser=husorden_load\npassword=%s\n' "$word" > /tmp/load.cnf
# In the place of what is there: all of it goes first. Rights are by name, and stay.
if [ -n "${EMPTY:-}" ]; then
    letters=$($admin -BNe "SELECT CONCAT('CHARACTER SET ', default_character_set_name, ' COLLATE ', default_collation_name)
        FROM information_schema.schemata WHERE schema_name = '$PART'")
    $admin --execute="DROP DATABASE IF EXISTS \`$PART\`; CREATE DATABASE \`$PART\` $letters"
fi
plain() {
    case "$FORMAT" in
        sql) cat ;;
        *) gzip --decompress --stdout ;;
    esac
}
plain | sed -E '/^(\/\*![0-9]+ |CREATE )/ s/DEFINER *= *`[^`]*`@`[^`]*`//g' |
    mariadb --defaults-file=/tmp/load.cnf --sandbox --max-allowed-packet=64M "$PART"
