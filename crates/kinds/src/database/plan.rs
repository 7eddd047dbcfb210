//! The plan of a database: pure, from an order and a sight to steps. While it is to be served, one line of tasks; the first that is
//! neither done nor failed runs, one at a time:
//!
//! ```text
//! init | replay → identify → trial → upgrade → people → tidy
//! ```
//!
//! What serves follows from the marks alone: the version that the mark `engine` names. A wish for a later one changes what serves
//! only when the upgrade has left the mark, so an upgrade that fails changes nothing. It is begun only when the same has come to a good
//! end on a copy, while the instance served; what the copy came to is written on it and goes with it.

use super::engine::{self, DB, Engine, Held, Mode, POOLER, mark};
use super::segments;
use super::spec::Spec;
use super::words;
use super::{people, pooler};
use crate::allow::Entry;
use crate::{
    Door, Order, Plan, Port, RuntimeSight, Service, ServiceState, Sight, Standing, Step, TRIAL_OF, Task, VolumeSight,
    Waiting,
};
use husorden_base::{Number, RuntimeName, Text};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// Doors are given by number: the first, and how many there are.
const DOORS: (u16, u32) = (20_000, 40_000);
/// Those of poolers lie below.
const POOLER_DOORS: (u16, u32) = (10_000, 10_000);

/// What to do next.
pub(super) fn plan(order: &Order, sight: &Sight) -> Plan {
    let spec = Spec::with_guests(order);
    match (order.standing(), spec) {
        (Standing::Going, _) => gone(order, sight),
        (Standing::Stopped | Standing::Closed(_), Ok(spec)) => {
            let mut steps = quiet(sight);
            // What a measure holds stays as it is, the copy too.
            if steps.is_empty() && order.standing() == Standing::Stopped {
                steps.extend(sight.trial.as_ref().map(|_| Step::TrialDrop));
            }
            if sight.volume != VolumeSight::Absent {
                steps.extend(volume(&spec, sight));
            }
            Plan { steps, waiting: None }
        }
        (Standing::Stopped | Standing::Closed(_), Err(_)) => {
            Plan { steps: quiet(sight), waiting: Some(words::unreadable()) }
        }
        (Standing::Open, Ok(spec)) => Run::new(order, &spec, sight).plan(),
        (Standing::Open, Err(_)) => Plan { steps: Vec::new(), waiting: Some(words::unreadable()) },
    }
}

/// The TCP port of the node that leads to the instance with this number.
pub(super) fn door(number: Number) -> u16 {
    by_number(number, DOORS)
}

/// The one that leads to its pooler.
pub(super) fn pooler_door(number: Number) -> u16 {
    by_number(number, POOLER_DOORS)
}

fn by_number(number: Number, (first, count): (u16, u32)) -> u16 {
    first + u16::try_from(number.get() % count).unwrap_or(0)
}

/// The port of the instance: who is on the list may connect, and the server itself asks nobody.
pub(super) fn port(order: &Order, spec: &Spec) -> Port {
    let mut doors = vec![Door { outer: door(order.number), inner: spec.engine.tcp() }];
    if spec.pooling().is_some() {
        doors.push(Door { outer: pooler_door(order.number), inner: pooler::TCP });
    }
    let inner: Vec<u16> = doors.iter().map(|door| door.inner).collect();
    let access = crate::allow::Access { allow: spec.allow.clone(), open_to_all: spec.open_to_all };
    let guests = spec.guests.iter().map(|guest| Entry { net: guest.net(), note: String::new(), until: None });
    let attached = crate::allow::Access { allow: guests.collect(), open_to_all: false };
    let mut allow = access.ports(&inner);
    // Who is attached comes to the server itself.
    allow.extend(attached.ports(&[spec.engine.tcp()]));
    Port { allow, doors, ..Port::default() }
}

/// On its way out: still, then off the net, then retained, and destroyed only when the retention time is over.
fn gone(order: &Order, sight: &Sight) -> Plan {
    let mut steps = quiet(sight);
    if sight.port.is_some() {
        steps.push(Step::PortDrop);
    }
    // The volume is touched only after a look that shows nothing at work on it.
    if steps.is_empty() && sight.trial.is_some() {
        steps.push(Step::TrialDrop);
    } else if steps.is_empty() {
        match sight.volume {
            VolumeSight::Live { .. } => steps.push(Step::VolumeRetain),
            VolumeSight::Retained if order.expired => steps.push(Step::VolumeDestroy),
            VolumeSight::Retained | VolumeSight::Absent => {}
        }
    }
    Plan { steps, waiting: None }
}

