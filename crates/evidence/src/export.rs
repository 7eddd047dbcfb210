//! The export file: one JSON record a line. A header, checkpoints, the proofs between them, the leaves, and an end.

use crate::hash::Hash;
use crate::leaf::Opened;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Version of the file's shape.
pub const VERSION: u32 = 1;
/// Longest line of an export, in bytes.
pub const LINE_BYTES_MAX: usize = 8 << 20;
/// What a line about an erasure is called. Its details say the class, and up to which leaf (`through`) it was erased.
pub const ERASED_ACT: &str = "evidence.erased";

/// One line of the file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Record {
    /// What the file is.
    Header(Header),
    /// A signed note.
    Checkpoint(String),
    /// That the tree of one size is the beginning of that of the header's size.
    Consistency(Consistency),
    /// A leaf.
    Leaf(Box<ExportedLeaf>),
    /// The file is whole.
    End {
        /// Leaves in it.
        leaves: u64,
    },
}

/// What an export is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Version of the file's shape.
    pub version: u32,
    /// Which log.
    pub origin: String,
    /// Public keys that its checkpoints are signed with, as the log says.
    pub keys: Vec<String>,
    /// When it was made.
    pub made: Timestamp,
    /// Leaves of the tree that the proofs lead to.
    pub size: u64,
    /// The account whose lines these are; none: every leaf there is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Uuid>,
}

/// A consistency proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consistency {
    /// Leaves of the earlier tree.
    pub from: u64,
    /// The proof.
    pub proof: Vec<Hash>,
}

/// A leaf with what is visible of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExportedLeaf {
    /// Its place in the tree.
    pub index: u64,
    /// Its body.
    pub body: Value,
    /// Hidden values with their salts, by path.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub open: BTreeMap<String, Opened>,
    /// What was erased, by path: by whom and when.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub erased: BTreeMap<String, String>,
    /// That it is in the tree; left out of an export that holds every leaf.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub proof: Vec<Hash>,
}
