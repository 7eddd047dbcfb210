//! Evidence: lines of the log, the checkpoints that are signed over it, and how the log is.

use super::Signed;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// A line of evidence.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Evidence {
    /// Its number.
    pub id: u64,
    /// When the row was written before the act.
    #[schema(value_type = String)]
    pub begun: Timestamp,
    /// When it was completed after the act; none while it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub ended: Option<Timestamp>,
    /// Who: `staff:…`, `account:…`, `node:…`, `platform`, or `erased`.
    pub who: String,
    /// The same for people; it is no part of what the log proves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who_is: Option<Signed>,
    /// What.
    pub act: String,
    /// On whose account, if on one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// On which solution, if on one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub solution: Option<String>,
    /// The node that wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Details before the act.
    #[schema(value_type = Object)]
    pub before: Value,
    /// Details after the act.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub after: Option<Value>,
    /// Fields that were erased, such as `who` or `before.email`: by whom and when.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub erased: BTreeMap<String, String>,
    /// Its place in the tree; none for the moment until it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaf: Option<u64>,
}

/// Somebody who left an account, and what was erased of them.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PersonLeft {
    /// The person's id.
    pub person: String,
    /// The name, until it is erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The address, until it is erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// When they left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub left: Option<Timestamp>,
    /// When erasing was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub asked: Option<Timestamp>,
    /// When it was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub done: Option<Timestamp>,
    /// Fields of the log that were erased.
    pub fields: u64,
}

/// An order to erase what names a person who left.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ErasureCreate {
    /// The person's id.
    pub person: String,
    /// For staff: from the lines of this account only; none is from everywhere, with the person's own log-in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}

/// An erasure that was asked for.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Erasure {
    /// Its id.
    pub id: String,
    /// Whose fields go.
    pub person: String,
    /// From which account's lines; none is from everywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// When it was asked for.
    #[schema(value_type = String)]
    pub asked: Timestamp,
    /// When it was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub done: Option<Timestamp>,
    /// Fields of the log that were erased so far.
    pub fields: u64,
}

/// A checkpoint.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct EvidenceCheckpoint {
    /// Leaves of the tree.
    pub size: u64,
    /// When it was signed.
    #[schema(value_type = String)]
    pub at: Timestamp,
    /// The public key it was signed with.
    pub key: String,
    /// The signed note itself.
    pub note: String,
}

/// How the log is, and what its checkpoints are checked with.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct EvidenceLog {
    /// Its name, which stands in every checkpoint.
    pub origin: String,
    /// The public key of the control that answers.
    pub key: String,
    /// Every public key that has signed.
    pub keys: Vec<String>,
    /// Leaves of the tree.
    pub size: u64,
    /// When it was signed last by the control that answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub signed: Option<Timestamp>,
    /// Why nothing is signed, if so; staff only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// Where checkpoints go; staff only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<EvidenceTarget>,
}

/// Where checkpoints go.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct EvidenceTarget {
    /// The folder, or whose URL it is.
    pub target: String,
    /// Time of the newest checkpoint that arrived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub delivered: Option<Timestamp>,
    /// Since when it does not take them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub failing_since: Option<Timestamp>,
    /// What it said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}
