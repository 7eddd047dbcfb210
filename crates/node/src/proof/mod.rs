//! Proofs: a backup is put back on a volume of its own, opened by its engines in sandboxes without network, and compared with what was noted
//! when it was written.
//!
//! ```text
//! repository ──check──▶ ──restore──▶ volume of nobody ──services, looks──▶ what it says ──compare──▶ Proven
//!                                       └──────────── destroyed, whatever happened ───────────┘
//! ```
//!
//! One proof runs at a time, for all use one number: its volume, its uid and its sandboxes are nobody's. What a node that died left of it is
//! swept before the next node works. A second bench is for whoever wants one part of a backup back.

mod bench;
mod compare;
mod looks;
mod noting;
mod ordered;
mod pressure;
mod prove;

pub(crate) use bench::Bench;
#[cfg(test)]
pub(crate) use bench::compared;
pub(crate) use bench::sweep;
pub(crate) use looks::{Mute, look};
pub(crate) use noting::noted;
pub(crate) use ordered::ordered;
pub(crate) use prove::{Asked, prove, wish as as_it_was};

use crate::nobody::Nobody;
use husorden_base::{Number, SnapshotId};
use husorden_wire::node::Wish;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The number that proofs use.
pub(crate) fn number() -> Number {
    Nobody::Proof.number()
}

/// What is being proven, and noted, now.
#[derive(Default)]
pub(crate) struct Proofs {
    /// Held while one is under way.
    turn: Mutex<()>,
    /// Held while a backup is opened for a part of it.
    parts: Mutex<()>,
    /// Solutions as they are opened, under the numbers of benches.
    opened: Mutex<BTreeMap<Number, Wish>>,
    /// The snapshots that are being noted, or packed.
    noting: Arc<Mutex<BTreeMap<Number, SnapshotId>>>,
}

/// While it lives, the snapshot is visible to the tasks that look at it.
pub(crate) struct Noted {
    noting: Arc<Mutex<BTreeMap<Number, SnapshotId>>>,
    number: Number,
}

impl Drop for Noted {
    fn drop(&mut self) {
        self.noting.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.number);
    }
}

/// A bench for oneself, while it lives.
pub(crate) struct Turn<'a> {
    number: Number,
    _held: MutexGuard<'a, ()>,
}

impl Proofs {
    /// The next proof waits for the one before.
    pub(crate) fn turn(&self) -> Turn<'_> {
        Turn { number: number(), _held: self.turn.lock().unwrap_or_else(PoisonError::into_inner) }
    }

    /// The next who wants a part of a backup waits for the one before.
    pub(crate) fn turn_for_a_part(&self) -> Turn<'_> {
        Turn { number: Nobody::Part.number(), _held: self.parts.lock().unwrap_or_else(PoisonError::into_inner) }
    }

    fn opened(&self) -> MutexGuard<'_, BTreeMap<Number, Wish>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What stands under the number of a bench, if it is that.
    pub(crate) fn wish(&self, number: Number) -> Option<Wish> {
        self.opened().get(&number).cloned()
    }

    pub(crate) fn note(&self, number: Number, snapshot: SnapshotId) -> Noted {
        self.noting.lock().unwrap_or_else(PoisonError::into_inner).insert(number, snapshot);
        Noted { noting: Arc::clone(&self.noting), number }
    }

    /// The snapshot that is being noted.
    pub(crate) fn noting(&self, number: Number) -> Option<SnapshotId> {
        self.noting.lock().unwrap_or_else(PoisonError::into_inner).get(&number).copied()
    }
}
