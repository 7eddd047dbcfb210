//! Putting a backup back: beneath a directory that is held open, never through a link, never over what is there.
//!
//! First directories and empty files are made, then contents are fetched pack by pack and written where they belong, last comes what is said
//! about each: owner, attributes, rights, times. Names were judged when the directories were read; every path is opened with `openat2`
//! beneath the given directory, so that nothing made meanwhile leads out of it.

use super::DEPTH_MAX;
use crate::fault::Fault;
use crate::format::{BlobType, Moment, Node, NodeType};
use crate::id::Id;
use crate::known::Location;
use crate::queue::Queue;
use crate::repository::Repository;
use crate::target::{Folder, Place};
use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, ResolveFlags, Timespec, Timestamps, Uid, XattrFlags, chownat, fchmod,
    fsetxattr, ftruncate, futimens, linkat, mkdirat, mknodat, openat2, symlinkat, utimensat,
};
use rustix::io::Errno;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Pieces that are known by where they go before they are fetched: at 40 bytes each.
const PIECES_MAX: usize = 500_000;
/// Bytes of packs that wait to be opened.
const FETCHED_BYTES_MAX: usize = 48 << 20;
/// Bytes between two pieces of a pack that are fetched along rather than asked for again.
const GAP_BYTES_MAX: u64 = 128 << 10;
/// Bytes that are fetched at once.
const FETCH_BYTES_MAX: u64 = 16 << 20;
/// Files that one thread keeps open.
const FILES_OPEN: usize = 64;

/// What is to be put back.
#[derive(Clone, Debug)]
pub struct Want {
    /// The path in the backup: a folder's contents, or a file, go into the directory. No names are everything.
    pub path: Vec<Vec<u8>>,
    /// Whether owners are set; only root can.
    pub owners: bool,
    /// Threads that open and write.
    pub workers: usize,
}

/// What was put back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Files.
    pub files: u64,
    /// Directories.
    pub folders: u64,
    /// Bytes of files.
    pub bytes: u64,
    /// Paths that could not be made as they were (devices without the right to make them, attributes the filesystem does not have).
    pub lacking: Vec<String>,
}

/// A piece on its way: which file, and where in it.
#[derive(Clone, Copy)]
struct Spot {
    file: u32,
    offset: u64,
}

/// A stretch of a pack with the pieces in it.
struct Fetched {
    start: u64,
    bytes: Vec<u8>,
    pieces: Vec<(Id, Location, Vec<Spot>)>,
}

struct Restore<'a> {
    repository: &'a Repository,
    root: BorrowedFd<'a>,
    want: &'a Want,
    done: Restored,
    /// Files whose contents are on their way.
    paths: Vec<Vec<u8>>,
    /// By pack, then by where in it.
    spots: BTreeMap<u32, HashMap<Id, (Location, Vec<Spot>)>>,
    pieces: usize,
    /// The first name of files that have several.
    links: HashMap<u64, Vec<u8>>,
    /// What is said about things when all is written; deeper ones come first.
    about: Vec<(Vec<u8>, Node)>,
}

impl Repository {
    /// Puts a backup, a folder or a file of it back into a directory.
    ///
    /// # Errors
    /// When something is there already under one of its names, can't be read or can't be written.
    pub fn restore(&self, snapshot: &Id, want: &Want, into: BorrowedFd<'_>) -> Result<Restored, Fault> {
        let root = self.snapshot(snapshot)?.tree;
        let mut restore = Restore {
            repository: self,
            root: into,
            want,
            done: Restored::default(),
            paths: Vec::new(),
            spots: BTreeMap::new(),
            pieces: 0,
            links: HashMap::new(),
            about: Vec::new(),
        };
        match want.path.as_slice() {
            [] => restore.folder(&root, &mut Vec::new())?,
            names => {
                let node = self.find(snapshot, names)?;
                match node.subtree {
                    Some(tree) => {
                        restore.folder(&tree, &mut Vec::new())?;
                        restore.about.push((b".".to_vec(), node));
                    }
                    None => restore.entry(&node, &mut Vec::new())?,
                }
            }
        }
        restore.fetch()?;
        restore.say()?;
        Ok(restore.done)
    }
}

