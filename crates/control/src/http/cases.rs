//! Cases, decisions and measures.

use super::{Limit, Paging, one_more, page};
use crate::answer::Answer;
use crate::app::App;
use crate::caller::Caller;
use crate::fault::Fault;
use crate::form::{Ask, Form, IfMatch};
use crate::store::case::{CaseRow, Wanted};
use crate::store::complaint::ComplaintRow;
use crate::store::measure::MeasureRow;
use crate::{account, case, store};
use axum::extract::{Path, State};
use husorden_base::Refusal;
use husorden_rules::DecisionForm;
use husorden_wire::api;
use serde::Deserialize;
use uuid::Uuid;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Narrowed {
    #[serde(default)]
    after: Option<Uuid>,
    #[serde(default)]
    limit: Limit,
    #[serde(default)]
    state: Option<String>,
    #[serde(default)]
    account: Option<String>,
    #[serde(default)]
    solution: Option<String>,
    #[serde(default)]
    clause: Option<String>,
    #[serde(default)]
    q: Option<String>,
    /// `waiting`: only cases with a complaint that waits.
    #[serde(default)]
    complaint: Option<Waiting>,
}

/// The one word that narrows by complaints.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Waiting {
    Waiting,
}

pub(crate) async fn list(State(app): State<App>, Ask(ask): Ask<Narrowed>) -> Result<Answer, Fault> {
    let mut tx = app.doors().staff().await?;
    let account = match &ask.account {
        Some(named) => Some(account::named(tx.conn(), named, "?account").await?),
        None => None,
    };
    let solution = match &ask.solution {
        Some(text) => Some(text.parse().map_err(|_| Refusal::not_found(text))?),
        None => None,
    };
    let complaint = ask.complaint.is_some();
    let wanted = Wanted { state: ask.state, account, solution, clause: ask.clause, q: ask.q, complaint };
    let rows = store::case::list(tx.conn(), &wanted, ask.after, one_more(ask.limit)).await?;
    Ok(Answer::ok(page(rows, ask.limit, |row| row.id.to_string(), CaseRow::shown)))
}

pub(crate) async fn open(
    State(app): State<App>,
    caller: Caller,
    Form(form): Form<api::CaseCreate>,
) -> Result<Answer, Fault> {
    case::open(&app, &caller, form).await
}

pub(crate) async fn get(State(app): State<App>, Path(text): Path<String>) -> Result<Answer, Fault> {
    let mut tx = app.doors().staff().await?;
    let row = case::named(&mut tx, &text).await?;
    let version = row.version;
    Ok(Answer::ok(row.shown()).tagged(version))
}

pub(crate) async fn note(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
    Form(form): Form<api::CaseNoteCreate>,
) -> Result<Answer, Fault> {
    case::note(&app, &caller, &text, form).await
}

pub(crate) async fn close(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
    seen: IfMatch,
    Form(form): Form<api::CaseClose>,
) -> Result<Answer, Fault> {
    case::close(&app, &caller, &text, &seen, form).await
}

pub(crate) async fn decide(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
    seen: IfMatch,
    Form(form): Form<DecisionForm>,
) -> Result<Answer, Fault> {
    case::decision::decide(&app, &caller, &text, &seen, form).await
}

pub(crate) async fn lift(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
    Form(form): Form<api::MeasureLift>,
) -> Result<Answer, Fault> {
    case::decision::lift(&app, &caller, &text, form).await
}

pub(crate) async fn measures(State(app): State<App>, caller: Caller, Ask(ask): Ask<Paging>) -> Result<Answer, Fault> {
    let mut tx = caller.read(&app).await?;
    let rows = store::measure::list(tx.conn(), ask.after, one_more(ask.limit)).await?;
    let shown = |row: MeasureRow| if caller.is_staff() { row.shown_to_staff() } else { row.shown() };
    Ok(Answer::ok(page(rows, ask.limit, |row| row.id.to_string(), shown)))
}

pub(crate) async fn statement(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
) -> Result<Answer, Fault> {
    case::decision::statement(&app, &caller, &text).await
}

pub(crate) async fn complain(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
    Form(form): Form<api::ComplaintCreate>,
) -> Result<Answer, Fault> {
    case::complaint::complain(&app, &caller, &text, form).await
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ComplaintsAsked {
    #[serde(default)]
    after: Option<Uuid>,
    #[serde(default)]
    limit: Limit,
    #[serde(default)]
    state: Option<Waiting>,
}

pub(crate) async fn complaints(
    State(app): State<App>,
    caller: Caller,
    Ask(ask): Ask<ComplaintsAsked>,
) -> Result<Answer, Fault> {
    let mut tx = caller.read(&app).await?;
    let rows = store::complaint::list(tx.conn(), ask.state.is_some(), ask.after, one_more(ask.limit)).await?;
    Ok(Answer::ok(page(rows, ask.limit, |row| row.id.to_string(), ComplaintRow::shown)))
}

pub(crate) async fn answer(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
    Form(form): Form<api::ComplaintAnswer>,
) -> Result<Answer, Fault> {
    case::complaint::answer(&app, &caller, &text, form).await
}
