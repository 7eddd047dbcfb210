//! What comes round by itself, with the house's clocks made short: snapshots on a schedule, the end of a retention, certificates near their end,
//! the reading of the pool; and sites that serve on while control is away for longer than anything waits for it.

use super::{eventually, site};
use husorden_world::{House, PATIENCE, Who, text};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Longer than everything that waits for control: the pause between two tries to reach it (0.5 s), its own look at a link
/// (5 s), the node's word of its health (10 s), and the silence after which a node counts as not heard (30 s); the sweep and
/// what comes round come round several times meanwhile.
const AWAY: Duration = Duration::from_secs(35);

#[test]
fn what_comes_round_comes_round_also_while_control_is_away() {
    let care = "care = { sweep_s = 2, renew_s = 1, scrub_s = 2, tidy_s = 1, build_kept_s = 0, grace_s = 2 }";
    let house = House::up_with("care", "retention_days = 0", care).expect("the house comes up");
    let spec = json!({ "domains": ["short.demo-sites.test"], "runtime": "static", "database": "none" });
    let made = site(&house, "short", spec.clone());
    let number = made["solution"]["number"].as_u64().expect("a number");
    eventually(&house, "short.demo-sites.test", "/", 200);

    snapshots_come_and_go(&house);
    let control = nix::unistd::Pid::from_raw(house.pid("control").expect("it runs"));
    nix::sys::signal::kill(control, nix::sys::signal::Signal::SIGSTOP).expect("it is stopped");
    let away = Instant::now();
    a_certificate_is_renewed(&house, number);
    the_pool_is_read(&house);
    while away.elapsed() < AWAY {
        for domain in ["short.demo-sites.test", "blog.demo-sites.test"] {
            assert_eq!(house.get(domain, "/", &[]).expect("curl runs").status, 200, "{domain} without control");
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    nix::sys::signal::kill(control, nix::sys::signal::Signal::SIGCONT).expect("it goes on");
    house.wait_state("short", "running").expect("control hears of it again");
    a_retention_ends(&house, &made, &spec);
}

/// Snapshots come on their schedule while the site is served, the oldest of them goes, and one that was made by hand stays.
fn snapshots_come_and_go(house: &House) {
    let api = |method: &str, path: &str, body: Value| {
        let body = (!body.is_null()).then_some(body);
        house.api(Who::Account, method, path, body.as_ref()).expect("the API answers")
    };
    let snap = {
        let number = api("GET", "/v1/solutions/blog", Value::Null).body["number"].as_u64().expect("a number");
        PathBuf::from(format!("/run/husorden/{}/pools/main/solutions/{number}/snap", house.instance))
    };
    let made = api("POST", "/v1/solutions/blog/snapshots", json!({ "label": "mine" }));
    assert_eq!(made.status, 202, "{:?}", made.body);
    let made = house.wait_order(made.body["id"].as_str().expect("an id")).expect("it is taken");
    let mine = made["snapshot"].as_str().expect("a snapshot");
    let set = api("PUT", "/v1/solutions/blog/snapshot-schedule", json!({ "every": "hourly", "keep": 1 }));
    assert_eq!(set.status, 200, "{:?}", set.body);
    assert!(set.body["next"].is_string(), "{:?}", set.body);
    let mut before = String::new();
    for round in 1..=3 {
        an_hour_passes(house);
        let end = Instant::now() + PATIENCE;
        let newest = loop {
            assert_eq!(house.get("blog.demo-sites.test", "/", &[]).expect("curl runs").status, 200, "served meanwhile");
            let list = api("GET", "/v1/solutions/blog/snapshots?limit=100", Value::Null).body;
            let all = list["items"].as_array().expect("a list");
            assert!(all.iter().any(|one| one["id"] == mine), "one made by hand stays: {list}");
            let on_schedule: Vec<_> = all.iter().filter(|one| one["before"] == "schedule").collect();
            assert!(on_schedule.len() <= 2, "never more than one beyond what is kept: {list}");
            if let [one] = on_schedule[..]
                && one["state"] == "ready"
                && one["id"] != before.as_str()
            {
                break one["id"].as_str().expect("an id").to_owned();
            }
            assert!(Instant::now() < end, "round {round}: {list}");
            std::thread::sleep(Duration::from_millis(200));
        };
        assert!(snap.join(&newest).is_dir() && snap.join(mine).is_dir(), "it lies on the volume");
        assert!(before.is_empty() || !snap.join(&before).exists(), "the one before it went");
        before = newest;
    }
}

/// Whatever is on a schedule of snapshots is due.
pub(super) fn an_hour_passes(house: &House) {
    let due = "update snapshot_schedule set due = now() where every <> 'off'; update job set due = now() where kind = 'snapshot-schedule';";
    house.sql(due).expect("the database answers");
}

/// The certificate that the edge shows for a name.
fn shown(house: &House, domain: &str) -> String {
    let edge = house.status()["addresses"]["edge"].as_str().unwrap_or_default();
    let script = format!(
        "openssl s_client -connect {edge}:443 -servername {domain} </dev/null 2>/dev/null | openssl x509 -noout -fingerprint"
    );
    text(&Command::new("sh").args(["-c", &script]).output().expect("openssl").stdout)
}

/// One that is older than two thirds of its life is made anew and shown, by the same edge, while the site is served.
fn a_certificate_is_renewed(house: &House, number: u64) {
    let edge = house.pid("edge").expect("it runs");
    let before = shown(house, "short.demo-sites.test");
    let other = shown(house, "blog.demo-sites.test");
    assert!(before.contains("Fingerprint") && before != other, "{before}");
    let chain = house.home().join("certificates").join(number.to_string()).join("chain.pem");
    let aged = Command::new("touch").args(["-d", "61 days ago"]).arg(&chain).status().expect("touch");
    assert!(aged.success());
    let end = Instant::now() + PATIENCE;
    loop {
        assert_eq!(
            house.get("short.demo-sites.test", "/", &[]).expect("curl runs").status,
            200,
            "served all the while"
        );
        let now = shown(house, "short.demo-sites.test");
        if now.contains("Fingerprint") && now != before {
            break;
        }
        assert!(Instant::now() < end, "the certificate is not renewed");
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(shown(house, "blog.demo-sites.test"), other, "one that is young stays");
    assert_eq!(house.pid("edge").expect("it runs"), edge, "nothing was started again for it");
}

fn found(folder: &Path, name: &str) -> Option<PathBuf> {
    let output = Command::new("find").arg(folder).args(["-xdev", "-name", name]).output().expect("find");
    text(&output.stdout).lines().next().map(PathBuf::from)
}

/// How the last reading of the pool went, or how far it is.
pub(super) fn scrub(house: &House) -> Option<Value> {
    serde_json::from_slice(&std::fs::read(found(house.home(), "main.scrub.json")?).ok()?).ok()
}

/// The pool is read against its checksums, by the clock and by hand.
fn the_pool_is_read(house: &House) {
    let end = Instant::now() + PATIENCE;
    let first = loop {
        match scrub(house) {
            Some(scrub) if scrub["ended"].is_string() => break scrub,
            other => assert!(Instant::now() < end, "the pool is not read: {other:?}"),
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    assert!(first["bytes"].as_u64().is_some_and(|bytes| bytes > 1 << 20), "{first}");
    assert_eq!((&first["errors"], &first["failed"]), (&json!(0), &Value::Null));
    let by_hand = house.run(&["node", "scrub"]).expect("it runs");
    assert!(by_hand.status.success(), "{}", text(&by_hand.stderr));
    let said: Value = serde_json::from_slice(&by_hand.stdout).expect("it says how far it is");
    assert!(said["scrub"]["started"].is_string(), "{said}");
}

/// When the retention and its grace are over, nothing is left: no volume, no key, no name that is held, and a number that is
/// never given again.
fn a_retention_ends(house: &House, made: &Value, spec: &Value) {
    let number = made["solution"]["number"].as_u64().expect("a number");
    let run = PathBuf::from(format!("/run/husorden/{}", house.instance));
    let left = [
        run.join(format!("pools/main/solutions/{number}")),
        run.join(format!("s/{number}")),
        house.home().join(format!("certificates/{number}")),
        house.home().join(format!("log/sites/{number}")),
    ];
    assert!(left[0].exists() && left[2].exists() && left[3].exists());
    let gone = house.api(Who::Account, "DELETE", "/v1/solutions/short", None).expect("the API answers");
    assert!(matches!(gone.status, 200 | 202), "{:?}", gone.body);
    let end = Instant::now() + PATIENCE;
    loop {
        let answer = house.api(Who::Account, "GET", "/v1/solutions/short", None).expect("the API answers");
        if answer.status == 404 {
            break;
        }
        assert!(Instant::now() < end, "it is not buried: {answer:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
    let end = Instant::now() + PATIENCE;
    while left.iter().any(|path| path.exists()) {
        let still: Vec<_> = left.iter().filter(|path| path.exists()).collect();
        assert!(Instant::now() < end, "something is left: {still:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
    let swept = house.run(&["node", "sweep"]).expect("it runs");
    let swept: Value = serde_json::from_slice(&swept.stdout).expect("what was found");
    let odd: Vec<&Value> =
        swept["odd"].as_array().into_iter().flatten().filter(|odd| odd["number"] == number).collect();
    // The kernel frees a quota group when its cleaner has been by; nothing else may be left.
    assert!(odd.iter().all(|odd| odd["what"] == "a quota group without a volume"), "{odd:?}");
    let told = house.api(Who::Account, "GET", "/v1/events?limit=200", None).expect("the API answers");
    let buried = told.body["items"].as_array().into_iter().flatten().any(|event| event["kind"] == "solution.buried");
    assert!(buried, "{:?}", told.body);

    let body = json!({ "kind": "website", "name": "short", "spec": spec });
    let again = house.api(Who::Account, "POST", "/v1/solutions", Some(&body)).expect("the API answers");
    assert_eq!(again.status, 201, "its names are free: {:?}", again.body);
    assert!(again.body["solution"]["number"].as_u64() > Some(number), "its number, uid and addresses are not");
    house.wait_state("short", "running").expect("it runs");
}
