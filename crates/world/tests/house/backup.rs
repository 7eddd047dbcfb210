//! The whole story of backups on real engines: a WordPress and a PostgreSQL are backed up, read by stock restic with the key from paper,
//! restored in place, undone, restored beside and file by file, through a killed node and a target that is away; and a deleted solution's
//! backups open with nothing.

use super::database::{Client, create, own_address, wait_running};
use super::site_log::{ASK, ask as sql};
use super::{eventually, site, until, upload};
use husorden_world::{House, PATIENCE, Who, text};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

fn ask(house: &House, method: &str, path: &str, body: Option<&Value>, status: u16) -> Value {
    let answer = house.api(Who::Account, method, path, body).expect("the API answers");
    assert_eq!(answer.status, status, "{method} {path}: {:?}", answer.body);
    answer.body
}

fn get(house: &House, path: &str) -> Value {
    ask(house, "GET", path, None, 200)
}

/// Orders a backup; it is not waited for.
fn ordered(house: &House, name: &str) -> Value {
    ask(house, "POST", &format!("/v1/solutions/{name}/backups"), None, 202)
}

fn ended(house: &House, name: &str, backup: &Value) -> Value {
    let path = format!("/v1/solutions/{name}/backups/{}", backup["id"].as_str().expect("an id"));
    let end = Instant::now() + PATIENCE;
    loop {
        let one = get(house, &path);
        if one["state"] != "writing" {
            return one;
        }
        assert!(Instant::now() < end, "it ends: {one}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Backs a solution up and gives the backup's id.
fn backed_up(house: &House, name: &str) -> String {
    let one = ended(house, name, &ordered(house, name));
    assert_eq!(one["state"], "ready", "{one}");
    one["id"].as_str().expect("an id").to_owned()
}

fn restored(house: &House, name: &str, backup: &str, what: &Value) {
    let path = format!("/v1/solutions/{name}/backups/{backup}/restore");
    let order = ask(house, "POST", &path, Some(what), 202);
    let done = house.wait_order(order["order"]["id"].as_str().expect("an id")).expect("it ends");
    assert_eq!(done["state"], "done", "{done}");
}

fn undone(house: &House, name: &str) {
    let order = ask(house, "POST", &format!("/v1/solutions/{name}/undo"), None, 202);
    assert_eq!(house.wait_order(order["id"].as_str().expect("an id")).expect("it ends")["state"], "done");
}

/// What is read of a backup, as it comes.
fn read(house: &House, name: &str, backup: &str, what: &str) -> Vec<u8> {
    let url = format!("{}/v1/solutions/{name}/backups/{backup}/{what}", house.api_address());
    let header = format!("authorization: Bearer {}", house.token(Who::Account));
    let mut curl = Command::new("curl");
    let said = curl.args(["-sS", "--fail-with-body", "--max-time", "60", "-H", &header, &url]).output().expect("curl");
    assert!(said.status.success(), "{what}: {} {}", text(&said.stdout), text(&said.stderr));
    said.stdout
}

/// Stock restic, with the key as the paper opens it.
struct Restic {
    repository: PathBuf,
    password: String,
}

impl Restic {
    fn of(house: &House, paper: &Path, solution: &Value) -> Self {
        let (id, number) = (solution["id"].as_str().expect("an id"), solution["number"].to_string());
        let file = house.run(&["vault", "key", id, &number]).expect("it runs");
        assert!(file.status.success(), "{}", text(&file.stderr));
        let mut age = Command::new("age");
        age.arg("-d").arg("-i").arg(paper).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut age = age.spawn().expect("age is installed");
        std::io::Write::write_all(&mut age.stdin.take().expect("a pipe"), &file.stdout).expect("written");
        let said = age.wait_with_output().expect("an end");
        assert!(said.status.success());
        Self { repository: house.home().join("backups").join(number), password: text(&said.stdout) }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut restic = Command::new("restic");
        restic.arg("-r").arg(&self.repository).args(["--no-cache", "--no-lock"]).args(arguments);
        restic.env("RESTIC_PASSWORD", &self.password).output().expect("restic is installed")
    }

    fn snapshots(&self) -> usize {
        let said = self.run(&["snapshots", "--json"]);
        assert!(said.status.success(), "{}", text(&said.stderr));
        let list: Value = serde_json::from_slice(&said.stdout).expect("JSON");
        list.as_array().expect("a list").len()
    }
}

fn ready(house: &House, name: &str) -> usize {
    let list = get(house, &format!("/v1/solutions/{name}/backups?limit=100"));
    list["items"].as_array().expect("a list").iter().filter(|backup| backup["state"] == "ready").count()
}

#[test]
fn what_is_backed_up_comes_back() {
    let care = "care = { sweep_s = 2, tidy_s = 1, grace_s = 2 }";
    let top = "retention_days = 0\n[proof]\npool = \"4 GiB\"";
    let house = House::up_with("backup", top, care).expect("the house comes up");
    let paper = house.home().join("paper.txt");
    let said = house.run(&["vault", "recovery", "--into-pipe"]).expect("it runs");
    let said = text(&said.stdout);
    let key = said.split_whitespace().find(|word| word.starts_with("AGE-SECRET-KEY-")).expect("the key");
    std::fs::write(&paper, format!("{key}\n")).expect("paper");

    a_table_comes_back(&house, &paper);
    a_proof_needs_nothing_of_the_node(&house);
    files_come_back(&house, &paper);
    what_expired_is_told(&house, &paper);
    a_site_is_taken_along(&house);
    deaths_leave_nothing_half(&house, &paper);
    what_is_erased_opens_with_nothing(&house, &paper);
}

fn a_table_comes_back(house: &House, paper: &Path) {
    let made = create(house, "store", &json!({ "engine": "postgresql-15", "allow": [{ "net": own_address(house) }] }));
    wait_running(house, "store");
    let client = Client::first(house, "store", &made);
    let rows = || client.psql("app", "select count(*) from orders").map(|rows| rows.trim().to_owned());
    client
        .psql("app", "create table orders as select n, md5(n::text) from generate_series(1, 10000) n")
        .expect("a table");
    let backup = backed_up(house, "store");
    // Stock restic reads it with the key from paper, and finds nothing wrong.
    let restic = Restic::of(house, paper, &made.body["solution"]);
    let checked = restic.run(&["check", "--read-data"]);
    assert!(checked.status.success(), "{}{}", text(&checked.stdout), text(&checked.stderr));
    let home = tempfile::tempdir_in("/var/tmp").expect("a folder");
    let to = home.path().to_str().expect("a path");
    let back = restic.run(&["restore", "latest", "--target", to]);
    assert!(back.status.success(), "{}", text(&back.stderr));
    let mut find = Command::new("find");
    let found = find.args([to, "-name", "pg_control"]).output().expect("find");
    assert!(!found.stdout.is_empty(), "the cluster is there");

    client.psql("app", "drop table orders").expect("dropped");
    restored(house, "store", &backup, &json!({ "only": "everything" }));
    wait_running(house, "store");
    assert_eq!(rows(), Ok("10000".to_owned()), "as of the backup, at the same address, with the same password");
    undone(house, "store");
    wait_running(house, "store");
    assert!(rows().is_err(), "undone: the table is dropped again");

    // Beside: another instance of the account, made from the backup.
    let body = json!({ "kind": "database", "name": "beside", "from": { "solution": "store", "backup": backup } });
    let other = house.api(Who::Account, "POST", "/v1/solutions", Some(&body)).expect("the API answers");
    assert_eq!(other.status, 201, "{:?}", other.body);
    wait_running(house, "beside");
    let beside = Client::first(house, "beside", &other);
    let there = beside.psql("app", "select count(*) from orders");
    assert!(there.is_ok_and(|rows| rows.trim() == "10000"), "the copy holds what the backup held");
}

/// A backup is proven by the role for that, on its own pool, while the node that made it stands still. It is the first of its solution, for
/// each is proven once a day.
fn a_proof_needs_nothing_of_the_node(house: &House) {
    let backup = backed_up(house, "beside");
    let stand = |signal: &str| {
        let pid = house.pid("node").expect("it runs").to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().expect("kill runs").success());
    };
    stand("-STOP");
    let end = Instant::now() + PATIENCE;
    let proof = loop {
        let proofs = house.api(Who::Staff, "GET", "/v1/solutions/beside/proofs", None).expect("the API answers").body;
        let of_it = proofs["items"].as_array().expect("a list").iter().find(|proof| proof["backup"] == backup.as_str());
        match of_it.filter(|proof| proof["state"] != "proving") {
            Some(proof) => break proof.clone(),
            None if Instant::now() < end => std::thread::sleep(Duration::from_millis(500)),
            None => break proofs,
        }
    };
    stand("-CONT");
    assert_eq!(
        (&proof["state"], &proof["node"], &proof["level"]),
        (&json!("passed"), &json!("proof"), &json!("opened")),
        "{proof}"
    );
}

fn files_come_back(house: &House, paper: &Path) {
    let files: [(&str, &[u8]); 2] = [("notes/one.txt", b"as it was"), ("stays.txt", b"the same")];
    assert_eq!(upload(house, "blog", &files)["state"], "done");
    let first = backed_up(house, "blog");
    let evil: [(&str, &[u8]); 2] = [("notes/one.txt", b"defaced by somebody"), ("evil.php", b"<?php echo 1;")];
    assert_eq!(upload(house, "blog", &evil)["state"], "done");
    let second = backed_up(house, "blog");
    let front = |path: &str| house.get("blog.demo-sites.test", path, &[]).expect("curl runs").body;

    // Browsed, compared, downloaded: the same bytes as stock restic's.
    let root = get(house, &format!("/v1/solutions/blog/backups/{first}/files?path="));
    let names: Vec<&str> =
        root["entries"].as_array().expect("entries").iter().filter_map(|entry| entry["name"].as_str()).collect();
    let changes = get(house, &format!("/v1/solutions/blog/backups/{second}/changes?since={first}&path="));
    let changed = |end: &str| {
        let all = changes["changes"].as_array().expect("changes").iter();
        all.filter(|one| one["path"].as_str().is_some_and(|path| path.ends_with(end)))
            .map(|one| {
                (one["path"].as_str().expect("a path").to_owned(), one["change"].as_str().expect("a word").to_owned())
            })
            .next()
            .unwrap_or_else(|| panic!("{end} in {changes}; the root holds {names:?}"))
    };
    let (path, change) = changed("notes/one.txt");
    assert_eq!((change.as_str(), changed("evil.php").1.as_str()), ("changed", "added"));
    assert_eq!(read(house, "blog", &first, &format!("content?path={path}")), b"as it was");
    assert_eq!(read(house, "blog", &second, &format!("content?path={path}")), b"defaced by somebody");
    let blog = get(house, "/v1/solutions/blog");
    let restic = Restic::of(house, paper, &blog);
    let listed = restic.run(&["ls", "latest", "--json"]);
    let listed = text(&listed.stdout);
    let inside = listed
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find_map(|node| node["path"].as_str().filter(|it| it.ends_with(&path)).map(str::to_owned))
        .expect("restic lists it");
    assert_eq!(restic.run(&["dump", "latest", &inside]).stdout, b"defaced by somebody");

    restored(house, "blog", &first, &json!({ "only": "path", "path": path }));
    eventually(house, "blog.demo-sites.test", "/", 200);
    assert_eq!((front("/notes/one.txt"), front("/stays.txt")), ("as it was".to_owned(), "the same".to_owned()));
    assert_eq!(
        house.get("blog.demo-sites.test", "/evil.php", &[]).expect("curl runs").status,
        200,
        "only the one file"
    );
    undone(house, "blog");
    assert_eq!(front("/notes/one.txt"), "defaced by somebody");
    // Whoever was in came by a file that comes back too: that is said until it is another.
    let folder = path.strip_suffix("notes/one.txt").expect("it lies in a folder");
    let form = json!({ "only": "everything", "hole": format!("{folder}stays.txt") });
    restored(house, "blog", &first, &form);
    eventually(house, "blog.demo-sites.test", "/", 200);
    assert_eq!(front("/notes/one.txt"), "as it was");
    assert_eq!(house.get("blog.demo-sites.test", "/evil.php", &[]).expect("curl runs").status, 404, "it is gone");
    let open = || {
        let shown = get(house, "/v1/solutions/blog");
        shown["findings"].as_array().expect("findings").iter().any(|finding| finding["name"] == "hole-open")
    };
    until("the hole is said to be open", open);
    assert_eq!(upload(house, "blog", &[("stays.txt", b"mended")])["state"], "done");
    until("it is closed", || !open());
}

/// A WordPress as a package, put back by the commands on its page beside a MariaDB that knows nothing of the platform.
fn a_site_is_taken_along(house: &House) {
    let folder = tempfile::tempdir_in("/var/tmp").expect("a folder");
    let file = folder.path().join("package.tar");
    let said =
        house.cli(Who::Account, &["solution", "package", "blog", file.to_str().expect("a path")]).expect("it runs");
    assert!(said.status.success(), "{}{}", text(&said.stdout), text(&said.stderr));
    // The one thing that is changed is where sites lie, for the root that it is tried in is read-only.
    let commands = super::flow::opened(folder.path(), &file).replace("/var/www/", "/srv/x/www/");
    let ask = "cd /srv/x/www/blog.demo-sites.test\n! grep -q husorden/db.sock wp-config.php\ncat notes/one.txt; echo\n\
               mariadb --user=site --password=\"$password\" -BN -e \"SELECT option_value FROM wp_options WHERE option_name = 'home'\" site";
    let script = format!(
        "set -e\n{}cd /srv/x/solution-*\n{commands}\n{ask}\nkill %1; wait || true\n",
        super::flow::by_hand_mariadb()
    );
    let root = husorden_world::hand::runtime(house, "mariadb-11.8").expect("its runtime");
    let mut command =
        husorden_world::hand::command(&root, folder.path(), 65_534, &["timeout", "100", "/bin/bash", "-mc", &script]);
    let said = command.output().expect("it runs");
    let log = std::fs::read_to_string(folder.path().join("log")).unwrap_or_default();
    assert_eq!(
        text(&said.stdout),
        "as it was\nhttps://blog.demo-sites.test\n",
        "{script}\n{}\n{log}",
        text(&said.stderr)
    );
}

/// The target's own side, which has a token for this alone: what it removed is gone in control, and the rest restores.
fn what_expired_is_told(house: &House, paper: &Path) {
    let form = json!({ "label": "target", "scope": { "capabilities": ["target-keep"] } });
    let made = house.api(Who::Staff, "POST", "/v1/tokens", Some(&form)).expect("the API answers");
    assert_eq!(made.status, 201, "{:?}", made.body);
    let at = |name: &str| house.home().join(name).display().to_string();
    std::fs::write(at("target-token"), made.body["token"].as_str().expect("a token")).expect("a file");
    std::fs::create_dir(at("target-state")).expect("a folder");
    let (root, state, token) = (at("backups"), at("target-state"), at("target-token"));
    let side = ["--root", &root, "--state", &state, "--token-file", &token, "--target", "local"];
    let round = |more: &[&str]| {
        let said = house.cli(Who::Nobody, &[&["repository", "round"], &side[..], more].concat()).expect("it runs");
        assert!(said.status.success(), "{}{}", text(&said.stdout), text(&said.stderr));
        text(&said.stdout)
    };
    // The first of a day stays, the newest, and the last that was proven, whichever that is by now: a fourth can go.
    for _ in 0..2 {
        backed_up(house, "blog");
    }
    let restic = Restic::of(house, paper, &get(house, "/v1/solutions/blog"));
    let before = restic.snapshots();
    assert!(before >= 4 && before == ready(house, "blog"));
    // The log lies beside, and goes by its age too.
    let of_log = |restic: &Restic| {
        let names = std::fs::read_dir(format!("{}-log/snapshots", restic.repository.display())).expect("a log");
        names.count()
    };
    assert_eq!(upload(house, "blog", &[("ask.php", ASK.as_bytes())])["state"], "done");
    let sent = of_log(&restic);
    sql(house, "blog.demo-sites.test", "/ask.php", "CREATE TABLE said (n int)").expect("it is written");
    until("its log is sent", || of_log(&restic) > sent);
    let logs = of_log(&restic);
    let kept = round(&["--expire"]);
    assert!(!kept.contains("removed") && restic.snapshots() == before, "all are young: {kept}");
    // Nothing is kept for its age, and one of a day.
    let strict = ["--expire", "--hours", "0", "--days", "1", "--per-day", "1", "--weeks", "0", "--months", "0"];
    let gone = round(&strict);
    assert!(gone.contains("backups removed"), "{gone}");
    assert!(restic.snapshots() < before && restic.snapshots() >= 1, "{gone}");
    assert!(of_log(&restic) < logs && of_log(&restic) >= 1, "{gone}");
    assert_eq!(restic.snapshots(), ready(house, "blog"), "what is gone there is gone here");
    assert!(restic.run(&["check", "--read-data"]).status.success());
    let list = get(house, "/v1/solutions/blog/backups?limit=100");
    let one = list["items"].as_array().expect("a list").iter().find(|one| one["state"] == "gone").expect("one is gone");
    let restore = format!("/v1/solutions/blog/backups/{}/restore", one["id"].as_str().expect("an id"));
    ask(house, "POST", &restore, Some(&json!({ "only": "everything" })), 409);
    backed_up(house, "blog");
}

/// Whoever dies in the middle, what is listed is whole, and the next one is written.
fn deaths_leave_nothing_half(house: &House, paper: &Path) {
    let spec = json!({ "domains": ["big.demo-sites.test"], "runtime": "static", "database": "none" });
    let made = site(house, "big", spec);
    let mut random = vec![0; 48 << 20];
    std::io::Read::read_exact(&mut std::fs::File::open("/dev/urandom").expect("opened"), &mut random).expect("read");
    assert_eq!(upload(house, "big", &[("big.bin", &random)])["state"], "done");
    let whole = backed_up(house, "big");
    let restic = Restic::of(house, paper, &made["solution"]);
    for wait_ms in [0, 50, 150, 400, 650, 900] {
        random.rotate_left(1 << 20);
        random[0] ^= 1;
        assert_eq!(upload(house, "big", &[("big.bin", &random), ("more.bin", &random[..8 << 20])])["state"], "done");
        let backup = ordered(house, "big");
        std::thread::sleep(Duration::from_millis(wait_ms));
        let old = house.kill("node").expect("it ran");
        house.wait_reborn("node", old).expect("it is back");
        let one = ended(house, "big", &backup);
        assert_eq!(restic.snapshots(), ready(house, "big"), "what is listed is there, and no more: {one}");
        let checked = restic.run(&["check", "--read-data"]);
        assert!(checked.status.success(), "after {wait_ms} ms: {}{}", text(&checked.stdout), text(&checked.stderr));
    }
    backed_up(house, "big");

    // The target is away in the middle: it fails and says so; when it is back the next is whole.
    let (there, away) = (house.home().join("backups"), house.home().join("backups-away"));
    assert_eq!(upload(house, "big", &[("big.bin", &random[1..])])["state"], "done");
    std::fs::rename(&there, &away).expect("moved");
    let one = ended(house, "big", &ordered(house, "big"));
    assert_eq!(one["state"], "failed", "{one}");
    assert!(one["message"].as_str().is_some_and(|message| message.len() > 10), "{one}");
    let _ = std::fs::remove_dir_all(&there);
    std::fs::rename(&away, &there).expect("moved back");

    // Two of different solutions at once are both whole.
    let two = [("big", ordered(house, "big")), ("store", ordered(house, "store"))];
    for (name, backup) in &two {
        assert_eq!(ended(house, name, backup)["state"], "ready");
    }
    assert_eq!(restic.snapshots(), ready(house, "big"));
    assert!(restic.run(&["check", "--read-data"]).status.success());
    let bytes = read(house, "big", &whole, "files?path=");
    assert!(!bytes.is_empty());
}

/// A deleted solution's key is destroyed when its retention is over, and the account is told by when no copy remains.
fn what_is_erased_opens_with_nothing(house: &House, paper: &Path) {
    let solution = get(house, "/v1/solutions/big");
    let id = solution["id"].as_str().expect("an id").to_owned();
    let number = solution["number"].to_string();
    let restic = Restic::of(house, paper, &solution);
    assert!(restic.snapshots() > 0);
    ask(house, "DELETE", "/v1/solutions/big", None, 200);
    let end = Instant::now() + PATIENCE;
    let receipt = loop {
        let lines = get(house, "/v1/evidence?limit=200&act=backup.key-destroyed");
        let found = lines["items"]
            .as_array()
            .expect("lines")
            .iter()
            .find(|line| line["act"] == "backup.key-destroyed" && line["solution"].as_str() == Some(&id));
        if let Some(line) = found {
            break line.clone();
        }
        assert!(Instant::now() < end, "its key is destroyed");
        std::thread::sleep(Duration::from_millis(500));
    };
    assert!(receipt["after"]["gone_by"].as_str().is_some_and(|day| day.len() > 10), "{receipt}");
    // Nothing on the machine opens the repository any more: no file for the paper, no release, and nothing in the vault's folder.
    let file = house.run(&["vault", "key", &id, &number]).expect("it runs");
    assert!(!file.status.success() && text(&file.stderr).contains("destroyed"), "{}", text(&file.stderr));
    let keys = house.home().join("vault/keys");
    for ending in ["json", "age"] {
        assert!(!keys.join(format!("{number}.{ending}")).exists());
    }
    let mut opened = 0;
    for entry in std::fs::read_dir(&keys).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        if entry.extension().is_some_and(|end| end == "age") {
            let other = Command::new("age").arg("-d").arg("-i").arg(paper).arg(&entry).output().expect("age");
            let other = Restic { repository: restic.repository.clone(), password: text(&other.stdout) };
            assert!(!other.run(&["snapshots"]).status.success(), "no other key opens it");
            opened += 1;
        }
    }
    assert!(opened > 0, "there are other keys to try with");
}
