//! How a solution comes to its builds and moves to newer ones: written once, around every kind's own plan.
//!
//! A solution runs on the builds that it was given. In its maintenance window, or when somebody asks, it moves to the newest, one
//! runtime at a time: it comes to rest, a snapshot is taken, it starts on the new build, and a probe says whether that holds. If it does
//! not, the old build serves again, and if that does not open the data any more, the snapshot is brought back. Stages and what moves
//! them stand in [`crate::builds`].
//!
//! Invariants:
//! - A pin changes only after a look that showed everything at rest, so nothing ever runs on another build than the pinned one.
//! - An update begins only where the kind's own plan has nothing to do, and goes on only while the solution is to be served: what a
//!   measure holds, or its owner stopped, stays on the build it has.
//! - Nothing is brought back but what the update itself put at risk, and what is replaced by it is kept as a snapshot.

use crate::builds::{Move, Stage, Update};
use crate::{Kind, Order, Plan, ServiceState, Sight, Standing, Step, Task, Waiting};
use husorden_base::{RuntimeName, Text};
use std::collections::{BTreeMap, BTreeSet};

#[cfg(test)]
#[path = "update_tests.rs"]
mod tests;

/// The task that probes, and the mark that it leaves: whose turn it was.
pub const PROOF: &str = "proof";
/// What a snapshot is called that is taken before an update.
pub const UPDATE: &str = "update";

/// What to do next: the kind's own plan, on the builds that the solution has, and the update that is due.
#[must_use]
pub fn plan(kind: &dyn Kind, order: &Order, sight: &Sight) -> Plan {
    let open = order.standing() == Standing::Open;
    if let (Some(update), true) = (&sight.builds.update, open) {
        return under_way(kind, order, sight, update);
    }
    let mut plan = kind.plan(order, sight);
    if open {
        plan.steps = pinned(sight, plan.steps);
        if plan.steps.is_empty() && plan.waiting.is_none() {
            plan.steps.extend(due(order, sight).map(|step| Step::Builds { step }));
        }
    }
    if sight.quiet {
        plan.steps.insert(0, Step::QuietEnd);
    }
    plan
}

/// What must be seen of builds when an aim is reached, stated apart from the plan.
///
/// # Errors
/// What is missing.
pub fn reached(order: &Order, sight: &Sight) -> Result<(), String> {
    if sight.quiet {
        return Err("it is kept quiet".to_owned());
    }
    if order.standing() != Standing::Open {
        return Ok(());
    }
    if let Some(update) = &sight.builds.update {
        return Err(format!("an update is under way: {:?}", update.stage));
    }
    for (role, seen) in &sight.services {
        let pinned = sight.builds.pinned(&seen.runtime);
        let Some(pinned) = pinned else { return Err(format!("{role} is on no build of {}", seen.runtime)) };
        if seen.build.as_deref().is_some_and(|build| build != pinned) {
            return Err(format!("{role} runs on {:?}, and {pinned} is pinned", seen.build));
        }
    }
    let used: BTreeSet<&RuntimeName> = sight.services.values().map(|seen| &seen.runtime).collect();
    match sight.builds.pins.keys().find(|name| !used.contains(name)) {
        Some(name) => Err(format!("{name} is pinned, and nothing runs on it")),
        None => Ok(()),
    }
}

/// The steps, with what they stand on pinned first: what runs already stays on its build, everything else takes the newest.
fn pinned(sight: &Sight, steps: Vec<Step>) -> Vec<Step> {
    let coming = steps.iter().filter_map(|step| match step {
        Step::Service { service, .. } => Some((&service.sandbox.runtime, None)),
        _ => None,
    });
    let there = sight.services.values().map(|seen| (&seen.runtime, seen.build.as_ref()));
    let mut builds = BTreeMap::new();
    for (runtime, runs) in there.chain(coming) {
        let shelf = sight.shelf.get(runtime).map_or(&[][..], Vec::as_slice);
        let held = sight.builds.pinned(runtime).is_some_and(|pin| shelf.iter().any(|build| build == pin));
        let build = runs.filter(|runs| shelf.contains(runs)).or(shelf.first());
        if let (false, Some(build)) = (held, build) {
            builds.entry(runtime.clone()).or_insert_with(|| build.clone());
        }
    }
    if builds.is_empty() {
        return steps;
    }
    let pin = Step::Builds { step: Move::Pin { builds } };
    std::iter::once(pin).chain(steps).collect()
}

/// What of the builds is to change where nothing else is to be done.
fn due(order: &Order, sight: &Sight) -> Option<Move> {
    let used: BTreeSet<&RuntimeName> = sight.services.values().map(|seen| &seen.runtime).collect();
    let runtimes: BTreeSet<RuntimeName> =
        sight.builds.pins.keys().filter(|name| !used.contains(name)).cloned().collect();
    if !runtimes.is_empty() {
        return Some(Move::Leave { runtimes });
    }
    let asked = sight.builds.asked;
    let mut newer = used.into_iter().filter_map(|runtime| newer(sight, runtime).map(|to| (runtime, to)));
    let next = newer.find(|(runtime, _)| asked || (order.window && !sight.waits.contains(*runtime)));
    match next {
        Some((runtime, to)) => Some(Move::Begin { runtime: runtime.clone(), to: to.to_owned() }),
        None => asked.then_some(Move::Answered),
    }
}

