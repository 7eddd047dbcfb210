//! Public addresses, the names that lead back from them, and firewalls: what is given to whom, what is kept, and what nodes are told.

use crate::house::House;
use crate::node::{Node, until};
use husorden_kinds::public::Pools;
use husorden_wire::node::{SeenState, Verb, Wish};
use serde_json::{Value, json};

/// A control that hosts what the product does, and a node of it that was given these addresses.
async fn house(ipv4: &[&str], ipv6: &[&str]) -> (House, Node) {
    let house = House::hosting(&husorden_kinds::KINDS, |_| {}).await;
    let (mut node, _) = Node::hello(&house.config.node_socket).await;
    let pools = Pools {
        ipv4: ipv4.iter().map(|net| net.parse().unwrap()).collect(),
        ipv6: ipv6.iter().map(|net| net.parse().unwrap()).collect(),
    };
    node.health(|health| health.pools = pools).await;
    until("the node has told", async || house.exists("select from node where health <> '{}'").await.then_some(()))
        .await;
    (house, node)
}

fn server(name: &str, spec: Value) -> Value {
    json!({ "kind": "server", "name": name, "spec": spec, "labels": { "role": "web" } })
}

async fn make(house: &House, name: &str, spec: Value) -> Value {
    house.call("POST", "/v1/solutions", server(name, spec)).await.is(201)["solution"].clone()
}

fn addresses(solution: &Value) -> Vec<String> {
    let list = solution["addresses"].as_array().cloned().unwrap_or_default();
    list.iter().map(|one| one["net"].as_str().or(one["address"].as_str()).unwrap_or_default().to_owned()).collect()
}

async fn of(house: &House, name: &str) -> Vec<String> {
    addresses(&house.get(&format!("/v1/solutions/{name}")).await)
}

#[tokio::test]
async fn an_address_is_ones_alone_and_stays_until_it_is_given_up() {
    let (house, mut node) = house(&["192.0.2.8/31"], &["2001:db8:0:8::/63"]).await;
    let both = json!({ "public_ipv4": true, "public_ipv6": true });
    // Two at once, and one too many.
    let (one, two) = tokio::join!(make(&house, "one", both.clone()), make(&house, "two", both.clone()));
    let mut given = [addresses(&one), addresses(&two)];
    given.sort();
    assert_eq!(given, [["192.0.2.8", "2001:db8:0:8::/64"], ["192.0.2.9", "2001:db8:0:9::/64"]]);
    let said = house.call("POST", "/v1/solutions", server("three", both.clone())).await.refused(422, "invalid-fields");
    assert_eq!(said["refusal"]["fields"][0]["pointer"], "/spec/public_ipv4");
    assert!(!house.exists("select from solution where name = 'three'").await, "nothing was made");
    make(&house, "three", json!({})).await;
    let wishes = [node.wish().await, node.wish().await, node.wish().await];
    let told: Vec<usize> = wishes.iter().map(|wish| wish.public.nets().len()).collect();
    assert_eq!(told.iter().sum::<usize>(), 4, "the node is told: {told:?}");

    // It stays over a rebuild, a stop, and a deletion that is undone.
    let kept = of(&house, "one").await;
    for (method, path) in [
        ("POST", "/v1/solutions/one/rebuild"),
        ("POST", "/v1/solutions/one/stop"),
        ("POST", "/v1/solutions/one/start"),
        ("DELETE", "/v1/solutions/one"),
        ("POST", "/v1/solutions/one/undo"),
    ] {
        let said = house.call(method, path, Value::Null).await;
        assert!(said.status.is_success(), "{path}: {}", said.body);
        assert_eq!(of(&house, "one").await, kept, "{path}");
    }

    // Given up, it rests; who has none left to have is told so.
    let off = json!({ "spec": { "public_ipv4": false } });
    house.call("PATCH", "/v1/solutions/two", off).await.is(200);
    let six = of(&house, "two").await;
    assert!(six.len() == 1 && six[0].starts_with("2001:db8"), "{six:?}");
    let on = json!({ "spec": { "public_ipv4": true } });
    house.call("PATCH", "/v1/solutions/three", on.clone()).await.refused(422, "invalid-fields");
    house.sql("update address set freed = now() - interval '6 days' where solution is null").await;
    house.call("PATCH", "/v1/solutions/three", on.clone()).await.refused(422, "invalid-fields");
    house.sql("update address set freed = now() - interval '7 days' where solution is null").await;
    house.call("PATCH", "/v1/solutions/three", on).await.is(200);
    assert_eq!(of(&house, "three").await.len(), 1);

    // A solution that is buried has none.
    house.sql("update solution set deleted = now(), aim = 'gone', retain_until = now() where name = 'one'").await;
    assert!(house.exists("select from address where solution is null and freed is not null").await);
    assert!(
        !house.exists("select from address a join solution s on s.id = a.solution where s.deleted is not null").await
    );
}

