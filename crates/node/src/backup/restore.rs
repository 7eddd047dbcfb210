//! Putting back what a backup holds, so that it can be undone: what is there is kept as a snapshot before anything of it is replaced.

use super::job::{ABOUT, Came, FaultOf, VOLUME, Work};
use super::slots::Urgency;
use super::write::Tell;
use super::{About, Errand, folders, refusal, run, unlock, whose};
use crate::Node;
use crate::hole;
use crate::volume::{VolumeError, Why};
use husorden_base::{Number, OrderId, Refusal, SnapshotId, Text};
use husorden_kinds::hole::{Hole, MARK};
use husorden_kinds::{Kind, kind};
use husorden_wire::node::{Repository, Returning, Secrets, Wish};
use jiff::Timestamp;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tracing::warn;

/// Longest time that one may take.
const LIMIT: Duration = Duration::from_secs(47 * 3600);
/// The mark of a file or folder that was put back: by which order, so that it is put back once.
const RETURNED: &str = "returned";

/// What is to be put back, and the id of the snapshot that is taken first.
pub(crate) struct Return<'a> {
    pub(crate) repository: &'a Repository,
    pub(crate) copy: &'a str,
    pub(crate) what: &'a Returning,
    pub(crate) before: &'a SnapshotId,
    /// The file that somebody came in by.
    pub(crate) hole: Option<&'a str>,
    /// Another spec belongs to it, and follows.
    pub(crate) spec_follows: bool,
}

/// Puts it back. Whoever calls this has the solution for themselves.
pub(crate) fn restore(node: &Arc<Node>, wish: &Wish, order: OrderId, back: &Return<'_>) -> Result<(), Refusal> {
    match back.what {
        Returning::Everything => everything(node, wish, order, back),
        Returning::Path { path } => one(node, wish, order, back, path),
        Returning::Part { part } => super::part::part(node, wish, order, back, part),
    }
}

fn refused(error: VolumeError) -> Refusal {
    crate::host::refused(&error)
}

fn everything(node: &Arc<Node>, wish: &Wish, order: OrderId, back: &Return<'_>) -> Result<(), Refusal> {
    let volume = node.volume(wish.number);
    // A node that died before it could say so had done it.
    if volume.was_restored(back.before).map_err(refused)? {
        return Ok(());
    }
    let Some(_slot) = node.slots.take(Urgency::WaitedFor, || node.ending()) else {
        return Err(refusal(FaultOf::Stopped, "the node is ending"));
    };
    let secrets = unlock(node, Some(order), wish.solution)?;
    let stop = || crate::verbs::closed(node, wish);
    let number = whose(back.repository, wish);
    let found = look(node, back.repository, &secrets, (back.copy, back.hole), number, &stop)?;
    if found.about.kind != wish.kind {
        let said = format!("it is of the kind {}, and this is of the kind {}", found.about.kind, wish.kind);
        return Err(refusal(FaultOf::Limit, &said));
    }
    let coming = volume.coming_make(&found.folders).map_err(refused)?;
    let mut tell = Tell::new(node, order, Text::new("Gendanner fra en backup", "Restoring from a backup"));
    let errand = Errand {
        number,
        name: "restore",
        repository: back.repository,
        secrets: &secrets,
        work: Work::Restore { copy: back.copy.to_owned(), folders: found.folders.clone() },
        binds: folders(&coming, &found.folders, VOLUME, true),
        into: None,
        limit: LIMIT,
        stop: &stop,
    };
    let filled = run(node, errand, &mut |done, of| tell.so_far(done, of)).and_then(|came| restored(wish, came));
    let filled = filled.and_then(|()| hole_of(node, wish, &coming, number, back));
    let taken = filled.and_then(|hole| {
        let mut marks = found.about.marks.clone();
        marks.extend(hole.map(|mark| (MARK.to_owned(), mark)));
        if back.spec_follows {
            // Before anything is swapped: who dies in between finds it.
            node.register.await_release(wish.solution, Some(order)).map_err(|error| crate::verbs::ours(&error))?;
        }
        node.quiet(wish.number, || {
            // One that an earlier try took and did not need is older than what is there now.
            volume.snapshot_delete(back.before)?;
            crate::quiesce::snapshot(node, wish, back.before, Why::Before { what: "restore".to_owned() })?;
            volume.coming_take(back.before, &marks)
        })
    });
    if taken.is_err()
        && let Err(error) = volume.coming_drop()
    {
        warn!(number = %wish.number, error = crate::causes::causes(&error), "what came back half stays until the next try");
    }
    taken
}

