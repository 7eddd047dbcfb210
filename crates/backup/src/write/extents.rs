//! What of a large file is where it was in the former snapshot, told by the filesystem without reading it.
//!
//! Btrfs never writes over data that a snapshot holds. So where a file of the new snapshot lies on the same blocks as in the former one, it
//! holds the same bytes. The kernel gives both maps (`FIEMAP`) to anybody who may read the files: no rights are needed, and copies by
//! reference, holes and truncations are seen as well, which a search by generation misses. What is compressed or lies within the
//! filesystem's own tree counts as changed: there the map does not tell enough.
#![allow(unsafe_code, reason = "three ioctls that the crates in use do not have; each block says what keeps it sound")]

use rustix::io;
use rustix::ioctl::{Ioctl, IoctlOutput, Opcode, ioctl};
use std::ffi::c_void;
use std::mem::size_of;
use std::ops::Range;
use std::os::fd::AsFd;

/// Extents that are asked for at once.
const BATCH: usize = 512;
/// Extents of a file beyond which it is read whole: the map would cost more than the reading.
const EXTENTS_MAX: usize = 1_000_000;

const LAST: u32 = 0x1;
/// Unknown, delayed, compressed, encrypted, unaligned, inline or tail: where the bytes lie is not told.
const UNTOLD: u32 = 0x2 | 0x4 | 0x8 | 0x80 | 0x100 | 0x200 | 0x400;
const UNWRITTEN: u32 = 0x800;

const FS_IOC_FIEMAP: Opcode = 0xC020_660B;
const BTRFS_IOC_FS_INFO: Opcode = 0x8400_941F;
const BTRFS_IOC_SUBVOL_GETFLAGS: Opcode = 0x8008_9419;
const SUBVOL_RDONLY: u64 = 1 << 1;

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct RawExtent {
    logical: u64,
    physical: u64,
    length: u64,
    reserved64: [u64; 2],
    flags: u32,
    reserved: [u32; 3],
}

#[repr(C)]
struct RawMap {
    start: u64,
    length: u64,
    flags: u32,
    mapped: u32,
    count: u32,
    reserved: u32,
    extents: [RawExtent; BATCH],
}

#[repr(C)]
struct FsInfo {
    max_id: u64,
    devices: u64,
    fsid: [u8; 16],
    rest: [u8; 992],
}

const _: () = assert!(size_of::<RawExtent>() == 56);
const _: () = assert!(size_of::<FsInfo>() == 1024);
const _: () = assert!(std::mem::offset_of!(RawMap, extents) == 32);

/// An ioctl that fills or changes the structure it is given.
struct Fills<'a, const OPCODE: Opcode, T>(&'a mut T);

// SAFETY: the opcode of each use names a call that reads and writes exactly one `T`, whose layout is the kernel's.
unsafe impl<const OPCODE: Opcode, T> Ioctl for Fills<'_, OPCODE, T> {
    type Output = ();
    const IS_MUTATING: bool = true;
    fn opcode(&self) -> Opcode {
        OPCODE
    }
    fn as_ptr(&mut self) -> *mut c_void {
        std::ptr::from_mut(self.0).cast()
    }
    unsafe fn output_from_ptr(_: IoctlOutput, _: *mut c_void) -> io::Result<()> {
        Ok(())
    }
}

/// A run of bytes of a file and where they lie; runs of unwritten room are left out, they read as a hole does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    logical: u64,
    length: u64,
    /// Nothing when it is not told.
    physical: Option<u64>,
}

/// The identity of the btrfs that a read-only snapshot lies on, or nothing when it is no such snapshot.
pub(super) fn snapshot_of(folder: impl AsFd) -> Option<[u8; 16]> {
    if rustix::fs::fstat(&folder).ok()?.st_ino != 256 {
        return None;
    }
    let mut flags = 0_u64;
    // SAFETY: SUBVOL_GETFLAGS writes one u64.
    unsafe { ioctl(&folder, Fills::<BTRFS_IOC_SUBVOL_GETFLAGS, u64>(&mut flags)) }.ok()?;
    if flags & SUBVOL_RDONLY == 0 {
        return None;
    }
    let mut info = FsInfo { max_id: 0, devices: 0, fsid: [0; 16], rest: [0; 992] };
    // SAFETY: FS_INFO writes one structure of 1024 bytes.
    unsafe { ioctl(&folder, Fills::<BTRFS_IOC_FS_INFO, FsInfo>(&mut info)) }.ok()?;
    Some(info.fsid)
}

