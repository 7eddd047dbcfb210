//! When snapshots are taken on a schedule. Each solution has a place of its own in the hour, which follows from its id, so that a machine's load
//! is even and a solution's snapshots come at the same minute. Pure: it is told the time.

use crate::backup::schedule::Window;
use crate::store::snapshot_schedule::{DueRow, ScheduleRow};
use husorden_base::SolutionId;
use husorden_kinds::window::DAYS;
use husorden_wire::api::SnapshotEvery;
use jiff::civil::Weekday;
use jiff::{SignedDuration, Timestamp};

const HOUR_S: i64 = 3600;

/// The times of a schedule.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slots<'a> {
    pub(crate) every: SnapshotEvery,
    /// Hour of the day.
    pub(crate) hour: u8,
    /// Day of the week, by its word.
    pub(crate) day: &'a str,
    /// The time zone.
    pub(crate) zone: &'a str,
}

impl<'a> From<&'a ScheduleRow> for Slots<'a> {
    fn from(row: &'a ScheduleRow) -> Self {
        Self { every: row.every, hour: row.hour, day: &row.day, zone: &row.zone }
    }
}

impl<'a> From<&'a DueRow> for Slots<'a> {
    fn from(row: &'a DueRow) -> Self {
        Self { every: row.every, hour: row.hour, day: &row.day, zone: &row.zone }
    }
}

/// The day of the week that a word names.
pub(crate) fn day(word: &str) -> Option<Weekday> {
    DAYS.iter().find(|(name, _)| *name == word).map(|(_, day)| *day)
}

impl Slots<'_> {
    /// The solution's first time after this one; none where none are taken.
    pub(crate) fn next(self, solution: SolutionId, after: Timestamp) -> Option<Timestamp> {
        let window = Window { hour: self.hour, hours: 1, zone: self.zone };
        match self.every {
            SnapshotEvery::Off => None,
            SnapshotEvery::Hourly => Some(hourly(window.place(solution), after)),
            SnapshotEvery::Daily => Some(window.next(solution, after)),
            SnapshotEvery::Weekly => {
                let wanted = day(self.day).unwrap_or(Weekday::Sunday);
                Some(window.next_on(|found| found == wanted, solution, after))
            }
        }
    }
}

/// The hours follow each other evenly whatever clocks do, so no time zone is asked.
fn hourly(place: SignedDuration, after: Timestamp) -> Timestamp {
    let begun = (after.as_second() - place.as_secs()).div_euclid(HOUR_S);
    Timestamp::from_second((begun + 1) * HOUR_S + place.as_secs()).unwrap_or(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn slots(every: SnapshotEvery, hour: u8) -> Slots<'static> {
        Slots { every, hour, day: "sunday", zone: "Europe/Copenhagen" }
    }

    fn place(id: SolutionId) -> SignedDuration {
        Window { hour: 0, hours: 1, zone: "UTC" }.place(id)
    }

    #[test]
    fn the_next_one_is_at_its_hour_in_its_zone_also_when_clocks_change() {
        let id = SolutionId::new();
        use SnapshotEvery::{Daily, Weekly};
        for (slots, after, hour_begins) in [
            (slots(Daily, 3), "2026-01-10T12:00:00Z", "2026-01-11T02:00:00Z"),
            (slots(Daily, 3), "2026-07-10T12:00:00Z", "2026-07-11T01:00:00Z"),
            // The night in which two o'clock is leapt over, and the night that has it twice: one in each.
            (slots(Daily, 2), "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z"),
            (slots(Daily, 2), "2026-03-29T02:30:00Z", "2026-03-30T00:00:00Z"),
            (slots(Daily, 2), "2026-10-24T12:00:00Z", "2026-10-25T00:00:00Z"),
            (slots(Daily, 2), "2026-10-25T01:30:00Z", "2026-10-26T01:00:00Z"),
            // A Saturday; Sundays alone, before and after summer time ends on one.
            (slots(Weekly, 3), "2026-10-17T12:00:00Z", "2026-10-18T01:00:00Z"),
            (slots(Weekly, 3), "2026-10-18T12:00:00Z", "2026-10-25T02:00:00Z"),
            (slots(Weekly, 3), "2026-10-25T12:00:00Z", "2026-11-01T02:00:00Z"),
            // In the last hour of a day, whose Sunday is UTC's Saturday in the east.
            (Slots { zone: "Pacific/Auckland", ..slots(Weekly, 0) }, "2026-01-09T12:00:00Z", "2026-01-10T11:00:00Z"),
            (Slots { zone: "Nowhere/Else", ..slots(Daily, 3) }, "2026-01-10T12:00:00Z", "2026-01-11T03:00:00Z"),
        ] {
            assert_eq!(slots.next(id, at(after)), Some(at(hour_begins) + place(id)), "{slots:?} after {after}");
        }
        assert_eq!(slots(SnapshotEvery::Off, 3).next(id, at("2026-01-10T12:00:00Z")), None);
    }

    #[test]
    fn hours_follow_each_other_and_what_was_missed_does_not_come_again() {
        let id = SolutionId::new();
        let hourly = |after| slots(SnapshotEvery::Hourly, 9).next(id, after).expect("there is one");
        let mut now = at("2026-03-28T22:00:00Z");
        let first = hourly(now);
        assert!(first > now && first <= now + SignedDuration::from_hours(1), "{first}");
        for passed in 0..6 {
            let next = hourly(now);
            assert_eq!(next, first + SignedDuration::from_hours(passed), "through the night that leaps an hour");
            assert_eq!(hourly(next - SignedDuration::from_secs(1)), next);
            now = next;
        }
        // Away for half a day: one next, not twelve.
        let late = now + SignedDuration::from_mins(12 * 60 + 1);
        let next = hourly(late);
        assert!(next > late && next <= late + SignedDuration::from_hours(1), "{next}");
    }

    #[test]
    fn each_step_of_a_schedule_is_one_slot() {
        let id = SolutionId::new();
        for (every, days) in [(SnapshotEvery::Daily, 1), (SnapshotEvery::Weekly, 7)] {
            let mut now = at("2026-02-01T00:00:00Z");
            let mut seen = 0;
            while now < at("2027-02-01T00:00:00Z") {
                let next = slots(every, 2).next(id, now).expect("there is one");
                let apart = next.duration_since(now).as_hours();
                if seen > 0 {
                    // A day or a week, but for the hour that clocks are moved.
                    assert!((days * 24 - 1..=days * 24 + 1).contains(&apart), "{now} to {next}");
                }
                (now, seen) = (next, seen + 1);
            }
            assert!((365 / days..=365 / days + 2).contains(&seen), "{seen}");
        }
    }
}
