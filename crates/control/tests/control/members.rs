//! Members, invitations, resets and staff, through the API on a real database.

use crate::house::House;
use crate::people::{Browser, PASSWORD};
use husorden_wire::api::{Role, StaffRole};
use serde_json::{Value, json};

const HOME: &str = "192.0.2.10";
const NEW: &str = "marble kettle tunnel";

#[tokio::test]
async fn of_two_resets_one_wins() {
    let house = House::new().await;
    house.member("anna@ours.example", Role::Owner).await;
    let mut anna = Browser::new(&house, HOME);
    anna.log_in("anna@ours.example", "account").await;
    for email in ["anna@ours.example", "nobody@ours.example", "anna@ours.example"] {
        anna.say("POST", "/v1/password-resets", json!({ "email": email, "realm": "account" })).await.is(202);
    }
    let secrets = house.awaited_mails("anna@ours.example", "password-reset", 2).await;
    assert!(house.mails("nobody@ours.example", "password-reset").await.is_empty());
    let stored: Vec<Value> =
        house.mails("anna@ours.example", "password-reset").await.into_iter().map(|mail| mail.0).collect();
    assert!(!json!(stored).to_string().contains("hus_reset_"), "a secret stands sealed");
    let spend = async |secret: &str, password: &str| {
        let form = json!({ "secret": secret, "password": password });
        Browser::new(&house, HOME).say("POST", "/v1/password-resets/use", form).await
    };
    spend(&secrets[0], "short").await.refused(422, "password-too-short");
    let (one, two) = tokio::join!(spend(&secrets[0], NEW), spend(&secrets[1], "marble kettle funnel"));
    let statuses = [one.status.as_u16(), two.status.as_u16()];
    assert!(statuses == [200, 410] || statuses == [410, 200], "{statuses:?}");
    let (password, winner) = if statuses[0] == 200 { (NEW, one) } else { ("marble kettle funnel", two) };
    for secret in &secrets {
        spend(secret, NEW).await.refused(410, "reset-spent");
    }
    // Every session ended, the old password opens nothing, and the new one does from the device that reset it.
    anna.say("GET", "/v1/session", Value::Null).await.refused(401, "session-ended");
    anna.try_log_in("anna@ours.example", PASSWORD, "account").await.refused(401, "log-in-failed");
    anna.device = winner.body["device"].as_str().map(str::to_owned);
    let opened = anna.try_log_in("anna@ours.example", password, "account").await.is(201);
    assert!(opened["device"].is_null(), "it is known");
    // An old one is spent by time, and a change of the password ends those that are pending.
    anna.session = opened["session"].as_str().unwrap().to_owned();
    anna.say("POST", "/v1/password-resets", json!({ "email": "anna@ours.example", "realm": "account" })).await.is(202);
    let third = house.awaited_mails("anna@ours.example", "password-reset", 3).await.pop().unwrap();
    let change = json!({ "old": password, "new": "copper window thistle" });
    anna.moves("POST", "/v1/person/password", change).await;
    spend(&third, NEW).await.refused(410, "reset-spent");
    house.running.stop().await;
}

#[tokio::test]
async fn a_new_password_ends_the_other_sessions() {
    let house = House::new().await;
    house.member("anna@ours.example", Role::Owner).await;
    let (mut here, mut there) = (Browser::new(&house, HOME), Browser::new(&house, HOME));
    here.log_in("anna@ours.example", "account").await;
    there.log_in("anna@ours.example", "account").await;
    let change = |old: &str, new: &str| json!({ "old": old, "new": new });
    here.say("POST", "/v1/person/password", change("wrong", NEW)).await.refused(403, "wrong-proof");
    here.say("POST", "/v1/person/password", change(PASSWORD, PASSWORD)).await.refused(422, "invalid-fields");
    here.say("POST", "/v1/person/password", change(PASSWORD, "short")).await.refused(422, "password-too-short");
    let before = here.clone();
    here.moves("POST", "/v1/person/password", change(PASSWORD, NEW)).await;
    here.say("GET", "/v1/session", Value::Null).await.is(200);
    for ended in [&before, &there] {
        ended.say("GET", "/v1/session", Value::Null).await.refused(401, "session-ended");
    }
    assert_eq!(house.mails("anna@ours.example", "password-changed").await.len(), 1);
    house.running.stop().await;
}

