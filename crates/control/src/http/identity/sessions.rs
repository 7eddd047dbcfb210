//! Sessions: made by logging in, moved on by proofs, listed and ended.

use crate::answer::Answer;
use crate::app::App;
use crate::caller::Caller;
use crate::fault::Fault;
use crate::form::Form;
use crate::http::id;
use crate::identity::log_in;
use crate::identity::person;
use crate::identity::seat::{Seat, needs, realm_shown};
use crate::store::identity::session::{self as rows, Listed, Which};
use crate::visitor::Whence;
use axum::extract::{Path, State};
use husorden_base::{Refusal, SessionId};
use husorden_wire::api;

pub(crate) async fn open(
    State(app): State<App>,
    whence: Whence,
    Form(form): Form<api::LogIn>,
) -> Result<Answer, Fault> {
    Ok(Answer::created(log_in::open(&app, &form, &whence).await?))
}

pub(crate) async fn second_factor(
    State(app): State<App>,
    seat: Seat,
    whence: Whence,
    Form(form): Form<api::SecondFactor>,
) -> Result<Answer, Fault> {
    Ok(Answer::ok(log_in::second_factor(&app, &seat, &form, &whence).await?))
}

pub(crate) async fn step_up(
    State(app): State<App>,
    seat: Seat,
    whence: Whence,
    Form(form): Form<api::StepUp>,
) -> Result<Answer, Fault> {
    Ok(Answer::ok(log_in::step_up(&app, &seat, &form, &whence).await?))
}

pub(crate) async fn get(State(app): State<App>, seat: Seat, caller: Caller) -> Result<Answer, Fault> {
    let (found, session) = (&seat.found, &seat.found.session);
    let accounts = match session.account {
        Some(_) => rows::accounts(app.doors().system(), seat.person()).await?,
        None => Vec::new(),
    };
    let here = session.account.map(|account| account.to_string());
    Ok(Answer::ok(api::Session {
        id: session.id.to_string(),
        person: person::shown(&app, &seat).await?,
        realm: realm_shown(session.realm),
        account: accounts.iter().find(|one| Some(&one.id) == here.as_ref()).cloned(),
        accounts,
        staff_roles: found.staff_roles.clone().unwrap_or_default(),
        capabilities: caller.may,
        needs: needs(app.doors().system(), found.standing(), session.account, found.role).await?,
        stepped_up_until: session.stepped_up_until(found.now),
        idle_ends: session.idle_ends(),
        ends: session.ends,
    }))
}

pub(crate) async fn move_to(
    State(app): State<App>,
    seat: Seat,
    Form(form): Form<api::SessionMove>,
) -> Result<Answer, Fault> {
    Ok(Answer::ok(log_in::move_to(&app, &seat, &form.account).await?))
}

pub(crate) async fn log_out(State(app): State<App>, seat: Seat, whence: Whence) -> Result<Answer, Fault> {
    log_in::log_out(&app, &seat, Which::One(seat.session()), &whence).await?;
    Ok(Answer::empty())
}

pub(crate) async fn list(State(app): State<App>, seat: Seat) -> Result<Answer, Fault> {
    let shown = |row: Listed| api::SessionListed {
        id: row.id.to_string(),
        current: row.id == seat.session(),
        realm: realm_shown(row.realm),
        account: row.account_name,
        address: row.address,
        device: row.agent,
        begun: row.begun,
        seen: row.seen,
    };
    let items = rows::list(app.doors().system(), seat.person()).await?.into_iter().map(shown).collect();
    Ok(Answer::ok(api::Page { items, next: None }))
}

pub(crate) async fn end(
    State(app): State<App>,
    seat: Seat,
    whence: Whence,
    Path(text): Path<String>,
) -> Result<Answer, Fault> {
    let which = Which::One(SessionId(id(&text)?));
    if log_in::log_out(&app, &seat, which, &whence).await? == 0 {
        return Err(Refusal::not_found(&text).into());
    }
    Ok(Answer::empty())
}

pub(crate) async fn end_all(State(app): State<App>, seat: Seat, whence: Whence) -> Result<Answer, Fault> {
    log_in::log_out(&app, &seat, Which::All, &whence).await?;
    Ok(Answer::empty())
}
