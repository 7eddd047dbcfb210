//! A server at public addresses: given from the operator's pools, reached from the world by what its list and its account's firewalls say and by
//! nothing else, named, and given up. The machine and the world are network namespaces that the test makes.

use super::agreement;
use super::network::Net;
use super::panel::{Desk, missing};
use super::ssh::Way;
use super::until;
use husorden_world::{House, Who, text};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

/// The machine's address towards the world, and the world's own.
const MACHINE: [&str; 2] = ["192.0.2.2", "2001:db8:77::2"];
pub(super) const WORLD: [&str; 2] = ["192.0.2.1", "2001:db8:77::1"];
/// What the operator hands out: IPv4 in the uplink's own net, IPv6 routed to the machine.
const POOLS: &str = "public_ipv4 = [\"192.0.2.65\"]\npublic_ipv6 = [\"2001:db8:100::/64\"]";
pub(super) const FOUR: &str = "192.0.2.65";
pub(super) const SIX: &str = "2001:db8:100::1";

#[test]
fn a_server_is_met_at_its_own_addresses_by_whom_its_rules_let_in() {
    let missing = missing();
    if let Some(reason) = &missing {
        eprintln!("the pages were not looked at in a browser: {reason}");
    }
    let looks = missing.is_none();
    let mut house = House::up("public").expect("the house comes up");
    let built = house.run(&["image", "build", "tiny", "-o", "json"]).expect("it runs");
    assert!(built.status.success(), "{}{}", text(&built.stdout), text(&built.stderr));
    none_to_be_had(&house);
    in_a_world(&mut house, |house, world| story(house, world, looks));
}

/// Sets a house into a machine of its own that hands out public addresses, and that a world of its own reaches. What must be fetched is fetched
/// before, for that machine reaches nobody else.
pub(super) fn in_a_world(house: &mut House, story: impl FnOnce(&House, &Net) + Send) {
    house.down().expect("it is taken down");
    let settings = house.home().join("husorden.toml");
    let before = std::fs::read_to_string(&settings).expect("its settings");
    let with = before.replace("[node]", &format!("[node]\nnetwork = \"host\"\n{POOLS}"));
    std::fs::write(&settings, with).expect("changed");
    let (machine, world) = (Net::new(), Net::new());
    machine.run(&format!(
        "ip link set lo up
        ip link add up0 type veth peer name down0 netns {}
        ip addr add {}/24 dev up0; ip addr add {}/64 dev up0 nodad; ip link set up0 up",
        world.pid(),
        MACHINE[0],
        MACHINE[1]
    ));
    world.run(&format!(
        "ip link set lo up; ip link set down0 up
        ip addr add {}/24 dev down0; ip addr add {}/64 dev down0 nodad
        ip -6 route add 2001:db8:100::/64 via {}",
        WORLD[0], WORLD[1], MACHINE[1]
    ));
    machine.run(&format!("ip route add default via {}; ip -6 route add default via {}", WORLD[0], WORLD[1]));
    std::thread::scope(|scope| {
        let (machine, world) = (&machine, &world);
        let inside = scope.spawn(move || {
            machine.enter_here();
            house.start().expect("the house comes up in another network");
            story(house, world);
            let down = house.down().expect("it is taken down");
            assert!(down.status.success(), "{}{}", text(&down.stdout), text(&down.stderr));
        });
        if let Err(panic) = inside.join() {
            std::panic::resume_unwind(panic);
        }
    });
}

/// Where the operator hands out none, the field says so.
fn none_to_be_had(house: &House) {
    let body = json!({ "kind": "server", "name": "web", "spec": { "image": "tiny", "public_ipv4": true } });
    let said = house.api(Who::Account, "POST", "/v1/solutions", Some(&body)).expect("the API answers");
    assert_eq!(said.status, 422, "{:?}", said.body);
    assert_eq!(said.body["refusal"]["fields"][0]["pointer"], "/spec/public_ipv4");
}

fn story(house: &House, world: &Net, looks: bool) {
    let key = house.home().join("key");
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key).status();
    assert!(made.expect("ssh-keygen").success());
    let public = std::fs::read_to_string(key.with_extension("pub")).expect("a key");
    let spec = json!({ "image": "tiny", "memory": "128 MiB", "disk": "256 MiB", "keys": [public],
        "public_ipv4": true, "public_ipv6": true });
    let body = json!({ "kind": "server", "name": "web", "spec": spec, "labels": { "role": "web" } });
    until("the node has told of its addresses", || {
        let said = house.api(Who::Account, "POST", "/v1/solutions", Some(&body)).expect("the API answers");
        assert!(matches!(said.status, 201 | 422), "{:?}", said.body);
        said.status == 201
    });
    house.wait_state("web", "running").expect("it is made");
    let one = shown(house);
    assert_eq!((&one["addresses"][0]["address"], &one["addresses"][1]["address"]), (&json!(FOUR), &json!(SIX)));
    by_the_list(house, world, &key);
    by_rule(house, world, &key);
    named(house);
    if looks {
        let mut desk = Desk::open(house);
        desk.run("firewalls.mjs", &[("SOLUTION", "web"), ("AXE", "yes")]);
        desk.run("agreements.mjs", &[("SOLUTION", "web"), ("AXE", "yes")]);
        cli(house, &["agreement", "end", &agreement::agreed(house), "--yes"]);
    }
    agreement::opens_port_25(house, world, |command| ssh(world, &key, FOUR, command));
    given_up(house, world);
}

