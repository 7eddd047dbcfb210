//! The plan of a disk image: pure, from an order and a sight to steps. The volume is a copy of a server's snapshot; one task leaves the disk alone
//! in it, and there is nothing more to do.

use super::spec::Spec;
use super::words;
use crate::server::{engine, words as server_words};
use crate::{Order, Plan, RuntimeSight, Sight, Standing, Step, Task, VolumeSight, Waiting};
use husorden_base::Bytes;

/// The mark of a volume that holds the disk alone.
pub(super) const KEPT: &str = "kept";
/// The task that makes it so.
const KEEP: &str = "keep";

/// What to do next.
pub(super) fn plan(order: &Order, sight: &Sight) -> Plan {
    match (order.standing(), Spec::stored(&order.spec)) {
        (Standing::Going, _) => gone(order, sight),
        (Standing::Stopped | Standing::Closed(_), spec) => {
            Plan { steps: ended(sight).chain(spec.ok().and_then(|spec| limit(&spec, sight))).collect(), waiting: None }
        }
        (Standing::Open, Ok(spec)) => made(&spec, sight),
        (Standing::Open, Err(_)) => Plan { steps: Vec::new(), waiting: Some(words::unreadable()) },
    }
}

/// The task, from files of its own volume.
pub(super) fn keep() -> Task {
    let mut sandbox = engine::for_tasks(KEEP, include_str!("files/keep.sh"));
    sandbox.binds.push(engine::folder(engine::FOLDERS[1], "/srv/log"));
    engine::task(KEEP, sandbox, String::new(), &[(KEPT, "yes".to_owned())])
}

/// What ran is forgotten. No kind but this one's own work leaves anything here, and what does is taken down.
fn ended(sight: &Sight) -> impl Iterator<Item = Step> {
    let services = sight.services.iter().filter(|(_, seen)| !seen.leaves());
    let services = services.map(|(role, _)| Step::ServiceDrop { role: role.clone() });
    services.chain(sight.tasks.keys().map(|name| Step::TaskForget { name: name.clone() }))
}

fn gone(order: &Order, sight: &Sight) -> Plan {
    let mut steps: Vec<Step> = ended(sight).chain(sight.port.as_ref().map(|_| Step::PortDrop)).collect();
    if steps.is_empty() && sight.services.is_empty() {
        match sight.volume {
            VolumeSight::Live { .. } => steps.push(Step::VolumeRetain),
            VolumeSight::Retained if order.expired => steps.push(Step::VolumeDestroy),
            VolumeSight::Retained | VolumeSight::Absent => {}
        }
    }
    Plan { steps, waiting: None }
}

fn limit(spec: &Spec, sight: &Sight) -> Option<Step> {
    let (limit, reserve) = (spec.volume(), Bytes(0));
    match sight.volume {
        VolumeSight::Retained => Some(Step::VolumeRevive),
        VolumeSight::Live { limit: held } if held != limit => Some(Step::VolumeLimit { limit, reserve }),
        VolumeSight::Live { .. } | VolumeSight::Absent => None,
    }
}

fn made(spec: &Spec, sight: &Sight) -> Plan {
    let task = keep();
    let due = !sight.marks.contains_key(KEPT);
    let seen = sight.tasks.get(KEEP).filter(|seen| due && seen.digest == task.digest());
    let alien = sight.services.iter().filter(|(_, seen)| !seen.leaves());
    let mut steps: Vec<Step> = alien.map(|(role, _)| Step::ServiceDrop { role: role.clone() }).collect();
    let done = sight.tasks.keys().filter(|name| *name != KEEP || seen.is_none());
    steps.extend(done.map(|name| Step::TaskForget { name: name.clone() }));
    steps.extend(sight.port.as_ref().map(|_| Step::PortDrop));
    if sight.volume == VolumeSight::Absent {
        let folders = engine::FOLDERS.map(str::to_owned).to_vec();
        steps.push(Step::VolumeCreate { limit: spec.volume(), reserve: Bytes(0), folders });
    }
    steps.extend(limit(spec, sight));
    if !due {
        return Plan { steps, waiting: None };
    }
    let mut waiting = Waiting::Work { text: words::keeping() };
    let runtime = engine::runtime();
    match sight.runtimes.get(&runtime) {
        Some(RuntimeSight::Ready) => match seen.map(|seen| &seen.failed) {
            Some(Some(reason)) => waiting = Waiting::Trouble { text: words::failed(reason) },
            None if steps.is_empty() && sight.services.is_empty() => steps.push(Step::Task { task: Box::new(task) }),
            Some(None) | None => {}
        },
        None | Some(RuntimeSight::Absent) => steps.push(Step::Runtime { name: runtime }),
        Some(RuntimeSight::Building) => waiting = Waiting::Work { text: server_words::building(&runtime) },
        Some(RuntimeSight::Failed { .. }) => waiting = Waiting::Work { text: server_words::build_failed(&runtime) },
    }
    Plan { steps, waiting: Some(waiting) }
}
