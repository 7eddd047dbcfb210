//! The way in: password, second factor, proving anew, and out again. A log-in that fails says nothing of why, and takes as
//! long whatever the reason.

use super::mail::{self, Template};
use super::seat::{Seat, needs, realm, signature};
use super::session::{Earned, Factors, Realm, Session, Standing, TRIES_MAX, opened};
use super::{password, throttle, totp, words};
use crate::app::App;
use crate::fault::Fault;
use crate::store::identity::person::{self as rows, Proofs};
use crate::store::identity::session::{self as sessions, Knock, Which};
use crate::visitor::Whence;
use crate::{store, token};
use husorden_base::{AccountId, Language, PersonId, Refusal, Secret, SessionId, Text};
use husorden_wire::api;
use jiff::Timestamp;
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

/// Logs somebody in by password.
pub(crate) async fn open(app: &App, form: &api::LogIn, whence: &Whence) -> Result<api::SessionOpened, Fault> {
    let mut fields = words::Fields::default();
    let email = fields.take("/email", words::email(&form.email)).unwrap_or_default();
    fields.done()?;
    let given = password::given("/password", form.password.reveal())?;
    let realm = realm(form.realm);
    let device = form.device.as_ref().filter(|device| token::plausible_secret(device.reveal()));
    let device = device.map(|device| token::digest(device.reveal()));
    let system = app.doors().system();
    let knock = sessions::knock(system, &email, realm, device).await?;
    let taken = throttle::log_in(app, &email, whence.visitor, knock.as_ref().and_then(|knock| knock.device)).await?;
    let right = app.hasher().verify(&given, knock.as_ref().map(|knock| knock.password.as_str())).await?;
    let welcome = |knock: &Knock| {
        right && !knock.disabled && if realm == Realm::Staff { knock.staff } else { knock.account.is_some() }
    };
    let Some(knock) = knock.as_ref().filter(|knock| welcome(knock)) else {
        note_failure(app, knock.as_ref(), realm, whence);
        return Err(failed().into());
    };
    taken.give_back(app).await?;

    let now = Timestamp::now();
    let factors = Factors { has: knock.second_factor, required: knock.required };
    let account = knock.account.filter(|_| realm == Realm::Account);
    let timeout = app.config().identity.timeout(realm, knock.role);
    let (ends, stepped_up) = opened(factors, timeout, now);
    let mut session = Session {
        id: SessionId::new(),
        person: knock.id,
        realm,
        account,
        begun: now,
        seen: now,
        idle_s: timeout.idle_s,
        ends,
        second_factor: None,
        stepped_up,
        tries: 0,
        device: knock.device,
        address: whence.visitor.0.to_string(),
        agent: whence.agent.clone(),
        ended: None,
    };
    let standing = session.standing(factors, now);
    let mut tx = system.begin().await?;
    let mut fresh = None;
    if matches!(standing, Standing::Open { .. }) {
        let to = (knock.id, knock.email.as_str(), knock.language);
        (session.device, fresh) = greet(&mut tx, to, session.device, &session.address, &session.agent).await?;
    }
    let secret = token::secret("session");
    sessions::insert(&mut *tx, &session, &token::digest(secret.reveal())).await?;
    note(&mut tx, &signature(realm, knock.id), "log-in", account, session.id, whence).await?;
    let needs = needs(&mut *tx, standing, account, knock.role).await?;
    tx.commit().await?;
    Ok(api::SessionOpened {
        session: secret,
        id: session.id.to_string(),
        needs,
        device: fresh,
        idle_ends: session.idle_ends(),
        ends: session.ends,
    })
}

/// Evidence of somebody coming or going.
async fn note(
    conn: &mut PgConnection,
    who: &str,
    act: &str,
    account: Option<AccountId>,
    session: SessionId,
    whence: &Whence,
) -> Result<(), sqlx::Error> {
    let before = json!({ "session": session, "network": whence.visitor.network() });
    store::identity::evidence(conn, who, act, account, &before).await
}

/// Evidence of a failed log-in, where there is somebody it failed for. It is written beside the answer, so that the answer
/// takes as long where there is nobody.
fn note_failure(app: &App, knock: Option<&Knock>, realm: Realm, whence: &Whence) {
    let Some(knock) = knock else { return };
    let account = knock.account.filter(|_| realm == Realm::Account);
    let (app, person) = (app.clone(), knock.id);
    let before = json!({ "person": person, "network": whence.visitor.network() });
    tokio::spawn(async move {
        let who = format!("{}:unknown", realm.word());
        if let Err(error) =
            store::identity::evidence(app.doors().system(), &who, "log-in.failed", account, &before).await
        {
            tracing::warn!(%error, "a failed log-in could not be noted");
        }
    });
}

