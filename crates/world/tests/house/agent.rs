//! A guest's own agent: a guest that writes all the time is frozen for its snapshots, by the real agent; one that lies delays them and hurts
//! nothing; a node that is killed in the middle leaves nothing frozen; and a guest that does not heed its power button is asked to go.

use super::care::an_hour_passes;
use super::database::own_address;
use super::server::Server;
use husorden_world::{House, Who};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

#[test]
fn a_guest_is_frozen_for_its_snapshots() {
    let house = House::up("agent").expect("the house comes up");
    let server =
        Server::make(&house, &json!({ "allow": [{ "net": own_address(&house) }], "snapshot_room": "512 MiB" }));
    server.said("tiny: an agent answers", 1);
    server.until("it is reached", || server.ssh("true").is_ok());
    let machine = server.machine();
    writes(&server);
    frozen(&server);
    on_its_schedule(&server);
    lies(&server);
    node_dies_while_it_is_frozen(&server);
    assert_eq!(server.machine(), machine, "nobody was turned off");
    asked_to_go(&server);
}

/// It writes on its disk again and again, and counts in its memory how often it did.
fn writes(server: &Server<'_>) {
    let write = "i=0; while :; do dd if=/dev/urandom of=/disk/noise bs=64k count=2 conv=fsync; date > /disk/now; i=$((i+1)); echo $i > /tmp/count; usleep 100000; done";
    server.ssh(&format!("setsid sh -c '{write}' < /dev/null > /dev/null 2>&1 & sleep 1")).expect("it is reached");
    goes_on(server);
}

fn count(server: &Server<'_>) -> Option<u64> {
    server.tried("cat /tmp/count").ok()?.parse().ok()
}

/// Something is written from now on.
fn goes_on(server: &Server<'_>) {
    let before = count(server).unwrap_or(0);
    server.until("it writes", || count(server) > Some(before));
}

/// Takes a snapshot: what it is worth.
fn snapshot(server: &Server<'_>) -> (String, Value) {
    let began = Instant::now();
    let path = "/v1/solutions/web/snapshots";
    let taken = server.house.api(Who::Account, "POST", path, Some(&json!({}))).expect("the API answers");
    assert_eq!(taken.status, 202, "{:?}", taken.body);
    let order = server.house.wait_order(taken.body["id"].as_str().expect("an id")).expect("it ends");
    let took = began.elapsed();
    assert_eq!(order["state"], "done", "{order}");
    let id = order["snapshot"].as_str().expect("a snapshot").to_owned();
    let mut worth = Value::Null;
    server.until("it is told what it is worth", || {
        let listed =
            server.house.api(Who::Account, "GET", &format!("{path}?limit=100"), None).expect("the API answers");
        let items = listed.body["items"].as_array().cloned().unwrap_or_default();
        worth = items.iter().find(|one| one["id"] == id.as_str()).map_or(Value::Null, |one| one["consistent"].clone());
        !worth.is_null()
    });
    eprintln!("a snapshot took {:.1} s and is worth {worth}", took.as_secs_f64());
    (id, worth)
}

/// Takes snapshots until the guest was frozen for one: where it has much other work it may not answer in time.
fn snapshot_of_frozen(server: &Server<'_>) -> String {
    let mut taken = String::new();
    server.until("it is frozen for one", || {
        let (id, worth) = snapshot(server);
        taken = id;
        worth == "filesystem"
    });
    taken
}

/// Where the disk of a snapshot lies, or the one that is written.
pub(super) fn disk(server: &Server<'_>, of: &str) -> PathBuf {
    let solution =
        format!("/run/husorden/{}/pools/main/solutions/{}/{of}/vm/disk.raw", server.house.instance, server.number);
    PathBuf::from(solution)
}

