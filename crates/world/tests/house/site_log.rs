//! Any second of a site's own database comes back, on a real WordPress: what its code writes is kept within a minute, by a user whom that code
//! cannot be; a copy under another name has the database as of the second, and answers; from where the backups lie too.

use super::log::{kept, log, segments};
use super::{site, until, upload};
use husorden_world::{House, Who};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::time::Duration;

const DOMAIN: &str = "blog.second.example";
/// Asks the site's database what is sent, as the site's code does.
pub(super) const ASK: &str = r#"<?php
mysqli_report(MYSQLI_REPORT_OFF);
$db = new mysqli(null, $_GET['user'] ?? 'site', '', 'site');
$rows = $db->connect_errno ? false : $db->query(file_get_contents('php://input'));
if ($rows === false) { http_response_code(409); echo $db->connect_error ?? $db->error; return; }
while ($rows !== true && $row = $rows->fetch_row()) { echo implode(' ', $row), "\n"; }
"#;

pub(super) fn ask(house: &House, domain: &str, path: &str, sql: &str) -> Result<String, String> {
    let page = house.get(domain, path, &["--data-binary", sql]).expect("curl runs");
    if page.status == 200 { Ok(page.body) } else { Err(format!("{}: {}", page.status, page.body)) }
}

#[test]
fn any_second_of_a_sites_database_comes_back() {
    let house = House::bare("sitelog", "care = { log_s = 4 }").expect("the house comes up");
    let app = json!({ "name": "wordpress", "title": "Second", "admin_email": "a@second.example" });
    site(&house, "blog", json!({ "domains": [DOMAIN], "app": app }));
    upload(&house, "blog", &[("ask.php", ASK.as_bytes())]);
    let tell = |sql: &str| ask(&house, DOMAIN, "/ask.php", sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    let step = || std::thread::sleep(Duration::from_millis(2_100));
    let now = || Timestamp::now().round(jiff::Unit::Second).expect("a time");

    tell("CREATE TABLE t (n int PRIMARY KEY, twice int)");
    // A log is no reason why its owner may not make these.
    tell("CREATE FUNCTION twice(n int) RETURNS int RETURN 2 * n");
    tell("CREATE TRIGGER doubled BEFORE INSERT ON t FOR EACH ROW SET NEW.twice = twice(NEW.n)");
    tell("INSERT INTO t (n) VALUES (1)");
    // The files of a copy are those of the nearest snapshot. This one has what is not yet kept, and nothing is written after it.
    let taken = house.api(Who::Account, "POST", "/v1/solutions/blog/snapshots", None).expect("the API answers");
    assert_eq!(taken.status, 202, "{:?}", taken.body);
    its_code_has_no_say_in_its_log(&house);
    until("there is a window", || !log(&house, "blog").is_null());
    let backup = house.api(Who::Account, "POST", "/v1/solutions/blog/backups", None).expect("the API answers");
    assert_eq!(backup.status, 202, "{:?}", backup.body);
    let backup = format!("/v1/solutions/blog/backups/{}", backup.body["id"].as_str().expect("an id"));
    until("it is backed up", || {
        house.api(Who::Account, "GET", &backup, None).expect("the API answers").body["state"] == "ready"
    });
    step();
    let still = now();
    step();
    kept(&house, "blog", still);
    answers(&house, "still", &json!({ "solution": "blog", "at": still.to_string() }), "1 2\n");
    tell("INSERT INTO t (n) VALUES (2)");
    step();
    let before = now();
    step();
    tell("INSERT INTO t (n) VALUES (3)");
    step();
    let middle = now();
    step();
    tell("DROP TABLE t");
    step();
    let after = now();
    kept(&house, "blog", after);

    let refused = copy(&house, "same", DOMAIN, &json!({ "solution": "blog", "at": middle.to_string() }));
    assert_eq!(refused.status, 409, "a copy has a name of its own: {:?}", refused.body);
    for (name, at, wanted) in
        [("before", before, "1 2\n2 4\n"), ("middle", middle, "1 2\n2 4\n3 6\n"), ("after", after, "")]
    {
        let from = json!({ "solution": "blog", "at": at.to_string() });
        answers(&house, name, &from, wanted);
    }
    // And with every piece on the machine gone.
    let number =
        house.api(Who::Account, "GET", "/v1/solutions/blog", None).expect("the API answers").body["number"].take();
    let (line, names) = segments(&house, number.as_u64().expect("a number"));
    for name in names {
        std::fs::remove_file(line.join(name)).expect("it goes");
    }
    until("it lies off-site", || {
        let away =
            house.api(Who::Account, "GET", "/v1/solutions/blog", None).expect("the API answers").body["log_away"]
                .take();
        let time = |field: &str| -> Timestamp { away[field].as_str().expect("a time").parse().expect("a time") };
        !away.is_null() && time("from") <= middle && middle <= time("to")
    });
    let from = json!({ "solution": "blog", "at": middle.to_string(), "off_site": true });
    answers(&house, "off-site", &from, "1 2\n2 4\n3 6\n");
}

/// It comes by the same socket and as the same uid as all that is the site's; neither is enough.
fn its_code_has_no_say_in_its_log(house: &House) {
    for sql in
        ["FLUSH BINARY LOGS", "PURGE BINARY LOGS BEFORE NOW()", "SET sql_log_bin = 0", "SET GLOBAL sync_binlog = 0"]
    {
        let refused = ask(house, DOMAIN, "/ask.php", sql).expect_err(sql);
        assert!(refused.contains("Access denied"), "{sql}: {refused}");
    }
    let refused = ask(house, DOMAIN, "/ask.php?user=keeper", "SELECT 1").expect_err("it is not that user");
    assert!(refused.contains("Access denied"), "{refused}");
}

fn copy(house: &House, name: &str, domain: &str, from: &Value) -> husorden_world::Answer {
    let body = json!({ "kind": "website", "name": name, "spec": { "domains": [domain] }, "from": from });
    house.api(Who::Account, "POST", "/v1/solutions", Some(&body)).expect("the API answers")
}

/// A copy is made, answers by its own name, and has what the table held then.
fn answers(house: &House, name: &str, from: &Value, wanted: &str) {
    let domain = format!("{name}.second.example");
    let made = copy(house, name, &domain, from);
    assert_eq!(made.status, 201, "{:?}", made.body);
    house.wait_state(name, "running").expect("it runs");
    let front = house.get(&domain, "/", &[]).expect("curl runs");
    assert!(front.status == 200 && front.body.contains("Second"), "{name}: {}\n{}", front.status, front.body);
    assert!(
        front.body.contains(&domain) && !front.body.contains(DOMAIN),
        "{name} knows its own address: {}",
        front.body
    );
    match (ask(house, &domain, "/ask.php", "SELECT * FROM t ORDER BY n"), wanted) {
        (Err(gone), "") => assert!(gone.contains("doesn't exist"), "{name}: {gone}"),
        (rows, wanted) => assert_eq!(rows.as_deref(), Ok(wanted), "{name}"),
    }
    // It is a site of its own, that takes changes.
    ask(house, &domain, "/ask.php", "CREATE TABLE mine (n int)").unwrap_or_else(|error| panic!("{name}: {error}"));
}
