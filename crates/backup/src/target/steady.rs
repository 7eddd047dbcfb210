//! A target that is tried again: with growing pauses, until a deadline.

use super::{Folder, Listed, Place, Target};
use crate::crypt::random;
use crate::fault::Fault;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How long a target is waited for.
#[derive(Clone, Debug)]
pub struct Patience {
    /// Tries of one thing in all.
    pub tries: u32,
    /// Pause before the second try; it doubles each time, with a little chance.
    pub first_pause: Duration,
    /// The longest pause.
    pub pause_max: Duration,
    /// When everything is to be over.
    pub deadline: Option<Instant>,
}

impl Default for Patience {
    fn default() -> Self {
        Self { tries: 8, first_pause: Duration::from_millis(200), pause_max: Duration::from_secs(30), deadline: None }
    }
}

/// A target that is tried again.
pub struct Steady<T> {
    inner: T,
    patience: Patience,
    stop: Arc<AtomicBool>,
}

impl<T: Target> Steady<T> {
    /// With this patience; who sets `stop` ends every pause soon.
    pub fn new(inner: T, patience: Patience, stop: Arc<AtomicBool>) -> Self {
        Self { inner, patience, stop }
    }

    fn again<R>(&self, doing: impl Fn() -> String, mut what: impl FnMut() -> Result<R, Fault>) -> Result<R, Fault> {
        let mut pause = self.patience.first_pause;
        for left in (0..self.patience.tries.max(1)).rev() {
            self.go_on(&doing)?;
            match what() {
                Err(fault) if fault.passes() && left > 0 => {
                    // Many nodes that lost one target must not come back in step.
                    let chance = 0.5 + f64::from(random::<1>()[0]) / 255.0;
                    self.rest(pause.mul_f64(chance), &doing)?;
                    pause = (pause * 2).min(self.patience.pause_max);
                }
                ended => return ended,
            }
        }
        unreachable!("the last try returns")
    }

    fn go_on(&self, doing: &impl Fn() -> String) -> Result<(), Fault> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(Fault::Stopped);
        }
        match self.patience.deadline {
            Some(deadline) if Instant::now() >= deadline => Err(Fault::Deadline { doing: doing() }),
            _ => Ok(()),
        }
    }

    fn rest(&self, pause: Duration, doing: &impl Fn() -> String) -> Result<(), Fault> {
        let until = Instant::now() + pause;
        while Instant::now() < until {
            self.go_on(doing)?;
            thread::sleep(until.saturating_duration_since(Instant::now()).min(Duration::from_millis(100)));
        }
        Ok(())
    }
}

impl<T: Target> Target for Steady<T> {
    fn prepare(&self) -> Result<(), Fault> {
        self.again(|| "making folders".to_owned(), || self.inner.prepare())
    }
    fn put(&self, place: Place, body: &[u8]) -> Result<(), Fault> {
        self.again(|| format!("writing {place}"), || self.inner.put(place, body))
    }
    fn get(&self, place: Place, part: Option<Range<u64>>) -> Result<Vec<u8>, Fault> {
        self.again(|| format!("reading {place}"), || self.inner.get(place, part.clone()))
    }
    fn list(&self, folder: Folder) -> Result<Vec<Listed>, Fault> {
        self.again(|| format!("listing {}", folder.name()), || self.inner.list(folder))
    }
    fn size(&self, place: Place) -> Result<Option<u64>, Fault> {
        self.again(|| format!("looking at {place}"), || self.inner.size(place))
    }
}
