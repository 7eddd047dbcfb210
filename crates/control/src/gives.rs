//! What nodes hand out: a request waits here for the stream that its order, or its question, asks for. A stream that nobody waits for is
//! closed, and so is one whose reader goes; the node's task ends by that, and nothing is left.

use bytes::Bytes;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::oneshot;
use uuid::Uuid;

/// A stream of a node.
#[derive(Debug)]
pub(crate) struct Given {
    /// What came with its first line.
    pub(crate) first: Bytes,
    /// What follows.
    pub(crate) rest: OwnedReadHalf,
    /// What the node is told, where it hears.
    pub(crate) back: OwnedWriteHalf,
}

/// Who waits, by the id of the order or the question.
#[derive(Debug, Default)]
pub(crate) struct Gives(Mutex<HashMap<Uuid, oneshot::Sender<Given>>>);

/// A request that waits.
#[derive(Debug)]
pub(crate) struct Waiting<'a> {
    gives: &'a Gives,
    id: Uuid,
    pub(crate) stream: oneshot::Receiver<Given>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.gives.lock().remove(&self.id);
    }
}

impl Gives {
    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, oneshot::Sender<Given>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits from here on for what an order or a question asks for; before it can reach a node.
    pub(crate) fn wait(&self, id: Uuid) -> Waiting<'_> {
        let (sender, stream) = oneshot::channel();
        self.lock().insert(id, sender);
        Waiting { gives: self, id, stream }
    }

    /// A node hands it out.
    pub(crate) fn given(&self, id: Uuid, given: Given) {
        match self.lock().remove(&id) {
            Some(sender) => drop(sender.send(given)),
            None => tracing::info!(%id, "a node hands out what nobody waits for any more"),
        }
    }
}
