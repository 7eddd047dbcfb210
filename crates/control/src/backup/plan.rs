//! The plan of a solution: shown, and changed by its owner.

use super::schedule::Window;
use super::{proof, shown};
use crate::answer::Answer;
use crate::app::App;
use crate::caller::{Caller, Trail};
use crate::fault::Fault;
use crate::form::IfMatch;
use crate::store::backup::PlanRow;
use crate::store::evidence::{Awaits, NewEvidence};
use crate::store::solution::SolutionView;
use crate::{order, solution, store};
use husorden_base::{FieldError, Refusal, SolutionId, Text};
use husorden_kinds::Aim;
use husorden_wire::api;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use sqlx::PgConnection;

const REASON_CHARS_MAX: usize = 500;
const ZONE_CHARS_MAX: usize = 64;

/// Shows a solution's plan.
pub(crate) async fn show(app: &App, caller: &Caller, text: &str) -> Result<Answer, Fault> {
    let view = solution::find(app, caller, text).await?;
    let mut tx = caller.read(app).await?;
    Ok(Answer::ok(of(app, caller, tx.conn(), &view).await?))
}

async fn of(
    app: &App,
    caller: &Caller,
    conn: &mut PgConnection,
    view: &SolutionView,
) -> Result<api::BackupPlan, Fault> {
    let plan = store::backup::plan(conn, view.id).await?.ok_or(sqlx::Error::RowNotFound)?;
    let target = store::target::of(conn, view.id, &app.config().backup.target).await?;
    let newest = store::backup::newest(conn, view.id, "ready").await?;
    let under_way = store::backup::newest(conn, view.id, "writing").await?;
    let proven = store::backup::proof(conn, view.id).await?;
    let kind = app.kind(&view.kind);
    let (language, staff) = (caller.language, caller.is_staff());
    let expected = plan.enabled && target.is_some() && under_way.is_none() && view.aim != Aim::Gone;
    let next = plan.due.unwrap_or_else(|| Window::from(&plan).next(view.id, view.now));
    Ok(api::BackupPlan {
        on: plan.enabled,
        required: kind.is_none_or(|kind| kind.backup_required()),
        reason: plan.reason,
        with_machine: target.as_ref().is_some_and(|target| target.kind == "folder"),
        target: target.map(|target| target.name),
        hour: plan.hour,
        hours: plan.hours,
        zone: plan.zone,
        next: expected.then_some(next),
        newest: newest.map(|row| shown(row, language, staff)),
        under_way: under_way.map(|row| shown(row, language, staff)),
        proof: proven.map(|row| proof::shown(row, language, staff)),
        parts: kind.map(|kind| kind.parts(&view.spec)).unwrap_or_default(),
        files: kind.and_then(|kind| kind.intake()).map(|(files, _)| files.to_owned()),
    })
}

/// Changes it.
pub(crate) async fn change(
    app: &App,
    caller: &Caller,
    text: &str,
    form: api::BackupPlanChange,
) -> Result<Answer, Fault> {
    let (mut tx, row) = solution::open(app, caller, text, &IfMatch::default()).await?;
    order::refuse_gone(&row)?;
    let before = store::backup::plan(tx.conn(), row.id).await?.ok_or(sqlx::Error::RowNotFound)?;
    let required = app.kind(&row.kind).is_none_or(|kind| kind.backup_required());
    let mut after = changed(&before, &form, required)?;
    if let Some(name) = &form.target {
        if !caller.is_staff() {
            let text = Text::new("Kun personale vælger målet", "Only staff choose the target");
            return Err(Refusal::field("/target", text).into());
        }
        after.target = match name.as_str() {
            "" => None,
            name => {
                let found = store::target::named(tx.conn(), name).await?.filter(|target| target.state == "open");
                let missing = || Refusal::field("/target", Text::new("Det mål findes ikke", "There is no such target"));
                Some(found.ok_or_else(missing)?.id)
            }
        };
    }
    after.due = due(&before, &after, row.id, Timestamp::now());
    let turned_on = after.enabled && !before.enabled;
    store::backup::plan_save(tx.conn(), row.id, &after, turned_on).await?;
    let mut trail = Trail::default();
    if told(&before) != told(&after) {
        trail.evidence(NewEvidence {
            act: "backup-plan.change",
            account: Some(row.account),
            solution: Some(row.id),
            before: json!({ "name": row.name, "from": told(&before), "to": told(&after) }),
            awaits: Awaits::Nothing,
            visible_from: None,
        });
        let data = json!({ "name": row.name, "on": after.enabled });
        trail.event(solution::event(row.account, row.id, "backup-plan.changed", data));
    }
    let view = store::solution::get(tx.conn(), row.id).await?;
    let answer = Answer::ok(of(app, caller, tx.conn(), &view).await?);
    trail.finish(app, caller, tx, answer).await
}

/// What a plan says, as evidence keeps it.
fn told(plan: &PlanRow) -> Value {
    json!({ "on": plan.enabled, "reason": plan.reason, "target": plan.target, "hour": plan.hour, "hours": plan.hours, "zone": plan.zone })
}

/// When the next one is due: what was missed stays missed, unless the plan was off.
fn due(before: &PlanRow, after: &PlanRow, solution: SolutionId, now: Timestamp) -> Option<Timestamp> {
    let window = |plan: &PlanRow| (plan.hour, plan.hours, plan.zone.clone());
    match before.due {
        _ if !after.enabled => None,
        Some(at) if before.enabled && (window(before) == window(after) || at <= now) => Some(at),
        Some(_) | None => Some(Window::from(after).next(solution, now)),
    }
}

