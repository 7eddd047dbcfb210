//! The listening sockets of services: made by the node, handed to sandboxes, taken back at adoption.

use husorden_kinds::Reach;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Gid, Uid, chown};
use rustix::net::{SocketFlags, accept_with, listen};
use std::fs::{self, Permissions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

/// Connections that may wait while a service starts.
pub(crate) const WAITING_MAX: i32 = 1_024;

/// A socket that could not be made.
#[derive(Debug, thiserror::Error)]
#[error("making the socket {path}")]
pub struct SocketError {
    /// Where.
    pub path: PathBuf,
    /// Why.
    pub source: io::Error,
}

/// Where a service's socket lies.
pub(crate) fn path(folder: &Path, role: &str) -> PathBuf {
    folder.join(format!("{role}.sock"))
}

/// Makes the folder of a solution's sockets: its own sandboxes see it by a bind, the edge by its group, and whoever knows a
/// name may pass; who may connect is said by each socket.
pub(crate) fn make_folder(folder: &Path, edge_gid: u32) -> Result<(), SocketError> {
    let failed = |source| SocketError { path: folder.to_owned(), source };
    fs::create_dir_all(folder).map_err(failed)?;
    chown(folder, Some(Uid::ROOT), Some(Gid::from_raw(edge_gid))).map_err(|error| failed(error.into()))?;
    fs::set_permissions(folder, Permissions::from_mode(0o711)).map_err(failed)
}

/// Listens for a service. The socket appears under its name when everything about it is right, and replaces what was there.
pub(crate) fn bind(folder: &Path, role: &str, reach: Reach, uid: u32, edge_gid: u32) -> Result<OwnedFd, SocketError> {
    let path = path(folder, role);
    let fresh = folder.join(format!(".{role}.new"));
    let make = || -> io::Result<OwnedFd> {
        remove_file(&fresh)?;
        let listener = UnixListener::bind(&fresh)?;
        listen(&listener, WAITING_MAX)?;
        own(&fresh, reach, uid, edge_gid)?;
        fs::rename(&fresh, &path)?;
        Ok(listener.into())
    };
    make().map_err(|source| SocketError { path: path.clone(), source })
}

/// Gives a socket that is there to whom it is for.
pub(crate) fn dress(folder: &Path, role: &str, reach: Reach, uid: u32, edge_gid: u32) -> Result<(), SocketError> {
    let path = path(folder, role);
    match own(&path, reach, uid, edge_gid) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(SocketError { path, source }),
        _ => Ok(()),
    }
}

fn own(path: &Path, reach: Reach, uid: u32, edge_gid: u32) -> io::Result<()> {
    let (owner, group, mode) = match reach {
        Reach::Edge => (0, edge_gid, 0o660),
        Reach::Own | Reach::Port(_) => (uid, uid, 0o600),
    };
    chown(path, Some(Uid::from_raw(owner)), Some(Gid::from_raw(group)))?;
    fs::set_permissions(path, Permissions::from_mode(mode))
}

/// Takes a service's socket away. One that is not there is away already.
pub(crate) fn unlink(folder: &Path, role: &str) -> io::Result<()> {
    remove_file(&path(folder, role))
}

/// What tells two open sockets apart.
pub(crate) fn inode(socket: impl AsFd) -> u64 {
    rustix::fs::fstat(socket).map_or(0, |stat| stat.st_ino)
}

/// Whether somebody waits to be accepted. On a socket that is broken nobody does, though it is readable for ever.
pub(crate) fn knocked(listener: BorrowedFd<'_>) -> bool {
    shows(listener) == PollFlags::IN
}

/// Whether a service has shut the socket it shares with the node: nobody can connect to it any more.
pub(crate) fn broken(listener: BorrowedFd<'_>) -> bool {
    shows(listener).intersects(PollFlags::RDHUP | PollFlags::HUP | PollFlags::ERR)
}

fn shows(listener: BorrowedFd<'_>) -> PollFlags {
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    let mut seen = [PollFd::from_borrowed_fd(listener, PollFlags::IN | PollFlags::RDHUP)];
    match poll(&mut seen, Some(&now)) {
        Ok(_) => seen[0].revents(),
        Err(_) => PollFlags::empty(),
    }
}

/// Turns away everybody who waits. The listener is blocking, as services expect it, so it is asked first each time.
pub(crate) fn turn_away(listener: BorrowedFd<'_>) {
    for _ in 0..WAITING_MAX {
        if !knocked(listener) || accept_with(listener, SocketFlags::CLOEXEC).is_err() {
            return;
        }
    }
}

fn remove_file(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_socket_that_was_shut_is_broken_and_nobody_knocks() {
        let folder = tempfile::tempdir().expect("a folder");
        let listener = UnixListener::bind(folder.path().join("s")).expect("a socket");
        assert!(!broken(listener.as_fd()) && !knocked(listener.as_fd()));
        let _waiting = UnixStream::connect(folder.path().join("s")).expect("a connection");
        assert!(!broken(listener.as_fd()) && knocked(listener.as_fd()));
        rustix::net::shutdown(&listener, rustix::net::Shutdown::Both).expect("it is shut");
        assert!(broken(listener.as_fd()) && !knocked(listener.as_fd()));
    }
}
