//! Snapshots on a schedule: shown, changed by whoever may take them, and carried out.
//!
//! A time that was missed stands until a snapshot is taken: one, whatever number of times were missed. What stands in the way (a measure, a
//! disk that fills) is looked at by the database under the solution's lock (`0083_snapshot_schedule.sql`), said once, and tried again at the
//! next time. What is more than is kept goes when a new one is there, and never before.

pub(crate) mod slot;

use crate::answer::Answer;
use crate::app::App;
use crate::caller::{Caller, Trail};
use crate::fault::Fault;
use crate::form::IfMatch;
use crate::store::evidence::{Awaits, NewEvidence};
use crate::store::snapshot_schedule::{self as rows, ScheduleRow};
use crate::{order, solution};
use husorden_base::{FieldError, Language, Refusal, SolutionId, Text};
use husorden_kinds::Aim;
use husorden_kinds::window::DAYS;
use husorden_wire::api::{self, SNAPSHOTS_KEPT_MAX, SnapshotEvery};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use slot::Slots;

const ZONE_CHARS_MAX: usize = 64;
/// Snapshots that are begun in one round at most: 240,000 an hour.
const BATCH: i32 = 1000;

/// Shows a solution's schedule.
pub(crate) async fn show(app: &App, caller: &Caller, text: &str) -> Result<Answer, Fault> {
    let view = solution::find(app, caller, text).await?;
    let mut tx = caller.read(app).await?;
    let row = rows::get(tx.conn(), view.id).await?;
    Ok(answer(&row, view.aim, caller.language))
}

/// Changes it.
pub(crate) async fn change(
    app: &App,
    caller: &Caller,
    text: &str,
    if_match: &IfMatch,
    form: api::SnapshotScheduleChange,
) -> Result<Answer, Fault> {
    let (mut tx, row) = solution::open(app, caller, text, &IfMatch::default()).await?;
    order::refuse_gone(&row)?;
    let before = rows::get(tx.conn(), row.id).await?;
    if_match.check(("Tidsplanen", "The schedule"), before.generation)?;
    let mut after = changed(&before, &form)?;
    let mut trail = Trail::default();
    if told(&before) != told(&after) {
        after.generation += 1;
        after.due = due(&before, &after, row.id, Timestamp::now());
        if after.every == SnapshotEvery::Off {
            (after.missed, after.why) = (None, None);
        }
        rows::save(tx.conn(), row.id, &after).await?;
        trail.evidence(NewEvidence {
            act: "snapshot-schedule.change",
            account: Some(row.account),
            solution: Some(row.id),
            before: json!({ "name": row.name, "from": told(&before), "to": told(&after) }),
            awaits: Awaits::Nothing,
            visible_from: None,
        });
        let data = json!({ "name": row.name, "every": after.every, "keep": after.keep });
        trail.event(solution::event(row.account, row.id, "snapshot-schedule.changed", data));
    }
    let answer = answer(&after, row.aim, caller.language);
    trail.finish(app, caller, tx, answer).await
}

fn answer(row: &ScheduleRow, aim: Aim, language: Language) -> Answer {
    let shown = api::SnapshotSchedule {
        every: row.every,
        hour: row.hour,
        day: row.day.clone(),
        zone: row.zone.clone(),
        keep: row.keep,
        next: row.due.filter(|_| aim == Aim::Run),
        missed: row.missed,
        message: row.why.as_deref().map(|word| why(word, None).get(language).to_owned()),
    };
    Answer::ok(shown).tagged(row.generation)
}

/// Why none could be taken, in a sentence; with what a node said of it, where it did.
pub(crate) fn why(word: &str, said: Option<&Value>) -> Text {
    if let Some(said) = said.and_then(|said| serde_json::from_value::<Text>(said.clone()).ok()) {
        return said;
    }
    match word {
        "full" => Text::new(
            "Pladsen er næsten brugt op, og et øjebliksbillede ville holde på det, der slettes. Ryd op, slet øjebliksbilleder, eller gør den større.",
            "The disk is almost used up, and a snapshot would hold what is deleted. Clear up, delete snapshots, or make it larger.",
        ),
        "closed" => Text::new(
            "Løsningen er lukket af en foranstaltning; imens hverken tages eller fjernes der nogen.",
            "The solution is closed by a measure; meanwhile none is taken or removed.",
        ),
        _ => Text::new("Det mislykkedes på serveren.", "It failed on the node."),
    }
}

/// What a schedule says, as evidence keeps it.
fn told(row: &ScheduleRow) -> Value {
    json!({ "every": row.every, "hour": row.hour, "day": row.day, "zone": row.zone, "keep": row.keep })
}

/// When the next one is due: one that was missed is still taken, unless it was off or comes otherwise often now.
fn due(before: &ScheduleRow, after: &ScheduleRow, solution: SolutionId, now: Timestamp) -> Option<Timestamp> {
    let times = |row: &ScheduleRow| (row.every, row.hour, row.day.clone(), row.zone.clone());
    match before.due {
        Some(at) if times(before) == times(after) || (before.every == after.every && at <= now) => Some(at),
        Some(_) | None => Slots::from(after).next(solution, now),
    }
}

