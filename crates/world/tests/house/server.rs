//! A server on real engines: a disk that starts by its own loader, who reaches it and who does not, what it keeps, how it ends and is started
//! again, and what is refused.

use super::database::own_address;
use super::ssh::Way;
use super::{pids, suspension};
use husorden_world::{House, PATIENCE, Who, text};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

/// Bytes of user data that there is room for.
const USER_DATA: usize = 32 << 10;

/// A server, called web where nobody says otherwise, of the smallest image.
pub(super) struct Server<'a> {
    pub(super) house: &'a House,
    pub(super) id: String,
    pub(super) number: u64,
    /// Of a private key.
    pub(super) key: PathBuf,
}

#[test]
fn a_server_lives() {
    let house = House::up("server").expect("the house comes up");
    images(&house);
    refused(&house);
    let server = born(&house);
    reached(&server);
    let snapshot = snapshot(&server);
    node_dies(&server);
    machine_dies(&server);
    reset(&server);
    off_and_on(&server);
    restored(&server, &snapshot);
    grown(&server);
    taken_along(&server);
    held(&server);
    gone(&server);
}

/// The catalogue says who licenses what, and builds what is asked for.
fn images(house: &House) {
    let built = house.run(&["image", "build", "tiny", "-o", "json"]).expect("it runs");
    assert!(built.status.success(), "{}{}", text(&built.stdout), text(&built.stderr));
    let listed = house.run(&["image", "list", "-o", "json"]).expect("it runs");
    let images: Value = serde_json::from_slice(&listed.stdout).expect("JSON");
    let tiny = images.as_array().expect("a list").iter().find(|one| one["name"] == "tiny").expect("it is there");
    assert_eq!((&tiny["state"], &tiny["licence"]["by"]), (&json!("ready"), &json!("Debian")), "{tiny}");
    assert!(tiny["packages"]["dropbear-bin"].is_string(), "{tiny}");
    let none = house.run(&["image", "build", "windows-3.11"]).expect("it runs");
    assert!(!none.status.success() && text(&none.stderr).contains("tiny"), "it names those there are");
}

pub(super) fn ask(house: &House, name: &str, spec: &Value) -> husorden_world::Answer {
    let body = json!({ "kind": "server", "name": name, "spec": spec });
    house.api(Who::Account, "POST", "/v1/solutions", Some(&body)).expect("the API answers")
}

fn refused(house: &House) {
    let check = |name: &str, spec: Value, pointer: &str| {
        let answer = ask(house, name, &spec);
        let fields = answer.body["refusal"]["fields"].as_array().cloned().unwrap_or_default();
        assert_eq!(answer.status, 422, "{:?}", answer.body);
        assert!(fields.iter().any(|field| field["pointer"] == pointer), "{pointer}: {:?}", answer.body);
    };
    check("4711", json!({ "image": "tiny" }), "/name");
    check("one", json!({ "user_data": "x".repeat(USER_DATA + 1) }), "/spec/user_data");
    check("one", json!({ "keys": ["no key"] }), "/spec/keys/0");
    check("one", json!({ "memory": "1 MiB" }), "/spec/memory");
    check("one", json!({ "disk": "8 EiB" }), "/spec/disk");
}

/// It starts by its own loader, on a disk that has grown, and reads its first settings.
fn born(house: &House) -> Server<'_> {
    let user_data = "#".repeat(USER_DATA);
    let server = Server::make(house, &json!({ "user_data": user_data }));
    server.said("The disk's own loader starts the system.", 1);
    server.said("of web on a disk of 524288 sectors", 1);
    server.said(&format!("tiny: user data of {USER_DATA} bytes"), 1);
    let told = house.cli(Who::Account, &["solution", "log", "web"]).expect("it runs");
    assert!(text(&told.stdout).contains("tiny: boot 1"), "{}{}", text(&told.stdout), text(&told.stderr));
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.machine())).expect("it runs");
    let line = |name: &str| status.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
    assert!(!line("Uid:").contains("\t0\t"), "{}", line("Uid:"));
    assert!(line("CapEff:").ends_with("0000000000000000") && line("NoNewPrivs:").ends_with('1'), "{status}");
    server
}

