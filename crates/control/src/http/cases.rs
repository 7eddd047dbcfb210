//! Cases, decisions, measures and evidence.

use super::{Paging, one_more, page};
use crate::answer::Answer;
use crate::app::App;
use crate::caller::Caller;
use crate::fault::Fault;
use crate::form::{Ask, Form};
use crate::{case, solution, store};
use axum::extract::{Path, State};
use husorden_rules::DecisionForm;
use husorden_wire::api;
use serde::Deserialize;

pub(crate) async fn list(State(app): State<App>, Ask(ask): Ask<Paging>) -> Result<Answer, Fault> {
    let mut tx = app.doors().staff().await?;
    let rows = store::case::list(tx.conn(), ask.after, one_more(ask.limit)).await?;
    let rows = page(rows, ask.limit, |row| row.id.to_string(), |row| row);
    let mut items = Vec::with_capacity(rows.items.len());
    for row in rows.items {
        items.push(case::shown(&mut tx, row).await?);
    }
    Ok(Answer::ok(api::Page { items, next: rows.next }))
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
    Ok(Answer::ok(case::shown(&mut tx, row).await?))
}

pub(crate) async fn decide(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
    Form(form): Form<DecisionForm>,
) -> Result<Answer, Fault> {
    case::decide(&app, &caller, &text, form).await
}

pub(crate) async fn lift(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
    Form(form): Form<api::MeasureLift>,
) -> Result<Answer, Fault> {
    case::lift(&app, &caller, &text, form).await
}

pub(crate) async fn measures(State(app): State<App>, caller: Caller, Ask(ask): Ask<Paging>) -> Result<Answer, Fault> {
    let mut tx = caller.read(&app).await?;
    let rows = store::measure::list(tx.conn(), None, ask.after, one_more(ask.limit)).await?;
    Ok(Answer::ok(page(rows, ask.limit, |row| row.id.to_string(), |row| row.shown())))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EvidenceAsked {
    #[serde(default)]
    after: Option<u32>,
    #[serde(default)]
    limit: super::Limit,
    #[serde(default)]
    solution: Option<String>,
}

pub(crate) async fn evidence(
    State(app): State<App>,
    caller: Caller,
    Ask(ask): Ask<EvidenceAsked>,
) -> Result<Answer, Fault> {
    let solution = match &ask.solution {
        Some(text) => Some(solution::find(&app, &caller, text).await?.id),
        None => None,
    };
    let mut tx = caller.read(&app).await?;
    let after = i64::from(ask.after.unwrap_or(0));
    let rows = store::evidence::list(tx.conn(), solution, after, one_more(ask.limit)).await?;
    Ok(Answer::ok(page(rows, ask.limit, |row| row.id.to_string(), |row| row)))
}
