//! What can go wrong on the port wall.

use super::{ALLOW_ENTRIES_MAX, DOOR_MIN, DOORS_MAX, LinkName};
use husorden_base::Number;
use husorden_kinds::firewall::PASSAGES_MAX;
use ipnet::IpNet;
use nix::errno::Errno;
use std::path::{Path, PathBuf};

/// What went wrong on this wall.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The kernel refused.
    #[error("{doing}")]
    Kernel {
        /// What was being done.
        doing: String,
        /// What the kernel said.
        source: Errno,
    },
    /// A file or tool could not be used.
    #[error("{doing} {path}", path = .path.display())]
    File {
        /// What was being done.
        doing: &'static str,
        /// To which.
        path: PathBuf,
        /// What happened.
        source: std::io::Error,
    },
    /// A record on disk is not what this wall wrote.
    #[error("reading the record {path}", path = .path.display())]
    Record {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The nft tool refused the base table.
    #[error("writing the base table: {0}")]
    Nft(String),
    /// There is no port with this number.
    #[error("no port is set for solution {0}")]
    NotSet(Number),
    /// The allow-list is longer than [`ALLOW_ENTRIES_MAX`].
    #[error("an allow-list of {0} entries; at most {ALLOW_ENTRIES_MAX} are taken")]
    AllowTooLong(usize),
    /// Rules come to more pieces than [`PASSAGES_MAX`].
    #[error("rules that come to {0} pieces; at most {PASSAGES_MAX} are taken")]
    PassagesTooMany(usize),
    /// A public address leads to another solution already.
    #[error("the public address {0} leads to another solution")]
    PublicHeld(IpNet),
    /// The list of doors is longer than [`DOORS_MAX`].
    #[error("{0} doors; at most {DOORS_MAX} are taken")]
    DoorsTooMany(usize),
    /// A door is asked for that leads to another solution, or to this one twice.
    #[error("TCP port {0} of the node leads elsewhere already")]
    DoorHeld(u16),
    /// A door is asked for below [`DOOR_MIN`].
    #[error("TCP port {0} of the node is kept for the node itself; doors begin at {DOOR_MIN}")]
    DoorKept(u16),
    /// The link to the world is not there.
    #[error("there is no network link {0} here")]
    NoUplink(LinkName),
    /// No free range was found for the node's own link.
    #[error("every range for the node's link is in use on this machine")]
    NoRange,
}

impl Error {
    pub(crate) fn kernel(doing: impl FnOnce() -> String) -> impl FnOnce(Errno) -> Self {
        |source| Self::Kernel { doing: doing(), source }
    }

    pub(crate) fn file(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::File { doing, path, source }
    }
}
