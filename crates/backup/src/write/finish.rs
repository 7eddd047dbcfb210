//! Directories are put together from the leaves up, in the order they are walked.

use super::packer::Press;
use super::pending::Pending;
use super::{LEVEL, Shared};
use crate::fault::Fault;
use crate::format::{BlobType, Node, Tree};
use crate::id::Id;
use std::sync::Arc;

/// What the walk saw.
pub(super) enum Event {
    /// A directory begins.
    Enter,
    /// An entry that needs nothing more.
    Ready(Node),
    /// A file whose pieces are worked on.
    File(Arc<Pending>),
    /// The directory that began last is at its end, and is this entry of the one around it.
    Leave(Node),
}

/// Puts the directories together and gives the root.
pub(super) fn finish(shared: &Shared<'_>) -> Result<Id, Fault> {
    let mut press = Press::new(LEVEL)?;
    let mut open: Vec<Vec<Node>> = vec![Vec::new()];
    let mut seal = |nodes| shared.packer.add(BlobType::Tree, &Tree { nodes }.to_bytes(), &mut press);
    while let Some((event, weight)) = shared.events.pop() {
        let node = match event {
            Event::Enter => {
                open.push(Vec::new());
                None
            }
            Event::Ready(node) => Some(node),
            Event::File(pending) => Some(pending.wait(|| shared.over())?),
            Event::Leave(mut node) => {
                node.subtree = Some(seal(open.pop().unwrap_or_default())?);
                Some(node)
            }
        };
        match open.last_mut() {
            Some(nodes) => nodes.extend(node),
            None => return Err(Fault::Stopped),
        }
        shared.events.done(weight);
    }
    match (open.pop(), open.is_empty() && !shared.over()) {
        (Some(nodes), true) => seal(nodes),
        _ => Err(Fault::Stopped),
    }
}