/// By SSH, from an address on its list only, and for as long as that stands there.
fn reached(server: &Server<'_>) {
    let machine = server.machine();
    assert!(server.tried("true").is_err(), "nobody is on the list");
    // Let in for a while; who asks over the loopback says for which address.
    let open = json!({ "net": own_address(server.house), "minutes": 30 });
    let opened =
        server.house.api(Who::Account, "POST", "/v1/solutions/web/access", Some(&open)).expect("the API answers");
    assert_eq!(opened.status, 200, "{:?}", opened.body);
    server.until("it is reached", || server.ssh("true").is_ok());
    assert_eq!(server.ssh("hostname").as_deref(), Ok("web"));
    let address = format!("100.64.0.{}", server.number);
    assert!(server.ssh("ip -4 addr show eth0").expect("it is reached").contains(&format!("{address}/32")));
    assert!(server.ssh("ip -6 addr show eth0").expect("it is reached").contains("fd48:7573:6f72:"));
    let lease = server.ssh("udhcpc -f -q -n -i eth0 -s /bin/true 2>&1").expect("it is answered");
    assert!(lease.contains(&format!("lease of {address} obtained from 169.254.1.2")), "{lease}");
    // Mail goes nowhere, and says so at once.
    let said = server.ssh("nc -w 60 203.0.113.25 25 </dev/null").expect_err("port 25 is closed");
    assert!(said.contains("refused"), "and not dropped: {said}");
    let gateway = "ping -c 2 -W 30 169.254.1.2";
    assert!(server.ssh(gateway).is_ok(), "its gateway answers");
    server.change(&json!({ "allow": [] }));
    server.until("it is reached no more", || server.tried("true").is_err());
    assert_eq!(server.machine(), machine, "a list is changed under a machine that runs");
}

/// A snapshot of a server that runs.
pub(super) fn snapshot(server: &Server<'_>) -> String {
    let path = "/v1/solutions/web/snapshots";
    let taken =
        server.house.api(Who::Account, "POST", path, Some(&json!({ "label": "first" }))).expect("the API answers");
    assert_eq!(taken.status, 202, "{:?}", taken.body);
    let order = server.house.wait_order(taken.body["id"].as_str().expect("an id")).expect("it ends");
    order["snapshot"].as_str().or(taken.body["snapshot"].as_str()).expect("a snapshot").to_owned()
}

/// The machine goes on under the same process id.
fn node_dies(server: &Server<'_>) {
    let machine = server.machine();
    let old = server.house.kill("node").expect("it ran");
    server.house.wait_reborn("node", old).expect("it is back");
    server.house.wait_state("web", "running").expect("it is known again");
    assert_eq!(server.machine(), machine, "nobody noticed");
    assert_eq!(server.count("tiny: boot "), 1);
    server.change(&json!({ "allow": [{ "net": own_address(server.house) }] }));
    server.until("it is reached through another node", || server.ssh("true").is_ok());
}

/// A machine that crashes is started again, and its disk holds what was on it.
fn machine_dies(server: &Server<'_>) {
    let machine = server.machine();
    nix_kill(machine);
    server.booted(2);
    assert_ne!(server.machine(), machine);
    server.said("husorden: the machine ended", 1);
}

/// The plug is pulled and put back; whatever it was doing.
fn reset(server: &Server<'_>) {
    let done = server.house.cli(Who::Account, &["solution", "reset", "web", "--yes"]).expect("it runs");
    assert!(done.status.success(), "{}{}", text(&done.stdout), text(&done.stderr));
    server.booted(3);
}

/// The power button, and no plug.
fn off_and_on(server: &Server<'_>) {
    let began = Instant::now();
    server.order("stop");
    server.house.wait_state("web", "stopped").expect("it is off");
    server.until("nothing runs", || pids(server.house, server.number, "qemu").is_empty());
    eprintln!("powered off in {:.1} s", began.elapsed().as_secs_f64());
    server.said("tiny: the power button was pressed", 1);
    server.order("start");
    server.booted(4);
}

/// Back to the first snapshot: what was booted since has not been.
fn restored(server: &Server<'_>, snapshot: &str) {
    server.ordered(&format!("/v1/solutions/web/snapshots/{snapshot}/restore"));
    // The log lies on the volume too, and went back with it.
    server.booted(2);
}

