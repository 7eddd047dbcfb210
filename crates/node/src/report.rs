//! What the node reports of each solution, said until control has noted it.

use husorden_base::SolutionId;
use husorden_wire::node::Seen;
use jiff::Timestamp;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// A use of the disk that changed by less than this is no news, in bytes.
const USAGE_NEWS_BYTES: u64 = 1 << 20;

#[derive(Default)]
struct Kept {
    reports: HashMap<SolutionId, (Seen, bool)>,
    last: u64,
}

/// The newest report of each solution, and whether control has noted it.
#[derive(Default)]
pub(crate) struct Reports {
    kept: Mutex<Kept>,
}

impl Reports {
    /// Keeps a report if it says anything new; returns it with its number then.
    pub(crate) fn news(&self, mut seen: Seen) -> Option<Seen> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((old, _)) = kept.reports.get(&seen.solution) {
            let same_usage = match (&old.usage, &seen.usage) {
                (Some(old), Some(new)) => {
                    (old.limit, old.full) == (new.limit, new.full)
                        && old.live.abs_diff(new.live) < USAGE_NEWS_BYTES
                        && old.snapshots.abs_diff(new.snapshots) < USAGE_NEWS_BYTES
                }
                (None, None) => true,
                (Some(_), None) | (None, Some(_)) => false,
            };
            let comparable = Seen { report: seen.report, at: seen.at, usage: seen.usage, ..old.clone() };
            if same_usage && comparable == seen {
                return None;
            }
        }
        // Numbers start at the clock, so that a restarted node's are above those it gave before.
        kept.last = (kept.last + 1).max(u64::try_from(Timestamp::now().as_microsecond()).unwrap_or(0));
        seen.report = kept.last;
        kept.reports.insert(seen.solution, (seen.clone(), false));
        Some(seen)
    }

    /// The newest report of a solution as one of a measure, said before that counts as in force: what was seen before it says nothing of after it.
    pub(crate) fn closed(&self, solution: SolutionId) -> Option<Seen> {
        let seen = self.kept.lock().unwrap_or_else(PoisonError::into_inner).reports.get(&solution)?.0.clone();
        self.news(Seen { closed: true, ..seen })
    }

    /// Control has noted a report.
    pub(crate) fn noted(&self, solution: SolutionId, report: u64) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((seen, noted)) = kept.reports.get_mut(&solution)
            && seen.report == report
        {
            *noted = true;
        }
    }

    /// Everything, for a control that has just come back and may be another.
    pub(crate) fn all(&self) -> Vec<Seen> {
        self.kept
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .reports
            .values()
            .map(|(seen, _)| seen.clone())
            .collect()
    }

    /// A solution of which nothing is left.
    pub(crate) fn forget(&self, solution: SolutionId) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).reports.remove(&solution);
    }
}
