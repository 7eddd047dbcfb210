//! Snapshots on a schedule: when they are taken, what goes and what stays, what stands in the way, and who may change it.

use crate::house::House;
use crate::node::{Node, until};
use husorden_base::{OrderId, Refusal, SnapshotId, Text};
use husorden_wire::node::{SeenState, Verb, VerbState, VolumeUsage, Wish};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

const SCHEDULE: &str = "/v1/solutions/shop/snapshot-schedule";
const LIST: &str = "/v1/solutions/shop/snapshots";

/// A solution that a node has settled.
async fn shop(house: &House, node: &mut Node) -> Wish {
    house.create("shop", json!({})).await;
    let wish = node.wish().await;
    node.settled(&wish).await;
    wish
}

/// Has the schedule looked at, and waits for the end of that.
async fn look(house: &House) {
    let idle = "select from job where kind = 'snapshot-schedule' and leased_by is null";
    until("the schedule rests", async || house.exists(idle).await.then_some(())).await;
    house.sql("update job set due = now() - interval '1 second' where kind = 'snapshot-schedule'").await;
    let looked = "select from job where kind = 'snapshot-schedule' and leased_by is null and due > now()";
    until("it was looked at", async || house.exists(looked).await.then_some(())).await;
}

/// Lets the next time come, and looks.
async fn time_comes(house: &House, ago: &str) {
    house.sql(&format!("update snapshot_schedule set due = now() - interval '{ago}' where every <> 'off'")).await;
    look(house).await;
}

/// The next order, which takes one on the schedule.
async fn taking(node: &mut Node) -> (OrderId, SnapshotId) {
    match node.verb().await {
        (order, Verb::Snapshot { snapshot, label, before }) => {
            assert_eq!((label.as_str(), before.as_deref()), ("", Some("schedule")));
            (order, snapshot)
        }
        other => panic!("{other:?}"),
    }
}

/// The next order, which lets one go.
async fn going(node: &mut Node) -> (OrderId, SnapshotId) {
    match node.verb().await {
        (order, Verb::SnapshotDelete { snapshot }) => (order, snapshot),
        other => panic!("{other:?}"),
    }
}

async fn order_is(house: &House, order: OrderId, state: &str) {
    let path = format!("/v1/orders/{order}");
    until("the order ends", async || (house.get(&path).await["state"] == state).then_some(())).await;
}

fn failed() -> VerbState {
    let text = Text::new("Der er ikke plads", "There is no room");
    VerbState::Failed { refusal: Box::new(Refusal::new("no-room", 507, Text::new("Nej", "No"), text)) }
}

/// One on the schedule, taken.
async fn taken(house: &House, node: &mut Node) -> SnapshotId {
    time_comes(house, "1 minute").await;
    let (order, snapshot) = taking(node).await;
    node.progress(order, VerbState::done()).await;
    order_is(house, order, "done").await;
    snapshot
}

async fn events(house: &House, kind: &str) -> Vec<Value> {
    let events = house.get("/v1/solutions/shop/events?limit=200").await;
    events["items"].as_array().unwrap().iter().filter(|event| event["kind"] == kind).cloned().collect()
}

/// What is listed: id, `before`, state.
async fn listed(house: &House) -> Vec<(String, Value, String)> {
    let list = house.get(LIST).await;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (text(&one["id"]), one["before"].clone(), text(&one["state"])))
        .collect()
}

