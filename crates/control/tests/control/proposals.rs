//! Who may connect: allow-lists in specs, proposals made of refused attempts, and what is found unwise.

use crate::house::{House, Said};
use crate::node::{Node, snapshot, until};
use husorden_base::SolutionId;
use husorden_control::Visitor;
use husorden_wire::node::{FromNode, Refused, SeenState, VerbState, Wish};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// A gated solution that a node has settled on.
async fn gated(house: &House, node: &mut Node, name: &str, spec: Value) -> Wish {
    let form = json!({ "kind": "gated", "name": name, "spec": spec });
    house.call("POST", "/v1/solutions", form).await.is(201);
    let wish = node.wish().await;
    node.settled(&wish).await;
    wish
}

fn refused(solution: SolutionId, net: &str, attempts: u32) -> Refused {
    let last = Timestamp::now();
    Refused {
        solution,
        port: 5432,
        net: net.parse().unwrap(),
        attempts,
        first: last - SignedDuration::from_mins(2),
        last,
    }
}

/// The node says who was refused, and is heard.
async fn tell(node: &mut Node, wish: &Wish, refused: Vec<Refused>) {
    node.say(&FromNode::Refused { refused }).await;
    node.settled(wish).await;
}

async fn proposals(house: &House, name: &str) -> Vec<Value> {
    house.get(&format!("/v1/solutions/{name}/proposals")).await["items"].as_array().unwrap().clone()
}

async fn events(house: &House, kind: &str) -> usize {
    let events = house.get("/v1/events?limit=200").await;
    events["items"].as_array().unwrap().iter().filter(|event| event["kind"] == kind).count()
}

async fn acts(house: &House, act: &str) -> Vec<Value> {
    let lines = house.get("/v1/evidence?limit=200").await;
    lines["items"].as_array().unwrap().iter().filter(|line| line["act"] == act).cloned().collect()
}

fn pointers(body: &Value) -> Vec<String> {
    let fields = body["refusal"]["fields"].as_array().unwrap();
    fields.iter().map(|field| field["pointer"].as_str().unwrap().to_owned()).collect()
}

async fn change(house: &House, name: &str, spec: Value) -> Said {
    house.call("PATCH", &format!("/v1/solutions/{name}"), json!({ "spec": spec })).await
}

#[tokio::test]
async fn a_refused_attempt_becomes_an_entry_by_one_word() {
    let house = House::new().await;
    let (mut node, _) = Node::hello(&house.config.node_socket).await;
    let wish = gated(&house, &mut node, "db", json!({})).await;
    let spec = json!({ "allow": [], "open_to_all": false, "engine": "one", "databases": ["app"], "networks": [] });
    assert_eq!(wish.spec, spec);
    assert!(proposals(&house, "db").await.is_empty());
    tell(&mut node, &wish, vec![refused(wish.solution, "203.0.113.7/32", 3)]).await;
    tell(&mut node, &wish, vec![refused(wish.solution, "203.0.113.7/32", 1)]).await;
    tell(&mut node, &wish, vec![refused(wish.solution, "2001:db8:1:2::/64", 1)]).await;
    let listed = proposals(&house, "db").await;
    let of = |net: &str| listed.iter().find(|proposal| proposal["net"] == net).unwrap().clone();
    assert_eq!(listed.len(), 2);
    let first = of("203.0.113.7");
    assert_eq!((&first["attempts"], &first["port"], &first["own"]), (&json!(4), &json!(5432), &json!(false)));
    assert!(first["first"].as_str() < first["last"].as_str());
    assert_eq!(listed[0]["net"], "2001:db8:1:2::/64", "the newest first");
    assert_eq!(events(&house, "access.refused").await, 2, "told once a source");

    // Whoever asks from there is told so; a /64 is one subscriber.
    let mut request = house.request(&house.account, "GET", "/v1/solutions/db/proposals", None);
    request.extensions_mut().insert(Visitor("2001:db8:1:2::99".parse().unwrap()));
    let asked = house.send(request).await.is(200);
    let own: Vec<bool> = asked["items"].as_array().unwrap().iter().map(|one| one["own"] == true).collect();
    assert_eq!(own, [true, false]);

    let path = format!("/v1/solutions/db/proposals/{}/accept", first["id"].as_str().unwrap());
    let past = json!({ "until": Timestamp::now() - SignedDuration::from_secs(1), "note": "x".repeat(201) });
    let wrong = house.call("POST", &path, past).await.is(422);
    assert_eq!(pointers(&wrong), ["/note"]);
    let past = json!({ "until": Timestamp::now() - SignedDuration::from_secs(1) });
    assert_eq!(pointers(&house.call("POST", &path, past).await.is(422)), ["/until"]);
    let mut stale = house.request(&house.account, "POST", &path, Some(&json!({})));
    stale.headers_mut().insert("if-match", "\"9\"".parse().unwrap());
    house.send(stale).await.is(412);
    let mut foreign = house.request(&house.other, "POST", &path, Some(&json!({})));
    foreign.headers_mut().insert("if-match", "\"1\"".parse().unwrap());
    house.send(foreign).await.is(404);

    let end = Timestamp::now() + SignedDuration::from_hours(2);
    let mut right = house.request(&house.account, "POST", &path, Some(&json!({ "note": "office", "until": end })));
    right.headers_mut().insert("if-match", "\"1\"".parse().unwrap());
    let said = house.send(right).await;
    assert_eq!(said.headers["etag"], "\"2\"");
    let changed = said.is(200);
    let entry = json!({ "net": "203.0.113.7/32", "note": "office", "until": end });
    assert_eq!(changed["spec"]["allow"], json!([entry]));
    let next = node.wish().await;
    assert_eq!((next.generation, &next.spec["allow"]), (2, &json!([entry])), "no snapshot stands before it");
    assert_eq!(house.get("/v1/solutions/db/orders").await["items"], json!([]));
    assert_eq!(proposals(&house, "db").await.len(), 1);
    assert_eq!(events(&house, "access.allowed").await, 1);
    let line = &acts(&house, "access.allow").await[0];
    assert_eq!((&line["before"]["net"], &line["before"]["attempts"]), (&json!("203.0.113.7"), &json!(4)));

    // What is let in already is not proposed, also when the word of it comes late.
    tell(&mut node, &next, vec![refused(next.solution, "203.0.113.7/32", 1)]).await;
    assert_eq!(proposals(&house, "db").await.len(), 1);
    house.running.stop().await;
}

