//! Giving a copied volume's files to their new owner. Nothing of what they hold is read, and no link is followed.

use super::volume::open_folder;
use super::{Volume, VolumeError};
use husorden_base::Number;
use rustix::fs::{AtFlags, Dir, FileType, Gid, Mode, OFlags, Uid, chownat, openat, statat};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::chown;

/// Folders within folders; deeper ones than this nobody makes by hand.
const DEPTH_MAX: usize = 400;

impl Volume {
    /// Hands the folders of the live part, which are empty, to another, who fills them in this one's stead.
    ///
    /// # Errors
    /// When there is no live part.
    pub(crate) fn hand_over(&self, to: Number, folders: &[String]) -> Result<(), VolumeError> {
        folders.iter().try_for_each(|name| {
            chown(self.folder(name), Some(to.uid()), Some(to.uid()))
                .map_err(VolumeError::io(format!("handing {name} to {to}")))
        })
    }

    /// Takes back what another has filled: what was that one's is this one's.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub(crate) fn take_back(&self, from: Number) -> Result<(), VolumeError> {
        open_folder(&self.folder(""))
            .and_then(|live| give(live.as_fd(), from, self.number))
            .map_err(VolumeError::io(format!("taking what {from} has filled")))
    }
}

/// Gives everything beneath a folder that is one solution's to another. The platform's own files stay the platform's. Nobody
/// else works in the folder meanwhile.
pub(super) fn give(folder: BorrowedFd<'_>, from: Number, to: Number) -> io::Result<()> {
    walk(folder, from.uid(), to.uid(), 0)
}

fn walk(folder: BorrowedFd<'_>, from: u32, to: u32, depth: usize) -> io::Result<()> {
    if depth > DEPTH_MAX {
        return Err(io::Error::other(format!("folders lie more than {DEPTH_MAX} deep")));
    }
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let seen = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let (uid, gid) = ((seen.st_uid == from).then_some(to), (seen.st_gid == from).then_some(to));
        if uid.is_some() || gid.is_some() {
            let (uid, gid) = (uid.map(Uid::from_raw), gid.map(Gid::from_raw));
            chownat(folder, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW)?;
        }
        if FileType::from_raw_mode(seen.st_mode) == FileType::Directory {
            let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::RDONLY | OFlags::CLOEXEC;
            let inner = openat(folder, name, flags, Mode::empty())?;
            walk(inner.as_fd(), from, to, depth + 1)?;
        }
    }
    Ok(())
}