impl Restore<'_> {
    fn open(&self, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
        open_beneath(self.root, path, flags)
    }

    /// The folder that a path lies in, and its last name.
    fn above(&self, path: &[u8]) -> Result<(OwnedFd, Vec<u8>), Fault> {
        let (folder, name) = match path.iter().rposition(|byte| *byte == b'/') {
            Some(at) => (&path[..at], &path[at + 1..]),
            None => (&b"."[..], path),
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        Ok((self.open(folder, flags).map_err(Fault::files(doing("opening", folder)))?, name.to_vec()))
    }

    fn folder(&mut self, tree: &Id, path: &mut Vec<Vec<u8>>) -> Result<(), Fault> {
        if path.len() > DEPTH_MAX {
            return Err(Fault::Limit(format!("a folder lies more than {DEPTH_MAX} deep")));
        }
        self.repository.tree(tree)?.nodes.iter().try_for_each(|node| self.entry(node, path))
    }

    fn entry(&mut self, node: &Node, path: &mut Vec<Vec<u8>>) -> Result<(), Fault> {
        path.push(node.name.clone());
        let text = path.join(&b'/');
        match node.kind {
            NodeType::Dir => {
                let (above, name) = self.above(&text)?;
                mkdirat(&above, name, Mode::RWXU).map_err(Fault::files(doing("making", &text)))?;
                self.done.folders += 1;
                if let Some(tree) = &node.subtree {
                    self.folder(tree, path)?;
                }
                self.about.push((text, node.clone()));
            }
            NodeType::File => self.file(node, text)?,
            NodeType::Symlink => {
                let (above, name) = self.above(&text)?;
                symlinkat(node.target(), above, name).map_err(Fault::files(doing("making", &text)))?;
                self.about.push((text, node.clone()));
            }
            NodeType::Fifo | NodeType::Socket | NodeType::Dev | NodeType::Chardev => {
                let kind = match node.kind {
                    NodeType::Fifo => FileType::Fifo,
                    NodeType::Socket => FileType::Socket,
                    NodeType::Dev => FileType::BlockDevice,
                    _ => FileType::CharacterDevice,
                };
                let (above, name) = self.above(&text)?;
                match mknodat(&above, name, kind, Mode::RUSR | Mode::WUSR, node.device) {
                    Ok(()) => self.about.push((text, node.clone())),
                    Err(Errno::PERM) => self.done.lacking.push(String::from_utf8_lossy(&text).into_owned()),
                    Err(error) => return Err(Fault::files(doing("making", &text))(error)),
                }
            }
        }
        path.pop();
        Ok(())
    }

    fn file(&mut self, node: &Node, path: Vec<u8>) -> Result<(), Fault> {
        if node.links > 1 && node.inode != 0 {
            if let Some(first) = self.links.get(&node.inode) {
                let ((from, old), (to, new)) = (self.above(first)?, self.above(&path)?);
                return linkat(from, old, to, new, AtFlags::empty()).map_err(Fault::files(doing("linking", &path)));
            }
            self.links.insert(node.inode, path.clone());
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        let file = self.open(&path, flags).map_err(Fault::files(doing("making", &path)))?;
        self.done.files += 1;
        self.done.bytes += node.size;
        self.repository.progress().meet(node.size);
        // Holes are what is never written.
        ftruncate(&file, node.size).map_err(Fault::files(doing("making room for", &path)))?;
        let number =
            u32::try_from(self.paths.len()).map_err(|_| Fault::Limit("a backup has too many files".to_owned()))?;
        let mut offset = 0;
        for id in node.content.as_deref().unwrap_or_default() {
            let location = self.repository.locate(BlobType::Data, id)?;
            let spots =
                self.spots.entry(location.pack).or_default().entry(*id).or_insert_with(|| (location, Vec::new()));
            spots.1.push(Spot { file: number, offset });
            offset += location.plain_bytes();
            self.pieces += 1;
        }
        if offset != node.size {
            return Err(Fault::damaged(String::from_utf8_lossy(&path), "its pieces together are not as long as it is"));
        }
        self.paths.push(path.clone());
        self.about.push((path, node.clone()));
        if self.pieces >= PIECES_MAX { self.fetch() } else { Ok(()) }
    }

    /// Fetches all pieces that wait, pack by pack, and writes them.
    fn fetch(&mut self) -> Result<(), Fault> {
        let spots = std::mem::take(&mut self.spots);
        self.pieces = 0;
        let queue = Queue::new(FETCHED_BYTES_MAX);
        let failed: Mutex<Option<Fault>> = Mutex::new(None);
        let over = AtomicBool::new(false);
        let written = AtomicU64::new(0);
        let fail = |fault| {
            failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(fault);
            over.store(true, Ordering::Relaxed);
            queue.abandon();
        };
        let (repository, root, paths) = (self.repository, self.root, &self.paths);
        thread::scope(|scope| {
            for _ in 0..self.want.workers.max(1) {
                scope.spawn(|| {
                    let mut files = Files { root, paths, open: HashMap::new() };
                    while let Some((fetched, weight)) = queue.pop() {
                        match place(repository, &fetched, &mut files) {
                            Ok(bytes) => drop(written.fetch_add(bytes, Ordering::Relaxed)),
                            Err(fault) => fail(fault),
                        }
                        queue.done(weight);
                    }
                });
            }
            for (pack, pieces) in spots {
                for stretch in
                    stretches(pieces.into_iter().map(|(id, (location, spots))| (id, location, spots)).collect())
                {
                    if over.load(Ordering::Relaxed) {
                        return;
                    }
                    match repository.fetch(pack, stretch) {
                        Ok(fetched) => {
                            let weight = fetched.bytes.len();
                            drop(queue.push(fetched, weight));
                        }
                        Err(fault) => return fail(fault),
                    }
                }
            }
            queue.close();
        });
        self.paths.clear();
        failed.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
    }

    /// Owner, attributes, rights and times: of what lies in a folder before the folder itself.
    fn say(&mut self) -> Result<(), Fault> {
        let mut about = std::mem::take(&mut self.about);
        // Files first, then folders from the deepest up, so that no time is changed by what is made later.
        about.sort_by_key(|(path, node)| {
            let depth = path.iter().filter(|byte| **byte == b'/').count();
            (node.kind == NodeType::Dir, std::cmp::Reverse(if path == b"." { 0 } else { depth + 1 }))
        });
        for (path, node) in about {
            if !self.say_one(&path, &node)? {
                self.done.lacking.push(String::from_utf8_lossy(&path).into_owned());
            }
        }
        Ok(())
    }

    fn say_one(&self, path: &[u8], node: &Node) -> Result<bool, Fault> {
        let fault = |error: Errno| Fault::files(doing("setting what is said about", path))(error);
        let times = times(node.mtime);
        if !matches!(node.kind, NodeType::File | NodeType::Dir) {
            let (above, name) = self.above(path)?;
            if self.want.owners {
                let (owner, group) = (Uid::from_raw(node.uid), Gid::from_raw(node.gid));
                chownat(&above, name.as_slice(), Some(owner), Some(group), AtFlags::SYMLINK_NOFOLLOW).map_err(fault)?;
            }
            if node.kind != NodeType::Symlink {
                rustix::fs::chmodat(&above, name.as_slice(), Mode::from_raw_mode(node.permissions()), AtFlags::empty())
                    .map_err(fault)?;
            }
            utimensat(&above, name.as_slice(), &times, AtFlags::SYMLINK_NOFOLLOW).map_err(fault)?;
            return Ok(true);
        }
        let flags = if node.kind == NodeType::Dir { OFlags::RDONLY | OFlags::DIRECTORY } else { OFlags::WRONLY };
        let file = self.open(path, flags).map_err(fault)?;
        let mut whole = true;
        if self.want.owners {
            rustix::fs::fchown(&file, Some(Uid::from_raw(node.uid)), Some(Gid::from_raw(node.gid))).map_err(fault)?;
        }
        for attribute in &node.extended_attributes {
            match fsetxattr(&file, attribute.name.as_str(), &attribute.value, XattrFlags::empty()) {
                Ok(()) => {}
                Err(Errno::PERM | Errno::ACCESS | Errno::OPNOTSUPP | Errno::INVAL) => whole = false,
                Err(error) => return Err(fault(error)),
            }
        }
        // Changing the owner takes setuid away, so rights come after it; who may not set it is not given it.
        let permissions = Mode::from_raw_mode(node.permissions());
        fchmod(&file, permissions).map_err(fault)?;
        futimens(&file, &times).map_err(fault)?;
        Ok(whole)
    }
}

impl Repository {
    fn fetch(&self, pack: u32, pieces: Vec<(Id, Location, Vec<Spot>)>) -> Result<Fetched, Fault> {
        let start = u64::from(pieces[0].1.offset);
        let end = pieces.iter().map(|(_, at, _)| u64::from(at.offset) + u64::from(at.length)).max().unwrap_or(start);
        let id = self.known().pack(pack);
        let bytes = self.target.get(Place::In(Folder::Data, id), Some(start..end))?;
        Ok(Fetched { start, bytes, pieces })
    }
}

/// Pieces of a pack, in stretches that are fetched at once.
fn stretches(mut pieces: Vec<(Id, Location, Vec<Spot>)>) -> Vec<Vec<(Id, Location, Vec<Spot>)>> {
    pieces.sort_unstable_by_key(|(_, location, _)| location.offset);
    let mut stretches: Vec<Vec<(Id, Location, Vec<Spot>)>> = Vec::new();
    let (mut begin, mut end) = (0, 0);
    for piece in pieces {
        let (from, to) = (u64::from(piece.1.offset), u64::from(piece.1.offset) + u64::from(piece.1.length));
        match stretches.last_mut() {
            Some(stretch) if from <= end + GAP_BYTES_MAX && to - begin <= FETCH_BYTES_MAX => stretch.push(piece),
            _ => {
                begin = from;
                stretches.push(vec![piece]);
            }
        }
        end = to;
    }
    stretches
}

/// Files that are written to, opened when needed.
struct Files<'a> {
    root: BorrowedFd<'a>,
    paths: &'a [Vec<u8>],
    open: HashMap<u32, File>,
}

