//! Verbs: what control asks to be done once. Those of one solution are done one after the other, never beside a pass, and
//! each is written down when it has ended, so that it is not done twice.
//!
//! What takes long and changes nothing of the solution (a backup, a proof, something handed out) goes in a lane of its own: one after the other there,
//! beside passes and other verbs.

use crate::Node;
use crate::backup::{self, Return};
use crate::flow::Part;
use crate::intake::Archive;
use crate::quiesce::{self, Note};
use crate::volume::Why;
use husorden_base::{OrderId, Refusal, SolutionId, Text};
use husorden_wire::node::{FromNode, Level, Outcome, Repository, Verb, VerbState, Wish};
use serde_json::json;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use tracing::warn;

/// Verbs of one solution that may wait.
const WAITING_MAX: usize = 100;

/// Verbs of one lane wait for each other, and for nobody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Lane {
    /// Nobody else works on the solution meanwhile.
    Work,
    /// Backups.
    Backup,
    /// Proofs.
    Proof,
    /// What is handed out.
    Hand,
}

impl Lane {
    fn of(verb: &Verb) -> Self {
        match verb {
            Verb::BackUp { .. } => Self::Backup,
            Verb::Prove { .. } => Self::Proof,
            Verb::Dump { .. } | Verb::Package | Verb::BackupRead { .. } => Self::Hand,
            Verb::Snapshot { .. }
            | Verb::SnapshotDelete { .. }
            | Verb::Restore { .. }
            | Verb::Unpack { .. }
            | Verb::Load { .. }
            | Verb::BackupRestore { .. }
            | Verb::Update
            | Verb::Wake
            | Verb::Sleep
            | Verb::Reset => Self::Work,
        }
    }
}

/// A lane of one solution.
type Place = (SolutionId, Lane);

#[derive(Default)]
struct Desk {
    waiting: HashMap<Place, VecDeque<(OrderId, Verb)>>,
    known: HashSet<OrderId>,
    /// Of the known ones, those that control has withdrawn.
    withdrawn: HashSet<OrderId>,
    busy: HashSet<SolutionId>,
}

/// The desk where verbs wait.
#[derive(Default)]
pub(crate) struct Verbs {
    desk: Mutex<Desk>,
    freed: Condvar,
}

/// While it lives, nobody else works on the solution.
pub(crate) struct Claim<'a> {
    verbs: &'a Verbs,
    solution: SolutionId,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.verbs.lock().busy.remove(&self.solution);
        self.verbs.freed.notify_all();
    }
}

impl Verbs {
    fn lock(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The solution for oneself, if nobody works on it.
    pub(crate) fn claim(&self, solution: SolutionId) -> Option<Claim<'_>> {
        self.lock().busy.insert(solution).then(|| Claim { verbs: self, solution })
    }

