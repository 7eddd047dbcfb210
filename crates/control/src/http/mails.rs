//! Which events come as mail: a member's own choice, and a look by whoever manages members.

use super::id;
use crate::answer::Answer;
use crate::app::App;
use crate::caller::{Caller, Trail};
use crate::fault::Fault;
use crate::form::Form;
use crate::store;
use crate::store::evidence::{Awaits, NewEvidence};
use axum::extract::{Path, State};
use husorden_base::{FieldError, Refusal, Text};
use husorden_wire::api::{self, MailChoice, Topic};
use serde_json::json;
use std::collections::BTreeMap;
use uuid::Uuid;

/// The person who asks; the route lets in nobody else.
fn oneself(caller: &Caller) -> Result<Uuid, Fault> {
    Ok(caller.person.ok_or_else(crate::identity::seat::no_person)?.0)
}

pub(crate) async fn own(State(app): State<App>, caller: Caller) -> Result<Answer, Fault> {
    let person = oneself(&caller)?;
    shown(&app, &caller, person, "person").await
}

pub(crate) async fn change_own(
    State(app): State<App>,
    caller: Caller,
    Form(form): Form<api::MailChange>,
) -> Result<Answer, Fault> {
    let person = oneself(&caller)?;
    choose(&app, &caller, person, "person", &form.mail).await
}

pub(crate) async fn of_member(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
) -> Result<Answer, Fault> {
    shown(&app, &caller, id(&text)?, &text).await
}

pub(crate) async fn change_of_member(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
    Form(form): Form<api::MailChange>,
) -> Result<Answer, Fault> {
    choose(&app, &caller, id(&text)?, &text, &form.mail).await
}

async fn shown(app: &App, caller: &Caller, person: Uuid, said: &str) -> Result<Answer, Fault> {
    let account = caller.account_for(app, None).await?;
    let mut tx = app.doors().tenant(account).await?;
    Ok(answer(found(store::mail::choices(tx.conn(), account, person).await?, said)?))
}

/// A member has every topic; who has none is no member.
fn found(choices: Vec<MailChoice>, said: &str) -> Result<Vec<MailChoice>, Refusal> {
    if choices.is_empty() { Err(Refusal::not_found(said)) } else { Ok(choices) }
}

fn answer(items: Vec<MailChoice>) -> Answer {
    Answer::ok(api::Page { items, next: None })
}

async fn choose(
    app: &App,
    caller: &Caller,
    person: Uuid,
    said: &str,
    wanted: &BTreeMap<Topic, bool>,
) -> Result<Answer, Fault> {
    let account = caller.account_for(app, None).await?;
    let mut tx = app.doors().tenant(account).await?;
    let stands = found(store::mail::choices(tx.conn(), account, person).await?, said)?;
    let wrong: Vec<FieldError> = stands
        .iter()
        .filter(|choice| choice.fixed && wanted.get(&choice.topic) == Some(&false))
        .map(|choice| FieldError { pointer: format!("/mail/{}", choice.topic), detail: fixed() })
        .collect();
    if !wrong.is_empty() {
        return Err(Refusal::fields(wrong).into());
    }
    for (topic, mail) in wanted {
        store::mail::choose(tx.conn(), account, person, *topic, *mail).await?;
    }
    let items = store::mail::choices(tx.conn(), account, person).await?;
    let mut trail = Trail::default();
    trail.evidence(NewEvidence {
        act: "mails.choose",
        account: Some(account),
        solution: None,
        before: json!({ "person": person, "mail": wanted }),
        awaits: Awaits::Nothing,
        visible_from: None,
    });
    trail.finish(app, caller, tx, answer(items)).await
}

fn fixed() -> Text {
    Text::new(
        "En ejer får altid besked om afgørelser; de er rettet til den, der hæfter for kontoen",
        "An owner is always told of decisions; they are addressed to whoever answers for the account",
    )
}
