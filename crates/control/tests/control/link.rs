//! The node link: wishes, holds, orders, measures, and what happens when either side dies.

use crate::house::House;
use crate::node::{Node, snapshot, until};
use husorden_base::{MeasureId, Refusal, Text};
use husorden_control::platform::{Adopted, adopt};
use husorden_kinds::Aim;
use husorden_rules::{Access, Fates, Measure, Scope};
use husorden_wire::node::{EvidenceLine, FromNode, MeasureState, SeenState, ToNode, Verb, VerbState};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;

async fn state(house: &House, name: &str) -> String {
    house.get(&format!("/v1/solutions/{name}")).await["state"].as_str().unwrap().to_owned()
}

async fn order(house: &House, id: impl std::fmt::Display, wanted: &str) -> Value {
    let path = format!("/v1/orders/{id}");
    until(wanted, async || Some(house.get(&path).await).filter(|order| order["state"] == wanted)).await
}

#[tokio::test]
async fn a_wish_is_told_and_settled() {
    let house = House::new().await;
    let (mut node, told) = Node::hello(&house.config.node_socket).await;
    assert!(matches!(told[..], [ToNode::Welcome { epoch: 1, .. }]), "{told:?}");
    house.create("shop", json!({ "names": ["shop.example"] })).await;
    let first = node.wish().await;
    assert_eq!((first.generation, first.aim, first.name.as_str()), (1, Aim::Run, "shop"));
    assert!(first.credentials["admin"].hash.starts_with("$2y$10$"));
    node.seen(&first, SeenState::Working, |_| {}).await;
    assert_eq!(state(&house, "shop").await, "working");
    node.settled(&first).await;
    assert_eq!(state(&house, "shop").await, "running");

    house.call("POST", "/v1/solutions/shop/stop", Value::Null).await.is(200);
    let second = node.wish().await;
    assert_eq!((second.generation, second.aim), (2, Aim::Stop));
    node.settled(&first).await;
    assert_eq!(state(&house, "shop").await, "working", "settled on an older generation is not settled");
    node.settled(&second).await;
    assert_eq!(state(&house, "shop").await, "stopped");
    // An older report that comes late does not take it back.
    let late = json!({ "say": "seen", "solution": first.solution, "report": 1, "epoch": 1, "generation": 1, "state": "working", "at": Timestamp::now() });
    node.say_text(&late.to_string()).await;
    node.settled(&second).await;
    assert_eq!(house.get("/v1/solutions/shop").await["seen_generation"], 2);
    let evidence = house.get("/v1/evidence").await;
    let open = evidence["items"].as_array().unwrap().iter().filter(|line| line["ended"].is_null()).count();
    assert_eq!(open, 0, "each line is completed when the node has settled: {evidence}");

    // Control's knowledge of the node is what a newcomer is told; a node that connects again is told all of it again.
    drop(node);
    let (_node, told) = Node::hello(&house.config.node_socket).await;
    assert_eq!(told.iter().filter(|line| matches!(line, ToNode::Wish { wish } if wish.generation == 2)).count(), 1);
    house.running.stop().await;
}