/// The filesystem that a guest of the smallest image writes on: where it begins on the disk, in bytes, and its superblock.
pub(super) fn root(disk: &Path) -> (u64, Vec<u8>) {
    let disk = std::fs::File::open(disk).expect("a disk");
    let read = |at: u64, length: usize| {
        let mut bytes = vec![0; length];
        disk.read_exact_at(&mut bytes, at).expect("it is as long as that");
        bytes
    };
    // The table of partitions says where each begins; the superblock lies a kibibyte in.
    let starts = read(1024, 128 * 128).chunks(128).map(|entry| number(&entry[32..40]) * 512).collect::<Vec<_>>();
    let each = starts.into_iter().filter(|start| *start > 0).map(|start| (start, read(start + 1024, 1024)));
    let is_root =
        |(_, block): &(u64, Vec<u8>)| number(&block[56..58]) == 0xef53 && block[120..136].starts_with(b"root\0");
    each.into_iter().find(is_root).expect("the guest's own")
}

/// As the processor has it: the lowest byte comes first.
fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

/// Whether it has a journal that must be carried out before it is whole.
fn must_recover(disk: &Path) -> bool {
    number(&root(disk).1[96..100]) & 4 != 0
}

/// Frozen for its snapshots, it goes on afterwards; without an agent they are taken as before.
fn frozen(server: &Server<'_>) {
    for _ in 0..3 {
        let id = snapshot_of_frozen(server);
        assert!(!must_recover(&disk(server, &format!("snap/{id}"))), "nothing was on its way");
        assert!(must_recover(&disk(server, "live")), "it is written on meanwhile");
        goes_on(server);
    }
    let listed = server.house.cli(Who::Account, &["snapshot", "list", "web"]).expect("it runs");
    assert!(husorden_world::text(&listed.stdout).contains("filesystem"), "{}", husorden_world::text(&listed.stdout));
}

/// So it is for those that come by themselves, and it goes on afterwards.
fn on_its_schedule(server: &Server<'_>) {
    let api = |method: &str, path: &str, body: Option<&Value>| {
        let path = format!("/v1/solutions/web/{path}");
        server.house.api(Who::Account, method, &path, body).expect("the API answers")
    };
    let set = |every: &str| api("PUT", "snapshot-schedule", Some(&json!({ "every": every, "keep": 1 }))).status;
    assert_eq!(set("hourly"), 200);
    let mut on_schedule = Value::Null;
    server.until("it is frozen for one", || {
        let last = on_schedule["id"].clone();
        an_hour_passes(server.house);
        server.until("one comes", || {
            let listed = api("GET", "snapshots?limit=100", None);
            let items = listed.body["items"].as_array().cloned().unwrap_or_default();
            on_schedule = items.into_iter().find(|one| one["before"] == "schedule").unwrap_or_default();
            !on_schedule["consistent"].is_null() && on_schedule["id"] != last
        });
        on_schedule["consistent"] == "filesystem"
    });
    let id = on_schedule["id"].as_str().expect("an id");
    assert!(!must_recover(&disk(server, &format!("snap/{id}"))), "nothing was on its way");
    assert_eq!(set("off"), 200);
    goes_on(server);
}

/// Has something else than the agent at the guest's end of the line, and ends what was there.
fn at_the_line(server: &Server<'_>, what: &str) {
    let end = "kill $(cat /run/qemu-ga.pid) 2>/dev/null; kill -- -$(cat /run/liar) 2>/dev/null; sleep 1; rm -f /run/qemu-ga.pid";
    server.ssh(end).expect("it is reached");
    let begin = "setsid sh /tmp/liar < /dev/null > /dev/null 2>&1 & sleep 1";
    let script =
        format!("cat > /tmp/liar <<'END'\necho $$ > /run/liar\nPORT=$(ls /dev/vport*p1)\n{what}\nEND\n{begin}");
    server.ssh(&script).expect("it is reached");
}

/// The agent again, with more words.
fn agent(server: &Server<'_>, more: &str) {
    at_the_line(server, &format!("exec qemu-ga -m virtio-serial -p $PORT -t /run -l /tmp/qemu-ga.log {more}"));
}

/// One that answers what marks the beginning of a talk as it should, and everything else in its own way.
fn liar(answers: &str) -> String {
    format!(
        "exec 3<> $PORT\nwhile :; do\n read -r line <&3 || {{ usleep 50000; continue; }}\n \
         id=$(echo \"$line\" | sed 's/[^0-9]//g')\n case $line in\n  \
         *sync*) printf '\\377{{\"return\": %s}}\\n' $id >&3;;\n  {answers}\n esac\ndone"
    )
}

