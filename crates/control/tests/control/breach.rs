//! A decision that ends subscriptions for breach: the amount stands in it wherever it is read, and comes back with a complaint
//! that is upheld.

use crate::house::House;
use serde_json::{Value, json};

const WHY: &str = "The site asks visitors for their bank's password.";

async fn plan(house: &House, code: &str) -> String {
    let plan = json!({
        "code": code, "name": { "da": "Lille", "en": "Small" }, "about": { "da": "En plan", "en": "A plan" },
        "price": { "minor": 30_000, "currency": "DKK" }, "vat_bp": 2500, "period": "month", "refund": "remainder",
    });
    house.staff("POST", "/v1/plans", plan).await.is(201);
    subscribe(house, &house.account, code).await
}

async fn subscribe(house: &House, token: &str, code: &str) -> String {
    let made = house.send(house.request(token, "POST", "/v1/subscriptions", Some(&json!({ "plan": code })))).await;
    made.is(201)["id"].as_str().unwrap().to_owned()
}

async fn opened(house: &House) -> (String, Value) {
    let solution = house.create("shop", json!({})).await;
    let form = json!({ "solution": "shop", "clause": "network.attack", "facts": "Seen by two banks." });
    let case = house.staff("POST", "/v1/cases", form).await.is(201);
    (case["number"].as_str().unwrap().to_owned(), json!({ "of": "solution", "id": solution["id"] }))
}

async fn sum(house: &House, ledger: &str) -> i64 {
    let page = house.staff("GET", "/v1/ledger/balance?account=ours", Value::Null).await.is(200);
    let found = page["items"].as_array().unwrap().iter().find(|item| item["ledger"] == ledger).cloned();
    found.map_or(0, |item| item["amount"]["minor"].as_i64().unwrap())
}

#[tokio::test]
async fn the_decision_says_what_is_forfeited_and_a_complaint_that_is_upheld_gives_it_back() {
    let house = House::new().await;
    let id = plan(&house, "small").await;
    let kept = subscribe(&house, &house.account, "small").await;
    let theirs = subscribe(&house, &house.other, "small").await;
    let (case, scope) = opened(&house).await;
    let at = format!("/v1/cases/{case}/decisions");
    let decision =
        |forfeits: Value| json!({ "clause": "network.attack", "reasons": WHY, "scope": scope, "forfeits": forfeits });

    // Another account's, and one named twice: nothing of the decision is written.
    for wrong in [json!([theirs]), json!([id, id]), json!(["0190f0a0-0000-7000-8000-000000000001"])] {
        let said = house.staff("POST", &at, decision(wrong)).await.refused(422, "invalid-fields");
        assert!(said["refusal"]["fields"][0]["pointer"].as_str().unwrap().starts_with("/forfeits"), "{said}");
    }
    let read = house.staff("GET", &format!("/v1/cases/{case}"), Value::Null).await.is(200);
    assert_eq!((&read["measures"], sum(&house, "forfeited").await), (&json!([]), 0));

    // Four days of a month are begun; the rest is forfeited, with its VAT, as it was said beforehand.
    house
        .sql(
            "update subscription set started = started - interval '84 hours';
             update period set starts = starts - interval '84 hours', ends = ends - interval '84 hours'",
        )
        .await;
    let seen = house.staff("GET", &format!("/v1/subscriptions/{id}/ending?why=breach"), Value::Null).await.is(200);
    let measure = house.staff("POST", &at, decision(json!([id]))).await.is(201);
    let forfeit = &measure["forfeits"][0];
    let forfeited = -sum(&house, "forfeited").await;
    assert!((25_700..26_200).contains(&forfeited), "{forfeited}: 24 of 28 to 27 of 31 days");
    assert_eq!((&seen["forfeited"]["minor"], &seen["statement"]), (&json!(forfeited), &forfeit["statement"]));
    let lost = forfeit["lost"]["minor"].as_i64().unwrap();
    assert!((lost - forfeited * 5 / 4).abs() <= 1, "{lost} is {forfeited} with VAT");
    assert_eq!((&forfeit["subscription"], &forfeit["plan"]), (&json!(id), &json!("small")));
    let told = measure["forfeits"][0]["statement"]["en"].as_str().unwrap().to_owned();
    assert!(told.contains("is forfeited under clause money.breach"), "{told}");
    let ended = house.get(&format!("/v1/subscriptions/{id}")).await;
    assert_eq!((&ended["ending"], &ended["case"]), (&json!("breach"), &json!(case)));
    assert_eq!(house.get(&format!("/v1/subscriptions/{kept}")).await["state"], "active");

    // In the statement of reasons, the case, the evidence of the decision and the event, it is the same amount.
    let path = format!("/v1/measures/{}", measure["id"].as_str().unwrap());
    assert_eq!(house.get(&path).await["measure"]["forfeits"], measure["forfeits"]);
    let read = house.staff("GET", &format!("/v1/cases/{case}"), Value::Null).await.is(200);
    assert_eq!(read["measures"][0]["forfeits"], measure["forfeits"]);
    let lines = house.get("/v1/evidence?act=measure.begin").await;
    assert_eq!(lines["items"][0]["before"]["forfeits"], measure["forfeits"]);
    assert!(house.get("/v1/events").await.to_string().contains(&told));
    house.send(house.request(&house.other, "GET", &path, None)).await.refused(404, "not-found");

    // Upheld: the amount comes back once, and the decision says so.
    let complaint = json!({ "text": "The page was put there by a burglar and is gone now." });
    let made = house.call("POST", &format!("{path}/complaints"), complaint).await.is(201);
    let before = sum(&house, "receivable").await;
    let upheld = json!({ "outcome": "upheld", "reasons": "The page is gone and the hole is closed." });
    house.staff("POST", &format!("/v1/complaints/{}/answer", made["id"].as_str().unwrap()), upheld).await.is(200);
    assert_eq!((sum(&house, "forfeited").await, sum(&house, "receivable").await), (0, before - lost));
    assert!(house.get(&path).await["measure"]["forfeits"][0]["returned"].is_string());
    assert!(house.get("/v1/events").await.to_string().contains("was given back"));
    house.running.stop().await;
}

