mkdir -p /tmp/server
ln -sf /run/husorden/db.sock /tmp/server/.s.PGSQL.5432
ask="--host=/tmp/server --username=husorden"
# A role without a log-in stands for the platform's own, to which rights may refer.
{
    echo 'CREATE ROLE husorden NOLOGIN;'
    pg_dumpall $ask --roles-only |
        sed -E -e '/^(CREATE|ALTER) ROLE (postgres|husorden)( |;)/d' -e '/^(GRANT|ALTER ROLE) / s/ GRANTED BY husorden;$/;/'
} | one roles.sql
for part in $PARTS; do
    pg_dump $ask --create --format=plain --dbname="$part" | gzip --fast | stream "database/$part.sql.gz"
done
