//! Attachments: the forms, the moves of data, and every small state on the way there and back, cut anywhere.

use super::super::engine::{self, DB, PHP};
use super::super::spec::Spec;
use super::super::{Website, attached, plan};
use super::{order, wordpress};
use crate::attach::username;
use crate::fake::Fake;
use crate::harness::{Lacks, Start, arrives, live, rests_in_trouble, survives};
use crate::{Aim, Kind, Order, Outcome, Protocol, Sight, Step, TaskSight, Used, Waiting, pass};
use husorden_base::{Number, Secret, SolutionId};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const OTHER: SolutionId = SolutionId(uuid::Uuid::from_u128(9));

fn used() -> Used {
    let number = Number::new(9).expect("9 is a number");
    Used {
        solution: OTHER,
        number,
        open: true,
        protocol: Protocol::Mysql,
        address: number.ipv4(),
        port: 3306,
        database: "app".to_owned(),
        username: username(Number::new(7).expect("7 is a number")),
        password: Secret::new("nobody sees it"),
    }
}

/// An order whose site is attached; its data is to lie there, or not.
fn attached_order(form: &Value, holds: bool) -> Order {
    let mut order = order(form);
    order.spec["attach"] = json!({"solution": OTHER, "database": "app", "holds": holds});
    order.uses = Some(used());
    order
}

fn settled(order: &Order, from: Sight) -> (Sight, Vec<String>) {
    let mut host = Fake::with(from);
    for _ in 0..24 {
        match pass(&Website, order, &mut host) {
            Outcome::Settled(sight) => {
                Website.reached(order, &sight).expect("it says that it is settled");
                return (sight, tasks(&host.done));
            }
            Outcome::Waits(..) => host.time_passes(),
            other => panic!("{other:?}"),
        }
    }
    panic!("it never settles: {:#?}", host.sight);
}

fn tasks(done: &[Step]) -> Vec<String> {
    let name = |step: &Step| match step {
        Step::Task { task } => Some(task.name.clone()),
        _ => None,
    };
    done.iter().filter_map(name).collect()
}

#[test]
fn a_site_is_moved_there_and_back() {
    let home = order(&wordpress());
    let (sight, _) = settled(&home, Sight::default());
    let (there, done) = settled(&attached_order(&wordpress(), true), sight);
    assert_eq!(done, ["attach", "move-out", "db-leave"]);
    assert_eq!(there.services.keys().collect::<Vec<_>>(), [PHP], "its own database is no more");
    assert_eq!(there.marks["away"], format!("{OTHER} app"));
    let (back, done) = settled(&attached_order(&wordpress(), false), there);
    assert_eq!(done, ["db-init", "move-in"]);
    assert_eq!(back.services.keys().collect::<Vec<_>>(), [DB, PHP]);
    let (alone, done) = settled(&home, back);
    assert_eq!(done, ["attach"]);
    assert_eq!(alone.marks["attached"], "none");
}

#[test]
fn nobody_writes_while_data_is_moved() {
    let (sight, _) = settled(&order(&wordpress()), Sight::default());
    let order = attached_order(&wordpress(), true);
    let mut host = Fake::with(sight);
    let mut seen = 0;
    for _ in 0..12 {
        let outcome = pass(&Website, &order, &mut host);
        if host.sight.tasks.contains_key(attached::OUT) {
            assert!(!host.sight.services.contains_key(PHP), "PHP serves during the move");
            assert_ne!(
                host.sight.route,
                Some(plan::route(&order, &Spec::stored(&order.spec).expect("a stored spec"), true).digest())
            );
            seen += 1;
        }
        if matches!(outcome, Outcome::Settled(_)) {
            break;
        }
        host.time_passes();
    }
    assert!(seen > 0, "a check of nothing is no check");
}

#[test]
fn a_move_that_fails_leaves_the_site_serving_as_it_was() {
    let (home, _) = settled(&order(&wordpress()), Sight::default());
    let (there, _) = settled(&attached_order(&wordpress(), true), home.clone());
    for (from, holds, task, words) in
        [(home, true, attached::OUT, "was not moved"), (there, false, attached::IN, "was not moved back")]
    {
        let order = attached_order(&wordpress(), holds);
        let start = Start::of(from.clone());
        let (sight, text) = rests_in_trouble(&Website, &order, &start, task).expect("trouble");
        assert!(text.en.contains(words) && text.en.contains("it failed"), "{text}");
        assert_eq!(sight.route, from.route);
        assert!(sight.services.contains_key(PHP));
        assert_eq!(sight.marks.get("away"), from.marks.get("away"));
    }
}

#[test]
fn what_is_attached_and_rests_is_waited_for_and_nothing_is_moved() {
    let (home, _) = settled(&order(&wordpress()), Sight::default());
    let gone: Option<Used> = None;
    let closed = Some(Used { open: false, ..used() });
    for (uses, words) in [(gone, "not here any more"), (closed, "stopped or closed")] {
        let order = Order { uses, ..attached_order(&wordpress(), true) };
        let mut host = Fake::with(home.clone());
        for _ in 0..3 {
            host.time_passes();
            let Outcome::Waits(_, Waiting::Trouble { text }) = pass(&Website, &order, &mut host) else {
                continue;
            };
            assert!(text.en.contains(words), "{text}");
        }
        assert!(!tasks(&host.done).contains(&attached::OUT.to_owned()));
        assert!(host.sight.services.contains_key(PHP) && host.sight.services.contains_key(DB), "it serves as before");
    }
}

