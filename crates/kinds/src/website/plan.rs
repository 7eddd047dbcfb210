//! The plan of a website: pure, from an order and a sight to steps. Stopping, closing and leaving stand
//! here; serving, which has more to it, in `run`.

use super::engine::{self, DB, PHP};
use super::run::Run;
use super::spec::{Runtime, Spec};
use super::words;
use crate::step::Answer;
use crate::{Order, Plan, Port, Route, Sight, Standing, Step, Used, VolumeSight};
use husorden_base::Bytes;

/// What to do next.
pub(super) fn plan(order: &Order, sight: &Sight) -> Plan {
    let spec = Spec::stored(&order.spec);
    match (order.standing(), spec) {
        (Standing::Going, _) => gone(order, sight),
        (Standing::Stopped | Standing::Closed(_), Ok(spec)) => rest(order, &spec, sight),
        (Standing::Stopped | Standing::Closed(_), Err(_)) => {
            let mut steps = Vec::new();
            if sight.route.is_some() {
                steps.push(Step::RouteDrop);
            }
            steps.extend(quiet(sight));
            Plan { steps, waiting: Some(words::unreadable()) }
        }
        (Standing::Open, Ok(spec)) => Run::new(order, &spec, sight).plan(),
        (Standing::Open, Err(_)) => Plan { steps: Vec::new(), waiting: Some(words::unreadable()) },
    }
}

/// The route of the site; `ready` while it can answer.
pub(super) fn route(order: &Order, spec: &Spec, ready: bool) -> Route {
    Route {
        domains: spec.domains.clone(),
        folder: "www".to_owned(),
        docroot: spec.docroot.clone(),
        answer: match spec.runtime {
            Runtime::Static => Answer::Static,
            Runtime::Php82 | Runtime::Php84 => Answer::Php {
                role: PHP.to_owned(),
                inner_root: engine::inner_root(spec),
                front_controller: Some("index.php".to_owned()),
            },
        },
        standing: order.standing().at_edge(ready),
        https_only: spec.https_only,
        body: engine::body(spec),
    }
}

/// The port of the site: nobody may connect, and PHP may ask outside and what is attached. Files alone need none.
pub(super) fn port(order: &Order, spec: &Spec) -> Option<Port> {
    let ways = order.uses.iter().map(Used::way).collect();
    (spec.runtime != Runtime::Static).then(|| Port { outbound: true, ways, ..Port::default() })
}

/// On its way out: off the net, then still, then retained, and destroyed only when the retention time is over.
fn gone(order: &Order, sight: &Sight) -> Plan {
    let mut steps = Vec::new();
    if sight.route.is_some() {
        steps.push(Step::RouteDrop);
    }
    steps.extend(quiet(sight));
    if sight.port.is_some() {
        steps.push(Step::PortDrop);
    }
    // The volume is touched only after a look that shows nothing at work on it.
    if steps.is_empty() {
        match sight.volume {
            VolumeSight::Live { .. } => steps.push(Step::VolumeRetain),
            VolumeSight::Retained if order.expired => steps.push(Step::VolumeDestroy),
            VolumeSight::Retained | VolumeSight::Absent => {}
        }
    }
    Plan { steps, waiting: None }
}

/// Stopped or closed: the edge says so first, then nothing runs. Data and port stay.
fn rest(order: &Order, spec: &Spec, sight: &Sight) -> Plan {
    let mut steps = Vec::new();
    let route = route(order, spec, false);
    if sight.route.as_ref() != Some(&route.digest()) {
        steps.push(Step::Route { route: Box::new(route) });
    }
    steps.extend(quiet(sight));
    if sight.volume != VolumeSight::Absent {
        steps.extend(volume(spec, sight));
    }
    Plan { steps, waiting: None }
}

/// Nothing runs: PHP goes first, so that nobody asks a database that is gone.
fn quiet(sight: &Sight) -> Vec<Step> {
    let mut roles: Vec<&String> = sight.services.keys().collect();
    roles.sort_by_key(|role| role.as_str() == DB);
    let services = roles.into_iter().map(|role| Step::ServiceDrop { role: role.clone() });
    let tasks = sight.tasks.keys().map(|name| Step::TaskForget { name: name.clone() });
    services.chain(tasks).collect()
}

/// What the volume lacks, if anything.
pub(super) fn volume(spec: &Spec, sight: &Sight) -> Option<Step> {
    match sight.volume {
        VolumeSight::Absent => Some(Step::VolumeCreate {
            limit: spec.size,
            reserve: Bytes(0),
            folders: engine::FOLDERS.map(str::to_owned).to_vec(),
        }),
        VolumeSight::Retained => Some(Step::VolumeRevive),
        VolumeSight::Live { limit } if limit != spec.size => {
            Some(Step::VolumeLimit { limit: spec.size, reserve: Bytes(0) })
        }
        VolumeSight::Live { .. } => None,
    }
}
