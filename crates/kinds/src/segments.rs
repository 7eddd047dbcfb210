//! How an engine's log becomes segments in the solution's log store, for a kind whose engine keeps one. What a segment is, stands on the
//! node; a kind says where its engine writes, and what has it kept.

use crate::sandbox::{Role, Task};
use husorden_base::Bytes;

/// Where the log store is inside a sandbox.
pub const STORE: &str = "/srv/store";
/// Where the platform's own program is inside a sandbox that keeps segments.
pub const TOOL: &str = "/run/husorden-tool";
/// The folder of a volume in which the segments lie that are to be carried out again after its snapshot, and the mark that says up to
/// when.
pub const REPLAY: &str = "replay";

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
