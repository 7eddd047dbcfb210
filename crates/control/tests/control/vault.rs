//! What opens backups: released to the node that an open order sends there, and destroyed with the solution.

use crate::house::House;
use crate::node::{Node, until};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use husorden_backup::vault::RecoveryKey;
use husorden_base::{BackupId, OrderId, Secret, SolutionId, TargetId, Text};
use husorden_control::Vault;
use husorden_wire::node::{Address, FromNode, Repository, Secrets, Unlocked, Verb, VerbState};
use husorden_wire::vault::{Answer, Ask};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// A vault that answers in this process.
pub fn running(folder: &Path) -> PathBuf {
    let socket = folder.join("vault.sock");
    let store = husorden_vault::Store::open(&folder.join("vault"), 35).expect("a vault");
    let listener = husorden_vault::serve::bind(&socket).expect("it listens");
    let own = uid();
    std::thread::spawn(move || husorden_vault::serve::serve(store, &listener, own));
    socket
}

fn uid() -> u32 {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").expect("this process").uid()
}

/// What a node is answered.
async fn unlock(house: &House, node: &str, order: Option<OrderId>, solution: SolutionId, to: &RecoveryKey) -> Unlocked {
    asked(house, (node, order, solution, false), to).await
}

/// The same of a log's key.
async fn unlock_log(house: &House, node: &str, solution: SolutionId, to: &RecoveryKey) -> Unlocked {
    asked(house, (node, None, solution, true), to).await
}

