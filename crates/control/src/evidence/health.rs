//! How the evidence log is, for the health page and the metrics.

use jiff::Timestamp;

/// How the log is, as this control sees it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Health {
    /// The public key.
    pub(crate) key: String,
    /// Leaves that were signed last.
    pub(crate) size: u64,
    /// When.
    pub(crate) signed: Option<Timestamp>,
    /// Why nothing is signed, if so.
    pub(crate) refused: Option<String>,
    /// Where checkpoints go.
    pub(crate) targets: Vec<TargetHealth>,
}

/// How one target is.
#[derive(Clone, Debug)]
pub(crate) struct TargetHealth {
    /// Which, without what might be secret in it.
    pub(crate) target: String,
    /// Time of the newest checkpoint that arrived.
    pub(crate) delivered: Option<Timestamp>,
    /// Since when it does not take them, and what it said.
    pub(crate) failing: Option<(Timestamp, String)>,
}

impl TargetHealth {
    pub(crate) const fn new(target: String) -> Self {
        Self { target, delivered: None, failing: None }
    }
}
