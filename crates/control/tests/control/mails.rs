//! Mails by event: who is told of what, in which language, by their own choice; through a real mail server.

use crate::house::House;
use crate::mailbox::Mailbox;
use crate::people::Browser;
use crate::waiting::until;
use husorden_wire::api::{Role, StaffRole, Topic};
use serde_json::{Value, json};

const HOME: &str = "192.0.2.10";

async fn with_server() -> (House, Mailbox) {
    let mailbox = Mailbox::new().await;
    let house = House::with(|config| mailbox.serve(config)).await;
    (house, mailbox)
}

/// An event of our account, as the platform writes it.
async fn event(house: &House, kind: &str, data: Value) {
    let text = data.to_string().replace('\'', "''");
    house
        .sql(&format!(
            "insert into event (account, kind, by, data) values ('{}', '{kind}', 'platform', '{text}')",
            house.ours
        ))
        .await;
}

#[tokio::test]
async fn an_event_comes_as_mail_to_who_wants_it_in_their_language() {
    let (house, mailbox) = with_server().await;
    for (email, role) in [
        ("owner@ours.example", Role::Owner),
        ("tech@ours.example", Role::Technical),
        ("money@ours.example", Role::Billing),
        ("reader@ours.example", Role::ReadOnly),
    ] {
        house.member(email, role).await;
    }
    house.person("owner@theirs.example", Some((house.theirs, Role::Owner)), &[]).await;
    house.sql("update person set language = 'da' where email = 'tech@ours.example'").await;
    house.create("shop", json!({})).await;
    house.call("DELETE", "/v1/solutions/shop", Value::Null).await.is(200);
    let english = mailbox.awaited("owner@ours.example", "shop was deleted").await;
    let danish = mailbox.awaited("tech@ours.example", "shop er slettet").await;
    let id = house.get("/v1/solutions/shop").await["id"].as_str().unwrap().to_owned();
    assert!(english.text.contains(&format!("/solutions/{id}")), "a link to the page: {}", english.text);
    assert!(english.text.contains("The account: ours") && danish.text.contains("Kontoen: ours"), "{}", danish.text);
    assert!(english.raw.contains("Auto-Submitted: auto-generated"));
    mailbox.quiet(&house).await;
    for nobody in ["money@ours.example", "reader@ours.example", "owner@theirs.example"] {
        assert!(mailbox.to(nobody).is_empty(), "{nobody}: {:?}", mailbox.to(nobody));
    }
    // What a job was about is not kept: it names the event and the person, and no mailbox.
    let mut owner = husorden_control::doors::owner(&house.config.database).await.unwrap();
    let told: i64 = sqlx::query_scalar("select count(*) from job where kind = 'mail' and subject::text like '%@%'")
        .fetch_one(&mut owner)
        .await
        .unwrap();
    assert_eq!(told, 0);
    house.running.stop().await;
}

#[tokio::test]
async fn a_member_chooses_and_an_owner_is_told_of_decisions_all_the_same() {
    let (house, mailbox) = with_server().await;
    house.member("owner@ours.example", Role::Owner).await;
    let tech = house.member("tech@ours.example", Role::Technical).await;
    let (mut owner, mut technical) = (Browser::new(&house, HOME), Browser::new(&house, "198.51.100.4"));
    owner.log_in("owner@ours.example", "account").await;
    technical.log_in("tech@ours.example", "account").await;
    let stands = async |browser: &Browser<'_>| -> Vec<(Topic, bool, bool)> {
        let page = browser.say("GET", "/v1/notifications", Value::Null).await.is(200);
        let items = page["items"].as_array().unwrap().clone();
        let of =
            |one: &Value| (one["topic"].as_str().unwrap().parse().unwrap(), one["mail"] == true, one["fixed"] == true);
        items.iter().map(of).collect()
    };
    // Every topic there is is there, and what is usual is what the documentation says.
    let said = include_str!("../../../../docs/notifications.md");
    let row = |topic: Topic| said.lines().find(|line| line.starts_with(&format!("| `{topic}` "))).expect("a row");
    for (browser, role) in [(&owner, "owner"), (&technical, "technical")] {
        let stands = stands(browser).await;
        assert_eq!(stands.iter().map(|one| one.0).collect::<Vec<_>>(), Topic::ALL);
        for (topic, mail, fixed) in stands {
            assert_eq!(mail, row(topic).split('|').nth(3).unwrap().contains(role), "{topic} to {role}");
            assert_eq!(fixed, topic == Topic::Decisions && role == "owner");
        }
    }
    let change = |mail: Value| json!({ "mail": mail });
    technical.say("PATCH", "/v1/notifications", change(json!({ "deletion": false, "work": true }))).await.is(200);
    technical.say("PATCH", "/v1/notifications", change(json!({ "tea": true }))).await.refused(422, "invalid-fields");
    // Owners cannot switch decisions off, and nobody can for them.
    let refused = owner.say("PATCH", "/v1/notifications", change(json!({ "decisions": false }))).await;
    assert_eq!(refused.refused(422, "invalid-fields")["refusal"]["fields"][0]["pointer"], "/mail/decisions");
    // Whoever manages members sees and sets them; a technical member does not, nor anybody else.
    let path = format!("/v1/members/{tech}/notifications");
    technical.say("GET", &path, Value::Null).await.refused(403, "capability-missing");
    owner.say("PATCH", &path, change(json!({ "money": true }))).await.is(200);
    assert!(house.call("GET", &path, Value::Null).await.is(200)["items"].to_string().contains("\"money\""));
    house.send(house.request(&house.other, "GET", &path, None)).await.refused(404, "not-found");
    let lines = house.get("/v1/evidence?act=mails.choose").await;
    assert_eq!(lines["items"].as_array().unwrap().len(), 2, "a choice is a line: {lines}");

    house.create("shop", json!({})).await;
    mailbox.awaited("tech@ours.example", "shop was ordered").await;
    house.call("DELETE", "/v1/solutions/shop", Value::Null).await.is(200);
    event(&house, "payment.entered", json!({ "amount": { "minor": 500, "currency": "DKK" } })).await;
    mailbox.awaited("tech@ours.example", "Payment entered").await;
    mailbox.awaited("owner@ours.example", "shop was deleted").await;
    house.decide(json!({ "of": "account", "id": house.ours }), json!({ "access": "full" })).await;
    let decision = mailbox.awaited("owner@ours.example", "There is a decision").await;
    assert!(decision.text.contains("/decisions/"), "{}", decision.text);
    assert!(!decision.raw.contains("192.0.2.0/24"), "reasons stand in the panel: {}", decision.text);
    mailbox.quiet(&house).await;
    let technical_has: Vec<String> = mailbox.to("tech@ours.example").into_iter().map(|letter| letter.subject).collect();
    assert!(
        !technical_has.iter().any(|subject| subject.contains("deleted") || subject.contains("decision")),
        "{technical_has:?}"
    );
    house.running.stop().await;
}