/// The newest build of a runtime, where it is another than the solution runs on and was not refused by it.
#[must_use]
pub fn newer<'a>(sight: &'a Sight, runtime: &RuntimeName) -> Option<&'a str> {
    let newest = sight.shelf.get(runtime)?.first()?;
    let refused = sight.builds.refused.get(runtime).is_some_and(|refused| refused.build == *newest);
    (sight.builds.pinned(runtime)? != newest && !refused).then_some(newest)
}

fn under_way(kind: &dyn Kind, order: &Order, sight: &Sight, update: &Update) -> Plan {
    match &update.stage {
        Stage::Begun => at_rest(sight, update, || {
            vec![
                Step::Snapshot { id: Some(update.id), before: UPDATE.to_owned(), spec: None },
                Step::Builds { step: Move::Switch },
                Step::QuietEnd,
            ]
        }),
        Stage::Leaving { .. } => {
            at_rest(sight, update, || vec![Step::Builds { step: Move::SwitchBack }, Step::QuietEnd])
        }
        Stage::Spoiled { .. } => at_rest(sight, update, || {
            vec![Step::Restore { id: update.id }, Step::Builds { step: Move::Restored }, Step::QuietEnd]
        }),
        Stage::Trying | Stage::Back { .. } => probed(kind, order, sight, update),
    }
}

/// Everything comes to rest, and then something is done; whoever connects meanwhile waits.
fn at_rest(sight: &Sight, update: &Update, then: impl FnOnce() -> Vec<Step>) -> Plan {
    let any = |wanted: fn(&ServiceState) -> bool| sight.services.values().any(|seen| wanted(&seen.state));
    let ending = any(ServiceState::is_ending);
    let up = any(|state| *state == ServiceState::Running);
    let steps = match (sight.quiet, ending, up) {
        (false, _, _) | (true, false, true) => vec![Step::Quiet],
        (true, true, _) => Vec::new(),
        (true, false, false) => then(),
    };
    let waiting = steps.is_empty().then(|| Waiting::Work { text: moving(update) });
    Plan { steps, waiting }
}

/// It serves on the build that is pinned, and is asked whether it does.
fn probed(kind: &dyn Kind, order: &Order, sight: &Sight, update: &Update) -> Plan {
    let steps = |steps: Vec<Step>| Plan { steps, waiting: None };
    if sight.quiet {
        return steps(vec![Step::QuietEnd]);
    }
    // The kind knows nothing of the task that probes, and would take it away.
    let mut own = sight.clone();
    own.tasks.remove(PROOF);
    let turn = format!("{} {}", update.id, turn(&update.stage));
    let task = kind.proof(order, &own).map(|task| Task {
        name: PROOF.to_owned(),
        marks: vec![(PROOF.to_owned(), turn.clone())],
        ..task
    });
    let seen = sight.tasks.get(PROOF);
    let forget = || seen.map(|_| Step::TaskForget { name: PROOF.to_owned() });
    let failing = sight.services.values().find_map(|seen| match &seen.state {
        ServiceState::Failing { reason } => Some(reason.clone()),
        _ => None,
    });
    let current = seen.filter(|seen| task.as_ref().is_some_and(|task| task.digest() == seen.digest));
    if let Some(reason) = failing.or_else(|| current.and_then(|seen| seen.failed.clone())) {
        let failed = Step::Builds { step: Move::Failed { reason } };
        return steps(forget().into_iter().chain([failed]).collect());
    }
    let plan = kind.plan(order, &own);
    if !plan.steps.is_empty() {
        return steps(pinned(sight, plan.steps));
    }
    let busy = own.tasks.values().any(|task| task.failed.is_none());
    let proved = || steps(vec![Step::Builds { step: Move::Proved }]);
    match (task, current) {
        (None, _) => proved(),
        (Some(_), _) if sight.marks.get(PROOF) == Some(&turn) => proved(),
        (Some(task), None) if !busy => {
            let old = forget();
            steps(old.into_iter().chain([Step::Wake, Step::Task { task: Box::new(task) }]).collect())
        }
        (Some(_), _) => Plan { steps: Vec::new(), waiting: Some(Waiting::Work { text: moving(update) }) },
    }
}

fn turn(stage: &Stage) -> &'static str {
    match stage {
        Stage::Back { restored: true, .. } => "restored",
        Stage::Back { restored: false, .. } => "back",
        Stage::Begun | Stage::Trying | Stage::Leaving { .. } | Stage::Spoiled { .. } => "new",
    }
}

/// What is being done, in words.
fn moving(update: &Update) -> Text {
    let name = &update.runtime;
    match update.stage {
        Stage::Begun => Text::new(
            format!("{name} opdateres: der tages et øjebliksbillede først. Forbindelser venter et øjeblik."),
            format!("{name} is being updated: a snapshot is taken first. Connections wait a moment."),
        ),
        Stage::Trying => {
            Text::new(format!("{name} er opdateret og prøves."), format!("{name} was updated and is being probed."))
        }
        Stage::Leaving { .. } | Stage::Back { .. } => Text::new(
            format!("Opdateringen af {name} holdt ikke; den gamle udgave tages i brug igen."),
            format!("The update of {name} did not hold; the old build is being taken up again."),
        ),
        Stage::Spoiled { .. } => Text::new(
            format!("Opdateringen af {name} holdt ikke; data hentes tilbage fra øjebliksbilledet."),
            format!("The update of {name} did not hold; data is being brought back from the snapshot."),
        ),
    }
}
