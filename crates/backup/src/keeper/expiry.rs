//! Which backups are kept: grandfather, father, son, by when the target's side first saw each.
//!
//! The rule that keeps a thief from pushing good backups out: *what comes later never takes the place of what came earlier in the same day,
//! week or month*. Ten thousand backups written today fill today's places and no others. Days, weeks and months are counted where there
//! are backups, so that a solution nobody writes to any more keeps its last ones.

use crate::id::Id;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use std::collections::{BTreeMap, HashSet};

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Everything this young is kept, whatever else.
    pub hours_all: u16,
    /// Days with backups of which the first few are kept.
    pub days: u16,
    /// Backups of one day that can be kept beyond `hours_all`.
    pub per_day_max: u16,
    /// Weeks with backups of which the first is kept.
    pub weeks: u16,
    /// Months with backups of which the first is kept.
    pub months: u16,
}

impl Policy {
    /// That of a log's repository. Each snapshot there names what the one before does and more, and nothing may be pushed out of it: it goes by age
    /// alone, a day later than nodes let it go, so that what they still name is there.
    #[must_use]
    pub const fn of_log() -> Self {
        Self { hours_all: 15 * 24, days: 0, per_day_max: 0, weeks: 0, months: 0 }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self { hours_all: 48, days: 14, per_day_max: 4, weeks: 8, months: 12 }
    }
}

/// A backup as the target's side knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Which.
    pub id: Id,
    /// When it was first seen.
    pub received: Timestamp,
    /// Whether a legal hold is on it.
    pub held: bool,
}

/// Why a backup is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// Nothing of this solution may be touched.
    Sealed,
    /// A legal hold is on it.
    Held,
    /// It is the last one that was proven.
    Proven,
    /// It is young.
    Young,
    /// One of its day.
    Day,
    /// The first of its week.
    Week,
    /// The first of its month.
    Month,
}

/// A backup that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Which.
    pub id: Id,
    /// The strongest reason.
    pub reason: Reason,
}

/// What is to be done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// What stays, oldest first.
    pub keep: Vec<Kept>,
    /// What goes, oldest first.
    pub expire: Vec<Id>,
}

/// Decides. `proven` are the last backups that a proof found good, by this side's word and by control's; with `sealed` nothing goes.
#[must_use]
pub fn expire(backups: &[Seen], policy: &Policy, now: Timestamp, proven: &[Id], sealed: bool) -> Plan {
    let mut backups = backups.to_vec();
    backups.sort_by_key(|seen| (seen.received, seen.id));
    let young = now.checked_sub(SignedDuration::from_hours(i64::from(policy.hours_all))).unwrap_or(Timestamp::MIN);
    let day = |seen: &Seen| seen.received.to_zoned(TimeZone::UTC).date();
    let days = first(&backups, |seen| day(seen).to_string(), policy.days, policy.per_day_max);
    let week = |seen: &Seen| format!("{:04}-{:02}", day(seen).iso_week_date().year(), day(seen).iso_week_date().week());
    let weeks = first(&backups, week, policy.weeks, 1);
    let months = first(&backups, |seen| format!("{:04}-{:02}", day(seen).year(), day(seen).month()), policy.months, 1);
    let mut plan = Plan::default();
    for seen in &backups {
        let reasons = [
            (sealed, Reason::Sealed),
            (seen.held, Reason::Held),
            (proven.contains(&seen.id), Reason::Proven),
            (seen.received > young, Reason::Young),
            (days.contains(&seen.id), Reason::Day),
            (weeks.contains(&seen.id), Reason::Week),
            (months.contains(&seen.id), Reason::Month),
        ];
        match reasons.iter().find(|(holds, _)| *holds) {
            Some((_, reason)) => plan.keep.push(Kept { id: seen.id, reason: *reason }),
            None => plan.expire.push(seen.id),
        }
    }
    plan
}

