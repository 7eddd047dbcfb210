//! A server as a customer has it: Debian from the local image, with cloud-init, an agent, public addresses and a private network, from its first
//! boot to the proof of its backup. Each of its boots takes minutes where it is emulated, so `make debian` runs it.

use super::network::Net;
use super::public::{FOUR, SIX, WORLD, cli, in_a_world, ssh, tried};
use husorden_world::{House, PATIENCE, Who, text};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

/// Which Debian, where a variable of this name says nothing: `make debian IMAGE=debian-12` sets it.
const IMAGE: &str = "debian-13";

const USER_DATA: &str = "#cloud-config
write_files:
  - path: /etc/motd
    content: made by cloud-init
runcmd:
  - echo ran > /srv/ran
";

struct Server<'a> {
    house: &'a House,
    world: &'a Net,
    key: PathBuf,
    began: Instant,
}

#[test]
#[ignore = "each boot of a Debian guest takes minutes where it is emulated: make debian"]
fn a_debian_server_from_its_first_boot_to_the_proof_of_its_backup() {
    let mut house = House::bare("debian", "").expect("the house comes up");
    let debian = std::env::var("IMAGE").unwrap_or_else(|_| IMAGE.to_owned());
    for image in [debian.as_str(), "tiny"] {
        let built = house.run(&["image", "build", image]).expect("it runs");
        assert!(built.status.success(), "{}{}", text(&built.stdout), text(&built.stderr));
    }
    in_a_world(&mut house, |house, world| {
        let server = Server::make(house, world, &debian);
        reached(&server);
        inside(&server);
        let snapshot = frozen(&server);
        restored(&server, &snapshot);
        rebuilt(&server);
        proven(&server);
        rescued(&server);
    });
}

impl<'a> Server<'a> {
    fn make(house: &'a House, world: &'a Net, image: &str) -> Self {
        let server = Self { house, world, key: house.home().join("key"), began: Instant::now() };
        let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&server.key).status();
        assert!(made.expect("ssh-keygen").success());
        let public = std::fs::read_to_string(server.key.with_extension("pub")).expect("a key");
        cli(house, &["network", "create", "backend", "--range", "10.60.0.0/24"]);
        let body = json!({ "kind": "server", "name": "web", "spec": {
            "image": image, "cores": 2, "memory": "1 GiB", "disk": "3 GiB", "keys": [public], "user_data": USER_DATA,
            "public_ipv4": true, "public_ipv6": true, "networks": ["backend"] } });
        server.until("the node has told of its addresses", || {
            let said = house.api(Who::Account, "POST", "/v1/solutions", Some(&body)).expect("the API answers");
            assert!(matches!(said.status, 201 | 422), "{:?}", said.body);
            said.status == 201
        });
        house.wait_state("web", "running").expect("it is made");
        server.until("it asks for a log-in", || server.log().contains("web login:"));
        server.tells("it asks for a log-in");
        server
    }

    fn tells(&self, what: &str) {
        eprintln!("{:5.0} s: {what}", self.began.elapsed().as_secs_f64());
    }

    fn ask(&self, method: &str, path: &str, body: Option<&Value>, status: u16) -> Value {
        let said = self.house.api(Who::Account, method, path, body).expect("the API answers");
        assert_eq!(said.status, status, "{method} {path}: {:?}", said.body);
        said.body
    }

    fn until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let end = Instant::now() + PATIENCE;
        while !holds() {
            assert!(Instant::now() < end, "{what}: not in time\n{}", self.log());
            std::thread::sleep(Duration::from_millis(500));
        }
    }

    fn ended(&self, order: &Value) -> Value {
        let id = order["id"].as_str().or(order["order"]["id"].as_str()).expect("an order");
        let order = self.house.wait_order(id).expect("it ends");
        assert_eq!(order["state"], "done", "{order}");
        order
    }

    fn log(&self) -> String {
        text(&self.house.cli(Who::Account, &["solution", "log", "web"]).expect("it runs").stdout)
    }

    fn ssh(&self, command: &str) -> Result<String, String> {
        ssh(self.world, &self.key, FOUR, command)
    }

    fn says(&self, command: &str) -> String {
        self.ssh(command).unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    /// Which of its boots it is in, where it is reached.
    fn boot(&self) -> Option<String> {
        self.ssh("cat /proc/sys/kernel/random/boot_id").ok()
    }

    /// Waits until it is reached in another boot than that one.
    fn booted_after(&self, boot: &str) -> String {
        let mut now = String::new();
        self.until("it is reached after another boot", || {
            now = self.boot().unwrap_or_default();
            !now.is_empty() && now != boot
        });
        self.tells("it is reached after another boot");
        now
    }
}

/// By nobody, until somebody lets themselves in for a while.
fn reached(server: &Server<'_>) {
    assert!(tried(server.world, &server.key, FOUR, "true").is_err(), "nobody is on the list");
    let open = json!({ "net": WORLD[0], "minutes": 120 });
    server.ask("POST", "/v1/solutions/web/access", Some(&open), 200);
    server.until("it is reached", || server.ssh("true").is_ok());
    assert!(tried(server.world, &server.key, SIX, "true").is_err(), "let in is one address");
    server.tells("it is reached from an address that was let in");
}

