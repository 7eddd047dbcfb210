//! Backups of a solution, what stands in them, and proofs.

use super::{Paging, id, one_more, page};
use crate::answer::Answer;
use crate::app::App;
use crate::backup::{self, path, plan, proof, read, restore};
use crate::caller::Caller;
use crate::fault::Fault;
use crate::form::{Ask, Form};
use crate::{solution, store};
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use http::{HeaderValue, header};
use husorden_base::Refusal;
use husorden_wire::api;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use tokio_stream::wrappers::ReceiverStream;

/// What RFC 8187 leaves as it is in a name of a file.
const IN_NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'_');

pub(crate) async fn plan_show(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
) -> Result<Answer, Fault> {
    plan::show(&app, &caller, &text).await
}

pub(crate) async fn plan_change(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
    Form(form): Form<api::BackupPlanChange>,
) -> Result<Answer, Fault> {
    plan::change(&app, &caller, &text, form).await
}

pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
    Ask(ask): Ask<Paging>,
) -> Result<Answer, Fault> {
    let view = solution::find(&app, &caller, &text).await?;
    let mut tx = caller.read(&app).await?;
    let rows = store::backup::list(tx.conn(), view.id, ask.after, one_more(ask.limit)).await?;
    let shown = |row| backup::shown(row, caller.language, caller.is_staff());
    Ok(Answer::ok(page(rows, ask.limit, |row| row.id.to_string(), shown)))
}

pub(crate) async fn create(State(app): State<App>, caller: Caller, Path(text): Path<String>) -> Result<Answer, Fault> {
    backup::create(&app, &caller, &text).await
}

pub(crate) async fn get(
    State(app): State<App>,
    caller: Caller,
    Path((text, backup)): Path<(String, String)>,
) -> Result<Answer, Fault> {
    let view = solution::find(&app, &caller, &text).await?;
    let mut tx = caller.read(&app).await?;
    let row = store::backup::get(tx.conn(), view.id, id(&backup)?).await?;
    let row = row.ok_or_else(|| Refusal::not_found(&backup))?;
    Ok(Answer::ok(backup::shown(row, caller.language, caller.is_staff())))
}

pub(crate) async fn restore(
    State(app): State<App>,
    caller: Caller,
    Path((text, backup)): Path<(String, String)>,
    Form(form): Form<api::BackupRestore>,
) -> Result<Answer, Fault> {
    restore::restore(&app, &caller, &text, &backup, form).await
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Within {
    #[serde(default)]
    path: String,
}

pub(crate) async fn files(
    State(app): State<App>,
    caller: Caller,
    Path((text, backup)): Path<(String, String)>,
    Ask(ask): Ask<Within>,
) -> Result<Answer, Fault> {
    Ok(Answer::ok(read::folder(&app, &caller, &text, &backup, &ask.path).await?))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Since {
    since: String,
    #[serde(default)]
    path: String,
}

pub(crate) async fn changes(
    State(app): State<App>,
    caller: Caller,
    Path((text, backup)): Path<(String, String)>,
    Ask(ask): Ask<Since>,
) -> Result<Answer, Fault> {
    Ok(Answer::ok(read::changes(&app, &caller, &text, &backup, (&ask.since, &ask.path)).await?))
}

/// What a path leads to, as far as names and media types go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Lies {
    #[default]
    File,
    Folder,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Content {
    #[serde(default)]
    path: String,
    #[serde(default, rename = "as")]
    lies: Lies,
}

pub(crate) async fn content(
    State(app): State<App>,
    caller: Caller,
    Path((text, backup)): Path<(String, String)>,
    Ask(ask): Ask<Content>,
) -> Result<Response, Fault> {
    // All of a backup is a folder; one file has a name.
    let path = match ask.lies {
        Lies::Folder => path::read(&ask.path, "?path")?,
        Lies::File => path::read_some(&ask.path, "?path")?,
    };
    let name = path.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or("backup").to_owned();
    let (first, stream) = read::content(&app, &caller, &text, &backup, path).await?;
    let first = futures_util::stream::iter(first.map(Ok));
    let mut response = Body::from_stream(first.chain(ReceiverStream::new(stream.bytes))).into_response();
    let (name, media) = match ask.lies {
        Lies::File => (name, "application/octet-stream"),
        Lies::Folder => (format!("{name}.tar"), "application/x-tar"),
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let said = format!("attachment; filename*=UTF-8''{}", utf8_percent_encode(&name, IN_NAME));
    if let Ok(value) = HeaderValue::try_from(said) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    Ok(response)
}

pub(crate) async fn versions(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
    Ask(ask): Ask<Within>,
) -> Result<Answer, Fault> {
    let items = read::versions(&app, &caller, &text, &ask.path).await?;
    Ok(Answer::ok(api::Page { items, next: None }))
}

pub(crate) async fn proofs(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
    Ask(ask): Ask<Paging>,
) -> Result<Answer, Fault> {
    let view = solution::find(&app, &caller, &text).await?;
    let mut tx = caller.read(&app).await?;
    let rows = store::backup::proofs(tx.conn(), view.id, ask.after, one_more(ask.limit)).await?;
    let shown = |row| proof::shown(row, caller.language, caller.is_staff());
    Ok(Answer::ok(page(rows, ask.limit, |row| row.id.to_string(), shown)))
}

pub(crate) async fn all_proofs(State(app): State<App>, caller: Caller, Ask(ask): Ask<Paging>) -> Result<Answer, Fault> {
    let mut tx = caller.read(&app).await?;
    let rows = store::backup::standing(tx.conn(), ask.after, one_more(ask.limit)).await?;
    let shown = |row| proof::line(row, caller.language, caller.is_staff());
    Ok(Answer::ok(page(rows, ask.limit, |row| row.id.to_string(), shown)))
}
