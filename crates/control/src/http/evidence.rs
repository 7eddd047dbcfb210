//! Evidence: lines with search, exports, checkpoints, and how the log is.

use super::Limit;
use crate::answer::Answer;
use crate::app::App;
use crate::caller::Caller;
use crate::evidence::export::{self, ExportError};
use crate::fault::Fault;
use crate::form::Ask;
use crate::store::evidence::{Asked, Awaits, NewEvidence, Order};
use crate::store::{self, log};
use crate::{account, evidence, rights, solution};
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use husorden_base::{AccountId, Refusal, Text};
use husorden_wire::api;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

/// Longest text that is looked for, in bytes.
const WORDS_BYTES_MAX: usize = 200;
/// Batches of an export that wait for a slow reader.
const EXPORT_QUEUE: usize = 4;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asking {
    #[serde(default)]
    after: Option<u64>,
    #[serde(default)]
    before: Option<u64>,
    #[serde(default)]
    limit: Limit,
    #[serde(default)]
    order: Order,
    #[serde(default)]
    q: Option<String>,
    #[serde(default)]
    act: Option<String>,
    #[serde(default)]
    who: Option<String>,
    #[serde(default)]
    account: Option<String>,
    #[serde(default)]
    solution: Option<String>,
    #[serde(default)]
    from: Option<String>,
    #[serde(default)]
    to: Option<String>,
}

