//! How far a backup or a restore is, for whoever looks on from another thread.

use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes of files that are done, as they are met: what is taken over without being read counts too.
#[derive(Debug, Default)]
pub struct Progress {
    done: AtomicU64,
    known: AtomicU64,
}

impl Progress {
    /// Bytes that are done.
    #[must_use]
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Bytes that are known to be there so far. A restore knows all of them before most are done; a backup meets them as it goes.
    #[must_use]
    pub fn known(&self) -> u64 {
        self.known.load(Ordering::Relaxed)
    }

    pub(crate) fn add(&self, bytes: u64) {
        self.done.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn meet(&self, bytes: u64) {
        self.known.fetch_add(bytes, Ordering::Relaxed);
    }
}
