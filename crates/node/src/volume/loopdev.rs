//! Loop devices: finding, attaching and detaching the one that carries a pool's file.

use super::VolumeError;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// How long a device that was told to go may take. See [`detach`].
const GOES_WITHIN: Duration = Duration::from_secs(10);

/// The loop device that carries this file, if one does. Read from sysfs: no process is started.
pub(super) fn find(file: &Path) -> Result<Option<PathBuf>, VolumeError> {
    let wanted = file.canonicalize().map_err(VolumeError::io(format!("looking up {}", file.display())))?;
    Ok(attached()?.into_iter().find(|(_, backing)| *backing == wanted).map(|(device, _)| device))
}

/// Every attached loop device with the file it carries.
pub(super) fn attached() -> Result<Vec<(PathBuf, PathBuf)>, VolumeError> {
    let mut found = Vec::new();
    let entries = std::fs::read_dir("/sys/block").map_err(VolumeError::io("listing block devices"))?;
    for entry in entries {
        let entry = entry.map_err(VolumeError::io("listing block devices"))?;
        let name = entry.file_name();
        if !name.to_string_lossy().starts_with("loop") {
            continue;
        }
        // No such file: the device carries nothing.
        if let Ok(backing) = std::fs::read_to_string(entry.path().join("loop/backing_file")) {
            found.push((Path::new("/dev").join(name), PathBuf::from(backing.trim_end_matches('\n'))));
        }
    }
    Ok(found)
}

/// The file's loop device, attached now if it was not. Direct I/O where the file's own filesystem can, so that a page is cached once.
pub(super) fn attach(file: &Path) -> Result<PathBuf, VolumeError> {
    if let Some(device) = find(file)? {
        return Ok(device);
    }
    let direct = losetup(&["--find", "--show", "--direct-io=on"], file);
    let out = match direct {
        Ok(out) => out,
        Err(_) => losetup(&["--find", "--show"], file)?,
    };
    Ok(PathBuf::from(out.trim()))
}

/// Lets go of a device, and returns when it carries the file no longer. One that carries nothing is fine.
///
/// The kernel detaches a device that somebody else still has open only when that one closes it, and says so to nobody. A
/// program that is just being started in a mount namespace of its own is such a one: it has a copy of every mount, the
/// pool's too, until it has changed its root. One that holds it for longer is warned of; the device goes when it ends.
pub(super) fn detach(device: &Path) -> Result<(), VolumeError> {
    let backing = Path::new("/sys/block").join(device.file_name().unwrap_or_default()).join("loop/backing_file");
    let Ok(carried) = std::fs::read(&backing) else { return Ok(()) };
    losetup(&["--detach"], device)?;
    let asked = Instant::now();
    // Another file: it has been given to somebody else since.
    while std::fs::read(&backing).is_ok_and(|now| now == carried) {
        if asked.elapsed() > GOES_WITHIN {
            tracing::warn!(device = %device.display(), "the loop device stays until whoever has it open closes it");
            break;
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

fn losetup(args: &[&str], target: &Path) -> Result<String, VolumeError> {
    super::run(Command::new("losetup").args(args).arg(target))
}