#[tokio::test]
async fn a_schedule_is_off_until_somebody_sets_it_and_is_changed_by_who_has_read_it() {
    let house = House::new().await;
    house.create("shop", json!({})).await;
    let off = house.call("GET", SCHEDULE, Value::Null).await;
    assert_eq!(off.headers["etag"], "\"1\"");
    let off = off.is(200);
    assert_eq!(
        (&off["every"], &off["keep"], &off["zone"], &off["next"]),
        (&json!("off"), &json!(7), &json!("Europe/Copenhagen"), &Value::Null)
    );
    for (form, pointer) in [
        (json!({ "every": "always" }), "/every"),
        (json!({ "hour": 24 }), "/hour"),
        (json!({ "day": "someday" }), "/day"),
        (json!({ "zone": "Mars/Olympus" }), "/zone"),
        (json!({ "keep": 0 }), "/keep"),
        (json!({ "keep": 15 }), "/keep"),
        (json!({ "keep": "" }), "/keep"),
        (json!({ "often": true }), "/often"),
    ] {
        let said = house.call("PUT", SCHEDULE, form.clone()).await.refused(422, "invalid-fields");
        assert_eq!(said["refusal"]["fields"][0]["pointer"], pointer, "{form}: {said}");
    }
    let form = json!({ "every": "weekly", "day": "monday", "hour": 23, "zone": "UTC", "keep": 2 });
    let tagged = async |tag: &str| {
        let mut request = house.request(&house.account, "PUT", SCHEDULE, Some(&form));
        request.headers_mut().insert("if-match", tag.parse().unwrap());
        house.send(request).await
    };
    tagged("\"2\"").await.refused(412, "changed-meanwhile");
    let set = tagged("\"1\"").await;
    assert_eq!(set.headers["etag"], "\"2\"");
    let set = set.is(200);
    let next: Timestamp = set["next"].as_str().unwrap().parse().unwrap();
    assert_eq!(next.strftime("%A %H").to_string(), "Monday 23");
    assert!(next > Timestamp::now() && next < Timestamp::now() + SignedDuration::from_hours(8 * 24));
    // The same again is no change; a number alone leaves the time as it is.
    assert_eq!(house.call("PUT", SCHEDULE, form.clone()).await.headers["etag"], "\"2\"");
    assert_eq!(house.call("PUT", SCHEDULE, json!({ "keep": 3 })).await.is(200)["next"], set["next"]);
    let evidence = house.get("/v1/evidence?limit=200").await;
    let acts = evidence["items"].as_array().unwrap().iter().filter(|line| line["act"] == "snapshot-schedule.change");
    assert_eq!(acts.count(), 2);
    assert_eq!(events(&house, "snapshot-schedule.changed").await.len(), 2);

    // Staff by a grant alone; who only reads, reads.
    house.staff("PUT", SCHEDULE, json!({ "keep": 4 })).await.refused(403, "grant-needed");
    house.break_glass().await;
    house.staff("PUT", SCHEDULE, json!({ "keep": 4 })).await.is(200);
    assert_eq!(house.get(SCHEDULE).await["keep"], 4);

    // What is stopped has no next one, and neither has what goes.
    house.call("POST", "/v1/solutions/shop/stop", Value::Null).await.is(200);
    assert_eq!(house.get(SCHEDULE).await["next"], Value::Null);
    house.call("DELETE", "/v1/solutions/shop", Value::Null).await.is(200);
    house.call("PUT", SCHEDULE, json!({ "every": "off" })).await.refused(409, "is-deleted");
    house.running.stop().await;
}

