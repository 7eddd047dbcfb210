//! Whose turn it is to write. One writes at a time, and each waits for the disk; a measure goes before whatever else waits, so that it
//! is behind one write at most and not behind a queue of them.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

#[derive(Debug, Default)]
struct Line {
    busy: bool,
    urgent: usize,
}

/// Where those who write wait.
#[derive(Debug, Default)]
pub(super) struct Turns {
    line: Mutex<Line>,
    free: Condvar,
}

/// Somebody's turn, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn<'a>(&'a Turns);

impl Turns {
    fn lock(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a turn.
    pub(super) fn take(&self) -> Turn<'_> {
        let mut line = self.lock();
        while line.busy || line.urgent > 0 {
            line = self.free.wait(line).unwrap_or_else(PoisonError::into_inner);
        }
        line.busy = true;
        Turn(self)
    }

    /// Waits for the next turn there is.
    pub(super) fn take_next(&self) -> Turn<'_> {
        let mut line = self.lock();
        line.urgent += 1;
        while line.busy {
            line = self.free.wait(line).unwrap_or_else(PoisonError::into_inner);
        }
        line.urgent -= 1;
        line.busy = true;
        Turn(self)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.lock().busy = false;
        self.0.free.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_measure_goes_before_those_who_waited_longer() {
        let (turns, order) = (Turns::default(), Mutex::new(Vec::new()));
        std::thread::scope(|scope| {
            let held = turns.take();
            for name in ["first", "second"] {
                let (turns, order) = (&turns, &order);
                scope.spawn(move || {
                    let _turn = turns.take();
                    order.lock().expect("the list").push(name);
                });
            }
            std::thread::sleep(Duration::from_millis(50));
            scope.spawn(|| {
                let _turn = turns.take_next();
                order.lock().expect("the list").push("measure");
            });
            while turns.lock().urgent == 0 {
                std::thread::sleep(Duration::from_millis(1));
            }
            drop(held);
        });
        let order = order.into_inner().expect("the list");
        assert_eq!((order[0], order.len()), ("measure", 3), "{order:?}");
    }
}
