//! `/v1/solutions/{solution}/proposals`.

use super::id;
use crate::answer::Answer;
use crate::app::App;
use crate::caller::Caller;
use crate::fault::Fault;
use crate::form::{Form, IfMatch};
use crate::proposal;
use crate::visitor::Whence;
use axum::extract::{Path, State};
use husorden_wire::api;

pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    whence: Whence,
    Path(text): Path<String>,
) -> Result<Answer, Fault> {
    proposal::list(&app, &caller, &text, whence.visitor).await
}

pub(crate) async fn open(
    State(app): State<App>,
    caller: Caller,
    whence: Whence,
    Path(text): Path<String>,
    if_match: IfMatch,
    Form(form): Form<api::AccessOpen>,
) -> Result<Answer, Fault> {
    proposal::open(&app, &caller, (&text, whence.visitor), &if_match, form).await
}

pub(crate) async fn accept(
    State(app): State<App>,
    caller: Caller,
    Path((text, proposal)): Path<(String, String)>,
    if_match: IfMatch,
    Form(form): Form<api::ProposalAccept>,
) -> Result<Answer, Fault> {
    proposal::accept(&app, &caller, (&text, id(&proposal)?), &if_match, form).await
}

pub(crate) async fn dismiss(
    State(app): State<App>,
    caller: Caller,
    Path((text, proposal)): Path<(String, String)>,
) -> Result<Answer, Fault> {
    proposal::dismiss(&app, &caller, &text, id(&proposal)?).await
}