/// Nothing runs.
fn quiet(sight: &Sight) -> Vec<Step> {
    let services = sight.services.keys().map(|role| Step::ServiceDrop { role: role.clone() });
    let tasks = sight.tasks.keys().map(|name| Step::TaskForget { name: name.clone() });
    services.chain(tasks).collect()
}

/// What the volume lacks, if anything.
fn volume(spec: &Spec, sight: &Sight) -> Option<Step> {
    let (limit, reserve) = (spec.size, engine::reserve(spec));
    match sight.volume {
        VolumeSight::Absent => {
            let folders = engine::FOLDERS.map(str::to_owned).to_vec();
            Some(Step::VolumeCreate { limit, reserve, folders })
        }
        VolumeSight::Retained => Some(Step::VolumeRevive),
        VolumeSight::Live { limit: set } if (set, sight.reserve) != (limit, reserve) => {
            Some(Step::VolumeLimit { limit, reserve })
        }
        VolumeSight::Live { .. } => None,
    }
}

/// What the server must be while a task runs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Needs {
    /// It stands as wished, and none from before is still ending.
    Served,
    /// It answers nobody but the task.
    Quieted,
    /// It does not run: the task works on its data.
    Absent,
    /// It serves; the task works on a copy.
    Copy,
}

/// One task in the line.
struct Due {
    task: Task,
    needs: Needs,
    /// Whether anything after it can be done when it has failed.
    ends: bool,
}

struct Run<'a> {
    order: &'a Order,
    spec: &'a Spec,
    sight: &'a Sight,
    held: Option<Held>,
    line: Vec<Due>,
}

impl<'a> Run<'a> {
    fn new(order: &'a Order, spec: &'a Spec, sight: &'a Sight) -> Self {
        let live = matches!(sight.volume, VolumeSight::Live { .. });
        let held = engine::held(order, &sight.marks).filter(|_| live);
        let mut run = Self { order, spec, sight, held, line: Vec::new() };
        if live {
            run.line = run.line();
        }
        run
    }

    /// Tasks whose marks are missing, in the order of the module's drawing.
    fn line(&self) -> Vec<Due> {
        let (order, spec) = (self.order, self.spec);
        let Some(held) = self.held else {
            let init = Due { task: engine::init(order, spec, spec.engine), needs: Needs::Absent, ends: true };
            return vec![init];
        };
        let mut line = Vec::new();
        if let Some(at) = crate::segments::due(&self.sight.marks) {
            let task = segments::replay(order, spec, held.engine, at);
            line.push(Due { task, needs: Needs::Absent, ends: true });
        }
        if held.engine.has_identity() && !held.own {
            line.push(Due { task: engine::identify(order, spec, held.engine), needs: Needs::Absent, ends: true });
        }
        if self.rises() {
            line.push(self.rise(held));
        }
        if self.sight.marks.get(mark::PEOPLE) != Some(&people::digest(order, spec)) {
            let first = !self.sight.marks.contains_key(mark::PEOPLE);
            line.push(Due { task: engine::people(order, spec, held.engine), needs: Needs::Served, ends: first });
        }
        if held.older {
            line.push(Due { task: engine::tidy(order, spec, held.engine), needs: Needs::Served, ends: false });
        }
        line
    }

    /// The wish is a later version than the data is of.
    fn rises(&self) -> bool {
        let to = self.spec.engine;
        self.held.is_some_and(|held| held.engine < to && held.engine.family() == to.family())
    }

    /// What the copy is for. A volume that was brought back is another than the one that was tried.
    fn trial_of(&self, held: Held) -> String {
        let restored = self.sight.marks.get("restored").map(String::as_str).unwrap_or_default();
        format!("{} to {} {restored}", held.engine.word(), self.spec.engine.word())
    }

    /// The copy, if it was made for this.
    fn copy(&self) -> Option<&BTreeMap<String, String>> {
        let of = self.trial_of(self.held?);
        self.sight.trial.as_ref().filter(|marks| marks.get(TRIAL_OF) == Some(&of))
    }

