//! Webhooks: an account's own, made by whoever makes its tokens.

use super::{Paging, id, one_more, page};
use crate::answer::Answer;
use crate::app::App;
use crate::caller::{Caller, Trail};
use crate::doors::TenantTx;
use crate::fault::Fault;
use crate::form::{Ask, Form};
use crate::outside::OutsideError;
use crate::store::event::NewEvent;
use crate::store::evidence::{Awaits, NewEvidence};
use crate::store::webhook::{DeliveryRow, WebhookRow};
use crate::{health, store};
use axum::extract::{Path, State};
use husorden_base::{AccountId, FieldError, Refusal, Text};
use husorden_wire::api;
use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

const LABEL_CHARS_MAX: usize = 100;
const EVENTS_MAX: usize = 50;
const EVENT_CHARS_MAX: usize = 60;
/// Deliveries that are shown.
const DELIVERIES: i64 = 50;

fn shown(row: WebhookRow) -> api::Webhook {
    api::Webhook {
        id: row.id.to_string(),
        label: row.label,
        url: row.url,
        events: row.events,
        enabled: row.enabled,
        secret: None,
        created: row.created,
    }
}

fn delivery(row: DeliveryRow) -> api::Delivery {
    api::Delivery {
        id: row.id.to_string(),
        kind: row.kind,
        event: row.event,
        state: row.state,
        tries: row.tries,
        status: row.status,
        error: row.error,
        created: row.created,
        tried: row.tried,
    }
}

/// The route is open to accounts alone, so that there is one.
async fn tenant(app: &App, caller: &Caller) -> Result<(AccountId, TenantTx), Fault> {
    let account = caller.account().ok_or_else(|| Refusal::not_found("account"))?;
    Ok((account, app.doors().tenant(account).await?))
}

pub(crate) async fn list(State(app): State<App>, caller: Caller, Ask(ask): Ask<Paging>) -> Result<Answer, Fault> {
    let (_, mut tx) = tenant(&app, &caller).await?;
    let rows = store::webhook::list(tx.conn(), ask.after, one_more(ask.limit)).await?;
    Ok(Answer::ok(page(rows, ask.limit, |row| row.id.to_string(), shown)))
}

pub(crate) async fn get(State(app): State<App>, caller: Caller, Path(text): Path<String>) -> Result<Answer, Fault> {
    let (_, mut tx) = tenant(&app, &caller).await?;
    Ok(Answer::ok(shown(found(&mut tx, &text).await?)))
}

async fn found(tx: &mut TenantTx, text: &str) -> Result<WebhookRow, Fault> {
    Ok(store::webhook::get(tx.conn(), id(text)?).await?.ok_or_else(|| Refusal::not_found(text))?)
}

/// Everything that is wrong with a webhook, at once.
fn check(app: &App, row: &WebhookRow) -> Result<(), Refusal> {
    let mut wrong = Vec::new();
    let mut field = |pointer: String, da: String, en: String| {
        wrong.push(FieldError { pointer, detail: Text::new(da, en) });
    };
    let length = row.label.chars().count();
    if length == 0 || length > LABEL_CHARS_MAX || row.label.chars().any(char::is_control) {
        field(
            "/label".to_owned(),
            format!("Skriv, hvad webhooken er til, med 1 til {LABEL_CHARS_MAX} tegn"),
            format!("Say what the webhook is for, in 1 to {LABEL_CHARS_MAX} characters"),
        );
    }
    if row.events.len() > EVENTS_MAX {
        field(
            "/events".to_owned(),
            format!("Højst {EVENTS_MAX} slags; ingen betyder alle"),
            format!("At most {EVENTS_MAX} kinds; none means all"),
        );
    }
    for (at, kind) in row.events.iter().enumerate() {
        let letters = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
        let good = kind.split_once('.').is_some_and(|(noun, verb)| letters(noun) && (verb == "*" || letters(verb)));
        if !good || kind.len() > EVENT_CHARS_MAX {
            field(
                format!("/events/{at}"),
                "Skriv en slags hændelse som solution.trouble eller solution.*".to_owned(),
                "Write a kind of event such as solution.trouble or solution.*".to_owned(),
            );
        }
    }
    match app.outside().target(&row.url) {
        Ok(_) => {}
        Err(OutsideError::Forbidden(_, address)) => field(
            "/url".to_owned(),
            format!("{address} er ikke på det offentlige internet"),
            format!("{address} is not on the public Internet"),
        ),
        Err(_) => field(
            "/url".to_owned(),
            "Skriv en adresse, der begynder med https://, uden navn og kodeord".to_owned(),
            "Write an address that begins with https://, without name and password".to_owned(),
        ),
    }
    if wrong.is_empty() { Ok(()) } else { Err(Refusal::fields(wrong)) }
}

