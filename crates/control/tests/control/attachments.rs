//! Attachments: what may be named, what may not go while it is used, and what a copy does not inherit.

use crate::house::House;
use crate::node::Node;
use serde_json::{Value, json};

async fn instance(house: &House, name: &str, databases: Value) -> Value {
    let form = json!({ "kind": "gated", "name": name, "spec": { "databases": databases } });
    house.call("POST", "/v1/solutions", form).await.is(201)["solution"].clone()
}

#[tokio::test]
async fn what_is_attached_is_there_and_fits_and_does_not_go_meanwhile() {
    let house = House::new().await;
    let (mut node, _) = Node::hello(&house.config.node_socket).await;
    let data = instance(&house, "data", json!(["app", "more"])).await;
    node.wish().await;
    house.create("shop", json!({})).await;
    node.wish().await;
    house.create("other", json!({})).await;
    node.wish().await;
    let attach =
        |other: &str, database: &str| json!({ "spec": { "attach": { "solution": other, "database": database } } });
    let shop = "/v1/solutions/shop";

    for (other, database, pointer) in [
        ("nobody", "app", "/spec/attach/solution"),
        ("0190f0a0-0000-7000-8000-000000000001", "app", "/spec/attach/solution"),
        ("other", "app", "/spec/attach/solution"),
        ("data", "none", "/spec/attach/database"),
    ] {
        let said = house.call("PATCH", shop, attach(other, database)).await.refused(422, "invalid-fields");
        assert_eq!(said["refusal"]["fields"][0]["pointer"], pointer, "{other} {database}");
    }
    // What is another account's is not found, whatever is known of it.
    let theirs = json!({ "kind": "tiny", "name": "theirs", "spec": { "attach": { "solution": data["id"], "database": "app" } } });
    let said = house.send(house.request(&house.other, "POST", "/v1/solutions", Some(&theirs))).await;
    said.refused(422, "invalid-fields");

    // Named by its name, kept as its id; the node is told by the one wish alone.
    let changed = house.call("PATCH", shop, attach("data", "app")).await.is(200);
    assert_eq!(changed["spec"]["attach"], json!({ "solution": data["id"], "database": "app", "holds": false }));
    assert_eq!(node.wish().await.spec["attach"]["solution"], data["id"]);

    // What is used does not go; what nobody uses does.
    let said = house.call("DELETE", "/v1/solutions/data", Value::Null).await.refused(409, "is-attached");
    assert!(said["refusal"]["detail"]["en"].as_str().unwrap().contains("shop"), "{said}");
    let less = |databases: Value| json!({ "spec": { "databases": databases } });
    house.call("PATCH", "/v1/solutions/data", less(json!(["more"]))).await.refused(409, "is-attached");
    house.call("PATCH", "/v1/solutions/data", less(json!(["app"]))).await.is(200);
    node.wish().await;

    // Its own data there: neither the attachment nor a copy before it is home again.
    let holds = |holds: bool| json!({ "spec": { "attach": { "holds": holds } } });
    house.call("PATCH", shop, holds(true)).await.is(200);
    house.call("PATCH", shop, json!({ "spec": { "attach": null } })).await.refused(422, "invalid-fields");
    let copy = json!({ "kind": "tiny", "name": "copy", "from": { "solution": "shop" } });
    house.call("POST", "/v1/solutions", copy.clone()).await.refused(422, "invalid-fields");
    house.call("PATCH", shop, holds(false)).await.is(200);
    let copied = house.call("POST", "/v1/solutions", copy).await.is(201);
    assert_eq!(copied["solution"]["spec"].get("attach"), None, "a copy inherits none");

    // Taken off, the other may go, and then nothing leads to it.
    house.call("PATCH", shop, json!({ "spec": { "attach": null } })).await.is(200);
    house.call("DELETE", "/v1/solutions/data", Value::Null).await.is(200);
    house.call("PATCH", shop, attach("data", "app")).await.refused(422, "invalid-fields");
    house.running.stop().await;
}

#[tokio::test]
async fn staff_attach_under_a_grant_on_both() {
    let house = House::new().await;
    let data = instance(&house, "data", json!(["app"])).await;
    let shop = house.create("shop", json!({})).await;
    let grant = |id: &Value| json!({ "solution": id, "minutes": 60, "reason": "They asked us to move it." });
    let path = format!("/v1/solutions/{}", shop["id"].as_str().unwrap());
    let attach = json!({ "spec": { "attach": { "solution": data["id"], "database": "app" } } });
    house.call("POST", "/v1/grants", grant(&shop["id"])).await.is(201);
    let said = house.staff("PATCH", &path, attach.clone()).await;
    assert_eq!(said.status, 403, "a grant on one is none for the other: {}", said.body);
    house.call("POST", "/v1/grants", grant(&data["id"])).await.is(201);
    house.staff("PATCH", &path, attach).await.is(200);
    house.running.stop().await;
}