/// It started by its own loader, its disk has grown, and its first settings are carried out.
fn inside(server: &Server<'_>) {
    server.until("cloud-init is done", || server.ssh("cloud-init status").is_ok_and(|said| said == "status: done"));
    assert_eq!(server.says("hostname"), "web");
    assert_eq!(server.says("cat /etc/motd; echo; cat /srv/ran"), "made by cloud-init\nran");
    assert!(server.says("cat /proc/cmdline").contains("BOOT_IMAGE="), "a loader started it");
    let mib = server.says("df --output=size -BM / | tail -1").trim_end_matches('M').parse::<u32>();
    assert!(mib.is_ok_and(|mib| mib > 2_600), "its filesystem is as large as its disk");
    let addresses = server.says("ip -o addr");
    for address in [FOUR, SIX, "10.60.0.2"] {
        assert!(addresses.contains(address), "{address}: {addresses}");
    }
    assert_eq!(server.says("systemctl is-system-running || systemctl --failed --plain --no-legend"), "running");
    let file = server.house.home().join("screen.png");
    cli(server.house, &["solution", "screenshot", "web", "--out", &file.to_string_lossy()]);
    if let Some(folder) = std::env::var_os("SCREENS") {
        std::fs::copy(&file, PathBuf::from(folder).join("debian.png")).expect("a picture");
    }
}

/// Its own agent freezes it for a snapshot.
fn frozen(server: &Server<'_>) -> String {
    server.says("echo kept > /srv/kept");
    let path = "/v1/solutions/web/snapshots";
    let taken = server.ended(&server.ask("POST", path, Some(&json!({ "label": "first" })), 202));
    let id = taken["snapshot"].as_str().expect("a snapshot").to_owned();
    let worth = || {
        let listed = server.ask("GET", path, None, 200);
        let items = listed["items"].as_array().cloned().unwrap_or_default();
        items.into_iter().find(|one| one["id"] == id.as_str()).map_or(Value::Null, |one| one["consistent"].clone())
    };
    server.until("it is told what it is worth", || !worth().is_null());
    assert_eq!(worth(), "filesystem");
    server.tells("it was frozen for a snapshot");
    id
}

/// What was written before it, without a word to sync it, and nothing later.
fn restored(server: &Server<'_>, snapshot: &str) {
    server.says("echo later | tee /srv/later > /srv/kept; sync");
    let boot = server.boot().expect("it is reached");
    server.ended(&server.ask("POST", &format!("/v1/solutions/web/snapshots/{snapshot}/restore"), None, 202));
    server.booted_after(&boot);
    assert_eq!(server.says("cat /srv/kept; ls /srv/later 2>/dev/null || echo none"), "kept\nnone");
}

/// Anew from its image, with user data that nobody can read: its keys are none of that. And back.
fn rebuilt(server: &Server<'_>) {
    let boot = server.boot().expect("it is reached");
    let broken = json!({ "spec": { "user_data": "#cloud-config\nruncmd: [echo ran > /srv/ran\n  - : {" } });
    server.ask("PATCH", "/v1/solutions/web", Some(&broken), 200);
    cli(server.house, &["solution", "rebuild", "web", "--yes"]);
    let boot = server.booted_after(&boot);
    assert_eq!(server.says("ls /srv"), "", "it is another disk");
    server.ended(&server.ask("POST", "/v1/solutions/web/undo", None, 202));
    server.booted_after(&boot);
    assert_eq!(server.says("cat /srv/kept"), "kept");
}

fn proven(server: &Server<'_>) {
    let path = "/v1/solutions/web/backups";
    let backup = server.ask("POST", path, None, 202)["id"].as_str().expect("an id").to_owned();
    server.until("it is written", || {
        let one = server.ask("GET", &format!("{path}/{backup}"), None, 200);
        assert_ne!(one["state"], "failed", "{one}");
        one["state"] == "ready"
    });
    server.tells("it is backed up");
    server.until("it is proven", || {
        let all = server.ask("GET", "/v1/solutions/web/proofs", None, 200);
        let proofs = all["items"].as_array().expect("a list");
        let proof = proofs.iter().find(|one| one["backup"] == backup.as_str());
        let state = proof.map_or(Value::Null, |proof| proof["state"].clone());
        assert_ne!(state, "failed", "{all}");
        state == "passed"
    });
    server.tells("its backup is proven");
}

/// Its disk, from a small system beside it.
fn rescued(server: &Server<'_>) {
    let change = json!({ "spec": { "rescue": true } });
    server.ask("PATCH", "/v1/solutions/web", Some(&change), 200);
    let kept = "cat /disk/srv/kept 2>/dev/null || { mkdir -p /mnt; mount -o ro /dev/vdb1 /mnt && cat /mnt/srv/kept; }";
    server.until("its rescue is reached", || {
        server.ssh("test -e /etc/debian_version").is_err() && server.ssh(kept).as_deref() == Ok("kept")
    });
    server.tells("its disk is read in a rescue");
}
