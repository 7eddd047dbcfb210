//! Snapshots in the database: what the node has, with the spec as it was then.

use super::{all, json, one};
use husorden_base::{AccountId, SnapshotId, SolutionId};
use husorden_kinds::Consistent;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct SnapshotRow {
    pub(crate) id: SnapshotId,
    pub(crate) solution: SolutionId,
    pub(crate) label: String,
    pub(crate) before: Option<String>,
    pub(crate) state: String,
    pub(crate) spec: Option<Value>,
    pub(crate) taken: Timestamp,
    /// As the node said when it last looked.
    #[serde(default)]
    pub(crate) consistent: Option<Consistent>,
}

pub(crate) async fn list(
    conn: &mut PgConnection,
    solution: SolutionId,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<SnapshotRow>, sqlx::Error> {
    all(
        json(
            "select to_jsonb(s) || jsonb_build_object('consistent', (
                 select e->'consistent' from solution o, jsonb_array_elements(o.seen->'snapshots') e where o.id = s.solution and e->>'id' = s.id::text))
             from snapshot s where s.solution = $1 and ($2::uuid is null or s.id > $2) order by s.id limit $3",
        )
        .bind(solution.0)
        .bind(after)
        .bind(limit),
        conn,
    )
    .await
}

pub(crate) async fn get(
    conn: &mut PgConnection,
    solution: SolutionId,
    id: Uuid,
) -> Result<Option<SnapshotRow>, sqlx::Error> {
    one(json("select to_jsonb(s) from snapshot s where solution = $1 and id = $2").bind(solution.0).bind(id), conn)
        .await
}

/// The spec as it was at a time, if it was changed since in a way that a snapshot was taken before.
pub(crate) async fn spec_at(
    conn: &mut PgConnection,
    solution: SolutionId,
    at: Timestamp,
) -> Result<Option<Value>, sqlx::Error> {
    one(
        json("select spec from snapshot where solution = $1 and spec is not null and taken >= $2::timestamptz and state <> 'failed' order by taken limit 1")
            .bind(solution.0)
            .bind(at.to_string()),
        conn,
    )
    .await
}

/// How many there are, taken, being taken or being deleted.
pub(crate) async fn count(conn: &mut PgConnection, solution: SolutionId) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select count(*) from snapshot where solution = $1 and state <> 'failed'")
        .bind(solution.0)
        .fetch_one(conn)
        .await
}

/// The newest one that the platform took before a change which was not brought back yet.
pub(crate) async fn to_undo(conn: &mut PgConnection, solution: SolutionId) -> Result<Option<SnapshotRow>, sqlx::Error> {
    one(
        json(
            "select to_jsonb(s) from snapshot s
             where solution = $1 and before in ('restore', 'unpack', 'load', 'change', 'upgrade') and undone is null and state in ('ready', 'taking')
             order by id desc limit 1",
        )
        .bind(solution.0),
        conn,
    )
    .await
}

pub(crate) async fn insert(
    conn: &mut PgConnection,
    id: SnapshotId,
    of: (SolutionId, AccountId),
    label: &str,
    before: Option<&str>,
    spec: &Value,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into snapshot (id, solution, account, label, before, state, spec) values ($1, $2, $3, $4, $5, 'taking', $6)",
    )
    .bind(id.0)
    .bind(of.0.0)
    .bind(of.1.0)
    .bind(label)
    .bind(before)
    .bind(Json(spec))
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn set_state(conn: &mut PgConnection, id: SnapshotId, state: &str) -> Result<(), sqlx::Error> {
    sqlx::query("update snapshot set state = $2 where id = $1").bind(id.0).bind(state).execute(conn).await?;
    Ok(())
}

pub(crate) async fn set_undone(conn: &mut PgConnection, id: SnapshotId) -> Result<(), sqlx::Error> {
    sqlx::query("update snapshot set undone = now() where id = $1").bind(id.0).execute(conn).await?;
    Ok(())
}