#[tokio::test]
async fn somebody_is_invited_and_may_what_the_role_may() {
    let house = House::new().await;
    house.member("anna@ours.example", Role::Owner).await;
    let mut anna = Browser::new(&house, HOME);
    anna.log_in("anna@ours.example", "account").await;
    for email in ["bo@оurs.example", "bo\u{202e}@ours.example", "bo", "bо@ours.example"] {
        anna.say("POST", "/v1/invitations", json!({ "email": email, "role": "technical" }))
            .await
            .refused(422, "invalid-fields");
    }
    let order = json!({ "email": "Bo@Ours.example", "role": "technical", "language": "da" });
    let first = anna.say("POST", "/v1/invitations", order.clone()).await.is(201);
    let second = anna.say("POST", "/v1/invitations", order).await.is(201);
    assert_ne!(first["id"], second["id"]);
    let mails = house.awaited_mails("bo@ours.example", "invitation", 2).await;
    assert_eq!(house.mails("bo@ours.example", "invitation").await[0].0["language"], "da");
    let bo = Browser::new(&house, "198.51.100.4");
    bo.say("POST", "/v1/invitations/look", json!({ "secret": mails[0] })).await.refused(410, "invitation-spent");
    let seen = bo.say("POST", "/v1/invitations/look", json!({ "secret": mails[1] })).await.is(200);
    assert_eq!(seen, json!({ "account": "ours", "role": "technical", "email": "bo@ours.example", "known": false }));
    let accept = |name: &str, password: &str| json!({ "secret": mails[1], "name": name, "password": password });
    for (name, password) in [("Bo\u{202e}", NEW), ("Воb", NEW), ("", NEW), ("Bo", "short")] {
        bo.say("POST", "/v1/invitations/accept", accept(name, password)).await.is(422);
    }
    let joined = bo.say("POST", "/v1/invitations/accept", accept("  Bo  Test ", NEW)).await.is(201);
    assert_eq!(joined, json!({ "email": "bo@ours.example", "realm": "account" }));
    bo.say("POST", "/v1/invitations/accept", accept("Bo", NEW)).await.refused(410, "invitation-spent");

    let mut bo = bo;
    let opened = bo.try_log_in("bo@ours.example", NEW, "account").await.is(201);
    bo.session = opened["session"].as_str().unwrap().to_owned();
    bo.say("POST", "/v1/solutions", json!({ "kind": "tiny", "name": "shop", "spec": {} })).await.is(201);
    bo.say("POST", "/v1/invitations", json!({ "email": "c@ours.example", "role": "read-only" }))
        .await
        .refused(403, "capability-missing");
    let members = anna.say("GET", "/v1/members", Value::Null).await.is(200);
    let names: Vec<&str> = members["items"].as_array().unwrap().iter().filter_map(|one| one["name"].as_str()).collect();
    assert!(names.contains(&"Bo Test"), "{names:?}");
    // Another role ends the session it was used in.
    let person = members["items"].as_array().unwrap().iter().find(|one| one["name"] == "Bo Test").unwrap();
    let path = format!("/v1/members/{}", person["person"].as_str().unwrap());
    anna.say("PATCH", &path, json!({ "role": "read-only" })).await.is(200);
    bo.say("GET", "/v1/solutions", Value::Null).await.refused(401, "session-ended");
    let opened = bo.try_log_in("bo@ours.example", NEW, "account").await.is(201);
    bo.session = opened["session"].as_str().unwrap().to_owned();
    bo.say("DELETE", "/v1/solutions/shop", Value::Null).await.refused(403, "capability-missing");
    anna.say("DELETE", &path, Value::Null).await.is(204);
    bo.say("GET", "/v1/solutions", Value::Null).await.refused(401, "session-ended");
    bo.try_log_in("bo@ours.example", NEW, "account").await.refused(401, "log-in-failed");
    anna.say("DELETE", &path, Value::Null).await.refused(404, "not-found");
    house.running.stop().await;
}

