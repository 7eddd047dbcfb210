//! The evidence log on a real PostgreSQL: signed, carried away, verified, searched, erased, and fed by nodes.

use crate::cluster;
use crate::house::House;
use crate::node::{Node, until};
use crate::tiny::KINDS;
use husorden_control::start;
use husorden_evidence::verify::{Outside, Report, verify};
use husorden_evidence::{Checkpoint, Hash, PublicKey, chain, note};
use husorden_wire::node::{EvidenceLine, FromNode, ToNode};
use jiff::Timestamp;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgConnection};
use std::fs;
use std::path::PathBuf;
use tower::ServiceExt;

/// A house whose checkpoints go to a folder outside it, and only when somebody exports or it closes.
pub struct Watched {
    pub house: House,
    pub outside: PathBuf,
}

impl Watched {
    pub async fn new() -> Self {
        let outside = cluster::folder();
        let house = House::with(|config| {
            config.evidence.folders = vec![outside.clone()];
            config.evidence.every_s = 3600;
        })
        .await;
        Self { house, outside }
    }

    pub fn notes(&self) -> Vec<Outside> {
        let mut files: Vec<PathBuf> = fs::read_dir(&self.outside).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        let text: String = files.iter().map(|file| fs::read_to_string(file).unwrap()).collect();
        note::several(&text).into_iter().map(|note| Outside { place: "outside".to_owned(), note }).collect()
    }

    pub async fn export(&self, token: &str) -> String {
        let request = self.house.request(token, "GET", "/v1/evidence/export", None);
        let response = self.house.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200);
        let bytes = axum::body::to_bytes(response.into_body(), 64 << 20).await.expect("the whole export");
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    /// Signs what there is and waits until it has arrived outside; the checkpoint.
    pub async fn checkpoint(&self) -> Checkpoint {
        // What the export was signed at: lines that came after it, such as its own, are signed later.
        let export = self.export(&self.house.staff).await;
        let header: Value = serde_json::from_str(export.lines().next().unwrap()).unwrap();
        let size = header["header"]["size"].as_u64().unwrap();
        until("the checkpoint is outside", async || {
            let newest = self.notes().pop().map(|it| Checkpoint::unsigned(&it.note).unwrap())?;
            (newest.size >= size).then_some(newest)
        })
        .await
    }

    pub async fn key(&self) -> PublicKey {
        let key = self.house.staff("GET", "/v1/evidence/key", Value::Null).await.is(200);
        key["key"].as_str().unwrap().parse().unwrap()
    }

    pub async fn verify(&self, token: &str, outside: &[Outside]) -> Report {
        verify(self.export(token).await.as_bytes(), outside, &[self.key().await]).expect("an export")
    }

    pub async fn root(&self) -> PgConnection {
        cluster::root(&self.house.config.database.socket_dir, &self.house.config.database.name).await
    }
}

pub async fn sql(root: &mut PgConnection, statement: &str) {
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))
        .execute(root)
        .await
        .unwrap_or_else(|e| panic!("{statement}: {e}"));
}

#[tokio::test]
async fn everybody_carries_a_part_away_that_holds() {
    let watched = Watched::new().await;
    let house = &watched.house;
    let (mut node, _) = Node::hello(&house.config.node_socket).await;
    let solution = house.create("shop", json!({ "names": ["shop.example"] })).await;
    let wish = node.wish().await;
    node.settled(&wish).await;
    house
        .send(house.request(&house.other, "POST", "/v1/tokens", Some(&json!({ "label": "theirs alone" }))))
        .await
        .is(201);
    watched.checkpoint().await;
    house.call("POST", "/v1/solutions/shop/stop", Value::Null).await.is(200);
    watched.checkpoint().await;

    let whole = watched.verify(&house.staff, &watched.notes()).await;
    assert!(whole.holds(), "{:?}", whole.findings);
    assert!(whole.outside_agreed >= 2 && whole.outside == whole.outside_agreed, "{whole:?}");
    for token in [&house.account, &house.other] {
        let own = watched.verify(token, &watched.notes()).await;
        assert!(own.holds() && own.outside_agreed >= 2 && own.leaves > 0 && own.leaves < whole.leaves, "{own:?}");
    }
    let text = watched.export(&house.account).await;
    assert!(text.contains("\"act\":\"solution.create\"") && !text.contains("theirs alone"), "{text}");
    assert!(text.contains("\"stage\":\"before\"") && text.contains("\"stage\":\"after\""), "both halves are leaves");
    let shop = format!("\"solution\":{}", solution["id"]);
    assert!(text.contains(&shop) && !watched.export(&house.other).await.contains(&shop));

    // The key lies on control's disk, for control alone, and nowhere in the database.
    use std::os::unix::fs::PermissionsExt;
    let file = house.config.evidence.folder.join("evidence.key");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let staff = house.staff("GET", "/v1/evidence/key", Value::Null).await.is(200);
    assert!(staff["targets"][0]["delivered"].is_string(), "{staff}");
    let own = house.get("/v1/evidence/key").await;
    assert!(own["targets"].is_null() && own["keys"][0] == staff["key"], "{own}");
    house.call("GET", "/v1/evidence/checkpoints?limit=1", Value::Null).await.is(200)["next"].as_str().expect("more");
    watched.house.running.stop().await;
}

