//! Erasing on a person's request: what names them goes, the tree holds, and only what was said to be erased is excused.

use crate::evidence::{Watched, sql};
use crate::house::House;
use crate::people::Browser;
use crate::waiting::until;
use husorden_wire::api::{Role, StaffRole};
use serde_json::{Value, json};

const HOME: &str = "192.0.2.10";
const AWAY: &str = "198.51.100.4";

/// Anna, who owns the account, and the id of Bo, who did things in it and was sent away.
async fn bo_left(house: &House) -> (Browser<'_>, String) {
    house.member("anna@ours.example", Role::Owner).await;
    let bo_id = house.member("bo@ours.example", Role::Technical).await;
    house.sql("update person set name = 'Bo Bygger' where email = 'bo@ours.example'").await;
    let (mut anna, mut bo) = (Browser::new(house, HOME), Browser::new(house, AWAY));
    anna.log_in("anna@ours.example", "account").await;
    bo.log_in("bo@ours.example", "account").await;
    bo.say("POST", "/v1/solutions", json!({ "kind": "tiny", "name": "shop", "spec": {}, "labels": { "by": "Bo" } }))
        .await
        .is(201);
    bo.say("POST", "/v1/tokens", json!({ "label": "bo@ours.example" })).await.is(201);
    anna.say("PATCH", &format!("/v1/members/{bo_id}"), json!({ "role": "billing" })).await.is(200);
    // Nobody who is a member is erased from what the account answers for.
    anna.say("POST", "/v1/erasures", json!({ "person": bo_id })).await.refused(409, "not-left");
    anna.say("DELETE", &format!("/v1/members/{bo_id}"), Value::Null).await.is(204);
    (anna, bo_id)
}

async fn erased(browser: &Browser<'_>, query: &str, person: &str) -> Value {
    until("it is erased", async || {
        let page = browser.say("GET", &format!("/v1/erasures{query}"), Value::Null).await.is(200);
        let found = page["items"].as_array().unwrap().iter().find(|one| one["person"] == person)?.clone();
        found["done"].is_string().then_some(found)
    })
    .await
}

#[tokio::test]
async fn what_names_who_left_is_erased_and_the_tree_holds() {
    let watched = Watched::new().await;
    let house = &watched.house;
    let (anna, bo) = bo_left(house).await;
    watched.checkpoint().await;
    let before = watched.export(&house.account).await;
    assert!(before.contains(&format!("account:person:{bo}")) && before.contains("198.51.100."), "{before}");

    let list = anna.say("GET", "/v1/erasures", Value::Null).await.is(200);
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&list["items"][0]["name"], &list["items"][0]["email"]),
        (&json!("Bo Bygger"), &json!("bo@ours.example"))
    );
    // Another account knows nothing of them and erases nothing, and neither does a member who may not manage the account.
    let other = house.send(house.request(&house.other, "GET", "/v1/erasures", None)).await.is(200);
    assert_eq!(other["items"], json!([]));
    let form = json!({ "person": bo });
    house.send(house.request(&house.other, "POST", "/v1/erasures", Some(&form))).await.refused(409, "not-left");
    anna.say("POST", "/v1/erasures", json!({ "person": "not an id" })).await.refused(409, "not-left");

    let asked = anna.say("POST", "/v1/erasures", form.clone()).await.is(202);
    let done = erased(&anna, "", &bo).await;
    assert!(done["name"].is_null() && done["email"].is_null(), "{done}");
    assert!(done["fields"].as_u64().unwrap() >= 5, "{done}");

    let lines = house.get("/v1/evidence?limit=200").await;
    let of = |act: &str| lines["items"].as_array().unwrap().iter().find(|line| line["act"] == act).unwrap().clone();
    let made = of("solution.create");
    assert_eq!(
        (&made["who"], &made["before"]["name"]),
        (&json!("erased"), &json!("shop")),
        "the account's things stay: {made}"
    );
    assert!(made["erased"]["who"].as_str().unwrap().starts_with("request, "), "{made}");
    assert!(of("token.create")["before"]["label"].is_null(), "an address is a name wherever it stands");
    let removed = of("member.remove");
    assert!(
        removed["who"].as_str().unwrap().starts_with("account:person:"),
        "who sent them away answers for it: {removed}"
    );
    let wish = of("person.erase");
    assert_eq!((&wish["before"]["person"], &wish["before"]["erasure"]), (&json!(bo), &asked["id"]));
    assert_eq!(of("person.erased")["before"]["count"], done["fields"]);
    let events = house.get("/v1/events?limit=200").await;
    assert!(!events.to_string().contains("Bo Bygger"), "{events}");

    watched.checkpoint().await;
    for token in [&house.account, &house.staff] {
        let text = watched.export(token).await;
        for gone in ["198.51.100.", "bo@ours.example", "Bo Bygger", &format!("person:{bo}")] {
            assert!(!text.contains(gone), "{gone} is there still");
        }
        let report = watched.verify(token, &watched.notes()).await;
        assert!(report.holds() && report.erased >= done["fields"].as_u64().unwrap(), "{report:?}");
    }
    // Bo's log-in stands, for another account may have him; only this one forgot.
    let salts: i64 = sqlx::query_scalar(
        "select count(*) from evidence_salt s join evidence_leaf l using (index) join evidence e on e.id = l.line
          where e.who = 'erased' and s.salts ? 'who'",
    )
    .fetch_one(&mut watched.root().await)
    .await
    .unwrap();
    assert_eq!(salts, 0, "a salt goes with its value");
    watched.house.running.stop().await;
}

