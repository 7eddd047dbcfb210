//! What control and a node say to each other: JSON lines, both ways, on one connection that the node opens.
//!
//! On one machine it is control's unix socket, where the kernel vouches that the peer is root. The node says
//! [`FromNode::Hello`]; control answers [`ToNode::Welcome`] and then everything that is wished of the node, and after that
//! what changes. A wish carries (epoch, generation); the node refuses older ones and says so. A solution missing from the
//! wishes is reported by the node as a stray and never removed.
//!
//! Bulk data (an uploaded archive) goes over a connection of its own that opens with [`FromNode::Fetch`]; control answers
//! with the bytes and closes. What a node hands out goes over one that opens with [`FromNode::Give`].

use husorden_base::{AccountId, MeasureId, Name, Number, OrderId, QuestionId, Refusal, SnapshotId, SolutionId, Text};
use husorden_kinds::{Aim, Builds, Credential, Waiting};
use husorden_rules::Measure;
use ipnet::IpNet;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Version of this protocol. Control and node each speak this one and the one before.
pub const VERSION: u32 = 1;

/// Longest line either side accepts, in bytes.
pub const LINE_BYTES_MAX: usize = 1 << 20;

/// One solution as control wishes it to be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Wish {
    /// The solution.
    pub solution: SolutionId,
    /// Its number, never given twice.
    pub number: Number,
    /// Whose it is; a measure on the account holds it.
    pub account: AccountId,
    /// Its name in the account.
    pub name: Name,
    /// Its kind.
    pub kind: String,
    /// What is wanted of it as a whole.
    pub aim: Aim,
    /// The kind's spec.
    pub spec: Value,
    /// Passwords by name, as hashes.
    #[serde(default)]
    pub credentials: BTreeMap<String, Credential>,
    /// What its volume is made from, when it is made; none for an empty one.
    #[serde(default)]
    pub from: Option<Origin>,
    /// With [`Aim::Gone`]: until when what is retained stays.
    #[serde(default)]
    pub retain_until: Option<Timestamp>,
    /// Grows when a restored control takes over; an older epoch is refused.
    pub epoch: u64,
    /// Grows with each change of the wish within an epoch.
    pub generation: u64,
}

/// Another solution's snapshot on the same node, which a volume is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The other solution.
    pub solution: SolutionId,
    /// Its number.
    pub number: Number,
    /// The snapshot.
    pub snapshot: SnapshotId,
    /// The time to which its log is carried out from there; none for what the snapshot holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

/// What control says to a node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "kebab-case")]
pub enum ToNode {
    /// Answer to the node's hello. Everything wished follows, ended by [`ToNode::ThatIsAll`].
    Welcome {
        /// Control's protocol version.
        version: u32,
        /// Control's epoch.
        epoch: u64,
    },
    /// A wish, new or changed.
    Wish {
        /// The wish.
        wish: Box<Wish>,
    },
    /// A measure, new or changed (lifted). Written down by the node before it answers [`FromNode::Measured`].
    Measure {
        /// The measure.
        measure: Box<Measure>,
    },
    /// Something to do once; sent again until the node has answered with an end.
    Verb {
        /// Its id: the node does the same id once.
        order: OrderId,
        /// On which solution.
        solution: SolutionId,
        /// What.
        verb: Verb,
    },
    /// All wishes, measures and open verbs were sent since the welcome; what the node holds beyond is a stray.
    ThatIsAll,
    /// Control has kept the node's lines of evidence up to this one; the node may forget them.
    EvidenceKept {
        /// Serial of the line.
        serial: u64,
    },
    /// A question about a solution, answered once with [`FromNode::Answer`]. Nobody asks again.
    Ask {
        /// Its id.
        question: QuestionId,
        /// Which solution.
        solution: SolutionId,
        /// What is asked.
        about: Question,
    },
    /// The answer to [`FromNode::Seen`], so that the node need not say it again.
    Noted {
        /// Which solution.
        solution: SolutionId,
        /// The report's number as the node gave it.
        report: u64,
    },
}

/// Something a node does once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "kebab-case")]
pub enum Verb {
    /// Take a snapshot.
    Snapshot {
        /// Its id.
        snapshot: SnapshotId,
        /// Its label.
        label: String,
        /// The destructive verb it is taken before, if the platform takes it.
        before: Option<String>,
    },
    /// Bring the volume back to a snapshot; the state before is kept as another, so that this can be undone.
    Restore {
        /// To which.
        snapshot: SnapshotId,
        /// The id of the snapshot that is taken first.
        before: SnapshotId,
    },
    /// Delete a snapshot.
    SnapshotDelete {
        /// Which.
        snapshot: SnapshotId,
    },
    /// Fetch an uploaded archive from control and unpack it in a sandbox, as the solution's uid; a snapshot is taken first.
    Unpack {
        /// `zip`, `tar` or `tar.gz`.
        format: String,
        /// Folder within the site's files.
        into: String,
        /// Size of the archive in bytes.
        bytes: u64,
        /// The id of the snapshot that is taken first.
        before: SnapshotId,
    },
    /// Hand a part of the solution out as one stream, made in a sandbox as the solution's uid; the node gives the bytes over a
    /// connection of their own ([`FromNode::Give`]).
    Dump {
        /// The part, as its kind names it.
        part: String,
        /// The format, as its kind names it.
        format: String,
    },
    /// Fetch an uploaded stream from control and take it in as a part of the solution, in a sandbox as its uid; a snapshot is taken
    /// first, and brought back when it fails.
    Load {
        /// The part, as its kind names it.
        part: String,
        /// The format, as its kind names it.
        format: String,
        /// Its size in bytes.
        bytes: u64,
        /// The id of the snapshot that is taken first.
        before: SnapshotId,
        /// The id of the snapshot that is taken of what a failure left, before that is undone.
        failed: SnapshotId,
    },
    /// Move to the newest builds now rather than in the maintenance window. A node of the version before does not know it.
    Update,
    /// Start the solution's services now rather than at the first request.
    Wake,
    /// Stop the solution's services now; the next request wakes them.
    Sleep,
}

