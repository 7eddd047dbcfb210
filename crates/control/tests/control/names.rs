//! Who signed something: staff see each other by name, customers see the roles and a number, and nobody sees another account's
//! people.

use crate::house::House;
use crate::people::Browser;
use husorden_wire::api::{Role, StaffRole};
use serde_json::{Value, json};

/// A case that a person of staff has noted something in, decided and answered a complaint in, with the measure's path.
async fn handled(house: &House) -> (Value, String) {
    house.person("karen@staff.example", None, &[StaffRole::Abuse]).await;
    let mut desk = Browser::new(house, "192.0.2.1");
    desk.log_in("karen@staff.example", "staff").await;
    desk.enrol().await;
    let solution = house.create("shop", json!({})).await;
    let form = json!({ "solution": "shop", "clause": "network.attack", "facts": "Scanned 192.0.2.0/24." });
    let case = desk.say("POST", "/v1/cases", form).await.is(201);
    let at = format!("/v1/cases/{}", case["number"].as_str().unwrap());
    desk.say("POST", &format!("{at}/notes"), json!({ "text": "Seen twice." })).await.is(201);
    let decision = json!({ "clause": "network.attack", "reasons": "It scanned 192.0.2.0/24 for open ports.",
        "scope": { "of": "solution", "id": solution["id"] } });
    let measure = desk.say("POST", &format!("{at}/decisions"), decision).await.is(201);
    let path = format!("/v1/measures/{}", measure["id"].as_str().unwrap());

    house.member("owner@ours.example", Role::Owner).await;
    let mut owner = Browser::new(house, "192.0.2.2");
    owner.log_in("owner@ours.example", "account").await;
    let text = json!({ "text": "It was a test of our own machines." });
    let made = owner.say("POST", &format!("{path}/complaints"), text).await.is(201);
    assert_eq!(made["by_whom"], json!({ "name": "Anna Test" }));
    let answer = json!({ "outcome": "rejected", "reasons": "Those machines are not yours at all." });
    desk.say("POST", &format!("/v1/complaints/{}/answer", made["id"].as_str().unwrap()), answer).await.is(200);
    (house.staff("GET", &at, Value::Null).await.is(200), path)
}

#[tokio::test]
async fn staff_are_names_to_staff_and_numbers_to_customers() {
    let house = House::new().await;
    let (case, path) = handled(&house).await;
    let staff = house.staff("GET", "/v1/staff", Value::Null).await.is(200);
    let number = staff["items"][0]["number"].as_u64().unwrap();
    let named = json!({ "name": "Anna Test", "number": number, "roles": ["abuse"] });
    for whom in [
        &case["opened_by_whom"],
        &case["notes"][0]["by_whom"],
        &case["measures"][0]["decided_by_whom"],
        &case["complaints"][0]["answered_by_whom"],
    ] {
        assert_eq!(*whom, named, "{case}");
    }
    assert_eq!(case["complaints"][0]["by_whom"], json!({ "name": "Anna Test" }));
    let line = house.staff("GET", "/v1/evidence?act=measure.begin", Value::Null).await.is(200);
    assert_eq!(line["items"][0]["who_is"], named);

    // The customer: the number, in every place; and a token by what it is for.
    let numbered = json!({ "number": number, "roles": ["abuse"] });
    let statement = house.get(&path).await;
    assert_eq!(statement["measure"]["decided_by_whom"], numbered);
    assert_eq!(statement["complaints"][0]["answered_by_whom"], numbered);
    let line = house.get("/v1/evidence?act=measure.begin").await;
    assert_eq!(line["items"][0]["who_is"], numbered);
    let created = house.get("/v1/evidence?act=solution.create").await;
    assert_eq!(created["items"][0]["who_is"], json!({ "token": "test" }));
    assert!(!statement.to_string().contains("\"decided_by\":"), "{statement}");

    // The number stays when the person leaves and comes back.
    house.sql("delete from staff").await;
    assert_eq!(house.get(&path).await["measure"]["decided_by_whom"], json!({ "number": number }));
    house.person("karen@staff.example", None, &[StaffRole::Auditor]).await;
    house.person("second@staff.example", None, &[StaffRole::Support]).await;
    let staff = house.staff("GET", "/v1/staff", Value::Null).await.is(200);
    let numbers: Vec<u64> =
        staff["items"].as_array().unwrap().iter().map(|one| one["number"].as_u64().unwrap()).collect();
    assert!(numbers.contains(&number) && numbers.len() == 2 && numbers[0] != numbers[1], "{numbers:?}");
    house.running.stop().await;
}

