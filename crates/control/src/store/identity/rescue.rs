//! Rescues of lost second factors in the database: the system door asks, stops, opens and uses them, the staff's checks them.

use super::{Digest, all, json, one};
use husorden_base::{Language, PersonId};
use husorden_wire::api::{Realm, Rescue, RescueCheckCreate};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use sqlx::types::Json;
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

/// Whom a mail about a rescue goes to.
#[derive(Debug, Deserialize)]
pub(crate) struct Whose {
    pub(crate) email: String,
    pub(crate) language: Language,
    #[serde(default)]
    pub(crate) realm: Option<Realm>,
}

/// A wish, if somebody of the realm has the mailbox and a second factor, and no help is under way.
pub(crate) async fn ask<'e>(
    system: impl PgExecutor<'e>,
    id: Uuid,
    (email, realm): (&str, &'static str),
    stop: &Digest,
    network: &str,
    expires: Timestamp,
) -> Result<Option<Whose>, sqlx::Error> {
    one(
        json("select r from rescue_ask($1, $2, $3, $4, $5, $6::timestamptz) r where r is not null")
            .bind(id)
            .bind(email.to_owned())
            .bind(realm)
            .bind(stop.to_vec())
            .bind(network.to_owned())
            .bind(expires.to_string()),
        system,
    )
    .await
}

/// Stops what the link is about; none when there is nothing to stop any more.
pub(crate) async fn stop<'e>(system: impl PgExecutor<'e>, digest: &Digest) -> Result<Option<Whose>, sqlx::Error> {
    one(json("select r from rescue_stop_link($1) r where r is not null").bind(digest.to_vec()), system).await
}

/// The delay is over: the link that is sent now opens it.
pub(crate) async fn open<'e>(
    system: impl PgExecutor<'e>,
    id: Uuid,
    link: &Digest,
    expires: Timestamp,
) -> Result<Option<Whose>, sqlx::Error> {
    let sql = "select r from rescue_open($1, $2, $3::timestamptz) r where r is not null";
    one(json(sql).bind(id).bind(link.to_vec()).bind(expires.to_string()), system).await
}

/// Takes the lost factor away, once.
pub(crate) async fn spend<'e>(system: impl PgExecutor<'e>, digest: &Digest) -> Result<Option<Whose>, sqlx::Error> {
    one(json("select r from rescue_use($1) r where r is not null").bind(digest.to_vec()), system).await
}

/// Those of which something may still come, or all.
pub(crate) async fn list(
    conn: &mut PgConnection,
    all_of_them: bool,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Rescue>, sqlx::Error> {
    all(
        json(
            "select to_jsonb(r) from rescue_view r
              where ($1 or state in ('asked', 'waiting', 'open')) and ($2::uuid is null or id > $2) order by id limit $3",
        )
        .bind(all_of_them)
        .bind(after)
        .bind(limit),
        conn,
    )
    .await
}

pub(crate) async fn get(conn: &mut PgConnection, id: Uuid) -> Result<Option<Rescue>, sqlx::Error> {
    one(json("select to_jsonb(r) from rescue_view r where id = $1").bind(id), conn).await
}

/// Keeps others from checking it meanwhile. False: nothing of it can be checked any more.
pub(crate) async fn lock(conn: &mut PgConnection, id: Uuid) -> Result<bool, sqlx::Error> {
    let found = sqlx::query("select id from rescue where id = $1 for update").bind(id).fetch_optional(conn).await?;
    Ok(found.is_some())
}

/// Writes a check, and from when on the link may be sent.
pub(crate) async fn check(
    conn: &mut PgConnection,
    id: Uuid,
    by: PersonId,
    check: &RescueCheckCreate,
    (opens, stop): (Timestamp, &Digest),
) -> Result<(), sqlx::Error> {
    sqlx::query("insert into rescue_check (rescue, by, how, note) values ($1, $2, $3, $4)")
        .bind(id)
        .bind(by.0)
        .bind(check.how.word())
        .bind(&check.note)
        .execute(&mut *conn)
        .await?;
    sqlx::query(
        "update rescue set state = 'waiting', opens = $2::timestamptz, expires = $2::timestamptz + interval '7 days' where id = $1",
    )
    .bind(id)
    .bind(opens.to_string())
    .execute(&mut *conn)
    .await?;
    sqlx::query("insert into rescue_link (digest, rescue, does) values ($1, $2, 'stop')")
        .bind(stop.to_vec())
        .bind(id)
        .execute(&mut *conn)
        .await?;
    sqlx::query(
        "insert into job (kind, subject, due) values ('rescue-open', jsonb_build_object('rescue', $1::uuid), $2::timestamptz)",
    )
    .bind(id)
    .bind(opens.to_string())
    .execute(conn)
    .await?;
    Ok(())
}

/// A mail, through the staff's door.
pub(crate) async fn mail(conn: &mut PgConnection, subject: &Value) -> Result<(), sqlx::Error> {
    sqlx::query("insert into job (kind, subject) values ('mail', $1)").bind(Json(subject)).execute(conn).await?;
    Ok(())
}

/// A line of evidence in each account of the person.
pub(crate) async fn note(
    conn: &mut PgConnection,
    who: &str,
    act: &str,
    person: Uuid,
    before: &Value,
) -> Result<(), sqlx::Error> {
    sqlx::query("select rescue_note($1, $2, $3, $4)")
        .bind(who)
        .bind(act)
        .bind(person)
        .bind(Json(before))
        .execute(conn)
        .await?;
    Ok(())
}

/// The language that a person is spoken to in.
pub(crate) async fn language(conn: &mut PgConnection, person: Uuid) -> Result<Language, sqlx::Error> {
    let row = json("select to_jsonb(language) from person where id = $1").bind(person);
    Ok(one(row, conn).await?.unwrap_or_default())
}
