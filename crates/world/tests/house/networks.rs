//! Private networks of two accounts with one range: by the command line and the API, with guests that speak to each other and to nobody else, while
//! the node dies and after it.

use super::database::own_address;
use super::panel::{Desk, missing};
use super::ssh::Way;
use husorden_world::{House, PATIENCE, Who, text};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

struct Story {
    house: House,
    /// Of the second account.
    token: String,
    key: PathBuf,
}

#[test]
fn two_accounts_with_one_range_stay_apart() {
    let house = House::bare("networks", "").expect("the house comes up");
    let token = second_account(&house);
    let key = house.home().join("key");
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key).status();
    assert!(made.expect("ssh-keygen").success());
    let story = Story { house, token, key };
    let (first, second) = (story.house.token(Who::Account).to_owned(), story.token.clone());

    for token in [&first, &second] {
        story.cli(token, &["network", "create", "backend", "--range", "10.20.0.0/24"]).expect("it is made");
    }
    let refused = story.cli(&first, &["network", "create", "world", "--range", "192.0.2.0/24"]);
    assert!(refused.is_err_and(|said| said.contains("192.168.0.0/16")), "the reason is said");
    let web = story.server(&first, "web");
    let db = story.server(&first, "db");
    let far = story.server(&second, "far");
    for server in [&web, &db, &far] {
        story.reached(server);
    }
    assert_eq!([&web.1, &db.1, &far.1], ["10.20.0.2", "10.20.0.3", "10.20.0.2"], "each account's own");

    // The one speaks to the other, and the third has nobody: what answers there is the account's own, or nobody.
    assert!(story.ssh(&web, "ping -c 2 -W 60 10.20.0.3").is_ok());
    assert!(story.ssh(&web, "nc -w 60 10.20.0.3 22 </dev/null").expect("it is answered").contains("SSH-2.0"));
    assert!(story.ssh(&far, "ping -c 2 -W 2 10.20.0.3").is_err(), "it has no neighbour");

    in_a_browser(&story.house);

    // The node dies, and nobody in the network notices.
    let old = story.house.kill("node").expect("it ran");
    assert!(story.ssh(&web, "ping -c 2 -W 60 10.20.0.3").is_ok(), "while it is away");
    story.house.wait_reborn("node", old).expect("it is back");
    story.house.wait_state("web", "running").expect("it is known again");
    assert!(story.ssh(&web, "ping -c 2 -W 60 10.20.0.3").is_ok(), "and when it is back");

    // Who leaves hears nobody and keeps its data; what somebody is in does not go.
    let refused = story.cli(&first, &["network", "delete", "backend", "--yes"]);
    assert!(refused.is_err_and(|said| said.contains("db, web")), "it says who is in it");
    story.cli(&first, &["network", "leave", "backend", "web"]).expect("it leaves");
    story.reached(&web);
    assert!(story.ssh(&web, "ping -c 2 -W 2 10.20.0.3").is_err());
    assert!(story.ssh(&web, "cat /disk/boots").is_ok_and(|boots| boots == "2"), "turned off and on once");
    let shown = story.cli(&first, &["network", "show", "backend", "-o", "json"]).expect("it is shown");
    let shown: Value = serde_json::from_str(&shown).expect("JSON");
    assert_eq!(shown["members"].as_array().map(Vec::len), Some(1));
    let swept = story.house.run(&["node", "sweep"]).expect("it runs");
    let odd: Value = serde_json::from_slice(&swept.stdout).expect("the sweep is JSON");
    assert_eq!(odd["odd"], json!([]), "everything has an owner");
}

/// The pages of networks, where there is a browser.
fn in_a_browser(house: &House) {
    match missing() {
        Some(reason) => eprintln!("the pages of networks were not tried in a browser: {reason}"),
        None => Desk::open(house).run("networks.mjs", &[("NETWORK", "backend"), ("AXE", "yes")]),
    }
}

/// Another account, and a token of it.
fn second_account(house: &House) -> String {
    let account = house.api(Who::Staff, "POST", "/v1/accounts", Some(&json!({ "name": "second" }))).expect("an answer");
    assert_eq!(account.status, 201, "{:?}", account.body);
    let glass = json!({ "account": account.body["id"], "break_glass": "A story makes a token for it." });
    let glass = house.api(Who::Staff, "POST", "/v1/grants", Some(&glass)).expect("an answer");
    assert_eq!(glass.status, 201, "{:?}", glass.body);
    let may = ["read", "solution-create", "solution-change", "solution-delete"];
    let form = json!({ "label": "story", "account": account.body["id"], "scope": { "capabilities": may } });
    let token = house.api(Who::Staff, "POST", "/v1/tokens", Some(&form)).expect("an answer");
    token.body["token"].as_str().unwrap_or_else(|| panic!("a token: {:?}", token.body)).to_owned()
}

/// A server: its number, and its address in the network.
type Server = (u64, String);

impl Story {
    fn cli(&self, token: &str, arguments: &[&str]) -> Result<String, String> {
        let mut command = Command::new(&self.house.binary);
        command.args(arguments).env("HUSORDEN_API", self.house.api_address()).env("HUSORDEN_TOKEN", token);
        let done = command.env("LANG", "en_GB.UTF-8").output().expect("it runs");
        let (said, failed) = (text(&done.stdout).to_string(), text(&done.stderr).to_string());
        if done.status.success() { Ok(said) } else { Err(said + &failed) }
    }

    fn server(&self, token: &str, name: &str) -> Server {
        let public = std::fs::read_to_string(self.key.with_extension("pub")).expect("a key");
        let allow = json!([{ "net": own_address(&self.house) }]);
        let spec = json!({ "image": "tiny", "memory": "128 MiB", "disk": "128 MiB", "keys": [public],
            "allow": allow, "networks": ["backend"] });
        let body = json!({ "kind": "server", "name": name, "spec": spec }).to_string();
        let bearer = format!("Bearer {token}");
        let headers = [("content-type", "application/json"), ("authorization", bearer.as_str())];
        let made = self.house.api_raw(Who::Nobody, "POST", "/v1/solutions", &headers, body.as_bytes());
        let made = made.expect("the API answers");
        assert_eq!(made.status, 201, "{:?}", made.body);
        let one = &made.body["solution"];
        let address = one["spec"]["networks"][0]["address"].as_str().expect("an address").to_owned();
        (one["number"].as_u64().expect("a number"), address)
    }

    /// Waits until a server is reached by SSH.
    fn reached(&self, server: &Server) {
        let end = Instant::now() + PATIENCE;
        while let Err(error) = self.ssh(server, "true") {
            assert!(Instant::now() < end, "{}: {error}", server.0);
            std::thread::sleep(Duration::from_millis(500));
        }
    }

    /// Runs a command in a guest, by SSH through the node's door.
    fn ssh(&self, server: &Server, command: &str) -> Result<String, String> {
        let edge = self.house.status()["addresses"]["edge"].as_str().expect("an address").to_owned();
        Way { from: None, host: &edge, port: 20_000 + server.0, key: &self.key }.run(command)
    }
}
