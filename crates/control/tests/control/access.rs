//! Tokens that are narrowed and bound, ended on every control, and grants to staff.

use crate::house::House;
use crate::tiny::KINDS;
use axum::body::Body;
use http::Request;
use husorden_control::doors::Role;
use husorden_control::{Visitor, routes, start};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

async fn token(house: &House, form: Value) -> String {
    house.call("POST", "/v1/tokens", form).await.is(201)["token"].as_str().unwrap().to_owned()
}

fn names(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_narrowed_token_sees_its_solutions_and_nothing_beside_them() {
    let house = House::new().await;
    let (one, two) = (house.create("one", json!({})).await, house.create("two", json!({})).await);
    house.call("POST", "/v1/solutions/two/snapshots", json!({})).await.is(202);
    let scope = json!({ "capabilities": ["read", "solution-change", "solution-delete"], "solutions": ["one"] });
    let narrow = token(&house, json!({ "label": "narrow", "scope": scope })).await;
    let ask = async |method: &str, path: &str, body: Option<&Value>| {
        house.send(house.request(&narrow, method, path, body)).await
    };
    let get = async |path: &str| ask("GET", path, None).await.is(200);
    assert_eq!(names(&get("/v1/solutions").await), ["one"]);
    let other = two["id"].as_str().unwrap();
    for path in ["/v1/solutions/two".to_owned(), format!("/v1/solutions/{other}/snapshots")] {
        ask("GET", &path, None).await.refused(404, "not-found");
    }
    ask("POST", "/v1/solutions/two/stop", None).await.refused(404, "not-found");
    ask("DELETE", "/v1/solutions/two", None).await.refused(404, "not-found");
    for path in ["/v1/events", "/v1/evidence"] {
        let told = get(path).await;
        let (items, text) = (told["items"].as_array().unwrap(), told.to_string());
        assert!(!items.is_empty() && items.iter().all(|item| item["solution"] == one["id"]), "{text}");
        assert!(!text.contains(other), "{text}");
    }
    ask("POST", "/v1/solutions/one/stop", None).await.is(200);
    assert_eq!(house.get("/v1/solutions/one").await["aim"], "stop");

    // By kind: it makes solutions of that kind, and the limit counts what it does not see.
    let scope = json!({ "capabilities": ["read", "solution-create"], "kinds": ["tiny"] });
    let kind = token(&house, json!({ "label": "kind", "scope": scope })).await;
    let form = json!({ "kind": "tiny", "name": "three" });
    house.send(house.request(&kind, "POST", "/v1/solutions", Some(&form))).await.is(201);
    let page = house.send(house.request(&kind, "GET", "/v1/solutions", None)).await.is(200);
    assert_eq!(names(&page), ["one", "two", "three"]);

    for scope in [
        json!({ "capabilities": ["token-manage"], "kinds": ["tiny"] }),
        json!({ "capabilities": ["read"], "kinds": ["none"] }),
        json!({ "capabilities": ["read"], "solutions": ["nobody"] }),
        json!({ "capabilities": ["solution-create"], "solutions": ["one"] }),
    ] {
        house.call("POST", "/v1/tokens", json!({ "label": "x", "scope": scope })).await.refused(422, "invalid-fields");
    }
    house.running.stop().await;
}

/// The tenant door itself is narrowed, whatever statement comes through it.
#[tokio::test]
async fn a_narrowed_door_takes_no_row_of_another_kind() {
    let house = House::new().await;
    house.create("one", json!({})).await;
    let mut tenant = crate::cluster::connect(&house.config.database, Role::Tenant).await;
    for (scope, count) in [
        ("", 1_i64),
        (r#"{"kinds": ["tiny"], "solutions": []}"#, 1),
        (r#"{"kinds": ["other"], "solutions": []}"#, 0),
        (r#"{"kinds": [], "solutions": ["01890000-0000-7000-8000-000000000001"]}"#, 0),
    ] {
        let mut tx = sqlx::Connection::begin(&mut tenant).await.unwrap();
        sqlx::query("select set_config('app.account', $1, true), set_config('app.scope', $2, true)")
            .bind(house.ours.to_string())
            .bind(scope)
            .execute(&mut *tx)
            .await
            .unwrap();
        for table in ["solution", "event where solution is not null", "evidence where solution is not null"] {
            let sql = format!("select count(*) from {table}");
            let seen: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&mut *tx).await.unwrap();
            assert_eq!(seen.min(1), count, "{table} {scope}");
        }
        let sql = "insert into solution (id, account, node, name, kind, aim, spec, epoch)
                   values (gen_random_uuid(), $1, 'local', 'x', 'tiny', 'run', '{}', 1)";
        let made = sqlx::query(sql).bind(house.ours.0).execute(&mut *tx).await;
        assert_eq!(made.is_ok(), count == 1, "{scope}: {made:?}");
    }
    // Whatever hangs on a solution is narrowed with it; a new table has to say so too.
    let mut owner = crate::cluster::connect(&house.config.database, Role::Owner).await;
    let open: Vec<String> = sqlx::query_scalar(
        "select c.relname::text from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'solution' and not a.attisdropped
         where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace
           and has_any_column_privilege('husorden_tenant', c.oid, 'select')
           and not exists (select from pg_policy p where p.polrelid = c.oid and not p.polpermissive)",
    )
    .fetch_all(&mut owner)
    .await
    .unwrap();
    assert!(open.is_empty(), "{open:?}");
    house.running.stop().await;
}

#[tokio::test]
async fn a_bound_token_is_good_from_its_networks_only() {
    let house = House::new().await;
    let bound = token(&house, json!({ "label": "bound", "cidrs": ["192.0.2.0/24", "2001:db8::7"] })).await;
    let from = |address: Option<&str>| -> Request<Body> {
        let mut request = house.request(&bound, "GET", "/v1/solutions", None);
        if let Some(address) = address {
            request.extensions_mut().insert(Visitor(address.parse().unwrap()));
        }
        request
    };
    for good in ["192.0.2.9", "2001:db8::7"] {
        house.send(from(Some(good))).await.is(200);
    }
    for bad in [Some("198.51.100.9"), Some("2001:db8::8"), None] {
        let refused = house.send(from(bad)).await.refused(403, "token-elsewhere").to_string();
        assert!(!refused.contains("192.0.2"), "whoever stole it is not told where it would be good: {refused}");
    }
    for (cidrs, pointer) in [(json!(["192.0.2.0/33"]), "/cidrs/0"), (json!(["192.0.2.1", "here"]), "/cidrs/1")] {
        let refused = house.call("POST", "/v1/tokens", json!({ "label": "x", "cidrs": cidrs })).await;
        assert_eq!(refused.refused(422, "invalid-fields")["refusal"]["fields"][0]["pointer"], pointer);
    }

    // Over a real connection its own address counts, and no word of a header.
    let local = token(&house, json!({ "label": "local", "cidrs": ["127.0.0.1"] })).await;
    for (token, status) in [(&local, "200"), (&bound, "403")] {
        let mut stream = TcpStream::connect(house.running.address).await.unwrap();
        let head = format!(
            "GET /v1/me HTTP/1.1\r\nHost: control.test\r\nX-Forwarded-For: 192.0.2.9\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
    }
    house.running.stop().await;
}

#[tokio::test]
async fn the_last_use_of_a_token_is_known_to_the_minute() {
    let house = House::new().await;
    let made = house.call("POST", "/v1/tokens", json!({ "label": "used", "cidrs": ["192.0.2.1"] })).await.is(201);
    let (id, text) = (made["id"].as_str().unwrap(), made["token"].as_str().unwrap());
    let used = async || {
        let page = house.get("/v1/tokens").await;
        page["items"].as_array().unwrap().iter().find(|item| item["id"] == made["id"]).unwrap()["used"].clone()
    };
    let ask = async |from: &str| {
        let mut request = house.request(text, "GET", "/v1/me", None);
        request.extensions_mut().insert(Visitor(from.parse().unwrap()));
        house.send(request).await.status.as_u16()
    };
    assert_eq!((ask("192.0.2.2").await, used().await), (403, Value::Null), "being turned away is no use of it");
    assert_eq!(ask("192.0.2.1").await, 200);
    let first = used().await;
    assert!(first.is_string());
    ask("192.0.2.1").await;
    assert_eq!(used().await, first, "within a minute nothing is written");
    let mut owner = crate::cluster::connect(&house.config.database, Role::Owner).await;
    let sql = "update token set used = used - interval '61 seconds' where id = $1::uuid";
    sqlx::query(sql).bind(id).execute(&mut owner).await.unwrap();
    let earlier = used().await;
    ask("192.0.2.1").await;
    assert_ne!(used().await, earlier);
    house.running.stop().await;
}

/// Two controls on one database: what one of them ends is ended on the other, with the streams it has open.
#[tokio::test]
async fn a_token_that_is_revoked_is_dead_on_every_control() {
    let house = House::new().await;
    let mut second = house.config.clone();
    second.node_socket = second.node_socket.with_file_name("second.sock");
    second.listen = "127.0.0.1:0".parse().unwrap();
    let second = start(second, &KINDS).await.expect("a second control starts");
    let there = routes::router(second.app().clone());
    let made = house.call("POST", "/v1/tokens", json!({ "label": "short" })).await.is(201);
    let text = made["token"].as_str().unwrap().to_owned();
    let ask = async || {
        let request = house.request(&text, "GET", "/v1/solutions", None);
        tower::ServiceExt::oneshot(there.clone(), request).await.unwrap().status().as_u16()
    };
    assert_eq!(ask().await, 200);
    let mut stream = TcpStream::connect(second.address).await.unwrap();
    let head = format!(
        "GET /v1/events HTTP/1.1\r\nHost: control.test\r\nAuthorization: Bearer {text}\r\nAccept: text/event-stream\r\nLast-Event-ID: 0\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut lines = BufReader::new(stream).lines();
    while !lines.next_line().await.unwrap().expect("the stream is open").starts_with("data: ") {}
    house.call("DELETE", &format!("/v1/tokens/{}", made["id"].as_str().unwrap()), Value::Null).await.is(204);
    assert_eq!(ask().await, 401, "the very next request");
    while lines.next_line().await.unwrap_or_default().is_some() {}
    second.stop().await;
    house.running.stop().await;
}

#[tokio::test]
async fn staff_act_under_a_grant_and_the_account_sees_each_use() {
    let house = House::new().await;
    let (one, two) = (house.create("one", json!({})).await, house.create("two", json!({})).await);
    let stop = async |solution: &Value| {
        house.staff("POST", &format!("/v1/solutions/{}/stop", solution["id"].as_str().unwrap()), Value::Null).await
    };
    stop(&one).await.refused(403, "grant-needed");
    // The account lets staff in to one of its solutions.
    let form = json!({ "solution": "one", "minutes": 30, "reason": "It is slow" });
    let given = house.call("POST", "/v1/grants", form).await.is(201);
    assert_eq!((&given["break_glass"], &given["open"]), (&json!(false), &json!(true)));
    stop(&one).await.is(200);
    stop(&two).await.refused(403, "grant-needed");
    let form = json!({ "kind": "tiny", "name": "x", "account": "ours" });
    house.staff("POST", "/v1/solutions", form).await.refused(403, "grant-needed");
    let evidence = house.get("/v1/evidence").await;
    let uses = |evidence: &Value| -> Vec<Value> {
        let items = evidence["items"].as_array().unwrap();
        items.iter().filter(|line| line["act"] == "grant.use").cloned().collect()
    };
    let seen = uses(&evidence);
    assert_eq!(seen.len(), 1);
    assert_eq!((&seen[0]["before"]["grant"], &seen[0]["before"]["acts"]), (&given["id"], &json!(["solution.stop"])));
    assert!(seen[0]["who"].as_str().unwrap().starts_with("staff:token:"), "{}", seen[0]);
    house.call("DELETE", &format!("/v1/grants/{}", given["id"].as_str().unwrap()), Value::Null).await.is(204);
    house.staff("POST", "/v1/solutions/one/start", Value::Null).await.refused(403, "grant-needed");

    // In an emergency the glass is broken: a sentence why, for who broke it, and an event at once.
    for form in [
        json!({ "account": "ours", "break_glass": "hurry" }),
        json!({ "account": "ours", "reason": "The site spreads a worm" }),
        json!({ "account": "ours", "break_glass": "The site spreads a worm", "minutes": 600 }),
        json!({ "break_glass": "The site spreads a worm" }),
    ] {
        house.staff("POST", "/v1/grants", form).await.refused(422, "invalid-fields");
    }
    house.call("POST", "/v1/grants", json!({ "break_glass": "Let me be staff" })).await.refused(422, "invalid-fields");
    let form = json!({ "solution": two["id"], "break_glass": "The site spreads a worm" });
    let broken = house.staff("POST", "/v1/grants", form).await.is(201);
    assert_eq!((&broken["break_glass"], &broken["account"]), (&json!(true), &json!(house.ours)));
    stop(&two).await.is(200);
    let events = house.get("/v1/events?after=0&limit=200").await;
    let kinds: Vec<&str> = events["items"].as_array().unwrap().iter().map(|e| e["kind"].as_str().unwrap()).collect();
    for kind in ["grant.given", "grant.used", "grant.ended", "grant.broken"] {
        assert!(kinds.contains(&kind), "{kind} in {kinds:?}");
    }
    assert_eq!(uses(&house.get("/v1/evidence?limit=200").await).len(), 2);
    // Its time is up by the clock.
    let mut owner = crate::cluster::connect(&house.config.database, Role::Owner).await;
    sqlx::raw_sql("update access_grant set starts = now() - interval '2 hours', ends = now() - interval '1 second' where ended is null")
        .execute(&mut owner)
        .await
        .unwrap();
    house.staff("POST", "/v1/solutions/two/start", Value::Null).await.refused(403, "grant-needed");
    assert_eq!(house.get("/v1/grants").await["items"][1]["open"], false);
    house.running.stop().await;
}