#[tokio::test]
async fn a_destructive_change_waits_for_its_snapshot() {
    let house = House::new().await;
    let (mut node, _) = Node::hello(&house.config.node_socket).await;
    house.create("shop", json!({ "names": ["old.example"] })).await;
    let first = node.wish().await;
    node.settled(&first).await;

    let spec = json!({ "spec": { "engine": "two", "names": ["new.example"] } });
    let changed = house.call("PATCH", "/v1/solutions/shop", spec).await.is(200);
    assert_eq!((&changed["generation"], &changed["state"]), (&json!(3), &json!("working")));
    let (id, verb) = node.verb().await;
    let Verb::Snapshot { snapshot: taken, before, .. } = verb else { panic!("{verb:?}") };
    assert_eq!(before.as_deref(), Some("change"));
    // A control that starts again, or a node that does, still sees the wish before the change, and the order.
    let (mut again, told) = Node::hello(&house.config.node_socket).await;
    assert!(
        told.iter()
            .any(|line| matches!(line, ToNode::Wish { wish } if wish.generation == 2 && wish.spec["engine"] == "one")),
        "{told:?}"
    );
    assert!(told.iter().any(|line| matches!(line, ToNode::Verb { order, .. } if *order == id)));
    // Both the old and the new name are held meanwhile.
    for name in ["old.example", "new.example"] {
        let form = json!({ "kind": "tiny", "name": "thief", "spec": { "names": [name] } });
        house.call("POST", "/v1/solutions", form).await.refused(409, "claim-taken");
    }
    // A stop does not wait for the snapshot: it reaches the node at once, with the spec as it was.
    house.call("POST", "/v1/solutions/shop/stop", Value::Null).await.is(200);
    let stop = again.wish().await;
    assert_eq!((stop.aim, stop.generation, &stop.spec["engine"]), (Aim::Stop, 4, &json!("one")));
    house.call("POST", "/v1/solutions/shop/start", Value::Null).await.is(200);
    again.progress(id, VerbState::done()).await;
    let second = loop {
        let wish = again.wish().await;
        if wish.spec["engine"] == "two" {
            break wish;
        }
    };
    assert_eq!((second.generation, second.aim), (7, Aim::Run));
    again.seen(&second, SeenState::Settled, |seen| seen.snapshots = vec![snapshot(taken)]).await;
    assert_eq!(state(&house, "shop").await, "running");
    house.create("heir", json!({ "names": ["old.example"] })).await;

    // Undo brings back the volume and the spec; the old name has gone to somebody else meanwhile.
    house.call("POST", "/v1/solutions/shop/undo", Value::Null).await.refused(409, "claim-taken");
    house.call("PATCH", "/v1/solutions/heir", json!({ "spec": { "names": [] } })).await.is(200);
    house.call("POST", "/v1/solutions/shop/undo", Value::Null).await.is(202);
    let (undo, verb) = again.verb().await;
    assert!(matches!(verb, Verb::Restore { snapshot, .. } if snapshot == taken), "{verb:?}");
    again.progress(undo, VerbState::done()).await;
    let third = loop {
        let wish = again.wish().await;
        if wish.solution == first.solution && wish.spec["engine"] == "one" {
            break wish;
        }
    };
    assert_eq!(&third.spec, &first.spec);
    house.call("POST", "/v1/solutions/shop/undo", Value::Null).await.refused(409, "nothing-to-undo");
    house.running.stop().await;
}

#[tokio::test]
async fn a_change_whose_snapshot_fails_is_not_made() {
    let house = House::new().await;
    let (mut node, _) = Node::hello(&house.config.node_socket).await;
    house.create("shop", json!({ "names": ["old.example"] })).await;
    let first = node.wish().await;
    node.settled(&first).await;
    house
        .call("PATCH", "/v1/solutions/shop", json!({ "spec": { "engine": "two", "names": ["new.example"] } }))
        .await
        .is(200);
    let (id, _) = node.verb().await;
    let refusal = Refusal::new("volume-full", 507, Text::new("Fuld", "Full"), Text::new("Ryd op", "Tidy up"));
    node.progress(id, VerbState::Failed { refusal: Box::new(refusal) }).await;
    let third = loop {
        let wish = node.wish().await;
        if wish.generation > 2 {
            break wish;
        }
    };
    assert_eq!((third.generation, &third.spec), (4, &first.spec), "back to what it was, under a new generation");
    let failed = order(&house, id, "failed").await;
    assert_eq!(failed["message"], "Full: Tidy up");
    house.create("heir", json!({ "names": ["new.example"] })).await;
    let form = json!({ "kind": "tiny", "name": "thief", "spec": { "names": ["old.example"] } });
    house.call("POST", "/v1/solutions", form).await.refused(409, "claim-taken");
    house.running.stop().await;
}

