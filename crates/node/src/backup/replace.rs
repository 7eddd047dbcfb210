//! One file or folder of a backup in the place of what is there. It is put together beside and changes places in one step; what was there goes after.
//! Every name is opened beneath the volume's folder and through no link, for the solution's own programs may be at work in it.

use super::hand::names;
use husorden_backup::read::{Restored, Want, path};
use husorden_backup::{Fault, Id, NodeType, Repository};
use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags, ResolveFlags, mkdirat, openat2, renameat_with, statat, unlinkat};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

/// Rights of folders on the way that are not there any more.
const MADE: Mode = Mode::from_raw_mode(0o755);

/// Puts it there.
pub(super) fn replace(
    repository: &Repository,
    copy: &Id,
    text: &str,
    volume: &Path,
    workers: usize,
) -> Result<Restored, Fault> {
    let inner = path(text.as_bytes());
    let (Some((top, rest)), Some(last)) = (inner.split_first(), inner.last()) else {
        return Err(Fault::NotInBackup("/".to_owned()));
    };
    let node = repository.find(copy, &names(text))?;
    let top = open_top(&volume.join(String::from_utf8_lossy(top).as_ref()))?;
    let beside = ".husorden-restore".to_owned();
    // What one that was killed left.
    remove(&top, &beside).map_err(|source| Fault::Files { doing: "removing what broke off".to_owned(), source })?;
    let made = (|| -> Result<Restored, Fault> {
        mkdirat(&top, beside.as_str(), Mode::RWXU).map_err(files("making room for what comes back"))?;
        let stage = beneath(&top, beside.as_bytes()).map_err(files("opening the room for what comes back"))?;
        let new: &[u8] = if node.kind == NodeType::Dir { b"new" } else { last };
        let into = if node.kind == NodeType::Dir {
            mkdirat(&stage, "new", Mode::RWXU).map_err(files("making a folder that comes back"))?;
            beneath(&stage, b"new").map_err(files("opening a folder that comes back"))?
        } else {
            stage.try_clone().map_err(|source| Fault::Files { doing: "opening the room".to_owned(), source })?
        };
        let want = Want { path: names(text), owners: false, workers };
        let restored = repository.restore(copy, &want, into.as_fd())?;
        match rest.split_last() {
            Some((name, way)) => {
                let folder = way_to(&top, way)?;
                change_places(&stage, new, &folder, name)?;
            }
            None => change_contents(&top, &beside, &stage, &into)?,
        }
        Ok(restored)
    })();
    let gone = remove(&top, &beside);
    let restored = made?;
    gone.map_err(|source| Fault::Files { doing: "removing what was replaced".to_owned(), source })?;
    Ok(restored)
}

fn files(doing: &str) -> impl FnOnce(Errno) -> Fault {
    let doing = doing.to_owned();
    move |error| Fault::Files { doing, source: error.into() }
}

fn open_top(path: &Path) -> Result<OwnedFd, Fault> {
    let opened = File::open(path);
    opened.map(OwnedFd::from).map_err(|source| Fault::Files { doing: format!("opening {}", path.display()), source })
}

/// A folder beneath this one.
fn beneath(folder: impl AsFd, name: &[u8]) -> Result<OwnedFd, Errno> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    openat2(
        folder,
        name,
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC,
        Mode::empty(),
        resolve,
    )
}

/// The folder that it lies in; folders that are gone since are made.
fn way_to(top: &OwnedFd, way: &[Vec<u8>]) -> Result<OwnedFd, Fault> {
    let mut at = beneath(top, b".").map_err(files("opening the folder"))?;
    for name in way {
        match mkdirat(&at, name.as_slice(), MADE) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(files("making a folder on the way")(error)),
        }
        at = beneath(&at, name).map_err(files("opening a folder on the way, which must be no link and no file"))?;
    }
    Ok(at)
}

/// What came back goes under its name; what had that name goes to where it came from.
fn change_places(stage: &OwnedFd, new: &[u8], folder: &OwnedFd, name: &[u8]) -> Result<(), Fault> {
    match renameat_with(stage, new, folder, name, RenameFlags::NOREPLACE) {
        Err(Errno::EXIST) => renameat_with(stage, new, folder, name, RenameFlags::EXCHANGE),
        other => other,
    }
    .map_err(files("putting it in its place"))
}

/// Of a folder at the volume's top everything in it is replaced, for the folder itself is a place of the platform's.
fn change_contents(top: &OwnedFd, beside: &str, stage: &OwnedFd, new: &OwnedFd) -> Result<(), Fault> {
    mkdirat(stage, "old", Mode::RWXU).map_err(files("making room for what is replaced"))?;
    let old = beneath(stage, b"old").map_err(files("opening the room for what is replaced"))?;
    for (from, to, keep) in [(top, &old, Some(beside)), (new, top, None)] {
        for name in list(from).map_err(files("listing what is replaced"))? {
            if keep.is_none_or(|keep| name != keep.as_bytes()) {
                renameat_with(from, name.as_slice(), to, name.as_slice(), RenameFlags::NOREPLACE)
                    .map_err(files("putting it in its place"))?;
            }
        }
    }
    Ok(())
}

fn list(folder: &OwnedFd) -> Result<Vec<Vec<u8>>, Errno> {
    let mut names = Vec::new();
    for entry in rustix::fs::Dir::read_from(folder)? {
        let name = entry?.file_name().to_bytes().to_vec();
        if name != b"." && name != b".." {
            names.push(name);
        }
    }
    Ok(names)
}

/// Removes a folder with all that is in it, following nothing.
fn remove(top: &OwnedFd, name: &str) -> io::Result<()> {
    match statat(top, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => return Ok(()),
        other => drop(other?),
    }
    let path = PathBuf::from(format!("/proc/self/fd/{}/{name}", top.as_raw_fd()));
    match std::fs::remove_dir_all(&path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            open_up(&path)?;
            std::fs::remove_dir_all(&path)
        }
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(unlinkat(top, name, AtFlags::empty())?),
        other => other,
    }
}

/// Folders that their owner closed to himself are opened, so that they can be removed.
fn open_up(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))?;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open_up(&entry.path())?;
        }
    }
    Ok(())
}
