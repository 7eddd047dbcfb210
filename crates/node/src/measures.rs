//! Carrying measures out: written down first, then refused at the edge, frozen, and cut off the net; lifted just as fast.
//!
//! The register of measures is read before any listener at boot and afresh in each pass; nothing here is remembered
//! elsewhere.

use crate::Node;
use crate::node::stands_still;
use crate::port::Ports;
use crate::register::Register;
use crate::sandbox::{SandboxError, Sandboxes};
use husorden_base::{MeasureId, Number};
use husorden_rules::measure::Fate;
use husorden_rules::{Measure, Scope};
use husorden_wire::node::{FromNode, MeasureState, Wish};
use jiff::Timestamp;
use serde_json::json;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tracing::{info, warn};

/// How long an edge may take to say that a closed site is closed before the measure counts as kept but not in force.
const EDGE_WAIT: Duration = Duration::from_secs(2);

/// Measures carried out at a time. Each may wait for the edge; an account with a thousand solutions must not delay the next
/// decision.
const BAILIFFS: usize = 4;

/// Who carries measures out: a queue, in which what is new goes before what was only said again.
#[derive(Default)]
pub(crate) struct Bailiff {
    docket: Mutex<Docket>,
    called: Condvar,
}

#[derive(Default)]
struct Docket {
    waiting: VecDeque<MeasureId>,
    /// Revisions that are in force, or lifted, on this machine as far as this process has seen to it.
    done: BTreeMap<MeasureId, u64>,
    /// Revisions whose lines of evidence before the act are written: a second try is the same act.
    begun: BTreeMap<MeasureId, u64>,
}

impl Bailiff {
    fn lock(&self) -> MutexGuard<'_, Docket> {
        self.docket.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn call(&self, id: MeasureId, first: bool) {
        let mut docket = self.lock();
        if !docket.waiting.contains(&id) {
            if first {
                docket.waiting.push_front(id);
            } else {
                docket.waiting.push_back(id);
            }
        }
        self.called.notify_one();
    }

