//! Who is staff: listed, invited, given other roles, taken off. And the first owner of an account, whom staff invite.

use super::members::{invitation_shown, left};
use crate::answer::Answer;
use crate::app::App;
use crate::caller::{Caller, Trail};
use crate::fault::Fault;
use crate::form::{Ask, Form};
use crate::http::{Paging, id, one_more, page};
use crate::identity::member::{self, To};
use crate::identity::throttle;
use crate::store;
use crate::store::evidence::{Awaits, NewEvidence};
use crate::store::identity::member::{self as rows, StaffRow};
use axum::extract::{Path, State};
use husorden_base::{Refusal, Text};
use husorden_wire::api;
use serde_json::{Value, json};

fn shown(row: StaffRow) -> api::StaffMember {
    api::StaffMember {
        person: row.person.to_string(),
        email: row.email,
        name: row.name,
        number: row.number,
        roles: row.roles,
        second_factor: row.second_factor,
        since: row.since,
    }
}

fn noted(act: &'static str, before: Value) -> Trail {
    let mut trail = Trail::default();
    trail.evidence(NewEvidence {
        act,
        account: None,
        solution: None,
        before,
        awaits: Awaits::Nothing,
        visible_from: None,
    });
    trail
}

pub(crate) async fn list(State(app): State<App>, Ask(ask): Ask<Paging>) -> Result<Answer, Fault> {
    let mut tx = app.doors().staff().await?;
    let found = rows::staff_list(tx.conn(), ask.after, one_more(ask.limit)).await?;
    Ok(Answer::ok(page(found, ask.limit, |row| row.person.to_string(), shown)))
}

pub(crate) async fn invite(
    State(app): State<App>,
    caller: Caller,
    Form(form): Form<api::StaffInvite>,
) -> Result<Answer, Fault> {
    throttle::invitation(&app, "staff").await?;
    let mut tx = app.doors().staff().await?;
    let row = member::invite(&app, tx.conn(), To::Staff { roles: &form.roles }, &form.email, form.language).await?;
    let trail = noted("staff.invite", json!({ "invitation": row.id, "roles": form.roles }));
    trail.finish_staff(&app, &caller, tx, Answer::created(invitation_shown(row))).await
}

pub(crate) async fn change(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
    Form(form): Form<api::StaffChange>,
) -> Result<Answer, Fault> {
    if form.roles.is_empty() {
        let text =
            Text::new("Nævn mindst én rolle, eller tag personen af", "Name at least one role, or take the person off");
        return Err(Refusal::field("/roles", text).into());
    }
    let mut tx = app.doors().staff().await?;
    let row = rows::staff_get(tx.conn(), id(&text)?).await?.ok_or_else(|| Refusal::not_found(&text))?;
    let trail = noted("staff.roles", json!({ "person": row.person, "roles": row.roles, "become": form.roles }));
    rows::staff_roles(tx.conn(), row.person, &form.roles).await?;
    let answer = Answer::ok(shown(StaffRow { roles: form.roles, ..row }));
    trail.finish_staff(&app, &caller, tx, answer).await
}

pub(crate) async fn remove(State(app): State<App>, caller: Caller, Path(text): Path<String>) -> Result<Answer, Fault> {
    let mut tx = app.doors().staff().await?;
    let row = rows::staff_get(tx.conn(), id(&text)?).await?.ok_or_else(|| Refusal::not_found(&text))?;
    let trail = noted("staff.remove", json!({ "person": row.person, "roles": row.roles }));
    rows::staff_remove(tx.conn(), row.person).await?;
    trail.finish_staff(&app, &caller, tx, Answer::empty()).await
}

/// The first owner of an account comes from staff: before, there is nobody in it who could invite.
pub(crate) async fn invite_to_account(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
    Form(form): Form<api::InvitationCreate>,
) -> Result<Answer, Fault> {
    if form.role != api::Role::Owner {
        let text = Text::new("Personale indbyder kun en ejer", "Staff invite an owner only");
        return Err(Refusal::field("/role", text).into());
    }
    throttle::invitation(&app, "staff").await?;
    let mut tx = app.doors().staff().await?;
    let account = store::account::named(tx.conn(), &text).await?.ok_or_else(|| Refusal::not_found(&text))?;
    if rows::has_owner(tx.conn(), account.id).await? {
        return Err(has_owner().into());
    }
    let to = To::Account { id: account.id, name: &account.name, role: form.role };
    let row = member::invite(&app, tx.conn(), to, &form.email, form.language.unwrap_or(account.language)).await?;
    let before = json!({ "invitation": row.id, "role": form.role });
    let told = Some(("member.invited", json!({ "role": form.role })));
    let trail = left(account.id, "member.invite", before, told);
    trail.finish_staff(&app, &caller, tx, Answer::created(invitation_shown(row))).await
}

fn has_owner() -> Refusal {
    Refusal::new(
        "account-has-owner",
        409,
        Text::new("Kontoen har en ejer", "The account has an owner"),
        Text::new("Ejeren indbyder selv flere medlemmer.", "The owner invites more members."),
    )
}
