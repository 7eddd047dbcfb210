//! What can go wrong with a repository, by what a caller decides from it.

use std::io;

/// Why something about a repository did not happen.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The target did not do what it was asked for, and may do so later: try again.
    #[error(
        "the backup target did not answer while {doing}: {why}; it is tried again, look at the network and at the target"
    )]
    Away {
        /// What was being done.
        doing: String,
        /// What was seen.
        why: String,
    },
    /// The target said no, and will say so again.
    #[error("the backup target refused {doing}: {why}; look at the rights of this node's account there")]
    Refused {
        /// What was being done.
        doing: String,
        /// What it said.
        why: String,
    },
    /// The target has no room left.
    #[error("the backup target is full: {doing}; give it room, nothing that was acknowledged is lost")]
    Full {
        /// What was being done.
        doing: String,
    },
    /// Under this name something else lies: what broke off half-way, or what somebody else put there.
    #[error(
        "{place} lies on the target with {found} bytes instead of {expected}; it is what broke off, and another name is taken"
    )]
    Spoiled {
        /// Which object.
        place: String,
        /// Bytes that lie there.
        found: u64,
        /// Bytes that were to lie there.
        expected: u64,
    },
    /// No such object.
    #[error("{0} is not on the target")]
    Missing(String),
    /// What was read is not what was written.
    #[error("{place} is damaged: {why}")]
    Damaged {
        /// Which object.
        place: String,
        /// How it is seen.
        why: String,
    },
    /// No key of the repository opens with the key given.
    #[error("the key does not open this repository; every solution has a repository and a key of its own")]
    WrongKey,
    /// A repository is there already.
    #[error("a repository is there already; open it instead of making it")]
    Taken,
    /// It is not in the backup.
    #[error("{0} is not in this backup")]
    NotInBackup(String),
    /// The solution's own files could not be read or written.
    #[error("{doing}: {source}")]
    Files {
        /// What was being done.
        doing: String,
        /// Why it failed.
        source: io::Error,
    },
    /// A limit was met.
    #[error("{0}")]
    Limit(String),
    /// The time that was given is over.
    #[error(
        "the time given for this backup ended while {doing}; what was sent stays and the next one goes on from there"
    )]
    Deadline {
        /// What was being done.
        doing: String,
    },
    /// Whoever asked has told to stop.
    #[error("stopped as asked; what was sent stays and the next one goes on from there")]
    Stopped,
}

impl Fault {
    /// Whether the same may succeed a little later.
    #[must_use]
    pub fn passes(&self) -> bool {
        matches!(self, Self::Away { .. })
    }

    pub(crate) fn away(doing: impl Into<String>, why: impl ToString) -> Self {
        Self::Away { doing: doing.into(), why: why.to_string() }
    }

    pub(crate) fn damaged(place: impl ToString, why: impl ToString) -> Self {
        Self::Damaged { place: place.to_string(), why: why.to_string() }
    }

    /// For `map_err` on what the machine says of files.
    pub(crate) fn files<E: Into<io::Error>>(doing: impl Into<String>) -> impl FnOnce(E) -> Self {
        move |source| Self::Files { doing: doing.into(), source: source.into() }
    }
}
