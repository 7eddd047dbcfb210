//! Orders in the database: the outbox to the nodes.

use super::{all, json, one};
use husorden_base::{OrderId, Refusal, SnapshotId, SolutionId};
use husorden_wire::node::{Verb, VerbState};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use sqlx::types::Json;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct OrderRow {
    pub(crate) id: OrderId,
    pub(crate) solution: SolutionId,
    pub(crate) verb: String,
    pub(crate) state: String,
    pub(crate) progress: Option<VerbState>,
    pub(crate) refusal: Option<Refusal>,
    pub(crate) snapshot: Option<SnapshotId>,
    /// The verb with all that it was asked with.
    pub(crate) body: Value,
    /// Bytes of its stream that went through.
    pub(crate) bytes: Option<u64>,
    /// About how many it will be.
    pub(crate) bytes_expected: Option<u64>,
    pub(crate) created: Timestamp,
    pub(crate) ended: Option<Timestamp>,
}

/// An order as it is written.
pub(crate) struct NewOrder<'a> {
    pub(crate) id: OrderId,
    pub(crate) row: &'a super::solution::SolutionRow,
    pub(crate) word: &'a str,
    pub(crate) verb: &'a Verb,
    pub(crate) snapshot: Option<SnapshotId>,
    pub(crate) undoes: Option<SnapshotId>,
    pub(crate) spool: Option<&'a str>,
}

pub(crate) async fn insert(conn: &mut PgConnection, new: &NewOrder<'_>) -> Result<OrderRow, sqlx::Error> {
    one(
        json(
            "with o as (insert into verb_order (id, solution, account, node, verb, body, snapshot, undoes, spool)
                        values ($1, $2, $3, $4, $5, $6, $7, $8, $9) returning *)
             select to_jsonb(o) from o",
        )
        .bind(new.id.0)
        .bind(new.row.id.0)
        .bind(new.row.account.0)
        .bind(new.row.node.clone())
        .bind(new.word.to_owned())
        .bind(Json(new.verb.clone()))
        .bind(new.snapshot.map(|id| id.0))
        .bind(new.undoes.map(|id| id.0))
        .bind(new.spool.map(str::to_owned)),
        conn,
    )
    .await?
    .ok_or(sqlx::Error::RowNotFound)
}

pub(crate) async fn get(conn: &mut PgConnection, id: Uuid) -> Result<Option<OrderRow>, sqlx::Error> {
    one(json("select to_jsonb(o) from verb_order o where id = $1").bind(id), conn).await
}

pub(crate) async fn list(
    conn: &mut PgConnection,
    solution: SolutionId,
    after: Option<Uuid>,
    limit: i64,
    newest: bool,
) -> Result<Vec<OrderRow>, sqlx::Error> {
    let sql = if newest {
        "select to_jsonb(o) from verb_order o where solution = $1 and ($2::uuid is null or id < $2) order by id desc limit $3"
    } else {
        "select to_jsonb(o) from verb_order o where solution = $1 and ($2::uuid is null or id > $2) order by id limit $3"
    };
    all(json(sql).bind(solution.0).bind(after).bind(limit), conn).await
}

/// How many bytes a part was when it was last dumped in a format.
pub(crate) async fn dumped(
    conn: &mut PgConnection,
    solution: SolutionId,
    part: &str,
    format: &str,
) -> Result<Option<u64>, sqlx::Error> {
    let sql = "select to_jsonb(bytes) from verb_order where solution = $1 and verb = 'dump' and state = 'done' and bytes is not null
               and body->>'part' = $2 and body->>'format' = $3 order by id desc limit 1";
    one(json(sql).bind(solution.0).bind(part.to_owned()).bind(format.to_owned()), conn).await
}

/// How many bytes the solution's package was when it was last made.
pub(crate) async fn packed(conn: &mut PgConnection, solution: SolutionId) -> Result<Option<u64>, sqlx::Error> {
    let sql = "select to_jsonb(bytes) from verb_order where solution = $1 and verb = 'package' and state = 'done' and bytes is not null
               order by id desc limit 1";
    one(json(sql).bind(solution.0), conn).await
}

/// Writes down how far the stream of an order is.
pub(crate) async fn flow(
    system: &PgPool,
    order: OrderId,
    bytes: u64,
    expected: Option<u64>,
) -> Result<(), sqlx::Error> {
    let signed = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    sqlx::query("select order_flow($1, $2, $3)")
        .bind(order.0)
        .bind(signed(bytes))
        .bind(expected.map(signed))
        .execute(system)
        .await?;
    Ok(())
}

/// How many orders of a solution are not ended.
pub(crate) async fn open(conn: &mut PgConnection, solution: SolutionId) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select count(*) from verb_order where solution = $1 and state in ('queued', 'running')")
        .bind(solution.0)
        .fetch_one(conn)
        .await
}
