//! Looking whether a repository is what it should be. Three looks, each of which finds what the one before can't.
//!
//! 1. *names*: every object's SHA-256 is its name. Needs no key, so the target's side can do it alone.
//! 2. *structure*: the key opens, indexes and backups read, every pack is there with its length, every directory and every piece of a file
//!    is named by an index.
//! 3. *contents*: packs are read, their headers say what the index says, and every blob opens and is what its name says.

use crate::fault::Fault;
use crate::format::{BlobType, HEADER_TAIL_BYTES, IndexBlob, IndexFile, Snapshot, header_bytes, header_read};
use crate::id::Id;
use crate::known::Location;
use crate::repository::Repository;
use crate::target::{Folder, Listed, Place, Target};
use crate::write::located;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

/// Which look found something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Look {
    /// Hashes and names.
    Names,
    /// What names what.
    Structure,
    /// What is in packs.
    Contents,
}

impl fmt::Display for Look {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Names => "names",
            Self::Structure => "structure",
            Self::Contents => "contents",
        })
    }
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which look found it.
    pub look: Look,
    /// Where.
    pub place: String,
    /// What.
    pub what: String,
}

impl Finding {
    fn new(look: Look, place: impl ToString, what: impl ToString) -> Self {
        Self { look, place: place.to_string(), what: what.to_string() }
    }
}

/// What of the packs is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// None.
    None,
    /// Those whose turn it is: part `turn` of `of`, so that `of` checks in a row read everything.
    Part {
        /// Whose turn it is, from 0.
        turn: u8,
        /// Parts in all.
        of: u8,
    },
    /// All.
    All,
}

impl Share {
    fn takes(self, pack: &Id) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Part { turn, of } => pack.0[0] % of.max(1) == turn,
        }
    }
}

/// What a check saw.
#[derive(Clone, Debug, Default)]
pub struct Checked {
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// What is there and serves nothing: what broke off, or what the target's side will tidy.
    pub leftovers: usize,
    /// Backups that are whole as far as was looked.
    pub snapshots: Vec<Id>,
    /// Packs that were read.
    pub packs_read: usize,
    /// Bytes that were read from packs.
    pub bytes_read: u64,
}

/// Compares every object with its name, without any key. `tell` hears of each that is wrong.
///
/// # Errors
/// When the target does not answer.
pub fn check_names(target: &dyn Target, share: Share) -> Result<Checked, Fault> {
    let mut checked = Checked::default();
    for folder in Folder::ALL {
        for Listed { id, .. } in target.list(folder)? {
            if folder == Folder::Data && !share.takes(&id) {
                continue;
            }
            let place = Place::In(folder, id);
            let bytes = match target.get(place, None) {
                Ok(bytes) => bytes,
                Err(Fault::Missing(_)) => continue,
                Err(fault) => return Err(fault),
            };
            if Id::of(&bytes) != id {
                checked.findings.push(Finding::new(Look::Names, place, "its content is not what its name says"));
            }
            if folder == Folder::Data {
                checked.packs_read += 1;
                checked.bytes_read += bytes.len() as u64;
            }
        }
    }
    Ok(checked)
}

impl Repository {
    /// As [`check_names`], of the target that it lies on.
    ///
    /// # Errors
    /// When the target does not answer.
    pub fn check_names(&self, share: Share) -> Result<Checked, Fault> {
        check_names(self.target.as_ref(), share)
    }

    /// Looks at structure, and at the contents of a share of the packs.
    ///
    /// # Errors
    /// When the target does not answer; what is damaged is a finding.
    pub fn check(&self, share: Share) -> Result<Checked, Fault> {
        let mut checked = Checked::default();
        let packs = self.check_indexes(&mut checked)?;
        let there: HashMap<Id, u64> =
            self.target.list(Folder::Data)?.into_iter().map(|listed| (listed.id, listed.bytes)).collect();
        for (id, blobs) in &packs {
            let place = Place::In(Folder::Data, *id);
            let sealed: u64 = blobs.iter().map(|blob| u64::from(blob.length)).sum();
            let header = header_bytes(blobs.iter().map(|blob| blob.uncompressed_length.is_some()));
            match there.get(id) {
                None => {
                    checked.findings.push(Finding::new(Look::Structure, place, "it is named by an index and not there"))
                }
                Some(bytes) if *bytes != sealed + header as u64 => {
                    let what = format!("it has {bytes} bytes where {} are due", sealed + header as u64);
                    checked.findings.push(Finding::new(Look::Structure, place, what));
                }
                Some(_) => {}
            }
        }
        checked.leftovers += there.keys().filter(|id| !packs.contains_key(id)).count();
        self.check_snapshots(&packs, &there, &mut checked)?;
        for (id, blobs) in packs.iter().filter(|(id, _)| there.contains_key(id) && share.takes(id)) {
            self.check_pack(id, blobs, &mut checked)?;
        }
        Ok(checked)
    }

