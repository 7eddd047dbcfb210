//! The bench on which a backup is opened: a volume, a uid and sandboxes that are nobody's, and that go whatever happens.

use super::looks::{Mute, look};
use super::{Turn, compare, pressure};
use crate::Node;
use crate::nobody::Nobody;
use crate::volume::Volume;
use husorden_base::{Bytes, Number, Refusal, RuntimeName, Text};
use husorden_kinds::{Kind, Look, Opening, Order, RuntimeSight, Said, ServiceState, kind};
use husorden_wire::node::{Opened, ProofStep, Wish};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tracing::warn;

/// Longest wait for what runs on it to end.
const END_WAIT: Duration = Duration::from_secs(60);
/// Longest wait for a runtime that is not there yet.
const RUNTIME_WAIT: Duration = Duration::from_secs(1_800);
const PAUSE: Duration = Duration::from_millis(100);
/// Time between two looks at the machine's pressure.
const PRESSURE_EVERY: Duration = Duration::from_secs(2);

/// The bench, while one works at it.
pub(crate) struct Bench<'a> {
    node: &'a Arc<Node>,
    wish: Wish,
    turn: Turn<'a>,
}

impl Drop for Bench<'_> {
    fn drop(&mut self) {
        if let Err(why) = clear(self.node, self.turn.number) {
            warn!(why, "what was opened of a backup stays until the next one or the next start");
        }
    }
}

/// Takes away what a node that died left on its bench.
pub(crate) fn sweep(node: &Arc<Node>) {
    for bench in [Nobody::Proof, Nobody::Part] {
        if let Err(why) = clear(node, bench.number()) {
            warn!(why, "what an earlier node opened of a backup stays");
        }
    }
}

fn clear(node: &Arc<Node>, number: Number) -> Result<(), String> {
    let until = Instant::now() + END_WAIT;
    loop {
        let sight = node.sandboxes.sight(number);
        if sight.services.is_empty() && sight.tasks.is_empty() {
            break;
        }
        if Instant::now() > until {
            return Err("something on it does not end".to_owned());
        }
        for role in sight.services.keys() {
            // It is asked again until it is gone.
            let _ = node.sandboxes.service_drop(number, role);
        }
        for name in sight.tasks.keys() {
            let _ = node.sandboxes.task_forget(number, name);
        }
        std::thread::sleep(PAUSE);
    }
    node.proofs.opened().remove(&number);
    node.volume(number).destroy().map_err(|error| crate::causes::causes(&error))
}

/// What came of opening it.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// What it said.
    pub(crate) said: Said,
    /// Whether everything held.
    pub(crate) whole: bool,
    /// Whether there was anything to open: a kind may not say how.
    pub(crate) opened: bool,
}

impl<'a> Bench<'a> {
    /// Clears the bench, and puts an empty volume with these folders and marks on it.
    pub(crate) fn lay(
        node: &'a Arc<Node>,
        turn: Turn<'a>,
        wish: &Wish,
        folders: &[String],
        marks: &BTreeMap<String, String>,
    ) -> Result<Self, Refusal> {
        clear(node, turn.number).map_err(|why| pressure::postponed(&Text::new(why.clone(), why)))?;
        let bench = Self { node, wish: Wish { number: turn.number, ..wish.clone() }, turn };
        let limit = kind(&wish.kind).map_or(Bytes(0), |kind| kind.volume(&wish.spec));
        // Recovery and what is switched on for the checks come on top of what the solution may hold.
        let limit = Bytes(limit.0.saturating_add(limit.0 / 2).saturating_add(Bytes::gib(1).0));
        let volume = bench.volume();
        volume.create(limit, folders).map_err(|error| crate::host::refused(&error))?;
        for (key, value) in marks {
            volume.set_mark(key, value).map_err(|error| crate::host::refused(&error))?;
        }
        node.proofs.opened().insert(bench.wish.number, bench.wish.clone());
        Ok(bench)
    }

    /// The volume.
    pub(crate) fn volume(&self) -> Volume {
        self.node.volume(self.turn.number)
    }

    fn opening(&self) -> Result<Option<Opening>, Refusal> {
        let marks = self.volume().marks().map_err(|error| crate::host::refused(&error))?;
        Ok(kind(&self.wish.kind).and_then(|kind| Kind::opening(kind, &self.order(), &marks)))
    }

    /// What is opened: the spec alone. Nobody is let in, and nothing is attached.
    fn order(&self) -> Order {
        Order { uses: None, guests: Vec::new(), closed: None, expired: false, ..self.node.order(&self.wish) }
    }

    /// Opens what lies on it, step by step.
    ///
    /// # Errors
    /// When it was called off, or the platform itself could not do it: then nothing is said of the backup.
    pub(crate) fn open(
        &self,
        steps: &mut Vec<ProofStep>,
        told: &mut dyn FnMut(&Text),
        stop: &dyn Fn() -> Option<Refusal>,
    ) -> Result<Found, Refusal> {
        self.looks(steps, told, stop, |_| true)
    }

    /// Has what lies on it started, and no more.
    ///
    /// # Errors
    /// As [`Bench::open`].
    pub(crate) fn start(&self, stop: &dyn Fn() -> Option<Refusal>) -> Result<Vec<ProofStep>, Refusal> {
        let mut steps = Vec::new();
        self.looks(&mut steps, &mut |_| (), stop, |look| look.first)?;
        Ok(steps)
    }