/// A larger disk turns it off and on.
fn grown(server: &Server<'_>) {
    let change = json!({ "spec": { "disk": "512 MiB" } });
    let answer = server.house.api(Who::Account, "PATCH", "/v1/solutions/web", Some(&change)).expect("the API answers");
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    server.booted(3);
    server.said("on a disk of 1048576 sectors", 1);
    let smaller = json!({ "spec": { "disk": "256 MiB" } });
    let answer = server.house.api(Who::Account, "PATCH", "/v1/solutions/web", Some(&smaller)).expect("the API answers");
    assert_eq!(answer.status, 422, "{:?}", answer.body);
}

/// As a package, made while it runs, and started by the commands on its page where nothing of the platform is.
fn taken_along(server: &Server<'_>) {
    let machine = server.machine();
    server.change(&json!({ "disks": { "data": { "size": "32 MiB" } } }));
    server.house.wait_state("web", "running").expect("it is there");
    let folder = tempfile::tempdir_in("/var/tmp").expect("a folder");
    let file = folder.path().join("package.tar");
    let said = server.house.cli(Who::Account, &["solution", "package", "web", file.to_str().expect("a path")]);
    let said = said.expect("it runs");
    assert!(said.status.success(), "{}{}", text(&said.stdout), text(&said.stderr));
    assert_eq!(server.machine(), machine, "it ran meanwhile");
    let commands = super::flow::opened(folder.path(), &file);
    std::fs::remove_file(&file).expect("it was unpacked");
    let script = format!(
        "set -e\ncd /srv/x/solution-*\n{commands} < /dev/null > ../serial 2>&1 &\n\
         for second in $(seq {}); do grep -q 'tiny: boot 4 of web' ../serial && break; sleep 1; done\n\
         kill %1; wait || true; cat ../serial; test $(stat -c %s disk.raw) = {}; \
         test $(stat -c %s disks/data.raw) = {}; du -k disk.raw\n",
        PATIENCE.as_secs(),
        512 << 20,
        32 << 20
    );
    let root = husorden_world::hand::runtime(server.house, "qemu").expect("its runtime");
    let program = ["timeout", "700", "/bin/bash", "-mc", &script];
    let inner = husorden_world::hand::command(&root, folder.path(), 65_534, &program);
    // Its line to the outside listens in a network of its own.
    let mut command = Command::new("unshare");
    command.args(["-n", "sh", "-ec", "ip link set lo up; exec \"$@\"", "sh"]).arg(inner.get_program());
    let said = command.args(inner.get_args()).env("LC_ALL", "C.UTF-8").output().expect("it runs");
    let heard = text(&said.stdout);
    assert!(heard.contains("tiny: boot 4 of web"), "{script}\n{heard}\n{}", text(&said.stderr));
    assert!(heard.contains("[sda] 65536 512-byte logical blocks"), "its other disk is there: {heard}");
    let used = heard.lines().last().and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    assert!(used.is_some_and(|kib| kib < 200 << 10), "its holes are holes: {heard}");
}

/// A measure turns it off and holds it so; lifting it turns it on.
fn held(server: &Server<'_>) {
    let measure = suspension::decide(server.house, &json!({ "of": "solution", "id": server.id }));
    server.until("it is held", || pids(server.house, server.number, "qemu").is_empty());
    let path = format!("/v1/measures/{}/lift", measure["id"].as_str().expect("an id"));
    let reasons = json!({ "reasons": "The hole it was attacked by was closed." });
    let lifted = server.house.api(Who::Staff, "POST", &path, Some(&reasons)).expect("the API answers");
    assert!(matches!(lifted.status, 200 | 202), "{:?}", lifted.body);
    server.booted(4);
}

fn gone(server: &Server<'_>) {
    let answer = server.house.api(Who::Account, "DELETE", "/v1/solutions/web", None).expect("the API answers");
    assert!(matches!(answer.status, 200 | 202), "{:?}", answer.body);
    server.until("it goes", || pids(server.house, server.number, "qemu").is_empty());
    server.house.wait_state("web", "deleted").expect("it is gone");
}