/// The plan with what the form says laid over it; every field that is wrong is named.
fn changed(before: &PlanRow, form: &api::BackupPlanChange, required: bool) -> Result<PlanRow, Refusal> {
    let mut after = before.clone();
    let mut wrong = Vec::new();
    let mut bad = |pointer: &str, da: String, en: String| {
        wrong.push(FieldError { pointer: pointer.to_owned(), detail: Text::new(da, en) });
    };
    after.enabled = form.on.unwrap_or(before.enabled);
    after.hour = form.hour.unwrap_or(before.hour);
    after.hours = form.hours.unwrap_or(before.hours);
    if after.hour > 23 {
        bad("/hour", "0 til 23".into(), "0 to 23".into());
    }
    if !(1..=24).contains(&after.hours) {
        bad("/hours", "1 til 24".into(), "1 to 24".into());
    }
    if let Some(zone) = &form.zone {
        after.zone.clone_from(zone);
        if zone.len() > ZONE_CHARS_MAX || TimeZone::get(zone).is_err() {
            bad("/zone", "Den tidszone kendes ikke".into(), "That time zone is not known".into());
        }
    }
    let reason = form.reason.as_deref().map(str::trim).filter(|reason| !reason.is_empty());
    if reason.is_some_and(|reason| {
        reason.chars().count() > REASON_CHARS_MAX || reason.chars().any(|c| c.is_control() && c != '\n')
    }) {
        bad(
            "/reason",
            format!("Højst {REASON_CHARS_MAX} synlige tegn"),
            format!("At most {REASON_CHARS_MAX} visible characters"),
        );
    }
    after.reason = if after.enabled { None } else { reason.map(str::to_owned).or_else(|| before.reason.clone()) };
    if !after.enabled && after.reason.is_none() && !required {
        bad("/reason", "Skriv hvorfor".into(), "Say why".into());
    }
    if !wrong.is_empty() {
        return Err(Refusal::fields(wrong));
    }
    if !after.enabled && required {
        return Err(Refusal::new(
            "backup-required",
            409,
            Text::new("Backuppen kan ikke slås fra", "The backup cannot be turned off"),
            Text::new(
                "Løsninger af denne slags har altid en plan. Timen kan vælges.",
                "Solutions of this kind always have a plan. Its hour can be chosen.",
            ),
        ));
    }
    Ok(after)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;

    fn plan() -> PlanRow {
        PlanRow {
            enabled: true,
            reason: None,
            target: None,
            hour: 1,
            hours: 4,
            zone: "Europe/Copenhagen".to_owned(),
            due: None,
            since: Timestamp::UNIX_EPOCH,
            newest: None,
            failed: None,
            proven: None,
            proof_failed: None,
            bases: Vec::new(),
        }
    }

    #[test]
    fn a_plan_is_off_only_with_a_reason_and_where_it_may_be() {
        let off = |reason: Option<&str>| api::BackupPlanChange {
            on: Some(false),
            reason: reason.map(str::to_owned),
            ..api::BackupPlanChange::default()
        };
        assert_eq!(
            changed(&plan(), &off(Some("It is a test.")), false).expect("it may").reason.as_deref(),
            Some("It is a test.")
        );
        for (form, required, code) in [
            (off(None), false, "invalid-fields"),
            (off(Some("  ")), false, "invalid-fields"),
            (off(Some(&"x".repeat(501))), false, "invalid-fields"),
            (off(Some("It is a test.")), true, "backup-required"),
            (off(None), true, "backup-required"),
            (api::BackupPlanChange { hour: Some(24), ..Default::default() }, false, "invalid-fields"),
            (api::BackupPlanChange { hours: Some(0), ..Default::default() }, false, "invalid-fields"),
            (api::BackupPlanChange { hours: Some(25), ..Default::default() }, false, "invalid-fields"),
            (
                api::BackupPlanChange { zone: Some("Mars/Olympus".into()), ..Default::default() },
                false,
                "invalid-fields",
            ),
        ] {
            assert_eq!(changed(&plan(), &form, required).expect_err("refused").code, code, "{form:?}");
        }
    }

    #[test]
    fn another_window_moves_the_next_one_and_not_one_that_was_missed() {
        let (id, now) = (SolutionId::new(), Timestamp::UNIX_EPOCH);
        let hour = |hours| SignedDuration::from_hours(hours);
        let later = PlanRow { hour: 13, ..plan() };
        let next = Window::from(&later).next(id, now);
        for (before, after, expected) in [
            (PlanRow { due: Some(now + hour(1)), ..plan() }, &plan(), Some(now + hour(1))),
            (PlanRow { due: Some(now + hour(1)), ..plan() }, &later, Some(next)),
            (PlanRow { due: Some(now - hour(1)), ..plan() }, &later, Some(now - hour(1))),
            (PlanRow { enabled: false, due: Some(now - hour(1)), ..plan() }, &later, Some(next)),
            (PlanRow { due: Some(now - hour(1)), ..plan() }, &PlanRow { enabled: false, ..plan() }, None),
        ] {
            assert_eq!(due(&before, after, id, now), expected, "{before:?}");
        }
    }
}
