//! What a file of a disk says of itself, read strictly before any tool opens it: its form, its size, and that it leads to no other file.
//! Pure: it is given the file's first bytes and its length.

use super::words;
use husorden_base::{Bytes, Text};
use serde::{Deserialize, Serialize};

/// How much of a file is read for this: a header and its extensions lie in the first cluster, whose size is at most this.
pub(super) const HEAD_BYTES_MAX: usize = 2 << 20;
/// The largest disk that a server can have, and the smallest that anything starts from.
pub(super) const DISK_MAX: Bytes = Bytes::gib(2000);
const DISK_MIN: Bytes = Bytes::mib(1);
const SECTOR: u64 = 512;

const QCOW2: &[u8] = b"QFI\xfb";
/// Bytes of a header of version 2, and the fewest of one of version 3.
const HEADER_2: usize = 72;
const HEADER_3: usize = 104;
/// Bits of a cluster's size.
const CLUSTER_BITS: std::ops::RangeInclusive<u32> = 9..=21;
/// Features that a reader must know: it was not closed, it is broken, its data lies elsewhere, how it is compressed, finer clusters.
const DIRTY: u64 = 1;
const CORRUPT: u64 = 1 << 1;
const EXTERNAL_DATA: u64 = 1 << 2;
const COMPRESSION: u64 = 1 << 3;
const FINER_CLUSTERS: u64 = 1 << 4;
/// Extensions of the header: the end of them, the name of a data file, and where a key lies.
const END: u32 = 0;
const DATA_FILE: u32 = 0x4441_5441;
const ENCRYPTION: u32 = 0x0537_be77;
/// Where a disk's first sector says that it is one that something starts from.
const BOOT_MARK: (usize, [u8; 2]) = (510, [0x55, 0xaa]);

/// The form of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// QEMU's own, in which what is empty takes no room, and data may be compressed.
    Qcow2,
    /// The disk itself.
    Raw,
}

impl Format {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Qcow2 => "qcow2",
            Self::Raw => "raw",
        }
    }
}

/// A file that holds a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Disk {
    pub(super) format: Format,
    /// What the guest sees.
    pub(super) size: Bytes,
}

/// Reads what a file begins with; `length` is that of the whole file.
///
/// # Errors
/// Why it is no disk that is taken, for its owner to read.
pub(super) fn read(head: &[u8], length: u64) -> Result<Disk, Text> {
    let disk = if head.starts_with(QCOW2) { qcow2(head, length)? } else { raw(head, length)? };
    if disk.size > DISK_MAX || disk.size < DISK_MIN {
        return Err(words::size(disk.size, DISK_MIN, DISK_MAX));
    }
    if !disk.size.0.is_multiple_of(SECTOR) {
        return Err(words::uneven(disk.size.0));
    }
    Ok(disk)
}

/// What other files begin with, and what they are.
const OTHERS: [(&[u8], &str); 10] = [
    (b"KDMV", "VMDK"),
    (b"COWD", "VMDK"),
    (b"# Disk DescriptorFile", "VMDK"),
    (b"vhdxfile", "VHDX"),
    (b"conectix", "VHD"),
    (b"QED\0", "QED"),
    (b"\x1f\x8b", "gzip"),
    (b"\xfd7zXZ\0", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"PK\x03\x04", "zip"),
];

fn raw(head: &[u8], length: u64) -> Result<Disk, Text> {
    if let Some((_, form)) = OTHERS.iter().find(|(begins, _)| head.starts_with(begins)) {
        return Err(words::another_form(form));
    }
    let (at, mark) = BOOT_MARK;
    if head.get(at..at + mark.len()) != Some(&mark) {
        return Err(words::no_disk());
    }
    Ok(Disk { format: Format::Raw, size: Bytes(length) })
}