impl<'a> Server<'a> {
    /// Makes one and waits until it has booted.
    pub(super) fn make(house: &'a House, more: &Value) -> Self {
        let key = house.home().join("key");
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-C", "anna@shop.example", "-f"])
            .arg(&key)
            .status();
        assert!(made.expect("ssh-keygen").success());
        let public = std::fs::read_to_string(key.with_extension("pub")).expect("a key");
        let mut spec = json!({ "image": "tiny", "memory": "128 MiB", "disk": "256 MiB", "keys": [public] });
        spec.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        let made = ask(house, "web", &spec);
        assert_eq!(made.status, 201, "{:?}", made.body);
        let one = &made.body["solution"];
        let (id, number) = (one["id"].as_str().expect("an id").to_owned(), one["number"].as_u64().expect("a number"));
        let server = Self { house, id, number, key };
        house.wait_state("web", "running").expect("it is made");
        server.booted(1);
        server
    }

    /// Has something be done by an order, and waits for its end.
    pub(super) fn ordered(&self, path: &str) {
        let order = self.house.api(Who::Account, "POST", path, None).expect("the API answers");
        assert_eq!(order.status, 202, "{:?}", order.body);
        let order = self.house.wait_order(order.body["id"].as_str().expect("an id")).expect("it ends");
        assert_eq!(order["state"], "done", "{order}");
    }

    /// All that its serial line said and that is kept.
    pub(super) fn log(&self) -> String {
        let place =
            format!("/run/husorden/{}/pools/main/solutions/{}/live/log/serial.log", self.house.instance, self.number);
        std::fs::read_to_string(PathBuf::from(place)).unwrap_or_default()
    }

    pub(super) fn count(&self, words: &str) -> usize {
        self.log().matches(words).count()
    }

    pub(super) fn until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let end = Instant::now() + PATIENCE;
        while !holds() {
            assert!(Instant::now() < end, "{what}:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    pub(super) fn said(&self, words: &str, times: usize) {
        self.until(words, || self.count(words) >= times);
    }

    /// Waits for words of its boot of that number, by the count on its disk: one before it may have ended before it said them.
    pub(super) fn said_in_boot(&self, number: u32, words: &str) {
        self.until(words, || {
            let log = self.log();
            log.split(&format!("tiny: boot {number} of")).nth(1).is_some_and(|since| since.contains(words))
        });
    }

    /// Waits until it has been booted so often, by the count on its disk.
    pub(super) fn booted(&self, times: u32) {
        self.said(&format!("tiny: boot {times} of"), 1);
    }

    /// The process of the machine, beside the one that keeps it.
    pub(super) fn machine(&self) -> i32 {
        let is_machine = |pid: &i32| {
            std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.starts_with("qemu-system"))
        };
        pids(self.house, self.number, "qemu").into_iter().find(is_machine).expect("the machine runs")
    }

    pub(super) fn change(&self, spec: &Value) {
        let change = json!({ "spec": spec });
        let answer =
            self.house.api(Who::Account, "PATCH", "/v1/solutions/web", Some(&change)).expect("the API answers");
        assert_eq!(answer.status, 200, "{:?}", answer.body);
    }

    /// Runs a command in the guest, by SSH through the node's door.
    pub(super) fn ssh(&self, command: &str) -> Result<String, String> {
        self.by_way(|way| way.run(command))
    }

    /// The same with one try, cut short.
    pub(super) fn tried(&self, command: &str) -> Result<String, String> {
        self.by_way(|way| way.tried(command))
    }

    fn by_way<T>(&self, go: impl FnOnce(&Way<'_>) -> T) -> T {
        let edge = self.house.status()["addresses"]["edge"].as_str().expect("an address").to_owned();
        go(&Way { from: None, host: &edge, port: 20_000 + self.number, key: &self.key })
    }

    pub(super) fn order(&self, verb: &str) {
        let path = format!("/v1/solutions/web/{verb}");
        let answer = self.house.api(Who::Account, "POST", &path, None).expect("the API answers");
        assert!(matches!(answer.status, 200 | 202), "{:?}", answer.body);
    }
}

pub(super) fn nix_kill(pid: i32) {
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL).expect("it runs");
}
