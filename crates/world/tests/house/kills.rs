//! Deaths in the middle of work: an engine that is killed again and again while a client writes has everything that was acknowledged, and a node
//! that is killed while a file is loaded or a version changed leaves nothing half.

use super::database::{Client, change, create, own_address, server, wait_running};
use super::updates::{build, restart};
use husorden_world::{House, PATIENCE, Who, text};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How often the server is killed while it is written to.
const KILLS: u32 = 20;

/// How an engine is written to, row after row in one session, and asked.
pub(super) struct Dialect {
    /// A client that carries out what stands on its standard input and says at once what came of it.
    stream: fn(&House, &Client<'_>) -> Command,
    ask: fn(&Client<'_>, &str) -> Result<String, String>,
    between: char,
}

pub(super) const POSTGRES: Dialect = Dialect {
    stream: |_, client| {
        let mut psql = client.psql_of("app");
        psql.args(["--quiet", "--file=-"]);
        psql
    },
    ask: |client, sql| client.psql("app", sql),
    between: '|',
};

const MARIADB: Dialect = Dialect {
    stream: |house, client| {
        let port = format!("--port={}", client.port);
        let (host, user) = (format!("--host={}", client.host), format!("--user={}", client.user));
        let ca = format!("--ssl-ca={}", house.status()["ca"].as_str().expect("the authority"));
        let mut mariadb = client.beside(
            house.home(),
            &[
                "mariadb",
                "--no-defaults",
                "--protocol=tcp",
                "--skip-column-names",
                "--batch",
                "--unbuffered",
                // A session that is cut is not begun anew unnoticed.
                "--skip-reconnect",
                "--connect-timeout=10",
                "--ssl-verify-server-cert",
                &host,
                &port,
                &user,
                &ca,
                "app",
            ],
        );
        mariadb.env("MYSQL_PWD", &client.password);
        mariadb
    },
    ask: |client, sql| client.mariadb("app", sql),
    between: '\t',
};

/// The server is killed while a client writes, again and again: every row that was acknowledged is there afterwards. However young it is
/// killed, whoever comes next is let in.
pub(super) fn nothing_acknowledged_is_lost(house: &House, dialect: &Dialect, owner: &Client<'_>) {
    let ask = |sql: &str| (dialect.ask)(owner, sql);
    ask("CREATE TABLE acknowledged (n int PRIMARY KEY)").expect("a table");
    let mut next = 1;
    for round in 0..KILLS {
        // At another moment each time.
        let alive = Duration::from_millis(60 + u64::from(round) * 37);
        let last = writes_until_killed(house, dialect, owner, next, alive);
        assert!(last >= next, "round {round}: something was written");
        let until = Instant::now() + PATIENCE;
        let sql = format!("SELECT count(*), coalesce(max(n), 0) FROM acknowledged WHERE n <= {last}");
        let seen = loop {
            match ask(&sql) {
                Ok(seen) => break seen,
                Err(error) => assert!(Instant::now() < until, "round {round}: {error}"),
            }
        };
        assert_eq!(seen, format!("{last}{}{last}", dialect.between), "round {round}");
        // One more may have been written than was heard of.
        let max = ask("SELECT max(n) FROM acknowledged").expect("it answers");
        next = max.parse::<u32>().expect("a number") + 1;
    }
    let one = house.api(Who::Account, "GET", "/v1/solutions?limit=200", None).expect("the API answers").body;
    let troubled = one["items"].as_array().expect("a list").iter().any(|one| one["state"] == "trouble");
    assert!(!troubled, "a server that was killed is none that does not start: {one}");
    eprintln!("{} rows were acknowledged over {KILLS} kills, and all are there", next - 1);
}

/// Writes row after row from `next` on in one session, kills the server meanwhile, and gives the last row that was acknowledged.
fn writes_until_killed(house: &House, dialect: &Dialect, owner: &Client<'_>, next: u32, alive: Duration) -> u32 {
    let mut client = (dialect.stream)(house, owner);
    let client = client.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut client = client.spawn().expect("the client runs");
    let (mut to, from) = (client.stdin.take().expect("a pipe"), client.stdout.take().expect("a pipe"));
    let writer = std::thread::spawn(move || {
        for n in next.. {
            if writeln!(to, "INSERT INTO acknowledged VALUES ({n}) RETURNING n;").is_err() {
                return;
            }
        }
    });
    let (said, first) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        let lines = BufReader::new(from).lines().map_while(Result::ok).filter_map(|line| line.parse().ok());
        lines.inspect(|_| said.send(()).unwrap_or(())).last().unwrap_or(0)
    });
    first.recv_timeout(PATIENCE).expect("a row is acknowledged");
    std::thread::sleep(alive);
    kill(server(house, owner));
    let last = reader.join().expect("what the client said is read");
    client.wait().expect("the client ends");
    writer.join().expect("the writer ends");
    last
}

