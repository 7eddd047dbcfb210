//! Jobs in the database: claimed under a lease, so that a worker that dies loses nothing.

use super::{all, json};
use husorden_base::{MeasureId, SolutionId};
use husorden_wire::vault::Receipt;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use sqlx::types::Json;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Job {
    pub(crate) id: i64,
    pub(crate) kind: String,
    pub(crate) subject: Value,
    pub(crate) attempts: u32,
}

/// Asks for a measure to be ended when its time comes.
pub(crate) async fn measure_end(
    conn: &mut PgConnection,
    measure: MeasureId,
    due: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query("insert into job (kind, subject, due) values ('measure-end', jsonb_build_object('measure', $1::uuid), $2::timestamptz)")
        .bind(measure.0)
        .bind(due.to_string())
        .execute(conn)
        .await?;
    Ok(())
}

/// Asks for a look at how far the nodes are with a measure.
pub(crate) async fn measure_watch(
    conn: &mut PgConnection,
    measure: MeasureId,
    after_s: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into job (kind, subject, due)
         values ('measure-watch', jsonb_build_object('measure', $1::uuid), now() + make_interval(secs => $2))",
    )
    .bind(measure.0)
    .bind(after_s as f64)
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn claim(system: &PgPool, worker: Uuid, lease_s: i32, limit: i32) -> Result<Vec<Job>, sqlx::Error> {
    all(json("select j from job_claim($1, $2, $3) j").bind(worker).bind(lease_s).bind(limit), system).await
}

/// Writes down that a key was destroyed; once, however often it is said.
pub(crate) async fn key_destroyed(system: &PgPool, receipt: &Receipt) -> Result<(), sqlx::Error> {
    sqlx::query("select key_destroyed($1)").bind(Json(receipt)).execute(system).await?;
    Ok(())
}

/// The same for what leaves the house.
pub(crate) async fn claim_outside(
    system: &PgPool,
    worker: Uuid,
    lease_s: i32,
    limit: i32,
    kinds: &[&str],
) -> Result<Vec<Job>, sqlx::Error> {
    let sql = "select j from job_claim_outside($1, $2, $3, $4) j";
    all(json(sql).bind(worker).bind(lease_s).bind(limit).bind(kinds), system).await
}

/// It was sent; what it said is forgotten.
pub(crate) async fn outside_done(system: &PgPool, id: i64, worker: Uuid) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select outside_done($1, $2)").bind(id).bind(worker).fetch_one(system).await
}

/// A try failed. True: it was given up, because it is older than `give_up_s`.
pub(crate) async fn outside_failed(
    system: &PgPool,
    id: i64,
    worker: Uuid,
    error: &str,
    retry_s: i32,
    give_up_s: i32,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select outside_failed($1, $2, $3, $4, $5)")
        .bind(id)
        .bind(worker)
        .bind(error)
        .bind(retry_s)
        .bind(give_up_s)
        .fetch_one(system)
        .await
}

pub(crate) async fn done(system: &PgPool, id: i64, worker: Uuid) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select job_done($1, $2)").bind(id).bind(worker).fetch_one(system).await
}

pub(crate) async fn failed(
    system: &PgPool,
    id: i64,
    worker: Uuid,
    error: &str,
    retry_s: i32,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select job_failed($1, $2, $3, $4)")
        .bind(id)
        .bind(worker)
        .bind(error)
        .bind(retry_s)
        .fetch_one(system)
        .await
}

pub(crate) async fn sweep_idempotency(system: &PgPool, keep_s: i32) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select sweep_idempotency($1)").bind(keep_s).fetch_one(system).await
}

pub(crate) async fn sweep_deliveries(system: &PgPool) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select sweep_deliveries()").fetch_one(system).await
}

pub(crate) async fn sweep_jobs(system: &PgPool) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select sweep_jobs()").fetch_one(system).await
}

/// Deletions whose retention is over.
pub(crate) async fn to_bury(system: &PgPool) -> Result<Vec<SolutionId>, sqlx::Error> {
    let ids: Vec<Uuid> = sqlx::query_scalar("select sweep_retention()").fetch_all(system).await?;
    Ok(ids.into_iter().map(SolutionId).collect())
}

pub(crate) async fn bury(system: &PgPool, id: SolutionId) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select bury($1)").bind(id.0).fetch_one(system).await
}

/// Whether nodes lag behind with a measure; staff were told.
pub(crate) async fn measure_late(system: &PgPool, id: Uuid) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select measure_watch($1)").bind(id).fetch_one(system).await
}

pub(crate) async fn end_measure(system: &PgPool, id: Uuid) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select measure_end($1)").bind(id).fetch_one(system).await
}

pub(crate) async fn spool_needed(system: &PgPool) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar("select spool_needed()").fetch_all(system).await
}
