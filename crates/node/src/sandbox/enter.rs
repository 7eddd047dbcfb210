//! Who is just being put into a sandbox: a process between its birth in a cgroup and the program that it becomes.
//!
//! Whoever starts it waits for that, and holds meanwhile what every start on the node needs. A cgroup that is told to stand still just then would
//! hold up all of them until it goes on, which for a measure may be days. So the one waits for the other: nobody enters what stands still, and
//! what is to stand still does when everybody is in.

use super::state::Shared;
use husorden_base::Number;

/// Somebody who is on the way in, for as long as this lives.
pub(crate) struct Entering<'a> {
    shared: &'a Shared,
    number: Number,
}

impl Shared {
    /// Says that somebody enters; nobody does where the solution stands still.
    pub(crate) fn enter(&self, number: Number) -> Option<Entering<'_>> {
        let mut state = self.lock();
        if state.still.contains(&number) {
            return None;
        }
        *state.entering.entry(number).or_default() += 1;
        Some(Entering { shared: self, number })
    }
}

impl Drop for Entering<'_> {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        if let Some(count) = state.entering.get_mut(&self.number) {
            *count -= 1;
            if *count == 0 {
                state.entering.remove(&self.number);
            }
        }
        self.shared.changed.notify_all();
    }
}