#[tokio::test]
async fn decisions_reach_the_holder_who_is_no_member() {
    let (house, mailbox) = with_server().await;
    house.member("owner@ours.example", Role::Owner).await;
    house
        .sql(&format!(
            "update account set language = 'da', holder = '{{\"kind\": \"company\", \"name\": \"Firma\", \"email\": \"post@firma.example\"}}' where id = '{}'",
            house.ours
        ))
        .await;
    house.decide(json!({ "of": "account", "id": house.ours }), json!({ "access": "full" })).await;
    let letter = mailbox.awaited("post@firma.example", "Der er truffet en afgørelse").await;
    assert!(letter.text.contains("Kontoen: ours"), "{}", letter.text);
    // A holder who is an owner is written to once.
    house.sql("update account set holder = jsonb_set(holder, '{email}', '\"Owner@ours.example\"')").await;
    event(&house, "measure.ended", json!({ "case": "S-9" })).await;
    mailbox.awaited("owner@ours.example", "S-9").await;
    mailbox.quiet(&house).await;
    let about: Vec<_> =
        mailbox.to("owner@ours.example").into_iter().filter(|letter| letter.subject.contains("S-9")).collect();
    assert_eq!((about.len(), mailbox.to("post@firma.example").len()), (1, 1));
    house.running.stop().await;
}

/// What is kept silent by an order is mailed when it may be known, and not to who has left by then.
#[tokio::test]
async fn a_mail_waits_for_what_may_not_be_told_yet_and_forgets_who_left() {
    let (house, mailbox) = with_server().await;
    house.member("owner@ours.example", Role::Owner).await;
    let gone = house.member("gone@ours.example", Role::Owner).await;
    house
        .sql(&format!(
            "insert into event (account, kind, by, data, visible_from) values ('{}', 'measure.decided', 'staff', '{{\"case\": \"S-7\"}}', now() + interval '1 hour')",
            house.ours
        ))
        .await;
    event(&house, "measure.ended", json!({ "case": "S-8" })).await;
    mailbox.awaited("gone@ours.example", "S-8").await;
    mailbox.quiet(&house).await;
    assert!(mailbox.to("owner@ours.example").iter().all(|letter| !letter.subject.contains("S-7")));
    house.call("DELETE", &format!("/v1/members/{gone}"), Value::Null).await.is(204);
    house.sql("update job set due = now() where kind = 'mail' and done is null").await;
    mailbox.awaited("owner@ours.example", "S-7").await;
    mailbox.quiet(&house).await;
    assert!(mailbox.to("gone@ours.example").iter().all(|letter| !letter.subject.contains("S-7")));
    house.running.stop().await;
}

