//! The API as an account and as staff use it.

use crate::house::House;
use serde_json::{Value, json};

#[tokio::test]
async fn a_solution_is_made_changed_stopped_and_deleted() {
    let house = House::new().await;
    let said = house.call("POST", "/v1/solutions", json!({ "kind": "tiny", "name": "shop", "spec": { "names": ["Shop.example"] } })).await;
    assert_eq!(said.headers["etag"], "\"1\"");
    let made = said.is(201);
    let password = made["credentials"][0]["password"].as_str().expect("a password").to_owned();
    assert_eq!(password.len(), 20);
    let solution = &made["solution"];
    assert_eq!((&solution["spec"]["names"][0], &solution["state"]), (&json!("shop.example"), &json!("working")));

    let changed = house.call("PATCH", "/v1/solutions/shop", json!({ "spec": { "names": ["a.example", "b.example"] }, "labels": { "team": "x" } })).await.is(200);
    assert_eq!((&changed["generation"], &changed["spec"]["engine"]), (&json!(2), &json!("one")));
    let stopped = house.call("POST", "/v1/solutions/shop/stop", Value::Null).await.is(200);
    assert_eq!(stopped["aim"], "stop");
    house.call("PATCH", "/v1/solutions/shop", json!({ "protected": true })).await.is(200);
    house.call("DELETE", "/v1/solutions/shop", Value::Null).await.refused(409, "protected");
    house.call("PATCH", "/v1/solutions/shop", json!({ "protected": false })).await.is(200);
    let gone = house.call("DELETE", "/v1/solutions/shop", Value::Null).await.is(200);
    assert_eq!((&gone["aim"], gone["retain_until"].is_string()), (&json!("gone"), true));
    house.call("POST", "/v1/solutions/shop/start", Value::Null).await.refused(409, "is-deleted");
    let back = house.call("POST", "/v1/solutions/shop/undo", Value::Null).await.is(200);
    assert_eq!((&back["aim"], &back["retain_until"]), (&json!("stop"), &Value::Null), "it comes back as it was");
    house.call("POST", "/v1/solutions/shop/undo", Value::Null).await.refused(409, "nothing-to-undo");

    let events = house.get("/v1/solutions/shop/events").await;
    let kinds: Vec<&str> = events["items"].as_array().unwrap().iter().map(|e| e["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds[..3], ["solution.created", "solution.changed", "solution.stopped"]);
    let everything = house.get("/v1/evidence").await.to_string() + &events.to_string();
    assert!(!everything.contains(&password), "a password is shown once and kept nowhere");
    house.running.stop().await;
}