fn qcow2(head: &[u8], length: u64) -> Result<Disk, Text> {
    let short = || words::broken("its header is cut off");
    let u32_at = |at: usize| -> Result<u32, Text> {
        let bytes = head.get(at..at.saturating_add(4)).ok_or_else(short)?;
        Ok(u32::from_be_bytes(bytes.try_into().map_err(|_| short())?))
    };
    let u64_at = |at: usize| -> Result<u64, Text> {
        Ok(u64::from(u32_at(at)?) << 32 | u64::from(u32_at(at.saturating_add(4))?))
    };
    let version = u32_at(4)?;
    if !matches!(version, 2 | 3) {
        return Err(words::broken(&format!("it is of version {version}; 2 and 3 are read")));
    }
    let (backing_at, backing_bytes, cluster_bits) = (u64_at(8)?, u32_at(16)?, u32_at(20)?);
    let (size, encryption, snapshots) = (u64_at(24)?, u32_at(32)?, u32_at(60)?);
    if backing_at != 0 || backing_bytes != 0 {
        return Err(words::backing_file());
    }
    if encryption != 0 {
        return Err(words::encrypted());
    }
    if snapshots != 0 {
        return Err(words::snapshots(snapshots));
    }
    if !CLUSTER_BITS.contains(&cluster_bits) {
        return Err(words::broken(&format!("its clusters have 2^{cluster_bits} bytes")));
    }
    let cluster = 1_u64 << cluster_bits;
    let mut header = HEADER_2;
    if version == 3 {
        let features = u64_at(72)?;
        if features & EXTERNAL_DATA != 0 {
            return Err(words::data_file());
        }
        if features & (DIRTY | CORRUPT) != 0 {
            return Err(words::broken("it was not closed properly, or is marked as corrupt"));
        }
        if features & !(COMPRESSION | FINER_CLUSTERS) != 0 {
            return Err(words::broken(&format!("it needs features that are not known: {features:#x}")));
        }
        header = usize::try_from(u32_at(100)?).map_err(|_| short())?;
        if header < HEADER_3 || !header.is_multiple_of(8) || header as u64 > cluster {
            return Err(words::broken(&format!("its header has {header} bytes")));
        }
    }
    // The tables lie in the file itself; how they look is the tool's to read, in its sandbox.
    let (table_entries, table_at) = (u64::from(u32_at(36)?), u64_at(40)?);
    if table_at.checked_add(table_entries * 8).is_none_or(|end| end > length) {
        return Err(words::broken("its table lies beyond its end"));
    }
    let end = usize::try_from(cluster.min(length)).map_err(|_| short())?.min(head.len());
    let mut at = header;
    while at.checked_add(8).is_some_and(|next| next <= end) {
        let (kind, bytes) = (u32_at(at)?, usize::try_from(u32_at(at + 4)?).map_err(|_| short())?);
        match kind {
            END => break,
            DATA_FILE => return Err(words::data_file()),
            ENCRYPTION => return Err(words::encrypted()),
            _ => {}
        }
        let next = (at + 8).checked_add(bytes.next_multiple_of(8)).filter(|next| *next <= end);
        at = next.ok_or_else(|| words::broken("an extension of its header is longer than the header's room"))?;
    }
    Ok(Disk { format: Format::Qcow2, size: Bytes(size) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTH: u64 = 1 << 20;

    /// A header of version 3 as `qemu-img create` writes it, for a disk of 64 MiB.
    fn header() -> Vec<u8> {
        let mut head = vec![0; 64 << 10];
        head[..4].copy_from_slice(QCOW2);
        put(&mut head, 4, &3_u32.to_be_bytes());
        put(&mut head, 20, &16_u32.to_be_bytes());
        put(&mut head, 24, &(64_u64 << 20).to_be_bytes());
        put(&mut head, 36, &1_u32.to_be_bytes());
        put(&mut head, 40, &(3_u64 << 16).to_be_bytes());
        put(&mut head, 96, &4_u32.to_be_bytes());
        put(&mut head, 100, &104_u32.to_be_bytes());
        head
    }

    fn put(head: &mut [u8], at: usize, bytes: &[u8]) {
        head[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn raw_head() -> Vec<u8> {
        let mut head = vec![0; 4096];
        put(&mut head, 510, &[0x55, 0xaa]);
        head
    }

    #[test]
    fn a_plain_disk_of_either_form_is_taken() {
        assert_eq!(read(&header(), LENGTH), Ok(Disk { format: Format::Qcow2, size: Bytes::mib(64) }));
        let mut second = header();
        put(&mut second, 4, &2_u32.to_be_bytes());
        // Of version 2 what follows its 72 bytes are extensions already.
        put(&mut second, 72, &[0; 40]);
        assert_eq!(read(&second, LENGTH).map(|disk| disk.format), Ok(Format::Qcow2));
        let mut packed = header();
        put(&mut packed, 72, &(COMPRESSION | FINER_CLUSTERS).to_be_bytes());
        put(&mut packed, 104, &[0x68, 0x03, 0xf8, 0x57, 0, 0, 0, 48]);
        assert_eq!(read(&packed, LENGTH).map(|disk| disk.format), Ok(Format::Qcow2));
        assert_eq!(read(&raw_head(), 2 << 20), Ok(Disk { format: Format::Raw, size: Bytes::mib(2) }));
    }

    #[test]
    fn what_leads_elsewhere_or_cannot_be_is_refused_in_words() {
        let tib = 1_u64 << 40;
        let cases: [(&str, usize, Vec<u8>); 22] = [
            ("backing file", 8, (1024_u64).to_be_bytes().to_vec()),
            ("backing file", 16, 11_u32.to_be_bytes().to_vec()),
            ("encrypted", 32, 1_u32.to_be_bytes().to_vec()),
            ("encrypted", 32, 2_u32.to_be_bytes().to_vec()),
            ("snapshots", 60, 1_u32.to_be_bytes().to_vec()),
            ("file of its own", 72, EXTERNAL_DATA.to_be_bytes().to_vec()),
            ("file of its own", 104, [DATA_FILE.to_be_bytes(), 12_u32.to_be_bytes()].concat()),
            ("encrypted", 104, [ENCRYPTION.to_be_bytes(), 16_u32.to_be_bytes()].concat()),
            ("not closed", 72, DIRTY.to_be_bytes().to_vec()),
            ("corrupt", 72, CORRUPT.to_be_bytes().to_vec()),
            ("not known", 72, (1_u64 << 40).to_be_bytes().to_vec()),
            ("version 4", 4, 4_u32.to_be_bytes().to_vec()),
            ("version 1", 4, 1_u32.to_be_bytes().to_vec()),
            ("clusters", 20, 8_u32.to_be_bytes().to_vec()),
            ("clusters", 20, 63_u32.to_be_bytes().to_vec()),
            ("may be from", 24, (3 * tib).to_be_bytes().to_vec()),
            ("may be from", 24, u64::MAX.to_be_bytes().to_vec()),
            ("may be from", 24, 0_u64.to_be_bytes().to_vec()),
            ("512", 24, ((64_u64 << 20) + 1).to_be_bytes().to_vec()),
            ("header has", 100, 0_u32.to_be_bytes().to_vec()),
            ("beyond its end", 40, (u64::MAX - 4).to_be_bytes().to_vec()),
            ("extension", 104, [7_u32.to_be_bytes(), u32::MAX.to_be_bytes()].concat()),
        ];
        for (said, at, bytes) in cases {
            let mut head = header();
            put(&mut head, at, &bytes);
            let why = read(&head, LENGTH).expect_err(said);
            assert!(why.en.contains(said), "{said}: {}", why.en);
            assert!(!why.da.is_empty() && why.da != why.en);
        }
    }

    #[test]
    fn what_is_no_disk_is_refused_in_words() {
        let mut packed = b"\x1f\x8b\x08".to_vec();
        packed.resize(4096, 0);
        for (said, head, length) in [
            ("no disk", Vec::new(), 0),
            ("no disk", b"hello".to_vec(), 5),
            ("no disk", vec![0; 4096], 1 << 30),
            ("gzip", packed, 1 << 30),
            ("VMDK", b"KDMV\x01\0\0\0".to_vec(), 1 << 30),
            ("may be from", raw_head(), 4096),
            ("512", raw_head(), (2 << 20) + 7),
            ("may be from", raw_head(), 3 << 40),
            ("cut off", QCOW2.to_vec(), 4),
            ("cut off", header()[..100].to_vec(), 100),
        ] {
            let why = read(&head, length).expect_err(said);
            assert!(why.en.contains(said), "{said}: {}", why.en);
        }
    }

    /// Whatever a header says, it is read to an end, and what is taken is a plain disk: nothing in it leads to another file.
    #[test]
    fn no_header_breaks_the_reader_or_slips_through() {
        let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = move || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed
        };
        let mut taken = 0;
        for _ in 0..60_000 {
            let mut head = header();
            head.truncate(1 << 10);
            for _ in 0..1 + random() % 4 {
                let at = usize::try_from(4 + random() % 140).expect("small");
                let bytes = random().to_be_bytes();
                let count = usize::try_from(1 + random() % 8).expect("small");
                // Bits alone reach what whole random numbers never are.
                if random().is_multiple_of(2) {
                    head[at] ^= 1 << (random() % 8);
                } else {
                    put(&mut head, at, &bytes[..count]);
                }
            }
            if random().is_multiple_of(8) {
                head.truncate(usize::try_from(random() % 200).expect("small"));
            }
            let length = if random().is_multiple_of(4) { random() % (1 << 20) } else { LENGTH };
            if let Ok(disk) = read(&head, length) {
                taken += 1;
                assert!(disk.size <= DISK_MAX && disk.size.0.is_multiple_of(512));
                if disk.format == Format::Qcow2 {
                    assert!(head[8..20].iter().chain(&head[32..36]).chain(&head[60..64]).all(|byte| *byte == 0));
                    assert!(head[7] == 2 || head[79] & !0b11000 == 0);
                }
            }
        }
        assert!(taken > 1_000, "{taken}");
    }
}
