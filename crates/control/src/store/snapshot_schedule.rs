//! Schedules of snapshots in the database, and the named functions of their round.

use super::{all, json, one};
use husorden_base::{OrderId, SnapshotId, SolutionId};
use husorden_wire::api::SnapshotEvery;
use jiff::Timestamp;
use serde::Deserialize;
use sqlx::{PgConnection, PgPool};

/// When a solution's snapshots are taken, and how that stands.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct ScheduleRow {
    pub(crate) every: SnapshotEvery,
    pub(crate) hour: u8,
    pub(crate) day: String,
    pub(crate) zone: String,
    pub(crate) keep: u8,
    pub(crate) due: Option<Timestamp>,
    pub(crate) missed: Option<Timestamp>,
    pub(crate) why: Option<String>,
    pub(crate) generation: u64,
}

pub(crate) async fn get(conn: &mut PgConnection, solution: SolutionId) -> Result<ScheduleRow, sqlx::Error> {
    one(json("select to_jsonb(p) from snapshot_schedule p where solution = $1").bind(solution.0), conn)
        .await?
        .ok_or(sqlx::Error::RowNotFound)
}

/// Writes a schedule, and lets go what is more than it keeps.
pub(crate) async fn save(conn: &mut PgConnection, solution: SolutionId, row: &ScheduleRow) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update snapshot_schedule set every = $2, hour = $3, day = $4, zone = $5, keep = $6, due = $7::timestamptz, missed = $8::timestamptz,
                why = $9, generation = $10
          where solution = $1",
    )
    .bind(solution.0)
    .bind(row.every.word())
    .bind(i16::from(row.hour))
    .bind(&row.day)
    .bind(&row.zone)
    .bind(i16::from(row.keep))
    .bind(row.due.map(|at| at.to_string()))
    .bind(row.missed.map(|at| at.to_string()))
    .bind(row.why.as_deref())
    .bind(i64::try_from(row.generation).unwrap_or(i64::MAX))
    .execute(&mut *conn)
    .await?;
    sqlx::query("select snapshots_expire($1)").bind(solution.0).execute(conn).await?;
    Ok(())
}

/// A schedule whose time has come.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct DueRow {
    pub(crate) solution: SolutionId,
    pub(crate) every: SnapshotEvery,
    pub(crate) hour: u8,
    pub(crate) day: String,
    pub(crate) zone: String,
    pub(crate) now: Timestamp,
}

pub(crate) async fn due(system: &PgPool, limit: i32) -> Result<Vec<DueRow>, sqlx::Error> {
    all(json("select d from snapshots_due($1) d").bind(limit), system).await
}

/// Has the one that is due taken. False: none is, for something stands in the way or has changed meanwhile.
pub(crate) async fn begin(system: &PgPool, solution: SolutionId, next: Timestamp) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select snapshot_begin($1, $2, $3, $4::timestamptz)")
        .bind(solution.0)
        .bind(SnapshotId::new().0)
        .bind(OrderId::new().0)
        .bind(next.to_string())
        .fetch_one(system)
        .await
}
