//! Single moves of the plan, and what happens when tasks fail.

use super::super::Website;
use super::super::engine::{DB, PHP};
use super::{order, wordpress};
use crate::fake::Fake;
use crate::harness::{Start, rests_in_trouble, survives};
use crate::{Aim, Kind, Order, Outcome, RuntimeSight, Sight, Step, pass};
use husorden_base::site;
use serde_json::json;

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
            Step::Builds { .. } => "builds".to_owned(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        steps,
        [
            "route \"preparing\"",
            "volume db private tmp www",
            "port",
            "runtime mariadb-11.8",
            "runtime php-8.4",
            "runtime wordpress",
            "db-init",
            "builds",
            "service db",
            "app-install",
            "builds",
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
    let start = Start::of(old.clone());
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
    without_build.shelf = old.shelf.clone();
    assert_eq!(without_build, old);
    assert!(!host.done.iter().any(|step| matches!(step, Step::Service { .. })));
}

#[test]
fn a_database_that_cannot_be_lifted_goes_on_as_it_was() {
    let mut form = wordpress();
    form["database"] = json!("mariadb-10.11");
    let old = settled(&order(&form));
    let order = order(&wordpress());
    let start = Start::of(old.clone());
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
    // A node that died while the marks of the installation were left.
    let half = |marks: &[&str]| {
        let mut sight = settled(&order(&wordpress()));
        sight.marks.retain(|key, _| marks.contains(&key.as_str()));
        sight
    };
    for (task, form, sight) in [
        ("db-init", &wordpress(), Sight::default()),
        ("app-install", &wordpress(), Sight::default()),
        ("credential-admin", &wordpress(), half(&["db", "app"])),
        ("app-address", &wordpress(), half(&["db", "app", "credential.admin"])),
        ("probe", &wordpress(), half(&["db", "app", "credential.admin", "address"])),
        ("probe", &plain, Sight::default()),
        ("welcome", &plain, Sight::default()),
        ("db-upgrade", &wordpress(), before),
        ("db-tidy", &wordpress(), tidy),
    ] {
        let start = Start::of(sight);
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
    assert_eq!(task.marks, [("credential.admin".to_owned(), "4".to_owned())]);
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
