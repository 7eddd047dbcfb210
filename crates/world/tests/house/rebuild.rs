//! The platform's own death: control, vault, keys and database are lost, and come back from a target elsewhere and two papers. Over SFTP from an
//! external place: once the node's pool survives and knows more than the control that comes back; once everything is lost, and a site comes back
//! from its own backup. The latter also from a REST server and from a bucket.

use super::external::External;
use super::served::Served;
use super::site_log::{ASK, ask};
use super::{eventually, site, until, upload};
use husorden_world::{House, PATIENCE, Who, text};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Instant;

/// The customer's site.
const BLOG: &str = "blog.demo-sites.test";
/// What it has to lose.
const KEPT: &str = "as the customer left it";

struct Story {
    house: House,
    /// The target: how it is reached, and the file with what its account is opened with.
    far: (Value, PathBuf),
    /// Where the papers lie.
    desk: tempfile::TempDir,
    staff: String,
}

impl Story {
    /// A house whose backups go there, with both papers on the desk.
    fn begin(instance: &str, far: (Value, PathBuf)) -> Self {
        let house = House::up_with(instance, "", "[backup]\ntarget = \"far\"").expect("the house comes up");
        let credentials = fs::read_to_string(house.home().join("demo/credentials.toml")).expect("credentials");
        let credentials: toml::Table = credentials.parse().expect("a table");
        let staff = credentials["staff_person"]["email"].as_str().expect("an address").to_owned();
        let story = Self { house, far, desk: tempfile::tempdir().expect("a folder"), staff };
        let secret = fs::read_to_string(&story.far.1).expect("a secret");
        let body = json!({ "name": "far", "address": story.far.0, "secret": secret });
        let made = story.house.api(Who::Staff, "POST", "/v1/targets", Some(&body)).expect("the API answers");
        assert_eq!(made.status, 201, "{:?}", made.body);
        assert_eq!(story.health("platform").expect("a check").0, "degraded", "nothing is on paper");
        let recovery = paper(&story.house, "recovery", "AGE-SECRET-KEY-");
        fs::write(story.at("recovery"), recovery).expect("paper");
        let platform = paper(&story.house, "platform", "HUSORDEN-PLATFORM-");
        fs::write(story.at("platform"), platform).expect("paper");
        story
    }

