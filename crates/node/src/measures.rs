//! Carrying measures out: written down first, then refused at the edge, frozen, and cut off the net; lifted just as fast.
//!
//! The register of measures is read before any listener at boot and afresh in each pass; nothing here is remembered
//! elsewhere.

use crate::Node;
use husorden_base::{MeasureId, Number};
use husorden_rules::{Measure, Scope};
use husorden_wire::node::{FromNode, MeasureState, Wish};
use jiff::Timestamp;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tracing::{info, warn};

/// How long an edge may take to say that a closed site is closed before the measure counts as kept but not in force.
const EDGE_WAIT: Duration = Duration::from_secs(2);

/// Takes a measure, new or changed, and carries it out.
pub(crate) fn take(node: &Arc<Node>, measure: Measure) {
    let (id, revision) = (measure.id, measure.revision);
    match node.register.take_measure(measure) {
        Ok(_) => say(node, id, revision, MeasureState::Kept),
        Err(error) => {
            // Not kept is not acknowledged: control sends it again, and it is not carried out on a promise.
            warn!(measure = %id, %error, "a measure could not be written down");
            return;
        }
    }
    carry_out(node, id);
}

/// Brings the machine in line with a measure that is written down.
pub(crate) fn carry_out(node: &Arc<Node>, id: MeasureId) {
    let Some(measure) = node.register.measure(id) else { return };
    let now = Timestamp::now();
    if measure.starts > now {
        return;
    }
    let covered: Vec<Wish> = node
        .register
        .solutions()
        .into_iter()
        .filter(|(solution, _, account)| measure.covers(*solution, *account))
        .filter_map(|(solution, _, _)| node.register.wish(solution))
        .collect();
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
    if let Err(error) = node.register.witness("measure.close.begin", solution, detail.clone()) {
        // Safety of others goes first: the measure itself is written down, and that is its own line before the act.
        warn!(%error, "no line of evidence before a measure");
    }
    let generation = match node.routes.close(&numbers, &measure.case_number) {
        Ok(generation) => Some(generation),
        Err(error) => {
            warn!(measure = %measure.id, %error, "routes could not all be closed");
            None
        }
    };
    let mut whole = true;
    for number in &numbers {
        node.sandboxes.hold(*number, true);
    }
    for number in &numbers {
        if let Err(error) = node.ports.close(*number) {
            warn!(%number, %error, "a port could not be closed");
            whole = false;
        }
        if let Err(error) = node.sandboxes.cut(*number) {
            warn!(%number, %error, "a sandbox could not be cut");
            whole = false;
        }
    }
    let at_edge = generation.is_some_and(|generation| node.routes.wait_applied(generation, EDGE_WAIT));
    if whole && at_edge {
        say(node, measure.id, measure.revision, MeasureState::InForce);
        info!(measure = %measure.id, solutions = numbers.len(), "in force");
    } else {
        warn!(measure = %measure.id, at_edge, whole, "kept, but not in force everywhere; tried again at the next sweep");
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

fn open(node: &Arc<Node>, measure: &Measure, covered: &[Wish], now: Timestamp) {
    for wish in covered {
        // Another measure may still hold it; then nothing opens.
        if node.register.held(wish.solution, wish.account, now).is_none() {
            node.sandboxes.hold(wish.number, false);
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
    say(node, measure.id, measure.revision, MeasureState::Lifted);
    crate::control::say_evidence(node);
    info!(measure = %measure.id, "lifted");
}

fn say(node: &Node, measure: MeasureId, revision: u64, state: MeasureState) {
    node.voice.say(&FromNode::Measured { measure, revision, state, at: Timestamp::now() });
}

/// Before any listener at boot: what is held stays held.
pub(crate) fn hold_all(node: &Node) {
    let now = Timestamp::now();
    for (solution, number, account) in node.register.solutions() {
        if node.register.held(solution, account, now).is_some() {
            node.sandboxes.hold(number, true);
            if let Err(error) = node.sandboxes.cut(number) {
                warn!(%number, %error, "a held sandbox could not be cut at boot");
            }
            if let Err(error) = node.ports.close(number) {
                warn!(%number, %error, "a held port could not be closed at boot");
            }
        }
    }
}

/// Measures that began or ended by themselves since the last look, or are kept but not in force, are carried out.
pub(crate) fn look_after(node: &Arc<Node>, since: Timestamp) {
    let now = Timestamp::now();
    for measure in node.register.measures() {
        let turned = |moment: Option<Timestamp>| moment.is_some_and(|moment| since < moment && moment <= now);
        if measure.lifted.is_none() && (turned(Some(measure.starts)) || turned(measure.ends)) {
            carry_out(node, measure.id);
        }
    }
}
