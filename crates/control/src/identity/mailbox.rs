//! Another e-mail address. It counts when the new mailbox has confirmed it; the old one is told with a link that takes it back for
//! a week, whatever was changed after it. Whether a mailbox is somebody's already is told to nobody who asks.

use super::mail::{self, Template};
use super::seat::Seat;
use super::{throttle, words};
use crate::app::App;
use crate::fault::Fault;
use crate::store::identity::mailbox as rows;
use crate::visitor::Whence;
use crate::{store, token};
use husorden_base::{Refusal, Secret, Text};
use husorden_wire::api;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

/// How long the link to the new mailbox holds.
const CONFIRM_WAIT: SignedDuration = SignedDuration::from_hours(24);
/// How long the old mailbox can take it back.
const UNDO_DAYS: i32 = 7;

/// Notes the wish and writes to the new mailbox.
pub(crate) async fn ask(app: &App, seat: &Seat, form: &api::EmailChange, whence: &Whence) -> Result<(), Fault> {
    let person = &seat.found.person;
    let mut fields = words::Fields::default();
    let email = fields.take("/email", words::email(&form.email)).unwrap_or_default();
    if email == person.email {
        fields.wrong("/email", Text::new("Det er den adresse, du har", "This is the address that you have"));
    }
    fields.done()?;
    throttle::email(app, person.id, &email).await?;
    let secret = token::secret("mailbox");
    let expires = Timestamp::now().saturating_add(CONFIRM_WAIT).unwrap_or(Timestamp::MAX);
    let mut tx = app.doors().system().begin().await?;
    if rows::ask(&mut *tx, person.id, &email, &token::digest(secret.reveal()), expires).await? {
        let data = json!({ "name": person.name, "realm": seat.found.session.realm.word(), "was": person.email });
        let subject = mail::subject(&email, person.language, Template::EmailConfirm, data);
        store::identity::mail(&mut *tx, &mail::with_secret(subject, app.seal(), &secret)).await?;
    }
    let before = json!({ "person": person.id, "network": whence.visitor.network() });
    store::identity::evidence(&mut *tx, &seat.signature(), "email.ask", seat.account(), &before).await?;
    tx.commit().await?;
    app.wake();
    Ok(())
}

/// The new mailbox confirms: from here on it is the person's, and the old one hears how to take it back.
pub(crate) async fn confirm(app: &App, secret: &Secret, whence: &Whence) -> Result<api::EmailChanged, Fault> {
    let undo = token::secret("undo");
    let (digest, kept) = (token::digest(secret.reveal()), token::digest(undo.reveal()));
    let mut tx = app.doors().system().begin().await?;
    let changed = rows::confirm(&mut *tx, &digest, &kept).await?.ok_or_else(spent)?;
    let data = json!({ "at": Timestamp::now(), "address": whence.visitor.0, "email": changed.email });
    let subject = mail::subject(&changed.was, changed.language, Template::EmailChanged, data);
    store::identity::mail(&mut *tx, &mail::with_secret(subject, app.seal(), &undo)).await?;
    note(&mut tx, &changed, "email.change", whence).await?;
    tx.commit().await?;
    app.wake();
    Ok(api::EmailChanged { email: changed.email })
}

/// The old mailbox takes it back; every session of the person ends.
pub(crate) async fn undo(app: &App, secret: &Secret, whence: &Whence) -> Result<api::EmailChanged, Fault> {
    let mut tx = app.doors().system().begin().await?;
    let digest = token::digest(secret.reveal());
    let changed = rows::undo(&mut *tx, &digest, UNDO_DAYS).await?.ok_or_else(spent)?;
    note(&mut tx, &changed, "email.undo", whence).await?;
    tx.commit().await?;
    app.wake();
    Ok(api::EmailChanged { email: changed.email })
}

async fn note(
    conn: &mut sqlx::PgConnection,
    changed: &rows::Changed,
    act: &str,
    whence: &Whence,
) -> Result<(), sqlx::Error> {
    let before = json!({ "person": changed.person, "network": whence.visitor.network() });
    store::identity::evidence(conn, "mailbox", act, None, &before).await
}

fn spent() -> Refusal {
    Refusal::new(
        "email-link-spent",
        410,
        Text::new("Linket gælder ikke længere", "The link does not hold any more"),
        Text::new(
            "Det er brugt, forældet eller afløst af en senere ændring. Intet er ændret.",
            "It was used, is too old, or a later change came first. Nothing was changed.",
        ),
    )
}