    /// The solution for oneself, as soon as nobody else works on it. Not from within a verb that has it already.
    pub(crate) fn claim_waiting(&self, solution: SolutionId) -> Claim<'_> {
        let mut desk = self.lock();
        while !desk.busy.insert(solution) {
            desk = self.freed.wait(desk).unwrap_or_else(PoisonError::into_inner);
        }
        Claim { verbs: self, solution }
    }

    /// Whether an order waits here, or is being carried out.
    #[cfg(test)]
    pub(crate) fn has(&self, order: OrderId) -> bool {
        self.lock().known.contains(&order)
    }

    /// Control withdraws an order. One that is not known here gets no key when it comes, so it need not be remembered.
    pub(crate) fn withdraw(&self, order: OrderId) {
        let mut desk = self.lock();
        if desk.known.contains(&order) {
            desk.withdrawn.insert(order);
        }
    }

    /// Whether control has withdrawn an order. Who carries one out for another node's solution looks at this.
    pub(crate) fn withdrawn(&self, order: OrderId) -> bool {
        self.lock().withdrawn.contains(&order)
    }

    /// Takes a verb from control; one that has ended is answered again, one that is known is not taken twice.
    pub(crate) fn take(&self, node: &Arc<Node>, order: OrderId, solution: SolutionId, verb: Verb) {
        match node.register.verb(order) {
            Ok(Some(state)) => return node.voice.say(&FromNode::Progress { order, state }),
            Ok(None) => {}
            Err(error) => {
                return warn!(%order, %error, "whether a verb was done could not be read; it waits for the next hello");
            }
        }
        let mut desk = self.lock();
        if !desk.known.insert(order) {
            return;
        }
        let place = (solution, Lane::of(&verb));
        let queue = desk.waiting.entry(place).or_default();
        let first = queue.is_empty();
        if queue.len() < WAITING_MAX {
            queue.push_back((order, verb));
        } else {
            desk.known.remove(&order);
            return;
        }
        if first {
            let node = Arc::clone(node);
            let spawned =
                std::thread::Builder::new().name("verbs".to_owned()).spawn(move || node.verbs.work(&node, place));
            if let Err(error) = spawned {
                // Nobody works at this queue; control asks again after its next hello.
                warn!(%solution, %error, "no thread for a verb");
                desk.waiting.remove(&place);
                desk.known.remove(&order);
            }
        }
    }

    /// Does the verbs of one lane until none waits. The one being done stays at the head of the queue, so that a verb
    /// which arrives meanwhile starts no second worker.
    fn work(&self, node: &Arc<Node>, place: Place) {
        let (solution, lane) = place;
        loop {
            let next = self.lock().waiting.get(&place).and_then(|queue| queue.front().cloned());
            let Some((order, verb)) = next else { break };
            let state = {
                let _claim = (lane == Lane::Work).then(|| self.claim_waiting(solution));
                match (node.register.wish(solution), &verb) {
                    (Some(wish), _) => carry_out(node, &wish, order, &verb),
                    // What is another node's is proven here too: all that it needs lies at its target.
                    (None, Verb::Prove { repository, copy, level, .. }) => {
                        witnessed(node, solution, order, &verb, || {
                            prove(node, (solution, None), order, (repository, copy, *level))
                        })
                    }
                    (None, _) => {
                        failed("unknown-solution", "Noden kender ikke løsningen", "The node does not know the solution")
                    }
                }
            };
            if lane != Lane::Work && node.ending() && matches!(state, VerbState::Failed { .. }) {
                // It was cut short by the node's own end: the next one hears of it and of what waits behind it again, and does it anew.
                let mut desk = self.lock();
                let left = desk.waiting.remove(&place).unwrap_or_default();
                for (order, _) in &left {
                    desk.known.remove(order);
                    desk.withdrawn.remove(order);
                }
                break;
            }
            if let Err(error) = node.register.end_verb(order, &state) {
                warn!(%order, %error, "the end of a verb could not be written down");
            }
            node.voice.say(&FromNode::Progress { order, state });
            node.keeper.wake(solution);
            let mut desk = self.lock();
            desk.known.remove(&order);
            desk.withdrawn.remove(&order);
            if let Some(queue) = desk.waiting.get_mut(&place) {
                queue.pop_front();
                if queue.is_empty() {
                    desk.waiting.remove(&place);
                    break;
                }
            }
        }
    }
}

/// Why nothing may be done on a solution now: a measure holds it.
pub(crate) fn closed(node: &Node, wish: &Wish) -> Option<Refusal> {
    let held = node.register.held(wish.solution, wish.account, jiff::Timestamp::now())?;
    Some(Refusal {
        case: Some(held.case_number.clone()),
        ..Refusal::new(
            "closed-by-measure",
            403,
            Text::new("Løsningen er lukket af en foranstaltning", "The solution is closed by a measure"),
            Text::new(
                format!("Sag {}: afgørelsen siger hvorfor, og hvordan man klager.", held.case_number),
                format!("Case {}: the decision says why, and how to complain.", held.case_number),
            ),
        )
    })
}

