//! Events, as a list or as a stream (Server-Sent Events).

use super::Limit;
use crate::answer::Answer;
use crate::app::App;
use crate::caller::Caller;
use crate::events;
use crate::fault::Fault;
use crate::form::Ask;
use crate::{solution, store};
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, header};
use husorden_base::{Refusal, SolutionId, Text};
use husorden_wire::api;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asking {
    #[serde(default)]
    after: Option<u64>,
    #[serde(default)]
    limit: Limit,
}

pub(crate) async fn all(
    State(app): State<App>,
    caller: Caller,
    Ask(ask): Ask<Asking>,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    answer(app, caller, None, ask, &headers).await
}

pub(crate) async fn of_solution(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
    Ask(ask): Ask<Asking>,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    let view = solution::find(&app, &caller, &text).await?;
    answer(app, caller, Some(view.id), ask, &headers).await
}

async fn answer(
    app: App,
    caller: Caller,
    solution: Option<SolutionId>,
    ask: Asking,
    headers: &HeaderMap,
) -> Result<Response, Fault> {
    let text = |name| headers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok());
    if text(header::ACCEPT).is_some_and(|accept| accept.contains("text/event-stream")) {
        let last = text(http::HeaderName::from_static("last-event-id")).and_then(|id| id.parse().ok());
        let Ok(place) = app.streams().try_acquire_owned() else {
            return Err(full(app.config().limits.streams_max).into());
        };
        return Ok(events::stream(app, caller, solution, last.or(ask.after), place).into_response());
    }
    let mut tx = caller.read(&app).await?;
    let rows = store::event::list(tx.conn(), solution, ask.after, ask.limit.0).await?;
    // A list of events always says where the next one begins, for there will be more.
    let next = rows.last().map(|row| row.id.to_string()).or_else(|| ask.after.map(|id| id.to_string()));
    let items: Vec<api::Event> = rows.into_iter().map(|row| events::shown(row, caller.language)).collect();
    Ok(Answer::ok(api::Page { items, next }).into_response())
}

fn full(streams_max: usize) -> Refusal {
    Refusal::new(
        "too-many-streams",
        503,
        Text::new("Der er for mange åbne strømme", "There are too many open streams"),
        Text::new("Prøv igen senere, eller spørg med ?after=.", "Try again later, or ask with ?after=."),
    )
    .with_limit(format!("{streams_max} streams"), format!("{streams_max} streams"))
}
