//! What a target's own side tells control and hears from it, one repository at a time. Control's word may only keep more: what expires is this
//! side's to say.

use husorden_base::Text;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Most backups of one kind that are told at once; the rest is told the next time.
pub const ROUND_BACKUPS_MAX: usize = 1000;

/// What the target's own side did and found in one repository. Errors: `field` at `/folder`, `/gone`, `/missing`, `/waiting`, `/recipient`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TargetRound {
    /// The repository's folder: the solution's number, or that with `-log` for its log, of which nothing more is said.
    pub folder: String,
    /// Backups that this side removed, at most 1,000.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gone: Vec<BackupGone>,
    /// Names of backups that were there, are not any more, and were not removed by this side; at most 1,000.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// Purges that wait for their days, at most 1,000.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<Purge>,
    /// An age recipient: what opens the repository is wanted, sealed to it, so that what nothing uses any more can go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient: Option<String>,
}

/// A backup that the target's own side removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BackupGone {
    /// Its name in the repository.
    pub copy: String,
    /// When.
    #[schema(value_type = String)]
    pub at: Timestamp,
    /// The order by which it went before its time; none where it expired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purge: Option<Purge>,
}

/// An order to purge, as the target's own side has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Purge {
    /// The SHA-256 of its text.
    pub order: String,
    /// Why, as it was signed.
    pub reason: String,
    /// Public keys of those who signed it.
    pub signers: Vec<String>,
    /// When this side saw it first; one person's order is carried out seven days later.
    #[schema(value_type = String)]
    pub seen: Timestamp,
}

/// What control says of a repository.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct TargetWord {
    /// The last backup there that a proof found good: it never expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proven: Option<String>,
    /// Nothing of it may be touched.
    pub sealed: bool,
    /// What opens the repository, as an age file in base64: JSON whose `repository` is its password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Why there is no key though one was wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub refused: Option<Text>,
}
