//! The plan from every small state, cut anywhere, and what happens when tasks fail.

use super::super::engine::{self, DB, PHP};
use super::super::spec::Spec;
use super::super::{Website, plan};
use super::{order, wordpress};
use crate::fake::Fake;
use crate::harness::{Lacks, Start, Tally, arrives, live, rests_in_trouble, survives};
use crate::{
    Aim, Kind, Order, Outcome, RuntimeSight, ServiceSight, ServiceState, Sight, Step, TaskSight, VolumeSight, pass,
};
use husorden_base::{Bytes, RuntimeName, site};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const CATALOGUE: [&str; 5] = ["mariadb-10.11", "mariadb-11.8", "php-8.2", "php-8.4", "wordpress"];

fn forms() -> [Value; 4] {
    [
        wordpress(),
        json!({"domains": ["a.example"], "runtime": "static"}),
        json!({"domains": ["a.example"], "docroot": "public"}),
        json!({"domains": ["a.example"], "database": "mariadb-11.8"}),
    ]
}

/// One form under every aim and measure.
fn standings(form: &Value) -> Vec<Order> {
    let mut orders = Vec::new();
    for (aim, closed, expired) in [
        (Aim::Run, false, false),
        (Aim::Run, true, false),
        (Aim::Stop, false, false),
        (Aim::Gone, false, false),
        (Aim::Gone, true, true),
    ] {
        let mut order = order(form);
        order.aim = aim;
        order.closed = closed.then(|| "2026-17".to_owned());
        order.expired = expired;
        orders.push(order);
    }
    orders
}

