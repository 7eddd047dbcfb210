//! Quiet: a solution's services stand still while its volume is worked on, and whoever connects waits.

use super::close::patience;
use super::state::{Key, Phase, Slot, State};
use super::{CLOSE_WAIT, END_WAIT, SandboxError, Sandboxes, socket};
use husorden_base::Number;
use std::os::unix::net::UnixStream;

/// While it lives nothing of the solution runs or starts, and who connects waits in the listener's queue.
pub struct Quiet<'a> {
    sandboxes: &'a Sandboxes,
    number: Number,
}

impl Drop for Quiet<'_> {
    fn drop(&mut self) {
        let mut state = self.sandboxes.shared.lock();
        state.quiet.remove(&self.number);
        self.sandboxes.shared.listen_again(&mut state, self.number);
    }
}

impl Sandboxes {
    /// Ends a solution's tasks, stops its services gently and keeps them stopped while what is returned lives. A task that
    /// went on would leave its mark on a volume that has become another one meanwhile; what is still wanted of it is asked
    /// for again afterwards.
    ///
    /// # Errors
    /// When one has not ended in time; everything goes on then.
    pub fn quiet(&self, number: Number) -> Result<Quiet<'_>, SandboxError> {
        self.still(number, false)
    }

    /// Kills what runs of a solution, as a loss of power would, and lets it start again: what stays does so by itself.
    ///
    /// # Errors
    /// When the solution is held, or something has not ended in time; it goes on then.
    pub fn reset(&self, number: Number) -> Result<(), SandboxError> {
        if self.shared.lock().held.contains(&number) {
            return Err(SandboxError::Held(number));
        }
        self.still(number, true).map(drop)
    }

    fn still(&self, number: Number, killed: bool) -> Result<Quiet<'_>, SandboxError> {
        self.shared.lock().quiet.insert(number);
        let quiet = Quiet { sandboxes: self, number };
        let ending = || SandboxError::Ending(format!("solution {number}"));
        let mut state = self.shared.lock();
        let tasks: Vec<Key> = state.tasks_of(number).map(|(key, _)| key.clone()).collect();
        for key in &tasks {
            self.shared.forget_task(&mut state, key);
        }
        let settled = |state: &State| {
            state.tasks_of(number).next().is_none()
                && state.services_of(number).all(|(_, slot)| !matches!(slot.phase, Phase::Starting(_)))
        };
        if !self.shared.wait_until(state, CLOSE_WAIT, settled) {
            return Err(ending());
        }
        // What the edge reaches goes first, so that a database is not taken from under a page that is being made.
        for at_once in [true, false] {
            let mut state = self.shared.lock();
            let keys: Vec<Key> = state
                .services_of(number)
                .filter(|(_, slot)| slot.service.reach.ends_at_once() == at_once && slot.running().is_some())
                .map(|(key, _)| key.clone())
                .collect();
            for key in &keys {
                self.shared.stop(&mut state, key, killed);
            }
            let resting = |state: &State| keys.iter().all(|key| state.services.get(key).is_none_or(Slot::resting));
            let patience = patience(&state, &keys);
            if !self.shared.wait_until(state, patience, resting) {
                return Err(ending());
            }
        }
        Ok(quiet)
    }

    /// Begins to have a solution's services come to rest, and lets none start, without waiting for it: what the edge reaches first, and
    /// when that rests and this is called again, the others. Tasks end. A later look shows how far it is.
    pub fn hush(&self, number: Number) {
        let mut state = self.shared.lock();
        state.quiet.insert(number);
        let tasks: Vec<Key> = state.tasks_of(number).map(|(key, _)| key.clone()).collect();
        for key in &tasks {
            self.shared.forget_task(&mut state, key);
        }
        // A start under way is let come to its end.
        let started =
            |state: &State| state.services_of(number).all(|(_, slot)| !matches!(slot.phase, Phase::Starting(_)));
        self.shared.wait_until(state, END_WAIT, started);
        let mut state = self.shared.lock();
        let running: Vec<(Key, bool)> = state
            .services_of(number)
            .filter(|(_, slot)| slot.running().is_some())
            .map(|(key, slot)| (key.clone(), slot.service.reach.ends_at_once()))
            .collect();
        let edge_first = running.iter().any(|(_, at_once)| *at_once);
        for (key, _) in running.iter().filter(|(_, at_once)| *at_once == edge_first) {
            self.shared.stop(&mut state, key, false);
        }
    }

    /// Lets a solution's services start again; whoever waits starts them at once, and what did not start before is not held against them.
    pub fn unhush(&self, number: Number) {
        let mut state = self.shared.lock();
        state.quiet.remove(&number);
        let paused: Vec<Key> = state
            .services_of(number)
            .filter(|(_, slot)| matches!(slot.phase, Phase::Paused) || slot.failures > 0)
            .map(|(key, _)| key.clone())
            .collect();
        for key in &paused {
            if let Some(slot) = state.services.get_mut(key) {
                (slot.failures, slot.deaths) = (0, 0);
                if matches!(slot.phase, Phase::Paused) {
                    self.shared.sleep(&mut state, key);
                }
            }
        }
        self.shared.listen_again(&mut state, number);
    }

    /// Whether a solution is kept quiet.
    #[must_use]
    pub fn is_quiet(&self, number: Number) -> bool {
        self.shared.lock().quiet.contains(&number)
    }

    /// Starts a solution's services now, by connecting to them as a request would.
    ///
    /// # Errors
    /// When the solution is held, or a socket is not there.
    pub fn wake(&self, number: Number) -> Result<(), SandboxError> {
        let state = self.shared.lock();
        if state.held.contains(&number) {
            return Err(SandboxError::Held(number));
        }
        let keys: Vec<Key> = state.services_of(number).map(|(key, _)| key.clone()).collect();
        drop(state);
        for (number, role) in keys {
            let path = socket::path(&self.shared.ground.sockets(number), &role);
            drop(
                UnixStream::connect(path)
                    .map_err(|source| SandboxError::Machine { what: "waking a service", source })?,
            );
        }
        Ok(())
    }
}
