//! The account itself: its name, its holder, and what it requires of its members. Its own, and any for staff.

use super::members::left;
use crate::account;
use crate::answer::Answer;
use crate::app::App;
use crate::caller::{Caller, Trail};
use crate::fault::Fault;
use crate::form::Form;
use crate::identity::holder;
use crate::store;
use crate::store::identity::member::{self as rows, NewAccount};
use axum::extract::{Path, State};
use husorden_base::{AccountId, Refusal};
use husorden_wire::api;
use serde_json::json;

pub(crate) async fn own(State(app): State<App>, caller: Caller) -> Result<Answer, Fault> {
    let id = caller.account_for(&app, None).await?;
    let mut tx = app.doors().tenant(id).await?;
    Ok(Answer::ok(rows::account(tx.conn(), id.0).await?))
}

/// What a form asks for, read; evidence says which fields and keeps what is personal out.
fn read(form: &api::AccountChange) -> Result<NewAccount, Fault> {
    if let Some(name) = &form.name {
        account::check(&api::AccountCreate { name: name.clone(), language: form.language.unwrap_or_default() })?;
    }
    Ok(NewAccount {
        name: form.name.clone(),
        language: form.language,
        holder: form.holder.as_ref().map(|form| holder::read(form, "/holder")).transpose()?,
        two_factor_required: form.two_factor_required,
    })
}

fn noted(id: AccountId, form: &api::AccountChange) -> Trail {
    let before = json!({
        "name": form.name, "language": form.language, "holder": form.holder.is_some(),
        "two_factor_required": form.two_factor_required,
    });
    left(id, "account.change", before, Some(("account.changed", json!({}))))
}

pub(crate) async fn change_own(
    State(app): State<App>,
    caller: Caller,
    Form(form): Form<api::AccountChange>,
) -> Result<Answer, Fault> {
    let (id, new) = (caller.account_for(&app, None).await?, read(&form)?);
    let mut tx = app.doors().tenant(id).await?;
    rows::account_change(tx.conn(), id, &new).await?;
    let answer = Answer::ok(rows::account(tx.conn(), id.0).await?);
    noted(id, &form).finish(&app, &caller, tx, answer).await
}

pub(crate) async fn any(State(app): State<App>, Path(text): Path<String>) -> Result<Answer, Fault> {
    let mut tx = app.doors().staff().await?;
    let account = store::account::named(tx.conn(), &text).await?.ok_or_else(|| Refusal::not_found(&text))?;
    Ok(Answer::ok(rows::account(tx.conn(), account.id.0).await?))
}

pub(crate) async fn change_any(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
    Form(form): Form<api::AccountChange>,
) -> Result<Answer, Fault> {
    let new = read(&form)?;
    let mut tx = app.doors().staff().await?;
    let account = store::account::named(tx.conn(), &text).await?.ok_or_else(|| Refusal::not_found(&text))?;
    rows::account_change(tx.conn(), account.id, &new).await?;
    let answer = Answer::ok(rows::account(tx.conn(), account.id.0).await?);
    noted(account.id, &form).finish_staff(&app, &caller, tx, answer).await
}
