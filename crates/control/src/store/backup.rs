//! Backups, their plans and proofs in the database, and the named functions of the schedule.

use super::{all, json, one};
use crate::backup::away::Base;
use husorden_base::{AccountId, BackupId, OrderId, ProofId, Refusal, SolutionId, TargetId};
use husorden_wire::node::{Level, Opened, ProofStep, Repository, VerbState};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use sqlx::types::Json;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// When a solution is backed up, and how it stands.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct PlanRow {
    pub(crate) enabled: bool,
    pub(crate) reason: Option<String>,
    pub(crate) target: Option<TargetId>,
    pub(crate) hour: u8,
    pub(crate) hours: u8,
    pub(crate) zone: String,
    pub(crate) due: Option<Timestamp>,
    pub(crate) since: Timestamp,
    pub(crate) newest: Option<Timestamp>,
    pub(crate) failed: Option<Timestamp>,
    pub(crate) proven: Option<Timestamp>,
    pub(crate) proof_failed: Option<Timestamp>,
    /// Backups that a log can be carried out from.
    pub(crate) bases: Vec<Base>,
}

/// A backup.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct BackupRow {
    pub(crate) id: BackupId,
    pub(crate) solution: SolutionId,
    pub(crate) target: TargetId,
    pub(crate) target_name: String,
    pub(crate) order_id: OrderId,
    pub(crate) reason: String,
    pub(crate) state: String,
    pub(crate) asked: Timestamp,
    pub(crate) copy: Option<String>,
    pub(crate) taken: Option<Timestamp>,
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    pub(crate) bytes_read: u64,
    pub(crate) bytes_sent: u64,
    pub(crate) took_ms: Option<u64>,
    pub(crate) noted: Opened,
    pub(crate) spec: Value,
    pub(crate) refusal: Option<Refusal>,
    pub(crate) progress: Option<VerbState>,
    pub(crate) proof: Option<ProofRow>,
}

/// A proof.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ProofRow {
    pub(crate) id: ProofId,
    pub(crate) solution: SolutionId,
    pub(crate) solution_name: String,
    pub(crate) kind: String,
    pub(crate) backup: BackupId,
    pub(crate) taken: Option<Timestamp>,
    pub(crate) node: String,
    pub(crate) state: String,
    pub(crate) level: Option<Level>,
    pub(crate) steps: Vec<ProofStep>,
    pub(crate) noted: Opened,
    pub(crate) found: Opened,
    pub(crate) bytes: u64,
    pub(crate) took_ms: Option<u64>,
    pub(crate) refusal: Option<Refusal>,
    pub(crate) made: Timestamp,
    pub(crate) ended: Option<Timestamp>,
}

/// A solution and how its backups stand.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct StandingRow {
    pub(crate) id: SolutionId,
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) account_name: String,
    pub(crate) now: Timestamp,
    pub(crate) backups: PlanRow,
    pub(crate) proof: Option<ProofRow>,
}

pub(crate) async fn plan(conn: &mut PgConnection, solution: SolutionId) -> Result<Option<PlanRow>, sqlx::Error> {
    one(json("select to_jsonb(p) from backup_plan p where solution = $1").bind(solution.0), conn).await
}

/// Writes a plan; when the next backup is due is worked out anew, and since when they are expected where it was turned on.
pub(crate) async fn plan_save(
    conn: &mut PgConnection,
    solution: SolutionId,
    plan: &PlanRow,
    turned_on: bool,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update backup_plan set enabled = $2, reason = $3, target = $4, hour = $5, hours = $6, zone = $7, due = $8::timestamptz,
                since = case when $9 then now() else since end
          where solution = $1",
    )
    .bind(solution.0)
    .bind(plan.enabled)
    .bind(plan.reason.as_deref())
    .bind(plan.target.map(|id| id.0))
    .bind(i16::from(plan.hour))
    .bind(i16::from(plan.hours))
    .bind(&plan.zone)
    .bind(plan.due.map(|at| at.to_string()))
    .bind(turned_on)
    .execute(conn)
    .await?;
    Ok(())
}

/// Backups of a solution, newest first; those before one.
pub(crate) async fn list(
    conn: &mut PgConnection,
    solution: SolutionId,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<BackupRow>, sqlx::Error> {
    all(
        json(
            "select to_jsonb(b) from backup_view b where solution = $1 and ($2::uuid is null or id < $2)
              order by id desc limit $3",
        )
        .bind(solution.0)
        .bind(after)
        .bind(limit),
        conn,
    )
    .await
}

/// The newest that can be used.
pub(crate) async fn list_ready(
    conn: &mut PgConnection,
    solution: SolutionId,
    limit: i64,
) -> Result<Vec<BackupRow>, sqlx::Error> {
    all(
        json("select to_jsonb(b) from backup_view b where solution = $1 and state = 'ready' order by id desc limit $2")
            .bind(solution.0)
            .bind(limit),
        conn,
    )
    .await
}

pub(crate) async fn get(
    conn: &mut PgConnection,
    solution: SolutionId,
    id: Uuid,
) -> Result<Option<BackupRow>, sqlx::Error> {
    one(json("select to_jsonb(b) from backup_view b where solution = $1 and id = $2").bind(solution.0).bind(id), conn)
        .await
}

/// The newest backup in one of these states.
pub(crate) async fn newest(
    conn: &mut PgConnection,
    solution: SolutionId,
    state: &str,
) -> Result<Option<BackupRow>, sqlx::Error> {
    one(
        json("select to_jsonb(b) from backup_view b where solution = $1 and state = $2 order by id desc limit 1")
            .bind(solution.0)
            .bind(state.to_owned()),
        conn,
    )
    .await
}

/// A backup as it is asked for.
pub(crate) struct NewBackup<'a> {
    pub(crate) id: BackupId,
    pub(crate) of: (SolutionId, AccountId),
    pub(crate) target: TargetId,
    pub(crate) order: OrderId,
    pub(crate) reason: &'a str,
    pub(crate) spec: &'a Value,
}

