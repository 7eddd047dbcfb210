//! Services that are told how full their volume is: live files with another word, a signal, and a command beside them.

use super::state::{Key, Phase, Shared, Which};
use super::{Command, Sandboxes, causes};
use husorden_base::Number;
use husorden_kinds::Fill;
use std::collections::BTreeMap;
use std::time::Duration;

/// Longest time such a command may take; it is run again at the next look.
const LIMIT: Duration = Duration::from_secs(10);

impl Sandboxes {
    /// How full a solution's volume was when it was looked at last.
    #[must_use]
    pub fn fill(&self, number: Number) -> Fill {
        self.shared.lock().fill(number)
    }

    /// Notes how full a solution's volume is: what starts from here on is started for it.
    pub fn set_fill(&self, number: Number, fill: Fill) {
        let mut state = self.shared.lock();
        match fill {
            Fill::Room => drop(state.fills.remove(&number)),
            Fill::Full | Fill::Over => drop(state.fills.insert(number, fill)),
        }
    }

    /// Tells what runs of a solution how full its volume is, where that can be told and was not.
    pub fn tell_of_filling(&self, number: Number) {
        self.shared.tell_of_filling(number);
    }

    /// Solutions of which something runs, and whether any of that can be told how full its volume is.
    #[must_use]
    pub fn writers(&self) -> BTreeMap<Number, bool> {
        self.shared.writers()
    }
}

impl Shared {
    /// Solutions of which something runs, and whether any of that can be told.
    fn writers(&self) -> BTreeMap<Number, bool> {
        let state = self.lock();
        let mut writers = BTreeMap::new();
        for ((number, _), slot) in state.services.iter().filter(|(_, slot)| slot.running().is_some()) {
            *writers.entry(*number).or_default() |= !slot.service.fill.is_empty();
        }
        writers
    }

    /// Tells what runs and has not been told. Where somebody goes on writing, it is done over and over.
    fn tell_of_filling(&self, number: Number) {
        let mut state = self.lock();
        let fill = state.fill(number);
        let due = |phase: &Phase| match phase {
            Phase::Running(running) => running.fill != Some(fill) || fill == Fill::Over,
            _ => false,
        };
        let keys: Vec<Key> = state
            .services_of(number)
            .filter(|(_, slot)| !slot.service.fill.is_empty() && due(&slot.phase))
            .map(|(key, _)| key.clone())
            .collect();
        let mut commands = Vec::new();
        for key in keys {
            let bundle = self.bundle(&Which::Service(key.clone()));
            let Some(slot) = state.services.get_mut(&key) else { continue };
            let Phase::Running(running) = &slot.phase else { continue };
            let live = slot.service.live_at(fill);
            if let Err(error) = bundle.write_live(&live) {
                tracing::warn!(number = %key.0, role = key.1, error = %causes(&error), "live files");
                continue;
            }
            running.process.signal(live.signal);
            let brake = slot.service.fill.get(&fill).cloned().unwrap_or_default();
            commands.push((key, running.process.pid(), brake));
        }
        drop(state);
        for (key, pid, brake) in commands {
            let command = Command { argv: brake.argv, stdin: brake.stdin, limit: LIMIT, output_bytes_max: 4 << 10 };
            let done = command.argv.is_empty() || self.told(&key, &command);
            let mut state = self.lock();
            if let Some(Phase::Running(running)) = state.services.get_mut(&key).map(|slot| &mut slot.phase)
                && running.process.pid() == pid
                && done
            {
                running.fill = Some(fill);
            }
        }
    }

    fn told(&self, key: &Key, command: &Command) -> bool {
        match self.command(key, command, true) {
            Ok(done) if done.code == Some(0) => true,
            Ok(done) => {
                let words = String::from_utf8_lossy(&done.stderr).into_owned();
                tracing::warn!(number = %key.0, role = key.1, words, timed_out = done.timed_out, "a service was not told how full its volume is");
                false
            }
            Err(error) => {
                tracing::warn!(number = %key.0, role = key.1, error = %causes(&error), "a service was not told how full its volume is");
                false
            }
        }
    }
}
