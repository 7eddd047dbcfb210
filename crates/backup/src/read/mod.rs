//! Reading a backup: paths, listings, files as streams, what differs between two, and putting things back.

mod differ;
mod restore;

pub use differ::{Change, Difference};
pub use restore::{Restored, Want};

use crate::fault::Fault;
use crate::format::{BlobType, Node, NodeType};
use crate::id::Id;
use crate::repository::Repository;
use std::io::Write;

/// Deepest path that is followed; the system allows no longer ones in one call.
pub(crate) const DEPTH_MAX: usize = 2048;

/// A path within a backup, by its names; the volume's own files lie under `volume`.
#[must_use]
pub fn path(text: &[u8]) -> Vec<Vec<u8>> {
    text.split(|byte| *byte == b'/').filter(|name| !name.is_empty()).map(<[u8]>::to_vec).collect()
}

impl Repository {
    /// What lies in a folder of a backup; no names are the root.
    ///
    /// # Errors
    /// [`Fault::NotInBackup`], or what can't be read.
    pub fn entries(&self, snapshot: &Id, names: &[Vec<u8>]) -> Result<Vec<Node>, Fault> {
        let root = self.snapshot(snapshot)?.tree;
        let tree = match names {
            [] => root,
            names => {
                let node = self.find_in(root, names)?;
                node.subtree.filter(|_| node.kind == NodeType::Dir).ok_or_else(|| not_there(names))?
            }
        };
        Ok(self.tree(&tree)?.nodes)
    }

    /// What a path of a backup names.
    ///
    /// # Errors
    /// [`Fault::NotInBackup`], or what can't be read.
    pub fn find(&self, snapshot: &Id, names: &[Vec<u8>]) -> Result<Node, Fault> {
        self.find_in(self.snapshot(snapshot)?.tree, names)
    }

    fn find_in(&self, root: Id, names: &[Vec<u8>]) -> Result<Node, Fault> {
        let mut tree = Some(root);
        let mut found = None;
        for name in names {
            let folder = self.tree(&tree.ok_or_else(|| not_there(names))?)?;
            let node = folder.find(name).cloned().ok_or_else(|| not_there(names))?;
            tree = node.subtree;
            found = Some(node);
        }
        found.ok_or_else(|| not_there(names))
    }

    /// Writes what a file of a backup holds, piece by piece.
    ///
    /// # Errors
    /// When it is no file, can't be read or can't be written.
    pub fn dump(&self, snapshot: &Id, names: &[Vec<u8>], into: &mut dyn Write) -> Result<u64, Fault> {
        let node = self.find(snapshot, names)?;
        if node.kind != NodeType::File {
            return Err(not_there(names));
        }
        let mut bytes = 0;
        // Pieces that repeat, such as those of a hole, are fetched once.
        let mut last: Option<(Id, Vec<u8>)> = None;
        for id in node.content.as_deref().unwrap_or_default() {
            if last.as_ref().is_none_or(|(kept, _)| kept != id) {
                last = Some((*id, self.blob(BlobType::Data, id)?));
            }
            let (_, piece) = last.as_ref().expect("it was just set");
            into.write_all(piece).map_err(Fault::files("writing what was asked for"))?;
            bytes += piece.len() as u64;
        }
        Ok(bytes)
    }
}

fn not_there(names: &[Vec<u8>]) -> Fault {
    let names: Vec<_> = names.iter().map(|name| String::from_utf8_lossy(name)).collect();
    Fault::NotInBackup(format!("/{}", names.join("/")))
}
