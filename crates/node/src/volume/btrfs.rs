//! The few btrfs calls the platform makes, straight to the kernel: a snapshot by ioctl takes a third of what it takes through a
//! spawned tool, and a look must spawn nothing.
//!
//! Every structure below has the layout of `<linux/btrfs.h>`; the compile-time checks at the end hold the sizes that are part of the
//! request numbers.
#![allow(unsafe_code, reason = "btrfs is driven by ioctl; each block says what keeps it sound")]

use nix::errno::Errno;
use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

/// Longest name of a subvolume that we make, in bytes.
const NAME_BYTES_MAX: usize = 255;
/// The first object of every subvolume's tree: its top directory.
const FIRST_FREE_OBJECTID: u64 = 256;
const ROOT_TREE_ID: u64 = 1;
const ROOT_ITEM_KEY: u32 = 132;
const ROOT_REF_KEY: u32 = 156;
const EXTENT_DATA_KEY: u32 = 108;
const SUBVOL_RDONLY: u64 = 1 << 1;
const SUBVOL_QGROUP_INHERIT: u64 = 1 << 2;
const SUBVOL_SPEC_BY_ID: u64 = 1 << 4;
const LIMIT_MAX_RFER: u64 = 1;
const QUOTA_ENABLE: u64 = 1;
const QUOTA_ENABLE_SIMPLE: u64 = 4;
/// Room for the answer of one tree search.
const SEARCH_BYTES: usize = 64 * 1024;

/// Number of the level-1 group that holds a solution's subvolumes.
pub(super) const fn level1(number: u32) -> u64 {
    (1 << 48) | number as u64
}

