//! What carries a pool: its file or device, made once; its mount; its quotas; and the lock that says whose it is.

use super::{QuotaMode, QuotaWish, VolumeError, btrfs, run};
use husorden_base::Bytes;
use nix::mount::MsFlags;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Holds a pool for as long as the file is open, whatever way this process ends.
pub(super) fn hold(state: &Path, name: &str) -> Result<File, VolumeError> {
    let path = state.join(format!("{name}.lock"));
    let lock = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(VolumeError::io(format!("opening {}", path.display())))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(VolumeError::Held(name.to_owned())),
        Err(TryLockError::Error(error)) => Err(VolumeError::io(format!("locking {}", path.display()))(error)),
    }
}

/// Makes the pool's file under another name and renames it when it holds a whole filesystem: a file with the right name is
/// a finished pool.
pub(super) fn make_file(path: &Path, size: Bytes, name: &str) -> Result<(), VolumeError> {
    if path.exists() {
        return Ok(());
    }
    let doing = || format!("making the pool file {}", path.display());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(VolumeError::io(doing()))?;
    }
    let fresh = path.with_extension("new");
    let _ = fs::remove_file(&fresh);
    let file = OpenOptions::new().create_new(true).write(true).open(&fresh).map_err(VolumeError::io(doing()))?;
    file.set_permissions(fs::Permissions::from_mode(0o600)).map_err(VolumeError::io(doing()))?;
    let length = i64::try_from(size.0).map_err(|_| VolumeError::Strange(format!("a pool of {size} is too large")))?;
    nix::fcntl::fallocate(&file, nix::fcntl::FallocateFlags::empty(), 0, length)
        .map_err(|errno| VolumeError::io(doing())(errno.into()))?;
    mkfs(&fresh, name, false)?;
    file.sync_all().and_then(|()| fs::rename(&fresh, path)).map_err(VolumeError::io(doing()))
}

/// Makes the filesystem on a device, unless it was finished before. A device that carries anything else is refused by mkfs
/// itself; only one on which we had begun is overwritten.
pub(super) fn make_device(path: &Path, state: &Path, name: &str) -> Result<(), VolumeError> {
    let meta = fs::metadata(path).map_err(VolumeError::io(format!("looking at {}", path.display())))?;
    if !meta.file_type().is_block_device() {
        return Err(VolumeError::Strange(format!("{} is no block device", path.display())));
    }
    let (made, begun) = (state.join(format!("{name}.made")), state.join(format!("{name}.begun")));
    if made.exists() {
        return Ok(());
    }
    let again = begun.exists();
    if !again {
        // A blank device passes; anything recognised is refused before the mark is set that would allow overwriting it.
        let seen =
            Command::new("blkid").arg("--probe").arg(path).output().map_err(VolumeError::io("starting blkid"))?;
        if seen.status.code() != Some(2) {
            return Err(VolumeError::Strange(format!(
                "{} carries something already ({}); wipe it by hand (wipefs -a) if it is to be a pool",
                path.display(),
                String::from_utf8_lossy(&seen.stdout).trim()
            )));
        }
        fs::write(&begun, b"").map_err(VolumeError::io("marking the device"))?;
    }
    mkfs(path, name, true)?;
    fs::rename(&begun, &made).map_err(VolumeError::io("marking the device"))
}

/// Size of a node of the filesystem's trees. Every snapshot owns at least one, and every rewrite after a snapshot copies one with a
/// reference for each extent in it: with 100 clones and 14 snapshots each, the smallest size halved the time of a day against mkfs's own
/// choice of 16 KiB, and kept it level.
const NODE_BYTES: u32 = 4096;

fn mkfs(path: &Path, name: &str, force: bool) -> Result<(), VolumeError> {
    let mut command = Command::new("mkfs.btrfs");
    command.arg("--nodesize").arg(NODE_BYTES.to_string()).arg("--quiet").arg("--label").arg(format!("husorden-{name}"));
    if force {
        command.arg("--force");
    }
    run(command.arg(path)).map(drop)
}

/// Mounts the device, unless it is mounted there already. On a file, freed blocks are not handed back to the machine: the file's
/// space was promised to the pool.
pub(super) fn mount(device: &Path, root: &Path, on_file: bool) -> Result<(), VolumeError> {
    let doing = || format!("mounting {} at {}", device.display(), root.display());
    fs::create_dir_all(root).map_err(VolumeError::io(doing()))?;
    let root = &root.canonicalize().map_err(VolumeError::io(doing()))?;
    if let Some(mounted) = mounts()?.into_iter().find(|(target, _)| target == root) {
        if mounted.1 == device {
            return Ok(());
        }
        return Err(VolumeError::Strange(format!(
            "{} is mounted at {}, not {}",
            mounted.1.display(),
            root.display(),
            device.display()
        )));
    }
    let flags = MsFlags::MS_NODEV | MsFlags::MS_NOSUID | MsFlags::MS_NOATIME;
    let options = if on_file { "nodiscard" } else { "discard=async" };
    nix::mount::mount(Some(device), root, Some("btrfs"), flags, Some(options))
        .map_err(|errno| VolumeError::io(doing())(errno.into()))
}

/// Everything mounted: where, and from what.
pub(super) fn mounts() -> Result<Vec<(PathBuf, PathBuf)>, VolumeError> {
    let text = fs::read_to_string("/proc/self/mountinfo").map_err(VolumeError::io("listing mounts"))?;
    Ok(text
        .lines()
        .filter_map(|line| {
            let (before, after) = line.split_once(" - ")?;
            Some((
                PathBuf::from(unescape(before.split(' ').nth(4)?)),
                PathBuf::from(unescape(after.split(' ').nth(1)?)),
            ))
        })
        .collect())
}

/// The kernel writes blanks and backslashes in octal.
fn unescape(text: &str) -> String {
    text.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")
}

/// Switches quotas on, unless they are; says which.
pub(super) fn enable_quota(top: &File, fsid: &str, wish: QuotaWish) -> Result<QuotaMode, VolumeError> {
    let read = || fs::read_to_string(Path::new("/sys/fs/btrfs").join(fsid).join("qgroups/mode")).ok();
    let mode = |text: String| match text.trim() {
        "squota" => Some(QuotaMode::Simple),
        "qgroup" => Some(QuotaMode::Plain),
        _ => None,
    };
    if let Some(found) = read().and_then(mode) {
        return Ok(found);
    }
    if wish == QuotaWish::Best && btrfs::quota_enable_simple(top).is_ok() {
        return Ok(QuotaMode::Simple);
    }
    match btrfs::quota_enable_plain(top) {
        Ok(()) => Ok(QuotaMode::Plain),
        Err(error) => {
            tracing::error!(%error, "the kernel refuses quotas: nothing holds a solution's limit in this pool");
            Ok(QuotaMode::Nothing)
        }
    }
}
