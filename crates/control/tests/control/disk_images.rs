//! Disk images: what they are made of, how servers name them, and who may.

use crate::house::House;
use crate::node::{Node, until};
use husorden_wire::node::{SeenState, VerbState, VolumeUsage};
use serde_json::{Value, json};

fn pointer(said: &Value) -> &Value {
    &said["refusal"]["fields"][0]["pointer"]
}

#[tokio::test]
async fn an_image_is_its_accounts_own_and_servers_name_it_as_people_do() {
    let house = House::hosting(&husorden_kinds::KINDS, |_| {}).await;
    let (mut node, _) = Node::hello(&house.config.node_socket).await;
    let make = async |form: Value| house.call("POST", "/v1/solutions", form).await;
    let none = make(json!({ "kind": "disk-image", "name": "golden" })).await.refused(422, "invalid-fields");
    assert_eq!(pointer(&none), "/from");
    make(json!({ "kind": "server", "name": "web", "spec": { "disk": "3 GiB", "firmware": "uefi" } })).await.is(201);
    make(json!({ "kind": "database", "name": "db" })).await.is(201);
    let of = |solution: &str| json!({ "kind": "disk-image", "name": "golden", "from": { "solution": solution } });
    assert_eq!(pointer(&make(of("db")).await.refused(422, "invalid-fields")), "/kind");
    for wish in [node.wish().await, node.wish().await] {
        node.seen(&wish, SeenState::Settled, |seen| {
            seen.usage = Some(VolumeUsage::default());
            drop(seen.marks.insert("disk".to_owned(), (3_u64 << 30).to_string()));
        })
        .await;
    }
    let golden = make(of("web")).await.is(201)["solution"].clone();
    let (spec, number) = (&golden["spec"], golden["number"].as_u64().expect("a number"));
    assert_eq!(
        (&spec["disk"], &spec["origin"], &spec["firmware"]),
        (&json!(3_u64 << 30), &json!("debian-13"), &json!("uefi"))
    );
    let (order, _) = node.verb().await;
    node.progress(order, VerbState::done()).await;
    let wish = node.wish().await;
    assert!(wish.kind == "disk-image" && wish.from.is_some(), "it is made of a snapshot: {wish:?}");
    let patch = json!({ "spec": { "disk": "4 GiB" } });
    let changed = house.call("PATCH", "/v1/solutions/golden", patch).await.refused(422, "invalid-fields");
    assert_eq!(pointer(&changed), "/spec/disk");

    house.call("POST", "/v1/solutions/golden/reset", Value::Null).await.refused(409, "nothing-runs");

    // By its name, by its id, and as it is kept.
    let word = format!("own-{number}");
    let id = golden["id"].as_str().expect("an id");
    for (name, image) in [("one", "golden"), ("two", id), ("three", word.as_str())] {
        let made = make(json!({ "kind": "server", "name": name, "spec": { "image": image } })).await.is(201);
        assert_eq!((&made["solution"]["spec"]["image"], &made["solution"]["image"]), (&json!(word), &json!("golden")));
    }
    let kinds = house.get("/v1/kinds").await;
    assert!(kinds.to_string().contains(&format!("\"{word}\"")), "the form offers it: {kinds}");
    let small = json!({ "kind": "server", "name": "four", "spec": { "image": "golden", "disk": "2 GiB" } });
    assert_eq!(pointer(&make(small).await.refused(422, "invalid-fields")), "/spec/disk");
    house.call("PATCH", "/v1/solutions/web", json!({ "spec": { "image": "golden" } })).await.is(200);

    // Another account has none of it: not by its name, not by its number, and is not offered it.
    let theirs = json!({ "kind": "server", "name": "theirs", "spec": { "image": word } });
    let said = house.send(house.request(&house.other, "POST", "/v1/solutions", Some(&theirs))).await;
    assert_eq!(pointer(&said.refused(422, "invalid-fields")), "/spec/image");
    let said = house.send(house.request(&house.other, "GET", "/v1/kinds", None)).await.is(200);
    assert!(!said.to_string().contains(&word), "{said}");

    // What is on its way out gives nothing; who was made from it keeps what it has.
    house.call("DELETE", "/v1/solutions/golden", Value::Null).await;
    let five = json!({ "kind": "server", "name": "five", "spec": { "image": word } });
    assert_eq!(pointer(&make(five).await.refused(422, "invalid-fields")), "/spec/image");
    house.call("PATCH", "/v1/solutions/one", json!({ "spec": { "cores": 2 } })).await.is(200);
    until("it is shown", async || (house.get("/v1/solutions/one").await["image"] == "golden").then_some(())).await;
}
