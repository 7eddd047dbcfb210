//! Accounts in the database.

use super::{all, json, one, part};
use husorden_base::{AccountId, Language};
use jiff::Timestamp;
use serde::Deserialize;
use sqlx::PgConnection;
use uuid::Uuid;

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct AccountRow {
    pub(crate) id: AccountId,
    pub(crate) name: String,
    pub(crate) language: Language,
    pub(crate) created: Timestamp,
}

pub(crate) async fn named(conn: &mut PgConnection, text: &str) -> Result<Option<AccountRow>, sqlx::Error> {
    one(json("select to_jsonb(a) from account a where name = $1 or id::text = lower($1)").bind(text.to_owned()), conn)
        .await
}

/// Oldest first; where words are given, those with them in their name, in whatever case, or with this id.
pub(crate) async fn list(
    conn: &mut PgConnection,
    words: Option<&str>,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<AccountRow>, sqlx::Error> {
    let words = words.map(|words| words.trim().to_lowercase()).filter(|words| !words.is_empty());
    all(
        json(
            "select to_jsonb(a) from account a where ($1::uuid is null or id > $1)
               and ($3::text is null or lower(name) like $3 or id::text = $4) order by id limit $2",
        )
        .bind(after)
        .bind(limit)
        .bind(words.as_deref().map(part))
        .bind(words.clone()),
        conn,
    )
    .await
}

pub(crate) async fn insert(
    conn: &mut PgConnection,
    id: AccountId,
    name: &str,
    language: &str,
) -> Result<AccountRow, sqlx::Error> {
    sqlx::query("insert into account (id, name, language) values ($1, $2, $3)")
        .bind(id.0)
        .bind(name)
        .bind(language)
        .execute(&mut *conn)
        .await?;
    named(conn, &id.to_string()).await?.ok_or(sqlx::Error::RowNotFound)
}