pub(crate) async fn insert(conn: &mut PgConnection, new: &NewBackup<'_>) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into backup (id, solution, account, target, order_id, reason, spec) values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(new.id.0)
    .bind(new.of.0.0)
    .bind(new.of.1.0)
    .bind(new.target.0)
    .bind(new.order.0)
    .bind(new.reason)
    .bind(Json(new.spec))
    .execute(conn)
    .await?;
    Ok(())
}

/// Where a solution's repository is at a target.
pub(crate) async fn repository(
    conn: &mut PgConnection,
    solution: SolutionId,
    target: TargetId,
) -> Result<Repository, sqlx::Error> {
    one(json("select repository_of($1, $2)").bind(solution.0).bind(target.0), conn)
        .await?
        .ok_or(sqlx::Error::RowNotFound)
}

/// Proofs of a solution, newest first.
pub(crate) async fn proofs(
    conn: &mut PgConnection,
    solution: SolutionId,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<ProofRow>, sqlx::Error> {
    all(
        json(
            "select to_jsonb(f) from proof_view f where solution = $1 and ($2::uuid is null or id < $2)
              order by id desc limit $3",
        )
        .bind(solution.0)
        .bind(after)
        .bind(limit),
        conn,
    )
    .await
}

/// The newest proof of a solution that came to an end.
pub(crate) async fn proof(conn: &mut PgConnection, solution: SolutionId) -> Result<Option<ProofRow>, sqlx::Error> {
    one(
        json(
            "select to_jsonb(f) from proof_view f where solution = $1 and state in ('passed', 'failed')
              order by id desc limit 1",
        )
        .bind(solution.0),
        conn,
    )
    .await
}

/// Each solution with how its backups stand and its newest proof, by id.
pub(crate) async fn standing(
    conn: &mut PgConnection,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<StandingRow>, sqlx::Error> {
    all(
        json(
            "select jsonb_build_object('id', s.id, 'name', s.name, 'kind', s.kind, 'account_name', a.name, 'now', now(),
                        'backups', to_jsonb(p),
                        'proof', (select to_jsonb(f) from proof_view f where f.solution = s.id order by f.id desc limit 1))
               from solution s join account a on a.id = s.account join backup_plan p on p.solution = s.id
              where s.deleted is null and s.aim <> 'gone' and ($1::uuid is null or s.id > $1)
              order by s.id limit $2",
        )
        .bind(after)
        .bind(limit),
        conn,
    )
    .await
}

/// A plan whose time has come, or that has none yet.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct DueRow {
    pub(crate) solution: SolutionId,
    pub(crate) hour: u8,
    pub(crate) hours: u8,
    pub(crate) zone: String,
    pub(crate) due: Option<Timestamp>,
    pub(crate) newest: Option<Timestamp>,
    pub(crate) now: Timestamp,
}

pub(crate) async fn due(system: &PgPool, own: &str, limit: i32) -> Result<Vec<DueRow>, sqlx::Error> {
    all(json("select d from backups_due($1, $2) d").bind(own.to_owned()).bind(limit), system).await
}

/// Says when the next one is due, without one being made.
pub(crate) async fn wait(system: &PgPool, solution: SolutionId, due: Timestamp) -> Result<(), sqlx::Error> {
    sqlx::query("select backup_wait($1, $2::timestamptz)")
        .bind(solution.0)
        .bind(due.to_string())
        .execute(system)
        .await?;
    Ok(())
}

/// Begins the one that is due. False: something has changed meanwhile.
pub(crate) async fn begin(
    system: &PgPool,
    solution: SolutionId,
    own: &str,
    next: Timestamp,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select backup_begin($1, $2, $3, $4, $5::timestamptz)")
        .bind(solution.0)
        .bind(own)
        .bind(BackupId::new().0)
        .bind(OrderId::new().0)
        .bind(next.to_string())
        .fetch_one(system)
        .await
}

/// Solutions whose newest backup is to be proven.
pub(crate) async fn to_prove(system: &PgPool, limit: i32) -> Result<Vec<SolutionId>, sqlx::Error> {
    let ids: Vec<Uuid> = sqlx::query_scalar("select proofs_due($1)").bind(limit).fetch_all(system).await?;
    Ok(ids.into_iter().map(SolutionId).collect())
}

pub(crate) async fn prove(system: &PgPool, solution: SolutionId, node: &str) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select proof_begin($1, $2, $3, $4)")
        .bind(solution.0)
        .bind(node)
        .bind(ProofId::new().0)
        .bind(OrderId::new().0)
        .fetch_one(system)
        .await
}

/// Gives up proofs that nobody has ended in a day.
pub(crate) async fn give_up_proofs(system: &PgPool) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select proofs_give_up()").fetch_one(system).await
}
