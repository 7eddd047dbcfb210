//! Plans, subscriptions, periods and the ledger in the database.

use super::{all, json, one};
use husorden_base::{AccountId, MeasureId, Money, SubscriptionId, Text};
use husorden_rules::settlement::{Settlement, Span, breach_sentence};
use husorden_wire::api;
use jiff::Timestamp;
use serde::Deserialize;
use sqlx::types::Json;
use sqlx::{PgConnection, PgPool};
use std::str::FromStr;
use uuid::Uuid;

/// A plan.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct PlanRow {
    pub(crate) id: Uuid,
    pub(crate) code: String,
    pub(crate) name: Text,
    pub(crate) about: Text,
    pub(crate) addon: bool,
    pub(crate) price_minor: i64,
    pub(crate) currency: husorden_base::Currency,
    pub(crate) vat_bp: u32,
    pub(crate) period: String,
    pub(crate) refund: String,
    pub(crate) quota: api::Quota,
    pub(crate) kinds: Option<Vec<String>>,
    pub(crate) sold: bool,
}

impl PlanRow {
    pub(crate) const fn price(&self) -> Money {
        Money::new(self.price_minor, self.currency)
    }
}

/// A subscription with its plan and its newest period.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct SubscriptionRow {
    pub(crate) id: Uuid,
    pub(crate) account: AccountId,
    pub(crate) quantity: u32,
    pub(crate) state: String,
    pub(crate) renews: bool,
    pub(crate) started: Timestamp,
    pub(crate) ended: Option<Timestamp>,
    pub(crate) ending: Option<String>,
    pub(crate) case_number: Option<String>,
    pub(crate) code: String,
    pub(crate) name: Text,
    pub(crate) addon: bool,
    pub(crate) refund: String,
    pub(crate) quota: api::Quota,
    pub(crate) kinds: Option<Vec<String>>,
    pub(crate) number: i32,
    pub(crate) starts: Timestamp,
    pub(crate) ends: Timestamp,
    pub(crate) currency: husorden_base::Currency,
    pub(crate) net_minor: i64,
    pub(crate) vat_minor: i64,
}

/// What a measure has forfeited: a subscription that ended for breach, with how its last period was shared out.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ForfeitRow {
    pub(crate) subscription: SubscriptionId,
    pub(crate) code: String,
    pub(crate) name: Text,
    pub(crate) ended: Timestamp,
    pub(crate) returned: Option<Timestamp>,
    /// The end of the period.
    pub(crate) ends: Timestamp,
    pub(crate) currency: husorden_base::Currency,
    pub(crate) net: Settlement,
    pub(crate) vat: Settlement,
}

impl ForfeitRow {
    /// As it is shown, with VAT: what people pay.
    pub(crate) fn shown(&self) -> api::Forfeit {
        let money = |minor| Money::new(minor, self.currency);
        let (net, vat) = (self.net, self.vat);
        api::Forfeit {
            subscription: self.subscription.to_string(),
            plan: self.code.clone(),
            name: self.name.clone(),
            ended: self.ended,
            lost: money(net.forfeited + vat.forfeited),
            back: money(net.credited + net.refunded + vat.credited + vat.refunded),
            returned: self.returned,
            statement: breach_sentence(net, vat, self.currency, self.ends),
        }
    }
}

/// What was given back of one subscription.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ReturnRow {
    pub(crate) subscription: SubscriptionId,
    pub(crate) code: String,
    pub(crate) minor: i64,
    pub(crate) currency: husorden_base::Currency,
}

/// A period that is over and not settled.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct DueRow {
    pub(crate) subscription: Uuid,
    pub(crate) number: i32,
    pub(crate) net_minor: i64,
    pub(crate) vat_minor: i64,
    pub(crate) starts: Timestamp,
    pub(crate) ends: Timestamp,
    pub(crate) held: Vec<Span>,
}

/// Most plans there may be, so that they are read whole.
pub(crate) const PLANS_MAX: i64 = 500;