#[tokio::test]
async fn snapshots_are_taken_restored_and_deleted() {
    let house = House::new().await;
    let (mut node, _) = Node::hello(&house.config.node_socket).await;
    house.create("shop", json!({})).await;
    let wish = node.wish().await;
    node.settled(&wish).await;
    let asked = house.call("POST", "/v1/solutions/shop/snapshots", json!({ "label": "mine" })).await.is(202);
    let (id, _) = node.verb().await;
    assert_eq!(asked["id"], id.to_string());
    let text = Text::new("Tager", "Taking");
    node.progress(id, VerbState::Running { text, percent: Some(40) }).await;
    let running = order(&house, id, "running").await;
    assert_eq!((&running["percent"], &running["message"]), (&json!(40), &json!("Taking")));
    node.progress(id, VerbState::done()).await;
    order(&house, id, "done").await;
    let list = house.get("/v1/solutions/shop/snapshots").await;
    assert_eq!((&list["items"][0]["state"], &list["items"][0]["label"]), (&json!("ready"), &json!("mine")));
    let snapshot = asked["snapshot"].as_str().unwrap();
    house.call("POST", &format!("/v1/solutions/shop/snapshots/{snapshot}/restore"), Value::Null).await.is(202);
    let (restore, verb) = node.verb().await;
    let Verb::Restore { before, .. } = verb else { panic!("{verb:?}") };
    house.call("POST", "/v1/solutions/shop/undo", Value::Null).await.refused(409, "undo-not-yet");
    node.progress(restore, VerbState::done()).await;
    order(&house, restore, "done").await;
    let undo = house.call("POST", "/v1/solutions/shop/undo", Value::Null).await.is(202);
    assert_eq!(undo["verb"], "restore");
    let (_, verb) = node.verb().await;
    assert!(matches!(verb, Verb::Restore { snapshot, .. } if snapshot == before), "{verb:?}");
    house.call("DELETE", &format!("/v1/solutions/shop/snapshots/{snapshot}"), Value::Null).await.is(202);
    let (delete, _) = node.verb().await;
    node.progress(delete, VerbState::done()).await;
    order(&house, delete, "done").await;
    house
        .call("POST", &format!("/v1/solutions/shop/snapshots/{snapshot}/restore"), Value::Null)
        .await
        .refused(404, "not-found");
    house.running.stop().await;
}

#[tokio::test]
async fn an_upload_is_fetched_by_the_node_and_gone_afterwards() {
    let house = House::new().await;
    let (mut node, _) = Node::hello(&house.config.node_socket).await;
    house.create("shop", json!({})).await;
    let upload = |query: &str, body: Vec<u8>| {
        let mut request = house.request(&house.account, "POST", &format!("/v1/solutions/shop/archive?{query}"), None);
        *request.body_mut() = axum::body::Body::from(body);
        house.send(request)
    };
    upload("format=rar", vec![1]).await.refused(422, "invalid-fields");
    upload("format=zip&into=a/../../b", vec![1]).await.refused(422, "invalid-fields");
    upload("format=zip", Vec::new()).await.refused(422, "invalid-fields");
    upload("format=zip", vec![0; (1 << 20) + 1]).await.refused(413, "archive-too-large");
    let spooled = || std::fs::read_dir(&house.config.spool).unwrap().count();
    assert_eq!(spooled(), 0, "what was refused leaves nothing");
    let bytes: Vec<u8> = (0..300_000_u32).map(|n| (n % 251) as u8).collect();
    upload("format=tar.gz&into=/wp/", bytes.clone()).await.is(202);
    let (id, verb) = node.verb().await;
    assert!(
        matches!(&verb, Verb::Unpack { format, into, bytes: 300_000, .. } if format == "tar.gz" && into == "wp"),
        "{verb:?}"
    );
    let mut stream = tokio::net::UnixStream::connect(&house.config.node_socket).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(
        &mut stream,
        format!("{}\n", serde_json::to_string(&FromNode::Fetch { node: "local".to_owned(), order: id }).unwrap())
            .as_bytes(),
    )
    .await
    .unwrap();
    let mut got = Vec::new();
    stream.read_to_end(&mut got).await.unwrap();
    assert!(got == bytes, "{} bytes came", got.len());
    node.progress(id, VerbState::done()).await;
    order(&house, id, "done").await;
    until("the spool is empty", async || (spooled() == 0).then_some(())).await;
    house.running.stop().await;
}

