//! Databases as files, by the command line: got while they serve, loaded with the rights of an owner, brought back when it fails.

use super::database::beside;
use husorden_world::{House, PATIENCE, Who, hand, text};
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

#[test]
fn a_database_is_got_as_a_file_and_loaded_again() {
    let house = House::bare("flow", "").expect("the house comes up");
    let one = |name: &str, engine: &str, other: &str| {
        let spec = json!({ "engine": engine, "databases": { "app": {}, "a_b": {} } });
        let body = json!({ "kind": "database", "name": name, "spec": spec });
        let made = house.api(Who::Account, "POST", "/v1/solutions", Some(&body)).expect("the API answers");
        assert_eq!(made.status, 201, "{:?}", made.body);
        house.wait_state(name, "running").unwrap_or_else(|error| panic!("{error}"));
        there_and_back(&house, name, other);
        by_the_packages_own_commands(&house, name, engine);
        what_fails_is_brought_back(&house, name);
        what_a_file_may_not_do(&house, name);
    };
    beside(|| one("my", "mariadb-11.8", "sql"), || one("pg", "postgresql-17", "custom"));
    a_download_that_breaks(&house);
}

fn cli(house: &House, words: &[&str]) -> Output {
    house.cli(Who::Account, words).expect("the command line runs")
}

fn done(house: &House, words: &[&str]) {
    let output = cli(house, words);
    assert!(output.status.success(), "{words:?}: {}{}", text(&output.stdout), text(&output.stderr));
}

/// Loads SQL, and says why when it is refused.
fn load(house: &House, name: &str, part: &str, sql: &str) -> Result<(), String> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("in.sql");
    std::fs::write(&file, sql).expect("a file");
    let output = cli(house, &["--yes", "dump", "load", name, part, file.to_str().expect("a path")]);
    if output.status.success() { Ok(()) } else { Err(text(&output.stdout) + &text(&output.stderr)) }
}

fn got(house: &House, name: &str, part: &str, file: &Path) -> String {
    done(house, &["dump", "get", name, part, file.to_str().expect("a path")]);
    std::fs::read(file).map(|bytes| text(&bytes)).expect("the file is there")
}

fn there_and_back(house: &House, name: &str, other: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |file: &str| folder.path().join(file);
    let rows: Vec<String> = (0..2_000).map(|n| format!("({n}, 'row {n} with ''quotes'' and æøå')")).collect();
    let sql =
        format!("CREATE TABLE notes (n int PRIMARY KEY, said text); INSERT INTO notes VALUES {};", rows.join(", "));
    load(house, name, "app", &sql).unwrap_or_else(|error| panic!("{error}"));
    let first = got(house, name, "app", &path("first.sql"));
    assert!(first.contains("CREATE TABLE") && first.contains("row 1999 with "), "{}", &first[..first.len().min(400)]);
    // What went through is counted, and the next of the same is expected to be as large.
    let size = first.len() as u64;
    let orders = house.api(Who::Account, "GET", &format!("/v1/solutions/{name}/orders?newest=true&limit=1"), None);
    let last = orders.expect("the API answers").body["items"][0].clone();
    assert_eq!((&last["verb"], &last["part"], last["bytes"].as_u64()), (&json!("dump"), &json!("app"), Some(size)));
    let mut curl = Command::new("curl");
    curl.args([
        "-s",
        "-o",
        "/dev/null",
        "-D",
        "-",
        "-H",
        &format!("Authorization: Bearer {}", house.token(Who::Account)),
    ]);
    curl.arg(format!("{}/v1/solutions/{name}/dump?part=app&format=sql", house.api_address()));
    let heads = text(&curl.output().expect("curl runs").stdout).to_lowercase();
    assert!(heads.contains(&format!("husorden-bytes-expected: {size}\r")), "{heads}");
    // By way of each format into another database, and out again: the same rows.
    for format in ["sql.gz", other] {
        let file = path(if format == "custom" { "second.dump" } else { format });
        let file = file.to_str().expect("a path");
        done(house, &["dump", "get", name, "app", file, "--format", format]);
        let clear = "DROP TABLE IF EXISTS notes;";
        load(house, name, "a_b", clear).unwrap_or_else(|error| panic!("{error}"));
        done(house, &["--yes", "dump", "load", name, "a_b", file, "--format", format]);
        let again = got(house, name, "a_b", &path("again.sql"));
        let rows =
            |dump: &str| dump.lines().filter(|line| line.contains("row ")).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(rows(&again), rows(&first), "{format}");
    }
    assert!(cli(house, &["dump", "get", name, "nothing", "-"]).stdout.is_empty());
}

