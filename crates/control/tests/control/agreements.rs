//! Agreements on port 25 out: asked for by an account, decided by staff, told to the node, and ended by either or by the clock.

use crate::house::House;
use crate::node::{Node, until};
use husorden_wire::node::Wish;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// A control that hosts what the product does, a node of it, and a server.
async fn house() -> (House, Node, Wish) {
    let house = House::hosting(&husorden_kinds::KINDS, |_| {}).await;
    let (mut node, _) = Node::hello(&house.config.node_socket).await;
    house.call("POST", "/v1/solutions", json!({ "kind": "server", "name": "post", "spec": {} })).await.is(201);
    let wish = node.wish().await;
    (house, node, wish)
}

fn asks() -> Value {
    json!({ "per_week": 2_000, "purpose": "  Receipts to customers of the shop.\n" })
}

async fn asked(house: &House) -> String {
    let said = house.call("POST", "/v1/solutions/post/agreements", asks()).await.is(201);
    said["id"].as_str().unwrap().to_owned()
}

async fn decided(house: &House, id: &str, form: Value) -> Value {
    house.staff("POST", &format!("/v1/agreements/{id}/decide"), form).await.is(200)
}

async fn line(house: &House, act: &str) -> bool {
    house
        .exists(&format!("select from evidence where act = '{act}' and account is not null and solution is not null"))
        .await
}

#[tokio::test]
async fn port_25_is_opened_by_an_agreement_and_closed_by_its_end() {
    let (house, mut node, before) = house().await;
    assert_eq!(before.mail_out, None);
    let said = house.call("POST", "/v1/solutions/post/agreements", asks()).await;
    assert_eq!(said.headers["etag"], "\"1\"");
    let made = said.is(201);
    let id = made["id"].as_str().unwrap();
    assert_eq!(
        (&made["state"], &made["subject"], &made["per_week"]),
        (&json!("asked"), &json!("port-25"), &json!(2_000))
    );
    assert_eq!(
        (&made["purpose"], &made["solution_name"]),
        (&json!("Receipts to customers of the shop."), &json!("post"))
    );
    house.call("POST", "/v1/solutions/post/agreements", asks()).await.refused(409, "agreement-open");
    // To ask opens nothing.
    assert_eq!(house.get("/v1/solutions/post").await["generation"], json!(before.generation));

    let waiting = house.staff("GET", "/v1/agreements?state=asked", Value::Null).await.is(200);
    assert_eq!(waiting["items"][0]["id"], *id);
    let end = Timestamp::now() + SignedDuration::from_hours(24);
    let form = json!({ "agree": true, "until": end, "reason": "Welcome." });
    let agreed = decided(&house, id, form).await;
    assert_eq!(
        (&agreed["state"], &agreed["version"], &agreed["reason"]),
        (&json!("agreed"), &json!(2), &json!("Welcome."))
    );
    let wish = node.wish().await;
    assert!(wish.generation > before.generation);
    let told = wish.mail_out.and_then(|leave| leave.until).unwrap();
    assert!(told.duration_since(end).abs() < SignedDuration::from_millis(1), "{told} {end}");
    decided_once(&house, id).await;
    let waits =
        "select from evidence where act = 'agreement.decide' and ended is null and await_generation is not null";
    assert!(house.exists(waits).await, "the line is open until the node has it");
    node.settled(&wish).await;
    until("the line is closed", async || (!house.exists(waits).await).then_some(())).await;

    // The account ends it, with the version that it has read.
    let path = format!("/v1/agreements/{id}");
    let mut stale = house.request(&house.account, "DELETE", &path, None);
    stale.headers_mut().insert("if-match", "\"1\"".parse().unwrap());
    assert_eq!(house.send(stale).await.status, 412);
    assert_eq!(house.call("DELETE", &path, Value::Null).await.is(200)["state"], "ended");
    assert_eq!(node.wish().await.mail_out, None);
    house.call("DELETE", &path, Value::Null).await.refused(409, "agreement-over");
    for act in ["ask", "decide", "end"] {
        assert!(line(&house, &format!("agreement.{act}")).await, "{act}");
    }

    // Again, without an end; this time staff end it, and say why.
    let id = asked(&house).await;
    decided(&house, &id, json!({ "agree": true })).await;
    assert_eq!(node.wish().await.mail_out, Some(husorden_kinds::MailOut::default()));
    let end = format!("/v1/agreements/{id}/end");
    let said = house.staff("POST", &end, json!({ "reason": " " })).await.refused(422, "invalid-fields");
    assert_eq!(said["refusal"]["fields"][0]["pointer"], "/reason");
    let ended = house.staff("POST", &end, json!({ "reason": "Complaints from receivers." })).await.is(200);
    assert_eq!((&ended["state"], &ended["end_reason"]), (&json!("ended"), &json!("Complaints from receivers.")));
    assert_eq!(node.wish().await.mail_out, None);
    let all = house.get("/v1/solutions/post/agreements").await;
    assert_eq!(all["items"].as_array().unwrap().len(), 2);
    assert_eq!(all["items"][0]["id"], *id, "newest first");
    house.running.stop().await;
}

