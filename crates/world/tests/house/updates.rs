//! Updates on real engines, with real builds: a newer build of a runtime is taken in the maintenance window and when somebody asks,
//! after a snapshot and with a probe; one that does not hold is left again; and a node that is killed on the way finishes what it began.

use super::database::{Client, change, create, own_address, wait_running};
use super::{eventually, pids, site, until, upload};
use husorden_world::{Answer, House, PATIENCE, Who, text};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// A file in every build that this test makes, with the build's id.
const MARKER: &str = "etc/husorden-test-build";

pub(super) fn updates(house: &House, name: &str) -> Value {
    let path = format!("/v1/solutions/{name}/updates");
    let answer = house.api(Who::Account, "GET", &path, None).expect("the API answers");
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    answer.body
}

/// What a solution runs on, of one runtime.
fn runs(house: &House, name: &str, runtime: &str) -> Value {
    let all = updates(house, name);
    let found = all["runs"].as_array().expect("a list").iter().find(|runs| runs["runtime"] == runtime).cloned();
    found.unwrap_or_else(|| panic!("{name} does not run on {runtime}: {all}"))
}

/// Asks for the newest builds and waits until the order has ended.
fn update_now(house: &House, name: &str) -> Value {
    let path = format!("/v1/solutions/{name}/updates");
    let asked = house.api(Who::Account, "POST", &path, None).expect("the API answers");
    assert_eq!(asked.status, 202, "{:?}", asked.body);
    house.wait_order(asked.body["id"].as_str().expect("an id")).expect("it ends")
}

fn pool(house: &House) -> PathBuf {
    PathBuf::from(format!("/run/husorden/{}/pools/main", house.instance))
}

pub(super) fn run(program: &str, arguments: &[&std::ffi::OsStr]) {
    let output = Command::new(program).args(arguments).output().expect("it runs");
    assert!(output.status.success(), "{program}: {}", text(&output.stderr));
}

/// Puts a build of a runtime on the shelf that is newer than all others, made from the newest there is; `breaks` is a program in it that
/// only fails. The node finds it when it is next started.
pub(super) fn build(house: &House, runtime: &str, id: &str, breaks: Option<&str>) {
    build_with(house, runtime, id, |root| {
        if let Some(program) = breaks {
            fs::remove_file(root.join(program)).expect("the program is there");
            fs::write(root.join(program), "#!/bin/sh\necho this build is broken >&2\nexit 1\n").expect("a script");
            run("chmod", &["755".as_ref(), root.join(program).as_os_str()]);
        }
    });
}

/// The same with any change of its files.
pub(super) fn build_with(house: &House, runtime: &str, id: &str, change: impl Fn(&Path)) {
    let folder = pool(house).join("runtimes");
    let notes = fs::read_dir(&folder).expect("builds").flatten().map(|entry| entry.path());
    let notes = notes.filter(|path| path.extension().is_some_and(|ending| ending == "json"));
    let mut notes: Vec<Value> =
        notes.map(|path| serde_json::from_slice(&fs::read(path).expect("a note")).expect("JSON")).collect();
    notes.retain(|note| note["name"] == runtime);
    // A broken one is no beginning for another.
    notes.sort_by_key(|note| note["seconds"].as_u64());
    let mut note = notes.first().expect("a build").clone();
    let stem = |build: &str| format!("{runtime}@{build}");
    let from = note["build"].as_str().expect("an id").to_owned();
    for part in ["runtimes", "templates"] {
        let (from, to) = (pool(house).join(part).join(stem(&from)), pool(house).join(part).join(stem(id)));
        if !from.exists() {
            continue;
        }
        run("btrfs", &["subvolume".as_ref(), "snapshot".as_ref(), from.as_os_str(), to.as_os_str()]);
        if part == "runtimes" {
            fs::write(to.join(MARKER), id).expect("a marker");
            change(&to);
        }
        run(
            "btrfs",
            &["property".as_ref(), "set".as_ref(), "-ts".as_ref(), to.as_os_str(), "ro".as_ref(), "true".as_ref()],
        );
    }
    note["build"] = json!(id);
    note["built_at"] = json!(jiff::Timestamp::now());
    // Longer than any other took, so that the first stays the one that others are made from.
    note["seconds"] = json!(1_000_000);
    fs::write(folder.join(format!("{}.json", stem(id))), note.to_string()).expect("a note");
}

