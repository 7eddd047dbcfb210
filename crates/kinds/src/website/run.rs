//! The plan of a website that is to be served. Once the volume is there, one line of tasks; the first that is neither done nor
//! failed runs, one at a time:
//!
//! ```text
//! replay → attach → db-init | db-upgrade → app-install → credential-admin → app-address | welcome → probe → move-out | move-in → db-tidy | db-leave
//! ```
//!
//! An installation sets password and address too and leaves their marks, so that their tasks are for later changes.
//!
//! What serves follows from the marks alone: the database that the mark `db` names, and the runtime that the mark `runtime`
//! names. A wish for another changes what serves only when its task has left the mark, so a task that fails changes nothing.

use super::attached;
use super::engine::{self, ADMIN, DB, PHP, mark};
use super::plan::{port, route, volume};
use super::segments;
use super::spec::{Database, Runtime, Spec};
use super::words;
use crate::{Network, Order, Plan, RuntimeSight, Service, ServiceState, Sight, Step, Task, Used, VolumeSight, Waiting};
use husorden_base::{RuntimeName, Text};
use std::collections::{BTreeMap, BTreeSet};

/// What a failed task means for the rest.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Failing {
    /// Nothing after it can be done.
    Ends,
    /// The site goes on as it was.
    GoesOn,
}

/// One task in the line.
struct Due {
    task: Task,
    failing: Failing,
    /// It talks to the database.
    asks_db: bool,
    /// Nobody else may write the data meanwhile.
    alone: bool,
    /// Catalogue entries it needs besides its runtime.
    also: Option<RuntimeName>,
}

/// The plan of a site that is to be served.
pub(super) struct Run<'a> {
    order: &'a Order,
    spec: &'a Spec,
    sight: &'a Sight,
    live: bool,
    /// The database as the volume holds it, and whether an older one lies beside it.
    held: Option<(Database, bool)>,
    /// The runtime that serves.
    serving: Option<RuntimeName>,
    /// The application's data lies in what is attached, and not on the volume.
    away: bool,
    /// The line of tasks that are not done.
    line: Vec<Due>,
}

impl<'a> Run<'a> {
    pub(super) fn new(order: &'a Order, spec: &'a Spec, sight: &'a Sight) -> Self {
        let live = matches!(sight.volume, VolumeSight::Live { .. });
        let serving = sight
            .marks
            .get(mark::RUNTIME)
            .and_then(|name| Runtime::named(name))
            .and_then(Runtime::catalogue)
            .filter(|_| live && spec.runtime != Runtime::Static);
        let mut run = Self {
            order,
            spec,
            sight,
            live,
            held: engine::held(&sight.marks).filter(|_| live),
            serving,
            away: sight.marks.get(mark::AWAY).is_some_and(|place| place != attached::NONE),
            line: Vec::new(),
        };
        if live {
            run.line = run.line();
        }
        run
    }

    pub(super) fn plan(self) -> Plan {
        let mut steps = Vec::new();
        let mut troubles = Vec::new();
        let mut work = None;

        let (current, failed) = self.current();
        troubles.extend(failed);
        troubles.extend(self.absent());
        let services = self.services(current);

        let route = route(self.order, self.spec, self.ready(&services));
        if self.sight.route.as_ref() != Some(&route.digest()) {
            steps.push(Step::Route { route: Box::new(route) });
        }
        // Take-downs.
        for role in self.sight.services.keys().rev() {
            if !services.contains_key(role.as_str()) {
                steps.push(Step::ServiceDrop { role: role.clone() });
            }
        }
        for (name, seen) in &self.sight.tasks {
            let still_due = self.line.iter().any(|due| due.task.name == *name && due.task.digest() == seen.digest);
            if !still_due {
                steps.push(Step::TaskForget { name: name.clone() });
            }
        }
        let port = port(self.order, self.spec);
        if port.is_none() && self.sight.port.is_some() {
            steps.push(Step::PortDrop);
        }
        // Build-ups.
        steps.extend(volume(self.spec, self.sight));
        if let Some(port) = port.filter(|port| self.sight.port.as_ref() != Some(&port.digest())) {
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
            if let Some(ServiceState::Failing { reason }) = seen.map(|seen| &seen.state) {
                troubles.push(words::service_failing(role, reason));
            }
            if self.built(&service.sandbox.runtime) && seen.map(|seen| &seen.digest) != Some(&service.digest()) {
                steps.push(Step::Service { role: (*role).to_owned(), service: Box::new(service.clone()) });
            }
        }
        if let Some(due) = current {
            work = Some(words::working(&due.task.name));
            if !self.sight.tasks.contains_key(&due.task.name) && self.may_start(due, &services) {
                steps.push(Step::Task { task: Box::new(due.task.clone()) });
            }
        }
        let waiting = match troubles.into_iter().next() {
            Some(text) => Some(Waiting::Trouble { text }),
            None => work.map(|text| Waiting::Work { text }),
        };
        Plan { steps, waiting }
    }

