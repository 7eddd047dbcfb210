//! `/v1/solutions/{solution}/log`.

use crate::answer::Answer;
use crate::app::App;
use crate::caller::Caller;
use crate::fault::Fault;
use crate::form::Form;
use crate::journal;
use axum::extract::{Path, State};
use husorden_wire::api;

pub(crate) async fn read(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
    Form(form): Form<api::LogAsk>,
) -> Result<Answer, Fault> {
    journal::read(&app, &caller, &text, form).await
}
