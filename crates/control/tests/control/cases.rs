//! A case from its opening to its closing: two at one desk, the statement of reasons, the complaint, a node that does not answer.

use crate::cluster::connect;
use crate::house::House;
use crate::node::{Node, until};
use husorden_control::doors::Role;
use husorden_wire::node::MeasureState;
use serde_json::{Value, json};

const WHY: &str = "The site asks visitors for their bank's password.";

async fn opened(house: &House, about: Value, clause: &str) -> Value {
    let mut form = json!({ "clause": clause, "facts": "Seen by two banks; staff only: tip from a neighbour." });
    form.as_object_mut().unwrap().extend(about.as_object().unwrap().clone());
    house.staff("POST", "/v1/cases", form).await.is(201)
}

fn decision(solution: &Value) -> Value {
    json!({ "clause": "network.attack", "reasons": WHY, "facts": "A copy of a bank's log-in page lies on the site.",
            "scope": { "of": "solution", "id": solution["id"] } })
}

fn path(case: &Value, what: &str) -> String {
    format!("/v1/cases/{}/{what}", case["number"].as_str().unwrap())
}

#[tokio::test]
async fn from_the_desk_to_the_customer_and_back() {
    let house = House::new().await;
    let (mut node, _) = Node::hello(&house.config.node_socket).await;
    let solution = house.create("shop", json!({})).await;
    let case = opened(&house, json!({ "solution": "shop" }), "network.attack").await;
    assert_eq!((&case["version"], &case["solution_name"]), (&json!(1), &json!("shop")));
    let noted =
        house.staff("POST", &path(&case, "notes"), json!({ "text": "The second bank has called." })).await.is(201);
    assert_eq!((&noted["notes"][0]["text"], &noted["version"]), (&json!("The second bank has called."), &json!(2)));
    house.staff("POST", &path(&case, "notes"), json!({ "text": " " })).await.refused(422, "invalid-fields");

    let measure = house.staff("POST", &path(&case, "decisions"), decision(&solution)).await.is(201);
    let id = measure["id"].as_str().unwrap();
    let told = node.measure().await;
    node.measured(&told, MeasureState::InForce).await;

    // The account reads what it was told, in its language, and nothing of the desk's own.
    let read = async |language: &str| {
        let mut request = house.request(&house.account, "GET", &format!("/v1/measures/{id}"), None);
        request.headers_mut().insert("accept-language", language.parse().unwrap());
        house.send(request).await.is(200)
    };
    let statement = until("in force", async || {
        let statement = read("da").await;
        (statement["measure"]["state"] == "in-force").then_some(statement)
    })
    .await;
    assert_eq!(statement["measure"]["facts"], "A copy of a bank's log-in page lies on the site.");
    assert_eq!(statement["measure"]["reasons"], WHY);
    assert_eq!((&statement["automated"], &statement["can_complain"]), (&json!(false), &json!(true)));
    assert_eq!(statement["solution_name"], "shop");
    let said = statement["restricted"].to_string();
    assert!(said.contains("Løsningen er lukket"), "{said}");
    assert!(read("en").await["restricted"].to_string().contains("The solution is closed"));
    let whole = statement.to_string();
    assert!(!whole.contains("neighbour") && !whole.contains("decided_by") && !whole.contains("second bank"), "{whole}");

    // Only its own account may complain, about this once at a time, with reasons.
    let complaints = format!("/v1/measures/{id}/complaints");
    let complaint = json!({ "text": "The page was put there by a burglar and is gone now." });
    house.send(house.request(&house.other, "POST", &complaints, Some(&complaint))).await.refused(404, "not-found");
    house.call("POST", &complaints, json!({ "text": "no" })).await.refused(422, "invalid-fields");
    let made = house.call("POST", &complaints, complaint.clone()).await.is(201);
    house.call("POST", &complaints, complaint.clone()).await.refused(409, "complaint-waits");
    assert_eq!(read("en").await["can_complain"], false);
    let others = house.send(house.request(&house.other, "GET", "/v1/complaints", None)).await.is(200);
    assert_eq!(others["items"], json!([]));

    // The desk finds it, and cannot close the case before it is answered.
    let waiting = house.staff("GET", "/v1/cases?complaint=waiting", Value::Null).await.is(200);
    assert_eq!(waiting["items"][0]["complaints"][0]["text"], complaint["text"]);
    house.staff("POST", &path(&case, "close"), json!({ "reasons": "done" })).await.refused(409, "case-still-open");
    let answer = format!("/v1/complaints/{}/answer", made["id"].as_str().unwrap());
    let upheld = json!({ "outcome": "upheld", "reasons": "The page is gone and the hole is closed." });
    house.call("POST", &answer, upheld.clone()).await.refused(403, "staff-only");
    assert_eq!(house.staff("POST", &answer, upheld.clone()).await.is(200)["outcome"], "upheld");
    house.staff("POST", &answer, upheld).await.refused(409, "complaint-answered");
    let lifted = node.measure().await;
    assert!(lifted.lifted.is_some(), "an upheld complaint lifts the measure");
    house.staff("POST", &path(&case, "close"), json!({ "reasons": "done" })).await.refused(409, "case-still-open");
    node.measured(&lifted, MeasureState::Lifted).await;
    let statement = until("lifted", async || {
        let statement = read("en").await;
        (statement["measure"]["state"] == "lifted").then_some(statement)
    })
    .await;
    assert_eq!(statement["complaints"][0]["answer"], "The page is gone and the hole is closed.");
    house.call("POST", &complaints, complaint).await.refused(409, "measure-lifted");

    // Under a criminal clause the police are told, or it is said why not.
    let missing =
        house.staff("POST", &path(&case, "close"), json!({ "reasons": "done" })).await.refused(422, "invalid-fields");
    assert_eq!(missing["refusal"]["fields"][0]["pointer"], "/referral");
    let closing = json!({ "reasons": "done", "referral": { "is": "made", "reference": "AAA-1" } });
    let closed = house.staff("POST", &path(&case, "close"), closing).await.is(200);
    assert_eq!((&closed["state"], &closed["referral"]["is"]), (&json!("closed"), &json!("made")));
    house.staff("POST", &path(&case, "decisions"), decision(&solution)).await.refused(409, "case-closed");
    house.running.stop().await;
}

