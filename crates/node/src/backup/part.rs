//! One part of a solution, such as a database, comes back alone: the backup is opened on a bench of its own, the part is dumped there, and takes the
//! place of what the solution holds under that name, after a snapshot.

use super::job::{FaultOf, VOLUME, Work};
use super::restore::{look, restored};
use super::slots::Urgency;
use super::write::Tell;
use super::{Errand, Return, folders, refusal, run, unlock, whose};
use crate::Node;
use crate::flow;
use crate::proof::{Bench, as_it_was};
use husorden_base::{OrderId, Refusal, SnapshotId, Text};
use husorden_kinds::kind;
use husorden_wire::node::Wish;
use std::fs::{File, OpenOptions};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;
use std::time::Duration;

/// Longest time that fetching it may take.
const LIMIT: Duration = Duration::from_secs(47 * 3600);
/// The file of the bench that the part is dumped into. It lies beside the folders that sandboxes see.
const DUMP: &str = ".part";

/// Puts it back. Whoever calls this has the solution for themselves.
pub(super) fn part(
    node: &Arc<Node>,
    wish: &Wish,
    order: OrderId,
    back: &Return<'_>,
    part: &str,
) -> Result<(), Refusal> {
    let refused = |error| crate::host::refused(&error);
    let format = kind(&wish.kind).and_then(|kind| kind.formats(&wish.spec).first()).map_or("", |format| format.word);
    let task = flow::task(node, wish, order, |kind, order, marks| kind.put_back(order, marks, part, format))?;
    if flow::is_done(node, wish, &task) {
        return Ok(());
    }
    let Some(_slot) = node.slots.take(Urgency::WaitedFor, || node.ending()) else {
        return Err(refusal(FaultOf::Stopped, "the node is ending"));
    };
    let secrets = unlock(node, Some(order), wish.solution)?;
    let stop = || crate::verbs::closed(node, wish);
    let number = whose(back.repository, wish);
    let found = look(node, back.repository, &secrets, (back.copy, None), number, &stop)?;
    if found.about.kind != wish.kind {
        let said = format!("it is of the kind {}, and this is of the kind {}", found.about.kind, wish.kind);
        return Err(refusal(FaultOf::Limit, &said));
    }
    let bench =
        Bench::lay(node, node.proofs.turn_for_a_part(), &as_it_was(&found.about), &found.folders, &found.about.marks)?;
    let volume = bench.volume();
    volume.hand_over(number, &found.folders).map_err(refused)?;
    let mut tell = Tell::new(node, order, Text::new("Henter backuppen", "Fetching the backup"));
    let errand = Errand {
        number,
        name: "restore",
        repository: back.repository,
        secrets: &secrets,
        work: Work::Restore { copy: back.copy.to_owned(), folders: found.folders.clone() },
        binds: folders(&volume.folder(""), &found.folders, VOLUME, true),
        into: None,
        limit: LIMIT,
        stop: &stop,
    };
    run(node, errand, &mut |done, of| tell.so_far(done, of)).and_then(|came| restored(wish, came))?;
    volume.take_back(number).map_err(refused)?;
    if let Some(why) = bench.start(&stop)?.into_iter().find_map(|step| step.failed) {
        return Err(not_out(&why.en));
    }
    let path = volume.folder(DUMP);
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    let file = file.map_err(|error| crate::verbs::ours(&error))?;
    let over = || node.ending() || stop().is_some();
    if let Some(reason) = bench.dump((part, format), OwnedFd::from(file), &over)? {
        return Err(not_out(&reason));
    }
    // The same try has the same id, so that one that broke off leaves no snapshot of its own.
    let failed = SnapshotId(uuid::Uuid::from_u128(back.before.0.as_u128() ^ 1));
    flow::take_in(node, wish, &task, ("restore", back.before, &failed), || {
        File::open(&path).map(OwnedFd::from).map_err(|error| crate::verbs::ours(&error))
    })
}

/// It could not be had out of the backup.
fn not_out(words: &str) -> Refusal {
    let mut refusal = Refusal::new(
        "part-not-restored",
        422,
        Text::new("Delen kunne ikke trækkes ud af backuppen", "The part could not be had out of the backup"),
        Text::new(
            "Intet er ændret. Vælg en anden backup, eller gendan den som en ny løsning ved siden af, og se efter dér.",
            "Nothing was changed. Choose another backup, or restore it as a new solution beside this one, and look there.",
        ),
    );
    refusal.measured = Some(crate::causes::last_words(words, 1_000));
    refusal
}
