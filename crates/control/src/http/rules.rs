//! The house rules: read by anybody, accepted by accounts.

use crate::answer::Answer;
use crate::app::App;
use crate::caller::Caller;
use crate::fault::Fault;
use crate::form::{Ask, Form};
use crate::rules;
use axum::extract::{Path, State};
use husorden_base::Refusal;
use husorden_wire::api;
use serde::Deserialize;

/// `?account=`, for staff.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Whose {
    #[serde(default)]
    account: Option<String>,
}

pub(crate) async fn now(State(app): State<App>) -> Result<Answer, Fault> {
    rules::version(&app, None).await
}

pub(crate) async fn versions(State(app): State<App>) -> Result<Answer, Fault> {
    rules::versions(&app).await
}

pub(crate) async fn version(State(app): State<App>, Path(text): Path<String>) -> Result<Answer, Fault> {
    let number = text.parse::<u32>().map_err(|_| Refusal::not_found(&text))?;
    rules::version(&app, Some(number)).await
}

pub(crate) async fn acceptance(
    State(app): State<App>,
    caller: Caller,
    Ask(whose): Ask<Whose>,
) -> Result<Answer, Fault> {
    rules::acceptance(&app, &caller, whose.account.as_deref()).await
}

pub(crate) async fn accept(
    State(app): State<App>,
    caller: Caller,
    Form(form): Form<api::RulesAccept>,
) -> Result<Answer, Fault> {
    rules::accept(&app, &caller, &form).await
}