#[tokio::test]
async fn of_two_who_decide_at_once_one_is_told_of_the_other() {
    let house = House::new().await;
    let solution = house.create("shop", json!({})).await;
    let case = opened(&house, json!({ "account": "ours" }), "mail.spam").await;
    let seen = case["version"].as_u64().unwrap();
    let decisions = path(&case, "decisions");
    let (one, other) = tokio::join!(
        house.staff("POST", &decisions, decision(&solution)),
        house.staff("POST", &decisions, decision(&solution))
    );
    let (made, refused) = if one.status == 201 { (one, other) } else { (other, one) };
    let first = made.is(201);
    refused.refused(409, "already-decided");

    // Who read the case before the decision hears that it changed, also where both could stand.
    let whole = json!({ "clause": "mail.spam", "reasons": WHY, "scope": { "of": "account", "id": case["account"] } });
    let stale = |version: u64| {
        let mut request = house.request(&house.staff, "POST", &path(&case, "decisions"), Some(&whole));
        request.headers_mut().insert("if-match", format!("\"{version}\"").parse().unwrap());
        request
    };
    let said = house.send(stale(seen)).await.refused(412, "changed-meanwhile");
    assert_eq!(said["title"], "The case was changed meanwhile");
    let now = house.staff("GET", &path(&case, "")[..path(&case, "").len() - 1], Value::Null).await.is(200);
    assert_eq!(house.send(stale(now["version"].as_u64().unwrap())).await.is(201)["scope"]["of"], "account");

    // Lifting while another lifts does it once.
    let lift = format!("/v1/measures/{}/lift", first["id"].as_str().unwrap());
    let form = json!({ "reasons": "It was the wrong site after all." });
    let (one, other) = tokio::join!(house.staff("POST", &lift, form.clone()), house.staff("POST", &lift, form));
    assert_eq!((one.is(200)["lifted"].clone(), ()), (other.is(200)["lifted"].clone(), ()));
    let lines = house.staff("GET", "/v1/evidence?limit=200", Value::Null).await.is(200);
    let lifted = lines["items"].as_array().unwrap().iter().filter(|line| line["act"] == "measure.lift").count();
    assert_eq!(lifted, 1, "{lines}");
    // Once lifted, the same may be decided again in the same case.
    assert_eq!(house.staff("POST", &path(&case, "decisions"), decision(&solution)).await.status, 201);
    house.running.stop().await;
}

