//! Private networks.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A private network of an account: its servers speak with each other, apart from everybody else.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Network {
    /// Its id.
    pub id: String,
    /// Whose it is.
    pub account: String,
    /// Its name in the account.
    pub name: String,
    /// Its range in IPv4; two accounts may have the same.
    pub range: String,
    /// Its prefix in IPv6, which no other network has.
    pub prefix: String,
    /// The first address of the range, which no server has.
    pub gateway: String,
    /// The servers in it.
    #[serde(default)]
    pub members: Vec<NetworkMember>,
    /// When it was made.
    #[schema(value_type = String)]
    pub created: Timestamp,
}

/// A server in a network.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct NetworkMember {
    /// Its id.
    pub solution: String,
    /// Its name.
    pub name: String,
    /// Its address in IPv4.
    pub address: String,
    /// Its address in IPv6.
    pub address6: String,
    /// It is deleted, and keeps its address as long as that can be undone.
    #[serde(default)]
    pub deleted: bool,
}

/// An order for a network.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NetworkCreate {
    /// The account it is for; only staff name one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Its name: 1 to 63 of a-z, 0-9 and hyphens.
    #[serde(default)]
    pub name: String,
    /// Its range, such as `10.20.0.0/24`: a /16 to a /28 of 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16. It stays.
    #[serde(default)]
    pub range: String,
}

/// Another name for a network.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NetworkChange {
    /// The new name.
    #[serde(default)]
    pub name: String,
}
