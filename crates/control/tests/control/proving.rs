//! Proofs: who is asked for one and when, what is kept of it, and who is told.

use crate::backups::{backup, failed, look, shop, target};
use crate::house::House;
use crate::node::{Node, until};
use husorden_base::Text;
use husorden_wire::node::{Level, Opened, Outcome, ProofStep, Proven, ToNode, Verb, VerbState};
use serde_json::{Value, json};

pub fn proven(passed: bool) -> VerbState {
    let step = |what: &str, failed: Option<Text>| ProofStep { what: Text::new(what, what), failed, took_ms: 5 };
    let why = (!passed).then(|| Text::new("Tabellen orders mangler", "The table orders is missing"));
    let proven = Proven {
        passed,
        level: Some(if passed { Level::Opened } else { Level::Restored }),
        steps: vec![step("Restored", None), step("Opened", why)],
        found: Opened::default(),
        bytes: 34_000,
        took_ms: 7_000,
    };
    VerbState::Done { result: Some(Box::new(Outcome::Proven(Box::new(proven)))) }
}

#[tokio::test]
async fn each_backup_is_proven_once_a_day_by_the_node_for_it() {
    let house = House::new().await;
    target(&house).await;
    let (mut node, _) = Node::hello(&house.config.node_socket).await;
    let (mut prover, _) = Node::hello_as(&house.config.node_socket, "proof").await;
    shop(&house, &mut node, json!({})).await;
    let line = async || house.get("/v1/proofs").await["items"][0].clone();
    assert_eq!((&line().await["state"], &line().await["proof"]), (&json!("waiting"), &Value::Null));
    let first = backup(&house, &mut node, "c1").await;
    look(&house).await;
    let (order, verb) = prover.verb().await;
    let Verb::Prove { proof, repository, copy, level } = verb else { panic!("{verb:?}") };
    assert_eq!((copy.as_str(), level), ("c1", Level::Opened));
    assert_eq!(line().await["proof"]["state"], "proving");

    // Only the node that was asked has a say, and its end is an end once.
    node.progress(order, proven(false)).await;
    for _ in 0..3 {
        prover.progress(order, proven(true)).await;
    }
    let one = until("it passed", async || Some(line().await).filter(|line| line["state"] == "proven")).await;
    let shown = &one["proof"];
    assert_eq!(
        (&shown["id"], &shown["backup"], &shown["state"], &shown["level"]),
        (&json!(proof), &json!(first), &json!("passed"), &json!("opened"))
    );
    assert_eq!(
        (&shown["took_ms"], &shown["steps"][0]["what"]["en"], &shown["node"]),
        (&json!(7_000), &json!("Restored"), &Value::Null)
    );
    assert_eq!(shown["noted"]["counts"]["app.orders"]["most"], 4);
    let to_staff = house.staff("GET", "/v1/solutions/shop/proofs", Value::Null).await.is(200);
    assert_eq!((&to_staff["items"][0]["node"], &to_staff["items"][1]), (&json!("proof"), &Value::Null));
    assert_eq!(house.count("select from evidence where act = 'proof.passed' and who = 'node:proof'").await, 1);
    assert_eq!(repository.folder, house.get("/v1/solutions/shop").await["number"].to_string());

    // Another backup the same day waits for tomorrow's proof, and is proven then; it fails, which everybody is told.
    backup(&house, &mut node, "c2").await;
    look(&house).await;
    until("it was looked at", async || {
        house.exists("select from job where kind = 'backup-schedule' and due > now()").await.then_some(())
    })
    .await;
    assert_eq!(house.count("select from proof").await, 1);
    house.sql("update proof set made = made - interval '21 hours'").await;
    look(&house).await;
    let (order, verb) = prover.verb().await;
    assert!(matches!(&verb, Verb::Prove { copy, .. } if copy == "c2"), "{verb:?}");
    prover.progress(order, proven(false)).await;
    until("it failed", async || (line().await["state"] == "failed").then_some(())).await;
    let solution = house.get("/v1/solutions/shop").await;
    assert_eq!(
        (&solution["findings"][0]["name"], &solution["findings"][0]["severity"]),
        (&json!("backup-unproven"), &json!("danger"))
    );
    let told = "select from event where kind = 'proof.failed' and mail_topic(kind, data) = 'trouble' and data->'text'->>'en' like '%orders%'";
    assert_eq!(house.count(told).await, 1);
    let health = house.staff("GET", "/v1/health", Value::Null).await.is(200);
    let check = health["checks"].as_array().unwrap().iter().find(|check| check["name"] == "backup").unwrap().clone();
    assert_eq!(check["state"], "bad", "{check}");

    // Other accounts have no lines of ours.
    let theirs = house.send(house.request(&house.other, "GET", "/v1/proofs", None)).await.is(200);
    assert_eq!(theirs["items"], json!([]));
    house.running.stop().await;
}

