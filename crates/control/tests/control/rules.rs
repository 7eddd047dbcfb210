//! The house rules as anybody reads them, as accounts accept them, and as they follow one another.

use crate::cluster::{connect, folder};
use crate::house::House;
use crate::tiny::KINDS;
use husorden_control::doors::Role;
use husorden_control::{Running, StartError, start};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// The product's own rules in a folder, changed.
fn copied(change: impl Fn(&str, String) -> String) -> PathBuf {
    let to = folder().join("rules");
    std::fs::create_dir(&to).unwrap();
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../rules")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        std::fs::write(to.join(name), change(name, std::fs::read_to_string(&path).unwrap())).unwrap();
    }
    to
}

/// Version `version` from `effective`, with one word changed.
fn next(version: u32, effective: &str, word: &str) -> PathBuf {
    copied(|name, text| match name {
        "rules.toml" => text
            .replace("version = 1", &format!("version = {version}"))
            .replace("\"2026-11-01\"", &format!("\"{effective}\"")),
        "mail.spam.toml" => text.replace("newsletters", word),
        _ => text,
    })
}

/// Another control on the same database, with this folder.
async fn another(house: &House, rules: &Path) -> Result<Running, StartError> {
    let mut config = house.config.clone();
    config.node_socket = folder().join("node.sock");
    config.rules = Some(rules.to_owned());
    start(config, &KINDS).await
}

#[tokio::test]
async fn anybody_reads_them_and_each_account_accepts_for_itself() {
    let house = House::new().await;
    let rules = house.send(house.request("", "GET", "/v1/rules", None)).await.is(200);
    assert_eq!((&rules["version"], &rules["in_force"]), (&json!(1), &json!(true)));
    assert_eq!(rules["clauses"].as_array().unwrap().len(), husorden_rules::clause::CLAUSES.len());
    let spam = rules["clauses"].as_array().unwrap().iter().find(|clause| clause["id"] == "mail.spam").unwrap();
    assert_eq!(
        (&spam["answers"]["word"], &spam["title"]["en"]),
        (&json!("customer"), &json!("Spam, phishing and mass mail"))
    );
    for path in ["/v1/rules/versions/2", "/v1/rules/versions/x", "/v1/rules/versions/-1"] {
        house.send(house.request("", "GET", path, None)).await.refused(404, "not-found");
    }

    let stands = house.get("/v1/rules/acceptance").await;
    assert_eq!((&stands["accepted"], &stands["in_force"], &stands["items"]), (&json!(false), &json!(1), &json!([])));
    house.call("POST", "/v1/rules/acceptance", json!({ "version": 2 })).await.refused(422, "invalid-fields");
    house.staff("GET", "/v1/rules/acceptance", Value::Null).await.refused(422, "invalid-fields");
    let first = house.call("POST", "/v1/rules/acceptance", json!({ "version": 1 })).await.is(201);
    assert!(first["who"].as_str().unwrap().starts_with("account:"), "{first}");
    let again = house.call("POST", "/v1/rules/acceptance", json!({ "version": 1 })).await.is(200);
    assert_eq!(again, first, "what was accepted first stands");
    assert_eq!(house.get("/v1/rules/acceptance").await["accepted"], true);
    let theirs = house.send(house.request(&house.other, "GET", "/v1/rules/acceptance", None)).await.is(200);
    assert_eq!((&theirs["accepted"], &theirs["items"]), (&json!(false), &json!([])));
    let seen = house.staff("GET", "/v1/rules/acceptance?account=ours", Value::Null).await.is(200);
    assert_eq!(seen["items"], json!([first]));
    let lines = house.get("/v1/evidence").await;
    let line =
        lines["items"].as_array().unwrap().iter().filter(|line| line["act"] == "rules.accept").collect::<Vec<_>>();
    assert_eq!(line.len(), 1);
    assert_eq!(line[0]["before"]["hash"], rules["hash"]);

    let mut owner = connect(&house.config.database, Role::Owner).await;
    let accepted: Vec<bool> =
        sqlx::query_scalar("select rules_accepted(id) from account order by name").fetch_all(&mut owner).await.unwrap();
    assert_eq!(accepted, [true, false], "ours, theirs");
    for sql in [
        "update rules_version set effective = now() + interval '1 year'",
        "delete from rules_version",
        "update rules_acceptance set who = 'nobody'",
        "delete from rules_acceptance",
    ] {
        let error = sqlx::raw_sql(sql).execute(&mut owner).await.expect_err("even the owner").to_string();
        assert!(error.contains("never changed"), "{sql}: {error}");
    }
    house.running.stop().await;
}