/// SSH at the public address, in both families, for whom the list names.
fn by_the_list(house: &House, world: &Net, key: &Path) {
    assert!(tried(world, key, FOUR, "true").is_err(), "nobody is on the list");
    change(house, &json!({ "allow": [{ "net": "192.0.2.1" }, { "net": "2001:db8:77::/64" }] }));
    for address in [FOUR, SIX] {
        until(address, || ssh(world, key, address, "hostname").as_deref() == Ok("web"));
    }
    let own = ssh(world, key, FOUR, "ip addr show eth0").expect("it is reached");
    assert!(own.contains(&format!("{FOUR}/32")) && own.contains(&format!("{SIX}/128")), "{own}");
    let lease = ssh(world, key, FOUR, "udhcpc -f -q -n -i eth0 -s /bin/true 2>&1").expect("it is answered");
    assert!(lease.contains(&format!("lease of {FOUR} obtained")), "{lease}");
    // What it sends goes under its own address.
    let seen = ssh(world, key, FOUR, "echo $SSH_CONNECTION").expect("it is reached");
    assert_eq!(seen.split(' ').next(), Some(WORLD[0]), "{seen}");
}

/// What a firewall opens is met, and is no longer when it closes; without one nothing is.
fn by_rule(house: &House, world: &Net, key: &Path) {
    let serve = "(while :; do echo here | nc -l -p 8080 >/dev/null 2>&1; done) >/dev/null 2>&1 &";
    ssh(world, key, FOUR, serve).expect("it listens");
    let meets =
        |address: &str| world.run(&format!("timeout 6 busybox nc {address} 8080 </dev/null || true")).contains("here");
    let pings = |address: &str| {
        world.run(&format!("busybox ping -c 1 -W 6 {address} >/dev/null && echo yes || true")) == "yes\n"
    };
    assert!(!meets(FOUR) && !pings(FOUR) && !pings(SIX), "no rule names it");
    cli(house, &["firewall", "create", "web", "--label", "role=web"]);
    cli(
        house,
        &[
            "firewall",
            "add",
            "web",
            "tcp",
            "8080",
            "--from",
            WORLD[0],
            "--from",
            "2001:db8:77::/64",
            "--note",
            "the world",
        ],
    );
    let said = cli(house, &["firewall", "add", "web", "icmp", "--from", "any"]);
    assert!(said.contains("web"), "{said}");
    for address in [FOUR, SIX] {
        until(address, || meets(address) && pings(address));
    }
    let wide = cli(house, &["firewall", "add", "web", "tcp", "3000-4000", "--from", "any"]);
    assert!(wide.contains("3389 (Remote Desktop)"), "it is told at once: {wide}");
    let finding = |one: &Value| {
        one["findings"].as_array().is_some_and(|all| all.iter().any(|one| one["name"] == "management-open"))
    };
    assert!(finding(&shown(house)));
    cli(house, &["firewall", "remove", "web", "3"]);
    assert!(!finding(&shown(house)));
    // The node dies, and what was let in still is.
    let old = house.kill("node").expect("it ran");
    house.wait_reborn("node", old).expect("it is back");
    until("it is met through another node", || meets(FOUR) && pings(SIX));
    cli(house, &["firewall", "delete", "web", "--yes"]);
    until("it is met no more", || !meets(FOUR) && !pings(SIX));
    assert!(ssh(world, key, FOUR, "true").is_ok(), "its own list is as it was");
}

fn named(house: &House) {
    cli(house, &["solution", "reverse-name", "web", FOUR, "web.shop.example"]);
    let zone = house.cli(Who::Staff, &["reverse-zone"]).expect("it runs");
    assert_eq!(
        text(&zone.stdout),
        "65.2.0.192.in-addr.arpa. 3600 IN PTR web.shop.example.\n",
        "{}",
        text(&zone.stderr)
    );
}

/// Given up, it leads nowhere, and is nobody's for a while.
fn given_up(house: &House, world: &Net) {
    change(house, &json!({ "public_ipv4": false }));
    let answers = |address: &str| {
        world.run(&format!("timeout 8 busybox nc -w 6 {address} 22 </dev/null || true")).contains("SSH")
    };
    until("it leads nowhere", || !answers(FOUR));
    until("the other is as it was", || answers(SIX));
    let body = json!({ "spec": { "public_ipv4": true } });
    let said = house.api(Who::Account, "PATCH", "/v1/solutions/web", Some(&body)).expect("the API answers");
    assert_eq!(said.status, 422, "it rests: {:?}", said.body);
}

fn shown(house: &House) -> Value {
    house.api(Who::Account, "GET", "/v1/solutions/web", None).expect("the API answers").body
}

fn change(house: &House, spec: &Value) {
    let body = json!({ "spec": spec });
    let said = house.api(Who::Account, "PATCH", "/v1/solutions/web", Some(&body)).expect("the API answers");
    assert_eq!(said.status, 200, "{:?}", said.body);
}

pub(super) fn cli(house: &House, words: &[&str]) -> String {
    let done = house.cli(Who::Account, words).expect("it runs");
    assert!(done.status.success(), "{words:?}: {}{}", text(&done.stdout), text(&done.stderr));
    text(&done.stdout)
}

/// From the world, with the key.
pub(super) fn ssh(world: &Net, key: &Path, address: &str, command: &str) -> Result<String, String> {
    Way { from: Some(&world.path()), host: address, port: 22, key }.run(command)
}

/// The same with one try, cut short.
pub(super) fn tried(world: &Net, key: &Path, address: &str, command: &str) -> Result<String, String> {
    Way { from: Some(&world.path()), host: address, port: 22, key }.tried(command)
}
