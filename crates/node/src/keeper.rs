//! Who decides when a solution gets a pass: at a wake, after a pause that fits how the last pass ended, and at each sweep.
//!
//! A wake carries no data. A solution is never in two passes at once; one that is woken meanwhile gets another pass after.

use crate::Node;
use crate::host::Walls;
use husorden_base::SolutionId;
use husorden_kinds::{Kind, Order, Outcome, Waiting, kind, pass};
use husorden_wire::node::Wish;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tracing::{debug, error, info, warn};

/// Passes at a time.
const WORKERS: usize = 3;
/// Pause while long work runs; its end wakes the solution earlier where the wall can tell.
const WORK_PAUSE: Duration = Duration::from_millis(500);
/// Pause after trouble that is not tried again by itself.
const TROUBLE_PAUSE: Duration = Duration::from_secs(30);
/// First pause after a failed look or step; doubled up to [`FAILED_PAUSE_MAX`].
const FAILED_PAUSE: Duration = Duration::from_secs(1);
/// Longest pause after a failed look or step.
const FAILED_PAUSE_MAX: Duration = Duration::from_secs(60);

#[derive(Default)]
struct Queue {
    due: BTreeSet<(Instant, SolutionId)>,
    when: HashMap<SolutionId, Instant>,
    running: HashSet<SolutionId>,
    again: HashSet<SolutionId>,
    failures: HashMap<SolutionId, u32>,
}

/// The keeper.
#[derive(Default)]
pub(crate) struct Keeper {
    queue: Mutex<Queue>,
    changed: Condvar,
}

impl Keeper {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A pass as soon as a worker is free.
    pub(crate) fn wake(&self, solution: SolutionId) {
        let mut queue = self.lock();
        if queue.running.contains(&solution) {
            queue.again.insert(solution);
        } else {
            queue.plan(solution, Instant::now());
            self.changed.notify_one();
        }
    }

    /// Every worker looks whether the node is ending. Under the lock, so that none goes to sleep meanwhile.
    pub(crate) fn rouse(&self) {
        let _queue = self.lock();
        self.changed.notify_all();
    }

    fn next(&self, node: &Node) -> Option<SolutionId> {
        let mut queue = self.lock();
        while !node.ending() {
            let now = Instant::now();
            let first = queue.due.first().copied();
            match first {
                Some((when, solution)) if when <= now => {
                    queue.due.remove(&(when, solution));
                    queue.when.remove(&solution);
                    queue.running.insert(solution);
                    return Some(solution);
                }
                Some((when, _)) => {
                    queue = self.changed.wait_timeout(queue, when - now).unwrap_or_else(PoisonError::into_inner).0
                }
                None => {
                    queue = self
                        .changed
                        .wait_timeout(queue, Duration::from_secs(1))
                        .unwrap_or_else(PoisonError::into_inner)
                        .0;
                }
            }
        }
        None
    }

    fn ended(&self, solution: SolutionId, pause: Option<Duration>, failed: bool) {
        let mut queue = self.lock();
        queue.running.remove(&solution);
        let pause = if failed {
            let failures = queue.failures.entry(solution).or_default();
            *failures = failures.saturating_add(1);
            Some(FAILED_PAUSE.saturating_mul(1 << (*failures - 1).min(10)).min(FAILED_PAUSE_MAX))
        } else {
            queue.failures.remove(&solution);
            pause
        };
        if queue.again.remove(&solution) {
            queue.plan(solution, Instant::now());
        } else if let Some(pause) = pause {
            queue.plan(solution, Instant::now() + pause);
        }
        self.changed.notify_one();
    }
}

impl Queue {
    fn plan(&mut self, solution: SolutionId, when: Instant) {
        if let Some(old) = self.when.get(&solution).copied() {
            if old <= when {
                return;
            }
            self.due.remove(&(old, solution));
        }
        self.when.insert(solution, when);
        self.due.insert((when, solution));
    }
}

/// Starts the workers; they end when the node does.
///
/// # Errors
/// When a thread can't be made.
pub(crate) fn start(node: &Arc<Node>) -> std::io::Result<Vec<std::thread::JoinHandle<()>>> {
    (0..WORKERS)
        .map(|worker| {
            let node = Arc::clone(node);
            std::thread::Builder::new().name(format!("pass-{worker}")).spawn(move || {
                while let Some(solution) = node.keeper.next(&node) {
                    let (pause, failed) = one(&node, solution);
                    node.keeper.ended(solution, pause, failed);
                }
            })
        })
        .collect()
}

/// Puts every solution in the queue.
pub(crate) fn sweep(node: &Node) {
    for (solution, _, _) in node.register.solutions() {
        node.keeper.wake(solution);
    }
}

/// One pass over a solution that whoever calls this has for themselves: what was wished, and what came of it.
pub(crate) fn round(node: &Arc<Node>, wish: &Wish, kind: &'static dyn Kind) -> (Order, Outcome) {
    let order = node.order(wish);
    node.enforce(wish);
    let outcome = pass(kind, &order, &mut Walls::new(node, wish));
    crate::backup::give_up(node, wish);
    node.report(wish, order.closed.is_some(), &outcome);
    (order, outcome)
}

/// One pass; returns the pause until the next, and whether it failed.
fn one(node: &Arc<Node>, solution: SolutionId) -> (Option<Duration>, bool) {
    let Some(wish) = node.register.wish(solution) else { return (None, false) };
    let Some(kind) = kind(&wish.kind) else {
        error!(%solution, kind = wish.kind, "the register holds a kind this version does not know");
        return (Some(FAILED_PAUSE_MAX), true);
    };
    let Some(_busy) = node.verbs.claim(solution) else {
        // A verb works on the volume; it wakes the solution when it has ended.
        return (Some(WORK_PAUSE), false);
    };
    let (order, outcome) = round(node, &wish, kind);
    match outcome {
        Outcome::Settled(sight) => {
            debug!(%solution, "settled");
            if node.is_over(&order, &sight) {
                node.bury(&wish);
                return (None, false);
            }
            (node.until_due(&wish), false)
        }
        Outcome::Waits(_, Waiting::Work { .. }) => (Some(WORK_PAUSE), false),
        Outcome::Waits(_, Waiting::Trouble { text }) => {
            info!(%solution, trouble = text.en, "waits");
            (Some(TROUBLE_PAUSE), false)
        }
        Outcome::Unfinished(_) => {
            warn!(%solution, "the plan did not come to an end in one pass");
            (Some(FAILED_PAUSE), true)
        }
        Outcome::Blind(trouble) | Outcome::Failed(trouble) => {
            warn!(%solution, %trouble, "a pass failed");
            (Some(FAILED_PAUSE), true)
        }
    }
}
