//! What is kept beside a snapshot.

use crate::segment::window::Point;
use husorden_base::SnapshotId;
use husorden_kinds::Consistent;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Why a snapshot was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "kebab-case")]
pub enum Why {
    /// A customer asked for it.
    Customer,
    /// By the platform, before it did something that may lose data; undo brings this one back. One on a schedule is noted here too, so that an
    /// older build of the node, which refuses words that it does not know, reads the note.
    Before {
        /// What, such as `restore`; or `schedule`.
        what: String,
    },
    /// By the platform, so that the log can be carried out again from it.
    Base,
    /// By the platform, for a backup to be made of it, where it stays until the next one, which reads what has changed since; or for a package.
    Backup,
    /// By the platform, when the solution was deleted: kept for the retention time.
    Retained,
}

/// A snapshot of a volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SnapshotInfo {
    /// Which.
    pub id: SnapshotId,
    /// When.
    pub taken_at: Timestamp,
    /// Why.
    pub why: Why,
    /// What its maker called it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Fields of the spec as they were with this data, where the wish was ahead of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spec: Option<serde_json::Value>,
    /// Where its log stood; none where none is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub point: Option<Point>,
    /// What it is worth, where something ran that could have been asked to hold still.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consistent: Option<Consistent>,
}

impl super::Volume {
    /// A folder of a snapshot, to bind into sandboxes.
    #[must_use]
    pub(crate) fn snapshot_folder(&self, id: &SnapshotId, name: &str) -> std::path::PathBuf {
        self.snapshot_path(id).join(name)
    }
}
