//! Logs leave the machine: pieces that were kept go where the solution's backups go, into a repository of their own beside theirs, within seconds
//! and as long as there is something. What lies there is told with each report.
//!
//! ```text
//!   keeping ──a piece is there──▶ [`begin`] ──▶ child: adds it ──▶ target
//!                                   │  key of the log alone, in memory
//!                                   └▶ note beside the log store: what lies there
//! ```
//!
//! The key is asked for when there is something to send, and held for a day at most, or for an hour of silence. It opens the log and not the
//! backups. A note that is lost costs nothing but the old pieces: what is sent next begins anew with what the store has.

use crate::Node;
use crate::backup::job::{Came, FaultOf, PIECES, Work};
use crate::backup::{Errand, Urgency, forbidden, refusal, run, unlock_log, whose_folder};
use crate::sandbox::ResolvedBind;
use crate::segment::{self, Name};
use crate::volume::{Line, Volume};
use husorden_backup::Shelf;
use husorden_base::{Refusal, SolutionId, TargetId, Text};
use husorden_wire::node::{LogAway, Repository, Secrets, Wish};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tracing::{debug, warn};

/// Pause between two sendings of one log.
const PAUSE: Duration = Duration::from_secs(10);
/// Pause after one that failed; it doubles.
const AGAIN: Duration = Duration::from_secs(15);
const AGAIN_MAX: Duration = Duration::from_secs(600);
/// Longest time of one sending.
const LIMIT: Duration = Duration::from_secs(1800);
/// Pieces that are sent at once.
const PIECES_MAX: usize = 128;
/// How long a key is held, and how long without need.
const HELD: Duration = Duration::from_secs(24 * 3600);
const IDLE: Duration = Duration::from_secs(3600);
/// What is older is let go. The target's side keeps a day more.
const KEPT: SignedDuration = SignedDuration::from_hours(14 * 24);

/// What lies at a target, as it is noted beside the log store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    /// Which.
    target: Option<TargetId>,
    /// The line of the log that was sent last.
    line: u64,
    /// Its pieces that lie there without a gap.
    first: u64,
    last: u64,
    /// The last time in them, in milliseconds since 1970.
    last_ms: i64,
    /// The snapshot that names all of it.
    copy: String,
    shelf: Shelf,
}

impl Note {
    /// How much of a line lies there.
    fn last_of(&self, line: u64) -> u64 {
        if self.line == line { self.last } else { 0 }
    }

    /// That a piece lies there.
    fn add(&mut self, line: u64, piece: &Name) {
        if self.line != line || piece.seq != self.last + 1 {
            (self.line, self.first) = (line, piece.seq);
        }
        self.last = piece.seq;
        if let Some((_, last)) = piece.times {
            self.last_ms = last;
        }
    }
}

/// What opens the log's repository.
struct Held {
    secrets: Secrets,
    repository: Repository,
    since: Instant,
    used: Instant,
}

/// What is known of one log.
struct Known {
    note: Note,
    /// Everything up to here is there; none where that is now.
    to: Option<Timestamp>,
    /// When it was last looked at and nothing that is kept was missing there.
    looked: Timestamp,
    /// Something is kept that is not there.
    unsent: bool,
    held: Option<Arc<Held>>,
    /// When it is sent again at the earliest.
    next: Instant,
    failed: u32,
    trouble: Option<Text>,
    /// Nobody lets it leave, such as without a target: whoever waits for it waits for nothing.
    refused: bool,
}

impl Known {
    /// What lies there by its note; nothing has been looked at yet.
    fn of(note: Note, now: Timestamp) -> Self {
        Self {
            to: segment::reaches(note.last_ms),
            note,
            looked: now,
            unsent: false,
            held: None,
            next: Instant::now(),
            failed: 0,
            trouble: None,
            refused: false,
        }
    }

    /// Takes in what is kept: its line and newest piece, and how far, when it was looked at.
    fn look(&mut self, (line, newest): (u64, u64), now: Timestamp, to: Option<Timestamp>) {
        self.unsent = self.note.last_of(line) < newest;
        if self.note.line != line {
            // What lies there is of a line that goes on no more, such as from before a restore.
            self.to = segment::reaches(self.note.last_ms);
        } else if !self.unsent {
            (self.to, self.looked, self.trouble) = (to, now, None);
        } else if self.to.is_none() {
            // At the last look everything was there; what waits now was written after it.
            self.to = Some(self.looked);
        }
    }
}

/// What is known of all logs.
#[derive(Default)]
pub(crate) struct Away {
    known: Mutex<BTreeMap<SolutionId, Known>>,
    at_work: Mutex<BTreeSet<SolutionId>>,
}

