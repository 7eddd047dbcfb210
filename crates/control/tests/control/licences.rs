//! Pools of licences: who has a seat, when one is free again, and who is refused.

use crate::house::House;
use crate::node::{Node, until};
use husorden_base::{Bytes, Text};
use husorden_wire::node::{ImageHealth, RuntimeHealth, SeenState, VerbState, VolumeUsage};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A control whose node has an image with licences in a pool, and one without.
async fn house() -> (House, Node) {
    let house = House::hosting(&husorden_kinds::KINDS, |_| {}).await;
    let (mut node, _) = Node::hello(&house.config.node_socket).await;
    let image = |name: &str, pool: Option<&str>| RuntimeHealth {
        name: name.to_owned(),
        state: "ready".to_owned(),
        text: String::new(),
        build: Some("1".to_owned()),
        packages: BTreeMap::new(),
        builds: Vec::new(),
        image: Some(ImageHealth {
            title: Text::new("Et system", "A system"),
            disk: Bytes::gib(1),
            firmware: None,
            imported: true,
            licence_pool: pool.map(|pool| pool.parse().expect("a name")),
        }),
    };
    let images = vec![image("paid-1", Some("paid")), image("free-1", None)];
    node.health(|health| health.runtimes = images).await;
    until("the node has told", async || house.exists("select from node where health <> '{}'").await.then_some(()))
        .await;
    (house, node)
}

fn server(name: &str, image: &str) -> Value {
    json!({ "kind": "server", "name": name, "spec": { "image": image, "disk": "2 GiB" } })
}

async fn made(house: &House, name: &str, image: &str) {
    house.call("POST", "/v1/solutions", server(name, image)).await.is(201);
}

async fn refused(house: &House, form: Value) {
    let said = house.call("POST", "/v1/solutions", form).await.refused(422, "invalid-fields");
    let field = &said["refusal"]["fields"][0];
    assert_eq!(field["pointer"], "/spec/image", "{said}");
    assert!(field["detail"]["en"].as_str().is_some_and(|text| text.contains("all in use")), "{said}");
}

/// Who has a seat in the pool, by name.
async fn uses(house: &House) -> Vec<String> {
    let said = house.staff("GET", "/v1/licences", Value::Null).await.is(200);
    let pool = said["items"]
        .as_array()
        .expect("a list")
        .iter()
        .find(|pool| pool["name"] == "paid")
        .expect("it is there")
        .clone();
    pool["uses"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| one["name"].as_str().expect("a name").to_owned())
        .collect()
}

async fn seats(house: &House, seats: u32) {
    house.staff("PUT", "/v1/licences/paid", json!({ "seats": seats, "note": "contract 17" })).await.is(200);
}

#[tokio::test]
async fn a_server_has_a_seat_while_there_are_any() {
    let (house, _node) = house().await;
    made(&house, "free", "free-1").await;
    let pools = house.staff("GET", "/v1/licences", Value::Null).await.is(200);
    assert_eq!(pools["items"], json!([{ "name": "paid", "seats": 0, "note": "", "images": ["paid-1"], "uses": [] }]));
    refused(&house, server("one", "paid-1")).await;
    seats(&house, 2).await;
    made(&house, "one", "paid-1").await;
    // Two at once for the last seat.
    let both = tokio::join!(
        house.call("POST", "/v1/solutions", server("two", "paid-1")),
        house.call("POST", "/v1/solutions", server("three", "paid-1")),
    );
    let mut statuses = [both.0.status.as_u16(), both.1.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 422]);
    assert_eq!(uses(&house).await.len(), 2);
    // Another image takes its seat from a server, and a rebuild takes nothing.
    house.call("POST", "/v1/solutions/one/rebuild", Value::Null).await;
    assert_eq!(uses(&house).await.len(), 2);
    house.call("PATCH", "/v1/solutions/one", json!({ "spec": { "image": "free-1" } })).await.is(200);
    assert_eq!(uses(&house).await.len(), 1);
    made(&house, "four", "paid-1").await;
    let patch = json!({ "spec": { "image": "paid-1" } });
    let said = house.call("PATCH", "/v1/solutions/free", patch.clone()).await.refused(422, "invalid-fields");
    assert_eq!(said["refusal"]["fields"][0]["pointer"], "/spec/image");
    // Fewer than there are turns nobody off; a deleted one can come back, so that its seat is free when it is buried.
    seats(&house, 1).await;
    assert_eq!(uses(&house).await.len(), 2);
    seats(&house, 2).await;
    house.call("DELETE", "/v1/solutions/four", Value::Null).await;
    house.call("PATCH", "/v1/solutions/free", patch.clone()).await.refused(422, "invalid-fields");
    house.sql("update solution set deleted = now(), retain_until = now() where name = 'four'").await;
    house.call("PATCH", "/v1/solutions/free", patch).await.is(200);
    let log = house.exists("select from evidence where act = 'licence.set'").await;
    assert!(log, "it is a line of evidence");
}

#[tokio::test]
async fn a_copy_and_what_is_made_from_a_disk_image_have_seats_of_their_own() {
    let (house, mut node) = house().await;
    seats(&house, 2).await;
    made(&house, "one", "paid-1").await;
    let wish = node.wish().await;
    node.seen(&wish, SeenState::Settled, |seen| seen.usage = Some(VolumeUsage::default())).await;
    let golden = json!({ "kind": "disk-image", "name": "golden", "from": { "solution": "one" } });
    house.call("POST", "/v1/solutions", golden).await.is(201);
    let (order, _) = node.verb().await;
    node.progress(order, VerbState::done()).await;
    assert_eq!(uses(&house).await, ["one"], "an image runs nowhere");
    made(&house, "two", "golden").await;
    assert_eq!(uses(&house).await, ["one", "two"]);
    refused(&house, server("three", "golden")).await;
    let copy = json!({ "kind": "server", "name": "copy", "from": { "solution": "two" } });
    refused(&house, copy.clone()).await;
    // An image that was buried is known by who was made from it.
    house.sql("update solution set deleted = now(), aim = 'gone', retain_until = now() where name = 'golden'").await;
    refused(&house, copy).await;
    let kept = house.staff("DELETE", "/v1/licences/paid", Value::Null).await.refused(409, "licences-in-use");
    assert!(kept["refusal"]["detail"]["en"].as_str().is_some_and(|text| text.contains("2 servers")), "{kept}");
}

#[tokio::test]
async fn a_pools_form_is_judged_at_its_fields() {
    let (house, _node) = house().await;
    for (name, form, pointer) in [
        ("paid", json!({ "seats": 1_000_001 }), "/seats"),
        ("paid", json!({ "seats": 1, "note": "x".repeat(1001) }), "/note"),
        ("Paid", json!({ "seats": 1 }), "/name"),
    ] {
        let said = house.staff("PUT", &format!("/v1/licences/{name}"), form).await.refused(422, "invalid-fields");
        assert_eq!(said["refusal"]["fields"][0]["pointer"], pointer, "{said}");
    }
    house.staff("DELETE", "/v1/licences/none", Value::Null).await.refused(404, "not-found");
    seats(&house, 3).await;
    house.staff("DELETE", "/v1/licences/paid", Value::Null).await.is(204);
}