pub(crate) async fn plans(conn: &mut PgConnection) -> Result<Vec<PlanRow>, sqlx::Error> {
    all(json("select to_jsonb(p) from plan p order by addon, price_minor, code limit $1").bind(PLANS_MAX), conn).await
}

pub(crate) async fn plan(conn: &mut PgConnection, text: &str) -> Result<Option<PlanRow>, sqlx::Error> {
    one(json("select to_jsonb(p) from plan p where code = $1 or id::text = lower($1)").bind(text.to_owned()), conn)
        .await
}

/// Writes a plan that is new.
pub(crate) async fn plan_insert(conn: &mut PgConnection, row: &PlanRow) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into plan (id, code, name, about, addon, price_minor, currency, vat_bp, period, refund, quota, kinds)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(row.id)
    .bind(&row.code)
    .bind(Json(&row.name))
    .bind(Json(&row.about))
    .bind(row.addon)
    .bind(row.price_minor)
    .bind(row.currency.code())
    .bind(i32::try_from(row.vat_bp).unwrap_or(i32::MAX))
    .bind(&row.period)
    .bind(&row.refund)
    .bind(Json(&row.quota))
    .bind(row.kinds.as_deref())
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn plan_save(conn: &mut PgConnection, row: &PlanRow) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update plan set name = $2, about = $3, price_minor = $4, vat_bp = $5, refund = $6, quota = $7, kinds = $8, sold = $9 where id = $1",
    )
    .bind(row.id)
    .bind(Json(&row.name))
    .bind(Json(&row.about))
    .bind(row.price_minor)
    .bind(i32::try_from(row.vat_bp).unwrap_or(i32::MAX))
    .bind(&row.refund)
    .bind(Json(&row.quota))
    .bind(row.kinds.as_deref())
    .bind(row.sold)
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn subscriptions(
    conn: &mut PgConnection,
    account: Option<AccountId>,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<SubscriptionRow>, sqlx::Error> {
    all(
        json(
            "select to_jsonb(v) from (select * from subscription_view
               where ($1::uuid is null or account = $1) and ($2::uuid is null or id > $2) order by id limit $3) v",
        )
        .bind(account.map(|id| id.0))
        .bind(after)
        .bind(limit),
        conn,
    )
    .await
}

pub(crate) async fn subscription(conn: &mut PgConnection, id: Uuid) -> Result<Option<SubscriptionRow>, sqlx::Error> {
    one(json("select to_jsonb(v) from subscription_view v where id = $1").bind(id), conn).await
}

/// What an account has now.
pub(crate) async fn active(conn: &mut PgConnection, account: AccountId) -> Result<Vec<SubscriptionRow>, sqlx::Error> {
    all(
        json("select to_jsonb(v) from subscription_view v where account = $1 and state = 'active' order by id limit 1000")
            .bind(account.0),
        conn,
    )
    .await
}

pub(crate) async fn begin(
    conn: &mut PgConnection,
    id: Uuid,
    account: AccountId,
    plan: Uuid,
    quantity: u32,
    by: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query("select subscription_begin($1, $2, $3, $4, $5)")
        .bind(id)
        .bind(account.0)
        .bind(plan)
        .bind(i32::try_from(quantity).unwrap_or(i32::MAX))
        .bind(by)
        .execute(conn)
        .await?;
    Ok(())
}

/// Locks a subscription and gives the number of its newest period; none when it has ended.
pub(crate) async fn lock(conn: &mut PgConnection, id: Uuid) -> Result<Option<i32>, sqlx::Error> {
    sqlx::query_scalar("select subscription_lock($1)").bind(id).fetch_one(conn).await
}

/// When load held it within a period.
pub(crate) async fn load_spans(conn: &mut PgConnection, id: Uuid, number: i32) -> Result<Vec<Span>, sqlx::Error> {
    let spans: Json<Vec<Span>> =
        sqlx::query_scalar("select load_spans($1, $2)").bind(id).bind(number).fetch_one(conn).await?;
    Ok(spans.0)
}

