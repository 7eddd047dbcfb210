//! Cases, decisions and lifting: staff's half of the house rules. No measure without a decision, no decision without a clause
//! and reasons; both are checked by the rules before anything is written.

use crate::answer::Answer;
use crate::app::App;
use crate::caller::{Caller, Trail};
use crate::doors::StaffTx;
use crate::fault::Fault;
use crate::store::case::CaseRow;
use crate::store::event::NewEvent;
use crate::store::evidence::{Awaits, NewEvidence};
use crate::{account, store};
use husorden_base::{AccountId, CaseId, MeasureId, Refusal, SolutionId, Text};
use husorden_rules::decision::{REASONS_CHARS_MAX, REASONS_CHARS_MIN};
use husorden_rules::{Clause, DecisionForm, Scope};
use husorden_wire::api;
use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

/// Opens a case.
pub(crate) async fn open(app: &App, caller: &Caller, form: api::CaseCreate) -> Result<Answer, Fault> {
    let clause: Clause = form.clause.parse().map_err(|said: String| {
        Refusal::field("/clause", Text::new(format!("{:?} er intet punkt i husordenen", form.clause), said))
    })?;
    if form.facts.trim().is_empty() || form.facts.chars().count() > REASONS_CHARS_MAX {
        let text = Text::new(format!("1 til {REASONS_CHARS_MAX} tegn"), format!("1 to {REASONS_CHARS_MAX} characters"));
        return Err(Refusal::field("/facts", text).into());
    }
    let mut tx = app.doors().staff().await?;
    let (account, solution) = match (&form.solution, &form.account) {
        (Some(solution), None) => {
            let (id, account) = solution_named(&mut tx, solution).await?;
            (account, Some(id))
        }
        (None, Some(name)) => (account::named(tx.conn(), name, "/account").await?, None),
        (Some(_), Some(_)) | (None, None) => {
            let text = Text::new("Nævn enten løsningen eller kontoen", "Name either the solution or the account");
            return Err(Refusal::field("/solution", text).into());
        }
    };
    let id = CaseId::new();
    let case = store::case::insert(tx.conn(), id, (account, solution), clause.id(), form.facts.trim()).await?;
    let mut trail = Trail::default();
    trail.evidence(NewEvidence {
        act: "case.open",
        // A case is staff's until something is decided in it, so the account does not see this line.
        account: None,
        solution,
        before: json!({ "case": case.number, "clause": clause, "account": account, "facts": case.facts }),
        awaits: Awaits::Nothing,
        visible_from: None,
    });
    let answer = Answer::created(shown(&mut tx, case).await?).at(format!("/v1/cases/{id}"));
    trail.finish_staff(app, caller, tx, answer).await
}

/// Decides in a case: a measure is written, and goes to the nodes the moment this commits.
pub(crate) async fn decide(app: &App, caller: &Caller, case: &str, form: DecisionForm) -> Result<Answer, Fault> {
    let decision = form.check(Timestamp::now())?;
    let mut tx = app.doors().staff().await?;
    let case = named(&mut tx, case).await?;
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
    store::measure::insert(tx.conn(), id, (case.id, &case.number), (case.account, solution), &decision).await?;
    if let Some(ends) = decision.ends {
        store::job::measure_end(tx.conn(), id, ends).await?;
    }
    let mut trail = Trail::default();
    trail.evidence(NewEvidence {
        act: "measure.begin",
        account: Some(case.account),
        solution,
        before: json!({ "measure": id, "case": case.number, "clause": decision.clause, "scope": decision.scope,
            "access": decision.access, "fates": decision.fates, "reasons": decision.reasons, "ends": decision.ends }),
        awaits: Awaits::Measure(id),
        visible_from: decision.silent_until,
    });
    trail.event(NewEvent {
        account: Some(case.account),
        solution,
        kind: "measure.decided",
        data: json!({ "case": case.number, "clause": decision.clause }),
        visible_from: decision.silent_until,
    });
    let measure = store::measure::get(tx.conn(), id.0).await?.ok_or(sqlx::Error::RowNotFound)?;
    let answer = Answer::created(measure.shown()).at(format!("/v1/measures/{id}"));
    trail.finish_staff(app, caller, tx, answer).await
}

/// Lifts a measure. Lifting one that is lifted changes nothing.
pub(crate) async fn lift(app: &App, caller: &Caller, measure: &str, form: api::MeasureLift) -> Result<Answer, Fault> {
    let reasons = form.reasons.trim();
    let length = reasons.chars().count();
    if !(REASONS_CHARS_MIN..=REASONS_CHARS_MAX).contains(&length) {
        let text = Text::new(
            format!(
                "En ophævelse skal begrundes med {REASONS_CHARS_MIN} til {REASONS_CHARS_MAX} tegn; her er {length}"
            ),
            format!(
                "Lifting needs reasons of {REASONS_CHARS_MIN} to {REASONS_CHARS_MAX} characters; there are {length}"
            ),
        );
        return Err(Refusal::field("/reasons", text).into());
    }
    let id = measure.parse::<Uuid>().map_err(|_| Refusal::not_found(measure))?;
    let mut tx = app.doors().staff().await?;
    let lifted = store::measure::lock(tx.conn(), id).await?;
    let row = store::measure::get(tx.conn(), id).await?.ok_or_else(|| Refusal::not_found(measure))?;
    let mut trail = Trail::default();
    if lifted == Some(false) {
        store::measure::lift(tx.conn(), id, reasons).await?;
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
            data: json!({ "case": row.case_number, "clause": row.clause }),
            visible_from: row.silent_until,
        });
    }
    let row = store::measure::get(tx.conn(), id).await?.ok_or(sqlx::Error::RowNotFound)?;
    trail.finish_staff(app, caller, tx, Answer::ok(row.shown())).await
}

/// The case with this id or number.
pub(crate) async fn named(tx: &mut StaffTx, text: &str) -> Result<CaseRow, Fault> {
    store::case::named(tx.conn(), text).await?.ok_or_else(|| Refusal::not_found(text).into())
}

async fn solution_named(tx: &mut StaffTx, text: &str) -> Result<(SolutionId, AccountId), Fault> {
    let mut found = store::solution::find(tx.conn(), text).await?;
    match (found.pop(), found.pop()) {
        (Some(one), None) if one.deleted.is_none() => Ok((one.id, one.account)),
        _ => Err(Refusal::field(
            "/solution",
            Text::new(format!("Der er ikke én løsning {text:?}"), format!("There is no single solution {text:?}")),
        )
        .into()),
    }
}

/// A case with its measures.
pub(crate) async fn shown(tx: &mut StaffTx, case: CaseRow) -> Result<api::Case, Fault> {
    let measures = store::measure::list(tx.conn(), Some(case.id), None, 1000).await?;
    Ok(api::Case {
        id: case.id.to_string(),
        number: case.number,
        account: case.account.to_string(),
        solution: case.solution.map(|id| id.to_string()),
        clause: case.clause,
        state: case.state,
        facts: case.facts,
        measures: measures.iter().map(store::measure::MeasureRow::shown).collect(),
        created: case.created,
    })
}
