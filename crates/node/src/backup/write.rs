//! Writing a backup: the snapshot is taken while nobody else works on the solution, and goes to the target beside whatever is done next.

use super::job::{ABOUT, Came, FORMER, VOLUME, Work};
use super::restore::look;
use super::slots::Urgency;
use super::{About, Errand, folders, noted, refusal, run, unlock};
use crate::Node;
use crate::register::copies::Copy;
use crate::volume::{SnapshotInfo, Volume, VolumeError, Why};
use husorden_base::{BackupId, OrderId, Refusal, SnapshotId, Text};
use husorden_kinds::{Aim, Fill};
use husorden_wire::node::{BackedUp, FromNode, LogPoint, Opened, Repository, Secrets, VerbState, Wish};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tracing::{info, warn};

/// Longest time of one backup. The target's side keeps packs that nothing uses for two days, for one that is being written may need them.
const LIMIT: Duration = Duration::from_secs(47 * 3600);
/// Longest time of a look whether it was written.
const FIND_LIMIT: Duration = Duration::from_secs(3600);
/// What is remembered of a target to which nothing was written for so long is forgotten, and with it the snapshot that is kept for it.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(14 * 24);
/// Pause between two words to control about how far it is.
const TELL: Duration = Duration::from_secs(1);

/// Snapshots that are being read: they stay, whatever else wants their room.
#[derive(Default)]
pub(crate) struct Reading(Mutex<BTreeSet<SnapshotId>>);

impl Reading {
    pub(crate) fn enter(&self, id: SnapshotId) -> Held<'_> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
        Held(self, id)
    }

    fn has(&self, id: &SnapshotId) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(id)
    }
}

/// While it lives, the snapshot stays.
pub(crate) struct Held<'a>(&'a Reading, SnapshotId);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.1);
    }
}

/// Why a backup of this solution may not be written or go on: a seal, or that it is to go.
pub(crate) fn forbidden(node: &Node, wish: &Wish) -> Option<Refusal> {
    let held = node.register.held(wish.solution, wish.account, Timestamp::now()).filter(|held| held.sealed);
    if let Some(held) = held {
        return Some(Refusal {
            case: Some(held.case_number.clone()),
            ..Refusal::new(
                "sealed",
                403,
                Text::new("Løsningen er forseglet", "The solution is sealed"),
                Text::new(
                    format!("Sag {}: intet af den må kopieres, så længe forseglingen varer.", held.case_number),
                    format!("Case {}: nothing of it may be copied while the seal lasts.", held.case_number),
                ),
            )
        });
    }
    let gone = node.register.wish(wish.solution).is_none_or(|wish| wish.aim == Aim::Gone);
    gone.then(|| {
        Refusal::new(
            "no-volume",
            409,
            Text::new("Løsningen er slettet", "The solution is deleted"),
            Text::new("Fortryd sletningen først.", "Undo the deletion first."),
        )
    })
}

/// Writes a backup.
pub(crate) fn back_up(
    node: &Arc<Node>,
    wish: &Wish,
    order: OrderId,
    backup: BackupId,
    repository: &Repository,
) -> Result<BackedUp, Refusal> {
    let over = || node.ending() || forbidden(node, wish).is_some();
    let slot = node.slots.take(Urgency::Background, over);
    let Some(_slot) = slot else {
        return Err(
            forbidden(node, wish).unwrap_or_else(|| refusal(super::job::FaultOf::Stopped, "the node is ending"))
        );
    };
    let secrets = unlock(node, Some(order), wish.solution)?;
    let volume = node.volume(wish.number);
    let id = SnapshotId(backup.0);
    let _reading = node.reading.enter(id);
    if let Some(done) = written_before(node, wish, (&volume, id), repository, &secrets)? {
        return Ok(done);
    }
    let (info, opened, about) = {
        let _claim = node.verbs.claim_waiting(wish.solution);
        take(node, wish, &volume, id)?
    };
    let written = send(node, wish, order, repository, &secrets, (&volume, &info, about));
    // What is kept is settled while nobody else works on the volume's snapshots.
    let _claim = node.verbs.claim_waiting(wish.solution);
    match written {
        Ok((copy, counts, took)) => {
            let kept = Copy { copy: copy.clone(), snapshot: id, taken: info.taken_at, bytes: counts.bytes };
            remember(node, wish, &volume, repository, kept)?;
            // The log goes where the backups go that it begins from.
            node.away.goes_to(wish.solution, repository.target);
            Ok(BackedUp {
                copy,
                taken: info.taken_at,
                snapshot: id,
                files: counts.files,
                bytes: counts.bytes,
                bytes_read: counts.bytes_read,
                bytes_sent: counts.bytes_sent,
                took_ms: millis(took),
                noted: opened,
                point: info.point.map(|point| LogPoint { line: point.line, next: point.next }),
            })
        }
        // The next node looks whether it was written all the same; that the snapshot is there is how it knows to.
        Err(why) if node.ending() => Err(why),
        Err(why) => {
            if let Err(error) = volume.snapshot_delete(&id) {
                warn!(number = %wish.number, error = crate::causes::causes(&error), "the snapshot of a backup that failed stays");
            }
            Err(why)
        }
    }
}

