//! A guest that behaves badly: writes past its page cache under fifty snapshots and a backup, uses up its disk and the room for snapshots,
//! panics and halts. Nobody kills its machine for it, its filesystem is whole afterwards, and so is the pool.

use super::agent::{disk, root};
use super::care::scrub;
use super::database::own_address;
use super::server::Server;
use husorden_world::{House, PATIENCE, Who, text};
use serde_json::{Value, json};
use std::os::unix::fs::MetadataExt;
use std::process::Command;
use std::time::Instant;

const SNAPSHOTS: usize = 50;

#[test]
fn a_guest_that_behaves_badly_hurts_nobody() {
    let house = House::bare("unruly", "").expect("the house comes up");
    let more = json!({ "allow": [{ "net": own_address(&house) }], "snapshot_room": "1 GiB" });
    let server = Server::make(&house, &more);
    server.until("it is reached", || server.ssh("true").is_ok());
    let machine = server.machine();
    let last = writes_past_its_cache(&server);
    uses_up_its_disk(&server);
    uses_up_the_room(&server, &last);
    assert_eq!(server.machine(), machine, "nobody was turned off for it");
    panics(&server);
    halts(&server);
    whole(&server, &last);
}

fn ask(server: &Server<'_>, method: &str, path: &str, body: Option<&Value>) -> Value {
    let answer = server.house.api(Who::Account, method, path, body).expect("the API answers");
    assert!(matches!(answer.status, 200 | 202), "{method} {path}: {:?}", answer.body);
    answer.body
}

fn snapshot(server: &Server<'_>) -> String {
    let order = ask(server, "POST", "/v1/solutions/web/snapshots", Some(&json!({})));
    let order = server.house.wait_order(order["id"].as_str().expect("an id")).expect("it ends");
    assert_eq!(order["state"], "done", "{order}");
    order["snapshot"].as_str().expect("a snapshot").to_owned()
}

fn snapshots(server: &Server<'_>) -> Vec<String> {
    let listed = ask(server, "GET", "/v1/solutions/web/snapshots?limit=100", None);
    let items = listed["items"].as_array().expect("a list");
    items.iter().map(|one| one["id"].as_str().expect("an id").to_owned()).collect()
}

/// All the while it writes; the last of the snapshots. A backup is written meanwhile.
fn writes_past_its_cache(server: &Server<'_>) -> String {
    // What it counted to is moved into place: it may be read, and the writer may be killed, at any moment.
    let write = "cd /disk; dd if=/dev/urandom of=direct bs=64k count=256; i=0; while :; do dd if=/dev/urandom of=direct bs=64k count=8 \
                 seek=$((i % 32 * 8)) conv=notrunc oflag=direct 2> /tmp/said || cat /tmp/said >> /tmp/refused; i=$((i+1)); \
                 echo $i > /tmp/counted; mv /tmp/counted /tmp/count; done";
    server
        .ssh(&format!("setsid sh -c 'echo $$ > /tmp/writer; {write}' < /dev/null > /dev/null 2>&1 & sleep 1"))
        .expect("it is reached");
    let count = || server.tried("cat /tmp/count").map(|count| count.parse::<u64>().expect("a number"));
    server.until("it writes", || count().is_ok());
    let counted = || server.ssh("cat /tmp/count").expect("it is reached").parse::<u64>().expect("a number");
    let before = counted();
    let backup = ask(server, "POST", "/v1/solutions/web/backups", None);
    let backup = format!("/v1/solutions/web/backups/{}", backup["id"].as_str().expect("an id"));
    let mut last = String::new();
    for _ in 0..SNAPSHOTS {
        last = snapshot(server);
    }
    server.until("the backup is written", || {
        let backup = ask(server, "GET", &backup, None);
        assert_ne!(backup["state"], "failed", "{backup}");
        backup["state"] == "ready"
    });
    server.ssh("kill $(cat /tmp/writer); sleep 1").expect("it is reached");
    let written = counted() - before;
    eprintln!("{written} pieces were written under {SNAPSHOTS} snapshots and a backup");
    assert!(written > 0, "it wrote all the while");
    let refused = server.ssh("cat /tmp/refused 2> /dev/null || true").expect("it is reached");
    assert_eq!(refused, "", "what it wrote past its cache");
    last
}

