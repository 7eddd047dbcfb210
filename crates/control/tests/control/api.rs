//! The API as an account and as staff use it.

use crate::house::House;
use serde_json::{Value, json};

#[tokio::test]
async fn a_solution_is_made_changed_stopped_and_deleted() {
    let house = House::new().await;
    let said = house
        .call("POST", "/v1/solutions", json!({ "kind": "tiny", "name": "shop", "spec": { "names": ["Shop.example"] } }))
        .await;
    assert_eq!(said.headers["etag"], "\"1\"");
    let made = said.is(201);
    let password = made["credentials"][0]["password"].as_str().expect("a password").to_owned();
    assert_eq!(password.len(), 20);
    let solution = &made["solution"];
    assert_eq!((&solution["spec"]["names"][0], &solution["state"]), (&json!("shop.example"), &json!("working")));

    let changed = house
        .call(
            "PATCH",
            "/v1/solutions/shop",
            json!({ "spec": { "names": ["a.example", "b.example"] }, "labels": { "team": "x" } }),
        )
        .await
        .is(200);
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

#[tokio::test]
async fn wrong_forms_are_refused_field_by_field() {
    let house = House::new().await;
    house.create("first", json!({ "names": ["taken.example"] })).await;
    for (form, status, code, pointers) in [
        (json!({ "kind": "tiny", "name": "x", "colour": "red" }), 422, "invalid-fields", vec!["/colour"]),
        (json!({ "kind": "tiny" }), 422, "invalid-fields", vec!["/name"]),
        (json!({ "kind": "none", "name": "x" }), 422, "invalid-fields", vec!["/kind"]),
        (json!({ "kind": "tiny", "name": "x", "spec": { "tea": 1 } }), 422, "invalid-fields", vec!["/spec/tea"]),
        (
            json!({ "kind": "tiny", "name": "A b", "spec": { "names": ["ok.example", "*.example"] } }),
            422,
            "invalid-fields",
            vec!["/name", "/spec/names/1"],
        ),
        (json!({ "kind": "tiny", "name": "x", "labels": { "a=b": "c" } }), 422, "invalid-fields", vec!["/labels/a=b"]),
        (json!({ "kind": "tiny", "name": "x", "spec": { "names": ["nul\u{0}"] } }), 422, "invalid-fields", vec![""]),
        (json!({ "kind": "tiny", "name": "first" }), 409, "name-taken", vec!["/name"]),
        (
            json!({ "kind": "tiny", "name": "x", "spec": { "names": ["free.example", "Taken.example"] } }),
            409,
            "claim-taken",
            vec!["/spec/names/1"],
        ),
        (json!({ "kind": "tiny", "name": "x", "account": "theirs" }), 422, "invalid-fields", vec!["/account"]),
    ] {
        let refused = house.call("POST", "/v1/solutions", form.clone()).await.refused(status, code);
        let got: Vec<&str> =
            refused["refusal"]["fields"].as_array().unwrap().iter().map(|f| f["pointer"].as_str().unwrap()).collect();
        assert_eq!(got, pointers, "{form}");
    }
    assert_eq!(house.get("/v1/solutions").await["items"].as_array().unwrap().len(), 1, "nothing was made");
    // What is refused took no names.
    house.create("second", json!({ "names": ["free.example"] })).await;
    let mut request = house.request(&house.account, "POST", "/v1/solutions", Some(&json!({})));
    request.headers_mut().insert("accept-language", "da-DK".parse().unwrap());
    let said = house.send(request).await;
    assert_eq!(said.headers["content-language"], "da");
    assert_eq!(said.body["title"], "Noget i forespørgslen er forkert");
    assert!(said.headers.contains_key("x-request-id"));
    let mut request = house.request(&house.account, "POST", "/v1/solutions", None);
    *request.body_mut() = axum::body::Body::from(vec![b' '; (1 << 20) + 1]);
    house.send(request).await.refused(413, "body-too-large");
    for path in [
        "/v1/solutions?limit=0",
        "/v1/solutions?limit=201",
        "/v1/solutions?after=x",
        "/v1/solutions?colour=red",
        "/v1/solutions?state=odd",
    ] {
        house.call("GET", path, Value::Null).await.refused(422, "invalid-fields");
    }
    house.call("GET", "/v1/nothing", Value::Null).await.refused(404, "not-found");
    house.call("PATCH", "/v1/me", json!({})).await.refused(405, "method");
    house.running.stop().await;
}

#[tokio::test]
async fn of_two_writers_one_gets_412() {
    let house = House::new().await;
    house.create("shop", json!({})).await;
    let change = |label: &str| {
        let form = json!({ "labels": { "who": label } });
        let mut request = house.request(&house.account, "PATCH", "/v1/solutions/shop", Some(&form));
        request.headers_mut().insert("if-match", "\"1\"".parse().unwrap());
        house.send(request)
    };
    let (one, two) = tokio::join!(change("one"), change("two"));
    let mut statuses = [one.status.as_u16(), two.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412]);
    let lost = if one.status.as_u16() == 412 { one } else { two };
    let lost = lost.refused(412, "changed-meanwhile");
    assert_eq!(lost["refusal"]["limit"], "ETag: \"2\"");
    house.running.stop().await;
}

