//! Solutions made from others: what is told to the node, and what is refused.

use crate::house::House;
use crate::node::{Node, snapshot, until};
use husorden_base::SnapshotId;
use husorden_wire::node::{LogBase, LogSeen, LogsTold, SeenState, Verb, VerbState, VolumeUsage};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeMap;

#[tokio::test]
async fn a_copy_is_made_of_a_snapshot_that_is_chosen_or_taken_now() {
    let house = House::new().await;
    let (mut node, _) = Node::hello(&house.config.node_socket).await;
    house.create("shop", json!({ "names": ["old.example"], "engine": "two" })).await;
    let first = node.wish().await;
    assert_eq!(first.from, None);
    node.settled(&first).await;

    let form = |from: Value, name: &str, names: &[&str]| json!({ "kind": "tiny", "name": name, "from": from, "spec": { "names": names } });
    let from = json!({ "solution": "shop" });
    house.call("POST", "/v1/solutions", form(from.clone(), "twin", &["old.example"])).await.refused(409, "claim-taken");
    house
        .call("POST", "/v1/solutions", form(json!({ "solution": "nobody" }), "twin", &[]))
        .await
        .refused(422, "invalid-fields");
    let missing = json!({ "solution": "shop", "snapshot": uuid::Uuid::nil() });
    house.call("POST", "/v1/solutions", form(missing, "twin", &[])).await.refused(422, "invalid-fields");

    let made = house.call("POST", "/v1/solutions", form(from, "twin", &["new.example"])).await.is(201);
    assert_eq!(
        made["solution"]["spec"],
        json!({ "names": ["new.example"], "engine": "two" }),
        "the other's, with the form over it"
    );
    let (order, verb) = node.verb().await;
    let Verb::Snapshot { snapshot: taken, before: None, .. } = verb else { panic!("{verb:?}") };
    let second = node.wish().await;
    let origin = second.from.expect("it is told what to copy");
    assert_eq!((origin.solution, origin.number, origin.snapshot), (first.solution, first.number, taken));
    let generation = |wish: &husorden_wire::node::Wish| wish.credentials["admin"].generation;
    assert_eq!(generation(&second), generation(&first) + 1, "what was copied holds an older password");
    node.progress(order, VerbState::done()).await;
    node.seen(&first, SeenState::Settled, |seen| seen.snapshots = vec![snapshot(taken)]).await;
    node.settled(&second).await;

    // A snapshot that is there is used as it is.
    let chosen = json!({ "solution": "shop", "snapshot": taken });
    house.call("POST", "/v1/solutions", form(chosen, "third", &[])).await.is(201);
    assert_eq!(node.wish().await.from.expect("told").snapshot, taken);

    // What is closed is not carried on under another name; what is another account's is not found.
    house.decide(json!({ "of": "solution", "id": first.solution }), json!({})).await;
    house
        .call("POST", "/v1/solutions", form(json!({ "solution": "shop" }), "more", &[]))
        .await
        .refused(403, "solution-held");
    house.running.stop().await;
}

