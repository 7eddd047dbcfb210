//! Any second comes back, on real engines: what is written is kept within a minute and nothing while nobody writes; a copy as of a second has
//! what was there then and nothing that came after; and the kept log is of use without the platform.

use super::database::{Client, change, create, own_address, wait_running};
use super::until;
use husorden_world::{Answer, House, Who, hand, text};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

pub(super) fn log(house: &House, name: &str) -> Value {
    house.api(Who::Account, "GET", &format!("/v1/solutions/{name}"), None).expect("the API answers").body["log"].take()
}

fn time(log: &Value, field: &str) -> Timestamp {
    log[field].as_str().expect("a time").parse().expect("a time")
}

/// Waits until everything up to this time can be had.
pub(super) fn kept(house: &House, name: &str, at: Timestamp) {
    until("it is kept", || {
        let log = log(house, name);
        !log.is_null() && time(&log, "to") >= at && time(&log, "from") <= at
    });
}

/// Segments of a solution, by name.
pub(super) fn segments(house: &House, number: u64) -> (PathBuf, Vec<String>) {
    let store = PathBuf::from(format!("/run/husorden/{}/pools/main/solutions/{number}/store", house.instance));
    let mut lines: Vec<PathBuf> = std::fs::read_dir(&store)
        .expect("a store")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_dir())
        .collect();
    lines.sort();
    let line = lines.pop().expect("a line");
    let names = std::fs::read_dir(&line).expect("a line").map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<String> =
        names.filter_map(|name| name.into_string().ok()).filter(|name| name.ends_with(".seg")).collect();
    names.sort();
    (line, names)
}

pub(super) fn copy(house: &House, name: &str, from: &str, at: Timestamp) -> Answer {
    let body = json!({ "kind": "database", "name": name, "from": { "solution": from, "at": at.to_string() } });
    house.api(Who::Account, "POST", "/v1/solutions", Some(&body)).expect("the API answers")
}

/// One engine and its client.
pub(super) struct Engine {
    pub(super) name: &'static str,
    pub(super) engine: &'static str,
}

impl Engine {
    pub(super) fn ask(&self, client: &Client<'_>, sql: &str) -> Result<String, String> {
        if self.engine.starts_with("postgresql") { client.psql("app", sql) } else { client.mariadb("app", sql) }
    }
}

pub(super) const ENGINES: [Engine; 2] =
    [Engine { name: "pg", engine: "postgresql-15" }, Engine { name: "my", engine: "mariadb-11.8" }];