#[tokio::test]
async fn a_change_that_waits_keeps_the_addresses_that_data_comes_back_with() {
    let (house, mut node) = house(&["192.0.2.8/31"], &[]).await;
    make(&house, "one", json!({})).await;
    let wish = node.wish().await;
    node.seen(&wish, SeenState::Settled, |seen| drop(seen.marks.insert("image".to_owned(), "debian-13".to_owned())))
        .await;
    let snapshot = house.call("POST", "/v1/solutions/one/snapshots", json!({ "label": "before" })).await.is(202);
    let (order, _) = node.verb().await;
    node.progress(order, husorden_wire::node::VerbState::done()).await;
    let path = format!("/v1/solutions/one/snapshots/{}/restore", snapshot["snapshot"].as_str().unwrap());
    until("it is taken", async || house.exists("select from snapshot where state = 'ready'").await.then_some(())).await;
    // Since then it was given an address; what comes back is data.
    house.call("PATCH", "/v1/solutions/one", json!({ "spec": { "public_ipv4": true, "cores": 2 } })).await.is(200);
    let given = of(&house, "one").await;
    house.call("POST", &path, json!({})).await.is(202);
    let (order, verb) = node.verb().await;
    assert!(matches!(verb, Verb::Restore { spec_follows: true, .. }), "the node waits for it: {verb:?}");
    node.progress(order, husorden_wire::node::VerbState::done()).await;
    until("it is restored", async || (house.get("/v1/solutions/one").await["spec"]["cores"] == 1).then_some(())).await;
    assert_eq!(of(&house, "one").await, given);
    assert_eq!(house.get("/v1/solutions/one").await["spec"]["public_ipv4"], true);
    assert_eq!(given.len(), 1);
}

#[tokio::test]
async fn where_no_addresses_are_to_be_had_the_field_says_so() {
    let (house, _node) = house(&[], &[]).await;
    for field in ["public_ipv4", "public_ipv6"] {
        let form = server("one", json!({ field: true }));
        let said = house.call("POST", "/v1/solutions", form).await.refused(422, "invalid-fields");
        assert_eq!(said["refusal"]["fields"][0]["pointer"], format!("/spec/{field}"));
    }
}

/// The next wish of a solution, after those of others.
async fn wish_of(node: &mut Node, name: &str) -> Wish {
    loop {
        let wish = node.wish().await;
        if wish.name.as_str() == name {
            return wish;
        }
    }
}

fn rule(ports: &str, from: &[&str]) -> Value {
    json!({ "protocol": "tcp", "ports": ports, "from": from, "note": "why" })
}

