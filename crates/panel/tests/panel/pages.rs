//! Pages as a customer uses them whose browser runs no script.

use crate::client::{Client, HOST, STAFF, between, panel};
use crate::house::House;
use crate::people::{carried, owner};
use serde_json::json;

#[tokio::test]
async fn a_solution_is_made_changed_deleted_and_brought_back_without_script() {
    let house = House::new().await;
    let router = panel(&house);
    let mut client = owner(&house, &router, house.ours).await;
    client.get("/").await.is(200).says("There are no solutions here yet").says("href=\"/create\"");
    client.get("/create").await.is(200).says("/create/tiny?offer=tiny");
    let form = client.get("/create/tiny?offer=tiny").await.is(200);
    let key = between(&form.body, "name=\"_key\" value=\"", "\"").expect("a key").to_owned();
    let token = form.token();

    // What is wrong is said at its field; what was typed stays; nothing was made.
    let fields = [
        ("offer", "tiny"),
        ("_key", &key),
        ("/name", "My Shop"),
        ("/spec/names", "shop.example"),
        ("/spec/names", "*.x"),
    ];
    let wrong = client.post("/create/tiny", &token, &fields).await.is(200);
    wrong
        .says("value=\"My Shop\"")
        .says("value=\"shop.example\"")
        .says("href=\"#f-spec-names-1\"")
        .says("aria-invalid=\"true\"");
    assert!(wrong.body.contains("aria-describedby=\"f-name-help f-name-wrong\""), "{}", wrong.body);
    assert_eq!(house.get("/v1/solutions").await["items"], json!([]));

    // Another row is added by the server.
    let more = client
        .post("/create/tiny", &token, &[("offer", "tiny"), ("/spec/names", "a.example"), ("_more", "/spec/names")])
        .await;
    assert_eq!(more.is(200).body.matches("name=\"/spec/names\"").count(), 2);

    let fields =
        [("offer", "tiny"), ("_key", &key), ("/name", "shop"), ("/spec/names", "shop.example"), ("/spec/names", "")];
    let made = client.post("/create/tiny", &token, &fields).await.is(200);
    made.says("Keep the password now").says("/solutions/shop/made").says("data-source=\"/solutions/shop/made\"");
    assert_eq!(made.body.matches("<code>").count(), 2, "a user name and a password are shown");
    // Sent twice, it is made once, and the password is not shown again.
    let again = client.post("/create/tiny", &token, &fields).await;
    assert_eq!(again.leads(), "/solutions/shop/made");
    assert_eq!(house.get("/v1/solutions").await["items"].as_array().map(Vec::len), Some(1));
    client.get("/solutions/shop/made").await.is(200).says("http-equiv=\"refresh\"");
    for tail in ["", "/events", "/snapshots", "/settings", "/stop", "/delete"] {
        client.get(&format!("/solutions/shop{tail}")).await.is(200);
    }

    // Only what was changed is sent, and only to the version that was seen.
    let page = client.get("/solutions/shop/settings").await.is(200);
    let seen = between(&page.body, "name=\"_generation\" value=\"", "\"").expect("a generation").to_owned();
    let change =
        [("_generation", seen.as_str()), ("/name", "store"), ("/spec/names", "shop.example"), ("/spec/engine", "one")];
    let said = client.post("/solutions/shop/settings", &page.token(), &change).await;
    assert_eq!(said.leads(), "/solutions/store/settings");
    client.get("/solutions/store/settings").await.is(200).says("class=\"toast\"");
    let stale = [("_generation", "0"), ("/name", "shop"), ("/spec/names", "shop.example"), ("/spec/engine", "one")];
    let late = client.post("/solutions/store/settings", &page.token(), &stale).await.is(200);
    late.says("note warn");
    assert_eq!(house.get("/v1/solutions/store").await["name"], "store");

    let protect = client.submit("/solutions/store/settings", "/solutions/store/protect", &[]).await;
    assert_eq!(protect.leads(), "/solutions/store/settings");
    client.submit("/solutions/store/settings", "/solutions/store/delete", &[]).await.is(409);
    client.submit("/solutions/store/settings", "/solutions/store/protect", &[]).await;
    client.get("/solutions/store/delete").await.is(200).says("You can undo it");
    let gone = client.submit("/solutions/store/delete", "/solutions/store/delete", &[]).await;
    assert_eq!(gone.leads(), "/solutions/store");
    client.get("/solutions/store").await.is(200).says("Undo the deletion");
    let back = client.submit("/solutions/store", "/solutions/store/undo", &[]).await;
    assert_eq!(back.leads(), "/solutions/store");
    assert_eq!(house.get("/v1/solutions/store").await["aim"], "run");

    // Whatever the kind, what is to run can be reset, and nothing else can; only what has an image is made anew from it.
    let page = client.get("/solutions/store/settings").await.is(200);
    page.says("href=\"/solutions/store/reset\"");
    assert!(!page.body.contains("/solutions/store/rebuild"), "{}", page.body);
    client.get("/solutions/store/reset").await.is(200).says("It is like a loss of power");
    let reset = client.submit("/solutions/store/reset", "/solutions/store/reset", &[]).await;
    assert_eq!(reset.leads(), "/solutions/store");
    client.submit("/solutions/store/stop", "/solutions/store/stop", &[]).await;
    assert_eq!(house.get("/v1/solutions/store").await["aim"], "stop");
    let page = client.get("/solutions/store/settings").await.is(200);
    assert!(!page.body.contains("/solutions/store/reset"), "{}", page.body);
    client.get("/solutions/store/reset").await.is(404);
    house.running.stop().await;
}

