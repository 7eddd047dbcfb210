//! Complaints: the account's answer to a decision, and staff's to the complaint. The provider has the last word, and says why.

use super::decision::lift_within;
use super::text;
use crate::answer::Answer;
use crate::app::App;
use crate::caller::{Caller, Trail};
use crate::fault::Fault;
use crate::store::complaint::About;
use crate::store::event::NewEvent;
use crate::store::evidence::{Awaits, NewEvidence};
use crate::{money, store};
use husorden_base::{Refusal, Text};
use husorden_rules::decision::REASONS_CHARS_MIN;
use husorden_wire::api;
use serde_json::json;
use uuid::Uuid;

/// Complaints about one measure: enough to say what was forgotten, too few to be a nuisance.
pub(crate) const PER_MEASURE_MAX: usize = 5;

/// Complains about a measure.
pub(crate) async fn complain(
    app: &App,
    caller: &Caller,
    measure: &str,
    form: api::ComplaintCreate,
) -> Result<Answer, Fault> {
    let said = text(&form.text, "/text", REASONS_CHARS_MIN)?;
    let id = measure.parse::<Uuid>().map_err(|_| Refusal::not_found(measure))?;
    let Some(account) = caller.account() else { return Err(Refusal::not_found(measure).into()) };
    let mut tx = app.doors().tenant(account).await?;
    let row = store::measure::get(tx.conn(), id).await?.ok_or_else(|| Refusal::not_found(measure))?;
    if row.lifted.is_some() {
        return Err(Refusal::new(
            "measure-lifted",
            409,
            Text::new("Foranstaltningen er ophævet", "The measure is lifted"),
            Text::new("Der er intet at klage over mere.", "There is nothing left to complain about."),
        )
        .into());
    }
    let made = store::complaint::of_measure(tx.conn(), row.id).await?.len();
    if made >= PER_MEASURE_MAX {
        return Err(Refusal::new(
            "complaints-spent",
            409,
            Text::new("Der er klaget nok gange over dette", "There were enough complaints about this"),
            Text::new("Det sidste svar står ved magt.", "The last answer stands."),
        )
        .with_limit(format!("{made} complaints"), format!("{PER_MEASURE_MAX} complaints"))
        .into());
    }
    let about = About { case: row.case_id, case_number: &row.case_number, measure: row.id, account };
    let complaint = store::complaint::insert(tx.conn(), about, &caller.signature(), said).await?;
    let mut trail = Trail::default();
    trail.evidence(NewEvidence {
        act: "complaint.made",
        account: Some(account),
        solution: row.solution,
        before: json!({ "complaint": complaint.id, "measure": row.id, "case": row.case_number, "text": said }),
        awaits: Awaits::Nothing,
        visible_from: None,
    });
    trail.event(NewEvent {
        account: Some(account),
        solution: row.solution,
        kind: "complaint.made",
        data: json!({ "case": row.case_number, "measure": row.id, "complaint": complaint.id }),
        visible_from: None,
    });
    trail.finish(app, caller, tx, Answer::created(complaint.shown())).await
}

/// Decides on a complaint. One that is upheld lifts the measure in the same transaction.
pub(crate) async fn answer(
    app: &App,
    caller: &Caller,
    complaint: &str,
    form: api::ComplaintAnswer,
) -> Result<Answer, Fault> {
    let reasons = text(&form.reasons, "/reasons", REASONS_CHARS_MIN)?;
    let id = complaint.parse::<Uuid>().map_err(|_| Refusal::not_found(complaint))?;
    let mut tx = app.doors().staff().await?;
    let row = store::complaint::lock(tx.conn(), id).await?.ok_or_else(|| Refusal::not_found(complaint))?;
    if row.outcome.is_some() {
        return Err(Refusal::new(
            "complaint-answered",
            409,
            Text::new("Klagen er besvaret", "The complaint was answered"),
            Text::new("Læs sagen igen; svaret står der.", "Read the case again; the answer is there."),
        )
        .into());
    }
    let mut trail = Trail::default();
    let outcome = match form.outcome {
        api::ComplaintOutcome::Upheld => {
            lift_within(&mut tx, caller, row.measure.0, reasons, &mut trail).await?;
            // What a decision took that was wrong is given back with it.
            money::breach::give_back(tx.conn(), row.account, row.measure, &caller.signature(), &mut trail).await?;
            "upheld"
        }
        api::ComplaintOutcome::Rejected => "rejected",
    };
    let answered = store::complaint::answer(tx.conn(), id, outcome, reasons, &caller.signature()).await?;
    trail.evidence(NewEvidence {
        act: "complaint.answered",
        account: Some(row.account),
        solution: None,
        before: json!({ "complaint": id, "measure": row.measure, "case": row.case_number, "outcome": outcome, "reasons": reasons }),
        awaits: Awaits::Nothing,
        visible_from: None,
    });
    trail.event(NewEvent {
        account: Some(row.account),
        solution: None,
        kind: "complaint.answered",
        data: json!({ "case": row.case_number, "measure": row.measure, "complaint": id, "outcome": outcome }),
        visible_from: None,
    });
    trail.finish_staff(app, caller, tx, Answer::ok(answered.shown())).await
}
