//! The console in a real browser: Chromium opens a server's screen and types a log-in at it, and the guest says on its serial line that somebody
//! tried; who is not let in, what ends it, and what is written down.

use super::panel::{Desk, missing};
use husorden_world::{House, PATIENCE, Who, text};
use serde_json::json;
use std::time::{Duration, Instant};

#[test]
fn a_browser_types_a_log_in() {
    if let Some(reason) = missing() {
        eprintln!("the console was not tried in a browser: {reason}");
        return;
    }
    let house = House::up("console").expect("the house stands");
    let spec = json!({ "image": "tiny", "memory": "128 MiB", "disk": "256 MiB" });
    let form = json!({ "kind": "server", "name": "web", "spec": spec });
    let made = house.api(Who::Account, "POST", "/v1/solutions", Some(&form)).expect("the API answers");
    assert_eq!(made.status, 201, "{:?}", made.body);
    house.wait_state("web", "running").expect("it is made");
    let serial = || {
        let told = house.cli(Who::Account, &["solution", "log", "web"]).expect("it runs");
        text(&told.stdout)
    };
    let said = |words: &str| {
        let end = Instant::now() + PATIENCE;
        while !serial().contains(words) {
            assert!(Instant::now() < end, "{words}: {}", serial());
            std::thread::sleep(Duration::from_millis(500));
        }
    };
    said("syslogd started");

    // A picture by the command line.
    let file = house.home().join("screen.png");
    let path = file.to_string_lossy();
    let shot = house.cli(Who::Account, &["solution", "screenshot", "web", "--out", &path]).expect("it runs");
    assert!(shot.status.success(), "{}{}", text(&shot.stdout), text(&shot.stderr));
    let picture = std::fs::read(&file).expect("a picture");
    assert_eq!(picture[..8], *b"\x89PNG\r\n\x1a\n");

    let mut desk = Desk::open(&house);
    // What is typed there is read by the guest, which says so on its serial line.
    let number = made.body["solution"]["number"].as_u64().expect("a number");
    let log = format!("/run/husorden/{}/pools/main/solutions/{number}/live/log/serial.log", house.instance);
    desk.run("console.mjs", &[("SOLUTION", "web"), ("AXE", "no"), ("SERIAL", &log)]);
    said("invalid password for 'root' on 'tty1'");
    desk.run("console.mjs", &[("SOLUTION", "web"), ("AXE", "yes")]);

    // What was opened was closed, and each says who and from where.
    let lines = |act: &str| {
        let path = format!("/v1/evidence?act={act}&limit=50");
        let answer = house.api(Who::Account, "GET", &path, None).expect("the API answers");
        answer.body["items"].as_array().expect("lines").clone()
    };
    let end = Instant::now() + PATIENCE;
    while lines("console.close").len() < lines("console.open").len() {
        assert!(Instant::now() < end, "{:?}", lines("console.open"));
        std::thread::sleep(Duration::from_millis(200));
    }
    for line in lines("console.open").iter().chain(&lines("console.close")) {
        let who = line["who"].as_str().expect("who");
        assert!(who.starts_with("account:person:") && line["before"]["from"].is_string(), "{line}");
    }
    let ends: Vec<_> = lines("console.close").iter().map(|line| line["before"]["why"].clone()).collect();
    assert!(ends.contains(&json!("logged-out")) && ends.contains(&json!("left")), "{ends:?}");

    // There is a server: the pages of images that are made of one.
    desk.run("images.mjs", &[("SOLUTION", "web"), ("AXE", "yes")]);

    // Off there is nothing to be seen, and that is said.
    let stopped = house.api(Who::Account, "POST", "/v1/solutions/web/stop", None).expect("the API answers");
    assert_eq!(stopped.status, 200, "{:?}", stopped.body);
    house.wait_state("web", "stopped").expect("it stops");
    let none = house.api(Who::Account, "GET", "/v1/solutions/web/screen", None).expect("the API answers");
    assert_eq!((none.status, &none.body["refusal"]["code"]), (409, &json!("console-off")), "{:?}", none.body);
}
