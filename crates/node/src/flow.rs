//! A part of a solution as one stream: handed out to control, or taken in from it. Root touches none of its bytes: the connection to
//! control is the sandbox's own standard output or input.

use crate::Node;
use crate::sandbox::Streamed;
use crate::volume::Why;
use husorden_base::{OrderId, Refusal, SnapshotId, Text};
use husorden_kinds::{Kind, Place, Task, kind};
use husorden_wire::node::Wish;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// Characters of the engine's last words that are told.
const WORDS_CHARS_MAX: usize = 1_000;

/// A part of a solution in a format, as control names them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part<'a> {
    pub(crate) part: &'a str,
    pub(crate) format: &'a str,
}

/// Hands a part out, beside passes and other verbs: control has the bytes when this returns, and hears by the end of the order that they are all.
pub(crate) fn dump(node: &Arc<Node>, wish: &Wish, order: OrderId, what: Part<'_>) -> Result<(), Refusal> {
    let task = task(node, wish, order, |kind, order, marks| kind.dump(order, marks, what.part, what.format))?;
    hand(
        node,
        wish,
        order,
        &task,
        ("dump-failed", Text::new("Udtrækket blev ikke til noget", "The dump did not come about")),
    )
}

/// Hands the whole solution out as a package, in the same way.
pub(crate) fn package(node: &Arc<Node>, wish: &Wish, order: OrderId) -> Result<(), Refusal> {
    let task = task(node, wish, order, |kind, order, marks| kind.package(order, marks))?;
    hand(
        node,
        wish,
        order,
        &task,
        ("package-failed", Text::new("Pakken blev ikke til noget", "The package did not come about")),
    )
}

/// Gives a task's standard output to control.
fn hand(
    node: &Arc<Node>,
    wish: &Wish,
    order: OrderId,
    task: &Task,
    (code, title): (&str, Text),
) -> Result<(), Refusal> {
    let stream = crate::control::give(&node.config.control_socket, &node.config.name, order).map_err(|e| ours(&e))?;
    let resolve = || {
        let resolved = crate::host::resolve(node, wish, &task.sandbox);
        resolved.map_err(|trouble| ours(&io::Error::other(trouble.detail)))
    };
    let still = task.sandbox.binds.iter().any(|bind| matches!(bind.from, Place::Snapshot(_)));
    let snapshot = if still { Some(Still::take(node, wish)?) } else { None };
    let resolved = match &snapshot {
        Some(snapshot) => snapshot.seen(resolve)?,
        None => resolve()?,
    };
    let stop = || node.ending() || crate::verbs::closed(node, wish).is_some();
    let ended = node.sandboxes.task_aside(wish.number, task, &resolved, OwnedFd::from(stream), &stop);
    match ended.map_err(|error| crate::verbs::ours(&error))? {
        None => Ok(()),
        Some(reason) => Err(refused(code, title, &reason)),
    }
}

/// A snapshot that is read by one task, and goes with it. One that a node left which died goes with the next backup.
struct Still<'a> {
    node: &'a Arc<Node>,
    wish: &'a Wish,
    id: SnapshotId,
    /// No backup that is written meanwhile lets it go.
    _reading: crate::backup::Held<'a>,
}

impl<'a> Still<'a> {
    fn take(node: &'a Arc<Node>, wish: &'a Wish) -> Result<Self, Refusal> {
        let id = SnapshotId::new();
        let reading = node.reading.enter(id);
        let _claim = node.verbs.claim_waiting(wish.solution);
        let taken = crate::quiesce::snapshot(node, wish, &id, Why::Backup);
        taken.map_err(|error| crate::host::refused(&error))?;
        Ok(Self { node, wish, id, _reading: reading })
    }

    /// Says where a task's places are, which sees the snapshot.
    fn seen<T>(&self, resolve: impl FnOnce() -> Result<T, Refusal>) -> Result<T, Refusal> {
        // A backup notes its own snapshot while it has the solution for itself.
        let _claim = self.node.verbs.claim_waiting(self.wish.solution);
        let _noted = self.node.proofs.note(self.wish.number, self.id);
        resolve()
    }
}