fn marks(marks: &[(&str, &str)]) -> BTreeMap<String, String> {
    marks.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn all_marks() -> Vec<BTreeMap<String, String>> {
    let done = [("app", "wordpress"), ("address", "https://www.shop.example"), ("credential.admin", "3")];
    let with = |more: &[(&str, &str)]| marks(&[&done[..], more].concat());
    vec![
        marks(&[]),
        marks(&[("db", "mariadb-11.8")]),
        marks(&[("db", "mariadb-11.8"), ("app", "wordpress"), ("credential.admin", "2")]),
        marks(&[("content", "welcome"), ("runtime", "php-8.2")]),
        with(&[("db", "mariadb-10.11"), ("runtime", "php-8.2")]),
        with(&[("db", "mariadb-11.8 from mariadb-10.11"), ("runtime", "php-8.4"), ("address", "https://old.example")]),
        with(&[("db", "mariadb-11.8"), ("runtime", "php-8.4"), ("content", "welcome")]),
        marks(&[("runtime", "php-5.6"), ("db", "oracle")]),
    ]
}

fn service(digest: &str, state: ServiceState) -> ServiceSight {
    ServiceSight { digest: digest.to_owned(), state }
}

fn all_services(order: &Order) -> Vec<BTreeMap<String, ServiceSight>> {
    let spec = Spec::stored(&order.spec).expect("it was parsed");
    let failing = ServiceState::Failing { reason: "no such file".to_owned() };
    let mut right = BTreeMap::new();
    if let Some(name) = spec.database.catalogue() {
        let digest = engine::db(&spec, &name).digest();
        right.insert(DB.to_owned(), service(&digest, ServiceState::Sleeping));
    }
    if let Some(name) = spec.runtime.catalogue() {
        let digest = engine::php(&spec, &name).digest();
        right.insert(PHP.to_owned(), service(&digest, ServiceState::Running));
    }
    let stale = BTreeMap::from([
        (DB.to_owned(), service("old", failing)),
        (PHP.to_owned(), service("old", ServiceState::Running)),
        ("alien".to_owned(), service("alien", ServiceState::Stopping)),
    ]);
    let mut half = right.clone();
    half.remove(PHP);
    vec![BTreeMap::new(), right, stale, half]
}

fn all_tasks() -> Vec<BTreeMap<String, TaskSight>> {
    let task = |name: &str, failed: Option<&str>| {
        let failed = failed.map(str::to_owned);
        (name.to_owned(), TaskSight { digest: "old".to_owned(), failed })
    };
    vec![
        BTreeMap::new(),
        BTreeMap::from([task("probe", Some("it failed")), task("alien", Some("it failed"))]),
        BTreeMap::from([
            task("db-init", Some("it failed")),
            task("app-install", Some("it failed")),
            task("welcome", Some("it failed")),
        ]),
    ]
}

type Around = (BTreeMap<RuntimeName, RuntimeSight>, Option<String>, Option<String>);

/// A way to forget steps, with its name.
type Forgets = (&'static str, fn(&Step) -> bool);

/// Catalogue, port and route, which do not depend on each other's past: a few mixtures stand for all.
fn surroundings(order: &Order) -> Vec<Around> {
    let all = |seen: RuntimeSight| -> BTreeMap<_, _> {
        CATALOGUE.into_iter().map(|name| (name.parse().expect("a catalogue name"), seen.clone())).collect()
    };
    let spec = Spec::stored(&order.spec).expect("it was parsed");
    let port = plan::port(&spec).map(|port| port.digest());
    let route = plan::route(order, &spec, true).digest();
    vec![
        (BTreeMap::new(), None, None),
        (all(RuntimeSight::Ready), port.clone(), Some(route)),
        (all(RuntimeSight::Ready), Some("old".to_owned()), Some("old".to_owned())),
        (all(RuntimeSight::Failed { reason: "no mirror".to_owned() }), port, None),
    ]
}

/// Every small state of one order.
fn starts(order: &Order) -> Vec<Start> {
    let size = Website.volume(&order.spec);
    let mut starts = Vec::new();
    let mut volumes = vec![(VolumeSight::Absent, BTreeMap::new(), BTreeMap::new())];
    for marks in all_marks() {
        volumes.push((VolumeSight::Retained, BTreeMap::new(), marks.clone()));
        volumes.push((live(size), marks.clone(), BTreeMap::new()));
    }
    volumes.push((live(Bytes::mib(1)), all_marks().remove(4), BTreeMap::new()));
    for (volume, marks, kept) in volumes {
        let is_live = matches!(volume, VolumeSight::Live { .. });
        for services in all_services(order) {
            for tasks in all_tasks() {
                // Nothing works where there is no volume.
                let at_work = !services.is_empty() || !tasks.is_empty();
                if at_work && !is_live {
                    continue;
                }
                for (runtimes, port, route) in surroundings(order) {
                    starts.push(Start {
                        sight: Sight {
                            volume: volume.clone(),
                            marks: marks.clone(),
                            services: services.clone(),
                            tasks: tasks.clone(),
                            port,
                            route,
                            runtimes,
                        },
                        kept: kept.clone(),
                    });
                }
            }
        }
    }
    starts
}

#[test]
fn the_aim_is_reached_from_every_small_state_cut_anywhere() {
    let orders: Vec<Order> = forms().iter().flat_map(standings).collect();
    // Two threads: the states of one order have nothing to do with those of another.
    let walk = |orders: &[Order]| -> Tally {
        let mut sum = Tally::default();
        for order in orders {
            match survives(&Website, order, starts(order)) {
                Ok(tally) => {
                    sum.states += tally.states;
                    sum.steps += tally.steps;
                }
                Err(why) => panic!("{why}"),
            }
        }
        sum
    };
    let (one, two) = orders.split_at(orders.len() / 2);
    let tallies = std::thread::scope(|scope| {
        let other = scope.spawn(|| walk(two));
        [walk(one), other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))]
    });
    let states: usize = tallies.iter().map(|tally| tally.states).sum();
    let steps: usize = tallies.iter().map(|tally| tally.steps).sum();
    assert!(states > 5_000 && steps > 20_000, "{states} states, {steps} steps");
}

#[test]
fn a_plan_that_forgets_any_kind_of_step_is_found_out() {
    let forgets: [Forgets; 22] = [
        ("runtime", |step| matches!(step, Step::Runtime { .. })),
        ("volume-create", |step| matches!(step, Step::VolumeCreate { .. })),
        ("volume-limit", |step| matches!(step, Step::VolumeLimit { .. })),
        ("volume-retain", |step| matches!(step, Step::VolumeRetain)),
        ("volume-revive", |step| matches!(step, Step::VolumeRevive)),
        ("volume-destroy", |step| matches!(step, Step::VolumeDestroy)),
        ("task-forget", |step| matches!(step, Step::TaskForget { .. })),
        ("service-drop", |step| matches!(step, Step::ServiceDrop { .. })),
        ("port", |step| matches!(step, Step::Port { .. })),
        ("port-drop", |step| matches!(step, Step::PortDrop)),
        ("route", |step| matches!(step, Step::Route { .. })),
        ("route-drop", |step| matches!(step, Step::RouteDrop)),
        ("service php", |step| matches!(step, Step::Service { role, .. } if role == PHP)),
        ("service db", |step| matches!(step, Step::Service { role, .. } if role == DB)),
        ("db-init", |step| is_task(step, "db-init")),
        ("db-upgrade", |step| is_task(step, "db-upgrade")),
        ("db-tidy", |step| is_task(step, "db-tidy")),
        ("app-install", |step| is_task(step, "app-install")),
        ("credential-admin", |step| is_task(step, "credential-admin")),
        ("app-address", |step| is_task(step, "app-address")),
        ("welcome", |step| is_task(step, "welcome")),
        ("probe", |step| is_task(step, "probe")),
    ];
    let orders: Vec<Order> = forms().iter().flat_map(standings).collect();
    for (what, forgets) in forgets {
        let broken = Lacks { kind: &Website, forgets };
        let found =
            orders.iter().any(|order| starts(order).iter().any(|start| arrives(&broken, order, start).is_err()));
        assert!(found, "a plan without {what} passes");
    }
}

