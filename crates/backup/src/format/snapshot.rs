//! A snapshot: one backup, by the tree of its root.

use super::node::Moment;
use crate::id::Id;
use serde::{Deserialize, Serialize};

/// One backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// When the volume was as this backup has it, by the clock of who wrote it. Expiry does not believe it.
    pub time: Moment,
    /// The one it was made beside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Id>,
    /// Its root.
    pub tree: Id,
    /// What restic shows as what was backed up.
    pub paths: Vec<String>,
    /// Where it was made.
    #[serde(default)]
    pub hostname: String,
    /// By whom.
    #[serde(default)]
    pub username: String,
    /// Labels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// What wrote it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub program_version: String,
    /// What was counted, under the names by which newer versions of restic show it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<Summary>,
}

/// What a backup holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Files.
    #[serde(default)]
    pub total_files_processed: u64,
    /// Bytes of them.
    #[serde(default)]
    pub total_bytes_processed: u64,
}
