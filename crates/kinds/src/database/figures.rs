//! What is measured of an instance, and the SQL that asks for it: one query, short, that reads no customer's rows.

use super::engine::{DB, Family, POOLER};
use super::spec::Spec;
use super::{mariadb, pooler, postgres};
use crate::figure::{Figure, Gauge, Reading, Unit};
use husorden_base::Text;

/// The figures, in the order in which people read them.
pub(super) fn figures() -> Vec<Figure> {
    let figure = |name, da: &str, en: &str, unit, reading| Figure { name, title: Text::new(da, en), unit, reading };
    vec![
        figure("connections", "Forbindelser", "Connections", Unit::Count, Reading::Level),
        figure("transactions", "Transaktioner", "Transactions", Unit::PerSecond, Reading::Rate),
        figure(
            "cache-hits",
            "Læst fra hukommelsen",
            "Read from memory",
            Unit::Percent,
            Reading::Share { beside: "reads" },
        ),
        figure("size", "Data i databaserne", "Data in the databases", Unit::Bytes, Reading::Level),
        figure("locks-waiting", "Venter på en lås", "Waiting for a lock", Unit::Count, Reading::Level),
        figure("oldest-transaction", "Ældste transaktion", "Oldest transaction", Unit::Seconds, Reading::Level),
        figure("pooler-clients", "Klienter hos pooleren", "Clients of the pooler", Unit::Count, Reading::Level),
        figure("pooler-waiting", "Klienter, der venter", "Clients waiting", Unit::Count, Reading::Level),
        figure("pooler-sessions", "Poolerens sessioner", "Sessions of the pooler", Unit::Count, Reading::Level),
    ]
}

/// How they are asked for.
pub(super) fn gauges(spec: &Spec) -> Vec<Gauge> {
    let (argv, sql) = match spec.engine.family() {
        Family::Postgres => (postgres::ask(), POSTGRES),
        Family::MariaDb => (mariadb::ask(), MARIADB),
    };
    let server = Gauge { role: DB.to_owned(), argv, stdin: sql.to_owned() };
    let pooler = spec.pooling().map(|_| Gauge { role: POOLER.to_owned(), argv: pooler::ask(), stdin: String::new() });
    [server].into_iter().chain(pooler).collect()
}

/// People's sessions are those of clients that are not the platform.
const POSTGRES: &str = "\
WITH people AS (SELECT * FROM pg_stat_activity WHERE backend_type = 'client backend' AND usename <> 'husorden'),
     total AS (SELECT sum(xact_commit + xact_rollback) AS transactions, sum(blks_hit) AS hits, sum(blks_read) AS reads FROM pg_stat_database)
SELECT 'connections', count(*) FROM people
UNION ALL SELECT 'transactions', transactions FROM total
UNION ALL SELECT 'cache-hits', hits FROM total
UNION ALL SELECT 'reads', reads FROM total
UNION ALL SELECT 'size', sum(pg_database_size(oid)) FROM pg_database
UNION ALL SELECT 'locks-waiting', count(DISTINCT pid) FROM pg_locks WHERE NOT granted
UNION ALL SELECT 'oldest-transaction', coalesce(max(extract(epoch FROM now() - xact_start)), 0) FROM people;
";

const MARIADB: &str = "\
SELECT 'connections', COUNT(*) FROM information_schema.processlist WHERE user NOT IN ('site', 'system user', 'event_scheduler')
UNION ALL SELECT 'transactions', SUM(variable_value) FROM information_schema.global_status
    WHERE variable_name IN ('HANDLER_COMMIT', 'HANDLER_ROLLBACK')
UNION ALL SELECT 'cache-hits', SUM(IF(variable_name = 'INNODB_BUFFER_POOL_READS', -variable_value, variable_value))
    FROM information_schema.global_status WHERE variable_name IN ('INNODB_BUFFER_POOL_READ_REQUESTS', 'INNODB_BUFFER_POOL_READS')
UNION ALL SELECT 'reads', variable_value FROM information_schema.global_status WHERE variable_name = 'INNODB_BUFFER_POOL_READS'
UNION ALL SELECT 'size', SUM(file_size) FROM information_schema.innodb_sys_tablespaces
UNION ALL SELECT 'locks-waiting', (SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT')
    + (SELECT COUNT(*) FROM information_schema.processlist WHERE state LIKE 'Waiting for % lock')
UNION ALL SELECT 'oldest-transaction', COALESCE(MAX(TIMESTAMPDIFF(SECOND, trx_started, NOW())), 0) FROM information_schema.innodb_trx;
";
