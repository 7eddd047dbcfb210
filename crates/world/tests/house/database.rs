//! Databases on real engines, by ordinary clients over TLS: from the order to the deletion that is undone, who may connect and who may
//! not, what an owner can't do, an upgrade and its undo, a copy, kills, and a measure.

use crate::{commands, drivers, kills};
use husorden_world::{Answer, House, PATIENCE, Who, text};
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

pub(super) fn create(house: &House, name: &str, spec: &Value) -> Answer {
    let body = json!({ "kind": "database", "name": name, "spec": spec });
    let made = house.api(Who::Account, "POST", "/v1/solutions", Some(&body)).expect("the API answers");
    assert_eq!(made.status, 201, "{:?}", made.body);
    made
}

pub(super) fn change(house: &House, name: &str, spec: &Value) {
    let path = format!("/v1/solutions/{name}");
    let answer = house.api(Who::Account, "PATCH", &path, Some(&json!({ "spec": spec }))).expect("the API answers");
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    wait_running(house, name);
}

/// Waits until an instance runs as it is wished; trouble is not waited out.
pub(super) fn wait_running(house: &House, name: &str) {
    let end = Instant::now() + PATIENCE;
    loop {
        let one = house.api(Who::Account, "GET", &format!("/v1/solutions/{name}"), None).expect("the API answers").body;
        let settled = one["generation"] == one["seen_generation"];
        if settled && one["state"] == "running" {
            return;
        }
        assert!(one["state"] != "trouble" && Instant::now() < end, "{name}: {}", one["message"]);
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A client of one user of one instance, from this machine, by the instance's own name.
pub(crate) struct Client<'a> {
    house: &'a House,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) user: String,
    pub(crate) password: String,
    /// Seconds that it waits to be let in.
    patience_s: u32,
}

impl<'a> Client<'a> {
    pub(crate) fn new(house: &'a House, name: &str, user: &str, password: &str) -> Self {
        let one = house.api(Who::Account, "GET", &format!("/v1/solutions/{name}"), None).expect("the API answers").body;
        let number = one["number"].as_u64().expect("a number");
        Self {
            house,
            host: one["host"].as_str().expect("it has a name").to_owned(),
            port: u16::try_from(20_000 + number).expect("few solutions"),
            user: user.to_owned(),
            password: password.to_owned(),
            patience_s: 10,
        }
    }

    /// The same with another patience: who is on no list hears nothing at all.
    pub(super) fn patient(&self, patience_s: u32) -> Self {
        Self { patience_s, port: self.port, ..self.with(&self.user, &self.password) }
    }

    /// The first user, with the password that was shown once.
    pub(super) fn first(house: &'a House, name: &str, made: &Answer) -> Self {
        let credential = &made.body["credentials"][0];
        let shown = |field: &str| credential[field].as_str().expect("it is shown").to_owned();
        Self::new(house, name, &shown("username"), &shown("password"))
    }

    /// The same by the port of its pooler.
    pub(super) fn pooled(&self) -> Self {
        Self { port: self.port - 10_000, ..self.with(&self.user, &self.password) }
    }

    /// Somebody else of the same instance.
    pub(super) fn with(&self, user: &str, password: &str) -> Self {
        let (user, password) = (user.to_owned(), password.to_owned());
        let (house, patience_s) = (self.house, self.patience_s);
        Self { house, host: self.host.clone(), port: self.port, user, password, patience_s }
    }

    fn ca(&self) -> String {
        self.house.status()["ca"].as_str().expect("the authority").to_owned()
    }

    fn edge(&self) -> String {
        self.house.status()["addresses"]["edge"].as_str().expect("an address").to_owned()
    }

    /// psql over TLS, the name verified.
    pub(super) fn psql(&self, database: &str, sql: &str) -> Result<String, String> {
        said(self.psql_of(database).args(["--command", sql]))
    }

    /// A psql that is told where to go, and not yet what to do there.
    pub(super) fn psql_of(&self, database: &str) -> Command {
        let to = self.to(database);
        let mut psql = Command::new("psql");
        psql.args(["--no-psqlrc", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1", &to]);
        psql.env("PGPASSWORD", &self.password);
        psql
    }

    /// Where a client goes, as PostgreSQL's library reads it.
    pub(super) fn to(&self, database: &str) -> String {
        format!(
            "host={} hostaddr={} port={} dbname={database} user={} sslmode=verify-full sslrootcert={} connect_timeout={}",
            self.host,
            self.edge(),
            self.port,
            self.user,
            self.ca(),
            self.patience_s
        )
    }

    /// The mariadb client over TLS, the name verified. It looks the name up, so it is told where it leads.
    pub(crate) fn mariadb(&self, database: &str, sql: &str) -> Result<String, String> {
        said(&mut self.mariadb_of(database, sql))
    }

    fn mariadb_of(&self, database: &str, sql: &str) -> Command {
        let script = "mount --bind /dev/stdin /etc/hosts && shift && exec mariadb --no-defaults --protocol=tcp \
                      --skip-column-names --batch --connect-timeout=10 --ssl-verify-server-cert \"$@\"";
        let mut unshare = Command::new("unshare");
        unshare.args(["--mount", "--propagation", "private", "sh", "-c", script, "sh", "-"]);
        unshare.args([
            format!("--host={}", self.host),
            format!("--port={}", self.port),
            format!("--user={}", self.user),
        ]);
        unshare.args([format!("--ssl-ca={}", self.ca()), database.to_owned(), format!("--execute={sql}")]);
        let hosts = self.hosts();
        unshare.env("MYSQL_PWD", &self.password).stdin(Stdio::from(std::fs::File::open(hosts).expect("the hosts")));
        unshare
    }

    /// A file in the form of `/etc/hosts` that names the instance, and by a name that is not its own too.
    fn hosts(&self) -> std::path::PathBuf {
        let path = self.house.home().join(format!("hosts-{}", self.host));
        let (own, edge) = (&self.host, self.edge());
        std::fs::write(&path, format!("127.0.0.1 localhost\n{edge} {own} another.solutions.test\n"))
            .expect("it is written");
        path
    }

    /// A program in this folder, with the instance's names in `/etc/hosts`.
    pub(crate) fn beside(&self, folder: &Path, program: &[&str]) -> Command {
        let mut unshare = Command::new("unshare");
        let script = "mount --bind \"$HOSTS\" /etc/hosts && exec \"$@\"";
        unshare.args(["--mount", "--propagation", "private", "sh", "-c", script, "sh"]).args(program);
        unshare.env("HOSTS", self.hosts()).current_dir(folder);
        unshare
    }
}

pub(crate) fn said(command: &mut Command) -> Result<String, String> {
    let output = command.output().expect("the client runs");
    let (out, error) = (text(&output.stdout), text(&output.stderr));
    if output.status.success() { Ok(out.trim().to_owned()) } else { Err(error) }
}

/// Where this machine comes from, as the node sees it.
pub(super) fn own_address(house: &House) -> String {
    let edge = house.status()["addresses"]["edge"].as_str().expect("an address").to_owned();
    let route = Command::new("ip").args(["-o", "route", "get", &edge]).output().expect("ip runs");
    let words = text(&route.stdout);
    let mut words = words.split_whitespace().skip_while(|word| *word != "src");
    words.nth(1).expect("a source").to_owned()
}

pub(super) fn rotate(house: &House, name: &str, user: &str) -> String {
    let path = format!("/v1/solutions/{name}/credentials/{user}");
    let answer = house.api(Who::Account, "POST", &path, None).expect("the API answers");
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    house.wait_state(name, "running").unwrap_or_else(|error| panic!("{error}"));
    answer.body["password"].as_str().expect("it is shown").to_owned()
}

/// Two parts of a story at the same time, each with an instance of its own: most of what they do is waiting.
pub(super) fn beside(one: impl FnOnce(), other: impl FnOnce() + Send) {
    std::thread::scope(|scope| {
        let other = scope.spawn(other);
        one();
        other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
}

#[test]
fn instances_are_made_and_reached_by_those_who_may() {
    let house = House::bare("dbs", "").expect("the house comes up");
    beside(|| postgres(&house), || mariadb(&house));
}

fn postgres(house: &House) {
    let made = create(house, "pg", &json!({ "engine": "postgresql-15" }));
    wait_running(house, "pg");
    let owner = Client::first(house, "pg", &made);
    who_may_connect(house, &owner);
    what_an_owner_cannot_do(&owner);
    people(house, &owner);
    a_copy_is_an_instance_of_its_own(house, &owner);
    an_upgrade_and_its_undo(house, &owner);
    kills::nothing_acknowledged_is_lost(house, &kills::POSTGRES, &owner);
    let mut open = owner.psql_of("app");
    open.args(["--command", &format!("SELECT pg_sleep({})", ANSWERED.as_secs())]);
    a_measure(house, "pg", &mut open, &|| owner.psql("app", "SELECT count(*) > 0 FROM acknowledged"), "t");
    drivers::connect(house, "pg", &Client::new(house, "pg", "app", &rotate(house, "pg", "app")));
}

fn who_may_connect(house: &House, owner: &Client<'_>) {
    let refused = owner.patient(2).psql("app", "SELECT 1").expect_err("nobody may connect");
    assert!(refused.contains("timeout") || refused.contains("refused"), "{refused}");
    change(house, "pg", &json!({ "allow": [{ "net": own_address(house), "note": "this machine" }] }));
    assert_eq!(owner.psql("app", "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").as_deref(), Ok("t"));
    let stranger = Client { password: "not the password at all".to_owned(), ..Client::new(house, "pg", "app", "") };
    assert!(stranger.psql("app", "SELECT 1").expect_err("a wrong password").contains("password authentication failed"));
    // The certificate is the instance's own: another name is not taken for it.
    let other =
        Client { host: "database-99.solutions.test".to_owned(), ..Client::new(house, "pg", "app", &owner.password) };
    assert!(other.psql("app", "SELECT 1").expect_err("another name").contains("does not match host name"));
    // While it answers, the server was not restarted by a change of the list.
    let started = owner.psql("app", "SELECT pg_postmaster_start_time()").expect("it answers");
    change(
        house,
        "pg",
        &json!({ "allow": [{ "net": own_address(house) }, { "net": "203.0.113.0/24" }], "parameters": { "work_mem": 7777 } }),
    );
    assert_eq!(owner.psql("app", "SELECT pg_postmaster_start_time()"), Ok(started));
    assert_eq!(owner.psql("app", "SHOW work_mem").as_deref(), Ok("7777kB"));
}

fn what_an_owner_cannot_do(owner: &Client<'_>) {
    for sql in [
        "COPY (SELECT 1) TO PROGRAM 'id'",
        "COPY (SELECT 1) TO '/tmp/x'",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT lo_import('/etc/passwd')",
        "CREATE EXTENSION dblink",
        "CREATE EXTENSION file_fdw",
        "CREATE EXTENSION adminpack",
        "CREATE FUNCTION f() RETURNS int LANGUAGE c AS 'libc.so.6', 'getpid'",
        "CREATE EXTENSION plperlu",
        "SET ROLE husorden",
        "CREATE ROLE evil SUPERUSER",
        "GRANT pg_execute_server_program TO app",
        "ALTER SYSTEM SET ssl = off",
        "SELECT rolpassword FROM pg_authid",
        "LOAD '/tmp/x'",
        "ALTER ROLE app PASSWORD 'short'",
        "ALTER ROLE app PASSWORD 'app-app'",
    ] {
        let refused = owner.psql("app", sql).expect_err(sql);
        // The words differ between versions; what never stands there is that it was misunderstood.
        let words =
            ["permission denied", "must be superuser", "must have", "not available", "password", "access to library"];
        assert!(words.iter().any(|word| refused.contains(word)), "{sql}: {refused}");
    }
    owner.psql("app", "CREATE EXTENSION citext").expect("a trusted extension is the owner's to make");
}

fn people(house: &House, owner: &Client<'_>) {
    owner.psql("app", "CREATE TABLE notes (id serial PRIMARY KEY, text text)").expect("an owner makes tables");
    owner.psql("app", "INSERT INTO notes (text) SELECT 'note ' || n FROM generate_series(1, 1000) n").expect("rows");
    let users = json!({ "app": { "grants": { "app": "owner", "shop_2": "owner" } },
        "reader": { "grants": { "app": "read" } }, "writer": { "grants": { "app": "write" } } });
    change(house, "pg", &json!({ "databases": { "shop_2": { "extensions": ["pg_trgm"] } }, "users": users }));
    let (reading, writing) = (rotate(house, "pg", "reader"), rotate(house, "pg", "writer"));
    let reader = Client::new(house, "pg", "reader", &reading);
    let writer = Client::new(house, "pg", "writer", &writing);
    assert_eq!(reader.psql("app", "SELECT count(*) FROM notes").as_deref(), Ok("1000"));
    assert!(reader.psql("app", "DELETE FROM notes").expect_err("it may only see").contains("permission denied"));
    assert!(reader.psql("shop_2", "SELECT 1").expect_err("it has no right there").contains("permission denied"));
    writer.psql("app", "INSERT INTO notes (text) VALUES ('written')").expect("it may write");
    assert!(writer.psql("app", "DROP TABLE notes").expect_err("it owns nothing").contains("must be owner"));
    owner.psql("app", "CREATE TABLE later (a int)").expect("a table made later");
    assert_eq!(reader.psql("app", "SELECT count(*) FROM later").as_deref(), Ok("0"), "rights hold for it too");
    assert_eq!(
        owner.psql("shop_2", "SELECT extname FROM pg_extension WHERE extname = 'pg_trgm'").as_deref(),
        Ok("pg_trgm")
    );

    // What a user sets in SQL stays when the platform sets something else.
    writer.psql("app", "ALTER ROLE writer PASSWORD 'a pass phrase of their own, 42'").expect("it is long enough");
    change(house, "pg", &json!({ "users": { "fourth": {} } }));
    let writer = Client::new(house, "pg", "writer", "a pass phrase of their own, 42");
    assert_eq!(writer.psql("app", "SELECT 1").as_deref(), Ok("1"));
    // A password that people choose has one judge.
    let chosen = |password: &str| {
        let body = json!({ "password": password });
        house.api(Who::Account, "POST", "/v1/solutions/pg/credentials/reader", Some(&body)).expect("the API answers")
    };
    assert_eq!(chosen("password12345678").status, 422, "guessable");
    assert_eq!(chosen(&"x".repeat(4096)).status, 422, "4 KB");
    assert_eq!(chosen("viaduct-marmalade-orbit-7").status, 200);
    house.wait_state("pg", "running").unwrap_or_else(|error| panic!("{error}"));
    let reader = Client::new(house, "pg", "reader", "viaduct-marmalade-orbit-7");
    assert_eq!(reader.psql("app", "SELECT 1").as_deref(), Ok("1"));

    // Who goes leaves nothing of theirs to be lost.
    owner.psql("app", "GRANT CREATE ON SCHEMA public TO writer").expect("it owns the schema");
    writer.psql("app", "CREATE TABLE kept AS SELECT 7 AS seven").expect("a table of theirs");
    change(house, "pg", &json!({ "users": { "writer": null, "fourth": null } }));
    assert!(writer.psql("app", "SELECT 1").is_err(), "they are gone");
    assert_eq!(owner.psql("app", "SELECT seven FROM kept").as_deref(), Ok("7"), "what they made is the owners'");
    // A database that is taken away is dropped; the snapshot from before brings it back.
    owner.psql("shop_2", "CREATE TABLE goods AS SELECT 1 AS n").expect("a table");
    change(house, "pg", &json!({ "databases": { "shop_2": null } }));
    assert!(owner.psql("shop_2", "SELECT 1").expect_err("it is gone").contains("does not exist"));
    undo(house, "pg");
    assert_eq!(owner.psql("shop_2", "SELECT n FROM goods").as_deref(), Ok("1"), "undone");
}

fn undo(house: &House, name: &str) {
    let answer = house.api(Who::Account, "POST", &format!("/v1/solutions/{name}/undo"), None).expect("the API answers");
    assert!(answer.status < 300, "{:?}", answer.body);
    if let Some(order) = answer.body["id"].as_str().filter(|_| answer.status == 202) {
        assert_eq!(house.wait_order(order).expect("it ends")["state"], "done");
    }
    house.wait_state(name, "running").unwrap_or_else(|error| panic!("{error}"));
}

fn a_copy_is_an_instance_of_its_own(house: &House, owner: &Client<'_>) {
    let identity = "SELECT system_identifier FROM pg_control_system()";
    let body = json!({ "kind": "database", "name": "copy", "from": { "solution": "pg" } });
    let began = Instant::now();
    let made = house.api(Who::Account, "POST", "/v1/solutions", Some(&body)).expect("the API answers");
    assert_eq!(made.status, 201, "{:?}", made.body);
    house.wait_state("copy", "running").unwrap_or_else(|error| panic!("{error}"));
    eprintln!("a copy of an instance ran after {:.2} s", began.elapsed().as_secs_f64());
    let shown = made.body["credentials"].as_array().expect("credentials").iter().find(|one| one["username"] == "app");
    let password = shown.expect("the owner's")["password"].as_str().expect("it is shown");
    let copy = Client::new(house, "copy", "app", password);
    assert_eq!(copy.psql("app", "SELECT count(*) FROM notes").as_deref(), Ok("1001"));
    let theirs = Client { password: owner.password.clone(), ..Client::new(house, "copy", "app", "") };
    assert!(theirs.psql("app", "SELECT 1").is_err(), "the other's password opens nothing here");
    assert_ne!(copy.psql("app", identity), owner.psql("app", identity), "it knows itself as another");
    let gone = house.api(Who::Account, "DELETE", "/v1/solutions/copy", None).expect("the API answers");
    assert_eq!(gone.status, 200, "{:?}", gone.body);
}

fn an_upgrade_and_its_undo(house: &House, owner: &Client<'_>) {
    let version = || owner.psql("app", "SHOW server_version_num").map(|text| text[..2].to_owned());
    assert_eq!(version().as_deref(), Ok("15"));
    let rows = owner.psql("app", "SELECT md5(string_agg(text, ',' ORDER BY id)) FROM notes");
    change(house, "pg", &json!({ "engine": "postgresql-17" }));
    assert_eq!(version().as_deref(), Ok("17"));
    assert_eq!(owner.psql("app", "SELECT md5(string_agg(text, ',' ORDER BY id)) FROM notes"), rows);
    owner.psql("app", "CREATE TABLE of_17 (a int)").expect("it serves on");
    undo(house, "pg");
    assert_eq!(version().as_deref(), Ok("15"), "undone");
    assert!(owner.psql("app", "SELECT * FROM of_17").is_err());
    assert_eq!(owner.psql("app", "SELECT md5(string_agg(text, ',' ORDER BY id)) FROM notes"), rows);
}

/// The first process of the instance's sandbox.
pub(super) fn server(house: &House, client: &Client<'_>) -> i32 {
    let number = client.port - 20_000;
    let path = format!("/run/husorden/{}/sandboxes/{number}.db/record.json", house.instance);
    // After a kill it is there again a moment later.
    let until = Instant::now() + PATIENCE;
    let record: Value = loop {
        match std::fs::read(&path) {
            Ok(record) => break serde_json::from_slice(&record).expect("a record"),
            Err(error) => assert!(Instant::now() < until, "{path}: {error}"),
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    i32::try_from(record["pid"].as_i64().expect("a pid")).expect("a pid")
}

/// After which the statement of a session that is open has its answer, if nothing cuts it.
pub(super) const ANSWERED: Duration = Duration::from_secs(10);

/// Sessions that are open are cut, new ones are told in the engine's own protocol, and after the lift all is as it was.
pub(super) fn a_measure(
    house: &House,
    name: &str,
    open: &mut Command,
    ask: &dyn Fn() -> Result<String, String>,
    expected: &str,
) {
    assert_eq!(ask().as_deref(), Ok(expected));
    let path = format!("/v1/solutions/{name}");
    let one = house.api(Who::Account, "GET", &path, None).expect("the API answers").body;
    // A session that is open is cut.
    let began = Instant::now();
    let mut open = open.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the client runs");
    std::thread::sleep(Duration::from_millis(500));
    let measure = super::suspension::decide(house, &json!({ "of": "solution", "id": one["id"] }));
    house.wait_state(name, "closed").unwrap_or_else(|error| panic!("{error}"));
    let told = ask().expect_err("it is closed");
    let case = measure["case_number"].as_str().expect("a number");
    assert!(told.contains("closed by a decision") && told.contains(case), "{told}");
    let path = format!("/v1/measures/{}/lift", measure["id"].as_str().expect("an id"));
    let reasons = json!({ "reasons": "The machine was cleaned and the password changed." });
    let lifted = house.api(Who::Staff, "POST", &path, Some(&reasons)).expect("the API answers");
    assert!(matches!(lifted.status, 200 | 202), "{:?}", lifted.body);
    house.wait_state(name, "running").unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(ask().as_deref(), Ok(expected), "as it was");
    // The session that was open got no answer when its statement was to end; its client may still wait for one, for it hears nothing more.
    std::thread::sleep((ANSWERED + Duration::from_secs(2)).saturating_sub(began.elapsed()));
    let _ = open.kill();
    assert!(!open.wait().expect("the client").success(), "it was cut");
}

/// An instance of MariaDB is held to the same.
fn mariadb(house: &House) {
    let spec = json!({ "engine": "mariadb-10.11", "allow": [{ "net": own_address(house) }],
        "databases": { "app": {}, "a_b": {}, "axb": {} },
        "users": { "app": { "grants": { "app": "owner" } }, "narrow": { "grants": { "a_b": "write" } } } });
    let made = create(house, "my", &spec);
    wait_running(house, "my");
    let owner = Client::first(house, "my", &made);
    assert!(owner.mariadb("app", "SHOW STATUS LIKE 'Ssl_cipher'").expect("it answers").contains("TLS_"));
    for sql in [
        "LOAD DATA INFILE '/etc/passwd' INTO TABLE t",
        "LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE t",
        "SELECT 1 INTO OUTFILE '/tmp/x'",
        "CREATE USER evil",
        "GRANT ALL ON *.* TO app",
        "SET GLOBAL general_log = ON",
        "INSTALL SONAME 'x'",
        "SELECT * FROM mysql.global_priv",
        "SELECT * FROM husorden.people",
        "SET PASSWORD = PASSWORD('short')",
        "SET PASSWORD = '*6C8989366EAF75BB670AD8EA7A7FC1176A95CEF4'",
    ] {
        owner.mariadb("app", "CREATE TABLE IF NOT EXISTS t (a text)").expect("a table");
        assert!(owner.mariadb("app", sql).is_err(), "{sql}");
    }
    // A log that is kept is no reason why its owner may not make these.
    owner.mariadb("app", "CREATE FUNCTION twice(n int) RETURNS int RETURN 2 * n").expect("a function");
    owner
        .mariadb("app", "CREATE TRIGGER whole BEFORE INSERT ON t FOR EACH ROW SET NEW.a = TRIM(NEW.a)")
        .expect("a trigger");
    assert_eq!(owner.mariadb("app", "SELECT LOAD_FILE('/etc/passwd')").as_deref(), Ok("NULL"));
    // It has words of its own for a disk that is full, and those of other languages.
    assert_eq!(owner.mariadb("app", "SELECT @@lc_messages_dir").as_deref(), Ok("/tmp/messages"));
    let danish =
        owner.mariadb("app", "SET lc_messages = 'da_DK'; SELECT * FROM nothing_there").expect_err("no such table");
    assert!(danish.contains("eksisterer ikke"), "{danish}");
    // The underscore of a name stands for itself.
    let narrow =
        made.body["credentials"].as_array().expect("credentials").iter().find(|one| one["username"] == "narrow");
    let narrow = Client::new(house, "my", "narrow", narrow.expect("it is there")["password"].as_str().expect("shown"));
    assert!(narrow.mariadb("a_b", "SELECT 1").is_ok());
    assert!(narrow.mariadb("axb", "SELECT 1").is_err());
    assert!(narrow.mariadb("a_b", "CREATE TABLE x (a int)").is_err(), "it may change rows only");

    owner.mariadb("app", "CREATE TABLE notes AS SELECT seq AS n FROM seq_1_to_1000").expect("rows");
    change(house, "my", &json!({ "engine": "mariadb-11.8" }));
    assert!(owner.mariadb("app", "SELECT VERSION()").expect("it answers").starts_with("11.8"));
    assert_eq!(owner.mariadb("app", "SELECT COUNT(*) FROM notes").as_deref(), Ok("1000"));
    undo(house, "my");
    assert!(owner.mariadb("app", "SELECT VERSION()").expect("it answers").starts_with("10.11"));
    let mut open = owner.mariadb_of("app", &format!("SELECT SLEEP({})", ANSWERED.as_secs()));
    a_measure(house, "my", &mut open, &|| owner.mariadb("app", "SELECT COUNT(*) FROM notes"), "1000");
    commands::people_and_parameters(house, "my");
    drivers::connect(house, "my", &Client::new(house, "my", "app", &rotate(house, "my", "app")));
}