#[test]
fn any_second_of_a_database_comes_back() {
    let house = House::up("log").expect("the house comes up");
    let allow = json!([{ "net": own_address(&house) }]);
    let clients: Vec<Client<'_>> = ENGINES
        .iter()
        .map(|one| {
            let made = create(&house, one.name, &json!({ "engine": one.engine, "allow": allow }));
            wait_running(&house, one.name);
            Client::first(&house, one.name, &made)
        })
        .collect();
    let now = || Timestamp::now().round(jiff::Unit::Second).expect("a time");
    let step = || std::thread::sleep(Duration::from_millis(2_100));
    let all = |sql: &str| {
        for (one, client) in ENGINES.iter().zip(&clients) {
            one.ask(client, sql).unwrap_or_else(|error| panic!("{}: {sql}: {error}", one.name));
        }
    };
    all("CREATE TABLE t (n int PRIMARY KEY, pad text)");
    all("INSERT INTO t VALUES (1, 'first')");
    for one in &ENGINES {
        until("there is a window", || !log(&house, one.name).is_null());
    }
    // A base is there from here on, and one off-site too.
    let backup = house.api(Who::Account, "POST", "/v1/solutions/my/backups", None).expect("the API answers");
    assert_eq!(backup.status, 202, "{:?}", backup.body);
    let backup = format!("/v1/solutions/my/backups/{}", backup.body["id"].as_str().expect("an id"));
    until("it is backed up", || {
        house.api(Who::Account, "GET", &backup, None).expect("the API answers").body["state"] == "ready"
    });
    step();
    step();
    all("INSERT INTO t VALUES (2, 'second')");
    step();
    let before = now();
    step();
    all("INSERT INTO t VALUES (3, 'third')");
    step();
    let middle = now();
    step();
    all("DROP TABLE t");
    step();
    let after = now();
    for one in &ENGINES {
        let refused = copy(&house, "never", one.name, "2000-01-01T00:00:00Z".parse().expect("a time"));
        assert_eq!(
            (refused.status, &refused.body["refusal"]["fields"][0]["pointer"]),
            (422, &json!("/from/at")),
            "{:?}",
            refused.body
        );
        let refused = copy(&house, "never", one.name, after + jiff::SignedDuration::from_secs(3600));
        assert_eq!(refused.status, 422, "what is not yet: {:?}", refused.body);
        kept(&house, one.name, after);
    }
    for (one, client) in ENGINES.iter().zip(&clients) {
        for (name, at, wanted) in [("before", before, "1\n2"), ("middle", middle, "1\n2\n3"), ("after", after, "")] {
            let name = format!("{}-{name}", one.name);
            let made = copy(&house, &name, one.name, at);
            assert_eq!(made.status, 201, "{:?}", made.body);
            wait_running(&house, &name);
            let beside = Client::first(&house, &name, &made);
            let rows = one.ask(&beside, "SELECT n FROM t ORDER BY n");
            match wanted {
                "" => assert!(rows.is_err(), "{name}: the table was dropped by then: {rows:?}"),
                wanted => assert_eq!(rows.as_deref(), Ok(wanted), "{name}"),
            }
            // It is an instance of its own, that takes changes, and whose own log begins.
            one.ask(&beside, "CREATE TABLE mine (n int)").expect("it takes changes");
            assert!(one.ask(client, "SELECT * FROM mine").is_err(), "the other knows nothing of it");
        }
    }
    for one in &ENGINES {
        by_the_printed_commands(&house, one, middle);
    }
    an_idle_one_keeps_nothing(&house, &clients);
    a_restore_begins_another_line(&house, &clients[0]);
    without_the_platform(&house, &clients[1]);
    from_off_site(&house, middle);
}

