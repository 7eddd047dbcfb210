//! Types of the public API (`/v1`). Times are RFC 3339 in UTC; sizes are bytes; ids are UUIDs.

mod access;
mod agreement;
mod backup;
mod capability;
mod case;
mod evidence;
mod figure;
mod firewall;
mod identity;
mod licence;
mod log;
mod money;
mod network;
mod notify;
mod proposal;
mod rescue;
mod rules;
mod signed;
mod snapshot;
mod target_round;
mod update;

pub use access::{Grant, GrantCreate, Me, Scope, Token, TokenCreate};
pub use agreement::*;
pub use backup::*;
pub use capability::{Capabilities, Capability, Role, StaffRole, roles_with};
pub use case::*;
pub use evidence::*;
pub use figure::{Figure, FigurePoint};
pub use firewall::*;
pub use identity::*;
pub use licence::*;
pub use log::{LogAsk, LogLine};
pub use money::*;
pub use network::*;
pub use notify::*;
pub use proposal::*;
pub use rescue::*;
pub use rules::*;
pub use signed::Signed;
pub use snapshot::*;
pub use target_round::*;
pub use update::*;

use husorden_base::{Language, Text};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// A page of a list. `next` goes back as `?after=`; none means this is the last.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The items, newest last unless the route says otherwise.
    pub items: Vec<T>,
    /// Where the next page begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A kind of solution.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Kind {
    /// Its name, as solutions name it.
    pub name: String,
    /// What people call it.
    #[schema(value_type = Object)]
    pub title: Text,
    /// JSON Schema (2020-12) of its spec.
    #[schema(value_type = Object)]
    pub spec: Value,
}

/// An order for a new solution.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SolutionCreate {
    /// Its kind.
    pub kind: String,
    /// Its name, unique in the account.
    pub name: String,
    /// The kind's spec; what is left out has its default.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub spec: Value,
    /// Another solution of the account that it is made from, with its files and data. The spec is that one's, with `spec` laid
    /// over it as a JSON merge patch (RFC 7396); names that must be alone, such as domains, are given anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<SolutionFrom>,
    /// For staff: in which account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Labels, for people.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Deletion is refused until this is taken off.
    #[serde(default)]
    pub protected: bool,
}

/// What a solution is made from.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SolutionFrom {
    /// The solution, by id or name.
    pub solution: String,
    /// A snapshot of it; left out, one is taken now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<String>,
    /// A backup of it, by id: its data as it was backed up, from where that lies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<String>,
    /// A time: its data as it was then, with everything that was committed until that second. It must lie within the solution's
    /// `log`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub at: Option<Timestamp>,
    /// That time from where the backups lie, whatever is left on the machine: it must lie within the solution's `log_away`.
    #[serde(default)]
    pub off_site: bool,
}

/// Which seconds of a solution's data can be had again from where its backups lie.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogAway {
    /// From here on.
    #[schema(value_type = String)]
    pub from: Timestamp,
    /// Up to here.
    #[schema(value_type = String)]
    pub to: Timestamp,
    /// Seconds that would be lost if the machine were lost now; 0 when everything is there.
    pub behind_s: u64,
    /// Why what was written since did not go there, in the caller's language.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// Which seconds of a solution's data can be had again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogWindow {
    /// From here on.
    #[schema(value_type = String)]
    pub from: Timestamp,
    /// Up to here.
    #[schema(value_type = String)]
    pub to: Timestamp,
    /// Seconds that would be lost if the server were lost now; 0 when everything is kept.
    pub behind_s: u64,
    /// Spans between that cannot be had: the clock of the machine showed their times more than once.
    pub holes: Vec<TimeSpan>,
    /// Bytes that the log takes, beyond the solution's disk.
    pub bytes: u64,
    /// Bytes that it may take; then its oldest part goes.
    pub room: u64,
}

/// From when to when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TimeSpan {
    /// From here on.
    #[schema(value_type = String)]
    pub from: Timestamp,
    /// Up to here.
    #[schema(value_type = String)]
    pub to: Timestamp,
}

/// A change of a solution. What is left out stays.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SolutionChange {
    /// A new name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Fields of the spec to change, as a JSON merge patch (RFC 7396).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub spec: Option<Value>,
    /// New labels, all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeMap<String, String>>,
    /// Deletion protection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protected: Option<bool>,
    /// Passwords that are wanted, by the name of the login; also of logins that the same change adds. The others stay as they are.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub passwords: BTreeMap<String, String>,
}

/// An order to make a solution's data anew.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rebuild {
    /// Fields of the spec to change with it, as a JSON merge patch (RFC 7396).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub spec: Option<Value>,
}

/// A solution.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Solution {
    /// Its id.
    pub id: String,
    /// Its number on this installation.
    pub number: u32,
    /// Whose it is.
    pub account: String,
    /// The account's name.
    #[serde(default)]
    pub account_name: String,
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// `run`, `stop` or `gone`.
    pub aim: String,
    /// How it stands, in one word: `working`, `running`, `stopped`, `closed`, `trouble`, `deleting`, `deleted`, `unknown`.
    pub state: String,
    /// What is being done or is wrong, in the reader's language.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The spec with every default filled in.
    #[schema(value_type = Object)]
    pub spec: Value,
    /// What is lawful in the spec and yet unwise.
    #[serde(default)]
    pub findings: Vec<Finding>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Deletion protection.
    pub protected: bool,
    /// Disk use in bytes: `live`, `snapshots`, `limit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<BTreeMap<String, u64>>,
    /// Which seconds of its data can be had again, by a copy (`from` with `at`); none where no log is kept, or not far enough yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<LogWindow>,
    /// The same from where its backups lie, whatever happens to the machine (`from` with `at` and `off_site`); none where nothing can be, or not yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_away: Option<LogAway>,
    /// Its public addresses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<PublicAddress>,
    /// The name of the account's own disk image that it was made from, where its spec names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Its own name, for what is reached by a port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// What the node saw last: marks and services.
    #[schema(value_type = Object)]
    pub seen: Value,
    /// The wish's generation; also the ETag.
    pub generation: u64,
    /// The generation the node has settled on.
    pub seen_generation: u64,
    /// The case that holds it closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case: Option<String>,
    /// With `gone`: until when undo can bring it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub retain_until: Option<Timestamp>,
    /// When it was made.
    #[schema(value_type = String)]
    pub created: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String)]
    pub changed: Timestamp,
}