#[tokio::test]
async fn a_storm_of_trouble_is_one_mail_an_hour_and_hides_no_decision() {
    let (house, mailbox) = with_server().await;
    house.member("owner@ours.example", Role::Owner).await;
    let id = house.create("shop", json!({})).await["id"].as_str().unwrap().to_owned();
    let trouble = |text: &str| {
        format!(
            "insert into event (account, solution, kind, by, data) values ('{}', '{id}', 'solution.trouble', 'node',
             '{{\"name\": \"shop\", \"text\": {{\"da\": \"{text}\", \"en\": \"{text}\\r\\nBcc: all@other.example\"}}}}')",
            house.ours
        )
    };
    for n in 0..20 {
        house.sql(&trouble(&format!("full {n}"))).await;
    }
    for n in 0..90 {
        event(&house, "member.changed", json!({ "name": format!("Bo {n}"), "role": "billing" })).await;
    }
    event(&house, "measure.ended", json!({ "case": "S-5" })).await;
    mailbox.awaited("owner@ours.example", "S-5").await;
    mailbox.quiet(&house).await;
    let letters = mailbox.to("owner@ours.example");
    let about = |word: &str| letters.iter().filter(|letter| letter.subject.contains(word)).count();
    assert_eq!(about("needs attention"), 1);
    assert_eq!(about("Bo "), 59, "sixty at once");
    let told = letters.iter().find(|letter| letter.subject.contains("needs attention")).unwrap();
    let head = told.raw.split("\r\n\r\n").next().unwrap();
    assert!(!head.contains("Bcc") && !told.text.contains("\nBcc"), "{}", told.raw);
    // The next hour it is told again.
    house.sql("update throttle set at = at - interval '1 hour'").await;
    house.sql(&trouble("full still")).await;
    mailbox.quiet(&house).await;
    let found =
        mailbox.to("owner@ours.example").into_iter().filter(|letter| letter.text.contains("full still")).count();
    assert_eq!(found, 1);
    house.running.stop().await;
}

/// Every kind of event that has words for people has a topic, or is one that nobody is mailed of.
#[tokio::test]
async fn every_kind_of_event_was_thought_of() {
    const NO_MAIL: [&str; 26] = [
        "access.allowed",
        "access.opened",
        "access.refused",
        "account.created",
        "evidence.alarm",
        "evidence.well",
        "grant.ended",
        "mail.dead",
        "measure.in-force",
        "measure.late",
        "measure.lift",
        "measure.seen",
        "measure.seen-open",
        "node.chain-broken",
        "order.queued",
        "platform.backup-failed",
        "platform.backup-well",
        "platform.proof-failed",
        "platform.rebuilt",
        "proof.ended",
        "proof.passed",
        "solution.settled",
        "target.changed",
        "target.created",
        "target.retired",
        "webhook.dead",
    ];
    let house = House::new().await;
    let text = include_str!("../../src/texts.rs");
    let kinds: Vec<&str> = text
        .split('"')
        .filter(|word| {
            word.split_once('.').is_some_and(|(noun, verb)| {
                let letters =
                    |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
                letters(noun) && letters(verb)
            })
        })
        .collect();
    assert!(kinds.len() > 40, "{kinds:?}");
    let mut owner = husorden_control::doors::owner(&house.config.database).await.unwrap();
    for kind in kinds {
        let topic: Option<String> =
            sqlx::query_scalar("select mail_topic($1, '{}')").bind(kind).fetch_one(&mut owner).await.unwrap();
        match topic {
            Some(topic) => {
                topic.parse::<Topic>().unwrap();
            }
            None => assert!(NO_MAIL.contains(&kind), "{kind} has no topic"),
        }
    }
    house.running.stop().await;
}

/// What stays bad is told to operators by mail, and to no other staff; and once more when it is over.
#[tokio::test]
async fn operators_are_told_of_what_stays_bad_and_when_it_is_over() {
    let (house, mailbox) = with_server().await;
    for (email, role) in [("ops@house.example", StaffRole::Operations), ("desk@house.example", StaffRole::Abuse)] {
        house.person(email, None, &[role]).await;
    }
    house.member("owner@ours.example", Role::Owner).await;
    house.sql("update person set language = 'da' where email = 'ops@house.example'").await;
    house.sql("insert into node (name, connected) values ('lost', false)").await;
    let mut owner = husorden_control::doors::owner(&house.config.database).await.unwrap();
    let look = "update job set due = now() where kind = 'watch-health'";
    house.sql(look).await;
    let noticed = "select exists (select from alarm where name = 'node:lost' and told is null)";
    until("it is noticed", async || {
        sqlx::query_scalar::<_, bool>(noticed).fetch_one(&mut owner).await.unwrap().then_some(())
    })
    .await;
    mailbox.quiet(&house).await;
    assert!(mailbox.to("ops@house.example").is_empty(), "what may pass by is no news");
    house.sql("update alarm set since = since - interval '2 minutes' where name = 'node:lost'").await;
    house.sql(look).await;
    let letter = mailbox.awaited("ops@house.example", "Alarm: lost: ikke forbundet").await;
    assert!(letter.text.contains("/health"), "{}", letter.text);
    house.sql("delete from node where name = 'lost'").await;
    house.sql(look).await;
    mailbox.awaited("ops@house.example", "Alarmen er ovre").await;
    mailbox.quiet(&house).await;
    assert_eq!(mailbox.to("ops@house.example").len(), 2);
    for nobody in ["desk@house.example", "owner@ours.example"] {
        assert!(mailbox.to(nobody).is_empty(), "{nobody}: {:?}", mailbox.to(nobody));
    }
    house.running.stop().await;
}
