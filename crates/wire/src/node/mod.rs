//! What control and a node say to each other: JSON lines, both ways, on one connection that the node opens.
//!
//! On one machine it is control's unix socket, where the kernel vouches that the peer is root. The node says
//! [`FromNode::Hello`]; control answers [`ToNode::Welcome`] and then everything that is wished of the node, and after that
//! what changes. A wish carries (epoch, generation); the node refuses older ones and says so. A solution missing from the
//! wishes is reported by the node as a stray and never removed.
//!
//! Bulk data (an uploaded archive) goes over a connection of its own that opens with [`FromNode::Fetch`]; control answers
//! with the bytes and closes. What a node hands out goes over one that opens with [`FromNode::Give`], and a console, which goes both ways,
//! over one that opens with [`FromNode::Attach`].

mod backup;
mod seen;

pub use backup::{
    Address, BackedUp, BackupChange, BackupEntry, Changed, Counted, Level, LogPoint, OF_LOG, Opened, ProofStep, Proven,
    Reading, Repository, Returning, Secrets, Unlocked, WhatLies,
};
pub use seen::{
    BuildHealth, EvidenceLine, Health, ImageHealth, LogAway, LogBase, LogSeen, LogsTold, MeasureSeen, MeasureState,
    Outside, PoolHealth, REFUSED_MAX, Refused, RuntimeHealth, SAMPLES_MAX, Sample, Seen, SeenState, SnapshotSeen,
    Stray, VolumeUsage,
};

use husorden_base::{
    AccountId, BackupId, MeasureId, Name, Number, OrderId, ProofId, QuestionId, Refusal, RuntimeName, SnapshotId,
    SolutionId, Text,
};
use husorden_kinds::{Aim, Credential, MailOut, Membership, Public, Rule};
use husorden_rules::Measure;
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
    /// What it has in the private networks that its spec names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<Membership>,
    /// The public addresses it was given.
    #[serde(default, skip_serializing_if = "Public::is_none")]
    pub public: Public,
    /// The rules that hold at them, of all firewalls that hold for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
    /// Its leave to reach TCP port 25 outside, where an agreement gives it one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mail_out: Option<MailOut>,
    /// What its volume is made from, when it is made; none for an empty one.
    #[serde(default)]
    pub from: Option<Origin>,
    /// The backup that its volume is made from, when it is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_backup: Option<BackupOrigin>,
    /// With [`Aim::Gone`]: until when what is retained stays.
    #[serde(default)]
    pub retain_until: Option<Timestamp>,
    /// The order whose end the spec waited for last: with that, or a later one, it belongs to what [`Verb::Restore`] brought back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released: Option<OrderId>,
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

/// A solution's backup, which a volume is made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupOrigin {
    /// Whose backup it is.
    pub solution: SolutionId,
    /// Where it lies.
    pub repository: Repository,
    /// Its name in the repository.
    pub copy: String,
    /// With a time, the log is carried out to it from there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<LogOrigin>,
}

