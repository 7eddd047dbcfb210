//! What a node reports: what was seen of solutions, measures and itself.

use husorden_base::{AccountId, Bytes, MeasureId, Number, RuntimeName, SnapshotId, SolutionId, TargetId, Text};
use husorden_kinds::public::Pools;
use husorden_kinds::{Builds, Virtualisation, Waiting};
use ipnet::IpNet;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Solutions in one [`FromNode::Samples`].
pub const SAMPLES_MAX: usize = 200;

/// What was measured of one solution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Which.
    pub solution: SolutionId,
    /// When.
    pub at: Timestamp,
    /// Figures by name.
    pub values: BTreeMap<String, f64>,
}

/// Sources in one [`FromNode::Refused`].
pub const REFUSED_MAX: usize = 200;

/// Attempts to connect to a solution from one place that its port refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// To which solution.
    pub solution: SolutionId,
    /// To which TCP port of it.
    pub port: u16,
    /// From where: an IPv4 address, or an IPv6 /64.
    pub net: IpNet,
    /// How often since it was said last.
    pub attempts: u32,
    /// When first.
    pub first: Timestamp,
    /// When last.
    pub last: Timestamp,
}

/// What was seen of one solution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    /// Which.
    pub solution: SolutionId,
    /// Number of this report on this node, growing; control answers with it.
    pub report: u64,
    /// Epoch of the wish that was pursued.
    pub epoch: u64,
    /// Generation of the wish that was pursued.
    pub generation: u64,
    /// Whether the node could look. When it could not, what stands below of volume, snapshots, marks and services is
    /// unknown, and nothing may be concluded from its absence.
    #[serde(default)]
    pub looked: bool,
    /// How it stands.
    pub state: SeenState,
    /// It stands so because a measure held it when that was looked at: settled is closed then, and nothing serves.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub closed: bool,
    /// Why it does not stand as wished, if so.
    #[serde(default)]
    pub waiting: Option<Waiting>,
    /// Disk use, if there is a volume.
    #[serde(default)]
    pub usage: Option<VolumeUsage>,
    /// Snapshots that lie on the node.
    #[serde(default)]
    pub snapshots: Vec<SnapshotSeen>,
    /// Facts on the volume, such as what app is installed.
    #[serde(default)]
    pub marks: BTreeMap<String, String>,
    /// Services by role: `sleeping`, `running`, `stopping` or `failing`.
    #[serde(default)]
    pub services: BTreeMap<String, String>,
    /// What it runs on, and what its updates came to.
    #[serde(default)]
    pub builds: Builds,
    /// Which seconds of it can be had again; none where no log is kept, or there is nothing to begin from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<LogSeen>,
    /// What the machine's own virtualisation is worth to guests of its kind.
    #[serde(default)]
    pub virtualisation: Virtualisation,
    /// What of its log lies at a target; none where nothing of it ever did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub away: Option<LogAway>,
    /// When.
    pub at: Timestamp,
}

/// What of a solution's log lies at a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogAway {
    /// Which.
    pub target: TargetId,
    /// The snapshot in the log's repository that names all of it.
    pub copy: String,
    /// The newest line of the log there.
    pub line: u64,
    /// Pieces of that line that lie there without a gap: from this one.
    pub first: u64,
    /// Up to the one before this.
    pub next: u64,
    /// Everything up to here is there; none where that is now.
    #[serde(default)]
    pub to: Option<Timestamp>,
    /// Why what is kept did not go there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<Text>,
}

/// Which seconds of a solution can be had again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogSeen {
    /// From here on.
    pub from: Timestamp,
    /// Up to here; none where everything is kept, and that is now. Before `from` where nothing can be had yet.
    #[serde(default)]
    pub to: Option<Timestamp>,
    /// Spans between that cannot be had: the clock showed their times more than once.
    #[serde(default)]
    pub holes: Vec<(Timestamp, Timestamp)>,
    /// Snapshots that the log is carried out from, the oldest first.
    #[serde(default)]
    pub bases: Vec<LogBase>,
    /// Pieces have gone that would have reached further back, for there was no room.
    #[serde(default)]
    pub broken: bool,
    /// Bytes that are kept.
    #[serde(default)]
    pub bytes: u64,
    /// Bytes that may be.
    #[serde(default)]
    pub room: u64,
}

/// A snapshot that the log is carried out from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogBase {
    /// Which.
    pub snapshot: SnapshotId,
    /// To any time from here on.
    pub from: Timestamp,
}

/// How a solution stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SeenState {
    /// As wished.
    Settled,
    /// Work goes on.
    Working,
    /// Something is wrong; `waiting` says what.
    Trouble,
}

/// Disk use of one solution in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeUsage {
    /// What the live volume holds.
    pub live: u64,
    /// What only snapshots hold.
    pub snapshots: u64,
    /// The limit on both.
    pub limit: u64,
    /// It is used up: what can be told to write nothing more was told so.
    #[serde(default)]
    pub full: bool,
}