/// The package for leaving, put on a server of the same version that knows nothing of the platform, by the commands on its page, word for word.
fn by_the_packages_own_commands(house: &House, name: &str, engine: &str) {
    let folder = tempfile::tempdir_in("/var/tmp").expect("a folder");
    let file = folder.path().join("package.tar");
    done(house, &["solution", "package", name, file.to_str().expect("a path")]);
    let commands = opened(folder.path(), &file);
    let server = if engine.starts_with("postgresql") {
        format!(
            "export PATH=/usr/lib/postgresql/{}/bin:$PATH PGHOST=/srv/x PGUSER=postgres\n\
             initdb --pgdata=/srv/x/data --username=postgres --auth=trust --no-sync > /srv/x/log\n\
             postgres -D /srv/x/data -k /srv/x -h '' >> /srv/x/log 2>&1 &\nuntil psql -d postgres -c 'SELECT 1' > /dev/null 2>&1; do sleep 0.1; done\n",
            engine.rsplit('-').next().expect("a version")
        )
    } else {
        by_hand_mariadb()
    };
    let ask = if engine.starts_with("postgresql") {
        "psql -d app -At -c 'SELECT count(*) FROM notes' -c \"SELECT count(*) FROM pg_roles WHERE rolname IN ('app.owner', 'app.read', 'app.write')\""
    } else {
        "mariadb -BN -e 'SELECT count(*) FROM app.notes; SELECT count(*) + 2 FROM information_schema.schemata WHERE schema_name = \"a_b\"'"
    };
    let script = format!("set -e\n{server}cd /srv/x/solution-*\n{commands}\n{ask}\nkill %1; wait || true\n");
    let root = hand::runtime(house, engine).expect("its runtime");
    let mut command = hand::command(&root, folder.path(), NOBODY, &["timeout", "100", "/bin/bash", "-mc", &script]);
    let said = command.output().expect("it runs");
    let log = std::fs::read_to_string(folder.path().join("log")).unwrap_or_default();
    assert_eq!(text(&said.stdout), "2000\n3\n", "{name}:\n{script}\n{}\n{log}", text(&said.stderr));
}

/// User of a server by hand: one that every runtime knows.
const NOBODY: u32 = 65_534;

/// A MariaDB that is asked by its socket as root, in the background.
pub(super) fn by_hand_mariadb() -> String {
    "export HOME=/srv/x\nprintf '[client]\\nsocket=/srv/x/sock\\nuser=root\\n' > /srv/x/.my.cnf\n\
     mariadb-install-db --no-defaults --datadir=/srv/x/data --skip-test-db --auth-root-authentication-method=normal > /srv/x/log 2>&1\n\
     mariadbd --no-defaults --datadir=/srv/x/data --socket=/srv/x/sock --pid-file=/srv/x/pid --skip-networking --tmpdir=/tmp >> /srv/x/log 2>&1 &\n\
     until mariadb -e 'DO 1' > /dev/null 2>&1; do sleep 0.1; done\n"
        .to_owned()
}

/// Unpacks a package into a folder that is nobody's, and gives the commands of its page but for those that install packages.
pub(super) fn opened(folder: &Path, package: &Path) -> String {
    let mut tar = Command::new("tar");
    let unpacked = tar.arg("-xf").arg(package).arg("-C").arg(folder).output().expect("tar");
    assert!(unpacked.status.success() && unpacked.stderr.is_empty(), "{}", text(&unpacked.stderr));
    let inside = std::fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.path());
    let mut inside = inside.filter(|path| path.is_dir());
    let inside = inside.next().expect("one folder");
    let page = std::fs::read_to_string(inside.join("README.md")).expect("its page");
    let settings = std::fs::read(inside.join("settings.json")).expect("its settings");
    serde_json::from_slice::<Value>(&settings).expect("JSON");
    let owner = format!("{NOBODY}:{NOBODY}");
    assert!(Command::new("chown").arg("-R").arg(owner).arg(folder).status().expect("chown").success());
    let commands: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("    ")).collect();
    assert!(commands.iter().any(|line| line.starts_with("sha256sum")), "{page}");
    commands.into_iter().filter(|line| !line.starts_with("apt-get ")).collect::<Vec<_>>().join("\n")
}

