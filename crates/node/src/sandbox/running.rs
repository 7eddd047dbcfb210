//! A service that runs: whether it is at work, how it is told to end, and what becomes of it when it has.

use super::Event;
use super::ears::{Ears, connected};
use super::process::Exit;
use super::state::{Chore, Key, Phase, Running, Shared, Slot, State, Which};
use husorden_kinds::{Reach, Service};
use std::time::{Duration, Instant};

/// Pauses after one failure, two, and so on.
const PAUSES: [Duration; 5] = [
    Duration::from_millis(250),
    Duration::from_secs(1),
    Duration::from_secs(4),
    Duration::from_secs(16),
    Duration::from_secs(60),
];

/// A service that ends by itself sooner than this, and before it has served anybody, has failed to start.
const QUICK_DEATH: Duration = Duration::from_secs(5);

/// One that has served and ends so soon so many times in a row has failed too: some take people up to tell them that they do not start.
const DEATHS_MAX: u32 = 3;

const SIGKILL: i32 = 9;

/// After so many failures in a row whoever connects is turned away at once instead of waiting through the pause.
const FAILURES_BEFORE_TURNING_AWAY: u32 = 3;

/// Longest time between two looks at one that runs.
const TICK_MAX: Duration = Duration::from_secs(2);

/// The edge says again and again what it has open; what it said longer ago than this was said by one that is gone.
const EDGE_WORD: Duration = Duration::from_secs(60);

/// Time between two looks at a service that was told to end.
const TELL_AGAIN: Duration = Duration::from_secs(1);

/// Time between two looks at a service that is to end and still starts.
const LISTENS_SOON: Duration = Duration::from_millis(50);

/// A service younger than this may not be ready to end.
const YOUNG: Duration = Duration::from_secs(10);

/// Less CPU time than this, in thousandths of the time that passed, is idling.
const IDLE_CPU_PERMILLE: u64 = 20;

impl Shared {
    /// Tells a running service to end, or ends it at once.
    pub(crate) fn stop(&self, state: &mut State, key: &Key, at_once: bool) {
        let Some(slot) = state.services.get_mut(key) else { return };
        let service = slot.service.clone();
        slot.phase = match std::mem::replace(&mut slot.phase, Phase::Ending) {
            Phase::Running(mut running) => {
                running.told = Some(Instant::now());
                let mut next = TELL_AGAIN;
                if at_once {
                    running.process.kill();
                } else if starts(slot.ears.as_ref(), &running) {
                    next = LISTENS_SOON;
                } else {
                    running.process.signal(service.stop_signal);
                }
                slot.phase = Phase::Stopping(running);
                // What was killed needs no deadline, but it costs nothing either.
                let after = Duration::from_secs(service.stop_s.into()).min(next);
                self.set_timer(state, &Which::Service(key.clone()), Some(after));
                return;
            }
            Phase::Stopping(running) => {
                if at_once {
                    running.process.kill();
                }
                Phase::Stopping(running)
            }
            other => other,
        };
    }

