//! Which blobs a repository has and where: all index files together, in memory.

use crate::crypt::SEAL_BYTES;
use crate::format::{BlobType, IndexBlob, IndexFile, IndexPack};
use crate::id::Id;
use std::collections::HashMap;

/// Where a blob lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Location {
    /// Number of the pack in [`Known`].
    pub(crate) pack: u32,
    pub(crate) offset: u32,
    pub(crate) length: u32,
    /// Bytes before compression; zero when it is not compressed.
    pub(crate) uncompressed: u32,
}

impl Location {
    /// As a pack's own list says it, for who holds that pack already.
    pub(crate) fn in_its_pack(blob: &IndexBlob) -> Self {
        Self { pack: 0, offset: blob.offset, length: blob.length, uncompressed: blob.uncompressed_length.unwrap_or(0) }
    }

    /// Bytes of the blob before compression and sealing.
    pub(crate) fn plain_bytes(&self) -> u64 {
        match self.uncompressed {
            0 => u64::from(self.length).saturating_sub(SEAL_BYTES as u64),
            bytes => u64::from(bytes),
        }
    }
}

/// The number of no pack: somebody is about to write the blob.
const CLAIMED: u32 = u32::MAX;

/// All blobs of a repository. 48 bytes a blob and the map's own room: a gigabyte of pages of 16 KiB takes 4 MB.
#[derive(Default)]
pub(crate) struct Known {
    packs: Vec<Id>,
    numbers: HashMap<Id, u32>,
    data: HashMap<Id, Location>,
    trees: HashMap<Id, Location>,
}

impl Known {
    pub(crate) fn add(&mut self, file: &IndexFile) {
        file.packs.iter().for_each(|pack| self.add_pack(pack));
    }

    pub(crate) fn add_pack(&mut self, pack: &IndexPack) {
        let number = *self.numbers.entry(pack.id).or_insert_with(|| {
            self.packs.push(pack.id);
            u32::try_from(self.packs.len() - 1).expect("a repository has fewer than four billion packs")
        });
        for blob in &pack.blobs {
            let location = Location {
                pack: number,
                offset: blob.offset,
                length: blob.length,
                uncompressed: blob.uncompressed_length.unwrap_or(0),
            };
            self.map(blob.kind).insert(blob.id, location);
        }
    }

    fn map(&mut self, kind: BlobType) -> &mut HashMap<Id, Location> {
        match kind {
            BlobType::Data => &mut self.data,
            BlobType::Tree => &mut self.trees,
        }
    }

    pub(crate) fn find(&self, kind: BlobType, id: &Id) -> Option<Location> {
        let map = match kind {
            BlobType::Data => &self.data,
            BlobType::Tree => &self.trees,
        };
        map.get(id).copied().filter(|location| location.pack != CLAIMED)
    }

    /// Whether the blob is there or about to be.
    pub(crate) fn has(&self, kind: BlobType, id: &Id) -> bool {
        match kind {
            BlobType::Data => self.data.contains_key(id),
            BlobType::Tree => self.trees.contains_key(id),
        }
    }

    /// True for the first who asks about a blob that is not there: they write it.
    pub(crate) fn claim(&mut self, kind: BlobType, id: Id) -> bool {
        let claimed = Location { pack: CLAIMED, offset: 0, length: 0, uncompressed: 0 };
        match self.map(kind).entry(id) {
            std::collections::hash_map::Entry::Occupied(_) => false,
            std::collections::hash_map::Entry::Vacant(free) => {
                free.insert(claimed);
                true
            }
        }
    }

    /// Forgets what was claimed and never written.
    pub(crate) fn forget_claims(&mut self) {
        self.data.retain(|_, location| location.pack != CLAIMED);
        self.trees.retain(|_, location| location.pack != CLAIMED);
    }

    pub(crate) fn pack(&self, number: u32) -> Id {
        self.packs[number as usize]
    }
}
