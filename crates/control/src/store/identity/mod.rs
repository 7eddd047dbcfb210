//! Persons, sessions, members, invitations and staff in the database.

pub(crate) mod mailbox;
pub(crate) mod member;
pub(crate) mod person;
pub(crate) mod rescue;
pub(crate) mod session;

use super::{all, json, one};
use husorden_base::AccountId;
use serde_json::Value;
use sqlx::PgExecutor;
use sqlx::types::Json;

/// What is kept of a secret.
type Digest = [u8; 32];

/// A line of evidence by whoever comes through the system door: somebody who logs in, or changes their own log-in.
pub(crate) async fn evidence<'e>(
    system: impl PgExecutor<'e>,
    who: &str,
    act: &str,
    account: Option<AccountId>,
    before: &Value,
) -> Result<(), sqlx::Error> {
    sqlx::query("select evidence_add($1, $2, $3, $4)")
        .bind(who)
        .bind(act)
        .bind(account.map(|account| account.0))
        .bind(Json(before))
        .execute(system)
        .await?;
    Ok(())
}

/// A mail to be sent.
pub(crate) async fn mail<'e>(system: impl PgExecutor<'e>, subject: &Value) -> Result<(), sqlx::Error> {
    sqlx::query("select mail_add($1)").bind(Json(subject)).execute(system).await?;
    Ok(())
}

/// Takes one of an allowance; the answer is after how many seconds there is one.
pub(crate) async fn take<'e>(
    system: impl PgExecutor<'e>,
    key: &Digest,
    burst: f64,
    per_s: f64,
) -> Result<f64, sqlx::Error> {
    sqlx::query_scalar("select throttle_take($1, $2, $3)")
        .bind(key.to_vec())
        .bind(burst)
        .bind(per_s)
        .fetch_one(system)
        .await
}

/// Gives back what was taken.
pub(crate) async fn give<'e>(system: impl PgExecutor<'e>, keys: &[Digest]) -> Result<(), sqlx::Error> {
    let keys: Vec<Vec<u8>> = keys.iter().map(|key| key.to_vec()).collect();
    sqlx::query("select throttle_give($1)").bind(keys).execute(system).await?;
    Ok(())
}

pub(crate) async fn sweep<'e>(system: impl PgExecutor<'e>) -> Result<(), sqlx::Error> {
    sqlx::query("select sweep_identity()").execute(system).await?;
    Ok(())
}
