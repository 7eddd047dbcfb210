//! Deaths at any moment: every role is killed at seeded random moments while work goes on, and afterwards everything that
//! stands on the machine has an owner, and everything wished stands.

use super::{eventually, pids, site, upload};
use husorden_world::{House, PATIENCE, Who, text};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Deaths in one run; HUSORDEN_KILLS sets another number.
const KILLS: usize = 100;

#[test]
fn a_hundred_deaths_leave_nothing_odd() {
    let mut house = House::up("faults").expect("the house comes up");
    adoption(&house);
    let kills = std::env::var("HUSORDEN_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(KILLS);
    let seed = std::env::var("HUSORDEN_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0x5eed_0001_u64);
    eprintln!("{kills} deaths, seed {seed:#x}");
    let mut dice = Dice(seed);
    let mut alive: Vec<String> = Vec::new();
    for death in 0..kills {
        act(&house, &mut dice, &mut alive, death);
        std::thread::sleep(Duration::from_millis(dice.below(120)));
        let role = ["control", "node", "edge", "node", "database"][usize::try_from(dice.below(5)).expect("small")];
        if let Ok(old) = house.kill(role) {
            // Often the next act comes while the role is still away.
            if dice.below(3) == 0 {
                house.wait_reborn(role, old).expect("it is back");
            }
        }
    }
    // The last to die may still be on its way back: the supervisor brings it, and `up` says so when it is asked too early.
    let end = Instant::now() + PATIENCE;
    while let Err(error) = house.start() {
        assert!(Instant::now() < end, "everything is up again: {error:#}");
        std::thread::sleep(Duration::from_millis(500));
    }
    settle(&house);
    for name in &alive {
        eventually(&house, &format!("{name}.demo-sites.test"), "/", 200);
    }
    let swept = house.run(&["node", "sweep"]).expect("it runs");
    assert!(swept.status.success(), "{}{}", text(&swept.stdout), text(&swept.stderr));
    let odd: Value = serde_json::from_slice(&swept.stdout).expect("the sweep is JSON");
    assert_eq!(odd["odd"], json!([]), "everything has an owner");
}

/// The node dies during a download and while PHP runs: neither notices.
fn adoption(house: &House) {
    let made = site(
        house,
        "adopt",
        json!({ "domains": ["adopt.demo-sites.test"], "runtime": "php-8.4" , "database": "mariadb-11.8" }),
    );
    let number = made["solution"]["number"].as_u64().expect("a number");
    let body = vec![b'x'; 8 << 20];
    let script = b"<?php $db = new mysqli(null, 'site', '', 'site', 0, '/run/husorden/db.sock'); echo $db->query('select 40 + 2')->fetch_row()[0];";
    assert_eq!(upload(house, "adopt", &[("big.bin", &body), ("q.php", script)])["state"], "done");
    let ask = || house.get("adopt.demo-sites.test", "/q.php", &[]).expect("curl runs").body;
    assert_eq!(ask(), "42");
    let before = (pids(house, number, "php"), pids(house, number, "db"));
    assert!(!before.0.is_empty() && !before.1.is_empty());
    let download = house
        .curl("adopt.demo-sites.test", "/big.bin")
        .args(["-s", "--limit-rate", "2M", "-o", "/dev/null", "-w", "%{size_download}"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("curl starts");
    std::thread::sleep(Duration::from_millis(500));
    let old = house.kill("node").expect("it ran");
    assert_eq!(ask(), "42", "served while the node is away");
    house.wait_reborn("node", old).expect("it is back");
    assert_eq!(ask(), "42");
    assert!(
        !before.0.is_empty() && before.0.iter().all(|pid| pids(house, number, "php").contains(pid) || !is_master(*pid))
    );
    assert_eq!(pids(house, number, "db"), before.1, "the database runs under the same process id");
    let done = download.wait_with_output().expect("curl ends");
    assert_eq!(text(&done.stdout), body.len().to_string(), "the download was whole");
}

/// A master is the first process of its sandbox; its workers come and go.
fn is_master(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/status"))
        .is_ok_and(|status| status.lines().any(|line| line.starts_with("NSpid:") && line.ends_with("\t1")))
}

/// Something that a customer does; it may fail, for control may be away.
fn act(house: &House, dice: &mut Dice, alive: &mut Vec<String>, death: usize) {
    let ask = |method: &str, path: &str, body: Option<&Value>| house.api(Who::Account, method, path, body).ok();
    match dice.below(6) {
        0 | 1 if alive.len() < 12 => {
            let name = format!("chaos{death}");
            let runtime = if dice.below(2) == 0 { "static" } else { "php-8.4" };
            let spec =
                json!({ "domains": [format!("{name}.demo-sites.test")], "runtime": runtime, "database": "none" });
            let body = json!({ "kind": "website", "name": name, "spec": spec });
            if ask("POST", "/v1/solutions", Some(&body)).is_some_and(|answer| answer.status == 201) {
                alive.push(name);
            }
        }
        2 if alive.len() > 3 => {
            let name = alive.remove(usize::try_from(dice.below(alive.len() as u64)).expect("small"));
            let deleted = ask("DELETE", &format!("/v1/solutions/{name}"), None);
            // Without an answer nobody knows which way it went: it is no longer asked about.
            drop(deleted);
        }
        3 => drop(alive.last().map(|name| ask("POST", &format!("/v1/solutions/{name}/snapshots"), Some(&json!({}))))),
        4 => drop(alive.first().map(|name| ask("POST", &format!("/v1/solutions/{name}/undo"), None))),
        _ => drop(house.get("adopt.demo-sites.test", "/q.php", &["--max-time", "5"])),
    }
}

/// Waits until nothing is being worked on.
fn settle(house: &House) {
    let end = Instant::now() + PATIENCE;
    loop {
        let nodes = house.api(Who::Staff, "GET", "/v1/nodes", None).expect("the API answers").body;
        let node = nodes["items"].as_array().and_then(|items| items.first()).cloned().unwrap_or_default();
        // What control knows of a node that is away is old news.
        let there = node["connected"] == true && node["health"]["edge_generation"].is_u64();
        let list = house.api(Who::Staff, "GET", "/v1/solutions?limit=200", None).expect("the API answers");
        let items = list.body["items"].as_array().cloned().unwrap_or_default();
        let restless: Vec<&Value> = items
            .iter()
            .filter(|item| {
                !matches!(item["state"].as_str(), Some("running" | "stopped" | "deleted"))
                    || item["generation"] != item["seen_generation"]
            })
            .collect();
        if there && restless.is_empty() && !items.is_empty() {
            return;
        }
        assert!(Instant::now() < end, "not settled: {node} {restless:#?}");
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// Random numbers that are the same for the same seed (xorshift64*, Vigna 2016).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % end
    }
}