    /// All packs that indexes name, with their blobs in order.
    fn check_indexes(&self, checked: &mut Checked) -> Result<BTreeMap<Id, Vec<IndexBlob>>, Fault> {
        let mut packs: BTreeMap<Id, Vec<IndexBlob>> = BTreeMap::new();
        for listed in self.target.list(Folder::Index)? {
            let place = Place::In(Folder::Index, listed.id);
            match self.load::<IndexFile>(place) {
                Ok(file) => {
                    for mut pack in file.packs {
                        pack.blobs.sort_unstable_by_key(|blob| blob.offset);
                        packs.insert(pack.id, pack.blobs);
                    }
                }
                Err(Fault::Damaged { why, .. }) => checked.findings.push(Finding::new(Look::Structure, place, why)),
                Err(Fault::Missing(_)) => {}
                Err(fault) => return Err(fault),
            }
        }
        Ok(packs)
    }

    fn check_snapshots(
        &self,
        packs: &BTreeMap<Id, Vec<IndexBlob>>,
        there: &HashMap<Id, u64>,
        checked: &mut Checked,
    ) -> Result<(), Fault> {
        // What the indexes say now, and not when the repository was opened.
        let named: HashMap<(BlobType, Id), Id> =
            packs.iter().flat_map(|(pack, blobs)| blobs.iter().map(|blob| ((blob.kind, blob.id), *pack))).collect();
        let reachable = |kind, id: &Id| named.get(&(kind, *id)).is_some_and(|pack| there.contains_key(pack));
        let mut seen = HashSet::new();
        for listed in self.target.list(Folder::Snapshots)? {
            let place = Place::In(Folder::Snapshots, listed.id);
            let snapshot: Snapshot = match self.load(place) {
                Ok(snapshot) => snapshot,
                Err(Fault::Missing(_)) => continue,
                Err(Fault::Damaged { why, .. }) => {
                    checked.findings.push(Finding::new(Look::Structure, place, why));
                    continue;
                }
                Err(fault) => return Err(fault),
            };
            let before = checked.findings.len();
            let mut waiting = vec![snapshot.tree];
            while let Some(id) = waiting.pop() {
                if !seen.insert(id) {
                    continue;
                }
                let name = format!("directory {} of {place}", id.short());
                if !reachable(BlobType::Tree, &id) {
                    checked.findings.push(Finding::new(Look::Structure, name, "no pack that is there holds it"));
                    continue;
                }
                let tree = match self.tree(&id) {
                    Ok(tree) => tree,
                    Err(Fault::Damaged { why, .. }) => {
                        checked.findings.push(Finding::new(Look::Structure, name, why));
                        continue;
                    }
                    Err(Fault::Missing(_)) => {
                        checked.findings.push(Finding::new(Look::Structure, name, "its pack is not there"));
                        continue;
                    }
                    Err(fault) => return Err(fault),
                };
                for node in tree.nodes {
                    waiting.extend(node.subtree);
                    let lost = node.content.iter().flatten().filter(|id| !reachable(BlobType::Data, id)).count();
                    if lost > 0 {
                        let what = format!("{lost} pieces of {:?} are lost", String::from_utf8_lossy(&node.name));
                        checked.findings.push(Finding::new(Look::Structure, &name, what));
                    }
                }
            }
            if checked.findings.len() == before {
                checked.snapshots.push(listed.id);
            }
        }
        Ok(())
    }

    fn check_pack(&self, id: &Id, blobs: &[IndexBlob], checked: &mut Checked) -> Result<(), Fault> {
        let place = Place::In(Folder::Data, *id);
        let mut found = |what: String| checked.findings.push(Finding::new(Look::Contents, place, what));
        let bytes = match self.target.get(place, None) {
            Ok(bytes) => bytes,
            Err(Fault::Missing(_)) => {
                found("it is gone".to_owned());
                return Ok(());
            }
            Err(fault) => return Err(fault),
        };
        if Id::of(&bytes) != *id {
            found("its content is not what its name says".to_owned());
        }
        match self.header(&bytes) {
            None => found("its header can't be read".to_owned()),
            Some(entries) if entries != blobs => found("its header says other than the index".to_owned()),
            Some(_) => {}
        }
        for blob in blobs {
            let location = Location::in_its_pack(blob);
            let start = blob.offset as usize;
            let sealed = bytes.get(start..start + blob.length as usize).unwrap_or_default();
            if let Err(fault) = self.unseal(&blob.id, &location, sealed) {
                found(fault.to_string());
            }
        }
        checked.packs_read += 1;
        checked.bytes_read += bytes.len() as u64;
        Ok(())
    }

    /// What a pack's own header says is in it.
    pub(crate) fn header(&self, pack: &[u8]) -> Option<Vec<IndexBlob>> {
        let (rest, tail) = pack.split_at_checked(pack.len().checked_sub(HEADER_TAIL_BYTES)?)?;
        let length = u32::from_le_bytes(tail.try_into().ok()?) as usize;
        let sealed = rest.get(rest.len().checked_sub(length)?..)?;
        let entries = header_read(&self.master.open("header", sealed).ok()?)?;
        let kind = entries.first()?.kind;
        let mut blobs = located(kind, &entries);
        // Restic of old mixed directories and files in one pack.
        blobs.iter_mut().zip(&entries).for_each(|(blob, entry)| blob.kind = entry.kind);
        Some(blobs)
    }
}