    /// The log is still to be carried out on what was copied: until then nothing serves it.
    fn behind(&self) -> bool {
        self.held.is_some() && crate::segments::due(&self.sight.marks).is_some()
    }

    /// The database that is to serve now: what the volume holds, for the wish comes true only by its task.
    fn database(&self) -> Option<RuntimeName> {
        if self.spec.database == Database::None || self.settled_away() || self.behind() {
            return None;
        }
        self.held.and_then(|(held, _)| held.catalogue())
    }

    /// The data lies in what is attached, and is to stay there.
    fn settled_away(&self) -> bool {
        self.away && self.spec.away()
    }

    /// What is attached and serves.
    fn used(&self) -> Option<&Used> {
        self.order.uses.as_ref().filter(|used| used.open)
    }

    /// That what is attached is not there, for as long as it is wished.
    fn absent(&self) -> Option<Text> {
        ((self.spec.attach.is_some() || self.away) && self.used().is_none())
            .then(|| words::attached_absent(self.order.uses.is_some()))
    }

    /// What the site has still to be told of its attachment.
    fn tell(&self) -> Option<Task> {
        let told = self.sight.marks.get(mark::ATTACHED);
        match (&self.spec.attach, &self.order.uses) {
            (Some(_), Some(used)) if told != Some(&used.digest()) => {
                Some(attached::tell(self.spec, Some(used), &self.tools()))
            }
            (None, _) if told.is_some_and(|told| told != attached::NONE) => {
                Some(attached::tell(self.spec, None, &self.tools()))
            }
            _ => None,
        }
    }

    /// The move that is due, while both sides can take part in it.
    fn moving(&self) -> Option<Task> {
        let (used, (held, _)) = (self.used()?, self.held?);
        let database = held.catalogue()?;
        match (self.away, self.spec.away()) {
            (false, true) => Some(attached::out(self.spec, used, &database)),
            (true, false) => Some(attached::back(self.spec, used, &database)),
            (true, true) | (false, false) => None,
        }
    }

    /// The runtime that tasks run in.
    fn tools(&self) -> RuntimeName {
        self.serving.clone().unwrap_or_else(|| engine::toolbox(self.spec))
    }