impl Files<'_> {
    fn get(&mut self, number: u32) -> Result<&File, Fault> {
        if !self.open.contains_key(&number) {
            if self.open.len() >= FILES_OPEN {
                self.open.clear();
            }
            let path = &self.paths[number as usize];
            let file = open_beneath(self.root, path, OFlags::WRONLY).map_err(Fault::files(doing("opening", path)))?;
            self.open.insert(number, File::from(file));
        }
        Ok(&self.open[&number])
    }
}

fn place(repository: &Repository, fetched: &Fetched, files: &mut Files<'_>) -> Result<u64, Fault> {
    let mut written = 0;
    for (id, location, spots) in &fetched.pieces {
        let from = usize::try_from(u64::from(location.offset) - fetched.start).expect("within what was fetched");
        let sealed = fetched.bytes.get(from..from + location.length as usize);
        let sealed =
            sealed.ok_or_else(|| Fault::damaged(format!("blob {}", id.short()), "its pack ends before it does"))?;
        let plain = repository.unseal(id, location, sealed)?;
        repository.progress().add(plain.len() as u64 * spots.len() as u64);
        if plain.len() > 4096 && plain.iter().all(|byte| *byte == 0) {
            continue;
        }
        for spot in spots {
            let path = |files: &Files<'_>| doing("writing", &files.paths[spot.file as usize]);
            let done = files.get(spot.file)?.write_all_at(&plain, spot.offset);
            done.map_err(|error| Fault::Files { doing: path(files), source: error })?;
            written += plain.len() as u64;
        }
    }
    Ok(written)
}

fn open_beneath(root: impl AsFd, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
    let how = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let mode = if flags.contains(OFlags::CREATE) { Mode::RUSR | Mode::WUSR } else { Mode::empty() };
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    // The kernel answers so when a name moved while it looked.
    for _ in 0..3 {
        match openat2(&root, path, flags, mode, how) {
            Err(Errno::AGAIN) => {}
            opened => return opened,
        }
    }
    Err(Errno::AGAIN)
}

fn times(moment: Moment) -> Timestamps {
    let time = Timespec { tv_sec: moment.seconds, tv_nsec: i64::from(moment.nanoseconds) };
    Timestamps { last_access: time, last_modification: time }
}

fn doing(what: &str, path: &[u8]) -> String {
    format!("{what} {:?}", String::from_utf8_lossy(path))
}
