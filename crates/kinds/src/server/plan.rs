//! The plan of a server: pure, from an order and a sight to steps. While it is to run, one line of tasks; the first that is not done
//! runs, one at a time:
//!
//! ```text
//! disk | grow → seed → disks
//! ```
//!
//! The machine is powered off before anything works on its first disk, and set when all is as wished. The disks beside the first are
//! brought to it while it runs.

use super::boot;
use super::disks::{self, DISKS};
use super::engine::{self, MACHINE, Processor, mark};
use super::spec::Spec;
use super::words;
use crate::allow::Access;
use crate::firewall;
use crate::own_image;
use crate::{
    Door, Order, Passage, Plan, Port, RuntimeSight, Service, ServiceSight, ServiceState, Sight, Standing, Step, Task,
    Virtualisation, VolumeSight, Waiting,
};
use husorden_base::{Bytes, Number, RuntimeName};

/// Doors are given by number: the first, and how many there are. A number belongs to one solution, of whatever kind.
const DOORS: (u16, u32) = (20_000, 40_000);
/// Where a guest's SSH listens.
const SSH: u16 = 22;

/// What to do next.
pub(super) fn plan(order: &Order, sight: &Sight) -> Plan {
    match (order.standing(), Spec::stored(&order.spec)) {
        (Standing::Going, _) => gone(order, sight),
        (standing @ (Standing::Stopped | Standing::Closed(_)), spec) => {
            // What stands still is left as it is, and so is what it stands on.
            if order.still && matches!(standing, Standing::Closed(_)) {
                return Plan { steps: Vec::new(), waiting: ending(sight) };
            }
            let mut steps = quiet(sight);
            let waiting = ending(sight).or(spec.as_ref().err().map(|_| words::unreadable()));
            if let (Ok(spec), true) = (&spec, sight.volume != VolumeSight::Absent) {
                steps.extend(volume(spec, sight));
            }
            Plan { steps, waiting }
        }
        (Standing::Open, Ok(spec)) => run(order, &spec, sight),
        (Standing::Open, Err(_)) => Plan { steps: Vec::new(), waiting: Some(words::unreadable()) },
    }
}

/// The TCP port of the node that leads to the server's SSH.
pub(super) fn door(number: Number) -> u16 {
    let (first, count) = DOORS;
    first + u16::try_from(number.get() % count).unwrap_or(0)
}

/// The port of a server: who is on the list may come by SSH, through the node's door, and the server may ask outside.
pub(super) fn port(order: &Order, spec: &Spec) -> Port {
    let access = Access { allow: spec.allow.clone(), open_to_all: spec.open_to_all };
    let doors = vec![Door { outer: door(order.number), inner: SSH }];
    Port {
        allow: access.ports(&[SSH]),
        doors,
        outbound: true,
        tap: true,
        networks: order.networks.clone(),
        public: order.public.nets(),
        passages: passages(order),
        mail_out: order.mail_out,
        ..Port::default()
    }
}

/// What is opened at its public addresses; without any there is nothing to open.
fn passages(order: &Order) -> Vec<Passage> {
    if order.public.is_none() { Vec::new() } else { firewall::passages(&order.rules) }
}

/// On its way out: off, then retained, and destroyed only when the retention time is over.
fn gone(order: &Order, sight: &Sight) -> Plan {
    let mut steps = quiet(sight);
    if sight.port.is_some() {
        steps.push(Step::PortDrop);
    }
    // The volume is touched only after a look that shows nothing at work on it.
    if steps.is_empty() && sight.services.is_empty() {
        match sight.volume {
            VolumeSight::Live { .. } => steps.push(Step::VolumeRetain),
            VolumeSight::Retained if order.expired => steps.push(Step::VolumeDestroy),
            VolumeSight::Retained | VolumeSight::Absent => {}
        }
    }
    Plan { steps, waiting: ending(sight) }
}

/// Nothing runs, and what failed is forgotten.
fn quiet(sight: &Sight) -> Vec<Step> {
    let services = sight.services.iter().filter(|(_, seen)| !seen.leaves());
    let services = services.map(|(role, _)| Step::ServiceDrop { role: role.clone() });
    let tasks = sight.tasks.keys().map(|name| Step::TaskForget { name: name.clone() });
    services.chain(tasks).collect()
}