/// To the last byte: that is the guest's own matter. What it deletes is given back.
fn uses_up_its_disk(server: &Server<'_>) {
    let disk = disk(server, "live");
    let taken = || std::fs::metadata(&disk).expect("a disk").blocks() * 512;
    let said = server.ssh("dd if=/dev/urandom of=/disk/full bs=1M 2>&1; sync; echo on").expect("it is reached");
    assert!(said.contains("No space left") && said.ends_with("on"), "{said}");
    let full = taken();
    server.ssh("rm /disk/full; sync").expect("it is reached");
    server.until("what it discards is given back", || taken() + (4 << 20) < full);
}

/// It stands still at its next write, and goes on by itself when there is room.
fn uses_up_the_room(server: &Server<'_>, kept: &str) {
    let make_room = || {
        for old in snapshots(server).iter().filter(|id| *id != kept) {
            let order = ask(server, "DELETE", &format!("/v1/solutions/web/snapshots/{old}"), None);
            if let Some(order) = order["id"].as_str() {
                server.house.wait_order(order).expect("it ends");
            }
        }
    };
    make_room();
    server.change(&json!({ "snapshot_room": "64 MiB" }));
    let write = "dd if=/tmp/noise of=/disk/direct bs=1M conv=notrunc,fsync";
    server.ssh("dd if=/dev/urandom of=/tmp/noise bs=1M count=16").expect("it is reached");
    let told = || {
        let findings = ask(server, "GET", "/v1/solutions/web", None)["findings"].clone();
        findings.as_array().is_some_and(|all| all.iter().any(|one| one["name"] == "disk-full"))
    };
    // What a former backup was read from is let go first: it may go on by itself then, once, before the room is used up in earnest.
    let end = Instant::now() + PATIENCE;
    loop {
        assert!(
            snapshots(server).len() < 60 && Instant::now() < end,
            "it stands still, and it is told:\n{}",
            server.log()
        );
        if server.tried(write).is_ok() {
            snapshot(server);
        } else if told() {
            break;
        }
    }
    make_room();
    server.until("it goes on", || server.tried(write).is_ok());
}

/// Its machine stands as it is, for whoever wants to read what it said, until it is reset.
fn panics(server: &Server<'_>) {
    let machine = server.machine();
    drop(server.tried("echo 1 > /proc/sys/kernel/sysrq; echo c > /proc/sysrq-trigger"));
    server.said("Kernel panic", 1);
    assert_eq!(server.machine(), machine);
    reset(server, 2);
}

fn halts(server: &Server<'_>) {
    drop(server.tried("halt -f"));
    server.said("System halted", 1);
    reset(server, 3);
}

fn reset(server: &Server<'_>, boot: u32) {
    let done = server.house.cli(Who::Account, &["solution", "reset", "web", "--yes"]).expect("it runs");
    assert!(done.status.success(), "{}{}", text(&done.stdout), text(&done.stderr));
    server.booted(boot);
    server.until("it is reached", || server.ssh("true").is_ok());
}

/// Off, its filesystem has no fault, and the one of a snapshot has none once its journal is carried out; every checksum of the pool holds.
fn whole(server: &Server<'_>, snapshot: &str) {
    server.order("stop");
    server.house.wait_state("web", "stopped").expect("it is off");
    let folder = tempfile::tempdir_in("/var/tmp").expect("a folder");
    for of in ["live", &format!("snap/{snapshot}")] {
        let copy = folder.path().join("disk.raw");
        let copied = Command::new("cp").arg("--sparse=always").args([&disk(server, of), &copy]).status().expect("cp");
        assert!(copied.success());
        let place = format!("{}?offset={}", copy.display(), root(&copy).0);
        let look = |how: &[&str]| Command::new("e2fsck").args(how).arg(&place).output().expect("e2fsck");
        look(&["-y", "-E", "journal_only"]);
        let looked = look(&["-f", "-n"]);
        assert!(looked.status.success(), "{of}: {}{}", text(&looked.stdout), text(&looked.stderr));
    }
    let read = server.house.run(&["node", "scrub"]).expect("it runs");
    assert!(read.status.success(), "{}", text(&read.stderr));
    let said: Value = serde_json::from_slice(&read.stdout).expect("it says how far it is");
    server.until("the pool is read", || {
        let last = scrub(server.house).expect("it was begun");
        last["started"] == said["scrub"]["started"] && last["ended"].is_string()
    });
    let last = scrub(server.house).expect("it ended");
    assert_eq!((&last["errors"], &last["failed"]), (&json!(0), &Value::Null), "{last}");
}
