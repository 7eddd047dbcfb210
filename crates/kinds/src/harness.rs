//! The test that every kind must pass: from every small state, cut anywhere, the aim is reached and nothing is lost.
//!
//! A walk lets the pass run on the machine in memory until it rests. Each time a step was carried out, the machine as a crash
//! would leave it there is a new state to start from, and each new state is walked too, until there is none that was not
//! seen: so crashes upon crashes are covered as well. [`crate::Kind::reached`], which a kind states apart from its plan, is the judge.
//!
//! The harness answers with an error and does not panic, so that a test can break a plan on purpose and see it found out.

use crate::fake::Fake;
use crate::{
    Aim, Halt, Host, Kind, Order, Outcome, Plan, Public, ServiceState, Sight, Step, TaskName, Trouble, VolumeSight,
    Waiting, pass, segments, update,
};
use husorden_base::{Bytes, FieldError, Number, SnapshotId, SolutionId, Text};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Times that long work may end before a walk counts as one that never rests.
const WAITS_MAX: usize = 24;

/// A solution that is to run, with this spec and nothing else said of it.
pub(crate) fn order(spec: Value) -> Order {
    Order {
        solution: SolutionId(uuid::Uuid::nil()),
        number: Number::new(7).expect("7 is a number"),
        aim: Aim::Run,
        spec,
        credentials: BTreeMap::new(),
        networks: Vec::new(),
        public: Public::default(),
        rules: Vec::new(),
        mail_out: None,
        uses: None,
        guests: Vec::new(),
        closed: None,
        still: false,
        expired: false,
        window: false,
        log_s: segments::usual_s(),
    }
}

/// A state to start from.
#[derive(Clone, Debug)]
pub(crate) struct Start {
    /// What stands on the walls.
    pub(crate) sight: Sight,
    /// Marks of what is retained.
    pub(crate) kept: BTreeMap<String, String>,
    /// What a machine has that no look shows: snapshots, and who has changed the data.
    pub(crate) hidden: Hidden,
}

impl Start {
    /// What a look shows, and nothing else.
    pub(crate) fn of(sight: Sight) -> Self {
        Self { sight, kept: BTreeMap::new(), hidden: Hidden::default() }
    }
}

/// What lies on a machine and is not seen by a look.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub(crate) struct Hidden {
    pub(crate) snapshots: BTreeMap<SnapshotId, BTreeMap<String, String>>,
    pub(crate) spoilt: Option<String>,
}

/// What a walk over many states came to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    /// States that were walked from, given ones and those that a crash leaves.
    pub(crate) states: usize,
    /// Steps that were carried out, and so cuts that were tried.
    pub(crate) steps: usize,
}

/// Walks from every start, and from every state that a crash leaves on the way.
///
/// # Errors
/// The first state from which the aim is not reached, and why.
pub(crate) fn survives(
    kind: &dyn Kind,
    order: &Order,
    starts: impl IntoIterator<Item = Start>,
) -> Result<Tally, String> {
    survives_on(kind, order, starts, |_| {}, |_| Ok(()))
}

/// As [`survives`], on a machine that is made ready first, with something more to be said of where each walk ends.
///
/// # Errors
/// As [`survives`].
pub(crate) fn survives_on(
    kind: &dyn Kind,
    order: &Order,
    starts: impl IntoIterator<Item = Start>,
    ready: impl Fn(&mut Fake),
    judge: impl Fn(&Fake) -> Result<(), String>,
) -> Result<Tally, String> {
    let mut seen = BTreeSet::new();
    let mut open: Vec<Start> = starts.into_iter().collect();
    let mut tally = Tally::default();
    while let Some(start) = open.pop() {
        if !seen.insert(key(&start)) {
            continue;
        }
        tally.states += 1;
        let mut host = Cut::new(&start);
        ready(&mut host.fake);
        let walked = settles(kind, order, &mut host).and_then(|()| judge(&host.fake));
        walked.map_err(|why| told(order, &start, &host, &why))?;
        tally.steps += host.fake.done.len();
        open.append(&mut host.crashes);
    }
    Ok(tally)
}

/// One walk from one start, without crashes.
///
/// # Errors
/// Why the aim is not reached.
pub(crate) fn arrives(kind: &dyn Kind, order: &Order, start: &Start) -> Result<(), String> {
    settles(kind, order, &mut Cut::new(start))
}

