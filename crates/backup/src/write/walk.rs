//! The walk over a volume: names in order, what changed is handed on, what did not is taken from the former backup.

use super::extents::snapshot_of;
use super::finish::Event;
use super::packer::Press;
use super::pages::{self, PAGES_BYTES_MIN};
use super::pending::Pending;
use super::{FOLDER, Job, LEVEL, NONE, Shared, Source, VOLUME};
use crate::fault::Fault;
use crate::format::{Attribute, BlobType, Moment, Node, NodeType, Tree};
use crate::progress::Progress;
use rustix::fs::{AtFlags, Dir, FileType, OFlags, Stat, fgetxattr, flistxattr, openat, readlinkat, statat};
use rustix::io::Errno;
use std::cell::Cell;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::vec;

/// Folders that are open at once, from the deepest up; those above are opened again by way of `..`, for a read-only volume does not move.
const OPEN_FOLDERS: usize = 64;
/// Most bytes of one extended attribute, and of their names together; the kernel has the same bounds.
const ATTRIBUTE_BYTES_MAX: usize = 64 << 10;

/// A folder beside the one that is walked, in the former snapshot.
enum Beside {
    Nothing,
    Open(OwnedFd),
    /// Closed to save descriptors; it can be opened again.
    Closed,
}

/// A folder on the way.
struct Level {
    fd: Option<Arc<OwnedFd>>,
    old: Beside,
    names: vec::IntoIter<Vec<u8>>,
    former: Option<Tree>,
    /// What it is in the folder around it.
    node: Node,
}

pub(super) struct Walk<'a, 'b> {
    pub(super) shared: &'a Shared<'b>,
    pub(super) press: Press,
    /// Bytes of files that are walked, for whoever looks on.
    walked: Arc<Progress>,
    /// Of those, what was read of the file that is walked now.
    handed: Cell<u64>,
}

/// Walks everything and hands it on.
pub(super) fn walk(shared: &Shared<'_>, source: &Source, former: Option<Tree>) -> Result<(), Fault> {
    let mut walk = Walk {
        shared,
        press: Press::new(LEVEL)?,
        walked: Arc::clone(shared.packer.repository.progress()),
        handed: Cell::new(0),
    };
    let mut notes: Vec<_> = source.notes.iter().collect();
    notes.sort();
    let (before, after): (Vec<_>, Vec<_>) = notes.into_iter().partition(|(name, _)| name.as_str() < VOLUME);
    before.into_iter().try_for_each(|(name, text)| walk.note(name, text))?;
    let old = source.former.as_ref().and_then(|former| Some((former.volume.as_ref()?, former.same_disk)));
    // Only where both are read-only snapshots of one filesystem does the place of a block say what it holds.
    let same = |old| snapshot_of(old).is_some_and(|id| snapshot_of(&source.volume) == Some(id));
    let old = old.filter(|(old, known)| *known || same(*old)).map(|(old, _)| old);
    walk.volume(source, old, former)?;
    after.into_iter().try_for_each(|(name, text)| walk.note(name, text))
}

impl Walk<'_, '_> {
    pub(super) fn event(&self, event: Event) -> Result<(), Fault> {
        self.shared.events.push(event, 1).map_err(|_| Fault::Stopped)
    }

    pub(super) fn job(&self, job: Job, weight: usize) -> Result<(), Fault> {
        if let Job::Pieces { bytes, .. } = &job {
            self.walked.add(bytes.len() as u64);
            self.handed.set(self.handed.get() + bytes.len() as u64);
        }
        self.shared.jobs.push(job, weight).map_err(|_| Fault::Stopped)
    }

    fn note(&mut self, name: &str, text: &[u8]) -> Result<(), Fault> {
        let mut node = empty(name.as_bytes(), NodeType::File);
        node.mode = Node::go_mode(NodeType::File, 0o400);
        node.size = text.len() as u64;
        let content = if text.is_empty() {
            Vec::new()
        } else {
            vec![self.shared.packer.add(BlobType::Data, text, &mut self.press)?]
        };
        node.content = Some(content);
        self.event(Event::Ready(node))
    }

    fn volume(&mut self, source: &Source, old: Option<&OwnedFd>, former: Option<Tree>) -> Result<(), Fault> {
        let name = VOLUME.as_bytes();
        let open = |fd: &OwnedFd| openat(fd, ".", FOLDER, NONE).map_err(Fault::files(doing("opening", name)));
        let stat = rustix::fs::fstat(&source.volume).map_err(Fault::files(doing("looking at", name)))?;
        let old = old.map(open).transpose()?.map_or(Beside::Nothing, Beside::Open);
        let mut levels = vec![self.enter(open(&source.volume)?, old, former, node_of(name, &stat, NodeType::Dir))?];
        while let Some(level) = levels.last_mut() {
            if self.shared.over() {
                return Err(Fault::Stopped);
            }
            match level.names.next() {
                Some(name) => {
                    if let Some(deeper) = self.entry(level, &name)? {
                        levels.push(deeper);
                        if let Some(above) = levels.len().checked_sub(OPEN_FOLDERS + 1) {
                            let above = &mut levels[above];
                            above.fd = None;
                            if matches!(above.old, Beside::Open(_)) {
                                above.old = Beside::Closed;
                            }
                        }
                    }
                }
                None => {
                    let done = levels.pop().expect("it was the last");
                    if let Some(above) = levels.last_mut() {
                        reopen(above, &done)?;
                    }
                    self.event(Event::Leave(done.node))?;
                }
            }
        }
        Ok(())
    }