impl Away {
    fn known(&self) -> MutexGuard<'_, BTreeMap<SolutionId, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn at_work(&self) -> MutexGuard<'_, BTreeSet<SolutionId>> {
        self.at_work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in how far a log was kept (`to`, none for all of it) when it was looked at, and says whether something of it waits to be sent.
    pub(crate) fn look(
        &self,
        solution: SolutionId,
        volume: &Volume,
        (line, newest): (u64, u64),
        (now, to): (Timestamp, Option<Timestamp>),
    ) -> bool {
        let mut all = self.known();
        let known = all.entry(solution).or_insert_with(|| {
            let read = volume.away().ok().flatten();
            let note: Note = read.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
            Known::of(note, now)
        });
        known.look((line, newest), now, to);
        let stale = |held: &Arc<Held>| held.since.elapsed() > HELD || held.used.elapsed() > IDLE;
        if known.held.as_ref().is_some_and(stale) {
            known.held = None;
        }
        known.unsent && !known.refused
    }

    /// What lies at a target.
    pub(crate) fn seen(&self, solution: SolutionId) -> Option<LogAway> {
        let all = self.known();
        let known = all.get(&solution)?;
        let target = known.note.target?;
        Some(LogAway {
            target,
            copy: known.note.copy.clone(),
            line: known.note.line,
            first: known.note.first,
            next: known.note.last + 1,
            to: known.to,
            trouble: known.trouble.clone(),
        })
    }

    /// Backups go to this target now, and so does the log.
    pub(crate) fn goes_to(&self, solution: SolutionId, target: TargetId) {
        if let Some(known) = self.known().get_mut(&solution) {
            let other = known.held.as_ref().is_some_and(|held| held.repository.target != target);
            if other || known.note.target.is_some_and(|noted| noted != target) {
                known.held = None;
                // Nothing of it lies there yet.
                known.note = Note::default();
            }
            (known.next, known.refused) = (Instant::now(), false);
        }
    }

    /// Forgets a log that goes.
    pub(crate) fn forget(&self, solution: SolutionId) {
        self.known().remove(&solution);
    }
}

/// Sends what waits, on a thread of its own, one at a time for each solution.
pub(crate) fn begin(node: &Arc<Node>, wish: &Wish, line: &Line, pieces: &[Name]) {
    let solution = wish.solution;
    let due = node.away.known().get(&solution).is_some_and(|known| known.unsent && known.next <= Instant::now());
    if !due || forbidden(node, wish).is_some() || !node.away.at_work().insert(solution) {
        return;
    }
    let (worker, wish, line, pieces) = (Arc::clone(node), wish.clone(), line.clone(), pieces.to_vec());
    let spawned = std::thread::Builder::new().name("send-log".to_owned()).spawn(move || {
        let sent = send(&worker, &wish, &line, &pieces);
        if let Some(known) = worker.away.known().get_mut(&wish.solution) {
            match sent {
                Ok(()) => {
                    (known.failed, known.trouble, known.refused, known.next) = (0, None, false, Instant::now() + PAUSE)
                }
                Err(why) => {
                    debug!(number = %wish.number, %why, "a log was not sent away");
                    let pause = AGAIN.saturating_mul(1 << known.failed.min(6)).min(AGAIN_MAX);
                    known.refused = why.code == "backup-not-released";
                    known.next = Instant::now() + pause;
                    known.failed += 1;
                    known.held = None;
                    known.trouble = Some(why.title);
                }
            }
        }
        worker.away.at_work().remove(&wish.solution);
        // What is told of it is otherwise now, and what came meanwhile is looked at.
        worker.look_at_log(wish.solution);
    });
    if let Err(error) = spawned {
        warn!(%solution, %error, "no thread to send a log away");
        node.away.at_work().remove(&solution);
    }
}

fn send(node: &Arc<Node>, wish: &Wish, line: &Line, pieces: &[Name]) -> Result<(), Refusal> {
    let over = || node.ending() || forbidden(node, wish).is_some();
    let Some(_slot) = node.slots.take(Urgency::Log, over) else {
        return Err(refusal(FaultOf::Stopped, "the node is ending, or it is sealed"));
    };
    let held = held(node, wish)?;
    let volume = node.volume(wish.number);
    let mut note = node.away.known().get(&wish.solution).map(|known| known.note.clone()).unwrap_or_default();
    if note.target != Some(held.repository.target) {
        note = Note { target: Some(held.repository.target), ..Note::default() };
    }
    let after = note.last_of(line.number);
    let unsent: Vec<Name> = pieces.iter().filter(|piece| piece.seq > after).cloned().collect();
    for some in unsent.chunks(PIECES_MAX) {
        append(node, (wish, line), &held, &mut note, some)?;
        let text = serde_json::to_vec(&note).expect("plain data has a JSON form");
        if let Err(error) = volume.set_away(&text) {
            warn!(number = %wish.number, error = crate::causes::causes(&error), "what of a log lies elsewhere was not noted");
        }
        if let Some(known) = node.away.known().get_mut(&wish.solution) {
            known.note = note.clone();
        }
    }
    Ok(())
}

/// What opens the repository, from memory or asked for.
fn held(node: &Node, wish: &Wish) -> Result<Arc<Held>, Refusal> {
    let known = node.away.known().get(&wish.solution).and_then(|known| known.held.clone());
    let fresh = match known {
        Some(held) => Held {
            secrets: held.secrets.clone(),
            repository: held.repository.clone(),
            since: held.since,
            used: Instant::now(),
        },
        None => {
            let (secrets, repository) = unlock_log(node, wish.solution)?;
            Held { secrets, repository, since: Instant::now(), used: Instant::now() }
        }
    };
    let held = Arc::new(fresh);
    if let Some(known) = node.away.known().get_mut(&wish.solution) {
        known.held = Some(Arc::clone(&held));
    }
    Ok(held)
}

fn append(
    node: &Arc<Node>,
    (wish, line): (&Wish, &Line),
    held: &Held,
    note: &mut Note,
    pieces: &[Name],
) -> Result<(), Refusal> {
    let number = whose_folder(&held.repository)
        .ok_or_else(|| refusal(FaultOf::Limit, "the repository's folder is no solution's number"))?;
    let errand = Errand {
        number,
        name: "log",
        repository: &held.repository,
        secrets: &held.secrets,
        work: Work::Append {
            host: node.config.name.clone(),
            tags: vec!["log".to_owned(), wish.number.to_string(), wish.solution.to_string()],
            line: format!("{:06}-{}", line.number, line.engine),
            names: pieces.iter().map(Name::to_string).collect(),
            shelf: Box::new(note.shelf.clone()),
            keep: Timestamp::now().checked_sub(KEPT).unwrap_or(Timestamp::MIN),
            first: note.copy.is_empty(),
        },
        binds: vec![ResolvedBind { from: line.folder.clone(), to: PIECES.to_owned(), write: false }],
        into: None,
        limit: LIMIT,
        stop: &|| forbidden(node, wish),
    };
    match run(node, errand, &mut |_, _| ())? {
        Came::Appended { copy, shelf, bytes_sent } => {
            debug!(number = %wish.number, pieces = pieces.len(), bytes_sent, "sent a log away");
            (note.copy, note.shelf) = (copy, *shelf);
            pieces.iter().for_each(|piece| note.add(line.number, piece));
            Ok(())
        }
        other => Err(crate::verbs::ours(&io::Error::other(format!("sending a log came to {other:?}")))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_there_without_a_gap_begins_after_the_last_gap_and_with_a_line() {
        let piece = |seq| Name { seq, times: Some((1, 2)), back: false, file: format!("f{seq}") };
        let mut note = Note::default();
        for (line, seq, expected) in
            [(1, 1, (1, 1)), (1, 2, (1, 2)), (1, 5, (5, 5)), (1, 6, (5, 6)), (2, 1, (1, 1)), (2, 3, (3, 3))]
        {
            note.add(line, &piece(seq));
            assert_eq!((note.first, note.last, note.line), (expected.0, expected.1, line));
        }
        assert_eq!((note.last_of(2), note.last_of(3)), (3, 0));
    }

    #[test]
    fn what_ended_between_two_looks_was_there_up_to_the_first_of_them() {
        let at = |second| Timestamp::from_second(second).expect("a time");
        let note = Note { line: 1, last: 7, ..Note::default() };
        let mut known = Known::of(note, at(0));
        known.look((1, 7), at(10), None);
        assert_eq!((known.unsent, known.to), (false, None), "all of it is there");
        known.look((1, 8), at(20), None);
        assert_eq!(
            (known.unsent, known.to),
            (true, Some(at(10))),
            "of what was written since nobody has sent anything"
        );
        known.look((1, 9), at(30), None);
        assert_eq!(known.to, Some(at(10)));
        known.note.last = 9;
        known.look((1, 9), at(40), Some(at(35)));
        assert_eq!((known.unsent, known.to), (false, Some(at(35))), "as far as it is kept");
    }
}
