//! The platform's own backups: what a machine with nothing on it is rebuilt from.
//!
//! ```text
//! database ──base, once a day──▶ ┌───────┐
//!     └──log, as it is written──▶│ stage │──once a minute, by a child without rights──▶ target
//! vault, authority, keys, rules ▶│       │
//! node's register ──as text────▶ └───────┘
//! ```
//!
//! Each backup is whole by itself: the newest base, all of the log since, and the files beside them ([`files`]), in a repository of restic's
//! format that is written like a solution's. Nothing in it opens the vault: that the recovery key does, and the repository the two papers
//! together ([`husorden_backup::vault::PlatformPaper`]). Once a day a point is named in the log with what is counted there, and the backup is
//! restored from the target and brought to that point ([`prove`]).
//!
//! The role is root, for what it gathers is closed to everybody else; whoever speaks with the target is its child ([`child`]), which is not.

pub(crate) mod child;
pub(crate) mod files;
mod local;
mod prove;
mod role;
pub(crate) mod way;

pub(crate) use local::Verb;
pub(crate) use role::{Config, run};

/// What was counted when a point was named; beside the base in each backup.
pub(crate) const NOTED: &str = "noted.json";
/// The newest base.
pub(crate) const BASE: &str = "base";
/// The log since.
pub(crate) const LOG: &str = "log";
/// Files of the home.
pub(crate) const HOME: &str = "home";
/// What the node knows, as it says it.
pub(crate) const NODE: &str = "node.json";