pub(crate) async fn create(
    State(app): State<App>,
    caller: Caller,
    Form(form): Form<api::WebhookCreate>,
) -> Result<Answer, Fault> {
    let row = WebhookRow {
        id: Uuid::now_v7(),
        label: form.label,
        url: form.url,
        events: form.events,
        enabled: true,
        turn: 1,
        created: Timestamp::now(),
    };
    check(&app, &row)?;
    let (account, mut tx) = tenant(&app, &caller).await?;
    let limit = app.config().limits.webhooks_per_account_max;
    let count = store::webhook::list(tx.conn(), None, i64::from(limit)).await?.len();
    if count >= limit as usize {
        return Err(too_many(count, limit).into());
    }
    store::webhook::put(tx.conn(), account, &row).await?;
    let trail = left(account, "webhook.create", "webhook.created", &row);
    trail.finish(&app, &caller, tx, with_secret(&app, row).status_created()).await
}

/// A webhook with its secret, which a replay of the request does not show again.
struct Told(api::Webhook, api::Webhook);

fn with_secret(app: &App, row: WebhookRow) -> Told {
    let secret = app.webhook_key().secret(row.id, row.turn);
    let kept = shown(row);
    Told(api::Webhook { secret: Some(secret), ..kept.clone() }, kept)
}

impl Told {
    fn status_created(self) -> Answer {
        Answer::created(self.0).keeping(self.1)
    }

    fn ok(self) -> Answer {
        Answer::ok(self.0).keeping(self.1)
    }
}

pub(crate) async fn change(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
    Form(form): Form<api::WebhookChange>,
) -> Result<Answer, Fault> {
    let (account, mut tx) = tenant(&app, &caller).await?;
    let old = found(&mut tx, &text).await?;
    let row = WebhookRow {
        label: form.label.unwrap_or(old.label),
        url: form.url.unwrap_or(old.url),
        events: form.events.unwrap_or(old.events),
        enabled: form.enabled.unwrap_or(old.enabled),
        turn: old.turn + u32::from(form.new_secret),
        ..old
    };
    check(&app, &row)?;
    store::webhook::put(tx.conn(), account, &row).await?;
    let trail = left(account, "webhook.change", "webhook.changed", &row);
    let answer = if form.new_secret { with_secret(&app, row).ok() } else { Answer::ok(shown(row)) };
    trail.finish(&app, &caller, tx, answer).await
}

pub(crate) async fn delete(State(app): State<App>, caller: Caller, Path(text): Path<String>) -> Result<Answer, Fault> {
    let (account, mut tx) = tenant(&app, &caller).await?;
    let row = found(&mut tx, &text).await?;
    store::webhook::delete(tx.conn(), row.id).await?;
    left(account, "webhook.delete", "webhook.deleted", &row).finish(&app, &caller, tx, Answer::empty()).await
}

pub(crate) async fn test(State(app): State<App>, caller: Caller, Path(text): Path<String>) -> Result<Answer, Fault> {
    let (_, mut tx) = tenant(&app, &caller).await?;
    let row = store::webhook::test(tx.conn(), id(&text)?).await?.ok_or_else(|| Refusal::not_found(&text))?;
    Trail::default().finish(&app, &caller, tx, Answer::accepted(delivery(row))).await
}

pub(crate) async fn deliveries(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
) -> Result<Answer, Fault> {
    let (_, mut tx) = tenant(&app, &caller).await?;
    let row = found(&mut tx, &text).await?;
    let rows = store::webhook::deliveries(tx.conn(), row.id, DELIVERIES).await?;
    Ok(Answer::ok(api::Page { items: rows.into_iter().map(delivery).collect(), next: None }))
}

pub(crate) async fn health(State(app): State<App>) -> Result<Answer, Fault> {
    Ok(Answer::ok(health::look(&app).await))
}

fn left(account: AccountId, act: &'static str, kind: &'static str, row: &WebhookRow) -> Trail {
    let mut trail = Trail::default();
    trail.evidence(NewEvidence {
        act,
        account: Some(account),
        solution: None,
        before: json!({ "webhook": row.id, "label": row.label, "url": row.url, "events": row.events, "enabled": row.enabled }),
        awaits: Awaits::Nothing,
        visible_from: None,
    });
    let data = json!({ "name": row.label });
    trail.event(NewEvent { account: Some(account), solution: None, kind, data, visible_from: None });
    trail
}

fn too_many(count: usize, limit: u32) -> Refusal {
    Refusal::new(
        "too-many-webhooks",
        409,
        Text::new("Der er for mange webhooks", "There are too many webhooks"),
        Text::new("Slet en først.", "Delete one first."),
    )
    .with_limit(format!("{count} webhooks"), format!("{limit} webhooks"))
}
