//! Backups as customers and staff see them: where they lie, when they are made, what stands in them, and what a proof found.
//!
//! Paths are from the volume's root, without a leading slash and without `.` and `..`; the root is the empty path.

use super::Order;
use crate::node::{Address, Level, Opened, ProofStep};
use husorden_base::Secret;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// Longest path of something in a backup, in bytes.
pub const BACKUP_PATH_BYTES_MAX: usize = 4096;

/// Versions of a file that are given at most, the newest ones.
pub const BACKUP_VERSIONS_MAX: usize = 20;

/// A place where backups lie; staff only. What it is opened with is kept in the vault, and never shown again.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Target {
    /// Its id.
    pub id: String,
    /// Its name, unique on the installation.
    pub name: String,
    /// How it is reached: `kind` is `folder`, `sftp`, `rest` or `s3`, with the fields that belong to it.
    #[schema(value_type = Object)]
    pub address: Address,
    /// Bytes a second at most, both ways; none for as fast as it goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_per_second: Option<u64>,
    /// `open` while it takes backups, `retired` when it takes none and is read still.
    pub state: String,
    /// Whether solutions go there whose plan names no target.
    pub default: bool,
    /// Whether it lies on the machine that it is to protect from: for a first look only.
    pub with_machine: bool,
    /// How many backups lie there.
    pub backups: u64,
    /// Bytes that were sent there in all.
    pub bytes_sent: u64,
    /// When the newest backup there was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub newest: Option<Timestamp>,
    /// When its own side, where backups expire, was last heard; none where it never was, and then nothing expires by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub heard: Option<Timestamp>,
    /// When it was made.
    #[schema(value_type = String)]
    pub made: Timestamp,
    /// When it was retired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub retired: Option<Timestamp>,
}

/// An order for a target; staff only. Errors: `field` at `/name` (taken, or no name), `/address…`, `/secret`; `vault-away` (503).
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TargetCreate {
    /// Its name: 1 to 63 of a-z, 0-9 and hyphens.
    pub name: String,
    /// How it is reached, as in [`Target::address`].
    #[schema(value_type = Object)]
    pub address: Value,
    /// Bytes a second at most, from 65,536; left out for as fast as it goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_per_second: Option<u64>,
    /// What it is opened with: for `sftp` a private key of OpenSSH, for `rest` the account's password, for `s3` its secret key. It goes to the vault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub secret: Option<Secret>,
}

/// A change of a target; what is left out stays. Where it lies is not changed: another place is another target.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TargetChange {
    /// A new name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Bytes a second at most, from 65,536; 0 for as fast as it goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_per_second: Option<u64>,
    /// A new secret in the place of the old one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub secret: Option<Secret>,
}

/// When a solution is backed up, and how it stands.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct BackupPlan {
    /// Whether it is backed up each day.
    pub on: bool,
    /// Whether it can be turned off: not for kinds that always have a plan.
    pub required: bool,
    /// Why it is off, as whoever turned it off said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Name of the target; none where the installation has none yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Whether that target lies on the machine that it is to protect from.
    #[serde(default)]
    pub with_machine: bool,
    /// Hour of the day in which the window begins, 0 to 23, in `zone`.
    pub hour: u8,
    /// Hours that the window is long, 1 to 24. Where in it the backup begins follows from the solution, so that a machine's load is even.
    pub hours: u8,
    /// The time zone, such as `Europe/Copenhagen`.
    pub zone: String,
    /// When the next one begins; none while it is off, while one is under way, or without a target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub next: Option<Timestamp>,
    /// The newest backup that is ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest: Option<Backup>,
    /// The backup that is being written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub under_way: Option<Backup>,
    /// The newest proof that came to an end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Proof>,
    /// Names of the parts that can be restored alone, such as databases.
    #[serde(default)]
    pub parts: Vec<String>,
    /// The folder that the solution's own files lie in, with which their paths in a backup begin; none where it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<String>,
}

/// A backup plan as it shall be (`PUT`); what is left out stays as it is. Errors: `field` at `/on`, `/reason`, `/target`, `/hour`,
/// `/hours`, `/zone`; `backup-required` (409) where it can't be turned off.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BackupPlanChange {
    /// Whether it is backed up each day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<bool>,
    /// Why it is turned off, at most 500 characters. Needed with `on: false`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Name of the target; staff only. Empty for the installation's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Hour in which the window begins, 0 to 23.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hour: Option<u8>,
    /// Hours that the window is long, 1 to 24.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<u8>,
    /// The time zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
}

/// A backup.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Backup {
    /// Its id.
    pub id: String,
    /// Of which solution.
    pub solution: String,
    /// Name of the target it lies at.
    pub target: String,
    /// Why it was made: `daily`, `asked`, `before-risk`.
    pub reason: String,
    /// `writing`, `ready`, `failed`, or `gone` when it has expired.
    pub state: String,
    /// When the volume was as it is backed up; while it is being written, when it was asked for.
    #[schema(value_type = String)]
    pub taken: Timestamp,
    /// Files in it.
    pub files: u64,
    /// Bytes of its files.
    pub bytes: u64,
    /// Bytes of files that were read for it. This and the next two are of the try that ended: none where an earlier one had written it.
    pub bytes_read: u64,
    /// Bytes that were sent to the target for it.
    pub bytes_sent: u64,
    /// How long it took, in milliseconds; none until it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took_ms: Option<u64>,
    /// The order that writes it.
    pub order: String,
    /// What is done now, or why it failed, in the reader's language.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What a proof will look for, as it was noted when it was written.
    #[schema(value_type = Object)]
    pub noted: Opened,
    /// Its newest proof.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Proof>,
}

