//! Writing a backup: one walks, several cut and seal, two send, one puts the directories together.
//!
//! ```text
//! walk ──pieces──▶ workers ──packs──▶ senders ──▶ target
//!   └──events──▶ finisher (directories, from the leaves up) ──▶ root ──▶ snapshot, last of all
//! ```
//!
//! Everything between them is bounded in bytes. The snapshot is written when every pack and every index before it was acknowledged:
//! until then nothing on the target is a backup. What broke off is found by the next one, for blobs are named by what they hold.

mod append;
mod extents;
mod finish;
mod packer;
mod pages;
mod pending;
mod repack;
mod walk;

pub use append::{Appended, LOG, Piece, Shelf};
pub(crate) use packer::located;

use crate::fault::Fault;
use crate::format::{BlobType, Moment, Snapshot, Summary, Tree};
use crate::id::Id;
use crate::queue::Queue;
use crate::repository::Repository;
use crate::target::Folder;
use finish::Event;
use packer::{Packer, Press};
use pending::Pending;
use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// Compression: restic's default is about three; one costs a third of it and keeps nearly as much.
const LEVEL: i32 = 1;
/// Bytes of files that lie between reading and sealing.
const PIECES_BYTES_MAX: usize = 12 << 20;
/// Entries of directories that are walked before they are put together.
const EVENTS_MAX: usize = 8192;
const SENDERS: usize = 2;
/// The name of the volume at the root of a backup.
const VOLUME: &str = "volume";

/// What is to be backed up.
pub struct Source {
    /// The volume: a read-only snapshot, opened.
    pub volume: OwnedFd,
    /// What is kept beside it: names and contents, such as settings and what is to be compared by a proof.
    pub notes: Vec<(String, Vec<u8>)>,
    /// The former backup, which is looked at for what has not changed.
    pub former: Option<Former>,
}

/// The former backup.
pub struct Former {
    /// Its snapshot in the repository.
    pub snapshot: Id,
    /// The volume's snapshot it was made of, where that is still held on the node.
    pub volume: Option<OwnedFd>,
    /// Whoever gives both knows that they are read-only snapshots on one disk. Otherwise the kernel is asked, and a sandbox may not ask.
    pub same_disk: bool,
}

/// How it is done.
pub struct Options {
    /// Where it is made, as restic shows it.
    pub host: String,
    /// Labels.
    pub tags: Vec<String>,
    /// When the volume was as it is backed up.
    pub time: Moment,
    /// Threads that cut and seal.
    pub workers: usize,
    /// Who sets it ends the backup soon.
    pub stop: Arc<AtomicBool>,
}

/// What a backup was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Its name in the repository.
    pub snapshot: Id,
    /// Files in it.
    pub files: u64,
    /// Directories in it.
    pub folders: u64,
    /// Bytes of its files.
    pub bytes: u64,
    /// Bytes of files that were read for it.
    pub bytes_read: u64,
    /// Bytes that were put on the target for it.
    pub bytes_sent: u64,
    /// Blobs that the repository did not have.
    pub blobs_new: u64,
}

/// Work for those who cut and seal.
enum Job {
    /// A small file, which the worker opens and reads itself.
    Whole { folder: Arc<OwnedFd>, name: Vec<u8>, pending: Arc<Pending> },
    /// Bytes that are pieces of this length; the last may be shorter.
    Pieces { bytes: Vec<u8>, piece: usize, pending: Arc<Pending>, first: usize },
}

/// What all threads of one backup share.
struct Shared<'a> {
    packer: Packer<'a>,
    jobs: Queue<Job>,
    events: Queue<Event>,
    failed: Mutex<Option<Fault>>,
    over: AtomicBool,
    stop: Arc<AtomicBool>,
    files: AtomicU64,
    folders: AtomicU64,
    bytes: AtomicU64,
    bytes_read: AtomicU64,
}

impl Shared<'_> {
    /// The first fault ends the backup; those that follow from it say nothing.
    fn fail(&self, fault: Fault) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        if failed.is_none() || matches!(*failed, Some(Fault::Stopped)) && !matches!(fault, Fault::Stopped) {
            *failed = Some(fault);
        }
        drop(failed);
        self.over.store(true, Ordering::Relaxed);
        self.jobs.abandon();
        self.events.abandon();
        self.packer.queue.abandon();
    }

    fn over(&self) -> bool {
        self.over.load(Ordering::Relaxed) || self.stop.load(Ordering::Relaxed)
    }

    /// Runs a thread's work; whatever goes wrong ends the backup.
    fn run<R>(&self, work: impl FnOnce() -> Result<R, Fault>) -> Option<R> {
        work().map_err(|fault| self.fail(fault)).ok()
    }

    fn work(&self) -> Result<(), Fault> {
        let mut press = Press::new(LEVEL)?;
        while let Some((job, weight)) = self.jobs.pop() {
            if self.over() {
                return Err(Fault::Stopped);
            }
            match job {
                Job::Pieces { bytes, piece, pending, first } => {
                    for (at, part) in bytes.chunks(piece).enumerate() {
                        pending.fill(first + at, self.packer.add(BlobType::Data, part, &mut press)?);
                    }
                }
                Job::Whole { folder, name, pending } => self.whole(&folder, &name, &pending, &mut press)?,
            }
            self.jobs.done(weight);
        }
        Ok(())
    }

    fn whole(&self, folder: &OwnedFd, name: &[u8], pending: &Pending, press: &mut Press) -> Result<(), Fault> {
        let file = walk::open_file(folder, name)?;
        let attributes = walk::attributes(&file, name)?;
        let mut bytes = Vec::new();
        File::from(file).read_to_end(&mut bytes).map_err(Fault::files(walk::doing("reading", name)))?;
        self.bytes_read.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        if !bytes.is_empty() {
            let at = pending.expect(1);
            pending.fill(at, self.packer.add(BlobType::Data, &bytes, press)?);
        }
        pending.cut(|node| {
            node.size = bytes.len() as u64;
            node.extended_attributes = attributes;
        });
        Ok(())
    }

    fn send(&self) -> Result<(), Fault> {
        while let Some((closed, weight)) = self.packer.queue.pop() {
            self.packer.send(closed)?;
            self.packer.queue.done(weight);
        }
        Ok(())
    }
}