/// A snapshot as it lies on the node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotSeen {
    /// Its id.
    pub id: SnapshotId,
    /// When it was taken.
    pub taken: Timestamp,
    /// Its label.
    pub label: String,
    /// The destructive verb it was taken before, if the platform took it.
    pub before: Option<String>,
    /// Fields of the spec as they were with this data, where the wish was ahead of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spec: Option<Value>,
    /// What it is worth, where something ran that could have been asked to hold still.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consistent: Option<husorden_kinds::Consistent>,
}

/// How far a measure is on a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MeasureState {
    /// Written down on the node; it survives everything from here on.
    Kept,
    /// In force: the edge refuses, connections are cut, sandboxes are frozen or gone.
    InForce,
    /// Lifted, and served again.
    Lifted,
}

/// What a probe met that reaches a measure's solutions as a stranger does, from a network of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeasureSeen {
    /// Which.
    pub measure: MeasureId,
    /// The revision that was looked for.
    pub revision: u64,
    /// What was met.
    pub what: Outside,
    /// When.
    pub at: Timestamp,
    /// The probe, such as `local/probe`: the node and its network.
    pub by: String,
    /// The status that the last solution asked gave, where the answer has one.
    #[serde(default)]
    pub status: Option<u16>,
    /// Solutions that were asked; none where nothing is reached from outside.
    pub asked: u32,
    /// Why it was not seen.
    #[serde(default)]
    pub why: Option<Text>,
}

/// What strangers meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outside {
    /// Everything the measure covers is closed, with the case number.
    Closed,
    /// Nothing shows this measure any more.
    Open,
    /// Neither could be seen; it is tried again.
    NotSeen,
}

/// A line of evidence as a node writes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvidenceLine {
    /// Number on this node, growing without gaps.
    pub serial: u64,
    /// When.
    pub at: Timestamp,
    /// What, such as `measure.begin` or `volume.destroy.end`.
    pub act: String,
    /// On which solution, if on one.
    pub solution: Option<SolutionId>,
    /// Details.
    pub detail: Value,
    /// The hash of the line before, so that what was written while control was away hangs together; none for the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<String>,
}

/// How a node is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// Runtimes and apps with state, build and size.
    pub runtimes: Vec<RuntimeHealth>,
    /// Pool use in bytes.
    pub pool: PoolHealth,
    /// Sandboxes that run.
    pub sandboxes: u32,
    /// Solutions that lie here and were wished by nobody, in words: for a control of the release before.
    pub strays: Vec<String>,
    /// The same.
    #[serde(default)]
    pub unwished: Vec<Stray>,
    /// Whether the edge is connected, and the generation it has applied.
    pub edge_generation: Option<u64>,
    /// When the first of its sites' certificates ends; none where there are none.
    #[serde(default)]
    pub certificate_ends: Option<Timestamp>,
    /// The public addresses that it was given to hand out.
    #[serde(default, skip_serializing_if = "Pools::is_empty")]
    pub pools: Pools,
    /// Up to when what was told of logs holds; none where no round of looks has ended yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logs: Option<LogsTold>,
}

/// Up to when what was told of logs holds: of one of which all is kept, all that was written up to then is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogsTold {
    /// When the last round of looks began.
    pub to: Timestamp,
    /// Solutions with news that are not told yet, and up to when what was told before holds.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub untold: BTreeMap<SolutionId, Timestamp>,
}

/// A solution that a node holds and control did not name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stray {
    /// Which.
    pub solution: SolutionId,
    /// Its number.
    pub number: Number,
    /// Whose it is.
    pub account: AccountId,
    /// Its name in the account.
    pub name: String,
    /// Its kind.
    pub kind: String,
}

/// A runtime or app on a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuntimeHealth {
    /// Its name.
    pub name: String,
    /// `absent`, `building`, `ready` or `failed`.
    pub state: String,
    /// What is being done, or why it failed.
    pub text: String,
    /// Build id of the newest ready build.
    pub build: Option<String>,
    /// Versions of the packages it was built from that matter: name → version.
    pub packages: BTreeMap<String, String>,
    /// Every finished build that is there, the newest first.
    #[serde(default)]
    pub builds: Vec<BuildHealth>,
    /// What it is as an image, if it is one that servers can be made from now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageHealth>,
}

/// An image on a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageHealth {
    /// What people call it.
    pub title: Text,
    /// Size of its disk: the least that a server made from it has.
    pub disk: Bytes,
    /// The one firmware that it starts by, `bios` or `uefi`; none where either starts it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firmware: Option<String>,
    /// It was imported, and nothing builds it anew.
    #[serde(default)]
    pub imported: bool,
    /// The pool that its licences come from, one for each server; none where none is needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence_pool: Option<RuntimeName>,
}

/// A finished build of a runtime or app on a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildHealth {
    /// Its id.
    pub build: String,
    /// When it was built.
    pub built_at: Timestamp,
    /// Versions of the packages in it that matter: name → version.
    pub packages: BTreeMap<String, String>,
}

/// A pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolHealth {
    /// Bytes of data used.
    pub data_used: u64,
    /// Bytes of data there are.
    pub data_total: u64,
    /// Bytes of metadata used.
    pub meta_used: u64,
    /// Bytes of metadata there are.
    pub meta_total: u64,
    /// Errors the device or a scrub has shown.
    pub errors: u64,
}
