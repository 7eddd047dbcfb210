//! Which backup at which target was made of which snapshot of a volume, as the register keeps it: that snapshot stays until the next backup there is
//! acknowledged, and tells what has changed.

use super::{COPIES, Error, Register, parse, store, text};
use husorden_base::{SnapshotId, SolutionId, TargetId};
use jiff::Timestamp;
use redb::{Durability, ReadableDatabase};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The newest backup of a solution at a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Copy {
    /// Its name in the repository.
    pub(crate) copy: String,
    /// The volume's snapshot it was made of.
    pub(crate) snapshot: SnapshotId,
    /// When that was taken.
    pub(crate) taken: Timestamp,
    /// Bytes of its files.
    pub(crate) bytes: u64,
}

impl Register {
    /// The newest backup of a solution at each target.
    ///
    /// # Errors
    /// When it can't be read.
    pub(crate) fn copies(&self, solution: SolutionId) -> Result<BTreeMap<TargetId, Copy>, Error> {
        let read = self.database.begin_read().map_err(store)?;
        let row = read.open_table(COPIES).map_err(store)?;
        let row = row.get(solution.0.as_u128()).map_err(store)?;
        row.map_or_else(|| Ok(BTreeMap::new()), |row| parse(row.value()))
    }

    /// Keeps them, in the place of what was kept. When this returns it survives everything.
    ///
    /// # Errors
    /// When they can't be written.
    pub(crate) fn keep_copies(&self, solution: SolutionId, copies: &BTreeMap<TargetId, Copy>) -> Result<(), Error> {
        let row = text(copies)?;
        let _turn = self.turns.take();
        self.write(Durability::Immediate, |transaction| {
            let mut table = transaction.open_table(COPIES).map_err(store)?;
            table.insert(solution.0.as_u128(), row.as_slice()).map_err(store)?;
            Ok(())
        })
    }
}
