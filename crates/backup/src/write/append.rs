//! Files that are added to folders which only grow, such as pieces of a log. Nothing of what is there is read: who adds keeps the [`Shelf`],
//! what must be known of the former trees, so that adding costs the same however much there is.
//!
//! ```text
//! log/<line>/<chapter>/<piece>      each snapshot names all that is on the shelf
//! ```
//!
//! A chapter is closed when it is full, and its tree never written again. Old chapters leave the shelf; what they held stays on the target
//! as long as an older snapshot does.

use super::packer::{Packer, Press};
use super::walk::empty;
use super::{LEVEL, Options};
use crate::fault::Fault;
use crate::format::{BlobType, Moment, Node, NodeType, Snapshot, Tree};
use crate::id::Id;
use crate::repository::Repository;
use crate::target::Folder;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::sync::atomic::Ordering;
use std::thread;

/// The folder at the root of such a snapshot.
pub const LOG: &str = "log";
/// Pieces of one chapter.
const CHAPTER_PIECES_MAX: usize = 128;
/// Chapters of one line; then the oldest leave the shelf.
const CHAPTERS_MAX: usize = 1_000;
/// Bytes of one blob.
const BLOB_BYTES: u64 = 4 << 20;

/// A file that is added.
pub struct Piece {
    /// Its name. Names of one line come in order.
    pub name: String,
    /// The file.
    pub file: File,
    /// When it was made.
    pub made: Moment,
}

