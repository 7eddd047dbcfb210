//! Strays: what a node holds and control does not know of, for control was brought back from a backup that is older. The node serves them on;
//! staff have each taken over, as the node pursues it, into the account that it is of.

use crate::answer::Answer;
use crate::app::App;
use crate::caller::{Caller, Trail};
use crate::fault::Fault;
use crate::journal;
use crate::store::evidence::{Awaits, NewEvidence};
use crate::store::stray::{Known, StrayRow};
use crate::{solution, state, store};
use husorden_base::{AccountId, QuestionId, Refusal, SolutionId, Text};
use husorden_wire::api;
use husorden_wire::node::{Question, Wish};
use serde_json::json;

/// Those that nodes told of, each with the account's name where that is known.
pub(crate) async fn list(app: &App) -> Result<Vec<api::Stray>, Fault> {
    let mut tx = app.doors().staff().await?;
    let rows = store::stray::list(tx.conn()).await?;
    Ok(rows.into_iter().map(shown).collect())
}

fn shown(row: StrayRow) -> api::Stray {
    api::Stray {
        solution: row.solution.to_string(),
        node: row.node,
        number: row.number.get(),
        name: row.name,
        kind: row.kind,
        account: row.account.to_string(),
        account_name: row.account_name,
    }
}

/// Takes one over.
pub(crate) async fn take(app: &App, caller: &Caller, id: SolutionId, form: api::StrayTake) -> Result<Answer, Fault> {
    let mut tx = app.doors().staff().await?;
    let all = store::stray::list(tx.conn()).await?;
    let found = all.into_iter().find(|row| row.solution == id).ok_or_else(|| Refusal::not_found(&id.to_string()))?;
    drop(tx);
    if found.account_name.is_none() {
        return Err(no_account(found.account).into());
    }
    let kind = app.kind(&found.kind).ok_or_else(|| solution::no_kind(app, &found.kind))?;
    let name = form.name.unwrap_or(found.name);
    solution::check_name(kind, &name).map_err(|field| Refusal::fields(vec![field]))?;
    let wish = asked(app, found.account, (&found.node, id)).await?;
    if (wish.solution, wish.account, &wish.kind) != (id, found.account, &found.kind) {
        return Err(Fault::from(journal::silent()));
    }
    let mut tx = app.doors().tenant(found.account).await?;
    match store::stray::take(tx.conn(), &found.node, &wish, &name).await? {
        Known::Now => {}
        Known::Before => return Err(Refusal::not_found(&id.to_string()).into()),
    }
    solution::claim(&mut tx, kind, id, found.account, &wish.spec, false).await?;
    let view = store::solution::get(tx.conn(), id).await?;
    let mut trail = Trail::default();
    trail.evidence(NewEvidence {
        act: "solution.take-over",
        account: Some(found.account),
        solution: Some(id),
        before: json!({ "kind": wish.kind, "name": name, "number": wish.number, "spec": wish.spec, "node": found.node }),
        awaits: Awaits::Generation(view.generation),
        visible_from: None,
    });
    trail.event(solution::event(found.account, id, "solution.taken-over", json!({ "name": name })));
    let answer = Answer::ok(state::shown(app, &view, caller.language)).tagged(view.generation);
    trail.finish(app, caller, tx, answer).await
}

/// The wish as the node holds it.
async fn asked(app: &App, account: AccountId, of: (&str, SolutionId)) -> Result<Wish, Fault> {
    let mut tx = app.doors().tenant(account).await?;
    let question = QuestionId::new();
    store::question::ask_of(tx.conn(), question, (account, of), &Question::Wish).await?;
    tx.commit().await?;
    app.wake();
    let answered = journal::wait(app, account, question).await?;
    let text = answered.flatten().ok_or_else(journal::silent)?;
    serde_json::from_str(&text).map_err(|error| Fault::broken("reading a wish that a node holds")(error.into()))
}

fn no_account(account: AccountId) -> Refusal {
    Refusal::new(
        "no-account",
        409,
        Text::new("Kontoen er ukendt her", "The account is unknown here"),
        Text::new(
            format!(
                "Løsningen tilhører konto {account}, som heller ikke er med i den backup, platformen kom tilbage fra."
            ),
            format!(
                "The solution is of account {account}, which the backup that the platform came back from does not have either."
            ),
        ),
    )
}
