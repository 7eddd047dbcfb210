//! Which seconds of a solution can be had from where its backups lie: from a backup that the log there goes on from, to what has arrived. Pure.

use crate::state::told;
use crate::store::solution::SolutionView;
use husorden_base::{BackupId, Language, TargetId, Text};
use husorden_kinds::{Finding, Severity};
use husorden_wire::api;
use husorden_wire::node::LogAway;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

/// Seconds after a backup was taken from which on it is one to begin from: its snapshot was taken at an instant within them.
const BASE_S: i64 = 3;
/// Seconds after which a node that says nothing says nothing about now.
const SILENCE_S_MAX: i64 = 30;
/// Seconds that a log may be behind before its owner is told.
const LATE_S_MAX: i64 = 15 * 60;

/// A backup with where the log stood then.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Base {
    pub(crate) backup: BackupId,
    target: TargetId,
    taken: Timestamp,
    line: u64,
    next: u64,
}

impl Base {
    fn from(&self) -> Timestamp {
        self.taken.checked_add(SignedDuration::from_secs(BASE_S)).unwrap_or(self.taken)
    }
}

/// From when to when, and what it begins from.
pub(crate) struct Window<'a> {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    /// Up to here it is not behind.
    known: Timestamp,
    pub(crate) away: &'a LogAway,
    bases: Vec<&'a Base>,
}

impl Window<'_> {
    /// The newest backup from before a time.
    pub(crate) fn base(&self, at: Timestamp) -> Option<&Base> {
        self.bases.iter().copied().filter(|base| base.from() <= at).max_by_key(|base| base.from())
    }
}

/// What can be had of a solution, as its node said last. None where nothing can be, or not yet.
pub(crate) fn window(view: &SolutionView) -> Option<Window<'_>> {
    let away = view.seen.as_ref()?.away.as_ref()?;
    let heard = view.heard.unwrap_or(view.now).min(view.now);
    let fresh = view.now.duration_since(heard) <= SignedDuration::from_secs(SILENCE_S_MAX);
    // What a node says of now holds for when it was last heard.
    of(away, &view.backups.as_ref()?.bases, if fresh { view.now } else { heard }, told(view))
}

fn of<'a>(away: &'a LogAway, bases: &'a [Base], now: Timestamp, told: Timestamp) -> Option<Window<'a>> {
    let fits = |base: &&Base| {
        base.target == away.target && base.line == away.line && (away.first..=away.next).contains(&base.next)
    };
    let bases: Vec<&Base> = bases.iter().filter(fits).collect();
    let from = bases.iter().map(|base| base.from()).min()?;
    let to = away.to.unwrap_or(told);
    // What lies there does not reach the end of the backup yet: of those seconds it has only what the backup happened to see.
    (from <= to).then(|| Window { from, to, known: away.to.unwrap_or(now), away, bases })
}

/// The same, as the API shows it.
pub(crate) fn shown(view: &SolutionView, language: Language) -> Option<api::LogAway> {
    let window = window(view)?;
    Some(api::LogAway {
        from: window.from,
        to: window.to,
        behind_s: u64::try_from(view.now.duration_since(window.known).as_secs()).unwrap_or(0),
        message: window.away.trouble.as_ref().map(|text| text.get(language).to_owned()),
    })
}

/// That what is written does not leave the machine.
pub(crate) fn finding(view: &SolutionView) -> Option<Finding> {
    let away = view.seen.as_ref()?.away.as_ref()?;
    // Where nothing with a time has left it yet, it has not since it was made.
    let since = away
        .to
        .map(|to| to.max(view.created))
        .filter(|to| view.now.duration_since(*to) > SignedDuration::from_secs(LATE_S_MAX))?;
    let trouble = away.trouble.as_ref()?;
    let time = since.strftime("%Y-%m-%d %H:%M UTC");
    Some(Finding {
        name: "log-late",
        severity: Severity::Danger,
        title: Text::new(
            format!("Loggen er ikke nået ud af maskinen siden {time}"),
            format!("The log has not left the machine since {time}"),
        ),
        advice: Text::new(
            format!("{}. Det prøves igen; går maskinen tabt nu, mangler det, der er skrevet siden.", trouble.da),
            format!(
                "{}. It is tried again; were the machine lost now, what was written since would be missing.",
                trouble.en
            ),
        ),
        until: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    fn base(target: u128, taken: i64, line: u64, next: u64) -> Base {
        let id = |number| uuid::Uuid::from_u128(number);
        Base { backup: BackupId(id(u128::from(next))), target: TargetId(id(target)), taken: time(taken), line, next }
    }

    #[test]
    fn only_backups_that_the_log_there_goes_on_from_are_begun_from() {
        let away = |to: Option<i64>| LogAway {
            target: TargetId(uuid::Uuid::from_u128(1)),
            copy: "c".to_owned(),
            line: 2,
            first: 10,
            next: 20,
            to: to.map(time),
            trouble: None,
        };
        let check = |bases: &[Base], to, expected: Option<(i64, i64)>| {
            let away = away(to);
            let found = of(&away, bases, time(9_000), time(8_990));
            assert_eq!(found.map(|window| (window.from.as_second(), window.to.as_second())), expected, "{bases:?}");
        };
        check(&[], None, None);
        check(&[base(2, 100, 2, 12), base(1, 100, 1, 12), base(1, 100, 2, 9), base(1, 100, 2, 21)], None, None);
        check(&[base(1, 100, 2, 10)], None, Some((103, 8_990)));
        check(&[base(1, 100, 2, 20)], Some(500), Some((103, 500)));
        check(&[base(1, 497, 2, 20)], Some(500), Some((500, 500)));
        // What was written while the backup was taken, or after it, has not arrived.
        check(&[base(1, 498, 2, 20)], Some(500), None);
        check(&[base(1, 8_988, 2, 20)], None, None);
        let bases = [base(1, 100, 2, 10), base(1, 200, 2, 15), base(1, 300, 1, 16)];
        let there = away(None);
        let window = of(&there, &bases, time(9_000), time(8_990)).expect("a window");
        let begins = |at| window.base(time(at)).map(|base| base.next);
        assert_eq!((begins(102), begins(103), begins(202), begins(400)), (None, Some(10), Some(10), Some(15)));
    }
}
