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
use crate::store::node::{HeldBackRow, NodeRow};
use axum::extract::State;
use husorden_base::{AccountId, Refusal, Text};
use husorden_wire::api;
use husorden_wire::node::Health;
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
    let held_back = store::node::held_back(tx.conn()).await?;
    let items: Vec<api::Node> =
        store::node::list(tx.conn()).await?.into_iter().map(|row| node_shown(row, &held_back)).collect();
    Ok(Answer::ok(api::Page { items, next: None }))
}

fn node_shown(row: NodeRow, held_back: &[HeldBackRow]) -> api::Node {
    let of_node = held_back.iter().filter(|held| held.node == row.name);
    let held_back = of_node.map(|held| api::HeldBack {
        runtime: held.runtime.clone(),
        build: held.build.clone(),
        solutions: held.solutions,
        newest: held.newest.iter().map(ToString::to_string).collect(),
        last: held.last,
    });
    let held_back = held_back.collect();
    api::Node { name: row.name, connected: row.connected, heard: row.heard, health: row.health, held_back }
}

/// Asks a node for a build from today's packages.
pub(crate) async fn build(
    State(app): State<App>,
    caller: Caller,
    Form(form): Form<api::BuildAsk>,
) -> Result<Answer, Fault> {
    let mut tx = app.doors().staff().await?;
    let no_node = || Refusal::field("/node", Text::new("Den node er her ikke", "There is no such node"));
    let mut nodes = store::node::list(tx.conn()).await?;
    let row = nodes.iter().position(|row| row.name == form.node).map(|at| nodes.swap_remove(at)).ok_or_else(no_node)?;
    let health = serde_json::from_value::<Health>(row.health.clone()).ok();
    let known: Vec<String> =
        health.into_iter().flat_map(|health| health.runtimes).map(|runtime| runtime.name).collect();
    if !known.contains(&form.runtime) {
        let known = known.join(", ");
        let text = Text::new(format!("En af: {known}"), format!("One of: {known}"));
        return Err(Refusal::field("/runtime", text).into());
    }
    if !row.connected {
        return Err(Refusal::new(
            "node-away",
            409,
            Text::new("Noden er ikke forbundet", "The node is not connected"),
            Text::new("Vent, til den er tilbage, og prøv igen.", "Wait until it is back, and try again."),
        )
        .into());
    }
    store::node::ask_build(tx.conn(), &form.node, &form.runtime).await?;
    let held_back = store::node::held_back(tx.conn()).await?;
    let mut trail = Trail::default();
    trail.evidence(NewEvidence {
        act: "node.build",
        account: None,
        solution: None,
        before: json!({ "node": form.node, "runtime": form.runtime }),
        awaits: Awaits::Nothing,
        visible_from: None,
    });
    trail.finish_staff(&app, &caller, tx, Answer::accepted(node_shown(row, &held_back))).await
}
