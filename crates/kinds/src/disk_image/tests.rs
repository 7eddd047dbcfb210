//! Tests of the disk image: its names, its spec, and the plan from every small state.

use super::DiskImage;
use super::plan::{self, KEPT};
use crate::harness;
use crate::harness::{Hidden, Lacks, Start, arrives, live, rests_in_trouble, survives};
use crate::own_image::{self, is_reserved, number_of};
use crate::server::{Server, engine};
use crate::{
    Aim, Kind, Order, Place, RuntimeSight, ServiceSight, ServiceState, Sight, Step, TaskSight, Virtualisation,
    VolumeSight,
};
use husorden_base::{Bytes, Number, RuntimeName};
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn spec() -> Value {
    let server =
        Server.parse(&json!({"image": "tiny", "disk": "256 MiB", "firmware": "uefi"}), None).expect("it holds");
    DiskImage.spec_made_of(&server).expect("a server has a disk")
}

fn order() -> Order {
    harness::order(spec())
}

fn standings() -> Vec<Order> {
    let each = [
        (Aim::Run, false, false),
        (Aim::Run, true, false),
        (Aim::Stop, false, false),
        (Aim::Gone, false, false),
        (Aim::Gone, true, true),
    ];
    let standing = |(aim, closed, expired): (Aim, bool, bool)| {
        let closed = closed.then(|| "2026-17".to_owned());
        Order { aim, expired, closed, ..order() }
    };
    each.into_iter().map(standing).collect()
}

fn starts(order: &Order) -> Vec<Start> {
    let size = DiskImage.volume(&order.spec);
    let marks = |marks: &[(&str, &str)]| -> BTreeMap<String, String> {
        marks.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    };
    let copied = marks(&[("disk", "268435456"), ("image", "tiny"), ("seed", "old")]);
    let mut kept = copied.clone();
    kept.insert(KEPT.to_owned(), "yes".to_owned());
    let mut volumes = vec![(VolumeSight::Absent, BTreeMap::new(), BTreeMap::new())];
    for marks in [BTreeMap::new(), copied, kept] {
        volumes.push((VolumeSight::Retained, BTreeMap::new(), marks.clone()));
        volumes.push((live(size), marks.clone(), BTreeMap::new()));
        volumes.push((live(Bytes::mib(1)), marks, BTreeMap::new()));
    }
    let alien = |state| {
        let (digest, runtime, build) = ("alien".to_owned(), engine::runtime(), Some("one".to_owned()));
        BTreeMap::from([("alien".to_owned(), ServiceSight { digest, state, runtime, build })])
    };
    let task = |name: &str, digest: String, failed: Option<&str>| {
        let failed = failed.map(str::to_owned);
        BTreeMap::from([(name.to_owned(), TaskSight { digest, failed })])
    };
    let works = [
        (BTreeMap::new(), BTreeMap::new()),
        (alien(ServiceState::Running), BTreeMap::new()),
        (BTreeMap::new(), task("keep", "old".to_owned(), Some("no"))),
        (BTreeMap::new(), task("alien", "old".to_owned(), Some("no"))),
    ];
    let runtimes = |seen| BTreeMap::from([(engine::runtime(), seen)]);
    let mut starts = Vec::new();
    for (volume, marks, kept) in volumes {
        for (services, tasks) in works.clone() {
            let at_work = !services.is_empty() || !tasks.is_empty();
            if at_work && !matches!(volume, VolumeSight::Live { .. }) {
                continue;
            }
            for (runtimes, port) in [
                (BTreeMap::new(), None),
                (runtimes(RuntimeSight::Ready), Some("old".to_owned())),
                (runtimes(RuntimeSight::Building), None),
            ] {
                let (volume, marks, services, tasks) = (volume.clone(), marks.clone(), services.clone(), tasks.clone());
                let virtualisation = Virtualisation::Untried;
                let sight =
                    Sight { volume, marks, services, tasks, port, runtimes, virtualisation, ..Sight::default() };
                starts.push(Start { sight, kept: kept.clone(), hidden: Hidden::default() });
            }
        }
    }
    starts
}

#[test]
fn the_aim_is_reached_from_every_small_state_cut_anywhere() {
    let mut states = 0;
    for order in standings() {
        states += survives(&DiskImage, &order, starts(&order)).unwrap_or_else(|why| panic!("{why}")).states;
    }
    assert!(states > 200, "{states} states");
}

