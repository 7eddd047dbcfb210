//! `/v1/licences`: pools of licences.

use crate::answer::Answer;
use crate::app::App;
use crate::caller::Caller;
use crate::fault::Fault;
use crate::form::Form;
use crate::licence;
use axum::extract::{Path, State};
use husorden_wire::api;

pub(crate) async fn list(State(app): State<App>) -> Result<Answer, Fault> {
    licence::list(&app).await
}

pub(crate) async fn set(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
    Form(form): Form<api::LicencePoolForm>,
) -> Result<Answer, Fault> {
    licence::set(&app, &caller, &name, form).await
}

pub(crate) async fn remove(State(app): State<App>, caller: Caller, Path(name): Path<String>) -> Result<Answer, Fault> {
    licence::remove(&app, &caller, &name).await
}
