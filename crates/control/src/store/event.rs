//! Events in the database. Their numbers are given under a lock held to the commit, so they are inserted last.

use super::{all, json};
use husorden_base::{AccountId, SolutionId};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use sqlx::PgConnection;
use sqlx::types::Json;

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct EventRow {
    pub(crate) id: u64,
    pub(crate) at: Timestamp,
    pub(crate) solution: Option<SolutionId>,
    pub(crate) kind: String,
    pub(crate) by: String,
    pub(crate) data: Value,
}

/// An event as it is written.
#[derive(Debug)]
pub(crate) struct NewEvent {
    pub(crate) account: Option<AccountId>,
    pub(crate) solution: Option<SolutionId>,
    pub(crate) kind: &'static str,
    pub(crate) data: Value,
    /// Before this moment the account is not told.
    pub(crate) visible_from: Option<Timestamp>,
}

pub(crate) async fn insert(conn: &mut PgConnection, by: &str, event: &NewEvent) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into event (account, solution, kind, by, data, visible_from)
         values ($1, $2, $3, $4, $5, greatest(now(), coalesce($6::timestamptz, now())))",
    )
    .bind(event.account.map(|id| id.0))
    .bind(event.solution.map(|id| id.0))
    .bind(event.kind)
    .bind(by)
    .bind(Json(&event.data))
    .bind(event.visible_from.map(|at| at.to_string()))
    .execute(conn)
    .await?;
    Ok(())
}

/// Events after a number, oldest first; with none given, the newest ones.
pub(crate) async fn list(
    conn: &mut PgConnection,
    solution: Option<SolutionId>,
    after: Option<u64>,
    limit: i64,
) -> Result<Vec<EventRow>, sqlx::Error> {
    let after = after.map(|id| i64::try_from(id).unwrap_or(i64::MAX));
    all(
        json(
            "select to_jsonb(e) from (
               select * from event where ($1::uuid is null or solution = $1) and ($2::bigint is null or id > $2)
               order by case when $2::bigint is null then -id else id end limit $3) e order by e.id",
        )
        .bind(solution.map(|id| id.0))
        .bind(after)
        .bind(limit),
        conn,
    )
    .await
}
