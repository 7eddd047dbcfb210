//! A snapshot schedule as a customer sets it whose browser runs no script.

use crate::client::panel;
use crate::house::House;
use crate::people::owner;
use serde_json::json;

const PAGE: &str = "/solutions/shop/snapshots";
const FORM: &str = "/solutions/shop/snapshots/schedule";

#[tokio::test]
async fn a_schedule_is_set_and_what_is_wrong_is_said_at_its_field() {
    let house = House::new().await;
    let router = panel(&house);
    let mut client = owner(&house, &router, house.ours).await;
    house.call("POST", "/v1/solutions", json!({ "kind": "tiny", "name": "shop" })).await.is(201);
    client.get(PAGE).await.is(200).says("None are taken by themselves").says("id=\"snapshot-schedule\"");
    let fields = |zone: &'static str, keep: &'static str| {
        [
            ("_schedule", "yes"),
            ("/every", "daily"),
            ("/hour", "4"),
            ("/day", "sunday"),
            ("/zone", zone),
            ("/keep", keep),
        ]
    };
    let wrong = client.submit(PAGE, FORM, &fields("Mars/Olympus", "3")).await.is(200);
    wrong.says("href=\"#f-zone\"").says("That time zone is not known").says("value=\"Mars/Olympus\"");
    wrong.says("<option value=\"daily\" selected>").says("<option value=\"3\" selected>");
    client.submit(PAGE, FORM, &fields("UTC", "15")).await.is(200).says("href=\"#f-keep\"").says("1 to 14");
    client.submit(PAGE, FORM, &fields("UTC", "")).await.is(200).says("href=\"#f-keep\"");
    assert_eq!(client.submit(PAGE, FORM, &fields("UTC", "3")).await.leads(), PAGE);
    client.get(PAGE).await.is(200).says("One each day in the hour from 04:00 (UTC)").says("The schedule is saved");
    assert_eq!(house.get("/v1/solutions/shop/snapshot-schedule").await["keep"], 3);
    // Another account's is not there.
    owner(&house, &router, house.theirs).await.get(PAGE).await.is(404);
    house.running.stop().await;
}