/// The first `each` of the newest `buckets` buckets.
fn first(backups: &[Seen], bucket: impl Fn(&Seen) -> String, buckets: u16, each: u16) -> HashSet<Id> {
    let mut filled: BTreeMap<String, Vec<Id>> = BTreeMap::new();
    for seen in backups {
        let bucket = filled.entry(bucket(seen)).or_default();
        if bucket.len() < usize::from(each) {
            bucket.push(seen.id);
        }
    }
    filled.into_values().rev().take(usize::from(buckets)).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u64) -> Id {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        Id(bytes)
    }

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn daily(from: &str, days: u64) -> Vec<Seen> {
        let hours = |day: u64| SignedDuration::from_hours(i64::try_from(day * 24).expect("small"));
        (0..days).map(|day| Seen { id: id(day), received: at(from) + hours(day), held: false }).collect()
    }

    #[test]
    fn a_year_of_days_leaves_days_weeks_and_months() {
        let backups = daily("2026-01-01T02:00:00Z", 365);
        let plan = expire(&backups, &Policy::default(), at("2026-12-31T03:00:00Z"), &[], false);
        let count = |reason| plan.keep.iter().filter(|kept| kept.reason == reason).count();
        assert_eq!(count(Reason::Young) + count(Reason::Day), 14);
        // Two of eight weeks lie within the days; some firsts of months are firsts of weeks.
        assert!((20..=34).contains(&plan.keep.len()), "{}", plan.keep.len());
        assert_eq!(plan.keep.len() + plan.expire.len(), 365);
        assert!(plan.keep.iter().any(|kept| kept.id == id(0)), "the first of January");
        // What was kept yesterday for its week or month is kept tomorrow too: expiring twice takes no more.
        let left: Vec<Seen> =
            backups.iter().filter(|seen| plan.keep.iter().any(|kept| kept.id == seen.id)).copied().collect();
        assert!(expire(&left, &Policy::default(), at("2026-12-31T03:00:00Z"), &[], false).expire.is_empty());
    }

    #[test]
    fn ten_thousand_poisoned_backups_push_nothing_out() {
        let good = daily("2026-01-01T02:00:00Z", 120);
        let now = at("2026-05-01T02:30:00Z");
        let before = expire(&good, &Policy::default(), now, &[id(100)], false);
        let poison = (0..10_000).map(|number| Seen { id: id(1_000_000 + number), received: now, held: false });
        let all: Vec<Seen> = good.iter().copied().chain(poison).collect();
        for (hours, young) in [(0, true), (24 * 3, false)] {
            let then = now + SignedDuration::from_hours(hours);
            let after = expire(&all, &Policy::default(), then, &[id(100)], false);
            let lost: Vec<_> =
                before.keep.iter().filter(|kept| !after.keep.iter().any(|still| still.id == kept.id)).collect();
            // One day more has backups, so the oldest day ends as it would have with one honest backup.
            assert!(lost.len() <= 1, "{lost:?}");
            let poisoned = after.keep.iter().filter(|kept| kept.id >= id(1_000_000)).count();
            assert_eq!(poisoned > 100, young, "{poisoned}");
            assert!(young || poisoned <= usize::from(Policy::default().per_day_max) + 1);
        }
    }

    #[test]
    fn a_log_goes_by_age_alone() {
        let now = at("2026-05-01T00:00:00Z");
        let each = (0..20 * 24).map(|hour| Seen {
            id: id(hour),
            received: now - SignedDuration::from_hours(i64::try_from(hour).expect("small")),
            held: false,
        });
        let mut all: Vec<Seen> = each.collect();
        let good = all.len();
        all.extend((0..10_000).map(|number| Seen { id: id(1_000_000 + number), received: now, held: false }));
        let plan = expire(&all, &Policy::of_log(), now, &[], false);
        assert_eq!(plan.expire.len(), 5 * 24, "what is older than fifteen days");
        assert!(plan.expire.iter().all(|gone| *gone < id(good as u64)) && plan.keep.len() == 10_000 + 15 * 24);
    }

    #[test]
    fn holds_proofs_seals_and_silence_keep() {
        let mut backups = daily("2026-01-01T02:00:00Z", 120);
        backups[3].held = true;
        let now = at("2026-05-02T02:00:00Z");
        let plan = expire(&backups, &Policy::default(), now, &[id(5)], false);
        let reason = |wanted: u64| plan.keep.iter().find(|kept| kept.id == id(wanted)).map(|kept| kept.reason);
        assert_eq!((reason(3), reason(5), reason(6)), (Some(Reason::Held), Some(Reason::Proven), None));
        assert!(expire(&backups, &Policy::default(), now, &[], true).expire.is_empty(), "sealed");
        // Ten years without a backup: the last ones are still there.
        let later = expire(&backups, &Policy::default(), at("2036-05-02T02:00:00Z"), &[], false);
        assert!(later.keep.iter().filter(|kept| kept.reason == Reason::Day).count() == 14);
    }
}
