//! Pages that go with mails: which events come, and help for who lost the second factor.

use crate::client::{Client, HOST, STAFF, panel};
use crate::house::House;
use crate::mailbox::Mailbox;
use crate::people::{officer, owner};
use husorden_wire::api::Role;
use serde_json::Value;

#[tokio::test]
async fn a_member_chooses_mails_on_a_page() {
    let house = House::new().await;
    let router = panel(&house);
    let mut client = owner(&house, &router, house.ours).await;
    let page = client.get("/notifications").await.is(200);
    page.says("Decisions and complaints")
        .says("Always comes to an owner")
        .says("name=\"/mail/trouble\" value=\"on\" checked");
    assert!(!page.body.contains("name=\"/mail/decisions\""), "what is fixed is no choice");
    let fields = [("/mail/work", "on"), ("/mail/money", "on")];
    assert_eq!(client.post("/notifications", &page.token(), &fields).await.leads(), "/notifications");
    let page = client.get("/notifications").await.is(200);
    page.says("name=\"/mail/work\" value=\"on\" checked").says("class=\"toast\"");
    assert!(!page.body.contains("name=\"/mail/trouble\" value=\"on\" checked"));
    client.submit("/notifications", "/choices", &[("language", "da"), ("then", "/notifications")]).await;
    client.get("/notifications").await.is(200).says("Driftsproblemer").says("Kommer altid til en ejer");
    house.running.stop().await;
}

#[tokio::test]
async fn who_left_is_erased_on_a_page() {
    let house = House::new().await;
    let router = panel(&house);
    let mut client = owner(&house, &router, house.ours).await;
    assert!(!client.get("/members").await.is(200).body.contains("Have left the account"));
    let bo = house.member("bo@customers.example", Role::Technical).await;
    let path = format!("/members/{bo}/remove");
    client.submit(&path, &path, &[]).await.leads();
    client
        .get("/members")
        .await
        .is(200)
        .says("Have left the account")
        .says("bo@customers.example")
        .says("Erase from the log");
    let path = format!("/members/left/{bo}/erase");
    client.get(&path).await.is(200).says("can still be verified");
    assert_eq!(client.submit(&path, &path, &[]).await.leads(), "/members");
    let erased = async || {
        let page = house.get("/v1/erasures").await;
        page["items"][0]["done"].is_string().then_some(())
    };
    crate::waiting::until("it is erased", erased).await;
    let page = client.get("/members").await.is(200);
    page.says("fields erased in the log").says("A former member");
    assert!(!page.body.contains("bo@customers.example"));
    client.get("/members/left/nobody/erase").await.is(404);
    house.running.stop().await;
}

#[tokio::test]
async fn an_address_is_changed_and_taken_back_by_the_pages() {
    let mailbox = Mailbox::new().await;
    let house = House::with(|config| mailbox.serve(config)).await;
    let router = panel(&house);
    let (old, new) = ("anna@customers.example", "anna@firma.example");
    house.member(old, Role::Technical).await;
    let mut anna = Client::new(&router, HOST);
    anna.log_in(old).await;
    anna.get("/security").await.is(200).says("href=\"/security/email\"");
    let wrong = anna.submit("/security/email", "/security/email", &[("/email", "anna")]).await.is(200);
    wrong.says("aria-invalid=\"true\"").says("value=\"anna\"");
    anna.submit("/security/email", "/security/email", &[("/email", new)]).await.is(200).says("Look in the new inbox");
    let path = format!("/mailbox/{}", mailbox.awaited(new, "Confirm your new address").await.secret("mailbox"));
    // The link itself changes nothing: whoever reads mails for viruses follows it.
    let mut elsewhere = Client::new(&router, HOST);
    elsewhere.get(&path).await.is(200).says("Confirm");
    anna.get("/security").await.is(200).says(old);
    elsewhere.submit(&path, &path, &[]).await.leads();
    anna.get("/security").await.is(200).says(new);
    elsewhere.submit(&path, &path, &[]).await.is(200).says("The link does not hold any more");
    let path =
        format!("/mailbox/undo/{}", mailbox.awaited(old, "Your address was changed").await.secret("mailbox/undo"));
    assert_eq!(elsewhere.submit(&path, &path, &[]).await.leads(), "/reset");
    assert!(anna.get("/security").await.leads().starts_with("/log-in"), "everybody is logged out");
    anna.log_in(old).await;
    house.running.stop().await;
}

