//! Evidence in the database: the row is written before the act and completed after it. The doors add lines and see them; only
//! named functions complete them, and nobody changes or removes one.

use super::{all, json};
use husorden_base::{AccountId, MeasureId, OrderId, SolutionId};
use husorden_wire::api;
use jiff::Timestamp;
use serde_json::Value;
use sqlx::PgConnection;
use sqlx::types::Json;

/// What completes a line.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Awaits {
    /// Nothing: the act is the transaction itself.
    Nothing,
    /// The node settles on this generation.
    Generation(u64),
    /// The order ends.
    Order(OrderId),
    /// The measure is in force, or lifted.
    Measure(MeasureId),
}

/// A line as it is written.
#[derive(Debug)]
pub(crate) struct NewEvidence {
    pub(crate) act: &'static str,
    pub(crate) account: Option<AccountId>,
    pub(crate) solution: Option<SolutionId>,
    pub(crate) before: Value,
    pub(crate) awaits: Awaits,
    pub(crate) visible_from: Option<Timestamp>,
}

pub(crate) async fn insert(conn: &mut PgConnection, who: &str, line: &NewEvidence) -> Result<(), sqlx::Error> {
    let (generation, order, measure) = match line.awaits {
        Awaits::Nothing => (None, None, None),
        Awaits::Generation(generation) => (Some(i64::try_from(generation).unwrap_or(i64::MAX)), None, None),
        Awaits::Order(order) => (None, Some(order.0), None),
        Awaits::Measure(measure) => (None, None, Some(measure.0)),
    };
    sqlx::query(
        "insert into evidence (who, act, account, solution, before, await_generation, await_order, await_measure, ended, after, visible_from)
         values ($1, $2, $3, $4, $5, $6, $7, $8,
                 case when $6 is null and $7 is null and $8 is null then now() end,
                 case when $6 is null and $7 is null and $8 is null then '{}'::jsonb end,
                 greatest(now(), coalesce($9::timestamptz, now())))",
    )
    .bind(who)
    .bind(line.act)
    .bind(line.account.map(|id| id.0))
    .bind(line.solution.map(|id| id.0))
    .bind(Json(&line.before))
    .bind(generation)
    .bind(order)
    .bind(measure)
    .bind(line.visible_from.map(|at| at.to_string()))
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn list(
    conn: &mut PgConnection,
    solution: Option<SolutionId>,
    after: i64,
    limit: i64,
) -> Result<Vec<api::Evidence>, sqlx::Error> {
    all(
        json(
            "select to_jsonb(e) from (select id, begun, ended, who, act, solution, before, after from evidence
               where id > $1 and ($2::uuid is null or solution = $2) order by id limit $3) e",
        )
        .bind(after)
        .bind(solution.map(|id| id.0))
        .bind(limit),
        conn,
    )
    .await
}