#[repr(C)]
struct VolArgsV2 {
    fd: i64,
    transid: u64,
    flags: u64,
    inherit_size: u64,
    inherit: *const Inherit,
    unused: [u64; 2],
    name: [u8; 4040],
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Limit {
    flags: u64,
    max_rfer: u64,
    max_excl: u64,
    rsv_rfer: u64,
    rsv_excl: u64,
}

/// `btrfs_qgroup_inherit` with room for the one group we ever name.
#[repr(C)]
struct Inherit {
    flags: u64,
    num_qgroups: u64,
    num_ref_copies: u64,
    num_excl_copies: u64,
    lim: Limit,
    qgroups: [u64; 1],
}

#[repr(C)]
struct DestroyById {
    fd: i64,
    transid: u64,
    flags: u64,
    unused: [u64; 4],
    subvolid: u64,
    rest: [u8; 4032],
}

#[repr(C)]
struct InoLookup {
    treeid: u64,
    objectid: u64,
    name: [u8; 4080],
}

#[repr(C)]
struct QuotaCtl {
    cmd: u64,
    status: u64,
}

#[repr(C)]
struct QuotaRescan {
    flags: u64,
    progress: u64,
    reserved: [u64; 6],
}

#[repr(C)]
struct QgroupCreate {
    create: u64,
    qgroupid: u64,
}

#[repr(C)]
struct QgroupLimit {
    qgroupid: u64,
    lim: Limit,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct SpaceInfo {
    flags: u64,
    total_bytes: u64,
    used_bytes: u64,
}

const SPACES_MAX: usize = 32;

#[repr(C)]
struct SpaceArgs {
    space_slots: u64,
    total_spaces: u64,
    spaces: [SpaceInfo; SPACES_MAX],
}

#[repr(C)]
struct FsInfo {
    max_id: u64,
    num_devices: u64,
    fsid: [u8; 16],
    rest: [u8; 992],
}

#[repr(C)]
struct DevInfo {
    devid: u64,
    uuid: [u8; 16],
    bytes_used: u64,
    total_bytes: u64,
    unused: [u64; 379],
    path: [u8; 1024],
}

#[repr(C)]
struct DevStats {
    devid: u64,
    nr_items: u64,
    flags: u64,
    values: [u64; 5],
    unused: [u64; 121],
}

#[repr(C)]
struct ScrubArgs {
    devid: u64,
    start: u64,
    end: u64,
    flags: u64,
    progress: [u64; 15],
    unused: [u64; 109],
}

#[repr(C)]
struct SendArgs {
    send_fd: i64,
    clone_sources_count: u64,
    clone_sources: *const u64,
    parent_root: u64,
    flags: u64,
    version: u32,
    reserved: [u8; 28],
}

#[repr(C)]
#[derive(Clone, Copy)]
struct SearchKey {
    tree_id: u64,
    min_objectid: u64,
    max_objectid: u64,
    min_offset: u64,
    max_offset: u64,
    min_transid: u64,
    max_transid: u64,
    min_type: u32,
    max_type: u32,
    nr_items: u32,
    unused: u32,
    unused_more: [u64; 4],
}

#[repr(C)]
struct SearchHead {
    key: SearchKey,
    buf_size: u64,
}

/// A search and the room for its answer, as one block of memory.
#[repr(C)]
struct Search {
    head: SearchHead,
    buf: [u8; SEARCH_BYTES],
}

const MAGIC: u8 = 0x94;
nix::ioctl_write_ptr!(ioc_snap_create_v2, MAGIC, 23, VolArgsV2);
nix::ioctl_write_ptr!(ioc_subvol_create_v2, MAGIC, 24, VolArgsV2);
nix::ioctl_write_ptr!(ioc_subvol_setflags, MAGIC, 26, u64);
nix::ioctl_read!(ioc_subvol_getflags, MAGIC, 25, u64);
nix::ioctl_write_ptr!(ioc_snap_destroy_v2, MAGIC, 63, DestroyById);
nix::ioctl_readwrite!(ioc_ino_lookup, MAGIC, 18, InoLookup);
nix::ioctl_readwrite!(ioc_quota_ctl, MAGIC, 40, QuotaCtl);
nix::ioctl_write_ptr!(ioc_qgroup_create, MAGIC, 42, QgroupCreate);
nix::ioctl_read!(ioc_qgroup_limit, MAGIC, 43, QgroupLimit);
nix::ioctl_write_ptr!(ioc_quota_rescan, MAGIC, 44, QuotaRescan);
nix::ioctl_read!(ioc_fs_info, MAGIC, 31, FsInfo);
nix::ioctl_readwrite!(ioc_dev_info, MAGIC, 30, DevInfo);
nix::ioctl_readwrite!(ioc_dev_stats, MAGIC, 52, DevStats);
nix::ioctl_readwrite!(ioc_scrub, MAGIC, 27, ScrubArgs);
nix::ioctl_none!(ioc_scrub_cancel, MAGIC, 28);
nix::ioctl_none!(ioc_sync, MAGIC, 8);
nix::ioctl_write_ptr!(ioc_send, MAGIC, 38, SendArgs);
nix::ioctl_readwrite_bad!(ioc_space_info, nix::request_code_readwrite!(MAGIC, 20, 16), SpaceArgs);
nix::ioctl_readwrite_bad!(ioc_search, nix::request_code_readwrite!(MAGIC, 17, size_of::<SearchHead>()), Search);

fn done(result: nix::Result<i32>) -> io::Result<()> {
    result.map(drop).map_err(io::Error::from)
}

fn name_field(name: &str) -> io::Result<[u8; 4040]> {
    if name.is_empty() || name.len() > NAME_BYTES_MAX || name.contains(['/', '\0']) || name == "." || name == ".." {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{name:?} is no name of a subvolume")));
    }
    let mut field = [0; 4040];
    field[..name.len()].copy_from_slice(name.as_bytes());
    Ok(field)
}

fn make(
    parent: BorrowedFd<'_>,
    name: &str,
    source: Option<BorrowedFd<'_>>,
    read_only: bool,
    group: Option<u64>,
) -> io::Result<()> {
    let inherit = Inherit {
        flags: 0,
        num_qgroups: 1,
        num_ref_copies: 0,
        num_excl_copies: 0,
        lim: Limit::default(),
        qgroups: [group.unwrap_or_default()],
    };
    let mut args = VolArgsV2 {
        fd: source.map_or(0, |fd| i64::from(fd.as_raw_fd())),
        transid: 0,
        flags: if read_only { SUBVOL_RDONLY } else { 0 },
        inherit_size: 0,
        inherit: std::ptr::null(),
        unused: [0; 2],
        name: name_field(name)?,
    };
    if group.is_some() {
        args.flags |= SUBVOL_QGROUP_INHERIT;
        args.inherit_size = size_of::<Inherit>() as u64;
        args.inherit = &raw const inherit;
    }
    // SAFETY: the descriptors are open for the call, `args` has the kernel's layout and a name that ends in zeros, and `inherit`
    // outlives the call with the size that is told.
    done(unsafe {
        if source.is_some() {
            ioc_snap_create_v2(parent.as_raw_fd(), &raw const args)
        } else {
            ioc_subvol_create_v2(parent.as_raw_fd(), &raw const args)
        }
    })
}

/// Makes an empty subvolume in `parent`, a member of `group` if one is given.
pub(crate) fn subvol_create(parent: impl AsFd, name: &str, group: Option<u64>) -> io::Result<()> {
    make(parent.as_fd(), name, None, false, group)
}

/// Makes a snapshot of `source` in `parent`.
pub(crate) fn snapshot(
    parent: impl AsFd,
    name: &str,
    source: impl AsFd,
    read_only: bool,
    group: Option<u64>,
) -> io::Result<()> {
    make(parent.as_fd(), name, Some(source.as_fd()), read_only, group)
}

/// Seals a subvolume against every write, or opens it again.
pub(crate) fn set_read_only(fd: impl AsFd, read_only: bool) -> io::Result<()> {
    let raw = fd.as_fd().as_raw_fd();
    let mut flags = 0_u64;
    // SAFETY: the descriptor is open and the kernel writes one u64.
    done(unsafe { ioc_subvol_getflags(raw, &raw mut flags) })?;
    flags = if read_only { flags | SUBVOL_RDONLY } else { flags & !SUBVOL_RDONLY };
    // SAFETY: the descriptor is open and the kernel reads one u64.
    done(unsafe { ioc_subvol_setflags(raw, &raw const flags) })
}

/// The id of the subvolume that `fd` lies in.
pub(crate) fn subvol_id(fd: impl AsFd) -> io::Result<u64> {
    let mut args = InoLookup { treeid: 0, objectid: FIRST_FREE_OBJECTID, name: [0; 4080] };
    // SAFETY: the descriptor is open and `args` has the kernel's layout.
    done(unsafe { ioc_ino_lookup(fd.as_fd().as_raw_fd(), &raw mut args) })?;
    Ok(args.treeid)
}

/// Destroys a subvolume with everything that was made inside it, by ids alone: no path of a customer is walked. The blocks
/// are freed by the kernel in the background. One that is gone already is fine.
pub(crate) fn destroy(fd: impl AsFd, id: u64) -> io::Result<()> {
    let fd = fd.as_fd();
    for child in children(fd, id)? {
        destroy(fd, child)?;
    }
    let args =
        DestroyById { fd: 0, transid: 0, flags: SUBVOL_SPEC_BY_ID, unused: [0; 4], subvolid: id, rest: [0; 4032] };
    // SAFETY: the descriptor is open and `args` has the kernel's layout.
    match unsafe { ioc_snap_destroy_v2(fd.as_fd().as_raw_fd(), &raw const args) } {
        Ok(_) | Err(Errno::ENOENT) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// Ids of the subvolumes directly inside another.
pub(crate) fn children(fd: impl AsFd, id: u64) -> io::Result<Vec<u64>> {
    let mut found = Vec::new();
    search(fd.as_fd(), ROOT_TREE_ID, (id, ROOT_REF_KEY, 0), (id, ROOT_REF_KEY, u64::MAX), |key, _| {
        if key.1 == ROOT_REF_KEY {
            found.push(key.2);
        }
    })?;
    Ok(found)
}

/// What the files of a subvolume hold: each extent counted once, and the tree itself. Reads the tree, not the files.
pub(crate) fn live_bytes(fd: impl AsFd, id: u64) -> io::Result<u64> {
    let mut total = 0;
    search(fd.as_fd(), ROOT_TREE_ID, (id, ROOT_ITEM_KEY, 0), (id, ROOT_ITEM_KEY, u64::MAX), |key, item| {
        if key.1 == ROOT_ITEM_KEY {
            total += le_u64(item, 192).unwrap_or_default();
        }
    })?;
    let mut extents = std::collections::HashSet::new();
    search(fd.as_fd(), id, (0, 0, 0), (u64::MAX, u32::from(u8::MAX), u64::MAX), |key, item| {
        // Type 0 is inline: it lies in the tree, which is counted above. An address of 0 is a hole.
        if key.1 == EXTENT_DATA_KEY
            && item.get(20).is_some_and(|kind| *kind != 0)
            && let (Some(address), Some(size)) = (le_u64(item, 21), le_u64(item, 29))
            && address != 0
            && extents.insert(address)
        {
            total += size;
        }
    })?;
    Ok(total)
}

fn le_u64(item: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(item.get(at..at + 8)?.try_into().ok()?))
}

type Key = (u64, u32, u64);

/// Calls `each` for every item of a tree between two keys, both included.
fn search(fd: BorrowedFd<'_>, tree: u64, from: Key, to: Key, mut each: impl FnMut(Key, &[u8])) -> io::Result<()> {
    let mut from = from;
    let mut search = Box::new(Search {
        head: SearchHead {
            key: SearchKey {
                tree_id: tree,
                min_objectid: 0,
                max_objectid: to.0,
                min_offset: 0,
                max_offset: to.2,
                min_transid: 0,
                max_transid: u64::MAX,
                min_type: 0,
                max_type: to.1,
                nr_items: 0,
                unused: 0,
                unused_more: [0; 4],
            },
            buf_size: SEARCH_BYTES as u64,
        },
        buf: [0; SEARCH_BYTES],
    });
    loop {
        search.head.key.min_objectid = from.0;
        search.head.key.min_type = from.1;
        search.head.key.min_offset = from.2;
        search.head.key.nr_items = u32::MAX;
        search.head.buf_size = SEARCH_BYTES as u64;
        // SAFETY: the descriptor is open, and the buffer of the told size follows the head in the same block.
        done(unsafe { ioc_search(fd.as_raw_fd(), &raw mut *search) })?;
        let count = search.head.key.nr_items;
        let mut at = 0;
        let mut last = None;
        for _ in 0..count {
            let Some(head) = search.buf.get(at..at + 32) else { break };
            let objectid = le_u64(head, 8).unwrap_or_default();
            let offset = le_u64(head, 16).unwrap_or_default();
            let kind = u32::from_le_bytes([head[24], head[25], head[26], head[27]]);
            let length = u32::from_le_bytes([head[28], head[29], head[30], head[31]]) as usize;
            let Some(item) = search.buf.get(at + 32..at + 32 + length) else { break };
            each((objectid, kind, offset), item);
            last = Some((objectid, kind, offset));
            at += 32 + length;
        }
        // The next key after the last one seen; none left, or nothing seen, ends it.
        from = match last {
            None => return Ok(()),
            Some((objectid, kind, offset)) if offset < u64::MAX => (objectid, kind, offset + 1),
            Some((objectid, kind, _)) if kind < u32::from(u8::MAX) => (objectid, kind + 1, 0),
            Some((objectid, _, _)) if objectid < u64::MAX => (objectid + 1, 0, 0),
            Some(_) => return Ok(()),
        };
        if from > to {
            return Ok(());
        }
    }
}

/// Switches simple quotas on (kernel 6.7 and later). What was written before counts as zero.
pub(crate) fn quota_enable_simple(fd: impl AsFd) -> io::Result<()> {
    quota_ctl(fd.as_fd(), QUOTA_ENABLE_SIMPLE)
}

/// Switches the older quota groups on.
pub(crate) fn quota_enable_plain(fd: impl AsFd) -> io::Result<()> {
    quota_ctl(fd.as_fd(), QUOTA_ENABLE)
}

fn quota_ctl(fd: BorrowedFd<'_>, cmd: u64) -> io::Result<()> {
    let mut args = QuotaCtl { cmd, status: 0 };
    // SAFETY: the descriptor is open and `args` has the kernel's layout.
    done(unsafe { ioc_quota_ctl(fd.as_raw_fd(), &raw mut args) })
}

/// Has plain quota groups counted anew in the background; a count that runs already is fine.
pub(crate) fn quota_rescan(fd: impl AsFd) -> io::Result<()> {
    let args = QuotaRescan { flags: 0, progress: 0, reserved: [0; 6] };
    // SAFETY: the descriptor is open and `args` has the kernel's layout.
    match unsafe { ioc_quota_rescan(fd.as_fd().as_raw_fd(), &raw const args) } {
        Ok(_) | Err(Errno::EINPROGRESS) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// Makes a quota group; one that exists is fine.
pub(crate) fn group_create(fd: impl AsFd, group: u64) -> io::Result<()> {
    let args = QgroupCreate { create: 1, qgroupid: group };
    // SAFETY: the descriptor is open and `args` has the kernel's layout.
    match unsafe { ioc_qgroup_create(fd.as_fd().as_raw_fd(), &raw const args) } {
        Ok(_) | Err(Errno::EEXIST) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// Removes a quota group; one that is gone is fine. It must have no members.
pub(crate) fn group_remove(fd: impl AsFd, group: u64) -> io::Result<()> {
    let args = QgroupCreate { create: 0, qgroupid: group };
    // SAFETY: the descriptor is open and `args` has the kernel's layout.
    match unsafe { ioc_qgroup_create(fd.as_fd().as_raw_fd(), &raw const args) } {
        Ok(_) | Err(Errno::ENOENT) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// Sets the most that a group may hold.
pub(crate) fn group_limit(fd: impl AsFd, group: u64, bytes: u64) -> io::Result<()> {
    let mut args =
        QgroupLimit { qgroupid: group, lim: Limit { flags: LIMIT_MAX_RFER, max_rfer: bytes, ..Limit::default() } };
    // SAFETY: the descriptor is open and `args` has the kernel's layout.
    done(unsafe { ioc_qgroup_limit(fd.as_fd().as_raw_fd(), &raw mut args) })
}

/// One kind of space in a filesystem, as [`spaces`] lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Space {
    /// Profile and type bits of `BTRFS_BLOCK_GROUP_*`.
    pub(crate) flags: u64,
    /// Bytes allocated to it, each counted once whatever the profile.
    pub(crate) total: u64,
    /// Bytes of these in use.
    pub(crate) used: u64,
}

/// What is allocated and used, by kind.
pub(crate) fn spaces(fd: impl AsFd) -> io::Result<Vec<Space>> {
    let mut args =
        SpaceArgs { space_slots: SPACES_MAX as u64, total_spaces: 0, spaces: [SpaceInfo::default(); SPACES_MAX] };
    // SAFETY: the descriptor is open, and the kernel writes at most the slots that are told.
    done(unsafe { ioc_space_info(fd.as_fd().as_raw_fd(), &raw mut args) })?;
    let count = usize::try_from(args.total_spaces).unwrap_or(SPACES_MAX).min(SPACES_MAX);
    Ok(args.spaces[..count]
        .iter()
        .map(|space| Space { flags: space.flags, total: space.total_bytes, used: space.used_bytes })
        .collect())
}

/// The filesystem's id in its usual spelling.
pub(crate) fn fsid(fd: impl AsFd) -> io::Result<String> {
    let mut args = FsInfo { max_id: 0, num_devices: 0, fsid: [0; 16], rest: [0; 992] };
    // SAFETY: the descriptor is open and `args` has the kernel's layout.
    done(unsafe { ioc_fs_info(fd.as_fd().as_raw_fd(), &raw mut args) })?;
    Ok(uuid::Uuid::from_bytes(args.fsid).hyphenated().to_string())
}

/// A pool has one device; btrfs counts from 1.
const DEVICE: u64 = 1;

/// The device's size and how much of it is given to some kind of space.
pub(crate) fn device(fd: impl AsFd) -> io::Result<(u64, u64)> {
    let mut args =
        DevInfo { devid: DEVICE, uuid: [0; 16], bytes_used: 0, total_bytes: 0, unused: [0; 379], path: [0; 1024] };
    // SAFETY: the descriptor is open and `args` has the kernel's layout.
    done(unsafe { ioc_dev_info(fd.as_fd().as_raw_fd(), &raw mut args) })?;
    Ok((args.total_bytes, args.bytes_used))
}

/// Errors that the device has shown since it was made: write, read, flush, corruption, generation.
pub(crate) fn device_errors(fd: impl AsFd) -> io::Result<u64> {
    let mut args = DevStats { devid: DEVICE, nr_items: 5, flags: 0, values: [0; 5], unused: [0; 121] };
    // SAFETY: the descriptor is open, and the kernel writes at most the items that are told.
    done(unsafe { ioc_dev_stats(fd.as_fd().as_raw_fd(), &raw mut args) })?;
    Ok(args.values.iter().sum())
}

/// What a scrub found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scrubbed {
    /// Bytes of data and metadata that were read and checked.
    pub(crate) bytes: u64,
    /// Errors of any kind.
    pub(crate) errors: u64,
    /// Those of them that had no intact copy.
    pub(crate) uncorrectable: u64,
}

/// Reads and checks everything; returns when it is through or was called off.
pub(crate) fn scrub(fd: impl AsFd) -> io::Result<Scrubbed> {
    let mut args = ScrubArgs { devid: DEVICE, start: 0, end: u64::MAX, flags: 0, progress: [0; 15], unused: [0; 109] };
    // SAFETY: the descriptor is open and `args` has the kernel's layout.
    done(unsafe { ioc_scrub(fd.as_fd().as_raw_fd(), &raw mut args) })?;
    let p = args.progress;
    // In the order of btrfs_scrub_progress: 2, 3 bytes; 4 read, 5 checksum, 6 verify, 9 super; 11 uncorrectable.
    Ok(Scrubbed { bytes: p[2] + p[3], errors: p[4] + p[5] + p[6] + p[9], uncorrectable: p[11] })
}

/// Calls a running scrub off; none running is fine.
pub(crate) fn scrub_cancel(fd: impl AsFd) -> io::Result<()> {
    // SAFETY: the descriptor is open; the call takes no argument.
    match unsafe { ioc_scrub_cancel(fd.as_fd().as_raw_fd()) } {
        Ok(_) | Err(Errno::ENOTCONN) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// Commits everything to the device.
pub(crate) fn sync(fd: impl AsFd) -> io::Result<()> {
    // SAFETY: the descriptor is open; the call takes no argument.
    done(unsafe { ioc_sync(fd.as_fd().as_raw_fd()) })
}

/// Writes a read-only subvolume as a stream into a pipe or file; returns when all of it is written.
pub(crate) fn send(source: impl AsFd, out: impl AsFd) -> io::Result<()> {
    let args = SendArgs {
        send_fd: i64::from(out.as_fd().as_raw_fd()),
        clone_sources_count: 0,
        clone_sources: std::ptr::null(),
        parent_root: 0,
        flags: 0,
        version: 0,
        reserved: [0; 28],
    };
    // SAFETY: both descriptors are open for the call, and no clone sources are told.
    done(unsafe { ioc_send(source.as_fd().as_raw_fd(), &raw const args) })
}

const _: () = {
    assert!(size_of::<VolArgsV2>() == 4096);
    assert!(size_of::<DestroyById>() == 4096);
    assert!(size_of::<InoLookup>() == 4096);
    assert!(size_of::<Inherit>() == 80);
    assert!(size_of::<QgroupLimit>() == 48);
    assert!(size_of::<QuotaRescan>() == 64);
    assert!(size_of::<FsInfo>() == 1024);
    assert!(size_of::<DevInfo>() == 4096);
    assert!(size_of::<DevStats>() == 1032);
    assert!(size_of::<ScrubArgs>() == 1024);
    assert!(size_of::<SendArgs>() == 72);
    assert!(size_of::<SearchKey>() == 104);
    assert!(size_of::<SearchHead>() == 112);
};
