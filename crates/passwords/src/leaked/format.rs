//! The file of leaked passwords: a header, a directory of shards, the hashes in order, the filters.
//!
//! ```text
//! 0        header      what it is, how much, where; digests of the hashes and of the filters; digest of itself
//! 4096     directory   4,096 shards by the first 12 bits of the hash: where its hashes begin, and its filter
//! …        records     every SHA-1 in full, 20 bytes each, sorted
//! …        filters     per shard the fingerprints of a binary fuse filter, as they lie in memory
//! ```
//!
//! One file, so that one rename replaces it whole. Numbers are little-endian. A filter's keys are close together (a shard of
//! 25,000 keys has segments of 2 KiB), so that a look-up touches one or two pages.

use super::LeakedError;
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use xorf::{BinaryFuse16, Descriptor, DmaSerializable};

/// SHA-1 of a password.
pub(super) type Hash = [u8; HASH_BYTES];

pub(super) const HASH_BYTES: usize = 20;
/// Shards: one for each value of the first 12 bits.
pub(super) const SHARDS: usize = 4096;
/// Where the directory and the filters may begin: what can be mapped.
pub(super) const PAGE_BYTES: u64 = 4096;
/// Keys of one shard: 64 times what a list of a thousand million has, and what building may take of memory.
pub(super) const SHARD_KEYS_MAX: u64 = 4 << 20;
/// Where the hashes begin.
pub(super) const RECORDS_AT: u64 = PAGE_BYTES + (SHARDS * ENTRY_BYTES) as u64;

const ENTRY_BYTES: usize = 32;
const MAGIC: [u8; 8] = *b"HUSLEAK\0";
const VERSION: u32 = 1;
const HEADER_BYTES: usize = 128;
const DIGEST_BYTES: usize = 32;

/// What the header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// When the list was imported, in seconds since 1970.
    pub(super) imported_s: i64,
    /// Hashes in the file.
    pub(super) count: u64,
    /// Where the filters begin.
    pub(super) filters_at: u64,
    /// Length of the filters, which end the file.
    pub(super) filters_bytes: u64,
    /// SHA-256 of the hashes and of the filters, one after the other.
    pub(super) contents: [u8; DIGEST_BYTES],
}

/// One shard: where its hashes are, and its filter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Shard {
    /// Index of its first hash; the next shard's ends it.
    pub(super) first: u64,
    /// Where its fingerprints begin within the filters, in bytes.
    pub(super) filter_at: u64,
    /// The filter's seed.
    pub(super) seed: u64,
    /// Length of a segment, a power of two.
    pub(super) segment: u32,
    /// Length of the segments that the first of three places is chosen from.
    pub(super) segments: u32,
}

/// The shard that a hash belongs to.
pub(super) fn shard_of(hash: &Hash) -> usize {
    usize::from(u16::from_be_bytes([hash[0], hash[1]]) >> 4)
}

/// The filter's key: the first 64 bits.
pub(super) fn key_of(hash: &Hash) -> u64 {
    let mut key = [0; 8];
    key.copy_from_slice(&hash[..8]);
    u64::from_be_bytes(key)
}

impl Shard {
    pub(super) fn new(first: u64, filter_at: u64, filter: Option<&BinaryFuse16>) -> Self {
        let Some(Descriptor { seed, segment_length, segment_count_length, .. }) =
            filter.map(|filter| filter.descriptor.clone())
        else {
            return Self { first, filter_at, ..Self::default() };
        };
        Self { first, filter_at, seed, segment: segment_length, segments: segment_count_length }
    }

    /// Bytes of its fingerprints: the first place may lie in any segment but the last two.
    pub(super) const fn filter_bytes(&self) -> u64 {
        if self.segment == 0 { 0 } else { (self.segments as u64 + 2 * self.segment as u64) * 2 }
    }

    /// The descriptor as the filter's crate reads it.
    pub(super) fn descriptor(&self) -> [u8; BinaryFuse16::DESCRIPTOR_LEN] {
        let mut bytes = [0; BinaryFuse16::DESCRIPTOR_LEN];
        bytes[..8].copy_from_slice(&self.seed.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.segment.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.segment.wrapping_sub(1).to_le_bytes());
        bytes[16..20].copy_from_slice(&self.segments.to_le_bytes());
        bytes
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend(self.first.to_le_bytes());
        out.extend(self.filter_at.to_le_bytes());
        out.extend(self.seed.to_le_bytes());
        out.extend(self.segment.to_le_bytes());
        out.extend(self.segments.to_le_bytes());
    }

