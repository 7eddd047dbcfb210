//! Mails by event in the database: what each member chose, and what the mail of an event says.

use super::{all, json, one};
use husorden_base::{AccountId, Language};
use husorden_wire::api::{MailChoice, Topic};
use serde::Deserialize;
use serde_json::Value;
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

/// The mail of an event, for one reader.
#[derive(Debug, Deserialize)]
pub(crate) struct Parcel {
    pub(crate) to: String,
    pub(crate) language: Language,
    pub(crate) kind: String,
    pub(crate) data: Value,
}

/// Every topic as it stands for a member; none for who is no member.
pub(crate) async fn choices(
    conn: &mut PgConnection,
    account: AccountId,
    person: Uuid,
) -> Result<Vec<MailChoice>, sqlx::Error> {
    all(json("select mail_choices($1, $2)").bind(account.0).bind(person), conn).await
}

pub(crate) async fn choose(
    conn: &mut PgConnection,
    account: AccountId,
    person: Uuid,
    topic: Topic,
    mail: bool,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into mail_choice (account, person, topic, mail) values ($1, $2, $3, $4)
         on conflict (account, person, topic) do update set mail = excluded.mail",
    )
    .bind(account.0)
    .bind(person)
    .bind(topic.word())
    .bind(mail)
    .execute(conn)
    .await?;
    Ok(())
}

/// What the mail of an event says to a member, or with none to the account holder; none when nobody is to be told any more.
pub(crate) async fn parcel<'e>(
    system: impl PgExecutor<'e>,
    event: i64,
    person: Option<Uuid>,
) -> Result<Option<Parcel>, sqlx::Error> {
    one(json("select p from mail_parcel($1, $2) p where p is not null").bind(event).bind(person), system).await
}