fn what_fails_is_brought_back(house: &House, name: &str) {
    let why = load(
        house,
        name,
        "app",
        "CREATE TABLE half (n int);\nINSERT INTO half VALUES (1);\nSELECT nonsense FROM nowhere;\n",
    );
    let why = why.expect_err("it is refused");
    assert!(why.contains("nowhere"), "the engine's own words: {why}");
    let folder = tempfile::tempdir().expect("a folder");
    let after = got(house, name, "app", &folder.path().join("after.sql"));
    assert!(!after.contains("half") && after.contains("row 1999 with "));
    // What was loaded well is undone like any change.
    load(house, name, "app", "CREATE TABLE soon_gone (n int);").unwrap_or_else(|error| panic!("{error}"));
    let order = house.api(Who::Account, "POST", &format!("/v1/solutions/{name}/undo"), None).expect("the API answers");
    assert_eq!(order.status, 202, "{:?}", order.body);
    house.wait_order(order.body["id"].as_str().expect("an id")).expect("it is undone");
    let after = got(house, name, "app", &folder.path().join("undone.sql"));
    assert!(!after.contains("soon_gone") && after.contains("row 1999 with "));
}

/// A file is somebody's: it may do what an owner of the database may, and nothing else.
fn what_a_file_may_not_do(house: &House, name: &str) {
    let tries: &[&str] = if name == "pg" {
        &[
            "\\! touch /tmp/x\n",
            "\\connect postgres husorden\n",
            "\\unrestrict a\n\\! id\n",
            "\\copy (SELECT 1) TO '/tmp/x'\n",
            "RESET ROLE; RESET SESSION AUTHORIZATION; SET ROLE husorden;",
            "RESET ROLE; COPY (SELECT 1) TO PROGRAM 'id';",
            "RESET ROLE; SELECT pg_read_file('/etc/passwd');",
            "RESET ROLE; CREATE ROLE evil SUPERUSER;",
            "RESET ROLE; DROP DATABASE a_b;",
        ]
    } else {
        &[
            "\\! touch /tmp/x\n",
            "system id\n",
            "source /etc/passwd\n",
            "tee /tmp/x\nSELECT 1;\n",
            "CREATE USER evil;",
            "GRANT ALL ON *.* TO husorden_load@localhost;",
            "DROP DATABASE a_b;",
            "SELECT * FROM mysql.global_priv;",
            "SELECT 1 INTO OUTFILE '/tmp/x';",
        ]
    };
    for sql in tries {
        assert!(load(house, name, "app", sql).is_err(), "{sql}");
    }
}

/// Whoever goes in the middle gets half a stream, and nothing is left of it at work.
fn a_download_that_breaks(house: &House) {
    let rows =
        "CREATE TABLE large AS SELECT g AS n, repeat(md5(g::text), 40) AS said FROM generate_series(1, 200000) g;";
    load(house, "pg", "app", rows).unwrap_or_else(|error| panic!("{error}"));
    let url = format!("{}/v1/solutions/pg/dump?part=app&format=sql", house.api_address());
    let mut curl = Command::new("curl");
    curl.args([
        "-s",
        "--limit-rate",
        "1M",
        "--max-time",
        "2",
        "-o",
        "/dev/null",
        "-w",
        "%{http_code} %{size_download}",
        &url,
    ]);
    curl.args(["-H", &format!("Authorization: Bearer {}", house.token(Who::Account))]);
    let cut = curl.output().expect("curl runs");
    assert!(!cut.status.success() && text(&cut.stdout).starts_with("200 "), "{}", text(&cut.stdout));
    let end = Instant::now() + PATIENCE;
    loop {
        let orders =
            house.api(Who::Account, "GET", "/v1/solutions/pg/orders?limit=200", None).expect("the API answers");
        let last = orders.body["items"].as_array().and_then(|items| items.last()).cloned().unwrap_or(Value::Null);
        if last["verb"] == "dump" && last["state"] == "failed" {
            break;
        }
        assert!(Instant::now() < end, "{last}");
        std::thread::sleep(Duration::from_millis(100));
    }
    let one = house.api(Who::Account, "GET", "/v1/solutions/pg", None).expect("the API answers").body;
    assert!(super::pids(house, one["number"].as_u64().expect("a number"), "dump").is_empty());
    let folder = tempfile::tempdir().expect("a folder");
    assert!(got(house, "pg", "app", &folder.path().join("whole.sql")).ends_with("\n"), "the next one is whole");
}