#[tokio::test]
async fn a_measure_is_told_kept_in_force_and_lifted() {
    let house = House::new().await;
    let (mut node, _) = Node::hello(&house.config.node_socket).await;
    let solution = house.create("shop", json!({})).await;
    let wish = node.wish().await;
    node.settled(&wish).await;
    let decided = house.decide(json!({ "of": "solution", "id": solution["id"] }), json!({})).await;
    assert_eq!(decided["state"], "ordered");
    let measure = node.measure().await;
    assert_eq!(measure.id.to_string(), decided["id"].as_str().unwrap());
    let shown = async |wanted: &str| {
        until(wanted, async || {
            Some(house.get("/v1/measures").await["items"][0].clone()).filter(|m| m["state"] == wanted)
        })
        .await
    };
    node.measured(&measure, MeasureState::Kept).await;
    shown("kept").await;
    assert_eq!(state(&house, "shop").await, "running", "closed is said when it was seen");
    node.measured(&measure, MeasureState::InForce).await;
    assert!(shown("in-force").await["in_force"].is_string());
    let closed = house.get("/v1/solutions/shop").await;
    assert_eq!((&closed["state"], &closed["case"]), (&json!("closed"), &decided["case_number"]));
    // Its verbs are refused, with all that a refusal says; staff may still act.
    let refused = house.call("POST", "/v1/solutions/shop/stop", Value::Null).await.refused(403, "solution-held");
    assert_eq!(
        (&refused["refusal"]["clause"], &refused["refusal"]["case"]),
        (&json!("network.attack"), &decided["case_number"])
    );
    assert!(refused["refusal"]["complain"].is_string() && refused["refusal"]["since"].is_string());
    house.break_glass().await;
    house.staff("POST", &format!("/v1/solutions/{}/stop", solution["id"].as_str().unwrap()), Value::Null).await.is(200);
    // A node that comes again is told of it before anything else.
    let (mut node, told) = Node::hello(&house.config.node_socket).await;
    assert!(matches!(told[1], ToNode::Measure { .. }), "{told:?}");
    let path = format!("/v1/measures/{}/lift", decided["id"].as_str().unwrap());
    house.staff("POST", &path, json!({ "reasons": "short" })).await.refused(422, "invalid-fields");
    let lifted =
        house.staff("POST", &path, json!({ "reasons": "The site was cleaned and proven clean." })).await.is(200);
    assert_eq!(lifted["state"], "lifting");
    let newer = node.measure().await;
    assert!(newer.lifted.is_some() && newer.revision > measure.revision);
    node.measured(&measure, MeasureState::InForce).await;
    node.measured(&newer, MeasureState::Lifted).await;
    shown("lifted").await;
    house.call("POST", "/v1/solutions/shop/start", Value::Null).await.is(200);
    let again = loop {
        let wish = node.wish().await;
        if wish.aim == Aim::Run && wish.generation > 1 {
            break wish;
        }
    };
    // It runs when the node has seen that it serves, and not as soon as it may.
    node.seen(&again, SeenState::Settled, |seen| seen.closed = true).await;
    assert_eq!(state(&house, "shop").await, "working");
    node.settled(&again).await;
    assert_eq!(state(&house, "shop").await, "running");
    let (_node, told) = Node::hello(&house.config.node_socket).await;
    assert!(
        !told.iter().any(|line| matches!(line, ToNode::Measure { .. })),
        "a lifted and acknowledged one is not said again"
    );
    let evidence = house.get("/v1/evidence").await;
    let ended = |act: &str| {
        evidence["items"].as_array().unwrap().iter().any(|line| line["act"] == act && line["ended"].is_string())
    };
    assert!(ended("measure.begin") && ended("measure.lift"), "{evidence}");
    house.running.stop().await;
}

