//! Licences of operating systems: an image may say which pool its licences come from, staff say how many seats a pool has, and a server is made
//! from such an image while a seat is free.

use crate::answer::Answer;
use crate::app::App;
use crate::caller::{Caller, Trail};
use crate::doors::TenantTx;
use crate::fault::Fault;
use crate::store;
use crate::store::evidence::{Awaits, NewEvidence};
use husorden_base::{FieldError, Refusal, RuntimeName, SolutionId, Text};
use husorden_kinds::Kind;
use husorden_wire::api;
use serde_json::{Value, json};

/// Seats of a pool.
const SEATS_MAX: u32 = 1_000_000;
/// Longest note.
const NOTE_CHARS_MAX: usize = 1000;

/// Refuses an image whose licences are all in use. What a solution was made from before it has a seat for.
pub(crate) async fn check(
    tx: &mut TenantTx,
    kind: &dyn Kind,
    solution: SolutionId,
    before: Option<&Value>,
    spec: &Value,
) -> Result<(), Fault> {
    let Some(image) = kind.image(spec) else { return Ok(()) };
    if before.and_then(|before| kind.image(before)).as_ref() == Some(&image) {
        return Ok(());
    }
    match store::licence::room(tx.conn(), solution, image.as_str()).await? {
        Some(room) if room.used >= room.seats => {
            let text = Text::new(
                format!(
                    "Licenserne til {image} ({}) er alle i brug. Skriv til driften, hvis der skal flere til.",
                    room.pool
                ),
                format!(
                    "The licences for {image} ({}) are all in use. Write to those who run the platform if more are needed.",
                    room.pool
                ),
            );
            Err(Refusal::field("/spec/image", text).into())
        }
        Some(_) | None => Ok(()),
    }
}

/// Lists the pools, with who has a seat.
pub(crate) async fn list(app: &App) -> Result<Answer, Fault> {
    let mut tx = app.doors().staff().await?;
    Ok(Answer::ok(api::Page { items: store::licence::list(tx.conn()).await?, next: None }))
}

/// Makes a pool, or changes how many seats it has. Fewer than are in use turns nothing off: no more are given.
pub(crate) async fn set(app: &App, caller: &Caller, name: &str, form: api::LicencePoolForm) -> Result<Answer, Fault> {
    let mut wrong = Vec::new();
    let mut bad = |pointer: &str, da: String, en: String| {
        wrong.push(FieldError { pointer: pointer.to_owned(), detail: Text::new(da, en) });
    };
    if form.seats > SEATS_MAX {
        bad("/seats", format!("Højst {SEATS_MAX}."), format!("At most {SEATS_MAX}."));
    }
    if form.note.chars().count() > NOTE_CHARS_MAX {
        bad("/note", format!("Højst {NOTE_CHARS_MAX} tegn."), format!("At most {NOTE_CHARS_MAX} characters."));
    }
    if name.parse::<RuntimeName>().is_err() {
        bad(
            "/name",
            "1 til 63 tegn af a-z, 0-9, bindestreg og punktum, og først et bogstav.".to_owned(),
            "1 to 63 characters of a-z, 0-9, hyphens and dots, a letter first.".to_owned(),
        );
    }
    if !wrong.is_empty() {
        return Err(Refusal::fields(wrong).into());
    }
    let mut tx = app.doors().staff().await?;
    store::licence::set(tx.conn(), name, &form).await?;
    let pool = store::licence::list(tx.conn()).await?.into_iter().find(|pool| pool.name == name);
    let pool = pool.ok_or_else(|| Refusal::not_found(name))?;
    let details = json!({ "pool": name, "seats": form.seats, "note": form.note });
    left("licence.set", details).finish_staff(app, caller, tx, Answer::ok(pool)).await
}

/// Takes a pool away that nobody has a seat in.
pub(crate) async fn remove(app: &App, caller: &Caller, name: &str) -> Result<Answer, Fault> {
    let mut tx = app.doors().staff().await?;
    let pool = store::licence::list(tx.conn()).await?.into_iter().find(|pool| pool.name == name);
    let uses = pool.ok_or_else(|| Refusal::not_found(name))?.uses.len();
    if uses > 0 {
        return Err(Refusal::new(
            "licences-in-use",
            409,
            Text::new("Licenser i puljen er i brug", "Licences of the pool are in use"),
            Text::new(
                format!("{uses} servere har en. De skal slettes eller laves af noget andet først."),
                format!("{uses} servers have one. They are to be deleted or made from something else first."),
            ),
        )
        .into());
    }
    if !store::licence::remove(tx.conn(), name).await? {
        return Err(Refusal::not_found(name).into());
    }
    left("licence.remove", json!({ "pool": name })).finish_staff(app, caller, tx, Answer::empty()).await
}

fn left(act: &'static str, before: Value) -> Trail {
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