fn lies(server: &Server<'_>) {
    let thawed = "*status*) echo '{\"return\": \"thawed\"}' >&3;;\n";
    let claims = format!("{thawed}  *freeze-freeze*) echo '{{\"return\": 1}}' >&3;;");
    let flood =
        "exec 3<> $PORT\nuntil read -r line <&3; do usleep 50000; done\nexec dd if=/dev/zero bs=1M count=100 >&3";
    let liars = [
        ("never answers", "exec sleep 10000 > $PORT".to_owned()),
        ("says nothing that it was asked", "exec yes '{\"return\": 1}' > $PORT".to_owned()),
        ("says a hundred megabytes when it is asked", flood.to_owned()),
        ("says a long line", liar("*) head -c 100000 /dev/zero | tr '\\0' x >&3; echo >&3;;")),
        ("freezes for ever", liar(thawed)),
        ("says that it has frozen what it has not, and never that it thaws it", liar(&claims)),
    ];
    for (what, liar) in liars {
        at_the_line(server, &liar);
        eprintln!("the agent {what}");
        let (id, worth) = snapshot(server);
        assert_eq!(worth, "crash", "{what}");
        assert!(disk(server, &format!("snap/{id}")).exists());
        goes_on(server);
    }
    agent(server, "");
    snapshot_of_frozen(server);
}

/// A node that is killed while the guest is frozen: the guest goes on.
fn node_dies_while_it_is_frozen(server: &Server<'_>) {
    server
        .ssh("printf '#!/bin/sh\\necho \"hook: $1\" > /dev/console\\n[ $1 = thaw ] || sleep 2\\n' > /tmp/hook; chmod 755 /tmp/hook")
        .expect("it is reached");
    agent(server, "-F/tmp/hook");
    goes_on(server);
    let node = Pid::from_raw(server.house.pid("node").expect("it runs"));
    // Where there is much other work, what holds it lets go before anybody has seen that it stands still.
    let order = (0..20).find_map(|_| seen_frozen(server, node)).expect("it is frozen");
    kill(node, Signal::SIGKILL).expect("it dies");
    let began = Instant::now();
    goes_on(server);
    eprintln!("thawed {:.1} s after the node was killed", began.elapsed().as_secs_f64());
    server.house.wait_reborn("node", node.as_raw()).expect("it is back");
    server.house.wait_state("web", "running").expect("it is known again");
    server.house.wait_order(&order).expect("it ends");
    snapshot_of_frozen(server);
}

/// Stops the node while the guest is frozen for a snapshot, so that nobody thaws it until the node is dead: the order of the snapshot. Nothing
/// where it went on before it was seen to be frozen.
fn seen_frozen(server: &Server<'_>, node: Pid) -> Option<String> {
    let times = |what: &str| server.count(&format!("hook: {what}"));
    let (freezes, thaws) = (times("freeze"), times("thaw"));
    let taken = server.house.api(Who::Account, "POST", "/v1/solutions/web/snapshots", Some(&json!({})));
    let taken = taken.expect("the API answers");
    assert_eq!(taken.status, 202, "{:?}", taken.body);
    let order = taken.body["id"].as_str().expect("an id").to_owned();
    server.until("it is about to be frozen", || times("freeze") > freezes);
    kill(node, Signal::SIGSTOP).expect("it stands still");
    let mut last = None;
    while times("thaw") == thaws {
        let now = count(server);
        if now.is_some() && now == last {
            return Some(order);
        }
        last = now;
        std::thread::sleep(Duration::from_millis(500));
    }
    kill(node, Signal::SIGCONT).expect("it goes on");
    server.house.wait_order(&order).expect("it ends");
    None
}

/// A guest that does not heed its power button is asked to go by its agent.
fn asked_to_go(server: &Server<'_>) {
    server.ssh("killall acpid").expect("it is reached");
    server.order("stop");
    server.house.wait_state("web", "stopped").expect("it is off");
    server.said("tiny: the agent was asked to turn it off", 1);
    assert_eq!(server.count("tiny: the power button was pressed"), 0);
    server.said("reboot: Power down", 1);
}
