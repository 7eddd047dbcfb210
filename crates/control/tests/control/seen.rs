//! What probes met of a measure: closed on every node, not seen and why, and open again after the lift.

use crate::house::House;
use crate::node::{Node, until};
use husorden_base::Text;
use husorden_rules::Measure;
use husorden_wire::node::{FromNode, MeasureSeen, MeasureState, Outside};
use jiff::Timestamp;
use serde_json::{Value, json};

fn met(measure: &Measure, what: Outside, asked: u32) -> FromNode {
    FromNode::MeasureSeen(Box::new(MeasureSeen {
        measure: measure.id,
        revision: measure.revision,
        what,
        at: Timestamp::now(),
        by: "a/probe".to_owned(),
        status: (what == Outside::Closed).then_some(403),
        asked,
        why: (what == Outside::NotSeen).then(|| Text::new("Intet svar", "No answer")),
    }))
}

async fn shown(house: &House, what: impl Into<Value>) -> Value {
    let what = what.into();
    until("seen so", async || {
        let measure = house.staff("GET", "/v1/measures", Value::Null).await.is(200)["items"][0].clone();
        Some(measure["seen"].clone()).filter(|seen| seen["what"] == what)
    })
    .await
}

#[tokio::test]
async fn a_measure_is_seen_when_every_probe_met_it_and_no_word_of_an_older_revision_counts() {
    let house = House::new().await;
    let (mut one, _) = Node::hello_as(&house.config.node_socket, "local").await;
    let (mut two, _) = Node::hello_as(&house.config.node_socket, "other").await;
    let account = house.create("shop", json!({})).await["account"].clone();
    let decided = house.decide(json!({ "of": "account", "id": account }), json!({})).await;
    let (measure, same) = (one.measure().await, two.measure().await);
    assert_eq!(house.staff("GET", "/v1/measures", Value::Null).await.is(200)["items"][0]["seen"], Value::Null);
    one.measured(&measure, MeasureState::InForce).await;
    one.say(&met(&measure, Outside::NotSeen, 1)).await;
    assert_eq!(shown(&house, "not-seen").await["why"]["en"], "No answer");
    one.say(&met(&measure, Outside::Closed, 1)).await;
    until("the other is waited for", async || {
        (house.staff("GET", "/v1/measures", Value::Null).await.is(200)["items"][0]["seen"] == Value::Null).then_some(())
    })
    .await;
    two.say(&met(&same, Outside::Closed, 2)).await;
    let seen = shown(&house, "closed").await;
    assert_eq!((&seen["status"], &seen["asked"], &seen["by"]), (&json!(403), &json!(3), &json!("a/probe")));
    // A probe that can't see any more takes back nothing that was seen.
    one.say(&met(&measure, Outside::NotSeen, 1)).await;

    let path = format!("/v1/measures/{}/lift", decided["id"].as_str().unwrap());
    house.staff("POST", &path, json!({ "reasons": "The site was cleaned and proven clean." })).await.is(200);
    let newer = one.measure().await;
    // That it was closed once says nothing of whether it is open now, and neither does a word that is late.
    assert_eq!(house.staff("GET", "/v1/measures", Value::Null).await.is(200)["items"][0]["seen"], Value::Null);
    one.say(&met(&measure, Outside::Open, 1)).await;
    two.say(&met(&newer, Outside::Open, 2)).await;
    two.say(&met(&newer, Outside::Closed, 2)).await;
    one.say(&met(&newer, Outside::NotSeen, 1)).await;
    shown(&house, "not-seen").await;
    one.say(&met(&newer, Outside::Open, 1)).await;
    assert_eq!(shown(&house, "open").await["asked"], 3);
    let events = house.get("/v1/events").await;
    let told = |kind: &str| events["items"].as_array().unwrap().iter().filter(|event| event["kind"] == kind).count();
    assert_eq!((told("measure.seen"), told("measure.seen-open")), (1, 1), "{events}");
    house.running.stop().await;
}
