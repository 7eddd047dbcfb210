//! Quiesce: what runs lets everything that it has written reach its disk, and writes nothing for the moment that a snapshot takes.
//!
//! Where something runs that keeps its own filesystems on a disk of the solution's, a snapshot holds what a crash at that moment would have left,
//! unless whoever runs there is asked first.

use crate::Role;
use serde::{Deserialize, Serialize};

/// How a service is asked to hold still. Both are commands beside it, in its own sandbox, and end by themselves in any case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quiesce {
    /// Which service.
    pub role: Role,
    /// Has it hold still: says [`Quiesce::HELD`] on a line of its own when it does, lets it go on at the end of standard input, after a time of
    /// its own at the latest, and says [`Quiesce::LET_GO`] where all was held still until then. Says nothing where nobody can be asked.
    pub hold: Vec<String>,
    /// Lets go what another left held.
    pub let_go: Vec<String>,
}

impl Quiesce {
    /// It holds still.
    pub const HELD: &str = "held";
    /// It held still until it was let go.
    pub const LET_GO: &str = "let go";
}

/// What a snapshot of something that ran is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Consistent {
    /// Its filesystems were whole and nothing was on its way, by the word of who runs there.
    Filesystem,
    /// What a crash at that moment would have left.
    Crash,
}

impl Consistent {
    /// Its word in the API.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Filesystem => "filesystem",
            Self::Crash => "crash",
        }
    }
}
