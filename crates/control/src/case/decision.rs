//! Decisions: no measure without a decision, no decision without a clause and reasons. Both are checked by the rules before
//! anything is written, and a case on one scope is decided once.

use super::{locked, refuse_closed, solution_named, text};
use crate::answer::Answer;
use crate::app::App;
use crate::caller::{Caller, Trail};
use crate::doors::StaffTx;
use crate::fault::Fault;
use crate::form::IfMatch;
use crate::store::complaint::ComplaintRow;
use crate::store::event::NewEvent;
use crate::store::evidence::{Awaits, NewEvidence};
use crate::store::measure::{LATE_S, MeasureRow, Told};
use crate::store::money::Breach;
use crate::{money, store};
use husorden_base::{MeasureId, Refusal, Text};
use husorden_rules::decision::REASONS_CHARS_MIN;
use husorden_rules::{DecisionForm, Scope, statement};
use husorden_wire::api;
use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

/// Decides in a case: a measure is written, and goes to the nodes the moment this commits.
pub(crate) async fn decide(
    app: &App,
    caller: &Caller,
    case: &str,
    seen: &IfMatch,
    form: DecisionForm,
) -> Result<Answer, Fault> {
    let decision = form.check(Timestamp::now())?;
    let mut tx = app.doors().staff().await?;
    let case = locked(&mut tx, case).await?;
    seen.check(super::NAMED, case.version)?;
    refuse_closed(&case)?;
    let outside = || {
        let text = Text::new(
            "Afgørelsen må kun ramme den konto, sagen handler om",
            "The decision may only be about the account the case is about",
        );
        Refusal::field("/scope/id", text)
    };
    let solution = match decision.scope {
        Scope::Account { id } if id == case.account => None,
        Scope::Account { .. } => return Err(outside().into()),
        Scope::Solution { id } => {
            let (id, account) = solution_named(&mut tx, &id.to_string()).await.map_err(|_| outside())?;
            if account != case.account || case.solution.is_some_and(|of| of != id) {
                return Err(outside().into());
            }
            Some(id)
        }
    };
    let id = MeasureId::new();
    let facts = decision.facts.as_deref().unwrap_or_default();
    let by = caller.signature();
    let told = Told { facts, by: &by };
    store::measure::insert(tx.conn(), id, (case.id, &case.number), (case.account, solution), &decision, told).await?;
    if let Some(ends) = decision.ends {
        store::job::measure_end(tx.conn(), id, ends).await?;
    }
    store::job::measure_watch(tx.conn(), id, LATE_S).await?;
    let mut endings = Trail::default();
    let breach = Breach { case: &case.number, measure: id };
    let forfeits =
        money::breach::forfeit(tx.conn(), (case.account, breach), &decision.forfeits, &by, &mut endings).await?;
    let mut trail = Trail::default();
    trail.evidence(NewEvidence {
        act: "measure.begin",
        account: Some(case.account),
        solution,
        before: json!({ "measure": id, "case": case.number, "clause": decision.clause, "scope": decision.scope,
            "access": decision.access, "fates": decision.fates, "facts": facts, "reasons": decision.reasons, "ends": decision.ends, "forfeits": forfeits }),
        awaits: Awaits::Measure(id),
        visible_from: decision.silent_until,
    });
    trail.event(NewEvent {
        account: Some(case.account),
        solution,
        kind: "measure.decided",
        data: json!({ "case": case.number, "clause": decision.clause, "measure": id }),
        visible_from: decision.silent_until,
    });
    trail.and(endings);
    let measure = store::measure::get(tx.conn(), id.0).await?.ok_or(sqlx::Error::RowNotFound)?;
    let answer = Answer::created(measure.shown_to_staff()).at(format!("/v1/measures/{id}"));
    trail.finish_staff(app, caller, tx, answer).await
}

/// Lifts a measure. Lifting one that is lifted changes nothing.
pub(crate) async fn lift(app: &App, caller: &Caller, measure: &str, form: api::MeasureLift) -> Result<Answer, Fault> {
    let reasons = text(&form.reasons, "/reasons", REASONS_CHARS_MIN)?;
    let id = measure.parse::<Uuid>().map_err(|_| Refusal::not_found(measure))?;
    let mut tx = app.doors().staff().await?;
    let mut trail = Trail::default();
    let row = lift_within(&mut tx, caller, id, reasons, &mut trail).await?;
    trail.finish_staff(app, caller, tx, Answer::ok(row.shown_to_staff())).await
}

/// Lifts a measure within a transaction that may do more.
pub(super) async fn lift_within(
    tx: &mut StaffTx,
    caller: &Caller,
    id: Uuid,
    reasons: &str,
    trail: &mut Trail,
) -> Result<MeasureRow, Fault> {
    let lifted = store::measure::lock(tx.conn(), id).await?.ok_or_else(|| Refusal::not_found(&id.to_string()))?;
    if !lifted {
        store::measure::lift(tx.conn(), id, reasons, &caller.signature()).await?;
    }
    let row = store::measure::get(tx.conn(), id).await?.ok_or(sqlx::Error::RowNotFound)?;
    if !lifted {
        store::job::measure_watch(tx.conn(), row.id, LATE_S).await?;
        trail.evidence(NewEvidence {
            act: "measure.lift",
            account: Some(row.account),
            solution: row.solution,
            before: json!({ "measure": id, "case": row.case_number, "reasons": reasons }),
            awaits: Awaits::Measure(row.id),
            visible_from: row.silent_until,
        });
        trail.event(NewEvent {
            account: Some(row.account),
            solution: row.solution,
            kind: "measure.lift",
            data: json!({ "case": row.case_number, "clause": row.clause, "measure": id }),
            visible_from: row.silent_until,
        });
    }
    Ok(row)
}

/// The statement of reasons, for the account holder and for staff.
pub(crate) async fn statement(app: &App, caller: &Caller, measure: &str) -> Result<Answer, Fault> {
    let id = measure.parse::<Uuid>().map_err(|_| Refusal::not_found(measure))?;
    let mut tx = caller.read(app).await?;
    let row = store::measure::get(tx.conn(), id).await?.ok_or_else(|| Refusal::not_found(measure))?;
    let complaints = store::complaint::of_measure(tx.conn(), row.id).await?;
    let solution_name = match row.solution {
        Some(id) => store::solution::find(tx.conn(), &id.to_string()).await?.pop().map(|one| one.name),
        None => None,
    };
    let waits = complaints.iter().any(|complaint| complaint.outcome.is_none());
    let spent = complaints.len() >= super::complaint::PER_MEASURE_MAX;
    let access = serde_json::from_value(json!(row.access)).unwrap_or_default();
    let restricted = statement::restricted(row.scope(), access, row.fates);
    Ok(Answer::ok(api::Statement {
        solution_name,
        restricted: restricted.iter().map(|text| text.get(caller.language).to_owned()).collect(),
        automated: false,
        complain: format!("/v1/measures/{id}/complaints"),
        can_complain: !waits && !spent && row.state() != "lifted",
        complaints: complaints.into_iter().map(ComplaintRow::shown).collect(),
        measure: if caller.is_staff() { row.shown_to_staff() } else { row.shown() },
    }))
}
