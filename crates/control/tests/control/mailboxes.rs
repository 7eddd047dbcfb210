//! Another e-mail address: confirmed at the new one, taken back at the old one, and told to nobody who tries addresses.

use crate::house::House;
use crate::mailbox::Mailbox;
use crate::people::{Browser, PASSWORD};
use husorden_wire::api::Role;
use serde_json::{Value, json};

const HOME: &str = "192.0.2.10";
const OLD: &str = "anna@ours.example";
const NEW: &str = "anna@firma.example";

async fn prepared() -> (House, Mailbox) {
    let mailbox = Mailbox::new().await;
    let house = House::with(|config| mailbox.serve(config)).await;
    house.member(OLD, Role::Owner).await;
    house.member("bo@ours.example", Role::Technical).await;
    (house, mailbox)
}

async fn anna(house: &House) -> Browser<'_> {
    let mut anna = Browser::new(house, HOME);
    anna.log_in(OLD, "account").await;
    anna
}

fn to(email: &str) -> Value {
    json!({ "email": email })
}

async fn with(house: &House, path: &str, secret: &str) -> crate::house::Said {
    Browser::new(house, "203.0.113.9")
        .say("POST", &format!("/v1/person/email/{path}"), json!({ "secret": secret }))
        .await
}

#[tokio::test]
async fn a_new_address_counts_when_it_is_confirmed() {
    let (house, mailbox) = prepared().await;
    let anna = anna(&house).await;
    for wrong in
        ["anna", OLD, "ANNA@Ours.example", "аnna@firma.example", "anna@firma.example\r\nBcc: all@other.example"]
    {
        let refused = anna.say("POST", "/v1/person/email", to(wrong)).await.refused(422, "invalid-fields");
        assert_eq!(refused["refusal"]["fields"][0]["pointer"], "/email", "{wrong:?}");
    }
    house.sql("update session set stepped_up = stepped_up - interval '15 minutes'").await;
    anna.say("POST", "/v1/person/email", to(NEW)).await.refused(403, "step-up-needed");
    house.sql("update session set stepped_up = now()").await;
    // One that is somebody's is answered like one that is nobody's, and is not written to.
    let free = anna.say("POST", "/v1/person/email", to("first@firma.example")).await.is(202);
    let taken = anna.say("POST", "/v1/person/email", to("bo@ours.example")).await.is(202);
    assert_eq!(free, taken);
    anna.say("POST", "/v1/person/email", to("Anna@Firma.example")).await.is(202);
    let secret = mailbox.awaited(NEW, "Confirm your new address").await.secret("mailbox");
    let first = mailbox.awaited("first@firma.example", "Confirm your new address").await.secret("mailbox");
    with(&house, "confirm", &first).await.refused(410, "email-link-spent");
    assert_eq!(anna.say("GET", "/v1/person", Value::Null).await.is(200)["email"], OLD, "nothing has changed yet");

    // A reset that was sent to the old mailbox opens nothing once the new one counts.
    anna.say("POST", "/v1/password-resets", json!({ "email": OLD, "realm": "account" })).await.is(202);
    let reset = mailbox.awaited(OLD, "A new password").await.secret("reset");
    assert_eq!(with(&house, "confirm", &secret).await.is(200), json!({ "email": NEW }));
    with(&house, "confirm", &secret).await.refused(410, "email-link-spent");
    let form = json!({ "secret": reset, "password": "marble kettle tunnel" });
    anna.say("POST", "/v1/password-resets/use", form).await.refused(410, "reset-spent");
    assert_eq!(anna.say("GET", "/v1/person", Value::Null).await.is(200)["email"], NEW);
    Browser::new(&house, HOME).try_log_in(OLD, PASSWORD, "account").await.refused(401, "log-in-failed");
    Browser::new(&house, HOME).try_log_in(NEW, PASSWORD, "account").await.is(201);
    mailbox.awaited(OLD, "Your address was changed").await;
    mailbox.quiet(&house).await;
    assert!(mailbox.to("bo@ours.example").iter().all(|letter| !letter.subject.contains("address")));
    let lines = house.staff("GET", "/v1/evidence?act=email", Value::Null).await.is(200);
    let acts: Vec<&str> = lines["items"].as_array().unwrap().iter().map(|line| line["act"].as_str().unwrap()).collect();
    assert_eq!(acts, ["email.ask", "email.ask", "email.ask", "email.change"]);
    assert!(!lines.to_string().contains('@'), "evidence names the person by id: {lines}");
    house.running.stop().await;
}