#[test]
fn a_password_goes_to_tasks_by_their_standard_input_alone() {
    let order = attached_order(&wordpress(), true);
    let spec = Spec::stored(&order.spec).expect("a stored spec");
    let database = spec.database.catalogue().expect("it has one");
    let tasks = [
        attached::tell(&spec, Some(&used()), &engine::toolbox(&spec)),
        attached::out(&spec, &used(), &database),
        attached::back(&spec, &used(), &database),
    ];
    for task in tasks {
        assert!(task.stdin.contains("nobody sees it"));
        let elsewhere = serde_json::to_string(&(&task.sandbox, &task.marks)).expect("plain data");
        assert!(!elsewhere.contains("nobody sees it"), "{}", task.name);
    }
    let port = plan::port(&order, &spec).expect("a port");
    assert_eq!(port.ways, [used().way()]);
    assert!(port.allow.is_empty());
}

/// States on the way there and back: marks as they may lie on a volume, with the services and tasks that may stand beside them.
fn starts(order: &Order) -> Vec<Start> {
    let place = attached::place(&used());
    let (told, old) = (used().digest(), "old".to_owned());
    let done = [
        ("app", "wordpress"),
        ("address", "https://www.shop.example"),
        ("credential.admin", "3"),
        ("runtime", "php-8.4"),
    ];
    let marks = |more: &[(&str, &str)]| -> BTreeMap<String, String> {
        done.iter().chain(more).map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    };
    let all = [
        marks(&[("db", "mariadb-11.8")]),
        marks(&[("db", "mariadb-10.11"), ("attached", &old)]),
        marks(&[("db", "mariadb-11.8"), ("attached", &told), ("away", &place)]),
        marks(&[("db", "none"), ("attached", &told), ("away", &place)]),
        marks(&[("db", "mariadb-11.8"), ("attached", &told), ("away", "none")]),
        marks(&[("db", "none"), ("attached", "none"), ("away", "none")]),
    ];
    let failed =
        |name: &str| (name.to_owned(), TaskSight { digest: "old".to_owned(), failed: Some("it failed".to_owned()) });
    let (full, _) = settled(&super::order(&wordpress()), Sight::default());
    let mut starts = Vec::new();
    for marks in all {
        if order.uses.is_none() && marks.get("away") == Some(&place) {
            // Data lies where nothing leads: that is told as trouble, and no task mends it.
            continue;
        }
        for services in [BTreeMap::new(), full.services.clone()] {
            for tasks in
                [BTreeMap::new(), [attached::TELL, attached::OUT, attached::IN, attached::LEAVE].map(failed).into()]
            {
                let volume = live(Website.volume(&order.spec));
                let sight = Sight { volume, marks: marks.clone(), services: services.clone(), tasks, ..full.clone() };
                starts.push(Start::of(sight));
            }
        }
    }
    starts
}

fn orders() -> Vec<Order> {
    let mut orders = vec![attached_order(&wordpress(), true), attached_order(&wordpress(), false), order(&wordpress())];
    for (aim, closed) in [(Aim::Stop, None), (Aim::Run, Some("2026-17".to_owned())), (Aim::Gone, None)] {
        orders.push(Order { aim, closed, ..attached_order(&wordpress(), true) });
    }
    orders
}

#[test]
fn the_aim_is_reached_from_every_state_of_a_move_cut_anywhere() {
    let mut steps = 0;
    for order in orders() {
        steps += survives(&Website, &order, starts(&order)).unwrap_or_else(|why| panic!("{why}")).steps;
    }
    assert!(steps > 500, "{steps} steps");
}

#[test]
fn a_plan_that_forgets_any_task_of_a_move_is_found_out() {
    let forgets: [fn(&Step) -> bool; 4] = [
        |step| matches!(step, Step::Task { task } if task.name == attached::TELL),
        |step| matches!(step, Step::Task { task } if task.name == attached::OUT),
        |step| matches!(step, Step::Task { task } if task.name == attached::IN),
        |step| matches!(step, Step::Task { task } if task.name == attached::LEAVE),
    ];
    for (number, forgets) in forgets.into_iter().enumerate() {
        let broken = Lacks { kind: &Website, forgets };
        let found =
            orders().iter().any(|order| starts(order).iter().any(|start| arrives(&broken, order, start).is_err()));
        assert!(found, "a plan without task {number} passes");
    }
}

#[test]
fn what_can_be_attached_is_said_at_its_field() {
    let plain = json!({"domains": ["a.example"], "database": "mariadb-11.8"});
    let fixed = json!({"domains": ["a.example"], "runtime": "static"});
    let attach = |holds: bool| json!({"solution": OTHER, "database": "app", "holds": holds});
    for (mut form, holds, pointer) in
        [(wordpress(), true, "/attach/holds"), (plain.clone(), true, "/attach/holds"), (fixed, false, "/attach")]
    {
        form["attach"] = attach(holds);
        let wrong = Website.parse(&form, None).expect_err("it is refused");
        assert!(wrong.iter().any(|field| field.pointer == pointer), "{form}: {wrong:?}");
    }
    let mut form = plain;
    form["attach"] = attach(false);
    let spec = Website.parse(&form, None).expect("own code reads where it is");
    let before = super::spec(&wordpress());
    let mut after = before.clone();
    after["attach"] = attach(true);
    let after = Website.parse(&after, Some(&before)).expect("an application is moved");
    assert!(Website.destructive(&before, &after) && !Website.destructive(&spec, &spec));
}
