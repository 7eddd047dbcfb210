//! Backups as control and a node speak of them: where they lie, what opens them, and what came of writing and proving one.
//!
//! What opens a repository stands in no order, since orders are kept: the node asks for it when it begins ([`super::FromNode::Unlock`]), and
//! holds it in memory until it ends.

use husorden_base::{SnapshotId, TargetId, Text};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the folder of a log's repository ends with, beside that of the solution's backups.
pub const OF_LOG: &str = "-log";

/// One solution's repository at a target, without what opens it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repository {
    /// The target.
    pub target: TargetId,
    /// How it is reached.
    pub address: Address,
    /// The repository's folder there: the solution's number.
    pub folder: String,
    /// Bytes a second at most, both ways; none for as fast as it goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_per_second: Option<u64>,
}

/// How a target is reached. The account that is used there can add and read, and nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Address {
    /// A folder of the node's machine: for a first look, since it goes with the machine.
    Folder {
        /// Its absolute path.
        path: String,
    },
    /// An account on an SSH server, with [`Secrets::target`] as its private key.
    Sftp {
        /// Name or address of the server.
        host: String,
        /// TCP port.
        #[serde(default = "ssh_port")]
        port: u16,
        /// Name of the account.
        user: String,
        /// The server's public key, such as `ssh-ed25519 AAAA…`.
        host_key: String,
        /// Folder in which the repositories lie, from where the account begins.
        path: String,
    },
    /// A server of restic's REST protocol, with [`Secrets::target`] as the account's password.
    Rest {
        /// Its address, `https://…`; `http://` on this machine alone.
        url: String,
        /// Name of the account; none where the server asks for none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user: Option<String>,
    },
    /// A bucket on an S3 server, with [`Secrets::target`] as the account's secret key.
    S3 {
        /// The server's address, `https://…`; `http://` on this machine alone. The bucket's name comes after it.
        url: String,
        /// The bucket.
        bucket: String,
        /// The region that requests are signed for.
        #[serde(default = "region")]
        region: String,
        /// The account's access key, which is a name.
        access_key: String,
        /// Folder in which the repositories lie; none for the bucket's top.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        path: Option<String>,
    },
}

fn ssh_port() -> u16 {
    22
}

/// What servers that have no regions take.
fn region() -> String {
    "us-east-1".to_owned()
}

/// Control's answer to [`super::FromNode::Unlock`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Unlocked {
    /// It is released.
    Released {
        /// [`Secrets`] as JSON, in an age file for the node's recipient, in base64: control can't read it.
        sealed: String,
        /// Where the log goes, when it was asked for what opens that.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        repository: Option<Box<Repository>>,
    },
    /// It is not.
    Refused {
        /// Why.
        why: Text,
    },
}

/// What opens a repository. Never written down, nor in any order; the vault seals it to the node that asks.
#[derive(Clone, Serialize, Deserialize)]
pub struct Secrets {
    /// The repository's password, as stock restic takes it.
    pub repository: husorden_base::Secret,
    /// What the target's account is opened with; none where nothing is needed.
    #[serde(default)]
    pub target: Option<husorden_base::Secret>,
}

/// How much of a backup is put back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "only", rename_all = "kebab-case")]
pub enum Returning {
    /// The whole volume.
    Everything,
    /// One file or folder.
    Path {
        /// Its path from the volume's root, without a leading slash.
        path: String,
    },
    /// One part, as its kind names it: a database.
    Part {
        /// Its name.
        part: String,
    },
}

/// What is read of a backup. Lists are JSON lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "kebab-case")]
pub enum Reading {
    /// The entries of one folder.
    Folder {
        /// Its path from the volume's root, without a leading slash; empty for the root.
        path: String,
    },
    /// A file's bytes, or a folder as a tar archive.
    Content {
        /// Its path.
        path: String,
    },
    /// What is otherwise than in an older backup of the same repository.
    Since {
        /// The older backup's name in the repository.
        copy: String,
        /// Only beneath this folder; empty for all.
        path: String,
    },
}

/// An entry of a folder of a backup: one line of [`Reading::Folder`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupEntry {
    /// Its name. One that is no text is shown as far as it is, and can't be asked for.
    pub name: String,
    /// What it is.
    pub is: WhatLies,
    /// Bytes of a file.
    pub bytes: u64,
    /// When it was last changed.
    pub modified: Timestamp,
    /// Its rights, as the system has them.
    pub mode: u32,
}

/// Something that is otherwise than in an older backup: one line of [`Reading::Since`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupChange {
    /// Its path from the volume's root.
    pub path: String,
    /// What it is, or was.
    pub is: WhatLies,
    /// How it differs.
    pub change: Changed,
    /// Bytes before.
    pub before: u64,
    /// Bytes after.
    pub after: u64,
}

/// What lies under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WhatLies {
    /// A file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
    /// A pipe, a socket or a device.
    Other,
}

/// How something differs between two backups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Changed {
    /// It was not there before.
    Added,
    /// It is not there any more.
    Removed,
    /// It holds something else.
    Content,
    /// Rights, owner or attributes are others.
    About,
}

/// A backup that was written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BackedUp {
    /// Its name in the repository.
    pub copy: String,
    /// When the volume was as it is backed up.
    pub taken: Timestamp,
    /// The volume's snapshot it was made of, which stays until the next one is written.
    pub snapshot: SnapshotId,
    /// Files in it.
    pub files: u64,
    /// Bytes of its files.
    pub bytes: u64,
    /// Bytes of files that were read for it. This and the next two are of the try that ended: none where an earlier one had written it.
    pub bytes_read: u64,
    /// Bytes that were put on the target for it.
    pub bytes_sent: u64,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// What a proof will find, as it was noted then.
    #[serde(default)]
    pub noted: Opened,
    /// Where its log stood then, when one is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub point: Option<LogPoint>,
}

/// Where a log stood when something was taken of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPoint {
    /// The line of the log. What follows a restore is another.
    pub line: u64,
    /// The first piece that may hold what came after.
    pub next: u64,
}

/// What a solution says when it is opened: noted when a backup is written, and compared when it is proven.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Opened {
    /// Rows of tables, files of folders, by name, such as `app.public.orders`.
    #[serde(default)]
    pub counts: BTreeMap<String, Counted>,
    /// Words that must be the same, by name, such as the front page's status and title.
    #[serde(default)]
    pub words: BTreeMap<String, String>,
}

/// A count that was noted while people worked: it lay between these when the snapshot was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// At least.
    pub least: u64,
    /// At most.
    pub most: u64,
}

/// How far a proof goes; each holds what stands before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// L0: every object is what its name says.
    Hashes,
    /// L1: every piece of the backup is there and opens with the key.
    Pieces,
    /// L2: it was restored as a whole.
    Restored,
    /// L3: its engines opened it, and it is what was noted.
    Opened,
}

/// What a proof came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Proven {
    /// Whether everything was as it must be.
    pub passed: bool,
    /// How far it came.
    pub level: Option<Level>,
    /// What was done, in order.
    pub steps: Vec<ProofStep>,
    /// What was found when it was opened.
    #[serde(default)]
    pub found: Opened,
    /// Bytes that were restored.
    pub bytes: u64,
    /// From the order to the end, in milliseconds: the measured time of a recovery.
    pub took_ms: u64,
}

/// One step of a proof.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProofStep {
    /// What was done.
    pub what: Text,
    /// Why it did not hold; none when it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<Text>,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}