    fn next(&self) -> MeasureId {
        let mut docket = self.lock();
        loop {
            if let Some(id) = docket.waiting.pop_front() {
                return id;
            }
            docket = self.called.wait(docket).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Whether this revision is in force, or lifted, as far as this process has seen to it.
    pub(crate) fn is_done(&self, measure: &Measure) -> bool {
        self.lock().done.get(&measure.id) == Some(&measure.revision)
    }

    /// Whether this is the first try at this revision.
    fn begin(&self, measure: &Measure) -> bool {
        self.lock().begun.insert(measure.id, measure.revision) != Some(measure.revision)
    }
}

/// Starts those who carry measures out.
///
/// # Errors
/// When a thread can't be made.
pub(crate) fn start(node: &Arc<Node>) -> std::io::Result<()> {
    for number in 0..BAILIFFS {
        let node = Arc::clone(node);
        std::thread::Builder::new().name(format!("measure-{number}")).spawn(move || {
            loop {
                let id = node.bailiff.next();
                carry_out(&node, id);
            }
        })?;
    }
    Ok(())
}

/// Takes a measure, new or changed: writes it down, says so, and has it carried out.
///
/// # Errors
/// When it could not be written down. Not kept is not acknowledged: control sends it again.
pub(crate) fn take(node: &Arc<Node>, measure: Measure) -> Result<(), crate::register::Error> {
    let (id, revision) = (measure.id, measure.revision);
    let fresh = node.register.take_measure(measure)?;
    say(node, id, revision, MeasureState::Kept);
    node.bailiff.call(id, fresh);
    Ok(())
}

/// Waits until a measure is carried out, at most so long.
pub(crate) fn wait(node: &Node, id: MeasureId, time_max: Duration) -> bool {
    let end = Instant::now() + time_max;
    while Instant::now() < end {
        if node.register.measure(id).is_some_and(|measure| node.bailiff.is_done(&measure)) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    false
}

/// Brings the machine in line with a measure that is written down.
pub(crate) fn carry_out(node: &Arc<Node>, id: MeasureId) {
    let Some(measure) = node.register.measure(id) else { return };
    let now = Timestamp::now();
    if measure.starts > now {
        return;
    }
    if node.bailiff.is_done(&measure) {
        // Said again by a control that has just come back.
        let state = if measure.in_force(now) { MeasureState::InForce } else { MeasureState::Lifted };
        return say(node, id, measure.revision, state);
    }
    let covered: Vec<Wish> = match measure.scope {
        Scope::Solution { id } => node.register.wish(id).into_iter().collect(),
        Scope::Account { .. } => {
            let all = node.register.solutions().into_iter();
            let covered = all.filter(|(solution, _, account)| measure.covers(*solution, *account));
            covered.filter_map(|(solution, _, _)| node.register.wish(solution)).collect()
        }
    };
    if measure.in_force(now) {
        close(node, &measure, &covered);
    } else {
        open(node, &measure, &covered, now);
    }
}

fn close(node: &Arc<Node>, measure: &Measure, covered: &[Wish]) {
    let numbers: Vec<Number> = covered.iter().map(|wish| wish.number).collect();
    let detail = json!({ "measure": measure.id, "case": measure.case_number, "clause": measure.clause, "solutions": numbers.len() });
    let solution = match measure.scope {
        Scope::Solution { id } => Some(id),
        Scope::Account { .. } => None,
    };
    let generation = match node.routes.close(&numbers, &measure.case_number) {
        Ok(generation) => Some(generation),
        Err(error) => {
            warn!(measure = %measure.id, %error, "routes could not all be closed");
            None
        }
    };
    // The measure itself is written down, and that is the line before the act; this one tells what it covers here, and the
    // first refused answer does not wait for it.
    let first = node.bailiff.begin(measure);
    if first && let Err(error) = node.register.witness("measure.close.begin", solution, detail) {
        warn!(%error, "no line of evidence of a measure");
    }
    let mut whole = true;
    for number in &numbers {
        let closed = {
            let _gate = node.gate();
            node.sandboxes.hold(*number, true);
            node.ports.close(*number)
        };
        if let Err(error) = closed {
            warn!(%number, %error, "a port could not be closed");
            whole = false;
        }
    }
    // Whoever sits at a screen is cut off before what runs has come to its end, which may take a while.
    covered.iter().for_each(|wish| crate::console::judge(node, wish));
    for number in &numbers {
        if let Err(error) = halt(&node.register, &node.sandboxes, *number) {
            warn!(%number, %error, "a sandbox could not be cut");
            whole = false;
        }
    }
    for seen in covered.iter().filter_map(|wish| node.reports.closed(wish.solution)) {
        node.voice.say(&FromNode::Seen(Box::new(seen)));
    }
    let at_edge = generation.is_some_and(|generation| node.routes.wait_applied(generation, EDGE_WAIT));
    if whole && at_edge {
        node.bailiff.lock().done.insert(measure.id, measure.revision);
        say(node, measure.id, measure.revision, MeasureState::InForce);
        node.outside.look(measure.id);
        info!(measure = %measure.id, solutions = numbers.len(), "in force");
    } else {
        warn!(measure = %measure.id, at_edge, whole, "kept, but not in force everywhere; tried again in a moment");
    }
    if let Err(error) = node.register.witness(
        "measure.close.end",
        solution,
        json!({ "measure": measure.id, "in_force": whole && at_edge }),
    ) {
        warn!(%error, "no line of evidence after a measure");
    }
    for wish in covered {
        node.keeper.wake(wish.solution);
    }
    crate::control::say_evidence(node);
}

/// What becomes of what runs, as the measures in force have it together: it ends, stands still, or goes on behind a closed port.
fn halt(register: &Register, sandboxes: &Sandboxes, number: Number) -> Result<(), SandboxError> {
    let wish = register.owner(number).and_then(|solution| register.wish(solution));
    let held = wish.as_ref().and_then(|wish| register.held(wish.solution, wish.account, Timestamp::now()));
    match (wish, held) {
        (Some(wish), Some(held)) if stands_still(&wish, &held) => sandboxes.freeze(number, held.work == Fate::Waits),
        _ => sandboxes.cut(number),
    }
}

fn open(node: &Arc<Node>, measure: &Measure, covered: &[Wish], now: Timestamp) {
    for wish in covered {
        let _gate = node.gate();
        // Another measure may still hold it; then nothing opens.
        if node.register.held(wish.solution, wish.account, now).is_none() {
            node.sandboxes.hold(wish.number, false);
            if let Err(error) = node.sandboxes.freeze(wish.number, false) {
                warn!(number = %wish.number, %error, "what stood still does not go on");
            }
            if let Err(error) = node.ports.open_again(wish.number) {
                warn!(number = %wish.number, %error, "a port could not be opened again");
            }
        }
        node.keeper.wake(wish.solution);
    }
    if let Err(error) =
        node.register.witness("measure.lift", None, json!({ "measure": measure.id, "solutions": covered.len() }))
    {
        warn!(%error, "no line of evidence of a lift");
    }
    node.bailiff.lock().done.insert(measure.id, measure.revision);
    say(node, measure.id, measure.revision, MeasureState::Lifted);
    node.outside.look(measure.id);
    crate::control::say_evidence(node);
    info!(measure = %measure.id, "lifted");
}

fn say(node: &Node, measure: MeasureId, revision: u64, state: MeasureState) {
    node.voice.say(&FromNode::Measured { measure, revision, state, at: Timestamp::now() });
}

/// As soon as the walls stand at boot, before anything listens: what is held stays held.
pub(crate) fn hold_all(register: &Register, ports: &Ports, sandboxes: &Sandboxes) {
    let now = Timestamp::now();
    for (solution, number, account) in register.solutions() {
        if register.held(solution, account, now).is_some() {
            sandboxes.hold(number, true);
            if let Err(error) = halt(register, sandboxes, number) {
                warn!(%number, %error, "a held sandbox could not be cut at boot");
            }
            if let Err(error) = ports.close(number) {
                warn!(%number, %error, "a held port could not be closed at boot");
            }
        }
    }
}

/// Measures that began or ended by themselves since the last look, or are kept but not in force, are carried out. Returns the
/// moment up to which it has looked.
pub(crate) fn look_after(node: &Arc<Node>, since: Timestamp, retry: bool) -> Timestamp {
    let now = Timestamp::now();
    for measure in node.register.measures() {
        let turned = |moment: Option<Timestamp>| moment.is_some_and(|moment| since < moment && moment <= now);
        let turns = measure.lifted.is_none() && (turned(Some(measure.starts)) || turned(measure.ends));
        if turns {
            node.bailiff.lock().done.remove(&measure.id);
        }
        if turns || (retry && measure.in_force(now) && !node.bailiff.is_done(&measure)) {
            node.bailiff.call(measure.id, false);
        }
    }
    now
}