/// The whole way by the pages: asked for, made sure of, waited for, used, and a new factor enrolled.
#[tokio::test]
async fn who_lost_the_second_factor_is_helped_by_the_pages() {
    let mailbox = Mailbox::new().await;
    let house = House::with(|config| mailbox.serve(config)).await;
    let router = panel(&house);
    let email = "anna@customers.example";
    house.member(email, Role::Technical).await;
    let mut anna = Client::new(&router, HOST);
    anna.log_in(email).await;
    anna.enrol().await;
    anna.submit("/", "/log-out", &[]).await;
    assert!(anna.knock(email).await.leads().starts_with("/log-in/code"));
    anna.get("/log-in/code").await.is(200).says("href=\"/rescue\"");
    anna.submit("/rescue", "/rescue", &[("/email", email)]).await.is(200).says("Look in your inbox");
    let stop = mailbox.awaited(email, "asks for help").await.secret("rescue/stop");
    anna.get(&format!("/rescue/stop/{stop}")).await.is(200).says("Stop it");

    let mut desk = officer(&house, &router).await;
    let list = desk.get("/rescues").await.is(200);
    list.says(email).says("Waits for us");
    let at =
        house.staff("GET", "/v1/rescues", Value::Null).await.is(200)["items"][0]["id"].as_str().unwrap().to_owned();
    let at = format!("/rescues/{at}");
    desk.get(&at).await.is(200).says("I made sure who it is");
    let wrong = desk.submit(&at, &at, &[("/how", "video"), ("/note", "Yes")]).await.is(200);
    wrong.says("aria-invalid=\"true\"").says("value=\"video\" checked").says(">Yes</textarea>");
    let note = "The passport and the face agree. <script>alert(1)</script>";
    desk.submit(&at, &at, &[("/how", "video"), ("/note", note)]).await.leads();
    let page = desk.get(&at).await.is(200);
    page.says("The delay runs").says("&lt;script&gt;").says("You are the second");
    let again = desk.submit(&at, &at, &[("/how", "video"), ("/note", note)]).await.is(200);
    again.says("You have already made sure who it is");
    let mut second = officer(&house, &router).await;
    second.submit(&at, &at, &[("/how", "in-person"), ("/note", "She came by with her passport.")]).await.leads();

    let secret = mailbox.awaited(email, "Take your lost second factor away").await.secret("rescue/use");
    let path = format!("/rescue/use/{secret}");
    let mut elsewhere = Client::new(&router, HOST);
    let used = elsewhere.submit(&path, &path, &[]).await;
    assert_eq!(used.leads(), "/log-in");
    elsewhere.submit(&path, &path, &[]).await.is(200).says("The link does not hold any more");
    assert!(elsewhere.knock(email).await.leads().starts_with("/security/totp"), "nothing but enrolling anew");
    assert!(elsewhere.get("/").await.leads().starts_with("/security/totp"));
    elsewhere.enrol().await;
    elsewhere.get("/").await.is(200);
    desk.get("/rescues?show=all").await.is(200).says("Used");
    // At the staff's door the same is asked for; a customer's session sees nothing of the list.
    Client::new(&router, STAFF).submit("/rescue", "/rescue", &[("/email", email)]).await.is(200);
    crate::people::carried(&elsewhere, STAFF).get("/rescues").await.is(403);
    house.running.stop().await;
}
