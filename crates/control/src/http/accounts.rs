//! Accounts and nodes, for staff.

use super::{Limit, one_more, page};
use crate::account::{check, language_word};
use crate::answer::Answer;
use crate::app::App;
use crate::caller::{Caller, Trail};
use crate::fault::Fault;
use crate::form::{Ask, Form};
use crate::store;
use crate::store::account::AccountRow;
use crate::store::event::NewEvent;
use crate::store::evidence::{Awaits, NewEvidence};
use axum::extract::State;
use husorden_base::AccountId;
use husorden_wire::api;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

fn shown(row: AccountRow) -> api::Account {
    api::Account { id: row.id.to_string(), name: row.name, language: row.language, created: row.created }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asking {
    #[serde(default)]
    after: Option<Uuid>,
    #[serde(default)]
    limit: Limit,
    /// Part of the name, or the id.
    #[serde(default)]
    q: Option<String>,
}

pub(crate) async fn list(State(app): State<App>, Ask(ask): Ask<Asking>) -> Result<Answer, Fault> {
    let mut tx = app.doors().staff().await?;
    let rows = store::account::list(tx.conn(), ask.q.as_deref(), ask.after, one_more(ask.limit)).await?;
    Ok(Answer::ok(page(rows, ask.limit, |row| row.id.to_string(), shown)))
}

pub(crate) async fn create(
    State(app): State<App>,
    caller: Caller,
    Form(form): Form<api::AccountCreate>,
) -> Result<Answer, Fault> {
    check(&form)?;
    let id = AccountId::new();
    let mut tx = app.doors().staff().await?;
    let row = store::account::insert(tx.conn(), id, &form.name, language_word(form.language)).await?;
    let mut trail = Trail::default();
    trail.evidence(NewEvidence {
        act: "account.create",
        account: Some(id),
        solution: None,
        before: json!({ "name": form.name }),
        awaits: Awaits::Nothing,
        visible_from: None,
    });
    trail.event(NewEvent {
        account: Some(id),
        solution: None,
        kind: "account.created",
        data: json!({ "name": form.name }),
        visible_from: None,
    });
    trail.finish_staff(&app, &caller, tx, Answer::created(shown(row))).await
}

pub(crate) async fn nodes(State(app): State<App>) -> Result<Answer, Fault> {
    let mut tx = app.doors().staff().await?;
    let items: Vec<api::Node> = store::node::list(tx.conn())
        .await?
        .into_iter()
        .map(|row| api::Node { name: row.name, connected: row.connected, heard: row.heard, health: row.health })
        .collect();
    Ok(Answer::ok(api::Page { items, next: None }))
}