#[tokio::test]
async fn each_time_has_one_and_the_oldest_of_its_own_go() {
    let house = House::new().await;
    let (mut node, _) = Node::hello(&house.config.node_socket).await;
    let wish = shop(&house, &mut node).await;
    // One by hand, and one that the platform took before a change: neither is ever its to remove.
    house.call("POST", LIST, json!({ "label": "mine" })).await.is(202);
    let (order, verb) = node.verb().await;
    let Verb::Snapshot { snapshot: mine, .. } = verb else { panic!("{verb:?}") };
    node.progress(order, VerbState::done()).await;
    order_is(&house, order, "done").await;
    house.call("PUT", SCHEDULE, json!({ "every": "daily", "keep": 2 })).await.is(200);
    look(&house).await;
    assert_eq!(listed(&house).await.len(), 1, "its time has not come");

    // Control was away for five days: one, for the time that was missed.
    time_comes(&house, "5 days").await;
    let (order, first) = taking(&mut node).await;
    let next: Timestamp = house.get(SCHEDULE).await["next"].as_str().unwrap().parse().unwrap();
    assert!(next > Timestamp::now() && next < Timestamp::now() + SignedDuration::from_hours(26), "{next}");
    assert!(house.exists("select from snapshot where slot < now() - interval '4 days'").await);
    // Never two at once: while it is taken, the next time waits.
    time_comes(&house, "1 hour").await;
    assert_eq!(house.count("select from snapshot where state = 'taking'").await, 1);
    // A node says its end again and again.
    for _ in 0..3 {
        node.progress(order, VerbState::done()).await;
    }
    order_is(&house, order, "done").await;
    look(&house).await;
    let (order, second) = taking(&mut node).await;
    node.progress(order, VerbState::done()).await;
    order_is(&house, order, "done").await;
    assert_eq!(
        listed(&house).await,
        [
            (mine.to_string(), Value::Null, "ready".to_owned()),
            (first.to_string(), json!("schedule"), "ready".to_owned()),
            (second.to_string(), json!("schedule"), "ready".to_owned()),
        ]
    );

    // The third lets the first go; what cannot be removed is tried again, and no more come than one beyond.
    let third = taken(&house, &mut node).await;
    let (order, gone) = going(&mut node).await;
    assert_eq!(gone, first);
    node.progress(order, failed()).await;
    order_is(&house, order, "failed").await;
    time_comes(&house, "1 minute").await;
    assert_eq!(house.count("select from snapshot where before = 'schedule'").await, 3);
    assert_eq!(events(&house, "snapshot-schedule.missed").await.len(), 1);
    house.sql("update verb_order set ended = now() - interval '2 hours' where state = 'failed'").await;
    time_comes(&house, "1 minute").await;
    let (order, gone) = going(&mut node).await;
    assert_eq!(gone, first);
    node.progress(order, VerbState::done()).await;
    order_is(&house, order, "done").await;
    look(&house).await;
    let (order, fourth) = taking(&mut node).await;
    node.progress(order, VerbState::done()).await;
    order_is(&house, order, "done").await;
    let (order, gone) = going(&mut node).await;
    assert_eq!(gone, second);
    node.progress(order, VerbState::done()).await;
    order_is(&house, order, "done").await;
    let ids = async || listed(&house).await.into_iter().map(|(id, ..)| id).collect::<Vec<_>>();
    assert_eq!(ids().await, [mine, third, fourth].map(|id| id.to_string()));

    // Fewer are kept: the older goes at once, also of what is stopped; off, what is there stays.
    house.call("PUT", SCHEDULE, json!({ "keep": 1 })).await.is(200);
    let (order, gone) = going(&mut node).await;
    assert_eq!(gone, third);
    node.progress(order, VerbState::done()).await;
    order_is(&house, order, "done").await;
    house.call("PUT", SCHEDULE, json!({ "every": "off" })).await.is(200);
    look(&house).await;
    assert_eq!(ids().await, [mine, fourth].map(|id| id.to_string()));

    // None of it was an event of its own or mail; all of it is evidence.
    let done = events(&house, "order.done").await;
    assert_eq!(done.len(), 1, "the one by hand alone: {done:?}");
    let lines = house.get("/v1/evidence?limit=200").await;
    let of = |act: &str| {
        let lines = lines["items"].as_array().unwrap().iter();
        lines.filter(|line| line["act"] == act && line["before"]["reason"] == "schedule").count()
    };
    assert_eq!((of("order.snapshot"), of("order.snapshot-delete")), (4, 4));
    assert_eq!(house.count("select from snapshot_schedule where solution is not null and generation = 4").await, 1);
    drop(wish);
    house.running.stop().await;
}

#[tokio::test]
async fn what_stands_in_the_way_is_said_once_and_it_is_tried_again() {
    let house = House::new().await;
    let (mut node, _) = Node::hello(&house.config.node_socket).await;
    let wish = shop(&house, &mut node).await;
    house.call("PUT", SCHEDULE, json!({ "every": "hourly", "keep": 1 })).await.is(200);
    let first = taken(&house, &mut node).await;
    let missed = async || events(&house, "snapshot-schedule.missed").await;
    let fill = async |node: &mut Node, live: u64| {
        node.seen(&wish, SeenState::Settled, |seen| {
            seen.usage = Some(VolumeUsage { live, snapshots: 0, limit: 1 << 30, full: false });
            let consistent = Some(husorden_kinds::Consistent::Filesystem);
            seen.snapshots = vec![husorden_wire::node::SnapshotSeen { consistent, ..crate::node::snapshot(first) }];
        })
        .await;
    };

    // A disk that fills.
    fill(&mut node, 1 << 30).await;
    for _ in 0..2 {
        time_comes(&house, "1 minute").await;
        assert!(house.exists("select from snapshot_schedule where due > now() and why = 'full'").await);
    }
    let all = house.get("/v1/solutions/shop/snapshots").await;
    assert_eq!(all["items"][0]["consistent"], "filesystem", "as the node says: {all}");
    let said = missed().await;
    assert_eq!(said.len(), 1, "once: {said:?}");
    assert!(said[0]["message"].as_str().unwrap().contains("The disk is almost used up"), "{said:?}");
    let shown = house.get(SCHEDULE).await;
    assert!(shown["missed"].is_string() && shown["message"].as_str().unwrap().contains("almost used up"), "{shown}");
    assert_eq!(
        house
            .count("select from event where mail_topic(kind, data) = 'trouble' and kind = 'snapshot-schedule.missed'")
            .await,
        1
    );

    // A measure: nothing is taken and nothing removed, and the event that stands says enough.
    fill(&mut node, 1 << 20).await;
    let held = house.decide(json!({ "of": "solution", "id": wish.solution }), json!({})).await;
    time_comes(&house, "1 minute").await;
    assert_eq!(house.count("select from snapshot where before = 'schedule'").await, 1);
    assert_eq!(missed().await.len(), 1);
    let lift = format!("/v1/measures/{}/lift", held["id"].as_str().unwrap());
    house.staff("POST", &lift, json!({ "reasons": "It was found to be in order." })).await.is(200);
    let second = taken(&house, &mut node).await;
    let (order, gone) = going(&mut node).await;
    assert_eq!(gone, first);
    node.progress(order, VerbState::done()).await;
    order_is(&house, order, "done").await;
    assert_eq!(house.get(SCHEDULE).await["missed"], Value::Null, "one was taken");

    // The node refuses: said anew, no line is left in the list, and no event of the order's own.
    for _ in 0..2 {
        time_comes(&house, "1 minute").await;
        let (order, _) = taking(&mut node).await;
        node.progress(order, failed()).await;
        order_is(&house, order, "failed").await;
    }
    let said = missed().await;
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[1]["message"].as_str().unwrap().contains("There is no room"), "{said:?}");
    assert_eq!(events(&house, "order.failed").await, Vec::<Value>::new());
    assert_eq!(listed(&house).await, [(second.to_string(), json!("schedule"), "ready".to_owned())]);

    // What an order keeps silent is not told by this either.
    taken(&house, &mut node).await;
    let (order, _) = going(&mut node).await;
    node.progress(order, VerbState::done()).await;
    order_is(&house, order, "done").await;
    let until_then = (Timestamp::now() + SignedDuration::from_hours(5)).to_string();
    house
        .decide(
            json!({ "of": "solution", "id": wish.solution }),
            json!({ "clause": "law.order", "access": "none", "silent_until": until_then }),
        )
        .await;
    time_comes(&house, "1 minute").await;
    assert!(house.exists("select from snapshot_schedule where due > now() and missed is null").await);
    assert_eq!(house.count("select from snapshot where state = 'taking'").await, 0);
    house.running.stop().await;
}

