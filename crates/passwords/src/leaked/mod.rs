//! The list of leaked passwords: a filter in mapped memory says "no" at once; its "perhaps" is looked up in full.
//!
//! The filter is wrong for one good password in 65,536. Therefore its "perhaps" refuses nobody: the hash is looked for among
//! all hashes of its shard, by interpolation, which reads one page of the file as a rule.
#![allow(unsafe_code, reason = "the filters are mapped, not read: they are as large as the memory of a small machine")]

mod build;
mod format;
mod import;
mod lines;

pub use import::{Form, Imported, Progress, import};

use format::{HASH_BYTES, Hash, Header, PAGE_BYTES, RECORDS_AT, Shard, key_of, shard_of, to_usize};
use jiff::Timestamp;
use memmap2::{Mmap, MmapOptions};
use sha1::{Digest as _, Sha1};
use sha2::Sha256;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use xorf::{BinaryFuse16Ref, Filter, FilterRef};

/// Name of the list within its folder.
pub const FILE_NAME: &str = "leaked.hus";

/// Hashes read at once when one is looked for: a page of the file.
const WINDOW: u64 = PAGE_BYTES / HASH_BYTES as u64;

/// Why a list can't be made or used.
#[derive(Debug, thiserror::Error)]
pub enum LeakedError {
    /// The machine says no.
    #[error("{doing} {path}")]
    Io {
        /// What was being done, such as "reading".
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// What the machine said.
        source: io::Error,
    },
    /// A line of the import is not as the form wants it.
    #[error("line {number}: {what}")]
    Line {
        /// Number of the line, from 1.
        number: u64,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Too many hashes begin alike: this is no list of hashes.
    #[error(
        "line {number}: more than {} hashes begin with the same three digits: this is no list of hashes",
        format::SHARD_KEYS_MAX
    )]
    Crowded {
        /// Number of the line, from 1.
        number: u64,
    },
    /// Another import runs.
    #[error("another import into {folder} is running")]
    Busy {
        /// The folder.
        folder: PathBuf,
    },
    /// The list has no line.
    #[error("the list is empty: the one before stays")]
    Empty,
    /// No filter could be made, after a thousand tries.
    #[error("no filter could be made: {what}")]
    Filter {
        /// What the filter's maker said.
        what: &'static str,
    },
    /// The file is of a version that this program can't read.
    #[error("the list is of version {version}, which this program can't read: import it again")]
    Version {
        /// Its version.
        version: u32,
    },
    /// The file is damaged.
    #[error("the list is damaged: {what}; import it again")]
    Damaged {
        /// What does not hold.
        what: &'static str,
    },
}

