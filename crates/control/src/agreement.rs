//! Agreements: what is closed to all is opened to one solution. Its account asks, staff decide, and either ends it.
//!
//! ```text
//! asked → agreed → ended     staff, the account, the clock, or the solution's own end
//!       → refused
//!       → ended              withdrawn before anybody decided
//! ```
//!
//! Of a solution there is at most one on a subject that is asked or agreed. What is agreed goes to the node with the wish, by a trigger
//! (`0093_agreements.sql`), so that no way of changing one forgets it; an end by the clock is the node's own, and a job writes it down here.

use crate::answer::Answer;
use crate::app::App;
use crate::caller::{Caller, Trail};
use crate::fault::Fault;
use crate::form::IfMatch;
use crate::store::agreement::{self as rows, AgreementRow, NewAgreement};
use crate::store::evidence::{Awaits, NewEvidence};
use crate::{order, solution, store};
use husorden_base::{FieldError, Refusal, Text};
use husorden_wire::api::{Agreement, AgreementAsk, AgreementDecide, AgreementEnd, AgreementState, PORT_25};
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

/// Messages a week that one may be about.
const PER_WEEK_MAX: i64 = 1_000_000;
/// Characters of what is sent and to whom, and of what staff say.
const CHARS_MAX: usize = 1_000;
/// How often a solution's account may ask within so many days: enough to say what was forgotten, too few to be a nuisance.
const ASKED_MAX: i64 = 5;
const ASKED_DAYS: i32 = 30;

/// How an agreement is named where it was changed meanwhile.
const NAMED: (&str, &str) = ("Aftalen", "The agreement");

/// Shows one.
pub(crate) async fn show(app: &App, caller: &Caller, text: &str) -> Result<Answer, Fault> {
    Ok(tagged(find(app, caller, text).await?))
}

async fn find(app: &App, caller: &Caller, text: &str) -> Result<AgreementRow, Fault> {
    let id = crate::http::id(text)?;
    let mut tx = caller.read(app).await?;
    Ok(rows::get(tx.conn(), id).await?.ok_or_else(|| Refusal::not_found(text))?)
}

fn tagged(row: AgreementRow) -> Answer {
    let version = row.version;
    Answer::ok(row.shown()).tagged(version)
}

/// Those of one solution, the newest first.
pub(crate) async fn of_solution(app: &App, caller: &Caller, text: &str, limit: i64) -> Result<Vec<Agreement>, Fault> {
    let found = solution::find(app, caller, text).await?;
    let mut tx = caller.read(app).await?;
    let all = rows::of_solution(tx.conn(), found.id, limit).await?;
    Ok(all.into_iter().map(AgreementRow::shown).collect())
}

/// Asks for one.
pub(crate) async fn ask(app: &App, caller: &Caller, text: &str, form: AgreementAsk) -> Result<Answer, Fault> {
    let (mut tx, row) = solution::open(app, caller, text, &IfMatch::default()).await?;
    order::refuse_gone(&row)?;
    if !app.kind(&row.kind).is_some_and(|kind| kind.mails_out()) {
        return Err(not_of_kind(&row.name).into());
    }
    let mut wrong = Vec::new();
    if form.subject != PORT_25 {
        wrong.push(at("/subject", "Her kan aftales: port-25.", "What can be agreed is: port-25."));
    }
    let per_week = i32::try_from(form.per_week).ok().filter(|_| (1..=PER_WEEK_MAX).contains(&form.per_week));
    if per_week.is_none() {
        wrong.push(at(
            "/per_week",
            "Antallet af beskeder om ugen, fra 1 til 1.000.000.",
            "The number of messages a week, from 1 to 1,000,000.",
        ));
    }
    let purpose = said(&form.purpose, "/purpose").map_err(|field| wrong.push(field)).ok();
    let (Some(per_week), Some(purpose), true) = (per_week, purpose, wrong.is_empty()) else {
        return Err(Refusal::fields(wrong).into());
    };
    let asked = rows::asked_lately(tx.conn(), row.id, ASKED_DAYS).await?;
    let id = Uuid::now_v7();
    let by = caller.signature();
    if asked >= ASKED_MAX {
        return Err(asked_enough(asked).into());
    }
    let new = NewAgreement {
        id,
        account: row.account,
        solution: row.id,
        subject: PORT_25,
        per_week,
        purpose: &purpose,
        by: &by,
    };
    if let Err(error) = rows::insert(tx.conn(), &new).await {
        return Err(open_already(error));
    }
    let agreement = rows::get(tx.conn(), id).await?.ok_or(sqlx::Error::RowNotFound)?;
    let details = json!({ "per_week": per_week, "purpose": purpose });
    let trail = left(
        &agreement,
        ("agreement.ask", details, Awaits::Nothing),
        ("agreement.asked", json!({ "per_week": per_week })),
    );
    let version = agreement.version;
    let answer = Answer::created(agreement.shown()).tagged(version).at(format!("/v1/agreements/{id}"));
    trail.finish(app, caller, tx, answer).await
}

