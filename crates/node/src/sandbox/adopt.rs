//! What a node finds when it starts: sandboxes of the node before it, which go on running, and rests, which go.

use super::causes;
use super::child;
use super::ears::Ears;
use super::process::{self, Process};
use super::start::open_ear;
use super::state::{Phase, Shared, Slot, Which};
use std::collections::BTreeSet;
use std::sync::Arc;

impl Shared {
    /// Takes over what runs and clears away the rest: tasks, which are safe to run again, and starts that were cut short.
    pub(crate) fn adopt(&self) {
        let mut found = BTreeSet::new();
        let folders = std::fs::read_dir(self.ground.run.join("sandboxes"));
        let names = folders.into_iter().flatten().flatten().filter_map(|entry| entry.file_name().into_string().ok());
        found.extend(names.filter_map(|name| Which::parse(&name)));
        found.extend(self.crun.list().iter().filter_map(|id| Which::parse(id)));
        found.extend(
            self.cgroups.list().into_iter().filter_map(|(number, leaf)| Which::parse(&format!("{number}.{leaf}"))),
        );
        for which in &found {
            if let Err(error) = self.cgroups.freeze(which.number(), false) {
                tracing::warn!(number = %which.number(), error = %causes(&error), "a solution stays frozen");
            }
            if !self.adopt_service(which) {
                // Where this process is the one that inherits orphans, it must also collect them.
                let (number, leaf) = (which.number(), which.leaf());
                if self.cgroups.kill(number, &leaf).is_ok() {
                    child::bury(None, &self.cgroups.name(number, &leaf));
                }
                self.clear(which);
            }
        }
        let state = self.lock();
        for number in found.iter().map(Which::number).collect::<BTreeSet<_>>() {
            self.tidy(&state, number);
        }
    }

    fn adopt_service(&self, which: &Which) -> bool {
        let bundle = self.bundle(which);
        let Which::Service(key) = which else { return false };
        let Some(record) = bundle
            .record()
            .filter(|record| record.boot == self.boot && (record.number, &record.role) == (key.0, &key.1))
        else {
            return false;
        };
        // A node that died in the middle of a start knew neither pid nor time; the tool's word and the cgroup say as much.
        let (pid, ticks) = match record.pid {
            0 => bundle.pid().map_or((0, 0), |pid| (pid, process::start_ticks(pid).unwrap_or(0))),
            pid => (pid, record.start_ticks),
        };
        let holds = |process: &Process| self.cgroups.holds(key.0, &key.1, process.pid());
        let Some(process) = Process::find(pid, ticks).filter(holds) else { return false };
        let ears = Ears::take(&process, &record.sockets);
        if ears.is_none() {
            tracing::warn!(
                sandbox = which.id(),
                "an adopted sandbox has no listener any more; it gets a new one when it ends"
            );
        }
        let words = open_ear(&bundle.words()).ok();
        let build = bundle.root().map(|root| super::bundle::build(&root)).unwrap_or_default();
        let mut state = self.lock();
        let slot = Slot::new(Arc::new(record.service), ears, false);
        let digest = slot.digest.clone();
        state.services.insert(key.clone(), slot);
        self.run(&mut state, key, process, words, (digest, build));
        if let Some(Phase::Running(running)) = state.services.get_mut(key).map(|slot| &mut slot.phase) {
            // The node before has seen it start.
            running.served = true;
        }
        true
    }
}
