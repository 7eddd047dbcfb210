//! `/v1/targets`: where backups lie.

use crate::answer::Answer;
use crate::app::App;
use crate::backup::{round, target};
use crate::caller::Caller;
use crate::fault::Fault;
use crate::form::Form;
use axum::extract::{Path, State};
use husorden_wire::api;

pub(crate) async fn list(State(app): State<App>) -> Result<Answer, Fault> {
    target::list(&app).await
}

pub(crate) async fn create(
    State(app): State<App>,
    caller: Caller,
    Form(form): Form<api::TargetCreate>,
) -> Result<Answer, Fault> {
    target::create(&app, &caller, form).await
}

pub(crate) async fn change(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
    Form(form): Form<api::TargetChange>,
) -> Result<Answer, Fault> {
    target::change(&app, &caller, &text, form).await
}

pub(crate) async fn retire(State(app): State<App>, caller: Caller, Path(text): Path<String>) -> Result<Answer, Fault> {
    target::retire(&app, &caller, &text).await
}

pub(crate) async fn round(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
    Form(form): Form<api::TargetRound>,
) -> Result<Answer, Fault> {
    round::round(&app, &caller, &text, form).await
}