/// What a new password of a solution is asked for with.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CredentialForm {
    /// The password that is wanted; left out, one is made at random and shown once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
}

/// A solution that was just made, with what is shown once.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SolutionCreated {
    /// The solution.
    pub solution: Solution,
    /// Passwords, shown now and never again.
    pub credentials: Vec<CredentialShown>,
}

/// A solution that was just changed, with what is shown once.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SolutionChanged {
    /// The solution.
    #[serde(flatten)]
    pub solution: Solution,
    /// Passwords that the change brought about, shown now and never again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub credentials: Vec<CredentialShown>,
}

/// A password, shown once.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CredentialShown {
    /// Which credential, such as `admin`.
    pub name: String,
    /// The user name.
    pub username: String,
    /// The password; none when the answer is a replay of an earlier request, for it is not kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
}

/// Something asked of a node once, with how far it is.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Order {
    /// Its id.
    pub id: String,
    /// On which solution.
    pub solution: String,
    /// What: `snapshot`, `restore`, `snapshot-delete`, `unpack`, `dump`, `load`, `back-up`, `backup-restore`, `backup-read`, `prove`,
    /// `update`, `wake`, `sleep`.
    pub verb: String,
    /// `queued`, `running`, `done` or `failed`.
    pub state: String,
    /// What is done now, or why it failed, in the reader's language.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Share done, 0 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<u8>,
    /// The snapshot it makes or uses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<String>,
    /// The part of the solution that it hands out or takes in, such as a database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    /// Bytes of its stream that went through so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// How many it will be: what was sent, or about as many as the former dump of the part had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_expected: Option<u64>,
    /// When it was asked.
    #[schema(value_type = String)]
    pub created: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub ended: Option<Timestamp>,
}

/// A snapshot.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Snapshot {
    /// Its id.
    pub id: String,
    /// Of which solution.
    pub solution: String,
    /// Its label.
    pub label: String,
    /// The destructive verb the platform took it before; `schedule` when it was taken on the solution's schedule, `log` when a log is carried
    /// out from it; none when somebody asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// `taking`, `ready`, `deleting` or `failed`.
    pub state: String,
    /// When it was taken.
    #[schema(value_type = String)]
    pub taken: Timestamp,
    /// What it is worth, where a system of its owner's ran on the disk: `filesystem` when the guest's agent had frozen its filesystems, `crash` when
    /// it holds what a crash at that moment would have left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consistent: Option<String>,
}

/// An order for a snapshot.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SnapshotCreate {
    /// A label, for people.
    #[serde(default)]
    pub label: String,
}

/// Something that happened, as the account may see it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// Number of the event; grows, and goes back as `?after=` or `Last-Event-ID`.
    pub id: u64,
    /// When.
    #[schema(value_type = String)]
    pub at: Timestamp,
    /// What, such as `solution.created`, `solution.settled`, `measure.in-force`.
    pub kind: String,
    /// On which solution, if on one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub solution: Option<String>,
    /// Who did it: `staff`, `account`, `node` or `platform`.
    pub by: String,
    /// In the reader's language.
    pub message: String,
}

/// An account.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Account {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The language its mails and messages are in.
    #[schema(value_type = String)]
    pub language: Language,
    /// When it was made.
    #[schema(value_type = String)]
    pub created: Timestamp,
}

/// An order for an account; staff only.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountCreate {
    /// Its name.
    pub name: String,
    /// The language its messages are in.
    #[serde(default)]
    #[schema(value_type = String)]
    pub language: Language,
}

/// A node; staff only.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Whether it is connected now.
    pub connected: bool,
    /// When it was last heard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub heard: Option<Timestamp>,
    /// What it said last: pool, runtimes, sandboxes, strays.
    #[schema(value_type = Object)]
    pub health: Value,
    /// Builds that did not hold for solutions on it, the newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held_back: Vec<HeldBack>,
}

/// A build that did not hold for some solutions, which run on the one before; why it was stands with each of them.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct HeldBack {
    /// The runtime.
    pub runtime: String,
    /// The build.
    pub build: String,
    /// For how many solutions.
    pub solutions: u64,
    /// Ids of the newest few of them.
    pub newest: Vec<String>,
    /// When it last did not.
    #[schema(value_type = String)]
    pub last: Timestamp,
}

/// A solution that a node holds and control does not know of; staff only.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Stray {
    /// Its id.
    pub solution: String,
    /// The node that serves it on.
    pub node: String,
    /// Its number.
    pub number: u32,
    /// Its name in the account.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// Whose it is.
    pub account: String,
    /// What that account is called; none where it is unknown too, and then it can't be taken over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_name: Option<String>,
}

/// How a stray is taken over; staff only.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StrayTake {
    /// Another name, where the account has given its own away meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// An order to build a runtime anew; staff only.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BuildAsk {
    /// On which node.
    pub node: String,
    /// Which runtime or app, as the node names it.
    pub runtime: String,
}