fn carry_out(node: &Arc<Node>, wish: &Wish, order: OrderId, verb: &Verb) -> VerbState {
    let lane = Lane::of(verb);
    // A backup does not depend on its owner being served; what is sealed is neither copied nor proven, and who does that looks for seals.
    let refused = match verb {
        _ if matches!(lane, Lane::Backup | Lane::Proof) => None,
        Verb::BackupRead { .. } => backup::unreadable(node, wish),
        _ => closed(node, wish),
    };
    if let Some(refusal) = refused {
        return VerbState::Failed { refusal: Box::new(refusal) };
    }
    witnessed(node, wish.solution, order, verb, || {
        let follows =
            matches!(verb, Verb::Restore { spec_follows: true, .. } | Verb::BackupRestore { spec_follows: true, .. });
        let result = act(node, wish, order, verb);
        if follows && result.is_err() {
            node.register.await_release(wish.solution, None).map_err(|error| ours(&error))?;
        }
        if lane == Lane::Work {
            // A restore begins another line of the log.
            node.forget_log(wish.solution);
        }
        result
    })
}

/// What a proof comes to; the wish is there where the solution is this node's.
fn prove(
    node: &Arc<Node>,
    of: (SolutionId, Option<&Wish>),
    order: OrderId,
    what: (&Repository, &str, Level),
) -> Result<Option<Box<Outcome>>, Refusal> {
    crate::proof::ordered(node, of, order, what).map(|proven| Some(Box::new(Outcome::Proven(Box::new(proven)))))
}

/// Does it between two lines of evidence.
fn witnessed(
    node: &Arc<Node>,
    solution: SolutionId,
    order: OrderId,
    verb: &Verb,
    work: impl FnOnce() -> Result<Option<Box<Outcome>>, Refusal>,
) -> VerbState {
    let detail = json!({ "order": order, "verb": verb });
    if let Err(error) = node.register.witness("verb.begin", Some(solution), detail) {
        warn!(%order, %error, "no line of evidence, so the verb is not begun");
        return failed("no-evidence", "Bevislinjen kunne ikke skrives", "The line of evidence could not be written");
    }
    node.voice.say(&FromNode::Progress { order, state: VerbState::Running { text: doing(verb), percent: None } });
    let state = match work() {
        Ok(result) => VerbState::Done { result },
        Err(refusal) => VerbState::Failed { refusal: Box::new(refusal) },
    };
    if let Err(error) = node.register.witness("verb.end", Some(solution), json!({ "order": order, "state": state })) {
        warn!(%order, %error, "no line of evidence after a verb");
    }
    state
}

