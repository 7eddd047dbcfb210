//! Public addresses, the names that lead back from them, and firewalls.

use crate::api::Finding;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// A public address of a solution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PublicAddress {
    /// The address; of a net the one that the solution is told to take.
    pub address: String,
    /// The whole net, where every address of it leads to the solution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub net: Option<String>,
    /// Names that lead back from addresses of it.
    pub names: Vec<ReverseName>,
}

/// The name that leads back from an address (a PTR record).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReverseName {
    /// The address.
    pub address: String,
    /// The name.
    pub name: String,
}

/// Which name is to lead back from an address of a solution.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReverseNameForm {
    /// One of its public addresses.
    #[serde(default)]
    pub address: String,
    /// The name; left out, none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// A rule of a firewall: what is let in at public addresses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FirewallRule {
    /// `tcp`, `udp`, or `icmp`, which is its echo.
    pub protocol: String,
    /// A port such as `443`, or a range such as `8000-8100`; none for `icmp`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ports: Option<String>,
    /// Addresses and ranges; `0.0.0.0/0` and `::/0` are everybody.
    pub from: Vec<String>,
    /// Why, for people.
    #[serde(default)]
    pub note: String,
}

/// An order for a firewall.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FirewallCreate {
    /// Its name in the account.
    pub name: String,
    /// Its rules; nobody is let in who none of them names.
    #[serde(default)]
    #[schema(value_type = Vec<FirewallRule>)]
    pub rules: Value,
    /// It holds for solutions that have all of these labels; none: for none by them.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// And for these, by id or name.
    #[serde(default)]
    pub solutions: Vec<String>,
    /// The account; only staff name it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}

/// A change of a firewall; what is left out stays, and a list is replaced as a whole.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FirewallChange {
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<FirewallRule>>)]
    pub rules: Option<Value>,
    /// The labels it goes by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeMap<String, String>>,
    /// The solutions it holds for besides, by id or name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub solutions: Option<Vec<String>>,
}

/// A firewall. Who holds its ETag changes it with `If-Match`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Firewall {
    /// Its id.
    pub id: String,
    /// Whose it is.
    pub account: String,
    /// Its name.
    pub name: String,
    /// Its rules.
    pub rules: Vec<FirewallRule>,
    /// The labels it goes by.
    pub labels: BTreeMap<String, String>,
    /// The ids of the solutions it holds for besides.
    pub solutions: Vec<String>,
    /// The solutions it holds for now, by labels or by name.
    pub holds_for: Vec<FirewallHolder>,
    /// What is lawful in its rules and yet unwise.
    pub findings: Vec<Finding>,
    /// Counts its changes; also the ETag.
    pub generation: u64,
    /// When it was made.
    #[schema(value_type = String)]
    pub created: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String)]
    pub changed: Timestamp,
}

/// A solution that a firewall holds for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FirewallHolder {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its public addresses. Without any the rules open nothing there.
    pub addresses: Vec<String>,
}
