//! Tokens and their scopes, and grants: leave for staff to act on an account's solutions.

use super::capability::{Capabilities, Capability};
use super::{Account, Signed};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a token may do, and on what.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// What it may do; nothing said is `read`, for a staff token `staff-read`.
    #[serde(default)]
    #[schema(value_type = Vec<Capability>)]
    pub capabilities: Capabilities,
    /// Only solutions of these kinds; none named is all. A narrowed token only reads and changes solutions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<String>,
    /// Only these solutions, by id or name; none named is all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub solutions: Vec<String>,
    /// Only these backup targets, by name or id; none named is all. For a token of a target's own side, which may `target-keep` and nothing else.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<String>,
}

/// An order for a token.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenCreate {
    /// What it is for.
    pub label: String,
    /// What it may do.
    #[serde(default)]
    pub scope: Scope,
    /// From which networks it may be used, as `192.0.2.0/24` or one address; none named is from anywhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cidrs: Vec<String>,
    /// For staff: the account it is for; none makes a staff token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// When it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub expires: Option<Timestamp>,
}

/// A token. `token` is there only in the answer that made it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Token {
    /// Its id.
    pub id: String,
    /// What it is for.
    pub label: String,
    /// `staff` or `account`.
    pub role: String,
    /// The account it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// What it may do.
    pub scope: Scope,
    /// From which networks it may be used; none named is from anywhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cidrs: Vec<String>,
    /// When it was last used, to the minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub used: Option<Timestamp>,
    /// The token itself, shown once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// When it was made.
    #[schema(value_type = String)]
    pub created: Timestamp,
    /// When it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub expires: Option<Timestamp>,
}

/// Who asks: the answer to `GET /v1/me`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Me {
    /// `staff` or `account`.
    pub role: String,
    /// The account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Account>,
    /// What the caller may do.
    #[schema(value_type = Vec<Capability>)]
    pub capabilities: Capabilities,
}

/// Leave for staff to act on an account's solutions for a time: given by the account, or taken by one of staff in an emergency.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GrantCreate {
    /// For staff: on which account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// On which solution only; none is all, and what is made meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub solution: Option<String>,
    /// For how many minutes the account lets staff in, 5 to 10,080; nothing said is 60.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minutes: Option<u32>,
    /// What the account lets staff in for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// For staff: why they break the glass. It holds for 60 minutes, for who does it only, and the account sees it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub break_glass: Option<String>,
}

/// Leave for staff to act on an account's solutions.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Grant {
    /// Its id.
    pub id: String,
    /// On which account.
    pub account: String,
    /// On which solution only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub solution: Option<String>,
    /// What for.
    pub reason: String,
    /// Whether staff took it themselves.
    pub break_glass: bool,
    /// Who gave or took it, as evidence says it.
    pub by: String,
    /// The same for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_whom: Option<Signed>,
    /// Whether it can be used now.
    pub open: bool,
    /// Since when.
    #[schema(value_type = String)]
    pub starts: Timestamp,
    /// When it ends, or ended.
    #[schema(value_type = String)]
    pub ends: Timestamp,
}
