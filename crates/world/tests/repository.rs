//! `husorden repository`, the target's own side, as an operator runs it.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test may panic")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer, SigningKey};
use husorden_backup::keeper::Order;
use husorden_backup::target::{Local, Pace};
use husorden_backup::{Key, Moment, Options, Repository, Source};
use jiff::Timestamp;
use serde_json::json;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

fn binary() -> PathBuf {
    // The test lies in target/<profile>/deps.
    std::env::current_exe().unwrap().ancestors().nth(2).unwrap().join("husorden")
}

struct Side {
    home: tempfile::TempDir,
    key: Key,
}

impl Side {
    fn at(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Runs the command with the key on its standard input, and gives whether it succeeded and what it said.
    fn run(&self, verb: &str, arguments: &[&str]) -> (bool, String) {
        let mut child = Command::new(binary())
            .args(["repository", verb, "--path"])
            .arg(self.at("root/7"))
            .arg("--state")
            .arg(self.at("state"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("`cargo build --workspace` was run");
        // Who needs no key does not read it.
        drop(child.stdin.take().unwrap().write_all(self.key.password().reveal().as_bytes()));
        let done = child.wait_with_output().unwrap();
        let text = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        (done.status.success(), text)
    }
}

fn backup(repository: &Repository, volume: &Path) -> String {
    let source = Source { volume: File::open(volume).unwrap().into(), notes: Vec::new(), former: None };
    let options = Options {
        host: "node1.test".to_owned(),
        tags: Vec::new(),
        // What a backup says of its time is not believed: this one says 1970.
        time: Moment::default(),
        workers: 1,
        stop: Arc::default(),
    };
    repository.write(&source, &options).unwrap().snapshot.to_string()
}

#[test]
fn the_targets_side_keeps_checks_holds_and_purges() {
    let side = Side { home: tempfile::tempdir().unwrap(), key: Key::generate() };
    for folder in ["root", "state", "volume"] {
        fs::create_dir(side.at(folder)).unwrap();
    }
    let target = Box::new(Local::new(side.at("root/7"), Arc::new(Pace::free())));
    let repository = Repository::create(target, &side.key, Timestamp::now()).unwrap();
    let backups: Vec<String> = (0..3)
        .map(|number| {
            fs::write(side.at("volume/file"), format!("{number}").repeat(9999)).unwrap();
            backup(&repository, &side.at("volume"))
        })
        .collect();
    let (_, plan) = side.run("plan", &[]);
    assert_eq!((plan.matches("keep ").count(), plan.matches("Young").count()), (3, 3), "{plan}");
    let (whole, said) = side.run("check", &[]);
    assert!(whole && said.contains("0 findings") && said.contains("3 backups whole"), "{said}");
    assert!(side.run("check", &["--names"]).0);
    // Nothing is kept for its age, and one of a day: two go, unless a hold is on them.
    let strict = ["--hours", "0", "--per-day", "1", "--weeks", "0", "--months", "0"];
    assert!(side.run("hold", &[&backups[1]]).0);
    assert!(side.run("proven", &[&backups[2]]).0);
    let (_, plan) = side.run("plan", &strict);
    assert_eq!(plan.matches("keep ").count() + plan.matches("expire ").count(), 3, "{plan}");
    assert!(plan.contains("Held") && plan.contains("Proven"), "{plan}");
    assert!(side.run("seal", &[]).0);
    let (_, plan) = side.run("plan", &strict);
    assert_eq!(plan.matches("Sealed").count(), 3, "{plan}");
    assert!(side.run("seal", &["--end"]).0);

    // A purge before its time: one signature of two people is none, and a hold goes before two.
    let people = [SigningKey::from_bytes(&[1; 32]), SigningKey::from_bytes(&[2; 32])];
    let public = |who: &SigningKey| STANDARD.encode(who.verifying_key().as_bytes());
    fs::write(side.at("staff"), people.iter().map(public).collect::<Vec<_>>().join("\n")).unwrap();
    let purge = |backup: &str, signers: &[&SigningKey]| {
        let order = json!({
            "repository": repository.id(), "snapshots": [backup], "reason": "asked for", "given": Timestamp::now(),
        });
        let text = serde_json::to_vec(&order).unwrap();
        let sign = |who: &&SigningKey| json!({ "key": public(who), "signature": STANDARD.encode(who.sign(&Order::to_sign(&text)).to_bytes()) });
        fs::write(side.at("order"), &text).unwrap();
        fs::write(side.at("approvals"), serde_json::to_vec(&signers.iter().map(sign).collect::<Vec<_>>()).unwrap())
            .unwrap();
        let [order, approvals, staff] = ["order", "approvals", "staff"].map(|name| side.at(name).display().to_string());
        side.run("purge", &["--order", &order, "--approvals", &approvals, "--staff", &staff])
    };
    let (done, said) = purge(&backups[2], &[&people[0]]);
    assert!(!done && said.contains("two members of staff must sign"), "{said}");
    let (done, said) = purge(&backups[1], &[&people[0], &people[1]]);
    assert!(!done && said.contains("legal hold"), "{said}");
    let (done, said) = purge(&backups[2], &[&people[0], &people[1]]);
    assert!(done && said.contains("1 backups removed"), "{said}");
    assert_eq!(repository.snapshots().unwrap().len(), 2);

    // Somebody removes a backup behind our back, and flips a bit: both are said, and the exit code is not success.
    fs::remove_file(side.at("root/7/snapshots").join(&backups[0])).unwrap();
    let index = fs::read_dir(side.at("root/7/index")).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs::read(&index).unwrap();
    bytes[20] ^= 1;
    fs::remove_file(&index).unwrap();
    fs::write(&index, bytes).unwrap();
    let (whole, said) = side.run("check", &["--names"]);
    assert!(!whole && said.contains("was there and is gone") && said.contains("names: index/"), "{said}");
}