pub(crate) async fn list(State(app): State<App>, caller: Caller, Ask(ask): Ask<Asking>) -> Result<Answer, Fault> {
    audits(&caller)?;
    let solution = match &ask.solution {
        Some(text) => Some(solution::find(&app, &caller, text).await?.id.0),
        None => None,
    };
    let account = whose(&app, &caller, ask.account.as_deref()).await?.filter(|_| caller.is_staff());
    let asked = Asked {
        after: ask.after,
        before: ask.before,
        limit: ask.limit.0 + 1,
        order: ask.order,
        words: words("?q", ask.q)?,
        act: words("?act", ask.act)?,
        who: words("?who", ask.who)?,
        account: account.map(|id| id.0),
        solution,
        from: moment("?from", ask.from.as_deref())?,
        to: moment("?to", ask.to.as_deref())?,
    };
    let mut tx = caller.read(&app).await?;
    let mut items = store::evidence::list(tx.conn(), &asked).await?;
    let size = usize::try_from(ask.limit.0).unwrap_or(0);
    let more = items.len() > size;
    if ask.before.is_some() {
        // A page back: the row that is one too many is the first, and what the reader came from follows.
        items.drain(..items.len().saturating_sub(size));
        let next = items.last().map(|line| line.id.to_string());
        return Ok(Answer::ok(api::Page { items, next }));
    }
    items.truncate(size);
    let next = items.last().filter(|_| more).map(|line| line.id.to_string());
    Ok(Answer::ok(api::Page { items, next }))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Exporting {
    #[serde(default)]
    format: Format,
    #[serde(default)]
    account: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    /// For the verifier.
    #[default]
    Jsonl,
    /// For people.
    Csv,
}

pub(crate) async fn export(
    State(app): State<App>,
    caller: Caller,
    Ask(ask): Ask<Exporting>,
) -> Result<Response, Fault> {
    audits(&caller)?;
    let account = whose(&app, &caller, ask.account.as_deref()).await?;
    let Ok(place) = app.streams().try_acquire_owned() else {
        return Err(full(app.config().limits.streams_max).into());
    };
    witness(&app, &caller, account, ask.format).await?;
    // The line of this export is signed with it. A log that can't be signed is exported all the same: it is being looked into.
    let _ = evidence::sign(&app).await;
    let (sender, receiver) = mpsc::channel(EXPORT_QUEUE);
    let account = account.map(|id| id.0);
    tokio::spawn(async move {
        let _place = place;
        let done = match ask.format {
            Format::Jsonl => export::records(&app, &caller, account, &sender).await,
            Format::Csv => export::table(&app, &caller, account, &sender).await,
        };
        match done {
            Ok(()) | Err(ExportError::Gone) => {}
            Err(error) => {
                tracing::warn!(%error, "an export of evidence ended early");
                let _ = sender.send(Err(std::io::Error::other("the export ended early"))).await;
            }
        }
    });
    let (kind, name) = match ask.format {
        Format::Jsonl => ("application/jsonl", "attachment; filename=\"evidence.jsonl\""),
        Format::Csv => ("text/csv; charset=utf-8", "attachment; filename=\"evidence.csv\""),
    };
    let mut response = Body::from_stream(ReceiverStream::new(receiver)).into_response();
    for (header, value) in
        [(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, name), (header::CACHE_CONTROL, "no-store")]
    {
        response.headers_mut().insert(header, HeaderValue::from_static(value));
    }
    Ok(response)
}

/// That evidence was carried away is a line of it.
async fn witness(app: &App, caller: &Caller, account: Option<AccountId>, format: Format) -> Result<(), Fault> {
    let line = NewEvidence {
        act: "evidence.export",
        account,
        solution: None,
        before: json!({ "kind": match format { Format::Jsonl => "jsonl", Format::Csv => "csv" } }),
        awaits: Awaits::Nothing,
        visible_from: None,
    };
    match caller.account() {
        Some(own) => {
            let mut tx = app.doors().tenant(own).await?;
            store::evidence::insert(tx.conn(), &caller.signature(), &line).await?;
            tx.commit().await?;
        }
        None => {
            let mut tx = app.doors().staff().await?;
            store::evidence::insert(tx.conn(), &caller.signature(), &line).await?;
            tx.commit().await?;
        }
    }
    app.wake();
    Ok(())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Checkpoints {
    #[serde(default)]
    after: Option<u64>,
    #[serde(default)]
    limit: Limit,
}

/// The largest tree first; `after` goes on to smaller ones.
pub(crate) async fn checkpoints(
    State(app): State<App>,
    caller: Caller,
    Ask(ask): Ask<Checkpoints>,
) -> Result<Answer, Fault> {
    let mut tx = caller.read(&app).await?;
    let rows = log::checkpoints(tx.conn(), ask.after, super::one_more(ask.limit)).await.map_err(read)?;
    Ok(Answer::ok(super::page(
        rows,
        ask.limit,
        |row| row.size.to_string(),
        |row| api::EvidenceCheckpoint { size: row.size, at: row.at, key: row.key, note: row.note },
    )))
}

pub(crate) async fn key(State(app): State<App>, caller: Caller) -> Result<Answer, Fault> {
    let mut tx = caller.read(&app).await?;
    let (origin, size) = log::tree(tx.conn()).await.map_err(read)?;
    let keys = log::keys(tx.conn()).await.map_err(read)?;
    let health = app.log().health();
    let staff = caller.is_staff();
    let targets = health.targets.into_iter().filter(|_| staff).map(|target| api::EvidenceTarget {
        target: target.target,
        delivered: target.delivered,
        failing_since: target.failing.as_ref().map(|(since, _)| *since),
        error: target.failing.map(|(_, error)| error),
    });
    Ok(Answer::ok(api::EvidenceLog {
        origin,
        key: health.key,
        keys,
        size,
        signed: health.signed,
        refused: health.refused.filter(|_| staff),
        targets: targets.collect(),
    }))
}

fn read(error: log::LoadError) -> Fault {
    match error {
        log::LoadError::Database(error) => error.into(),
        other => Fault::broken("reading the evidence log")(Box::new(other)),
    }
}

/// The lines of everybody are for staff who audit.
fn audits(caller: &Caller) -> Result<(), Refusal> {
    if caller.is_staff() && !caller.may.has(api::Capability::EvidenceAudit) {
        return Err(rights::missing(api::Capability::EvidenceAudit, true, caller.credential));
    }
    Ok(())
}

/// The account that is meant: the caller's own, or the one that staff name; none: all.
async fn whose(app: &App, caller: &Caller, named: Option<&str>) -> Result<Option<AccountId>, Fault> {
    match (caller.account(), named) {
        (None, None) => Ok(None),
        (None, Some(named)) => {
            let mut tx = app.doors().staff().await?;
            account::named(tx.conn(), named, "?account").await.map(Some)
        }
        (Some(_), named) => caller.account_for(app, named).await.map(Some),
    }
}

fn words(field: &str, text: Option<String>) -> Result<Option<String>, Refusal> {
    match text.map(|text| text.trim().to_lowercase()) {
        Some(text) if text.len() > WORDS_BYTES_MAX || text.contains('\0') => {
            Err(Refusal::field(field, Text::new("Højst 200 bytes", "At most 200 bytes")))
        }
        text => Ok(text.filter(|text| !text.is_empty())),
    }
}

/// A time, or a day, which begins in UTC.
fn moment(field: &str, text: Option<&str>) -> Result<Option<Timestamp>, Refusal> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    let day =
        || text.parse::<jiff::civil::Date>().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|day| day.timestamp());
    text.parse().ok().or_else(day).map(Some).ok_or_else(|| {
        Refusal::field(
            field,
            Text::new("En dag (2026-01-31) eller et tidspunkt (RFC 3339)", "A day (2026-01-31) or a time (RFC 3339)"),
        )
    })
}

fn full(streams_max: usize) -> Refusal {
    Refusal::new(
        "too-many-streams",
        503,
        Text::new("Der er for mange åbne strømme", "There are too many open streams"),
        Text::new("Prøv igen senere.", "Try again later."),
    )
    .with_limit(format!("{streams_max} streams"), format!("{streams_max} streams"))
}
