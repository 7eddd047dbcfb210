//! Subscriptions: ordering a plan, letting it run out, and ending it with what that means in money.

use super::plan;
use crate::answer::Answer;
use crate::app::App;
use crate::caller::{Caller, Trail};
use crate::fault::Fault;
use crate::http::{one_more, page};
use crate::store;
use crate::store::event::NewEvent;
use crate::store::evidence::{Awaits, NewEvidence};
use crate::store::measure::MeasureRow;
use crate::store::money::{Breach, Ends, SubscriptionRow};
use husorden_base::{AccountId, Currency, Language, MeasureId, Money, Refusal, Text};
use husorden_rules::settlement::{Remainder, Settlement, Span, breach_sentence, settle};
use husorden_wire::api;
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

/// Most of one add-on.
const QUANTITY_MAX: u32 = 1_000;
/// Subscriptions of one account that are active at once.
const ACTIVE_MAX: usize = 100;

/// Why a subscription is ended before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// The account wants it.
    Customer,
    /// We want it, and nobody broke anything.
    Provider,
    /// The house rules were broken.
    Breach,
}

impl Why {
    const fn word(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Provider => "provider",
            Self::Breach => "breach",
        }
    }

    /// What becomes of the days that are left.
    fn remainder(self, refund: &str) -> Remainder {
        match self {
            Self::Breach => Remainder::Forfeited,
            // Who is put out without having broken anything gets the rest back, whatever the terms of an early leave.
            Self::Provider => Remainder::Refunded,
            Self::Customer if refund == "remainder" => Remainder::Refunded,
            Self::Customer => Remainder::Kept,
        }
    }
}

pub(crate) async fn list(
    app: &App,
    caller: &Caller,
    account: Option<AccountId>,
    paging: &crate::http::Paging,
) -> Result<Answer, Fault> {
    let mut tx = caller.read(app).await?;
    let rows = store::money::subscriptions(tx.conn(), account, paging.after, one_more(paging.limit)).await?;
    Ok(Answer::ok(page(rows, paging.limit, |row| row.id.to_string(), shown)))
}

/// Orders a plan: its first period begins, and the account owes its price.
pub(crate) async fn create(app: &App, caller: &Caller, form: api::SubscriptionCreate) -> Result<Answer, Fault> {
    let account = caller.account_for(app, form.account.as_deref()).await?;
    let mut tx = app.doors().tenant(account).await?;
    let plan = plan::named(tx.conn(), &form.plan, "/plan").await?;
    if !plan.sold {
        let text = Text::new("Planen kan ikke bestilles mere", "The plan can no longer be ordered");
        return Err(Refusal::field("/plan", text).into());
    }
    let quantity_max = if plan.addon { QUANTITY_MAX } else { 1 };
    if !(1..=quantity_max).contains(&form.quantity) {
        let text = Text::new(format!("Fra 1 til {quantity_max}"), format!("From 1 to {quantity_max}"));
        return Err(Refusal::field("/quantity", text).into());
    }
    // The same lock as solutions are counted under, so that a quota and what is counted against it do not pass each other.
    store::solution::count_to_create(tx.conn(), account).await?;
    let active = store::money::active(tx.conn(), account).await?;
    if active.len() >= ACTIVE_MAX {
        return Err(Refusal::new(
            "too-many-subscriptions",
            409,
            Text::new("Kontoen har for mange abonnementer", "The account has too many subscriptions"),
            Text::new("Afslut et først.", "End one first."),
        )
        .with_limit(format!("{} subscriptions", active.len()), format!("{ACTIVE_MAX} subscriptions"))
        .into());
    }
    if plan.addon && active.iter().all(|row| row.addon) {
        return Err(Refusal::new(
            "needs-a-plan",
            409,
            Text::new("Et tilkøb skal have en plan at lægge sig til", "An add-on needs a plan to add to"),
            Text::new("Bestil en plan først.", "Order a plan first."),
        )
        .into());
    }
    let id = Uuid::now_v7();
    store::money::begin(tx.conn(), id, account, plan.id, form.quantity, &caller.signature()).await?;
    let row = store::money::subscription(tx.conn(), id).await?.ok_or(sqlx::Error::RowNotFound)?;
    let data =
        json!({ "subscription": id, "name": plan.code, "quantity": form.quantity, "net": net(&row), "vat": vat(&row) });
    let trail = left(account, "subscription.begin", "subscription.begun", data);
    let answer = Answer::created(shown(row)).at(format!("/v1/subscriptions/{id}"));
    trail.finish(app, caller, tx, answer).await
}

pub(crate) async fn get(app: &App, caller: &Caller, text: &str) -> Result<Answer, Fault> {
    Ok(Answer::ok(shown(find(app, caller, text).await?)))
}

async fn find(app: &App, caller: &Caller, text: &str) -> Result<SubscriptionRow, Fault> {
    let id = crate::http::id(text)?;
    let mut tx = caller.read(app).await?;
    Ok(store::money::subscription(tx.conn(), id).await?.ok_or_else(|| Refusal::not_found(text))?)
}