/// With this task failing each time, the site ends in trouble that is told, and rests there: nothing is tried over and over.
///
/// # Errors
/// What went wrong; also when the task was never started, for then nothing was tested.
pub(crate) fn rests_in_trouble(
    kind: &dyn Kind,
    order: &Order,
    start: &Start,
    task: &str,
) -> Result<(Sight, Text), String> {
    let mut host = Cut::new(start);
    host.fake.failing = vec![task.to_owned()];
    for _ in 0..WAITS_MAX {
        match pass(kind, order, &mut host) {
            Outcome::Waits(sight, Waiting::Trouble { text }) => {
                if sight.tasks.values().any(|task| task.failed.is_none()) {
                    host.fake.time_passes();
                    continue;
                }
                let before = host.fake.done.len();
                for _ in 0..3 {
                    host.fake.time_passes();
                    pass(kind, order, &mut host);
                }
                let starts = started(&host.fake, task);
                return if host.fake.done.len() != before {
                    Err(format!("it does not rest: {:?}", &host.fake.done[before..]))
                } else if starts == 1 {
                    Ok((sight, text))
                } else {
                    Err(format!("{task} was started {starts} times"))
                };
            }
            Outcome::Waits(_, Waiting::Work { .. }) => host.fake.time_passes(),
            other => return Err(format!("{task} fails, and yet: {other:?}")),
        }
    }
    Err(format!("{task} fails, and it never rests"))
}

fn started(fake: &Fake, name: &str) -> usize {
    let is_it = |step: &&Step| matches!(step, Step::Task { task } if task.name == name);
    fake.done.iter().filter(is_it).count()
}

/// A kind whose plans lack some steps: what a mistake in a plan looks like. The harness must find it out.
pub(crate) struct Lacks<'a> {
    /// The kind as it should be.
    pub(crate) kind: &'a dyn Kind,
    /// The steps it forgets.
    pub(crate) forgets: fn(&Step) -> bool,
}

impl Kind for Lacks<'_> {
    fn name(&self) -> &'static str {
        self.kind.name()
    }
    fn title(&self) -> Text {
        self.kind.title()
    }
    fn schema(&self) -> Value {
        self.kind.schema()
    }
    fn parse(&self, form: &Value, before: Option<&Value>) -> Result<Value, Vec<FieldError>> {
        self.kind.parse(form, before)
    }
    fn claims(&self, spec: &Value) -> Vec<(&'static str, String)> {
        self.kind.claims(spec)
    }
    fn volume(&self, spec: &Value) -> Bytes {
        self.kind.volume(spec)
    }
    fn credentials(&self, spec: &Value) -> Vec<crate::Login> {
        self.kind.credentials(spec)
    }
    fn accepts(&self) -> &'static [crate::Protocol] {
        self.kind.accepts()
    }
    fn holds_in(&self) -> &'static [crate::Protocol] {
        self.kind.holds_in()
    }
    fn serves(&self, spec: &Value) -> Option<crate::Served> {
        self.kind.serves(spec)
    }
    fn intake(&self) -> Option<(&'static str, &'static str)> {
        self.kind.intake()
    }
    fn probe(&self, spec: &Value) -> Option<crate::Probe> {
        self.kind.probe(spec)
    }
    fn destructive(&self, before: &Value, after: &Value) -> bool {
        self.kind.destructive(before, after)
    }
    fn proof(&self, order: &Order, sight: &Sight) -> Option<crate::Task> {
        self.kind.proof(order, sight)
    }
    fn plan(&self, order: &Order, sight: &Sight) -> Plan {
        let mut plan = self.kind.plan(order, sight);
        plan.steps.retain(|step| !(self.forgets)(step));
        plan
    }
    fn reached(&self, order: &Order, sight: &Sight) -> Result<(), String> {
        self.kind.reached(order, sight)
    }
}

