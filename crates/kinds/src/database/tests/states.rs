//! The plan from every small state, cut anywhere, and a check that this test can fail.

use super::super::engine::{self, DB, Mode, POOLER, mark};
use super::super::spec::Spec;
use super::super::{Database, people, plan};
use super::order;
use crate::fake::ONLY_BUILD;
use crate::harness::{Lacks, Start, arrives, live, rests_in_trouble, survives};
use crate::{Aim, Kind, Order, RuntimeSight, ServiceSight, ServiceState, Sight, Step, TaskSight, VolumeSight};
use husorden_base::{Bytes, RuntimeName};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const CATALOGUE: [&str; 4] = ["mariadb-10.11", "mariadb-11.8", "postgresql-15", "postgresql-17"];

fn forms() -> [Value; 4] {
    [
        json!({}),
        json!({"pooler": "transaction"}),
        json!({"engine": "mariadb-11.8", "users": {"app": {"grants": {"app": "owner"}}, "boss": {}}}),
        json!({"engine": "postgresql-15", "allow": [{"net": "192.0.2.0/24"}], "databases": {"a": {}, "b": {}}}),
    ]
}

/// One form under every aim and measure.
fn standings(form: &Value) -> Vec<Order> {
    let cases = [
        (Aim::Run, false, false),
        (Aim::Run, true, false),
        (Aim::Stop, false, false),
        (Aim::Gone, false, false),
        (Aim::Gone, true, true),
    ];
    let with = |(aim, closed, expired): (Aim, bool, bool)| {
        let closed = closed.then(|| "2026-17".to_owned());
        Order { aim, closed, expired, ..order(form) }
    };
    cases.into_iter().map(with).collect()
}

/// What volumes may hold: nothing, this instance's data, another's, an older or a later version, an upgrade's rest, nonsense.
fn all_marks(order: &Order, spec: &Spec) -> Vec<BTreeMap<String, String>> {
    let (own, other) = (order.solution.to_string(), uuid::Uuid::from_u128(5).to_string());
    let family: Vec<&str> =
        CATALOGUE.into_iter().filter(|name| name.split('-').next() == spec.engine.word().split('-').next()).collect();
    let mut all = vec![BTreeMap::new(), BTreeMap::from([(mark::ENGINE.to_owned(), "oracle of nobody".to_owned())])];
    // A copy as of a time: before, and after its log was carried out.
    for (owner, replay) in [(&other, "2030-01-31T16:00:00Z"), (&own, "2030-01-31T16:00:00Z done")] {
        let engine = format!("{} of {owner}", spec.engine.word());
        all.push(
            [(mark::ENGINE, &*engine), (crate::segments::REPLAY, replay)]
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
                .into(),
        );
    }
    for version in family {
        for text in [
            format!("{version} of {own}"),
            format!("{version} of {other}"),
            format!("{version} of {own} from postgresql-15"),
        ] {
            let (right, old) = (people::digest(order, spec), "old".to_owned());
            let each = if text.ends_with(&own) { vec![None, Some(old), Some(right)] } else { vec![Some(right)] };
            for people in each {
                let mut marks = BTreeMap::from([(mark::ENGINE.to_owned(), text.clone())]);
                marks.extend(people.map(|people| (mark::PEOPLE.to_owned(), people)));
                all.push(marks);
            }
        }
    }
    all
}

fn seen(engine: engine::Engine, digest: String, state: ServiceState) -> ServiceSight {
    let runs = state == ServiceState::Running || state.is_ending();
    ServiceSight { digest, state, runtime: engine.catalogue(), build: runs.then(|| ONLY_BUILD.to_owned()) }
}

