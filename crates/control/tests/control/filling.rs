//! What comes of a node's word about a solution: a disk that fills is said once a step, and what is measured becomes curves.

use crate::house::House;
use crate::node::{Node, until};
use husorden_wire::node::{FromNode, Question, Sample, SeenState, ToNode, VolumeUsage, Wish};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeMap;

async fn holds(node: &mut Node, wish: &Wish, percent: u64, full: bool) {
    let usage = VolumeUsage { live: percent * 10, snapshots: 0, limit: 1000, full };
    node.seen(wish, SeenState::Settled, |seen| seen.usage = Some(usage)).await;
}

/// What was said of the disk, oldest first.
async fn said(house: &House) -> Vec<String> {
    let events = house.get("/v1/solutions/shop/events?limit=200").await;
    let of_disk = events["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["kind"].as_str().unwrap().starts_with("volume."));
    of_disk.map(|event| event["message"].as_str().unwrap().to_owned()).collect()
}

async fn finding(house: &House) -> Option<String> {
    let one = house.get("/v1/solutions/shop").await;
    one["findings"][0]["name"].as_str().map(str::to_owned)
}

#[tokio::test]
async fn a_disk_that_fills_is_said_once_a_step() {
    let house = House::new().await;
    let (mut node, _) = Node::hello(&house.config.node_socket).await;
    house.create("shop", json!({})).await;
    let wish = node.wish().await;
    for (percent, full, found) in [
        (10, false, None),
        (81, false, Some("disk-80")),
        // To and fro about a step is said once.
        (79, false, None),
        (81, false, Some("disk-80")),
        (95, false, Some("disk-90")),
        (100, true, Some("disk-full")),
        (99, true, Some("disk-full")),
        (97, false, Some("disk-90")),
        (50, false, None),
        (85, false, Some("disk-80")),
    ] {
        holds(&mut node, &wish, percent, full).await;
        assert_eq!(finding(&house).await.as_deref(), found, "{percent} %");
    }
    // A look that failed shows nothing, and says nothing.
    node.seen(&wish, SeenState::Trouble, |seen| (seen.looked, seen.usage) = (false, None)).await;
    assert_eq!(
        said(&house).await,
        [
            "80 % of the disk of shop is used",
            "90 % of the disk of shop is used",
            "The disk of shop is used up; nothing was lost",
            "There is room on the disk of shop again",
            "80 % of the disk of shop is used",
        ]
    );
    house.running.stop().await;
}

#[tokio::test]
async fn what_is_measured_becomes_curves() {
    let house = House::new().await;
    let (mut node, _) = Node::hello(&house.config.node_socket).await;
    house.create("shop", json!({})).await;
    let wish = node.wish().await;
    node.settled(&wish).await;
    let sample = |minutes: i64, memory: f64| Sample {
        solution: wish.solution,
        at: Timestamp::now() - SignedDuration::from_mins(minutes),
        values: BTreeMap::from([("memory".to_owned(), memory), ("unheard-of".to_owned(), 1.0)]),
    };
    // What another node's clock says of tomorrow is of now; what is nobody's is nobody's.
    let stranger = Sample { solution: husorden_base::SolutionId::new(), ..sample(1, 9.0) };
    let samples = vec![sample(90, 100.0), sample(10, 200.0), sample(-600, 300.0), stranger];
    node.say(&FromNode::Samples { samples }).await;
    let curve = async |hours: u32| {
        let figures = house.get(&format!("/v1/solutions/shop/figures?hours={hours}")).await;
        let figures = figures["items"].as_array().unwrap().clone();
        figures.into_iter().find(|figure| figure["name"] == "memory").unwrap()
    };
    let memory = until("it is there", async || {
        let memory = curve(24).await;
        (memory["points"].as_array().unwrap().len() == 3).then_some(memory)
    })
    .await;
    assert_eq!((&memory["unit"], &memory["title"]), (&json!("bytes"), &json!("Memory")));
    let values: Vec<f64> =
        memory["points"].as_array().unwrap().iter().map(|point| point["value"].as_f64().unwrap()).collect();
    assert_eq!(values, [100.0, 200.0, 300.0]);
    assert_eq!(curve(1).await["points"].as_array().unwrap().len(), 2);
    for hours in ["0", "169"] {
        house
            .call("GET", &format!("/v1/solutions/shop/figures?hours={hours}"), Value::Null)
            .await
            .refused(422, "invalid-fields");
    }
    house.running.stop().await;
}

/// The node answers one question about a log.
async fn answers(node: &mut Node, text: &str) -> Question {
    loop {
        if let ToNode::Ask { question, about, .. } = node.next().await {
            node.say(&FromNode::Answer { question, text: Some(text.to_owned()) }).await;
            return about;
        }
    }
}

#[tokio::test]
async fn a_log_is_asked_of_the_node_and_staff_see_it_under_a_grant_only() {
    let house = House::new().await;
    let (mut node, _) = Node::hello(&house.config.node_socket).await;
    house.create("shop", json!({})).await;
    house.call("POST", "/v1/solutions", json!({ "kind": "gated", "name": "db" })).await.is(201);
    house.call("POST", "/v1/solutions/shop/log", json!({})).await.refused(409, "no-log");
    for wrong in [json!({ "lines": 0 }), json!({ "lines": 1001 }), json!({ "search": "x".repeat(201) })] {
        house.call("POST", "/v1/solutions/db/log", wrong).await.refused(422, "invalid-fields");
    }
    let said = "2026-01-01T10:00:00Z ready\nodd\n2026-01-01T10:00:01Z ERROR: Ærgerligt";
    let ask = json!({ "search": "rr", "since": "2026-01-01T00:00:00Z", "lines": 7 });
    let (log, about) = tokio::join!(house.call("POST", "/v1/solutions/db/log", ask), answers(&mut node, said));
    assert_eq!(
        log.is(200)["items"],
        json!([{ "at": "2026-01-01T10:00:00Z", "text": "ready" }, { "at": "2026-01-01T10:00:01Z", "text": "ERROR: Ærgerligt" }])
    );
    let since = "2026-01-01T00:00:00Z".parse().ok();
    assert_eq!(about, Question::Log { search: Some("rr".to_owned()), since, lines: 7 });

    // It is the customer's own content.
    house.staff("POST", "/v1/solutions/db/log", json!({})).await.refused(403, "grant-needed");
    house.call("POST", "/v1/grants", json!({ "solution": "db", "reason": "look at the log" })).await.is(201);
    let (log, _) = tokio::join!(house.staff("POST", "/v1/solutions/db/log", json!({})), answers(&mut node, said));
    assert_eq!(log.is(200)["items"].as_array().unwrap().len(), 2);
    let events = house.get("/v1/events?limit=200").await;
    assert!(
        events["items"].as_array().unwrap().iter().any(|event| event["kind"] == "grant.used"),
        "the account sees it"
    );
    let lines = house.get("/v1/evidence?limit=200").await;
    assert!(lines["items"].as_array().unwrap().iter().any(|line| line["act"] == "log.read"), "in its evidence too");
    // Nothing of it stays.
    let mut owner = husorden_control::doors::owner(&house.config.database).await.unwrap();
    let left: i64 = sqlx::query_scalar("select count(*) from question").fetch_one(&mut owner).await.unwrap();
    assert_eq!(left, 0);
    // A node that says nothing is not waited for for ever.
    house.call("POST", "/v1/solutions/db/log", json!({})).await.refused(503, "node-silent");
    house.running.stop().await;
}

/// Staff see which builds did not hold, and have a node build anew: it is told once, and who asks again is told again.
#[tokio::test]
async fn staff_see_builds_that_did_not_hold_and_ask_for_new_ones() {
    use husorden_kinds::Builds;
    use husorden_kinds::builds::Refused;
    let house = House::new().await;
    let (mut node, _) = Node::hello(&house.config.node_socket).await;
    for name in ["one", "two"] {
        house.create(name, json!({})).await;
        let wish = node.wish().await;
        let refused = Refused { build: "b2".to_owned(), at: Timestamp::now(), reason: "somebody's secret".to_owned() };
        let refused = BTreeMap::from([("php-8.4".parse().unwrap(), refused)]);
        node.seen(&wish, SeenState::Settled, |seen| seen.builds = Builds { refused, ..Builds::default() }).await;
    }
    let shown = house.staff("GET", "/v1/nodes", Value::Null).await.is(200);
    let held = &shown["items"][0]["held_back"];
    assert_eq!(
        (&held[0]["runtime"], &held[0]["build"], &held[0]["solutions"]),
        (&json!("php-8.4"), &json!("b2"), &json!(2))
    );
    assert_eq!(held[0]["newest"].as_array().map(Vec::len), Some(2));
    assert!(!shown.to_string().contains("secret"), "why it was stands with each solution, under a grant");

    let name = shown["items"][0]["name"].as_str().unwrap().to_owned();
    let ask = |node: &str, runtime: &str| json!({ "node": node, "runtime": runtime });
    house.staff("POST", "/v1/builds", ask("nowhere", "php-8.4")).await.refused(422, "invalid-fields");
    house.staff("POST", "/v1/builds", ask(&name, "php-8.4")).await.refused(422, "invalid-fields");
    let health = json!({ "runtimes": [{ "name": "php-8.4", "state": "ready", "text": "", "build": "b2", "packages": {} }],
        "pool": { "data_used": 1, "data_total": 2, "meta_used": 1, "meta_total": 2, "errors": 0 }, "sandboxes": 0, "strays": [] });
    house.sql(&format!("update node set health = '{health}'")).await;
    house.call("POST", "/v1/builds", ask(&name, "php-8.4")).await.is(403);
    for _ in 0..2 {
        house.staff("POST", "/v1/builds", ask(&name, "php-8.4")).await.is(202);
        loop {
            if let ToNode::Build { runtime, .. } = node.next().await {
                assert_eq!(runtime.as_str(), "php-8.4");
                break;
            }
        }
    }
    house.running.stop().await;
}
