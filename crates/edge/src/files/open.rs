//! Opening what customers made: only beneath the site's root, and never waiting for a disk on a worker's thread.
//!
//! A name is first looked up among what the kernel has in memory, following no link; that is nearly every request. What is
//! not in memory is looked up on a thread that may wait. A link is followed only where all of it stays beneath the root
//! (`RESOLVE_BENEATH`), and only to a name that may be served itself.

use crate::route::is_hidden_name;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, Stat, fstat, openat, openat2};
use rustix::io::Errno;
use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Tries of a look-up that a concurrent rename disturbed.
const RACES_MAX: usize = 4;

/// What a file is, as far as it can be told without reading it. The same identity means the same content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct FileId {
    pub(crate) device: u64,
    pub(crate) inode: u64,
    pub(crate) length: u64,
    /// Last change of the content, in nanoseconds since 1970.
    pub(crate) modified_ns: i128,
    /// Last change of the inode; cannot be set back by its owner.
    pub(crate) changed_ns: i128,
}

impl FileId {
    fn of(stat: &Stat) -> Self {
        let ns = |seconds: i64, nanoseconds: u64| i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds);
        Self {
            device: stat.st_dev,
            inode: stat.st_ino,
            length: u64::try_from(stat.st_size).unwrap_or(0),
            modified_ns: ns(stat.st_mtime, stat.st_mtime_nsec),
            changed_ns: ns(stat.st_ctime, stat.st_ctime_nsec),
        }
    }
}

/// A regular file that is open.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) file: OwnedFd,
    pub(crate) id: FileId,
}

/// What it is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// To be sent.
    Read,
    /// To know that it is there; needs no right to read it.
    Exists,
}

/// What stands at a name.
#[derive(Debug)]
pub(crate) enum Lookup {
    File(Opened),
    Directory,
    /// Nothing, or nothing that is served: a device, a pipe.
    Missing,
    /// A file that the edge may not read, or a link that leads out of the site or to what is never served. It is there, so no
    /// front controller is asked in its place.
    Denied,
}

impl Lookup {
    pub(crate) fn is_file(&self) -> bool {
        matches!(self, Self::File(_))
    }
}

/// A site's root, open for look-ups.
#[derive(Debug)]
pub(crate) struct Tree {
    root: Arc<OwnedFd>,
}

/// How long an open root is used by the requests that follow at once. Undo and restore put another directory in a root's
/// place; a request that comes after them must find the new one, so this is far below what a client can notice.
const ROOT_KEPT: Duration = Duration::from_millis(1);
/// Roots a worker keeps open at once.
const ROOTS_MAX: usize = 8;

thread_local! {
    static ROOTS: RefCell<Vec<(PathBuf, Arc<OwnedFd>, Instant)>> = const { RefCell::new(Vec::new()) };
}

/// Closes the roots that this thread keeps, so that none holds a volume that is to be taken away.
pub(super) fn forget_roots() {
    ROOTS.with_borrow_mut(Vec::clear);
}

impl Tree {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let now = Instant::now();
        ROOTS.with_borrow_mut(|roots| {
            let place = roots.iter().position(|(kept, ..)| kept == path);
            if let Some(place) = place {
                let (_, root, opened) = &roots[place];
                if now.duration_since(*opened) < ROOT_KEPT {
                    return Ok(Self { root: Arc::clone(root) });
                }
                roots.swap_remove(place);
            }
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let root = Arc::new(openat(CWD, path, flags, Mode::empty())?);
            if roots.len() == ROOTS_MAX {
                roots.swap_remove(0);
            }
            roots.push((path.to_owned(), Arc::clone(&root), now));
            Ok(Self { root })
        })
    }

    /// Looks up a name relative to the root.
    pub(crate) async fn find(&self, name: &str, access: Access) -> Lookup {
        match look(self.root.as_fd(), name, access, ResolveFlags::CACHED | ResolveFlags::NO_SYMLINKS) {
            Ok(lookup) => lookup,
            Err(Errno::AGAIN | Errno::LOOP | Errno::INVAL) => {
                let (root, name) = (Arc::clone(&self.root), name.to_owned());
                tokio::task::spawn_blocking(move || follow(root.as_fd(), &name, access))
                    .await
                    .unwrap_or(Lookup::Missing)
            }
            Err(error) => refused(error),
        }
    }
}