#[tokio::test]
async fn lines_are_found_and_paged_both_ways() {
    let watched = Watched::new().await;
    let house = &watched.house;
    for name in ["one", "two", "three"] {
        house.create(name, json!({})).await;
    }
    house.call("POST", "/v1/solutions/two/stop", Value::Null).await.is(200);
    let acts = async |query: &str| -> Vec<String> {
        let page = house.get(&format!("/v1/evidence?{query}")).await;
        let items = page["items"].as_array().unwrap();
        items
            .iter()
            .map(|line| format!("{} {}", line["act"].as_str().unwrap(), line["before"]["name"].as_str().unwrap_or("-")))
            .collect()
    };
    let create = |name: &str| format!("solution.create {name}");
    assert_eq!(acts("act=solution.create").await, [create("one"), create("two"), create("three")]);
    assert_eq!(acts("act=solution").await.len(), 4, "an act by its first word");
    assert_eq!(acts("act=sol").await.len(), 0, "words are whole");
    assert_eq!(acts("q=THREE").await, [create("three")]);
    assert_eq!(acts("q=%25").await.len(), 0, "no pattern");
    assert_eq!(acts("solution=one").await, [create("one")]);
    assert_eq!(acts("who=account").await.len(), 4);
    assert_eq!(acts("who=staff").await.len(), 0);
    assert_eq!(acts("to=2020-01-01").await.len(), 0);
    assert_eq!(acts("from=2020-01-01&to=2999-01-01T00:00:00Z").await.len(), 4);
    assert_eq!(acts("act=solution.create&order=newest").await, [create("three"), create("two"), create("one")]);
    for order in ["oldest", "newest"] {
        let first = house.get(&format!("/v1/evidence?limit=2&order={order}")).await;
        let next = first["next"].as_str().expect("more");
        let second = house.get(&format!("/v1/evidence?limit=2&order={order}&after={next}")).await;
        let back = house.get(&format!("/v1/evidence?limit=2&order={order}&before={}", second["items"][0]["id"])).await;
        assert_eq!(back["items"], first["items"], "{order}");
        assert_ne!(first["items"], second["items"]);
        assert!(second["next"].is_null(), "four lines are two pages");
    }
    for wrong in ["from=yesterday", "order=up", "limit=0", "tea=1", &format!("q={}", "x".repeat(201))] {
        house.call("GET", &format!("/v1/evidence?{wrong}"), Value::Null).await.is(422);
    }
    let table = house.request(&house.account, "GET", "/v1/evidence/export?format=csv", None);
    let response = house.router.clone().oneshot(table).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/csv; charset=utf-8");
    let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&bytes).lines().count(), 6, "a head, four lines and the export itself");
    watched.house.running.stop().await;
}

