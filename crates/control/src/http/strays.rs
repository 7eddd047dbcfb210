//! `/v1/strays`: what nodes hold and nobody here knows of.

use crate::answer::Answer;
use crate::app::App;
use crate::caller::Caller;
use crate::fault::Fault;
use crate::form::Form;
use crate::stray;
use axum::extract::{Path, State};
use husorden_base::Refusal;
use husorden_wire::api;

pub(crate) async fn list(State(app): State<App>) -> Result<Answer, Fault> {
    Ok(Answer::ok(api::Page { items: stray::list(&app).await?, next: None }))
}

pub(crate) async fn take(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
    Form(form): Form<api::StrayTake>,
) -> Result<Answer, Fault> {
    let id = text.parse().map_err(|_| Refusal::not_found(&text))?;
    stray::take(&app, &caller, id, form).await
}
