//! Request rates: a bucket of tokens for each caller, refilled by time. Kept in memory; each control counts for itself.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Instant;
use uuid::Uuid;

/// Buckets held at most; above it the full ones are forgotten, which changes nothing for their callers.
const CALLERS_MAX: usize = 10_000;

pub(crate) struct Buckets {
    per_second: f64,
    burst: f64,
    callers: Mutex<HashMap<Uuid, (f64, Instant)>>,
}

impl Buckets {
    pub(crate) fn new(per_second: u32, burst: u32) -> Self {
        Self {
            per_second: f64::from(per_second.max(1)),
            burst: f64::from(burst.max(1)),
            callers: Mutex::new(HashMap::new()),
        }
    }

    /// Takes one; the error says after how many seconds there is one again.
    pub(crate) fn take(&self, caller: Uuid, now: Instant) -> Result<(), u64> {
        let Ok(mut callers) = self.callers.lock() else {
            // Only a panic while counting poisons the lock; refusing everybody for ever would be worse than not counting.
            return Ok(());
        };
        if callers.len() >= CALLERS_MAX {
            let (per_second, burst) = (self.per_second, self.burst);
            callers.retain(|_, (level, at)| {
                *level + now.saturating_duration_since(*at).as_secs_f64() * per_second < burst
            });
        }
        let (level, at) = callers.entry(caller).or_insert((self.burst, now));
        let filled = (*level + now.saturating_duration_since(*at).as_secs_f64() * self.per_second).min(self.burst);
        *at = now;
        if filled >= 1.0 {
            *level = filled - 1.0;
            Ok(())
        } else {
            *level = filled;
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "at most one second over a rate of at least 1"
            )]
            Err(((1.0 - filled) / self.per_second).ceil() as u64)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_burst_is_served_and_then_the_rate() {
        let buckets = Buckets::new(2, 3);
        let (me, now) = (Uuid::now_v7(), Instant::now());
        for _ in 0..3 {
            assert_eq!(buckets.take(me, now), Ok(()));
        }
        assert_eq!(buckets.take(me, now), Err(1));
        assert_eq!(buckets.take(Uuid::now_v7(), now), Ok(()), "others are not held back");
        let later = now + Duration::from_millis(600);
        assert_eq!(buckets.take(me, later), Ok(()));
        assert_eq!(buckets.take(me, later), Err(1));
    }
}