#[tokio::test]
async fn a_known_person_joins_a_second_account_and_moves_between_them() {
    let house = House::new().await;
    house.member("anna@ours.example", Role::Owner).await;
    house.person("carl@theirs.example", Some((house.theirs, Role::Owner)), &[]).await;
    let mut carl = Browser::new(&house, HOME);
    carl.log_in("carl@theirs.example", "account").await;
    carl.say("POST", "/v1/invitations", json!({ "email": "anna@ours.example", "role": "billing" })).await.is(201);
    let secret = house.awaited_mails("anna@ours.example", "invitation", 1).await.remove(0);
    let mut anna = Browser::new(&house, HOME);
    let seen = anna.say("POST", "/v1/invitations/look", json!({ "secret": secret })).await.is(200);
    assert_eq!(seen["known"], true);
    anna.say("POST", "/v1/invitations/accept", json!({ "secret": secret })).await.is(201);
    anna.log_in("anna@ours.example", "account").await;
    let before = anna.clone();
    let session = anna.say("GET", "/v1/session", Value::Null).await.is(200);
    assert_eq!(session["account"]["name"], "ours", "by name, as she stood in none before");
    assert_eq!(session["accounts"].as_array().unwrap().len(), 2);
    anna.moves("PUT", "/v1/session/account", json!({ "account": "theirs" })).await;
    before.say("GET", "/v1/session", Value::Null).await.refused(401, "session-ended");
    let session = anna.say("GET", "/v1/session", Value::Null).await.is(200);
    assert_eq!((&session["account"]["name"], &session["account"]["role"]), (&json!("theirs"), &json!("billing")));
    anna.say("POST", "/v1/solutions", json!({ "kind": "tiny", "name": "x", "spec": {} }))
        .await
        .refused(403, "capability-missing");
    // She comes back to where she stood, and cannot stand where she is no member.
    anna.log_in("anna@ours.example", "account").await;
    assert_eq!(anna.say("GET", "/v1/session", Value::Null).await.is(200)["account"]["name"], "theirs");
    carl.say("PUT", "/v1/session/account", json!({ "account": "ours" })).await.refused(422, "invalid-fields");
    house.running.stop().await;
}

#[tokio::test]
async fn an_account_is_never_without_an_owner() {
    let house = House::new().await;
    let anna_id = house.member("anna@ours.example", Role::Owner).await;
    let bo_id = house.member("bo@ours.example", Role::Owner).await;
    house.member("cai@ours.example", Role::Admin).await;
    let (mut anna, mut bo, mut cai) =
        (Browser::new(&house, HOME), Browser::new(&house, HOME), Browser::new(&house, HOME));
    anna.log_in("anna@ours.example", "account").await;
    bo.log_in("bo@ours.example", "account").await;
    cai.log_in("cai@ours.example", "account").await;
    let path = |id: &str| format!("/v1/members/{id}");
    // An admin manages members, and neither makes nor unmakes owners.
    cai.say("PATCH", &path(&bo_id), json!({ "role": "technical" })).await.refused(403, "owners-only");
    cai.say("DELETE", &path(&bo_id), Value::Null).await.refused(403, "owners-only");
    cai.say("POST", "/v1/invitations", json!({ "email": "d@ours.example", "role": "owner" }))
        .await
        .refused(403, "owners-only");
    // Two owners take each other's role at once: one of them stays, whichever comes first.
    let (to_bo, to_anna) = (path(&bo_id), path(&anna_id));
    let (one, two) = tokio::join!(
        anna.say("PATCH", &to_bo, json!({ "role": "admin" })),
        bo.say("PATCH", &to_anna, json!({ "role": "admin" })),
    );
    let won = usize::from(one.status == 200) + usize::from(two.status == 200);
    assert_eq!(won, 1, "{} {}", one.body, two.body);
    let (owner, id) = if one.status == 200 { (&anna, &anna_id) } else { (&bo, &bo_id) };
    owner.say("PATCH", &path(id), json!({ "role": "read-only" })).await.refused(409, "account-without-owner");
    owner.say("DELETE", &path(id), Value::Null).await.refused(409, "account-without-owner");
    owner.say("GET", "/v1/members", Value::Null).await.is(200);
    house.running.stop().await;
}

/// Whatever roles are given and whoever is sent away, in any order and two at a time: somebody owns the account.
#[tokio::test]
async fn no_order_of_role_changes_leaves_an_account_without_an_owner() {
    use proptest::strategy::{Strategy, ValueTree};
    use proptest::test_runner::{Config, RngSeed, TestRunner};
    let house = House::new().await;
    let mut runner =
        TestRunner::new(Config { rng_seed: RngSeed::Random, failure_persistence: None, ..Config::default() });
    // A role by its place; one past the last sends the member away.
    let one = (0..3_usize, 0..=Role::ALL.len());
    let pairs = proptest::collection::vec((one.clone(), one), 12);
    let mut refused = 0;
    for _ in 0..6 {
        let mut people = Vec::new();
        for n in 0..3 {
            people.push(house.member(&format!("p{n}@ours.example"), Role::Owner).await);
        }
        let story = pairs.new_tree(&mut runner).expect("a story").current();
        for (first, second) in &story {
            let act = async |(who, what): (usize, usize)| {
                let path = format!("/v1/members/{}", people[who]);
                match Role::ALL.get(what) {
                    Some(role) => house.call("PATCH", &path, json!({ "role": role })).await,
                    None => house.call("DELETE", &path, Value::Null).await,
                }
            };
            let (one, two) = tokio::join!(act(*first), act(*second));
            for said in [&one, &two] {
                let code = said.body["refusal"]["code"].as_str().unwrap_or_default();
                assert!(
                    said.status.is_success() || ["account-without-owner", "not-found"].contains(&code),
                    "{}",
                    said.body
                );
                refused += usize::from(code == "account-without-owner");
            }
            let members = house.get("/v1/members").await;
            let owners = members["items"].as_array().unwrap().iter().filter(|one| one["role"] == "owner").count();
            assert!(owners > 0, "{first:?} and {second:?} of {story:?}");
        }
    }
    assert!(refused > 0, "no story came to the last owner");
    house.running.stop().await;
}

