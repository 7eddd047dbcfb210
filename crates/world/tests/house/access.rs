//! Who may connect, on a real database: a client outside is refused, becomes a proposal, is let in by one press, and is cut when
//! its time is over, with control dead.

use crate::panel::{Desk, missing};
use husorden_world::{House, PATIENCE, Who, text};
use nix::sys::signal::{Signal, kill};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

/// What PostgreSQL is asked before TLS; it answers with one letter.
const TLS_PLEASE: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

fn connect(to: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&to, Duration::from_millis(1500))?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    Ok(stream)
}

/// Whether a database answers at the other end.
fn answers(stream: &mut TcpStream) -> bool {
    let mut letter = [0];
    stream.write_all(&TLS_PLEASE).and_then(|()| stream.read_exact(&mut letter)).is_ok() && letter == *b"S"
}

fn read(house: &House, path: &str) -> Value {
    let answer = house.api(Who::Account, "GET", path, None).expect("the API answers");
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    answer.body
}

fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(got) = ask() {
            return got;
        }
        assert!(Instant::now() < end, "never: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_refused_client_is_let_in_and_cut_on_time() {
    let house = House::bare("access", "").expect("the house comes up");
    let form = json!({ "kind": "database", "name": "db", "spec": { "engine": "postgresql-17" } });
    let made = house.api(Who::Account, "POST", "/v1/solutions", Some(&form)).expect("the API answers");
    assert_eq!(made.status, 201, "{:?}", made.body);
    let solution = house.wait_state("db", "running").expect("the database runs");
    let node: IpAddr =
        house.status()["addresses"]["edge"].as_str().and_then(|text| text.parse().ok()).expect("an address");
    let number = solution["number"].as_u64().expect("a number");
    let door = SocketAddr::new(node, 20_000 + u16::try_from(number % 40_000).expect("a port"));

    // Nobody may connect, and who tries becomes a proposal: one attempt each, however often a packet is sent again.
    for _ in 0..2 {
        connect(door).expect_err("nobody is on the list");
    }
    let way = UdpSocket::bind("0.0.0.0:0").and_then(|socket| socket.connect(door).and_then(|()| socket.local_addr()));
    let own = way.expect("a way to the node").ip().to_string();
    let proposal = until("it is proposed", || {
        let page = read(&house, "/v1/solutions/db/proposals");
        page["items"].as_array()?.iter().find(|one| one["net"] == own.as_str() && one["attempts"] == 2).cloned()
    });
    assert_eq!(proposal["port"], 5432, "the port of the solution, not of the door");

    let said = |arguments: &[&str]| {
        let output = house.cli(Who::Account, arguments).expect("the command line runs");
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        text(&output.stdout).trim().to_owned()
    };
    assert_eq!(proposal["id"], said(&["proposal", "list", "db", "-o", "name"]));

    // One press in a browser; without one, the same word by the command line.
    if let Some(reason) = missing() {
        eprintln!("the page was not tried in a browser: {reason}");
        said(&["proposal", "accept", "db", &own]);
    } else {
        let mut desk = Desk::open(&house);
        desk.run("places.mjs", &[("SOLUTION", "db"), ("AXE", "yes")]);
        desk.run("access.mjs", &[("SOLUTION", "db"), ("NET", &own), ("AXE", "yes")]);
    }
    let mut stream = until("it is let in", || connect(door).ok());
    assert!(answers(&mut stream), "a database answers");
    assert_eq!(said(&["proposal", "list", "db", "-o", "name"]), "");
    ends_with_control_dead(&house, door, &own);
}

/// An entry with an end: control is stopped, and the node ends it and cuts who came by it.
fn ends_with_control_dead(house: &House, door: SocketAddr, own: &str) {
    let control = nix::unistd::Pid::from_raw(house.pid("control").expect("it runs"));
    // Where there is much other work it takes longer to get there before the end.
    let mut held =
        (3..10).find_map(|round| let_in_for_a_while(house, control, door, own, 1 << round)).expect("in time");
    let end = Instant::now() + PATIENCE;
    while connect(door).is_ok() {
        assert!(Instant::now() < end, "still let in");
        std::thread::sleep(Duration::from_millis(100));
    }
    held.set_read_timeout(Some(Duration::from_secs(5))).expect("a socket");
    assert!(!answers(&mut held), "who came by it is cut");
    kill(control, Signal::SIGCONT).expect("it goes on");
    let line = until("the line of evidence", || {
        let lines = read(house, "/v1/evidence?limit=100");
        lines["items"].as_array()?.iter().find(|line| line["act"] == "access.end").cloned()
    });
    assert_eq!(line["before"]["net"], format!("{own}/32"));
}

/// Stops control while a connection stands that came by an entry with so many seconds to live; nothing where it ended before.
fn let_in_for_a_while(
    house: &House,
    control: nix::unistd::Pid,
    door: SocketAddr,
    own: &str,
    seconds: i64,
) -> Option<TcpStream> {
    let end = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds);
    let patch = json!({ "spec": { "allow": [{ "net": own, "note": "for a moment", "until": end }] } });
    let changed = house.api(Who::Account, "PATCH", "/v1/solutions/db", Some(&patch)).expect("the API answers");
    assert_eq!(changed.status, 200, "{:?}", changed.body);
    until("the node has it", || {
        let seen = read(house, "/v1/solutions/db");
        (seen["seen_generation"].as_i64() >= changed.body["generation"].as_i64()).then_some(())
    });
    let held = connect(door).ok()?;
    kill(control, Signal::SIGSTOP).expect("it is stopped");
    if jiff::Timestamp::now() < end {
        return Some(held);
    }
    kill(control, Signal::SIGCONT).expect("it goes on");
    None
}
