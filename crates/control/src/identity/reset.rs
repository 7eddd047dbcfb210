//! A new password for somebody who forgot the old one. The answer to the wish is the same whoever wishes; of two resets one
//! wins; and whoever resets is in no account yet: a log-in follows, with the second factor as before.

use super::mail::{self, Template};
use super::seat::realm;
use super::{password, throttle, words};
use crate::app::App;
use crate::fault::Fault;
use crate::store::identity::person as rows;
use crate::store::identity::session as sessions;
use crate::visitor::Whence;
use crate::{store, token};
use husorden_base::{PersonId, Refusal, Text};
use husorden_wire::api;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use uuid::Uuid;

/// How long the secret in the mail holds.
const RESET_WAIT: SignedDuration = SignedDuration::from_mins(30);

/// Notes the wish. What it leads to is done beside the answer, so that the answer tells nothing.
pub(crate) async fn wish(app: &App, form: &api::PasswordReset, whence: &Whence) -> Result<(), Fault> {
    let mut fields = words::Fields::default();
    let email = fields.take("/email", words::email(&form.email)).unwrap_or_default();
    fields.done()?;
    if throttle::reset(app, &email, whence.visitor).await? {
        let (app, realm, whence) = (app.clone(), realm(form.realm), whence.clone());
        tokio::spawn(async move {
            if let Err(error) = begin(&app, &email, realm, &whence).await {
                tracing::warn!(%error, "a password reset could not be begun");
            }
        });
    }
    Ok(())
}

async fn begin(app: &App, email: &str, realm: super::session::Realm, whence: &Whence) -> Result<(), sqlx::Error> {
    let secret = token::secret("reset");
    let expires = Timestamp::now().saturating_add(RESET_WAIT).unwrap_or(Timestamp::MAX);
    let mut tx = app.doors().system().begin().await?;
    let digest = token::digest(secret.reveal());
    let Some(person) = rows::reset_begin(&mut *tx, email, realm.word(), &digest, expires).await? else {
        return Ok(());
    };
    let data = json!({ "name": person.name, "realm": realm.word(), "expires": expires, "address": whence.visitor.0 });
    let subject = mail::subject(&person.email, person.language, Template::PasswordReset, data);
    store::identity::mail(&mut *tx, &mail::with_secret(subject, app.seal(), &secret)).await?;
    note(&mut tx, person.id, "password.reset-wish", whence).await?;
    tx.commit().await
}

async fn note(conn: &mut sqlx::PgConnection, person: PersonId, act: &str, whence: &Whence) -> Result<(), sqlx::Error> {
    let before = json!({ "person": person, "network": whence.visitor.network() });
    store::identity::evidence(conn, "mailbox", act, None, &before).await
}

/// Sets the new password with the secret from the mail. Every session and every other reset of the person ends.
pub(crate) async fn spend(
    app: &App,
    form: &api::PasswordResetUse,
    whence: &Whence,
) -> Result<api::PasswordResetUsed, Fault> {
    let system = app.doors().system();
    let digest = token::digest(form.secret.reveal());
    let person = rows::reset_find(system, &digest).await?.ok_or_else(spent)?;
    let context = [person.email.as_str(), person.name.as_str()];
    let new = password::check(app, "/password", &form.password, &context, person.second_factor).await?;
    let hash = app.hasher().hash(&new).await?;
    let mut tx = system.begin().await?;
    if !rows::reset_use(&mut *tx, &digest, &hash).await? {
        return Err(spent().into());
    }
    // Whoever has the mailbox may log in from here, whatever others have tried meanwhile.
    let device = token::secret("device");
    let kept = token::digest(device.reveal());
    sessions::device_seen(&mut *tx, Uuid::now_v7(), person.id, &kept, &whence.agent).await?;
    let data = json!({ "at": Timestamp::now() });
    let told = mail::subject(&person.email, person.language, Template::PasswordChanged, data);
    store::identity::mail(&mut *tx, &told).await?;
    note(&mut tx, person.id, "password.reset", whence).await?;
    tx.commit().await?;
    app.wake();
    Ok(api::PasswordResetUsed { device })
}

fn spent() -> Refusal {
    Refusal::new(
        "reset-spent",
        410,
        Text::new("Linket gælder ikke længere", "The link does not hold any more"),
        Text::new(
            "Det er brugt, forældet eller afløst af en anden ændring af kodeordet. Bed om et nyt.",
            "It was used, is too old, or another change of the password came first. Ask for a new one.",
        ),
    )
}
