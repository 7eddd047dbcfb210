//! Signing: control's own key and memory, which are not in PostgreSQL, and what is checked before anything is signed.
//!
//! Control remembers on its own disk what it signed last, with enough of the tree to go on from there. It hashes the new leaves
//! itself, and asks for a proof that the tree as it is kept still begins with the one that was signed. A tree that shrank or
//! was changed is not signed.

use crate::store::log::{self, Head, LoadError, OpenedRow};
use husorden_evidence::tree::tiles_of;
use husorden_evidence::{Checkpoint, Frontier, Hash, PublicKey, SigningKey, leaf, proof};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::PgPool;
use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Leaves read at once.
const BATCH: i32 = 5_000;
/// Old leaves that are looked at again with each signature, so that all are in turn.
const AUDIT: i32 = 2_000;
const KEY_FILE: &str = "evidence.key";
const SEEN_FILE: &str = "evidence.seen";

/// Why nothing was signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The tree is not the one that was signed before, grown.
    #[error("the evidence log was tampered with: {0}")]
    Refused(String),
    /// What is needed could not be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The key or the memory on disk.
    #[error("{doing}: {source}")]
    Io {
        /// What was done.
        doing: String,
        /// Why it failed.
        source: io::Error,
    },
    /// The key's file holds no key, or the memory's no memory.
    #[error("{0} does not read")]
    Garbled(String),
}

impl From<sqlx::Error> for SignError {
    fn from(error: sqlx::Error) -> Self {
        Self::Load(error.into())
    }
}

/// What was signed last.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Seen {
    origin: String,
    frontier: Frontier,
    at: Timestamp,
    /// The next old leaf to look at again.
    audited: u64,
}

/// The key and the memory.
#[derive(Debug)]
pub(crate) struct Signer {
    folder: PathBuf,
    key: SigningKey,
    origin: String,
    seen: Option<Seen>,
    /// Lines that were told of, so that each look at them is not an alarm again.
    told: BTreeSet<u64>,
}

/// What was signed.
#[derive(Debug)]
pub(crate) struct Signed {
    pub(crate) checkpoint: Checkpoint,
    pub(crate) note: String,
    /// Old lines that are not what was sealed, those that were told of left out.
    pub(crate) changed: Vec<Changed>,
}

/// An old line that is not what was sealed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Changed {
    pub(crate) line: u64,
    pub(crate) why: String,
}

fn io(doing: &str, path: &Path) -> impl FnOnce(io::Error) -> SignError {
    let doing = format!("{doing} {}", path.display());
    move |source| SignError::Io { doing, source }
}

impl Signer {
    /// Opens the key, making it when there is none, and the memory.
    pub(crate) fn open(folder: &Path, origin: &str) -> Result<Self, SignError> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(io("making", folder))?;
        let path = folder.join(KEY_FILE);
        let key = match fs::read_to_string(&path).map(Zeroizing::new) {
            Ok(text) => SigningKey::from_secret(&text).map_err(|_| SignError::Garbled(path.display().to_string()))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mut seed = Zeroizing::new([0; 32]);
                getrandom::fill(seed.as_mut()).map_err(|error| SignError::Io {
                    doing: "making a key".to_owned(),
                    source: io::Error::other(error.to_string()),
                })?;
                let key = SigningKey::new(origin, &seed).map_err(|_| SignError::Garbled(origin.to_owned()))?;
                put(&path, key.to_secret().as_bytes())?;
                key
            }
            Err(error) => return Err(io("reading", &path)(error)),
        };
        let path = folder.join(SEEN_FILE);
        let seen = match fs::read(&path) {
            Ok(bytes) => {
                Some(serde_json::from_slice(&bytes).map_err(|_| SignError::Garbled(path.display().to_string()))?)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(io("reading", &path)(error)),
        };
        Ok(Self { folder: folder.to_owned(), key, origin: origin.to_owned(), seen, told: BTreeSet::new() })
    }

    pub(crate) fn public(&self) -> PublicKey {
        self.key.public()
    }

    pub(crate) const fn remembers(&self) -> bool {
        self.seen.is_some()
    }

    /// Refuses a tree that has fewer leaves than were signed.
    pub(crate) fn not_smaller(&self, head: &Head) -> Result<(), SignError> {
        let had = self.seen.as_ref().map_or(0, |seen| seen.frontier.size());
        if head.size < had {
            return Err(SignError::Refused(format!("it has {} leaves and had {had}", head.size)));
        }
        Ok(())
    }

    /// Checks that the tree is the one that was signed last, grown, and signs it.
    pub(crate) async fn sign(&mut self, system: &PgPool) -> Result<Signed, SignError> {
        let head = log::head(system).await?;
        let refused = |why: String| Err(SignError::Refused(why));
        let old = self.seen.clone().unwrap_or_else(|| Seen {
            origin: self.origin.clone(),
            frontier: Frontier::default(),
            at: Timestamp::UNIX_EPOCH,
            audited: 0,
        });
        if head.origin != old.origin {
            return refused(format!("it calls itself {} and was {}", head.origin, old.origin));
        }
        let (old_size, old_root) = (old.frontier.size(), old.frontier.root());
        self.not_smaller(&head)?;
        let mut frontier = old.frontier.clone();
        while frontier.size() < head.size {
            let rows = log::bodies(system, frontier.size(), head.size, BATCH).await?;
            if rows.is_empty() {
                return refused(format!("leaf {} is missing", frontier.size()));
            }
            for (index, body) in rows {
                if index != frontier.size() {
                    return refused(format!("leaf {} is missing", frontier.size()));
                }
                frontier.push(Hash::leaf(body.as_bytes()));
            }
        }
        if frontier.root() != head.root {
            return refused(format!("its {} leaves do not make the root it names", head.size));
        }
        self.consistent(system, (old_size, old_root), (head.size, head.root)).await?;
        let (audited, mut changed) = audit(system, old.audited, old_size).await?;

        let at = Timestamp::from_second(Timestamp::now().as_second()).unwrap_or_default();
        let checkpoint = Checkpoint { origin: head.origin.clone(), size: head.size, root: head.root, at };
        let note = checkpoint.sign(&self.key);
        let seen = Seen { origin: head.origin, frontier, at, audited };
        let text = serde_json::to_vec(&seen).map_err(|error| io("writing", &self.folder)(error.into()))?;
        put(&self.folder.join(SEEN_FILE), &text)?;
        self.seen = Some(seen);
        log::keep_checkpoint(system, &checkpoint, &self.public().to_string(), &note).await?;
        changed.retain(|changed| self.told.insert(changed.line));
        Ok(Signed { checkpoint, note, changed })
    }

    /// That the tree as PostgreSQL keeps it begins with the one that was signed.
    async fn consistent(&self, system: &PgPool, old: (u64, Hash), new: (u64, Hash)) -> Result<(), SignError> {
        let ranges = proof::consistency(old.0, new.0);
        let mut needed = BTreeSet::new();
        ranges.iter().for_each(|range| tiles_of(*range, &mut needed));
        tiles_of((0, new.0), &mut needed);
        let refused = |why: &str| SignError::Refused(format!("{why}, from {} leaves to {}", old.0, new.0));
        let tiles = log::tiles(system, &needed).await?;
        let hashes = tiles.hashes(&ranges).map_err(|_| refused("hashes of the tree are missing"))?;
        let root = tiles.hash((0, new.0)).map_err(|_| refused("hashes of the tree are missing"))?;
        if root == new.1 && proof::is_consistent(old, new, &hashes) {
            Ok(())
        } else {
            Err(refused("the tree does not go on from what was signed"))
        }
    }
}

