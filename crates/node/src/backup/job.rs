//! What a node and its child say to each other: the job as one line on the child's standard input, and lines back on its standard error, for its
//! standard output is the stream that is asked for. Plain data.
//!
//! Standard input stays open as long as the node lives; when it ends, so does the child.

use husorden_backup::Shelf;
use husorden_base::Secret;
use husorden_wire::node::Reading;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Where things are inside the child's sandbox.
pub(crate) const TOOL: &str = "/run/husorden-tool";
/// The volume's folders: what is read, or what is filled.
pub(crate) const VOLUME: &str = "/run/volume";
/// The folders of the snapshot that the former backup was made of.
pub(crate) const FORMER: &str = "/run/former";
/// Pieces of a log that are sent away.
pub(crate) const PIECES: &str = "/run/pieces";
/// The repository, on a target that is a folder.
pub(crate) const TARGET: &str = "/run/target";

/// The socket behind which the node holds the one way to a target elsewhere.
pub(crate) const WAY: &str = "/run/way";

/// The volume's folder at the root of a backup, in paths.
pub(crate) const ROOT: &str = "volume";
/// The note with what is to be known before a backup can be put back ([`super::About`]).
pub(crate) const ABOUT: &str = "about.json";

/// Longest job, in bytes.
pub(crate) const JOB_BYTES_MAX: u64 = 16 << 20;
/// Longest line back, in bytes.
pub(crate) const LINE_BYTES_MAX: usize = 1 << 20;
/// Findings of a check that are told.
pub(crate) const FINDINGS_MAX: usize = 100;
/// Paths that could not be put back as they were, and are told.
pub(crate) const LACKING_MAX: usize = 100;

/// Everything a child is told.
#[derive(Serialize, Deserialize)]
pub(crate) struct Job {
    /// How the target is reached from inside.
    pub(crate) way: Way,
    /// The repository's password.
    pub(crate) password: Secret,
    /// What the target's account is opened with.
    #[serde(default)]
    pub(crate) account: Option<Secret>,
    /// Bytes a second at most.
    #[serde(default)]
    pub(crate) bytes_per_second: Option<u64>,
    /// Seconds until everything is to be over.
    pub(crate) limit_s: u32,
    /// What is to be done.
    pub(crate) work: Work,
}

/// How a target is reached from inside the sandbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "kebab-case")]
pub(crate) enum Way {
    /// A folder at [`TARGET`].
    Folder,
    /// A session of SFTP for each connection to the way.
    Sftp {
        /// The repository's folder there.
        folder: String,
    },
    /// A connection to the server for each connection to the way.
    Rest {
        /// The repository's address.
        url: String,
        /// Name of the account.
        user: Option<String>,
    },
    /// A connection to the server for each connection to the way.
    S3 {
        /// The server's address.
        url: String,
        /// The bucket.
        bucket: String,
        /// The region that requests are signed for.
        region: String,
        /// The account's access key.
        access_key: String,
        /// The repository's folder in the bucket.
        folder: String,
    },
}

/// What a child is to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub(crate) enum Work {
    /// Write a backup of what lies at [`VOLUME`].
    Write {
        /// Where it is made, as restic shows it.
        host: String,
        /// Labels.
        tags: Vec<String>,
        /// When the volume was so.
        taken: Timestamp,
        /// What is kept beside it.
        notes: BTreeMap<String, String>,
        /// The former backup's name.
        former: Option<String>,
        /// What it was made of lies at [`FORMER`], on the same disk.
        beside: bool,
        /// The repository is made when it is not there. Only where no backup of this volume was ever acknowledged.
        first: bool,
    },
    /// Say whether a backup is there that bears a label.
    Find {
        /// The label.
        tag: String,
        /// No backup of this volume was ever acknowledged: a repository that is not there has none.
        first: bool,
    },
    /// Say what is to be known of a backup before it is put back.
    Look {
        /// Its name.
        copy: String,
        /// A file that is to be in it, as a path from the volume's root.
        hole: Option<String>,
    },
    /// Put what lies in these folders of a backup into the empty folders of the same names at [`VOLUME`].
    Restore {
        /// The backup's name.
        copy: String,
        /// The folders at the volume's top.
        folders: Vec<String>,
    },
    /// Put one file or folder beneath [`VOLUME`] in the place of what is there.
    Replace {
        /// The backup's name.
        copy: String,
        /// Its path from the volume's root.
        path: String,
    },
    /// Hand something out on standard output.
    Read {
        /// The backup's name.
        copy: String,
        /// What.
        what: Reading,
    },
    /// Add pieces of a log, which lie at [`PIECES`], to those that its repository has.
    Append {
        /// Where it is made, as restic shows it.
        host: String,
        /// Labels.
        tags: Vec<String>,
        /// The line of the log.
        line: String,
        /// The pieces, in order.
        names: Vec<String>,
        /// What is there.
        shelf: Box<Shelf>,
        /// What was kept before this is let go.
        keep: Timestamp,
        /// The repository is made when it is not there.
        first: bool,
    },
    /// Put the pieces of a log that bring a backup to a time into [`husorden_kinds::segments::REPLAY`] at [`VOLUME`].
    Pieces {
        /// The snapshot in the log's repository.
        copy: String,
        /// The line of the log.
        line: u64,
        /// The first piece that may hold what came after the backup.
        next: u64,
        /// When the backup was taken.
        taken: Timestamp,
        /// The time.
        at: Timestamp,
    },
    /// Look whether the repository is whole.
    Check {
        /// The backup that must be; none for any.
        copy: Option<String>,
        /// Every object is compared with its name.
        hashes: bool,
        /// Packs are read and everything in them opened: all, or this part of so many. None looks at names and structure alone.
        contents: Option<(u8, u8)>,
    },
}

