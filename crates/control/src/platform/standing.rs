//! How the platform's own backups stand: written by the role that makes them, read by control for staff. A file, not a table: a row a minute
//! would be something to back up each minute.

use husorden_wire::node::Address;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::io::{self, Read};
use std::path::Path;

/// Longest file that is read.
const BYTES_MAX: u64 = 256 << 10;

/// How they stand.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Standing {
    /// Name of the target they go to.
    pub target: String,
    /// How it is reached, without a secret: what is written down with the papers.
    pub address: Option<Address>,
    /// The repository's folder there.
    pub folder: String,
    /// The target is a folder of this machine, and goes with it.
    pub with_machine: bool,
    /// Of when the newest one is, and its name in the repository.
    pub newest: Option<Timestamp>,
    /// Its name in the repository.
    pub copy: Option<String>,
    /// Bytes that were sent for it.
    pub bytes_sent: u64,
    /// How long it took.
    pub took_ms: u64,
    /// Of when the base is that the log goes on from.
    pub base: Option<Timestamp>,
    /// What hinders it, since when.
    pub trouble: Option<(Timestamp, String)>,
    /// The last proof that ended.
    pub proof: Option<Proven>,
    /// When one passed last.
    pub proven: Option<Timestamp>,
}

/// A proof.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Proven {
    /// When it ended.
    pub at: Timestamp,
    /// The backup that was proven.
    pub copy: String,
    /// What did not hold; none when it passed.
    pub wrong: Vec<String>,
    /// What was done, with the milliseconds it took.
    pub steps: Vec<(String, u64)>,
    /// Rows in all tables.
    pub rows: i64,
    /// Leaves of the evidence.
    pub leaves: i64,
}

impl Standing {
    /// As the file says; none when there is no file.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn read(path: &Path) -> io::Result<Option<Self>> {
        let file = match std::fs::File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let mut text = String::new();
        file.take(BYTES_MAX).read_to_string(&mut text)?;
        Ok(Some(serde_json::from_str(&text)?))
    }
}