/// The schedule with what the form says laid over it; every field that is wrong is named.
fn changed(before: &ScheduleRow, form: &api::SnapshotScheduleChange) -> Result<ScheduleRow, Refusal> {
    let mut after = before.clone();
    let mut wrong = Vec::new();
    let mut bad = |pointer: &str, da: String, en: String| {
        wrong.push(FieldError { pointer: pointer.to_owned(), detail: Text::new(da, en) });
    };
    after.every = form.every.unwrap_or(before.every);
    after.hour = form.hour.unwrap_or(before.hour);
    if after.hour > 23 {
        bad("/hour", "0 til 23".into(), "0 to 23".into());
    }
    if let Some(day) = &form.day {
        after.day.clone_from(day);
        if slot::day(day).is_none() {
            let known = DAYS.map(|(word, _)| word).join(", ");
            bad("/day", format!("En af: {known}"), format!("One of: {known}"));
        }
    }
    if let Some(zone) = &form.zone {
        after.zone.clone_from(zone);
        if zone.len() > ZONE_CHARS_MAX || TimeZone::get(zone).is_err() {
            bad("/zone", "Den tidszone kendes ikke".into(), "That time zone is not known".into());
        }
    }
    after.keep = form.keep.unwrap_or(before.keep);
    if !(1..=SNAPSHOTS_KEPT_MAX).contains(&after.keep) {
        bad("/keep", format!("1 til {SNAPSHOTS_KEPT_MAX}"), format!("1 to {SNAPSHOTS_KEPT_MAX}"));
    }
    if wrong.is_empty() { Ok(after) } else { Err(Refusal::fields(wrong)) }
}

/// Has taken what is due.
pub(crate) async fn round(app: &App) -> Result<(), sqlx::Error> {
    let system = app.doors().system();
    for due in rows::due(system, BATCH).await? {
        if let Some(next) = Slots::from(&due).next(due.solution, due.now) {
            rows::begin(system, due.solution, next).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;

    fn row(every: SnapshotEvery) -> ScheduleRow {
        ScheduleRow {
            every,
            hour: 3,
            day: "sunday".to_owned(),
            zone: "Europe/Copenhagen".to_owned(),
            keep: 7,
            due: None,
            missed: None,
            why: None,
            generation: 1,
        }
    }

    #[test]
    fn each_wrong_field_of_a_schedule_is_named() {
        let form = api::SnapshotScheduleChange::default();
        assert_eq!(changed(&row(SnapshotEvery::Off), &form).expect("nothing is named"), row(SnapshotEvery::Off));
        for (form, pointer) in [
            (api::SnapshotScheduleChange { hour: Some(24), ..form.clone() }, "/hour"),
            (api::SnapshotScheduleChange { day: Some("someday".into()), ..form.clone() }, "/day"),
            (api::SnapshotScheduleChange { zone: Some("Mars/Olympus".into()), ..form.clone() }, "/zone"),
            (api::SnapshotScheduleChange { zone: Some("../../etc/passwd".into()), ..form.clone() }, "/zone"),
            (api::SnapshotScheduleChange { keep: Some(0), ..form.clone() }, "/keep"),
            (api::SnapshotScheduleChange { keep: Some(15), ..form }, "/keep"),
        ] {
            let refusal = changed(&row(SnapshotEvery::Daily), &form).expect_err("refused");
            assert_eq!(refusal.fields.iter().map(|field| field.pointer.as_str()).collect::<Vec<_>>(), [pointer]);
        }
    }

    #[test]
    fn another_time_moves_the_next_one_and_not_one_that_was_missed() {
        use SnapshotEvery::{Daily, Off, Weekly};
        let (id, now) = (SolutionId::new(), Timestamp::UNIX_EPOCH);
        let hours = |hours| now + SignedDuration::from_hours(hours);
        let with = |every, due| ScheduleRow { due, ..row(every) };
        let fresh = |row: &ScheduleRow| Slots::from(row).next(id, now);
        let later = ScheduleRow { hour: 13, ..row(Daily) };
        for (before, after, expected) in [
            (with(Off, None), row(Daily), fresh(&row(Daily))),
            (with(Daily, Some(hours(5))), row(Off), None),
            (with(Daily, Some(hours(5))), ScheduleRow { keep: 3, ..row(Daily) }, Some(hours(5))),
            (with(Daily, Some(hours(5))), later.clone(), fresh(&later)),
            (with(Daily, Some(hours(-5))), later, Some(hours(-5))),
            (with(Daily, Some(hours(-5))), row(Weekly), fresh(&row(Weekly))),
        ] {
            assert_eq!(due(&before, &after, id, now), expected, "{before:?} {after:?}");
        }
    }
}
