//! Answers kept under idempotency keys, written in the transaction of the change they answer.

use super::{json, one};
use crate::answer::Answer;
use crate::caller::Key;
use husorden_base::AccountId;
use serde::Deserialize;
use serde_json::Value;
use sqlx::types::Json;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

#[derive(Debug, Deserialize)]
pub(crate) struct Kept {
    pub(crate) digest: String,
    pub(crate) status: u16,
    pub(crate) etag: Option<String>,
    pub(crate) body: Value,
}

pub(crate) async fn find(system: &PgPool, credential: Uuid, key: &str) -> Result<Option<Kept>, sqlx::Error> {
    one(
        json("select k from idempotency_find($1, $2) k where k is not null").bind(credential).bind(key.to_owned()),
        system,
    )
    .await
}

pub(crate) async fn keep(
    conn: &mut PgConnection,
    credential: Uuid,
    key: &Key,
    account: Option<AccountId>,
    answer: &Answer,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into idempotency (credential, key, account, digest, status, etag, body) values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(credential)
    .bind(&key.key)
    .bind(account.map(|id| id.0))
    .bind(key.digest.to_vec())
    .bind(i32::from(answer.status))
    .bind(answer.etag.as_deref())
    .bind(Json(answer.kept()))
    .execute(conn)
    .await?;
    Ok(())
}
