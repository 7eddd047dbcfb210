//! When a solution is backed up. A window has a place for each solution, which follows from its id, so that a machine's load is even and
//! a solution's backup begins at the same time each day. Pure, but for the round at the end.
//!
//! A time that was missed stands until a backup is made: one, whatever number of days were missed.

use crate::app::App;
use crate::store;
use crate::store::backup::{DueRow, PlanRow};
use husorden_base::SolutionId;
use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, civil};

/// Backups and proofs that are begun in one round at most.
const BATCH: i32 = 200;

/// The window in which a solution is backed up each day.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window<'a> {
    /// Hour of the day in which it begins.
    pub(crate) hour: u8,
    /// Hours that it is long.
    pub(crate) hours: u8,
    /// The time zone.
    pub(crate) zone: &'a str,
}

impl<'a> From<&'a PlanRow> for Window<'a> {
    fn from(plan: &'a PlanRow) -> Self {
        Self { hour: plan.hour, hours: plan.hours, zone: &plan.zone }
    }
}

impl<'a> From<&'a DueRow> for Window<'a> {
    fn from(due: &'a DueRow) -> Self {
        Self { hour: due.hour, hours: due.hours, zone: &due.zone }
    }
}

impl Window<'_> {
    /// The solution's place in it, from its beginning.
    pub(crate) fn place(self, solution: SolutionId) -> SignedDuration {
        // The last four bytes of an id are chance, also among those that were made in one millisecond.
        let chance = solution.0.as_u128() as u32;
        let span = u64::from(self.hours.max(1)) * 3600;
        // Its size times the span, divided by all there could be: no bias, and no order among those that follow each other.
        let second = (u64::from(chance) * span) >> 32;
        SignedDuration::from_secs(i64::try_from(second).unwrap_or(0))
    }

    /// The solution's first time after this one.
    pub(crate) fn next(self, solution: SolutionId, after: Timestamp) -> Timestamp {
        self.next_on(|_| true, solution, after)
    }

    /// The same, on certain days of the week alone.
    pub(crate) fn next_on(self, fits: impl Fn(Weekday) -> bool, solution: SolutionId, after: Timestamp) -> Timestamp {
        let zone = TimeZone::get(self.zone).unwrap_or(TimeZone::UTC);
        let today = zone.to_datetime(after).date();
        let opens = civil::Time::constant(i8::try_from(self.hour).unwrap_or(0).clamp(0, 23), 0, 0, 0);
        let place = self.place(solution);
        let of_day = |day: i64| {
            let date =
                today.checked_add(SignedDuration::from_hours(24 * day)).ok().filter(|date| fits(date.weekday()))?;
            // An hour that the clock leaps over begins where it lands.
            let from = zone.to_ambiguous_timestamp(date.to_datetime(opens)).compatible().ok()?;
            from.checked_add(place).ok()
        };
        let found = (-1..=9).filter_map(of_day).find(|at| *at > after);
        found.unwrap_or_else(|| after.saturating_add(SignedDuration::from_hours(24)).unwrap_or(after))
    }
}

/// What is done about a plan that is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// It waits until then.
    Wait(Timestamp),
    /// It begins now, and the next is due then.
    Begin(Timestamp),
}

fn turn(due: &DueRow) -> Turn {
    let next = Window::from(due).next(due.solution, due.now);
    match due.due {
        Some(at) if at > due.now => Turn::Wait(at),
        // One that was asked for since stands for the one that was missed.
        Some(at) if due.newest.is_none_or(|newest| newest < at) => Turn::Begin(next),
        Some(_) | None => Turn::Wait(next),
    }
}