/// Nobody writes: soon everything is kept, and then no segment comes. PostgreSQL may keep one more without a commit in it, for its
/// housekeeping: a checkpoint some minutes after a change, or pages that are read for the first time since. Its tables are cleaned and it
/// is started anew, so that little of that is left.
fn an_idle_one_keeps_nothing(house: &House, clients: &[Client<'_>]) {
    clients[0].psql("app", "VACUUM").expect("it is cleaned");
    change(house, "pg", &json!({ "connections": 60 }));
    for (one, client) in ENGINES.iter().zip(clients) {
        // Who comes while it ends is told so, and comes again.
        until("it runs", || one.ask(client, "SELECT 1").is_ok());
    }
    let behind = || -> Vec<Value> { ENGINES.iter().map(|one| log(house, one.name)["behind_s"].clone()).collect() };
    let kept = || -> Vec<Vec<String>> {
        let number = |one: &Engine| {
            let path = format!("/v1/solutions/{}", one.name);
            house.api(Who::Account, "GET", &path, None).expect("the API answers").body["number"].as_u64()
        };
        ENGINES.iter().map(|one| segments(house, number(one).expect("a number")).1).collect()
    };
    let (mut since, mut last) = (Instant::now(), kept());
    until("a minute passes in which nothing comes", || {
        let now = kept();
        if now != last || behind() != [0, 0] {
            (since, last) = (Instant::now(), now);
        }
        since.elapsed() >= Duration::from_secs(61)
    });
}

/// The snapshot that the node took to begin from.
fn first_base(house: &House, name: &str) -> String {
    let path = format!("/v1/solutions/{name}/snapshots");
    let snapshots = house.api(Who::Account, "GET", &path, None).expect("the API answers").body;
    let base = snapshots["items"].as_array().expect("a list").iter().find(|one| one["before"] == "log");
    base.expect("one to begin from")["id"].as_str().expect("an id").to_owned()
}

/// What follows a restore does not follow what was kept before it: only what came after can be had.
fn a_restore_begins_another_line(house: &House, owner: &Client<'_>) {
    owner.psql("app", "CREATE TABLE later AS SELECT 7 AS n").expect("a table");
    let id = first_base(house, "pg");
    let old = log(house, "pg");
    let path = format!("/v1/solutions/pg/snapshots/{id}/restore");
    let order = house.api(Who::Account, "POST", &path, None).expect("the API answers");
    assert_eq!(order.status, 202, "{:?}", order.body);
    house.wait_order(order.body["id"].as_str().expect("an id")).expect("it is restored");
    wait_running(house, "pg");
    assert_eq!(owner.psql("app", "SELECT to_regclass('later') IS NULL").as_deref(), Ok("t"));
    owner.psql("app", "CREATE TABLE again AS SELECT 8 AS n").expect("a table");
    until("a new line has a window", || {
        let log = log(house, "pg");
        !log.is_null() && time(&log, "from") > time(&old, "to")
    });
    change(house, "pg", &json!({ "size": "6 GiB" }));
}

/// User of a server by hand: one that every runtime knows.
const NOBODY: u32 = 65_534;

/// The commands that `husorden log extract` prints, word for word, on a server of the same version that knows nothing of the platform, with the
/// data of the first snapshot: what was there at the chosen second is there, and nothing that came after.
fn by_the_printed_commands(house: &House, one: &Engine, at: Timestamp) {
    let made = house.api(Who::Account, "GET", &format!("/v1/solutions/{}", one.name), None).expect("the API answers");
    let number = made.body["number"].as_u64().expect("a number");
    let base = first_base(house, one.name);
    let solution = hand::pool(house).join(format!("solutions/{number}"));
    let folder = tempfile::tempdir_in("/var/tmp").expect("a folder");
    let run = |program: &str, words: &[&std::ffi::OsStr]| {
        let output = Command::new(program).args(words).output().expect("it runs");
        assert!(output.status.success(), "{program}: {}", text(&output.stderr));
        text(&output.stdout)
    };
    let (data, kept) = (folder.path().join("data"), folder.path().join("kept"));
    let from = solution.join(format!("snap/{base}/db/{}", one.engine));
    run("cp", &["-a".as_ref(), from.as_os_str(), data.as_os_str()]);
    let store = segments(house, number).0;
    let words = ["log".as_ref(), "extract".as_ref(), store.as_os_str(), "--to".as_ref(), kept.as_os_str()];
    let printed = run(house.binary.to_str().expect("a path"), &words);
    run("chown", &["-R".as_ref(), format!("{NOBODY}:{NOBODY}").as_ref(), folder.path().as_os_str()]);

    let mut parts = printed.split("\n\n").filter(|part| part.starts_with("  "));
    let (carry_out, ask) = (parts.next().expect("commands"), parts.next().expect("how it is asked"));
    let second = at.strftime("%Y-%m-%d %H:%M:%S").to_string();
    let filled_in = |commands: &str| {
        assert!(commands.contains("DATA"), "{commands}");
        let here = kept.canonicalize().expect("its path");
        commands
            .replace("DATA", &format!("{}/data", hand::INSIDE))
            .replace(here.to_str().expect("a path"), &format!("{}/kept", hand::INSIDE))
            .replace("2030-01-31 16:02:03", &second)
    };
    let ask = filled_in(ask);
    // A server in the foreground is asked from beside it.
    let rows = match one.engine.starts_with("postgresql") {
        true => format!(
            "(\n{}\n) > {}/log 2>&1 &\nuntil {ask} -c 'SELECT 1'; do sleep 0.2; done > /dev/null 2>&1\n{ask} -Atc 'SELECT n FROM t ORDER BY n'\nkill $(head -n 1 {}/data/postmaster.pid)\n",
            filled_in(carry_out),
            hand::INSIDE,
            hand::INSIDE
        ),
        false => format!(
            "exec 2> {}/log\n{}\n{ask} -BNe 'SELECT n FROM t ORDER BY n'\nkill %1; wait\n",
            hand::INSIDE,
            filled_in(carry_out)
        ),
    };
    let root = hand::runtime(house, one.engine).expect("its runtime");
    let shell = if one.engine.starts_with("postgresql") { "/bin/sh" } else { "/bin/bash" };
    let mut command = hand::command(&root, folder.path(), NOBODY, &["timeout", "100", shell, "-mc", &rows]);
    let said = command.output().expect("it runs");
    let log = std::fs::read_to_string(folder.path().join("log")).unwrap_or_default();
    assert_eq!(text(&said.stdout), "1\n2\n3\n", "{}:\n{rows}\n{}\n{log}", one.name, text(&said.stderr));
}

/// The same second from where the backups lie, with every piece on the machine gone.
fn from_off_site(house: &House, at: Timestamp) {
    let my = house.api(Who::Account, "GET", "/v1/solutions/my", None).expect("the API answers").body;
    let (line, names) = segments(house, my["number"].as_u64().expect("a number"));
    for name in names {
        std::fs::remove_file(line.join(name)).expect("it goes");
    }
    let mut away = my["log_away"].clone();
    until("it lies there", || {
        away =
            house.api(Who::Account, "GET", "/v1/solutions/my", None).expect("the API answers").body["log_away"].take();
        !away.is_null() && time(&away, "from") <= at && at <= time(&away, "to")
    });
    assert!(away["message"].is_null() && away["behind_s"].as_u64().is_some_and(|seconds| seconds < 90), "{away}");
    let from = json!({ "solution": "my", "at": at.to_string(), "off_site": true });
    let body = json!({ "kind": "database", "name": "my-off-site", "from": from });
    let made = house.api(Who::Account, "POST", "/v1/solutions", Some(&body)).expect("the API answers");
    assert_eq!(made.status, 201, "{:?}", made.body);
    wait_running(house, "my-off-site");
    let beside = Client::first(house, "my-off-site", &made);
    assert_eq!(ENGINES[1].ask(&beside, "SELECT n FROM t ORDER BY n").as_deref(), Ok("1\n2\n3"));
}

/// The files that come out are the engine's own, none is missing, and a spoilt store is told.
fn without_the_platform(house: &House, _owner: &Client<'_>) {
    let made = house.api(Who::Account, "GET", "/v1/solutions/my", None).expect("the API answers").body;
    let (line, names) = segments(house, made["number"].as_u64().expect("a number"));
    let to = house.home().join("out");
    let extract = |from: &Path, to: &Path| {
        Command::new(&house.binary).args(["log", "extract"]).arg(from).arg("--to").arg(to).output().expect("it runs")
    };
    let done = extract(&line, &to);
    let said = text(&done.stdout);
    assert!(done.status.success() && said.contains("mariadb-binlog"), "{said}{}", text(&done.stderr));
    assert_eq!(std::fs::read_dir(&to).expect("a folder").count(), names.len());
    let magic = std::fs::read(to.join("binlog.000001")).or_else(|_| std::fs::read(to.join("binlog.000002")));
    assert!(magic.expect("a binary log").starts_with(b"\xfebin"));
    // By hand, as docs/databases.md says.
    let by_hand = Command::new("sh")
        .args(["-c", "tail -n +3 \"$1\" | zstd -dc | head -c 4", "sh"])
        .arg(line.join(&names[0]))
        .output()
        .expect("it runs");
    assert_eq!(by_hand.stdout, b"\xfebin", "{}", text(&by_hand.stderr));
    let copy = house.home().join("spoilt");
    std::fs::create_dir(&copy).expect("a folder");
    for name in names.iter().skip(1) {
        std::fs::copy(line.join(name), copy.join(name)).expect("a copy");
    }
    let middle = copy.join(&names[names.len() / 2]);
    let mut bytes = std::fs::read(&middle).expect("a segment");
    let last = bytes.len() - 20;
    bytes[last] ^= 1;
    std::fs::remove_file(&middle).and_then(|()| std::fs::write(&middle, bytes)).expect("it is spoilt");
    let told = extract(&copy, &house.home().join("spoilt-out"));
    assert!(!told.status.success(), "{}", text(&told.stderr));
}