#[tokio::test]
async fn a_node_that_does_not_answer_is_an_alarm_and_no_measure_in_force() {
    let house = House::new().await;
    let solution = house.create("shop", json!({})).await;
    let case = opened(&house, json!({ "solution": "shop" }), "network.attack").await;
    let measure = house.staff("POST", &path(&case, "decisions"), decision(&solution)).await.is(201);
    assert_eq!((&measure["state"], &measure["late"]), (&json!("ordered"), &json!(false)));
    // Time is made to pass in the database alone.
    let mut owner = connect(&house.config.database, Role::Owner).await;
    sqlx::raw_sql(
        "update measure set starts = starts - interval '1 minute'; update job set due = now() where kind = 'measure-watch'",
    )
    .execute(&mut owner)
    .await
    .unwrap();
    let event = until("staff are told", async || {
        let events = house.staff("GET", "/v1/events", Value::Null).await.is(200);
        events["items"].as_array().unwrap().iter().find(|event| event["kind"] == "measure.late").cloned()
    })
    .await;
    assert!(event["message"].as_str().unwrap().contains("local"), "{event}");
    let shown = house.staff("GET", &path(&case, "")[..path(&case, "").len() - 1], Value::Null).await.is(200);
    assert_eq!((&shown["measures"][0]["state"], &shown["measures"][0]["late"]), (&json!("ordered"), &json!(true)));
    assert!(
        !house.get("/v1/events").await.to_string().contains("measure.late"),
        "the account is not told of our nodes"
    );
    let waiting: i64 =
        sqlx::query_scalar("select count(*) from job where kind = 'measure-watch' and done is null and attempts > 0")
            .fetch_one(&mut owner)
            .await
            .unwrap();
    assert_eq!(waiting, 1, "the alarm comes again until it is carried out");
    // The node comes back: it is told, and it holds.
    let (mut node, told) = Node::hello(&house.config.node_socket).await;
    let told = told.into_iter().find_map(|line| match line {
        husorden_wire::node::ToNode::Measure { measure } => Some(measure),
        _ => None,
    });
    node.measured(&told.expect("the measure is told"), MeasureState::InForce).await;
    until("in force", async || {
        let list = house.staff("GET", "/v1/measures", Value::Null).await.is(200);
        (list["items"][0]["state"] == "in-force" && list["items"][0]["late"] == false).then_some(())
    })
    .await;
    house.running.stop().await;
}

#[tokio::test]
async fn what_an_order_keeps_silent_cannot_be_complained_about() {
    let house = House::new().await;
    let solution = house.create("shop", json!({})).await;
    let case = opened(&house, json!({ "solution": "shop" }), "law.order").await;
    let mut silent = decision(&solution);
    silent["clause"] = json!("law.order");
    silent["silent_until"] = json!("2100-01-01T00:00:00Z");
    let measure = house.staff("POST", &path(&case, "decisions"), silent).await.is(201);
    let at = format!("/v1/measures/{}", measure["id"].as_str().unwrap());
    house.call("GET", &at, Value::Null).await.refused(404, "not-found");
    let text = json!({ "text": "What is it that you do not tell me?" });
    house.call("POST", &format!("{at}/complaints"), text).await.refused(404, "not-found");
    house.running.stop().await;
}

/// Which clauses may be crimes is the rules' own word, not the program's.
#[tokio::test]
async fn the_rules_say_under_which_clauses_the_police_are_told() {
    let folder = crate::cluster::folder().join("rules");
    std::fs::create_dir_all(&folder).unwrap();
    for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../rules")).unwrap().flatten() {
        let text = std::fs::read_to_string(file.path()).unwrap();
        let text = match file.file_name().to_str().unwrap() {
            "network.attack.toml" => text.replace("criminal = true", "criminal = false"),
            "mail.spam.toml" => text.replace("criminal = false", "criminal = true"),
            _ => text,
        };
        std::fs::write(folder.join(file.file_name()), text).unwrap();
    }
    let house = House::with(|config| config.rules = Some(folder)).await;
    let close = async |clause: &str| {
        let case = opened(&house, json!({ "account": "ours" }), clause).await;
        house.staff("POST", &path(&case, "close"), json!({ "reasons": "It was nothing." })).await
    };
    close("network.attack").await.is(200);
    let said = close("mail.spam").await.refused(422, "invalid-fields");
    assert_eq!(said["refusal"]["fields"][0]["pointer"], "/referral");
    house.running.stop().await;
}