pub(crate) async fn renews(conn: &mut PgConnection, id: Uuid, renews: bool) -> Result<(), sqlx::Error> {
    sqlx::query("select subscription_renews($1, $2)").bind(id).bind(renews).execute(conn).await?;
    Ok(())
}

/// What an ending for breach rests on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Breach<'a> {
    /// The case's number.
    pub(crate) case: &'a str,
    /// The measure that was decided in it.
    pub(crate) measure: MeasureId,
}

/// An ending as it is written.
pub(crate) struct Ends<'a> {
    pub(crate) net: Settlement,
    pub(crate) vat: Settlement,
    pub(crate) why: &'a str,
    pub(crate) breach: Option<Breach<'a>>,
    pub(crate) by: &'a str,
}

pub(crate) async fn end(conn: &mut PgConnection, id: Uuid, number: i32, ends: &Ends<'_>) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select subscription_end($1, $2, $3, $4, $5, $6, $7, $8)")
        .bind(id)
        .bind(number)
        .bind(Json(ends.net))
        .bind(Json(ends.vat))
        .bind(ends.why)
        .bind(ends.breach.map(|breach| breach.case))
        .bind(ends.breach.map(|breach| breach.measure.0))
        .bind(ends.by)
        .fetch_one(conn)
        .await
}

/// What a measure has forfeited.
pub(crate) async fn forfeits(conn: &mut PgConnection, measure: MeasureId) -> Result<Vec<ForfeitRow>, sqlx::Error> {
    all(json("select to_jsonb(f) from forfeit_view f where measure = $1 order by subscription").bind(measure.0), conn)
        .await
}

/// Gives back what a measure has forfeited, once.
pub(crate) async fn give_back(
    conn: &mut PgConnection,
    measure: MeasureId,
    by: &str,
) -> Result<Vec<ReturnRow>, sqlx::Error> {
    all(json("select r from forfeit_return($1, $2) r").bind(measure.0).bind(by.to_owned()), conn).await
}

pub(crate) async fn due(system: &PgPool, limit: i32) -> Result<Vec<DueRow>, sqlx::Error> {
    all(json("select d from subscription_due($1) d").bind(limit), system).await
}

pub(crate) async fn renew(
    system: &PgPool,
    due: &DueRow,
    net: Settlement,
    vat: Settlement,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select subscription_renew($1, $2, $3, $4)")
        .bind(due.subscription)
        .bind(due.number)
        .bind(Json(net))
        .bind(Json(vat))
        .fetch_one(system)
        .await
}

pub(crate) async fn ledger(
    conn: &mut PgConnection,
    account: Option<AccountId>,
    after: i64,
    limit: i64,
) -> Result<Vec<api::LedgerEntry>, sqlx::Error> {
    all(
        json(
            "select to_jsonb(v) from (select * from ledger_view
               where ($1::uuid is null or account = $1) and id > $2 order by id limit $3) v",
        )
        .bind(account.map(|id| id.0))
        .bind(after)
        .bind(limit),
        conn,
    )
    .await
}

/// The sum of each ledger and currency.
pub(crate) async fn balance(
    conn: &mut PgConnection,
    account: Option<AccountId>,
) -> Result<Vec<api::Posting>, sqlx::Error> {
    let rows: Vec<(String, i64, String)> = sqlx::query_as(
        "select ledger, sum(minor)::bigint, currency from ledger_posting where ($1::uuid is null or account = $1) group by ledger, currency order by 1, 3",
    )
    .bind(account.map(|id| id.0))
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|(ledger, minor, currency)| {
            let currency = FromStr::from_str(&currency).map_err(|said: String| sqlx::Error::Decode(said.into()))?;
            Ok(api::Posting { ledger, amount: Money::new(minor, currency) })
        })
        .collect()
}

pub(crate) async fn payment(
    conn: &mut PgConnection,
    account: AccountId,
    amount: Money,
    reference: &str,
    by: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query("select ledger_payment($1, $2, $3, $4, $1, $5)")
        .bind(reference)
        .bind(account.0)
        .bind(amount.minor)
        .bind(amount.currency.code())
        .bind(by)
        .execute(conn)
        .await?;
    Ok(())
}
