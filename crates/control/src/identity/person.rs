//! What people do with their own log-in: name and language, password, second factor, recovery codes.

use super::log_in::{greet, opened_secret, recovery_digest, rotate, wrong};
use super::mail::{self, Template};
use super::seat::Seat;
use super::session::{Realm, Session, Standing};
use super::words::{self, Fields};
use super::{password, throttle, totp};
use crate::account::language_word;
use crate::app::App;
use crate::fault::Fault;
use crate::store;
use crate::store::identity::person as rows;
use crate::store::identity::session::{self as sessions, Which};
use crate::visitor::Whence;
use husorden_base::{PersonId, Refusal, Secret, Text};
use husorden_wire::api;
use jiff::Timestamp;
use serde_json::{Value, json};
use sqlx::PgConnection;

/// Recovery codes a person has at a time, and their letters.
const RECOVERY_CODES: usize = 10;
const RECOVERY_LETTERS: usize = 10;

/// The person, as it sees itself.
pub(crate) async fn shown(app: &App, seat: &Seat) -> Result<api::Person, Fault> {
    let person = &seat.found.person;
    let left = rows::recovery_left(app.doors().system(), person.id).await?;
    Ok(api::Person {
        id: person.id.to_string(),
        email: person.email.clone(),
        name: person.name.clone(),
        language: person.language,
        time_zone: person.time_zone.clone(),
        second_factor: person.second_factor,
        recovery_codes_left: u32::try_from(left).unwrap_or(0),
    })
}

pub(crate) async fn change(app: &App, seat: &Seat, form: &api::PersonChange) -> Result<api::Person, Fault> {
    let mut fields = Fields::default();
    let name = form.name.as_deref().map(|name| fields.take("/name", words::name(name)));
    let zone = form.time_zone.as_deref().map(|zone| fields.take("/time_zone", words::time_zone(zone)));
    fields.done()?;
    let (name, zone) = (name.flatten(), zone.flatten());
    rows::change(
        app.doors().system(),
        seat.person(),
        name.as_deref(),
        form.language.map(language_word),
        zone.as_deref(),
    )
    .await?;
    let mut seat = seat.clone();
    if let Some(found) = sessions::find(app.doors().system(), &seat.digest).await? {
        seat.found = found.into();
    }
    shown(app, &seat).await
}

/// Evidence of a change of the person's own log-in, and a mail that it was made.
async fn told(
    conn: &mut PgConnection,
    seat: &Seat,
    act: &str,
    template: Template,
    data: Value,
) -> Result<(), sqlx::Error> {
    let person = &seat.found.person;
    store::identity::evidence(&mut *conn, &seat.signature(), act, seat.account(), &json!({ "person": person.id }))
        .await?;
    store::identity::mail(conn, &mail::subject(&person.email, person.language, template, data)).await
}

/// A new password. All other sessions and pending resets end, and this session has a new secret.
pub(crate) async fn change_password(
    app: &App,
    seat: &Seat,
    form: &api::PasswordChange,
    whence: &Whence,
) -> Result<api::SessionOpened, Fault> {
    let person = &seat.found.person;
    let old = password::given("/old", form.old.reveal())?;
    let context = [person.email.as_str(), person.name.as_str()];
    let new = password::check(app, "/new", &form.new, &context, person.second_factor).await?;
    let taken = throttle::proof(app, seat.session()).await?;
    let system = app.doors().system();
    let kept = rows::proofs(system, person.id).await?.password;
    if !app.hasher().verify(&old, Some(&kept)).await? {
        return Err(wrong(app, seat, "/old", whence).await?.into());
    }
    if old == new {
        return Err(Refusal::field("/new", Text::new("Det er det samme kodeord", "This is the same password")).into());
    }
    let hash = app.hasher().hash(&new).await?;
    let mut tx = system.begin().await?;
    if !rows::password(&mut *tx, person.id, &kept, &hash).await? {
        return Err(changed_meanwhile().into());
    }
    sessions::end(&mut *tx, person.id, Which::AllBut(seat.session()), "password").await?;
    let answer = rotate(&mut tx, seat, &Session::stepped_up(seat.found.now)).await?;
    told(&mut tx, seat, "password.change", Template::PasswordChanged, json!({ "at": Timestamp::now() })).await?;
    tx.commit().await?;
    taken.give_back(app).await?;
    app.wake();
    Ok(answer)
}

/// Begins to set up a second factor. Until a code was confirmed, the one of before holds, if there is one.
pub(crate) async fn totp_begin(app: &App, seat: &Seat) -> Result<api::TotpBegun, Fault> {
    let person = &seat.found.person;
    let secret = zeroize::Zeroizing::new(totp::generate());
    let sealed = app.seal().seal(&format!("totp {}", person.id), secret.as_slice());
    rows::totp_begin(app.doors().system(), person.id, &sealed).await?;
    let uri = totp::uri(secret.as_slice(), &person.email);
    let qr_svg = totp::picture(&uri).unwrap_or_default();
    Ok(api::TotpBegun { secret: totp::text(secret.as_slice()), uri, qr_svg })
}

