//! Files of databases, as a customer gets and loads them whose browser runs no script.

use crate::client::{Client, HOST, Page, panel};
use crate::house::House;
use crate::people::owner;
use http::Request;
use serde_json::json;

const PATH: &str = "/solutions/shop/dumps";

/// Sends the form with a file, as browsers do.
async fn send(client: &mut Client, token: &str, file: Option<(&str, &str)>) -> Page {
    let field = |name: &str, value: &str| {
        format!("--cut\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let (name, bytes) = file.unwrap_or(("", ""));
    let file = format!(
        "--cut\r\nContent-Disposition: form-data; name=\"?file\"; filename=\"{name}\"\r\nContent-Type: application/octet-stream\r\n\r\n\
         {bytes}\r\n--cut--\r\n"
    );
    let body = field("_token", token) + &field("?part", "app") + &file;
    let request = Request::post(PATH)
        .header("host", HOST)
        .header("origin", format!("https://{HOST}"))
        .header("content-length", body.len())
        .header("content-type", "multipart/form-data; boundary=cut");
    client.send(request, body).await
}

#[tokio::test]
async fn a_file_is_loaded_by_a_form_and_what_is_wrong_stands_at_its_field() {
    let house = House::hosting(&husorden_kinds::KINDS, |config| config.limits.archive_bytes_max = 1 << 20).await;
    let router = panel(&house);
    let mut client = owner(&house, &router, house.ours).await;
    house.call("POST", "/v1/solutions", json!({ "kind": "database", "name": "shop", "spec": {} })).await.is(201);
    client.get("/solutions/shop").await.is(200).says(PATH);
    let page = client.get(PATH).await.is(200);
    page.says("part=app&amp;format=sql%2Egz")
        .says("part=app&amp;format=custom")
        .says("enctype=\"multipart/form-data\"");
    page.says("at most 1").says("accept=\".gz,.sql,.dump\"");
    let token = page.token();

    send(&mut client, &token, None).await.is(200).says("Choose a file").says("href=\"#f-file\"");
    let odd = send(&mut client, &token, Some(("shop.txt", "SELECT 1;"))).await.is(200);
    odd.says("Its name must end with .sql.gz, .sql, .dump").says("aria-invalid=\"true\"");
    // Said by the form's size before it is sent on, and by what came where a form is only a little larger.
    for size in [2 << 20, (1 << 20) + 100] {
        let large = "x".repeat(size);
        let large = send(&mut client, &token, Some(("shop.sql", &large))).await.is(200);
        large.says("href=\"#f-file\"").says("large");
    }
    send(&mut client, &token, Some(("shop.sql", ""))).await.is(200).says("is empty").says("href=\"#f-file\"");
    // Nobody else's form, and nobody else's solution.
    send(&mut client.clone(), "", Some(("shop.sql", "SELECT 1;"))).await.is(403);
    let mut other = owner(&house, &router, house.theirs).await;
    let foreign = other.get("/security").await.token();
    send(&mut other, &foreign, Some(("shop.sql", "SELECT 1;"))).await.is(404);
    assert_eq!(house.get("/v1/solutions/shop/orders").await["items"], json!([]), "nothing was asked of a node yet");

    assert_eq!(send(&mut client, &token, Some(("Shop.SQL", "SELECT 1;"))).await.leads(), PATH);
    let orders = house.get("/v1/solutions/shop/orders?newest=true").await;
    let order = &orders["items"][0];
    assert_eq!((&order["verb"], &order["part"], &order["bytes_expected"]), (&json!("load"), &json!("app"), &json!(9)));
    client.get(PATH).await.is(200).says("<progress").says("Waiting");
    client.submit("/", "/choices", &[("language", "da"), ("then", "/")]).await;
    client.get(PATH).await.is(200).says("Læs en fil ind").says("Venter");
    house.running.stop().await;
}

#[tokio::test]
async fn what_has_no_parts_has_no_such_page() {
    let house = House::new().await;
    let router = panel(&house);
    let mut client = owner(&house, &router, house.ours).await;
    house.create("shop", json!({})).await;
    client.get(PATH).await.is(404);
    assert!(!client.get("/solutions/shop").await.is(200).body.contains(PATH));
    house.running.stop().await;
}