/// The backup, when a node that died before it could say so had written it: it is listed once, as it was then.
fn written_before(
    node: &Arc<Node>,
    wish: &Wish,
    (volume, id): (&Volume, SnapshotId),
    repository: &Repository,
    secrets: &Secrets,
) -> Result<Option<BackedUp>, Refusal> {
    let refused = |error: VolumeError| crate::host::refused(&error);
    if !volume.snapshots().map_err(refused)?.iter().any(|info| info.id == id) {
        return Ok(None);
    }
    let ours = |error: &dyn std::error::Error| crate::verbs::ours(error);
    let begun = Instant::now();
    let stop = || forbidden(node, wish);
    let copies = node.register.copies(wish.solution).map_err(|error| ours(&error))?;
    let first = !copies.contains_key(&repository.target);
    let errand = Errand {
        number: wish.number,
        name: "find",
        repository,
        secrets,
        work: Work::Find { tag: id.to_string(), first },
        binds: Vec::new(),
        into: None,
        limit: FIND_LIMIT,
        stop: &stop,
    };
    let (copy, files, bytes) = match run(node, errand, &mut |_, _| ()) {
        Ok(Came::Found { copy: Some(copy), files, bytes }) => (copy, files, bytes),
        Ok(Came::Found { copy: None, .. }) => return Ok(None),
        Ok(other) => return Err(ours(&std::io::Error::other(format!("a look for a backup came to {other:?}")))),
        Err(why) => return Err(why),
    };
    let about = look(node, repository, secrets, (&copy, None), wish.number, &stop)?.about;
    let _claim = node.verbs.claim_waiting(wish.solution);
    let kept = Copy { copy: copy.clone(), snapshot: id, taken: about.taken, bytes };
    remember(node, wish, volume, repository, kept)?;
    node.away.goes_to(wish.solution, repository.target);
    info!(number = %wish.number, copy, "a backup was written before the node ended");
    Ok(Some(BackedUp {
        copy,
        taken: about.taken,
        snapshot: id,
        files,
        bytes,
        bytes_read: 0,
        bytes_sent: 0,
        took_ms: millis(begun.elapsed()),
        noted: about.noted,
        point: about.point.map(|point| LogPoint { line: point.line, next: point.next }),
    }))
}

/// Takes the snapshot, and notes what is to be known of it.
fn take(
    node: &Arc<Node>,
    wish: &Wish,
    volume: &Volume,
    id: SnapshotId,
) -> Result<(SnapshotInfo, Opened, About), Refusal> {
    if let Some(why) = forbidden(node, wish) {
        return Err(why);
    }
    let refused = |error: VolumeError| crate::host::refused(&error);
    // A node that died had taken it for the same backup and not written it; what was noted around it is gone.
    volume.snapshot_delete(&id).map_err(refused)?;
    let (info, opened) =
        noted(node, wish, &mut || crate::quiesce::snapshot(node, wish, &id, Why::Backup).map_err(refused))?;
    let about = About {
        solution: wish.solution,
        number: wish.number,
        kind: wish.kind.clone(),
        name: wish.name.clone(),
        spec: wish.spec.clone(),
        marks: volume.snapshot_marks(&id).map_err(refused)?,
        builds: node.register.builds(wish.solution),
        taken: info.taken_at,
        noted: opened.clone(),
        point: info.point,
    };
    Ok((info, opened, about))
}

fn millis(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}

/// What a child counted.
struct Counts {
    files: u64,
    bytes: u64,
    bytes_read: u64,
    bytes_sent: u64,
}

