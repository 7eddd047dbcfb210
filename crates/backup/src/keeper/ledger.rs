//! What the target's side remembers of a repository: when it first saw each backup, what is unused since when, what was ordered.

use crate::fault::Fault;
use crate::id::Id;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

/// Backups that one repository may have at once in the ledger; beyond it the earliest are believed.
const BACKUPS_MAX: usize = 1_000_000;

/// One repository's ledger. It lies outside the repository, where no node writes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ledger {
    /// When each backup was first seen.
    pub received: BTreeMap<String, Timestamp>,
    /// Since when a pack is used by no backup.
    pub unused: BTreeMap<String, Timestamp>,
    /// When an order to purge was first seen, by its hash.
    pub orders: BTreeMap<String, Timestamp>,
    /// Backups on which a legal hold lies.
    pub held: BTreeSet<String>,
    /// Nothing may be touched.
    pub sealed: bool,
    /// The last backup that a proof found good.
    pub proven: Option<String>,
    /// The latest time that was seen: a clock that is put back does not make anything older or younger.
    pub latest: Option<Timestamp>,
    /// What this side removed and control has not been told of.
    #[serde(default)]
    pub untold: Vec<Gone>,
    /// Orders that wait for their days, and that control has not been told of.
    #[serde(default)]
    pub waiting: Vec<Purge>,
    /// What control said last. It only ever keeps more.
    #[serde(default)]
    pub word: Word,
}

/// A backup that this side removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gone {
    /// Its name.
    pub copy: String,
    /// When.
    pub at: Timestamp,
    /// The order by which it went before its time; none where it expired.
    #[serde(default)]
    pub purge: Option<Purge>,
}

/// An order to purge, as it is told of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Purge {
    /// The hash of its text.
    pub order: String,
    /// Why.
    pub reason: String,
    /// Public keys of those who signed it.
    pub signers: Vec<String>,
    /// When it was first seen.
    pub seen: Timestamp,
}

/// What control says of a repository.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Word {
    /// The last backup that a proof found good.
    pub proven: Option<String>,
    /// Nothing may be touched.
    pub sealed: bool,
}

impl Ledger {
    /// Reads it; none is an empty one.
    ///
    /// # Errors
    /// When it can't be read: nothing is expired by a guess.
    pub fn load(path: &Path) -> Result<Self, Fault> {
        match fs::read(path) {
            Ok(json) => serde_json::from_slice(&json).map_err(|error| Fault::damaged(path.display(), error)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(Fault::files(format!("reading {}", path.display()))(error)),
        }
    }

    /// Writes it, whole or not at all.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn save(&self, path: &Path) -> Result<(), Fault> {
        let write = || -> std::io::Result<()> {
            let new = path.with_extension("new");
            let mut file = File::create(&new)?;
            file.write_all(&serde_json::to_vec_pretty(self)?)?;
            file.sync_all()?;
            fs::rename(&new, path)?;
            File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
        };
        write().map_err(Fault::files(format!("writing {}", path.display())))
    }

    /// Whether nothing may be touched, by whosever word.
    #[must_use]
    pub fn is_sealed(&self) -> bool {
        self.sealed || self.word.sealed
    }

    /// Whether a pack has been unused for so long that it goes.
    #[must_use]
    pub fn has_due(&self, now: Timestamp) -> bool {
        self.unused.values().any(|since| now >= *since + super::prune::GRACE)
    }

    /// The last backups that a proof found good: by this side's word, and by control's. A word that is taken for another's keeps one more.
    #[must_use]
    pub fn proven(&self) -> Vec<Id> {
        [&self.proven, &self.word.proven].into_iter().flatten().filter_map(|id| id.parse().ok()).collect()
    }

    /// The time, which never goes back.
    pub fn now(&mut self, clock: Timestamp) -> Timestamp {
        let now = self.latest.map_or(clock, |latest| latest.max(clock));
        self.latest = Some(now);
        now
    }

    /// Notes the backups that are there, and gives those that were there and are not: somebody took them who is not this side.
    pub fn note(&mut self, there: &[Id], now: Timestamp) -> Vec<Id> {
        let there: BTreeSet<String> = there.iter().map(ToString::to_string).collect();
        for id in &there {
            if self.received.len() < BACKUPS_MAX || self.received.contains_key(id) {
                self.received.entry(id.clone()).or_insert(now);
            }
        }
        self.received.keys().filter(|id| !there.contains(*id)).filter_map(|id| id.parse().ok()).collect()
    }
}
