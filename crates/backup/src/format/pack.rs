//! The header at the end of a pack: what it holds, so that an index can be made from packs alone.

use super::BlobType;
use crate::crypt::SEAL_BYTES;
use crate::id::Id;

/// The last bytes of a pack: how long its sealed header is.
pub(crate) const HEADER_TAIL_BYTES: usize = 4;

/// A blob as a pack's header names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PackEntry {
    pub(crate) id: Id,
    pub(crate) kind: BlobType,
    /// Bytes in the pack, sealed.
    pub(crate) length: u32,
    /// Bytes before compression, when it is compressed.
    pub(crate) uncompressed: Option<u32>,
}

/// Bytes of the sealed header with its length, for a pack's expected size.
pub(crate) fn header_bytes(entries: impl Iterator<Item = bool>) -> usize {
    entries.map(|compressed| if compressed { 41 } else { 37 }).sum::<usize>() + SEAL_BYTES + HEADER_TAIL_BYTES
}

/// The header before sealing.
pub(crate) fn header_write(entries: &[PackEntry]) -> Vec<u8> {
    let mut header = Vec::with_capacity(entries.len() * 41);
    for entry in entries {
        let kind = match entry.kind {
            BlobType::Data => 0,
            BlobType::Tree => 1,
        };
        header.push(kind + if entry.uncompressed.is_some() { 2 } else { 0 });
        header.extend_from_slice(&entry.length.to_le_bytes());
        if let Some(uncompressed) = entry.uncompressed {
            header.extend_from_slice(&uncompressed.to_le_bytes());
        }
        header.extend_from_slice(&entry.id.0);
    }
    header
}

/// The entries of a header, or nothing when it is none.
pub(crate) fn header_read(mut header: &[u8]) -> Option<Vec<PackEntry>> {
    let mut entries = Vec::new();
    let number = |bytes: &[u8]| Some(u32::from_le_bytes(bytes.get(..4)?.try_into().ok()?));
    while let Some((sign, rest)) = header.split_first() {
        let kind = if sign & 1 == 0 { BlobType::Data } else { BlobType::Tree };
        let length = number(rest)?;
        let (uncompressed, id, used) = match sign {
            0 | 1 => (None, rest.get(4..36)?, 36),
            2 | 3 => (Some(number(rest.get(4..)?)?), rest.get(8..40)?, 40),
            _ => return None,
        };
        entries.push(PackEntry { id: Id(id.try_into().ok()?), kind, length, uncompressed });
        header = &rest[used..];
    }
    Some(entries)
}