/// The mark of the hole that this restore brings back, or the one that stood open before it.
fn hole_of(
    node: &Node,
    wish: &Wish,
    live: &Path,
    number: Number,
    back: &Return<'_>,
) -> Result<Option<String>, Refusal> {
    let Some(path) = back.hole else {
        let marks = node.volume(wish.number).marks().map_err(refused)?;
        return Ok(marks.get(MARK).filter(|mark| Hole::open(mark).is_some()).cloned());
    };
    let sha256 = hole::digest(node, number, live, path)?
        .ok_or_else(|| refusal(FaultOf::NotInBackup, "the file that is a hole did not come back"))?;
    Ok(Some(Hole { path: path.to_owned(), sha256, restored: Timestamp::now(), closed: None }.mark()))
}

/// One file or folder of those that the customer's own files lie in: what an engine keeps is of one piece.
fn one(node: &Arc<Node>, wish: &Wish, order: OrderId, back: &Return<'_>, path: &str) -> Result<(), Refusal> {
    let volume = node.volume(wish.number);
    let files = kind(&wish.kind).and_then(Kind::intake).map(|(files, _)| files);
    let top = path.split('/').find(|name| !name.is_empty());
    let strange = path.split('/').any(|name| matches!(name, "." | ".."));
    let Some(files) = files.filter(|files| top == Some(files) && !strange) else {
        return Err(Refusal::new(
            "not-a-file",
            422,
            Text::new("Kun egne filer lægges enkeltvis tilbage", "Only own files are put back one by one"),
            Text::new(
                "En database er i ét stykke: gendan det hele, eller gendan som en ny løsning ved siden af.",
                "A database is of one piece: restore all of it, or restore it as a new solution beside this one.",
            ),
        ));
    };
    if volume.marks().map_err(refused)?.get(RETURNED) == Some(&order.to_string()) {
        return Ok(());
    }
    let Some(_slot) = node.slots.take(Urgency::WaitedFor, || node.ending()) else {
        return Err(refusal(FaultOf::Stopped, "the node is ending"));
    };
    let secrets = unlock(node, Some(order), wish.solution)?;
    let stop = || crate::verbs::closed(node, wish);
    if back.hole.is_some() {
        look(node, back.repository, &secrets, (back.copy, back.hole), wish.number, &stop)?;
    }
    crate::quiesce::snapshot(node, wish, back.before, Why::Before { what: "restore".to_owned() }).map_err(refused)?;
    let mut tell = Tell::new(node, order, Text::new("Lægger filer tilbage", "Putting files back"));
    let errand = Errand {
        number: wish.number,
        name: "restore",
        repository: back.repository,
        secrets: &secrets,
        work: Work::Replace { copy: back.copy.to_owned(), path: path.to_owned() },
        binds: folders(&volume.folder(""), &[files.to_owned()], VOLUME, true),
        into: None,
        limit: LIMIT,
        stop: &stop,
    };
    run(node, errand, &mut |done, of| tell.so_far(done, of)).and_then(|came| restored(wish, came))?;
    if back.hole.is_some()
        && let Some(mark) = hole_of(node, wish, &volume.folder(""), wish.number, back)?
    {
        volume.set_mark(MARK, &mark).map_err(refused)?;
    }
    volume.set_mark(RETURNED, &order.to_string()).map_err(refused)
}

/// What came back, as far as it is to be told to the log.
pub(super) fn restored(wish: &Wish, came: Came) -> Result<(), Refusal> {
    match came {
        Came::Restored { files, bytes, lacking } => {
            if !lacking.is_empty() {
                warn!(number = %wish.number, ?lacking, "what came back is not all as it was: rights or kinds that a solution may not have");
            }
            tracing::info!(number = %wish.number, files, bytes, "restored from a backup");
            Ok(())
        }
        other => Err(crate::verbs::ours(&io::Error::other(format!("a restore came to {other:?}")))),
    }
}

/// What is to be known of a backup before it is put back.
pub(crate) struct Found {
    pub(crate) about: About,
    pub(crate) folders: Vec<String>,
}

/// Looks into a backup.
///
/// # Errors
/// When it is not there, or is none of the platform's.
pub(crate) fn look(
    node: &Node,
    repository: &Repository,
    secrets: &Secrets,
    (copy, hole): (&str, Option<&str>),
    number: Number,
    stop: &dyn Fn() -> Option<Refusal>,
) -> Result<Found, Refusal> {
    let work = Work::Look { copy: copy.to_owned(), hole: hole.map(str::to_owned) };
    let limit = Duration::from_secs(3600);
    let errand = Errand { number, name: "look", repository, secrets, work, binds: Vec::new(), into: None, limit, stop };
    match run(node, errand, &mut |_, _| ())? {
        Came::Looked { mut notes, folders } => {
            let note = notes.remove(ABOUT).unwrap_or_default();
            let about = serde_json::from_str(&note)
                .map_err(|error| refusal(FaultOf::Damaged, &format!("its note {ABOUT} does not read: {error}")))?;
            Ok(Found { about, folders })
        }
        other => Err(crate::verbs::ours(&io::Error::other(format!("a look came to {other:?}")))),
    }
}
