//! Help for who lost the second factor: asked for, stopped and used by anybody with the right secret; checked by staff.

use crate::answer::Answer;
use crate::app::App;
use crate::caller::Caller;
use crate::fault::Fault;
use crate::form::{Ask, Form};
use crate::http::{Limit, id, one_more, page};
use crate::identity::rescue;
use crate::store::identity::rescue as rows;
use crate::visitor::Whence;
use axum::extract::{Path, State};
use husorden_base::Refusal;
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
    /// Those that are over, too.
    #[serde(default)]
    all: bool,
}

pub(crate) async fn list(State(app): State<App>, Ask(ask): Ask<Asking>) -> Result<Answer, Fault> {
    let mut tx = app.doors().staff().await?;
    let found = rows::list(tx.conn(), ask.all, ask.after, one_more(ask.limit)).await?;
    Ok(Answer::ok(page(found, ask.limit, |row| row.id.clone(), |row| row)))
}

pub(crate) async fn get(State(app): State<App>, Path(text): Path<String>) -> Result<Answer, Fault> {
    let mut tx = app.doors().staff().await?;
    Ok(Answer::ok(rows::get(tx.conn(), id(&text)?).await?.ok_or_else(|| Refusal::not_found(&text))?))
}

pub(crate) async fn check(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
    Form(form): Form<api::RescueCheckCreate>,
) -> Result<Answer, Fault> {
    rescue::check(&app, &caller, &text, form).await
}

pub(crate) async fn ask(
    State(app): State<App>,
    whence: Whence,
    Form(form): Form<api::RescueAsk>,
) -> Result<Answer, Fault> {
    rescue::ask(&app, &form, &whence).await?;
    Ok(Answer::accepted(serde_json::json!({})))
}

pub(crate) async fn stop(State(app): State<App>, Form(form): Form<api::RescueSecret>) -> Result<Answer, Fault> {
    rescue::stop(&app, &form.secret).await?;
    Ok(Answer::ok(serde_json::json!({})))
}

pub(crate) async fn spend(State(app): State<App>, Form(form): Form<api::RescueSecret>) -> Result<Answer, Fault> {
    Ok(Answer::ok(rescue::spend(&app, &form.secret).await?))
}