    fn enter(&self, fd: OwnedFd, old: Beside, former: Option<Tree>, mut node: Node) -> Result<Level, Fault> {
        node.extended_attributes = attributes(&fd, &node.name)?;
        let mut names = Vec::new();
        for entry in Dir::read_from(&fd).map_err(Fault::files(doing("listing", &node.name)))? {
            let entry = entry.map_err(Fault::files(doing("listing", &node.name)))?;
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                names.push(name.to_vec());
            }
        }
        names.sort_unstable();
        self.shared.folders.fetch_add(1, Ordering::Relaxed);
        self.event(Event::Enter)?;
        Ok(Level { fd: Some(Arc::new(fd)), old, names: names.into_iter(), former, node })
    }

    /// Hands an entry on; a folder is given back to be walked next.
    fn entry(&mut self, level: &Level, name: &[u8]) -> Result<Option<Level>, Fault> {
        let folder = level.fd.as_ref().expect("the deepest folder is open");
        let stat = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).map_err(Fault::files(doing("looking at", name)))?;
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => NodeType::File,
            FileType::Directory => NodeType::Dir,
            FileType::Symlink => NodeType::Symlink,
            FileType::BlockDevice => NodeType::Dev,
            FileType::CharacterDevice => NodeType::Chardev,
            FileType::Fifo => NodeType::Fifo,
            FileType::Socket => NodeType::Socket,
            FileType::Unknown => return Ok(None),
        };
        let mut node = node_of(name, &stat, kind);
        let former = level.former.as_ref().and_then(|tree| tree.find(name)).filter(|former| former.kind == kind);
        match kind {
            NodeType::Dir => {
                let fd = openat(folder, name, FOLDER, NONE).map_err(Fault::files(doing("opening", name)))?;
                let old = match &level.old {
                    Beside::Open(old) => openat(old, name, FOLDER, NONE).map_or(Beside::Nothing, Beside::Open),
                    _ => Beside::Nothing,
                };
                // What can't be read of the former backup is read anew from the volume.
                let former =
                    former.and_then(|former| self.shared.packer.repository.tree(former.subtree.as_ref()?).ok());
                return self.enter(fd, old, former, node).map(Some);
            }
            NodeType::File => {
                self.shared.files.fetch_add(1, Ordering::Relaxed);
                self.shared.bytes.fetch_add(node.size, Ordering::Relaxed);
                self.file(level, folder, name, node, &stat, former)?;
            }
            NodeType::Symlink => {
                let target = readlinkat(folder, name, Vec::new()).map_err(Fault::files(doing("reading", name)))?;
                node.set_target(target.to_bytes());
                self.event(Event::Ready(node))?;
            }
            NodeType::Dev | NodeType::Chardev => {
                node.device = stat.st_rdev;
                self.event(Event::Ready(node))?;
            }
            NodeType::Fifo | NodeType::Socket => self.event(Event::Ready(node))?,
        }
        Ok(None)
    }

    fn file(
        &mut self,
        level: &Level,
        folder: &Arc<OwnedFd>,
        name: &[u8],
        mut node: Node,
        stat: &Stat,
        former: Option<&Node>,
    ) -> Result<(), Fault> {
        if let Some(former) = former.filter(|former| self.unchanged(former, &node)) {
            node.content.clone_from(&former.content);
            node.extended_attributes.clone_from(&former.extended_attributes);
            self.walked.add(node.size);
            return self.event(Event::Ready(node));
        }
        let pending = Arc::new(Pending::new(node.clone()));
        self.event(Event::File(Arc::clone(&pending)))?;
        let size = usize::try_from(node.size).unwrap_or(usize::MAX);
        if size <= pages::WHOLE_BYTES_MAX {
            self.walked.add(node.size);
            let job = Job::Whole { folder: Arc::clone(folder), name: name.to_vec(), pending };
            return self.job(job, size + 1024);
        }
        let file = open_file(folder, name)?;
        let attributes = attributes(&file, name)?;
        let holes = stat.st_blocks.cast_unsigned() * 512 < node.size;
        let size = if node.size >= PAGES_BYTES_MIN && (node.size.is_multiple_of(4096) || holes) {
            let old = match (&level.old, former) {
                (Beside::Open(old), Some(former)) => self.old_file(old, former).map(|file| (file, former)),
                _ => None,
            };
            self.pages(&file, &node, &pending, old)?
        } else {
            self.stream(file, name, &pending)?
        };
        // What is not read (holes, what lies where it lay) is done with the file.
        self.walked.add(size.saturating_sub(self.handed.take()));
        pending.cut(|node| {
            node.size = size;
            node.extended_attributes = attributes;
        });
        Ok(())
    }

    /// Whether the former backup has all of this file: the time of the last change of anything about it says so.
    fn unchanged(&self, former: &Node, node: &Node) -> bool {
        if !(former.size == node.size && same_file(former, node)) {
            return false;
        }
        let known = self.shared.packer.repository.known();
        former.content.as_ref().is_some_and(|content| content.iter().all(|id| known.has(BlobType::Data, id)))
    }

    /// The file as the former backup saw it, opened in the former snapshot.
    fn old_file(&self, folder: &OwnedFd, former: &Node) -> Option<OwnedFd> {
        let file = open_file(folder, &former.name).ok()?;
        let stat = rustix::fs::fstat(&file).ok()?;
        let then = node_of(&former.name, &stat, NodeType::File);
        (then.size == former.size && same_file(&then, former)).then_some(file)
    }
}

