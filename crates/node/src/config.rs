//! A node's configuration, as a TOML file says it.

use crate::Ground;
use crate::port::Uplink;
use crate::volume::Source;
use husorden_kinds::public::Pools;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Everything a node is told from outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The node's name, as control knows it.
    #[serde(default = "default_name")]
    pub name: String,
    /// Where the installation stands.
    pub ground: Ground,
    /// Control's unix socket.
    pub control_socket: PathBuf,
    /// What the pool stands on.
    pub pool: Source,
    /// Folder with the certificate authority for names that no public authority certifies.
    pub ca: PathBuf,
    /// The link towards the world, in the node's network namespace.
    pub uplink: Uplink,
    /// Public addresses that are handed out to solutions of this node.
    #[serde(default, skip_serializing_if = "Pools::is_empty")]
    pub pools: Pools,
    /// Where the edge listens, for a probe to see from outside what a measure has closed.
    #[serde(default)]
    pub edge: Edge,
    /// Folder of the sites' logs, in which the edge has a folder a number: they go with their site. None when an edge elsewhere
    /// keeps them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site_logs: Option<PathBuf>,
    /// Folder of the imported list of leaked passwords, for those that are set in SQL. None where no list is imported on this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaked: Option<PathBuf>,
    /// When what comes round by itself comes round.
    #[serde(default)]
    pub care: Care,
    /// The domain under which solutions that are reached by a port have their names, such as `solutions.test`.
    #[serde(default = "husorden_base::zone")]
    pub zone: husorden_base::Domain,
    /// The node stands in a network of its own, as for a first look, or in one with nothing in it, as the role for proofs does: backup targets are
    /// reached by the machine's.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub apart: bool,
}

/// When what comes round by itself comes round. The defaults are for a house in service; tests make them short.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Care {
    /// Seconds between two sweeps over everything.
    pub sweep_s: u64,
    /// Seconds between two looks at certificates that are near their end.
    pub renew_s: u64,
    /// Seconds between two readings of the pool against its checksums.
    pub scrub_s: u64,
    /// Seconds between two tidyings: quota groups of what is destroyed, and builds that nothing uses any more.
    pub tidy_s: u64,
    /// Seconds that a build is kept after a newer one took its place.
    pub build_kept_s: u64,
    /// Seconds between two readings of the figures of what runs.
    pub measure_s: u64,
    /// Seconds between two snapshots of what is written to, for its log to begin from.
    pub base_s: u64,
    /// Seconds between two times that what was written to a log is ended and kept.
    pub log_s: u32,
    /// Seconds after its retention when a solution is destroyed at the earliest: an undo may be on its way.
    pub grace_s: u32,
}

impl Default for Care {
    fn default() -> Self {
        let day_s = 86_400;
        Self {
            sweep_s: 60,
            renew_s: day_s,
            scrub_s: 30 * day_s,
            tidy_s: 3600,
            build_kept_s: 14 * day_s,
            measure_s: 60,
            base_s: day_s,
            log_s: husorden_kinds::segments::usual_s(),
            grace_s: 300,
        }
    }
}

/// Where an edge listens.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edge {
    /// With TLS.
    #[serde(default)]
    pub https: Vec<SocketAddr>,
    /// Without.
    #[serde(default)]
    pub http: Vec<SocketAddr>,
}

impl Config {
    /// The socket on which the edge finds this node.
    #[must_use]
    pub fn edge_socket(&self) -> PathBuf {
        self.ground.run.join("node").join("edge.sock")
    }

    /// The socket for verbs on this machine that work with control dead.
    #[must_use]
    pub fn local_socket(&self) -> PathBuf {
        self.ground.run.join("node").join("local.sock")
    }
}

fn default_name() -> String {
    "node-1".to_owned()
}