#[tokio::test]
async fn a_measure_on_an_account_reaches_every_node_and_its_tokens() {
    let house = House::new().await;
    let (mut one, _) = Node::hello(&house.config.node_socket).await;
    let (mut two, _) = Node::hello_as(&house.config.node_socket, "other").await;
    let decided = house.decide(json!({ "of": "account", "id": house.ours }), json!({})).await;
    let refused = house.call("GET", "/v1/solutions", Value::Null).await.refused(403, "account-held");
    assert_eq!(refused["refusal"]["case"], decided["case_number"]);
    for path in ["/v1/me", "/v1/measures", "/v1/evidence"] {
        house.call("GET", path, Value::Null).await.refused(403, "account-held");
    }
    assert!(!refused.to_string().contains("Scanned 192"), "staff's notes stay with staff");
    let measures = async || house.staff("GET", "/v1/measures", Value::Null).await.is(200);
    house.send(house.request(&house.other, "GET", "/v1/solutions", None)).await.is(200);
    let (first, second) = (one.measure().await, two.measure().await);
    assert_eq!(first, second);
    one.measured(&first, MeasureState::InForce).await;
    one.say(&FromNode::Evidence(Box::new(line(1)))).await;
    until("evidence is kept", async || matches!(one.next().await, ToNode::EvidenceKept { serial: 1 }).then_some(()))
        .await;
    assert_eq!(measures().await["items"][0]["state"], "ordered", "one node is not all");
    two.measured(&second, MeasureState::InForce).await;
    until("in force", async || (measures().await["items"][0]["state"] == "in-force").then_some(())).await;
    // A node that is new learns of it too.
    let (_three, told) = Node::hello_as(&house.config.node_socket, "third").await;
    assert!(told.iter().any(|line| matches!(line, ToNode::Measure { measure } if measure.id == first.id)));
    house.running.stop().await;
}

fn line(serial: u64) -> EvidenceLine {
    EvidenceLine {
        serial,
        at: Timestamp::now(),
        act: "measure.begin".to_owned(),
        solution: None,
        detail: json!({ "nul": "a\u{0}b" }),
        previous: None,
    }
}

#[tokio::test]
async fn a_silent_measure_is_not_told() {
    let house = House::new().await;
    let solution = house.create("shop", json!({})).await;
    let until = Timestamp::now() + SignedDuration::from_hours(1);
    let more = json!({ "clause": "law.order", "silent_until": until });
    house.decide(json!({ "of": "solution", "id": solution["id"] }), more).await;
    assert_eq!(house.get("/v1/measures").await["items"], json!([]));
    let text = house.get("/v1/events").await.to_string() + &house.get("/v1/evidence").await.to_string();
    assert!(!text.contains("measure") && !text.contains("law.order"), "{text}");
    let refused = house.call("POST", "/v1/solutions/shop/stop", Value::Null).await.refused(403, "not-now");
    assert!(refused["refusal"]["clause"].is_null() && refused["refusal"]["case"].is_null());
    assert_eq!(house.staff("GET", "/v1/measures", Value::Null).await.is(200)["items"].as_array().unwrap().len(), 1);
    house.running.stop().await;
}

