//! What the sandbox wall asks of the rest of the node: where places are, that a task's mark is left, and who hears of what
//! happened.

use crate::Node;
use crate::sandbox::{Event, Resolved, Surroundings};
use husorden_base::Number;
use husorden_kinds::{ON_TRIAL, Sandbox, Task};
use husorden_wire::node::Wish;
use std::sync::{Arc, OnceLock, Weak};
use tracing::{info, warn};

/// The node as the sandbox wall sees it. The wall is opened before the node is whole, so it is entered later.
#[derive(Default)]
pub(crate) struct House {
    node: OnceLock<Weak<Node>>,
}

impl House {
    /// From here on the wall can ask.
    pub(crate) fn enter(&self, node: &Arc<Node>) {
        // It is entered once, right after the node is made.
        let _ = self.node.set(Arc::downgrade(node));
    }

    fn node(&self) -> Option<Arc<Node>> {
        self.node.get()?.upgrade()
    }

    fn whose(&self, number: Number) -> Result<(Arc<Node>, Wish), String> {
        let node = self.node().ok_or("the node is not whole")?;
        let wish = || node.register.owner(number).and_then(|solution| node.register.wish(solution));
        let wish = node.proofs.wish(number).or_else(|| node.trial.wish(number)).or_else(wish);
        let wish = wish.ok_or_else(|| format!("nobody wishes solution {number}"))?;
        Ok((node, wish))
    }
}

impl Surroundings for House {
    fn resolve(&self, number: Number, sandbox: &Sandbox) -> Result<Resolved, String> {
        let (node, wish) = self.whose(number)?;
        crate::host::resolve(&node, &wish, sandbox).map_err(|trouble| trouble.detail)
    }

    fn marks(&self, number: Number, task: &Task) -> Result<(), String> {
        if task.marks.is_empty() {
            return Ok(());
        }
        let (node, _) = self.whose(number)?;
        let volume = node.volume(number);
        task.marks
            .iter()
            .try_for_each(|(key, value)| {
                let on_trial = key.starts_with(ON_TRIAL);
                if on_trial { volume.trial_mark(key, value) } else { volume.set_mark(key, value) }
            })
            .map_err(|error| crate::causes::causes(&error))
    }

    fn event(&self, event: Event) {
        let number = match &event {
            Event::Started { number, .. }
            | Event::Ended { number, .. }
            | Event::OutOfMemory { number, .. }
            | Event::TaskEnded { number, .. } => *number,
        };
        match &event {
            Event::Ended { expected: false, role, exit, out_of_memory, words, .. } => {
                warn!(%number, role, %exit, out_of_memory, words, "a service ended unasked; whoever connects next starts it again");
            }
            Event::OutOfMemory { role, kills, .. } => warn!(%number, role, kills, "killed for want of memory"),
            Event::TaskEnded { name, failed: Some(reason), .. } => warn!(%number, name, reason, "a task failed"),
            Event::Started { .. } | Event::Ended { .. } | Event::TaskEnded { .. } => info!(?event, "sandbox"),
        }
        if let Some(node) = self.node()
            && let Some(solution) = node.register.owner(number)
        {
            node.keeper.wake(solution);
        }
    }
}