fn kill(pid: i32) {
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL).expect("it is killed");
}

#[test]
fn deaths_of_mariadb_and_of_the_node_leave_nothing_half() {
    let house = House::bare("kills", "care = { sweep_s = 2 }").expect("the house comes up");
    let allow = json!([{ "net": own_address(&house) }]);
    let made = create(&house, "my", &json!({ "engine": "mariadb-10.11", "allow": allow }));
    // Killed in the middle of the creation.
    restart(&house);
    wait_running(&house, "my");
    let owner = Client::first(&house, "my", &made);
    nothing_acknowledged_is_lost(&house, &MARIADB, &owner);
    let made = create(&house, "pg", &json!({ "engine": "postgresql-15", "allow": allow }));
    restart(&house);
    wait_running(&house, "pg");
    let postgres = Client::first(&house, "pg", &made);
    let loads = [("my", &MARIADB, &owner), ("pg", &POSTGRES, &postgres)].map(|(name, dialect, client)| Load {
        house: &house,
        name,
        dialect,
        client,
    });
    loads_that_are_cut(&house, &loads);
    a_trial_of_mariadb_that_fails(&house, &owner);
    a_change_of_mariadb_that_is_cut(&house, &owner);
    let swept = house.run(&["node", "sweep"]).expect("it runs");
    let odd: Value = serde_json::from_slice(&swept.stdout).expect("the sweep is JSON");
    assert_eq!(odd["odd"], json!([]), "everything has an owner");
}

/// A file that is loaded into an instance.
struct Load<'a> {
    house: &'a House,
    name: &'static str,
    dialect: &'static Dialect,
    client: &'a Client<'a>,
}

impl Load<'_> {
    fn ask(&self, sql: &str) -> Result<String, String> {
        (self.dialect.ask)(self.client, sql)
    }

    fn rows(&self, table: &str) -> Result<String, String> {
        self.ask(&format!("SELECT count(*) FROM {table}"))
    }

    fn begin(&self, file: &Path) -> Child {
        let mut load = Command::new(&self.house.binary);
        load.args(["--yes", "dump", "load", self.name, "app"]).arg(file);
        load.env("HUSORDEN_API", self.house.api_address()).env("HUSORDEN_TOKEN", self.house.token(Who::Account));
        load.stdout(Stdio::null()).stderr(Stdio::piped());
        load.spawn().expect("it runs")
    }

    /// After a death in the middle: what was there before is there, and of the file all or nothing.
    fn is_whole_or_not_at_all(&self, round: usize) {
        let name = self.name;
        wait_running(self.house, name);
        settled(self.house, name);
        assert_eq!(self.ask("SELECT n FROM before_it").as_deref(), Ok("7"), "{name}, round {round}");
        let first = self.rows("first_half");
        eprintln!("{name}, cut in round {round}: {first:?}");
        if self.rows("second_half").is_ok() {
            assert_eq!(first.as_deref(), Ok("60000"), "{name}, round {round}: all of it");
            self.ask("DROP TABLE first_half").and_then(|_| self.ask("DROP TABLE second_half")).expect("they go");
        } else {
            assert!(first.is_err(), "{name}, round {round}: nothing of it: {first:?}");
        }
    }
}

