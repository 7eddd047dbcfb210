//! Proofs: a backup is put back on a volume of its own, opened by its engines in sandboxes without network, and compared with what was noted
//! when it was written.
//!
//! ```text
//! repository ──check──▶ ──restore──▶ volume of NUMBER ──services, looks──▶ what it says ──compare──▶ Proven
//!                                       └──────────── destroyed, whatever happened ───────────┘
//! ```
//!
//! One proof runs at a time, for all use one number: its volume, its uid and its sandboxes are nobody's. What a node that died left of it is
//! swept before the next node works.

mod bench;
mod compare;
mod looks;
mod noting;
mod ordered;
mod pressure;
mod prove;

pub(crate) use bench::sweep;
#[cfg(test)]
pub(crate) use bench::{Bench, compared};
pub(crate) use looks::{Mute, look};
pub(crate) use noting::noted;
pub(crate) use ordered::ordered;
pub(crate) use prove::{Asked, prove};

use husorden_base::{Number, SnapshotId};
use husorden_wire::node::Wish;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The number that proofs use. No solution is given it: numbers begin at the other end.
pub(crate) const NUMBER: u32 = Number::MAX;

/// The number as such.
pub(crate) fn number() -> Number {
    Number::new(NUMBER).expect("the largest number is a number")
}

/// What is being proven, and noted, now.
#[derive(Default)]
pub(crate) struct Proofs {
    /// Held while one is under way.
    turn: Mutex<()>,
    /// The solution as it is opened, under the number of proofs.
    opened: Mutex<Option<Wish>>,
    /// The snapshots that are being noted.
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

impl Proofs {
    /// The next proof waits for the one before.
    pub(crate) fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, wish: Option<Wish>) {
        *self.opened.lock().unwrap_or_else(PoisonError::into_inner) = wish;
    }

    /// What stands under the number of proofs, if it is that.
    pub(crate) fn wish(&self, number: Number) -> Option<Wish> {
        let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        opened.as_ref().filter(|wish| wish.number == number).cloned()
    }

    fn note(&self, number: Number, snapshot: SnapshotId) -> Noted {
        self.noting.lock().unwrap_or_else(PoisonError::into_inner).insert(number, snapshot);
        Noted { noting: Arc::clone(&self.noting), number }
    }

    /// The snapshot that is being noted.
    pub(crate) fn noting(&self, number: Number) -> Option<SnapshotId> {
        self.noting.lock().unwrap_or_else(PoisonError::into_inner).get(&number).copied()
    }
}
