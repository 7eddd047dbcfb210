//! Help for who lost both phone and recovery codes. The answer to the wish is the same whoever wishes. Nobody of staff can let a
//! person in alone and unseen: the member is told at once, a delay or a second one of staff stands before the link, and the
//! member stops it with one link or by giving a code. What the link does is to take the lost factor away: a log-in by password
//! follows, which opens nothing but enrolling anew.

use super::mail::{self, Template};
use super::seat::{no_person, realm, realm_shown};
use super::session::Realm;
use super::{throttle, words};
use crate::answer::Answer;
use crate::app::App;
use crate::caller::{Caller, Trail};
use crate::fault::Fault;
use crate::store::event::NewEvent;
use crate::store::identity::rescue as rows;
use crate::visitor::Whence;
use crate::{http, rights, store, token};
use husorden_base::{Refusal, Secret, Text};
use husorden_wire::api::{self, Capability};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use uuid::Uuid;

/// How long a wish waits for somebody of staff.
const ASK_WAIT: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How long the link holds that takes the lost factor away.
const LINK_WAIT: SignedDuration = SignedDuration::from_hours(24);
const NOTE_CHARS_MIN: usize = 10;
const NOTE_CHARS_MAX: usize = 1000;

fn after(wait: SignedDuration) -> Timestamp {
    Timestamp::now().saturating_add(wait).unwrap_or(Timestamp::MAX)
}

/// Notes the wish. What it leads to is done beside the answer, so that the answer tells nothing.
pub(crate) async fn ask(app: &App, form: &api::RescueAsk, whence: &Whence) -> Result<(), Fault> {
    let mut fields = words::Fields::default();
    let email = fields.take("/email", words::email(&form.email)).unwrap_or_default();
    fields.done()?;
    if throttle::rescue(app, &email, whence.visitor).await? {
        let (app, realm, whence) = (app.clone(), realm(form.realm), whence.clone());
        tokio::spawn(async move {
            if let Err(error) = begin(&app, &email, realm, &whence).await {
                tracing::warn!(%error, "help with a lost second factor could not be asked for");
            }
        });
    }
    Ok(())
}

async fn begin(app: &App, email: &str, realm: Realm, whence: &Whence) -> Result<(), sqlx::Error> {
    let stop = token::secret("stop");
    let network = whence.visitor.network().to_string();
    let mut tx = app.doors().system().begin().await?;
    let digest = token::digest(stop.reveal());
    let wish = rows::ask(&mut *tx, Uuid::now_v7(), (email, realm.word()), &digest, &network, after(ASK_WAIT)).await?;
    let Some(whose) = wish else { return Ok(()) };
    let data = json!({ "realm": realm.word(), "address": whence.visitor.0, "at": Timestamp::now() });
    let subject = mail::subject(&whose.email, whose.language, Template::RescueAsked, data);
    store::identity::mail(&mut *tx, &mail::with_secret(subject, app.seal(), &stop)).await?;
    tx.commit().await?;
    app.wake();
    Ok(())
}

/// Somebody of staff made sure who it is. The first check begins the delay, a second one's by another person ends it.
pub(crate) async fn check(
    app: &App,
    caller: &Caller,
    text: &str,
    mut form: api::RescueCheckCreate,
) -> Result<Answer, Fault> {
    let by = caller.person.ok_or_else(no_person)?;
    form.note = form.note.trim().to_owned();
    if !(NOTE_CHARS_MIN..=NOTE_CHARS_MAX).contains(&form.note.chars().count()) {
        let text = Text::new(
            format!("Skriv, hvad du så eller hørte, med {NOTE_CHARS_MIN} til {NOTE_CHARS_MAX} tegn"),
            format!("Write what you saw or heard, in {NOTE_CHARS_MIN} to {NOTE_CHARS_MAX} characters"),
        );
        return Err(Refusal::field("/note", text).into());
    }
    let id = http::id(text)?;
    let mut tx = app.doors().staff().await?;
    let checkable = rows::lock(tx.conn(), id).await?;
    let row = rows::get(tx.conn(), id).await?.ok_or_else(|| Refusal::not_found(text))?;
    if !checkable {
        return Err(over().into());
    }
    if row.person == by.to_string() {
        return Err(own().into());
    }
    if row.realm == api::Realm::Staff && !caller.may.has(Capability::StaffManage) {
        return Err(rights::missing(Capability::StaffManage, true, caller.credential).into());
    }
    let wait = SignedDuration::from_secs(i64::from(app.config().identity.rescue_wait_s));
    let opens = if row.checks.is_empty() { after(wait) } else { Timestamp::now() };
    let stop = token::secret("stop");
    rows::check(tx.conn(), id, by, &form, (opens, &token::digest(stop.reveal()))).await?;
    let whose: Uuid = http::id(&row.person)?;
    let before = json!({ "rescue": id, "how": form.how, "note": form.note, "until": opens });
    rows::note(tx.conn(), &caller.signature(), "rescue.check", whose, &before).await?;
    let language = rows::language(tx.conn(), whose).await?;
    let data = json!({ "realm": realm(row.realm).word(), "opens": opens, "at": Timestamp::now() });
    let subject = mail::subject(&row.email, language, Template::RescueChecked, data);
    rows::mail(tx.conn(), &mail::with_secret(subject, app.seal(), &stop)).await?;
    let mut trail = Trail::default();
    for account in row.accounts.iter().filter_map(|one| one.account.parse().ok()) {
        let data = json!({ "name": row.name });
        trail.event(NewEvent {
            account: Some(account),
            solution: None,
            kind: "member.rescued",
            data,
            visible_from: None,
        });
    }
    let shown = rows::get(tx.conn(), id).await?.ok_or_else(|| Refusal::not_found(text))?;
    trail.finish_staff(app, caller, tx, Answer::created(shown)).await
}

