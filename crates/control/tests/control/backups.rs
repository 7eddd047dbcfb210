//! Backups: targets, plans, the schedule, what is put back, and what is refused.

use crate::house::House;
use crate::node::{Node, snapshot, until};
use husorden_base::{OrderId, Refusal, SnapshotId, Text};
use husorden_kinds::hole::{Hole, MARK};
use husorden_wire::node::{
    Address, BackedUp, Counted, LogAway, LogOrigin, LogPoint, LogsTold, Opened, Outcome, Repository, Returning,
    SeenState, Verb, VerbState, Wish,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The installation's own target, a folder.
pub async fn target(house: &House) {
    let form = json!({ "name": "local", "address": { "kind": "folder", "path": "/srv/backups" } });
    house.staff("POST", "/v1/targets", form).await.is(201);
}

/// A solution that a node has settled.
pub async fn shop(house: &House, node: &mut Node, spec: Value) -> Wish {
    house.create("shop", spec).await;
    let wish = node.wish().await;
    node.settled(&wish).await;
    wish
}

/// Has the schedule looked at now.
pub async fn look(house: &House) {
    // A round that is under way would set its own next time over this one.
    let idle = "select from job where kind = 'backup-schedule' and leased_by is null";
    until("the schedule rests", async || house.exists(idle).await.then_some(())).await;
    house.sql("update job set due = now() where kind = 'backup-schedule'").await;
}

pub fn written(copy: &str) -> VerbState {
    let counted = Counted { least: 3, most: 4 };
    let backed_up = BackedUp {
        copy: copy.to_owned(),
        taken: Timestamp::now(),
        snapshot: SnapshotId::new(),
        files: 12,
        bytes: 34_000,
        bytes_read: 5_600,
        bytes_sent: 780,
        took_ms: 910,
        noted: Opened { counts: [("app.orders".to_owned(), counted)].into(), words: [].into() },
        point: Some(LogPoint { line: 1, next: 1 }),
    };
    VerbState::Done { result: Some(Box::new(Outcome::BackedUp(Box::new(backed_up)))) }
}

pub fn failed(code: &'static str, status: u16) -> VerbState {
    let refusal = Refusal::new(code, status, Text::new("Nej", "No"), Text::new("Målet er væk", "The target is gone"));
    VerbState::Failed { refusal: Box::new(refusal) }
}

/// The next order to back up.
pub async fn back_up(node: &mut Node) -> (OrderId, Repository) {
    match node.verb().await {
        (order, Verb::BackUp { repository, .. }) => (order, *repository),
        other => panic!("{other:?}"),
    }
}

/// A backup that was asked for and written.
pub async fn backup(house: &House, node: &mut Node, copy: &str) -> String {
    let made = house.call("POST", "/v1/solutions/shop/backups", Value::Null).await.is(202);
    let (order, _) = back_up(node).await;
    node.progress(order, written(copy)).await;
    let id = made["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/solutions/shop/backups/{id}");
    until("it is ready", async || (house.get(&path).await["state"] == "ready").then_some(())).await;
    id
}

async fn findings(house: &House) -> Vec<String> {
    let one = house.get("/v1/solutions/shop").await;
    one["findings"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
}

async fn events(house: &House, kind: &str) -> usize {
    let events = house.get("/v1/solutions/shop/events?limit=200").await;
    events["items"].as_array().unwrap().iter().filter(|event| event["kind"] == kind).count()
}

#[tokio::test]
async fn targets_are_made_changed_and_retired_and_nobody_else_knows_where_they_are() {
    let house = House::new().await;
    let folder = |name: &str, path: &str| json!({ "name": name, "address": { "kind": "folder", "path": path } });
    for (form, pointer) in [
        (folder("Local", "/srv"), "/name"),
        (folder("", "/srv"), "/name"),
        (folder("a", "srv"), "/address/path"),
        (folder("a", "/srv/../etc"), "/address/path"),
        (json!({ "name": "a", "address": { "kind": "tape" } }), "/address"),
        (json!({ "name": "a", "address": { "kind": "folder", "path": "/srv" }, "secret": "x" }), "/secret"),
        (
            json!({ "name": "a", "address": { "kind": "folder", "path": "/srv" }, "bytes_per_second": 1 }),
            "/bytes_per_second",
        ),
        (json!({ "name": "a", "address": { "kind": "folder", "path": "/srv" }, "more": 1 }), "/more"),
    ] {
        let said = house.staff("POST", "/v1/targets", form.clone()).await.refused(422, "invalid-fields");
        assert_eq!(said["refusal"]["fields"][0]["pointer"], pointer, "{form}: {said}");
    }
    let sftp = json!({ "kind": "sftp", "host": "backup.example", "user": "node1", "path": "srv",
        "host_key": format!("ssh-ed25519 {}", "A".repeat(68)) });
    house.staff("POST", "/v1/targets", json!({ "name": "a", "address": sftp })).await.refused(422, "invalid-fields");
    let form = json!({ "name": "a", "address": sftp, "secret": "key" });
    house.staff("POST", "/v1/targets", form).await.refused(503, "vault-away");

    target(&house).await;
    let again = house.staff("POST", "/v1/targets", folder("local", "/srv/more")).await;
    again.refused(422, "invalid-fields");
    let rest = json!({ "name": "far", "address": { "kind": "rest", "url": "https://backup.example/" } });
    house.staff("POST", "/v1/targets", rest).await.is(201);
    let list = house.staff("GET", "/v1/targets", Value::Null).await.is(200);
    let told: Vec<_> =
        list["items"].as_array().unwrap().iter().map(|t| (&t["name"], &t["default"], &t["with_machine"])).collect();
    assert_eq!(told, [(&json!("far"), &json!(false), &json!(false)), (&json!("local"), &json!(true), &json!(true))]);

    house.staff("PATCH", "/v1/targets/local", json!({ "name": "other" })).await.refused(409, "target-is-default");
    house.staff("POST", "/v1/targets/local/retire", Value::Null).await.refused(409, "target-is-default");
    house.staff("POST", "/v1/targets/nowhere/retire", Value::Null).await.refused(404, "not-found");
    let paced = house.staff("PATCH", "/v1/targets/far", json!({ "bytes_per_second": 1_000_000 })).await.is(200);
    assert_eq!(paced["bytes_per_second"], 1_000_000);
    let fast = house.staff("PATCH", "/v1/targets/far", json!({ "bytes_per_second": 0 })).await.is(200);
    assert_eq!(fast["bytes_per_second"], Value::Null);

    // A plan that names one holds it; only staff choose.
    house.create("shop", json!({})).await;
    let plan = "/v1/solutions/shop/backup-plan";
    house.call("PUT", plan, json!({ "target": "far" })).await.refused(422, "invalid-fields");
    house.break_glass().await;
    house.staff("PUT", plan, json!({ "target": "nowhere" })).await.refused(422, "invalid-fields");
    house.staff("PUT", plan, json!({ "target": "far" })).await.is(200);
    assert_eq!(house.get(plan).await["target"], "far");
    house.staff("POST", "/v1/targets/far/retire", Value::Null).await.refused(409, "target-in-use");
    house.staff("PUT", plan, json!({ "target": "" })).await.is(200);
    let retired = house.staff("POST", "/v1/targets/far/retire", Value::Null).await.is(200);
    assert_eq!(retired["state"], "retired");
    house.staff("PUT", plan, json!({ "target": "far" })).await.refused(422, "invalid-fields");
    let acts = house.staff("GET", "/v1/evidence?order=newest&limit=200", Value::Null).await.is(200);
    let acts: Vec<&str> = acts["items"].as_array().unwrap().iter().filter_map(|line| line["act"].as_str()).collect();
    for act in ["target.create", "target.change", "target.retire", "backup-plan.change"] {
        assert!(acts.contains(&act), "{act} in {acts:?}");
    }
    house.running.stop().await;
}

#[tokio::test]
async fn a_day_has_one_backup_and_what_was_missed_is_made_once() {
    let house = House::new().await;
    let (mut node, _) = Node::hello(&house.config.node_socket).await;
    let wish = shop(&house, &mut node, json!({})).await;
    let plan = async || house.get("/v1/solutions/shop/backup-plan").await;
    let before = plan().await;
    assert_eq!(
        (&before["on"], &before["required"], &before["target"], &before["next"]),
        (&json!(true), &json!(false), &Value::Null, &Value::Null)
    );
    house.call("POST", "/v1/solutions/shop/backups", Value::Null).await.refused(409, "no-target");

    target(&house).await;
    look(&house).await;
    let due = "select due from backup_plan where due is not null and due > now()";
    until("it has its time", async || (plan().await["next"].is_string() && house.exists(due).await).then_some(()))
        .await;
    let next: Timestamp = plan().await["next"].as_str().unwrap().parse().unwrap();
    assert!(next > Timestamp::now() && next < Timestamp::now() + SignedDuration::from_hours(25));

    // Control was away for five days.
    house.sql("update backup_plan set due = now() - interval '5 days'").await;
    look(&house).await;
    let (order, repository) = back_up(&mut node).await;
    assert_eq!(repository.folder, wish.number.get().to_string());
    assert_eq!(repository.address, Address::Folder { path: "/srv/backups".to_owned() });
    assert_eq!(plan().await["under_way"]["reason"], "daily");
    assert!(house.exists("select from backup_plan where due > now()").await, "the next is tomorrow's");
    // One at a time, also when it is asked for, and when the plan's time comes again.
    house.call("POST", "/v1/solutions/shop/backups", Value::Null).await.refused(409, "backup-under-way");
    house.sql("update backup_plan set due = now() - interval '1 hour'").await;
    look(&house).await;
    let text = Text::new("Skriver", "Writing");
    node.progress(order, VerbState::Running { text, percent: Some(7) }).await;
    until("it is told", async || (plan().await["under_way"]["message"] == "Writing").then_some(())).await;

    // A node says its end again and again; another end later changes nothing.
    for _ in 0..3 {
        node.progress(order, written("c1")).await;
    }
    node.progress(order, failed("late", 503)).await;
    node.settled(&wish).await;
    let newest = plan().await["newest"].clone();
    assert_eq!(
        (&newest["state"], &newest["files"], &newest["bytes"], &newest["bytes_sent"], &newest["took_ms"]),
        (&json!("ready"), &json!(12), &json!(34_000), &json!(780), &json!(910))
    );
    assert_eq!(newest["noted"]["counts"]["app.orders"], json!({ "least": 3, "most": 4 }));
    assert_eq!((events(&house, "backup.ready").await, events(&house, "backup.failed").await), (1, 0));
    // The time that came meanwhile is the one after it: the backup that is there stands for it.
    look(&house).await;
    until("it waits", async || house.exists("select from backup_plan where due > now()").await.then_some(())).await;
    assert_eq!(house.get("/v1/solutions/shop/backups").await["items"].as_array().unwrap().len(), 1);
    let evidence = house.get("/v1/evidence?limit=200").await;
    let acts: Vec<_> = evidence["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| (line["act"].as_str().unwrap(), line["ended"].is_string()))
        .collect();
    assert!(acts.contains(&("order.back-up", true)) && acts.contains(&("backup.ready", true)), "{acts:?}");
    assert!(!evidence.to_string().contains("/srv/backups"), "where it lies is the host's");
    house.running.stop().await;
}

#[tokio::test]
async fn a_failed_one_is_told_once_and_tried_again_and_what_is_sealed_rests() {
    let house = House::new().await;
    target(&house).await;
    let (mut node, _) = Node::hello(&house.config.node_socket).await;
    let wish = shop(&house, &mut node, json!({})).await;
    for round in 1..=2 {
        house.sql("update backup_plan set due = now() - interval '1 minute'").await;
        look(&house).await;
        let (order, _) = back_up(&mut node).await;
        node.progress(order, failed("target-away", 503)).await;
        until("it is said", async || (events(&house, "backup.failed").await == round).then_some(())).await;
        let soon =
            "select from backup_plan where failed is not null and due between now() and now() + interval '61 minutes'";
        assert!(house.exists(soon).await, "it is tried again in an hour");
    }
    let mails = "select from event where mail_topic(kind, data) = 'trouble' and kind = 'backup.failed'";
    assert_eq!(house.count(mails).await, 1, "of the first only");
    let last = house.get("/v1/solutions/shop/backups").await["items"][0].clone();
    assert_eq!((&last["state"], &last["message"]), (&json!("failed"), &json!("No: The target is gone")));
    house.sql("update backup_plan set since = now() - interval '27 hours'").await;
    assert_eq!(findings(&house).await, ["backup-late"]);
    let health = house.staff("GET", "/v1/health", Value::Null).await.is(200);
    let check = health["checks"].as_array().unwrap().iter().find(|check| check["name"] == "backup").unwrap().clone();
    assert_eq!(check["state"], "bad", "{check}");

    // What is suspended is backed up; what is sealed is not.
    let held = house.decide(json!({ "of": "solution", "id": wish.solution }), json!({})).await;
    house.sql("update backup_plan set due = now() - interval '1 minute'").await;
    look(&house).await;
    let (order, _) = back_up(&mut node).await;
    node.progress(order, written("c1")).await;
    until("it is ready", async || (events(&house, "backup.ready").await == 1).then_some(())).await;
    let (proof, _) = node.verb().await;
    node.progress(proof, failed("no-room", 507)).await;
    let lift = format!("/v1/measures/{}/lift", held["id"].as_str().unwrap());
    house.staff("POST", &lift, json!({ "reasons": "It was found to be in order." })).await.is(200);
    house.decide(json!({ "of": "solution", "id": wish.solution }), json!({ "access": "none" })).await;
    house.sql("update backup_plan set due = now() - interval '1 minute', newest = null").await;
    look(&house).await;
    until("it was looked at", async || {
        house.exists("select from job where kind = 'backup-schedule' and due > now()").await.then_some(())
    })
    .await;
    assert_eq!(house.count("select from backup where state = 'writing'").await, 0);
    house.running.stop().await;
}

#[tokio::test]
async fn a_plan_is_turned_off_with_a_reason_where_it_may_be() {
    let house = House::new().await;
    target(&house).await;
    house.create("shop", json!({})).await;
    let plan = "/v1/solutions/shop/backup-plan";
    house.call("PUT", plan, json!({ "on": false })).await.refused(422, "invalid-fields");
    house.call("PUT", plan, json!({ "hour": 24 })).await.refused(422, "invalid-fields");
    house.call("PUT", plan, json!({ "zone": "Mars/Olympus" })).await.refused(422, "invalid-fields");
    house.call("PUT", plan, json!({ "often": true })).await.refused(422, "invalid-fields");
    let off = house.call("PUT", plan, json!({ "on": false, "reason": "It is a test." })).await.is(200);
    assert_eq!((&off["on"], &off["reason"], &off["next"]), (&json!(false), &json!("It is a test."), &Value::Null));
    assert_eq!(findings(&house).await, ["no-backup"]);
    let on = house.call("PUT", plan, json!({ "on": true, "hour": 23, "hours": 2, "zone": "UTC" })).await.is(200);
    assert_eq!((&on["reason"], &on["hour"], &on["zone"]), (&Value::Null, &json!(23), &json!("UTC")));
    let next: Timestamp = on["next"].as_str().unwrap().parse().unwrap();
    assert!([23, 0].contains(&next.strftime("%H").to_string().parse::<u8>().unwrap()), "{next}");
    assert_eq!(findings(&house).await, Vec::<String>::new());
    assert_eq!(events(&house, "backup-plan.changed").await, 2);
    house.sql("update backup_plan set since = now() - interval '30 hours'").await;
    assert_eq!(findings(&house).await, ["backup-late"]);
    house.call("DELETE", "/v1/solutions/shop", Value::Null).await.is(200);
    assert_eq!(findings(&house).await, Vec::<String>::new(), "what goes is not backed up any more");

    house.call("POST", "/v1/solutions", json!({ "kind": "gated", "name": "always" })).await.is(201);
    let always = "/v1/solutions/always/backup-plan";
    assert_eq!(house.get(always).await["required"], true);
    let off = json!({ "on": false, "reason": "It is a test." });
    house.call("PUT", always, off).await.refused(409, "backup-required");
    house.running.stop().await;
}

#[tokio::test]
async fn a_backup_is_put_back_with_its_spec_and_undone() {
    let house = House::new().await;
    target(&house).await;
    let (mut node, _) = Node::hello(&house.config.node_socket).await;
    let first = shop(&house, &mut node, json!({ "names": ["old.example"] })).await;
    let id = backup(&house, &mut node, "c1").await;
    look(&house).await;
    let (proof, _) = node.verb().await;
    node.progress(proof, failed("no-room", 507)).await;
    let change = json!({ "spec": { "names": ["new.example"] } });
    house.call("PATCH", "/v1/solutions/shop", change).await.is(200);
    let second = node.wish().await;
    node.settled(&second).await;

    let restore = format!("/v1/solutions/shop/backups/{id}/restore");
    let ask = async |form: Value| house.call("POST", &restore, form).await;
    let long = "a".repeat(4097);
    for form in [
        json!({}),
        json!({ "only": "some" }),
        json!({ "only": "path" }),
        json!({ "only": "path", "path": "" }),
        json!({ "only": "path", "path": "/etc" }),
        json!({ "only": "path", "path": "files/../../etc" }),
        json!({ "only": "path", "path": "files\u{0}" }),
        json!({ "only": "path", "path": long }),
        json!({ "only": "path", "path": "files", "part": "app" }),
        json!({ "only": "part" }),
        json!({ "only": "part", "part": "nothing" }),
        json!({ "only": "everything", "path": "files" }),
        json!({ "only": "everything", "more": 1 }),
        json!({ "only": "everything", "hole": "" }),
        json!({ "only": "everything", "hole": "files" }),
        json!({ "only": "everything", "hole": "files/../up.php" }),
        json!({ "only": "everything", "hole": "elsewhere/up.php" }),
        json!({ "only": "everything", "hole": format!("files/{}", "a".repeat(1024)) }),
        json!({ "only": "everything", "hole": "files/\u{1}" }),
        json!({ "only": "path", "path": "files/a", "hole": "files/ab" }),
        json!({ "only": "part", "part": "app", "hole": "files/up.php" }),
    ] {
        ask(form).await.refused(422, "invalid-fields");
    }
    let missing = format!("/v1/solutions/shop/backups/{}/restore", uuid::Uuid::nil());
    house.call("POST", &missing, json!({ "only": "everything" })).await.refused(404, "not-found");
    house
        .call("POST", "/v1/solutions/shop/backups/x/restore", json!({ "only": "everything" }))
        .await
        .refused(404, "not-found");

    // A part of it leaves the spec as it is.
    for (form, expected) in [
        (json!({ "only": "path", "path": "files/a b/" }), Returning::Path { path: "files/a b".to_owned() }),
        (json!({ "only": "part", "part": "app" }), Returning::Part { part: "app".to_owned() }),
    ] {
        let asked = ask(form).await.is(202);
        let (order, verb) = node.verb().await;
        let Verb::BackupRestore { copy, what, before, .. } = verb else { panic!("{verb:?}") };
        assert_eq!((copy.as_str(), &what), ("c1", &expected));
        assert_eq!((&asked["before"], &asked["order"]["id"]), (&json!(before), &json!(order)));
        node.progress(order, VerbState::done()).await;
        until("done", async || (house.get(&format!("/v1/orders/{order}")).await["state"] == "done").then_some(()))
            .await;
        assert_eq!(house.get("/v1/solutions/shop").await["spec"]["names"], json!(["new.example"]));
    }

    ask(json!({ "only": "everything", "hole": "files/up.php" })).await.is(202);
    let (order, verb) = node.verb().await;
    let Verb::BackupRestore { what: Returning::Everything, before, hole, .. } = verb else { panic!("{verb:?}") };
    assert_eq!(hole.as_deref(), Some("files/up.php"));
    ask(json!({ "only": "everything" })).await.refused(409, "change-waits");
    node.progress(order, VerbState::done()).await;
    let third = loop {
        let wish = node.wish().await;
        if wish.spec == first.spec {
            break wish;
        }
    };
    // The node's mark says that it stands open; that is said of the solution until the mark says otherwise.
    for (closed, expected) in [(None, 1), (Some(Timestamp::now()), 0)] {
        let hole = Hole { path: "files/up.php".to_owned(), sha256: "0".repeat(64), restored: Timestamp::now(), closed };
        node.seen(&third, SeenState::Settled, |seen| drop(seen.marks.insert(MARK.to_owned(), hole.mark()))).await;
        until("it is said, or no more", async || {
            let shown = house.get("/v1/solutions/shop").await;
            let findings = shown["findings"].as_array().unwrap();
            let said: Vec<_> = findings.iter().filter(|finding| finding["name"] == "hole-open").collect();
            let named = said.iter().all(|one| one["title"].as_str().unwrap().ends_with("files/up.php"));
            (said.len() == expected && named).then_some(())
        })
        .await;
    }
    node.seen(&third, SeenState::Settled, |seen| seen.snapshots = vec![snapshot(before)]).await;
    let shown = house.get("/v1/solutions/shop/snapshots").await;
    let kept = shown["items"].as_array().unwrap().iter().find(|one| one["id"] == json!(before)).unwrap().clone();
    assert_eq!((&kept["before"], &kept["state"]), (&json!("restore"), &json!("ready")));

    house.call("POST", "/v1/solutions/shop/undo", Value::Null).await.is(202);
    let (undo, verb) = node.verb().await;
    assert!(matches!(verb, Verb::Restore { snapshot, .. } if snapshot == before), "{verb:?}");
    node.progress(undo, VerbState::done()).await;
    let fourth = loop {
        let wish = node.wish().await;
        if wish.generation > third.generation && wish.spec == second.spec {
            break wish;
        }
    };
    node.settled(&fourth).await;

    // A restore that fails leaves everything as it was.
    ask(json!({ "only": "everything" })).await.is(202);
    let (order, _) = node.verb().await;
    node.progress(order, failed("target-away", 503)).await;
    until("it failed", async || (house.get(&format!("/v1/orders/{order}")).await["state"] == "failed").then_some(()))
        .await;
    assert_eq!(house.get("/v1/solutions/shop").await["spec"]["names"], json!(["new.example"]));

    // One that is being written cannot be used.
    let writing = house.call("POST", "/v1/solutions/shop/backups", Value::Null).await.is(202);
    let path = format!("/v1/solutions/shop/backups/{}", writing["id"].as_str().unwrap());
    house
        .call("POST", &format!("{path}/restore"), json!({ "only": "everything" }))
        .await
        .refused(409, "backup-not-ready");
    house.call("GET", &format!("{path}/files"), Value::Null).await.refused(409, "backup-not-ready");
    house.running.stop().await;
}

#[tokio::test]
async fn a_time_is_had_from_off_site_within_what_lies_there() {
    let house = House::new().await;
    target(&house).await;
    let (mut node, _) = Node::hello(&house.config.node_socket).await;
    let first = shop(&house, &mut node, json!({ "names": [] })).await;
    let (order, repository, id) = {
        let made = house.call("POST", "/v1/solutions/shop/backups", Value::Null).await.is(202);
        let (order, repository) = back_up(&mut node).await;
        (order, repository, made["id"].as_str().unwrap().to_owned())
    };
    node.progress(order, written("c1")).await;
    let path = format!("/v1/solutions/shop/backups/{id}");
    until("it is ready", async || (house.get(&path).await["state"] == "ready").then_some(())).await;
    let shown = async || house.get("/v1/solutions/shop").await["log_away"].clone();
    assert_eq!(shown().await, Value::Null, "nothing of its log lies there yet");
    let away = LogAway {
        target: repository.target,
        copy: "l1".to_owned(),
        line: 1,
        first: 1,
        next: 4,
        to: None,
        trouble: None,
    };
    let said = async |node: &mut Node, away: LogAway| {
        node.seen(&first, SeenState::Settled, |seen| seen.away = Some(away)).await;
    };
    said(&mut node, LogAway { line: 2, ..away.clone() }).await;
    assert_eq!(shown().await, Value::Null, "the backup is of another line");
    said(&mut node, LogAway { to: Some(Timestamp::UNIX_EPOCH), ..away.clone() }).await;
    assert_eq!(shown().await, Value::Null, "what lies there does not reach the end of the backup");
    said(&mut node, away.clone()).await;
    node.health(|health| health.logs = Some(LogsTold { to: Timestamp::MAX, untold: BTreeMap::new() })).await;
    let window =
        until("its node has looked since", async || Some(shown().await).filter(|shown| !shown.is_null())).await;
    let (from, to): (Timestamp, Timestamp) =
        (window["from"].as_str().unwrap().parse().unwrap(), window["to"].as_str().unwrap().parse().unwrap());
    assert!(from <= to && window["behind_s"].as_u64().unwrap() < 31, "{window}");

    let make = async |from: Value| {
        let form = json!({ "kind": "tiny", "name": "beside", "from": from, "spec": { "names": ["beside.example"] } });
        house.call("POST", "/v1/solutions", form).await
    };
    let before = from - SignedDuration::from_secs(1);
    let later = Timestamp::now() + SignedDuration::from_hours(1);
    for wrong in [
        json!({ "solution": "shop", "off_site": true }),
        json!({ "solution": "shop", "off_site": true, "at": from, "backup": id }),
        json!({ "solution": "shop", "off_site": true, "at": before }),
        json!({ "solution": "shop", "off_site": true, "at": later }),
    ] {
        make(wrong).await.refused(422, "invalid-fields");
    }
    make(json!({ "solution": "shop", "off_site": true, "at": from })).await.is(201);
    let origin = node.wish().await.from_backup.expect("it is told");
    assert_eq!((origin.copy.as_str(), origin.repository), ("c1", repository));
    assert_eq!(origin.log, Some(LogOrigin { copy: "l1".to_owned(), at: from, optional: false }));

    // What does not leave is told, with why.
    let trouble = Some(Text::new("Målet er væk", "The target is gone"));
    said(&mut node, LogAway { to: Some(to), trouble: trouble.clone(), ..away.clone() }).await;
    assert_eq!(shown().await["message"], "The target is gone");
    // It is a finding when it has not for long, and it has not for longer than there was anything.
    let stuck = LogAway { to: Some(Timestamp::UNIX_EPOCH), trouble, ..away };
    said(&mut node, stuck).await;
    assert!(!findings(&house).await.contains(&"log-late".to_owned()), "it was made just now");
    let mut owner = husorden_control::doors::owner(&house.config.database).await.unwrap();
    let older = "update solution set created = created - interval '20 minutes'";
    sqlx::query(older).execute(&mut owner).await.unwrap();
    assert!(findings(&house).await.contains(&"log-late".to_owned()));
    house.running.stop().await;
}

#[tokio::test]
async fn a_backup_becomes_a_solution_beside_the_one_it_was_made_of() {
    let house = House::new().await;
    target(&house).await;
    let (mut node, _) = Node::hello(&house.config.node_socket).await;
    let first = shop(&house, &mut node, json!({ "names": ["old.example"] })).await;
    let id = backup(&house, &mut node, "c1").await;
    let make = async |from: Value| {
        let form = json!({ "kind": "tiny", "name": "beside", "from": from, "spec": { "names": ["beside.example"] } });
        house.call("POST", "/v1/solutions", form).await
    };
    for from in [
        json!({ "solution": "shop", "backup": uuid::Uuid::nil() }),
        json!({ "solution": "shop", "backup": "yesterday" }),
        json!({ "solution": "shop", "backup": id, "snapshot": uuid::Uuid::nil() }),
        json!({ "solution": "shop", "backup": id, "at": "2030-01-31T16:00:00Z" }),
    ] {
        make(from).await.refused(422, "invalid-fields");
    }
    let made = make(json!({ "solution": "shop", "backup": id })).await.is(201);
    assert_eq!(made["solution"]["spec"]["names"], json!(["beside.example"]));
    let wish = node.wish().await;
    let origin = wish.from_backup.expect("it is told");
    assert_eq!((origin.solution, origin.copy.as_str(), wish.from), (first.solution, "c1", None));
    assert_eq!(origin.repository.folder, first.number.get().to_string(), "the other's repository");
    // Its own backups are its own.
    assert_eq!(house.get("/v1/solutions/beside/backups").await["items"], json!([]));

    // What was deleted is had from its backups too, and from nothing else of it; in its last hour no more, for then its key goes.
    house.call("DELETE", "/v1/solutions/shop", Value::Null).await.is(200);
    let deleted = first.solution.to_string();
    let again = async |from: Value| {
        let form = json!({ "kind": "tiny", "name": "again", "from": from, "spec": { "names": ["again.example"] } });
        house.call("POST", "/v1/solutions", form).await
    };
    again(json!({ "solution": deleted })).await.refused(409, "is-deleted");
    house.sql("update solution set retain_until = now() + interval '59 minutes' where name = 'shop'").await;
    again(json!({ "solution": deleted, "backup": id })).await.refused(409, "is-deleted");
    house.sql("update solution set retain_until = now() + interval '2 hours' where name = 'shop'").await;
    again(json!({ "solution": deleted, "backup": id })).await.is(201);
    house.running.stop().await;
}
