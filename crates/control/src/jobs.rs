//! Jobs: what was promised in a transaction and is done after it. A job is claimed under a lease; a worker that dies loses
//! the lease, and another does the job again, so every job may be done twice without harm.

use crate::app::App;
use crate::evidence;
use crate::spool;
use crate::store::job::{self, Job};
use std::collections::HashSet;
use std::time::Duration;
use uuid::Uuid;

const LEASE_S: i32 = 60;
const BATCH: i32 = 10;
const IDLE_WAIT: Duration = Duration::from_secs(1);
const RETRY_S_MAX: i32 = 3600;
/// For how long an answer is kept for a replay.
const IDEMPOTENCY_KEEP_S: i32 = 24 * 3600;

/// Why a job failed.
#[derive(Debug, thiserror::Error)]
enum JobError {
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    #[error("evidence: {0}")]
    Evidence(#[from] crate::store::log::LoadError),
    #[error("spool: {0}")]
    Spool(#[from] std::io::Error),
    #[error("a node has not carried the measure out")]
    Late,
    #[error("what is to be erased is sealed")]
    Held,
    #[error("{0}")]
    Vault(#[from] crate::vault::VaultError),
    #[error("no worker for jobs of kind {0:?}")]
    Unknown(String),
}

/// Works for ever.
pub(crate) async fn work(app: App) {
    let worker = Uuid::now_v7();
    loop {
        match round(&app, worker).await {
            Ok(0) => tokio::time::sleep(IDLE_WAIT).await,
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(%error, "jobs cannot be claimed");
                tokio::time::sleep(IDLE_WAIT * 5).await;
            }
        }
    }
}

/// Claims what is due and does it.
async fn round(app: &App, worker: Uuid) -> Result<usize, sqlx::Error> {
    let system = app.doors().system();
    let jobs = job::claim(system, worker, LEASE_S, BATCH).await?;
    let count = jobs.len();
    for one in jobs {
        let outcome =
            tokio::time::timeout(Duration::from_secs(LEASE_S.unsigned_abs().into()), carry_out(app, &one)).await;
        let said = match outcome {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some("it took longer than its lease".to_owned()),
        };
        if let Some(error) = said {
            let retry_s = (1 << one.attempts.min(11)).min(RETRY_S_MAX);
            tracing::warn!(job = one.id, kind = one.kind, error, retry_s, "a job failed and will be tried again");
            job::failed(system, one.id, worker, &error, retry_s).await?;
        } else if !job::done(system, one.id, worker).await? {
            tracing::warn!(job = one.id, kind = one.kind, "a job was done after its lease was lost");
        }
    }
    Ok(count)
}

/// Destroys the key of a solution that is gone for good. An installation without a vault has made none.
async fn destroy_key(app: &App, one: &Job) -> Result<(), JobError> {
    let text = |name: &str| one.subject.get(name).cloned().unwrap_or_default();
    let (Ok(solution), Ok(number)) = (serde_json::from_value(text("solution")), serde_json::from_value(text("number")))
    else {
        return Ok(());
    };
    if app.config().vault.is_none() {
        return Ok(());
    }
    let receipt = crate::vault::destroy(app, solution, number).await?;
    job::key_destroyed(app.doors().system(), &receipt).await?;
    Ok(())
}

async fn carry_out(app: &App, one: &Job) -> Result<(), JobError> {
    let system = app.doors().system();
    match one.kind.as_str() {
        "backup-schedule" => crate::backup::schedule::round(app).await?,
        "snapshot-schedule" => crate::snapshot_schedule::round(app).await?,
        "watch-health" => crate::alarm::round(app).await?,
        "erase-evidence" => evidence::erase::due(app).await?,
        "erase-person" => {
            if let Some(id) = one.subject.get("erasure").and_then(|id| id.as_str()).and_then(|id| id.parse().ok())
                && evidence::erase::person(app, id).await? == evidence::erase::Outcome::Held
            {
                return Err(JobError::Held);
            }
        }
        "sweep-idempotency" => {
            job::sweep_idempotency(system, IDEMPOTENCY_KEEP_S).await?;
        }
        "sweep-deliveries" => {
            job::sweep_deliveries(system).await?;
        }
        "sweep-emails" => crate::store::identity::mailbox::sweep(system).await?,
        "sweep-identity" => crate::store::identity::sweep(system).await?,
        "sweep-jobs" => {
            job::sweep_jobs(system).await?;
        }
        "sweep-questions" => {
            crate::store::question::sweep(system).await?;
        }
        "sweep-samples" => {
            crate::store::sample::sweep(system).await?;
        }
        "sweep-refused" => {
            crate::store::refused::sweep(system).await?;
        }
        "sweep-retention" => {
            for id in job::to_bury(system).await? {
                job::bury(system, id).await?;
            }
        }
        "sweep-spool" => {
            let needed: HashSet<String> = job::spool_needed(system).await?.into_iter().collect();
            spool::sweep(&app.config().spool, &needed).await?;
        }
        "destroy-key" => destroy_key(app, one).await?,
        "rescue-open" => {
            if let Some(id) = one.subject.get("rescue").and_then(|id| id.as_str()).and_then(|id| id.parse().ok()) {
                crate::identity::rescue::open(app, id).await?;
            }
        }
        "renew-subscriptions" => crate::money::renewal::run(app).await?,
        "measure-end" => {
            let id = one.subject.get("measure").and_then(|id| id.as_str()).and_then(|id| id.parse().ok());
            if let Some(id) = id {
                job::end_measure(system, id).await?;
            }
        }
        "agreement-end" => {
            let id = one.subject.get("agreement").and_then(|id| id.as_str()).and_then(|id| id.parse().ok());
            if let Some(id) = id {
                crate::store::agreement::lapse(system, id).await?;
            }
        }
        "measure-watch" => {
            let id = one.subject.get("measure").and_then(|id| id.as_str()).and_then(|id| id.parse().ok());
            // Failing brings it back, later each time, so that the alarm is repeated and not forgotten.
            if let Some(id) = id
                && job::measure_late(system, id).await?
            {
                app.wake();
                return Err(JobError::Late);
            }
        }
        other => return Err(JobError::Unknown(other.to_owned())),
    }
    app.wake();
    Ok(())
}
