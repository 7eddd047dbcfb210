//! `/v1/solutions/{solution}/updates`.

use crate::answer::Answer;
use crate::app::App;
use crate::caller::Caller;
use crate::fault::Fault;
use crate::{order, update};
use axum::extract::{Path, State};
use husorden_wire::node::Verb;

pub(crate) async fn show(State(app): State<App>, caller: Caller, Path(text): Path<String>) -> Result<Answer, Fault> {
    update::show(&app, &caller, &text).await
}

pub(crate) async fn now(State(app): State<App>, caller: Caller, Path(text): Path<String>) -> Result<Answer, Fault> {
    order::rouse(&app, &caller, &text, Verb::Update).await
}