    /// The customer's site has something to lose, and a backup of its own.
    fn keep(&self) {
        let files: [(&str, &[u8]); 2] = [("kept.txt", KEPT.as_bytes()), ("ask.php", ASK.as_bytes())];
        assert_eq!(upload(&self.house, "blog", &files)["state"], "done");
        let backup = self.house.api(Who::Account, "POST", "/v1/solutions/blog/backups", None).expect("the API answers");
        assert_eq!(backup.status, 202, "{:?}", backup.body);
        let path = format!("/v1/solutions/blog/backups/{}", backup.body["id"].as_str().expect("an id"));
        let end = Instant::now() + PATIENCE;
        while self.house.api(Who::Account, "GET", &path, None).expect("the API answers").body["state"] != "ready" {
            assert!(Instant::now() < end, "it is written");
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
    }

    /// The platform has a backup, and it is proven.
    fn prove(&self) {
        let standing = self.platform("prove");
        eprintln!("{standing:#}");
        assert_eq!(standing["proof"]["wrong"], json!([]));
        let (state, said) = self.health("platform").expect("a check");
        assert_eq!(state, "fine", "{said}");
    }

    fn at(&self, name: &str) -> PathBuf {
        self.desk.path().join(name)
    }

    /// The command, with what is typed at its questions.
    fn rebuild(&self, platform: &Path, typed: &str) -> Output {
        let mut command = Command::new(&self.house.binary);
        command.args(["rebuild", "--instance", &self.house.instance, "--home"]).arg(self.house.home());
        command.arg("--target").arg(self.far.0.to_string()).arg("--secret-file").arg(&self.far.1);
        command.arg("--recovery-file").arg(self.at("recovery"));
        command.arg("--platform-file").arg(platform).env("LANG", "en_GB.UTF-8");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it runs");
        // One that refuses reads nothing.
        drop(child.stdin.take().expect("a pipe").write_all(typed.as_bytes()));
        child.wait_with_output().expect("it ends")
    }

    fn rebuilt(&mut self) {
        let words = format!("{}\nrebuild {}\n", self.staff, self.house.instance);
        let begun = Instant::now();
        let said = self.rebuild(&self.at("platform"), &words);
        eprintln!("{}", text(&said.stdout));
        assert!(said.status.success(), "{}{}", text(&said.stdout), text(&said.stderr));
        self.house.start().expect("it comes up again");
        eprintln!("up again {:.1} s after the rebuild began", begun.elapsed().as_secs_f64());
    }

    fn platform(&self, verb: &str) -> Value {
        let said = self.house.run(&["platform", verb, "-o", "json"]).expect("it runs");
        assert!(said.status.success(), "{verb}: {}{}", text(&said.stdout), text(&said.stderr));
        serde_json::from_slice(&said.stdout).expect("JSON")
    }

    fn health(&self, name: &str) -> Option<(String, String)> {
        let health = self.house.api(Who::Staff, "GET", "/v1/health", None).expect("the API answers").body;
        let checks = health["checks"].as_array().expect("checks");
        let check = checks.iter().find(|check| check["name"] == name)?;
        Some((check["state"].as_str()?.to_owned(), check["text"]["en"].as_str()?.to_owned()))
    }

    fn front(&self, path: &str) -> String {
        self.house.get(BLOG, path, &[]).expect("curl runs").body
    }
}

/// The secret that a command shows once.
fn paper(house: &House, verb: &str, begins: &str) -> String {
    let said = house.run(&["vault", verb, "--into-pipe"]).expect("it runs");
    let said = text(&said.stdout);
    let found = said.split_whitespace().find(|word| word.starts_with(begins));
    found.unwrap_or_else(|| panic!("{begins} in {said}")).to_owned()
}

#[test]
fn the_platform_comes_back_from_a_target_and_two_papers() {
    let far = External::new();
    let mut story = Story::begin("rebuild", (far.address(), far.secret()));
    story.keep();
    // What is written after it leaves the machine as a log.
    ask(&story.house, BLOG, "/ask.php", "CREATE TABLE late AS SELECT 7 AS n").expect("it is written");
    let written = Timestamp::now();
    until("it lies far away", || {
        let blog = story.house.api(Who::Account, "GET", "/v1/solutions/blog", None).expect("the API answers").body;
        blog["log_away"]["to"].as_str().is_some_and(|to| to.parse::<Timestamp>().expect("a time") > written)
    });
    story.prove();
    let evidence = story.house.api(Who::Staff, "GET", "/v1/evidence?limit=50", None).expect("the API answers").body;
    assert!(evidence.to_string().contains("platform.proven"), "the proof is evidence: {evidence}");

    the_node_is_ahead(&mut story, &far);
    the_copier_dies(&story);
    everything_is_lost(&mut story);
    // What was written after its last backup was in the log that lies far away.
    assert_eq!(ask(&story.house, BLOG, "/ask.php", "SELECT n FROM late").as_deref(), Ok("7\n"));
}

#[test]
fn the_platform_comes_back_from_a_rest_server() {
    let served = Served::rest();
    let mut story = Story::begin("rebrest", served.reached());
    story.keep();
    everything_is_lost(&mut story);
}

#[test]
fn the_platform_comes_back_from_a_bucket() {
    let served = Served::s3();
    let mut story = Story::begin("rebs3", served.reached());
    story.keep();
    everything_is_lost(&mut story);
}

/// Control's part of the home is lost, after the last backup that could be written; the node goes on, and knows more.
fn the_node_is_ahead(story: &mut Story, far: &External) {
    // The target is away, so what is made now is in no backup.
    far.away(true);
    let spec = json!({ "domains": ["late.demo-sites.test"], "runtime": "static", "database": "none" });
    site(&story.house, "late", spec);
    assert_eq!(upload(&story.house, "late", &[("index.html", b"made after the backup")])["state"], "done");
    let said = story.house.run(&["platform", "backup"]).expect("it runs");
    assert!(!said.status.success(), "a target that is away is told: {}", text(&said.stdout));
    let down = story.house.down().expect("it runs");
    assert!(down.status.success(), "{}", text(&down.stdout));
    far.away(false);

    let refused = story.rebuild(&story.at("platform"), "");
    assert!(text(&refused.stderr).contains("something lives there"), "{}", text(&refused.stderr));
    for lost in ["db", "control", "vault", "ca", "secrets", "demo", "checkpoints", "platform"] {
        fs::remove_dir_all(story.house.home().join(lost)).expect("lost");
    }
    for lost in ["husorden.toml", "platform.json"] {
        fs::remove_file(story.house.home().join(lost)).expect("lost");
    }
    // One paper alone opens nothing, and who does not confirm changes nothing.
    let alone = story.rebuild(&story.at("recovery"), "");
    assert!(!alone.status.success() && text(&alone.stderr).contains("platform paper"), "{}", text(&alone.stderr));
    let words = format!("nobody@desk.example\nrebuild {}\n", story.house.instance);
    let stranger = story.rebuild(&story.at("platform"), &words);
    assert!(text(&stranger.stderr).contains("no member of staff"), "{}", text(&stranger.stderr));
    assert!(!story.house.home().join("db").exists());
    let early = story.house.run(&["up", "--detach"]).expect("it runs");
    assert!(text(&early.stderr).contains("run `husorden rebuild` again"), "{}", text(&early.stderr));

    story.rebuilt();
    eventually(&story.house, BLOG, "/", 200);
    assert_eq!(story.front("/kept.txt"), KEPT);
    // What control does not know of runs on, and is told.
    let late = story.house.get("late.demo-sites.test", "/", &[]).expect("curl runs");
    assert_eq!((late.status, late.body.as_str()), (200, "made after the backup"));
    assert_eq!(story.house.api(Who::Account, "GET", "/v1/solutions/late", None).expect("the API answers").status, 404);
    let end = Instant::now() + PATIENCE;
    while story.health("strays").is_none_or(|(_, said)| !said.contains("late (website)")) {
        assert!(Instant::now() < end, "it is told: {:?}", story.health("strays"));
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    // Staff take it over, and the customer has it again as it was.
    let strays = story.house.api(Who::Staff, "GET", "/v1/strays", None).expect("the API answers").body;
    let stray = &strays["items"][0];
    assert_eq!(
        (&stray["name"], &stray["kind"], &strays["items"][1]),
        (&json!("late"), &json!("website"), &Value::Null)
    );
    let id = stray["solution"].as_str().expect("an id");
    let taken = story.house.cli(Who::Staff, &["node", "take", id, "-o", "json"]).expect("it runs");
    assert!(taken.status.success(), "{}{}", text(&taken.stdout), text(&taken.stderr));
    story.house.wait_state("late", "running").unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(upload(&story.house, "late", &[("index.html", b"changed after it was taken over")])["state"], "done");
    let late = story.house.get("late.demo-sites.test", "/", &[]).expect("curl runs");
    assert_eq!((late.status, late.body.as_str()), (200, "changed after it was taken over"));
    // The node takes wishes of the new epoch, and no number is given twice.
    let spec = json!({ "domains": ["new.demo-sites.test"], "runtime": "static", "database": "none" });
    let made = site(&story.house, "new", spec);
    assert!(made["solution"]["number"].as_u64().expect("a number") > 1000, "{made}");
}

/// Who copies the log dies, as the server ends it that has let go of its slot: it is begun anew, and what is proven has everything.
fn the_copier_dies(story: &Story) {
    let keeper = story.house.pid("platform").expect("it runs");
    let copiers = || -> Vec<String> {
        let told =
            Command::new("ps").args(["--no-headers", "-o", "pid:1,comm:40", "--ppid", &keeper.to_string()]).output();
        let told = text(&told.expect("ps runs").stdout);
        let copiers = told.lines().filter_map(|line| line.split_once(' ')).filter(|(_, name)| *name == "pg_receivewal");
        copiers.map(|(pid, _)| pid.to_owned()).collect()
    };
    let end = Instant::now() + PATIENCE;
    while copiers().is_empty() {
        assert!(Instant::now() < end, "it copies");
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    for pid in copiers() {
        assert!(Command::new("kill").args(["-KILL", &pid]).status().expect("kill runs").success());
    }
}

/// Nothing is left of the machine.
fn everything_is_lost(story: &mut Story) {
    story.prove();
    let down = story.house.down().expect("it runs");
    assert!(down.status.success(), "{}", text(&down.stdout));
    fs::remove_dir_all(story.house.home()).expect("lost");
    let begun = Instant::now();
    story.rebuilt();
    let end = Instant::now() + PATIENCE;
    while story.front("/kept.txt") != KEPT {
        assert!(Instant::now() < end, "the site comes back from its own backup");
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    eventually(&story.house, BLOG, "/", 200);
    eprintln!("the customer's site answers {:.1} s after the rebuild began", begun.elapsed().as_secs_f64());
}