/// Meets the device of a person who is in whole. One that was not seen before is given its own secret, and the person a mail.
pub(crate) async fn greet(
    conn: &mut PgConnection,
    (person, email, language): (PersonId, &str, Language),
    known: Option<Uuid>,
    address: &str,
    agent: &str,
) -> Result<(Option<Uuid>, Option<Secret>), Fault> {
    if known.is_some() {
        return Ok((known, None));
    }
    let (id, secret) = (Uuid::now_v7(), token::secret("device"));
    sessions::device_seen(&mut *conn, id, person, &token::digest(secret.reveal()), agent).await?;
    let data = json!({ "address": address, "agent": agent, "at": Timestamp::now() });
    store::identity::mail(conn, &mail::subject(email, language, Template::NewDevice, data)).await?;
    Ok((Some(id), Some(secret)))
}

/// The second factor of a session that waits for it.
pub(crate) async fn second_factor(
    app: &App,
    seat: &Seat,
    form: &api::SecondFactor,
    whence: &Whence,
) -> Result<api::SessionOpened, Fault> {
    if seat.found.standing() != Standing::Code {
        return Err(not_waiting().into());
    }
    let (found, person) = (&seat.found, seat.person());
    let taken = throttle::code(app, person, found.session.device, whence.visitor).await?;
    let mut tx = app.doors().system().begin().await?;
    let right = match (&form.code, &form.recovery_code) {
        (Some(code), None) => code_is_right(app, &mut tx, person, code).await?,
        (None, Some(code)) => rows::recovery_use(&mut *tx, person, &recovery_digest(app, person, code)).await?,
        (Some(_), Some(_)) | (None, None) => {
            let text = Text::new("Send enten code eller recovery_code", "Send either code or recovery_code");
            return Err(Refusal::field("/code", text).into());
        }
    };
    if !right {
        drop(tx);
        return Err(wrong(app, seat, "/code", whence).await?.into());
    }
    let timeout = app.config().identity.timeout(found.session.realm, found.role);
    let mut earned = found.session.second_factor(timeout, found.now);
    let to = (person, found.person.email.as_str(), found.person.language);
    let (device, fresh) =
        greet(&mut tx, to, found.session.device, &found.session.address, &found.session.agent).await?;
    earned.device = device;
    let mut answer = rotate(&mut tx, seat, &earned).await?;
    answer.device = fresh;
    let act = if form.code.is_some() { "log-in.code" } else { "log-in.recovery-code" };
    note(&mut tx, &seat.signature(), act, seat.account(), seat.session(), whence).await?;
    tx.commit().await?;
    taken.give_back(app).await?;
    Ok(answer)
}

/// Proves anew who it is.
pub(crate) async fn step_up(
    app: &App,
    seat: &Seat,
    form: &api::StepUp,
    whence: &Whence,
) -> Result<api::SessionOpened, Fault> {
    let person = seat.person();
    let taken = throttle::proof(app, seat.session()).await?;
    let needed = if seat.found.person.second_factor { "/code" } else { "/password" };
    if (needed == "/code" && form.code.is_none()) || (needed == "/password" && form.password.is_none()) {
        taken.give_back(app).await?;
        return Err(Refusal::field(needed, Text::new("Feltet mangler", "The field is missing")).into());
    }
    let system = app.doors().system();
    if let Some(typed) = &form.password {
        let typed = password::given("/password", typed.reveal())?;
        let kept = rows::proofs(system, person).await?.password;
        if !app.hasher().verify(&typed, Some(&kept)).await? {
            return Err(wrong(app, seat, "/password", whence).await?.into());
        }
    }
    let mut tx = system.begin().await?;
    if let Some(code) = &form.code
        && !code_is_right(app, &mut tx, person, code).await?
    {
        drop(tx);
        return Err(wrong(app, seat, "/code", whence).await?.into());
    }
    let answer = rotate(&mut tx, seat, &Session::stepped_up(seat.found.now)).await?;
    note(&mut tx, &seat.signature(), "session.step-up", seat.account(), seat.session(), whence).await?;
    tx.commit().await?;
    taken.give_back(app).await?;
    Ok(answer)
}

/// Whether this is a code of the person's second factor that was not used before. From here on it was.
pub(crate) async fn code_is_right(
    app: &App,
    conn: &mut PgConnection,
    person: PersonId,
    typed: &str,
) -> Result<bool, Fault> {
    let Proofs { totp: Some(sealed), totp_step, .. } = rows::proofs(&mut *conn, person).await? else {
        return Ok(false);
    };
    let secret = opened_secret(app, person, &sealed)?;
    match totp::accepted(&secret, typed, Timestamp::now(), totp_step) {
        Some(step) => Ok(rows::totp_use(conn, person, step).await?),
        None => Ok(false),
    }
}

/// A sealed secret of a person, in clear.
pub(crate) fn opened_secret(app: &App, person: PersonId, sealed: &str) -> Result<zeroize::Zeroizing<Vec<u8>>, Fault> {
    let sealed = mail::unhex(sealed).unwrap_or_default();
    app.seal()
        .open(&format!("totp {person}"), &sealed)
        .map_err(|error| Fault::Broken { doing: "opening a second factor's secret", source: error.into() })
}

