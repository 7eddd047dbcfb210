//! Firewalls, and the names that lead back from public addresses.

use super::{Paging, one_more, page};
use crate::answer::Answer;
use crate::app::App;
use crate::caller::Caller;
use crate::fault::Fault;
use crate::form::{Ask, Form, IfMatch};
use crate::{firewall, public, store};
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use husorden_wire::api;

pub(crate) async fn list(State(app): State<App>, caller: Caller, Ask(ask): Ask<Paging>) -> Result<Answer, Fault> {
    let mut tx = caller.read(&app).await?;
    let rows = store::firewall::list(tx.conn(), ask.after, one_more(ask.limit)).await?;
    let mut with = Vec::with_capacity(rows.len());
    for row in rows {
        let holders = store::firewall::holders(tx.conn(), row.id).await?;
        with.push((row, holders));
    }
    let shown = |(row, holders): (_, Vec<_>)| firewall::shown(&row, &holders, caller.language);
    Ok(Answer::ok(page(with, ask.limit, |(row, _)| row.id.to_string(), shown)))
}

pub(crate) async fn get(State(app): State<App>, caller: Caller, Path(text): Path<String>) -> Result<Answer, Fault> {
    firewall::show(&app, &caller, &text).await
}

pub(crate) async fn create(
    State(app): State<App>,
    caller: Caller,
    Form(form): Form<api::FirewallCreate>,
) -> Result<Answer, Fault> {
    firewall::create(&app, &caller, form).await
}

pub(crate) async fn change(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
    if_match: IfMatch,
    Form(form): Form<api::FirewallChange>,
) -> Result<Answer, Fault> {
    firewall::change(&app, &caller, &text, &if_match, form).await
}

pub(crate) async fn delete(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
    if_match: IfMatch,
) -> Result<Answer, Fault> {
    firewall::delete(&app, &caller, &text, &if_match).await
}

pub(crate) async fn rename(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
    Form(form): Form<api::ReverseNameForm>,
) -> Result<Answer, Fault> {
    public::rename(&app, &caller, &text, form).await
}

/// The zone file, as text.
pub(crate) async fn zone(State(app): State<App>) -> Result<Response, Fault> {
    let mut tx = app.doors().staff().await?;
    let names = store::address::names(tx.conn()).await?;
    Ok(([("content-type", "text/dns; charset=utf-8")], public::zone(&names)).into_response())
}
