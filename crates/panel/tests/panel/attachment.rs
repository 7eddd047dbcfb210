//! Attaching, moving data and taking the attachment off, as a customer does it whose browser runs no script.

use crate::client::{between, panel};
use crate::house::House;
use crate::people::owner;
use serde_json::{Value, json};

#[tokio::test]
async fn a_solution_is_attached_and_its_data_moved_by_forms() {
    let house = House::new().await;
    let router = panel(&house);
    let mut client = owner(&house, &router, house.ours).await;
    house.create("shop", json!({})).await;
    let path = "/solutions/shop/attachment";
    client.get("/solutions/shop").await.is(200).says(path);
    client.get(path).await.is(200).says("There is nothing to attach");
    let form = json!({ "kind": "gated", "name": "data", "spec": { "databases": ["app", "more"] } });
    let data = house.call("POST", "/v1/solutions", form).await.is(201)["solution"]["id"].as_str().unwrap().to_owned();
    client.get("/solutions/data/attachment").await.is(200).says("No solution uses it");
    let page = client.get(path).await.is(200);
    page.says("data: app (MariaDB)").says("data: more (MariaDB)").says("nobody sees or types it");
    let version = |page: &str| between(page, "name=\"_generation\" value=\"", "\"").unwrap().to_owned();
    let attach = async || -> Value { house.get("/v1/solutions/shop").await["spec"]["attach"].clone() };

    // What the API refuses is said at the field.
    let seen = version(&page.body);
    let wrong = [("_generation", seen.as_str()), ("/attach/solution", &format!("{data} none"))];
    client
        .post(path, &page.token(), &wrong)
        .await
        .is(200)
        .says("has no database none")
        .says("href=\"#f-attach-database\"");
    let fields = [("_generation", seen.as_str()), ("/attach/solution", &format!("{data} app"))];
    assert_eq!(client.post(path, &page.token(), &fields).await.leads(), path);
    assert_eq!(attach().await, json!({ "solution": data, "database": "app", "holds": false }));
    let page = client.get(path).await.is(200);
    page.says("Move the data there").says("Take the attachment off").says("Lies on the solution itself");
    client.get("/solutions/data/attachment").await.is(200).says("Used by").says(path);

    let press = |page: &str| version(page);
    let seen = press(&page.body);
    let there = client.post(&format!("{path}/move"), &page.token(), &[("_generation", &seen)]).await;
    assert_eq!(there.leads(), path);
    let page = client.get(path).await.is(200);
    page.says("Lies there").says("Move the data back");
    assert!(!page.body.contains("Take the attachment off"), "the data comes home first");
    let seen = press(&page.body);
    assert_eq!(client.post(&format!("{path}/return"), &page.token(), &[("_generation", &seen)]).await.leads(), path);
    let page = client.get(path).await.is(200);
    let seen = press(&page.body);
    assert_eq!(client.post(&format!("{path}/end"), &page.token(), &[("_generation", &seen)]).await.leads(), path);
    assert_eq!(attach().await, Value::Null);
    client.submit("/", "/choices", &[("language", "da"), ("then", "/")]).await;
    client.get(path).await.is(200).says("Tilknyt en database").says("Flyt også løsningens data dertil");
    house.running.stop().await;
}