/// An error of the machine, with what was being done.
fn io_error(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> LeakedError {
    let path = path.to_owned();
    move |source| LeakedError::Io { doing, path, source }
}

/// An error with its causes, in one line.
#[must_use]
pub fn chain(error: &LeakedError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// A list of leaked passwords, open for looking.
#[derive(Debug)]
pub struct Leaked {
    path: PathBuf,
    file: File,
    header: Header,
    shards: Vec<Shard>,
    filters: Mmap,
}

impl Leaked {
    /// Opens the list in this folder and checks that its head is whole.
    ///
    /// # Errors
    /// When there is none, or it is damaged or of another version.
    pub fn open(folder: &Path) -> Result<Self, LeakedError> {
        let path = folder.join(FILE_NAME);
        let file = File::open(&path).map_err(io_error("opening", &path))?;
        let file_bytes = file.metadata().map_err(io_error("looking at", &path))?.len();
        if file_bytes < RECORDS_AT {
            return Err(LeakedError::Damaged { what: "it is too short" });
        }
        let mut head = vec![0; to_usize(RECORDS_AT)];
        file.read_exact_at(&mut head, 0).map_err(io_error("reading", &path))?;
        let (header, shards) = format::read_head(&head, file_bytes)?;
        // SAFETY: the file is only ever replaced by a rename, never written or cut after it has its name, so that what is
        // mapped stays as it is; its length was checked against its header above.
        let filters =
            unsafe { MmapOptions::new().offset(header.filters_at).len(to_usize(header.filters_bytes)).map(&file) }
                .map_err(io_error("mapping", &path))?;
        // Neighbouring look-ups have nothing in common; reading ahead would only push out what others need.
        filters.advise(memmap2::Advice::Random).map_err(io_error("mapping", &path))?;
        Ok(Self { path, file, header, shards, filters })
    }

    /// Count of passwords.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.header.count
    }

    /// When the list was imported.
    #[must_use]
    pub fn imported(&self) -> Timestamp {
        self.header.imported()
    }

    /// Whether this password is on the list.
    ///
    /// # Errors
    /// When the file can't be read.
    pub fn contains(&self, password: &str) -> Result<bool, LeakedError> {
        self.contains_hash(&Sha1::digest(password.as_bytes()).into())
    }

    /// Whether the password with this SHA-1 is on the list.
    ///
    /// # Errors
    /// When the file can't be read.
    pub fn contains_hash(&self, hash: &[u8; 20]) -> Result<bool, LeakedError> {
        if !self.perhaps(hash) {
            return Ok(false);
        }
        self.look(hash)
    }

    /// What the filter says: "no" is certain, "yes" means "perhaps".
    #[must_use]
    pub fn perhaps(&self, hash: &[u8; 20]) -> bool {
        let shard = &self.shards[shard_of(hash)];
        if shard.segment == 0 {
            return false;
        }
        let at = to_usize(shard.filter_at);
        let fingerprints = &self.filters[at..at + to_usize(shard.filter_bytes())];
        BinaryFuse16Ref::from_dma(&shard.descriptor(), fingerprints).contains(&key_of(hash))
    }

    /// The exact look: among the hashes of the shard, by interpolation. Hashes are even, so that the first guess is off by
    /// less than a page; a list that is not even costs more reads, and never another answer.
    fn look(&self, hash: &Hash) -> Result<bool, LeakedError> {
        let shard = shard_of(hash);
        let mut low = self.shards[shard].first;
        let mut high = self.shards.get(shard + 1).map_or(self.header.count, |next| next.first);
        // Within a shard the first 12 bits are the same: what follows them tells hashes apart.
        let key = |hash: &Hash| key_of(hash) << 12;
        let (mut low_key, mut high_key) = (0_u64, u64::MAX);
        let mut window = [0; to_usize_const(WINDOW) * HASH_BYTES];
        while low < high {
            let share = u128::from(key(hash).saturating_sub(low_key)) * u128::from(high - low)
                / (u128::from(high_key - low_key) + 1);
            let guess = low + u64::try_from(share).unwrap_or(u64::MAX).min(high - low - 1);
            let from = guess.saturating_sub(WINDOW / 2).max(low);
            let count = WINDOW.min(high - from);
            let bytes = &mut window[..to_usize(count) * HASH_BYTES];
            self.file
                .read_exact_at(bytes, RECORDS_AT + from * HASH_BYTES as u64)
                .map_err(io_error("reading", &self.path))?;
            let (records, _) = bytes.as_chunks::<HASH_BYTES>();
            match records.binary_search(hash) {
                Ok(_) => return Ok(true),
                Err(0) => (high, high_key) = (from, key(&records[0])),
                Err(after) if after == records.len() => (low, low_key) = (from + count, key(&records[after - 1])),
                Err(_) => return Ok(false),
            }
        }
        Ok(false)
    }

    /// Reads the whole list and compares it with its checksum and its order.
    ///
    /// # Errors
    /// When it can't be read or is damaged.
    pub fn verify(&self) -> Result<(), LeakedError> {
        const RECORDS: usize = 50_000;
        let mut digest = Sha256::new();
        let mut buffer = vec![0; RECORDS * HASH_BYTES];
        let (mut index, mut last): (u64, Option<Hash>) = (0, None);
        while index < self.header.count {
            let count = (self.header.count - index).min(RECORDS as u64);
            let bytes = &mut buffer[..to_usize(count) * HASH_BYTES];
            self.file
                .read_exact_at(bytes, RECORDS_AT + index * HASH_BYTES as u64)
                .map_err(io_error("reading", &self.path))?;
            digest.update(&*bytes);
            for record in bytes.as_chunks::<HASH_BYTES>().0 {
                if last.is_some_and(|last| last >= *record) {
                    return Err(LeakedError::Damaged { what: "its hashes are out of order" });
                }
                last = Some(*record);
            }
            index += count;
        }
        digest.update(&self.filters[..]);
        if digest.finalize()[..] != self.header.contents {
            return Err(LeakedError::Damaged { what: "the checksum of its contents is wrong" });
        }
        Ok(())
    }
}

#[allow(clippy::cast_possible_truncation, reason = "a small constant")]
const fn to_usize_const(number: u64) -> usize {
    number as usize
}

#[cfg(test)]
mod tests;