/// Whoever comes from an address opens for it, and it ends by itself; what lasts longer stays as it is.
#[tokio::test]
async fn one_lets_oneself_in_for_a_while() {
    let house = House::new().await;
    let (mut node, _) = Node::hello(&house.config.node_socket).await;
    gated(&house, &mut node, "db", json!({})).await;
    let path = "/v1/solutions/db/access";
    let from = async |address: &str, form: Value| {
        let mut request = house.request(&house.account, "POST", path, Some(&form));
        request.extensions_mut().insert(Visitor(address.parse().unwrap()));
        house.send(request).await
    };
    for (form, pointer) in [
        (json!({ "minutes": 4 }), "/minutes"),
        (json!({ "minutes": 721 }), "/minutes"),
        (json!({ "net": "anywhere" }), "/net"),
        (json!({ "net": "192.0.2.7/24" }), "/net"),
        (json!({ "note": "x".repeat(201) }), "/note"),
    ] {
        assert_eq!(pointers(&from("203.0.113.7", form).await.is(422)), [pointer]);
    }
    from("127.0.0.1", json!({})).await.is(422);
    let mut foreign = house.request(&house.other, "POST", path, Some(&json!({})));
    foreign.extensions_mut().insert(Visitor("203.0.113.9".parse().unwrap()));
    house.send(foreign).await.is(404);

    let end = |said: &Value, place: usize| {
        said["spec"]["allow"][place]["until"].as_str().unwrap().parse::<Timestamp>().unwrap()
    };
    let near = |end: Timestamp, minutes: i64| {
        (end - Timestamp::now()).total(jiff::Unit::Second).unwrap() - (minutes * 60) as f64 > -30.0
            && end < Timestamp::now() + SignedDuration::from_mins(minutes)
    };
    let said = from("203.0.113.7", json!({ "note": "anna" })).await.is(200);
    assert_eq!(
        (&said["spec"]["allow"][0]["net"], &said["spec"]["allow"][0]["note"]),
        (&json!("203.0.113.7/32"), &json!("anna"))
    );
    assert!(near(end(&said, 0), 120), "{said}");
    let wish = node.wish().await;
    assert_eq!(wish.spec["allow"], said["spec"]["allow"], "nothing stands before it");
    // A shorter while takes nothing away, and a longer one gives more; a /64 is one subscriber.
    assert_eq!(end(&from("203.0.113.7", json!({ "minutes": 30 })).await.is(200), 0), end(&said, 0));
    assert!(near(end(&from("203.0.113.7", json!({ "minutes": 480 })).await.is(200), 0), 480));
    let said = from("2001:db8:1:2::99", json!({ "minutes": 5 })).await.is(200);
    assert_eq!(said["spec"]["allow"][1]["net"], "2001:db8:1:2::/64");
    // What stays is not given an end.
    change(&house, "db", json!({ "allow": [{ "net": "203.0.113.7", "note": "office" }] })).await.is(200);
    let said = from("203.0.113.7", json!({})).await.is(200);
    assert_eq!(said["spec"]["allow"], json!([{ "net": "203.0.113.7/32", "note": "office", "until": null }]));
    let lines = acts(&house, "access.open").await;
    let first = lines.iter().find(|line| line["before"]["note"] == "anna").unwrap();
    assert_eq!(
        (&first["before"]["net"], &first["before"]["asked-from"]),
        (&json!("203.0.113.7"), &json!("203.0.113.7"))
    );
    assert!(first["before"]["ends"].is_string() && events(&house, "access.opened").await >= 4, "{first}");
    house.running.stop().await;
}

