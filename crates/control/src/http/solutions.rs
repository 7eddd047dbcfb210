//! `/v1/solutions`.

use super::{Limit, one_more, page};
use crate::answer::Answer;
use crate::app::App;
use crate::caller::Caller;
use crate::fault::Fault;
use crate::form::{Ask, Form, IfMatch};
use crate::store::solution::{Filter, SolutionView};
use crate::{login, rebuild, solution, state, store, undo};
use axum::extract::{Path, State};
use husorden_base::{Refusal, Text};
use husorden_kinds::Aim;
use husorden_wire::api;
use serde::Deserialize;
use uuid::Uuid;

/// Rows looked at for one page when the list is narrowed by state, which is worked out and not stored.
const LOOKED_AT_MAX: usize = 2_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Narrowed {
    #[serde(default)]
    after: Option<Uuid>,
    #[serde(default)]
    limit: Limit,
    #[serde(default)]
    kind: Option<String>,
    #[serde(default)]
    state: Option<String>,
    /// `name` or `name=value`.
    #[serde(default)]
    label: Option<String>,
    #[serde(default)]
    q: Option<String>,
    /// For staff.
    #[serde(default)]
    account: Option<String>,
}

const STATES: [&str; 8] = ["working", "running", "stopped", "closed", "trouble", "deleting", "deleted", "unknown"];

pub(crate) async fn list(State(app): State<App>, caller: Caller, Ask(ask): Ask<Narrowed>) -> Result<Answer, Fault> {
    if let Some(state) = &ask.state
        && !STATES.contains(&state.as_str())
    {
        let states = STATES.join(", ");
        let text = Text::new(format!("En af: {states}"), format!("One of: {states}"));
        return Err(Refusal::field("?state", text).into());
    }
    let account = match &ask.account {
        Some(named) => Some(match caller.account() {
            Some(_) => caller.account_for(&app, Some(named)).await?,
            None => {
                let mut tx = app.doors().staff().await?;
                crate::account::named(tx.conn(), named, "?account").await?
            }
        }),
        None => None,
    };
    let filter = Filter {
        kind: ask.kind,
        q: ask.q.filter(|q| !q.is_empty()),
        label: ask.label.map(|label| match label.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (label, None),
        }),
        account,
        state: ask.state.clone(),
    };
    let mut tx = caller.read(&app).await?;
    let mut rows: Vec<SolutionView> = Vec::new();
    let (mut after, mut looked_at, mut next) = (ask.after, 0, None);
    let size = usize::try_from(one_more(ask.limit)).unwrap_or(0);
    loop {
        let batch = store::solution::list(tx.conn(), &filter, after, one_more(ask.limit)).await?;
        let ended = batch.len() < size;
        looked_at += batch.len();
        after = batch.last().map(|view| view.id.0);
        rows.extend(
            batch.into_iter().filter(|view| ask.state.as_deref().is_none_or(|state| state::of(view).0 == state)),
        );
        if ended || rows.len() >= size {
            break;
        }
        if looked_at >= LOOKED_AT_MAX {
            // A short page with a next one, rather than a request that reads the whole table.
            next = after.map(|id| id.to_string());
            break;
        }
    }
    let mut shown =
        page(rows, ask.limit, |view| view.id.to_string(), |view| state::shown(&app, &view, caller.language));
    shown.next = shown.next.or(next);
    Ok(Answer::ok(shown))
}

pub(crate) async fn create(
    State(app): State<App>,
    caller: Caller,
    Form(form): Form<api::SolutionCreate>,
) -> Result<Answer, Fault> {
    solution::create(&app, &caller, form).await
}

pub(crate) async fn get(State(app): State<App>, caller: Caller, Path(text): Path<String>) -> Result<Answer, Fault> {
    let view = solution::find(&app, &caller, &text).await?;
    Ok(Answer::ok(state::shown(&app, &view, caller.language)).tagged(view.generation))
}

pub(crate) async fn change(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
    if_match: IfMatch,
    Form(form): Form<api::SolutionChange>,
) -> Result<Answer, Fault> {
    solution::change(&app, &caller, &text, &if_match, form).await
}

pub(crate) async fn delete(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
    if_match: IfMatch,
) -> Result<Answer, Fault> {
    solution::delete(&app, &caller, &text, &if_match).await
}

pub(crate) async fn rebuilt(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
    if_match: IfMatch,
    Form(form): Form<api::Rebuild>,
) -> Result<Answer, Fault> {
    rebuild::run(&app, &caller, &text, &if_match, form).await
}

pub(crate) async fn start(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
    if_match: IfMatch,
) -> Result<Answer, Fault> {
    solution::aim(&app, &caller, &text, &if_match, Aim::Run).await
}

pub(crate) async fn stop(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
    if_match: IfMatch,
) -> Result<Answer, Fault> {
    solution::aim(&app, &caller, &text, &if_match, Aim::Stop).await
}

pub(crate) async fn undo(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
    if_match: IfMatch,
) -> Result<Answer, Fault> {
    undo::undo(&app, &caller, &text, &if_match).await
}

pub(crate) async fn credential(
    State(app): State<App>,
    caller: Caller,
    Path((text, name)): Path<(String, String)>,
    Form(form): Form<api::CredentialForm>,
) -> Result<Answer, Fault> {
    login::credential(&app, &caller, &text, &name, form).await
}