    /// Tasks whose marks are missing, in the order of the module's drawing.
    fn line(&self) -> Vec<Due> {
        let (spec, marks) = (self.spec, &self.sight.marks);
        let has_db = spec.database != Database::None && !self.settled_away();
        let network = if self.away { Network::Port } else { Network::Nothing };
        let mut line = Vec::new();
        if let (Some(at), Some((held, _))) = (crate::segments::due(marks), self.held)
            && let Some(database) = held.catalogue()
        {
            line.push(Due::new(segments::replay(spec, &database, at), Failing::Ends).alone());
        }
        if let Some(task) = self.tell() {
            line.push(Due::new(task, Failing::GoesOn));
        }
        if let Some(wanted) = spec.database.catalogue().filter(|_| has_db) {
            match self.held {
                None => line.push(Due::new(engine::db_init(spec, &wanted), Failing::Ends)),
                Some((held, _)) if held < spec.database => {
                    let from = held.catalogue().expect("a mark never names the absence of a database");
                    let task = engine::db_upgrade(spec, &from, &wanted);
                    line.push(Due::new(task, Failing::GoesOn));
                }
                Some(_) => {}
            }
        }
        let tools = self.tools();
        if let Some(app) = &spec.app {
            let needs: RuntimeName = app.name.word().parse().expect("the words for applications are catalogue names");
            if !marks.contains_key(mark::APP) {
                let task = engine::app_install(spec, app, &tools, self.order.credentials.get(ADMIN));
                line.push(Due::new(task, Failing::Ends).asks_db().also(&needs));
            }
            if let Some(credential) = self.order.credentials.get(ADMIN)
                && marks.get(mark::CREDENTIAL) != Some(&credential.generation.to_string())
            {
                let task = engine::app_credential(spec, app, &tools, credential, network);
                let failing = first(marks, mark::CREDENTIAL);
                line.push(self.asking(Due::new(task, failing)).also(&needs));
            }
            if marks.get(mark::ADDRESS) != Some(&spec.address()) {
                let task = engine::app_address(spec, app, &tools, network);
                let failing = first(marks, mark::ADDRESS);
                line.push(self.asking(Due::new(task, failing)).also(&needs));
            }
        } else if !marks.contains_key(mark::CONTENT) && !marks.contains_key(mark::APP) {
            line.push(Due::new(engine::welcome(spec, &tools), Failing::GoesOn));
        }
        if let Some(wanted) = spec.runtime.catalogue()
            && self.serving.as_ref() != Some(&wanted)
        {
            let mut due = Due::new(
                engine::probe(spec, &wanted),
                if self.serving.is_some() { Failing::GoesOn } else { Failing::Ends },
            );
            due.asks_db = has_db && !self.away;
            line.push(due);
        }
        if let Some(task) = self.moving().filter(|_| marks.contains_key(mark::APP)) {
            line.push(Due::new(task, Failing::GoesOn).asks_db().alone());
        }
        if let (Some(database), Some((_, true))) = (self.database(), self.held) {
            line.push(Due::new(engine::db_tidy(spec, &database), Failing::GoesOn));
        }
        if let (Some((held, _)), true) = (self.held, self.settled_away())
            && let Some(database) = held.catalogue()
        {
            line.push(Due::new(attached::leave(spec, &database), Failing::GoesOn));
        }
        line
    }

    /// A task that talks to the database, wherever that is.
    fn asking(&self, due: Due) -> Due {
        if self.away { due } else { due.asks_db() }
    }

    /// The task whose turn it is, and what those before it failed of.
    fn current(&self) -> (Option<&Due>, Vec<Text>) {
        let mut failed = Vec::new();
        for due in &self.line {
            let seen = self.sight.tasks.get(&due.task.name).filter(|seen| seen.digest == due.task.digest());
            let Some(reason) = seen.and_then(|seen| seen.failed.as_ref()) else {
                return (Some(due), failed);
            };
            failed.push(words::failed(&due.task.name, self.serving.as_ref(), reason));
            if due.failing == Failing::Ends {
                break;
            }
        }
        (None, failed)
    }

