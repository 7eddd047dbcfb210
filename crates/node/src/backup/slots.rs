//! How many children are at work at the same time: each holds a repository's index in memory and wants the disk, and one node has many solutions.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Places for what nobody waits for: backups and proofs.
const BACKGROUND_MAX: u32 = 2;
/// Places for what somebody waits for: reading in a backup, and restoring.
const WAITED_FOR_MAX: u32 = 4;

/// Places for pieces of logs: what is lost with a machine is what waits here, so they wait for nobody else.
const LOG_MAX: u32 = 2;

/// Who is at work.
#[derive(Default)]
pub(crate) struct Slots {
    taken: Mutex<[u32; 3]>,
    freed: Condvar,
}

/// Whether somebody waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// Nobody does.
    Background,
    /// Somebody does.
    WaitedFor,
    /// It is a log.
    Log,
}

impl Urgency {
    fn lane(self) -> (usize, u32) {
        match self {
            Self::Background => (0, BACKGROUND_MAX),
            Self::WaitedFor => (1, WAITED_FOR_MAX),
            Self::Log => (2, LOG_MAX),
        }
    }
}

/// A place, while it lives.
pub(crate) struct Slot<'a> {
    slots: &'a Slots,
    urgency: Urgency,
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.slots.taken.lock().unwrap_or_else(PoisonError::into_inner)[self.urgency.lane().0] -= 1;
        self.slots.freed.notify_all();
    }
}

impl Slots {
    /// A place as soon as there is one; none when `over` says that nobody wants it any more.
    pub(crate) fn take(&self, urgency: Urgency, over: impl Fn() -> bool) -> Option<Slot<'_>> {
        let (lane, most) = urgency.lane();
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        while taken[lane] >= most {
            if over() {
                return None;
            }
            taken =
                self.freed.wait_timeout(taken, Duration::from_millis(500)).unwrap_or_else(PoisonError::into_inner).0;
        }
        taken[lane] += 1;
        Some(Slot { slots: self, urgency })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_waited_for_does_not_wait_for_backups() {
        let slots = Slots::default();
        let held: Vec<Slot<'_>> =
            (0..BACKGROUND_MAX).filter_map(|_| slots.take(Urgency::Background, || true)).collect();
        assert!(held.len() == 2 && slots.take(Urgency::Background, || true).is_none());
        assert!(slots.take(Urgency::WaitedFor, || true).is_some());
        drop(held);
        assert!(slots.take(Urgency::Background, || true).is_some());
    }
}