/// The map of a file, or nothing when it can't be had.
fn map(file: impl AsFd) -> Option<Vec<Extent>> {
    let mut extents = Vec::new();
    let mut start = 0;
    let mut raw = Box::new(RawMap {
        start: 0,
        length: 0,
        flags: 0,
        mapped: 0,
        count: BATCH as u32,
        reserved: 0,
        extents: [RawExtent::default(); BATCH],
    });
    loop {
        (raw.start, raw.length, raw.flags, raw.mapped) = (start, u64::MAX - start, 0, 0);
        // SAFETY: FIEMAP writes the 32 bytes of the head and at most `count` extents behind it, which is what stands there.
        unsafe { ioctl(&file, Fills::<FS_IOC_FIEMAP, RawMap>(&mut raw)) }.ok()?;
        let mapped = &raw.extents[..(raw.mapped as usize).min(BATCH)];
        for extent in mapped.iter().filter(|extent| extent.flags & UNWRITTEN == 0) {
            let physical = (extent.flags & UNTOLD == 0).then_some(extent.physical);
            extents.push(Extent { logical: extent.logical, length: extent.length, physical });
        }
        match mapped.last() {
            Some(last) if last.flags & LAST == 0 && extents.len() <= EXTENTS_MAX => start = last.logical + last.length,
            Some(last) if last.flags & LAST == 0 => return None,
            _ => return Some(extents),
        }
    }
}

/// The ranges of the new file that may differ from the old one, or nothing when all may.
pub(super) fn changed(old: impl AsFd, new: impl AsFd) -> Option<Vec<Range<u64>>> {
    Some(difference(&map(old)?, &map(new)?))
}

/// The ranges in which two maps differ, in order and without gaps between neighbours.
fn difference(old: &[Extent], new: &[Extent]) -> Vec<Range<u64>> {
    let mut edges: Vec<u64> = old.iter().chain(new).flat_map(|e| [e.logical, e.logical + e.length]).collect();
    edges.sort_unstable();
    edges.dedup();
    let mut ranges: Vec<Range<u64>> = Vec::new();
    let (mut at_old, mut at_new) = (0, 0);
    for pair in edges.windows(2) {
        let (start, end) = (pair[0], pair[1]);
        if same(over(old, &mut at_old, start), over(new, &mut at_new, start), start) {
            continue;
        }
        match ranges.last_mut() {
            Some(last) if last.end == start => last.end = end,
            _ => ranges.push(start..end),
        }
    }
    ranges
}

/// The extent that covers this byte; the bytes are asked for in order.
fn over<'a>(extents: &'a [Extent], at: &mut usize, byte: u64) -> Option<&'a Extent> {
    while extents.get(*at).is_some_and(|extent| extent.logical + extent.length <= byte) {
        *at += 1;
    }
    extents.get(*at).filter(|extent| extent.logical <= byte)
}

fn same(old: Option<&Extent>, new: Option<&Extent>, byte: u64) -> bool {
    match (old, new) {
        (None, None) => true,
        (Some(old), Some(new)) => match (old.physical, new.physical) {
            (Some(one), Some(other)) => one + (byte - old.logical) == other + (byte - new.logical),
            _ => false,
        },
        _ => false,
    }
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init, reason = "a list of one range is what is meant")]
mod tests {
    use super::*;

    fn extent(logical: u64, length: u64, physical: u64) -> Extent {
        Extent { logical, length, physical: Some(physical) }
    }

    #[test]
    fn maps_differ_where_blocks_do() {
        let old = [extent(0, 100, 1000), extent(200, 100, 5000)];
        let check = |new: &[Extent], expected: &[Range<u64>]| assert_eq!(difference(&old, new), expected);
        check(&old, &[]);
        // The middle of the first run was written anew.
        check(&[extent(0, 40, 1000), extent(40, 10, 9000), extent(50, 50, 1050), extent(200, 100, 5000)], &[40..50]);
        // A hole was punched, and one was filled.
        check(&[extent(0, 100, 1000)], &[200..300]);
        check(&[extent(0, 100, 1000), extent(100, 200, 7000)], &[100..300]);
        // The same blocks in another place are another content.
        check(&[extent(0, 100, 5000), extent(200, 100, 1000)], &[0..100, 200..300]);
        // What is not told counts as changed.
        check(&[Extent { logical: 0, length: 100, physical: None }, extent(200, 100, 5000)], &[0..100]);
        let untold = [Extent { logical: 0, length: 10, physical: None }];
        assert_eq!(difference(&untold, &untold), [0..10]);
    }
}