#[tokio::test]
async fn the_same_request_is_done_once() {
    let house = House::new().await;
    let ask = |key: &str, form: Value| {
        let mut request = house.request(&house.account, "POST", "/v1/solutions", Some(&form));
        request.headers_mut().insert("idempotency-key", key.parse().unwrap());
        house.send(request)
    };
    let form = json!({ "kind": "tiny", "name": "shop" });
    let first = ask("a", form.clone()).await.is(201);
    let again = ask("a", form.clone()).await;
    assert_eq!(again.headers["etag"], "\"1\"");
    let again = again.is(201);
    assert_eq!(first["solution"]["id"], again["solution"]["id"]);
    assert!(first["credentials"][0]["password"].is_string() && again["credentials"][0]["password"].is_null());
    ask("a", json!({ "kind": "tiny", "name": "other" })).await.refused(422, "idempotency-other-request");
    ask("b", form.clone()).await.refused(409, "name-taken");
    ask(&"k".repeat(201), form).await.refused(422, "invalid-fields");
    // Many at once with one key: one is made, and everybody who is answered is answered with it.
    let many = json!({ "kind": "tiny", "name": "rush" });
    let said = futures_util::future::join_all((0..6).map(|_| ask("rush", many.clone()))).await;
    assert!(said.iter().any(|one| one.status.as_u16() == 201));
    assert!(
        said.iter().all(|one| [201, 409, 503].contains(&one.status.as_u16())),
        "{:?}",
        said.iter().map(|s| s.status).collect::<Vec<_>>()
    );
    assert_eq!(house.get("/v1/solutions?q=rush").await["items"].as_array().unwrap().len(), 1);
    house.running.stop().await;
}

