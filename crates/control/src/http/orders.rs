//! Orders and snapshots.

use super::{Limit, Paging, id, one_more, page};
use crate::answer::Answer;
use crate::app::App;
use crate::caller::Caller;
use crate::fault::Fault;
use crate::form::{Ask, Form, IfMatch};
use crate::{order, snapshot_schedule, solution, store};
use axum::extract::{Path, State};
use husorden_base::Refusal;
use husorden_wire::api;
use husorden_wire::node::Verb;
use serde::Deserialize;
use uuid::Uuid;

/// What `GET …/orders` may ask for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asking {
    #[serde(default)]
    after: Option<Uuid>,
    #[serde(default)]
    limit: Limit,
    /// From the newest on, rather than from the oldest.
    #[serde(default)]
    newest: bool,
}

pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
    Ask(ask): Ask<Asking>,
) -> Result<Answer, Fault> {
    let view = solution::find(&app, &caller, &text).await?;
    let mut tx = caller.read(&app).await?;
    let rows = store::order::list(tx.conn(), view.id, ask.after, one_more(ask.limit), ask.newest).await?;
    Ok(Answer::ok(page(rows, ask.limit, |row| row.id.to_string(), |row| order::shown(&row, caller.language))))
}

pub(crate) async fn get(State(app): State<App>, caller: Caller, Path(text): Path<String>) -> Result<Answer, Fault> {
    let mut tx = caller.read(&app).await?;
    let row = store::order::get(tx.conn(), id(&text)?).await?.ok_or_else(|| Refusal::not_found(&text))?;
    Ok(Answer::ok(order::shown(&row, caller.language)))
}

pub(crate) async fn wake(State(app): State<App>, caller: Caller, Path(text): Path<String>) -> Result<Answer, Fault> {
    order::rouse(&app, &caller, &text, Verb::Wake).await
}

pub(crate) async fn sleep(State(app): State<App>, caller: Caller, Path(text): Path<String>) -> Result<Answer, Fault> {
    order::rouse(&app, &caller, &text, Verb::Sleep).await
}

pub(crate) async fn reset(State(app): State<App>, caller: Caller, Path(text): Path<String>) -> Result<Answer, Fault> {
    order::rouse(&app, &caller, &text, Verb::Reset).await
}

pub(crate) async fn snapshots(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
    Ask(ask): Ask<Paging>,
) -> Result<Answer, Fault> {
    let view = solution::find(&app, &caller, &text).await?;
    let mut tx = caller.read(&app).await?;
    let rows = store::snapshot::list(tx.conn(), view.id, ask.after, one_more(ask.limit)).await?;
    Ok(Answer::ok(page(rows, ask.limit, |row| row.id.to_string(), order::snapshot_shown)))
}

pub(crate) async fn snapshot(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
    Form(form): Form<api::SnapshotCreate>,
) -> Result<Answer, Fault> {
    order::snapshot(&app, &caller, &text, form).await
}

pub(crate) async fn snapshot_delete(
    State(app): State<App>,
    caller: Caller,
    Path((text, snapshot)): Path<(String, String)>,
) -> Result<Answer, Fault> {
    order::snapshot_delete(&app, &caller, &text, &snapshot).await
}

pub(crate) async fn snapshot_restore(
    State(app): State<App>,
    caller: Caller,
    Path((text, snapshot)): Path<(String, String)>,
) -> Result<Answer, Fault> {
    order::restore(&app, &caller, &text, &snapshot).await
}

pub(crate) async fn snapshot_schedule(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
) -> Result<Answer, Fault> {
    snapshot_schedule::show(&app, &caller, &text).await
}

pub(crate) async fn snapshot_schedule_change(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
    if_match: IfMatch,
    Form(form): Form<api::SnapshotScheduleChange>,
) -> Result<Answer, Fault> {
    snapshot_schedule::change(&app, &caller, &text, &if_match, form).await
}
