//! The staff's pages: a case from its opening to the lift, as a browser without scripts does it; and who is kept out.

use crate::client::{HOST, STAFF, between, panel};
use crate::house::House;
use crate::people::{carried, officer, owner};
use http::Method;
use serde_json::{Value, json};

const SCRIPT: &str = "<script>alert('facts')</script> was found in 192.0.2.7's page.";

#[tokio::test]
async fn a_case_is_opened_decided_complained_about_and_lifted() {
    let house = House::new().await;
    let router = panel(&house);
    let mut desk = officer(&house, &router).await;
    desk.get("/cases").await.is(200).says("No cases here").says("href=\"/cases/open\"");
    let shop = house.create("shop", json!({ "names": ["shop.example"] })).await["id"].as_str().unwrap().to_owned();

    // What is wrong is said, and what was typed stays.
    let fields =
        [("/solution", shop.as_str()), ("/account", "ours"), ("/clause", "network.attack"), ("/facts", SCRIPT)];
    desk.submit("/cases/open", "/cases/open", &fields).await.is(200).says("aria-invalid=\"true\"").says("192.0.2.7");
    let fields = [("/solution", shop.as_str()), ("/account", ""), ("/clause", "network.attack"), ("/facts", SCRIPT)];
    let opened = desk.submit("/cases/open", "/cases/open", &fields).await;
    let at = opened.leads().replace("%2D", "-");
    let number = at.rsplit('/').next().unwrap().to_owned();
    let page = desk.get(&at).await.is(200);
    page.says("&lt;script&gt;alert").says(&format!("Case {number}")).says("Decide");
    assert!(!page.body.contains("<script>alert"));
    desk.get("/cases").await.is(200).says(&number);
    desk.get("/cases?show=closed").await.is(200).says("No cases here");
    let noted = desk.submit(&at, &format!("{at}/notes"), &[("/text", "Seen twice.")]).await;
    desk.get(noted.leads()).await.is(200).says("Seen twice.");

    // The form begins with the case's facts; too short a reason is refused at its field, and nothing happens unasked.
    let decide = format!("{at}/decide");
    let form = desk.get(&decide).await.is(200);
    form.says("192.0.2.7").says("value=\"network.attack\" selected");
    let version = between(&form.body, "name=\"_version\" value=\"", "\"").unwrap().to_owned();
    let (token, scope) = (form.token(), format!("solution:{shop}"));
    let mut fields = vec![
        ("_version", version.as_str()),
        ("/scope", scope.as_str()),
        ("/clause", "network.attack"),
        ("/facts", "A script was found."),
        ("/reasons", "Too short"),
        ("/access", "decision"),
        ("/ends", ""),
    ];
    desk.post(&decide, &token, &fields).await.is(200).says("href=\"#f-reasons\"").says("Too short");
    fields[4].1 = "It attacks the visitors of the page.";
    desk.post(&decide, &token, &fields).await.is(200).says("It can be lifted again").says("name=\"_sure\"");
    assert_eq!(case(&house, &number).await["measures"], json!([]));

    // Somebody else notes something meanwhile: the decision is refused, what was typed stays, and is sent again.
    desk.submit(&at, &format!("{at}/notes"), &[("/text", "Another at the desk.")]).await;
    fields.push(("_sure", "on"));
    let stale = desk.post(&decide, &token, &fields).await.is(200);
    stale.says("The case was changed since you read it").says("It attacks the visitors of the page.");
    assert_eq!(case(&house, &number).await["measures"], json!([]));
    let version = between(&stale.body, "name=\"_version\" value=\"", "\"").unwrap().to_owned();
    fields[0].1 = &version;
    desk.post(&decide, &token, &fields).await.leads();
    let page = desk.get(&at).await.is(200);
    page.says("Decided, not yet in force").says("Seen from outside: closed").says("http-equiv=\"refresh\"");
    let measure = case(&house, &number).await["measures"][0]["id"].as_str().unwrap().to_owned();

    // A complaint is answered; the measure is being lifted; before it is, the case stays open.
    let text = json!({ "text": "It was a test of our own, on our own page." });
    let complaint = house.call("POST", &format!("/v1/measures/{measure}/complaints"), text).await.is(201);
    desk.get("/cases?show=waiting").await.is(200).says(&number);
    desk.get("/complaints").await.is(200).says(&number).says("Waits for an answer");
    let answer = format!("{at}/answer/{}", complaint["id"].as_str().unwrap());
    let short = [("/outcome", "upheld"), ("/reasons", "Yes")];
    desk.submit(&answer, &answer, &short).await.is(200).says(">Yes</textarea>").says("value=\"upheld\" checked");
    let upheld = [("/outcome", "upheld"), ("/reasons", "It was indeed a test of their own.")];
    desk.submit(&answer, &answer, &upheld).await.leads();
    desk.get(&at).await.is(200).says("Upheld").says("Being lifted");
    desk.get("/complaints").await.is(200).says("No complaints wait").says("Upheld");
    desk.get("/evidence?q=case.open").await.is(200).says("case.open");
    desk.get("/accounts/ours").await.is(200).says("shop").says(&number);
    desk.get("/accounts?q=OUR").await.is(200).says(">ours<");
    assert!(!desk.get("/accounts?q=OUR").await.body.contains(">theirs<"));
    desk.get("/solutions?q=shop").await.is(200).says(">shop<").says(">ours<");
    desk.get("/health").await.is(200).says("Database");
    // The log is narrowed by its fields, which stay, and leaves as a file.
    let narrowed = desk.get("/evidence?act=case&who=staff").await.is(200);
    narrowed.says("<details class=\"narrow\" open").says("value=\"case\"").says("case.open");
    assert!(!narrowed.body.contains("solution.create"));
    let file = desk.get("/evidence/export?format=csv").await.is(200);
    assert!(file.headers["content-disposition"].to_str().unwrap().contains("evidence.csv"));
    file.says("case.open");
    let close = format!("{at}/close");
    let page = desk.get(&close).await.is(200);
    page.says("The clause may be a crime");
    let version = between(&page.body, "name=\"_version\" value=\"", "\"").unwrap().to_owned();
    let fields = [("_version", version.as_str()), ("/reasons", "It was a test.")];
    let refused = desk.post(&close, &page.token(), &fields).await.is(200);
    refused.says("A measure in the case is not lifted").says("It was a test.");
    house.running.stop().await;
}

