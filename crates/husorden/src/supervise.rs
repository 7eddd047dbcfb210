//! The supervisor: starts each role from this very binary, adopts those that run already, and starts again what died.
//!
//! ```text
//!            adopt: its lock is held
//!   absent ────────────────────────────▶ running ──died──▶ resting ──pause over──▶ absent
//!      └────────────spawn───────────────▶   │ (pause doubles to the longest; a long life resets it)
//!                                           └──stop──▶ ended
//! ```
//!
//! A role is known by the lock it holds, not by being a child: the supervisor itself may be killed at any moment, and the
//! next one finds everything as it was.

use crate::logs;
use crate::place::Place;
use crate::process::{Identity, Single};
use anyhow::{Context, Result};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Pause before the first new start of a role that died; doubles with each further death.
const PAUSE_MIN: Duration = Duration::from_millis(250);
/// A life this long says that the role is well again.
const WELL: Duration = Duration::from_secs(60);
/// How long a freshly spawned role may take to say who it is.
const LOCK_WAIT: Duration = Duration::from_secs(5);

/// One role under supervision.
#[derive(Debug)]
pub(crate) struct Role {
    /// Its name, which is also the verb of this binary.
    pub(crate) name: &'static str,
    /// How long it gets to end in good order.
    pub(crate) patience: Duration,
    file: PathBuf,
    lock: PathBuf,
    log: PathBuf,
    state: State,
    pause: Duration,
    pause_max: Duration,
    /// Deaths since it was last well.
    pub(crate) deaths: u32,
}

#[derive(Debug)]
enum State {
    Absent,
    Running {
        identity: Identity,
        /// Ours to reap; none for an adopted one.
        child: Option<Child>,
        since: Instant,
    },
    Resting {
        until: Instant,
    },
}

/// What a look at a role found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// It runs as before.
    Same,
    /// It ran already when we came.
    Adopted(Identity),
    /// It was started.
    Started(Identity),
    /// It died; the next start comes after the pause.
    Died(Duration),
}

/// How long a role may take to end before it is killed: a node closes what it serves, an edge sends what is under way.
fn patience(name: &str) -> Duration {
    Duration::from_secs(match name {
        "vault" => 5,
        "control" | "platform" => 20,
        "edge" => 35,
        _ => 60,
    })
}

impl Role {
    /// A role of this installation.
    pub(crate) fn new(place: &Place, name: &'static str) -> Self {
        Self {
            name,
            patience: patience(name),
            file: place.role_file(name),
            lock: place.role_lock(name),
            log: logs::path(&place.logs(), name),
            state: State::Absent,
            pause: PAUSE_MIN,
            pause_max: Duration::MAX,
            deaths: 0,
        }
    }

    /// The same with a longest pause before it is started again.
    pub(crate) fn pausing(mut self, pause_max: Duration) -> Self {
        self.pause_max = pause_max;
        self
    }

    /// Looks after the role: adopts it, starts it, notices its death.
    pub(crate) fn look_after(&mut self) -> Result<Found> {
        match &mut self.state {
            State::Running { identity, child, since } => {
                if let Some(child) = child {
                    // Reaped, or it would stay in the process table.
                    let _ = child.try_wait();
                }
                if identity.alive() {
                    if since.elapsed() > WELL {
                        (self.pause, self.deaths) = (PAUSE_MIN, 0);
                    }
                    return Ok(Found::Same);
                }
                let pause = self.pause;
                self.state = State::Resting { until: Instant::now() + pause };
                self.pause = longer(pause, self.pause_max);
                self.deaths += 1;
                Ok(Found::Died(pause))
            }
            State::Resting { until } if Instant::now() < *until => Ok(Found::Same),
            State::Resting { .. } | State::Absent => {
                if let Some(identity) = Single::holder(&self.lock) {
                    self.state = State::Running { identity, child: None, since: Instant::now() };
                    return Ok(Found::Adopted(identity));
                }
                self.spawn()
            }
        }
    }

    fn spawn(&mut self) -> Result<Found> {
        let log = logs::open(&self.log)?;
        // The binary by its open file, not by its path: an upgrade may have replaced what lies there, and the path may lie
        // in a folder that only its owner may enter.
        let mut command = Command::new("/proc/self/exe");
        command
            .arg(self.name)
            .arg("--config")
            .arg(&self.file)
            .stdin(Stdio::null())
            .stdout(log.try_clone().with_context(|| format!("handing the log to {}", self.name))?)
            .stderr(log)
            .current_dir("/");
        let mut child = command.spawn().with_context(|| format!("starting {}", self.name))?;
        let until = Instant::now() + LOCK_WAIT;
        let identity = loop {
            if let Some(identity) = Single::holder(&self.lock) {
                break Some(identity);
            }
            if child.try_wait().ok().flatten().is_some() || Instant::now() >= until {
                break None;
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        // Whoever holds the lock is the role, also when it is not the one just started.
        let identity =
            identity.or_else(|| Identity::of(child.id())).unwrap_or(Identity { pid: child.id(), started: 0 });
        self.state = State::Running { identity, child: Some(child), since: Instant::now() };
        Ok(Found::Started(identity))
    }

    /// Who it is, while it runs.
    pub(crate) fn identity(&self) -> Option<Identity> {
        match &self.state {
            State::Running { identity, .. } => Some(*identity).filter(|identity| identity.alive()),
            State::Absent | State::Resting { .. } => None,
        }
    }

    /// Ends it in good order, or by force. True when force was needed.
    pub(crate) fn stop(&mut self) -> bool {
        let holder = Single::holder(&self.lock);
        let mut forced = holder.is_some_and(|identity| identity.end(self.patience));
        if let State::Running { child: Some(child), identity, .. } = &mut self.state {
            // It may have been ended before it held its lock.
            forced |= identity.alive() && identity.end(self.patience);
            let _ = child.wait();
        }
        self.state = State::Absent;
        forced
    }

    /// The last lines of its log.
    pub(crate) fn last_words(&self, lines: usize) -> Vec<String> {
        logs::tail(&self.log, lines)
    }
}

/// The pause after the next death.
fn longer(pause: Duration, max: Duration) -> Duration {
    pause.saturating_mul(2).min(max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_dies_again_and_again_is_started_after_longer_pauses() {
        let usual = Duration::from_secs(crate::place::Supervisor::default().pause_max_s.into());
        let pauses: Vec<u128> = std::iter::successors(Some(PAUSE_MIN), |pause| Some(longer(*pause, usual)))
            .map(|pause| pause.as_millis())
            .take(9)
            .collect();
        assert_eq!(pauses, [250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
    }
}
