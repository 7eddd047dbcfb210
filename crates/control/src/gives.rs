//! What nodes hand out: a request waits here for the stream that its order asks for. A stream that nobody waits for is closed, and so is
//! one whose reader goes; the node's task ends by that, and nothing is left.

use bytes::Bytes;
use husorden_base::OrderId;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::net::unix::OwnedReadHalf;
use tokio::sync::oneshot;

/// A stream of a node.
#[derive(Debug)]
pub(crate) struct Given {
    /// What came with its first line.
    pub(crate) first: Bytes,
    /// What follows.
    pub(crate) rest: OwnedReadHalf,
}

/// Who waits, by order.
#[derive(Debug, Default)]
pub(crate) struct Gives(Mutex<HashMap<OrderId, oneshot::Sender<Given>>>);

/// A request that waits.
#[derive(Debug)]
pub(crate) struct Waiting<'a> {
    gives: &'a Gives,
    order: OrderId,
    pub(crate) stream: oneshot::Receiver<Given>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.gives.lock().remove(&self.order);
    }
}

impl Gives {
    fn lock(&self) -> MutexGuard<'_, HashMap<OrderId, oneshot::Sender<Given>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits from here on for what an order asks for; before the order can reach a node.
    pub(crate) fn wait(&self, order: OrderId) -> Waiting<'_> {
        let (sender, stream) = oneshot::channel();
        self.lock().insert(order, sender);
        Waiting { gives: self, order, stream }
    }

    /// A node hands it out.
    pub(crate) fn given(&self, order: OrderId, given: Given) {
        match self.lock().remove(&order) {
            Some(sender) => drop(sender.send(given)),
            None => tracing::info!(%order, "a node hands out what nobody waits for any more"),
        }
    }
}
