
# Moves the site's data back into its own database, whatever that holds. What is attached is left as it is.
if away; then
    answers attached "$DATABASE"
    answers own site
    own --execute='DROP DATABASE site; CREATE DATABASE site CHARACTER SET utf8mb4'
    dumped attached "$DATABASE" | own --max-allowed-packet=32M site
    [ "$(counted attached "$DATABASE")" = "$(counted own site)" ] || stop "The copy does not hold the same rows as the original."
    printf '%s\n' site site '' localhost:/run/husorden/db.sock | perl /run/conf/switch.pl home
fi