/// What ending it now would mean in money; nothing is changed.
pub(crate) async fn preview(app: &App, caller: &Caller, text: &str, why: Option<&str>) -> Result<Answer, Fault> {
    let why = why_of(caller, why, "?why")?;
    let id = crate::http::id(text)?;
    let mut tx = caller.read(app).await?;
    let row = store::money::subscription(tx.conn(), id).await?.ok_or_else(|| Refusal::not_found(text))?;
    refuse_ended(&row)?;
    let held = store::money::load_spans(tx.conn(), id, row.number).await?;
    let (net, vat) = shares(&row, why, Timestamp::now(), &held);
    Ok(Answer::ok(ending(&row, why, Timestamp::now(), net, vat)))
}

/// Ends it at the end of its period, now, or not after all.
pub(crate) async fn end(app: &App, caller: &Caller, text: &str, form: &api::SubscriptionEnd) -> Result<Answer, Fault> {
    let row = find(app, caller, text).await?;
    refuse_ended(&row)?;
    match form.when.as_deref().unwrap_or("period-end") {
        "period-end" => renews(app, caller, &row, false).await,
        "never" => renews(app, caller, &row, true).await,
        "now" => end_now(app, caller, &row, form).await,
        _ => {
            let text = Text::new("period-end, now eller never", "period-end, now or never");
            Err(Refusal::field("/when", text).into())
        }
    }
}

async fn renews(app: &App, caller: &Caller, row: &SubscriptionRow, renews: bool) -> Result<Answer, Fault> {
    let mut tx = app.doors().tenant(row.account).await?;
    store::money::renews(tx.conn(), row.id, renews).await?;
    let now = store::money::subscription(tx.conn(), row.id).await?.ok_or(sqlx::Error::RowNotFound)?;
    let data = json!({ "subscription": row.id, "name": row.code, "renews": renews, "until": now.ends });
    let kind = if renews { "subscription.continues" } else { "subscription.ending" };
    let answer = Answer::ok(shown(now));
    left(row.account, "subscription.renews", kind, data).finish(app, caller, tx, answer).await
}

async fn end_now(
    app: &App,
    caller: &Caller,
    row: &SubscriptionRow,
    form: &api::SubscriptionEnd,
) -> Result<Answer, Fault> {
    let why = why_of(caller, form.why.as_deref(), "/why")?;
    if (why == Why::Breach) != form.case.is_some() {
        let text = Text::new(
            "Et ophør for misligholdelse nævner sin sag; andre gør ikke",
            "An ending for breach names its case; others do not",
        );
        return Err(Refusal::field("/case", text).into());
    }
    let found = match &form.case {
        Some(text) => Some(decision_of(app, row.account, text).await?),
        None => None,
    };
    let breach = found.as_ref().map(|(case, measure)| Breach { case, measure: *measure });
    let by = caller.signature();
    // The account's own door, or staff's: each may end only in its own name.
    if caller.is_staff() {
        let mut tx = app.doors().staff().await?;
        let told = settle_now(tx.conn(), row, why, breach, &by).await?;
        ended_trail(row, &told, breach.map(|breach| breach.case)).finish_staff(app, caller, tx, Answer::ok(told)).await
    } else {
        let mut tx = app.doors().tenant(row.account).await?;
        let told = settle_now(tx.conn(), row, why, None, &by).await?;
        ended_trail(row, &told, None).finish(app, caller, tx, Answer::ok(told)).await
    }
}

/// What an ending leaves behind: evidence and an event with the amounts.
pub(super) fn ended_trail(row: &SubscriptionRow, told: &api::Ending, case: Option<&str>) -> Trail {
    let data = json!({ "subscription": row.id, "name": row.code, "why": told.why, "case": case, "money": told });
    left(row.account, "subscription.end", "subscription.ended", data)
}

/// Ends it in the transaction, with what that means in money.
pub(super) async fn settle_now(
    conn: &mut sqlx::PgConnection,
    row: &SubscriptionRow,
    why: Why,
    breach: Option<Breach<'_>>,
    by: &str,
) -> Result<api::Ending, Fault> {
    let number = store::money::lock(conn, row.id).await?.ok_or_else(ended)?;
    // Locked: what is read now is what is settled.
    let row = store::money::subscription(conn, row.id).await?.ok_or(sqlx::Error::RowNotFound)?;
    let held = store::money::load_spans(conn, row.id, number).await?;
    let now = Timestamp::now();
    let (net, vat) = shares(&row, why, now, &held);
    if !store::money::end(conn, row.id, number, &Ends { net, vat, why: why.word(), breach, by }).await? {
        return Err(ended().into());
    }
    Ok(ending(&row, why, now, net, vat))
}

fn shares(row: &SubscriptionRow, why: Why, at: Timestamp, held: &[Span]) -> (Settlement, Settlement) {
    let period = Span { starts: row.starts, ends: row.ends };
    let remainder = why.remainder(&row.refund);
    let of = |paid| settle(paid, period, at, held, remainder);
    (of(row.net_minor), of(row.vat_minor))
}