fn all_services(spec: &Spec) -> Vec<BTreeMap<String, ServiceSight>> {
    let seen = |digest: String, state: ServiceState| seen(spec.engine, digest, state);
    let right = engine::service(spec, spec.engine, Mode::Serving).digest();
    let reading = engine::service(spec, spec.engine, Mode::Upgrading).digest();
    let failing = ServiceState::Failing { reason: "no such file".to_owned() };
    vec![
        BTreeMap::new(),
        BTreeMap::from([(DB.to_owned(), seen(right.clone(), ServiceState::Running))]),
        BTreeMap::from([(DB.to_owned(), seen(right, ServiceState::Renewing))]),
        BTreeMap::from([
            (DB.to_owned(), seen(reading, ServiceState::Sleeping)),
            (POOLER.to_owned(), seen("old".to_owned(), failing.clone())),
        ]),
        BTreeMap::from([
            (DB.to_owned(), seen("old".to_owned(), failing)),
            ("alien".to_owned(), seen("alien".to_owned(), ServiceState::Stopping)),
        ]),
    ]
}

fn all_tasks() -> Vec<BTreeMap<String, TaskSight>> {
    let failed =
        |name: &str| (name.to_owned(), TaskSight { digest: "old".to_owned(), failed: Some("it failed".to_owned()) });
    let all = ["init", "replay", "identify", "trial-rest", "trial", "upgrade", "people", "tidy", "alien"];
    vec![BTreeMap::new(), all.map(failed).into()]
}

/// Every small state of one order.
fn starts(order: &Order) -> Vec<Start> {
    let spec = Spec::stored(&order.spec).expect("it was parsed");
    let all = |seen: RuntimeSight| -> BTreeMap<RuntimeName, RuntimeSight> {
        CATALOGUE.into_iter().map(|name| (name.parse().expect("a catalogue name"), seen.clone())).collect()
    };
    let port = plan::port(order, &spec).digest();
    let around = [
        (BTreeMap::new(), None, Bytes(0)),
        (all(RuntimeSight::Ready), Some(port), engine::reserve(&spec)),
        (all(RuntimeSight::Failed { reason: "no mirror".to_owned() }), Some("old".to_owned()), Bytes::gib(1)),
    ];
    let mut volumes = vec![(VolumeSight::Absent, BTreeMap::new(), BTreeMap::new())];
    for marks in all_marks(order, &spec) {
        volumes.push((VolumeSight::Retained, BTreeMap::new(), marks.clone()));
        volumes.push((live(spec.size), marks, BTreeMap::new()));
    }
    volumes.push((live(Bytes::mib(1)), all_marks(order, &spec).remove(2), BTreeMap::new()));
    let mut starts = Vec::new();
    for (volume, marks, kept) in volumes {
        let is_live = matches!(volume, VolumeSight::Live { .. });
        for services in all_services(&spec) {
            for tasks in all_tasks() {
                // Nothing works where there is no volume.
                let at_work = !services.is_empty() || !tasks.is_empty();
                if !is_live && at_work {
                    continue;
                }
                for (runtimes, port, reserve) in &around {
                    let sight = Sight {
                        reserve: *reserve,
                        volume: volume.clone(),
                        marks: marks.clone(),
                        services: services.clone(),
                        tasks: tasks.clone(),
                        port: port.clone(),
                        route: None,
                        runtimes: runtimes.clone(),
                        ..Sight::default()
                    };
                    starts.push(Start { kept: kept.clone(), ..Start::of(sight) });
                }
            }
        }
    }
    starts
}

#[test]
fn from_every_small_state_cut_anywhere_the_aim_is_reached() {
    let mut steps = 0;
    for form in forms() {
        for order in standings(&form) {
            let tally = survives(&Database, &order, starts(&order)).unwrap_or_else(|why| panic!("{why}"));
            steps += tally.steps;
        }
    }
    assert!(steps > 10_000, "{steps} steps are no walk over every state");
}