#[tokio::test]
async fn a_nodes_chain_is_checked_when_it_arrives() {
    let watched = Watched::new().await;
    let house = &watched.house;
    let (mut node, _) = Node::hello(&house.config.node_socket).await;
    let mut previous: Option<Hash> = None;
    let mut next = |serial: u64, act: &str| {
        let (at, detail) = (Timestamp::now(), json!({ "pool": "main", "nul": "a\u{0}b" }));
        let line = EvidenceLine {
            serial,
            at,
            act: act.to_owned(),
            solution: None,
            detail,
            previous: previous.map(|hash| hash.to_string()),
        };
        previous = Some(chain::link(serial, at, act, None, &line.detail, previous));
        line
    };
    let lines: Vec<EvidenceLine> = (1..=40).map(|serial| next(serial, "volume.make")).collect();
    let broken = async || {
        let page = house.staff("GET", "/v1/evidence?act=node.chain-broken", Value::Null).await.is(200);
        page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|line| line["before"]["is"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let kept = async |node: &mut Node, serial: u64| {
        until("the lines are kept", async || {
            matches!(node.next().await, ToNode::EvidenceKept { serial: kept } if kept == serial).then_some(())
        })
        .await;
    };
    for line in &lines[..30] {
        node.say(&FromNode::Evidence(Box::new(line.clone()))).await;
    }
    kept(&mut node, 30).await;
    // What the node did not hear was kept is said again, on another connection.
    let (mut node, _) = Node::hello(&house.config.node_socket).await;
    for line in &lines[25..] {
        node.say(&FromNode::Evidence(Box::new(line.clone()))).await;
    }
    kept(&mut node, 40).await;
    assert_eq!(broken().await, Vec::<String>::new());
    // One is changed under its number, one does not follow, one is left out.
    let other = EvidenceLine { act: "volume.destroy".to_owned(), ..lines[9].clone() };
    let mut strange = next(41, "volume.make");
    strange.previous = lines[3].previous.clone();
    let _left_out = next(42, "volume.make");
    for line in [other, strange, next(43, "volume.make")] {
        let serial = line.serial;
        node.say(&FromNode::Evidence(Box::new(line))).await;
        kept(&mut node, serial).await;
    }
    let found = broken().await;
    assert_eq!(
        found,
        ["another line under a number that was given", "it does not follow the line before it", "lines are missing"]
    );
    node.say(&FromNode::Evidence(Box::new(next(44, "volume.make")))).await;
    kept(&mut node, 44).await;
    assert_eq!(broken().await.len(), 3, "after a break the chain goes on");
    watched.checkpoint().await;
    let report = watched.verify(&house.staff, &watched.notes()).await;
    assert!(report.holds(), "{:?}", report.findings);
    watched.house.running.stop().await;
}

#[tokio::test]
async fn what_is_too_old_is_erased_and_the_tree_holds() {
    let watched = Watched::new().await;
    let house = &watched.house;
    house.create("grandmas-shop", json!({})).await;
    house.create("young", json!({})).await;
    watched.checkpoint().await;
    let before = watched.export(&house.account).await;
    assert!(before.contains("grandmas-shop"));
    let mut root = watched.root().await;
    // Four years pass for the first line: its names go, who acted stays for five.
    sql(&mut root, "update evidence_leaf set noted = noted - interval '4 years' where line = (select min(id) from evidence where act = 'solution.create')").await;
    // While the account is sealed nothing of it goes.
    house.decide(json!({ "of": "account", "id": house.ours }), json!({ "access": "none" })).await;
    sql(&mut root, "update job set due = now() where kind = 'erase-evidence'").await;
    until("it waits", async || {
        let held = "select exists (select from evidence_held where path = 'before.name')";
        sqlx::query_scalar::<_, bool>(held).fetch_one(&mut watched.root().await).await.unwrap().then_some(())
    })
    .await;
    assert!(watched.export(&house.staff).await.contains("grandmas-shop"), "nothing is gone");
    sql(&mut root, "update measure set lifted = now()").await;
    sql(&mut root, "update job set due = now() where kind = 'erase-evidence'").await;
    let erased = until("it is erased", async || {
        let line = house.get("/v1/evidence?limit=1").await["items"][0].clone();
        line["erased"]["before.name"].is_string().then_some(line)
    })
    .await;
    assert!(
        erased["before"]["name"].is_null() && erased["erased"]["before.name"].as_str().unwrap().starts_with("platform"),
        "{erased}"
    );
    assert!(erased["who"].as_str().unwrap().starts_with("account:") && erased["before"]["kind"] == "tiny", "{erased}");
    let salts: Value =
        sqlx::query_scalar("select salts from evidence_salt s join evidence_leaf l using (index) where line = (select min(id) from evidence where act = 'solution.create')").fetch_one(&mut root).await.unwrap();
    assert!(salts["before.name"].is_null() && salts["who"].is_string(), "the salt goes with the value: {salts}");
    // What was erased is let go of right after.
    until("nothing waits", async || {
        let held = "select count(*) from evidence_held";
        let held: i64 = sqlx::query_scalar(held).fetch_one(&mut watched.root().await).await.unwrap();
        (held == 0).then_some(())
    })
    .await;
    sql(
        &mut root,
        "update evidence_leaf set noted = noted + interval '4 years' where noted < now() - interval '1 year'",
    )
    .await;
    watched.checkpoint().await;
    for token in [&house.staff, &house.account] {
        let text = watched.export(token).await;
        assert!(!text.contains("grandmas-shop") && text.contains("young"));
        let report = watched.verify(token, &watched.notes()).await;
        assert!(report.holds() && report.erased >= 1, "{report:?}");
    }
    watched.house.running.stop().await;
}

#[tokio::test]
async fn two_controls_make_one_tree() {
    let watched = Watched::new().await;
    let house = &watched.house;
    let mut config = house.config.clone();
    config.listen = "127.0.0.1:0".parse().unwrap();
    config.node_socket = config.node_socket.with_file_name("second.sock");
    config.evidence.folder = config.evidence.folder.with_file_name("second-evidence");
    let second = start(config, &KINDS).await.expect("a second control");
    let other = husorden_control::routes::router(second.app().clone());
    for n in 0..20 {
        let body = json!({ "kind": "tiny", "name": format!("s{n}"), "spec": {} });
        let router = if n % 2 == 0 { &house.router } else { &other };
        let request = house.request(&house.account, "POST", "/v1/solutions", Some(&body));
        assert_eq!(router.clone().oneshot(request).await.unwrap().status(), 201);
    }
    watched.checkpoint().await;
    second.stop().await;
    let log = house.staff("GET", "/v1/evidence/key", Value::Null).await.is(200);
    let keys: Vec<PublicKey> =
        log["keys"].as_array().unwrap().iter().map(|key| key.as_str().unwrap().parse().unwrap()).collect();
    assert_eq!(keys.len(), 2, "each signs with its own");
    let text = watched.export(&house.staff).await;
    let report = verify(text.as_bytes(), &watched.notes(), &keys).expect("an export");
    assert!(report.holds() && report.outside_agreed >= 2, "{report:?}");
    assert!(report.leaves >= 20);
    watched.house.running.stop().await;
}

#[tokio::test]
async fn a_url_that_refuses_is_tried_again_and_gets_what_is_signed() {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/a-path-nobody-is-told", listener.local_addr().unwrap());
    let (sender, mut posted) = tokio::sync::mpsc::unbounded_channel::<String>();
    std::thread::spawn(move || {
        for (n, stream) in listener.incoming().flatten().enumerate() {
            let mut stream = stream;
            let mut text = Vec::new();
            let mut part = [0; 4096];
            // A note ends with the line of its signature.
            while !text.windows(4).any(|four| four == "\u{2014} ".as_bytes()) || !text.ends_with(b"\n") {
                match stream.read(&mut part) {
                    Ok(read) if read > 0 => text.extend_from_slice(&part[..read]),
                    _ => break,
                }
            }
            let status = if n == 0 { "503 Service Unavailable" } else { "200 OK" };
            let _ = write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            if n > 0 && sender.send(String::from_utf8_lossy(&text).into_owned()).is_err() {
                return;
            }
        }
    });
    let house = House::with(|config| config.evidence.urls = vec![url.clone()]).await;
    let log = async || house.staff("GET", "/v1/evidence/key", Value::Null).await.is(200);
    let failing = until("the refusal is told", async || {
        let target = log().await["targets"][0].clone();
        target["error"].is_string().then_some(target)
    })
    .await;
    assert!(failing["error"].as_str().unwrap().contains("503") && failing["delivered"].is_null(), "{failing}");
    assert!(!failing.to_string().contains("nobody-is-told"), "{failing}");
    let request = posted.recv().await.expect("it is tried again");
    assert!(request.starts_with("POST /a-path-nobody-is-told HTTP/1.1\r\n"), "{request}");
    let note = request.split_once("\r\n\r\n").expect("a body").1;
    let key: PublicKey = log().await["key"].as_str().unwrap().parse().unwrap();
    Checkpoint::open(note, &[key]).expect("a checkpoint");
    until("it is well", async || {
        let target = log().await["targets"][0].clone();
        (target["delivered"].is_string() && target["error"].is_null()).then_some(())
    })
    .await;
    house.running.stop().await;
}
