//! Delivering to webhooks: the event as JSON, signed after the Standard Webhooks scheme, through the one client for the outside.

use super::failed::Failed;
use crate::app::App;
use crate::events;
use crate::store::job::Job;
use crate::store::webhook::{self, Parcel};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

/// What is kept of a receiver's complaint.
const ERROR_CHARS_MAX: usize = 300;

/// Delivers what a job of kind `webhook` asks for.
pub(crate) async fn deliver(app: &App, one: &Job) -> Result<(), Failed> {
    let delivery = one.subject.get("delivery").and_then(Value::as_str).and_then(|id| id.parse().ok());
    let delivery: Uuid = delivery.ok_or_else(|| Failed::for_good("the job names no delivery"))?;
    let system = app.doors().system();
    let again = |error: sqlx::Error| Failed { text: error.to_string(), is_final: false };
    let Some(parcel) = webhook::parcel(system, delivery).await.map_err(again)? else { return Ok(()) };
    let outcome = post(app, delivery, &parcel).await;
    let (status, error) = match &outcome {
        Ok(status) => (Some(*status), judged(*status)),
        Err(failed) => (None, Some(failed.text.clone())),
    };
    let error = error.map(|text| text.chars().take(ERROR_CHARS_MAX).collect::<String>());
    webhook::tried(system, delivery, status.map(|status| status.as_u16()), error.as_deref()).await.map_err(again)?;
    app.wake();
    match (outcome, error) {
        (Err(failed), _) => Err(failed),
        // Gone is the one answer by which a receiver says that it will never want this.
        (Ok(status), Some(text)) => Err(Failed { text, is_final: status == StatusCode::GONE }),
        (Ok(_), None) => Ok(()),
    }
}

/// What is wrong with an answer. A redirect is followed nowhere: its target was never judged.
fn judged(status: StatusCode) -> Option<String> {
    (!status.is_success()).then(|| format!("the receiver answered {status}"))
}

async fn post(app: &App, delivery: Uuid, parcel: &Parcel) -> Result<StatusCode, Failed> {
    let at = Timestamp::now();
    let body = body(parcel).to_string();
    let secret = app.webhook_key().secret(parcel.webhook, parcel.turn);
    let id = delivery.to_string();
    let signature = super::sign::signature(&secret, &id, at.as_second(), body.as_bytes());
    let signature = signature.ok_or_else(|| Failed::for_good("the webhook's secret is none"))?;
    let mut headers = HeaderMap::new();
    for (name, value) in
        [("webhook-id", id), ("webhook-timestamp", at.as_second().to_string()), ("webhook-signature", signature)]
    {
        let value = HeaderValue::from_str(&value).map_err(Failed::for_good)?;
        headers.insert(HeaderName::from_static(name), value);
    }
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let target = app.outside().target(&parcel.url).map_err(Failed::for_good)?;
    // An address that leads home today may have been hijacked for an hour: it is tried again, and refused again.
    let failed = |error: crate::outside::OutsideError| Failed { text: error.to_string(), is_final: false };
    app.outside().post(&target, headers, body.into()).await.map_err(failed)
}

/// What is sent: kind, moment, and the event as the API shows it, in the account's language.
fn body(parcel: &Parcel) -> Value {
    let data = parcel.event.clone().map_or_else(|| json!({}), |event| json!(events::shown(event, parcel.language)));
    json!({ "type": parcel.kind, "timestamp": parcel.created, "data": data })
}
