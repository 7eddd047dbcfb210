//! Erasing what names a person who left: an owner from the account's own lines, staff from everywhere.

use super::id;
use crate::account;
use crate::answer::Answer;
use crate::app::App;
use crate::caller::{Caller, Trail};
use crate::fault::Fault;
use crate::form::{Ask, Form};
use crate::store::erasure::{self, Said};
use crate::store::evidence::{Awaits, NewEvidence};
use axum::extract::State;
use husorden_base::{AccountId, Refusal, Text};
use husorden_wire::api;
use serde::Deserialize;
use serde_json::json;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asking {
    #[serde(default)]
    account: Option<String>,
}

pub(crate) async fn list(State(app): State<App>, caller: Caller, Ask(ask): Ask<Asking>) -> Result<Answer, Fault> {
    let account = whose(&app, &caller, ask.account.as_deref(), "?account").await?;
    let mut tx = caller.read(&app).await?;
    Ok(Answer::ok(api::Page { items: erasure::left(tx.conn(), account).await?, next: None }))
}

/// An account's own; what staff name, or everywhere.
async fn whose(
    app: &App,
    caller: &Caller,
    named: Option<&str>,
    pointer: &'static str,
) -> Result<Option<AccountId>, Fault> {
    match (caller.is_staff(), named) {
        (false, _) => caller.account_for(app, named).await.map(Some),
        (true, None) => Ok(None),
        (true, Some(named)) => account::named(app.doors().staff().await?.conn(), named, pointer).await.map(Some),
    }
}

pub(crate) async fn create(
    State(app): State<App>,
    caller: Caller,
    Form(form): Form<api::ErasureCreate>,
) -> Result<Answer, Fault> {
    let account = whose(&app, &caller, form.account.as_deref(), "/account").await?;
    let person = id(&form.person).map_err(|_| not_left())?;
    let by = caller.signature();
    let mut trail = Trail::default();
    let line = |id: &str| NewEvidence {
        act: "person.erase",
        account,
        solution: None,
        before: json!({ "person": person, "erasure": id }),
        awaits: Awaits::Nothing,
        visible_from: None,
    };
    match (caller.is_staff(), account) {
        (false, Some(own)) => {
            let mut tx = app.doors().tenant(own).await?;
            let asked = asked(erasure::ask(tx.conn(), account, person, &by).await?)?;
            trail.evidence(line(&asked.id));
            trail.finish(&app, &caller, tx, Answer::accepted(asked)).await
        }
        _ => {
            let mut tx = app.doors().staff().await?;
            let asked = asked(erasure::ask(tx.conn(), account, person, &by).await?)?;
            trail.evidence(line(&asked.id));
            trail.finish_staff(&app, &caller, tx, Answer::accepted(asked)).await
        }
    }
}

fn asked(said: Said) -> Result<api::Erasure, Refusal> {
    match said {
        Said::Asked { erasure } => Ok(erasure),
        Said::NotLeft => Err(not_left()),
        Said::Sealed { case } => Err(sealed(&case)),
    }
}

fn not_left() -> Refusal {
    Refusal::new(
        "not-left",
        409,
        Text::new("Der er ingen sådan person, der har forladt kontoen", "There is no such person who left the account"),
        Text::new(
            "Det, der navngiver et medlem, slettes først, når medlemmet er fjernet.",
            "What names a member is erased once the member was removed, and not before.",
        ),
    )
}

fn sealed(case: &str) -> Refusal {
    let mut refusal = Refusal::new(
        "sealed",
        409,
        Text::new("Beviserne er forseglet", "The evidence is sealed"),
        Text::new(
            format!("Sag {case} kræver, at intet slettes. Bed om det igen, når foranstaltningen er ophævet."),
            format!("Case {case} demands that nothing is erased. Ask again when the measure was lifted."),
        ),
    );
    refusal.case = Some(case.to_owned());
    refusal
}
