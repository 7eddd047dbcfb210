//! The whole house on real engines. Each module is one story, with an installation of its own.

mod access;
mod agent;
mod agreement;
mod attach;
mod backup;
mod care;
mod clock;
mod commands;
mod console;
mod copies;
mod database;
mod debian;
mod disk_image;
mod disks;
mod drivers;
mod external;
mod faults;
mod flow;
mod image;
mod imports;
mod judge;
mod kills;
mod log;
mod network;
mod networks;
mod operation;
mod pages;
mod panel;
mod pooler;
mod public;
mod rebuild;
mod refusals;
mod rescue;
mod served;
mod server;
mod site_log;
mod ssh;
mod story;
mod suspension;
mod unruly;
mod updates;
mod vault;

use husorden_world::{House, PATIENCE, Who};
use serde_json::{Value, json};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Waits until something holds.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Why the npm packages of a folder are not there, once they were asked for; `one` is one of them.
pub(crate) fn without_modules(folder: &std::path::Path, one: &str) -> Option<String> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    if folder.join("node_modules").join(one).exists() {
        return None;
    }
    let install =
        std::process::Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(folder).output();
    match install {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(format!("npm ci failed: {}", husorden_world::text(&output.stderr))),
        Err(error) => Some(format!("npm could not be run: {error}")),
    }
}

/// Makes a site and waits until it runs; returns the API's answer to its creation.
pub(crate) fn site(house: &House, name: &str, spec: Value) -> Value {
    let body = json!({ "kind": "website", "name": name, "spec": spec });
    let made = house.api(Who::Account, "POST", "/v1/solutions", Some(&body)).expect("the API answers");
    assert_eq!(made.status, 201, "{:?}", made.body);
    house.wait_state(name, "running").expect("the site runs");
    made.body
}

/// Uploads files into a site as a tar archive and waits until they are in place.
pub(crate) fn upload(house: &House, name: &str, files: &[(&str, &[u8])]) -> Value {
    let folder = tempfile::tempdir().expect("a folder");
    for (path, contents) in files {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, contents).expect("a file");
    }
    let tar = std::process::Command::new("tar")
        .args(["-C"])
        .arg(folder.path())
        .args(["-cf", "-", "."])
        .output()
        .expect("tar");
    upload_raw(house, name, "tar", &tar.stdout)
}

/// Uploads an archive as it is and waits until the order has ended; returns the order.
pub(crate) fn upload_raw(house: &House, name: &str, format: &str, archive: &[u8]) -> Value {
    let path = format!("/v1/solutions/{name}/archive?format={format}");
    let sent = house
        .api_raw(Who::Account, "POST", &path, &[("content-type", "application/octet-stream")], archive)
        .expect("the API answers");
    assert_eq!(sent.status, 202, "{:?}", sent.body);
    house.wait_order(sent.body["id"].as_str().expect("an id")).expect("the order ends")
}

/// The process ids that run for a role of a solution, from its cgroup.
pub(crate) fn pids(house: &House, number: u64, role: &str) -> Vec<i32> {
    ["/sys/fs/cgroup/pids", "/sys/fs/cgroup"]
        .iter()
        .filter_map(|root| {
            let path = format!("{root}/husorden/{}/{number}/{role}/cgroup.procs", house.instance);
            std::fs::read_to_string(path).ok()
        })
        .flat_map(|text| text.lines().filter_map(|line| line.parse().ok()).collect::<Vec<i32>>())
        .collect()
}

/// Asks for a page until it has this status.
pub(crate) fn eventually(house: &House, domain: &str, path: &str, status: u16) {
    let end = Instant::now() + PATIENCE;
    loop {
        let page = house.get(domain, path, &[]).expect("curl runs");
        if page.status == status {
            return;
        }
        assert!(Instant::now() < end, "{domain}{path} is not {status}: {page:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}
