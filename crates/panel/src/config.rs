//! Configuration of the panel: where it listens, by which names it is asked for, and its limits.

use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Configuration of the panel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where it listens, with TLS. Whoever starts it binds, for the port may be root's.
    pub listen: Vec<SocketAddr>,
    /// The host name of the customers' pages.
    #[serde(default = "customers")]
    pub customers: String,
    /// The host name of the staff's pages: another origin, so that neither's cookies nor scripts reach the other.
    #[serde(default = "staff")]
    pub staff: String,
    /// The certificate's chain, PEM.
    pub chain: PathBuf,
    /// The certificate's key, PEM.
    pub key: PathBuf,
    /// Limits.
    #[serde(default)]
    pub limits: Limits,
}

/// What one visitor or one message may take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Largest form, in bytes.
    pub form_bytes_max: usize,
    /// Largest head of a request, in bytes.
    pub header_bytes_max: usize,
    /// Connections at a time.
    pub connections_max: usize,
    /// Longest time for a handshake or a request's head, in seconds.
    pub head_wait_s_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { form_bytes_max: 256 << 10, header_bytes_max: 32 << 10, connections_max: 2_000, head_wait_s_max: 15 }
    }
}

/// The customers' name in a first look; every browser resolves it to the machine itself.
fn customers() -> String {
    "panel.localhost".to_owned()
}

/// The staff's name in a first look.
fn staff() -> String {
    "staff.localhost".to_owned()
}

impl Config {
    /// A panel with the names of a first look.
    #[must_use]
    pub fn new(listen: Vec<SocketAddr>, chain: PathBuf, key: PathBuf) -> Self {
        Self { listen, customers: customers(), staff: staff(), chain, key, limits: Limits::default() }
    }
}