#[tokio::test]
async fn a_measure_taken_on_the_node_gets_a_case_once() {
    let house = House::new().await;
    let (mut node, _) = Node::hello(&house.config.node_socket).await;
    house.create("shop", json!({})).await;
    let wish = node.wish().await;
    let mut taken = Measure {
        id: MeasureId::new(),
        revision: 900,
        case: None,
        case_number: "N-local-1".to_owned(),
        clause: "network.attack".parse().unwrap(),
        scope: Scope::Solution { id: wish.solution },
        access: Access::Decision,
        fates: Fates::default(),
        starts: Timestamp::now(),
        ends: None,
        silent_until: None,
        lifted: None,
    };
    let say = |measure: &Measure| FromNode::MeasureTaken {
        measure: Box::new(measure.clone()),
        reasons: "Attack seen at night".to_owned(),
    };
    node.say(&say(&taken)).await;
    let known = node.measure().await;
    assert!(known.case.is_some() && known.revision > 900, "{known:?}");
    node.say(&say(&taken)).await;
    assert_eq!(node.measure().await, known, "saying it again changes nothing");
    let cases = house.staff("GET", "/v1/cases", Value::Null).await.is(200);
    assert_eq!(cases["items"].as_array().unwrap().len(), 1);
    assert_eq!(cases["items"][0]["number"], "N-local-1");
    node.measured(&known, MeasureState::InForce).await;
    until("in force", async || (house.get("/v1/measures").await["items"][0]["state"] == "in-force").then_some(()))
        .await;
    taken = Measure { lifted: Some(Timestamp::now()), revision: known.revision + 1, ..known.clone() };
    node.say(&say(&taken)).await;
    // The same line may come twice, as an answer and as news.
    let lifted = loop {
        let measure = node.measure().await;
        if measure.revision > known.revision {
            break measure;
        }
    };
    assert!(lifted.lifted.is_some() && lifted.revision > taken.revision);
    house.running.stop().await;
}

#[tokio::test]
async fn only_gone_and_over_and_empty_is_buried() {
    let house = House::with(|config| config.retention_days = 0).await;
    let (mut node, _) = Node::hello(&house.config.node_socket).await;
    let made = house.create("shop", json!({ "names": ["shop.example"] })).await;
    let wish = node.wish().await;
    node.settled(&wish).await;
    house.call("DELETE", "/v1/solutions/shop", Value::Null).await.is(200);
    let gone = node.wish().await;
    assert_eq!(gone.aim, Aim::Gone);
    node.seen(&gone, SeenState::Working, |seen| seen.usage = None).await;
    assert_eq!(state(&house, "shop").await, "deleting");
    node.settled(&gone).await;
    assert_eq!(state(&house, "shop").await, "deleted", "something is left, so the name is still its own");
    let form = json!({ "kind": "tiny", "name": "next", "spec": { "names": ["shop.example"] } });
    house.call("POST", "/v1/solutions", form.clone()).await.refused(409, "claim-taken");
    // What is sealed does not expire.
    let sealed = house.decide(json!({ "of": "solution", "id": made["id"] }), json!({ "access": "none" })).await;
    node.seen(&gone, SeenState::Settled, |seen| seen.usage = None).await;
    assert_eq!(house.get("/v1/solutions/shop").await["aim"], "gone");
    let lift = format!("/v1/measures/{}/lift", sealed["id"].as_str().unwrap());
    house.staff("POST", &lift, json!({ "reasons": "The order was withdrawn by the police." })).await.is(200);
    node.seen(&gone, SeenState::Settled, |seen| seen.usage = None).await;
    house.call("GET", "/v1/solutions/shop", Value::Null).await.refused(404, "not-found");
    let tombstone = house.get(&format!("/v1/solutions/{}", made["id"].as_str().unwrap())).await;
    assert_eq!(tombstone["state"], "deleted");
    let next = house.call("POST", "/v1/solutions", form).await.is(201);
    assert!(next["solution"]["number"].as_u64() > made["number"].as_u64(), "a number is given once");
    house.running.stop().await;
}

