//! A target's own side: what went there is told and noted, what must stay is heard, and what opens a repository is released to tidy it.

use crate::backups::{backup, look, shop, target};
use crate::house::{House, Said};
use crate::node::{Node, until};
use crate::proving::proven;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use husorden_backup::vault::RecoveryKey;
use husorden_control::Vault;
use husorden_wire::node::{Secrets, Verb};
use husorden_wire::vault::{Answer, Ask};
use serde_json::{Value, json};

#[tokio::test]
async fn what_went_at_a_target_is_told_and_what_must_stay_is_heard() {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = crate::vault::running(folder.path());
    let house = House::with(|config| config.vault = Some(Vault::at(&socket))).await;
    target(&house).await;
    let (mut node, _) = Node::hello(&house.config.node_socket).await;
    let wish = shop(&house, &mut node, json!({})).await;
    let mut backups = vec![backup(&house, &mut node, "c1").await];
    look(&house).await;
    let (order, verb) = node.verb().await;
    assert!(matches!(&verb, Verb::Prove { copy, .. } if copy == "c1"), "{verb:?}");
    node.progress(order, proven(true)).await;
    until("it passed", async || {
        (house.get("/v1/solutions/shop/proofs").await["items"][0]["state"] == "passed").then_some(())
    })
    .await;
    for copy in ["c2", "c3", "c4"] {
        backups.push(backup(&house, &mut node, copy).await);
    }
    let state = async |at: usize| {
        let shown = house.get(&format!("/v1/solutions/shop/backups/{}", backups[at])).await;
        shown["state"].as_str().expect("a state").to_owned()
    };
    let evidence = async |act: &str| {
        house.count(&format!("select from evidence where act = '{act}' and who = 'target:local'")).await
    };

    // A token that may this and nothing else, at this target and no other.
    let form = json!({ "name": "other", "address": { "kind": "folder", "path": "/srv/other" } });
    house.staff("POST", "/v1/targets", form).await.is(201);
    let scoped =
        |targets: Value, may: Value| json!({ "label": "target", "scope": { "capabilities": may, "targets": targets } });
    let made = async |targets: Value, may: Value| house.staff("POST", "/v1/tokens", scoped(targets, may)).await;
    made(json!(["none"]), json!(["target-keep"])).await.refused(422, "invalid-fields");
    made(json!(["local"]), json!(["target-keep", "staff-read"])).await.refused(422, "invalid-fields");
    made(json!(["local"]), json!([])).await.refused(422, "invalid-fields");
    house.call("POST", "/v1/tokens", scoped(json!(["local"]), json!(["read"]))).await.refused(422, "invalid-fields");
    let elsewhere = made(json!(["other"]), json!(["target-keep"])).await.is(201)["token"].as_str().unwrap().to_owned();
    let form = json!({ "folder": wish.number.to_string() });
    house
        .send(house.request(&elsewhere, "POST", "/v1/targets/local/rounds", Some(&form)))
        .await
        .refused(404, "not-found");
    let token = made(json!(["local", "local"]), json!(["target-keep"])).await.is(201);
    assert_eq!(token["scope"]["targets"].as_array().map(Vec::len), Some(1), "{token}");
    let token = token["token"].as_str().unwrap().to_owned();
    house.send(house.request(&token, "GET", "/v1/targets", None)).await.refused(403, "capability-missing");
    let number = wish.number.to_string();
    let round = async |more: Value| -> Said {
        let mut form = json!({ "folder": number });
        for (name, value) in more.as_object().into_iter().flatten() {
            form[name] = value.clone();
        }
        house.send(house.request(&token, "POST", "/v1/targets/local/rounds", Some(&form))).await
    };
    let word = round(json!({})).await.is(200);
    assert_eq!(word, json!({ "proven": "c1", "sealed": false }), "the last proven one is named");
    let targets = house.staff("GET", "/v1/targets", Value::Null).await.is(200);
    assert!(targets["items"][0]["heard"].is_string(), "{targets}");
    round(json!({ "folder": "4711" })).await.refused(404, "not-found");
    round(json!({ "folder": "../1" })).await.refused(422, "invalid-fields");

    // One expired, one was purged by two, one is missing: none of them can be restored any more, and each is evidence, once.
    let at = "2026-11-28T12:00:00Z";
    let purge = json!({ "order": "aa", "reason": "asked for", "signers": ["k1", "k2"], "seen": at });
    let told = json!({ "gone": [{ "copy": "c2", "at": at }, { "copy": "c3", "at": at, "purge": purge }, { "copy": "unknown", "at": at }],
        "missing": ["c4"], "waiting": [{ "order": "bb", "reason": "alone", "signers": ["k1"], "seen": at }] });
    for _ in 0..2 {
        round(told.clone()).await.is(200);
    }
    assert_eq!((state(0).await.as_str(), state(1).await.as_str()), ("ready", "gone"));
    assert_eq!((state(2).await.as_str(), state(3).await.as_str()), ("gone", "gone"));
    for act in ["backup.expired", "backup.purged", "backup.missing", "backup.purge-waits"] {
        assert_eq!(evidence(act).await, 1, "{act}");
    }
    let purged = "select from evidence where act = 'backup.purged' and before->'purge'->'signers' = '[\"k1\", \"k2\"]'";
    assert_eq!(house.count(purged).await, 1, "who signed it stands there");
    let told = "select from event where kind = 'backup.missing' and mail_topic(kind, data) = 'trouble'";
    assert_eq!(house.count(told).await, 1, "those who are mailed of trouble are mailed of it");
    let events = house.get("/v1/events").await;
    let text = events["items"].as_array().unwrap().iter().find(|event| event["kind"] == "backup.missing").unwrap();
    assert!(text["message"].as_str().unwrap().contains("at the target"), "{text}");
    let restore = format!("/v1/solutions/shop/backups/{}/restore", backups[1]);
    house.call("POST", &restore, json!({ "only": "everything" })).await.refused(409, "backup-not-ready");
    let plan = house.get("/v1/solutions/shop/backup-plan").await;
    assert_eq!(plan["newest"]["id"], json!(backups[0]), "what is not there is not the newest");

    // What opens the repository: released to whoever this side names, each time with a line; never while it is sealed.
    let key = RecoveryKey::generate();
    let recipient = key.recipient().to_string();
    let word = round(json!({ "recipient": recipient })).await.is(200);
    assert!(word["key"].is_null() && word["refused"]["en"].as_str().is_some_and(|why| why.contains("never")), "{word}");
    let make = Ask::Release {
        solution: wish.solution,
        number: wish.number,
        make: true,
        log: false,
        target: None,
        recipient: recipient.clone(),
    };
    assert!(matches!(husorden_vault::serve::ask(&socket, &make), Ok(Answer::Released { .. })));
    let word = round(json!({ "recipient": recipient })).await.is(200);
    let sealed = STANDARD.decode(word["key"].as_str().expect("a key")).unwrap();
    let opened: Secrets = serde_json::from_slice(&key.unseal(&sealed).expect("to this side alone")).unwrap();
    assert!(opened.repository.reveal().len() > 20 && opened.target.is_none());
    assert_eq!(evidence("backup.key-released").await, 2);
    house.decide(json!({ "of": "solution", "id": wish.solution }), json!({ "access": "none" })).await;
    let word = round(json!({ "recipient": recipient })).await.is(200);
    assert_eq!((&word["sealed"], &word["key"], word["refused"].is_object()), (&json!(true), &Value::Null, true));
    assert_eq!(evidence("backup.key-released").await, 2);
    house.running.stop().await;
}
