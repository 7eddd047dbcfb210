//! `/v1/networks`: private networks of accounts.

use super::{Limit, one_more, page};
use crate::answer::Answer;
use crate::app::App;
use crate::caller::Caller;
use crate::fault::Fault;
use crate::form::{Ask, Form};
use crate::{network, store};
use axum::extract::{Path, State};
use husorden_wire::api;
use serde::Deserialize;
use uuid::Uuid;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asking {
    #[serde(default)]
    after: Option<Uuid>,
    #[serde(default)]
    limit: Limit,
    /// For staff.
    #[serde(default)]
    account: Option<String>,
}

pub(crate) async fn list(State(app): State<App>, caller: Caller, Ask(ask): Ask<Asking>) -> Result<Answer, Fault> {
    let account = match &ask.account {
        Some(named) => Some(caller.account_for(&app, Some(named)).await?),
        None => None,
    };
    let mut tx = caller.read(&app).await?;
    let rows = store::network::list(tx.conn(), account, ask.after, one_more(ask.limit)).await?;
    Ok(Answer::ok(page(rows, ask.limit, |row| row.id.to_string(), network::shown)))
}

pub(crate) async fn get(State(app): State<App>, caller: Caller, Path(text): Path<String>) -> Result<Answer, Fault> {
    network::get(&app, &caller, &text).await
}

pub(crate) async fn create(
    State(app): State<App>,
    caller: Caller,
    Form(form): Form<api::NetworkCreate>,
) -> Result<Answer, Fault> {
    network::create(&app, &caller, form).await
}

pub(crate) async fn change(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
    Form(form): Form<api::NetworkChange>,
) -> Result<Answer, Fault> {
    network::change(&app, &caller, &text, form).await
}

pub(crate) async fn delete(State(app): State<App>, caller: Caller, Path(text): Path<String>) -> Result<Answer, Fault> {
    network::delete(&app, &caller, &text).await
}