    /// A service's timer has gone off.
    pub(crate) fn service_timer(&self, state: &mut State, key: &Key) {
        let frozen = state.frozen.contains(&key.0);
        let busy_neighbours = self.neighbours_busy(state, key);
        let ports: Vec<u16> = state.services_of(key.0).filter_map(|(_, slot)| slot.service.reach.port()).collect();
        let which = Which::Service(key.clone());
        let Some(slot) = state.services.get_mut(key) else { return };
        let next = tick(&slot.service);
        match &mut slot.phase {
            Phase::Running(_) | Phase::Stopping(_) if frozen => {
                // What stands still is neither idle nor late.
                self.set_timer(state, &which, Some(next));
            }
            Phase::Running(running) => {
                let kills = self.look_at(key, running);
                if running.started.elapsed() > QUICK_DEATH {
                    (slot.failures, slot.deaths) = (0, 0);
                }
                let knocked = slot.ears.as_ref().is_some_and(Ears::knocked);
                running.served |= running.waited && !knocked;
                running.waited |= knocked;
                let idle = Duration::from_secs(slot.service.idle_stop_s.into());
                if slot.service.stays() || self.is_active(key, slot, busy_neighbours, &ports) {
                    if let Phase::Running(running) = &mut slot.phase {
                        running.active = Instant::now();
                    }
                    self.set_timer(state, &which, Some(next));
                } else if slot.running().is_some_and(|running| running.active.elapsed() >= idle) {
                    self.stop(state, key, false);
                } else {
                    self.set_timer(state, &which, Some(next));
                }
                if kills > 0 {
                    self.tell(state, Event::OutOfMemory { number: key.0, role: key.1.clone(), kills });
                }
            }
            Phase::Stopping(running) => {
                let told = running.told.unwrap_or(running.started);
                let left = Duration::from_secs(slot.service.stop_s.into()).saturating_sub(told.elapsed());
                if left.is_zero() {
                    return running.process.kill();
                }
                // The first process of a sandbox does not hear a signal before it listens for it: what was told so young is
                // told again.
                let mut next = TELL_AGAIN;
                if starts(slot.ears.as_ref(), running) {
                    next = LISTENS_SOON;
                } else if told.duration_since(running.started) < YOUNG {
                    running.process.signal(slot.service.stop_signal);
                }
                self.set_timer(state, &which, Some(left.min(next)));
            }
            Phase::Paused => self.sleep(state, key),
            Phase::Sleeping | Phase::Queued | Phase::Starting(_) | Phase::Ending => {}
        }
    }

    /// Hears what a service said, and counts what the kernel killed in it since the last time.
    fn look_at(&self, key: &Key, running: &mut Running) -> u64 {
        if let Some(words) = &mut running.words {
            running.tail.fill(words);
        }
        let kills = self.cgroups.oom_kills(key.0, &key.1);
        kills.saturating_sub(std::mem::replace(&mut running.oom_kills, kills))
    }

    /// Whether a service has worked since the last look. The edge counts what it asks of a service; what the edge does not
    /// see is at work while its CPU time grows or somebody who may use it runs.
    fn is_active(&self, key: &Key, slot: &mut Slot, busy_neighbours: bool, ports: &[u16]) -> bool {
        let counted = slot.in_flight.is_some() && slot.service.reach == Reach::Edge;
        let waiting = slot.ears.as_ref().is_some_and(Ears::knocked);
        let open = slot.in_flight.is_some_and(|(count, said)| count > 0 && said.elapsed() < EDGE_WORD);
        let asked = open || slot.commands > 0 || waiting;
        let (reach, now) = (slot.service.reach, Instant::now());
        let Phase::Running(running) = &mut slot.phase else { return false };
        let cpu_us = self.cgroups.cpu_us(key.0, &key.1);
        let (before_us, before) = std::mem::replace(&mut running.cpu, (cpu_us, now));
        let passed_us = u64::try_from(now.duration_since(before).as_micros()).unwrap_or(u64::MAX);
        let computes =
            cpu_us.saturating_sub(before_us).saturating_mul(1_000) > passed_us.saturating_mul(IDLE_CPU_PERMILLE);
        let used = match reach {
            Reach::Edge => false,
            Reach::Own => busy_neighbours,
            // Who stays connected and silent must not find the server gone, whichever of the solution's ports leads to it.
            Reach::Port(_) => busy_neighbours || connected(running.process.pid(), ports),
        };
        asked || (computes && !counted) || used
    }

    /// Whether something of the solution runs that may use its own services.
    fn neighbours_busy(&self, state: &State, key: &Key) -> bool {
        state.services_of(key.0).any(|(_, slot)| {
            slot.service.reach == Reach::Edge && !matches!(slot.phase, Phase::Sleeping | Phase::Paused)
        }) || state.tasks_of(key.0).any(|(_, task)| !matches!(task.phase, super::state::TaskPhase::Failed(_)))
    }