fn same_file(one: &Node, other: &Node) -> bool {
    one.inode == other.inode && one.mtime == other.mtime && one.ctime == other.ctime
}

fn reopen(above: &mut Level, below: &Level) -> Result<(), Fault> {
    let up = |fd: &OwnedFd| openat(fd, "..", FOLDER, NONE).map_err(Fault::files("going up a folder"));
    if above.fd.is_none() {
        above.fd = Some(Arc::new(up(below.fd.as_ref().expect("the deepest folder is open"))?));
    }
    if let (Beside::Closed, Beside::Open(old)) = (&above.old, &below.old) {
        above.old = up(old).map_or(Beside::Nothing, Beside::Open);
    }
    Ok(())
}

pub(super) fn doing(what: &str, name: &[u8]) -> String {
    format!("{what} {:?}", String::from_utf8_lossy(name))
}

pub(super) fn open_file(folder: impl AsFd, name: &[u8]) -> Result<OwnedFd, Fault> {
    // Without NONBLOCK a pipe in the place of the file would be waited for.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    openat(folder, name, flags, NONE).map_err(Fault::files(doing("opening", name)))
}

/// Extended attributes, sorted by name.
pub(super) fn attributes(fd: impl AsFd, name: &[u8]) -> Result<Vec<Attribute>, Fault> {
    let fault =
        |error: Errno| Fault::Files { doing: doing("reading the attributes of", name), source: io::Error::from(error) };
    let mut buffer = [0_u8; 256];
    let names = match flistxattr(&fd, &mut buffer[..]) {
        Ok(count) => buffer[..count].to_vec(),
        Err(Errno::RANGE) => {
            let mut large = vec![0_u8; ATTRIBUTE_BYTES_MAX];
            let count = flistxattr(&fd, large.as_mut_slice()).map_err(fault)?;
            large.truncate(count);
            large
        }
        // A filesystem without them.
        Err(Errno::OPNOTSUPP) => return Ok(Vec::new()),
        Err(error) => return Err(fault(error)),
    };
    let mut found = Vec::new();
    for key in names.split(|byte| *byte == 0).filter(|key| !key.is_empty()) {
        let mut value = vec![0_u8; ATTRIBUTE_BYTES_MAX];
        match fgetxattr(&fd, key, value.as_mut_slice()) {
            Ok(count) => value.truncate(count),
            // What only others may read is not this solution's.
            Err(Errno::NODATA | Errno::PERM | Errno::ACCESS | Errno::OPNOTSUPP) => continue,
            Err(error) => return Err(fault(error)),
        }
        value.shrink_to_fit();
        // Names are text in restic's format; the kernel's own are.
        if let Ok(name) = std::str::from_utf8(key) {
            found.push(Attribute { name: name.to_owned(), value });
        }
    }
    found.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(found)
}

pub(super) fn empty(name: &[u8], kind: NodeType) -> Node {
    Node {
        name: name.to_vec(),
        kind,
        mode: 0,
        mtime: Moment::default(),
        atime: Moment::default(),
        ctime: Moment::default(),
        uid: 0,
        gid: 0,
        inode: 0,
        size: 0,
        links: 1,
        linktarget: String::new(),
        linktarget_raw: None,
        extended_attributes: Vec::new(),
        device: 0,
        content: None,
        subtree: None,
    }
}

fn node_of(name: &[u8], stat: &Stat, kind: NodeType) -> Node {
    let moment = |seconds, nanoseconds| Moment { seconds, nanoseconds: i32::try_from(nanoseconds).unwrap_or(0) };
    let mtime = moment(stat.st_mtime, stat.st_mtime_nsec);
    Node {
        mode: Node::go_mode(kind, stat.st_mode & 0o7777),
        mtime,
        atime: mtime,
        ctime: moment(stat.st_ctime, stat.st_ctime_nsec),
        uid: stat.st_uid,
        gid: stat.st_gid,
        inode: stat.st_ino,
        size: if kind == NodeType::File { stat.st_size.cast_unsigned() } else { 0 },
        links: if kind == NodeType::Dir { 1 } else { stat.st_nlink },
        ..empty(name, kind)
    }
}
