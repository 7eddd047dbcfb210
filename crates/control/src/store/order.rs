//! Orders in the database: the outbox to the nodes.

use super::{all, json, one};
use husorden_base::{OrderId, Refusal, SnapshotId, SolutionId};
use husorden_wire::node::{Verb, VerbState};
use jiff::Timestamp;
use serde::Deserialize;
use sqlx::PgConnection;
use sqlx::types::Json;
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
) -> Result<Vec<OrderRow>, sqlx::Error> {
    all(
        json("select to_jsonb(o) from verb_order o where solution = $1 and ($2::uuid is null or id > $2) order by id limit $3")
            .bind(solution.0)
            .bind(after)
            .bind(limit),
        conn,
    )
    .await
}

/// How many orders of a solution are not ended.
pub(crate) async fn open(conn: &mut PgConnection, solution: SolutionId) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select count(*) from verb_order where solution = $1 and state in ('queued', 'running')")
        .bind(solution.0)
        .fetch_one(conn)
        .await
}