#[tokio::test]
async fn what_is_stopped_rests_and_what_control_forgot_comes_back_as_what_it_is() {
    let house = House::new().await;
    let (mut node, _) = Node::hello(&house.config.node_socket).await;
    let wish = shop(&house, &mut node).await;
    house.call("PUT", SCHEDULE, json!({ "every": "daily", "keep": 1 })).await.is(200);
    let first = taken(&house, &mut node).await;
    house.call("POST", "/v1/solutions/shop/stop", Value::Null).await.is(200);
    time_comes(&house, "1 minute").await;
    assert!(house.exists("select from snapshot_schedule where due < now()").await, "its time stays");
    assert_eq!(house.count("select from snapshot").await, 1);
    house.call("POST", "/v1/solutions/shop/start", Value::Null).await.is(200);
    look(&house).await;
    let (order, second) = taking(&mut node).await;

    // A control of yesterday: the node names what it has, and what is too much goes with the next one.
    house.sql("delete from snapshot").await;
    let lately = Timestamp::now();
    node.seen(&wish, SeenState::Settled, |seen| {
        seen.snapshots = [(first, 2), (second, 1)]
            .map(|(id, hours)| husorden_wire::node::SnapshotSeen {
                taken: lately - SignedDuration::from_hours(hours),
                before: Some("schedule".to_owned()),
                ..crate::node::snapshot(id)
            })
            .into();
    })
    .await;
    node.progress(order, VerbState::done()).await;
    order_is(&house, order, "done").await;
    time_comes(&house, "1 minute").await;
    let (order, gone) = going(&mut node).await;
    assert_eq!(gone, first);
    node.progress(order, VerbState::done()).await;
    order_is(&house, order, "done").await;
    // One that another solution is still being made from stays as long.
    let copy = json!({ "kind": "tiny", "name": "beside", "from": { "solution": "shop", "snapshot": second } });
    house.call("POST", "/v1/solutions", copy).await.is(201);
    let beside = loop {
        let wish = node.wish().await;
        if wish.name.as_str() == "beside" {
            break wish;
        }
    };
    look(&house).await;
    let (order, _) = taking(&mut node).await;
    node.progress(order, VerbState::done()).await;
    order_is(&house, order, "done").await;
    assert_eq!(house.count("select from snapshot where state = 'deleting'").await, 0);
    node.settled(&beside).await;
    time_comes(&house, "1 minute").await;
    let (_, gone) = going(&mut node).await;
    assert_eq!(gone, second);
    house.running.stop().await;
}
