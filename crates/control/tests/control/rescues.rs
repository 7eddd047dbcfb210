//! Help for who lost phone and recovery codes: the delay, the second one of staff, the ways to stop it, and what strangers hear.

use crate::house::House;
use crate::mailbox::Mailbox;
use crate::people::{Browser, Phone};
use husorden_wire::api::{Role, StaffRole};
use serde_json::{Value, json};

const HOME: &str = "192.0.2.10";
const ANNA: &str = "anna@ours.example";

/// A house with a mail server, and Anna who owns an account and has a second factor.
async fn prepared() -> (House, Mailbox, Phone, Vec<String>) {
    let mailbox = Mailbox::new().await;
    let house = House::with(|config| mailbox.serve(config)).await;
    house.member(ANNA, Role::Owner).await;
    let mut anna = Browser::new(&house, HOME);
    anna.log_in(ANNA, "account").await;
    let (phone, codes) = anna.enrol().await;
    (house, mailbox, phone, codes)
}

async fn desk<'a>(house: &'a House, email: &str, roles: &[StaffRole]) -> Browser<'a> {
    house.person(email, None, roles).await;
    let mut desk = Browser::new(house, "198.51.100.1");
    desk.log_in(email, "staff").await;
    desk.enrol().await;
    desk
}

async fn ask(house: &House, email: &str, realm: &str) -> Value {
    let form = json!({ "email": email, "realm": realm });
    Browser::new(house, HOME).say("POST", "/v1/rescues", form).await.is(202)
}

fn check() -> Value {
    json!({ "how": "call-back", "note": "Called the number on file; the date of the first invoice was right." })
}

/// The newest rescue, as staff see it.
async fn newest(house: &House) -> Value {
    house.staff("GET", "/v1/rescues?all=true", Value::Null).await.is(200)["items"]
        .as_array()
        .unwrap()
        .last()
        .unwrap()
        .clone()
}

/// A day passes for the rescue that waits.
async fn a_day_passes(house: &House) {
    house.sql("update rescue set opens = opens - interval '1 day'").await;
    house.sql("update job set due = now() where kind = 'rescue-open'").await;
}

