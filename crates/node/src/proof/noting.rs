//! Noting what a proof will find, when a backup is written: asked of what serves before the snapshot and after it, and of the snapshot itself.
//! A service that sleeps is woken by being asked. What could not be asked is not noted, and keeps no backup from being written.

use super::compare;
use super::looks::{Mute, look};
use crate::Node;
use crate::volume::SnapshotInfo;
use husorden_base::Refusal;
use husorden_kinds::{Said, Task, kind};
use husorden_wire::node::{Opened, Wish};
use std::sync::Arc;
use tracing::{info, warn};

/// Takes the snapshot, and notes what lay on the volume then.
///
/// # Errors
/// When the snapshot can't be taken. What can't be noted is left out.
pub(crate) fn noted(
    node: &Arc<Node>,
    wish: &Wish,
    take: &mut dyn FnMut() -> Result<SnapshotInfo, Refusal>,
) -> Result<(SnapshotInfo, Opened), Refusal> {
    let marks = node.volume(wish.number).marks().unwrap_or_default();
    let asked = kind(&wish.kind).map(|kind| kind.noting(&node.order(wish), &marks)).unwrap_or_default();
    let before = ask(node, wish, &asked.around);
    let snapshot = take()?;
    let after = ask(node, wish, &asked.around);
    let mut opened = compare::noted(&before, &after);
    let _noted = node.proofs.note(wish.number, snapshot.id);
    compare::add(&mut opened, compare::still(&ask(node, wish, &asked.still)));
    Ok((snapshot, opened))
}

fn ask(node: &Arc<Node>, wish: &Wish, tasks: &[Task]) -> Said {
    let mut said = Said::default();
    for task in tasks {
        // A service that a measure, its owner or a change has taken away is not waited for.
        let stop = || node.ending().then_some(());
        match look(node, wish.number, task, stop) {
            Ok(more) => said.add(more),
            Err(Mute::Failed(reason)) => {
                info!(number = %wish.number, task = task.name, reason, "not noted for a proof");
            }
            Err(Mute::Stopped(())) => warn!(number = %wish.number, task = task.name, "not noted: the node ends"),
        }
    }
    said
}
