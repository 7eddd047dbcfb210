//! Plans, subscriptions and the ledger.

use super::{Limit, Paging};
use crate::answer::Answer;
use crate::app::App;
use crate::caller::Caller;
use crate::fault::Fault;
use crate::form::{Ask, Form};
use crate::money::{export, ledger, plan, subscription};
use axum::extract::{Path, State};
use axum::response::Response;
use husorden_base::AccountId;
use husorden_wire::api;
use serde::Deserialize;
use uuid::Uuid;

/// `?account=`, for staff; with none they see all.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Whose {
    #[serde(default)]
    account: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Subscriptions {
    #[serde(default)]
    after: Option<Uuid>,
    #[serde(default)]
    limit: Limit,
    #[serde(default)]
    account: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entries {
    #[serde(default)]
    after: i64,
    #[serde(default)]
    limit: Limit,
    #[serde(default)]
    account: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reason {
    #[serde(default)]
    why: Option<String>,
}

async fn whose(app: &App, caller: &Caller, named: Option<&str>) -> Result<Option<AccountId>, Fault> {
    if caller.is_staff() && named.is_none() {
        return Ok(None);
    }
    caller.account_for(app, named).await.map(Some)
}

pub(crate) async fn plans(State(app): State<App>, caller: Caller) -> Result<Answer, Fault> {
    plan::list(&app, &caller).await
}

pub(crate) async fn plan_create(
    State(app): State<App>,
    caller: Caller,
    Form(form): Form<api::PlanCreate>,
) -> Result<Answer, Fault> {
    plan::create(&app, &caller, form).await
}

pub(crate) async fn plan_change(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
    Form(form): Form<api::PlanChange>,
) -> Result<Answer, Fault> {
    plan::change(&app, &caller, &text, form).await
}

pub(crate) async fn subscriptions(
    State(app): State<App>,
    caller: Caller,
    Ask(ask): Ask<Subscriptions>,
) -> Result<Answer, Fault> {
    let account = whose(&app, &caller, ask.account.as_deref()).await?;
    subscription::list(&app, &caller, account, &Paging { after: ask.after, limit: ask.limit }).await
}

pub(crate) async fn subscribe(
    State(app): State<App>,
    caller: Caller,
    Form(form): Form<api::SubscriptionCreate>,
) -> Result<Answer, Fault> {
    subscription::create(&app, &caller, form).await
}

pub(crate) async fn subscription_get(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
) -> Result<Answer, Fault> {
    subscription::get(&app, &caller, &text).await
}

pub(crate) async fn ending(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
    Ask(reason): Ask<Reason>,
) -> Result<Answer, Fault> {
    subscription::preview(&app, &caller, &text, reason.why.as_deref()).await
}

pub(crate) async fn end(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
    Form(form): Form<api::SubscriptionEnd>,
) -> Result<Answer, Fault> {
    subscription::end(&app, &caller, &text, &form).await
}

pub(crate) async fn subscriptions_export(
    State(app): State<App>,
    caller: Caller,
    Ask(ask): Ask<Whose>,
) -> Result<Response, Fault> {
    let account = whose(&app, &caller, ask.account.as_deref()).await?;
    export::subscriptions(&app, &caller, account).await
}

pub(crate) async fn entries(State(app): State<App>, caller: Caller, Ask(ask): Ask<Entries>) -> Result<Answer, Fault> {
    let account = whose(&app, &caller, ask.account.as_deref()).await?;
    ledger::list(&app, &caller, account, ask.after, ask.limit).await
}

pub(crate) async fn balance(State(app): State<App>, caller: Caller, Ask(ask): Ask<Whose>) -> Result<Answer, Fault> {
    let account = whose(&app, &caller, ask.account.as_deref()).await?;
    ledger::balance(&app, &caller, account).await
}

pub(crate) async fn payment(
    State(app): State<App>,
    caller: Caller,
    Form(form): Form<api::Payment>,
) -> Result<Answer, Fault> {
    ledger::payment(&app, &caller, &form).await
}

pub(crate) async fn ledger_export(
    State(app): State<App>,
    caller: Caller,
    Ask(ask): Ask<Whose>,
) -> Result<Response, Fault> {
    let account = whose(&app, &caller, ask.account.as_deref()).await?;
    export::ledger(&app, &caller, account).await
}
