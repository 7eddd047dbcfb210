//! Who was refused at solutions' ports, in the database.

use super::{all, json, one};
use husorden_base::SolutionId;
use ipnet::IpNet;
use jiff::Timestamp;
use serde::Deserialize;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// One source that was refused.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct RefusedRow {
    pub(crate) id: Uuid,
    pub(crate) solution: SolutionId,
    pub(crate) net: IpNet,
    pub(crate) port: u16,
    pub(crate) attempts: u64,
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
}

/// Those of a solution that nobody has dismissed, the newest first; there are never many.
pub(crate) async fn list(conn: &mut PgConnection, solution: SolutionId) -> Result<Vec<RefusedRow>, sqlx::Error> {
    all(
        json(
            "select to_jsonb(r) from refused r where solution = $1 and dismissed is null
               and last > now() - interval '7 days' order by last desc, id desc limit 200",
        )
        .bind(solution.0),
        conn,
    )
    .await
}

pub(crate) async fn get(
    conn: &mut PgConnection,
    solution: SolutionId,
    id: Uuid,
) -> Result<Option<RefusedRow>, sqlx::Error> {
    let sql = "select to_jsonb(r) from refused r where solution = $1 and id = $2";
    one(json(sql).bind(solution.0).bind(id), conn).await
}

/// A source is let in: what was noted of it has served.
pub(crate) async fn forget(conn: &mut PgConnection, row: &RefusedRow) -> Result<(), sqlx::Error> {
    let sql = "delete from refused where solution = $1 and net = $2";
    sqlx::query(sql).bind(row.solution.0).bind(row.net.to_string()).execute(conn).await?;
    Ok(())
}

/// A source is nobody the account knows: it is not proposed again while it goes on trying.
pub(crate) async fn dismiss(conn: &mut PgConnection, row: &RefusedRow) -> Result<(), sqlx::Error> {
    let sql = "update refused set dismissed = now() where solution = $1 and net = $2";
    sqlx::query(sql).bind(row.solution.0).bind(row.net.to_string()).execute(conn).await?;
    Ok(())
}

/// Forgets who has not tried for a week.
pub(crate) async fn sweep(system: &PgPool) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select sweep_refused()").fetch_one(system).await
}
