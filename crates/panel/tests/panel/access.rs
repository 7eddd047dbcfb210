//! Who may connect, as a customer changes it whose browser runs no script.

use crate::client::{between, panel};
use crate::house::House;
use crate::people::owner;
use husorden_control::doors::Role;
use serde_json::{Value, json};

/// A solution with a list, made by the API.
async fn gated(house: &House) -> Value {
    let form = json!({ "kind": "gated", "name": "db" });
    house.call("POST", "/v1/solutions", form).await.is(201)["solution"].clone()
}

/// Somebody was refused.
async fn refused(house: &House, solution: &Value, net: &str) -> String {
    let mut owner = crate::cluster::connect(&house.config.database, Role::Owner).await;
    let sql = "insert into refused (solution, account, net, port, attempts, first, last)
               values ($1::uuid, $2, $3, 5432, 4, now(), now()) returning id::text";
    let id = solution["id"].as_str().unwrap();
    sqlx::query_scalar(sql).bind(id).bind(house.ours.0).bind(net).fetch_one(&mut owner).await.unwrap()
}

async fn spec(house: &House) -> Value {
    house.get("/v1/solutions/db").await["spec"].clone()
}

fn nets(spec: &Value) -> Vec<String> {
    spec["allow"].as_array().unwrap().iter().map(|entry| entry["net"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_list_is_filled_emptied_and_opened_without_script() {
    let house = House::new().await;
    let router = panel(&house);
    let mut client = owner(&house, &router, house.ours).await;
    let solution = gated(&house).await;
    let path = "/solutions/db/access";
    client.get("/solutions/db").await.is(200).says("Nobody may connect yet").says(path);
    let page = client.get(path).await.is(200);
    page.says("try to connect: whoever is refused appears here");
    let version = |page: &str| between(page, "name=\"_generation\" value=\"", "\"").unwrap().to_owned();

    // What is wrong is said at its field, in the form's own names, and what was typed stays.
    let seen = version(&page.body);
    let fields =
        [("_generation", seen.as_str()), ("/net", "192.0.2.7/24"), ("/note", "the office"), ("/until", "week")];
    let wrong = client.post(path, &page.token(), &fields).await.is(200);
    wrong
        .says("write 192.0.2.0/24")
        .says("href=\"#f-net\"")
        .says("value=\"the office\"")
        .says("value=\"192.0.2.7/24\"");
    wrong.says("<option value=\"week\" selected>");
    assert!(nets(&spec(&house).await).is_empty());

    let fields =
        [("_generation", seen.as_str()), ("/net", "192.0.2.0/24"), ("/note", "the office"), ("/until", "week")];
    assert_eq!(client.post(path, &page.token(), &fields).await.leads(), path);
    let page = client.get(path).await.is(200);
    page.says("192.0.2.0/24").says("the office").says("in 6 days");
    let until: jiff::Timestamp = spec(&house).await["allow"][0]["until"].as_str().unwrap().parse().unwrap();
    assert_eq!((until - jiff::Timestamp::now()).total(jiff::Unit::Hour).unwrap().round(), 168.0);
    // Of two who change it at once, the second is told.
    let late = client.post(path, &page.token(), &[("_generation", seen.as_str()), ("/net", "192.0.2.1")]).await.is(200);
    late.says("note warn");
    assert_eq!(nets(&spec(&house).await), ["192.0.2.0/24"]);

    // A refused attempt is let in by one press, and another sent away.
    let one = refused(&house, &solution, "203.0.113.7/32").await;
    let two = refused(&house, &solution, "2001:db8:1::/64").await;
    let page = client.get(path).await.is(200);
    page.says("Allow 203.0.113.7?").says("4 attempts, last ").says("Allow 2001:db8:1::/64?");
    client.get("/solutions/db").await.is(200).says("Allow 203.0.113.7?");
    let seen = version(&page.body);
    let accept = format!("/solutions/db/proposals/{one}/accept");
    let hours = [("_generation", seen.as_str()), ("until", "hours")];
    assert_eq!(client.post(&accept, &page.token(), &hours).await.leads(), path);
    let dismiss = format!("/solutions/db/proposals/{two}/dismiss");
    assert_eq!(client.post(&dismiss, &page.token(), &[]).await.leads(), path);
    let page = client.get(path).await.is(200);
    assert!(!page.body.contains("Allow "), "nothing is proposed any more");
    assert_eq!(nets(&spec(&house).await), ["192.0.2.0/24", "203.0.113.7/32"]);

    // Opening to all takes the word, and is seen on every page of it until it is closed.
    let seen = version(&page.body);
    let open = "/solutions/db/access/open";
    client.post(open, &page.token(), &[("_generation", &seen)]).await.is(200).says("0.0.0.0/0 is as good as everyone");
    let ack = [("_generation", seen.as_str()), ("ack", "on")];
    assert_eq!(client.post(open, &page.token(), &ack).await.leads(), path);
    for (page, said) in
        [("/solutions/db", "Open to all"), ("/", "db: Open to all"), (path, "The whole internet may connect")]
    {
        client.get(page).await.is(200).says(said);
    }
    let page = client.get(path).await.is(200);
    let seen = version(&page.body);
    let close = client.post("/solutions/db/access/close", &page.token(), &[("_generation", &seen)]).await;
    assert_eq!(close.leads(), path);
    assert_eq!(nets(&spec(&house).await), ["192.0.2.0/24", "203.0.113.7/32"]);

    let page = client.get(path).await.is(200);
    let seen = version(&page.body);
    let remove = [("_generation", seen.as_str()), ("net", "192.0.2.0/24")];
    assert_eq!(client.post("/solutions/db/access/remove", &page.token(), &remove).await.leads(), path);
    assert_eq!(nets(&spec(&house).await), ["203.0.113.7/32"]);
    // The form of other settings leaves the list alone.
    let page = client.get("/solutions/db/settings").await.is(200);
    assert!(!page.body.contains("/spec/allow") && !page.body.contains("/spec/open_to_all"));

    // Danish too; and a kind without a list has no such page.
    client.submit("/", "/choices", &[("language", "da"), ("then", "/")]).await;
    client.get(path).await.is(200).says("Hvem må forbinde").says("Fjern");
    house.create("shop", json!({})).await;
    client.get("/solutions/shop/access").await.is(404);
    assert!(!client.get("/solutions/shop").await.is(200).body.contains("/solutions/shop/access"));
    house.running.stop().await;
}

#[tokio::test]
async fn what_was_measured_is_shown_as_curves() {
    let house = House::new().await;
    let router = panel(&house);
    let mut client = owner(&house, &router, house.ours).await;
    let solution = gated(&house).await;
    client.get("/solutions/db/figures").await.is(200).says("Nothing measured yet");
    let mut connection = crate::cluster::connect(&house.config.database, Role::Owner).await;
    let sql = "insert into sample (solution, account, at, figures)
               select $1::uuid, $2, date_trunc('minute', now() - make_interval(mins => m)), jsonb_build_object('memory', 1048576 * m)
               from generate_series(1, 30) m";
    let id = solution["id"].as_str().unwrap();
    sqlx::query(sql).bind(id).bind(house.ours.0).execute(&mut connection).await.unwrap();
    for hours in ["", "?hours=1", "?hours=168", "?hours=7"] {
        let page = client.get(&format!("/solutions/db/figures{hours}")).await.is(200);
        page.says("Memory").says("<path class=\"curve\"").says("MiB");
        assert!(!page.body.contains("Nothing measured yet") && !page.body.contains("Processor"), "{hours}");
    }
}