#[tokio::test]
async fn what_is_dismissed_is_not_proposed_again() {
    let house = House::new().await;
    let (mut node, _) = Node::hello(&house.config.node_socket).await;
    let wish = gated(&house, &mut node, "db", json!({})).await;
    tell(&mut node, &wish, vec![refused(wish.solution, "198.51.100.9/32", 1)]).await;
    let id = proposals(&house, "db").await[0]["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/solutions/db/proposals/{id}");
    house.send(house.request(&house.other, "DELETE", &path, None)).await.is(404);
    house.staff("DELETE", &path, Value::Null).await.refused(403, "grant-needed");
    house.call("DELETE", &path, Value::Null).await.is(204);
    assert!(proposals(&house, "db").await.is_empty());
    tell(&mut node, &wish, vec![refused(wish.solution, "198.51.100.9/32", 5)]).await;
    assert!(proposals(&house, "db").await.is_empty());
    assert_eq!(events(&house, "access.refused").await, 1);
    assert_eq!(acts(&house, "proposal.dismiss").await[0]["before"]["net"], "198.51.100.9/32");

    // Where nothing can be let in, nothing is.
    house.create("shop", json!({})).await;
    let shop = node.wish().await;
    tell(&mut node, &shop, vec![refused(shop.solution, "198.51.100.9/32", 1)]).await;
    let id = proposals(&house, "shop").await[0]["id"].as_str().unwrap().to_owned();
    let accept = format!("/v1/solutions/shop/proposals/{id}/accept");
    house.call("POST", &accept, json!({})).await.refused(409, "no-allow-list");
    house.running.stop().await;
}

#[tokio::test]
async fn a_flood_of_strangers_is_kept_short() {
    let house = House::new().await;
    let (mut node, _) = Node::hello(&house.config.node_socket).await;
    let wish = gated(&house, &mut node, "db", json!({})).await;
    for high in 0..3 {
        let many = (0..150).map(|low| refused(wish.solution, &format!("198.51.{high}.{low}/32"), 1)).collect();
        tell(&mut node, &wish, many).await;
    }
    assert_eq!(proposals(&house, "db").await.len(), 100);
    assert_eq!(events(&house, "access.refused").await, 20);
    house.running.stop().await;
}

#[tokio::test]
async fn everyone_takes_a_word_that_is_written_down_and_shown() {
    let house = House::new().await;
    let (mut node, _) = Node::hello(&house.config.node_socket).await;
    gated(&house, &mut node, "db", json!({})).await;
    let everyone = json!([{ "net": "0.0.0.0/0" }, { "net": "::/0" }]);
    let wrong = change(&house, "db", json!({ "allow": everyone })).await.is(422);
    assert_eq!(pointers(&wrong), ["/spec/allow/0/net", "/spec/allow/1/net"]);
    assert!(acts(&house, "access.open-to-all").await.is_empty());
    let open = change(&house, "db", json!({ "allow": everyone, "open_to_all": true })).await.is(200);
    assert_eq!(
        (&open["findings"][0]["name"], &open["findings"][0]["severity"]),
        (&json!("open-to-all"), &json!("danger"))
    );
    assert_eq!(acts(&house, "access.open-to-all").await.len(), 1);
    let listed = house.get("/v1/solutions").await;
    assert_eq!(listed["items"][0]["findings"][0]["title"], "Open to all");
    let narrowed = change(&house, "db", json!({ "allow": [{ "net": "192.0.2.0/24" }] })).await.is(200);
    assert_eq!((&narrowed["findings"], &narrowed["spec"]["open_to_all"]), (&json!([]), &json!(false)));
    // The word does not last longer than what it was given for.
    change(&house, "db", json!({ "allow": everyone })).await.is(422);
    // From the first day as well.
    let form = json!({ "kind": "gated", "name": "wide", "spec": { "allow": everyone, "open_to_all": true } });
    house.call("POST", "/v1/solutions", form).await.is(201);
    assert_eq!(acts(&house, "access.open-to-all").await.len(), 2);
    house.running.stop().await;
}

