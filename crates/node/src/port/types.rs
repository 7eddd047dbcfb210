//! What goes into the port wall and what comes out of it.

use super::Count;
use husorden_base::Number;
use husorden_kinds::NetworkNumber;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::str::FromStr;

/// The name of a network link: 1 to 15 of letters, digits, `-`, `_` and `.`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LinkName(String);

impl LinkName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for LinkName {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let fine = (1..=15).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
            && !matches!(text, "." | "..");
        if fine {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!("{text:?} is no name of a network link, such as eth0"))
        }
    }
}

impl TryFrom<String> for LinkName {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<LinkName> for String {
    fn from(name: LinkName) -> Self {
        name.0
    }
}

impl std::fmt::Display for LinkName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The node's way to the world.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Uplink {
    /// The link that the default route goes by.
    pub interface: LinkName,
    /// The platform's own addresses, which no port may reach; private ranges and this node's addresses never are reached.
    #[serde(default)]
    pub refuse: Vec<IpNet>,
    /// Name servers that guests are told of when they ask for their addresses. They must be reachable like anything outside.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub name_servers: Vec<IpAddr>,
}

impl Uplink {
    /// A link, with nothing more to be said of it.
    #[must_use]
    pub fn of(interface: LinkName) -> Self {
        Self { interface, refuse: Vec::new(), name_servers: Vec::new() }
    }
}

/// What a port has done since its machine part was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Sent by the solution and let through.
    pub sent: Count,
    /// Let through to the solution.
    pub received: Count,
    /// Sent by the solution and refused.
    pub refused_out: Count,
    /// Sought at the solution and refused.
    pub refused_in: Count,
    /// Sent by the solution with an address that is not its own, and dropped.
    pub spoofed: Count,
    /// Attempts to reach TCP port 25, refused.
    pub mail: Count,
}

/// What stands of all ports, for a sweep. Each place is told by itself, so that what lacks its counterpart is seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Wishes on disk.
    pub records: BTreeSet<Number>,
    /// Network namespaces of this installation.
    pub namespaces: BTreeSet<Number>,
    /// Links on the node's side.
    pub links: BTreeSet<Number>,
    /// Elements in the table's sets.
    pub elements: BTreeSet<Number>,
    /// Held by a measure.
    pub closed: BTreeSet<Number>,
    /// Namespaces of private networks.
    pub networks: BTreeSet<NetworkNumber>,
    /// Private networks that any port is wished in.
    pub networks_wished: BTreeSet<NetworkNumber>,
}
