//! Who may connect: proposals made of refused attempts, and findings.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Somebody tried to connect and was refused. Nothing lets them in but a person's word.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Proposal {
    /// Its id.
    pub id: String,
    /// To which solution.
    pub solution: String,
    /// From where: an IPv4 address, or an IPv6 /64.
    pub net: String,
    /// To which TCP port of the solution.
    pub port: u16,
    /// How often in all.
    pub attempts: u64,
    /// When first.
    #[schema(value_type = String)]
    pub first: Timestamp,
    /// When last.
    #[schema(value_type = String)]
    pub last: Timestamp,
    /// Whether this very request comes from there.
    pub own: bool,
}

/// An order to let in who was refused.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProposalAccept {
    /// Who it is, for people.
    #[serde(default)]
    pub note: String,
    /// When it ends by itself; left out, it stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub until: Option<Timestamp>,
}

/// An order to let whoever gives it in for a while.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccessOpen {
    /// Minutes until it ends by itself: 5 to 720.
    #[serde(default = "AccessOpen::minutes")]
    pub minutes: u32,
    /// From where; left out, the address that this request comes from, in IPv6 its /64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub net: Option<String>,
    /// What for, for people.
    #[serde(default)]
    pub note: String,
}

impl AccessOpen {
    const fn minutes() -> u32 {
        120
    }
}

impl Default for AccessOpen {
    fn default() -> Self {
        Self { minutes: Self::minutes(), net: None, note: String::new() }
    }
}

/// What is lawful in a solution's spec and yet unwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Finding {
    /// Its name, such as `open-to-all`.
    pub name: String,
    /// `notice`, `warning` or `danger`.
    pub severity: String,
    /// What it is, in the reader's language.
    pub title: String,
    /// What to do about it, in the reader's language.
    pub advice: String,
}