#[tokio::test]
async fn an_ending_for_breach_rests_on_a_decision_that_holds() {
    let house = House::new().await;
    let id = plan(&house, "small").await;
    let (case, scope) = opened(&house).await;
    let end = async || {
        let form = json!({ "when": "now", "why": "breach", "case": case });
        house.staff("POST", &format!("/v1/subscriptions/{id}/end"), form).await
    };
    // A case alone is no decision, and exceptional load is no breach.
    assert_eq!(end().await.refused(422, "invalid-fields")["refusal"]["fields"][0]["pointer"], "/case");
    let at = format!("/v1/cases/{case}/decisions");
    let load = json!({ "clause": "load.exceptional", "reasons": WHY, "scope": scope, "forfeits": [id] });
    let said = house.staff("POST", &at, load.clone()).await.refused(422, "invalid-fields");
    assert_eq!(said["refusal"]["fields"][0]["pointer"], "/forfeits");
    let load = json!({ "clause": "load.exceptional", "reasons": WHY, "scope": scope });
    let held = house.staff("POST", &at, load).await.is(201);
    assert_eq!(end().await.refused(422, "invalid-fields")["refusal"]["fields"][0]["pointer"], "/case");
    let lift = format!("/v1/measures/{}/lift", held["id"].as_str().unwrap());
    house.staff("POST", &lift, json!({ "reasons": "The neighbours do not suffer any more." })).await.is(200);

    // One under another clause carries it, and from then on says the amount.
    let breach = json!({ "clause": "network.attack", "reasons": WHY, "scope": scope });
    let measure = house.staff("POST", &at, breach).await.is(201);
    assert!(measure.get("forfeits").is_none(), "{measure}");
    let told = end().await.is(200);
    let statement = house.get(&format!("/v1/measures/{}", measure["id"].as_str().unwrap())).await;
    assert_eq!(statement["measure"]["forfeits"][0]["statement"], told["statement"]);
    house.running.stop().await;
}
