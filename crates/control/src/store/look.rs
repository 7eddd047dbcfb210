//! What is counted in the database of the house as a whole.

use super::{json, one};
use jiff::Timestamp;
use serde::Deserialize;
use sqlx::PgPool;

/// The house, counted.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Look {
    pub(crate) at: Timestamp,
    pub(crate) jobs: Vec<Jobs>,
    pub(crate) nodes: Vec<NodeHeard>,
    pub(crate) solutions: Vec<Solutions>,
    pub(crate) measures_not_in_force: u64,
    pub(crate) measures_standing: u64,
    pub(crate) evidence_open: u64,
    /// Age of the newest signed checkpoint of the evidence.
    pub(crate) checkpoint_s: Option<f64>,
    pub(crate) backups: Backups,
    pub(crate) database_bytes: u64,
    pub(crate) database_version: String,
}

/// How the backups of all solutions with a plan stand.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(crate) struct Backups {
    pub(crate) planned: u64,
    /// The newest is older than a day and what it takes to write one.
    pub(crate) late: u64,
    /// The last one failed.
    pub(crate) failed: u64,
    /// None passed a proof in two days.
    pub(crate) unproven: u64,
    /// The last proof failed.
    pub(crate) proofs_failed: u64,
    /// For how long the one that has waited longest was not proven.
    pub(crate) oldest_unproven_s: Option<f64>,
}

/// Jobs of one kind.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Jobs {
    pub(crate) kind: String,
    pub(crate) open: u64,
    pub(crate) late: u64,
    pub(crate) dead: u64,
    pub(crate) oldest_s: f64,
}

/// When a node was last heard.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct NodeHeard {
    pub(crate) name: String,
    pub(crate) connected: bool,
    pub(crate) silent_s: Option<f64>,
    /// When the first of its sites' certificates ends.
    pub(crate) certificate_ends: Option<Timestamp>,
}

/// Solutions of one kind in one state.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Solutions {
    pub(crate) kind: String,
    pub(crate) state: String,
    pub(crate) count: u64,
}

pub(crate) async fn look(system: &PgPool) -> Result<Option<Look>, sqlx::Error> {
    one(json("select house_look()"), system).await
}

/// What nodes hold that control does not know of.
pub(crate) async fn strays(system: &PgPool) -> Result<Vec<String>, sqlx::Error> {
    Ok(one(json("select node_strays()"), system).await?.unwrap_or_default())
}
