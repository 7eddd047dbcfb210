//! The node's own lines of evidence: written before an act and after it, each carrying the hash of the one before, and kept
//! until control has them.

use super::{CHAIN, EVIDENCE, Error, META, Register, parse, store, text};
use husorden_base::SolutionId;
use husorden_evidence::chain;
use husorden_wire::node::EvidenceLine;
use jiff::Timestamp;
use redb::{Durability, ReadableDatabase};
use serde_json::Value;

/// Lines of evidence kept while control is away. At one act a second that is more than a week.
const EVIDENCE_LINES_MAX: u64 = 1_000_000;

impl Register {
    /// Writes a line of evidence before it returns it.
    ///
    /// # Errors
    /// When it can't be written; the act it stands for must not be begun then.
    pub(crate) fn witness(
        &self,
        act: &str,
        solution: Option<SolutionId>,
        detail: Value,
    ) -> Result<EvidenceLine, Error> {
        let _turn = self.turns.take();
        let (serial, previous) = {
            let memory = self.memory();
            (memory.meta.get("evidence").copied().unwrap_or(0) + 1, memory.chain)
        };
        let at = Timestamp::now();
        let hash = chain::link(serial, at, act, solution.map(|id| id.to_string()).as_deref(), &detail, previous);
        let previous = previous.map(|hash| hash.to_string());
        let line = EvidenceLine { serial, at, act: act.to_owned(), solution, detail, previous };
        let row = text(&line)?;
        self.write(Durability::Immediate, |transaction| {
            let mut table = transaction.open_table(EVIDENCE).map_err(store)?;
            table.insert(serial, row.as_slice()).map_err(store)?;
            if serial > EVIDENCE_LINES_MAX {
                table.remove(serial - EVIDENCE_LINES_MAX).map_err(store)?;
            }
            transaction.open_table(META).map_err(store)?.insert("evidence", serial).map_err(store)?;
            transaction.open_table(CHAIN).map_err(store)?.insert("evidence", hash.0.as_slice()).map_err(store)?;
            Ok(())
        })?;
        let mut memory = self.memory();
        memory.meta.insert("evidence".to_owned(), serial);
        memory.chain = Some(hash);
        Ok(line)
    }

    /// Lines of evidence that control has not kept yet and that come after this one, oldest first.
    ///
    /// # Errors
    /// When they can't be read.
    pub(crate) fn evidence(&self, after: u64, lines_max: usize) -> Result<Vec<EvidenceLine>, Error> {
        let read = self.database.begin_read().map_err(store)?;
        let table = read.open_table(EVIDENCE).map_err(store)?;
        let mut lines = Vec::new();
        for row in table.range(after + 1..).map_err(store)?.take(lines_max) {
            lines.push(parse(row.map_err(store)?.1.value())?);
        }
        Ok(lines)
    }

    /// Control has kept the lines up to this one.
    ///
    /// # Errors
    /// When it can't be written.
    pub(crate) fn evidence_kept(&self, serial: u64) -> Result<(), Error> {
        let _turn = self.turns.take();
        self.write(Durability::None, |transaction| {
            transaction.open_table(EVIDENCE).map_err(store)?.retain_in(..=serial, |_, _| false).map_err(store)?;
            Ok(())
        })
    }
}