/// A way to forget steps, with its name.
type Forgets = (&'static str, fn(&Step) -> bool);

#[test]
fn a_plan_that_forgets_any_kind_of_step_is_found_out() {
    let forgets: [Forgets; 10] = [
        ("runtime", |step| matches!(step, Step::Runtime { .. })),
        ("volume-create", |step| matches!(step, Step::VolumeCreate { .. })),
        ("volume-limit", |step| matches!(step, Step::VolumeLimit { .. })),
        ("volume-retain", |step| matches!(step, Step::VolumeRetain)),
        ("volume-revive", |step| matches!(step, Step::VolumeRevive)),
        ("volume-destroy", |step| matches!(step, Step::VolumeDestroy)),
        ("task", |step| matches!(step, Step::Task { .. })),
        ("task-forget", |step| matches!(step, Step::TaskForget { .. })),
        ("port-drop", |step| matches!(step, Step::PortDrop)),
        ("service-drop", |step| matches!(step, Step::ServiceDrop { .. })),
    ];
    for (what, forgets) in forgets {
        let broken = Lacks { kind: &DiskImage, forgets };
        let found =
            standings().iter().any(|order| starts(order).iter().any(|start| arrives(&broken, order, start).is_err()));
        assert!(found, "a plan without {what} passes");
    }
}

#[test]
fn a_task_that_fails_is_told_and_not_tried_over_and_over() {
    let (_, text) = rests_in_trouble(&DiskImage, &order(), &Start::of(Sight::default()), "keep").expect("keep");
    assert!(text.en.contains("make it again") && text.da != text.en, "{}", text.en);
}

#[test]
fn its_task_sees_its_own_folders_and_nothing_else() {
    let task = plan::keep();
    assert!(task.sandbox.binds.iter().all(|bind| matches!(bind.from, Place::Folder(_))), "{:?}", task.sandbox.binds);
    assert_eq!(task.sandbox.network, crate::Network::Nothing);
}

#[test]
fn a_disk_is_given_when_it_is_kept_and_its_size_is_known() {
    let marks = |marks: &[(&str, &str)]| {
        marks.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect::<BTreeMap<_, _>>()
    };
    assert_eq!(DiskImage.gives_disk(&marks(&[("disk", "4096")])), None, "it is still the server's");
    assert_eq!(DiskImage.gives_disk(&marks(&[(KEPT, "yes")])), None);
    assert_eq!(DiskImage.gives_disk(&marks(&[(KEPT, "yes"), ("disk", "4096")])), Some(("vm", Bytes(4096))));
    assert_eq!(Server.gives_disk(&marks(&[(KEPT, "yes"), ("disk", "4096")])), None);
}

#[test]
fn a_name_leads_to_one_number() {
    let number = Number::new(17).expect("a number");
    let name = |text: &str| text.parse::<RuntimeName>().expect("a name");
    assert_eq!((own_image::name(number).as_str(), number_of(&name("own-17"))), ("own-17", Some(number)));
    for other in ["own-017", "own-0", "own-", "own-x", "own-17.1", "debian-13", "owned-17"] {
        assert_eq!(number_of(&name(other)), None, "{other}");
    }
    assert!(is_reserved(&name("own-x")) && !is_reserved(&name("owned")));
}

#[test]
fn its_spec_is_the_servers_and_nothing_of_it_is_chosen() {
    let spec = spec();
    assert_eq!(
        (&spec["disk"], &spec["origin"], &spec["firmware"]),
        (&json!(256 << 20), &json!("tiny"), &json!("uefi"))
    );
    assert_eq!(DiskImage.parse(&json!({}), Some(&spec)), Ok(spec.clone()));
    assert_eq!(DiskImage.parse(&spec, Some(&spec)), Ok(spec.clone()));
    for (form, before, pointer) in [
        (json!({"disk": 1}), Some(&spec), "/disk"),
        (json!({"firmware": "bios"}), Some(&spec), "/firmware"),
        (json!({"keys": []}), Some(&spec), "/keys"),
        (json!({}), None, ""),
        (spec.clone(), None, "/disk"),
    ] {
        let wrong = DiskImage.parse(&form, before).expect_err("it is refused");
        assert!(wrong.iter().any(|field| field.pointer == pointer), "{form}: {wrong:?}");
    }
}
