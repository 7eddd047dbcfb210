//! Tokens and their scopes.

use super::Account;
use super::capability::{Capabilities, Capability};
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