#[tokio::test]
async fn a_firewall_holds_by_labels_and_by_name_and_nodes_are_told_of_each_change() {
    let (house, mut node) = house(&["192.0.2.8/31"], &[]).await;
    let one = make(&house, "one", json!({ "public_ipv4": true })).await;
    make(&house, "two", json!({})).await;
    assert!(wish_of(&mut node, "one").await.rules.is_empty());

    let form = json!({ "name": "web", "labels": { "role": "web" }, "rules": [rule("80", &["192.0.2.0/24"])] });
    let said = house.call("POST", "/v1/firewalls", form.clone()).await;
    assert_eq!(said.headers["etag"], "\"1\"");
    let web = said.is(201);
    let holders: Vec<(&str, usize)> = web["holds_for"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["name"].as_str().unwrap(), one["addresses"].as_array().unwrap().len()))
        .collect();
    assert_eq!(holders, [("one", 1), ("two", 0)], "where it opens nothing is said too");
    let told = wish_of(&mut node, "one").await;
    assert_eq!(told.rules.len(), 1);
    assert_eq!((told.rules[0].ports.unwrap().first, told.rules[0].note.as_str()), (80, ""), "notes are for people");
    let twice = house.call("POST", "/v1/firewalls", form).await.refused(422, "invalid-fields");
    assert_eq!(twice["refusal"]["fields"][0]["pointer"], "/name");

    // By name as well, and the two together.
    let form = json!({ "name": "admin", "solutions": ["one"], "rules": [rule("3389", &["0.0.0.0/0"])] });
    let admin = house.call("POST", "/v1/firewalls", form).await.is(201);
    assert_eq!(admin["solutions"][0], one["id"]);
    assert_eq!(admin["findings"][0]["name"], "management-open");
    assert_eq!(wish_of(&mut node, "one").await.rules.len(), 2);
    let findings =
        |solution: &Value| solution["findings"].as_array().unwrap().iter().any(|one| one["name"] == "management-open");
    assert!(findings(&house.get("/v1/solutions/one").await), "told to the owner of the server");
    assert!(!findings(&house.get("/v1/solutions/two").await));

    // A change, with the version it was made from; another's is not lost.
    let change = json!({ "rules": [rule("443", &["0.0.0.0/0"])] });
    let mut stale = house.request(&house.account, "PATCH", "/v1/firewalls/admin", Some(&change));
    stale.headers_mut().insert("if-match", "\"7\"".parse().unwrap());
    assert_eq!(house.send(stale).await.status, 412);
    house.call("PATCH", "/v1/firewalls/admin", change).await.is(200);
    let ports = |wish: &Wish| wish.rules.iter().map(|rule| rule.ports.unwrap().first).collect::<Vec<_>>();
    assert_eq!(ports(&wish_of(&mut node, "one").await), [80, 443]);
    assert!(!findings(&house.get("/v1/solutions/one").await));

    // A label that goes takes the rules with it.
    house.call("PATCH", "/v1/solutions/one", json!({ "labels": {} })).await.is(200);
    assert_eq!(ports(&wish_of(&mut node, "one").await), [443]);
    house.call("DELETE", "/v1/firewalls/admin", Value::Null).await.is(204);
    assert_eq!(ports(&wish_of(&mut node, "one").await), Vec::<u16>::new());
    house.call("GET", "/v1/firewalls/admin", Value::Null).await.is(404);
    for act in ["create", "change", "delete"] {
        assert!(house.exists(&format!("select from evidence where act = 'firewall.{act}'")).await, "{act}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_firewall_is_said_at_its_field_and_what_is_too_much_is_refused() {
    let (house, _node) = house(&["192.0.2.8/31"], &[]).await;
    make(&house, "one", json!({})).await;
    house
        .call(
            "POST",
            "/v1/solutions",
            json!({ "kind": "website", "name": "site", "spec": { "domains": ["site.example"] } }),
        )
        .await
        .is(201);
    for (form, pointer) in [
        (json!({ "name": "Web" }), "/name"),
        (json!({ "name": "web", "rules": [rule("0", &["::/0"])] }), "/rules/0/ports"),
        (json!({ "name": "web", "rules": "all" }), "/rules"),
        (json!({ "name": "web", "labels": { "": "x" } }), "/labels/"),
        (json!({ "name": "web", "solutions": ["one", "nobody"] }), "/solutions/1"),
        (json!({ "name": "web", "solutions": ["site"] }), "/solutions/0"),
        (json!({ "name": "web", "open": true }), "/open"),
    ] {
        let said = house.call("POST", "/v1/firewalls", form.clone()).await.refused(422, "invalid-fields");
        assert_eq!(said["refusal"]["fields"][0]["pointer"], pointer, "{form}: {said}");
    }
    // What all of them come to is bounded, wherever it comes from.
    let many = |third: u8| -> Vec<String> { (0..100).map(|last| format!("203.0.{third}.{}", last * 2)).collect() };
    let rules: Vec<Value> =
        (0..20_u8).map(|third| json!({ "protocol": "udp", "ports": "53", "from": many(third) })).collect();
    let full = json!({ "name": "full", "labels": { "role": "web" }, "rules": rules });
    house.call("POST", "/v1/firewalls", full).await.is(201);
    let more = json!({ "name": "more", "labels": { "more": "yes" }, "rules": [rule("80", &["::/0"])] });
    house.call("POST", "/v1/firewalls", more.clone()).await.is(201);
    let labels = json!({ "labels": { "role": "web", "more": "yes" } });
    let said = house.call("PATCH", "/v1/solutions/one", labels).await.refused(422, "invalid-fields");
    assert_eq!(said["refusal"]["fields"][0]["pointer"], "/labels");
    let named = json!({ "solutions": ["one"] });
    let said = house.call("PATCH", "/v1/firewalls/more", named).await.refused(422, "invalid-fields");
    assert_eq!(said["refusal"]["fields"][0]["pointer"], "/rules");
    for count in 2..50 {
        house.call("POST", "/v1/firewalls", json!({ "name": format!("f{count}") })).await.is(201);
    }
    house.call("POST", "/v1/firewalls", json!({ "name": "last" })).await.refused(409, "too-many-firewalls");
}

#[tokio::test]
async fn a_name_leads_back_from_an_address_for_as_long_as_that_is_held() {
    let (house, _node) = house(&["192.0.2.8/31"], &["2001:db8:0:8::/63"]).await;
    make(&house, "one", json!({ "public_ipv4": true, "public_ipv6": true })).await;
    make(&house, "two", json!({})).await;
    let path = "/v1/solutions/one/reverse-names";
    for (form, pointer) in [
        (json!({ "address": "192.0.2.9", "name": "mail.shop.example" }), "/address"),
        (json!({ "address": "nowhere", "name": "mail.shop.example" }), "/address"),
        (json!({ "address": "192.0.2.8", "name": "not a name" }), "/name"),
    ] {
        let said = house.call("PUT", path, form.clone()).await.refused(422, "invalid-fields");
        assert_eq!(said["refusal"]["fields"][0]["pointer"], pointer, "{form}");
    }
    let said = house
        .call("PUT", "/v1/solutions/two/reverse-names", json!({ "address": "192.0.2.8", "name": "x.example" }))
        .await;
    said.refused(409, "no-public-address");
    house.call("PUT", path, json!({ "address": "192.0.2.8", "name": "mail.shop.example" })).await.is(200);
    let six = json!({ "address": "2001:db8:0:8::25", "name": "six.shop.example" });
    let shown = house.call("PUT", path, six).await.is(200);
    assert_eq!(shown["addresses"][0]["names"][0]["name"], "mail.shop.example");
    assert_eq!(shown["addresses"][1]["names"][0]["address"], "2001:db8:0:8::25");

    let zone = async || {
        let response = tower::ServiceExt::oneshot(
            house.router.clone(),
            house.request(&house.staff, "GET", "/v1/reverse-zone", None),
        );
        let bytes = axum::body::to_bytes(response.await.unwrap().into_body(), 1 << 20).await.unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    };
    let told = zone().await;
    assert!(told.contains("8.2.0.192.in-addr.arpa. 3600 IN PTR mail.shop.example.\n"), "{told}");
    assert!(told.contains("5.2.0.0.") && told.contains(".ip6.arpa. 3600 IN PTR six.shop.example.\n"), "{told}");
    house.call("GET", "/v1/reverse-zone", Value::Null).await.is(403);

    house.call("PUT", path, json!({ "address": "2001:db8:0:8::25" })).await.is(200);
    assert!(!zone().await.contains("six.shop.example"));
    // What is given up takes its names with it.
    house.call("PATCH", "/v1/solutions/one", json!({ "spec": { "public_ipv4": false } })).await.is(200);
    assert_eq!(zone().await, "");
}
