//! Blobs become packs, packs go to the target, and an index says what lies where.

use crate::fault::Fault;
use crate::format::{BlobType, IndexBlob, IndexFile, IndexPack, PackEntry, header_bytes, header_write};
use crate::id::Id;
use crate::queue::Queue;
use crate::repository::Repository;
use crate::target::{Folder, Place};
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// A pack of files' contents is closed at this size.
const DATA_PACK_BYTES: usize = 16 << 20;
/// A pack of directories is closed at this size: one is read whole to browse.
const TREE_PACK_BYTES: usize = 4 << 20;
/// Packs that are written before an index names them: what a break costs is at most these.
const PACKS_UNNAMED_MAX: usize = 32;
/// Blobs in one index file.
const INDEX_BLOBS_MAX: usize = 100_000;
/// Names that are tried when something broken lies under the first.
const NAMES_TRIED: usize = 3;
/// Below this a blob is kept as it is: compressing it saves less than it costs.
const COMPRESS_BYTES_MIN: usize = 64;

/// A pack that waits for the target.
pub(super) struct Closed {
    kind: BlobType,
    bytes: Vec<u8>,
    entries: Vec<PackEntry>,
}

#[derive(Default)]
struct Open {
    bytes: Vec<u8>,
    entries: Vec<PackEntry>,
}

/// Where blobs are put together.
pub(super) struct Packer<'a> {
    pub(super) repository: &'a Repository,
    data: Mutex<Open>,
    trees: Mutex<Open>,
    /// Room of packs of files' contents that are sent, for the next: given back to the allocator it would be scattered with what lives longer.
    spare: Mutex<Vec<Vec<u8>>>,
    pub(super) queue: Queue<Closed>,
    unnamed: Mutex<IndexFile>,
    pub(super) bytes_sent: AtomicU64,
    pub(super) blobs_new: AtomicU64,
}

