//! A coarse clock for time-outs and logs: one thread of each worker reads the kernel's clock, requests read an atomic.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

static NOW_MS: AtomicU64 = AtomicU64::new(0);
static START: OnceLock<Instant> = OnceLock::new();

/// Milliseconds since the edge started, as exact as the last [`tick`].
pub(crate) fn now_ms() -> u64 {
    NOW_MS.load(Relaxed)
}

/// Reads the clock. Called by each worker's sweep.
pub(crate) fn tick() {
    let elapsed = START.get_or_init(Instant::now).elapsed();
    // One is added so that zero can mean "not set" in the fields that hold a moment.
    NOW_MS.store(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX - 1) + 1, Relaxed);
}
