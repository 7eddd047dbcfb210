//! Targets in the database: where backups lie. Customers see a name and a kind; staff see how they are reached.

use super::node::Unlock;
use super::{all, json, one};
use husorden_base::TargetId;
use husorden_wire::api;
use husorden_wire::node::Address;
use jiff::Timestamp;
use serde::Deserialize;
use sqlx::types::Json;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// A target, with what lies there.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct TargetRow {
    pub(crate) id: TargetId,
    pub(crate) name: String,
    pub(crate) address: Address,
    pub(crate) bytes_per_second: Option<u64>,
    pub(crate) state: String,
    pub(crate) heard: Option<Timestamp>,
    pub(crate) made: Timestamp,
    pub(crate) retired: Option<Timestamp>,
    pub(crate) backups: u64,
    pub(crate) bytes_sent: u64,
    pub(crate) newest: Option<Timestamp>,
}

/// What a customer is told of a target.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct TargetNamed {
    pub(crate) id: TargetId,
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) state: String,
}

pub(crate) async fn list(conn: &mut PgConnection) -> Result<Vec<TargetRow>, sqlx::Error> {
    all(
        json(
            "select to_jsonb(t) || jsonb_build_object('backups', b.backups, 'bytes_sent', b.bytes_sent, 'newest', b.newest)
               from target t cross join lateral (
                    select count(*) as backups, coalesce(sum(bytes_sent), 0) as bytes_sent, max(taken) as newest
                      from backup where target = t.id and state = 'ready') b
              order by t.name limit 1000",
        ),
        conn,
    )
    .await
}

/// The one with this id or name, as whoever asks may see it.
pub(crate) async fn named(conn: &mut PgConnection, text: &str) -> Result<Option<TargetNamed>, sqlx::Error> {
    one(
        json(
            "select jsonb_build_object('id', id, 'name', name, 'kind', kind, 'state', state) from target
              where name = $1 or id = $2",
        )
        .bind(text.to_owned())
        .bind(text.parse::<Uuid>().ok()),
        conn,
    )
    .await
}

/// The one that a solution goes to now.
pub(crate) async fn of(
    conn: &mut PgConnection,
    solution: husorden_base::SolutionId,
    own: &str,
) -> Result<Option<TargetNamed>, sqlx::Error> {
    one(
        json(
            "select jsonb_build_object('id', id, 'name', name, 'kind', kind, 'state', state) from target
              where id = target_of($1, $2)",
        )
        .bind(solution.0)
        .bind(own.to_owned()),
        conn,
    )
    .await
}

pub(crate) async fn insert(
    conn: &mut PgConnection,
    id: TargetId,
    name: &str,
    address: &Address,
    bytes_per_second: Option<u64>,
) -> Result<(), sqlx::Error> {
    sqlx::query("insert into target (id, name, address, bytes_per_second) values ($1, $2, $3, $4)")
        .bind(id.0)
        .bind(name)
        .bind(Json(address))
        .bind(bytes_per_second.map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX)))
        .execute(conn)
        .await?;
    Ok(())
}

pub(crate) async fn change(
    conn: &mut PgConnection,
    id: TargetId,
    name: &str,
    bytes_per_second: Option<u64>,
) -> Result<(), sqlx::Error> {
    sqlx::query("update target set name = $2, bytes_per_second = $3 where id = $1")
        .bind(id.0)
        .bind(name)
        .bind(bytes_per_second.map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX)))
        .execute(conn)
        .await?;
    Ok(())
}

pub(crate) async fn retire(conn: &mut PgConnection, id: TargetId) -> Result<(), sqlx::Error> {
    sqlx::query("update target set state = 'retired', retired = now() where id = $1 and state = 'open'")
        .bind(id.0)
        .execute(conn)
        .await?;
    Ok(())
}

/// How many plans of solutions that are there name it.
pub(crate) async fn planned(conn: &mut PgConnection, id: TargetId) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(
        "select count(*) from backup_plan p join solution s on s.id = p.solution where p.target = $1 and s.deleted is null",
    )
    .bind(id.0)
    .fetch_one(conn)
    .await
}

/// What came of a round of a target's own side.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Noted {
    pub(crate) proven: Option<String>,
    pub(crate) sealed: bool,
}

/// Notes what a target's own side says of a repository; none where there is no such solution.
pub(crate) async fn round(
    system: &PgPool,
    target: TargetId,
    number: i32,
    said: &api::TargetRound,
) -> Result<Option<Noted>, sqlx::Error> {
    let said = serde_json::json!({ "gone": said.gone, "missing": said.missing, "waiting": said.waiting });
    let noted: Option<Json<Noted>> = sqlx::query_scalar("select target_round($1, $2, $3)")
        .bind(target.0)
        .bind(number)
        .bind(Json(said))
        .fetch_one(system)
        .await?;
    Ok(noted.map(|noted| noted.0))
}

/// Whether a target's own side may have what opens a repository. Written down before it has it.
pub(crate) async fn unlock(
    system: &PgPool,
    target: TargetId,
    number: i32,
    recipient: &str,
) -> Result<Option<Unlock>, sqlx::Error> {
    let found: Option<Json<Unlock>> = sqlx::query_scalar("select target_unlock($1, $2, $3)")
        .bind(target.0)
        .bind(number)
        .bind(recipient)
        .fetch_one(system)
        .await?;
    Ok(found.map(|unlock| unlock.0))
}
