//! The plan from every small state, cut anywhere, and a check that this test can fail.

use super::super::boot;
use super::super::disks;
use super::super::engine::{self, MACHINE, Processor};
use super::super::plan;
use super::super::spec::Spec;
use super::{KEY, membership, order};
use crate::fake::ONLY_BUILD;
use crate::harness::{Hidden, Lacks, Start, arrives, live, rests_in_trouble, survives};
use crate::server::Server;
use crate::{
    Aim, Kind, Order, RuntimeSight, Service, ServiceSight, ServiceState, Sight, Step, TaskSight, Virtualisation,
    VolumeSight, Waiting,
};
use husorden_base::{Bytes, RuntimeName, Text};
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn forms() -> [Value; 6] {
    [
        json!({}),
        json!({"rebuilt": 2}),
        json!({"rescue": true}),
        json!({"image": "tiny", "disk": "256 MiB", "keys": [KEY], "firmware": "uefi"}),
        json!({"image": "imported-1", "disk": "2 GiB"}),
        json!({"image": "debian-12", "disks": {"data": {"size": "64 MiB"}, "old": {"size": "16 MiB", "attached": false}}}),
    ]
}

/// One form under every aim and measure.
fn standings(form: &Value) -> Vec<Order> {
    let each = [
        (Aim::Run, false, false),
        (Aim::Run, true, false),
        (Aim::Stop, false, false),
        (Aim::Gone, false, false),
        (Aim::Gone, true, true),
    ];
    let standing = |(aim, closed, expired): (Aim, bool, bool)| {
        let mut order = order(form);
        (order.aim, order.expired) = (aim, expired);
        order.closed = closed.then(|| "2026-17".to_owned());
        if order.spec["image"] == "tiny" {
            order.networks = vec![membership(12, "10.20.0.0/24", "10.20.0.5")];
        }
        order
    };
    each.into_iter().map(standing).collect()
}

fn all_marks(order: &Order) -> Vec<BTreeMap<String, String>> {
    let spec = Spec::stored(&order.spec).expect("it was parsed");
    let (size, seed) = (spec.disk.0.to_string(), engine::seed_digest(order, &spec));
    let marks = |marks: &[(&str, &str)]| {
        marks.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect::<BTreeMap<_, _>>()
    };
    let image = spec.origin();
    let image = image.as_str();
    let disks = disks::mark(&spec.disks);
    let as_wished = marks(&[("disk", &size), ("image", image), ("seed", &seed), ("disks", &disks)]);
    let otherwise = marks(&[("disk", &size), ("image", image), ("seed", &seed), ("disks", "gone 16777216 in")]);
    let of_disks = [as_wished, otherwise].into_iter().filter(|_| !spec.disks.is_empty());
    let others = [
        marks(&[]),
        // A task leaves its marks one after the other.
        marks(&[("disk", &size)]),
        marks(&[("disk", &size), ("image", image)]),
        marks(&[("disk", &size), ("image", image), ("seed", &seed)]),
        marks(&[("disk", "1024"), ("image", image), ("seed", "old")]),
        marks(&[("disk", "99999999999999"), ("image", "debian-12"), ("seed", &seed)]),
        marks(&[("disk", "much"), ("image", "windows"), ("seed", &seed)]),
    ];
    others.into_iter().chain(of_disks).collect()
}

