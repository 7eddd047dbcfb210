//! Private networks, as a customer makes and uses them whose browser runs no script.

use crate::client::panel;
use crate::house::House;
use crate::people::owner;
use serde_json::{Value, json};

#[tokio::test]
async fn a_network_is_made_and_servers_put_in_and_taken_out_by_forms() {
    let house = House::new().await;
    let router = panel(&house);
    let mut client = owner(&house, &router, house.ours).await;
    let page = client.get("/networks").await.is(200);
    page.says("No private networks").says("value=\"10.20.0.0/24\"").says("It cannot be changed");
    // What is wrong is said at its field, and what was typed stays.
    let wrong = [("/name", "Back end"), ("/range", "192.0.2.0/24")];
    let said = client.post("/networks", &page.token(), &wrong).await.is(200);
    said.says("href=\"#f-name\"").says("href=\"#f-range\"").says("value=\"Back end\"").says("value=\"192.0.2.0/24\"");
    let made = client.post("/networks", &page.token(), &[("/name", "backend"), ("/range", "10.20.0.0/24")]).await;
    let path = made.leads().to_owned();
    let page = client.get(&path).await.is(200);
    page.says("No servers in the network").says("10.20.0.1").says("::/64").says("/create");

    let form = |name: &str| json!({ "kind": "gated", "name": name });
    let mut ids = Vec::new();
    for name in ["web", "db"] {
        let made = house.call("POST", "/v1/solutions", form(name)).await.is(201);
        ids.push(made["solution"]["id"].as_str().unwrap().to_owned());
    }
    house.create("site", json!({})).await;
    let page = client.get(&path).await.is(200);
    page.says(">web</option>").says(">db</option>");
    assert!(!page.body.contains(">site</option>"), "what knows of no networks joins none");
    let join = format!("{path}/join");
    let wrong = [("/server", ids[0].as_str()), ("/address", "10.20.0.1")];
    client.post(&join, &page.token(), &wrong).await.is(200).says("href=\"#f-address\"").says("the network's own");
    let fixed = [("/server", ids[0].as_str()), ("/address", "10.20.0.10")];
    assert_eq!(client.post(&join, &page.token(), &fixed).await.leads(), path);
    assert_eq!(client.post(&join, &page.token(), &[("/server", &ids[1]), ("/address", "")]).await.leads(), path);
    let page = client.get(&path).await.is(200);
    page.says("10.20.0.10").says("10.20.0.2").says("::a14:a").says("All your servers are in it");
    client.get("/networks").await.is(200).says("<td data-label=\"Servers\">2</td>");
    assert!(!page.body.contains(&format!("{path}/delete")), "nobody deletes what servers are in");

    let leave = format!("{path}/leave/{}", ids[0]);
    client.get(&leave).await.is(200).says("10.20.0.10 may then be given to another");
    assert_eq!(client.submit(&leave, &leave, &[]).await.leads(), path);
    assert_eq!(house.get("/v1/solutions/web").await["spec"]["networks"], json!([]));
    assert_eq!(client.submit(&path, &format!("{path}/rename"), &[("/name", "inner")]).await.leads(), path);
    let none = json!({ "spec": { "networks": [] } });
    house.call("PATCH", "/v1/solutions/db", none).await.is(200);
    client.submit("/", "/choices", &[("language", "da"), ("then", "/")]).await;
    client.get(&path).await.is(200).says("Ingen servere i netværket").says("Sæt en server i netværket").says(">inner<");
    let delete = format!("{path}/delete");
    client.get(&delete).await.is(200).says("Ingen server er i det");
    assert_eq!(client.submit(&delete, &delete, &[]).await.leads(), "/networks");
    assert_eq!(house.get("/v1/networks").await["items"], Value::Array(Vec::new()));

    // Nobody sees another account's.
    let made = house.call("POST", "/v1/networks", json!({ "name": "secret", "range": "10.20.0.0/24" })).await.is(201);
    let id = made["id"].as_str().unwrap();
    let mut other = owner(&house, &router, house.theirs).await;
    other.get(&format!("/networks/{id}")).await.is(404);
    assert!(!other.get("/networks").await.is(200).body.contains("secret"));
    house.running.stop().await;
}