async fn decided_once(house: &House, id: &str) {
    let again = json!({ "agree": false, "reason": "On second thoughts." });
    house.staff("POST", &format!("/v1/agreements/{id}/decide"), again).await.refused(409, "agreement-decided");
}

#[tokio::test]
async fn an_agreement_ends_by_the_clock_and_with_its_solution() {
    let (house, mut node, _) = house().await;
    let id = asked(&house).await;
    decided(&house, &id, json!({ "agree": true, "until": Timestamp::now() + SignedDuration::from_secs(6) })).await;
    assert!(node.wish().await.mail_out.is_some());
    let path = format!("/v1/agreements/{id}");
    let ended = until("it is over", async || Some(house.get(&path).await).filter(|one| one["state"] == "ended")).await;
    assert!(ended["ended_by"].is_null() && ended["ended"] == ended["until"], "{ended}");
    assert_eq!(node.wish().await.mail_out, None);
    let told = "select from event where kind = 'agreement.ended' and data->>'why' = 'time'";
    assert!(house.exists(told).await && line(&house, "agreement.end").await);

    let id = asked(&house).await;
    house.sql("update solution set deleted = now(), aim = 'gone', retain_until = now() where name = 'post'").await;
    let path = format!("/v1/agreements/{id}/decide");
    house.staff("POST", &path, json!({ "agree": true })).await.refused(409, "agreement-decided");
    house.running.stop().await;
}