#[tokio::test]
async fn the_holder_is_checked_field_by_field() {
    let house = House::new().await;
    house.member("anna@ours.example", Role::Owner).await;
    let mut anna = Browser::new(&house, HOME);
    anna.log_in("anna@ours.example", "account").await;
    let holder = |cvr: &str| {
        json!({ "holder": { "kind": "company", "name": "Firma ApS", "cvr": cvr, "address": "Gade 1, 1000 By",
        "country": "DK", "email": "post@firma.example" } })
    };
    let refused = anna.say("PATCH", "/v1/account", holder("13585629")).await.refused(422, "invalid-fields");
    assert_eq!(refused["refusal"]["fields"][0]["pointer"], "/holder/cvr");
    let kept = anna.say("PATCH", "/v1/account", holder("DK 13585628")).await.is(200);
    assert_eq!(kept["holder"]["cvr"], "13585628");
    assert_eq!(anna.say("GET", "/v1/account", Value::Null).await.is(200), kept);
    let seen = house.staff("GET", &format!("/v1/accounts/{}", house.ours), Value::Null).await.is(200);
    assert_eq!(seen["holder"], kept["holder"]);
    // Another account sees nothing of it.
    let other = house.send(house.request(&house.other, "GET", "/v1/account", None)).await.is(200);
    assert_eq!((&other["name"], other.get("holder")), (&json!("theirs"), None));
    house.running.stop().await;
}

#[tokio::test]
async fn staff_come_and_go_by_invitation() {
    let house = House::new().await;
    house.person("ops@house.example", None, &[StaffRole::Operations]).await;
    let mut ops = Browser::new(&house, HOME);
    ops.log_in("ops@house.example", "staff").await;
    ops.enrol().await;
    ops.say("POST", "/v1/staff", json!({ "email": "desk@house.example", "roles": [] }))
        .await
        .refused(422, "invalid-fields");
    ops.say("POST", "/v1/staff", json!({ "email": "desk@house.example", "roles": ["support"] })).await.is(201);
    let secret = house.awaited_mails("desk@house.example", "invitation", 1).await.remove(0);
    let mut desk = Browser::new(&house, "198.51.100.4");
    let accept = json!({ "secret": secret, "name": "Desk", "password": PASSWORD });
    assert_eq!(desk.say("POST", "/v1/invitations/accept", accept).await.is(201)["realm"], "staff");
    desk.log_in("desk@house.example", "staff").await;
    desk.enrol().await;
    desk.say("GET", "/v1/staff", Value::Null).await.is(200);
    desk.say("POST", "/v1/staff", json!({ "email": "x@house.example", "roles": ["support"] }))
        .await
        .refused(403, "capability-missing");
    let list = ops.say("GET", "/v1/staff", Value::Null).await.is(200);
    let id = list["items"].as_array().unwrap().iter().find(|one| one["name"] == "Desk").unwrap()["person"]
        .as_str()
        .unwrap()
        .to_owned();
    ops.say("PATCH", &format!("/v1/staff/{id}"), json!({ "roles": ["auditor"] })).await.is(200);
    desk.say("GET", "/v1/staff", Value::Null).await.refused(401, "session-ended");
    ops.say("DELETE", &format!("/v1/staff/{id}"), Value::Null).await.is(204);
    desk.try_log_in("desk@house.example", PASSWORD, "staff").await.refused(401, "log-in-failed");
    // Staff invite the first owner of an account, and nobody after that.
    let path = format!("/v1/accounts/{}/invitations", house.theirs);
    let order = json!({ "email": "first@theirs.example", "role": "owner" });
    house.staff("POST", &path, order.clone()).await.is(201);
    let secret = house.awaited_mails("first@theirs.example", "invitation", 1).await.remove(0);
    let accept = json!({ "secret": secret, "name": "First", "password": PASSWORD });
    desk.say("POST", "/v1/invitations/accept", accept).await.is(201);
    house.staff("POST", &path, order).await.refused(409, "account-has-owner");
    house.running.stop().await;
}