fn act(node: &Arc<Node>, wish: &Wish, order: OrderId, verb: &Verb) -> Result<Option<Box<Outcome>>, Refusal> {
    let volume = node.volume(wish.number);
    let done = |()| None;
    match verb {
        Verb::Snapshot { snapshot, label, before } => {
            let why = before.as_ref().map_or(Why::Customer, |what| Why::Before { what: what.clone() });
            let label = (!label.is_empty()).then(|| label.clone());
            let note = Note { why, label, spec: None };
            quiesce::snapshot(node, wish, snapshot, note).map(|_| None).map_err(|error| crate::host::refused(&error))
        }
        Verb::SnapshotDelete { snapshot } => {
            volume.snapshot_delete(snapshot).map(done).map_err(|error| crate::host::refused(&error))
        }
        Verb::Restore { snapshot, before, spec_follows } => {
            if *spec_follows {
                // Before anything is done: who dies in between finds it.
                node.register.await_release(wish.solution, Some(order)).map_err(|error| ours(&error))?;
            }
            let back = || {
                quiesce::snapshot(node, wish, before, Why::Before { what: "restore".to_owned() })?;
                volume.restore(snapshot, before)
            };
            node.quiet(wish.number, back).map(done)
        }
        Verb::Unpack { format, into, bytes, before } => {
            quiesce::snapshot(node, wish, before, Why::Before { what: "unpack".to_owned() })
                .map_err(|error| crate::host::refused(&error))
                .and_then(|_| crate::intake::take(node, wish, order, &Archive { format, bytes: *bytes, into }))
                .map(done)
        }
        Verb::Dump { part, format } => crate::flow::dump(node, wish, order, Part { part, format }).map(done),
        Verb::Package => crate::flow::package(node, wish, order).map(done),
        Verb::Load { part, format, before, failed, .. } => {
            crate::flow::load(node, wish, order, Part { part, format }, (before, failed)).map(done)
        }
        Verb::BackUp { backup: id, repository } => backup::back_up(node, wish, order, *id, repository)
            .map(|written| Some(Box::new(Outcome::BackedUp(Box::new(written))))),
        Verb::BackupRestore { repository, copy, what, before, hole, spec_follows } => {
            let (hole, spec_follows) = (hole.as_deref(), *spec_follows);
            let back = Return { repository, copy, what, before, hole, spec_follows };
            backup::restore(node, wish, order, &back).map(done)
        }
        Verb::BackupRead { repository, copy, what } => {
            backup::read(node, wish, order, repository, (copy, what)).map(done)
        }
        Verb::Prove { repository, copy, level, .. } => {
            prove(node, (wish.solution, Some(wish)), order, (repository, copy, *level))
        }
        Verb::Update => crate::updates::now(node, wish.solution, order).map(done),
        Verb::Wake => node.sandboxes.wake(wish.number).map(done).map_err(|error| ours(&error)),
        Verb::Sleep => node.sandboxes.quiet(wish.number).map(|_| None).map_err(|error| ours(&error)),
        Verb::Reset => node.sandboxes.reset(wish.number).map(done).map_err(|error| ours(&error)),
    }
}

fn doing(verb: &Verb) -> Text {
    match verb {
        Verb::Snapshot { .. } => Text::new("Tager et øjebliksbillede", "Taking a snapshot"),
        Verb::SnapshotDelete { .. } => Text::new("Sletter et øjebliksbillede", "Deleting a snapshot"),
        Verb::Restore { .. } => Text::new("Gendanner fra et øjebliksbillede", "Restoring from a snapshot"),
        Verb::Unpack { .. } => Text::new("Pakker arkivet ud", "Unpacking the archive"),
        Verb::Dump { .. } => Text::new("Trækker ud", "Dumping"),
        Verb::Package => Text::new("Pakker", "Packing"),
        Verb::Load { .. } => Text::new("Læser ind", "Loading"),
        Verb::BackUp { .. } => Text::new("Tager backup", "Backing up"),
        Verb::BackupRestore { .. } => Text::new("Gendanner fra en backup", "Restoring from a backup"),
        Verb::BackupRead { .. } => Text::new("Læser i en backup", "Reading a backup"),
        Verb::Prove { .. } => Text::new("Prøver en backup", "Proving a backup"),
        Verb::Update => Text::new("Opdaterer", "Updating"),
        Verb::Wake => Text::new("Starter", "Starting"),
        Verb::Sleep => Text::new("Stopper", "Stopping"),
        Verb::Reset => Text::new("Nulstiller", "Resetting"),
    }
}

fn failed(code: &str, da: &str, en: &str) -> VerbState {
    VerbState::Failed {
        refusal: Box::new(Refusal::new(
            code,
            500,
            Text::new(da, en),
            Text::new("Prøv igen; intet er ændret.", "Try again; nothing was changed."),
        )),
    }
}

pub(crate) fn ours(error: &dyn std::error::Error) -> Refusal {
    warn!(%error, "a verb failed");
    Refusal::new(
        "not-done",
        500,
        Text::new("Det lykkedes ikke på vores side", "It did not work on our side"),
        Text::new(
            "Prøv igen; virker det stadig ikke, så kontakt os.",
            "Try again; if it still does not work, contact us.",
        ),
    )
}
