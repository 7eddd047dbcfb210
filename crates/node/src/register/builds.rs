//! What solutions run on, as the register keeps it, and who tries a new build first.

use super::{BUILDS, Error, Register, store, text};
use husorden_base::{RuntimeName, SnapshotId, SolutionId};
use husorden_kinds::builds::Stage;
use husorden_kinds::{Builds, Move};
use jiff::Timestamp;
use redb::Durability;
use std::collections::BTreeSet;

/// Solutions that may find, one after the other, that a build does not hold before nobody tries it by the clock any more.
const REFUSALS_MAX: usize = 3;

impl Register {
    /// What a solution runs on.
    #[must_use]
    pub(crate) fn builds(&self, solution: SolutionId) -> Builds {
        self.memory().builds.get(&solution).cloned().unwrap_or_default()
    }

    /// The build that a solution's services on a runtime are to run on.
    #[must_use]
    pub(crate) fn pinned(&self, solution: SolutionId, runtime: &RuntimeName) -> Option<String> {
        self.memory().builds.get(&solution)?.pinned(runtime).map(str::to_owned)
    }

    /// Changes what a solution runs on. A first pin is not synced by itself: after a crash the next look finds what runs, or the
    /// newest. Everything else survives everything when this returns.
    ///
    /// # Errors
    /// When it can't be written.
    pub(crate) fn make_move(&self, solution: SolutionId, step: &Move) -> Result<(), Error> {
        let durability = match step {
            Move::Pin { .. } | Move::Leave { .. } => Durability::None,
            _ => Durability::Immediate,
        };
        self.change_builds(solution, durability, |builds| {
            builds.make(step, Timestamp::now(), SnapshotId::new());
        })
    }

    /// Notes that somebody asks for the newest builds, whatever the time; or that nobody does any more.
    ///
    /// # Errors
    /// When it can't be written.
    pub(crate) fn ask_for_newest(&self, solution: SolutionId, asked: bool) -> Result<(), Error> {
        self.change_builds(solution, Durability::Immediate, |builds| builds.asked = asked)
    }

    fn change_builds(
        &self,
        solution: SolutionId,
        durability: Durability,
        change: impl FnOnce(&mut Builds),
    ) -> Result<(), Error> {
        let _turn = self.turns.take();
        let mut builds = self.builds(solution);
        change(&mut builds);
        let row = text(&builds)?;
        self.write(durability, |transaction| {
            let mut table = transaction.open_table(BUILDS).map_err(store)?;
            table.insert(solution.0.as_u128(), row.as_slice()).map_err(store)?;
            Ok(())
        })?;
        self.memory().builds.insert(solution, builds);
        Ok(())
    }

    /// Builds that some solution runs on, or goes back to if an update does not hold.
    #[must_use]
    pub(crate) fn pinned_builds(&self) -> BTreeSet<(RuntimeName, String)> {
        let memory = self.memory();
        let mut pinned = BTreeSet::new();
        for builds in memory.builds.values() {
            pinned.extend(builds.pins.iter().map(|(name, pin)| (name.clone(), pin.build.clone())));
            if let Some(update) = &builds.update {
                pinned.insert((update.runtime.clone(), update.from.clone()));
                pinned.insert((update.runtime.clone(), update.to.clone()));
            }
        }
        pinned
    }

    /// Whether a solution waits with a build until another has found that it holds: one is trying it at this moment, or several
    /// found, one after the other, that it does not.
    #[must_use]
    pub(crate) fn waits_with(&self, solution: SolutionId, runtime: &RuntimeName, build: &str) -> bool {
        let memory = self.memory();
        let (mut trying, mut refusals) = (false, 0);
        for (other, builds) in &memory.builds {
            if builds.pins.get(runtime).is_some_and(|pin| pin.proved && pin.build == build) {
                return false;
            }
            let tries = builds.update.as_ref().is_some_and(|update| {
                let undecided = matches!(update.stage, Stage::Begun | Stage::Trying);
                undecided && update.runtime == *runtime && update.to == build
            });
            trying |= tries && *other != solution;
            refusals += usize::from(builds.refused.get(runtime).is_some_and(|refused| refused.build == build));
        }
        trying || refusals >= REFUSALS_MAX
    }
}