/// A way to forget steps, with its name.
type Forgets = (&'static str, fn(&Step) -> bool);

#[test]
fn a_plan_that_forgets_a_step_is_found_out() {
    fn task(step: &Step, name: &str) -> bool {
        matches!(step, Step::Task { task } if task.name == name)
    }
    let forgetful: [Forgets; 17] = [
        ("the volume", |step| matches!(step, Step::VolumeCreate { .. })),
        ("the limit", |step| matches!(step, Step::VolumeLimit { .. })),
        ("the return", |step| matches!(step, Step::VolumeRevive)),
        ("what is kept", |step| matches!(step, Step::VolumeRetain)),
        ("the port", |step| matches!(step, Step::Port { .. })),
        ("taking the port away", |step| matches!(step, Step::PortDrop)),
        ("the server", |step| matches!(step, Step::Service { .. })),
        ("the pooler", |step| matches!(step, Step::Service { role, .. } if role == POOLER)),
        ("taking the server away", |step| matches!(step, Step::ServiceDrop { .. })),
        ("the data", |step| task(step, "init")),
        ("whose it is", |step| task(step, "identify")),
        ("the copy", |step| matches!(step, Step::TrialMake { .. })),
        ("taking the copy away", |step| matches!(step, Step::TrialDrop)),
        ("bringing the copy to rest", |step| task(step, "trial-rest")),
        ("the trial", |step| task(step, "trial")),
        ("the upgrade", |step| task(step, "upgrade")),
        ("the people", |step| task(step, "people")),
    ];
    for (what, forgets) in forgetful {
        let lacks = Lacks { kind: &Database, forgets };
        let found = forms().iter().flat_map(standings).any(|order| {
            let starts = starts(&order);
            starts.iter().any(|start| arrives(&lacks, &order, start).is_err())
        });
        assert!(found, "a plan without {what} goes unnoticed");
    }
}

#[test]
fn a_task_that_fails_is_told_and_not_tried_over_and_over() {
    let order = order(&json!({}));
    let spec = Spec::stored(&order.spec).expect("it was parsed");
    let ready = |version: &str, owner: &str| {
        Start::of(Sight {
            volume: live(spec.size),
            marks: BTreeMap::from([(mark::ENGINE.to_owned(), format!("{version} of {owner}"))]),
            ..Sight::default()
        })
    };
    let own = order.solution.to_string();
    let empty = Start::of(Sight::default());
    for (task, start) in [
        ("init", empty),
        ("identify", ready("postgresql-17", "another")),
        ("trial", ready("postgresql-15", &own)),
        ("upgrade", ready("postgresql-15", &own)),
        ("people", ready("postgresql-17", &own)),
    ] {
        let (sight, text) =
            rests_in_trouble(&Database, &order, &start, task).unwrap_or_else(|why| panic!("{task}: {why}"));
        assert!(!text.da.is_empty() && text.da != text.en, "{task}");
        // After an upgrade that failed the old version serves clients again.
        if matches!(task, "trial" | "upgrade") {
            assert_eq!(sight.trial, None, "the copy is gone");
            let old = engine::service(&spec, engine::Engine::Postgres15, Mode::Serving).digest();
            assert_eq!(sight.services.get(DB).map(|seen| seen.digest.clone()), Some(old));
        }
    }
}

#[test]
fn nothing_is_done_to_data_while_a_server_from_before_is_ending() {
    let order = order(&json!({}));
    let spec = Spec::stored(&order.spec).expect("it was parsed");
    let digest = engine::service(&spec, spec.engine, Mode::Serving).digest();
    let ready = |state: ServiceState| Sight {
        volume: live(spec.size),
        reserve: engine::reserve(&spec),
        marks: BTreeMap::from([
            (mark::ENGINE.to_owned(), format!("postgresql-17 of {} from postgresql-15", order.solution)),
            (mark::PEOPLE.to_owned(), people::digest(&order, &spec)),
        ]),
        services: BTreeMap::from([(DB.to_owned(), seen(spec.engine, digest.clone(), state))]),
        port: Some(plan::port(&order, &spec).digest()),
        runtimes: CATALOGUE.map(|name| (name.parse().expect("a catalogue name"), RuntimeSight::Ready)).into(),
        ..Sight::default()
    };
    let tidies = |state| plan::plan(&order, &ready(state)).steps.iter().any(|step| matches!(step, Step::Task { .. }));
    assert!(!tidies(ServiceState::Stopping) && !tidies(ServiceState::Renewing));
    assert!(tidies(ServiceState::Running) && tidies(ServiceState::Sleeping));
}

/// Trials of every state: the copy of another wish, one half-way, one that is done, and one that nobody wants.
#[test]
fn a_copy_is_used_for_what_it_was_made_for_and_goes() {
    for (engine, old) in [("postgresql-17", "postgresql-15"), ("mariadb-11.8", "mariadb-10.11")] {
        let order = order(&json!({ "engine": engine }));
        let own = format!("{old} to {engine} ");
        let copies = [vec![("trial.of", "another wish"), ("trial.done", engine)], vec![("trial.of", own.as_str())]];
        for held in [old, engine] {
            for copy in &copies {
                for more in [None, Some(("trial.rests", old)), Some(("trial.done", engine))] {
                    let marks = [("engine", format!("{held} of {}", order.solution))];
                    let marks: BTreeMap<String, String> = marks.map(|(key, text)| (key.to_owned(), text)).into();
                    let trial = copy.iter().copied().chain(more).map(|(key, text)| (key.to_owned(), text.to_owned()));
                    let sight = Sight {
                        volume: live(Database.volume(&order.spec)),
                        trial: Some(marks.clone().into_iter().chain(trial).collect()),
                        marks,
                        ..Sight::default()
                    };
                    survives(&Database, &order, [Start::of(sight)]).unwrap_or_else(|why| panic!("{why}"));
                }
            }
        }
    }
}

/// While a trial runs the instance serves as before, and the data is touched only after a snapshot that knows its version.
#[test]
fn the_instance_serves_while_it_is_tried_and_a_snapshot_comes_before_the_change() {
    for (to, from) in [
        (engine::Engine::Postgres17, engine::Engine::Postgres15),
        (engine::Engine::MariaDb118, engine::Engine::MariaDb1011),
    ] {
        let order = order(&json!({ "engine": to.word() }));
        let spec = Spec::stored(&order.spec).expect("it was parsed");
        let marks = BTreeMap::from([(mark::ENGINE.to_owned(), format!("{} of {}", from.word(), order.solution))]);
        let mut host = crate::fake::Fake::with(Sight { volume: live(spec.size), marks, ..Sight::default() });
        let serving = engine::service(&spec, from, Mode::Serving).digest();
        let mut tried = false;
        while let crate::Outcome::Waits(sight, _) = crate::pass(&Database, &order, &mut host) {
            if sight.tasks.contains_key(engine::TRIAL) {
                tried = true;
                assert_eq!(sight.services.get(DB).map(|seen| &seen.digest), Some(&serving), "it serves");
            }
            host.time_passes();
        }
        assert!(tried);
        let place = |wanted: fn(&Step) -> bool| host.done.iter().position(wanted).expect("it is a step");
        let snapshot =
            place(|step| matches!(step, Step::Snapshot { before, spec: Some(_), .. } if before == "upgrade"));
        let upgrade = place(|step| matches!(step, Step::Task { task } if task.name == engine::UPGRADE));
        let trial = place(|step| matches!(step, Step::Task { task } if task.name == engine::TRIAL));
        assert!(trial < snapshot && snapshot < upgrade);
        let on_copy = host.done.iter().filter_map(|step| match step {
            Step::Task { task } if task.name.starts_with("trial") => Some(&task.sandbox),
            Step::Service { role, service } if role == engine::TRIAL => Some(&service.sandbox),
            _ => None,
        });
        for sandbox in on_copy {
            assert_eq!(sandbox.network, crate::Network::Nothing);
            assert!(
                !sandbox.binds.iter().any(|bind| matches!(bind.from, crate::Place::Folder(_))),
                "{:?}",
                sandbox.binds
            );
        }
    }
}

#[test]
fn while_data_is_read_for_an_upgrade_no_client_is_answered() {
    let spec = Spec::stored(&super::spec(&json!({"engine": "postgresql-15"}))).expect("it was parsed");
    let [serving, reading] =
        [Mode::Serving, Mode::Upgrading].map(|mode| engine::service(&spec, engine::Engine::Postgres15, mode));
    assert_eq!(serving.reach.port(), Some(5432));
    assert_eq!(reading.reach.port(), None);
}