    /// The first process of a service has ended: have it cleaned up.
    pub(crate) fn service_ended(&self, state: &mut State, key: &Key) {
        let Some(slot) = state.services.get_mut(key) else { return };
        let expected = matches!(slot.phase, Phase::Stopping(_));
        match std::mem::replace(&mut slot.phase, Phase::Ending) {
            Phase::Running(running) | Phase::Stopping(running) => {
                self.unwatch(state, running.process.fd(), running.token);
                self.set_timer(state, &Which::Service(key.clone()), None);
                self.clean_later(state, Chore::Service(key.clone(), running, expected));
            }
            other => slot.phase = other,
        }
    }

    /// A cleaner's part: puts away a sandbox that has ended, and lets the service sleep, pause or go.
    pub(crate) fn clean_service(&self, key: &Key, mut running: Running, expected: bool) {
        let exit = running.process.reap();
        let kills = self.look_at(key, &mut running);
        self.clear(&Which::Service(key.clone()));
        let mut state = self.lock();
        let words = running.tail.text();
        self.tell(
            &mut state,
            Event::Ended {
                number: key.0,
                role: key.1.clone(),
                exit,
                expected,
                out_of_memory: kills > 0,
                words: words.clone(),
            },
        );
        let Some(slot) = state.services.get_mut(key) else { return };
        // Nobody takes up who waits while it is ending.
        running.served |= running.waited && !slot.ears.as_ref().is_some_and(Ears::knocked);
        // Inside its sandbox nothing can kill the first process: it was ended from outside.
        let from_outside = exit == Exit::Signal(SIGKILL) && kills == 0;
        let quick = !expected && !from_outside && running.started.elapsed() < QUICK_DEATH;
        slot.deaths = if quick { slot.deaths.saturating_add(1) } else { 0 };
        if slot.leaving {
            state.services.remove(key);
        } else if quick && (!running.served || slot.deaths >= DEATHS_MAX) {
            let why = if kills > 0 { "it used more memory than it may" } else { "it ended at once" };
            self.failed(&mut state, key, format!("{why} ({exit}): {words}"));
        } else {
            slot.failures = 0;
            self.sleep(&mut state, key);
        }
        self.tidy(&state, key.0);
        self.changed.notify_all();
    }

    /// A service did not start, or died at once: it is tried again after a pause.
    pub(super) fn failed(&self, state: &mut State, key: &Key, reason: String) {
        let Some(slot) = state.services.get_mut(key) else { return };
        tracing::warn!(number = %key.0, role = key.1, reason, "a service does not start");
        if slot.leaving {
            state.services.remove(key);
            return;
        }
        slot.reason = reason;
        slot.failures = slot.failures.saturating_add(1);
        let turn_away = slot.failures >= FAILURES_BEFORE_TURNING_AWAY;
        let pause = PAUSES[(slot.failures as usize - 1).min(PAUSES.len() - 1)];
        // A listener that is missing is made here too.
        self.rest(state, key);
        if let Some(slot) = state.services.get_mut(key) {
            slot.phase = Phase::Paused;
        }
        if !turn_away {
            self.disarm(state, key);
        }
        self.set_timer(state, &Which::Service(key.clone()), Some(pause));
    }
}

/// Whether a young service has not yet taken up a connection that waits for it. Some servers hang for good when they are told to
/// end while they start: MariaDB's main thread waits for a helper thread that saw the end coming and went (`init_slave`).
fn starts(ears: Option<&Ears>, running: &Running) -> bool {
    running.started.elapsed() < YOUNG && ears.is_some_and(Ears::knocked)
}

/// How often a running service is looked at.
pub(super) fn tick(service: &Service) -> Duration {
    if service.stays() {
        return TICK_MAX;
    }
    (Duration::from_secs(service.idle_stop_s.into()) / 4).clamp(Duration::from_millis(100), TICK_MAX)
}
