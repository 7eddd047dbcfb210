//! Removing what expired: backups at once, packs when nothing has used them for two days.
//!
//! Nodes write without locks, so a pack that no backup uses may be one that a backup under way relies on. Such a backup is on the target
//! within a day, or gives up; after two days a pack that is still unused is unused for good. Indexes are written anew before a pack goes, and the
//! old ones removed after: at every moment the repository is whole. Of a pack that is used by less than half, what is used is written into a
//! new one first; from then on the old one is unused like any other.

use super::ledger::{Gone, Ledger, Purge};
use super::side::Side;
use crate::fault::Fault;
use crate::format::{BlobType, IndexBlob, IndexFile, Snapshot};
use crate::id::Id;
use crate::repository::Repository;
use crate::target::{Folder, Local, Place};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

/// How long a pack is unused before it goes.
pub(super) const GRACE: SignedDuration = SignedDuration::from_hours(48);
/// Bytes of packs that are written anew in one go; the rest has its turn the next time.
const REPACK_BYTES_MAX: u64 = 4 << 30;

/// The target's own side of one repository.
pub struct Keeper {
    side: Box<dyn Side>,
}

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Backups.
    pub snapshots: usize,
    /// Packs, and the bytes in them.
    pub packs: usize,
    /// Bytes of these packs.
    pub bytes: u64,
    /// Packs that wait for their two days.
    pub waiting: usize,
    /// Packs of which what is used was written anew; they wait too.
    pub repacked: usize,
    /// What broke off and was tidied.
    pub leftovers: usize,
}

type Packs = BTreeMap<Id, Vec<IndexBlob>>;
type Wanted = HashSet<(BlobType, Id)>;