/// That something was told to end and has not yet: a guest takes its time.
fn ending(sight: &Sight) -> Option<Waiting> {
    let leaves = sight.services.values().any(ServiceSight::leaves);
    leaves.then(|| Waiting::Work { text: words::ending() })
}

/// What the volume lacks, if anything.
fn volume(spec: &Spec, sight: &Sight) -> Option<Step> {
    let (limit, reserve) = (spec.volume(), Bytes(0));
    match sight.volume {
        VolumeSight::Absent => {
            let folders = engine::FOLDERS.map(str::to_owned).to_vec();
            Some(Step::VolumeCreate { limit, reserve, folders })
        }
        VolumeSight::Retained => Some(Step::VolumeRevive),
        VolumeSight::Live { limit: held } if held != limit => Some(Step::VolumeLimit { limit, reserve }),
        VolumeSight::Live { .. } => None,
    }
}

/// What is to be done on the volume next, and whether the machine must be off for it.
fn due(order: &Order, spec: &Spec, sight: &Sight) -> Option<(Task, bool)> {
    let marked = |key: &str| sight.marks.get(key).map(String::as_str);
    if marked(mark::IMAGE) != Some(spec.origin().as_str()) {
        return Some((engine::disk(spec), true));
    }
    // A volume that came back may hold a larger disk than is wished; it stays as it is.
    if marked(mark::DISK).and_then(|bytes| bytes.parse::<u64>().ok()).is_none_or(|bytes| bytes < spec.disk.0) {
        return Some((engine::grow(spec), true));
    }
    // One that runs has read its settings; one that does not starts on what is wished, so that a copy never starts as the other.
    let off = !sight.services.contains_key(MACHINE);
    if marked(mark::SEED) != Some(engine::seed_digest(order, spec).as_str()) {
        return Some((engine::seed(order, spec), off));
    }
    let machine = machine(order, spec, sight);
    // One that is to be turned off and on for another reason is asked when that is done: whether it has a place for disks is not known before.
    let seen = sight.services.get(MACHINE).filter(|seen| !seen.leaves());
    if disks::are(spec, marked(disks::MARK)) || seen.is_some_and(|seen| seen.digest != machine.digest()) {
        return None;
    }
    Some((disks::bring(spec, !off && disks::have_a_place(&machine)), false))
}

/// Why no disk can be made from the image: the machine has none of the name, or its disk is larger than the one that is wished. What the
/// catalogue has, every machine has or can build.
fn lacking(spec: &Spec, sight: &Sight) -> Option<Waiting> {
    let name = spec.image.entry();
    match (sight.images.get(name), sight.runtimes.get(name)) {
        (Some(least), _) if *least > spec.disk => {
            Some(Waiting::Trouble { text: words::disk_too_small(name, *least, spec.disk) })
        }
        (Some(_), _) | (None, Some(RuntimeSight::Building)) => None,
        (None, _) if spec.image.is_catalogued() => None,
        (None, _) if own_image::is_reserved(name) => Some(Waiting::Trouble { text: words::no_own_image() }),
        (None, _) => Some(Waiting::Trouble { text: words::no_image(name) }),
    }
}

/// The machine as it is to run: as it runs already, while that is one of the ways it may, and else on what the node offers.
fn machine(order: &Order, spec: &Spec, sight: &Sight) -> Service {
    let offers = Processor::of(&sight.virtualisation);
    let offered = engine::machine(order, spec, offers);
    let Some(runs) = sight.services.get(MACHINE).map(|seen| seen.digest.as_str()) else { return offered };
    let other = (offers != Processor::Emulated).then(|| engine::machine(order, spec, Processor::Emulated));
    // Nobody's server is turned off to get what came later.
    let mut ways = std::iter::once(offered.clone()).chain(other).flat_map(engine::ways);
    ways.find(|one| one.digest() == runs).unwrap_or(offered)
}

