//! Changes of a person's e-mail address in the database.

use super::{Digest, json, one};
use husorden_base::{Language, PersonId};
use jiff::Timestamp;
use serde::Deserialize;
use sqlx::PgExecutor;
use uuid::Uuid;

/// An address that was changed, or changed back.
#[derive(Debug, Deserialize)]
pub(crate) struct Changed {
    pub(crate) person: PersonId,
    /// The address from now on.
    pub(crate) email: String,
    /// The address until now.
    pub(crate) was: String,
    pub(crate) language: Language,
}

/// False: the mailbox is another person's.
pub(crate) async fn ask<'e>(
    system: impl PgExecutor<'e>,
    person: PersonId,
    email: &str,
    digest: &Digest,
    expires: Timestamp,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select email_ask($1, $2, $3, $4, $5::timestamptz)")
        .bind(Uuid::now_v7())
        .bind(person.0)
        .bind(email)
        .bind(digest.to_vec())
        .bind(expires.to_string())
        .fetch_one(system)
        .await
}

/// None: the link confirms nothing any more.
pub(crate) async fn confirm<'e>(
    system: impl PgExecutor<'e>,
    digest: &Digest,
    undo: &Digest,
) -> Result<Option<Changed>, sqlx::Error> {
    let row = json("select c from email_confirm($1, $2) c where c is not null");
    one(row.bind(digest.to_vec()).bind(undo.to_vec()), system).await
}

/// None: the link takes nothing back any more.
pub(crate) async fn undo<'e>(
    system: impl PgExecutor<'e>,
    digest: &Digest,
    days: i32,
) -> Result<Option<Changed>, sqlx::Error> {
    one(json("select c from email_undo($1, $2) c where c is not null").bind(digest.to_vec()).bind(days), system).await
}

pub(crate) async fn sweep<'e>(system: impl PgExecutor<'e>) -> Result<(), sqlx::Error> {
    sqlx::query("select sweep_emails()").execute(system).await?;
    Ok(())
}
