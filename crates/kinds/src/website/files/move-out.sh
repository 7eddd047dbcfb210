
# Moves the site's data into what is attached. The note `husorden_moving` there says that what lies beside it is an unfinished move of
# ours, which a second try may replace; without the note only an empty database is taken.
answers attached "$DATABASE"
if ! away; then
    answers own site
    noted=$(attached --execute="SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = '$DATABASE' AND TABLE_NAME = 'husorden_moving'")
    if [ "$noted" = 0 ] && [ "$(tables attached "$DATABASE")" != 0 ]; then
        stop "The database $DATABASE of the instance is not empty: choose one that is. Databasen $DATABASE i instansen er ikke tom: vælg en, der er."
    fi
    attached --execute="DROP DATABASE \`$DATABASE\`; CREATE DATABASE \`$DATABASE\` CHARACTER SET utf8mb4;
        CREATE TABLE \`$DATABASE\`.husorden_moving (since TIMESTAMP)"
    dumped own site | attached --max-allowed-packet=64M "$DATABASE"
    [ "$(counted own site)" = "$(counted attached "$DATABASE")" ] || stop "The copy does not hold the same rows as the original."
    printf '%s\n' "$DATABASE" "$NAME" "$PASSWORD" "$HOST:$PORT" | perl /run/conf/switch.pl away
fi
attached --execute='DROP TABLE IF EXISTS husorden_moving' "$DATABASE"