async fn asked(
    house: &House,
    (node, order, solution, log): (&str, Option<OrderId>, SolutionId, bool),
    to: &RecoveryKey,
) -> Unlocked {
    let mut stream = UnixStream::connect(&house.config.node_socket).await.expect("control listens");
    let recipient = to.recipient().to_string();
    let line = FromNode::Unlock { node: node.to_owned(), order, solution, log, recipient };
    stream.write_all(format!("{}\n", serde_json::to_string(&line).unwrap()).as_bytes()).await.expect("written");
    let mut text = String::new();
    stream.read_to_string(&mut text).await.expect("one line, and the end");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

fn opened(unlocked: Unlocked, by: &RecoveryKey) -> Secrets {
    let Unlocked::Released { sealed, .. } = unlocked else { panic!("{unlocked:?}") };
    serde_json::from_slice(&by.unseal(&STANDARD.decode(sealed).unwrap()).expect("the node's")).expect("secrets")
}

#[track_caller]
fn refused(unlocked: Unlocked) -> Text {
    let Unlocked::Refused { why } = unlocked else { panic!("{unlocked:?}") };
    why
}

async fn order(house: &House, solution: SolutionId, verb: &Verb) -> OrderId {
    let id = OrderId::new();
    let mut owner = husorden_control::doors::owner(&house.config.database).await.expect("the owner is let in");
    let body = serde_json::to_value(verb).unwrap();
    sqlx::query(
        "insert into verb_order (id, solution, account, node, verb, body)
         select $1, s.id, s.account, s.node, $3->>'verb', $3 from solution s where s.id = $2",
    )
    .bind(id.0)
    .bind(solution.0)
    .bind(sqlx::types::Json(body))
    .execute(&mut owner)
    .await
    .expect("an order");
    id
}

#[tokio::test]
async fn a_key_goes_to_the_node_of_an_open_order_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = running(folder.path());
    let house = House::with(|config| {
        config.retention_days = 0;
        config.vault = Some(Vault::at(&socket));
    })
    .await;
    let (mut node, _) = Node::hello(&house.config.node_socket).await;
    house.create("shop", json!({ "names": ["shop.example"] })).await;
    let wish = node.wish().await;
    node.settled(&wish).await;
    let (solution, key, target) = (wish.solution, RecoveryKey::generate(), TargetId::new());
    let kept = husorden_vault::serve::ask(&socket, &Ask::Keep { target, secret: Secret::new("of the target") });
    assert_eq!(kept.expect("the vault answers"), Answer::Done);
    let repository = Box::new(Repository {
        target,
        address: Address::Folder { path: "/srv/backups".to_owned() },
        folder: wish.number.to_string(),
        bytes_per_second: None,
    });

    refused(unlock(&house, "local", None, solution, &key).await);
    refused(unlock_log(&house, "local", solution, &key).await);
    let sleep = order(&house, solution, &Verb::Sleep).await;
    refused(unlock(&house, "local", Some(sleep), solution, &key).await);
    // What reads needs a key that is there.
    let copy = "0".repeat(64);
    let prove = Verb::Prove {
        proof: husorden_base::ProofId::new(),
        repository: repository.clone(),
        copy,
        level: husorden_wire::node::Level::Opened,
    };
    let prove = order(&house, solution, &prove).await;
    let why = refused(unlock(&house, "local", Some(prove), solution, &key).await);
    assert!(why.en.contains("never backed up") && why.da.contains("aldrig"), "{why:?}");

    let back_up = order(&house, solution, &Verb::BackUp { backup: BackupId::new(), repository }).await;
    let first = opened(unlock(&house, "local", Some(back_up), solution, &key).await, &key);
    assert_eq!(first.target, Some(Secret::new("of the target")));
    let second = opened(unlock(&house, "local", Some(prove), solution, &key).await, &key);
    assert_eq!(first.repository, second.repository);
    for (node, order, whose) in [
        ("other", Some(back_up), solution),
        ("local", Some(OrderId::new()), solution),
        ("local", Some(back_up), SolutionId::new()),
    ] {
        refused(unlock(&house, node, order, whose, &key).await);
    }
    // An order that has ended opens nothing any more.
    node.progress(back_up, VerbState::done()).await;
    until("the order's end", async || {
        matches!(unlock(&house, "local", Some(back_up), solution, &key).await, Unlocked::Refused { .. }).then_some(())
    })
    .await;

    let lines = house.get("/v1/evidence?limit=100").await;
    let released: Vec<&Value> =
        lines["items"].as_array().unwrap().iter().filter(|line| line["act"] == "backup.key-released").collect();
    let good = released.iter().filter(|line| line["after"]["is"] == "released").count();
    assert!(good >= 2 && released.iter().any(|line| line["after"]["is"] == "refused"), "{released:?}");
    assert!(!lines.to_string().contains(first.repository.reveal()));

    // Deleted, retained, empty and buried: the key goes along, and the account is told by when no copy remains.
    house.call("DELETE", "/v1/solutions/shop", Value::Null).await.is(200);
    let gone = loop {
        let wish = node.wish().await;
        if wish.aim == husorden_kinds::Aim::Gone {
            break wish;
        }
    };
    node.seen(&gone, husorden_wire::node::SeenState::Settled, |seen| seen.usage = None).await;
    let receipt = until("a receipt", async || {
        let lines = house.get("/v1/evidence?limit=100").await;
        lines["items"].as_array().unwrap().iter().find(|line| line["act"] == "backup.key-destroyed").cloned()
    })
    .await;
    assert!(receipt["after"]["gone_by"].is_string() && receipt["before"]["made"].is_string(), "{receipt}");
    let events = house.get("/v1/events?limit=100").await;
    let told = events["items"].as_array().unwrap().iter().find(|event| event["kind"] == "solution.key-destroyed");
    assert!(told.is_some_and(|event| event.to_string().contains("shop")), "{events}");
    let status = husorden_vault::serve::ask(&socket, &Ask::Status).expect("the vault answers");
    assert!(matches!(status, Answer::Status { status } if status.keys == 0 && status.destroyed == 1));
    house.running.stop().await;
}

#[tokio::test]
async fn a_vault_that_does_not_answer_releases_nothing_and_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("vault.sock");
    let house = House::with(|config| config.vault = Some(Vault { wait_s: 1, ..Vault::at(&socket) })).await;
    let (mut node, _) = Node::hello(&house.config.node_socket).await;
    house.create("shop", json!({ "names": ["shop.example"] })).await;
    let wish = node.wish().await;
    let repository = Box::new(Repository {
        target: TargetId::new(),
        address: Address::Folder { path: "/srv/backups".to_owned() },
        folder: wish.number.to_string(),
        bytes_per_second: None,
    });
    let verb = Verb::BackUp { backup: BackupId::new(), repository };
    let back_up = order(&house, wish.solution, &verb).await;
    let key = RecoveryKey::generate();
    // Nobody listens; somebody listens and says nothing.
    refused(unlock(&house, "local", Some(back_up), wish.solution, &key).await);
    let silent = tokio::net::UnixListener::bind(&socket).expect("bound");
    let why = refused(unlock(&house, "local", Some(back_up), wish.solution, &key).await);
    assert!(why.da.contains("svarer ikke") && why.en.contains("does not answer"), "{why:?}");
    let health = house.staff("GET", "/v1/health", Value::Null).await.is(200);
    let vault = health["checks"].as_array().unwrap().iter().find(|check| check["name"] == "vault").cloned();
    assert_eq!(vault.expect("a check of the vault")["state"], "bad");
    drop(silent);
    house.running.stop().await;
}

