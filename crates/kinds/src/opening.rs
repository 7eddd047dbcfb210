//! How a solution is opened so that it says what it holds: beside what serves, when a backup is written of it ([`Noting`]), and on what
//! was restored, when that is proven ([`Opening`]). Both ask by the same tasks, so that what was noted and what is found have the same
//! names.
//!
//! A task says it on standard output, a line a thing, its parts a tab apart, and `end` as the last:
//!
//! ```text
//! count   app.public.orders   1204      so many rows; `-` where they were not counted
//! count   www/wp-content      812       so many files
//! word    page.title          My shop   words that are the same each time
//! writes  51                            grows with each change, so that two counts tell how much went on between them
//! end                                   everything was said
//! ```

use crate::sandbox::{Bind, Live, Place, Role, Sandbox, Service, Task};
use crate::{Io, Network, Reach};
use husorden_base::Text;
use std::collections::BTreeMap;

/// How the names of such tasks begin. They run beside the passes, which know nothing of them.
pub const LOOK: &str = "look-";
/// Bytes that one of them may say.
pub const SAID_BYTES_MAX: u64 = 16 << 20;
/// Milliseconds that counting one database may take while it serves; what is not counted by then is noted as there.
pub const COUNT_MS_MAX: u32 = 5_000;

/// What is noted of a solution when a backup is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Noting {
    /// Asked of what serves, once before the snapshot and once after.
    pub around: Vec<Task>,
    /// Asked of the snapshot itself, which is bound as [`crate::Place::Snapshot`].
    pub still: Vec<Task>,
}

/// How what was restored of a solution is opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Opening {
    /// Servers on what was restored. They answer nobody but the looks, and start when the first of these connects.
    pub services: BTreeMap<Role, Service>,
    /// What is done, in order.
    pub looks: Vec<Look>,
}

/// One look at what was restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// What it does, for people.
    pub what: Text,
    /// What runs.
    pub task: Task,
    /// Without it the rest is of no use.
    pub first: bool,
}

/// A server of an opening: without network, behind whatever serves, and killed when it is not needed any more.
pub(crate) fn service(mut sandbox: Sandbox, live: Live) -> Service {
    give_way(&mut sandbox);
    Service {
        sandbox,
        reach: Reach::Own,
        idle_stop_s: 3_600,
        stop_s: 1,
        stop_signal: SIGKILL,
        live,
        fill: BTreeMap::new(),
    }
}

/// A task that looks. It leaves no mark: what it says is what it was for.
pub(crate) fn task(name: &str, mut sandbox: Sandbox, limit_s: u32) -> Task {
    give_way(&mut sandbox);
    Task { name: format!("{LOOK}{name}"), sandbox, stdin: String::new(), marks: Vec::new(), limit_s }
}

/// What runs in the shadow of what serves: it reaches nothing, and takes a core at most.
fn give_way(sandbox: &mut Sandbox) {
    sandbox.network = Network::Nothing;
    sandbox.limits.io = Io::BACKGROUND;
    sandbox.limits.cpu_percent = sandbox.limits.cpu_percent.min(100);
}

/// The same task on the snapshot that a backup is made of.
pub(crate) fn still(mut task: Task) -> Task {
    for bind in &mut task.sandbox.binds {
        if let Place::Folder(name) = &bind.from {
            *bind = Bind { from: Place::Snapshot(name.clone()), to: bind.to.clone(), write: false };
        }
    }
    task
}

const SIGKILL: i32 = 9;

/// What tasks have said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// Counts by name; none for what is there and was not counted.
    pub counts: BTreeMap<String, Option<u64>>,
    /// Words by name.
    pub words: BTreeMap<String, String>,
    /// The lowest and the highest count of changes that was said.
    pub writes: Option<(u64, u64)>,
}

impl Said {
    /// Reads what a task has said.
    ///
    /// # Errors
    /// When it broke off, or said something else.
    pub fn read(text: &str) -> Result<Self, String> {
        let mut said = Self::default();
        let mut lines = text.lines();
        for line in lines.by_ref() {
            let mut parts = line.splitn(3, '\t');
            let strange = || format!("{:?} is nothing that is asked for", line.chars().take(80).collect::<String>());
            match (parts.next(), parts.next(), parts.next()) {
                (Some("count"), Some(name), Some(count)) => {
                    let count = if count == "-" { None } else { Some(count.parse().map_err(|_| strange())?) };
                    // What is there is said first, and how much of it afterwards.
                    let held = said.counts.entry(name.to_owned()).or_default();
                    *held = count.or(*held);
                }
                (Some("word"), Some(name), Some(word)) => {
                    said.words.insert(name.to_owned(), word.to_owned());
                }
                (Some("writes"), Some(count), None) => {
                    let count = count.parse().map_err(|_| strange())?;
                    let (least, most) = said.writes.unwrap_or((count, count));
                    said.writes = Some((least.min(count), most.max(count)));
                }
                (Some("end"), None, None) if lines.next().is_none() => return Ok(said),
                _ => return Err(strange()),
            }
        }
        Err("it broke off before it had said everything".to_owned())
    }

    /// Adds what another has said.
    pub fn add(&mut self, other: Self) {
        self.counts.extend(other.counts);
        self.words.extend(other.words);
        if let Some((least, most)) = other.writes {
            let (before, after) = self.writes.unwrap_or((least, most));
            self.writes = Some((before.min(least), after.max(most)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_is_read() {
        let text = "writes\t7\ncount\tapp.public.a b\t-\ncount\tapp.public.big\t-\ncount\tapp.public.a b\t12\nword\tpage.title\tA\tB\nwrites\t9\nend\n";
        let said = Said::read(text).expect("it holds");
        assert_eq!(said.counts["app.public.a b"], Some(12));
        assert_eq!(said.counts["app.public.big"], None);
        assert_eq!(said.words["page.title"], "A\tB");
        assert_eq!(said.writes, Some((7, 9)));
    }

    #[test]
    fn what_broke_off_or_is_something_else_is_not_taken_for_an_answer() {
        for wrong in
            ["", "count\ta\t1\n", "count\ta\tmany\nend\n", "end\ncount\ta\t1\n", "hello\nend\n", "count\ta\nend\n"]
        {
            assert!(Said::read(wrong).is_err(), "{wrong:?}");
        }
    }
}