fn run(order: &Order, spec: &Spec, sight: &Sight) -> Plan {
    let mut steps = Vec::new();
    let mut waiting = ending(sight);
    let live = matches!(sight.volume, VolumeSight::Live { .. });
    let due = live.then(|| due(order, spec, sight)).flatten();
    let off = !live || due.as_ref().is_some_and(|(_, off)| *off);
    let machine = machine(order, spec, sight);
    let older = !disks::have_a_place(&machine);
    let port = port(order, spec);

    // Take-downs.
    for (role, seen) in sight.services.iter().filter(|(role, _)| off || *role != MACHINE) {
        if !seen.leaves() {
            steps.push(Step::ServiceDrop { role: role.clone() });
        }
    }
    let still_due =
        |name: &str, digest: &str| due.as_ref().is_some_and(|(task, _)| task.name == name && task.digest() == digest);
    let done = sight.tasks.iter().filter(|(name, seen)| !still_due(name, &seen.digest));
    steps.extend(done.map(|(name, _)| Step::TaskForget { name: name.clone() }));
    // Build-ups.
    steps.extend(volume(spec, sight));
    if sight.port.as_ref() != Some(&port.digest()) {
        steps.push(Step::Port { port });
    }
    let image = due.as_ref().filter(|(task, _)| task.name == engine::DISK).map(|_| spec.image.entry().clone());
    let lacking = image.as_ref().and_then(|_| lacking(spec, sight));
    let images = image.into_iter().filter(|_| lacking.is_none());
    let untried = sight.virtualisation == Virtualisation::Untried;
    let small = (untried || spec.rescue).then(boot::small_image);
    let mut needed: Vec<RuntimeName> = std::iter::once(engine::runtime()).chain(images).chain(small).collect();
    needed.dedup();
    for name in needed {
        match sight.runtimes.get(&name) {
            Some(RuntimeSight::Ready) => {}
            None | Some(RuntimeSight::Absent) => steps.push(Step::Runtime { name }),
            Some(RuntimeSight::Building) => waiting = Some(Waiting::Work { text: words::building(&name) }),
            Some(RuntimeSight::Failed { .. }) => waiting = Some(Waiting::Work { text: words::build_failed(&name) }),
        }
    }
    let built = |name: &RuntimeName| sight.runtimes.get(name) == Some(&RuntimeSight::Ready);
    if let Some((task, off)) = &due {
        let seen = sight.tasks.get(&task.name).filter(|seen| seen.digest == task.digest());
        if let Some(reason) = seen.and_then(|seen| seen.failed.as_ref()) {
            waiting = Some(Waiting::Trouble { text: words::failed(&task.name, reason) });
        } else {
            let ready = built(&engine::runtime()) && (task.name != engine::DISK || built(spec.image.entry()));
            // A look must have shown that the machine is off.
            let leaves = sight.services.values().any(ServiceSight::leaves);
            let free = steps.is_empty() && (!*off || sight.services.is_empty()) && !(task.name == DISKS && leaves);
            if ready && free && seen.is_none() && lacking.is_none() {
                steps.push(Step::Task { task: Box::new(task.clone()) });
            }
            waiting = lacking.or(waiting);
            waiting.get_or_insert(Waiting::Work { text: words::working(&task.name) });
        }
    }
    if !off && built(&engine::runtime()) && (!spec.rescue || built(&boot::small_image())) {
        let seen = sight.services.get(MACHINE);
        // One that runs goes on; one that does not waits until it is known on what it is to.
        if untried && seen.is_none() {
            waiting.get_or_insert(Waiting::Work { text: words::trying() });
        // Settings that are due are there before it is turned off and on: it reads them when it starts.
        } else if due.is_none()
            && seen.map(|seen| &seen.digest) != Some(&machine.digest())
            && !seen.is_some_and(ServiceSight::leaves)
        {
            steps.push(Step::Service { role: MACHINE.to_owned(), service: Box::new(machine) });
        }
        let lacks = due.is_none() && seen.is_some() && spec.disks.values().any(|disk| disk.attached);
        if lacks && older && waiting.is_none() {
            waiting = Some(Waiting::Trouble { text: words::no_place() });
        }
        if let Some(ServiceState::Failing { reason }) = seen.map(|seen| &seen.state) {
            waiting = Some(Waiting::Trouble { text: words::failing(reason) });
        }
    }
    Plan { steps, waiting }
}
