//! Log-in, sessions and second factors, through the API on a real database.

use crate::house::House;
use crate::people::{Browser, PASSWORD, Phone};
use husorden_control::{routes, start};
use husorden_wire::api::{Role, StaffRole};
use serde_json::{Value, json};

const HOME: &str = "192.0.2.10";

#[tokio::test]
async fn in_and_out_again() {
    let house = House::new().await;
    house.member("anna@ours.example", Role::Owner).await;
    let mut browser = Browser::new(&house, HOME);
    let opened = browser.log_in("Anna@Ours.Example ", "account").await;
    assert_eq!(opened["needs"], json!(["rules"]));
    browser.say("POST", "/v1/rules/acceptance", json!({ "version": 1 })).await.is(201);
    assert!(browser.session.starts_with("hus_session_") && browser.session.len() > 44);
    let session = browser.say("GET", "/v1/session", Value::Null).await.is(200);
    assert_eq!(session["account"]["name"], "ours");
    assert_eq!(session["account"]["role"], "owner");
    assert_eq!(session["needs"], json!([]));
    assert_eq!(session["person"]["email"], "anna@ours.example");
    assert!(session["capabilities"].as_array().unwrap().contains(&json!("account-manage")));
    browser.say("GET", "/v1/solutions", Value::Null).await.is(200);
    browser.say("GET", "/v1/accounts", Value::Null).await.refused(403, "staff-only");
    // What a person does is signed by the person.
    browser.say("POST", "/v1/solutions", json!({ "kind": "tiny", "name": "shop", "spec": {} })).await.is(201);
    let lines = browser.say("GET", "/v1/evidence?limit=200", Value::Null).await.is(200);
    let by = format!("account:person:{}", session["person"]["id"].as_str().unwrap());
    let acts: Vec<&str> = lines["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|line| line["who"] == by.as_str())
        .filter_map(|line| line["act"].as_str())
        .collect();
    assert!(acts.contains(&"log-in") && acts.contains(&"solution.create"), "{acts:?}");
    browser.say("DELETE", "/v1/session", Value::Null).await.is(204);
    browser.say("GET", "/v1/session", Value::Null).await.refused(401, "session-ended");
    browser.say("GET", "/v1/solutions", Value::Null).await.refused(401, "session-ended");
    house.running.stop().await;
}

#[tokio::test]
async fn every_failed_log_in_gets_one_answer() {
    let house = House::new().await;
    house.member("anna@ours.example", Role::Owner).await;
    house.member("gone@ours.example", Role::Technical).await;
    house.person("desk@house.example", None, &[StaffRole::Support]).await;
    house.sql("update person set disabled = now() where email = 'gone@ours.example'").await;
    let mut answers = Vec::new();
    for (email, password, realm) in [
        ("anna@ours.example", "walnut ledger orbis", "account"),
        ("nobody@ours.example", PASSWORD, "account"),
        ("gone@ours.example", PASSWORD, "account"),
        ("anna@ours.example", PASSWORD, "staff"),
        ("desk@house.example", PASSWORD, "account"),
    ] {
        let said = Browser::new(&house, HOME).try_log_in(email, password, realm).await;
        assert!(said.headers.contains_key("www-authenticate"));
        let mut body = said.refused(401, "log-in-failed");
        body.as_object_mut().unwrap().remove("instance");
        answers.push(body);
    }
    assert!(answers.windows(2).all(|two| two[0] == two[1]), "{answers:?}");
    house.running.stop().await;
}

#[tokio::test]
async fn a_second_factor_is_asked_for_and_no_code_counts_twice() {
    let house = House::new().await;
    house.member("anna@ours.example", Role::Owner).await;
    let mut browser = Browser::new(&house, HOME);
    browser.log_in("anna@ours.example", "account").await;
    let mut elsewhere = Browser::new(&house, HOME);
    elsewhere.log_in("anna@ours.example", "account").await;
    let (mut phone, recovery) = browser.enrol().await;
    assert_eq!(recovery.len(), 10);
    // Earlier sessions must give it too.
    elsewhere.say("GET", "/v1/solutions", Value::Null).await.refused(403, "second-factor-needed");
    assert_eq!(house.mails("anna@ours.example", "second-factor").await.len(), 1);

    let mut again = Browser::new(&house, HOME);
    let opened = again.log_in("anna@ours.example", "account").await;
    assert_eq!(opened["needs"], json!(["second-factor"]));
    assert!(opened["device"].is_null(), "half a log-in makes no known device");
    let session = again.say("GET", "/v1/session", Value::Null).await.is(200);
    assert_eq!(session["capabilities"], json!(["own"]));
    for (method, path) in [
        ("GET", "/v1/solutions"),
        ("GET", "/v1/person"),
        ("GET", "/v1/sessions"),
        ("POST", "/v1/person/totp"),
        ("DELETE", "/v1/person/totp"),
        ("POST", "/v1/session/step-up"),
    ] {
        let body = if method == "POST" { json!({}) } else { Value::Null };
        again.say(method, path, body).await.refused(403, "second-factor-needed");
    }
    let used = phone.code();
    let before = again.session.clone();
    again.moves("POST", "/v1/session/second-factor", json!({ "code": used })).await;
    again.say("GET", "/v1/solutions", Value::Null).await.is(200);
    let old = Browser { session: before, ..again.clone() };
    old.say("GET", "/v1/session", Value::Null).await.refused(401, "session-ended");

    // The same code again, and one of a step before it.
    elsewhere.say("POST", "/v1/session/second-factor", json!({ "code": used })).await.refused(403, "wrong-proof");
    let far = jiff::Timestamp::now().as_second() / 30 + 3;
    for code in [phone.code_of(far), phone.code_of(far - 6)] {
        elsewhere.say("POST", "/v1/session/second-factor", json!({ "code": code })).await.refused(403, "wrong-proof");
    }
    // A recovery code opens once, however it is typed.
    let typed = recovery[3].replace('-', " ");
    elsewhere.moves("POST", "/v1/session/second-factor", json!({ "recovery_code": typed })).await;
    let left = elsewhere.say("GET", "/v1/person", Value::Null).await.is(200);
    assert_eq!(left["recovery_codes_left"], 9);
    let mut third = Browser::new(&house, HOME);
    third.log_in("anna@ours.example", "account").await;
    third
        .say("POST", "/v1/session/second-factor", json!({ "recovery_code": recovery[3] }))
        .await
        .refused(403, "wrong-proof");
    // Too many wrong codes end the session.
    for _ in 0..3 {
        third.say("POST", "/v1/session/second-factor", json!({ "code": "000000" })).await.refused(403, "wrong-proof");
    }
    third.say("POST", "/v1/session/second-factor", json!({ "code": "000000" })).await.refused(401, "session-ended");
    third.say("GET", "/v1/session", Value::Null).await.refused(401, "session-ended");
    // The database has no secret in clear.
    let mut owner = husorden_control::doors::owner(&house.config.database).await.unwrap();
    let clear: i64 = sqlx::query_scalar(
        "select count(*) from person where length(totp) = 12 + 20 + 16 and email = 'anna@ours.example'",
    )
    .fetch_one(&mut owner)
    .await
    .unwrap();
    assert_eq!(clear, 1, "sealed: nonce, secret and tag");
    house.running.stop().await;
}

#[tokio::test]
async fn staff_do_nothing_before_their_second_factor() {
    let house = House::new().await;
    house.person("desk@house.example", None, &[StaffRole::Support, StaffRole::Operations]).await;
    let mut desk = Browser::new(&house, HOME);
    let opened = desk.log_in("desk@house.example", "staff").await;
    assert_eq!(opened["needs"], json!(["second-factor-enrol"]));
    desk.say("GET", "/v1/accounts", Value::Null).await.refused(403, "second-factor-enrol-needed");
    desk.say("GET", "/v1/person", Value::Null).await.is(200);
    desk.enrol().await;
    desk.say("GET", "/v1/accounts", Value::Null).await.is(200);
    desk.say("GET", "/v1/members", Value::Null).await.refused(403, "account-only");
    desk.say("DELETE", "/v1/person/totp", Value::Null).await.refused(409, "second-factor-required");
    let session = desk.say("GET", "/v1/session", Value::Null).await.is(200);
    assert_eq!(session["staff_roles"], json!(["support", "operations"]));
    assert!(!session["capabilities"].as_array().unwrap().contains(&json!("case-decide")));
    desk.say("POST", "/v1/cases", json!({})).await.refused(403, "capability-missing");
    house.running.stop().await;
}

#[tokio::test]
async fn an_account_can_require_the_second_factor() {
    let house = House::new().await;
    house.member("anna@ours.example", Role::Owner).await;
    house.member("bo@ours.example", Role::Technical).await;
    let (mut anna, mut bo) = (Browser::new(&house, HOME), Browser::new(&house, "198.51.100.4"));
    anna.log_in("anna@ours.example", "account").await;
    bo.log_in("bo@ours.example", "account").await;
    anna.enrol().await;
    bo.say("PATCH", "/v1/account", json!({ "two_factor_required": true })).await.refused(403, "capability-missing");
    anna.say("PATCH", "/v1/account", json!({ "two_factor_required": true })).await.is(200);
    bo.say("GET", "/v1/solutions", Value::Null).await.refused(403, "second-factor-enrol-needed");
    anna.say("DELETE", "/v1/person/totp", Value::Null).await.refused(409, "second-factor-required");
    bo.enrol().await;
    bo.say("GET", "/v1/solutions", Value::Null).await.is(200);
    house.running.stop().await;
}

#[tokio::test]
async fn a_session_is_never_somebody_elses_choice() {
    let house = House::new().await;
    house.member("anna@ours.example", Role::Owner).await;
    house.member("eve@ours.example", Role::ReadOnly).await;
    let mut eve = Browser::new(&house, HOME);
    eve.log_in("eve@ours.example", "account").await;
    // Anna logs in from a browser that holds Eve's session: hers is another, and Eve's stays Eve's.
    let mut anna = eve.clone();
    anna.device = None;
    anna.log_in("anna@ours.example", "account").await;
    assert_ne!(anna.session, eve.session);
    assert_eq!(eve.say("GET", "/v1/session", Value::Null).await.is(200)["person"]["email"], "eve@ours.example");
    // Every proof gives a new secret.
    let before = anna.clone();
    anna.moves("POST", "/v1/session/step-up", json!({ "password": PASSWORD })).await;
    before.say("GET", "/v1/session", Value::Null).await.refused(401, "session-ended");
    anna.say("GET", "/v1/session", Value::Null).await.is(200);
    // A secret in an address is refused, whatever the route, and a digest of one opens nothing.
    for path in [
        format!("/v1/solutions?token={}", anna.session),
        format!("/v1/solutions/{}", anna.session),
        format!("/healthz?s={}", house.account),
    ] {
        anna.say("GET", &path, Value::Null).await.refused(400, "secret-in-address");
    }
    house.running.stop().await;
}

#[tokio::test]
async fn what_is_dangerous_asks_anew_after_a_quarter_of_an_hour() {
    let house = House::new().await;
    house.member("anna@ours.example", Role::Owner).await;
    let mut anna = Browser::new(&house, HOME);
    anna.log_in("anna@ours.example", "account").await;
    let order = json!({ "label": "ci", "scope": { "capabilities": ["read"] } });
    anna.say("POST", "/v1/tokens", order.clone()).await.is(201);
    house.sql("update session set stepped_up = stepped_up - interval '15 minutes'").await;
    anna.say("POST", "/v1/tokens", order.clone()).await.refused(403, "step-up-needed");
    anna.say("POST", "/v1/person/totp", json!({})).await.refused(403, "step-up-needed");
    anna.say("POST", "/v1/session/step-up", json!({ "password": "wrong ledger orbit" }))
        .await
        .refused(403, "wrong-proof");
    anna.say("POST", "/v1/session/step-up", json!({})).await.refused(422, "invalid-fields");
    anna.moves("POST", "/v1/session/step-up", json!({ "password": PASSWORD })).await;
    anna.say("POST", "/v1/tokens", order.clone()).await.is(201);
    // With a second factor the password alone is not enough.
    let (mut phone, _) = anna.enrol().await;
    house.sql("update session set stepped_up = stepped_up - interval '15 minutes'").await;
    anna.say("POST", "/v1/session/step-up", json!({ "password": PASSWORD })).await.refused(422, "invalid-fields");
    anna.moves("POST", "/v1/session/step-up", json!({ "code": phone.code() })).await;
    anna.say("POST", "/v1/tokens", order).await.is(201);
    house.running.stop().await;
}

#[tokio::test]
async fn sessions_end_when_idle_when_old_and_when_told() {
    let house = House::new().await;
    house.member("anna@ours.example", Role::Technical).await;
    let email = "anna@ours.example";
    let mut anna = Browser::new(&house, HOME);
    anna.log_in(email, "account").await;
    house.sql("update session set seen = seen - interval '119 minutes'").await;
    anna.say("GET", "/v1/session", Value::Null).await.is(200);
    // That use was noted, so that the time begins anew.
    house.sql("update session set seen = seen - interval '119 minutes'").await;
    anna.say("GET", "/v1/session", Value::Null).await.is(200);
    house.sql("update session set seen = seen - interval '120 minutes'").await;
    anna.say("GET", "/v1/session", Value::Null).await.refused(401, "session-ended");

    anna.log_in(email, "account").await;
    house.sql("update session set ends = ends - interval '12 hours'").await;
    anna.say("GET", "/v1/session", Value::Null).await.refused(401, "session-ended");

    // Others are listed and ended; a stranger's are neither.
    let (mut here, mut there) = (Browser::new(&house, HOME), Browser::new(&house, "198.51.100.4"));
    here.log_in(email, "account").await;
    there.log_in(email, "account").await;
    let list = here.say("GET", "/v1/sessions", Value::Null).await.is(200);
    let list = list["items"].as_array().unwrap();
    assert_eq!(list.len(), 2);
    let other = list.iter().find(|one| one["current"] == false).unwrap();
    assert_eq!(other["address"], "198.51.100.4");
    house.member("eve@ours.example", Role::Owner).await;
    let mut eve = Browser::new(&house, HOME);
    eve.log_in("eve@ours.example", "account").await;
    let path = format!("/v1/sessions/{}", other["id"].as_str().unwrap());
    eve.say("DELETE", &path, Value::Null).await.refused(404, "not-found");
    here.say("DELETE", &path, Value::Null).await.is(204);
    there.say("GET", "/v1/session", Value::Null).await.refused(401, "session-ended");
    there.log_in(email, "account").await;
    here.say("DELETE", "/v1/sessions", Value::Null).await.is(204);
    for browser in [&here, &there] {
        browser.say("GET", "/v1/session", Value::Null).await.refused(401, "session-ended");
    }
    eve.say("GET", "/v1/session", Value::Null).await.is(200);
    house.running.stop().await;
}

#[tokio::test]
async fn a_log_out_is_seen_by_every_control() {
    let house = House::new().await;
    house.member("anna@ours.example", Role::Owner).await;
    let folder = crate::cluster::folder();
    let config = husorden_control::Config {
        node_socket: folder.join("node.sock"),
        spool: folder.join("spool"),
        ..house.config.clone()
    };
    let second = start(config, &crate::tiny::KINDS).await.expect("a second control starts");
    let there = routes::router(second.app().clone());
    let mut anna = Browser::new(&house, HOME);
    anna.log_in("anna@ours.example", "account").await;
    let ask = async |path: &str| {
        use tower::ServiceExt;
        let mut request = house.request(&anna.session, "GET", path, None);
        if path == "/v1/events" {
            request.headers_mut().insert("accept", "text/event-stream".parse().unwrap());
        }
        there.clone().oneshot(request).await.expect("the router answers")
    };
    assert_eq!(ask("/v1/session").await.status(), 200);
    let stream = ask("/v1/events").await;
    assert_eq!(stream.status(), 200);
    anna.say("DELETE", "/v1/session", Value::Null).await.is(204);
    assert_eq!(ask("/v1/session").await.status(), 401);
    // The stream that was open there ends too.
    let rest = axum::body::to_bytes(stream.into_body(), 1 << 20);
    tokio::time::timeout(std::time::Duration::from_secs(300), rest).await.expect("the stream ends").expect("its end");
    second.stop().await;
    house.running.stop().await;
}

#[tokio::test]
async fn a_new_device_is_told_of_and_a_known_one_is_not() {
    let house = House::new().await;
    house.member("anna@ours.example", Role::Owner).await;
    let mut anna = Browser::new(&house, HOME);
    anna.log_in("anna@ours.example", "account").await;
    assert!(anna.device.is_some());
    assert_eq!(house.mails("anna@ours.example", "new-device").await.len(), 1);
    let opened = anna.log_in("anna@ours.example", "account").await;
    assert!(opened["device"].is_null());
    assert_eq!(house.mails("anna@ours.example", "new-device").await.len(), 1);
    // Another person's device is a new one.
    house.member("bo@ours.example", Role::Owner).await;
    anna.log_in("bo@ours.example", "account").await;
    assert_eq!(house.mails("bo@ours.example", "new-device").await.len(), 1);
    house.running.stop().await;
}

#[tokio::test]
async fn strangers_tries_do_not_keep_the_owner_out() {
    let house = House::new().await;
    house.member("anna@ours.example", Role::Owner).await;
    let mut anna = Browser::new(&house, HOME);
    anna.log_in("anna@ours.example", "account").await;
    // A stranger in the same house tries until nothing is let through from there.
    let stranger = Browser::new(&house, HOME);
    let mut refused = 0;
    for _ in 0..8 {
        let said = stranger.try_log_in("anna@ours.example", "wrong ledger orbit", "account").await;
        if said.status == 429 {
            assert!(said.headers["retry-after"].to_str().unwrap().parse::<u32>().unwrap() > 1);
            refused += 1;
        }
    }
    assert_eq!(refused, 3, "five tries, then none");
    // For a mailbox that nobody has it is the same.
    let mut nobody = 0;
    for _ in 0..8 {
        nobody += i32::from(stranger.try_log_in("nobody@ours.example", PASSWORD, "account").await.status == 429);
    }
    assert_eq!(nobody, 3);
    // The owner's device is let in, from the same address and from another, and so is a new device elsewhere.
    anna.log_in("anna@ours.example", "account").await;
    anna.from = "203.0.113.7".parse().unwrap();
    anna.log_in("anna@ours.example", "account").await;
    Browser::new(&house, "203.0.113.80").log_in("anna@ours.example", "account").await;
    // A made-up device is no device.
    let mut liar = stranger.clone();
    liar.device = Some("hus_device_made_up".to_owned());
    assert_eq!(liar.try_log_in("anna@ours.example", PASSWORD, "account").await.status, 429);
    house.running.stop().await;
}

#[tokio::test]
async fn huge_and_odd_passwords_are_refused_at_the_door() {
    let house = House::new().await;
    house.member("anna@ours.example", Role::Owner).await;
    let browser = Browser::new(&house, HOME);
    let said = browser.try_log_in("anna@ours.example", &"a".repeat(1_000_000), "account").await;
    assert_eq!(said.refused(422, "invalid-fields")["refusal"]["fields"][0]["pointer"], "/password");
    browser.try_log_in("anna@ours.example", &"a".repeat(2_000_000), "account").await.refused(413, "body-too-large");
    browser.try_log_in(&"a@".repeat(300_000), PASSWORD, "account").await.refused(422, "invalid-fields");
    browser.try_log_in("anna@ours.example", "", "account").await.refused(422, "invalid-fields");
    browser
        .say("POST", "/v1/sessions", json!({ "email": "a@b.example", "password": "x", "realm": "root" }))
        .await
        .refused(422, "invalid-fields");
    house.running.stop().await;
}

#[tokio::test]
async fn a_token_is_no_person() {
    let house = House::new().await;
    for (method, path) in
        [("GET", "/v1/session"), ("GET", "/v1/person"), ("DELETE", "/v1/sessions"), ("POST", "/v1/person/totp")]
    {
        let body = if method == "POST" { json!({}) } else { Value::Null };
        for token in [&house.account, &house.staff] {
            let body = (!body.is_null()).then_some(&body);
            house.send(house.request(token, method, path, body)).await.refused(403, "no-person");
        }
    }
    house.running.stop().await;
}

#[tokio::test]
async fn a_demo_log_in_with_a_second_factor_works_as_bootstrap_made_it() {
    use husorden_base::{Language, Secret};
    use husorden_control::bootstrap::NewLogIn;
    let house = House::new().await;
    let new = NewLogIn {
        email: "staff@demo.example",
        name: "Demo staff",
        language: Language::En,
        password: &Secret::new(PASSWORD),
        account: None,
        staff: &StaffRole::ALL,
        second_factor: true,
    };
    let made = house.bootstrap().await.ensure_person(&house.config.identity, &new).await.unwrap();
    let mut phone = Phone::new(made.totp.expect("a secret").reveal());
    let mut desk = Browser::new(&house, HOME);
    assert_eq!(desk.log_in("staff@demo.example", "staff").await["needs"], json!(["second-factor"]));
    desk.moves("POST", "/v1/session/second-factor", json!({ "code": phone.code() })).await;
    desk.say("GET", "/v1/staff", Value::Null).await.is(200);
    house.running.stop().await;
}
