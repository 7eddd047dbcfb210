//! What is kept beside the volume in each backup, so that it can be put back where nothing else of the solution is left.

use crate::segment::window::Point;
use husorden_base::{Name, Number, SolutionId};
use husorden_kinds::Builds;
use husorden_wire::node::Opened;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// The note.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct About {
    /// Whose volume it was.
    pub(crate) solution: SolutionId,
    /// Its number then.
    pub(crate) number: Number,
    /// Its kind.
    pub(crate) kind: String,
    /// Its name.
    pub(crate) name: Name,
    /// Its spec.
    pub(crate) spec: Value,
    /// What tasks had left on the volume; the folder itself is the platform's and is no part of a backup.
    pub(crate) marks: BTreeMap<String, String>,
    /// The builds that it ran on.
    #[serde(default)]
    pub(crate) builds: Builds,
    /// When it was so.
    pub(crate) taken: Timestamp,
    /// What a proof will find.
    #[serde(default)]
    pub(crate) noted: Opened,
    /// Where its log stood, when one is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) point: Option<Point>,
}