/// Something that is asked of a node, and changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "kebab-case")]
pub enum Question {
    /// The newest lines of what the solution's services said.
    Log {
        /// Only lines in which this stands, letters large or small.
        search: Option<String>,
        /// Only lines since then.
        since: Option<Timestamp>,
        /// So many at most.
        lines: usize,
    },
}

/// Bytes of text in one [`FromNode::Answer`] at most; as JSON it is less than a line may be.
pub const ANSWER_BYTES_MAX: usize = 128 << 10;

/// What a node says to control.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "kebab-case")]
pub enum FromNode {
    /// First line of a connection.
    Hello {
        /// The node's protocol version.
        version: u32,
        /// The node's name.
        node: String,
        /// The highest epoch the node has seen.
        epoch: u64,
    },
    /// First line of a connection for bulk data: the bytes that belong to an order.
    Fetch {
        /// Who asks; bytes are given to the node that the order is for.
        node: String,
        /// Which order.
        order: OrderId,
    },
    /// First line of a connection for bulk data the other way: the bytes that an order asks for follow, until it closes. Whether
    /// they are all is said by the end of the order.
    Give {
        /// Who gives; bytes are taken from the node that the order is for.
        node: String,
        /// Which order.
        order: OrderId,
    },
    /// What was seen of a solution, sent when it changed and until control has noted it.
    Seen(Box<Seen>),
    /// A wish was refused because the node holds a newer one, or because it cannot be.
    WishRefused {
        /// Which solution.
        solution: SolutionId,
        /// The epoch refused.
        epoch: u64,
        /// The generation refused.
        generation: u64,
        /// Why.
        why: String,
    },
    /// How far a measure is.
    Measured {
        /// Which.
        measure: MeasureId,
        /// The revision that is meant.
        revision: u64,
        /// How far it is.
        state: MeasureState,
        /// When.
        at: Timestamp,
    },
    /// What strangers meet of a measure. A control that does not know this line passes it over.
    MeasureSeen(Box<MeasureSeen>),
    /// A measure that was taken or lifted on the node itself, with control dead.
    MeasureTaken {
        /// The measure.
        measure: Box<Measure>,
        /// Reasons as given at the node.
        reasons: String,
    },
    /// How far an order is.
    Progress {
        /// Which.
        order: OrderId,
        /// How far it is.
        state: VerbState,
    },
    /// A line of evidence: written by the node before and after it acts.
    Evidence(Box<EvidenceLine>),
    /// The node itself: sent about every ten seconds.
    Health(Box<Health>),
    /// Who was refused at solutions' ports since this was said last. A line that is lost is not said again.
    Refused {
        /// At most [`REFUSED_MAX`] of them.
        refused: Vec<Refused>,
    },
    /// The answer to a question.
    Answer {
        /// Which.
        question: QuestionId,
        /// The text; none where there is none to be had.
        text: Option<String>,
    },
    /// What was measured of solutions that run, about once a minute. A line that is lost is not said again.
    Samples {
        /// At most [`SAMPLES_MAX`] of them.
        samples: Vec<Sample>,
    },
}

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
    /// When.
    pub at: Timestamp,
}

/// Which seconds of a solution can be had again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogSeen {
    /// From here on.
    pub from: Timestamp,
    /// Up to here; none where everything is kept, and that is now.
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

/// How far an order is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "lowercase")]
pub enum VerbState {
    /// Being done.
    Running {
        /// What is done now.
        text: Text,
        /// Share done, 0 to 100, where it is known.
        percent: Option<u8>,
    },
    /// Done.
    Done,
    /// Refused or failed; nothing was changed, or what was changed was brought back.
    Failed {
        /// Why, and what to do.
        refusal: Box<Refusal>,
    },
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// Runtimes and apps with state, build and size.
    pub runtimes: Vec<RuntimeHealth>,
    /// Pool use in bytes.
    pub pool: PoolHealth,
    /// Sandboxes that run.
    pub sandboxes: u32,
    /// Solutions that lie here and were wished by nobody.
    pub strays: Vec<String>,
    /// Whether the edge is connected, and the generation it has applied.
    pub edge_generation: Option<u64>,
    /// When the first of its sites' certificates ends; none where there are none.
    #[serde(default)]
    pub certificate_ends: Option<Timestamp>,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_probe_met_is_read_without_what_may_be_left_out() {
        let line = r#"{"say":"measure-seen","measure":"0190f0a0-0000-7000-8000-000000000001","revision":3,"what":"not-seen",
            "at":"2026-01-01T00:00:00Z","by":"local/probe","asked":1}"#;
        let FromNode::MeasureSeen(seen) = serde_json::from_str(line).expect("it is read") else {
            panic!("a probe's word")
        };
        assert_eq!((seen.what, seen.status, seen.why), (Outside::NotSeen, None, None));
    }

    #[test]
    fn a_wish_of_the_version_before_is_read() {
        let line = r#"{"say":"wish","wish":{"solution":"0190f0a0-0000-7000-8000-000000000001","number":7,
            "account":"0190f0a0-0000-7000-8000-000000000002","name":"shop","kind":"website","aim":"run","spec":{},
            "epoch":1,"generation":3,"a_field_of_tomorrow":true}}"#;
        let ToNode::Wish { wish } = serde_json::from_str(line).expect("it is read") else { panic!("a wish") };
        assert_eq!((wish.generation, wish.retain_until), (3, None));
    }
}