#[tokio::test]
async fn an_installation_may_show_the_names_of_staff() {
    let house = House::with(|config| config.staff_named = true).await;
    let (_, path) = handled(&house).await;
    assert_eq!(house.get(&path).await["measure"]["decided_by_whom"]["name"], "Anna Test");
    house.running.stop().await;
}

/// The door itself keeps it, whatever statement comes through it.
#[tokio::test]
async fn the_tenant_door_names_nobody_of_another_account() {
    let house = House::new().await;
    let ours = house.member("owner@ours.example", Role::Owner).await;
    let theirs = house.person("owner@theirs.example", Some((house.theirs, Role::Owner)), &[]).await;
    let staff = house.person("karen@staff.example", None, &[StaffRole::Abuse]).await;
    let mut tenant = crate::cluster::connect(&house.config.database, husorden_control::doors::Role::Tenant).await;
    sqlx::query("select set_config('app.account', $1, false)")
        .bind(house.ours.to_string())
        .execute(&mut tenant)
        .await
        .unwrap();
    for (signature, name) in [
        (format!("account:person:{ours}"), Some("Anna Test")),
        (format!("account:person:{theirs}"), None),
        // An account's side that a member of staff acts on is no way round.
        (format!("account:person:{staff}"), None),
        (format!("staff:person:{staff}"), None),
        ("staff:person:nobody".to_owned(), None),
        ("platform".to_owned(), None),
    ] {
        let found: Option<String> =
            sqlx::query_scalar("select signed($1)->>'name'").bind(&signature).fetch_one(&mut tenant).await.unwrap();
        assert_eq!(found.as_deref(), name, "{signature}");
    }
    house.running.stop().await;
}

/// Who may break the glass is not told what tokens are for.
#[tokio::test]
async fn staff_see_the_tokens_that_are_theirs_to_make() {
    let house = House::new().await;
    let token = async |capabilities: Value| {
        let form = json!({ "label": "desk", "scope": { "capabilities": capabilities } });
        house.staff("POST", "/v1/tokens", form).await.is(201)["token"].as_str().unwrap().to_owned()
    };
    let roles = async |token: &str| {
        let page = house.send(house.request(token, "GET", "/v1/tokens", None)).await.is(200);
        let mut roles: Vec<String> =
            page["items"].as_array().unwrap().iter().map(|one| one["role"].as_str().unwrap().to_owned()).collect();
        roles.dedup();
        roles.sort();
        roles.dedup();
        roles
    };
    let abuse = token(json!(["staff-read", "case-handle", "case-decide"])).await;
    house.send(house.request(&abuse, "GET", "/v1/tokens", None)).await.refused(403, "capability-missing");
    // Breaking the glass is still theirs.
    let glass = json!({ "account": "ours", "break_glass": "A phishing page must be taken down" });
    house.send(house.request(&abuse, "POST", "/v1/grants", Some(&glass))).await.is(201);
    assert_eq!(roles(&token(json!(["staff-read", "account-administer"])).await).await, ["account"]);
    assert_eq!(roles(&token(json!(["staff-read", "staff-manage"])).await).await, ["staff"]);
    assert_eq!(roles(&house.staff).await, ["account", "staff"]);
    house.running.stop().await;
}
