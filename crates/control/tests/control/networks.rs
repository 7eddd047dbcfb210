//! Private networks: which ranges may be, who is in one and with which address, what the node is told, and what does not go while it is used.

use crate::house::House;
use crate::node::Node;
use serde_json::{Value, json};

async fn network(house: &House, name: &str, range: &str) -> Value {
    house.call("POST", "/v1/networks", json!({ "name": name, "range": range })).await.is(201).clone()
}

fn server(name: &str, networks: Value) -> Value {
    json!({ "kind": "gated", "name": name, "spec": { "networks": networks } })
}

fn addresses(solution: &Value) -> Vec<&str> {
    let joins = solution["spec"]["networks"].as_array().expect("a list");
    joins.iter().map(|join| join["address"].as_str().expect("an address")).collect()
}

#[tokio::test]
async fn a_network_is_made_renamed_and_deleted_by_its_account_alone() {
    let house = House::new().await;
    for (form, pointer) in [
        (json!({ "name": "back end", "range": "10.20.0.0/24" }), "/name"),
        (json!({ "name": "backend", "range": "10.20.0.0/8" }), "/range"),
        (json!({ "name": "backend", "range": "100.64.0.0/24" }), "/range"),
        (json!({ "name": "backend" }), "/range"),
    ] {
        let said = house.call("POST", "/v1/networks", form).await.refused(422, "invalid-fields");
        assert_eq!(said["refusal"]["fields"][0]["pointer"], pointer);
        assert_ne!(said["refusal"]["fields"][0]["detail"]["da"], said["refusal"]["fields"][0]["detail"]["en"]);
    }
    let made = network(&house, "backend", "10.20.0.0/24").await;
    assert_eq!((&made["gateway"], &made["members"]), (&json!("10.20.0.1"), &json!([])));
    let prefix = made["prefix"].as_str().unwrap();
    assert!(prefix.starts_with("fd") && prefix.ends_with("::/64"), "{prefix}");
    let again = json!({ "name": "backend", "range": "10.21.0.0/24" });
    house.call("POST", "/v1/networks", again).await.refused(422, "invalid-fields");

    // Another account has one of the same name and range, and neither sees the other's.
    let theirs = json!({ "name": "backend", "range": "10.20.0.0/24" });
    let theirs = house.send(house.request(&house.other, "POST", "/v1/networks", Some(&theirs))).await.is(201).clone();
    assert_ne!(theirs["prefix"], made["prefix"]);
    let list = house.call("GET", "/v1/networks", Value::Null).await.is(200);
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    let id = theirs["id"].as_str().unwrap();
    house.call("GET", &format!("/v1/networks/{id}"), Value::Null).await.refused(404, "not-found");
    let joined = house.call("POST", "/v1/solutions", server("web", json!([theirs["id"]]))).await;
    joined.refused(422, "invalid-fields");

    let renamed = house.call("PATCH", "/v1/networks/backend", json!({ "name": "inner" })).await.is(200);
    assert_eq!((&renamed["name"], &renamed["id"]), (&json!("inner"), &made["id"]));
    house.call("DELETE", "/v1/networks/inner", Value::Null).await.is(204);
    house.call("GET", "/v1/networks/inner", Value::Null).await.refused(404, "not-found");
    let lines = house.staff("GET", "/v1/evidence?act=network.delete", Value::Null).await.is(200);
    assert_eq!(lines["items"][0]["before"]["name"], "inner", "{lines}");
    house.running.stop().await;
}

#[tokio::test]
async fn a_member_has_its_address_for_as_long_as_it_is_one() {
    let house = House::new().await;
    let (mut node, _) = Node::hello(&house.config.node_socket).await;
    let made = network(&house, "backend", "10.20.0.0/24").await;
    let wide = network(&house, "wide", "10.20.0.0/16").await;
    let web = house.call("POST", "/v1/solutions", server("web", json!(["backend"]))).await.is(201)["solution"].clone();
    assert_eq!(web["spec"]["networks"], json!([{ "network": made["id"], "address": "10.20.0.2" }]));
    let told = node.wish().await.networks;
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].range.to_string(), told[0].address.to_string()), ("10.20.0.0/24".into(), "10.20.0.2".into()));
    assert_eq!(json!(told[0].prefix), made["prefix"]);

    let fixed = json!([{ "network": "backend", "address": "10.20.0.9" }]);
    let db = house.call("POST", "/v1/solutions", server("db", fixed)).await.is(201)["solution"].clone();
    assert_eq!(addresses(&db), ["10.20.0.9"]);
    node.wish().await;
    for (networks, pointer) in [
        (json!(["nowhere"]), "/spec/networks/0"),
        (json!(["backend", "wide"]), "/spec/networks/1"),
        (json!([{ "network": "backend", "address": "10.20.0.9" }]), "/spec/networks/0/address"),
        (json!([{ "network": "backend", "address": "10.20.0.1" }]), "/spec/networks/0/address"),
        (json!([{ "network": "backend", "address": "10.21.0.9" }]), "/spec/networks/0/address"),
    ] {
        let change = json!({ "spec": { "networks": networks } });
        let said = house.call("PATCH", "/v1/solutions/web", change).await.refused(422, "invalid-fields");
        assert_eq!(said["refusal"]["fields"][0]["pointer"], pointer, "{said}");
    }
    // It keeps it through other changes, also one whose data is made anew, and is told as before while that waits.
    let change = json!({ "spec": { "engine": "two", "networks": ["backend"] } });
    let changed = house.call("PATCH", "/v1/solutions/web", change).await.is(200);
    assert_eq!(addresses(&changed), ["10.20.0.2"]);
    assert_eq!(node.wish().await.networks, told);

    // A copy is in the same networks, with an address of its own.
    let copy = json!({ "kind": "gated", "name": "copy", "from": { "solution": "db" } });
    let copy = house.call("POST", "/v1/solutions", copy).await.is(201)["solution"].clone();
    assert_eq!(addresses(&copy), ["10.20.0.3"]);

    let shown = house.call("GET", "/v1/networks/backend", Value::Null).await.is(200);
    let members: Vec<&str> = shown["members"].as_array().unwrap().iter().map(|m| m["name"].as_str().unwrap()).collect();
    assert_eq!(members, ["copy", "db", "web"]);
    assert!(shown["members"][2]["address6"].as_str().unwrap().ends_with("::a14:2"), "{shown}");
    let said = house.call("DELETE", "/v1/networks/backend", Value::Null).await.refused(409, "network-in-use");
    assert!(said["refusal"]["detail"]["en"].as_str().unwrap().contains("copy, db, web"), "{said}");

    // Who leaves gives it free; who is deleted keeps it while that can be undone.
    let none = json!({ "spec": { "networks": [] } });
    house.call("PATCH", "/v1/solutions/db", none).await.is(200);
    house.call("DELETE", "/v1/solutions/web", Value::Null).await.is(200);
    let next =
        house.call("POST", "/v1/solutions", server("next", json!(["backend"]))).await.is(201)["solution"].clone();
    assert_eq!(addresses(&next), ["10.20.0.4"], "2 is the deleted one's, 3 the copy's");
    house.call("DELETE", "/v1/networks/wide", Value::Null).await.is(204);
    let _ = wide;
    house.running.stop().await;
}