#[tokio::test]
async fn a_time_is_had_within_what_the_node_says_and_from_the_newest_base_before_it() {
    let house = House::new().await;
    let (mut node, _) = Node::hello(&house.config.node_socket).await;
    house.create("shop", json!({ "names": [], "engine": "two" })).await;
    let first = node.wish().await;
    let form = |at: &str, name: &str| {
        let from = json!({ "solution": "shop", "at": at });
        json!({ "kind": "tiny", "name": name, "from": from, "spec": {} })
    };
    let ask = |at: &'static str| house.call("POST", "/v1/solutions", form(at, "past"));
    ask("2030-01-31T16:00:00Z").await.refused(422, "invalid-fields");

    let time = |text: &str| text.parse::<Timestamp>().unwrap();
    let bases = [("2030-01-31T12:00:00Z", 1), ("2030-01-31T14:00:00Z", 2), ("2030-01-31T18:00:00Z", 3)];
    let id = |number: u128| SnapshotId(uuid::Uuid::from_u128(number));
    let log = LogSeen {
        from: time("2030-01-31T12:00:00Z"),
        to: Some(time("2030-01-31T20:00:00Z")),
        holes: vec![(time("2030-01-31T15:00:00Z"), time("2030-01-31T15:10:00Z"))],
        bases: bases.map(|(from, number)| LogBase { snapshot: id(number), from: time(from) }).to_vec(),
        broken: false,
        bytes: 7,
        room: 9,
    };
    node.seen(&first, SeenState::Settled, |seen| seen.log = Some(log.clone())).await;
    let shown = house.get("/v1/solutions/shop").await["log"].clone();
    assert_eq!((&shown["from"], &shown["to"]), (&json!("2030-01-31T12:00:00Z"), &json!("2030-01-31T20:00:00Z")));
    assert_eq!((&shown["bytes"], &shown["holes"][0]["to"]), (&json!(7), &json!("2030-01-31T15:10:00Z")));
    for wrong in ["2030-01-31T11:59:59Z", "2030-01-31T20:00:01Z", "2030-01-31T15:05:00Z", "yesterday"] {
        let answer = ask(wrong).await;
        assert!([400, 422].contains(&answer.status.as_u16()), "{wrong}: {}", answer.status);
    }
    // Where all is kept, it is up to what its node has told of logs at all; of news that are not told it says so.
    let all = LogSeen { to: None, from: time("2020-01-31T12:00:00Z"), ..log.clone() };
    node.seen(&first, SeenState::Settled, |seen| seen.log = Some(all.clone())).await;
    for (untold, to) in [(None, "2020-01-31T16:00:00Z"), (Some("2020-01-31T15:00:00Z"), "2020-01-31T15:00:00Z")] {
        let untold = untold.map(|holds| (first.solution, time(holds))).into_iter().collect();
        let logs = LogsTold { to: time("2020-01-31T16:00:00Z"), untold };
        node.health(|health| health.logs = Some(logs)).await;
        // A node that has just begun has nothing to say of it, and what was said holds.
        node.health(|_| {}).await;
        until("it is told", async || (house.get("/v1/solutions/shop").await["log"]["to"] == to).then_some(())).await;
    }
    node.health(|health| health.logs = Some(LogsTold { to: Timestamp::MAX, untold: BTreeMap::new() })).await;
    until("nothing is kept of what is to come", async || {
        let (log, now) = (house.get("/v1/solutions/shop").await["log"]["to"].clone(), Timestamp::now());
        let to = log.as_str().unwrap().parse::<Timestamp>().unwrap();
        assert!(to <= now, "{to}");
        (to.duration_until(now) < SignedDuration::from_secs(60)).then_some(())
    })
    .await;
    node.seen(&first, SeenState::Settled, |seen| seen.log = Some(log.clone())).await;

    ask("2030-01-31T16:00:00Z").await.is(201);
    let origin = node.wish().await.from.expect("it is told");
    assert_eq!((origin.snapshot, origin.at), (id(2), Some(time("2030-01-31T16:00:00Z"))));

    // That there was no room for all of it is said once, and stands as long as it is so.
    for (broken, found) in [(true, 1), (true, 1), (false, 0), (true, 1)] {
        node.seen(&first, SeenState::Settled, |seen| seen.log = Some(LogSeen { broken, ..log.clone() })).await;
        let findings = house.get("/v1/solutions/shop").await["findings"].clone();
        let of_log = findings.as_array().unwrap().iter().filter(|finding| finding["name"] == "log-broken").count();
        assert_eq!(of_log, found, "{broken}: {findings}");
    }
    let events = house.get("/v1/solutions/shop/events?limit=200").await;
    let said = events["items"].as_array().unwrap().iter().filter(|event| event["kind"] == "log.broken").count();
    assert_eq!(said, 2);

    // A full disk takes what it begins from: that is said once, and not of a report that did not look.
    let full = async |node: &mut Node, percent, looked, log: Option<LogSeen>| {
        node.seen(&first, SeenState::Settled, |seen| {
            let usage = VolumeUsage { live: percent, snapshots: 0, limit: 100, full: percent == 100 };
            (seen.looked, seen.usage, seen.log) = (looked, Some(usage), log);
        })
        .await;
    };
    full(&mut node, 10, true, Some(log.clone())).await;
    full(&mut node, 10, true, None).await;
    full(&mut node, 100, true, Some(log.clone())).await;
    full(&mut node, 100, false, None).await;
    full(&mut node, 100, true, Some(log.clone())).await;
    full(&mut node, 100, true, None).await;
    full(&mut node, 100, true, None).await;
    let events = house.get("/v1/solutions/shop/events?limit=200").await;
    let of_log = events["items"].as_array().unwrap().iter().filter(|event| event["kind"] == "log.broken");
    let full = of_log.filter(|event| event["message"].as_str().unwrap().contains("is used up")).count();
    assert_eq!(full, 1, "{events}");
    house.running.stop().await;
}