async fn case(house: &House, number: &str) -> Value {
    house.staff("GET", &format!("/v1/cases/{number}"), Value::Null).await.is(200)
}

#[tokio::test]
async fn staff_pages_are_staffs_alone() {
    let house = House::new().await;
    let router = panel(&house);
    house.create("shop", json!({ "names": ["shop.example"] })).await;
    let mut desk = officer(&house, &router).await;
    let mut account = carried(&owner(&house, &router, house.ours).await, STAFF);
    let mut customers = carried(&desk, HOST);
    let shared: Vec<_> = husorden_panel::routes::customers().iter().map(|page| page.path).collect();
    let mut seen = 0;
    for page in husorden_panel::routes::staff() {
        if page.method != Method::GET || page.path.contains('{') || ["/", "/live"].contains(&page.path) {
            continue;
        }
        let own = !shared.contains(&page.path);
        if !own && page.path != "/evidence" {
            continue;
        }
        for language in ["da", "en"] {
            desk.language = language;
            desk.get(page.path).await.is(200);
        }
        account.get(page.path).await.is(403);
        // The customers' own page at the same address is the customers' origin's business.
        if own {
            let there = customers.get(page.path).await.status;
            assert!(there == 404 || there == 403, "{page:?}: {there}");
        }
        seen += 1;
    }
    assert!(seen >= 7, "{seen} pages");
    house.running.stop().await;
}
