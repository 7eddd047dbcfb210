//! Members of an account and invitations to it.

use crate::answer::Answer;
use crate::app::App;
use crate::caller::{Caller, Trail, Who};
use crate::fault::Fault;
use crate::form::{Ask, Form};
use crate::http::{Paging, id, one_more, page};
use crate::identity::member::{self, To, may_touch, too_many};
use crate::identity::throttle;
use crate::store::event::NewEvent;
use crate::store::evidence::{Awaits, NewEvidence};
use crate::store::identity::member::{self as rows, InvitationRow, MemberRow};
use crate::visitor::Whence;
use axum::extract::{Path, State};
use husorden_base::{AccountId, Refusal};
use husorden_wire::api::{self, Capability};
use serde_json::{Value, json};

fn shown(row: MemberRow) -> api::Member {
    api::Member {
        person: row.person.to_string(),
        email: row.email,
        name: row.name,
        role: row.role,
        second_factor: row.second_factor,
        since: row.since,
    }
}

pub(super) fn invitation_shown(row: InvitationRow) -> api::Invitation {
    api::Invitation {
        id: row.id.to_string(),
        email: row.email,
        role: row.role,
        staff_roles: row.staff_roles.unwrap_or_default(),
        created: row.created,
        expires: row.expires,
    }
}

/// The account of a caller on a route that is for accounts only.
pub(super) fn own(caller: &Caller) -> Result<&api::Account, Refusal> {
    match &caller.who {
        Who::Account(account) => Ok(account),
        Who::Staff => Err(Refusal::not_found("account")),
    }
}

/// What a change among members leaves behind. Evidence names persons by id, so that what is personal can be erased.
pub(super) fn left(account: AccountId, act: &'static str, before: Value, told: Option<(&'static str, Value)>) -> Trail {
    let mut trail = Trail::default();
    trail.evidence(NewEvidence {
        act,
        account: Some(account),
        solution: None,
        before,
        awaits: Awaits::Nothing,
        visible_from: None,
    });
    if let Some((kind, data)) = told {
        trail.event(NewEvent { account: Some(account), solution: None, kind, data, visible_from: None });
    }
    trail
}

pub(crate) async fn list(State(app): State<App>, caller: Caller, Ask(ask): Ask<Paging>) -> Result<Answer, Fault> {
    let account = caller.account_for(&app, None).await?;
    let mut tx = app.doors().tenant(account).await?;
    let found = rows::list(tx.conn(), account, ask.after, one_more(ask.limit)).await?;
    Ok(Answer::ok(page(found, ask.limit, |row| row.person.to_string(), shown)))
}

pub(crate) async fn change(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
    Form(form): Form<api::MemberChange>,
) -> Result<Answer, Fault> {
    let account = caller.account_for(&app, None).await?;
    let mut tx = app.doors().tenant(account).await?;
    let row = rows::get(tx.conn(), account, id(&text)?).await?.ok_or_else(|| Refusal::not_found(&text))?;
    may_touch(caller.may.has(Capability::AccountManage), &[row.role, form.role])?;
    let before = json!({ "person": row.person, "role": row.role, "becomes": form.role });
    let trail =
        left(account, "member.role", before, Some(("member.changed", json!({ "name": row.name, "role": form.role }))));
    rows::set_role(tx.conn(), account, row.person, form.role).await?;
    let answer = Answer::ok(shown(MemberRow { role: form.role, ..row }));
    trail.finish(&app, &caller, tx, answer).await
}

pub(crate) async fn remove(State(app): State<App>, caller: Caller, Path(text): Path<String>) -> Result<Answer, Fault> {
    let account = caller.account_for(&app, None).await?;
    let mut tx = app.doors().tenant(account).await?;
    let row = rows::get(tx.conn(), account, id(&text)?).await?.ok_or_else(|| Refusal::not_found(&text))?;
    may_touch(caller.may.has(Capability::AccountManage), &[row.role])?;
    let before = json!({ "person": row.person, "role": row.role });
    let trail = left(account, "member.remove", before, Some(("member.removed", json!({ "name": row.name }))));
    rows::remove(tx.conn(), account, row.person).await?;
    trail.finish(&app, &caller, tx, Answer::empty()).await
}

pub(crate) async fn invitations(
    State(app): State<App>,
    caller: Caller,
    Ask(ask): Ask<Paging>,
) -> Result<Answer, Fault> {
    let account = caller.account_for(&app, None).await?;
    let mut tx = app.doors().tenant(account).await?;
    let found = rows::invitations(tx.conn(), Some(account), ask.after, one_more(ask.limit)).await?;
    Ok(Answer::ok(page(found, ask.limit, |row| row.id.to_string(), invitation_shown)))
}

pub(crate) async fn invite(
    State(app): State<App>,
    caller: Caller,
    Form(form): Form<api::InvitationCreate>,
) -> Result<Answer, Fault> {
    may_touch(caller.may.has(Capability::AccountManage), &[form.role])?;
    let shown = own(&caller)?;
    let account = caller.account_for(&app, None).await?;
    throttle::invitation(&app, account).await?;
    let mut tx = app.doors().tenant(account).await?;
    let limit = app.config().limits.members_per_account_max;
    let members = rows::list(tx.conn(), account, None, limit.into()).await?.len();
    let open = rows::invitations(tx.conn(), Some(account), None, limit.into()).await?.len();
    if members + open >= limit as usize {
        return Err(too_many(members + open, limit).into());
    }
    let to = To::Account { id: account, name: &shown.name, role: form.role };
    let row = member::invite(&app, tx.conn(), to, &form.email, form.language.unwrap_or(shown.language)).await?;
    let before = json!({ "invitation": row.id, "role": form.role });
    let trail = left(account, "member.invite", before, Some(("member.invited", json!({ "role": form.role }))));
    trail.finish(&app, &caller, tx, Answer::created(invitation_shown(row))).await
}

pub(crate) async fn withdraw(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
) -> Result<Answer, Fault> {
    let account = caller.account_for(&app, None).await?;
    let mut tx = app.doors().tenant(account).await?;
    if !rows::withdraw(tx.conn(), Some(account), id(&text)?).await? {
        return Err(Refusal::not_found(&text).into());
    }
    let trail = left(account, "member.withdraw", json!({ "invitation": text }), None);
    trail.finish(&app, &caller, tx, Answer::empty()).await
}

pub(crate) async fn look(State(app): State<App>, Form(form): Form<api::InvitationSecret>) -> Result<Answer, Fault> {
    Ok(Answer::ok(member::look(&app, &form).await?))
}

pub(crate) async fn accept(
    State(app): State<App>,
    whence: Whence,
    Form(form): Form<api::InvitationAccept>,
) -> Result<Answer, Fault> {
    Ok(Answer::created(member::accept(&app, &form, &whence).await?))
}