/// What a child says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "kebab-case")]
pub(crate) enum Said {
    /// How far it is, in bytes of files.
    Progress {
        /// Done.
        done: u64,
        /// Of so many that are known by now; zero where it is not known.
        of: u64,
    },
    /// It is done. The last line.
    Done {
        /// What came of it.
        came: Came,
    },
    /// It did not come about. The last line.
    Fault {
        /// Which kind of fault.
        of: FaultOf,
        /// In words, for the log and for staff.
        text: String,
    },
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "kebab-case")]
pub(crate) enum Came {
    /// A backup.
    Written {
        /// Its name in the repository.
        copy: String,
        /// Files in it.
        files: u64,
        /// Bytes of its files.
        bytes: u64,
        /// Bytes that were read.
        bytes_read: u64,
        /// Bytes that were sent.
        bytes_sent: u64,
    },
    /// It was looked whether a backup is there.
    Found {
        /// Its name in the repository; none where it is not there.
        copy: Option<String>,
        /// Files in it.
        files: u64,
        /// Bytes of its files.
        bytes: u64,
    },
    /// Pieces of a log were added.
    Appended {
        /// The snapshot that names all of it.
        copy: String,
        /// What the next one is to know.
        shelf: Box<Shelf>,
        /// Bytes that were sent.
        bytes_sent: u64,
    },
    /// The notes beside a backup's volume, and the folders at the volume's top.
    Looked {
        /// By name; only such as are text, and short.
        notes: BTreeMap<String, String>,
        /// The folders.
        folders: Vec<String>,
    },
    /// Something was put back.
    Restored {
        /// Files.
        files: u64,
        /// Bytes of files.
        bytes: u64,
        /// What could not be made as it was.
        lacking: Vec<String>,
    },
    /// Everything was handed out.
    Read,
    /// A check came to its end.
    Checked {
        /// What is wrong, place and words.
        findings: Vec<(String, String)>,
        /// How much is: as many as findings, or more than are told.
        wrong: u64,
        /// Bytes of packs that were read.
        bytes_read: u64,
    },
}

/// Kinds of faults, by what is to be said and done about them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum FaultOf {
    /// The target does not answer.
    Away,
    /// The target says no.
    Refused,
    /// The target is full.
    Full,
    /// The repository, or the backup, is not there.
    Missing,
    /// Something there is damaged.
    Damaged,
    /// The key does not open it.
    WrongKey,
    /// There is no such path in it.
    NotInBackup,
    /// The solution's own disk is full.
    OwnFull,
    /// The solution's own files could not be read or written.
    Files,
    /// A limit was met.
    Limit,
    /// The time is up.
    Deadline,
    /// The job could not be read, or was stopped.
    Stopped,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_one_line_and_a_secret_is_not_shown() {
        let job = Job {
            way: Way::Folder,
            password: Secret::new("opens it"),
            account: None,
            bytes_per_second: Some(1 << 20),
            limit_s: 60,
            work: Work::Look { copy: "line\nbreak".to_owned(), hole: None },
        };
        let line = serde_json::to_string(&job).expect("plain data");
        assert!(!line.contains('\n'));
        let again: Job = serde_json::from_str(&line).expect("the same");
        assert_eq!((again.way, again.work), (job.way, job.work));
        assert!(!format!("{:?}", again.password).contains("opens"));
    }
}