    /// The next step on the way to a later version: on the copy, and when that came to a good end, on the data. What failed stays the
    /// next, though the copy is gone by then.
    fn rise(&self, held: Held) -> Due {
        let (order, spec, to) = (self.order, self.spec, self.spec.engine);
        let on_copy = |task| Due { task, needs: Needs::Copy, ends: false };
        let upgrade = || {
            let needs = if held.engine.has_identity() { Needs::Quieted } else { Needs::Absent };
            Due { task: engine::upgrade(order, spec, held.engine, to), needs, ends: false }
        };
        let trial = || on_copy(engine::trial(order, spec, held.engine, to));
        let marked = |key: &str| self.copy().is_some_and(|marks| marks.contains_key(key));
        if marked(mark::TRIAL_DONE) || self.failed(&upgrade()) {
            upgrade()
        } else if held.engine.has_identity() || marked(mark::TRIAL_RESTS) || self.failed(&trial()) {
            trial()
        } else {
            on_copy(engine::trial_rest(spec, held.engine))
        }
    }

    /// Whether a task was tried and failed.
    fn failed(&self, due: &Due) -> bool {
        let seen = self.sight.tasks.get(&due.task.name).filter(|seen| seen.digest == due.task.digest());
        seen.is_some_and(|seen| seen.failed.is_some())
    }

    /// What is to become of the copy: made, dropped, or nothing. It is dropped when nothing of it is seen at work.
    fn copying(&self) -> Option<Step> {
        let on_it = |name: &str| matches!(name, engine::TRIAL | engine::TRIAL_REST);
        let at_work = self.sight.services.contains_key(engine::TRIAL)
            || self.sight.tasks.iter().any(|(name, seen)| on_it(name) && seen.failed.is_none());
        let lifts = |due: &&Due| due.needs == Needs::Copy || due.task.name == engine::UPGRADE;
        let wanted = self.line.iter().find(lifts).is_some_and(|due| !self.failed(due));
        match (wanted, self.copy(), &self.sight.trial) {
            (true, None, _) if !at_work => Some(Step::TrialMake { of: self.trial_of(self.held?) }),
            (false, _, Some(_)) if !at_work => Some(Step::TrialDrop),
            _ => None,
        }
    }

    /// The server on the copy, while what is tried there asks one.
    fn trial_service(&self, current: Option<&Due>) -> Option<Service> {
        let held = self.held.filter(|held| held.engine.has_identity())?;
        let due = current.filter(|due| due.needs == Needs::Copy && self.built(&due.task.sandbox.runtime))?;
        (self.copy().is_some() && due.task.name == engine::TRIAL && self.built(&held.engine.catalogue()))
            .then(|| engine::trial_service(self.spec, held.engine))
    }

    fn plan(self) -> Plan {
        let mut steps = Vec::new();
        let mut work = None;
        let (current, mut troubles) = self.current();
        let services = self.services(current);

        // Take-downs.
        for role in self.sight.services.keys().filter(|role| !services.contains_key(role.as_str())) {
            steps.push(Step::ServiceDrop { role: role.clone() });
        }
        for (name, seen) in &self.sight.tasks {
            let still_due = self.line.iter().any(|due| due.task.name == *name && due.task.digest() == seen.digest);
            if !still_due {
                steps.push(Step::TaskForget { name: name.clone() });
            }
        }
        steps.extend(self.copying());
        // Build-ups.
        steps.extend(volume(self.spec, self.sight));
        let port = port(self.order, self.spec);
        if self.sight.port.as_ref() != Some(&port.digest()) {
            steps.push(Step::Port { port });
        }
        for name in self.catalogue(&services) {
            match self.sight.runtimes.get(&name) {
                Some(RuntimeSight::Ready) => {}
                None | Some(RuntimeSight::Absent) => steps.push(Step::Runtime { name }),
                Some(RuntimeSight::Building) => work = Some(words::building(&name)),
                Some(RuntimeSight::Failed { .. }) => work = Some(words::build_failed(&name)),
            }
        }
        for (role, service) in &services {
            let seen = self.sight.services.get(*role);
            // That on the copy is told by what is tried there.
            let failing = seen.filter(|_| *role != engine::TRIAL).map(|seen| &seen.state);
            if let Some(ServiceState::Failing { reason }) = failing {
                troubles.push(words::service_failing(role, reason));
            }
            if self.built(&service.sandbox.runtime) && seen.map(|seen| &seen.digest) != Some(&service.digest()) {
                steps.push(Step::Service { role: (*role).to_owned(), service: Box::new(service.clone()) });
            }
        }
        if let Some(due) = current {
            work = Some(words::working(&due.task.name));
            if !self.sight.tasks.contains_key(&due.task.name) && self.may_start(due, &services) {
                if let (engine::UPGRADE, Some(held)) = (&*due.task.name, self.held) {
                    // The way back: the data as it is now, and the version that it is of.
                    let spec = Some(json!({ "engine": held.engine.word() }));
                    steps.push(Step::Snapshot { id: None, before: engine::UPGRADE.to_owned(), spec });
                }
                steps.push(Step::Task { task: Box::new(due.task.clone()) });
            }
        }
        let waiting = match troubles.into_iter().next() {
            Some(text) => Some(Waiting::Trouble { text }),
            None => work.map(|text| Waiting::Work { text }),
        };
        Plan { steps, waiting }
    }