#[tokio::test]
async fn a_no_has_a_reason_and_opens_nothing_and_a_request_can_be_withdrawn() {
    let (house, _node, before) = house().await;
    let id = asked(&house).await;
    let decide = format!("/v1/agreements/{id}/decide");
    let past = Timestamp::now() - SignedDuration::from_secs(1);
    let future = Timestamp::now() + SignedDuration::from_hours(1);
    for (form, pointer) in [
        (json!({}), "/agree"),
        (json!({ "agree": false }), "/reason"),
        (json!({ "agree": false, "reason": "x".repeat(1_001) }), "/reason"),
        (json!({ "agree": false, "reason": "No.", "until": future }), "/until"),
        (json!({ "agree": true, "until": past }), "/until"),
        (json!({ "agree": true, "until": "tomorrow" }), "/until"),
    ] {
        let said = house.staff("POST", &decide, form.clone()).await.refused(422, "invalid-fields");
        assert_eq!(said["refusal"]["fields"][0]["pointer"], pointer, "{form}");
    }
    let refused = decided(&house, &id, json!({ "agree": false, "reason": "Use the relay." })).await;
    assert_eq!((&refused["state"], &refused["reason"]), (&json!("refused"), &json!("Use the relay.")));
    let end = format!("/v1/agreements/{id}/end");
    house.staff("POST", &end, json!({ "reason": "x" })).await.refused(409, "agreement-over");

    let id = asked(&house).await;
    let end = format!("/v1/agreements/{id}/end");
    house.staff("POST", &end, json!({ "reason": "x" })).await.refused(409, "agreement-undecided");
    let path = format!("/v1/agreements/{id}");
    assert_eq!(house.call("DELETE", &path, Value::Null).await.is(200)["state"], "ended");
    assert_eq!(house.get("/v1/solutions/post").await["generation"], json!(before.generation), "nothing was opened");

    // Often enough is enough.
    for _ in 0..3 {
        let id = asked(&house).await;
        house.call("DELETE", &format!("/v1/agreements/{id}"), Value::Null).await.is(200);
    }
    house.call("POST", "/v1/solutions/post/agreements", asks()).await.refused(409, "asked-enough");
    house.running.stop().await;
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_said_at_its_field_and_only_servers_may_ask() {
    let (house, _node, _) = house().await;
    let path = "/v1/solutions/post/agreements";
    for (form, pointers) in [
        (json!({}), vec!["/per_week", "/purpose"]),
        (json!({ "per_week": 0, "purpose": "x" }), vec!["/per_week"]),
        (json!({ "per_week": 1_000_001, "purpose": "x" }), vec!["/per_week"]),
        (json!({ "per_week": "many", "purpose": "x" }), vec!["/per_week"]),
        (json!({ "per_week": 1, "purpose": " " }), vec!["/purpose"]),
        (json!({ "per_week": 1, "purpose": "å".repeat(1_001) }), vec!["/purpose"]),
        (json!({ "subject": "port-26", "per_week": 1, "purpose": "x" }), vec!["/subject"]),
        (json!({ "per_week": 1, "purpose": "x", "until": "2030-01-01T00:00:00Z" }), vec!["/until"]),
    ] {
        let said = house.call("POST", path, form.clone()).await.refused(422, "invalid-fields");
        let fields = said["refusal"]["fields"].as_array().unwrap().clone();
        let told: Vec<&str> = fields.iter().map(|field| field["pointer"].as_str().unwrap()).collect();
        assert_eq!(told, pointers, "{form}");
    }
    let fine = json!({ "per_week": 1_000_000, "purpose": "å".repeat(1_000) });
    house.call("POST", path, fine).await.is(201);
    let db = json!({ "kind": "database", "name": "db", "spec": { "engine": "postgresql-17" } });
    house.call("POST", "/v1/solutions", db).await.is(201);
    house.call("POST", "/v1/solutions/db/agreements", asks()).await.refused(409, "nothing-to-agree");
    let said = house.call("GET", "/v1/agreements?state=maybe", Value::Null).await.refused(422, "invalid-fields");
    assert!(said["refusal"]["fields"][0]["pointer"].as_str().unwrap().starts_with('?'), "{said}");
    house.running.stop().await;
}

#[tokio::test]
async fn only_whoever_decides_cases_says_yes_and_an_account_sees_its_own() {
    let (house, _node, _) = house().await;
    let id = asked(&house).await;
    let decide = format!("/v1/agreements/{id}/decide");
    house.call("POST", &decide, json!({ "agree": true })).await.refused(403, "staff-only");
    let desk = json!({ "label": "desk", "scope": { "capabilities": ["staff-read", "account-administer"] } });
    let desk = house.staff("POST", "/v1/tokens", desk).await.is(201)["token"].as_str().unwrap().to_owned();
    let form = json!({ "agree": true });
    house.send(house.request(&desk, "POST", &decide, Some(&form))).await.refused(403, "capability-missing");
    let seen = house.send(house.request(&desk, "GET", "/v1/agreements", None)).await.is(200);
    assert_eq!(seen["items"].as_array().unwrap().len(), 1);
    // In an account's name staff end nothing without its leave.
    house.staff("DELETE", &format!("/v1/agreements/{id}"), Value::Null).await.refused(403, "grant-needed");

    for path in [format!("/v1/agreements/{id}"), "/v1/solutions/post/agreements".to_owned()] {
        assert_eq!(house.send(house.request(&house.other, "GET", &path, None)).await.status, 404, "{path}");
    }
    let seen = house.send(house.request(&house.other, "GET", "/v1/agreements", None)).await.is(200);
    assert_eq!(seen["items"], json!([]));
    // A token for another solution sees it no more than another account.
    let other =
        house.call("POST", "/v1/solutions", json!({ "kind": "server", "name": "web", "spec": {} })).await.is(201);
    let scope = json!({ "solutions": [other["solution"]["id"]] });
    let narrow = house.call("POST", "/v1/tokens", json!({ "label": "narrow", "scope": scope })).await.is(201);
    let narrow = narrow["token"].as_str().unwrap();
    let seen = house.send(house.request(narrow, "GET", "/v1/agreements", None)).await.is(200);
    assert_eq!(seen["items"], json!([]));

    // The database itself keeps an account from saying yes to itself.
    let mut tenant = crate::cluster::connect(&house.config.database, husorden_control::doors::Role::Tenant).await;
    let bind = format!("select set_config('app.account', '{}', false)", house.ours);
    sqlx::query(sqlx::AssertSqlSafe(bind)).execute(&mut tenant).await.unwrap();
    for sql in
        ["update agreement set state = 'agreed'", "update agreement set decided = now()", "delete from agreement"]
    {
        assert!(sqlx::query(sql).execute(&mut tenant).await.is_err(), "{sql}");
    }
    house.running.stop().await;
}

#[tokio::test]
async fn people_are_told_of_what_was_decided_and_ended() {
    let (house, _node, _) = house().await;
    let id = asked(&house).await;
    decided(&house, &id, json!({ "agree": true, "reason": "Welcome." })).await;
    house.call("DELETE", &format!("/v1/agreements/{id}"), Value::Null).await.is(200);
    let mailed = "select from event where kind in ('agreement.decided', 'agreement.ended') and mail_topic(kind, data) = 'decisions'";
    assert_eq!(house.count(mailed).await, 2);
    let events = house.get("/v1/solutions/post/events").await;
    let texts: Vec<&str> =
        events["items"].as_array().unwrap().iter().filter_map(|event| event["message"].as_str()).collect();
    for said in [
        "post: port 25 out was asked for, 2000 messages a week",
        "post: port 25 out is open by agreement",
        "post: the agreement on port 25 out is over, and the port is closed",
    ] {
        assert!(texts.contains(&said), "{said} is not among {texts:?}");
    }
    house.running.stop().await;
}
