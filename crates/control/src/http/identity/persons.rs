//! A person's own log-in: profile, password, second factor; and a new password by mail.

use crate::answer::Answer;
use crate::app::App;
use crate::fault::Fault;
use crate::form::Form;
use crate::identity::seat::Seat;
use crate::identity::{mailbox, person, reset};
use crate::visitor::Whence;
use axum::extract::State;
use husorden_wire::api;

pub(crate) async fn get(State(app): State<App>, seat: Seat) -> Result<Answer, Fault> {
    Ok(Answer::ok(person::shown(&app, &seat).await?))
}

pub(crate) async fn change(
    State(app): State<App>,
    seat: Seat,
    Form(form): Form<api::PersonChange>,
) -> Result<Answer, Fault> {
    Ok(Answer::ok(person::change(&app, &seat, &form).await?))
}

pub(crate) async fn password(
    State(app): State<App>,
    seat: Seat,
    whence: Whence,
    Form(form): Form<api::PasswordChange>,
) -> Result<Answer, Fault> {
    Ok(Answer::ok(person::change_password(&app, &seat, &form, &whence).await?))
}

pub(crate) async fn email(
    State(app): State<App>,
    seat: Seat,
    whence: Whence,
    Form(form): Form<api::EmailChange>,
) -> Result<Answer, Fault> {
    mailbox::ask(&app, &seat, &form, &whence).await?;
    Ok(Answer::accepted(serde_json::json!({})))
}

pub(crate) async fn email_confirm(
    State(app): State<App>,
    whence: Whence,
    Form(form): Form<api::EmailSecret>,
) -> Result<Answer, Fault> {
    Ok(Answer::ok(mailbox::confirm(&app, &form.secret, &whence).await?))
}

pub(crate) async fn email_undo(
    State(app): State<App>,
    whence: Whence,
    Form(form): Form<api::EmailSecret>,
) -> Result<Answer, Fault> {
    Ok(Answer::ok(mailbox::undo(&app, &form.secret, &whence).await?))
}

pub(crate) async fn totp_begin(State(app): State<App>, seat: Seat) -> Result<Answer, Fault> {
    Ok(Answer::created(person::totp_begin(&app, &seat).await?))
}

pub(crate) async fn totp_confirm(
    State(app): State<App>,
    seat: Seat,
    whence: Whence,
    Form(form): Form<api::TotpConfirm>,
) -> Result<Answer, Fault> {
    Ok(Answer::ok(person::totp_confirm(&app, &seat, &form.code, &whence).await?))
}

pub(crate) async fn totp_remove(State(app): State<App>, seat: Seat) -> Result<Answer, Fault> {
    person::totp_remove(&app, &seat).await?;
    Ok(Answer::empty())
}

pub(crate) async fn recovery_codes(State(app): State<App>, seat: Seat) -> Result<Answer, Fault> {
    Ok(Answer::created(person::recovery_codes(&app, &seat).await?))
}

pub(crate) async fn reset_wish(
    State(app): State<App>,
    whence: Whence,
    Form(form): Form<api::PasswordReset>,
) -> Result<Answer, Fault> {
    reset::wish(&app, &form, &whence).await?;
    Ok(Answer::accepted(serde_json::json!({})))
}

pub(crate) async fn reset_use(
    State(app): State<App>,
    whence: Whence,
    Form(form): Form<api::PasswordResetUse>,
) -> Result<Answer, Fault> {
    Ok(Answer::ok(reset::spend(&app, &form, &whence).await?))
}