impl Drop for Still<'_> {
    fn drop(&mut self) {
        let _claim = self.node.verbs.claim_waiting(self.wish.solution);
        if let Err(error) = self.node.volume(self.wish.number).snapshot_delete(&self.id) {
            let error = crate::causes::causes(&error);
            tracing::warn!(number = %self.wish.number, error, "the snapshot of a package stays until the next backup");
        }
    }
}

/// Takes a part in, after a snapshot; what fails in the middle is brought back.
pub(crate) fn load(
    node: &Arc<Node>,
    wish: &Wish,
    order: OrderId,
    what: Part<'_>,
    (before, failed): (&SnapshotId, &SnapshotId),
) -> Result<(), Refusal> {
    let task = task(node, wish, order, |kind, order, marks| kind.load(order, marks, what.part, what.format))?;
    take_in(node, wish, &task, ("load", before, failed), || {
        let stream = crate::control::fetch(&node.config.control_socket, &node.config.name, order);
        stream.map(OwnedFd::from).map_err(|error| ours(&error))
    })
}

/// Whether a task was carried out by a node that died before it could say so.
pub(crate) fn is_done(node: &Node, wish: &Wish, task: &Task) -> bool {
    node.volume(wish.number).marks().is_ok_and(|marks| crate::intake::left(task, &marks))
}

/// Takes a stream in, after a snapshot; what fails in the middle is brought back. What was carried out is not carried out twice.
pub(crate) fn take_in(
    node: &Arc<Node>,
    wish: &Wish,
    task: &Task,
    (what, before, failed): (&str, &SnapshotId, &SnapshotId),
    stream: impl FnOnce() -> Result<OwnedFd, Refusal>,
) -> Result<(), Refusal> {
    if is_done(node, wish, task) {
        return Ok(());
    }
    let volume = node.volume(wish.number);
    let why = |what: &str| Why::Before { what: what.to_owned() };
    let back = || {
        node.quiet(wish.number, || {
            crate::quiesce::snapshot(node, wish, failed, why("restore"))?;
            volume.restore(before, failed)?;
            volume.snapshot_delete(failed)
        })
    };
    let listed = volume.snapshots().map_err(|error| crate::host::refused(&error))?;
    if listed.iter().any(|info| info.id == *before) {
        // A node died in the middle of it: what that attempt left is not built upon.
        back()?;
    } else {
        crate::quiesce::snapshot(node, wish, before, why(what)).map_err(|error| crate::host::refused(&error))?;
    }
    let streamed = Streamed { stdin: Some(stream()?), stdout: None };
    let Some(reason) = crate::intake::run(node, wish, task, streamed).map_err(|error| ours(&error))? else {
        return Ok(());
    };
    back()?;
    Err(refused("load-failed", Text::new("Indlæsningen mislykkedes", "The load failed"), &reason))
}

/// The task of a part, marked by the order.
pub(crate) fn task(
    node: &Node,
    wish: &Wish,
    order: OrderId,
    make: impl FnOnce(&dyn Kind, &husorden_kinds::Order, &std::collections::BTreeMap<String, String>) -> Option<Task>,
) -> Result<Task, Refusal> {
    let marks = node.volume(wish.number).marks().map_err(|error| crate::host::refused(&error))?;
    let task = kind(&wish.kind).and_then(|kind| make(kind, &node.order(wish), &marks));
    let mut task = task.ok_or_else(|| {
        Refusal::new(
            "no-such-part",
            409,
            Text::new("Den del er her ikke nu", "That part is not here now"),
            Text::new(
                "Vent, til løsningen er lavet færdig, og prøv igen.",
                "Wait until the solution is made, and try again.",
            ),
        )
    })?;
    for (_, value) in &mut task.marks {
        *value = order.to_string();
    }
    Ok(task)
}

fn ours(error: &io::Error) -> Refusal {
    crate::verbs::ours(error)
}

/// The engine's own words, the last of them.
fn refused(code: &str, title: Text, reason: &str) -> Refusal {
    let words = crate::causes::last_words(reason, WORDS_CHARS_MAX);
    Refusal::new(
        code,
        422,
        title,
        Text::new(
            format!("Intet er ændret. Motoren sagde: {words}"),
            format!("Nothing was changed. The engine said: {words}"),
        ),
    )
}
