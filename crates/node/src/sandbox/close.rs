//! The end of the wall: everything on it is stopped, each in its own time, or the node goes and everything stays.

use super::state::{self, Key, Slot, Which};
use super::{CLOSE_WAIT, END_WAIT, Sandboxes, causes};
use husorden_base::Number;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

impl Sandboxes {
    /// Stops everything, what the edge reaches first and databases last, each gently while its time lasts, and leaves
    /// nothing on the machine.
    pub fn close(&self) {
        let shared = Arc::clone(&self.shared);
        let frozen: Vec<Number> = {
            let mut state = shared.lock();
            state.closing = true;
            state.frozen.iter().copied().collect()
        };
        for number in frozen {
            // What stands still hears no signal.
            if let Err(error) = self.freeze(number, false) {
                tracing::warn!(%number, error = %causes(&error), "a solution stays frozen");
            }
        }
        for at_once in [true, false] {
            let mut state = shared.lock();
            let keys: Vec<Key> = state
                .services
                .iter()
                .filter(|(_, slot)| slot.service.reach.ends_at_once() == at_once)
                .map(|(key, _)| key.clone())
                .collect();
            for key in &keys {
                self.shared.stop(&mut state, key, false);
            }
            let tasks: Vec<Key> = state.tasks.keys().cloned().collect();
            for task in &tasks {
                shared.forget_task(&mut state, task);
            }
            let quiet = |state: &state::State| keys.iter().all(|key| state.services.get(key).is_none_or(Slot::resting));
            let patience = patience(&state, &keys);
            if !shared.wait_until(state, patience, quiet) {
                tracing::warn!("some services did not end in time and are killed");
            }
        }
        let keys: Vec<Key> = shared.lock().services.keys().cloned().collect();
        for (number, role) in &keys {
            if let Err(error) = self.service_drop(*number, role) {
                tracing::warn!(%number, role, error = %causes(&error), "a service stays behind");
            }
        }
        let state = shared.lock();
        if !shared.wait_until(state, END_WAIT, |state| state.tasks.is_empty()) {
            tracing::warn!("a task stays behind");
        }
        self.end();
        for (number, leaf) in shared.cgroups.list() {
            if let Some(which) = Which::parse(&format!("{number}.{leaf}")) {
                shared.clear(&which);
            }
            shared.tidy(&shared.lock(), number);
        }
        shared.cgroups.remove_all();
        for folder in std::fs::read_dir(shared.ground.run.join("s")).into_iter().flatten().flatten() {
            // One that still holds something is not the wall's.
            let _ = std::fs::remove_dir(folder.path());
        }
    }

    /// Ends the threads of the wall.
    fn end(&self) {
        self.shared.lock().quit = true;
        self.shared.wake();
        self.shared.to_start.notify_all();
        self.shared.to_clean.notify_all();
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            // A thread that panicked has said so itself.
            let _ = thread.join();
        }
    }
}

impl Drop for Sandboxes {
    fn drop(&mut self) {
        self.end();
    }
}

/// How long to wait for services to end by themselves: as long as the slowest of them may take.
pub(super) fn patience(state: &state::State, keys: &[Key]) -> Duration {
    let asked = keys.iter().filter_map(|key| state.services.get(key)).map(|slot| slot.service.stop_s).max();
    CLOSE_WAIT.max(Duration::from_secs(asked.unwrap_or(0).into()) + END_WAIT)
}