/// Staff say yes or no.
pub(crate) async fn decide(
    app: &App,
    caller: &Caller,
    text: &str,
    if_match: &IfMatch,
    form: AgreementDecide,
) -> Result<Answer, Fault> {
    let id = crate::http::id(text)?;
    let mut tx = app.doors().staff().await?;
    let row = rows::lock(tx.conn(), id).await?.ok_or_else(|| Refusal::not_found(text))?;
    if_match.check(NAMED, row.version)?;
    if row.state != AgreementState::Asked {
        return Err(decided_already().into());
    }
    let given = form.reason.as_deref().map(str::trim).filter(|reason| !reason.is_empty());
    let mut wrong = Vec::new();
    let reason = match (given, form.agree) {
        (None, true) => None,
        (reason, _) => said(reason.unwrap_or_default(), "/reason").map_err(|field| wrong.push(field)).ok(),
    };
    if let Some(until) = form.until {
        if !form.agree {
            wrong.push(at("/until", "Kun et ja kan have et udløb.", "Only a yes can have an end."));
        } else if until <= Timestamp::now() {
            wrong.push(at("/until", "Udløbet skal ligge i fremtiden.", "The end must lie in the future."));
        }
    }
    if !wrong.is_empty() {
        return Err(Refusal::fields(wrong).into());
    }
    let state = if form.agree { AgreementState::Agreed } else { AgreementState::Refused };
    rows::decide(tx.conn(), id, state, (reason.as_deref(), &caller.signature()), form.until).await?;
    let awaits = if form.agree {
        Awaits::Generation(store::solution::get(tx.conn(), row.solution).await?.generation)
    } else {
        Awaits::Nothing
    };
    let details = json!({ "agree": form.agree, "reason": reason, "until": form.until });
    let told = json!({ "agree": form.agree, "until": form.until });
    let trail = left(&row, ("agreement.decide", details, awaits), ("agreement.decided", told));
    let row = rows::get(tx.conn(), id).await?.ok_or(sqlx::Error::RowNotFound)?;
    trail.finish_staff(app, caller, tx, tagged(row)).await
}

/// The account withdraws what it asked for, or ends what was agreed.
pub(crate) async fn withdraw(app: &App, caller: &Caller, text: &str, if_match: &IfMatch) -> Result<Answer, Fault> {
    let found = find(app, caller, text).await?;
    let mut tx = caller.tenant(app, found.account, Some(found.solution)).await?;
    let row = rows::lock(tx.conn(), found.id).await?.ok_or_else(|| Refusal::not_found(text))?;
    let agreed = open(&row, if_match)?;
    rows::end(tx.conn(), row.id, &caller.signature()).await?;
    let awaits = if agreed {
        Awaits::Generation(store::solution::get(tx.conn(), row.solution).await?.generation)
    } else {
        Awaits::Nothing
    };
    let why = if agreed { "ended" } else { "withdrawn" };
    let trail = left(
        &row,
        ("agreement.end", json!({ "why": why }), awaits),
        ("agreement.ended", json!({ "agreed": agreed, "why": "account" })),
    );
    let row = rows::get(tx.conn(), found.id).await?.ok_or(sqlx::Error::RowNotFound)?;
    trail.finish(app, caller, tx, tagged(row)).await
}

/// Staff end what was agreed, and say why.
pub(crate) async fn end(
    app: &App,
    caller: &Caller,
    text: &str,
    if_match: &IfMatch,
    form: AgreementEnd,
) -> Result<Answer, Fault> {
    let id = crate::http::id(text)?;
    let reason = said(&form.reason, "/reason").map_err(|field| Refusal::fields(vec![field]))?;
    let mut tx = app.doors().staff().await?;
    let row = rows::lock(tx.conn(), id).await?.ok_or_else(|| Refusal::not_found(text))?;
    if !open(&row, if_match)? {
        return Err(Refusal::new(
            "agreement-undecided",
            409,
            Text::new("Der er ikke svaret på anmodningen", "The request has no answer yet"),
            Text::new("Sig ja eller nej i stedet.", "Say yes or no instead."),
        )
        .into());
    }
    rows::end_with(tx.conn(), id, &caller.signature(), &reason).await?;
    let generation = store::solution::get(tx.conn(), row.solution).await?.generation;
    let trail = left(
        &row,
        ("agreement.end", json!({ "reason": reason }), Awaits::Generation(generation)),
        ("agreement.ended", json!({ "agreed": true, "why": "staff" })),
    );
    let row = rows::get(tx.conn(), id).await?.ok_or(sqlx::Error::RowNotFound)?;
    trail.finish_staff(app, caller, tx, tagged(row)).await
}