/// What is put back of a backup. Errors: `field` at `/path`, `/part`, `/hole`; `backup-not-ready` (409), `change-waits` (409),
/// `is-deleted` (409).
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BackupRestore {
    /// How much of it.
    pub only: BackupOnly,
    /// With `path`: the file or folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// With `part`: its name, one of [`BackupPlan::parts`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    /// The file that somebody came in by, as a path among the solution's own files: the finding `hole-open` stands until it is another, or gone. Not with `part`.
    /// It is in the backup and holds at most 64 MiB; else the order is refused and nothing is changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hole: Option<String>,
}

/// How much of a backup is put back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BackupOnly {
    /// The whole volume, and the spec as it was then.
    Everything,
    /// One file or folder.
    Path,
    /// One part, such as a database.
    Part,
}

/// A restore that was ordered. The state before is a snapshot, to which `POST …/undo` goes back.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct BackupRestoring {
    /// The order.
    pub order: Order,
    /// Id of the snapshot that is taken first.
    pub before: String,
}

/// One entry of a folder in a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BackupEntry {
    /// Its name, without a path. A name that is not UTF-8 is shown with replacement characters, and can't be asked for alone.
    pub name: String,
    /// `file`, `folder`, `link` or `other`.
    pub kind: String,
    /// Bytes of a file; 0 for others.
    pub bytes: u64,
    /// When its content was changed last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub modified: Option<Timestamp>,
    /// Where a link leads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

/// A folder in a backup. Errors: `field` at `?path`; `backup-not-ready` (409), `no-such-path` (404), `stream-late` (503).
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct BackupFolder {
    /// The backup.
    pub backup: String,
    /// Its path.
    pub path: String,
    /// What stands in it, by name; at most 10,000.
    pub entries: Vec<BackupEntry>,
    /// Whether there is more than is given.
    pub more: bool,
}

/// One thing that is otherwise in a backup than in an older one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BackupDifference {
    /// Its path.
    pub path: String,
    /// `added`, `removed`, `changed`, or `rights` where only rights, owner or attributes are others.
    pub change: String,
    /// `file`, `folder`, `link` or `other`, as it is in the newer one, or was where it was removed.
    pub kind: String,
    /// Bytes in the newer one; 0 where it was removed.
    pub bytes: u64,
    /// Bytes in the older one; 0 where it was added.
    pub bytes_before: u64,
    /// When it was changed last, in the newer one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub modified: Option<Timestamp>,
}

/// What changed from one backup to another.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct BackupChanges {
    /// The newer backup.
    pub backup: String,
    /// The older one.
    pub since: String,
    /// Only beneath this folder.
    pub path: String,
    /// By path; at most 10,000.
    pub changes: Vec<BackupDifference>,
    /// Whether there is more than is given.
    pub more: bool,
}

/// A file as it stands in one of a solution's backups.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct BackupVersion {
    /// The backup.
    pub backup: String,
    /// When that was taken.
    #[schema(value_type = String)]
    pub taken: Timestamp,
    /// Bytes of the file.
    pub bytes: u64,
    /// When its content was changed last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub modified: Option<Timestamp>,
    /// Whether size and time are those of the next older version that is given.
    pub same: bool,
}

/// A proof of a backup: it was restored elsewhere, opened, and compared with what was noted when it was written.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Proof {
    /// Its id.
    pub id: String,
    /// Of which solution.
    pub solution: String,
    /// The solution's name.
    pub solution_name: String,
    /// The solution's kind.
    pub kind: String,
    /// The backup that was proven.
    pub backup: String,
    /// When that was taken.
    #[schema(value_type = String)]
    pub taken: Timestamp,
    /// `proving`, `passed`, `failed` when something was not as it must be, or `ended` when it could not be carried out.
    pub state: String,
    /// How far it came: `hashes` (L0), `pieces` (L1), `restored` (L2), `opened` (L3); none when not even that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub level: Option<Level>,
    /// What was done, in order: `what`, `failed` (why it did not hold), `took_ms`; texts in both languages.
    #[schema(value_type = Vec<Object>)]
    pub steps: Vec<ProofStep>,
    /// What was noted when the backup was written: `counts` (`least`, `most`) and `words`.
    #[schema(value_type = Object)]
    pub noted: Opened,
    /// The same, as it was found.
    #[schema(value_type = Object)]
    pub found: Opened,
    /// Bytes that were restored.
    pub bytes: u64,
    /// From the order to the end, in milliseconds: the measured time of a recovery. None until it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took_ms: Option<u64>,
    /// Name of the node that proved it; staff only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Why it could not be carried out, in the reader's language.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// When it was asked for.
    #[schema(value_type = String)]
    pub made: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub ended: Option<Timestamp>,
}

/// The proof page's line for one solution.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SolutionProof {
    /// The solution.
    pub solution: String,
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// Its account's name.
    pub account_name: String,
    /// Whether it is backed up each day.
    pub on: bool,
    /// When its newest backup was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub backed_up: Option<Timestamp>,
    /// When a backup of it passed a proof last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub proven: Option<Timestamp>,
    /// `proven` today's backup holds; `waiting` none was proven in the last 48 hours, yet it is younger than that; `late`; `failed`;
    /// `off` there is no plan.
    pub state: String,
    /// The newest proof.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Proof>,
}
