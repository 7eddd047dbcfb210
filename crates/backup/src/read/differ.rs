//! What changed between two backups: what a person looks at after a break-in.

use super::DEPTH_MAX;
use crate::fault::Fault;
use crate::format::{Node, NodeType, Tree};
use crate::id::Id;
use crate::repository::Repository;

/// How a path differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was not there before.
    Added,
    /// It is not there any more.
    Removed,
    /// It holds something else, or is something else.
    Content,
    /// Rights, owner, attributes or where a link points are others; what it holds is the same.
    About,
}

/// A path that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Its names from the root of the backup.
    pub path: Vec<Vec<u8>>,
    /// What it is, or was.
    pub kind: NodeType,
    /// How it differs.
    pub change: Change,
    /// Bytes before and after.
    pub bytes: (u64, u64),
}

impl Repository {
    /// Tells every difference from one backup to another, in order, until `tell` says that it is enough.
    ///
    /// # Errors
    /// What can't be read.
    pub fn differences(&self, old: &Id, new: &Id, tell: &mut dyn FnMut(Difference) -> bool) -> Result<(), Fault> {
        let (old, new) = (self.snapshot(old)?.tree, self.snapshot(new)?.tree);
        self.between(Some(old), Some(new), &mut Vec::new(), tell).map(drop)
    }

    /// Whether more is to be told. What has the same name holds the same, however much lies below.
    fn between(
        &self,
        old: Option<Id>,
        new: Option<Id>,
        path: &mut Vec<Vec<u8>>,
        tell: &mut dyn FnMut(Difference) -> bool,
    ) -> Result<bool, Fault> {
        if old == new || path.len() > DEPTH_MAX {
            return Ok(true);
        }
        let read = |id: Option<Id>| id.map_or(Ok(Tree { nodes: Vec::new() }), |id| self.tree(&id));
        let (old, new) = (read(old)?.nodes, read(new)?.nodes);
        let (mut olds, mut news) = (old.iter().peekable(), new.iter().peekable());
        loop {
            let (before, after) = match (olds.peek(), news.peek()) {
                (None, None) => return Ok(true),
                (Some(_), None) => (olds.next(), None),
                (None, Some(_)) => (None, news.next()),
                (Some(one), Some(other)) => match one.name.cmp(&other.name) {
                    std::cmp::Ordering::Less => (olds.next(), None),
                    std::cmp::Ordering::Greater => (None, news.next()),
                    std::cmp::Ordering::Equal => (olds.next(), news.next()),
                },
            };
            let Some(node) = after.or(before) else { return Ok(true) };
            path.push(node.name.clone());
            let change = change(before, after);
            let size = |node: Option<&Node>| node.map_or(0, |node| node.size);
            let difference = change.map(|change| Difference {
                path: path.clone(),
                kind: node.kind,
                change,
                bytes: (size(before), size(after)),
            });
            let more = difference.is_none_or(&mut *tell);
            let below = |node: Option<&Node>| node.and_then(|node| node.subtree);
            let more = more && self.between(below(before), below(after), path, tell)?;
            path.pop();
            if !more {
                return Ok(false);
            }
        }
    }
}

fn change(before: Option<&Node>, after: Option<&Node>) -> Option<Change> {
    let (before, after) = match (before, after) {
        (Some(before), Some(after)) => (before, after),
        (None, _) => return Some(Change::Added),
        (_, None) => return Some(Change::Removed),
    };
    if before.kind != after.kind || before.content != after.content || before.target() != after.target() {
        return Some(Change::Content);
    }
    let about = |node: &Node| (node.mode, node.uid, node.gid, node.device, node.extended_attributes.clone());
    (about(before) != about(after)).then_some(Change::About)
}