/// The second factor counts from here on. Other sessions of the person must give it before they may do more.
pub(crate) async fn totp_confirm(
    app: &App,
    seat: &Seat,
    code: &str,
    whence: &Whence,
) -> Result<api::TotpConfirmed, Fault> {
    let person = &seat.found.person;
    let taken = throttle::proof(app, seat.session()).await?;
    let mut tx = app.doors().system().begin().await?;
    let Some(pending) = rows::proofs(&mut *tx, person.id).await?.totp_pending else {
        return Err(nothing_pending().into());
    };
    let secret = opened_secret(app, person.id, &pending)?;
    let Some(step) = totp::accepted(&secret, code, Timestamp::now(), 0) else {
        drop(tx);
        return Err(wrong(app, seat, "/code", whence).await?.into());
    };
    let sealed = mail::unhex(&pending).unwrap_or_default();
    if !rows::totp_confirm(&mut *tx, person.id, &sealed, step).await? {
        return Err(changed_meanwhile().into());
    }
    let recovery_codes = renew_codes(app, &mut tx, person.id).await?;
    let timeout = app.config().identity.timeout(seat.found.session.realm, seat.found.role);
    let mut earned = seat.found.session.second_factor(timeout, seat.found.now);
    let mut fresh = None;
    if seat.found.standing() == Standing::Enrol {
        let to = (person.id, person.email.as_str(), person.language);
        let session = &seat.found.session;
        (earned.device, fresh) = greet(&mut tx, to, session.device, &session.address, &session.agent).await?;
    }
    let mut session = rotate(&mut tx, seat, &earned).await?;
    session.device = fresh;
    told(&mut tx, seat, "second-factor.set", Template::SecondFactor, json!({ "set": true, "at": Timestamp::now() }))
        .await?;
    tx.commit().await?;
    taken.give_back(app).await?;
    Ok(api::TotpConfirmed { recovery_codes, session })
}

/// Takes the second factor away, where nothing requires it.
pub(crate) async fn totp_remove(app: &App, seat: &Seat) -> Result<(), Fault> {
    if seat.found.required || seat.found.session.realm == Realm::Staff {
        return Err(required().into());
    }
    let mut tx = app.doors().system().begin().await?;
    rows::totp_remove(&mut *tx, seat.person()).await?;
    told(
        &mut tx,
        seat,
        "second-factor.remove",
        Template::SecondFactor,
        json!({ "set": false, "at": Timestamp::now() }),
    )
    .await?;
    tx.commit().await?;
    Ok(())
}

/// Fresh recovery codes; the earlier ones open nothing any more.
pub(crate) async fn recovery_codes(app: &App, seat: &Seat) -> Result<api::RecoveryCodes, Fault> {
    if !seat.found.person.second_factor {
        return Err(nothing_pending().into());
    }
    let mut tx = app.doors().system().begin().await?;
    let recovery_codes = renew_codes(app, &mut tx, seat.person()).await?;
    let before = json!({ "person": seat.person() });
    store::identity::evidence(&mut *tx, &seat.signature(), "recovery-codes.new", seat.account(), &before).await?;
    tx.commit().await?;
    Ok(api::RecoveryCodes { recovery_codes })
}

/// Codes in two groups, for people copy them by hand.
async fn renew_codes(app: &App, conn: &mut PgConnection, person: PersonId) -> Result<Vec<Secret>, Fault> {
    let codes: Vec<Secret> = (0..RECOVERY_CODES)
        .map(|_| {
            let code = Secret::generate(RECOVERY_LETTERS);
            let (left, right) = code.reveal().split_at(RECOVERY_LETTERS / 2);
            Secret::new(format!("{left}-{right}"))
        })
        .collect();
    let digests: Vec<[u8; 32]> = codes.iter().map(|code| recovery_digest(app, person, code)).collect();
    rows::recovery_replace(conn, person, &digests).await?;
    Ok(codes)
}

fn changed_meanwhile() -> Refusal {
    Refusal::new(
        "log-in-changed-meanwhile",
        409,
        Text::new("Log-in er ændret et andet sted imens", "The log-in was changed elsewhere meanwhile"),
        Text::new("Intet er ændret her. Prøv igen.", "Nothing was changed here. Try again."),
    )
}

fn nothing_pending() -> Refusal {
    Refusal::new(
        "no-second-factor",
        409,
        Text::new("Der er ingen anden faktor at bekræfte", "There is no second factor to confirm"),
        Text::new("Begynd med POST /v1/person/totp.", "Begin with POST /v1/person/totp."),
    )
}

fn required() -> Refusal {
    Refusal::new(
        "second-factor-required",
        409,
        Text::new("Den anden faktor er påkrævet", "The second factor is required"),
        Text::new(
            "Kontoen eller din rolle kræver den. Du kan sætte en ny op i stedet for den gamle.",
            "The account or your role requires it. You can set up a new one in place of the old.",
        ),
    )
}