/// The job of the delay's end: the link goes out, unless it was stopped.
pub(crate) async fn open(app: &App, id: Uuid) -> Result<(), sqlx::Error> {
    let link = token::secret("rescue");
    let expires = after(LINK_WAIT);
    let mut tx = app.doors().system().begin().await?;
    let Some(whose) = rows::open(&mut *tx, id, &token::digest(link.reveal()), expires).await? else { return Ok(()) };
    let realm = whose.realm.map_or("account", |realm_of| realm(realm_of).word());
    let data = json!({ "realm": realm, "expires": expires });
    let subject = mail::subject(&whose.email, whose.language, Template::RescueOpen, data);
    store::identity::mail(&mut *tx, &mail::with_secret(subject, app.seal(), &link)).await?;
    tx.commit().await
}

/// The member stops it with the link from any of the mails.
pub(crate) async fn stop(app: &App, secret: &Secret) -> Result<(), Fault> {
    let mut tx = app.doors().system().begin().await?;
    let whose = rows::stop(&mut *tx, &token::digest(secret.reveal())).await?.ok_or_else(spent)?;
    let data = json!({ "at": Timestamp::now() });
    store::identity::mail(&mut *tx, &mail::subject(&whose.email, whose.language, Template::RescueStopped, data))
        .await?;
    tx.commit().await?;
    app.wake();
    Ok(())
}

/// The link takes the lost factor away; every session of the person ends.
pub(crate) async fn spend(app: &App, secret: &Secret) -> Result<api::RescueUsed, Fault> {
    let mut tx = app.doors().system().begin().await?;
    let whose = rows::spend(&mut *tx, &token::digest(secret.reveal())).await?.ok_or_else(spent)?;
    let data = json!({ "set": false, "at": Timestamp::now() });
    store::identity::mail(&mut *tx, &mail::subject(&whose.email, whose.language, Template::SecondFactor, data)).await?;
    tx.commit().await?;
    app.wake();
    Ok(api::RescueUsed { email: whose.email, realm: whose.realm.unwrap_or(realm_shown(Realm::Account)) })
}

/// Each of staff makes sure once: two are two people.
pub(crate) fn checked_already() -> Refusal {
    Refusal::new(
        "checked-by-you",
        409,
        Text::new("Du har allerede sikret dig, hvem det er", "You have already made sure who it is"),
        Text::new(
            "Ventetiden løber; en anden fra personalet kan gøre den kortere.",
            "The delay runs; another one of staff can shorten it.",
        ),
    )
}

fn over() -> Refusal {
    Refusal::new(
        "rescue-over",
        409,
        Text::new("Her er ikke mere at sikre sig", "There is nothing left to make sure of"),
        Text::new(
            "Linket er sendt, eller medlemmet har stoppet det, eller det er forældet.",
            "The link was sent, or the member stopped it, or it is too old.",
        ),
    )
}

fn own() -> Refusal {
    Refusal::new(
        "rescue-of-oneself",
        409,
        Text::new("Det er dig selv", "This is yourself"),
        Text::new("En anden fra personalet sikrer sig, hvem du er.", "Another one of staff makes sure who you are."),
    )
}

fn spent() -> Refusal {
    Refusal::new(
        "rescue-spent",
        410,
        Text::new("Linket gælder ikke længere", "The link does not hold any more"),
        Text::new(
            "Det er brugt, forældet, eller hjælpen er stoppet. Bed om hjælp igen, hvis du mangler den.",
            "It was used, is too old, or the help was stopped. Ask for help again if you need it.",
        ),
    )
}