pub(crate) fn recovery_digest(app: &App, person: PersonId, code: &Secret) -> [u8; 32] {
    let plain: String = code.reveal().chars().filter(|c| c.is_ascii_alphanumeric()).take(40).collect();
    app.seal().digest(&format!("recovery {person}"), &Secret::new(plain))
}

/// Gives a session a new secret and what it has earned.
pub(crate) async fn rotate(conn: &mut PgConnection, seat: &Seat, earned: &Earned) -> Result<api::SessionOpened, Fault> {
    let secret = token::secret("session");
    let digest = token::digest(secret.reveal());
    if !sessions::rotate(&mut *conn, &seat.digest, &digest, earned).await? {
        return Err(ended().into());
    }
    let found = sessions::find(&mut *conn, &digest).await?.ok_or_else(ended)?;
    let needs = needs(conn, found.standing(), found.session.account, found.role).await?;
    Ok(api::SessionOpened {
        session: secret,
        id: found.session.id.to_string(),
        needs,
        device: None,
        idle_ends: found.session.idle_ends(),
        ends: found.session.ends,
    })
}

/// A wrong proof within a session. Too many of them end it.
pub(crate) async fn wrong(app: &App, seat: &Seat, pointer: &str, whence: &Whence) -> Result<Refusal, Fault> {
    let mut tx = app.doors().system().begin().await?;
    let tries = sessions::tried(&mut *tx, seat.session()).await?;
    note(&mut tx, &seat.signature(), "log-in.proof-failed", seat.account(), seat.session(), whence).await?;
    if tries >= TRIES_MAX {
        sessions::end(&mut *tx, seat.person(), Which::One(seat.session()), "tries").await?;
        tx.commit().await?;
        app.wake();
        return Ok(ended());
    }
    tx.commit().await?;
    let mut refusal = Refusal::new(
        "wrong-proof",
        403,
        Text::new("Koden eller kodeordet passer ikke", "The code or password does not fit"),
        Text::new(
            "En kode gælder et halvt minut og kun én gang; vent på den næste.",
            "A code holds for half a minute and only once; wait for the next one.",
        ),
    )
    .with_limit(format!("{tries} tries"), format!("{TRIES_MAX} tries"));
    refusal.fields = vec![husorden_base::FieldError {
        pointer: pointer.to_owned(),
        detail: Text::new("Passer ikke", "Does not fit"),
    }];
    Ok(refusal)
}

/// Ends sessions of the person: one, or all.
pub(crate) async fn log_out(app: &App, seat: &Seat, which: Which, whence: &Whence) -> Result<i32, Fault> {
    let act = match which {
        Which::One(id) if id == seat.session() => "log-out",
        Which::One(_) => "session.end",
        Which::All | Which::AllBut(_) => "log-out.everywhere",
    };
    let mut tx = app.doors().system().begin().await?;
    let count = sessions::end(&mut *tx, seat.person(), which, "log-out").await?;
    if count > 0 {
        let about = if let Which::One(id) = which { id } else { seat.session() };
        note(&mut tx, &seat.signature(), act, seat.account(), about, whence).await?;
    }
    tx.commit().await?;
    app.wake();
    Ok(count)
}

/// The session stands in another of the person's accounts.
pub(crate) async fn move_to(app: &App, seat: &Seat, named: &str) -> Result<api::SessionOpened, Fault> {
    let system = app.doors().system();
    let accounts = sessions::accounts(system, seat.person()).await?;
    let to = accounts
        .iter()
        .find(|one| seat.account().is_some() && (one.id == named || one.name == named))
        .ok_or_else(|| {
            Refusal::field(
                "/account",
                Text::new("Du er ikke medlem af en sådan konto", "You are no member of such an account"),
            )
        })?;
    let account: AccountId = to.id.parse().map_err(|_| Refusal::not_found(named))?;
    let timeout = app.config().identity.timeout(seat.found.session.realm, Some(to.role));
    let mut tx = system.begin().await?;
    let answer = rotate(&mut tx, seat, &seat.found.session.moved(account, timeout)).await?;
    tx.commit().await?;
    Ok(answer)
}

/// The one answer to every log-in that fails.
fn failed() -> Refusal {
    Refusal::new(
        "log-in-failed",
        401,
        Text::new("Adresse og kodeord passer ikke sammen", "Address and password do not fit"),
        Text::new("Prøv igen, eller bed om et nyt kodeord.", "Try again, or ask for a new password."),
    )
}

/// The session's secret opens nothing, any more or at all.
pub(crate) fn ended() -> Refusal {
    Refusal::new(
        "session-ended",
        401,
        Text::new("Du er logget ud", "You are logged out"),
        Text::new("Log ind igen.", "Log in again."),
    )
}

fn not_waiting() -> Refusal {
    Refusal::new(
        "no-second-factor-awaited",
        409,
        Text::new("Der ventes ikke på nogen kode", "No code is awaited"),
        Text::new(
            "Log-in er allerede helt, eller der er ingen anden faktor.",
            "The log-in is whole already, or there is no second factor.",
        ),
    )
}
