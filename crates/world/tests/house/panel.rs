//! The panel in a real browser: what customers do, every page as a picture, and what axe finds.
//!
//! The pictures lie under `target/screens`. Where no browser or no Node.js is, the test says so and does nothing.

use husorden_world::{House, Who, text};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

/// The folder of the browser's scripts.
fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../panel/tests/browser")
}

/// Why the browser can't be driven here, if it can't.
pub(crate) fn missing() -> Option<String> {
    for program in ["node", "npm", "chromium"] {
        if !Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success()) {
            return Some(format!("{program} is not installed"));
        }
    }
    super::without_modules(&scripts(), "playwright-core")
}

/// The demo's people, as the browser's scripts are told of them.
fn people(house: &House) -> Vec<(&'static str, String)> {
    let path = house.home().join("demo/credentials.toml");
    let kept: toml::Table = std::fs::read_to_string(path).expect("the credentials").parse().expect("TOML");
    let told = |table: &str, name: &str| kept[table][name].as_str().expect("a text").to_owned();
    vec![
        ("OWNER_EMAIL", told("owner", "email")),
        ("OWNER_PASSWORD", told("owner", "password")),
        ("STAFF_EMAIL", told("staff_person", "email")),
        ("STAFF_PASSWORD", told("staff_person", "password")),
        ("STAFF_TOTP", told("staff_person", "totp")),
    ]
}

/// A desk with a browser: scripts are run against a house, from a network of their own.
pub(crate) struct Desk {
    told: Vec<(&'static str, String)>,
    bridge: Child,
}

impl Desk {
    pub(crate) fn open(house: &House) -> Self {
        let screens = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/screens");
        let address = |name: &str| house.status()["addresses"][name].as_str().expect("an address").to_owned();
        let socket = house.home().join("panel.sock");
        let port = address("panel").rsplit(':').next().expect("a port").to_owned();
        let bridge = Command::new("node")
            .arg("bridge.mjs")
            .arg(&socket)
            .arg(port)
            .current_dir(scripts())
            .spawn()
            .expect("node runs");
        let path = |path: &Path| path.to_string_lossy().into_owned();
        let mut told = people(house);
        told.extend([
            ("BRIDGE", path(&socket)),
            ("PANEL", address("panel")),
            ("STAFF", address("staff")),
            ("MAIL", path(&house.home().join("mail"))),
            ("SCREENS", path(&screens)),
        ]);
        Self { told, bridge }
    }

    pub(crate) fn run(&mut self, script: &str, more: &[(&str, &str)]) {
        // A network of its own: see bridge.mjs.
        let output = Command::new("unshare")
            .args(["--net", "sh", "-c", "ip link set lo up && exec node \"$0\"", script])
            .current_dir(scripts())
            .envs(self.told.iter().map(|(name, value)| (name, value)))
            .envs(more.iter().copied())
            .output()
            .expect("node runs");
        let said = format!("{script}:\n{}\n{}", text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{said}");
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = self.bridge.kill();
        let _ = self.bridge.wait();
    }
}

#[test]
fn customers_do_everything_in_a_browser() {
    if let Some(reason) = missing() {
        eprintln!("the panel was not tried in a browser: {reason}");
        return;
    }
    let house = House::up("panel").expect("the house stands");
    let mut desk = Desk::open(&house);
    let mut run = |script: &str, axe: &str| desk.run(script, &[("SOLUTION", "blog"), ("AXE", axe)]);
    run("desk.mjs", "no");
    run("staff.mjs", "no");
    run("flow.mjs", "no");
    // A decision and a token, so that no page is empty.
    let case =
        json!({ "clause": "network.attack", "facts": "Scanned 192.0.2.0/24 for open ports.", "solution": "flow-en" });
    let case = house.api(Who::Staff, "POST", "/v1/cases", Some(&case)).expect("the API answers");
    assert_eq!(case.status, 201, "{:?}", case.body);
    let solution = house.api(Who::Account, "GET", "/v1/solutions/flow-en", None).expect("the API answers");
    let decision = json!({
        "clause": "network.attack", "reasons": "The solution scanned the network of others for open ports.",
        "facts": "Between 10 and 11 it opened connections to 254 addresses of 192.0.2.0/24.",
        "scope": { "of": "solution", "id": solution.body["id"] },
    });
    let number = case.body["number"].as_str().expect("a number");
    let path = format!("/v1/cases/{number}/decisions");
    let decided = house.api(Who::Staff, "POST", &path, Some(&decision)).expect("the API answers");
    assert_eq!(decided.status, 201, "{:?}", decided.body);
    run("shots.mjs", "yes");
    // Here the owner gets a second factor, so what logs in by the password alone came before.
    run("doors.mjs", "no");
}

/// A backup that is asked for, once it is ready.
fn backed_up(house: &House, name: &str) {
    let ask = |method: &str, path: &str| house.api(Who::Account, method, path, None).expect("the API answers");
    let made = ask("POST", &format!("/v1/solutions/{name}/backups"));
    assert_eq!(made.status, 202, "{:?}", made.body);
    let ended = house.wait_order(made.body["order"].as_str().expect("an order")).expect("it ends");
    assert_eq!(ended["state"], "done", "{ended}");
}

#[test]
fn backups_are_made_looked_into_and_put_back_in_a_browser() {
    if let Some(reason) = missing() {
        eprintln!("backups were not tried in a browser: {reason}");
        return;
    }
    let house = House::up("panback").expect("the house stands");
    let spec = json!({ "domains": ["saved.demo-sites.test"], "runtime": "static" });
    super::site(&house, "saved", spec);
    super::upload(&house, "saved", &[("pages/index.html", b"<h1>first</h1>"), ("pages/style.css", b"h1 {}")]);
    backed_up(&house, "saved");
    super::upload(
        &house,
        "saved",
        &[("pages/index.html", b"<h1>second, and longer</h1>"), ("pages/shell.php", b"<?php")],
    );
    let told =
        [("SOLUTION", "saved"), ("FOLDER", "www/pages"), ("FILE", "index.html"), ("CAME", "shell.php"), ("AXE", "yes")];
    let mut desk = Desk::open(&house);
    desk.run("backups.mjs", &told);
    desk.run("targets.mjs", &[("AXE", "yes")]);
}