/// The node dies while files come in, and while they are carried out: what was in the database before is there, a file is there whole or not at
/// all, and the same file is loaded afterwards.
fn loads_that_are_cut(house: &House, loads: &[Load<'_>]) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("in.sql");
    let mut sql = std::fs::File::create(&file).expect("a file");
    writeln!(sql, "CREATE TABLE first_half (n int PRIMARY KEY, pad varchar(500));").expect("it is written");
    let pad = "x".repeat(400);
    for first in (0..60_000).step_by(100) {
        let rows: Vec<String> = (first..first + 100).map(|n| format!("({n}, '{pad}')")).collect();
        writeln!(sql, "INSERT INTO first_half VALUES {};", rows.join(", ")).expect("it is written");
    }
    writeln!(sql, "CREATE TABLE second_half AS SELECT count(*) AS rows_there FROM first_half;").expect("it is written");
    drop(sql);
    for load in loads {
        load.ask("CREATE TABLE before_it AS SELECT 7 AS n").expect("a table");
    }
    for (round, pause_ms) in [150, 700, 2_000].into_iter().enumerate() {
        let under_way: Vec<Child> = loads.iter().map(|load| load.begin(&file)).collect();
        std::thread::sleep(Duration::from_millis(pause_ms));
        restart(house);
        for loading in under_way {
            loading.wait_with_output().expect("it ends");
        }
        for load in loads {
            load.is_whole_or_not_at_all(round);
        }
    }
    let under_way: Vec<Child> = loads.iter().map(|load| load.begin(&file)).collect();
    for (load, loading) in loads.iter().zip(under_way) {
        let said = loading.wait_with_output().expect("it ends");
        assert!(said.status.success(), "{}: {}", load.name, text(&said.stderr));
        assert_eq!(load.ask("SELECT rows_there FROM second_half").as_deref(), Ok("60000"), "{}", load.name);
    }
}

/// Waits until no order of a solution is under way.
fn settled(house: &House, name: &str) {
    let end = Instant::now() + PATIENCE;
    loop {
        let path = format!("/v1/solutions/{name}/orders?limit=200");
        let orders = house.api(Who::Account, "GET", &path, None).expect("the API answers").body;
        let open: Vec<&Value> = orders["items"]
            .as_array()
            .expect("a list")
            .iter()
            .filter(|order| !matches!(order["state"].as_str(), Some("done" | "failed")))
            .collect();
        if open.is_empty() {
            return;
        }
        assert!(Instant::now() < end, "{name}: {open:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn version(owner: &Client<'_>) -> String {
    owner.mariadb("app", "SELECT SUBSTRING_INDEX(VERSION(), '.', 2)").expect("it answers")
}

fn upgrade(house: &House) {
    let wish = json!({ "spec": { "engine": "mariadb-11.8" } });
    let wished = house.api(Who::Account, "PATCH", "/v1/solutions/my", Some(&wish)).expect("the API answers");
    assert_eq!(wished.status, 200, "{:?}", wished.body);
}

/// A later version that does not start on the copy is all that happens: the instance is as it was, and was not even restarted.
fn a_trial_of_mariadb_that_fails(house: &House, owner: &Client<'_>) {
    create(house, "other", &json!({ "engine": "mariadb-11.8" }));
    wait_running(house, "other");
    build(house, "mariadb-11.8", "aaaaaaaaaaa1", Some("usr/sbin/mariadbd"));
    restart(house);
    let rows = owner.mariadb("app", "SELECT count(*) FROM acknowledged").expect("it answers");
    let pid = server(house, owner);
    upgrade(house);
    let end = Instant::now() + PATIENCE;
    let said = loop {
        let one = house.api(Who::Account, "GET", "/v1/solutions/my", None).expect("the API answers").body;
        if one["state"] == "trouble" {
            break one["message"].as_str().expect("it says why").to_owned();
        }
        assert!(Instant::now() < end, "{one}");
        std::thread::sleep(Duration::from_millis(100));
    };
    assert!(said.contains("on a copy") && said.contains("this build is broken"), "{said}");
    assert_eq!(version(owner), "10.11");
    assert_eq!(server(house, owner), pid, "it was not even restarted");
    assert_eq!(owner.mariadb("app", "SELECT count(*) FROM acknowledged"), Ok(rows));
    owner.mariadb("app", "CREATE TABLE written_after_it (n int)").expect("it takes changes");
    // The old version is chosen again, for the data is of it.
    change(house, "my", &json!({ "engine": "mariadb-10.11" }));
    assert_eq!(server(house, owner), pid);
}

/// The node dies while the version is tried, and again while the data is lifted: the change comes to its end, and nothing is lost.
fn a_change_of_mariadb_that_is_cut(house: &House, owner: &Client<'_>) {
    build(house, "mariadb-11.8", "aaaaaaaaaaa2", None);
    restart(house);
    let rows = owner.mariadb("app", "SELECT count(*) FROM acknowledged");
    upgrade(house);
    for pause_ms in [400, 2_500] {
        std::thread::sleep(Duration::from_millis(pause_ms));
        restart(house);
    }
    wait_running(house, "my");
    assert_eq!(version(owner), "11.8");
    assert_eq!(owner.mariadb("app", "SELECT count(*) FROM acknowledged"), rows);
    // A copy, with a death on the way.
    let body = json!({ "kind": "database", "name": "twin", "from": { "solution": "my" } });
    let twin = house.api(Who::Account, "POST", "/v1/solutions", Some(&body)).expect("the API answers");
    assert_eq!(twin.status, 201, "{:?}", twin.body);
    restart(house);
    // Until the node that is back has taken the snapshot again, it says that it waits for it.
    house.wait_state("twin", "running").unwrap_or_else(|error| panic!("{error}"));
    let twin = Client::first(house, "twin", &twin);
    assert_eq!(twin.mariadb("app", "SELECT count(*) FROM acknowledged"), rows);
}
