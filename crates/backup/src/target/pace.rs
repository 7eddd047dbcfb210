//! A limit on bytes a second that several threads share.

use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

/// Bytes that may be sent or read at once after a pause.
const BURST: Duration = Duration::from_millis(250);

/// Bytes a second that may go to and come from a target; [`Pace::free`] has no limit.
#[derive(Debug)]
pub struct Pace {
    bytes_per_second: Option<u64>,
    /// Until when what was taken so far lasts.
    paid_until: Mutex<Instant>,
}

impl Pace {
    /// No limit.
    #[must_use]
    pub fn free() -> Self {
        Self { bytes_per_second: None, paid_until: Mutex::new(Instant::now()) }
    }

    /// At most so many bytes a second, over all threads.
    #[must_use]
    pub fn limited(bytes_per_second: u64) -> Self {
        Self { bytes_per_second: Some(bytes_per_second.max(1)), paid_until: Mutex::new(Instant::now()) }
    }

    /// Waits until so many bytes more may go.
    pub(crate) fn take(&self, bytes: usize) {
        let Some(rate) = self.bytes_per_second else { return };
        let due = {
            let mut paid_until = self.paid_until.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let floor = Instant::now().checked_sub(BURST).unwrap_or_else(Instant::now);
            *paid_until = (*paid_until).max(floor) + Duration::from_secs_f64(bytes as f64 / rate as f64);
            *paid_until
        };
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_kept_over_threads() {
        let pace = Pace::limited(1 << 20);
        let begun = Instant::now();
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| (0..8).for_each(|_| pace.take(64 << 10)));
            }
        });
        // One MiB, of which a quarter of a second may go at once.
        let took = begun.elapsed();
        assert!(took > Duration::from_millis(650) && took < Duration::from_secs(20), "{took:?}");
    }
}