#[tokio::test]
async fn a_new_version_asks_again_and_a_decision_keeps_the_one_it_rests_on() {
    let house = House::new().await;
    house.call("POST", "/v1/rules/acceptance", json!({ "version": 1 })).await.is(201);
    let solution = house.create("shop", json!({})).await;
    let scope = json!({ "of": "solution", "id": solution["id"] });
    house.decide(scope.clone(), json!({})).await;

    // One that is to come: it can be read and accepted, and holds nobody yet.
    another(&house, &next(2, "2999-01-01", "circulars")).await.expect("it starts").stop().await;
    let stands = house.get("/v1/rules/acceptance").await;
    assert_eq!((&stands["in_force"], &stands["next"], &stands["accepted"]), (&json!(1), &json!(2), &json!(true)));
    let coming = house.get("/v1/rules/versions/2").await;
    let changed = coming["difference"]["clauses"].as_array().unwrap();
    assert_eq!(
        (changed.len(), &changed[0]["id"], &changed[0]["texts"][0]["part"]),
        (1, &json!("mail.spam"), &json!("says"))
    );
    let added: Vec<&str> = changed[0]["texts"][0]["en"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|piece| piece["is"] == "added")
        .map(|piece| piece["text"].as_str().unwrap())
        .collect();
    assert_eq!(added, ["circulars"]);
    let danish = changed[0]["texts"][0]["da"].as_array().unwrap();
    assert!(danish.iter().all(|piece| piece["is"] == "same"), "the Danish text is as it was");

    // One that holds now: the account is told, and asked again.
    another(&house, &next(3, "2026-11-02", "leaflets")).await.expect("it starts").stop().await;
    let stands = house.get("/v1/rules/acceptance").await;
    assert_eq!((&stands["in_force"], &stands["accepted"]), (&json!(3), &json!(false)));
    house.call("POST", "/v1/rules/acceptance", json!({ "version": 2 })).await.refused(422, "invalid-fields");
    let told = house.get("/v1/events").await.to_string();
    assert_eq!(told.matches("rules.published").count(), 2, "{told}");
    house.decide(scope, json!({})).await;
    let mut owner = connect(&house.config.database, Role::Owner).await;
    let sql = "select rules_version from measure order by id";
    let versions: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut owner).await.unwrap();
    assert_eq!(versions, ["1", "3"]);

    // A text that was changed without a new number: what was published holds.
    another(&house, &next(3, "2026-11-02", "pigeons")).await.expect("it starts").stop().await;
    let text = house.get("/v1/rules").await.to_string();
    assert!(text.contains("leaflets") && !text.contains("pigeons"));
    // An older release: nothing is taken back.
    another(&house, &next(1, "2026-11-01", "newsletters")).await.expect("it starts").stop().await;
    assert_eq!(house.get("/v1/rules").await["version"], 3);
    house.running.stop().await;
}

#[tokio::test]
async fn control_does_not_start_on_broken_rules() {
    let house = House::new().await;
    let broken =
        copied(|name, text| if name == "mail.spam.toml" { text.replace("criminal", "criminally") } else { text });
    let said = another(&house, &broken).await.expect_err("it does not start").to_string();
    assert!(said.contains("mail.spam.toml:5: unknown field `criminally`"), "{said}");
    let said = another(&house, Path::new("/nonexistent")).await.expect_err("it does not start").to_string();
    assert!(said.contains("/nonexistent"), "{said}");
    house.running.stop().await;
}
