//! The pooler of an instance of PostgreSQL, by ordinary clients over TLS: who gets in and who does not, sessions that are shared, a new
//! password that holds at once, prepared statements, a restart of the server, and a measure.

use super::database::{Client, a_measure, beside, change, create, own_address, rotate, said, wait_running};
use super::drivers;
use husorden_world::{House, Who, text};
use serde_json::json;
use std::collections::BTreeSet;
use std::process::{Command, Stdio};

/// Sessions of the server that the pooler may hold.
const SIZE: u32 = 2;
/// Clients that come at the same time.
const CLIENTS: usize = 24;

#[test]
fn clients_share_sessions_of_the_server() {
    let house = House::bare("pool", "").expect("the house comes up");
    beside(|| one(&house, "pg", "postgresql-17"), || one(&house, "old", "postgresql-15"));
}

fn one(house: &House, name: &str, engine: &str) {
    let spec = json!({ "engine": engine, "pooler": "transaction", "pooler_size": SIZE,
        "users": { "app": { "grants": { "app": "owner" } }, "reader": { "grants": { "app": "read" } } },
        "allow": [{ "net": own_address(house) }] });
    let made = create(house, name, &spec);
    wait_running(house, name);
    let owner = Client::first(house, name, &made);
    owner.psql("app", "CREATE TABLE notes AS SELECT n FROM generate_series(1, 1000) n").expect("rows");
    who_gets_in(&owner);
    sessions_are_shared(&owner);
    statements_are_prepared(&owner, name == "pg");
    drivers::connect(house, name, &owner);
    let owner = a_new_password_holds_at_once(house, name, &owner);
    what_restarts_and_who_goes(house, name, &owner);
    let pooled = owner.pooled();
    let mut open = pooled.psql_of("app");
    open.args(["--command", &format!("SELECT pg_sleep({})", super::database::ANSWERED.as_secs())]);
    a_measure(house, name, &mut open, &|| pooled.psql("app", "SELECT count(*) FROM notes"), "1000");
    off_and_gone(house, name, &owner);
}

fn who_gets_in(owner: &Client<'_>) {
    let pooled = owner.pooled();
    // As oneself, and by the pooler: the server sees nobody's address.
    assert_eq!(
        pooled.psql("app", "SELECT current_user, inet_client_addr() IS NULL").as_deref(),
        Ok("app|t"),
        "it leads to the same database"
    );
    let wrong = |user: &str, password: &str| pooled.with(user, password).psql("app", "SELECT 1").expect_err(user);
    assert!(wrong("app", "not the password at all").contains("authentication failed"));
    for user in ["nobody", "husorden", "husorden_pool", "husorden_load", "pgbouncer"] {
        let refused = wrong(user, &owner.password);
        assert!(
            refused.contains("failed") || refused.contains("reject") || refused.contains("denied"),
            "{user}: {refused}"
        );
    }
    // Its own desk is the platform's, by its socket alone.
    let refused = pooled.psql("pgbouncer", "SHOW CONFIG").expect_err("it is not theirs");
    assert!(refused.contains("not allowed") || refused.contains("failed"), "{refused}");
    // Rights are those of the user, and verifiers are nobody's.
    for sql in ["SELECT rolpassword FROM pg_authid", "SET ROLE husorden_pool", "SET ROLE husorden"] {
        assert!(pooled.psql("app", sql).expect_err(sql).contains("permission denied"), "{sql}");
    }
    // Nothing in clear.
    let plain = pooled.to("app").replace("sslmode=verify-full", "sslmode=disable");
    let plain = said(Command::new("psql").args([&plain, "--command", "SELECT 1"]).env("PGPASSWORD", &owner.password));
    assert!(plain.is_err(), "{plain:?}");
}

/// Many clients at the same time, each for one transaction: they are served by few sessions, and all are served.
fn sessions_are_shared(owner: &Client<'_>) {
    let pooled = owner.pooled();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let mut psql = pooled.psql_of("app");
            psql.args(["--command", "SELECT pg_backend_pid() FROM pg_sleep(0.05)"]);
            psql.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("psql runs")
        })
        .collect();
    let mut pids = BTreeSet::new();
    for client in clients {
        let output = client.wait_with_output().expect("psql ends");
        assert!(output.status.success(), "{}", text(&output.stderr));
        pids.insert(text(&output.stdout).trim().to_owned());
    }
    assert!(!pids.is_empty() && pids.len() <= SIZE as usize, "{pids:?}");
}

