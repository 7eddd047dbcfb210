//! The plan from every small state, cut anywhere, and a check that this test can fail.

use super::super::engine::{self, DB, PHP};
use super::super::spec::Spec;
use super::super::{Website, plan};
use super::{order, wordpress};
use crate::fake::ONLY_BUILD;
use crate::harness::{Hidden, Lacks, Start, Tally, arrives, live, survives};
use crate::segments::REPLAY;
use crate::{Aim, Kind, Order, RuntimeSight, ServiceSight, ServiceState, Sight, Step, TaskSight, VolumeSight};
use husorden_base::{Bytes, RuntimeName};
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
        marks(&[("db", "mariadb-11.8"), ("app", "wordpress")]),
        marks(&[("db", "mariadb-11.8"), ("app", "wordpress"), ("credential.admin", "2")]),
        marks(&[("content", "welcome"), ("runtime", "php-8.2")]),
        with(&[("db", "mariadb-10.11"), ("runtime", "php-8.2")]),
        with(&[("db", "mariadb-11.8 from mariadb-10.11"), ("runtime", "php-8.4"), ("address", "https://old.example")]),
        with(&[("db", "mariadb-11.8"), ("runtime", "php-8.4"), ("content", "welcome")]),
        with(&[("db", "mariadb-11.8"), ("runtime", "php-8.4"), (REPLAY, "2030-01-31T16:00:00Z")]),
        with(&[("db", "mariadb-10.11"), ("runtime", "php-8.4"), (REPLAY, "2030-01-31T16:00:00Z done")]),
        marks(&[("runtime", "php-5.6"), ("db", "oracle")]),
    ]
}

fn service(runtime: &str, digest: &str, state: ServiceState) -> ServiceSight {
    let runs = state == ServiceState::Running || state.is_ending();
    let runtime = runtime.parse().expect("a catalogue name");
    ServiceSight { digest: digest.to_owned(), state, runtime, build: runs.then(|| ONLY_BUILD.to_owned()) }
}

fn all_services(order: &Order) -> Vec<BTreeMap<String, ServiceSight>> {
    let spec = Spec::stored(&order.spec).expect("it was parsed");
    let failing = ServiceState::Failing { reason: "no such file".to_owned() };
    let mut right = BTreeMap::new();
    if let Some(name) = spec.database.catalogue() {
        let digest = engine::db(&spec, &name).digest();
        right.insert(DB.to_owned(), service(name.as_str(), &digest, ServiceState::Sleeping));
    }
    if let Some(name) = spec.runtime.catalogue() {
        let digest = engine::php(&spec, &name).digest();
        right.insert(PHP.to_owned(), service(name.as_str(), &digest, ServiceState::Running));
    }
    let stale = BTreeMap::from([
        (DB.to_owned(), service("mariadb-11.8", "old", failing)),
        (PHP.to_owned(), service("php-8.4", "old", ServiceState::Running)),
        ("alien".to_owned(), service("php-8.4", "alien", ServiceState::Stopping)),
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
    let port = plan::port(order, &spec).map(|port| port.digest());
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
    volumes.push((live(Bytes::mib(1)), all_marks().remove(5), BTreeMap::new()));
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
                            reserve: Bytes(0),
                            volume: volume.clone(),
                            marks: marks.clone(),
                            services: services.clone(),
                            tasks: tasks.clone(),
                            port,
                            route,
                            runtimes,
                            ..Sight::default()
                        },
                        kept: kept.clone(),
                        hidden: Hidden::default(),
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
