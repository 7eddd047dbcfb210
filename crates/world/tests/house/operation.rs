//! What comes of a database whose disk fills, on real engines: it is said at 80 and 90 %, then changes are refused with nothing lost,
//! also to who writes on by force and over a kill; what its log begins from goes, and that is said too; and with room it takes changes again, with
//! no restart.

use super::database::{Client, beside, change, create, own_address, server, wait_running};
use super::log::log as kept;
use super::until;
use husorden_world::{House, PATIENCE, Who, text};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Rows of one statement; each has 2,000 bytes.
const ROWS: u32 = 4_000;

fn one(house: &House, name: &str) -> Value {
    house.api(Who::Account, "GET", &format!("/v1/solutions/{name}"), None).expect("the API answers").body
}

fn findings(house: &House, name: &str) -> Vec<String> {
    let one = one(house, name);
    let all = one["findings"].as_array().expect("findings").iter();
    all.map(|finding| finding["name"].as_str().expect("a name").to_owned()).collect()
}

/// Kinds of the events about the disk, oldest first.
fn events(house: &House, name: &str) -> Vec<String> {
    let path = format!("/v1/solutions/{name}/events?limit=100");
    let page = house.api(Who::Account, "GET", &path, None).expect("the API answers").body;
    let said = page["items"].as_array().expect("events").iter();
    let of_disk = said.filter(|event| event["kind"].as_str().is_some_and(|kind| kind.starts_with("volume.")));
    of_disk.map(|event| event["kind"].as_str().expect("a kind").to_owned()).collect()
}

/// Writes until it is refused; how many statements were acknowledged, and the refusal.
fn fill(mut write: impl FnMut() -> Result<String, String>) -> (u32, String) {
    let end = Instant::now() + PATIENCE;
    for acknowledged in 0.. {
        if let Err(refused) = write() {
            return (acknowledged, refused);
        }
        assert!(Instant::now() < end, "it takes and takes: {acknowledged}");
    }
    unreachable!("it ends by its time")
}

fn kill(house: &House, client: &Client<'_>) {
    let pid = server(house, client);
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL).expect("it is killed");
    std::thread::sleep(Duration::from_millis(500));
}

#[test]
fn a_database_whose_disk_is_full_refuses_changes_and_loses_nothing() {
    let house = House::bare("full", "care = { measure_s = 5, log_s = 4 }").expect("the house comes up");
    let allow = json!([{ "net": own_address(&house) }]);
    let spec = |engine: &str| json!({ "engine": engine, "size": "512 MiB", "allow": allow });
    let postgres = || {
        let mut pooled = spec("postgresql-17");
        pooled["pooler"] = json!("transaction");
        let made = create(&house, "pg", &pooled);
        wait_running(&house, "pg");
        let owner = Client::first(&house, "pg", &made);
        what_it_says(&house, "pg", |sql| owner.psql("app", sql));
        a_full_postgres(&house, &owner);
        what_is_measured(&house, "pg", || owner.psql("app", "SELECT count(*) FROM later"));
    };
    let mariadb = || {
        let made = create(&house, "my", &spec("mariadb-11.8"));
        wait_running(&house, "my");
        let owner = Client::first(&house, "my", &made);
        what_it_says(&house, "my", |sql| owner.mariadb("app", sql));
        a_full_mariadb(&house, &owner);
        what_is_measured(&house, "my", || owner.mariadb("app", "SELECT SUM(LENGTH(pad)) FROM t"));
    };
    beside(postgres, mariadb);
}

/// Whether it was said that a full disk took what the log begins from.
fn given_up(house: &House, name: &str) -> bool {
    let path = format!("/v1/solutions/{name}/events?limit=200");
    let page = house.api(Who::Account, "GET", &path, None).expect("the API answers").body;
    let mut said = page["items"].as_array().expect("events").iter().filter(|event| event["kind"] == "log.broken");
    said.any(|event| {
        event["message"]
            .as_str()
            .is_some_and(|text| text.contains("begins from are gone") || text.contains("loggen begynder fra, er væk"))
    })
}

/// Snapshots that the node took for the log to begin from.
fn bases(house: &House, name: &str) -> usize {
    let path = format!("/v1/solutions/{name}/snapshots");
    let snapshots = house.api(Who::Account, "GET", &path, None).expect("the API answers").body;
    snapshots["items"].as_array().expect("a list").iter().filter(|one| one["before"] == "log").count()
}

fn log(house: &House, name: &str, ask: &Value) -> Vec<String> {
    let answer =
        house.api(Who::Account, "POST", &format!("/v1/solutions/{name}/log"), Some(ask)).expect("the API answers");
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    let lines = answer.body["items"].as_array().expect("lines").iter();
    lines.map(|line| line["text"].as_str().expect("a text").to_owned()).collect()
}

