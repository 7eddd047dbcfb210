//! What programs connect with: each driver is fed the line of the instance's card as it stands, beside the file of the authority that
//! anybody may fetch. With the name of another instance in the line it must not connect.

use crate::database::{Client, said};
use husorden_base::Number;
use husorden_kinds::{Snippet, Whereabouts, kind};
use husorden_world::{House, Who, text};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the drivers' programs lie.
fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/drivers")
}

/// Why Node.js has no drivers here, if it has none.
fn without_node() -> Option<String> {
    super::without_modules(&scripts(), "pg")
}

/// PostgreSQL's driver of Java, where it is installed. Debian's of MariaDB is older than the words of the line.
const JAR: &str = "/usr/share/java/postgresql.jar";

/// Whether PHP is here with the driver that a line names.
fn php(code: &str) -> bool {
    let driver = if code.contains("'pgsql:") { "pdo_pgsql" } else { "pdo_mysql" };
    let modules = Command::new("php").arg("-m").output();
    modules.is_ok_and(|output| text(&output.stdout).lines().any(|line| line == driver))
}

/// The lines of a user of an instance.
fn lines(house: &House, name: &str, user: &str) -> Vec<Snippet> {
    let one = house.api(Who::Account, "GET", &format!("/v1/solutions/{name}"), None).expect("the API answers").body;
    let number = one["number"].as_u64().and_then(|number| Number::new(u32::try_from(number).ok()?)).expect("a number");
    let at = Whereabouts { number, host: one["host"].as_str().expect("it has a name").to_owned(), image: None };
    kind("database").expect("the kind").snippets(&at, &one["spec"], user)
}

/// Every driver that is here counts the notes.
pub(crate) fn connect(house: &House, name: &str, client: &Client<'_>) {
    let folder = house.home().join(format!("drivers-{name}"));
    std::fs::create_dir_all(&folder).expect("a folder");
    // Without a log-in.
    let ca = house.cli(Who::Nobody, &["ca"]).expect("the command line runs");
    assert!(ca.status.success() && text(&ca.stdout).starts_with("-----BEGIN CERTIFICATE-----"), "{}", text(&ca.stderr));
    std::fs::write(folder.join("ca.pem"), &ca.stdout).expect("it is written");
    let missing = without_node();
    if let Some(reason) = &missing {
        eprintln!("no driver of Node.js was tried: {reason}");
    }
    let file = |name: &str| scripts().join(name).to_string_lossy().into_owned();
    let mut tried = Vec::new();
    for line in lines(house, name, &client.user) {
        let [node, python, script, java] = ["notes.mjs", "notes.py", "notes.php", "Notes.java"].map(file);
        let program: &[&str] = match line.name.trim_end_matches(", pooler") {
            "psql" => &["sh", "-c", "eval \"$CODE --no-psqlrc -At --command='SELECT count(*) FROM notes'\""],
            name if name.starts_with("Node.js") && missing.is_none() => &["node", &node],
            name if name.starts_with("Python") => &["/usr/bin/python3", &python],
            name if name.starts_with("PHP") && php(&line.code) => &["php", &script],
            "JDBC" if line.code.starts_with("jdbc:postgresql:") && Path::new(JAR).exists() => {
                &["java", "-cp", JAR, &java]
            }
            _ => continue,
        };
        let run = |code: &str| {
            let mut command = client.beside(&folder, program);
            said(command.env("CODE", code).env("PGPASSWORD", &client.password).env("PASSWORD", &client.password))
        };
        let count = run(&line.code).unwrap_or_else(|error| panic!("{}: {error}", line.name));
        assert!(count == "1000" || count == "1001", "{}: {count}", line.name);
        let refused = run(&line.code.replace(&client.host, "another.solutions.test")).expect_err("another name");
        assert!(
            ["does not match", "mismatch", "altnames", "did not match", "could not be verified"]
                .iter()
                .any(|word| refused.contains(word)),
            "{}: {refused}",
            line.name
        );
        tried.push(line.name);
    }
    eprintln!("{name} was reached by {}", tried.join(", "));
    assert!(tried.len() >= 2 - usize::from(missing.is_some()), "{tried:?}");
}
