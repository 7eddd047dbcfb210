//! What a verifier concludes: what holds, what does not, and for how long the log stood unprotected.

use super::{Finding, Verifier};
use crate::export::Header;
use jiff::Timestamp;
use serde::Serialize;

/// The outcome.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What the export said of itself.
    pub header: Header,
    /// Leaves that were looked at.
    pub leaves: u64,
    /// Hidden values that were erased, by a line that says so.
    pub erased: u64,
    /// Outside checkpoints whose signature holds, and how many of them the tree agrees with.
    pub outside: u64,
    /// Those among them that the tree agrees with.
    pub outside_agreed: u64,
    /// Those that are younger than the export, and say nothing of it.
    pub outside_younger: u64,
    /// Those that the export has no proof for.
    pub outside_unproved: u64,
    /// Up to this leaf, and at this time, an outside checkpoint stands for the log.
    pub protected: Option<(u64, Timestamp)>,
    /// From then on none does.
    pub unprotected_since: Option<Timestamp>,
    /// Seconds from then to the export.
    pub unprotected_s: u64,
    /// The keys were taken from the export itself: they show who signed only if they are compared with ones from elsewhere.
    pub key_from_export: bool,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// Findings beyond those listed.
    pub more: u64,
}

impl Report {
    /// Nothing was found wrong.
    #[must_use]
    pub const fn holds(&self) -> bool {
        self.findings.is_empty()
    }
}

impl Verifier {
    pub(super) fn judge(mut self, erased: u64, key_from_export: bool) -> Report {
        let made = self.header.made;
        // What is younger than the export can't be judged by it; what is older and larger was cut off.
        let younger = |at: Timestamp, size: u64| size > self.header.size && at > made;
        let larger = self.known.iter().find(|k| k.checkpoint.size > self.header.size && k.checkpoint.at <= made);
        if let Some(known) = larger {
            let finding =
                Finding::Shrunk { size: known.checkpoint.size, at: known.checkpoint.at, now: self.header.size };
            self.findings.push(finding);
        }
        let outside = || self.known.iter().filter(|known| known.outside);
        let count = |test: &dyn Fn(&super::Known) -> bool| outside().filter(|known| test(known)).count() as u64;
        let outside_younger = count(&|k| younger(k.checkpoint.at, k.checkpoint.size));
        let outside_agreed = count(&|k| k.holds == Some(true));
        let outside_unproved = count(&|k| k.holds.is_none() && k.checkpoint.size <= self.header.size);

        let bad = |outside: bool| {
            self.known
                .iter()
                .filter(move |k| k.outside == outside && k.holds == Some(false))
                .map(|k| &k.checkpoint)
                .min_by_key(|c| c.size)
        };
        let limit = bad(true).map_or(u64::MAX, |bad| bad.size);
        // Sizes grow and what is changed stays changed: an outside checkpoint that holds after one that does not is chance.
        let good =
            outside().filter(|k| k.holds == Some(true) && k.checkpoint.size < limit).max_by_key(|k| k.checkpoint.at);
        let protected = good.map(|known| (known.checkpoint.size, known.checkpoint.at));
        let rewritten =
            bad(true).map(|bad| (bad, true)).or_else(|| bad(false).map(|bad| (bad, false))).map(|(bad, outside)| {
                let from = protected.map_or(0, |(size, _)| size).min(bad.size);
                let mut lines =
                    self.since.iter().filter(|(index, _)| (from..bad.size).contains(index)).map(|(_, line)| *line);
                let first = lines.next();
                let lines =
                    first.map(|first| lines.fold((first, first), |(low, high), line| (low.min(line), high.max(line))));
                Finding::Rewritten {
                    from,
                    to: bad.size,
                    lines,
                    since: protected.map(|(_, at)| at),
                    until: bad.at,
                    outside,
                }
            });
        let count_outside = outside().count() as u64;
        self.findings.splice(0..0, rewritten);
        let unprotected_since = protected.map(|(_, at)| at).or(self.first);
        let unprotected_s =
            unprotected_since.map_or(0, |since| made.duration_since(since).as_secs().max(0).unsigned_abs());
        Report {
            header: self.header,
            leaves: self.leaves,
            erased,
            outside: count_outside,
            outside_agreed,
            outside_younger,
            outside_unproved,
            protected,
            unprotected_since,
            unprotected_s,
            key_from_export,
            findings: self.findings,
            more: self.more,
        }
    }
}