impl Repository {
    /// Writes a backup and says what it was, when all of it is on the target.
    ///
    /// # Errors
    /// What hindered it; then there is no new backup, and what was sent serves the next.
    pub fn write(&self, source: &Source, options: &Options) -> Result<Written, Fault> {
        let former = source.former.as_ref().and_then(|former| self.former_tree(former));
        let shared = Shared {
            packer: Packer::new(self),
            jobs: Queue::new(PIECES_BYTES_MAX),
            events: Queue::new(EVENTS_MAX),
            failed: Mutex::new(None),
            over: AtomicBool::new(false),
            stop: Arc::clone(&options.stop),
            files: AtomicU64::new(0),
            folders: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            bytes_read: AtomicU64::new(0),
        };
        let root = shared.all(source, former, options.workers.max(1));
        let written = root.ok_or(()).map_err(|()| {
            let failed = shared.failed.lock().unwrap_or_else(PoisonError::into_inner).take();
            failed.unwrap_or(Fault::Stopped)
        });
        let written = written.and_then(|tree| self.seal_off(tree, &shared, source, options));
        if written.is_err() {
            // What was claimed and never written must not be thought to be there by the next backup of this process.
            self.known().forget_claims();
        }
        written
    }

    /// The tree of the volume in the former backup. A former backup that can't be read makes this one slower and no worse.
    fn former_tree(&self, former: &Former) -> Option<Tree> {
        let snapshot = self.snapshot(&former.snapshot).ok()?;
        let root = self.tree(&snapshot.tree).ok()?;
        self.tree(root.find(VOLUME.as_bytes())?.subtree.as_ref()?).ok()
    }

    fn seal_off(&self, tree: Id, shared: &Shared<'_>, source: &Source, options: &Options) -> Result<Written, Fault> {
        let (files, bytes) = (shared.files.load(Ordering::Relaxed), shared.bytes.load(Ordering::Relaxed));
        let snapshot = Snapshot {
            time: options.time,
            parent: source.former.as_ref().map(|former| former.snapshot),
            tree,
            paths: vec![format!("/{VOLUME}")],
            hostname: options.host.clone(),
            username: "husorden".to_owned(),
            tags: options.tags.clone(),
            program_version: format!("husorden {}", env!("CARGO_PKG_VERSION")),
            summary: Some(Summary { total_files_processed: files, total_bytes_processed: bytes }),
        };
        let (id, sent) = self.save(Folder::Snapshots, &snapshot)?;
        Ok(Written {
            snapshot: id,
            files,
            folders: shared.folders.load(Ordering::Relaxed),
            bytes,
            bytes_read: shared.bytes_read.load(Ordering::Relaxed),
            bytes_sent: shared.packer.bytes_sent.load(Ordering::Relaxed) + sent,
            blobs_new: shared.packer.blobs_new.load(Ordering::Relaxed),
        })
    }
}

impl Shared<'_> {
    /// Runs all threads to their end; nothing when one of them failed.
    fn all(&self, source: &Source, former: Option<Tree>, workers: usize) -> Option<Id> {
        thread::scope(|scope| {
            let senders: Vec<_> = (0..SENDERS).map(|_| scope.spawn(|| self.run(|| self.send()))).collect();
            let working: Vec<_> = (0..workers).map(|_| scope.spawn(|| self.run(|| self.work()))).collect();
            let finisher = scope.spawn(|| self.run(|| finish::finish(self)));
            let walked = self.run(|| walk::walk(self, source, former));
            self.events.close();
            let root = finisher.join().ok().flatten();
            self.jobs.close();
            let worked = working.into_iter().all(|thread| thread.join().ok().flatten().is_some());
            self.packer.finish();
            self.packer.queue.close();
            let sent = senders.into_iter().all(|thread| thread.join().ok().flatten().is_some());
            let whole = walked.is_some() && worked && sent && !self.over();
            let named = whole.then(|| self.run(|| self.packer.finish_index())).flatten();
            named.and(root)
        })
    }
}

/// How a folder of the volume is opened.
pub(crate) const FOLDER: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
/// Opening makes nothing, so no rights are given.
pub(crate) const NONE: Mode = Mode::empty();