/// An erasure excuses the lines and the classes it names. What somebody takes away besides is found.
#[tokio::test]
async fn an_erasure_excuses_no_more_than_it_names() {
    for (what, tampering) in [
        ("another line", "update evidence set who = 'erased', erased = '{\"who\": \"request, 2026-01-01T00:00:00Z\"}' where act = 'member.remove';
          update evidence_salt set salts = salts - 'who' where index in (select index from evidence_leaf l join evidence e on e.id = l.line where e.act = 'member.remove')"),
        ("another class", "update evidence set before = before - 'spec', erased = erased || '{\"before.spec\": \"request, 2026-01-01T00:00:00Z\"}' where act = 'solution.create';
          update evidence_salt set salts = salts - 'before.spec' where index in (select index from evidence_leaf l join evidence e on e.id = l.line where e.act = 'solution.create')"),
    ] {
        let watched = Watched::new().await;
        let house = &watched.house;
        let (anna, bo) = bo_left(house).await;
        anna.say("POST", "/v1/erasures", json!({ "person": bo })).await.is(202);
        erased(&anna, "", &bo).await;
        watched.checkpoint().await;
        assert!(watched.verify(&house.account, &watched.notes()).await.holds(), "{what}");
        sql(&mut watched.root().await, tampering).await;
        let report = watched.verify(&house.account, &watched.notes()).await;
        assert_eq!(report.findings.len(), 1, "{what}: {:?}", report.findings);
        watched.house.running.stop().await;
    }
}

/// What is sealed is not erased: it is refused with the case, and where an order keeps the seal silent it waits untold.
#[tokio::test]
async fn a_seal_beats_an_erasure() {
    let house = House::new().await;
    let (anna, bo) = bo_left(&house).await;
    let sealing = house.decide(json!({ "of": "account", "id": house.ours }), json!({ "access": "none" })).await;
    let form = json!({ "person": bo, "account": "ours" });
    let refused = house.staff("POST", "/v1/erasures", form.clone()).await.refused(409, "sealed");
    assert_eq!(refused["refusal"]["case"], sealing["case_number"]);
    anna.say("POST", "/v1/erasures", json!({ "person": bo })).await.refused(403, "account-held");
    // The seal is made a silent one on a solution: the owner is told nothing of it, and it holds all the same.
    let id = house.staff("GET", "/v1/solutions?account=ours", Value::Null).await.is(200)["items"][0]["id"].clone();
    house
        .sql(&format!(
            "update measure set solution = '{}', silent_until = now() + interval '1 day'",
            id.as_str().unwrap()
        ))
        .await;
    anna.say("POST", "/v1/erasures", json!({ "person": bo })).await.is(202);
    let failed = async || -> bool {
        let mut owner = husorden_control::doors::owner(&house.config.database).await.unwrap();
        let sql = "select attempts > 0 and last_error like '%sealed%' from job where kind = 'erase-person'";
        sqlx::query_scalar::<_, Option<bool>>(sql).fetch_one(&mut owner).await.unwrap().unwrap_or(false)
    };
    until("it waits", async || failed().await.then_some(())).await;
    let lines = house.get("/v1/evidence?act=solution.create").await;
    assert_eq!(lines["items"][0]["who"], format!("account:person:{bo}"), "nothing is gone");
    let list = anna.say("GET", "/v1/erasures", Value::Null).await.is(200);
    assert!(list["items"][0]["asked"].is_string() && list["items"][0]["done"].is_null(), "{list}");
    house.sql("update measure set lifted = now()").await;
    house.sql("update job set due = now() where kind = 'erase-person'").await;
    erased(&anna, "", &bo).await;
    house.running.stop().await;
}

/// Staff erase who is a member nowhere from everywhere, the log-in too.
#[tokio::test]
async fn who_is_a_member_nowhere_is_erased_from_everywhere() {
    let house = House::new().await;
    let (_, bo) = bo_left(&house).await;
    house.person("bo@ours.example", Some((house.theirs, Role::ReadOnly)), &[]).await;
    house.person("support@house.example", None, &[StaffRole::Support]).await;
    let mut support = Browser::new(&house, HOME);
    support.log_in("support@house.example", "staff").await;
    support.enrol().await;
    let form = json!({ "person": bo });
    support.say("POST", "/v1/erasures", form.clone()).await.refused(409, "not-left");
    house.sql(&format!("delete from member where account = '{}'", house.theirs)).await;
    let list = support.say("GET", "/v1/erasures", Value::Null).await.is(200);
    assert_eq!(
        list["items"].as_array().unwrap().iter().filter(|one| one["email"] == "bo@ours.example").count(),
        1,
        "{list}"
    );
    support.say("POST", "/v1/erasures", form.clone()).await.is(202);
    erased(&support, "", &bo).await;
    Browser::new(&house, AWAY)
        .try_log_in("bo@ours.example", crate::people::PASSWORD, "account")
        .await
        .refused(401, "log-in-failed");
    let lines = house.staff("GET", "/v1/evidence?limit=200", Value::Null).await.is(200).to_string();
    assert!(!lines.contains(&format!("person:{bo}")) && !lines.contains("198.51.100."), "{lines}");
    // Nothing in the whole database names him.
    let mut owner = husorden_control::doors::owner(&house.config.database).await.unwrap();
    let tables: Vec<String> = sqlx::query_scalar(
        "select relname::text from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace order by 1",
    )
    .fetch_all(&mut owner)
    .await
    .unwrap();
    for table in tables {
        let sql = format!("select count(*) from {table} t where to_jsonb(t)::text ~ 'bo@ours.example|Bo Bygger'");
        let found: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&mut owner).await.unwrap();
        assert_eq!(found, 0, "{table} names him still");
    }
    support.say("POST", "/v1/erasures", form).await.refused(409, "not-left");
    house.running.stop().await;
}