#[tokio::test]
async fn nobody_sees_what_is_anothers() {
    let house = House::new().await;
    let router = panel(&house);
    house.create("secret", json!({ "names": ["secret.example"] })).await;
    let mut other = owner(&house, &router, house.theirs).await;
    for path in ["/", "/solutions/secret", "/solutions/secret/settings", "/solutions/secret/events", "/evidence"] {
        let page = other.get(path).await;
        assert!(!page.body.contains("secret.example"), "{path}");
        assert!(!path.contains("secret") || page.status == 404, "{path}: {}", page.status);
    }
    // Staff's pages are on staff's origin only, and a customer's session opens none of them.
    carried(&owner(&house, &router, house.ours).await, STAFF).get("/").await.is(403);
    house.running.stop().await;
}

#[tokio::test]
async fn both_languages_and_no_session_left_after_log_out() {
    let house = House::new().await;
    let router = panel(&house);
    let mut client = owner(&house, &router, house.ours).await;
    // At the door the browser's language counts, inside the person's own, and before both what was chosen.
    let mut stranger = Client::new(&router, HOST);
    stranger.language = "da-DK,da;q=0.9,en;q=0.5";
    stranger.get("/log-in").await.is(200).says("lang=\"da\"");
    client.language = stranger.language;
    client.get("/").await.is(200).says("lang=\"en\"").says("New solution");
    client.submit("/", "/choices", &[("language", "da"), ("then", "/")]).await;
    client.get("/").await.is(200).says("lang=\"da\"").says("Ny løsning");
    let out = client.submit("/", "/log-out", &[]).await;
    assert_eq!(out.leads(), "/log-in");
    assert!(out.headers["clear-site-data"].to_str().unwrap().contains("\"cache\""));
    assert!(!client.cookies.contains_key("__Host-session"));
    assert!(client.get("/").await.leads().starts_with("/log-in"));
    // A session that is none leads to the log-in, and its cookie goes.
    client.cookies.insert("__Host-session".to_owned(), "hus_session_nonsense".to_owned());
    assert!(client.get("/solutions/shop").await.leads().starts_with("/log-in?then=%2Fsolutions%2Fshop"));
    assert!(!client.cookies.contains_key("__Host-session"));
    house.running.stop().await;
}
