//! A WordPress moves from its own database to an attached instance and back, with what was written in between; and whatever goes or
//! dies on either side, the other stands as it is wished.

use super::{eventually, pids, site, upload};
use husorden_world::{Answer, House, PATIENCE, Who, text};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const DOMAIN: &str = "shop.demo-sites.test";

/// Writes a post where one is named, and tells where the site's data lies and what it holds.
const TOLD: &[u8] = b"<?php
require '/srv/www/wp-load.php';
if (isset($_GET['post'])) {
    wp_insert_post(['post_title' => $_GET['post'], 'post_status' => 'publish']);
}
$titles = $wpdb->get_col(\"SELECT post_title FROM $wpdb->posts WHERE post_status = 'publish' AND post_type = 'post' ORDER BY ID\");
$tls = $wpdb->get_row(\"SHOW STATUS LIKE 'Ssl_cipher'\")->Value;
echo json_encode(['host' => DB_HOST, 'user' => DB_USER, 'password' => DB_PASSWORD, 'posts' => $titles, 'tls' => $tls]);
";
/// Tries to connect to an address.
const KNOCK: &[u8] = b"<?php
$open = @fsockopen($_GET['host'], 3306, $code, $why, 2);
echo $open ? 'open' : 'refused';
";
/// Reads what the site was told of its attachment.
const READ: &[u8] = b"<?php
$file = '/srv/private/database.json';
if (!is_file($file)) { die('none'); }
$a = json_decode(file_get_contents($file));
$db = mysqli_init();
$db->real_connect($a->host, $a->user, $a->password, $a->database, $a->port, null, MYSQLI_CLIENT_SSL);
echo $db->query('SELECT CURRENT_USER()')->fetch_row()[0];
";

#[test]
fn a_wordpress_moves_to_an_attached_instance_and_back() {
    let house = House::bare("attach", "").expect("the house comes up");
    let app = json!({ "name": "wordpress", "title": "Shop", "admin_email": "owner@shop.example", "language": "en_US" });
    site(&house, "shop", json!({ "domains": [DOMAIN], "app": app }));
    site(&house, "other", json!({ "domains": ["other.demo-sites.test"] }));
    upload(&house, "shop", &[("told.php", TOLD), ("read.php", READ)]);
    upload(&house, "other", &[("knock.php", KNOCK)]);
    let instance = json!({ "kind": "database", "name": "data", "spec": { "engine": "mariadb-11.8",
        "databases": { "app": {}, "again": {} }, "users": { "app": { "grants": { "app": "owner" } } } } });
    assert_eq!(ask(&house, "POST", "/v1/solutions", Some(instance)).status, 201);
    house.wait_state("data", "running").unwrap_or_else(|error| panic!("{error}"));

    assert_eq!(told(&house, "?post=first")["posts"], json!(["Hello world!", "first"]), "before");
    let secret = there(&house);
    what_is_refused(&house);
    nobody_else_gets_there(&house, &secret);
    deaths_and_measures(&house);
    and_back(&house);
    killed_on_the_way(&house);
    undone(&house);
}

/// Asks the attached PostgreSQL, by either way that PHP has: who it is, by what, and what it wrote.
const ASKS: &[u8] = b"<?php
$file = '/srv/private/database.json';
if (!is_file($file)) { die('none'); }
$a = json_decode(file_get_contents($file));
$db = new PDO(\"pgsql:host=$a->host;port=$a->port;dbname=$a->database;sslmode=require\", $a->user, $a->password, [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION]);
$db->exec('CREATE TABLE IF NOT EXISTS notes (said text)');
$db->prepare('INSERT INTO notes VALUES (?)')->execute([$_GET['say']]);
$also = pg_connect(\"host=$a->host port=$a->port dbname=$a->database user=$a->user password=$a->password sslmode=require\");
$tls = pg_fetch_result(pg_query($also, 'SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()'), 0);
$said = $db->query('SELECT said FROM notes ORDER BY said')->fetchAll(PDO::FETCH_COLUMN);
try {
    new PDO(\"pgsql:host=$a->host;port=$a->port;dbname=other;sslmode=require\", $a->user, $a->password);
    $other = 'open';
} catch (PDOException $why) {
    $other = $why->getMessage();
}
echo json_encode(['protocol' => $a->protocol, 'user' => $db->query('SELECT current_user')->fetchColumn(), 'host' => $a->host,
    'password' => $a->password, 'tls' => $tls, 'said' => $said, 'other' => $other]);
";
/// Tries to come as the site did, from the site, with what it once was told.
const AGAIN: &[u8] = b"<?php
try {
    new PDO(\"pgsql:host={$_POST['host']};port=5432;dbname=app;sslmode=require;connect_timeout=3\", $_POST['user'], $_POST['password']);
    echo 'open';
} catch (PDOException $why) {
    echo 'refused';
}
";

#[test]
fn a_php_page_asks_an_attached_postgresql() {
    let house = House::bare("asks", "").expect("the house comes up");
    site(&house, "page", json!({ "domains": [DOMAIN] }));
    site(&house, "other", json!({ "domains": ["other.demo-sites.test"] }));
    upload(&house, "page", &[("asks.php", ASKS), ("again.php", AGAIN)]);
    upload(&house, "other", &[("again.php", AGAIN)]);
    let instance = json!({ "kind": "database", "name": "data", "spec": { "engine": "postgresql-17", "databases": { "app": {}, "other": {} } } });
    assert_eq!(ask(&house, "POST", "/v1/solutions", Some(instance)).status, 201);
    house.wait_state("data", "running").unwrap_or_else(|error| panic!("{error}"));

    command(&house, &["attachment", "create", "page", "data"]);
    // The site is told at once; the instance lets it in a moment later.
    let asked = |say: &str| -> Value {
        let end = Instant::now() + PATIENCE;
        loop {
            let page = house.get(DOMAIN, &format!("/asks.php?say={say}"), &[]).expect("curl runs");
            match serde_json::from_str(&page.body) {
                Ok(said) => return said,
                Err(_) if Instant::now() < end => std::thread::sleep(Duration::from_millis(200)),
                Err(_) => panic!("{page:?}"),
            }
        }
    };
    let said = asked("first");
    let user = format!("attached-{}", number(&house, "page"));
    assert_eq!(
        (&said["protocol"], &said["user"], &said["said"]),
        (&json!("postgresql"), &json!(user), &json!(["first"]))
    );
    assert!(said["tls"].as_str().expect("a version").starts_with("TLSv1."), "{said}");
    assert!(
        said["other"].as_str().expect("a refusal").contains("no pg_hba.conf entry"),
        "only its own database: {said}"
    );
    // The password lies where the site reads it, and nowhere else; and with it nobody else comes in.
    nobody_has(&house, "page", said["password"].as_str().expect("a password"));
    let again = |domain: &str| {
        let form = ["host", "user", "password"].map(|name| format!("{name}={}", said[name].as_str().expect("a text")));
        let form = form.join("&");
        house.get(domain, "/again.php", &["--data", &form]).expect("curl runs").body
    };
    assert_eq!((again(DOMAIN), again("other.demo-sites.test")), ("open".to_owned(), "refused".to_owned()));
    // Asleep, it is woken by the site, and killed it comes back.
    let order = ask(&house, "POST", "/v1/solutions/data/sleep", None);
    house.wait_order(order.body["id"].as_str().expect("an id")).expect("it sleeps");
    assert_eq!(asked("second")["said"], json!(["first", "second"]));

    let off = house.cli(Who::Account, &["attachment", "delete", "page"]).expect("the command line runs");
    assert!(off.status.success(), "{}", text(&off.stderr));
    house.wait_state("data", "running").unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(house.get(DOMAIN, "/asks.php?say=third", &[]).expect("curl runs").body, "none");
    let end = Instant::now() + PATIENCE;
    while again(DOMAIN) != "refused" {
        assert!(Instant::now() < end, "the way is still there");
        std::thread::sleep(Duration::from_millis(200));
    }
    // Attached anew it is itself again, and what it made is there.
    command(&house, &["attachment", "create", "page", "data"]);
    assert_eq!(asked("third")["said"], json!(["first", "second", "third"]));
    // A WordPress keeps its own data in MariaDB.
    let app = json!({ "name": "wordpress", "title": "Shop", "admin_email": "owner@shop.example", "language": "en_US" });
    site(&house, "shop", json!({ "domains": ["wp.demo-sites.test"], "app": app }));
    for holds in [true, false] {
        let attach = json!({ "spec": { "attach": { "solution": "data", "database": "other", "holds": holds } } });
        let said = ask(&house, "PATCH", "/v1/solutions/shop", Some(attach));
        let pointer = said.body["refusal"]["fields"][0]["pointer"].as_str().unwrap_or_default();
        assert_eq!(
            (said.status, pointer),
            if holds { (422, "/spec/attach/holds") } else { (200, "") },
            "{:?}",
            said.body
        );
    }
    let moved = ask(&house, "PATCH", "/v1/solutions/shop", Some(json!({ "spec": { "attach": { "holds": true } } })));
    assert_eq!(moved.status, 422, "{:?}", moved.body);
}

fn ask(house: &House, method: &str, path: &str, body: Option<Value>) -> Answer {
    house.api(Who::Account, method, path, body.as_ref()).expect("the API answers")
}

fn told(house: &House, query: &str) -> Value {
    let page = house.get(DOMAIN, &format!("/told.php{query}"), &[]).expect("curl runs");
    serde_json::from_str(&page.body).unwrap_or_else(|_| panic!("{page:?}"))
}

fn command(house: &House, words: &[&str]) {
    let done = house.cli(Who::Account, words).expect("the command line runs");
    assert!(done.status.success(), "{words:?}: {}{}", text(&done.stdout), text(&done.stderr));
    house.wait_state(words[2], "running").unwrap_or_else(|error| panic!("{error}"));
}

fn number(house: &House, name: &str) -> u64 {
    ask(house, "GET", &format!("/v1/solutions/{name}"), None).body["number"].as_u64().expect("a number")
}

/// There: one step makes grant, way and password and moves the data. Returns the password, which only the site itself can tell.
fn there(house: &House) -> String {
    command(house, &["attachment", "create", "shop", "data", "--move"]);
    let said = told(house, "");
    assert_eq!(said["posts"], json!(["Hello world!", "first"]));
    let (site, data) = (number(house, "shop"), number(house, "data"));
    assert_eq!(said["user"], json!(format!("attached-{site}")));
    assert!(said["host"].as_str().expect("a host").starts_with("100.64."), "{said}");
    assert!(said["tls"].as_str().expect("a cipher").starts_with("TLS_"), "{said}");
    assert_eq!(told(house, "?post=second")["posts"], json!(["Hello world!", "first", "second"]));
    assert_eq!(house.get(DOMAIN, "/", &[]).expect("curl runs").status, 200);
    assert!(pids(house, site, "db").is_empty(), "its own database is no more");
    assert!(!pids(house, data, "db").is_empty());
    let read = house.get(DOMAIN, "/read.php", &[]).expect("curl runs");
    assert!(read.body.starts_with(&format!("attached-{site}@")), "{read:?}");
    said["password"].as_str().expect("a password").to_owned()
}

fn what_is_refused(house: &House) {
    for (method, path, body) in [
        ("DELETE", "/v1/solutions/data", None),
        ("PATCH", "/v1/solutions/data", Some(json!({ "spec": { "databases": { "app": null } } }))),
    ] {
        let refused = ask(house, method, path, body);
        assert_eq!(
            (refused.status, &refused.body["refusal"]["code"]),
            (409, &json!("is-attached")),
            "{:?}",
            refused.body
        );
    }
    let gone = ask(house, "PATCH", "/v1/solutions/shop", Some(json!({ "spec": { "attach": null } })));
    assert_eq!(gone.status, 422, "{:?}", gone.body);
    let copy = json!({ "kind": "website", "name": "copy", "from": { "solution": "shop" }, "spec": { "domains": ["copy.demo-sites.test"] } });
    assert_eq!(ask(house, "POST", "/v1/solutions", Some(copy)).status, 422, "its data would not come along");
}

/// Who is not attached has no way; and the password lies nowhere but on the site's own volume.
fn nobody_else_gets_there(house: &House, secret: &str) {
    let host = told(house, "")["host"].as_str().expect("a host").replace(":3306", "");
    let knock = house.get("other.demo-sites.test", &format!("/knock.php?host={host}"), &[]).expect("curl runs");
    assert_eq!(knock.body, "refused");
    nobody_has(house, "shop", secret);
}

/// A password lies nowhere but on the volume of the site that uses it.
fn nobody_has(house: &House, site: &str, secret: &str) {
    let rows = "select spec::text, credentials::text, seen::text from solution; select data::text from event";
    let rows = house.sql(rows).expect("rows");
    assert!(rows.contains(site) && !rows.contains(secret));
    let found = std::process::Command::new("grep")
        .args([
            "--recursive",
            "--files-with-matches",
            "--binary-files=text",
            "--exclude=*.pool",
            "--exclude-dir=pool",
            secret,
        ])
        .arg(house.home().join("node"))
        .arg(house.home().join("log"))
        .arg(format!("/run/husorden/{}", house.instance))
        .output()
        .expect("grep runs");
    let own = format!("/solutions/{}/live/", number(house, site));
    let found = text(&found.stdout);
    assert!(!found.is_empty() && found.lines().all(|file| file.contains(&own)), "the password lies in clear: {found}");
}

fn deaths_and_measures(house: &House) {
    let old = house.kill("node").expect("it is killed");
    house.wait_reborn("node", old).expect("it comes back");
    eventually(house, DOMAIN, "/", 200);
    assert_eq!(told(house, "")["posts"], json!(["Hello world!", "first", "second"]));
    let one = ask(house, "GET", "/v1/solutions/data", None).body;
    let measure = super::suspension::decide(house, &json!({ "of": "solution", "id": one["id"] }));
    house.wait_state("data", "closed").unwrap_or_else(|error| panic!("{error}"));
    eventually(house, DOMAIN, "/", 500);
    let path = format!("/v1/measures/{}/lift", measure["id"].as_str().expect("an id"));
    let reasons = json!({ "reasons": "The machine was cleaned and the password changed." });
    let lifted = house.api(Who::Staff, "POST", &path, Some(&reasons)).expect("the API answers");
    assert!(matches!(lifted.status, 200 | 202), "{:?}", lifted.body);
    house.wait_state("data", "running").unwrap_or_else(|error| panic!("{error}"));
    eventually(house, DOMAIN, "/", 200);
}

fn and_back(house: &House) {
    command(house, &["attachment", "return", "shop"]);
    let said = told(house, "?post=third");
    assert_eq!(said["posts"], json!(["Hello world!", "first", "second", "third"]));
    assert_eq!(said["user"], "site");
    assert_eq!(house.get(DOMAIN, "/", &[]).expect("curl runs").status, 200);
    command(house, &["attachment", "delete", "shop"]);
    assert_eq!(house.get(DOMAIN, "/read.php", &[]).expect("curl runs").body, "none");
    house.wait_state("data", "running").unwrap_or_else(|error| panic!("{error}"));
    // Nothing of the other side is left: what the site once had would lead nowhere, and the instance may go.
    let people = ask(house, "GET", "/v1/solutions/data", None).body;
    assert!(!people.to_string().contains("attached-"), "{people}");
}

/// The node dies in the middle of a move, twice.
fn killed_on_the_way(house: &House) {
    let attach = json!({ "solution": "data", "database": "app", "holds": true });
    let full = ask(house, "PATCH", "/v1/solutions/shop", Some(json!({ "spec": { "attach": attach } })));
    assert_eq!(full.status, 200, "{:?}", full.body);
    let until = Instant::now() + PATIENCE;
    loop {
        let one = ask(house, "GET", "/v1/solutions/shop", None).body;
        if one["message"].as_str().is_some_and(|why| why.contains("not empty")) {
            break;
        }
        assert!(Instant::now() < until, "{one}");
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(told(house, "")["posts"].as_array().map(Vec::len), Some(4), "it goes on as it was");
    let back = json!({ "spec": { "attach": { "holds": false } } });
    assert_eq!(ask(house, "PATCH", "/v1/solutions/shop", Some(back)).status, 200);
    house.wait_state("shop", "running").unwrap_or_else(|error| panic!("{error}"));
    let attach = json!({ "solution": "data", "database": "again", "holds": true });
    assert_eq!(ask(house, "PATCH", "/v1/solutions/shop", Some(json!({ "spec": { "attach": attach } }))).status, 200);
    for pause in [700, 1500] {
        std::thread::sleep(Duration::from_millis(pause));
        let old = house.kill("node").expect("it is killed");
        house.wait_reborn("node", old).expect("it comes back");
    }
    house.wait_state("shop", "running").unwrap_or_else(|error| panic!("{error}"));
    let said = told(house, "?post=fourth");
    assert!(said["host"].as_str().expect("a host").starts_with("100.64."), "{said}");
    assert_eq!(said["posts"], json!(["Hello world!", "first", "second", "third", "fourth"]));
}

/// Undone, the site is as it was before the move, with its own database, and nothing is attached but what was.
fn undone(house: &House) {
    let order = ask(house, "POST", "/v1/solutions/shop/undo", None);
    assert_eq!(order.status, 202, "{:?}", order.body);
    house.wait_order(order.body["id"].as_str().expect("an id")).expect("it is undone");
    house.wait_state("shop", "running").unwrap_or_else(|error| panic!("{error}"));
    let said = told(house, "");
    assert_eq!((&said["user"], &said["posts"]), (&json!("site"), &json!(["Hello world!", "first", "second", "third"])));
    eventually(house, DOMAIN, "/", 200);
}