/// The look-up that may wait, and follows links.
fn follow(root: BorrowedFd<'_>, name: &str, access: Access) -> Lookup {
    match retry(|| look(root, name, access, ResolveFlags::NO_SYMLINKS)) {
        Err(Errno::LOOP) => {}
        Ok(lookup) => return lookup,
        Err(error) => return refused(error),
    }
    match retry(|| look(root, name, access, ResolveFlags::empty())) {
        Ok(Lookup::File(opened)) if leads_to_hidden(&opened, access) => Lookup::Denied,
        Ok(lookup) => lookup,
        Err(Errno::XDEV | Errno::LOOP) => Lookup::Denied,
        Err(error) => refused(error),
    }
}

fn retry(mut look: impl FnMut() -> Result<Lookup, Errno>) -> Result<Lookup, Errno> {
    let mut result = look();
    for _ in 1..RACES_MAX {
        if !matches!(result, Err(Errno::AGAIN)) {
            break;
        }
        result = look();
    }
    result
}

fn look(root: BorrowedFd<'_>, name: &str, access: Access, resolve: ResolveFlags) -> Result<Lookup, Errno> {
    let flags = match access {
        // Without NONBLOCK, opening a pipe that a customer made would wait for its other end.
        Access::Read => OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC,
        Access::Exists => OFlags::PATH | OFlags::CLOEXEC,
    };
    let resolve = resolve | ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    let file = openat2(root, name, flags, Mode::empty(), resolve)?;
    let stat = fstat(&file)?;
    Ok(match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Lookup::File(Opened { file, id: FileId::of(&stat) }),
        FileType::Directory => Lookup::Directory,
        _ => Lookup::Missing,
    })
}

fn refused(error: Errno) -> Lookup {
    match error {
        Errno::ACCESS | Errno::PERM => Lookup::Denied,
        _ => Lookup::Missing,
    }
}

/// Whether a link led to something whose own name is never sent.
fn leads_to_hidden(opened: &Opened, access: Access) -> bool {
    use std::os::fd::AsRawFd;
    let link = format!("/proc/self/fd/{}", opened.file.as_raw_fd());
    let Ok(real) = std::fs::read_link(link) else { return true };
    let Some(name) = real.file_name().and_then(|name| name.to_str()) else { return true };
    is_hidden_name(name) || (access == Access::Read && (super::mime::is_source(name) || name.ends_with(".php")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[tokio::test]
    async fn look_ups_stay_beneath_the_root() {
        let directory = tempfile::tempdir().expect("a directory");
        let (root, other) = (directory.path().join("root"), directory.path().join("other"));
        for path in [&root, &other] {
            std::fs::create_dir(path).expect("made");
            std::fs::write(path.join("page.html"), "x").expect("written");
        }
        std::fs::write(root.join("code.php"), "<?php").expect("written");
        std::fs::write(root.join(".env"), "x").expect("written");
        symlink("page.html", root.join("inside.html")).expect("linked");
        symlink(other.join("page.html"), root.join("absolute.html")).expect("linked");
        symlink("../other/page.html", root.join("relative.html")).expect("linked");
        symlink("../root/page.html", root.join("out-and-in.html")).expect("linked");
        symlink(&other, root.join("door")).expect("linked");
        symlink("code.php", root.join("code.txt")).expect("linked");
        symlink(".env", root.join("env.txt")).expect("linked");
        symlink("round", root.join("round")).expect("linked");
        rustix::fs::mkfifoat(CWD, root.join("pipe"), Mode::RUSR).expect("a pipe");
        let tree = Tree::open(&root).expect("the root");
        for (name, expected) in [
            ("page.html", true),
            ("inside.html", true),
            ("absolute.html", false),
            ("relative.html", false),
            ("out-and-in.html", false),
            ("door/page.html", false),
            ("../other/page.html", false),
            ("code.txt", false),
            ("env.txt", false),
            ("round", false),
            ("pipe", false),
            ("page.html/x", false),
            ("missing", false),
        ] {
            assert_eq!(tree.find(name, Access::Read).await.is_file(), expected, "{name}");
        }
    }
}
