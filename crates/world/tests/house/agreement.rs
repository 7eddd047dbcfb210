//! Port 25 out of a server: closed, opened by an agreement that its account asked for and staff gave, and closed again by its end, by the
//! clock with control dead, with live connections cut each time. The guest is a real one, and the mail server stands in the world outside.

use super::network::Net;
use super::public::{WORLD, cli};
use super::until;
use husorden_world::{House, Who, text};
use nix::sys::signal::{Signal, kill};
use serde_json::{Value, json};
use std::io::Write;
use std::net::TcpListener;
use std::time::Duration;

/// A mail server in the world, and one that is none: each greets, and goes on for as long as the connection stands.
fn serve(world: &Net) {
    for port in [25, 2525] {
        let path = world.path();
        let (ready, listening) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            Net::enter(&path);
            let listener = TcpListener::bind(("::", port)).expect("it listens");
            ready.send(()).expect("the test waits");
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { continue };
                std::thread::spawn(move || {
                    while stream.write_all(b"220 mail.example\r\n").is_ok() {
                        std::thread::sleep(Duration::from_millis(200));
                    }
                });
            }
        });
        listening.recv().expect("it listens");
    }
}

/// The agreement that is in force.
pub(super) fn agreed(house: &House) -> String {
    cli(house, &["agreement", "list", "--state", "agreed", "-o", "name"]).trim().to_owned()
}

fn staff(house: &House, words: &[&str]) -> String {
    let done = house.cli(Who::Staff, words).expect("it runs");
    assert!(done.status.success(), "{words:?}: {}{}", text(&done.stdout), text(&done.stderr));
    text(&done.stdout)
}

/// Asks, and says yes.
fn agree(house: &House, more: &[&str]) -> String {
    cli(house, &["agreement", "ask", "web", "--per-week", "2000", "--purpose", "Receipts to customers."]);
    let id = staff(house, &["agreement", "list", "--state", "asked", "-o", "name"]).trim().to_owned();
    let words = [&["agreement", "decide", id.as_str(), "--agree"], more].concat();
    let said = staff(house, &words);
    assert!(said.contains("web"), "{said}");
    id
}

pub(super) fn opens_port_25(house: &House, world: &Net, guest: impl Fn(&str) -> Result<String, String>) {
    serve(world);
    let meets = |address: &str, port: u16| {
        let said = guest(&format!("timeout 8 nc {address} {port} </dev/null 2>/dev/null | head -n 1"));
        said.is_ok_and(|said| said.contains("220 mail.example"))
    };
    for address in WORLD {
        assert!(!meets(address, 25), "closed without an agreement");
        until("another port is as it was", || meets(address, 2525));
    }
    // A request opens nothing, and a refusal neither.
    cli(house, &["agreement", "ask", "web", "--per-week", "2000", "--purpose", "Receipts to customers."]);
    let id = staff(house, &["agreement", "list", "--state", "asked", "-o", "name"]).trim().to_owned();
    let unreasoned = house.cli(Who::Staff, &["agreement", "decide", &id, "--refuse"]).expect("it runs");
    assert!(!unreasoned.status.success(), "a no has a reason");
    staff(house, &["agreement", "decide", &id, "--refuse", "--reason", "Say more of who gets them."]);
    assert!(!meets(WORLD[0], 25));

    let id = agree(house, &[]);
    for address in WORLD {
        until(address, || meets(address, 25));
    }
    assert!(guest("timeout 4 nc 10.9.9.9 25 </dev/null").is_err(), "what nobody reaches is not reached");
    // A connection that stands is cut when the account ends it, and one to another port is not.
    let hold = |port: u16, over: &dyn Fn() -> bool| {
        let command =
            format!("rm -f /tmp/held-{port}; (sleep 600 | nc {} {port} >/tmp/held-{port}) >/dev/null 2>&1 &", WORLD[0]);
        guest(&command).expect("it is started");
        until("it is greeted", || over() || guest(&format!("grep -c 220 /tmp/held-{port}")).is_ok());
    };
    // The pipe's first end sleeps on, so that what tells is whether more arrives.
    let grows = |port: u16| {
        let count = || guest(&format!("wc -c </tmp/held-{port}")).expect("it is read");
        let before = count();
        std::thread::sleep(Duration::from_secs(1));
        count() != before
    };
    hold(25, &|| false);
    hold(2525, &|| false);
    cli(house, &["agreement", "end", &id, "--yes"]);
    until("it is cut", || !grows(25));
    until("what goes elsewhere goes on", || grows(2525));
    assert!(!meets(WORLD[0], 25));

    // With an end: control is dead, and the node closes by itself. Where there is much other work it takes longer to get there before the end.
    let pid = nix::unistd::Pid::from_raw(house.pid("control").expect("it runs"));
    let (id, end) = (6..10)
        .find_map(|round| {
            let id = agree(house, &["--until", &format!("{}s", 1 << round)]);
            let one: Value =
                serde_json::from_str(&cli(house, &["agreement", "show", &id, "-o", "json"])).expect("JSON");
            let end: jiff::Timestamp = one["until"].as_str().and_then(|at| at.parse().ok()).expect("an end");
            let over = || jiff::Timestamp::now() > end;
            until("it is open", || over() || meets(WORLD[0], 25));
            hold(25, &over);
            kill(pid, Signal::SIGSTOP).expect("it is stopped");
            if !over() {
                return Some((id, end));
            }
            kill(pid, Signal::SIGCONT).expect("it goes on");
            until("it has ended", || agreed(house).is_empty());
            None
        })
        .expect("in time");
    until("its time is over", || jiff::Timestamp::now() > end);
    until("closed and cut by the node alone", || !meets(WORLD[0], 25) && !grows(25));
    kill(pid, Signal::SIGCONT).expect("it goes on");
    let read = |path: &str| house.api(Who::Account, "GET", path, None).expect("the API answers").body;
    until("control has written it down", || read(&format!("/v1/agreements/{id}"))["state"] == json!("ended"));
    until("and so has the node", || {
        let lines = read("/v1/evidence?limit=200&act=mail-out.end");
        lines["items"].as_array().is_some_and(|lines| lines.iter().any(|line| line["act"] == "mail-out.end"))
    });
}