#[tokio::test]
async fn a_node_that_talks_nonsense_is_dropped_and_one_of_tomorrow_is_not() {
    let house = House::new().await;
    for text in ["hello", "{\"say\":\"progress\"}", "{\"say\":\"hello\",\"version\":99,\"node\":\"local\",\"epoch\":0}"]
    {
        let mut node = Node::open(&house.config.node_socket).await;
        node.say_text(text).await;
        assert!(node.closed().await, "{text}");
    }
    let (mut node, _) = Node::hello(&house.config.node_socket).await;
    node.say_text("{\"say\":\"dream\",\"of\":\"sheep\"}").await;
    node.say_text("{\"say\":\"seen\",\"solution\":\"0190f0a0-0000-7000-8000-000000000001\",\"report\":1,\"epoch\":1,\"generation\":1,\"state\":\"settled\",\"at\":\"2026-01-01T00:00:00Z\"}").await;
    house.create("shop", json!({})).await;
    node.wish().await;
    assert_eq!(state(&house, "shop").await, "working", "a report on something unknown changes nothing");
    node.say_text("{\"say\":").await;
    assert!(node.closed().await);
    let (mut node, _) = Node::hello(&house.config.node_socket).await;
    node.say_text(&"x".repeat(2 << 20)).await;
    assert!(node.closed().await, "a line beyond the limit");
    house.running.stop().await;
}

#[tokio::test]
async fn a_raised_epoch_is_told_with_every_wish() {
    let house = House::new().await;
    let (mut node, _) = Node::hello(&house.config.node_socket).await;
    house.create("shop", json!({})).await;
    let first = node.wish().await;
    node.settled(&first).await;
    let rebuilt = Adopted { by: "staff@desk.example", copy: "c", of: Timestamp::now(), lost_node: None };
    assert_eq!(adopt(&house.config.database, &rebuilt).await.unwrap(), (2, 0));
    let second = node.wish().await;
    assert_eq!((second.epoch, second.generation), (2, 1));
    assert_eq!(state(&house, "shop").await, "working", "settled in the old epoch is not settled");
    node.settled(&second).await;
    assert_eq!(state(&house, "shop").await, "running");
    house.running.stop().await;
}

/// Control is stateless: what one of them writes, the other one's node is told.
#[tokio::test]
async fn a_node_is_told_what_another_control_decided() {
    let house = House::new().await;
    let mut config = house.config.clone();
    config.node_socket = config.node_socket.with_file_name("second.sock");
    let second = husorden_control::start(config.clone(), &crate::tiny::KINDS).await.expect("a second control");
    let (mut node, _) = Node::hello(&config.node_socket).await;
    house.create("shop", json!({})).await;
    assert_eq!(node.wish().await.name.as_str(), "shop");
    second.stop().await;
    house.running.stop().await;
}

/// Locks are taken in one order, so that a crowd of callers and a talking node never stand in each other's way.
#[tokio::test]
async fn a_crowd_of_writers_and_a_talking_node_get_along() {
    let house = House::new().await;
    let (mut node, _) = Node::hello(&house.config.node_socket).await;
    let mut wishes = Vec::new();
    for n in 0..4 {
        house.create(&format!("s{n}"), json!({})).await;
        wishes.push(node.wish().await);
    }
    let talk = async {
        for round in 0..60_usize {
            let state = if round % 2 == 0 { SeenState::Settled } else { SeenState::Trouble };
            node.seen(&wishes[round % 4], state, |_| {}).await;
        }
    };
    let write = async |n: usize| {
        for _ in 0..10 {
            let name = format!("/v1/solutions/s{}", n % 4);
            house.call("POST", &format!("{name}/stop"), Value::Null).await.is(200);
            house.call("POST", &format!("{name}/start"), Value::Null).await.is(200);
            house.call("PATCH", &name, json!({ "labels": { "n": n.to_string() } })).await.is(200);
        }
    };
    tokio::join!(talk, futures_util::future::join_all((0..8).map(write)));
    let generations = async |n| house.get(&format!("/v1/solutions/s{n}")).await["generation"].as_u64().unwrap();
    assert!(generations(0).await > 20, "each change counted");
    house.running.stop().await;
}