/// Its log, with the queries that are slow by its owner's word.
fn what_it_says(house: &House, name: &str, ask: impl Fn(&str) -> Result<String, String>) {
    let (parameter, query) = match name {
        "pg" => (json!({ "log_min_duration_statement": 100 }), "SELECT pg_sleep(0.3) AS taking_its_time"),
        _ => (json!({ "long_query_time": 0 }), "SELECT SLEEP(0.3) AS taking_its_time"),
    };
    change(house, name, &json!({ "parameters": parameter }));
    ask(query).expect("it answers");
    let slow = json!({ "search": "TAKING_its_time" });
    until("the slow query is in its log", || !log(house, name, &slow).is_empty());
    assert!(!log(house, name, &json!({})).is_empty(), "it said that it is ready");
    assert!(log(house, name, &json!({ "search": "no such words anywhere" })).is_empty());
    assert!(log(house, name, &json!({ "since": "2999-01-01T00:00:00Z" })).is_empty());
    assert_eq!(log(house, name, &json!({ "lines": 1 })).len(), 1);
}

/// What was measured meanwhile. Somebody asks it something all the while: of a server that reads nothing there is no share
/// that it read from memory.
fn what_is_measured(house: &House, name: &str, ask: impl Fn() -> Result<String, String>) {
    let wanted = [
        "connections",
        "transactions",
        "cache-hits",
        "size",
        "locks-waiting",
        "oldest-transaction",
        "disk",
        "memory",
        "cpu",
    ];
    let end = Instant::now() + PATIENCE;
    loop {
        let path = format!("/v1/solutions/{name}/figures?hours=1");
        let figures = house.api(Who::Account, "GET", &path, None).expect("the API answers").body;
        let all = figures["items"].as_array().expect("figures").clone();
        let measured = |name: &&&str| {
            all.iter()
                .any(|figure| figure["name"] == **name && !figure["points"].as_array().expect("points").is_empty())
        };
        ask().expect("it answers");
        let missing: Vec<_> = wanted.iter().filter(|figure| !measured(figure)).collect();
        if missing.is_empty() {
            let size = all.iter().find(|figure| figure["name"] == "size").expect("it is there");
            assert!(size["points"][0]["value"].as_f64().is_some_and(|bytes| bytes > 1e6), "{size}");
            return;
        }
        assert!(Instant::now() < end, "{name}: {missing:?} are not measured");
        std::thread::sleep(Duration::from_secs(1));
    }
}