/// Runs passes and lets time pass until the aim is reached and nothing is left to do.
fn settles(kind: &dyn Kind, order: &Order, host: &mut Cut) -> Result<(), String> {
    for _ in 0..WAITS_MAX {
        match pass(kind, order, host) {
            Outcome::Settled(sight) => {
                kind.reached(order, &sight)?;
                update::reached(order, &sight)?;
                return whole(order, host);
            }
            // Trouble that was found is over when what failed has been forgotten or tried again.
            Outcome::Waits(..) => host.fake.time_passes(),
            Outcome::Failed(trouble) | Outcome::Blind(trouble) => return Err(trouble.detail),
            Outcome::Unfinished(_) => return Err("the plan goes round in circles".to_owned()),
        }
    }
    Err("it never settles".to_owned())
}

/// Nothing was destroyed that the aim did not allow.
fn whole(order: &Order, host: &Cut) -> Result<(), String> {
    for step in &host.fake.done {
        let allowed = match step {
            Step::VolumeRetain => order.aim == Aim::Gone,
            Step::VolumeDestroy => order.aim == Aim::Gone && order.expired,
            Step::Task { .. }
            | Step::Service { .. }
            | Step::Snapshot { .. }
            | Step::TrialMake { .. }
            | Step::Restore { .. }
            | Step::Builds { .. }
            | Step::Quiet
            | Step::Wake => order.aim == Aim::Run && order.closed.is_none(),
            _ => true,
        };
        if !allowed {
            return Err(format!("a step that the aim does not allow: {step:?}"));
        }
    }
    Ok(())
}

/// A machine that notes, after each step, how a crash there would leave it.
struct Cut {
    fake: Fake,
    crashes: Vec<Start>,
}

impl Cut {
    fn new(start: &Start) -> Self {
        let mut fake = Fake::with(start.sight.clone());
        fake.kept = start.kept.clone();
        fake.snapshots = start.hidden.snapshots.clone();
        fake.spoilt = start.hidden.spoilt.clone();
        // What runs in a sight is known to nobody after a restart, which is how a walk begins.
        fake.restart();
        Self { fake, crashes: Vec::new() }
    }
}

impl Host for Cut {
    fn look(&mut self) -> Result<Sight, Trouble> {
        self.fake.look()
    }

    fn apply(&mut self, step: &Step) -> Result<(), Halt> {
        self.fake.apply(step)?;
        let mut crashed = self.fake.clone();
        crashed.restart();
        // That something did not start is known to nobody any more.
        for seen in crashed.sight.services.values_mut() {
            if let ServiceState::Failing { .. } = seen.state {
                seen.state = ServiceState::Sleeping;
            }
        }
        let hidden = Hidden { snapshots: crashed.snapshots, spoilt: crashed.spoilt };
        self.crashes.push(Start { sight: crashed.sight, kept: crashed.kept, hidden });
        Ok(())
    }
}

fn key(start: &Start) -> String {
    serde_json::to_string(&(&start.sight, &start.kept, &start.hidden)).expect("plain data has a JSON form")
}

fn told(order: &Order, start: &Start, host: &Cut, why: &str) -> String {
    let steps: Vec<String> = host.fake.done.iter().map(brief).collect();
    format!(
        "{why}\naim {:?}, closed {:?}, expired {}\nspec {}\nfrom {:#?}\nkept {:?}\nsteps {steps:?}\nto {:#?}",
        order.aim, order.closed, order.expired, order.spec, start.sight, start.kept, host.fake.sight
    )
}

fn brief(step: &Step) -> String {
    let name: Option<&TaskName> = match step {
        Step::Task { task } => Some(&task.name),
        Step::TaskForget { name } => Some(name),
        Step::Service { role, .. } | Step::ServiceDrop { role } => Some(role),
        _ => None,
    };
    let value = serde_json::to_value(step).expect("plain data has a JSON form");
    let verb = value["do"].as_str().unwrap_or_default().to_owned();
    name.map_or(verb.clone(), |name| format!("{verb} {name}"))
}

/// A sight's volume as live with this limit.
pub(crate) fn live(limit: Bytes) -> VolumeSight {
    VolumeSight::Live { limit }
}

/// What each crash on the way would leave, of one walk from one start.
pub(crate) fn crashes(kind: &dyn Kind, order: &Order, start: &Start, ready: impl Fn(&mut Fake)) -> Vec<Start> {
    let mut host = Cut::new(start);
    ready(&mut host.fake);
    settles(kind, order, &mut host).unwrap_or_else(|why| panic!("{}", told(order, start, &host, &why)));
    host.crashes
}
