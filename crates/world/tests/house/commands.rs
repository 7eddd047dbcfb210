//! The nouns that a kind's schema gives the command line, on a real instance: users, databases and parameters are made, changed, shown
//! and dropped, a chosen password comes from standard input, and what is wrong is told by the flag it was typed in.

use crate::database::Client;
use husorden_world::{House, Who, text};
use serde_json::Value;
use std::io::Write;
use std::process::{Command, Stdio};

/// Runs a command of the account; the other is what it was refused with.
fn run(house: &House, line: &str) -> Result<String, String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let output = house.cli(Who::Account, &words).expect("the command line runs");
    let (out, error) = (text(&output.stdout), text(&output.stderr));
    if output.status.success() { Ok(out) } else { Err(error) }
}

fn json(house: &House, line: &str) -> Value {
    let out = run(house, &format!("{line} -o json")).unwrap_or_else(|error| panic!("{line}: {error}"));
    serde_json::from_str(&out).unwrap_or_else(|error| panic!("{line}: {error}: {out}"))
}

/// The same with a password on standard input.
fn with_password(house: &House, line: &str, password: &str) -> (bool, String) {
    let mut command = Command::new(&house.binary);
    command.args(line.split_whitespace()).env("HUSORDEN_API", house.api_address());
    command.env("HUSORDEN_TOKEN", house.token(Who::Account)).env("LANG", "en_GB.UTF-8");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the command line runs");
    writeln!(child.stdin.take().expect("a pipe"), "{password}").expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    (output.status.success(), text(&output.stdout) + &text(&output.stderr))
}

/// On the instance of MariaDB with this name, which has a database `app`.
pub(crate) fn people_and_parameters(house: &House, name: &str) {
    json(house, &format!("database db create {name} stats"));
    let made = json(house, &format!("database user create {name} report --grant app=read,stats=write"));
    let password = made["password"].as_str().expect("it is shown once");
    let report = Client::new(house, name, "report", password);
    assert_eq!(report.mariadb("app", "SELECT COUNT(*) FROM notes").as_deref(), Ok("1000"));
    assert!(report.mariadb("stats", "CREATE TABLE x (a int)").is_err(), "it may change rows only");

    json(house, &format!("database user change {name} report --grant stats=owner --grant app=none"));
    report.mariadb("stats", "CREATE TABLE x (a int)").expect("it is an owner now");
    assert!(report.mariadb("app", "SELECT 1").is_err(), "and nothing elsewhere");
    let all = json(house, &format!("database user list {name}"));
    let one = all.as_array().expect("a list").iter().find(|one| one["name"] == "report").expect("it is listed");
    assert_eq!(one["grants"], serde_json::json!({ "stats": "owner" }));
    assert!(run(house, &format!("database user list {name}")).expect("a table").contains("stats=owner"));

    // A password of one's own is read, judged, and on no command line.
    let rotate = format!("database user rotate {name} report --password-file - --yes");
    let (done, said) = with_password(house, &rotate, "password12345678");
    assert!(!done && said.contains("--password-file: It is too easy to guess"), "{said}");
    let (done, said) = with_password(house, &rotate, "viaduct-marmalade-orbit-7");
    assert!(done && said.contains("the password is set"), "{said}");
    house.wait_state(name, "running").expect("it runs");
    let report = Client::new(house, name, "report", "viaduct-marmalade-orbit-7");
    assert!(report.mariadb("stats", "SELECT 1").is_ok());
    let create = format!("database user create {name} etl --grant app=write --password-file -");
    let (done, said) = with_password(house, &create, "short");
    assert!(!done && said.contains("--password-file"), "{said}");
    assert!(run(house, &format!("database user change {name} etl --grant app=read")).is_err(), "it was not made");

    for (line, said) in [
        (format!("database user create {name} Report"), "NAME: A name has 1 to 40 characters"),
        (format!("database user create {name} report"), "exists already"),
        (format!("database user change {name} report --grant app=all"), "--grants.app: One of these"),
        (format!("database db create {name} more --extensions citext"), "--extensions: MariaDB has no extensions"),
        (format!("database user drop {name} nobody --yes"), "There are: "),
        (format!("database user drop {name} report"), "Repeat with --yes"),
        (format!("database parameter set {name} work_mem=4096"), "cannot be set here. There are: "),
        (format!("database parameter set {name} wait_timeout=1"), "--parameters.wait-timeout: A whole number from 10"),
    ] {
        let refused = run(house, &line).expect_err(&line);
        assert!(refused.contains(said), "{line}: {refused}");
    }

    json(house, &format!("database parameter set {name} wait_timeout=100 long_query_time=2"));
    assert_eq!(report.mariadb("stats", "SELECT @@global.wait_timeout").as_deref(), Ok("100"));
    let all = json(house, &format!("database parameter list {name}"));
    let one = all.as_array().expect("a list").iter().find(|one| one["name"] == "wait_timeout").expect("it is listed");
    assert_eq!((&one["value"], &one["default"], &one["unit"]), (&100.into(), &28_800.into(), &"s".into()));
    json(house, &format!("database parameter reset {name} wait_timeout"));
    assert_eq!(report.mariadb("stats", "SELECT @@global.wait_timeout").as_deref(), Ok("28800"), "the default is true");

    json(house, &format!("database user drop {name} report --yes"));
    assert!(report.mariadb("stats", "SELECT 1").is_err(), "it is gone");
    json(house, &format!("database db drop {name} stats --yes"));
}