/// Sends it to the target.
fn send(
    node: &Arc<Node>,
    wish: &Wish,
    order: OrderId,
    repository: &Repository,
    secrets: &Secrets,
    (volume, info, about): (&Volume, &SnapshotInfo, About),
) -> Result<(String, Counts, Duration), Refusal> {
    let begun = Instant::now();
    let ours = |error: &dyn std::error::Error| crate::verbs::ours(error);
    let refused = |error: VolumeError| crate::host::refused(&error);
    let (from, names) = volume.snapshot_folders(&info.id).map_err(refused)?;
    let mut binds = folders(&from, &names, VOLUME, false);
    let copies = node.register.copies(wish.solution).map_err(|error| ours(&error))?;
    let former = copies.get(&repository.target);
    let _former = former.map(|former| node.reading.enter(former.snapshot));
    let beside = former.and_then(|former| volume.snapshot_folders(&former.snapshot).ok());
    if let Some((from, names)) = &beside {
        binds.extend(folders(from, names, FORMER, false));
    }
    let total = volume.usage().map_err(refused)?.live.0.max(former.map_or(0, |former| former.bytes));
    let work = Work::Write {
        host: node.config.name.clone(),
        tags: vec![wish.number.to_string(), wish.solution.to_string(), info.id.to_string()],
        taken: info.taken_at,
        notes: BTreeMap::from([(
            ABOUT.to_owned(),
            serde_json::to_string_pretty(&about).expect("plain data has a JSON form"),
        )]),
        former: former.map(|former| former.copy.clone()),
        beside: beside.is_some(),
        first: former.is_none(),
    };
    let errand = Errand {
        number: wish.number,
        name: "backup",
        repository,
        secrets,
        work,
        binds,
        into: None,
        limit: LIMIT,
        stop: &|| forbidden(node, wish),
    };
    let mut tell = Tell::new(node, order, Text::new("Tager backup", "Backing up"));
    match run(node, errand, &mut |done, _| tell.so_far(done, total))? {
        Came::Written { copy, files, bytes, bytes_read, bytes_sent } => {
            Ok((copy, Counts { files, bytes, bytes_read, bytes_sent }, begun.elapsed()))
        }
        other => Err(ours(&std::io::Error::other(format!("a backup came to {other:?}")))),
    }
}

/// Remembers a backup that is acknowledged, and lets go what was kept for the one before.
fn remember(node: &Node, wish: &Wish, volume: &Volume, repository: &Repository, kept: Copy) -> Result<(), Refusal> {
    let ours = |error: crate::register::Error| crate::verbs::ours(&error);
    let mut copies = node.register.copies(wish.solution).map_err(ours)?;
    copies.insert(repository.target, kept);
    let horizon = Timestamp::now().checked_sub(REMEMBERED).unwrap_or(Timestamp::MIN);
    copies.retain(|target, copy| *target == repository.target || copy.taken > horizon);
    node.register.keep_copies(wish.solution, &copies).map_err(ours)?;
    let wanted: BTreeSet<SnapshotId> = copies.values().map(|copy| copy.snapshot).collect();
    let let_go = let_go(node, volume, |id| wanted.contains(id));
    if let Err(error) = let_go {
        warn!(number = %wish.number, error = crate::causes::causes(&error), "the snapshot of a former backup stays");
    }
    Ok(())
}

/// Deletes the snapshots of backups that nobody wants.
fn let_go(node: &Node, volume: &Volume, wanted: impl Fn(&SnapshotId) -> bool) -> Result<usize, VolumeError> {
    let all = volume.snapshots()?.into_iter().filter(|info| info.why == Why::Backup);
    let mut gone = 0;
    for info in all.filter(|info| !wanted(&info.id) && !node.reading.has(&info.id)) {
        volume.snapshot_delete(&info.id)?;
        gone += 1;
    }
    Ok(gone)
}

/// Lets the snapshots of former backups go where the solution's disk is used up: what they hold is held against its owner. The next backup is read
/// without them. Whoever calls this has the solution for themselves.
pub(crate) fn give_up(node: &Node, wish: &Wish) {
    if node.sandboxes.fill(wish.number) == Fill::Room {
        return;
    }
    match let_go(node, &node.volume(wish.number), |_| false) {
        Ok(0) => {}
        Ok(count) => info!(number = %wish.number, count, "snapshots of former backups made room on a full disk"),
        Err(error) => {
            warn!(number = %wish.number, error = crate::causes::causes(&error), "a full disk keeps snapshots of backups")
        }
    }
}

/// Tells control how far an order is, not too often.
pub(super) struct Tell<'a> {
    node: &'a Node,
    order: OrderId,
    text: Text,
    last: Option<(Instant, u8)>,
}

impl<'a> Tell<'a> {
    pub(super) fn new(node: &'a Node, order: OrderId, text: Text) -> Self {
        Self { node, order, text, last: None }
    }

    /// So many bytes of so many are done.
    pub(super) fn so_far(&mut self, done: u64, of: u64) {
        let Some(percent) = percent(done, of) else { return };
        if self.last.is_some_and(|(at, said)| said == percent || at.elapsed() < TELL) {
            return;
        }
        self.last = Some((Instant::now(), percent));
        let state = VerbState::Running { text: self.text.clone(), percent: Some(percent) };
        self.node.voice.say(&FromNode::Progress { order: self.order, state });
    }
}

/// The share in percent; never all of it before it is acknowledged.
pub(super) fn percent(done: u64, of: u64) -> Option<u8> {
    (of > 0).then(|| u8::try_from((u128::from(done) * 100 / u128::from(of)).min(99)).unwrap_or(99))
}