/// The log of a solution where its backups lie, and the time to which it is carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogOrigin {
    /// The snapshot in the log's repository that names its pieces.
    pub copy: String,
    /// The time.
    pub at: Timestamp,
    /// Where it cannot be fetched, the backup alone is better than nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
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
    /// An order is no longer to be carried out: what it is about was sealed, and the node holds neither it nor its measures. The node
    /// ends it as failed; one that is not known needs no answer.
    Withdraw {
        /// Which.
        order: OrderId,
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
    /// Somebody asks for a build from today's packages of a runtime or an app, whatever is there. Who asks again gets another.
    Build {
        /// Which.
        runtime: RuntimeName,
        /// When it was asked for.
        asked: Timestamp,
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
        /// The destructive verb it is taken before, if the platform takes it; `schedule` where it does so on a schedule.
        before: Option<String>,
    },
    /// Bring the volume back to a snapshot; the state before is kept as another, so that this can be undone.
    Restore {
        /// To which.
        snapshot: SnapshotId,
        /// The id of the snapshot that is taken first.
        before: SnapshotId,
        /// Another spec belongs to what comes back, and follows as a wish when this is done: until then the one that is held says nothing of it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        spec_follows: bool,
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
    /// Hand the whole solution out as a package for leaving, made in a sandbox as its uid, as with [`Verb::Dump`].
    Package,
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
    /// Write a backup: a snapshot is taken, and goes to a repository from a sandbox, as the solution's uid. What runs is not disturbed, and
    /// other verbs are done meanwhile. It ends with [`Outcome::BackedUp`].
    BackUp {
        /// Its id.
        backup: BackupId,
        /// Where to.
        repository: Box<Repository>,
    },
    /// Put what a backup holds in the place of what is there; the state before is kept as a snapshot, so that this can be undone.
    BackupRestore {
        /// Where it lies.
        repository: Box<Repository>,
        /// The backup's name in the repository.
        copy: String,
        /// How much of it.
        what: Returning,
        /// The id of the snapshot that is taken first.
        before: SnapshotId,
        /// The file that somebody came in by, as a path from the volume's root: it is in the backup, and marked until it is another.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hole: Option<String>,
        /// As with [`Verb::Restore`].
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        spec_follows: bool,
    },
    /// Hand out something that stands in a backup as one stream ([`FromNode::Give`]), read in a sandbox as the solution's uid.
    BackupRead {
        /// Where it lies.
        repository: Box<Repository>,
        /// The backup's name in the repository.
        copy: String,
        /// What.
        what: Reading,
    },
    /// Prove a backup: restore it on a volume made for that, open it without network, and compare it with what was noted when it was
    /// written. It ends with [`Outcome::Proven`], also when it does not pass.
    Prove {
        /// The proof's id.
        proof: ProofId,
        /// Where the backup lies.
        repository: Box<Repository>,
        /// The backup's name in the repository.
        copy: String,
        /// How far to go.
        level: Level,
    },
    /// Move to the newest builds now rather than in the maintenance window. A node of the version before does not know it.
    Update,
    /// Start the solution's services now rather than at the first request.
    Wake,
    /// Stop the solution's services now; the next request wakes them.
    Sleep,
    /// Take the power from what runs of the solution and start it again. A node of the version before does not know it.
    Reset,
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
    /// The wish that the node holds, as JSON, where control did not name the solution; for taking that over.
    Wish,
    /// What its screen shows now: a PNG, over a connection of its own ([`FromNode::Attach`]). A node of the version before does not know it.
    Screen,
    /// Its console: bytes both ways over a connection of its own ([`FromNode::Attach`]), in the screen's own protocol (RFB), until either side
    /// ends it. A node of the version before does not know it.
    Console,
}

/// Why a node does not hand out a screen: the text of its [`FromNode::Answer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoScreen {
    /// It does not run, or stands still.
    Off,
    /// It runs and shows nothing: it was started before there were screens.
    Without,
    /// As many as there may be are open already.
    Busy,
    /// A measure has cut it.
    Held,
}

impl NoScreen {
    /// As an answer's text.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Without => "without",
            Self::Busy => "busy",
            Self::Held => "held",
        }
    }

    /// Of an answer's text.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Off, Self::Without, Self::Busy, Self::Held].into_iter().find(|one| one.word() == word)
    }
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
    /// First line of a connection that a question asks for; what follows is the solution's own, and control does not look at it.
    Attach {
        /// Who attaches; it is taken from the node that was asked.
        node: String,
        /// Which question.
        question: QuestionId,
    },
    /// First line of a connection on which control answers with one line, [`Unlocked`]: what opens the repository of an order, or of the
    /// backup that a wished volume is made from.
    Unlock {
        /// Who asks; it is answered to the node that the order or wish is for.
        node: String,
        /// For which order; none for the origin of a wish.
        #[serde(default)]
        order: Option<OrderId>,
        /// For which solution.
        solution: SolutionId,
        /// For sending that solution's log away: where it goes is answered too.
        #[serde(default)]
        log: bool,
        /// The public half of a key that this node has made for itself (an age recipient, `age1…`); the answer is sealed to it.
        recipient: String,
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
    Done {
        /// What came of it, where that is more than that it is done.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        result: Option<Box<Outcome>>,
    },
    /// Refused or failed; nothing was changed, or what was changed was brought back.
    Failed {
        /// Why, and what to do.
        refusal: Box<Refusal>,
    },
}

impl VerbState {
    /// Done, and there is nothing more to say.
    #[must_use]
    pub const fn done() -> Self {
        Self::Done { result: None }
    }
}

/// What came of an order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "kebab-case")]
pub enum Outcome {
    /// A backup was written.
    BackedUp(Box<BackedUp>),
    /// A proof came to its end, whether it passed or not.
    Proven(Box<Proven>),
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