#[tokio::test]
async fn a_targets_secret_goes_to_the_vault_and_nowhere_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = running(folder.path());
    let house = House::with(|config| config.vault = Some(Vault::at(&socket))).await;
    let address = json!({ "kind": "sftp", "host": "backup.example", "user": "node1", "path": "srv",
        "host_key": format!("ssh-ed25519 {}", "A".repeat(68)) });
    let secret = |text: &str| json!({ "name": "far", "address": address, "secret": text });
    house.staff("POST", "/v1/targets", secret("")).await.refused(409, "vault-refused");
    let made = house.staff("POST", "/v1/targets", secret("hush one")).await.is(201);
    house.staff("PATCH", "/v1/targets/far", json!({ "secret": "hush two" })).await.is(200);
    let target = serde_json::from_value(made["id"].clone()).expect("an id");
    let (solution, number) = (SolutionId::new(), husorden_base::Number::new(7).expect("a number"));
    let node = RecoveryKey::generate();
    let recipient = node.recipient().to_string();
    let release = Ask::Release { solution, number, make: true, log: false, target: Some(target), recipient };
    let Ok(Answer::Released { sealed }) = husorden_vault::serve::ask(&socket, &release) else { panic!("released") };
    assert_eq!(opened(Unlocked::Released { sealed, repository: None }, &node).target, Some(Secret::new("hush two")));
    // Neither what is shown nor what is kept in the database holds it.
    let shown = house.staff("GET", "/v1/targets", Value::Null).await.is(200);
    let lines = house.staff("GET", "/v1/evidence?limit=100", Value::Null).await.is(200);
    assert!(!format!("{made}{shown}{lines}").contains("hush"));
    house.running.stop().await;
}

#[tokio::test]
async fn the_key_of_a_log_goes_to_the_node_of_the_solution_while_its_plan_is_on_and_opens_the_log_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = running(folder.path());
    let house = House::with(|config| config.vault = Some(Vault::at(&socket))).await;
    let (mut node, _) = Node::hello(&house.config.node_socket).await;
    let made = json!({ "name": "local", "address": { "kind": "folder", "path": "/srv/backups" } });
    house.staff("POST", "/v1/targets", made).await.is(201);
    house.create("shop", json!({ "names": ["shop.example"] })).await;
    let wish = node.wish().await;
    node.settled(&wish).await;
    let (solution, key) = (wish.solution, RecoveryKey::generate());
    refused(unlock_log(&house, "other", solution, &key).await);
    refused(unlock_log(&house, "local", SolutionId::new(), &key).await);
    let released = unlock_log(&house, "local", solution, &key).await;
    let Unlocked::Released { repository: Some(repository), .. } = &released else { panic!("{released:?}") };
    assert_eq!(repository.folder, format!("{}-log", wish.number));
    let log = opened(released.clone(), &key).repository;
    let back_up = Verb::BackUp {
        backup: BackupId::new(),
        repository: Box::new(Repository { folder: wish.number.to_string(), ..(**repository).clone() }),
    };
    let back_up = order(&house, solution, &back_up).await;
    let backups = opened(unlock(&house, "local", Some(back_up), solution, &key).await, &key).repository;
    assert_ne!(log, backups);
    let of_log = husorden_backup::Key::from_password(&backups).expect("a key").of_log();
    assert_eq!(of_log.password(), log, "as the documents say it is made");
    let lines = house.get("/v1/evidence?limit=100").await;
    let told = lines["items"].as_array().unwrap().iter().filter(|line| line["act"] == "backup.key-released");
    assert_eq!(told.filter(|line| line["before"]["for"] == "log").count(), 1, "{lines}");

    house.call("PUT", "/v1/solutions/shop/backup-plan", json!({ "on": false, "reason": "It is a test" })).await.is(200);
    refused(unlock_log(&house, "local", solution, &key).await);
    house.running.stop().await;
}