    /// What is to serve now, by role.
    fn services(&self, current: Option<&Due>) -> BTreeMap<&'static str, Service> {
        let mut services = BTreeMap::new();
        // An upgrade copies the data: nothing may write it meanwhile.
        let upgrading =
            current.is_some_and(|due| due.task.name == words::DB_UPGRADE && self.built(&due.task.sandbox.runtime));
        if let Some(database) = self.database().filter(|_| !upgrading) {
            services.insert(DB, engine::db(self.spec, &database));
        }
        let moving = current.is_some_and(|due| due.alone && self.built(&due.task.sandbox.runtime));
        if let Some(runtime) = self.serving.as_ref().filter(|_| !moving && !self.behind()) {
            services.insert(PHP, engine::php(self.spec, runtime));
        }
        services
    }

    /// Whether visitors get answers from the site itself.
    fn ready(&self, services: &BTreeMap<&'static str, Service>) -> bool {
        let set = |role: &str| {
            self.sight.services.contains_key(role)
                && services.get(role).is_some_and(|service| self.built(&service.sandbox.runtime))
        };
        let marks = &self.sight.marks;
        match &self.spec.app {
            Some(_) => {
                set(PHP)
                    && (self.away || set(DB))
                    && marks.contains_key(mark::APP)
                    && marks.contains_key(mark::ADDRESS)
                    && (marks.contains_key(mark::CREDENTIAL) || !self.order.credentials.contains_key(ADMIN))
            }
            None if self.spec.runtime == Runtime::Static => {
                // A first page that could not be written is no reason to keep the folder from its visitors.
                let tried = |seen: &crate::TaskSight| seen.failed.is_some();
                self.live
                    && (marks.contains_key(mark::CONTENT)
                        || marks.contains_key(mark::APP)
                        || self.sight.tasks.get(words::WELCOME).is_some_and(tried))
            }
            // A site that just gets its first database answers as before until it is there.
            None => set(PHP) && (self.database().is_none() || set(DB)),
        }
    }

    /// Every catalogue entry that is needed now.
    fn catalogue(&self, services: &BTreeMap<&'static str, Service>) -> BTreeSet<RuntimeName> {
        let mut names: BTreeSet<RuntimeName> =
            services.values().map(|service| service.sandbox.runtime.clone()).collect();
        names.extend(self.spec.runtime.catalogue());
        names.extend(self.spec.database.catalogue());
        if !self.live {
            names.insert(engine::toolbox(self.spec));
            let app = self.spec.app.as_ref();
            names.extend(app.and_then(|app| app.name.word().parse().ok()));
        }
        for due in &self.line {
            names.insert(due.task.sandbox.runtime.clone());
            names.extend(due.also.clone());
        }
        names
    }

    fn built(&self, name: &RuntimeName) -> bool {
        self.sight.runtimes.get(name) == Some(&RuntimeSight::Ready)
    }

    /// Whether everything a task stands on is seen, so that it is not started into a failure.
    fn may_start(&self, due: &Due, services: &BTreeMap<&'static str, Service>) -> bool {
        let db_seen = self.sight.services.get(DB);
        let db_as_wanted = match services.get(DB) {
            Some(service) => db_seen.is_some_and(|seen| seen.digest == service.digest()),
            None => db_seen.is_none(),
        };
        let db_there = !due.asks_db || services.contains_key(DB);
        let alone = !due.alone || !self.sight.services.contains_key(PHP);
        self.built(&due.task.sandbox.runtime)
            && due.also.as_ref().is_none_or(|name| self.built(name))
            && db_as_wanted
            && db_there
            && alone
    }
}

/// The front page, in the runtime that serves; its code asks the database by itself. Files alone have nothing to be asked.
pub(super) fn proof(order: &Order, sight: &Sight) -> Option<Task> {
    let spec = Spec::stored(&order.spec).ok()?;
    let serving = Run::new(order, &spec, sight).serving?;
    Some(engine::probe(&spec, &serving))
}

/// A setting that was made before is worth serving with while its change fails; one never made is not.
fn first(marks: &BTreeMap<String, String>, key: &str) -> Failing {
    if marks.contains_key(key) { Failing::GoesOn } else { Failing::Ends }
}

impl Due {
    fn new(task: Task, failing: Failing) -> Self {
        Self { task, failing, asks_db: false, alone: false, also: None }
    }

    fn asks_db(mut self) -> Self {
        self.asks_db = true;
        self
    }

    fn alone(mut self) -> Self {
        self.alone = true;
        self
    }

    fn also(mut self, name: &RuntimeName) -> Self {
        self.also = Some(name.clone());
        self
    }
}