    /// Writes a part of what was started into a file; the engine's last words where that fails.
    ///
    /// # Errors
    /// When there is no such part, or it could not be begun.
    pub(crate) fn dump(
        &self,
        (part, format): (&str, &str),
        into: OwnedFd,
        stop: &dyn Fn() -> bool,
    ) -> Result<Option<String>, Refusal> {
        let marks = self.volume().marks().map_err(|error| crate::host::refused(&error))?;
        let task = kind(&self.wish.kind).and_then(|kind| kind.dump(&self.order(), &marks, part, format));
        let Some(task) = task else { return Ok(Some(format!("{part:?} is not in it"))) };
        let resolved = crate::host::resolve(self.node, &self.wish, &task.sandbox);
        let resolved = resolved.map_err(|trouble| crate::verbs::ours(&io::Error::other(trouble.detail)))?;
        let ended = self.node.sandboxes.task_aside(self.turn.number, &task, &resolved, into, stop);
        ended.map_err(|error| crate::verbs::ours(&error))
    }

    fn looks(
        &self,
        steps: &mut Vec<ProofStep>,
        told: &mut dyn FnMut(&Text),
        stop: &dyn Fn() -> Option<Refusal>,
        wanted: impl Fn(&Look) -> bool,
    ) -> Result<Found, Refusal> {
        let mut found = Found { said: Said::default(), whole: true, opened: false };
        let Some(opening) = self.opening()? else { return Ok(found) };
        found.opened = true;
        self.runtimes(&opening, stop)?;
        for (role, service) in &opening.services {
            let set = self.node.sandboxes.service_set(self.turn.number, role, service);
            set.map_err(|error| crate::verbs::ours(&error))?;
        }
        let mut asked = Instant::now();
        let mut stop = || {
            if asked.elapsed() < PRESSURE_EVERY {
                return None;
            }
            asked = Instant::now();
            stop()
        };
        for each in opening.looks.iter().filter(|look| wanted(look)) {
            told(&each.what);
            let began = Instant::now();
            let failed = match look(self.node, self.turn.number, &each.task, &mut stop) {
                Ok(said) => {
                    found.said.add(said);
                    None
                }
                Err(Mute::Stopped(refusal)) => return Err(refusal),
                Err(Mute::Failed(reason)) => Some(self.reason(&opening, reason)),
            };
            let over = failed.is_some() && each.first;
            found.whole &= failed.is_none();
            steps.push(step(each.what.clone(), failed, began));
            if over {
                break;
            }
        }
        Ok(found)
    }

    /// Waits until everything that is needed to run it is there.
    fn runtimes(&self, opening: &Opening, stop: &dyn Fn() -> Option<Refusal>) -> Result<(), Refusal> {
        let runtimes = &self.node.runtimes;
        let services = opening.services.values().map(|service| &service.sandbox.runtime);
        let needed: BTreeSet<&RuntimeName> =
            services.chain(opening.looks.iter().map(|look| &look.task.sandbox.runtime)).collect();
        let until = Instant::now() + RUNTIME_WAIT;
        for name in needed {
            loop {
                match runtimes.status(name) {
                    RuntimeSight::Ready => break,
                    RuntimeSight::Absent => runtimes.ensure(name).map_err(|error| crate::verbs::ours(&error))?,
                    RuntimeSight::Building if Instant::now() < until => std::thread::sleep(PAUSE),
                    RuntimeSight::Building | RuntimeSight::Failed { .. } => {
                        return Err(pressure::postponed(&Text::new(
                            format!("{name} er her ikke, og den skal bruges."),
                            format!("{name} is not here, and it is needed."),
                        )));
                    }
                }
                if let Some(refusal) = stop() {
                    return Err(refusal);
                }
            }
        }
        Ok(())
    }

    /// Why a look failed; where a server did not start, that is why.
    fn reason(&self, opening: &Opening, reason: String) -> Text {
        let sight = self.node.sandboxes.sight(self.turn.number);
        let server = opening.services.keys().find_map(|role| match &sight.services.get(role)?.state {
            ServiceState::Failing { reason } => Some(reason.clone()),
            _ => None,
        });
        let words = server.unwrap_or(reason);
        Text::new(words.clone(), words)
    }
}

/// A step that has ended.
pub(crate) fn step(what: Text, failed: Option<Text>, began: Instant) -> ProofStep {
    ProofStep { what, failed, took_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX) }
}

/// The last step: what was found, beside what was noted.
pub(crate) fn compared(noted: &Opened, said: &Said) -> ProofStep {
    let began = Instant::now();
    let (counts, words) = (noted.counts.len(), noted.words.len());
    let what = if counts + words == 0 {
        Text::new(
            "Intet blev noteret, da backuppen blev taget; der er intet at sammenligne med",
            "Nothing was noted when the backup was written; there is nothing to compare with",
        )
    } else {
        Text::new(
            format!("Sammenlignet med det, der blev noteret, da backuppen blev taget: {counts} tal og {words} ord"),
            format!("Compared with what was noted when the backup was written: {counts} counts and {words} words"),
        )
    };
    step(what, compare::differences(noted, said), began)
}