/// Kills the node and waits until it is back, however long the pause of the supervisor has become by then.
pub(super) fn restart(house: &House) {
    let old = house.kill("node").expect("it runs");
    let end = Instant::now() + PATIENCE;
    while house.pid("node").map_or(true, |pid| pid == old) {
        assert!(Instant::now() < end, "the node does not come back");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Whether everything of a role stands on a build, as its own root says.
fn stands_on(house: &House, number: u64, role: &str, build: &str) -> bool {
    let marker = |pid: i32| fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("root").join(MARKER)).ok();
    let on: Vec<Option<String>> = pids(house, number, role).into_iter().map(marker).collect();
    // One may end between two looks.
    on.iter().flatten().count() > 0 && on.iter().flatten().all(|found| found == build)
}

fn number(house: &House, name: &str) -> u64 {
    let one = house.api(Who::Account, "GET", &format!("/v1/solutions/{name}"), None).expect("the API answers").body;
    one["number"].as_u64().expect("a number")
}

fn events(house: &House, name: &str, kind: &str) -> usize {
    let path = format!("/v1/solutions/{name}/events?limit=200");
    let page = house.api(Who::Account, "GET", &path, None).expect("the API answers").body;
    page["items"].as_array().expect("events").iter().filter(|event| event["kind"] == kind).count()
}

/// A window of an hour.
fn window(from: jiff::Timestamp) -> Value {
    json!({ "start": from.strftime("%H:%M").to_string(), "minutes": 60, "zone": "UTC" })
}

/// One that is open now, and for most of an hour.
fn open_now() -> Value {
    json!({ "maintenance": window(jiff::Timestamp::now() - jiff::SignedDuration::from_mins(5)) })
}

/// One that opens half a day from now; where nothing is said it is at night, which may be now.
fn much_later() -> Value {
    window(jiff::Timestamp::now() + jiff::SignedDuration::from_hours(12))
}

#[test]
fn a_newer_build_is_taken_tried_and_left_again() {
    let house =
        House::up_with("upd", "", "care = { sweep_s = 2, tidy_s = 2, build_kept_s = 0 }").expect("the house comes up");
    let allow = json!([{ "net": own_address(&house) }]);
    let made = create(&house, "pg", &json!({ "engine": "postgresql-17", "allow": allow, "maintenance": much_later() }));
    wait_running(&house, "pg");
    let owner = Client::first(&house, "pg", &made);
    owner.psql("app", "CREATE TABLE notes AS SELECT n FROM generate_series(1, 1000) n").expect("rows");
    let shop = site(&house, "shop", json!({ "domains": ["shop.demo-sites.test"], "maintenance": much_later() }));
    let shop = shop["solution"]["number"].as_u64().expect("a number");
    assert_eq!(upload(&house, "shop", &[("index.php", b"<?php echo PHP_VERSION;")])["state"], "done");
    eventually(&house, "shop.demo-sites.test", "/", 200);

    what_it_runs_on_is_seen(&house);
    in_the_window(&house, &owner);
    when_somebody_asks(&house, shop);
    what_does_not_hold_is_left(&house, &owner, shop);
    whoever_is_closed_stays(&house);
    killed_on_the_way(&house, &owner);
}

fn what_it_runs_on_is_seen(house: &House) {
    // What is on the node's shelf is said every ten seconds.
    until("its packages are shown", || {
        let pg = runs(house, "pg", "postgresql-17");
        pg["packages"]["postgresql-17"].as_str().is_some_and(|version| version.starts_with("17"))
    });
    let pg = runs(house, "pg", "postgresql-17");
    assert_eq!((&pg["newer"], &pg["refused"]), (&Value::Null, &Value::Null));
    let all = updates(house, "shop");
    assert_eq!(all["runs"].as_array().map(Vec::len), Some(1), "a site without a database runs on PHP alone: {all}");
    assert!(all["window"]["opens"].is_string() && all["past"] == json!([]), "{all}");
    let said = house.cli(Who::Account, &["solution", "updates", "pg"]).expect("it runs");
    assert!(text(&said.stdout).contains("postgresql-17"), "{}{}", text(&said.stdout), text(&said.stderr));
}

fn in_the_window(house: &House, owner: &Client<'_>) {
    build(house, "postgresql-17", "aaaaaaaaaaa1", None);
    restart(house);
    until("the newer build is shown", || runs(house, "pg", "postgresql-17")["newer"]["build"] == "aaaaaaaaaaa1");
    // It is night somewhere, and not for this instance: nothing moves by itself.
    std::thread::sleep(Duration::from_secs(4));
    assert_ne!(runs(house, "pg", "postgresql-17")["build"], "aaaaaaaaaaa1");
    let began = Instant::now();
    change(house, "pg", &open_now());
    until("it moves in the window", || runs(house, "pg", "postgresql-17")["build"] == "aaaaaaaaaaa1");
    until("it is told", || events(house, "pg", "update.held") == 1);
    eprintln!("an update of PostgreSQL took {:.1} s from the wish to the word of it", began.elapsed().as_secs_f64());
    wait_running(house, "pg");
    assert_eq!(owner.psql("app", "SELECT count(*) FROM notes").as_deref(), Ok("1000"));
    assert!(stands_on(house, number(house, "pg"), "db", "aaaaaaaaaaa1"));
    let past = &updates(house, "pg")["past"][0];
    assert_eq!((&past["held"], &past["to"]), (&json!(true), &json!("aaaaaaaaaaa1")));
    let snapshots = house.api(Who::Account, "GET", "/v1/solutions/pg/snapshots", None).expect("the API answers").body;
    let kept = snapshots["items"].as_array().expect("a list").iter().find(|one| one["id"] == past["snapshot"]);
    assert_eq!(kept.map(|one| &one["before"]), Some(&json!("update")), "{snapshots}");
}

fn when_somebody_asks(house: &House, shop: u64) {
    build(house, "php-8.4", "aaaaaaaaaaa1", None);
    restart(house);
    until("the newer build is shown", || runs(house, "shop", "php-8.4")["newer"]["build"] == "aaaaaaaaaaa1");
    let asked = house.cli(Who::Account, &["solution", "update", "shop"]).expect("it runs");
    assert!(asked.status.success(), "{}{}", text(&asked.stdout), text(&asked.stderr));
    assert_eq!(runs(house, "shop", "php-8.4")["build"], "aaaaaaaaaaa1");
    eventually(house, "shop.demo-sites.test", "/", 200);
    assert!(stands_on(house, shop, "php", "aaaaaaaaaaa1"));
    assert_eq!(update_now(house, "shop")["state"], "done", "nothing newer is no failure");
    // What others run on stays on the shelf: the demo's own site was not asked for.
    let blog = runs(house, "blog", "php-8.4");
    let place = pool(house).join("runtimes").join(format!("php-8.4@{}", blog["build"].as_str().expect("an id")));
    std::thread::sleep(Duration::from_secs(4));
    assert!(blog["build"] == "aaaaaaaaaaa1" || place.is_dir(), "{}", place.display());
}

fn what_does_not_hold_is_left(house: &House, owner: &Client<'_>, shop: u64) {
    build(house, "postgresql-17", "aaaaaaaaaaa2", Some("usr/lib/postgresql/17/bin/postgres"));
    build(house, "php-8.4", "aaaaaaaaaaa2", Some("usr/sbin/php-fpm8.4"));
    restart(house);
    // The instance's window is open: the node tries by itself. What an owner reads is a finding, an event, and a line of history.
    until("it is told", || events(house, "pg", "update.rolled-back") == 1);
    wait_running(house, "pg");
    let pg = runs(house, "pg", "postgresql-17");
    assert_eq!((&pg["build"], &pg["refused"]["build"]), (&json!("aaaaaaaaaaa1"), &json!("aaaaaaaaaaa2")), "{pg}");
    assert!(pg["refused"]["reason"].as_str().is_some_and(|why| why.contains("ended at once")), "{pg}");
    let one = house.api(Who::Account, "GET", "/v1/solutions/pg", None).expect("the API answers").body;
    let finding = one["findings"].as_array().into_iter().flatten().any(|one| one["name"] == "update-rolled-back");
    assert!(finding, "{}", one["findings"]);
    assert_eq!(owner.psql("app", "SELECT count(*) FROM notes").as_deref(), Ok("1000"), "the old build serves");
    assert!(stands_on(house, number(house, "pg"), "db", "aaaaaaaaaaa1"));
    let again = update_now(house, "pg");
    assert!(
        again["state"] == "failed" && again["message"].as_str().is_some_and(|why| why.contains("did not hold")),
        "{again}"
    );

    let tried = update_now(house, "shop");
    assert!(
        tried["state"] == "failed" && tried["message"].as_str().is_some_and(|why| why.contains("rolled back")),
        "{tried}"
    );
    eventually(house, "shop.demo-sites.test", "/", 200);
    assert!(stands_on(house, shop, "php", "aaaaaaaaaaa1"));
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(events(house, "pg", "update.rolled-back"), 1, "it is not tried again");
}

/// A measure beats the window.
fn whoever_is_closed_stays(house: &House) {
    let one = house.api(Who::Account, "GET", "/v1/solutions/shop", None).expect("the API answers").body;
    let measure = super::suspension::decide(house, &json!({ "of": "solution", "id": one["id"] }));
    house.wait_state("shop", "closed").unwrap_or_else(|error| panic!("{error}"));
    build(house, "php-8.4", "aaaaaaaaaaa3", None);
    restart(house);
    let asked = house.api(Who::Account, "POST", "/v1/solutions/shop/updates", None).expect("the API answers");
    assert_eq!(asked.status, 403, "{:?}", asked.body);
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(runs(house, "shop", "php-8.4")["build"], "aaaaaaaaaaa1");
    let path = format!("/v1/measures/{}/lift", measure["id"].as_str().expect("an id"));
    let reasons = json!({ "reasons": "The machine was cleaned and the password changed." });
    let lifted: Answer = house.api(Who::Staff, "POST", &path, Some(&reasons)).expect("the API answers");
    assert!(matches!(lifted.status, 200 | 202), "{:?}", lifted.body);
    house.wait_state("shop", "running").unwrap_or_else(|error| panic!("{error}"));
}

/// Killed at several moments of an update, the node comes back and finishes it, and no row is lost.
fn killed_on_the_way(house: &House, owner: &Client<'_>) {
    for (round, pause_ms) in [30, 600].into_iter().enumerate() {
        let id = format!("bbbbbbbbbbb{round}");
        build(house, "postgresql-17", &id, None);
        restart(house);
        until("it moves in the window", || {
            // From the moment that something is under way.
            let update = updates(house, "pg");
            update["under_way"].is_string() || update["runs"][0]["build"] == *id
        });
        std::thread::sleep(Duration::from_millis(pause_ms));
        restart(house);
        until("it is finished", || {
            runs(house, "pg", "postgresql-17")["build"] == *id && updates(house, "pg")["under_way"].is_null()
        });
        wait_running(house, "pg");
        assert_eq!(owner.psql("app", "SELECT count(*) FROM notes").as_deref(), Ok("1000"), "round {round}");
        assert!(stands_on(house, number(house, "pg"), "db", &id), "round {round}");
    }
    let swept = house.run(&["node", "sweep"]).expect("it runs");
    let odd: Value = serde_json::from_slice(&swept.stdout).expect("the sweep is JSON");
    assert_eq!(odd["odd"], json!([]), "everything has an owner");
}

/// A change of version that does not go well on a copy is all that happens; and one that goes well is finished whenever the node dies.
#[test]
fn a_later_version_is_tried_on_a_copy_first() {
    let house = House::bare("lift", "care = { sweep_s = 2 }").expect("the house comes up");
    let allow = json!([{ "net": own_address(&house) }]);
    // The later version is on the shelf, and the newest build of it makes no clusters.
    create(&house, "other", &json!({ "engine": "postgresql-17" }));
    wait_running(&house, "other");
    build(&house, "postgresql-17", "aaaaaaaaaaa1", Some("usr/lib/postgresql/17/bin/initdb"));
    restart(&house);
    // Killed in the middle of the creation too.
    let made = create(&house, "pg", &json!({ "engine": "postgresql-15", "allow": allow }));
    restart(&house);
    wait_running(&house, "pg");
    let owner = Client::first(&house, "pg", &made);
    owner.psql("app", "CREATE TABLE notes AS SELECT n FROM generate_series(1, 1000) n").expect("rows");
    let started = owner.psql("app", "SELECT pg_postmaster_start_time()").expect("it answers");
    let version = || owner.psql("app", "SHOW server_version_num").map(|text| text[..2].to_owned());

    wish(&house, &json!({ "engine": "postgresql-17" }));
    until("it says so", || {
        let one = house.api(Who::Account, "GET", "/v1/solutions/pg", None).expect("the API answers").body;
        one["state"] == "trouble"
    });
    let one = house.api(Who::Account, "GET", "/v1/solutions/pg", None).expect("the API answers").body;
    let said = one["message"].as_str().expect("it says why");
    assert!(said.contains("on a copy") && said.contains("this build is broken"), "{said}");
    assert_eq!(version().as_deref(), Ok("15"));
    assert_eq!(owner.psql("app", "SELECT pg_postmaster_start_time()"), Ok(started), "it was not even restarted");
    let copy = pool(&house).join(format!("solutions/{}/trial", number(&house, "pg")));
    assert!(!copy.exists(), "the copy is gone");
    // The old version can be chosen again, for the data is of it.
    change(&house, "pg", &json!({ "engine": "postgresql-15" }));

    build(&house, "postgresql-17", "aaaaaaaaaaa2", None);
    restart(&house);
    wish(&house, &json!({ "engine": "postgresql-17" }));
    let during = Instant::now();
    until("it is tried", || copy.exists());
    // What is written while it is tried is there afterwards: the change is made from the present state.
    owner.psql("app", "INSERT INTO notes VALUES (1001)").expect("it serves while it is tried");
    restart(&house);
    wait_running(&house, "pg");
    eprintln!("a trial and a change of version, with a death between, took {:.1} s", during.elapsed().as_secs_f64());
    assert_eq!(version().as_deref(), Ok("17"));
    assert_eq!(owner.psql("app", "SELECT count(*) FROM notes").as_deref(), Ok("1001"));
    assert!(!copy.exists(), "the copy is gone");
    let undone = house.api(Who::Account, "POST", "/v1/solutions/pg/undo", None).expect("the API answers");
    assert_eq!(undone.status, 202, "{:?}", undone.body);
    assert_eq!(house.wait_order(undone.body["id"].as_str().expect("an id")).expect("it ends")["state"], "done");
    wait_running(&house, "pg");
    assert_eq!(version().as_deref(), Ok("15"), "undone");
    assert_eq!(owner.psql("app", "SELECT count(*) FROM notes").as_deref(), Ok("1001"), "as it was when it changed");

    // A copy that becomes an instance, with a death on the way.
    let body = json!({ "kind": "database", "name": "twin", "from": { "solution": "pg" } });
    let twin = house.api(Who::Account, "POST", "/v1/solutions", Some(&body)).expect("the API answers");
    assert_eq!(twin.status, 201, "{:?}", twin.body);
    restart(&house);
    house.wait_state("twin", "running").unwrap_or_else(|error| panic!("{error}"));
    let shown = twin.body["credentials"].as_array().expect("credentials").iter().find(|one| one["username"] == "app");
    let twin =
        Client::new(&house, "twin", "app", shown.expect("the owner's")["password"].as_str().expect("it is shown"));
    assert_eq!(twin.psql("app", "SELECT count(*) FROM notes").as_deref(), Ok("1001"));
}

/// Changes a spec, and waits for nothing.
fn wish(house: &House, spec: &Value) {
    let answer = house.api(Who::Account, "PATCH", "/v1/solutions/pg", Some(&json!({ "spec": spec })));
    let answer = answer.expect("the API answers");
    assert_eq!(answer.status, 200, "{:?}", answer.body);
}
