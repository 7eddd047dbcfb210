//! Agreements.

use super::{LIMIT_MAX, Limit, one_more, page};
use crate::answer::Answer;
use crate::app::App;
use crate::caller::Caller;
use crate::fault::Fault;
use crate::form::{Ask, Form, IfMatch};
use crate::store::agreement::{AgreementRow, Wanted};
use crate::{account, agreement, store};
use axum::extract::{Path, State};
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
    state: Option<api::AgreementState>,
    #[serde(default)]
    account: Option<String>,
}

pub(crate) async fn list(State(app): State<App>, caller: Caller, Ask(ask): Ask<Narrowed>) -> Result<Answer, Fault> {
    let account = match &ask.account {
        Some(named) if caller.is_staff() => {
            let mut tx = app.doors().staff().await?;
            Some(account::named(tx.conn(), named, "?account").await?)
        }
        Some(named) => Some(caller.account_for(&app, Some(named)).await?),
        None => None,
    };
    let mut tx = caller.read(&app).await?;
    let wanted = Wanted { state: ask.state, account };
    let rows = store::agreement::list(tx.conn(), wanted, ask.after, one_more(ask.limit)).await?;
    Ok(Answer::ok(page(rows, ask.limit, |row| row.id.to_string(), AgreementRow::shown)))
}

pub(crate) async fn of_solution(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
) -> Result<Answer, Fault> {
    let items = agreement::of_solution(&app, &caller, &text, LIMIT_MAX).await?;
    Ok(Answer::ok(api::Page { items, next: None }))
}

pub(crate) async fn get(State(app): State<App>, caller: Caller, Path(text): Path<String>) -> Result<Answer, Fault> {
    agreement::show(&app, &caller, &text).await
}

pub(crate) async fn ask(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
    Form(form): Form<api::AgreementAsk>,
) -> Result<Answer, Fault> {
    agreement::ask(&app, &caller, &text, form).await
}

pub(crate) async fn decide(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
    if_match: IfMatch,
    Form(form): Form<api::AgreementDecide>,
) -> Result<Answer, Fault> {
    agreement::decide(&app, &caller, &text, &if_match, form).await
}

pub(crate) async fn end(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
    if_match: IfMatch,
    Form(form): Form<api::AgreementEnd>,
) -> Result<Answer, Fault> {
    agreement::end(&app, &caller, &text, &if_match, form).await
}

pub(crate) async fn withdraw(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
    if_match: IfMatch,
) -> Result<Answer, Fault> {
    agreement::withdraw(&app, &caller, &text, &if_match).await
}