/// Refuses what is over; whether it is agreed, and not only asked.
fn open(row: &AgreementRow, if_match: &IfMatch) -> Result<bool, Refusal> {
    if_match.check(NAMED, row.version)?;
    match row.state {
        AgreementState::Asked => Ok(false),
        AgreementState::Agreed => Ok(true),
        AgreementState::Refused | AgreementState::Ended => Err(Refusal::new(
            "agreement-over",
            409,
            Text::new("Der er ingen aftale at slutte", "There is no agreement to end"),
            Text::new(
                "Der blev sagt nej, eller den er slut. Der kan bedes om en ny.",
                "It was refused or is over. A new one can be asked for.",
            ),
        )),
    }
}

/// A text that somebody must have written, without what surrounds it.
fn said(text: &str, pointer: &str) -> Result<String, FieldError> {
    let text = text.trim();
    let length = text.chars().count();
    if (1..=CHARS_MAX).contains(&length) {
        return Ok(text.to_owned());
    }
    let detail = Text::new(
        format!("1 til {CHARS_MAX} tegn; her er {length}."),
        format!("1 to {CHARS_MAX} characters; there are {length}."),
    );
    Err(FieldError { pointer: pointer.to_owned(), detail })
}

fn at(pointer: &str, da: &str, en: &str) -> FieldError {
    FieldError { pointer: pointer.to_owned(), detail: Text::new(da, en) }
}

fn not_of_kind(name: &str) -> Refusal {
    Refusal::new(
        "nothing-to-agree",
        409,
        Text::new("Her er intet at aftale", "There is nothing to agree on here"),
        Text::new(
            format!("Port 25 ud kan kun åbnes for servere, og {name} er ingen server."),
            format!("Port 25 out can be opened for servers only, and {name} is no server."),
        ),
    )
}

fn asked_enough(asked: i64) -> Refusal {
    Refusal::new(
        "asked-enough",
        409,
        Text::new("Der er spurgt nok gange om dette", "This was asked for often enough"),
        Text::new(
            format!("Vent, til det er {ASKED_DAYS} dage siden, der blev spurgt først."),
            format!("Wait until {ASKED_DAYS} days have passed since it was asked first."),
        ),
    )
    .with_limit(format!("{asked} requests"), format!("{ASKED_MAX} requests in {ASKED_DAYS} days"))
}

fn open_already(error: sqlx::Error) -> Fault {
    let open = error.as_database_error().and_then(|error| error.constraint()) == Some("agreement_open");
    if !open {
        return error.into();
    }
    Refusal::new(
        "agreement-open",
        409,
        Text::new("Der er allerede spurgt", "It was asked for already"),
        Text::new(
            "Løsningen har en anmodning, der venter på svar, eller en aftale, der gælder. Træk den tilbage, eller slut den, før du spørger igen.",
            "The solution has a request that waits for an answer, or an agreement in force. Withdraw or end it before you ask again.",
        ),
    )
    .into()
}

fn decided_already() -> Refusal {
    Refusal::new(
        "agreement-decided",
        409,
        Text::new("Anmodningen venter ikke på svar", "The request does not wait for an answer"),
        Text::new(
            "Den er afgjort eller trukket tilbage. Hent den igen.",
            "It was decided or withdrawn. Read it again.",
        ),
    )
}

/// What a change of an agreement leaves behind: a line of evidence that waits for something, and an event.
fn left(
    row: &AgreementRow,
    (act, details, awaits): (&'static str, Value, Awaits),
    (kind, data): (&'static str, Value),
) -> Trail {
    let with = |mut fields: Value| {
        fields["agreement"] = json!(row.id);
        fields["subject"] = json!(row.subject);
        fields
    };
    let mut trail = Trail::default();
    trail.evidence(NewEvidence {
        act,
        account: Some(row.account),
        solution: Some(row.solution),
        before: with(details),
        awaits,
        visible_from: None,
    });
    let mut data = with(data);
    data["name"] = json!(row.solution_name);
    trail.event(solution::event(row.account, row.solution, kind, data));
    trail
}