/// Looks at some old leaves again, the first ones after the last: body against tree, and what is visible against the body.
/// Says where to go on.
async fn audit(system: &PgPool, from: u64, size: u64) -> Result<(u64, Vec<Changed>), SignError> {
    let count = u64::from(AUDIT.unsigned_abs()).min(size);
    let from = if from < size { from } else { 0 };
    let end = (from + count).min(size);
    let mut changed = Vec::new();
    // A log that is no larger than one look is looked at whole each time.
    for (from, to) in [(from, end), (0, count - (end - from))] {
        audit_range(system, from, to, &mut changed).await?;
    }
    Ok((if end < size { end } else { count - (end - from) }, changed))
}

async fn audit_range(system: &PgPool, from: u64, to: u64, changed: &mut Vec<Changed>) -> Result<(), SignError> {
    if from >= to {
        return Ok(());
    }
    let rows = log::opened(system, from, to, AUDIT).await?;
    let mut needed = BTreeSet::new();
    (from..to).for_each(|index| tiles_of((index, index + 1), &mut needed));
    let tiles = log::tiles(system, &needed).await?;
    let mut rows = rows.iter();
    for index in from..to {
        let Some(row) = rows.next().filter(|row| row.index == index) else {
            return Err(SignError::Refused(format!("leaf {index} is missing")));
        };
        if tiles.hash((index, index + 1)).ok() != Some(Hash::leaf(row.body.as_bytes())) {
            return Err(SignError::Refused(format!("leaf {index}, line {}, was changed", row.line)));
        }
        changed.extend(wrong(row).map(|why| Changed { line: row.line, why }));
    }
    Ok(())
}

/// What of a row's visible fields is not what its leaf hides.
fn wrong(row: &OpenedRow) -> Option<String> {
    let body: Value = serde_json::from_str(&row.body).ok()?;
    leaf::hidden(&body).into_iter().find_map(|(path, hash)| {
        if row.erased.contains_key(&path) {
            return None;
        }
        let opens =
            row.value(&path).zip(row.salts.get(&path)).is_some_and(|(value, salt)| leaf::opens(hash, salt, value));
        (!opens).then_some(path)
    })
}

/// Writes a file of control's own whole or not at all, for its own eyes only.
fn put(path: &Path, bytes: &[u8]) -> Result<(), SignError> {
    let fresh = path.with_extension("new");
    let write = || -> io::Result<()> {
        let _ = fs::remove_file(&fresh);
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&fresh, path)?;
        fs::File::open(path.parent().unwrap_or(path))?.sync_all()
    };
    write().map_err(io("writing", path))
}