async fn acts(house: &House) -> Vec<String> {
    let lines = house.get("/v1/evidence?act=rescue").await;
    lines["items"].as_array().unwrap().iter().map(|line| line["act"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_lost_factor_is_taken_away_after_a_day() {
    let (house, mailbox, mut phone, codes) = prepared().await;
    house.member("bo@ours.example", Role::Owner).await;
    let mut inside = Browser::new(&house, HOME);
    inside.log_in(ANNA, "account").await;
    inside.moves("POST", "/v1/session/second-factor", json!({ "code": phone.code() })).await;
    // Strangers hear the same, whoever has the mailbox; one without a second factor has lost none.
    let answers = [
        ask(&house, ANNA, "account").await,
        ask(&house, "nobody@ours.example", "account").await,
        ask(&house, "bo@ours.example", "account").await,
        ask(&house, ANNA, "staff").await,
    ];
    assert!(answers.windows(2).all(|two| two[0] == two[1]), "{answers:?}");
    let first = mailbox.awaited(ANNA, "asks for help").await;
    assert!(first.text.contains("/rescue/stop/hus_stop_"), "{}", first.text);
    // Asked again, there is one still, and no second mail.
    ask(&house, ANNA, "account").await;

    let support = desk(&house, "desk@house.example", &[StaffRole::Support]).await;
    let list = support.say("GET", "/v1/rescues", Value::Null).await.is(200);
    let rescue = list["items"][0].clone();
    assert_eq!((list["items"].as_array().unwrap().len(), &rescue["state"]), (1, &json!("asked")));
    assert_eq!((&rescue["email"], &rescue["accounts"][0]["name"]), (&json!(ANNA), &json!("ours")));
    let path = format!("/v1/rescues/{}/checks", rescue["id"].as_str().unwrap());
    support.say("POST", &path, json!({ "how": "call-back", "note": "Yes" })).await.refused(422, "invalid-fields");
    support.say("POST", &path, json!({ "how": "gut", "note": "She sounded nice on the phone" })).await.is(422);
    let waiting = support.say("POST", &path, check()).await.is(201);
    assert_eq!((&waiting["state"], waiting["checks"].as_array().unwrap().len()), (&json!("waiting"), 1));
    let opens: jiff::Timestamp = waiting["opens"].as_str().unwrap().parse().unwrap();
    let wait_s = opens.duration_since(jiff::Timestamp::now()).as_secs();
    assert!((86_000..=86_400).contains(&wait_s), "{wait_s} s");
    support.say("POST", &path, check()).await.refused(409, "checked-by-you");
    // The member and the account's owners hear of it at once; nothing of the factor is gone.
    mailbox.awaited(ANNA, "about to be taken away").await;
    mailbox.awaited("bo@ours.example", "Staff help Anna Test").await;
    inside.say("GET", "/v1/solutions", Value::Null).await.is(200);

    a_day_passes(&house).await;
    let secret = mailbox.awaited(ANNA, "Take your lost second factor away").await.secret("rescue/use");
    let stranger = Browser::new(&house, "203.0.113.9");
    stranger
        .say("POST", "/v1/rescues/use", json!({ "secret": first.secret("rescue/stop") }))
        .await
        .refused(410, "rescue-spent");
    let used = stranger.say("POST", "/v1/rescues/use", json!({ "secret": secret })).await.is(200);
    assert_eq!(used, json!({ "email": ANNA, "realm": "account" }));
    stranger.say("POST", "/v1/rescues/use", json!({ "secret": secret })).await.refused(410, "rescue-spent");
    mailbox.awaited(ANNA, "The second factor was taken away").await;
    inside.say("GET", "/v1/session", Value::Null).await.refused(401, "session-ended");
    // The link lets nobody in: a log-in by password follows, and opens nothing but enrolling anew, though no account requires it.
    let mut anna = Browser::new(&house, HOME);
    assert_eq!(anna.log_in(ANNA, "account").await["needs"], json!(["second-factor-enrol"]));
    anna.say("GET", "/v1/solutions", Value::Null).await.refused(403, "second-factor-enrol-needed");
    let (_, fresh) = anna.enrol().await;
    anna.say("GET", "/v1/solutions", Value::Null).await.is(200);
    let mut again = Browser::new(&house, HOME);
    again.log_in(ANNA, "account").await;
    let old = json!({ "recovery_code": codes[0] });
    again.say("POST", "/v1/session/second-factor", old).await.refused(403, "wrong-proof");
    again.moves("POST", "/v1/session/second-factor", json!({ "recovery_code": fresh[0] })).await;

    assert_eq!(acts(&house).await, ["rescue.ask", "rescue.check", "rescue.open", "rescue.use"], "every step is a line");
    let line = house.get("/v1/evidence?act=rescue.check").await["items"][0].clone();
    assert!(line["who"].as_str().unwrap().starts_with("staff:person:"), "{line}");
    assert_eq!((&line["before"]["how"], &line["before"]["person"]), (&json!("call-back"), &rescue["person"]));
    mailbox.quiet(&house).await;
    let asked = mailbox.to(ANNA).into_iter().filter(|letter| letter.subject.contains("asks for help")).count();
    assert_eq!((asked, newest(&house).await["state"].clone()), (1, json!("used")));
    assert!(!mailbox.to("bo@ours.example").iter().any(|letter| letter.text.contains("hus_")), "links are Anna's");
    house.running.stop().await;
}

#[tokio::test]
async fn the_member_stops_it_with_one_link_or_by_a_code() {
    let (house, mailbox, mut phone, codes) = prepared().await;
    let support = desk(&house, "desk@house.example", &[StaffRole::Support]).await;
    for way in ["link", "later link", "code", "recovery code", "step-up"] {
        house.sql("delete from throttle").await;
        ask(&house, ANNA, "account").await;
        let rescue = crate::node::until("it is asked", async || {
            let newest = support.say("GET", "/v1/rescues", Value::Null).await.is(200)["items"][0].clone();
            newest.is_object().then_some(newest)
        })
        .await;
        let checks = format!("/v1/rescues/{}/checks", rescue["id"].as_str().unwrap());
        let before = mailbox.to(ANNA).len();
        support.say("POST", &checks, check()).await.is(201);
        let mut anna = Browser::new(&house, HOME);
        match way {
            "link" | "later link" => {
                mailbox.quiet(&house).await;
                let word = if way == "link" { "asks for help" } else { "about to be taken away" };
                let secret = mailbox.awaited(ANNA, word).await.secret("rescue/stop");
                let stranger = Browser::new(&house, "203.0.113.9");
                stranger.say("POST", "/v1/rescues/stop", json!({ "secret": secret })).await.is(200);
                stranger
                    .say("POST", "/v1/rescues/stop", json!({ "secret": secret }))
                    .await
                    .refused(410, "rescue-spent");
                assert!(before < mailbox.to(ANNA).len());
            }
            _ => {
                // The password alone proves nothing here: whoever stole the phone may have it.
                anna.log_in(ANNA, "account").await;
                assert_eq!(newest(&house).await["state"], "waiting");
                let proof = if way == "code" {
                    json!({ "code": phone.code() })
                } else {
                    json!({ "recovery_code": codes[way.len() % 10] })
                };
                if way == "step-up" {
                    house.sql("update rescue set state = 'stopped' where state = 'waiting'").await;
                    anna.moves("POST", "/v1/session/second-factor", proof).await;
                    house.sql("update rescue set state = 'waiting' where state = 'stopped' and id = (select max(id::text)::uuid from rescue)").await;
                    house.sql("update person set totp_step = 0").await;
                    anna.moves(
                        "POST",
                        "/v1/session/step-up",
                        json!({ "code": phone.code_of(jiff::Timestamp::now().as_second() / 30) }),
                    )
                    .await;
                } else {
                    anna.moves("POST", "/v1/session/second-factor", proof).await;
                }
            }
        }
        assert_eq!(newest(&house).await["state"], "stopped", "{way}");
        support.say("POST", &checks, check()).await.refused(409, "rescue-over");
        a_day_passes(&house).await;
    }
    house.sql("update job set due = now() where kind = 'rescue-open'").await;
    mailbox.quiet(&house).await;
    assert!(mailbox.to(ANNA).iter().all(|letter| !letter.text.contains("/rescue/use/")), "no link was ever sent");
    let stops = house.get("/v1/evidence?act=rescue.stop").await;
    let how: Vec<&str> =
        stops["items"].as_array().unwrap().iter().filter_map(|line| line["before"]["how"].as_str()).collect();
    assert_eq!(how.iter().filter(|how| **how == "link").count(), 2, "{how:?}");
    assert!(how.iter().filter(|how| **how == "log-in").count() >= 3, "{how:?}");
    house.running.stop().await;
}

#[tokio::test]
async fn two_of_staff_need_no_delay_and_nobody_helps_himself() {
    let (house, mailbox, ..) = prepared().await;
    let one = desk(&house, "one@house.example", &[StaffRole::Support]).await;
    let two = desk(&house, "two@house.example", &[StaffRole::Support]).await;
    let auditor = desk(&house, "audit@house.example", &[StaffRole::Auditor]).await;
    ask(&house, ANNA, "account").await;
    mailbox.awaited(ANNA, "asks for help").await;
    let path = format!("/v1/rescues/{}/checks", newest(&house).await["id"].as_str().unwrap());
    auditor.say("POST", &path, check()).await.refused(403, "capability-missing");
    auditor.say("GET", "/v1/rescues", Value::Null).await.refused(403, "capability-missing");
    // A token is nobody who could make sure, and an old proof is none.
    house.staff("POST", &path, check()).await.refused(403, "no-person");
    house.sql("update session set stepped_up = stepped_up - interval '15 minutes'").await;
    one.say("POST", &path, check()).await.refused(403, "step-up-needed");
    house.sql("update session set stepped_up = now()").await;
    // Two at once are two: one of them begins the delay, the other ends it.
    let (first, second) = tokio::join!(one.say("POST", &path, check()), two.say("POST", &path, check()));
    assert_eq!((first.status.as_u16(), second.status.as_u16()), (201, 201));
    let secret = mailbox.awaited(ANNA, "Take your lost second factor away").await.secret("rescue/use");
    assert_eq!(house.get("/v1/evidence?act=rescue.check").await["items"].as_array().unwrap().len(), 2);
    // After a day the link is nothing any more.
    house.sql("update rescue set expires = now() - interval '1 second'").await;
    one.say("POST", "/v1/rescues/use", json!({ "secret": secret })).await.refused(410, "rescue-spent");
    house.sql("update job set due = now() where kind = 'sweep-identity'").await;
    crate::node::until("it is over", async || (newest(&house).await["state"] == "expired").then_some(())).await;
    assert!(acts(&house).await.contains(&"rescue.expire".to_owned()));

    // Staff who lost theirs are helped by whoever manages staff, and not by themselves.
    let chief = desk(&house, "chief@house.example", &[StaffRole::Operations, StaffRole::Support]).await;
    ask(&house, "chief@house.example", "staff").await;
    mailbox.awaited("chief@house.example", "asks for help").await;
    let path = format!("/v1/rescues/{}/checks", newest(&house).await["id"].as_str().unwrap());
    one.say("POST", &path, check()).await.refused(403, "capability-missing");
    chief.say("POST", &path, check()).await.refused(409, "rescue-of-oneself");
    house.running.stop().await;
}

/// A code and the link at the same moment: the one that comes first counts, and the other finds it so.
#[tokio::test]
async fn a_code_and_the_link_do_not_both_win() {
    let (house, mailbox, mut phone, _) = prepared().await;
    let one = desk(&house, "one@house.example", &[StaffRole::Support]).await;
    ask(&house, ANNA, "account").await;
    mailbox.awaited(ANNA, "asks for help").await;
    let path = format!("/v1/rescues/{}/checks", newest(&house).await["id"].as_str().unwrap());
    one.say("POST", &path, check()).await.is(201);
    a_day_passes(&house).await;
    let secret = mailbox.awaited(ANNA, "Take your lost second factor away").await.secret("rescue/use");
    let mut anna = Browser::new(&house, HOME);
    anna.log_in(ANNA, "account").await;
    let (code, use_it) = (json!({ "code": phone.code() }), json!({ "secret": secret }));
    let (given, used) =
        tokio::join!(anna.say("POST", "/v1/session/second-factor", code), one.say("POST", "/v1/rescues/use", use_it));
    let state = newest(&house).await["state"].clone();
    let has: bool = {
        let mut owner = husorden_control::doors::owner(&house.config.database).await.unwrap();
        let sql = "select second_factor from person where email = 'anna@ours.example'";
        sqlx::query_scalar(sql).fetch_one(&mut owner).await.unwrap()
    };
    match used.status.as_u16() {
        200 => assert_eq!((has, &state), (false, &json!("used")), "{}", given.body),
        410 => assert_eq!((has, &state, given.status.as_u16()), (true, &json!("stopped"), 200)),
        other => panic!("{other}: {}", used.body),
    }
    house.running.stop().await;
}

#[tokio::test]
async fn asking_is_throttled_and_sounds_the_same() {
    let (house, mailbox, ..) = prepared().await;
    for _ in 0..4 {
        ask(&house, ANNA, "account").await;
        house.sql("update rescue set state = 'stopped', ended = now()").await;
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    mailbox.quiet(&house).await;
    let asked = mailbox.to(ANNA).into_iter().filter(|letter| letter.subject.contains("asks for help")).count();
    assert!((1..=2).contains(&asked), "{asked} mails");
    // One network asks for help no more than ten times at once, for whomever.
    let form = |n: usize| json!({ "email": format!("p{n}@ours.example"), "realm": "account" });
    let stranger = Browser::new(&house, "203.0.113.9");
    let mut refused = 0;
    for n in 0..12 {
        refused += usize::from(stranger.say("POST", "/v1/rescues", form(n)).await.status == 429);
    }
    assert_eq!(refused, 2);
    house.running.stop().await;
}