#[tokio::test]
async fn lists_are_paged_and_narrowed() {
    let house = House::new().await;
    for n in 0..5 {
        house
            .call(
                "POST",
                "/v1/solutions",
                json!({ "kind": "tiny", "name": format!("s{n}"), "labels": { "even": (n % 2 == 0).to_string() } }),
            )
            .await
            .is(201);
    }
    let mut names = Vec::new();
    let mut path = "/v1/solutions?limit=2".to_owned();
    loop {
        let page = house.get(&path).await;
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= 2);
        names.extend(items.iter().map(|item| item["name"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/v1/solutions?limit=2&after={next}");
        // A row that is made meanwhile moves none of the others.
        if names.len() == 2 {
            house.create("late", json!({})).await;
        }
    }
    assert_eq!(names, ["s0", "s1", "s2", "s3", "s4", "late"]);
    for (query, count) in [
        ("label=even%3Dtrue", 3),
        ("label=even", 5),
        ("q=s", 5),
        ("q=%25", 0),
        ("kind=tiny", 6),
        ("kind=x", 0),
        ("state=working", 6),
        ("state=running", 0),
    ] {
        let page = house.get(&format!("/v1/solutions?{query}")).await;
        assert_eq!(page["items"].as_array().unwrap().len(), count, "{query}");
    }
    assert_eq!(house.staff("GET", "/v1/solutions?account=theirs", Value::Null).await.is(200)["items"], json!([]));
    house.running.stop().await;
}

#[tokio::test]
async fn tokens_end_and_do_no_more_than_they_say() {
    let house = House::new().await;
    let made = house.call("POST", "/v1/tokens", json!({ "label": "short" })).await.is(201);
    let token = made["token"].as_str().unwrap().to_owned();
    assert!(token.starts_with("hus_account_"));
    house.send(house.request(&token, "GET", "/v1/me", None)).await.is(200);
    house.call("DELETE", &format!("/v1/tokens/{}", made["id"].as_str().unwrap()), Value::Null).await.is(204);
    house.send(house.request(&token, "GET", "/v1/me", None)).await.refused(401, "no-token");
    house
        .call("POST", "/v1/tokens", json!({ "label": "x", "expires": "2020-01-01T00:00:00Z" }))
        .await
        .refused(422, "invalid-fields");
    house.call("POST", "/v1/tokens", json!({ "label": "x", "account": "theirs" })).await.refused(422, "invalid-fields");
    let theirs = json!({ "label": "x", "account": "theirs" });
    house.staff("POST", "/v1/tokens", theirs.clone()).await.refused(403, "grant-needed");
    let glass = json!({ "account": "theirs", "break_glass": "Its holder lost every token" });
    house.staff("POST", "/v1/grants", glass.clone()).await.is(201);
    let staffs = house.staff("POST", "/v1/tokens", theirs.clone()).await.is(201);
    assert_eq!(staffs["role"], "account");
    // A token may do no more than whoever makes it, and nothing of the other side.
    let half = json!({ "label": "half", "scope": { "capabilities": ["token-manage", "solution-change"] } });
    let half = house.call("POST", "/v1/tokens", half).await.is(201)["token"].as_str().unwrap().to_owned();
    for (capability, status) in [("solution-change", 201), ("solution-delete", 422), ("staff-read", 422)] {
        let form = json!({ "label": "child", "scope": { "capabilities": [capability] } });
        let said = house.send(house.request(&half, "POST", "/v1/tokens", Some(&form))).await;
        assert_eq!(said.status.as_u16(), status, "{capability}: {}", said.body);
    }
    let refused =
        house.send(house.request(&half, "GET", "/v1/solutions", None)).await.refused(403, "capability-missing");
    assert!(refused["title"].as_str().unwrap().contains("read"), "{refused}");
    let unknown = json!({ "label": "x", "scope": { "capabilities": ["everything"] } });
    house.call("POST", "/v1/tokens", unknown).await.refused(422, "invalid-fields");
    // Staff who administer accounts make tokens for accounts and none for staff.
    let form = json!({ "label": "support", "scope": { "capabilities": ["staff-read", "account-administer"] } });
    let support = house.staff("POST", "/v1/tokens", form.clone()).await.is(201)["token"].as_str().unwrap().to_owned();
    let send = async |form: Value| house.send(house.request(&support, "POST", "/v1/tokens", Some(&form))).await;
    send(form).await.refused(403, "capability-missing");
    // A broken glass is for who broke it.
    send(theirs.clone()).await.refused(403, "grant-needed");
    house.send(house.request(&support, "POST", "/v1/grants", Some(&glass))).await.is(201);
    send(theirs).await.is(201);
    let list = house.get("/v1/tokens").await.to_string();
    assert!(!list.contains("hus_account_") && !list.contains("digest"), "{list}");
    house.running.stop().await;
}

#[tokio::test]
async fn a_new_password_is_shown_once() {
    let house = House::new().await;
    house.create("shop", json!({})).await;
    let new = house.call("POST", "/v1/solutions/shop/credentials/admin", Value::Null).await.is(200);
    assert_eq!((&new["username"], new["password"].as_str().unwrap().len()), (&json!("root"), 20));
    assert_eq!(house.get("/v1/solutions/shop").await["generation"], 2);
    house.call("POST", "/v1/solutions/shop/credentials/nobody", Value::Null).await.refused(404, "not-found");
    house.running.stop().await;
}

#[tokio::test]
async fn a_password_that_comes_with_a_change_is_shown_once_to_who_made_it() {
    let house = House::hosting(&husorden_kinds::KINDS, |_| {}).await;
    let form = json!({ "kind": "server", "name": "web", "spec": { "image": "tiny" } });
    let made = house.call("POST", "/v1/solutions", form).await.is(201);
    assert_eq!(made["credentials"], json!([]));
    let turn = |on: bool| house.call("PATCH", "/v1/solutions/web", json!({ "spec": { "rescue": on } }));
    let first = turn(true).await.is(200);
    let shown = &first["credentials"][0];
    let password = shown["password"].as_str().expect("it is shown");
    assert_eq!((&shown["username"], password.len()), (&json!("root"), 20));
    assert_eq!((&first["name"], &first["spec"]["rescue"]), (&json!("web"), &json!(true)));
    // Asked again it is on already, and no password is told or kept.
    assert!(turn(true).await.is(200).get("credentials").is_none());
    let evidence = house.get("/v1/evidence?limit=100").await.to_string();
    assert!(evidence.contains("credential.change") && !evidence.contains(password));
    let told = house.get("/v1/solutions/web").await.to_string();
    assert!(!told.contains("$6$") && !told.contains(password), "{told}");
    assert!(house.exists("select from solution where credentials->'root'->>'hash' like '$6$%'").await);
    // It ends with the rescue, and the next one has another.
    assert!(turn(false).await.is(200).get("credentials").is_none());
    house.call("POST", "/v1/solutions/web/credentials/root", Value::Null).await.refused(404, "not-found");
    let second = turn(true).await.is(200);
    assert!(second["credentials"][0]["password"].as_str().is_some_and(|second| second != password));
    // A rescue that was begun before there were such passwords goes on without one, whatever else is changed.
    house.sql("update solution set credentials = '{}' where name = 'web'").await;
    let listed = json!({ "spec": { "allow": [{ "net": "192.0.2.7" }] } });
    assert!(house.call("PATCH", "/v1/solutions/web", listed).await.is(200).get("credentials").is_none());
    assert!(house.exists("select from solution where credentials = '{}' and name = 'web'").await);
    // One that is left of an earlier time is none for the next.
    house.sql("update solution set spec = spec || '{\"rescue\": false}', credentials = '{\"root\": {\"username\": \"root\", \"hash\": \"old\", \"generation\": 1}}'").await;
    assert!(turn(true).await.is(200)["credentials"][0]["password"].is_string());
    assert!(!house.exists("select from solution where credentials->'root'->>'hash' = 'old'").await);
    house.running.stop().await;
}

/// What a node says that it has is what forms offer; what is not there yet, or is no image, is not.
#[tokio::test]
async fn forms_offer_the_images_that_nodes_have() {
    let house = House::new().await;
    let known = async || house.get("/v1/kinds").await["items"][0]["spec"]["properties"]["engine"].clone();
    assert_eq!(known().await["x-known"], json!(["one"]));
    let image = |title: &str, firmware: Value| json!({ "title": { "da": title, "en": title }, "disk": 2_u64 << 30, "firmware": firmware, "imported": true });
    let health = |two: Value| {
        json!({ "runtimes": [
            { "name": "php-8.4", "state": "ready", "text": "", "build": "b", "packages": {} },
            { "name": "alpine-3.22", "state": "ready", "text": "", "build": "b", "packages": {}, "image": two },
            { "name": "debian-13", "state": "absent", "text": "", "build": null, "packages": {} },
        ] })
    };
    for (node, said) in [("a", health(image("Alpine", json!("uefi")))), ("b", health(image("Another", Value::Null)))] {
        house.sql(&format!("insert into node (name, health) values ('{node}', '{said}')")).await;
    }
    let offered = known().await;
    assert_eq!(offered["x-known"], json!(["one", "alpine-3.22"]), "once, whoever has it");
    assert_eq!(
        offered["x-names"]["alpine-3.22"],
        json!({ "da": "Alpine (UEFI, fra 2 GiB)", "en": "Alpine (UEFI, from 2 GiB)" })
    );
    house.running.stop().await;
}

#[tokio::test]
async fn a_caller_in_a_hurry_is_slowed_down() {
    let house = House::with(|config| {
        config.limits.requests_per_second_max = 1;
        config.limits.requests_burst_max = 3;
    })
    .await;
    for _ in 0..3 {
        house.get("/v1/me").await;
    }
    house.call("GET", "/v1/me", Value::Null).await.refused(429, "too-fast");
    house.staff("GET", "/v1/me", Value::Null).await.is(200);
    house.running.stop().await;
}
