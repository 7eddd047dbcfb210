//! A queue between threads that is bounded by what lies in it, not only by how much of it.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

struct Inner<T> {
    items: VecDeque<(T, usize)>,
    /// Weight of what was put in and is not done with.
    held: usize,
    closed: bool,
}

/// Items with a weight (bytes); who puts one in waits while too much is held.
pub(crate) struct Queue<T> {
    inner: Mutex<Inner<T>>,
    changed: Condvar,
    held_max: usize,
}

/// Nobody takes from the queue any more.
pub(crate) struct Closed;

impl<T> Queue<T> {
    pub(crate) fn new(held_max: usize) -> Self {
        let inner = Inner { items: VecDeque::new(), held: 0, closed: false };
        Self { inner: Mutex::new(inner), changed: Condvar::new(), held_max }
    }

    fn lock(&self) -> MutexGuard<'_, Inner<T>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts an item in. One that is heavier than all the room goes in alone.
    pub(crate) fn push(&self, item: T, weight: usize) -> Result<(), Closed> {
        let mut inner = self.lock();
        while !inner.closed && inner.held > 0 && inner.held + weight > self.held_max {
            inner = self.changed.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
        if inner.closed {
            return Err(Closed);
        }
        inner.held += weight;
        inner.items.push_back((item, weight));
        self.changed.notify_all();
        Ok(())
    }

    /// The oldest item with its weight, or nothing when the queue was closed and is empty. What it weighs is held until [`Queue::done`].
    pub(crate) fn pop(&self) -> Option<(T, usize)> {
        let mut inner = self.lock();
        loop {
            if let Some(taken) = inner.items.pop_front() {
                return Some(taken);
            }
            if inner.closed {
                return None;
            }
            inner = self.changed.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Gives the room of an item back.
    pub(crate) fn done(&self, weight: usize) {
        self.lock().held -= weight;
        self.changed.notify_all();
    }

    /// Nothing more comes; what lies in it is still taken.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Nothing more comes and what lies in it is thrown away.
    pub(crate) fn abandon(&self) {
        let mut inner = self.lock();
        inner.closed = true;
        inner.items.clear();
        drop(inner);
        self.changed.notify_all();
    }
}
