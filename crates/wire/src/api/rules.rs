//! Types of the house rules in the API. Texts are in both languages, for rules are read by whoever comes.

use husorden_base::Text;
use husorden_rules::Difference;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// One version of the house rules.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Rules {
    /// Its number.
    pub version: u32,
    /// What changed, in short.
    #[schema(value_type = Object)]
    pub summary: Text,
    /// Since when it holds, or from when it will.
    #[schema(value_type = String)]
    pub effective: Timestamp,
    /// When it was published.
    #[schema(value_type = String)]
    pub published: Timestamp,
    /// SHA-256 of the stored text, in hexadecimal.
    pub hash: String,
    /// Whether it is the version that holds now.
    pub in_force: bool,
    /// The newest version that is to follow it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u32>,
    /// The kinds that clauses name, with what people call them.
    #[schema(value_type = Object)]
    pub kinds: BTreeMap<String, Text>,
    /// The clauses; with who answers for each they are the responsibility matrix.
    pub clauses: Vec<RulesClause>,
    /// What changed from the version before, clause by clause and word by word; none for the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub difference: Option<Difference>,
}

/// A clause of the house rules.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RulesClause {
    /// Its id.
    pub id: String,
    /// Its title.
    #[schema(value_type = Object)]
    pub title: Text,
    /// What is promised, or not allowed.
    #[schema(value_type = Object)]
    pub says: Text,
    /// What the provider does.
    #[schema(value_type = Object)]
    pub we: Text,
    /// What the customer can do.
    #[schema(value_type = Object)]
    pub you: Text,
    /// The kinds it is about; none is every kind.
    pub kinds: Vec<String>,
    /// Who answers: `provider`, `customer`, `third-party`, `provider-and-customer`, `provider-and-third-party` or `not-applicable`.
    pub answers: Worded,
    /// What is usually done about a breach.
    pub measures: Vec<Worded>,
    /// Whether a breach may be a crime.
    pub criminal: bool,
}

/// A word for programs, with what people read.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Worded {
    /// The word.
    pub word: String,
    /// What people read.
    #[schema(value_type = Object)]
    pub title: Text,
}

/// A version of the house rules, without its texts.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RulesVersion {
    /// Its number.
    pub version: u32,
    /// What changed, in short.
    #[schema(value_type = Object)]
    pub summary: Text,
    /// Since when it holds, or from when it will.
    #[schema(value_type = String)]
    pub effective: Timestamp,
    /// When it was published.
    #[schema(value_type = String)]
    pub published: Timestamp,
    /// SHA-256 of the stored text, in hexadecimal.
    pub hash: String,
    /// Whether it is the version that holds now.
    pub in_force: bool,
}

/// What an account accepted.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RulesAccepted {
    /// The version that holds now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_force: Option<u32>,
    /// The newest version that is to follow; it can be accepted beforehand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u32>,
    /// Whether the account has accepted the version that holds now, or one after it.
    pub accepted: bool,
    /// Its acceptances, newest version first.
    pub items: Vec<RulesAcceptance>,
}

/// One acceptance.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RulesAcceptance {
    /// Of which version.
    pub version: u32,
    /// By whom, as evidence says it.
    pub who: String,
    /// When.
    #[schema(value_type = String)]
    pub accepted: Timestamp,
}

/// An acceptance of the house rules.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RulesAccept {
    /// Which version: the one that was read.
    pub version: u32,
}