#[tokio::test]
async fn without_a_node_for_it_the_solutions_own_proves_and_what_nobody_ends_is_given_up() {
    let house = House::new().await;
    target(&house).await;
    let (mut node, _) = Node::hello(&house.config.node_socket).await;
    shop(&house, &mut node, json!({})).await;
    backup(&house, &mut node, "c1").await;
    look(&house).await;
    let (order, verb) = node.verb().await;
    assert!(matches!(verb, Verb::Prove { .. }), "{verb:?}");
    // It could not be carried out: that is no failed proof, and is tried again in an hour.
    node.progress(order, failed("no-room", 507)).await;
    let newest = async || house.get("/v1/solutions/shop/proofs").await["items"][0].clone();
    let ended = until("it ended", async || Some(newest().await).filter(|one| one["state"] == "ended")).await;
    assert_eq!(ended["message"], "No: The target is gone");
    assert_eq!(house.get("/v1/proofs").await["items"][0]["state"], "waiting");
    house.sql("update proof set made = made - interval '61 minutes'").await;
    look(&house).await;
    let (order, _) = node.verb().await;

    // Nobody says how it went for a day.
    house.sql("update proof set made = now() - interval '25 hours' where state = 'proving'").await;
    look(&house).await;
    until("it is given up", async || {
        (house.get(&format!("/v1/orders/{order}")).await["state"] == "failed").then_some(())
    })
    .await;
    let (again, _) = node.verb().await;
    assert_ne!(again, order);
    node.progress(order, proven(true)).await;
    node.progress(again, proven(true)).await;
    until("it passed", async || (newest().await["state"] == "passed").then_some(())).await;
    assert_eq!(house.count("select from proof where state = 'passed'").await, 1);

    // Two days later nothing was proven since.
    house.sql("update backup_plan set proven = now() - interval '49 hours'").await;
    let findings = house.get("/v1/solutions/shop").await["findings"].clone();
    assert_eq!(findings[0]["name"], "backup-unproven");
    assert_eq!(house.get("/v1/proofs").await["items"][0]["state"], "late");
    house.running.stop().await;
}

#[tokio::test]
async fn a_proof_under_way_elsewhere_is_withdrawn_by_a_seal_and_no_key_is_released_for_it() {
    let house = House::new().await;
    target(&house).await;
    let (mut node, _) = Node::hello(&house.config.node_socket).await;
    let (mut prover, _) = Node::hello_as(&house.config.node_socket, "proof").await;
    let wish = shop(&house, &mut node, json!({})).await;
    backup(&house, &mut node, "c1").await;
    look(&house).await;
    let (order, _) = prover.verb().await;
    prover.progress(order, VerbState::Running { text: Text::new("Prøver", "Proving"), percent: None }).await;
    let may = |order| format!("select where node_unlock('proof', '{order}', '{}', 'age1') is not null", wish.solution);
    assert!(house.exists(&may(order)).await, "an open order has its key");

    let sealed = house.decide(json!({ "of": "solution", "id": wish.solution }), json!({ "access": "none" })).await;
    assert_eq!(prover.withdrawn().await, order);
    assert!(!house.exists(&may(order)).await, "what is sealed is opened for nobody");
    // One that comes again, before it has said how the order ended, hears of both.
    let (mut prover, told) = Node::hello_as(&house.config.node_socket, "proof").await;
    assert!(matches!(told[..], [ToNode::Welcome { .. }, ..]), "{told:?}");
    for said in ["verb", "withdraw"] {
        assert!(told.iter().any(|line| serde_json::to_value(line).unwrap()["say"] == said), "{said}: {told:?}");
    }
    // The solution's own node has the measure, and nothing is withdrawn from it.
    node.measure().await;
    prover.progress(order, failed("withdrawn", 409)).await;
    let state = async || house.get("/v1/solutions/shop/proofs").await["items"][0]["state"].clone();
    until("it has ended", async || (state().await == "ended").then_some(())).await;

    // When it is sealed no more it is proven.
    let lift = format!("/v1/measures/{}/lift", sealed["id"].as_str().unwrap());
    house.staff("POST", &lift, json!({ "reasons": "It was found to be in order." })).await.is(200);
    house.sql("update proof set made = made - interval '61 minutes'").await;
    look(&house).await;
    let (again, _) = prover.verb().await;
    assert_ne!(again, order);
    assert!(house.exists(&may(again)).await);
    prover.progress(again, proven(true)).await;
    until("it passed", async || (state().await == "passed").then_some(())).await;
    house.running.stop().await;
}