/// Begins what is due.
pub(crate) async fn round(app: &App) -> Result<(), sqlx::Error> {
    let system = app.doors().system();
    let settings = &app.config().backup;
    for due in store::backup::due(system, &settings.target, BATCH).await? {
        match turn(&due) {
            Turn::Wait(until) => store::backup::wait(system, due.solution, until).await?,
            Turn::Begin(next) => {
                store::backup::begin(system, due.solution, &settings.target, next).await?;
            }
        }
    }
    store::backup::give_up_proofs(system).await?;
    for solution in store::backup::to_prove(system, BATCH).await? {
        store::backup::prove(system, solution, &settings.proof_node).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NIGHT: Window<'_> = Window { hour: 1, hours: 4, zone: "Europe/Copenhagen" };

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn each_solution_has_its_place_and_a_thousand_fill_the_window_evenly() {
        let mut quarters = [0_u32; 16];
        for _ in 0..1600 {
            let id = SolutionId::new();
            let place = NIGHT.place(id);
            assert_eq!(place, NIGHT.place(id), "the same each day");
            assert!(place >= SignedDuration::ZERO && place < SignedDuration::from_hours(4), "{place}");
            quarters[usize::try_from(place.as_mins() / 15).expect("positive")] += 1;
        }
        for (quarter, count) in quarters.iter().enumerate() {
            assert!((50..=150).contains(count), "{count} of 1,600 begin in quarter {quarter}: {quarters:?}");
        }
    }

    #[test]
    fn the_next_time_is_the_solutions_own_also_over_midnight_and_when_the_clock_changes() {
        let id = SolutionId::new();
        let place = NIGHT.place(id);
        for (window, after, opens) in [
            (NIGHT, "2026-01-10T12:00:00Z", "2026-01-11T00:00:00Z"),
            // In summer the same hour is another of the world's.
            (NIGHT, "2026-07-10T12:00:00Z", "2026-07-10T23:00:00Z"),
            // The night in which two o'clock is leapt over, and the night that has it twice.
            (NIGHT, "2026-03-28T12:00:00Z", "2026-03-29T00:00:00Z"),
            (NIGHT, "2026-10-24T12:00:00Z", "2026-10-24T23:00:00Z"),
            (Window { hour: 2, ..NIGHT }, "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z"),
            (Window { zone: "Nowhere/Else", ..NIGHT }, "2026-01-10T12:00:00Z", "2026-01-11T01:00:00Z"),
        ] {
            assert_eq!(window.next(id, at(after)), at(opens) + place, "{window:?} after {after}");
        }
        let late = Window { hour: 23, hours: 4, zone: "UTC" };
        let (first, place) = (late.next(id, at("2026-01-10T22:00:00Z")), late.place(id));
        assert_eq!(first, at("2026-01-10T23:00:00Z") + place);
        // Its own moment has passed when it comes: the next is tomorrow's, and each day has one.
        assert_eq!(late.next(id, first), first + SignedDuration::from_hours(24));
        assert_eq!(late.next(id, first - SignedDuration::from_secs(1)), first);
    }

    #[test]
    fn what_was_missed_is_made_once_and_what_was_asked_for_since_counts() {
        let now = at("2026-01-10T12:00:00Z");
        let row = |due: Option<&str>, newest: Option<&str>| DueRow {
            solution: SolutionId::new(),
            hour: 1,
            hours: 4,
            zone: "UTC".to_owned(),
            due: due.map(at),
            newest: newest.map(at),
            now,
        };
        let next = |row: &DueRow| Window::from(row).next(row.solution, now);
        for (due, newest, begins) in [
            (None, None, false),
            (Some("2026-01-10T02:00:00Z"), None, true),
            // Control was away for five days: one backup, and then tomorrow's.
            (Some("2026-01-05T02:00:00Z"), Some("2026-01-04T02:00:03Z"), true),
            (Some("2026-01-05T02:00:00Z"), Some("2026-01-10T11:00:00Z"), false),
        ] {
            let row = row(due, newest);
            let next = next(&row);
            let said = if begins { Turn::Begin(next) } else { Turn::Wait(next) };
            assert_eq!(turn(&row), said, "{due:?} {newest:?}");
            assert!(next > now && next <= now + SignedDuration::from_hours(24));
        }
        let later = row(Some("2026-01-10T12:30:00Z"), None);
        assert_eq!(turn(&later), Turn::Wait(at("2026-01-10T12:30:00Z")));
    }
}