impl Keeper {
    /// The repository in this directory of this machine.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self::at(Box::new(Local::new(path, Arc::new(crate::target::Pace::free()))))
    }

    /// The repository at this place, by an account that may remove.
    #[must_use]
    pub fn at(side: Box<dyn Side>) -> Self {
        Self { side }
    }

    /// The backups that are there: objects whose content is what their name says. Needs no key.
    ///
    /// # Errors
    /// When the disk can't be read.
    pub fn backups(&self) -> Result<Vec<Id>, Fault> {
        let mut found = Vec::new();
        for listed in self.side.list(Folder::Snapshots)? {
            match self.side.get(Place::In(Folder::Snapshots, listed.id), None) {
                Ok(bytes) if Id::of(&bytes) == listed.id => found.push(listed.id),
                Ok(_) | Err(Fault::Missing(_)) => {}
                Err(fault) => return Err(fault),
            }
        }
        Ok(found)
    }

    /// Removes these backups, and every pack that nothing has used for two days. `repository` is this one, opened with its key; `purge` is the
    /// order by which they go before their time. What went stands in the ledger until control is told.
    ///
    /// # Errors
    /// When a backup that stays can't be read: then nothing is known of what is used, and no pack goes.
    pub fn prune(
        &self,
        repository: &Repository,
        expired: &[Id],
        purge: Option<&Purge>,
        ledger: &mut Ledger,
        clock: Timestamp,
    ) -> Result<Pruned, Fault> {
        let now = ledger.now(clock);
        let mut pruned = Pruned::default();
        if ledger.is_sealed() {
            return Ok(pruned);
        }
        for id in expired.iter().filter(|id| !ledger.held.contains(&id.to_string())) {
            self.side.remove(Place::In(Folder::Snapshots, *id))?;
            ledger.received.remove(&id.to_string());
            ledger.untold.push(Gone { copy: id.to_string(), at: now, purge: purge.cloned() });
            pruned.snapshots += 1;
        }
        let wanted = self.wanted(repository)?;
        pruned.repacked = self.repack(repository, &wanted, ledger, now)?;
        let (indexes, packs) = self.indexes(repository)?;
        let used = cover(&packs, &wanted, ledger);
        let unused: BTreeSet<String> =
            packs.keys().filter(|pack| !used.contains_key(pack)).map(ToString::to_string).collect();
        ledger.unused.retain(|pack, _| unused.contains(pack));
        for pack in &unused {
            ledger.unused.entry(pack.clone()).or_insert(now);
        }
        let due: HashSet<Id> = ledger
            .unused
            .iter()
            .filter(|(_, since)| now >= **since + GRACE)
            .filter_map(|(pack, _)| pack.parse().ok())
            .collect();
        pruned.waiting = unused.len() - due.len();
        self.rewrite(repository, indexes, &due)?;
        for id in &due {
            let place = Place::In(Folder::Data, *id);
            pruned.bytes += self.side.size(place)?.unwrap_or(0);
            self.side.remove(place)?;
            ledger.unused.remove(&id.to_string());
            pruned.packs += 1;
        }
        pruned.leftovers = self.side.tidy(&|id| packs.contains_key(id), GRACE.unsigned_abs())?;
        Ok(pruned)
    }

    /// Every index file, and every pack with what is in it.
    fn indexes(&self, repository: &Repository) -> Result<(Vec<(Id, IndexFile)>, Packs), Fault> {
        let mut files = Vec::new();
        let mut packs = Packs::new();
        for listed in self.side.list(Folder::Index)? {
            let file: IndexFile = repository.load(Place::In(Folder::Index, listed.id))?;
            for pack in &file.packs {
                packs.entry(pack.id).or_insert_with(|| pack.blobs.clone());
            }
            files.push((listed.id, file));
        }
        Ok((files, packs))
    }

    /// Everything that backups use.
    fn wanted(&self, repository: &Repository) -> Result<Wanted, Fault> {
        let mut wanted = Wanted::new();
        for id in self.backups()? {
            let snapshot: Snapshot = match repository.load(Place::In(Folder::Snapshots, id)) {
                // Somebody without the key put it there: no backup of this repository, and it uses nothing.
                Err(Fault::Damaged { .. }) => continue,
                other => other?,
            };
            let mut waiting = vec![snapshot.tree];
            while let Some(id) = waiting.pop() {
                if wanted.insert((BlobType::Tree, id)) {
                    for node in repository.tree(&id)?.nodes {
                        waiting.extend(node.subtree);
                        wanted.extend(node.content.into_iter().flatten().map(|id| (BlobType::Data, id)));
                    }
                }
            }
        }
        Ok(wanted)
    }

    /// Writes anew what is used of packs that are used by less than half.
    fn repack(
        &self,
        repository: &Repository,
        wanted: &Wanted,
        ledger: &mut Ledger,
        now: Timestamp,
    ) -> Result<usize, Fault> {
        let (_, packs) = self.indexes(repository)?;
        let used = cover(&packs, wanted, ledger);
        let mut chosen = Vec::new();
        let mut bytes = 0;
        for (id, blobs) in used {
            let part: u64 = blobs.iter().map(|blob| u64::from(blob.length)).sum();
            let whole: u64 = packs[&id].iter().map(|blob| u64::from(blob.length)).sum();
            if part * 2 < whole && bytes + part <= REPACK_BYTES_MAX {
                bytes += part;
                chosen.push((id, blobs));
            }
        }
        if chosen.is_empty() {
            return Ok(0);
        }
        repository.repack(&chosen)?;
        for (id, _) in &chosen {
            ledger.unused.insert(id.to_string(), now);
        }
        Ok(chosen.len())
    }

    /// Puts indexes without these packs in the place of those with them.
    fn rewrite(&self, repository: &Repository, indexes: Vec<(Id, IndexFile)>, due: &HashSet<Id>) -> Result<(), Fault> {
        let (old, files): (Vec<Id>, Vec<IndexFile>) =
            indexes.into_iter().filter(|(_, file)| file.packs.iter().any(|pack| due.contains(&pack.id))).unzip();
        let packs: Vec<_> =
            files.into_iter().flat_map(|file| file.packs).filter(|pack| !due.contains(&pack.id)).collect();
        for packs in packs.chunks(500) {
            repository.save(Folder::Index, &IndexFile { supersedes: Vec::new(), packs: packs.to_vec() })?;
        }
        old.into_iter().try_for_each(|id| self.side.remove(Place::In(Folder::Index, id)))
    }
}

/// The packs that are used, each with what is used of it. What lies in two packs is used of one: of that which does not wait to go.
fn cover(packs: &Packs, wanted: &Wanted, ledger: &Ledger) -> BTreeMap<Id, Vec<IndexBlob>> {
    let mut covered = Wanted::new();
    let mut used: BTreeMap<Id, Vec<IndexBlob>> = BTreeMap::new();
    let (waiting, staying): (Vec<_>, Vec<_>) =
        packs.iter().partition(|(id, _)| ledger.unused.contains_key(&id.to_string()));
    for (id, blobs) in staying.into_iter().chain(waiting) {
        let mine: Vec<IndexBlob> = blobs
            .iter()
            .filter(|blob| wanted.contains(&(blob.kind, blob.id)) && covered.insert((blob.kind, blob.id)))
            .copied()
            .collect();
        if !mine.is_empty() {
            used.insert(*id, mine);
        }
    }
    used
}
