//! Firewalls and public addresses as a customer sees them whose browser runs no script.

use crate::client::{Client, Page, between, panel};
use crate::house::House;
use crate::people::owner;
use serde_json::json;

const LIST: &str = "/firewalls";
const PAGE: &str = "/firewalls/web";

/// Sends a form of a page as it is now, with the version it was made from.
async fn send(client: &mut Client, page: &str, to: &str, fields: &[(&str, &str)]) -> Page {
    let form = client.get(page).await.is(200);
    let seen = between(&form.body, "name=\"_generation\" value=\"", "\"").unwrap_or_default().to_owned();
    let fields: Vec<(&str, &str)> =
        [("_generation", seen.as_str())].into_iter().chain(fields.iter().copied()).collect();
    client.post(to, &form.token(), &fields).await
}

#[tokio::test]
async fn a_firewall_is_made_filled_applied_and_deleted_without_script() {
    let house = House::hosting(&husorden_kinds::KINDS, |_| {}).await;
    let router = panel(&house);
    let mut client = owner(&house, &router, house.ours).await;
    let form = json!({ "kind": "server", "name": "box", "labels": { "role": "web" } });
    let made = house.call("POST", "/v1/solutions", form).await.is(201)["solution"].clone();
    let id = made["id"].as_str().unwrap();
    client.get(LIST).await.is(200).says("No firewalls").says("Without rules nobody is let in");
    let wrong = send(&mut client, LIST, LIST, &[("/name", "My Web")]).await.is(200);
    wrong.says("href=\"#f-name\"").says("value=\"My Web\"");
    let made = send(&mut client, LIST, LIST, &[("/name", "web"), ("/labels", "role=db")]).await;
    assert_eq!(made.leads(), PAGE);
    client.get(PAGE).await.is(200).says("Nobody is let in yet").says("No servers yet");

    // What is wrong is said at its field, and what was typed stays.
    let rules = format!("{PAGE}/rules");
    let fields = |ports: &'static str, from: &'static str| {
        [("/protocol", "tcp"), ("/ports", ports), ("whom", "these"), ("/from", from), ("/note", "the site")]
    };
    let wrong = send(&mut client, PAGE, &rules, &fields("99999", "192.0.2.0/24")).await.is(200);
    wrong.says("href=\"#f-ports\"").says("value=\"99999\"").says("192.0.2.0/24</textarea>");
    let wrong = send(&mut client, PAGE, &rules, &fields("443", "192.0.2.7/24")).await.is(200);
    wrong.says("href=\"#f-from\"").says("192.0.2.0/24 for all of it");
    assert_eq!(send(&mut client, PAGE, &rules, &fields("443", "192.0.2.0/24\n2001:db8::/32")).await.leads(), PAGE);
    client.get(PAGE).await.is(200).says("TCP 443").says("<code>192.0.2.0/24</code>").says("the site");
    let wide = [("/protocol", "tcp"), ("/ports", "22"), ("whom", "all"), ("/from", ""), ("/note", "")];
    assert_eq!(send(&mut client, PAGE, &rules, &wide).await.leads(), PAGE);
    client.get(PAGE).await.is(200).says("Management is open to all: 22 (SSH)").says("everyone");
    client.get(LIST).await.is(200).says("Management is open to all");
    let gone = send(&mut client, PAGE, &format!("{PAGE}/rules/remove"), &[("rule", "1")]).await;
    assert_eq!(gone.leads(), PAGE);
    assert_eq!(house.get("/v1/firewalls/web").await["rules"].as_array().map(Vec::len), Some(1));
    // A version that somebody has changed since is not written over.
    let token = client.get(PAGE).await.is(200).token();
    let late = client.post(&format!("{PAGE}/rules/remove"), &token, &[("_generation", "1"), ("rule", "0")]).await;
    late.is(200).says("role=\"alert\"");

    let apply = format!("{PAGE}/solutions");
    let chosen = [("_solutions", "yes"), (id, "on"), ("/labels", "role=db")];
    assert_eq!(send(&mut client, PAGE, &apply, &chosen).await.leads(), PAGE);
    client.get(PAGE).await.is(200).says("href=\"/solutions/box\"").says("the rules open nothing there");
    assert_eq!(house.get("/v1/firewalls/web").await["solutions"], json!([id]));
    client.get(&format!("{PAGE}/delete")).await.is(200).says("open connections are cut");
    let token = client.get(PAGE).await.is(200).token();
    assert_eq!(client.post(&format!("{PAGE}/delete"), &token, &[]).await.leads(), LIST);
    client.get(PAGE).await.is(404);
    house.running.stop().await;
}

#[tokio::test]
async fn public_addresses_are_shown_and_named() {
    let house = House::hosting(&husorden_kinds::KINDS, |_| {}).await;
    let router = panel(&house);
    let mut client = owner(&house, &router, house.ours).await;
    house.call("POST", "/v1/solutions", json!({ "kind": "server", "name": "box" })).await.is(201);
    let before = client.get("/solutions/box").await.is(200);
    assert!(!before.body.contains("Public addresses"));
    client.get("/solutions/box/settings").await.is(200).says("Public IPv4 address").says("Public IPv6 net");
    house
        .sql(
            "insert into address (net, node, solution, account)
             select n, node, id, account from solution, (values (cidr '192.0.2.7/32'), ('2001:db8:0:7::/64')) v(n)",
        )
        .await;
    let page = client.get("/solutions/box").await.is(200);
    page.says("Public addresses").says("192.0.2.7").says("2001:db8:0:7::1").says("2001:db8:0:7::/64");
    let to = "/solutions/box/names";
    let wrong = [("/address", "192.0.2.8"), ("/name", "mail.shop.example")];
    let said = send(&mut client, "/solutions/box", to, &wrong).await.is(200);
    said.says("href=\"#f-address\"").says("value=\"192.0.2.8\"").says("192.0.2.7, 2001:db8:0:7::/64");
    let right = [("/address", "192.0.2.7"), ("/name", "mail.shop.example")];
    assert_eq!(send(&mut client, "/solutions/box", to, &right).await.leads(), "/solutions/box");
    client.get("/solutions/box").await.is(200).says("mail.shop.example");
    house.running.stop().await;
}
