//! What a child hands out of a backup as one stream: a folder's entries, a file, a folder as an archive, or what is otherwise than before.

use super::job::ROOT;
use husorden_backup::read::{Change, path};
use husorden_backup::{Fault, Id, Moment, Node, NodeType, Repository};
use husorden_wire::node::{BackupChange, BackupEntry, Changed, Reading, WhatLies};
use jiff::Timestamp;
use serde::Serialize;
use std::io::{self, BufWriter, Read, Write};

/// Lines of one list at most.
const LINES_MAX: usize = 200_000;
/// Bytes of a file that is held in memory on its way into an archive.
const HELD_BYTES_MAX: u64 = 1 << 20;
/// Folders within folders of an archive.
const DEPTH_MAX: usize = 400;

/// Where it goes.
pub(super) struct Hand<W: Write> {
    to: BufWriter<W>,
    lines: usize,
}

impl<W: Write> Hand<W> {
    pub(super) fn new(to: W) -> Self {
        Self { to: BufWriter::with_capacity(128 << 10, to), lines: 0 }
    }

    /// Writes a line; false when no more is taken.
    fn line(&mut self, line: &impl Serialize) -> Result<bool, Fault> {
        self.lines += 1;
        if self.lines > LINES_MAX {
            return Ok(false);
        }
        let mut text = serde_json::to_vec(line).expect("plain data has a JSON form");
        text.push(b'\n');
        self.to.write_all(&text).map_err(handing)?;
        Ok(true)
    }
}

fn handing(source: io::Error) -> Fault {
    Fault::Files { doing: "handing out what was asked for".to_owned(), source }
}

/// The names of a path of the volume, in a backup.
pub(super) fn names(text: &str) -> Vec<Vec<u8>> {
    std::iter::once(ROOT.as_bytes().to_vec()).chain(path(text.as_bytes())).collect()
}

/// Hands it out.
pub(super) fn out<W: Write>(
    repository: &Repository,
    copy: &Id,
    what: &Reading,
    mut hand: Hand<W>,
) -> Result<(), Fault> {
    match what {
        Reading::Folder { path } => {
            for node in repository.entries(copy, &names(path))? {
                if !hand.line(&entry(&node))? {
                    break;
                }
            }
        }
        Reading::Content { path } => {
            let names = names(path);
            let node = repository.find(copy, &names)?;
            match node.kind {
                NodeType::File => drop(repository.dump(copy, &names, &mut hand.to)?),
                NodeType::Dir => {
                    let mut archive = tar::Builder::new(&mut hand.to);
                    folder(repository, copy, &names, Vec::new(), &mut archive, 0)?;
                    archive.finish().map_err(handing)?;
                }
                _ => return Err(Fault::NotInBackup(format!("/{path} is neither a file nor a folder; what it holds"))),
            }
        }
        Reading::Since { copy: old, path } => {
            let old = old.parse().map_err(|_| Fault::Missing(format!("the backup {old:?}")))?;
            let within = names(path);
            let mut failed = None;
            repository.differences(&old, copy, &mut |difference| {
                if !difference.path.starts_with(&within) || difference.path.len() < 2 {
                    return true;
                }
                let line = BackupChange {
                    path: String::from_utf8_lossy(&difference.path[1..].join(&b'/')).into_owned(),
                    is: lies(difference.kind),
                    change: match difference.change {
                        Change::Added => Changed::Added,
                        Change::Removed => Changed::Removed,
                        Change::Content => Changed::Content,
                        Change::About => Changed::About,
                    },
                    before: difference.bytes.0,
                    after: difference.bytes.1,
                };
                hand.line(&line).unwrap_or_else(|fault| {
                    failed = Some(fault);
                    false
                })
            })?;
            if let Some(fault) = failed {
                return Err(fault);
            }
        }
    }
    hand.to.flush().map_err(handing)
}

fn lies(kind: NodeType) -> WhatLies {
    match kind {
        NodeType::File => WhatLies::File,
        NodeType::Dir => WhatLies::Folder,
        NodeType::Symlink => WhatLies::Link,
        NodeType::Dev | NodeType::Chardev | NodeType::Fifo | NodeType::Socket => WhatLies::Other,
    }
}

fn entry(node: &Node) -> BackupEntry {
    BackupEntry {
        name: String::from_utf8_lossy(&node.name).into_owned(),
        is: lies(node.kind),
        bytes: node.size,
        modified: time(node.mtime),
        mode: node.permissions(),
    }
}

fn time(moment: Moment) -> Timestamp {
    Timestamp::new(moment.seconds, moment.nanoseconds).unwrap_or_default()
}

/// Puts a folder into an archive, under its own name. What is neither file, folder nor link is left out.
fn folder(
    repository: &Repository,
    copy: &Id,
    names: &[Vec<u8>],
    inner: Vec<u8>,
    archive: &mut tar::Builder<impl Write>,
    depth: usize,
) -> Result<(), Fault> {
    if depth > DEPTH_MAX {
        return Err(Fault::Limit(format!("folders lie more than {DEPTH_MAX} deep; ask for one further down")));
    }
    for node in repository.entries(copy, names)? {
        let below: Vec<Vec<u8>> = names.iter().cloned().chain([node.name.clone()]).collect();
        let mut path = inner.clone();
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(&node.name);
        let mut header = tar::Header::new_gnu();
        header.set_mode(node.permissions() & 0o777);
        header.set_mtime(u64::try_from(node.mtime.seconds).unwrap_or(0));
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(0);
        let text = as_path(&path);
        match node.kind {
            NodeType::Dir => {
                header.set_entry_type(tar::EntryType::Directory);
                archive.append_data(&mut header, text, io::empty()).map_err(handing)?;
                folder(repository, copy, &below, path, archive, depth + 1)?;
            }
            NodeType::Symlink => {
                header.set_entry_type(tar::EntryType::Symlink);
                let target = node.target();
                archive.append_link(&mut header, text, as_path(&target)).map_err(handing)?;
            }
            NodeType::File => {
                header.set_entry_type(tar::EntryType::Regular);
                header.set_size(node.size);
                file(repository, copy, &below, &node, (header, text), archive)?;
            }
            NodeType::Dev | NodeType::Chardev | NodeType::Fifo | NodeType::Socket => {}
        }
    }
    Ok(())
}

fn as_path(bytes: &[u8]) -> &std::path::Path {
    use std::os::unix::ffi::OsStrExt;
    std::path::Path::new(std::ffi::OsStr::from_bytes(bytes))
}

/// Puts one file into an archive: small ones at once, large ones through a pipe that another thread fills.
fn file(
    repository: &Repository,
    copy: &Id,
    names: &[Vec<u8>],
    node: &Node,
    (mut header, path): (tar::Header, &std::path::Path),
    archive: &mut tar::Builder<impl Write>,
) -> Result<(), Fault> {
    if node.size <= HELD_BYTES_MAX {
        let mut bytes = Vec::new();
        repository.dump(copy, names, &mut bytes)?;
        return archive.append_data(&mut header, path, bytes.as_slice()).map_err(handing);
    }
    let (reader, mut writer) = io::pipe().map_err(handing)?;
    std::thread::scope(|scope| {
        let filling = scope.spawn(move || repository.dump(copy, names, &mut writer));
        let mut limited = reader.take(node.size);
        let put = archive.append_data(&mut header, path, &mut limited);
        drop(limited);
        let filled = filling.join().map_err(|_| Fault::Limit("a thread of the archive died".to_owned()))?;
        put.map_err(handing)?;
        filled.map(drop)
    })
}