fn all_services(order: &Order) -> Vec<BTreeMap<String, ServiceSight>> {
    let spec = Spec::stored(&order.spec).expect("it was parsed");
    let machine = |of| engine::machine(order, &spec, of);
    let [right, own] = [Processor::Emulated, Processor::Own].map(|of| machine(of).digest());
    let earliest = engine::ways(machine(Processor::Emulated)).last().map(Service::digest);
    let service = |role: &str, digest: &str, state: ServiceState| {
        let runs = state == ServiceState::Running || state.is_ending();
        let (digest, build) = (digest.to_owned(), runs.then(|| ONLY_BUILD.to_owned()));
        (role.to_owned(), ServiceSight { digest, state, runtime: engine::runtime(), build })
    };
    let failing = ServiceState::Failing { reason: "it does not start".to_owned() };
    // One that has no place for the disks that are wished rests in trouble, and another test sees that.
    let earliest = earliest.filter(|_| spec.disks.is_empty());
    let earliest = earliest.map(|digest| BTreeMap::from([service(MACHINE, &digest, ServiceState::Running)]));
    let now = [
        BTreeMap::new(),
        BTreeMap::from([service(MACHINE, &right, ServiceState::Running)]),
        BTreeMap::from([service(MACHINE, &own, ServiceState::Running)]),
        BTreeMap::from([
            service(MACHINE, "old", ServiceState::Running),
            service("alien", "alien", ServiceState::Stopping),
        ]),
        BTreeMap::from([service(MACHINE, &right, failing)]),
        // It was told to end, and takes its time.
        BTreeMap::from([service(MACHINE, "", ServiceState::Stopping)]),
    ];
    now.into_iter().chain(earliest).collect()
}

fn all_tasks() -> Vec<BTreeMap<String, TaskSight>> {
    let failed =
        |name: &str| (name.to_owned(), TaskSight { digest: "old".to_owned(), failed: Some("it failed".to_owned()) });
    vec![BTreeMap::new(), ["disk", "grow", "seed", "disks", "alien"].map(failed).into()]
}

/// What an imported image shows of itself: it is there, and nothing builds it.
fn imported(order: &Order) -> BTreeMap<RuntimeName, Bytes> {
    let image = Spec::stored(&order.spec).expect("it was parsed").image;
    (!image.is_catalogued()).then(|| (image.entry().clone(), Bytes::gib(1))).into_iter().collect()
}

type Around = (BTreeMap<RuntimeName, RuntimeSight>, Option<String>, Virtualisation);

/// Catalogue, port and machine, which do not depend on each other's past: a few mixtures stand for all.
fn surroundings(order: &Order) -> Vec<Around> {
    let spec = Spec::stored(&order.spec).expect("it was parsed");
    let all = |seen: RuntimeSight| -> BTreeMap<_, _> {
        [engine::runtime(), spec.image.entry().clone(), boot::small_image()].map(|name| (name, seen.clone())).into()
    };
    let fails = Virtualisation::Fails { reason: Text::new("nej", "no") };
    vec![
        (BTreeMap::new(), None, Virtualisation::Untried),
        (all(RuntimeSight::Ready), Some("old".to_owned()), Virtualisation::Boots),
        (all(RuntimeSight::Ready), Some(plan::port(order, &spec).digest()), fails),
        (all(RuntimeSight::Failed { reason: "no mirror".to_owned() }), None, Virtualisation::Untried),
    ]
}