    /// The task whose turn it is, and what those before it failed of.
    fn current(&self) -> (Option<&Due>, Vec<Text>) {
        let mut failed = Vec::new();
        for due in &self.line {
            let seen = self.sight.tasks.get(&due.task.name).filter(|seen| seen.digest == due.task.digest());
            let Some(reason) = seen.and_then(|seen| seen.failed.as_ref()) else {
                return (Some(due), failed);
            };
            failed.push(words::failed(&due.task.name, reason));
            if due.ends {
                break;
            }
        }
        (None, failed)
    }

    /// What is to stand now: the server, and before one that serves its pooler.
    fn services(&self, current: Option<&Due>) -> BTreeMap<&'static str, Service> {
        // What it holds is not what is asked for, until its log is carried out.
        let held = self.held.filter(|_| crate::segments::due(&self.sight.marks).is_none());
        let Some(held) = held else { return BTreeMap::new() };
        let ready = |due: &Due| self.built(&due.task.sandbox.runtime);
        let mode = match current.filter(|due| ready(due)).map(|due| due.needs) {
            Some(Needs::Absent) => return BTreeMap::new(),
            Some(Needs::Quieted) => Mode::Upgrading,
            Some(Needs::Served | Needs::Copy) | None => Mode::Serving,
        };
        let pooler = (mode == Mode::Serving).then(|| pooler::service(self.spec, held.engine)).flatten();
        let server = (DB, engine::service(self.spec, held.engine, mode));
        let trial = self.trial_service(current).map(|service| (engine::TRIAL, service));
        pooler.map(|pooler| (POOLER, pooler)).into_iter().chain([server]).chain(trial).collect()
    }

    /// Every catalogue entry that is needed now.
    fn catalogue(&self, services: &BTreeMap<&'static str, Service>) -> BTreeSet<RuntimeName> {
        let mut names = BTreeSet::from([self.spec.engine.catalogue()]);
        names.extend(services.values().map(|service| service.sandbox.runtime.clone()));
        names.extend(self.held.map(|held: Held| held.engine).map(Engine::catalogue));
        names.extend(self.line.iter().map(|due| due.task.sandbox.runtime.clone()));
        names
    }

    fn built(&self, name: &RuntimeName) -> bool {
        self.sight.runtimes.get(name) == Some(&RuntimeSight::Ready)
    }

    /// Whether what is tried on the copy finds the server that it asks, where it asks one.
    fn trial_is_served(&self, as_wanted: impl Fn(&str) -> bool) -> bool {
        !self.held.is_some_and(|held| held.engine.has_identity()) || as_wanted(engine::TRIAL)
    }

    /// Whether everything a task stands on is seen, so that it is not started into a failure.
    fn may_start(&self, due: &Due, services: &BTreeMap<&'static str, Service>) -> bool {
        // One that was told to end may still be at work on its data, or answer once more as it was.
        let as_wanted = |role: &str| {
            services
                .get(role)
                .zip(self.sight.services.get(role))
                .is_some_and(|(service, seen)| seen.digest == service.digest() && !seen.state.is_ending())
        };
        let server = match due.needs {
            Needs::Absent => !self.sight.services.contains_key(DB),
            Needs::Served | Needs::Quieted => as_wanted(DB),
            Needs::Copy => self.copy().is_some() && (due.task.name != engine::TRIAL || self.trial_is_served(as_wanted)),
        };
        self.built(&due.task.sandbox.runtime) && server
    }
}