/// Compression with its memory, one for each thread.
pub(super) struct Press(zstd::bulk::Compressor<'static>);

impl Press {
    pub(super) fn new(level: i32) -> Result<Self, Fault> {
        zstd::bulk::Compressor::new(level).map(Self).map_err(Fault::files("setting up compression"))
    }
}

impl<'a> Packer<'a> {
    pub(super) fn new(repository: &'a Repository) -> Self {
        Self {
            repository,
            data: Mutex::default(),
            trees: Mutex::default(),
            spare: Mutex::default(),
            // One pack waits while one is sent; then whoever reads waits too.
            queue: Queue::new(DATA_PACK_BYTES * 3 / 2),
            unnamed: Mutex::default(),
            bytes_sent: AtomicU64::new(0),
            blobs_new: AtomicU64::new(0),
        }
    }

    /// The name of a blob; it is written when the repository does not have it yet.
    pub(super) fn add(&self, kind: BlobType, plain: &[u8], press: &mut Press) -> Result<Id, Fault> {
        let id = Id::of(plain);
        if !self.repository.known().claim(kind, id) {
            return Ok(id);
        }
        self.blobs_new.fetch_add(1, Ordering::Relaxed);
        let pressed = match plain.len() {
            0..COMPRESS_BYTES_MIN => None,
            _ => Some(press.0.compress(plain).map_err(Fault::files("compressing"))?),
        };
        let pressed = pressed.filter(|pressed| pressed.len() < plain.len() - plain.len() / 32);
        let mut sealed = Vec::new();
        self.repository.master.seal_onto(pressed.as_deref().unwrap_or(plain), &mut sealed);
        let entry = PackEntry {
            id,
            kind,
            length: u32::try_from(sealed.len())
                .map_err(|_| Fault::Limit("a directory is too large to be kept".to_owned()))?,
            uncompressed: pressed.is_some().then_some(u32::try_from(plain.len()).unwrap_or(u32::MAX)),
        };
        self.put_in(entry, &sealed)?;
        Ok(id)
    }

    /// Takes a sealed blob over as it is, whether or not the repository has it.
    pub(super) fn take_over(&self, blob: &IndexBlob, sealed: &[u8]) -> Result<(), Fault> {
        let entry =
            PackEntry { id: blob.id, kind: blob.kind, length: blob.length, uncompressed: blob.uncompressed_length };
        self.put_in(entry, sealed)
    }

    fn put_in(&self, entry: PackEntry, sealed: &[u8]) -> Result<(), Fault> {
        let kind = entry.kind;
        let (open, limit) = match kind {
            BlobType::Data => (&self.data, DATA_PACK_BYTES),
            BlobType::Tree => (&self.trees, TREE_PACK_BYTES),
        };
        let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.bytes.capacity() == 0 {
            let spare = || self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop();
            open.bytes = (kind == BlobType::Data).then(spare).flatten().unwrap_or_default();
            open.bytes.reserve_exact(limit + limit / 8);
        }
        open.bytes.extend_from_slice(sealed);
        open.entries.push(entry);
        if open.bytes.len() >= limit {
            // Behind the lock: while a full one waits for its place in the queue nobody fills another, so that two are held and no more.
            self.close(kind, mem::take(&mut *open));
        }
        Ok(())
    }

    fn close(&self, kind: BlobType, open: Open) {
        let weight = open.bytes.len();
        // Who takes from the queue says why when they have stopped.
        drop(self.queue.push(Closed { kind, bytes: open.bytes, entries: open.entries }, weight));
    }

    /// Closes what is open; nothing is added after.
    pub(super) fn finish(&self) {
        for (kind, open) in [(BlobType::Data, &self.data), (BlobType::Tree, &self.trees)] {
            let open = mem::take(&mut *open.lock().unwrap_or_else(PoisonError::into_inner));
            if !open.entries.is_empty() {
                self.close(kind, open);
            }
        }
    }

    /// Sends a pack, and an index when enough has gathered.
    pub(super) fn send(&self, closed: Closed) -> Result<(), Fault> {
        let Closed { kind, mut bytes, entries } = closed;
        let body = bytes.len();
        let header = header_write(&entries);
        let mut tries = 0;
        let id = loop {
            // A header sealed anew makes another name, which what broke off does not have.
            bytes.truncate(body);
            self.repository.master.seal_onto(&header, &mut bytes);
            let length = u32::try_from(bytes.len() - body).expect("a header is short");
            bytes.extend_from_slice(&length.to_le_bytes());
            debug_assert_eq!(
                bytes.len() - body,
                header_bytes(entries.iter().map(|entry| entry.uncompressed.is_some()))
            );
            let id = Id::of(&bytes);
            tries += 1;
            match self.repository.target.put(Place::In(Folder::Data, id), &bytes) {
                Ok(()) => break id,
                Err(Fault::Spoiled { .. }) if tries < NAMES_TRIED => {}
                Err(fault) => return Err(fault),
            }
        };
        self.bytes_sent.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        if kind == BlobType::Data {
            bytes.clear();
            self.spare.lock().unwrap_or_else(PoisonError::into_inner).push(bytes);
        }
        self.note(IndexPack { id, blobs: located(kind, &entries) })
    }

    fn note(&self, pack: IndexPack) -> Result<(), Fault> {
        self.repository.known().add_pack(&pack);
        let due = {
            let mut unnamed = self.unnamed.lock().unwrap_or_else(PoisonError::into_inner);
            unnamed.packs.push(pack);
            let blobs: usize = unnamed.packs.iter().map(|pack| pack.blobs.len()).sum();
            (unnamed.packs.len() >= PACKS_UNNAMED_MAX || blobs >= INDEX_BLOBS_MAX).then(|| mem::take(&mut *unnamed))
        };
        due.map_or(Ok(()), |due| self.write_index(&due))
    }

    /// Names the last packs.
    pub(super) fn finish_index(&self) -> Result<(), Fault> {
        let rest = mem::take(&mut *self.unnamed.lock().unwrap_or_else(PoisonError::into_inner));
        if rest.packs.is_empty() { Ok(()) } else { self.write_index(&rest) }
    }

    fn write_index(&self, file: &IndexFile) -> Result<(), Fault> {
        let (_, bytes) = self.repository.save(Folder::Index, file)?;
        self.bytes_sent.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }
}

/// Entries with their offsets, as an index has them.
pub(crate) fn located(kind: BlobType, entries: &[PackEntry]) -> Vec<IndexBlob> {
    let mut offset = 0;
    entries
        .iter()
        .map(|entry| {
            let at = offset;
            offset += entry.length;
            IndexBlob { id: entry.id, kind, offset: at, length: entry.length, uncompressed_length: entry.uncompressed }
        })
        .collect()
}