/// A way to forget steps, with its name.
type Forgets = (&'static str, fn(&Step) -> bool);

/// Every small state of one order.
fn starts(order: &Order) -> Vec<Start> {
    let size = Server.volume(&order.spec);
    let mut volumes = vec![(VolumeSight::Absent, BTreeMap::new(), BTreeMap::new())];
    for marks in all_marks(order) {
        volumes.push((VolumeSight::Retained, BTreeMap::new(), marks.clone()));
        volumes.push((live(size), marks.clone(), BTreeMap::new()));
        volumes.push((live(Bytes::mib(1)), marks, BTreeMap::new()));
    }
    let mut starts = Vec::new();
    for (volume, marks, kept) in volumes {
        for services in all_services(order) {
            for tasks in all_tasks() {
                // Nothing works where there is no volume.
                let at_work = !services.is_empty() || !tasks.is_empty();
                if at_work && !matches!(volume, VolumeSight::Live { .. }) {
                    continue;
                }
                for (mut runtimes, port, virtualisation) in surroundings(order) {
                    let images = imported(order);
                    runtimes.extend(images.keys().map(|name| (name.clone(), RuntimeSight::Ready)));
                    let (volume, marks, services, tasks) =
                        (volume.clone(), marks.clone(), services.clone(), tasks.clone());
                    let sight = Sight {
                        volume,
                        marks,
                        services,
                        tasks,
                        port,
                        runtimes,
                        images,
                        virtualisation,
                        ..Sight::default()
                    };
                    starts.push(Start { sight, kept: kept.clone(), hidden: Hidden::default() });
                }
            }
        }
    }
    starts
}

#[test]
fn the_aim_is_reached_from_every_small_state_cut_anywhere() {
    let (mut states, mut steps) = (0, 0);
    for order in forms().iter().flat_map(standings) {
        let tally = survives(&Server, &order, starts(&order)).unwrap_or_else(|why| panic!("{why}"));
        states += tally.states;
        steps += tally.steps;
    }
    assert!(states > 1_000 && steps > 5_000, "{states} states, {steps} steps");
}

#[test]
fn a_plan_that_forgets_any_kind_of_step_is_found_out() {
    let forgets: [Forgets; 15] = [
        ("runtime", |step| matches!(step, Step::Runtime { .. })),
        ("volume-create", |step| matches!(step, Step::VolumeCreate { .. })),
        ("volume-limit", |step| matches!(step, Step::VolumeLimit { .. })),
        ("volume-retain", |step| matches!(step, Step::VolumeRetain)),
        ("volume-revive", |step| matches!(step, Step::VolumeRevive)),
        ("volume-destroy", |step| matches!(step, Step::VolumeDestroy)),
        ("task-forget", |step| matches!(step, Step::TaskForget { .. })),
        ("port", |step| matches!(step, Step::Port { .. })),
        ("port-drop", |step| matches!(step, Step::PortDrop)),
        ("service-drop", |step| matches!(step, Step::ServiceDrop { .. })),
        ("service", |step| matches!(step, Step::Service { .. })),
        ("disk", |step| is_task(step, engine::DISK)),
        ("grow", |step| is_task(step, engine::GROW)),
        ("seed", |step| is_task(step, engine::SEED)),
        ("disks", |step| is_task(step, disks::DISKS)),
    ];
    let orders: Vec<Order> = forms().iter().flat_map(standings).collect();
    for (what, forgets) in forgets {
        let broken = Lacks { kind: &Server, forgets };
        let found =
            orders.iter().any(|order| starts(order).iter().any(|start| arrives(&broken, order, start).is_err()));
        assert!(found, "a plan without {what} passes");
    }
}

fn is_task(step: &Step, name: &str) -> bool {
    matches!(step, Step::Task { task } if task.name == name)
}

/// What a measure lets stand still is touched by no step, whatever state it is in.
#[test]
fn what_stands_still_is_left_as_it_is() {
    for form in forms() {
        let mut order = order(&form);
        (order.closed, order.still) = (Some("2026-17".to_owned()), true);
        for start in starts(&order) {
            assert!(Server.plan(&order, &start.sight).steps.is_empty(), "{:?}", start.sight);
        }
        order.still = false;
        let runs = |start: &&Start| start.sight.services.contains_key(MACHINE);
        let all = starts(&order);
        assert!(all.iter().filter(runs).any(|start| !Server.plan(&order, &start.sight).steps.is_empty()));
    }
}

/// Who was started before there were screens, lines to agents or other disks goes on without, and has them when it is next started.
#[test]
fn nobody_is_turned_off_to_get_what_came_later() {
    let order = order(&forms()[0]);
    let spec = Spec::stored(&order.spec).expect("it was parsed");
    let new = engine::machine(&order, &spec, Processor::Emulated);
    let set = |runs: &str, start: &Start| {
        let mut sight = start.sight.clone();
        sight.services.get_mut(MACHINE).expect("it runs").digest = runs.to_owned();
        let set = Server.plan(&order, &sight).steps.into_iter().find_map(|step| match step {
            Step::Service { service, .. } => Some(service.digest()),
            _ => None,
        });
        set.filter(|digest| *digest == new.digest())
    };
    let runs = |start: &&Start| {
        start.sight.services.get(MACHINE).is_some_and(|seen| seen.digest == "old") && start.sight.services.len() == 2
    };
    let all = starts(&order);
    for older in engine::ways(new.clone()).iter().map(Service::digest) {
        assert!(all.iter().filter(runs).all(|start| set(&older, start).is_none()));
    }
    assert!(all.iter().filter(runs).any(|start| set("another", start).is_some()), "who was set otherwise is set anew");
}

/// An image that the machine has not, or that does not fit, is the owner's to mend: nothing is built, and it is said.
#[test]
fn an_image_that_is_not_there_or_too_large_is_told_and_not_asked_for() {
    let order = order(&forms()[4]);
    let name: RuntimeName = "imported-1".parse().expect("a name");
    let size = Server.volume(&order.spec);
    let ready = [engine::runtime(), boot::small_image()].map(|name| (name, RuntimeSight::Ready));
    let sight = Sight { volume: live(size), runtimes: ready.into(), ..Sight::default() };
    let with = |disk: Option<Bytes>, seen: Option<RuntimeSight>| {
        let mut sight = sight.clone();
        sight.images.extend(disk.map(|disk| (name.clone(), disk)));
        sight.runtimes.extend(seen.map(|seen| (name.clone(), seen)));
        let plan = Server.plan(&order, &sight);
        let asked = |step: &Step| matches!(step, Step::Runtime { .. }) || is_task(step, engine::DISK);
        assert!(!plan.steps.iter().any(asked), "{:?}", plan.steps);
        plan.waiting
    };
    let trouble = |waiting: Option<Waiting>, said: &str| match waiting {
        Some(Waiting::Trouble { text }) => assert!(text.en.contains(said) && text.da != text.en, "{text:?}"),
        other => panic!("{said}: {other:?}"),
    };
    trouble(with(None, None), "no image called imported-1");
    // Something of the name is there, and it is no image.
    trouble(with(None, Some(RuntimeSight::Ready)), "no image called imported-1");
    trouble(with(Some(Bytes::gib(4)), Some(RuntimeSight::Ready)), "at least 4 GiB");
    assert!(matches!(with(None, Some(RuntimeSight::Building)), Some(Waiting::Work { .. })));
}

/// A state in which nothing is left to do, with the machine running.
fn settled(order: &Order) -> Sight {
    let is_it = |start: &Start| {
        start.sight.services.contains_key(MACHINE) && Server.plan(order, &start.sight) == crate::Plan::default()
    };
    starts(order).into_iter().find(is_it).expect("one of them is settled").sight
}

/// Disks come and go under a machine that runs, by one task and nothing else.
#[test]
fn disks_change_under_a_machine_that_runs() {
    let mut sight = settled(&order(&json!({"image": "tiny"})));
    for (disks, expected) in [
        (json!({"data": {"size": "64 MiB"}}), "data 67108864 in\n"),
        (
            json!({"data": {"size": "128 MiB"}, "a": {"size": "16 MiB", "attached": false}}),
            "a 16777216 out\ndata 134217728 in\n",
        ),
        (json!({}), ""),
    ] {
        let order = order(&json!({"image": "tiny", "disks": disks}));
        sight.volume = live(Server.volume(&order.spec));
        let steps = Server.plan(&order, &sight).steps;
        let [Step::Task { task }] = &steps[..] else { panic!("one task: {steps:?}") };
        assert_eq!((task.name.as_str(), task.stdin.as_str()), (disks::DISKS, expected));
        assert_eq!(task.sandbox.env["MACHINE"], "on");
        sight.marks.extend(task.marks.iter().cloned());
        assert_eq!(Server.plan(&order, &sight), crate::Plan::default());
    }
}

/// A machine that was started before there were such disks is left as it is, and its owner is told.
#[test]
fn a_machine_without_a_place_for_disks_goes_on_and_says_so() {
    let bare = settled(&order(&json!({"image": "tiny"})));
    let order = order(&json!({"image": "tiny", "disks": {"data": {"size": "64 MiB"}}}));
    let spec = Spec::stored(&order.spec).expect("it was parsed");
    for older in engine::ways(engine::machine(&order, &spec, Processor::Emulated)) {
        let mut sight = bare.clone();
        sight.volume = live(Server.volume(&order.spec));
        sight.services.get_mut(MACHINE).expect("it runs").digest = older.digest();
        let steps = Server.plan(&order, &sight).steps;
        let [Step::Task { task }] = &steps[..] else { panic!("one task: {steps:?}") };
        let asked = if disks::have_a_place(&older) { "on" } else { "off" };
        assert_eq!(task.sandbox.env["MACHINE"], asked, "its file is made, and who has no place for it is not asked");
        sight.marks.extend(task.marks.iter().cloned());
        let plan = Server.plan(&order, &sight);
        assert!(plan.steps.is_empty(), "{:?}", plan.steps);
        if asked == "on" {
            assert_eq!((plan.waiting, Server.reached(&order, &sight)), (None, Ok(())));
            continue;
        }
        assert!(matches!(plan.waiting, Some(Waiting::Trouble { text }) if text.en.contains("Stop and start it")));
        assert!(Server.reached(&order, &sight).is_err());
    }
}

/// A machine that is turned off and on for something else has its disks changed when that is done.
#[test]
fn disks_wait_for_a_machine_that_is_turned_off_and_on() {
    let mut sight = settled(&order(&json!({"image": "tiny"})));
    let order = order(&json!({"image": "tiny", "cores": 2, "disks": {"data": {"size": "64 MiB"}}}));
    sight.volume = live(Server.volume(&order.spec));
    let steps = Server.plan(&order, &sight).steps;
    let [Step::Service { service, .. }] = &steps[..] else { panic!("the machine: {steps:?}") };
    sight.services.get_mut(MACHINE).expect("it runs").digest = service.digest();
    let steps = Server.plan(&order, &sight).steps;
    assert!(matches!(&steps[..], [step] if is_task(step, disks::DISKS)), "{steps:?}");
}

#[test]
fn nothing_works_on_the_disk_while_the_machine_runs() {
    let order = order(&forms()[0]);
    for start in starts(&order) {
        let plan = Server.plan(&order, &start.sight);
        let works = plan.steps.iter().any(|step| is_task(step, engine::DISK) || is_task(step, engine::GROW));
        assert!(!works || start.sight.services.is_empty(), "{:?}", start.sight);
    }
}

#[test]
fn a_task_that_fails_is_told_and_not_tried_over_and_over() {
    let order = order(&forms()[0]);
    for task in [engine::DISK, engine::SEED] {
        let (_, text) = rests_in_trouble(&Server, &order, &Start::of(Sight::default()), task).expect(task);
        assert!(text.en.contains("Stop and start"), "{}", text.en);
    }
}

/// A guest reads its settings when it starts: those of its new network are there before it is turned off and on.
#[test]
fn a_server_that_joins_a_network_is_turned_on_with_its_settings() {
    let mut order = order(&json!({"image": "tiny"}));
    let mut sight = settled(&order);
    order.networks = vec![membership(12, "10.20.0.0/24", "10.20.0.5")];
    let spec = Spec::stored(&order.spec).expect("it was parsed");
    let steps = Server.plan(&order, &sight).steps;
    assert!(matches!(&steps[..], [Step::Port { .. }]), "the port first: {steps:?}");
    sight.port = Some(plan::port(&order, &spec).digest());
    let steps = Server.plan(&order, &sight).steps;
    assert!(matches!(&steps[..], [step] if is_task(step, engine::SEED)), "then its settings: {steps:?}");
    sight.marks.insert("seed".to_owned(), engine::seed_digest(&order, &spec));
    let steps = Server.plan(&order, &sight).steps;
    assert!(matches!(&steps[..], [Step::Service { .. }]), "then the machine: {steps:?}");
}
