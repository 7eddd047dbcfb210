//! How full a volume is, as what writes there is told of it. Pure.

use super::Bound;
use husorden_base::Bytes;
use husorden_kinds::Fill;
use std::time::Duration;

/// Less room than this is none: what is written next does not fit.
const LAST: Bytes = Bytes::mib(1);
/// Bytes a second that a sandbox writes at most ([`husorden_kinds::Io`]).
const RATE: Bytes = Bytes::mib(200);
/// Shortest and longest time between two looks.
const PAUSE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

impl Bound {
    /// The kernel's limit, where so much is held already.
    pub(super) fn wall(self, held: Bytes) -> Bytes {
        let limit = if self.reserve.0 > 0 { self.limit.max(held) } else { self.limit };
        Bytes(limit.0.saturating_add(self.reserve.0))
    }

    /// As it is written down: limit and reserve.
    pub(super) fn text(self) -> String {
        format!("{} {}", self.limit.0, self.reserve.0)
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let (limit, reserve) = text.trim().split_once(' ')?;
        Some(Self { limit: Bytes(limit.parse().ok()?), reserve: Bytes(reserve.parse().ok()?) })
    }
}

/// What a volume holds and may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filling {
    /// What the kernel has given out.
    pub taken: Bytes,
    /// What was wished.
    pub bound: Bound,
    /// What the kernel lets it hold.
    pub wall: Bytes,
}

impl Filling {
    /// How full it is. A step is left only when there is some room again, so that it does not go to and fro.
    #[must_use]
    pub fn fill(&self, before: Fill) -> Fill {
        let (taken, limit, reserve) = (self.taken.0, self.bound.limit.0, self.bound.reserve.0);
        let over = |share: u64| reserve > 0 && taken.saturating_add(share) >= self.wall.0;
        // A log comes and goes by itself; that much room is none.
        let again = (limit / 50).max(reserve / 4).min(limit / 4);
        let full = |room: u64| taken.saturating_add(room) >= limit;
        match before {
            Fill::Over if over(reserve / 8 * 3) => Fill::Over,
            _ if over(reserve / 4) => Fill::Over,
            Fill::Over | Fill::Full if full(again) => Fill::Full,
            _ if full(LAST.0.min(limit / 100)) => Fill::Full,
            _ => Fill::Room,
        }
    }

    /// How many tenths are used, from where it is said.
    #[must_use]
    pub fn step(&self) -> u64 {
        match self.taken.0.saturating_mul(10) / self.bound.limit.0.max(1) {
            tenths @ 8.. => tenths.min(10),
            _ => 0,
        }
    }

    /// When to look again: before the quickest writer could have taken half of what is left to the next step.
    #[must_use]
    pub fn pause(&self, fill: Fill) -> Duration {
        let next = match fill {
            Fill::Room => self.bound.limit.0,
            Fill::Full | Fill::Over => self.wall.0.saturating_sub(self.bound.reserve.0 / 4),
        };
        let left_ms = next.saturating_sub(self.taken.0).saturating_mul(500) / RATE.0;
        Duration::from_millis(left_ms).clamp(PAUSE.0, PAUSE.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(taken: u64, limit: u64, reserve: u64) -> Filling {
        let bound = Bound { limit: Bytes::mib(limit), reserve: Bytes::mib(reserve) };
        Filling { taken: Bytes::mib(taken), bound, wall: bound.wall(Bytes::mib(taken.min(limit))) }
    }

    #[test]
    fn a_step_is_entered_at_its_edge_and_left_with_some_room() {
        for (taken, before, then) in [
            (900, Fill::Room, Fill::Room),
            (998, Fill::Room, Fill::Room),
            (999, Fill::Room, Fill::Full),
            (1000, Fill::Room, Fill::Full),
            (901, Fill::Full, Fill::Full),
            (899, Fill::Full, Fill::Room),
            (1299, Fill::Full, Fill::Full),
            (1300, Fill::Full, Fill::Over),
            (1300, Fill::Room, Fill::Over),
            (1260, Fill::Over, Fill::Over),
            (1249, Fill::Over, Fill::Full),
            (100, Fill::Over, Fill::Room),
        ] {
            assert_eq!(at(taken, 1000, 400).fill(before), then, "{taken} MiB, before {before:?}");
        }
    }

    #[test]
    fn what_is_said_is_said_in_tenths_from_the_eighth_on() {
        for (taken, step) in [(0, 0), (799, 0), (800, 8), (950, 9), (1000, 10), (3000, 10)] {
            assert_eq!(at(taken, 1000, 400).step(), step, "{taken} MiB");
        }
    }

    #[test]
    fn without_a_reserve_nothing_is_over() {
        assert_eq!(at(1000, 1000, 0).fill(Fill::Room), Fill::Full);
        assert_eq!(at(2000, 1000, 0).fill(Fill::Full), Fill::Full);
    }

    #[test]
    fn a_limit_below_what_is_held_leaves_the_reserve_before_it() {
        let bound = Bound { limit: Bytes::mib(100), reserve: Bytes::mib(50) };
        assert_eq!(bound.wall(Bytes::mib(400)), Bytes::mib(450));
        assert_eq!(bound.wall(Bytes(0)), Bytes::mib(150));
        assert_eq!(Bound::from(Bytes::mib(100)).wall(Bytes::mib(400)), Bytes::mib(100));
        assert_eq!(Bound::parse(&bound.text()), Some(bound));
    }

    #[test]
    fn it_is_looked_at_before_the_quickest_writer_is_there() {
        assert_eq!(at(0, 10_000, 400).pause(Fill::Room), PAUSE.1);
        assert_eq!(at(600, 1000, 400).pause(Fill::Room), Duration::from_secs(1));
        assert_eq!(at(1000, 1000, 400).pause(Fill::Full), Duration::from_millis(750));
        assert_eq!(at(1300, 1000, 400).pause(Fill::Over), PAUSE.0);
    }
}
