//! How an engine's log becomes segments in the solution's log store, for a kind whose engine keeps one. What a segment is, stands on the
//! node; a kind says where its engine writes, and what has it kept.

use crate::Io;
use crate::sandbox::{Bind, Place, Role, Sandbox, Task};
use husorden_base::Bytes;
use std::collections::BTreeMap;

/// Where the log store is inside a sandbox.
pub const STORE: &str = "/srv/store";
/// Where the platform's own program is inside a sandbox that keeps segments.
pub const TOOL: &str = "/run/husorden-tool";
/// The folder of a volume in which the segments lie that are to be carried out again after its snapshot, and the mark that says up to
/// when.
pub const REPLAY: &str = "replay";

/// What the mark says after the time when that is done.
const DONE: &str = " done";
/// Seconds that the rest of a log may take, and that carrying it out again may take.
const REST_S: u32 = 900;
const REPLAY_S: u32 = 6 * 3600;

/// Seconds between two times that what was written to a log is ended and kept, where nobody says otherwise: nothing waits for a minute.
#[must_use]
pub const fn usual_s() -> u32 {
    30
}

/// Bytes that a log store takes at most, beyond what the volume is to hold.
#[must_use]
pub fn room(limit: Bytes) -> Bytes {
    Bytes((limit.0 / 2).clamp(Bytes::mib(128).0, Bytes::gib(8).0))
}

/// How the log of one service is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segments {
    /// The service.
    pub role: Role,
    /// Where it writes its log, beneath the volume's live part.
    pub folder: String,
    /// What the names of its files begin with.
    pub prefix: String,
    /// What tells whether it has written.
    pub by: Sign,
    /// How it is kept.
    pub keeping: Keeping,
    /// Keeps the rest of it when the service is at rest.
    pub rest: Task,
}

/// What tells two states of a log apart, without a look into its files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// Its newest file grows.
    Size,
    /// Its files are made beforehand: when one was last written.
    Time,
}

/// Who keeps a log while its service runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keeping {
    /// The engine itself, some seconds after a change at the latest. What it has not kept by then is nothing, unless it waits in this folder
    /// under a name with this ending.
    Engine {
        /// Seconds.
        after_s: u32,
        /// Beneath the volume's live part.
        waiting: (String, &'static str),
    },
    /// A command beside the service, when something was written.
    Command(Vec<String>),
}

/// The time to which the log is to be carried out on the data as it was copied, while that is not done.
pub(crate) fn due(marks: &BTreeMap<String, String>) -> Option<&str> {
    marks.get(REPLAY).map(String::as_str).filter(|mark| !mark.ends_with(DONE))
}

/// What a sandbox needs to have a log of this engine kept.
pub(crate) fn kept(sandbox: &mut Sandbox, engine: &str) {
    sandbox.binds.extend([
        Bind { from: Place::Store(engine.to_owned()), to: STORE.to_owned(), write: true },
        Bind { from: Place::Tool, to: TOOL.to_owned(), write: false },
    ]);
}

/// The task that keeps what a server at rest had not kept, in a sandbox that can.
pub(crate) fn rest(mut sandbox: Sandbox) -> Task {
    sandbox.limits.memory = Bytes::mib(256);
    sandbox.limits.pids = 32;
    sandbox.limits.io = Io::BACKGROUND;
    // The mark says nothing; a task leaves one.
    task("keep-log", sandbox, ("kept", "done"), REST_S)
}

/// The task that carries the log out to a time, in a sandbox whose program does so.
pub(crate) fn replay(mut sandbox: Sandbox, at: &str) -> Task {
    sandbox.binds.extend([
        Bind { from: Place::Folder(REPLAY.to_owned()), to: "/srv/replay".to_owned(), write: true },
        Bind { from: Place::Tool, to: TOOL.to_owned(), write: false },
    ]);
    sandbox.env.insert("AT".to_owned(), at.to_owned());
    task("replay", sandbox, (REPLAY, &format!("{at}{DONE}")), REPLAY_S)
}

fn task(name: &str, sandbox: Sandbox, mark: (&str, &str), limit_s: u32) -> Task {
    let marks = vec![(mark.0.to_owned(), mark.1.to_owned())];
    Task { name: name.to_owned(), sandbox, stdin: String::new(), marks, limit_s }
}
