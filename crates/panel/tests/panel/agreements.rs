//! An agreement on port 25 as a customer and staff make it whose browsers run no script.

use crate::client::{Client, Page, between, panel};
use crate::house::House;
use crate::people::{officer, owner};
use serde_json::{Value, json};

const PAGE: &str = "/solutions/post";

/// Answers or ends at the staff's desk, with the version that the page was made from.
async fn say(desk: &mut Client, id: &str, verb: &str, fields: &[(&str, &str)]) -> Page {
    let at = format!("/agreements/{id}");
    let form = desk.get(&at).await.is(200);
    let seen = between(&form.body, "name=\"_version\" value=\"", "\"").unwrap_or_default().to_owned();
    let fields: Vec<(&str, &str)> = [("_version", seen.as_str())].into_iter().chain(fields.iter().copied()).collect();
    desk.post(&format!("{at}/{verb}"), &form.token(), &fields).await
}

async fn newest(house: &House) -> Value {
    house.get("/v1/solutions/post/agreements").await["items"][0].clone()
}

#[tokio::test]
async fn port_25_is_asked_for_answered_and_ended_without_script() {
    let house = House::hosting(&husorden_kinds::KINDS, |_| {}).await;
    let router = panel(&house);
    let mut client = owner(&house, &router, house.ours).await;
    let mut desk = officer(&house, &router).await;
    house.call("POST", "/v1/solutions", json!({ "kind": "server", "name": "post" })).await.is(201);
    let db = json!({ "kind": "database", "name": "db", "spec": { "engine": "postgresql-17" } });
    house.call("POST", "/v1/solutions", db).await.is(201);
    assert!(!client.get("/solutions/db").await.is(200).body.contains("id=\"port-25\""), "a database sends no mail");
    client.get(PAGE).await.is(200).says("Mail out: port 25").says("Closed").says("Ask to have it opened");
    desk.get("/agreements").await.is(200).says("Nobody waits");

    // What is wrong is said at its field, in this form and no other, and what was typed stays.
    let to = format!("{PAGE}/port-25");
    for (per_week, purpose, field) in
        [("many", "Receipts.", "#f-per-week"), ("0", "Receipts.", "#f-per-week"), ("5", " ", "#f-purpose")]
    {
        let wrong = client.submit(PAGE, &to, &[("/per_week", per_week), ("/purpose", purpose)]).await.is(200);
        wrong.says(&format!("href=\"{field}\"")).says(&format!("value=\"{per_week}\""));
        assert_eq!(wrong.body.matches("data-summary").count(), 1);
    }
    let fields = [("/per_week", "2.000"), ("/purpose", "Receipts <b>only</b>.")];
    assert_eq!(client.submit(PAGE, &to, &fields).await.leads(), PAGE);
    let page = client.get(PAGE).await.is(200);
    page.says("Waits for an answer").says("Receipts &lt;b&gt;only&lt;/b&gt;.").says("Withdraw the request");
    let asked = newest(&house).await;
    assert_eq!(asked["per_week"], 2_000);
    let id = asked["id"].as_str().unwrap().to_owned();

    desk.get("/agreements").await.is(200).says(">post<").says(">ours<").says("Waits for an answer");
    desk.get(&format!("/agreements/{id}")).await.is(200).says("Port 25 out of post").says("Send the answer");
    let wrong = say(&mut desk, &id, "decide", &[("/agree", "no"), ("/reason", "")]).await.is(200);
    wrong.says("href=\"#f-reason\"").says("value=\"no\" checked");
    let wrong = say(&mut desk, &id, "decide", &[("/agree", "yes"), ("/until", "2001-01-01T00:00")]).await.is(200);
    wrong.says("href=\"#f-until\"").says("must lie in the future");
    let wrong = say(&mut desk, &id, "decide", &[("/agree", "yes"), ("/until", "soon")]).await.is(200);
    wrong.says("href=\"#f-until\"").says("Write a day and a time of day");
    let yes = [("/agree", "yes"), ("/reason", "Welcome."), ("/until", "2099-01-31T12:00")];
    assert_eq!(say(&mut desk, &id, "decide", &yes).await.leads(), "/agreements");
    assert_eq!(newest(&house).await["state"], "agreed");
    client.get(PAGE).await.is(200).says("Open by agreement").says("Welcome.").says("End the agreement");
    // Somebody else at the desk was first.
    let late = [("_version", "1"), ("/agree", "no"), ("/reason", "No.")];
    let token = desk.get(&format!("/agreements/{id}")).await.is(200).token();
    desk.post(&format!("/agreements/{id}/decide"), &token, &late).await.is(200).says("role=\"alert\"");

    let reason = [("/reason", "Receivers complain.")];
    assert_eq!(say(&mut desk, &id, "end", &reason).await.leads(), "/agreements");
    client
        .get(PAGE)
        .await
        .is(200)
        .says("The agreement is over")
        .says("Receivers complain.")
        .says("Ask to have it opened");
    desk.get("/agreements").await.is(200).says("Refused and over");

    // Again; this time it is withdrawn.
    client.submit(PAGE, &to, &[("/per_week", "5"), ("/purpose", "Receipts.")]).await.leads();
    let id = newest(&house).await["id"].as_str().unwrap().to_owned();
    let end = format!("{PAGE}/port-25/{id}/end");
    client.get(&end).await.is(200).says("Withdraw the request?");
    assert_eq!(client.submit(&end, &end, &[]).await.leads(), PAGE);
    client.get(PAGE).await.is(200).says("The request was withdrawn");
    client.get(&end).await.is(404);
    house.running.stop().await;
}
