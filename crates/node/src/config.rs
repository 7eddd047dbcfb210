//! A node's configuration, as a TOML file says it.

use crate::Ground;
use crate::port::Uplink;
use crate::volume::Source;
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
    /// Where the edge listens, for a probe to see from outside what a measure has closed.
    #[serde(default)]
    pub edge: Edge,
    /// Seconds between two sweeps over everything.
    #[serde(default = "default_sweep_s")]
    pub sweep_s: u64,
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

const fn default_sweep_s() -> u64 {
    60
}
