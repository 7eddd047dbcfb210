//! A site made from another: its files and its database under names and a password of its own.

use super::{site, upload};
use husorden_world::{House, Who};
use serde_json::{Value, json};

#[test]
fn a_site_is_made_from_another_and_goes_its_own_way() {
    let house = House::up("copies").expect("the house comes up");
    a_wordpress_knows_its_new_address(&house);
    from_a_snapshot(&house);
}

fn create(house: &House, body: &Value) -> husorden_world::Answer {
    house.api(Who::Account, "POST", "/v1/solutions", Some(body)).expect("the API answers")
}

fn a_wordpress_knows_its_new_address(house: &House) {
    let copy = |domain: &str| json!({ "kind": "website", "name": "copy", "from": { "solution": "blog" }, "spec": { "domains": [domain] } });
    let taken = create(house, &copy("blog.demo-sites.test"));
    assert_eq!((taken.status, &taken.body["refusal"]["code"]), (409, &json!("claim-taken")), "{:?}", taken.body);
    let made = create(house, &copy("copy.demo-sites.test"));
    assert_eq!(made.status, 201, "{:?}", made.body);
    house.wait_state("copy", "running").expect("the copy runs");
    let page = house.get("copy.demo-sites.test", "/", &[]).expect("curl runs");
    assert_eq!(page.status, 200, "{page:?}");
    assert!(page.body.contains("https://copy.demo-sites.test/"), "it knows its address: {}", page.body);
    assert!(!page.body.contains("blog.demo-sites.test"), "and no longer the other's: {}", page.body);
    let first = house.get("blog.demo-sites.test", "/", &[]).expect("curl runs");
    assert!(first.status == 200 && first.body.contains("https://blog.demo-sites.test/"), "{first:?}");

    // The password that was shown is the copy's own.
    let credential = &made.body["credentials"][0];
    let (user, password) =
        (credential["username"].as_str().expect("a user"), credential["password"].as_str().expect("shown once"));
    let log_in = |domain: &str| {
        let form = format!("log={user}&pwd={password}&wp-submit=Log+In&testcookie=1");
        let more = ["--data", &form, "-H", "Cookie: wordpress_test_cookie=WP+Cookie+check"];
        house.get(domain, "/wp-login.php", &more).expect("curl runs").status
    };
    assert_eq!(log_in("copy.demo-sites.test"), 302, "it opens the copy");
    assert_eq!(log_in("blog.demo-sites.test"), 200, "and not what it was copied from");
}

fn from_a_snapshot(house: &House) {
    site(house, "first", json!({ "domains": ["first.demo-sites.test"], "runtime": "static", "database": "none" }));
    assert_eq!(upload(house, "first", &[("index.html", b"as it was")])["state"], "done");
    let order = house
        .api(Who::Account, "POST", "/v1/solutions/first/snapshots", Some(&json!({ "label": "kept" })))
        .expect("the API answers");
    house.wait_order(order.body["id"].as_str().expect("an id")).expect("it is taken");
    assert_eq!(upload(house, "first", &[("index.html", b"as it is")])["state"], "done");
    let list = house.api(Who::Account, "GET", "/v1/solutions/first/snapshots", None).expect("the API answers");
    let kept = list.body["items"].as_array().into_iter().flatten().find(|item| item["label"] == "kept").cloned();
    let snapshot = kept.expect("it is listed")["id"].clone();
    let body = json!({ "kind": "website", "name": "second", "from": { "solution": "first", "snapshot": snapshot },
        "spec": { "domains": ["second.demo-sites.test"] } });
    let made = create(house, &body);
    assert_eq!(made.status, 201, "{:?}", made.body);
    house.wait_state("second", "running").expect("the copy runs");
    let page = |domain: &str| house.get(domain, "/", &[]).expect("curl runs").body;
    assert_eq!(
        (page("second.demo-sites.test").as_str(), page("first.demo-sites.test").as_str()),
        ("as it was", "as it is")
    );
    // It may write what it was given, for it is its own.
    assert_eq!(upload(house, "second", &[("index.html", b"my own")])["state"], "done");
    assert_eq!(
        (page("second.demo-sites.test").as_str(), page("first.demo-sites.test").as_str()),
        ("my own", "as it is")
    );
}