/// Whoever broke in and changed the address, twice, is put out by the link in the first mailbox.
#[tokio::test]
async fn the_old_mailbox_takes_it_back_whatever_came_after() {
    let (house, mailbox) = prepared().await;
    let burglar = anna(&house).await;
    let mut undo = Vec::new();
    for (was, next) in [(OLD, "one@burglar.example"), ("one@burglar.example", "two@burglar.example")] {
        burglar.say("POST", "/v1/person/email", to(next)).await.is(202);
        let secret = mailbox.awaited(next, "Confirm your new address").await.secret("mailbox");
        with(&house, "confirm", &secret).await.is(200);
        undo.push(mailbox.awaited(was, "Your address was changed").await.secret("mailbox/undo"));
    }
    burglar.say("POST", "/v1/person/email", to("three@burglar.example")).await.is(202);
    let third = mailbox.awaited("three@burglar.example", "Confirm your new address").await.secret("mailbox");
    burglar
        .say("POST", "/v1/password-resets", json!({ "email": "two@burglar.example", "realm": "account" }))
        .await
        .is(202);
    let reset = mailbox.awaited("two@burglar.example", "A new password").await.secret("reset");
    assert_eq!(with(&house, "undo", &undo[0]).await.is(200), json!({ "email": OLD }));
    burglar.say("GET", "/v1/session", Value::Null).await.refused(401, "session-ended");
    for (path, secret) in [("undo", &undo[0]), ("undo", &undo[1]), ("confirm", &third)] {
        with(&house, path, secret).await.refused(410, "email-link-spent");
    }
    let form = json!({ "secret": reset, "password": "marble kettle tunnel" });
    burglar.say("POST", "/v1/password-resets/use", form).await.refused(410, "reset-spent");
    Browser::new(&house, HOME).try_log_in(OLD, PASSWORD, "account").await.is(201);

    // A week later it is as it is.
    let anna = anna(&house).await;
    anna.say("POST", "/v1/person/email", to(NEW)).await.is(202);
    let secret = mailbox.awaited(NEW, "Confirm your new address").await.secret("mailbox");
    house.sql("update email_change set expires = now() - interval '1 second' where confirmed is null").await;
    with(&house, "confirm", &secret).await.refused(410, "email-link-spent");
    house
        .sql("update email_change set expires = now() + interval '1 hour' where confirmed is null and ended is null")
        .await;
    with(&house, "confirm", &secret).await.is(200);
    let late = mailbox.awaited(OLD, "Your address was changed").await.secret("mailbox/undo");
    house.sql("update email_change set confirmed = confirmed - interval '7 days'").await;
    with(&house, "undo", &late).await.refused(410, "email-link-spent");
    house.running.stop().await;
}

#[tokio::test]
async fn two_persons_do_not_get_one_mailbox() {
    let (house, mailbox) = prepared().await;
    let anna = anna(&house).await;
    let mut bo = Browser::new(&house, HOME);
    bo.log_in("bo@ours.example", "account").await;
    anna.say("POST", "/v1/person/email", to(NEW)).await.is(202);
    let first = mailbox.awaited(NEW, "Confirm your new address").await.secret("mailbox");
    bo.say("POST", "/v1/person/email", to(NEW)).await.is(202);
    let mut second = first.clone();
    while second == first {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        second = mailbox.awaited(NEW, "Confirm your new address").await.secret("mailbox");
    }
    let (one, two) = tokio::join!(with(&house, "confirm", &first), with(&house, "confirm", &second));
    let mut statuses = [one.status.as_u16(), two.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 410]);
    // The one who was late keeps the address it had; wishing has an end.
    let mut refused = 0;
    for n in 0..8 {
        refused +=
            usize::from(bo.say("POST", "/v1/person/email", to(&format!("n{n}@firma.example"))).await.status == 429);
    }
    assert!(refused >= 3, "{refused}");
    house.running.stop().await;
}