/// What is to be known of what is there. Plain data, for whoever adds next.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shelf {
    #[serde(default)]
    snapshot: Option<Id>,
    #[serde(default)]
    lines: BTreeMap<String, Line>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Line {
    tree: Option<Id>,
    chapters: Vec<Chapter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Chapter {
    /// What the name of its first piece begins with, up to the first underscore.
    name: String,
    /// When its last piece was made.
    until: i64,
    tree: Option<Id>,
    /// What is in it, as long as it is not full.
    open: Vec<Node>,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The snapshot that names all of it.
    pub snapshot: Id,
    /// What the next one is to know.
    pub shelf: Shelf,
    /// Bytes that were put on the target.
    pub bytes_sent: u64,
}

impl Repository {
    /// Adds pieces to a line, and lets chapters go of which the last piece was made before `keep`, in seconds since 1970.
    ///
    /// # Errors
    /// What hindered it; then there is no new snapshot, and the shelf is as it was.
    pub fn append(
        &self,
        mut shelf: Shelf,
        line: &str,
        pieces: Vec<Piece>,
        keep: i64,
        options: &Options,
    ) -> Result<Appended, Fault> {
        let packer = Packer::new(self);
        let root = thread::scope(|scope| {
            let sender = scope.spawn(|| {
                let sent = send(&packer);
                if sent.is_err() {
                    packer.queue.abandon();
                }
                sent
            });
            let put = put(&packer, &mut shelf, line, pieces, keep, options);
            let put = put.inspect(|_| packer.finish());
            packer.queue.close();
            let sent = sender.join().unwrap_or_else(|_| Err(Fault::Limit("a thread that sends died".to_owned())));
            sent.and(put)
        })?;
        packer.finish_index()?;
        let snapshot = Snapshot {
            time: options.time,
            parent: shelf.snapshot,
            tree: root,
            paths: vec![format!("/{LOG}")],
            hostname: options.host.clone(),
            username: "husorden".to_owned(),
            tags: options.tags.clone(),
            program_version: format!("husorden {}", env!("CARGO_PKG_VERSION")),
            summary: None,
        };
        let (id, bytes) = self.save(Folder::Snapshots, &snapshot)?;
        shelf.snapshot = Some(id);
        Ok(Appended { snapshot: id, shelf, bytes_sent: packer.bytes_sent.load(Ordering::Relaxed) + bytes })
    }
}

fn send(packer: &Packer<'_>) -> Result<(), Fault> {
    while let Some((closed, weight)) = packer.queue.pop() {
        packer.send(closed)?;
        packer.queue.done(weight);
    }
    Ok(())
}

/// Cuts and seals the pieces, and gives the tree of the root.
fn put(
    packer: &Packer<'_>,
    shelf: &mut Shelf,
    line: &str,
    pieces: Vec<Piece>,
    keep: i64,
    options: &Options,
) -> Result<Id, Fault> {
    let mut press = Press::new(LEVEL)?;
    let mut seal = |kind, bytes: &[u8]| packer.add(kind, bytes, &mut press);
    let own = shelf.lines.entry(line.to_owned()).or_default();
    for piece in pieces {
        if options.stop.load(Ordering::Relaxed) {
            return Err(Fault::Stopped);
        }
        let node = file(&mut seal, piece)?;
        let seconds = node.mtime.seconds;
        match own.chapters.last_mut().filter(|chapter| !chapter.open.is_empty()) {
            Some(chapter) => {
                chapter.open.push(node);
                chapter.until = chapter.until.max(seconds);
            }
            None => {
                let name = String::from_utf8_lossy(&node.name);
                let name = name.split('_').next().unwrap_or_default().to_owned();
                own.chapters.push(Chapter { name, until: seconds, tree: None, open: vec![node] });
            }
        }
        let newest = own.chapters.last_mut().expect("one was just there");
        if newest.open.len() >= CHAPTER_PIECES_MAX {
            close(&mut seal, newest)?;
            newest.open.clear();
        }
    }
    if let Some(newest) = own.chapters.last_mut().filter(|chapter| !chapter.open.is_empty()) {
        close(&mut seal, newest)?;
    }
    own.tree = None;
    for line in shelf.lines.values_mut() {
        let before = line.chapters.len();
        let too_many = before.saturating_sub(CHAPTERS_MAX);
        line.chapters.drain(..too_many);
        line.chapters.retain(|chapter| chapter.until >= keep);
        if line.chapters.len() != before {
            line.tree = None;
        }
    }
    shelf.lines.retain(|_, line| !line.chapters.is_empty());
    let mut lines = Vec::new();
    for (name, line) in &mut shelf.lines {
        let until = line.chapters.iter().map(|chapter| chapter.until).max().unwrap_or(0);
        if line.tree.is_none() {
            let chapters = line.chapters.iter().map(|chapter| folder(&chapter.name, chapter.until, chapter.tree));
            let tree = Tree { nodes: chapters.collect() };
            line.tree = Some(seal(BlobType::Tree, &tree.to_bytes())?);
        }
        lines.push(folder(name, until, line.tree));
    }
    let until = lines.iter().map(|node| node.mtime.seconds).max().unwrap_or(0);
    let all = seal(BlobType::Tree, &Tree { nodes: lines }.to_bytes())?;
    let root = Tree { nodes: vec![folder(LOG, until, Some(all))] };
    seal(BlobType::Tree, &root.to_bytes())
}

fn close(seal: &mut impl FnMut(BlobType, &[u8]) -> Result<Id, Fault>, chapter: &mut Chapter) -> Result<(), Fault> {
    let tree = Tree { nodes: chapter.open.clone() };
    chapter.tree = Some(seal(BlobType::Tree, &tree.to_bytes())?);
    Ok(())
}

fn file(seal: &mut impl FnMut(BlobType, &[u8]) -> Result<Id, Fault>, piece: Piece) -> Result<Node, Fault> {
    let (mut content, mut size, mut file) = (Vec::new(), 0, piece.file);
    loop {
        let mut bytes = Vec::new();
        let read = Read::by_ref(&mut file).take(BLOB_BYTES).read_to_end(&mut bytes);
        read.map_err(Fault::files(format!("reading {}", piece.name)))?;
        if bytes.is_empty() {
            break;
        }
        size += bytes.len() as u64;
        content.push(seal(BlobType::Data, &bytes)?);
    }
    Ok(Node {
        mode: Node::go_mode(NodeType::File, 0o400),
        mtime: piece.made,
        atime: piece.made,
        ctime: piece.made,
        size,
        content: Some(content),
        ..empty(piece.name.as_bytes(), NodeType::File)
    })
}

fn folder(name: &str, seconds: i64, tree: Option<Id>) -> Node {
    let moment = Moment { seconds, nanoseconds: 0 };
    Node {
        mode: Node::go_mode(NodeType::Dir, 0o700),
        mtime: moment,
        atime: moment,
        ctime: moment,
        subtree: tree,
        ..empty(name.as_bytes(), NodeType::Dir)
    }
}