/// What drivers prepare is there in each transaction, whichever session that gets, where the pooler knows how.
fn statements_are_prepared(owner: &Client<'_>, knows: bool) {
    let bench = |client: &Client<'_>| {
        let mut pgbench = Command::new("pgbench");
        let script = "\\set n random(1, 1000)\nSELECT count(*) FROM notes WHERE n = :n;\n";
        let file = std::env::temp_dir().join(format!("notes-{}-{}.sql", std::process::id(), client.port));
        std::fs::write(&file, script).expect("it is written");
        pgbench.args(["--no-vacuum", "--protocol=prepared", "--client=6", "--jobs=2", "--transactions=40"]);
        pgbench.arg(format!("--file={}", file.display())).arg(client.to("app")).env("PGPASSWORD", &client.password);
        let output = pgbench.output().expect("pgbench runs");
        std::fs::remove_file(&file).expect("it goes");
        text(&output.stdout) + &text(&output.stderr)
    };
    // It says what it could not prepare, and goes on where another has prepared the same.
    let fine = |told: &str| told.contains("actually processed: 240/240") && !told.contains("prepared statement");
    let (direct, pooled) = (bench(owner), bench(&owner.pooled()));
    assert!(fine(&direct), "{direct}");
    assert_eq!(fine(&pooled), knows, "{pooled}");
}

fn a_new_password_holds_at_once<'a>(house: &'a House, name: &str, owner: &Client<'a>) -> Client<'a> {
    assert_eq!(owner.pooled().psql("app", "SELECT 1").as_deref(), Ok("1"));
    let fresh = owner.with("app", &rotate(house, name, "app"));
    assert_eq!(fresh.pooled().psql("app", "SELECT 1").as_deref(), Ok("1"), "the new one");
    assert!(owner.pooled().psql("app", "SELECT 1").expect_err("the old one").contains("authentication failed"));
    // One that is set in SQL, by the pooler itself.
    let own = owner.with("app", "viaduct-marmalade-orbit-7");
    fresh.pooled().psql("app", &format!("ALTER ROLE app PASSWORD '{}'", own.password)).expect("it is set");
    assert_eq!(own.pooled().psql("app", "SELECT 1").as_deref(), Ok("1"), "the new one");
    assert!(fresh.pooled().psql("app", "SELECT 1").is_err(), "the old one");
    // A time after which it holds no more is the server's word too.
    own.psql("app", "ALTER ROLE app VALID UNTIL '2001-01-01'").expect_err("it is the platform's");
    own
}

fn what_restarts_and_who_goes(house: &House, name: &str, owner: &Client<'_>) {
    // The server is started anew; who comes by the pooler waits for it.
    let began = owner.psql("app", "SELECT pg_postmaster_start_time()").expect("it answers");
    change(house, name, &json!({ "connections": 60 }));
    assert_ne!(owner.pooled().psql("app", "SELECT pg_postmaster_start_time()").expect("it answers"), began);
    // Another size and mode are taken up while it runs.
    change(house, name, &json!({ "pooler": "session", "databases": { "other": {} } }));
    assert!(owner.pooled().psql("other", "SELECT 1").expect_err("it has no right there").contains("permission denied"));
    let session = owner.pooled().psql("app", "SET work_mem = '77kB'; SELECT pg_sleep(0); SHOW work_mem");
    assert!(session.expect("it answers").contains("77kB"));
    // Who is taken away is gone by both ways.
    let reader = owner.with("reader", &rotate(house, name, "reader"));
    assert_eq!(reader.pooled().psql("app", "SELECT count(*) FROM notes").as_deref(), Ok("1000"));
    assert!(
        reader.pooled().psql("app", "DELETE FROM notes").expect_err("it may only see").contains("permission denied")
    );
    change(house, name, &json!({ "users": { "reader": null } }));
    assert!(reader.pooled().psql("app", "SELECT 1").is_err());
    // An address that is taken off the list reaches neither.
    change(house, name, &json!({ "allow": [{ "net": "203.0.113.0/24" }] }));
    let refused = owner.pooled().patient(2).psql("app", "SELECT 1").expect_err("it is not on the list");
    assert!(refused.contains("timeout") || refused.contains("refused"), "{refused}");
    change(house, name, &json!({ "allow": [{ "net": own_address(house) }] }));
}

fn off_and_gone(house: &House, name: &str, owner: &Client<'_>) {
    // Nothing of it stands in a file that the customer gets.
    let dump =
        house.cli(Who::Account, &["dump", "get", name, "app", "-", "--format", "sql"]).expect("the command line runs");
    let dump = text(&dump.stdout) + &text(&dump.stderr);
    assert!(dump.contains("CREATE TABLE") && !dump.contains("husorden_pool"), "{dump}");
    change(house, name, &json!({ "pooler": "off" }));
    assert!(owner.pooled().patient(2).psql("app", "SELECT 1").is_err(), "its port leads nowhere");
    let left = owner.psql("app", "SELECT count(*) FROM pg_roles WHERE rolname = 'husorden_pool'");
    assert_eq!(left.as_deref(), Ok("0"));
}