fn ending(row: &SubscriptionRow, why: Why, at: Timestamp, net: Settlement, vat: Settlement) -> api::Ending {
    let money = |minor| Money::new(minor, row.currency);
    api::Ending {
        subscription: row.id.to_string(),
        why: why.word().to_owned(),
        at,
        paid: money(row.net_minor),
        used: money(net.used),
        credited: money(net.credited),
        forfeited: money(net.forfeited),
        refunded: money(net.refunded),
        back: money(net.credited + net.refunded + vat.credited + vat.refunded),
        statement: sentence(why, (net, vat), row.currency, row.ends),
    }
}

/// What an ending means in money, as a sentence for people.
fn sentence(why: Why, (net, vat): (Settlement, Settlement), currency: Currency, ends: Timestamp) -> Text {
    if why == Why::Breach {
        return breach_sentence(net, vat, currency, ends);
    }
    let money = |minor| Money::new(minor, currency);
    let back = money(net.credited + net.refunded + vat.credited + vat.refunded);
    // What people are told is what they pay: with VAT.
    let price = money(net.paid() + vat.paid());
    let until = ends.strftime("%Y-%m-%d");
    let say = |language: Language| {
        let [price, back] = [price, back].map(|money| money.in_words(language));
        match language {
            Language::Da => {
                format!("Af prisen på {price} for perioden til {until} gives {back} tilbage. Beløbene er med moms.")
            }
            Language::En => format!(
                "Of the price of {price} for the period until {until}, {back} is given back. The amounts include VAT."
            ),
        }
    };
    Text::new(say(Language::Da), say(Language::En))
}

fn why_of(caller: &Caller, text: Option<&str>, pointer: &str) -> Result<Why, Refusal> {
    match (caller.is_staff(), text) {
        (false, None | Some("customer")) => Ok(Why::Customer),
        (true, None | Some("provider")) => Ok(Why::Provider),
        (true, Some("breach")) => Ok(Why::Breach),
        (true, Some(_)) => Err(Refusal::field(pointer, Text::new("provider eller breach", "provider or breach"))),
        (false, Some(_)) => Err(Refusal::field(pointer, Text::new("Kun customer", "Only customer"))),
    }
}

/// The decision that an ending for breach rests on: the newest of a case on this account that holds and is told.
async fn decision_of(app: &App, account: AccountId, text: &str) -> Result<(String, MeasureId), Fault> {
    let wrong = |da, en| Fault::from(Refusal::field("/case", Text::new(da, en)));
    let mut tx = app.doors().staff().await?;
    let Some(case) = store::case::named(tx.conn(), text).await?.filter(|case| case.account == account) else {
        return Err(wrong("Kontoen har ikke den sag", "The account has no such case"));
    };
    let now = Timestamp::now();
    let holds = |measure: &&MeasureRow| {
        measure.lifted.is_none()
            && measure.clause != "load.exceptional"
            && measure.silent_until.is_none_or(|until| until <= now)
    };
    match case.measures.iter().rev().find(holds) {
        Some(measure) => Ok((case.number, measure.id)),
        None => Err(wrong(
            "Der er ingen afgørelse i sagen, som et ophør kan hvile på",
            "The case has no decision that an ending can rest on",
        )),
    }
}

fn refuse_ended(row: &SubscriptionRow) -> Result<(), Refusal> {
    if row.state == "active" { Ok(()) } else { Err(ended()) }
}

fn ended() -> Refusal {
    Refusal::new(
        "is-ended",
        409,
        Text::new("Abonnementet er afsluttet", "The subscription has ended"),
        Text::new("Der er intet at afslutte; intet er ændret.", "There is nothing to end; nothing was changed."),
    )
}

fn left(account: AccountId, act: &'static str, kind: &'static str, data: Value) -> Trail {
    let mut trail = Trail::default();
    trail.evidence(NewEvidence {
        act,
        account: Some(account),
        solution: None,
        before: data.clone(),
        awaits: Awaits::Nothing,
        visible_from: None,
    });
    trail.event(NewEvent { account: Some(account), solution: None, kind, data, visible_from: None });
    trail
}

const fn net(row: &SubscriptionRow) -> Money {
    Money::new(row.net_minor, row.currency)
}

const fn vat(row: &SubscriptionRow) -> Money {
    Money::new(row.vat_minor, row.currency)
}

/// A subscription as the API shows it.
pub(crate) fn shown(row: SubscriptionRow) -> api::Subscription {
    api::Subscription {
        id: row.id.to_string(),
        account: row.account.to_string(),
        addon: row.addon,
        quantity: row.quantity,
        renews: row.renews,
        started: row.started,
        ended: row.ended,
        period: api::SubscriptionPeriod {
            number: row.number.unsigned_abs(),
            starts: row.starts,
            ends: row.ends,
            net: net(&row),
            vat: vat(&row),
        },
        plan: row.code,
        name: row.name,
        state: row.state,
        ending: row.ending,
        case: row.case_number,
        quota: row.quota,
        kinds: row.kinds,
    }
}