#[tokio::test]
async fn ends_are_in_the_future_and_what_ended_leaves_the_list() {
    let house = House::new().await;
    let (mut node, _) = Node::hello(&house.config.node_socket).await;
    let late = Timestamp::now() + SignedDuration::from_hours(1);
    let entry = |net: &str, until: Timestamp| json!({ "net": net, "until": until });
    let past = entry("192.0.2.1", Timestamp::now() - SignedDuration::from_secs(1));
    let form = json!({ "kind": "gated", "name": "db", "spec": { "allow": [entry("192.0.2.2", late), past] } });
    let wrong = house.call("POST", "/v1/solutions", form).await.is(422);
    assert_eq!(pointers(&wrong), ["/spec/allow/1/until"]);
    let soon = Timestamp::now() + SignedDuration::from_secs(10);
    let spec = json!({ "allow": [entry("192.0.2.1", soon), entry("192.0.2.2", late)] });
    gated(&house, &mut node, "db", spec).await;
    while Timestamp::now() < soon {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let shown = house.get("/v1/solutions/db").await["spec"]["allow"].clone();
    assert_eq!(shown.as_array().unwrap().len(), 2, "a list changes by a change only");
    let mut list = shown.as_array().unwrap().clone();
    list.push(json!({ "net": "192.0.2.3" }));
    let changed = change(&house, "db", json!({ "allow": list })).await.is(200);
    let nets: Vec<&str> =
        changed["spec"]["allow"].as_array().unwrap().iter().map(|one| one["net"].as_str().unwrap()).collect();
    assert_eq!(nets, ["192.0.2.2/32", "192.0.2.3/32"]);
    house.running.stop().await;
}

/// Bringing data back lets nobody in who was taken off the list since, and no snapshot keeps anybody in meanwhile.
#[tokio::test]
async fn neither_undo_nor_a_snapshot_stands_in_the_way_of_who_may_connect() {
    let house = House::new().await;
    let (mut node, _) = Node::hello(&house.config.node_socket).await;
    gated(&house, &mut node, "db", json!({ "allow": [{ "net": "192.0.2.1" }] })).await;
    change(&house, "db", json!({ "engine": "two" })).await.is(200);
    let (order, verb) = node.verb().await;
    let husorden_wire::node::Verb::Snapshot { snapshot: taken, .. } = verb else { panic!("{verb:?}") };
    // Who may connect does not wait for the snapshot: it reaches the node at once, with the spec as it was.
    change(&house, "db", json!({ "allow": [{ "net": "192.0.2.5" }] })).await.is(200);
    let meanwhile = loop {
        let wish = node.wish().await;
        if wish.spec["allow"][0]["net"] == "192.0.2.5/32" {
            break wish;
        }
    };
    assert_eq!(meanwhile.spec["engine"], "one");
    node.progress(order, VerbState::done()).await;
    let second = loop {
        let wish = node.wish().await;
        if wish.spec["engine"] == "two" {
            break wish;
        }
    };
    node.seen(&second, SeenState::Settled, |seen| seen.snapshots = vec![snapshot(taken)]).await;
    change(&house, "db", json!({ "allow": [{ "net": "192.0.2.9" }] })).await.is(200);
    house.call("POST", "/v1/solutions/db/undo", Value::Null).await.is(202);
    let (undo, _) = node.verb().await;
    node.progress(undo, VerbState::done()).await;
    let spec = until("the spec is back", async || {
        let spec = house.get("/v1/solutions/db").await["spec"].clone();
        Some(spec).filter(|spec| spec["engine"] == "one")
    })
    .await;
    assert_eq!(spec["allow"][0]["net"], "192.0.2.9/32");
    house.running.stop().await;
}