/// In a session that says otherwise for itself.
fn by_force(owner: &Client<'_>, sql: &str) -> Result<String, String> {
    let mut psql = owner.psql_of("app");
    psql.env("PGOPTIONS", "-c default_transaction_read_only=off").args(["--command", sql]);
    let output = psql.output().expect("psql runs");
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

fn a_full_postgres(house: &House, owner: &Client<'_>) {
    owner.psql("app", "CREATE TABLE t (n bigserial PRIMARY KEY, pad text)").expect("a table");
    owner.psql("app", "ALTER TABLE t ALTER pad SET STORAGE PLAIN").expect("it stays as long as it is");
    assert_eq!(owner.pooled().psql("app", "SELECT count(*) FROM t").as_deref(), Ok("0"), "the pooler holds a session");
    let insert = format!("INSERT INTO t (pad) SELECT repeat(md5(random()::text), 62) FROM generate_series(1, {ROWS})");
    owner.psql("app", "CREATE TABLE early AS SELECT 1 AS a").expect("a table");
    until("its log has a beginning", || !kept(house, "pg").is_null() && bases(house, "pg") > 0);
    let began = kept(house, "pg")["from"].clone();
    let (acknowledged, refused) = fill(|| owner.psql("app", &insert));
    eprintln!("PostgreSQL took {acknowledged} times {ROWS} rows: {refused}");
    assert!(refused.contains("read-only transaction"), "{refused}");
    // With the reason, and what to do, in the refusal itself.
    assert!(
        refused.contains("HINT:") && refused.contains("(512 MiB) is used up") && refused.contains("Make it larger"),
        "{refused}"
    );
    let told = owner.psql("app", "SET husorden.disk = 'nothing'").expect_err("it is the platform's to say");
    assert!(told.contains("cannot be changed now"), "{told}");
    let count = || {
        owner.psql("app", "SELECT count(*) FROM t").and_then(|count| count.parse::<u32>().map_err(|e| e.to_string()))
    };
    assert_eq!(count(), Ok(acknowledged * ROWS));
    // By the pooler it is the same refusal, also in a session that it holds from before; and questions are answered. The snapshots that its log
    // begins from may have gone meanwhile, which makes room for some more.
    let pooled = owner.pooled();
    let (by_pooler, refused) = fill(|| pooled.psql("app", &insert));
    let acknowledged = acknowledged + by_pooler;
    assert!(refused.contains("read-only transaction") && refused.contains("(512 MiB) is used up"), "{refused}");
    assert_eq!(pooled.psql("app", "SELECT count(*) FROM t"), Ok((acknowledged * ROWS).to_string()));
    until("it is said", || events(house, "pg").contains(&"volume.full".to_owned()));
    assert!(events(house, "pg").contains(&"volume.filling".to_owned()), "{:?}", events(house, "pg"));
    // What its log began from was given up, so that its owner can clear up.
    until("that is said", || given_up(house, "pg"));
    // It makes room, and where that is enough another one is taken.
    until("it is gone", || bases(house, "pg") == 0 || kept(house, "pg")["from"] != began);

    // Killed in that state, it comes back in it; recovery may have freed a piece of its log, which is soon taken.
    kill(house, owner);
    // What recovery writes may take the last of the reserve for a moment, in which nobody is let in.
    until("it answers", || count().is_ok());
    assert_eq!(count(), Ok(acknowledged * ROWS));
    let (again, refused) = fill(|| owner.psql("app", &insert));
    assert!(refused.contains("read-only transaction"), "{refused}");
    let acknowledged = acknowledged + again;

    // Who writes on by force is let in no more; what was acknowledged is there, also after a kill.
    let (more, refused) = fill(|| by_force(owner, &insert));
    eprintln!("by force {more} times more: {refused}");
    let cut = ["terminating connection", "pg_hba.conf rejects", "closed the connection"];
    assert!(cut.iter().any(|words| refused.contains(words)), "{refused}");
    kill(house, owner);

    // With room it takes changes again.
    change(house, "pg", &json!({ "size": "2 GiB" }));
    until("it takes changes", || owner.psql("app", "CREATE TABLE later AS SELECT 1 AS a").is_ok());
    until("by the pooler too", || pooled.psql("app", "CREATE TABLE pooled AS SELECT 2 AS a").is_ok());
    let pid = server(house, owner);
    let rows = count().expect("it answers");
    assert!(rows >= (acknowledged + more) * ROWS, "{rows} of {}", (acknowledged + more) * ROWS);
    until("it is said", || events(house, "pg").last().map(String::as_str) == Some("volume.room"));
    assert!(!findings(house, "pg").contains(&"disk-full".to_owned()));
    // What can be had again begins anew.
    until("its log begins anew", || {
        let log = kept(house, "pg");
        !log.is_null() && log["from"].as_str() > began.as_str() && bases(house, "pg") > 0
    });

    // A size below what is held refuses changes as a full one does, and the owner clears up.
    change(house, "pg", &json!({ "size": "512 MiB" }));
    until("it refuses", || owner.psql("app", "CREATE TABLE x (a int)").is_err_and(|error| error.contains("read-only")));
    until("it is found", || findings(house, "pg").contains(&"disk-full".to_owned()));
    by_force(owner, "TRUNCATE t").expect("the owner may clear up");
    until("it takes changes", || owner.psql("app", "CREATE TABLE x (a int)").is_ok());
    let refused =
        owner.psql("app", "SET transaction_read_only = on; CREATE TABLE y (a int)").expect_err("by its own wish");
    assert!(refused.contains("read-only transaction") && !refused.contains("HINT:"), "{refused}");
    assert_eq!(server(house, owner), pid, "a change of size restarts nothing");
    assert_eq!(owner.psql("app", "SELECT a FROM later").as_deref(), Ok("1"));
}

fn a_full_mariadb(house: &House, owner: &Client<'_>) {
    owner.mariadb("app", "CREATE TABLE t (n bigint AUTO_INCREMENT PRIMARY KEY, pad varchar(2000))").expect("a table");
    let insert = format!("INSERT INTO t (pad) SELECT RPAD(HEX(RANDOM_BYTES(1000)), 2000, '0') FROM seq_1_to_{ROWS}");
    let (acknowledged, refused) = fill(|| owner.mariadb("app", &insert));
    eprintln!("MariaDB took {acknowledged} times {ROWS} rows: {refused}");
    assert!(refused.contains("--read-only") && refused.contains("its disk is full; enlarge it"), "{refused}");
    let count = || {
        owner.mariadb("app", "SELECT COUNT(*) FROM t").and_then(|count| count.parse::<u32>().map_err(|e| e.to_string()))
    };
    assert_eq!(count(), Ok(acknowledged * ROWS));
    until("it is said", || events(house, "my").contains(&"volume.full".to_owned()));

    // Killed in that state, it comes back in it; nobody can say otherwise for their own session.
    kill(house, owner);
    assert_eq!(count(), Ok(acknowledged * ROWS));
    assert!(fill(|| owner.mariadb("app", &insert)).1.contains("--read-only"));
    assert!(owner.mariadb("app", "SET GLOBAL read_only = 0").expect_err("it is the platform's").contains("denied"));

    let pid = server(house, owner);
    change(house, "my", &json!({ "size": "1 GiB" }));
    until("it takes changes", || owner.mariadb("app", "TRUNCATE t").is_ok());
    change(house, "my", &json!({ "size": "512 MiB" }));
    until("it takes changes", || owner.mariadb("app", &insert).is_ok());
    assert_eq!(count(), Ok(ROWS));
    assert_eq!(server(house, owner), pid, "a change of size restarts nothing");
    // Its own log of what was written fills the smaller disk until it is kept, so it may be full once more before there is
    // room for good; nine tenths of it are said too.
    until("it is said", || {
        let said = events(house, "my");
        let last = said.iter().rfind(|event| ["volume.full", "volume.room"].contains(&event.as_str()));
        last.map(String::as_str) == Some("volume.room")
    });
}
