# Asks the pooler that runs how many come by it, how many of them wait, and how many sessions of the server it holds. It lets in whoever has
# its own uid, by its unix socket alone and without a password. The socket has the platform's name, and psql looks for another.
set -eu
mkdir -p /tmp/pooler
ln -sf /run/husorden/pooler.sock /tmp/pooler/.s.PGSQL.6432
pools=$(psql --no-psqlrc --no-password --quiet --no-align --field-separator=' ' --pset=footer=off --host=/tmp/pooler --port=6432 \
    --username=pgbouncer --dbname=pgbouncer --command='SHOW POOLS')
printf '%s\n' "$pools" | awk '
    NR == 1 { for (n = 1; n <= NF; n++) at[$n] = n; next }
    $at["database"] == "pgbouncer" { next }
    {
        waiting += $at["cl_waiting"]
        clients += $at["cl_active"] + $at["cl_waiting"]
        sessions += $at["sv_active"] + $at["sv_idle"] + $at["sv_used"] + $at["sv_tested"] + $at["sv_login"]
    }
    END { printf "pooler-clients %d\npooler-waiting %d\npooler-sessions %d\n", clients, waiting, sessions }'
