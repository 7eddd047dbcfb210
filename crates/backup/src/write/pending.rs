//! A file whose pieces are still being worked on.

use crate::fault::Fault;
use crate::format::Node;
use crate::id::Id;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

struct State {
    node: Node,
    content: Vec<Id>,
    /// Pieces that are not done, and one for whoever still cuts the file.
    open: usize,
}

/// A node that is whole when its last piece is done.
pub(super) struct Pending {
    state: Mutex<State>,
    whole: Condvar,
}

/// The place of a piece until its name is known.
const UNNAMED: Id = Id([0; 32]);

impl Pending {
    pub(super) fn new(node: Node) -> Self {
        Self { state: Mutex::new(State { node, content: Vec::new(), open: 1 }), whole: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes room for so many pieces and gives the number of the first.
    pub(super) fn expect(&self, pieces: usize) -> usize {
        let mut state = self.lock();
        let first = state.content.len();
        state.content.resize(first + pieces, UNNAMED);
        state.open += pieces;
        first
    }

    /// A piece that is there already.
    pub(super) fn push(&self, id: Id) {
        self.lock().content.push(id);
    }

    /// A piece is named.
    pub(super) fn fill(&self, at: usize, id: Id) {
        let mut state = self.lock();
        state.content[at] = id;
        state.open -= 1;
        if state.open == 0 {
            self.whole.notify_all();
        }
    }

    /// Nothing more is cut; the node is what it is, with its true size.
    pub(super) fn cut(&self, change: impl FnOnce(&mut Node)) {
        let mut state = self.lock();
        change(&mut state.node);
        state.open -= 1;
        if state.open == 0 {
            self.whole.notify_all();
        }
    }

    /// The whole node; waits for it unless `stopped` says that it will never be.
    pub(super) fn wait(&self, stopped: impl Fn() -> bool) -> Result<Node, Fault> {
        let mut state = self.lock();
        while state.open > 0 {
            if stopped() {
                return Err(Fault::Stopped);
            }
            let wait = self.whole.wait_timeout(state, Duration::from_millis(50));
            state = wait.unwrap_or_else(PoisonError::into_inner).0;
        }
        let mut node = state.node.clone();
        node.content = Some(std::mem::take(&mut state.content));
        Ok(node)
    }
}
