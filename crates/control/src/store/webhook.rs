//! Webhooks and their deliveries in the database.

use super::{all, json, one};
use crate::store::event::EventRow;
use husorden_base::{AccountId, Language};
use jiff::Timestamp;
use serde::Deserialize;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct WebhookRow {
    pub(crate) id: Uuid,
    pub(crate) label: String,
    pub(crate) url: String,
    pub(crate) events: Vec<String>,
    pub(crate) enabled: bool,
    /// Counts its secrets.
    pub(crate) turn: u32,
    pub(crate) created: Timestamp,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct DeliveryRow {
    pub(crate) id: Uuid,
    pub(crate) kind: String,
    pub(crate) event: Option<u64>,
    pub(crate) state: String,
    pub(crate) tries: u32,
    pub(crate) status: Option<u16>,
    pub(crate) error: Option<String>,
    pub(crate) created: Timestamp,
    pub(crate) tried: Option<Timestamp>,
}

/// What is to be delivered, and where.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Parcel {
    pub(crate) webhook: Uuid,
    pub(crate) turn: u32,
    pub(crate) url: String,
    pub(crate) language: Language,
    pub(crate) kind: String,
    pub(crate) created: Timestamp,
    pub(crate) event: Option<EventRow>,
}

pub(crate) async fn list(
    conn: &mut PgConnection,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<WebhookRow>, sqlx::Error> {
    let sql =
        "select to_jsonb(w) from (select * from webhook where $1::uuid is null or id > $1 order by id limit $2) w";
    all(json(sql).bind(after).bind(limit), conn).await
}

pub(crate) async fn get(conn: &mut PgConnection, id: Uuid) -> Result<Option<WebhookRow>, sqlx::Error> {
    one(json("select to_jsonb(w) from webhook w where id = $1").bind(id), conn).await
}

/// Writes a webhook, new or changed.
pub(crate) async fn put(conn: &mut PgConnection, account: AccountId, row: &WebhookRow) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into webhook (id, account, label, url, events, enabled, turn) values ($1, $2, $3, $4, $5, $6, $7)
         on conflict (id) do update set label = excluded.label, url = excluded.url, events = excluded.events,
             enabled = excluded.enabled, turn = excluded.turn",
    )
    .bind(row.id)
    .bind(account.0)
    .bind(&row.label)
    .bind(&row.url)
    .bind(&row.events)
    .bind(row.enabled)
    .bind(i32::try_from(row.turn).unwrap_or(i32::MAX))
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn delete(conn: &mut PgConnection, id: Uuid) -> Result<bool, sqlx::Error> {
    Ok(sqlx::query("delete from webhook where id = $1").bind(id).execute(conn).await?.rows_affected() == 1)
}

/// The newest deliveries.
pub(crate) async fn deliveries(
    conn: &mut PgConnection,
    webhook: Uuid,
    limit: i64,
) -> Result<Vec<DeliveryRow>, sqlx::Error> {
    let sql = "select to_jsonb(d) from (select * from webhook_delivery where webhook = $1 order by id desc limit $2) d";
    all(json(sql).bind(webhook).bind(limit), conn).await
}

/// Asks for a delivery that says nothing but that it came.
pub(crate) async fn test(conn: &mut PgConnection, webhook: Uuid) -> Result<Option<DeliveryRow>, sqlx::Error> {
    one(json("select d from webhook_test($1) d where d is not null").bind(webhook), conn).await
}

/// None: the webhook is gone or switched off, and nothing is to be delivered.
pub(crate) async fn parcel(system: &PgPool, delivery: Uuid) -> Result<Option<Parcel>, sqlx::Error> {
    one(json("select p from webhook_parcel($1) p where p is not null").bind(delivery), system).await
}

/// How a try went; without an error it was delivered.
pub(crate) async fn tried(
    system: &PgPool,
    delivery: Uuid,
    status: Option<u16>,
    error: Option<&str>,
) -> Result<(), sqlx::Error> {
    sqlx::query("select webhook_tried($1, $2, $3)")
        .bind(delivery)
        .bind(status.map(i32::from))
        .bind(error)
        .execute(system)
        .await?;
    Ok(())
}