fn is_task(step: &Step, name: &str) -> bool {
    matches!(step, Step::Task { task } if task.name == name)
}

/// The sight of a site that stands as ordered.
fn settled(order: &Order) -> Sight {
    let mut host = Fake::default();
    for _ in 0..20 {
        match pass(&Website, order, &mut host) {
            Outcome::Settled(sight) => return sight,
            Outcome::Waits(..) => host.time_passes(),
            other => panic!("{other:?}"),
        }
    }
    panic!("it never settles: {:#?}", host.sight);
}

#[test]
fn a_new_site_with_wordpress_is_made_in_order() {
    let order = order(&wordpress());
    let mut host = Fake::default();
    let mut rests = Vec::new();
    while let Outcome::Waits(_, waiting) = pass(&Website, &order, &mut host) {
        assert!(rests.len() < 20, "{rests:?}");
        rests.push(waiting);
        host.time_passes();
    }
    let steps: Vec<String> = host
        .done
        .iter()
        .map(|step| match step {
            Step::Task { task } => task.name.clone(),
            Step::Service { role, .. } => format!("service {role}"),
            Step::Runtime { name } => format!("runtime {name}"),
            Step::Route { route } => format!("route {}", serde_json::to_value(&route.standing).expect("data")["is"]),
            Step::VolumeCreate { folders, .. } => format!("volume {}", folders.join(" ")),
            Step::Port { .. } => "port".to_owned(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        steps,
        [
            "route \"preparing\"",
            "volume db tmp www",
            "port",
            "runtime mariadb-11.8",
            "runtime php-8.4",
            "runtime wordpress",
            "db-init",
            "service db",
            "app-install",
            "credential-admin",
            "app-address",
            "probe",
            "service php",
            "route \"open\"",
        ]
    );
}

#[test]
fn a_measure_closes_the_edge_first_and_then_stops_everything() {
    let mut order = order(&wordpress());
    let sight = settled(&order);
    order.closed = Some("2026-17".to_owned());
    let plan = Website.plan(&order, &sight);
    let [Step::Route { route }, Step::ServiceDrop { role: first }, Step::ServiceDrop { role: second }] =
        &plan.steps[..]
    else {
        panic!("{plan:#?}");
    };
    assert_eq!(route.standing, site::Standing::Closed { case: "2026-17".to_owned() });
    assert_eq!((first.as_str(), second.as_str()), (PHP, DB));
    // One that was closed before anything was made is closed at the edge, and nothing is made.
    let plan = Website.plan(&order, &Sight::default());
    assert!(matches!(&plan.steps[..], [Step::Route { .. }]), "{plan:#?}");
}

#[test]
fn a_runtime_that_fails_the_probe_leaves_the_old_one_serving() {
    let mut form = wordpress();
    form["runtime"] = json!("php-8.2");
    let old = settled(&order(&form));
    let order = order(&wordpress());
    let start = Start { sight: old.clone(), kept: BTreeMap::new() };
    let (sight, text) = rests_in_trouble(&Website, &order, &start, "probe").expect("trouble");
    assert_eq!(sight.services, old.services);
    assert_eq!(sight.route, old.route);
    assert_eq!(sight.marks["runtime"], "php-8.2");
    assert!(text.en.contains("moved back to php-8.2") && text.en.contains("it failed"), "{text}");
    // Choosing the old one again is the way out, and leaves nothing behind.
    let back = super::order(&form);
    let mut host = Fake::with(sight);
    let Outcome::Settled(sight) = pass(&Website, &back, &mut host) else {
        panic!("{:#?}", host.sight);
    };
    let mut without_build = sight.clone();
    without_build.runtimes = old.runtimes.clone();
    assert_eq!(without_build, old);
    assert!(!host.done.iter().any(|step| matches!(step, Step::Service { .. })));
}

#[test]
fn a_database_that_cannot_be_lifted_goes_on_as_it_was() {
    let mut form = wordpress();
    form["database"] = json!("mariadb-10.11");
    let old = settled(&order(&form));
    let order = order(&wordpress());
    let start = Start { sight: old.clone(), kept: BTreeMap::new() };
    let (sight, text) = rests_in_trouble(&Website, &order, &start, "db-upgrade").expect("trouble");
    assert_eq!(sight.services, old.services);
    assert_eq!(sight.route, old.route);
    assert!(text.en.contains("untouched"), "{text}");
}

#[test]
fn the_database_is_off_the_net_and_still_while_it_is_lifted() {
    let mut form = wordpress();
    form["database"] = json!("mariadb-10.11");
    let mut sight = settled(&order(&form));
    let order = order(&wordpress());
    // While the new version is being built the old one serves.
    let plan = Website.plan(&order, &sight);
    assert!(matches!(&plan.steps[..], [Step::Runtime { .. }]), "{plan:#?}");
    sight.runtimes.insert("mariadb-11.8".parse().expect("a name"), RuntimeSight::Ready);
    let plan = Website.plan(&order, &sight);
    let [Step::Route { route }, Step::ServiceDrop { role }] = &plan.steps[..] else {
        panic!("{plan:#?}");
    };
    assert_eq!((&route.standing, role.as_str()), (&site::Standing::Preparing, DB));
}

#[test]
fn every_task_that_fails_is_told_and_tried_once() {
    let mut form = wordpress();
    form["database"] = json!("mariadb-10.11");
    let plain = json!({"domains": ["a.example"]});
    let before = settled(&order(&form));
    let mut tidy = settled(&order(&wordpress()));
    tidy.marks.insert("db".to_owned(), "mariadb-11.8 from mariadb-10.11".to_owned());
    for (task, form, sight) in [
        ("db-init", &wordpress(), Sight::default()),
        ("app-install", &wordpress(), Sight::default()),
        ("credential-admin", &wordpress(), Sight::default()),
        ("app-address", &wordpress(), Sight::default()),
        ("probe", &wordpress(), Sight::default()),
        ("welcome", &plain, Sight::default()),
        ("db-upgrade", &wordpress(), before),
        ("db-tidy", &wordpress(), tidy),
    ] {
        let start = Start { sight, kept: BTreeMap::new() };
        let (_, text) =
            rests_in_trouble(&Website, &order(form), &start, task).unwrap_or_else(|why| panic!("{task}: {why}"));
        assert!(text.da.contains("it failed"), "{task}: {text}");
        // Stopping forgets the failure, so that starting tries again.
        let mut stopped = order(form);
        stopped.aim = Aim::Stop;
        survives(&Website, &stopped, [start]).unwrap_or_else(|why| panic!("{why}"));
    }
}

#[test]
fn a_new_password_or_address_is_set_while_the_site_serves() {
    let mut order = order(&wordpress());
    let sight = settled(&order);
    order.credentials.get_mut("admin").expect("it has one").generation = 4;
    let plan = Website.plan(&order, &sight);
    let [Step::Task { task }] = &plan.steps[..] else {
        panic!("{plan:#?}");
    };
    assert_eq!(task.mark, ("credential.admin".to_owned(), "4".to_owned()));
    assert!(sight.runtimes.contains_key(&"wordpress".parse().expect("a name")));
}

#[test]
fn a_spec_that_cannot_be_read_stops_nothing_and_still_lets_go() {
    let mut order = order(&wordpress());
    let sight = settled(&order);
    order.spec = json!({"domains": ["a.example"], "version": 2});
    let plan = Website.plan(&order, &sight);
    assert!(plan.steps.is_empty() && plan.waiting.is_some(), "{plan:#?}");
    order.closed = Some("2026-17".to_owned());
    assert!(matches!(
        Website.plan(&order, &sight).steps[..],
        [Step::RouteDrop, Step::ServiceDrop { .. }, Step::ServiceDrop { .. }]
    ));
    order.aim = Aim::Gone;
    assert!(!Website.plan(&order, &sight).steps.is_empty());
}