    fn read(bytes: &[u8]) -> Self {
        Self {
            first: u64_at(bytes, 0),
            filter_at: u64_at(bytes, 8),
            seed: u64_at(bytes, 16),
            segment: u32_at(bytes, 24),
            segments: u32_at(bytes, 28),
        }
    }
}

/// Header and directory, as they begin the file.
pub(super) fn write_head(header: &Header, shards: &[Shard]) -> Vec<u8> {
    let mut head = Vec::with_capacity(to_usize(RECORDS_AT));
    head.extend(MAGIC);
    head.extend(VERSION.to_le_bytes());
    head.extend(u32::try_from(SHARDS).unwrap_or(u32::MAX).to_le_bytes());
    head.extend(header.imported_s.to_le_bytes());
    head.extend(header.count.to_le_bytes());
    head.extend(header.filters_at.to_le_bytes());
    head.extend(header.filters_bytes.to_le_bytes());
    head.extend(header.contents);
    head.resize(HEADER_BYTES, 0);
    let mut directory = Vec::with_capacity(SHARDS * ENTRY_BYTES);
    for shard in shards {
        shard.write(&mut directory);
    }
    head.extend(Sha256::new().chain_update(&head).chain_update(&directory).finalize());
    head.resize(to_usize(PAGE_BYTES), 0);
    head.extend(directory);
    head
}

/// Reads header and directory, and refuses what does not hold together: nothing later needs to doubt an offset.
pub(super) fn read_head(head: &[u8], file_bytes: u64) -> Result<(Header, Vec<Shard>), LeakedError> {
    let damaged = |what| LeakedError::Damaged { what };
    if head.len() as u64 != RECORDS_AT || head[..8] != MAGIC {
        return Err(damaged("it does not begin as a list of leaked passwords does"));
    }
    let version = u32_at(head, 8);
    if version != VERSION {
        return Err(LeakedError::Version { version });
    }
    let (front, directory) = head.split_at(to_usize(PAGE_BYTES));
    let digest = Sha256::new().chain_update(&front[..HEADER_BYTES]).chain_update(directory).finalize();
    if digest[..] != front[HEADER_BYTES..HEADER_BYTES + DIGEST_BYTES] || u32_at(front, 12) as usize != SHARDS {
        return Err(damaged("the checksum of its header is wrong"));
    }
    let mut contents = [0; DIGEST_BYTES];
    contents.copy_from_slice(&front[48..48 + DIGEST_BYTES]);
    let header = Header {
        imported_s: u64_at(front, 16).cast_signed(),
        count: u64_at(front, 24),
        filters_at: u64_at(front, 32),
        filters_bytes: u64_at(front, 40),
        contents,
    };
    if header.filters_at != filters_at(header.count) || header.filters_at + header.filters_bytes != file_bytes {
        return Err(damaged("it is not as long as its header says"));
    }
    let shards: Vec<Shard> = directory.chunks_exact(ENTRY_BYTES).map(Shard::read).collect();
    let (mut first, mut filter_at) = (0, 0);
    for shard in &shards {
        let power = shard.segment == 0 || shard.segment.is_power_of_two();
        if shard.first < first || shard.first > header.count || shard.filter_at != filter_at || !power {
            return Err(damaged("its directory does not fit its contents"));
        }
        (first, filter_at) = (shard.first, filter_at + shard.filter_bytes());
    }
    if filter_at != header.filters_bytes {
        return Err(damaged("its directory does not fit its contents"));
    }
    Ok((header, shards))
}

/// Where the filters begin behind this many hashes: at a page.
pub(super) const fn filters_at(count: u64) -> u64 {
    (RECORDS_AT + count * HASH_BYTES as u64).next_multiple_of(PAGE_BYTES)
}

impl Header {
    /// When the list was imported.
    pub(super) fn imported(&self) -> Timestamp {
        Timestamp::from_second(self.imported_s).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

/// Offsets fit: a file that is mapped fits the address space.
pub(super) fn to_usize(number: u64) -> usize {
    usize::try_from(number).expect("the platform runs on machines with 64-bit addresses")
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}
