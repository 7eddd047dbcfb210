//! The vault as a process of its own: its folder, who is answered, the recovery key for paper, and its death.

use husorden_world::{House, PATIENCE, Who, text};
use serde_json::Value;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Instant;

/// Somebody without rights.
const NOBODY: u32 = 65_534;

fn status(house: &House) -> Value {
    let said = house.run(&["vault", "status", "-o", "json"]).expect("it runs");
    assert!(said.status.success(), "{}", text(&said.stderr));
    serde_json::from_slice(&said.stdout).expect("JSON")
}

fn health(house: &House) -> String {
    let health = house.api(Who::Staff, "GET", "/v1/health", None).expect("the API answers").body;
    let checks = health["checks"].as_array().expect("checks");
    let vault = checks.iter().find(|check| check["name"] == "vault").expect("one of the vault");
    vault["state"].as_str().expect("a word").to_owned()
}

#[test]
fn the_vault_is_alone_with_what_it_keeps() {
    let house = House::up("vault").expect("the house comes up");
    let folder = house.home().join("vault");
    let own = std::fs::metadata(&folder).expect("a folder");
    let key = std::fs::metadata(folder.join("vault.key")).expect("a key");
    assert_eq!((own.mode() & 0o777, key.mode() & 0o777, own.uid()), (0o700, 0o600, key.uid()));
    let control = std::fs::metadata(house.home().join("control")).expect("control's").uid();
    assert!(![0, control].contains(&own.uid()), "a uid of its own");
    let process = std::fs::metadata(format!("/proc/{}", house.pid("vault").expect("it runs"))).expect("a process");
    assert!([0, own.uid()].contains(&process.uid()), "memory that others can't read is root's in /proc");

    let links =
        std::fs::read_to_string(format!("/proc/{}/net/dev", house.pid("vault").expect("it runs"))).expect("read");
    assert!(links.lines().skip(2).all(|line| line.trim_start().starts_with("lo:")), "no network: {links}");

    // Whoever is neither control nor root has no answer, though the socket may be opened by anybody.
    let script = "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); \
                  s.sendall(b'{\"ask\":\"status\"}\\n'); print(len(s.recv(100)))";
    let ask = |uid: u32| {
        let mut python = Command::new("python3");
        python.args(["-c", script, "/run/husorden/vault/vault/vault.sock"]).uid(uid).gid(uid);
        let said = python.output().expect("python runs");
        text(&said.stdout).trim().parse::<u32>().unwrap_or(0)
    };
    assert_eq!(ask(NOBODY), 0);
    assert!(ask(control) > 0);

    assert_eq!((status(&house)["recovery"].clone(), health(&house)), (Value::Null, "degraded".to_owned()));
    let refused = house.run(&["vault", "recovery"]).expect("it runs");
    assert!(!refused.status.success() && text(&refused.stderr).contains("terminal"), "{}", text(&refused.stderr));
    let paper = |arguments: &[&str]| {
        let said = house.run(arguments).expect("it runs");
        assert!(said.status.success(), "{}", text(&said.stderr));
        let said = text(&said.stdout);
        assert!(said.contains("never again") && said.contains("aldrig igen"), "{said}");
        said.split_whitespace().find(|word| word.starts_with("AGE-SECRET-KEY-")).expect("the key").to_owned()
    };
    let first = paper(&["vault", "recovery", "--into-pipe"]);
    let named = status(&house)["recovery"].clone();
    assert!(named.as_str().is_some_and(|named| named.starts_with("age1")), "{named}");
    assert_eq!(health(&house), "fine");
    assert!(!house.run(&["vault", "recovery", "--into-pipe"]).expect("it runs").status.success(), "there is one");
    let second = paper(&["vault", "recovery", "--replace", "--into-pipe"]);
    assert!(first != second && status(&house)["recovery"] != named);
    let mut grep = Command::new("grep");
    grep.args(["-rlF", "-e", &first, "-e", &second, "--exclude=pool.img", "--exclude-dir=pools"]);
    let found = grep.arg(house.home()).output().expect("grep runs");
    assert_eq!(text(&found.stdout), "", "what is on paper is nowhere else");

    // It dies, and is there again with what it kept.
    let before = status(&house);
    let old = house.kill("vault").expect("it ran");
    house.wait_reborn("vault", old).expect("it is back");
    let end = Instant::now() + PATIENCE;
    while health(&house) != "fine" {
        assert!(Instant::now() < end, "it answers again");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert_eq!(status(&house), before);
    let down = house.down().expect("it runs");
    assert!(down.status.success(), "{}", text(&down.stdout));
}
