//! The pages of a database in a real browser, over a real server. The pictures lie under `target/screens`. Where no browser or no Node.js
//! is, the test says so and does nothing.

use super::database::{Client, create, own_address, wait_running};
use super::log::log;
use super::panel::{Desk, missing};
use super::until;
use husorden_world::{House, PATIENCE, Who};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::process::Stdio;
use std::time::{Duration, Instant};

#[test]
fn the_pages_of_a_database_in_a_browser() {
    if let Some(reason) = missing() {
        eprintln!("the pages of a database were not tried in a browser: {reason}");
        return;
    }
    let house = House::bare("pages", "care = { measure_s = 5, log_s = 4 }").expect("the house comes up");
    let spec = json!({ "engine": "postgresql-17", "pooler": "transaction", "pooler_size": 5, "allow": [{ "net": own_address(&house) }] });
    let made = create(&house, "db", &spec);
    wait_running(&house, "db");
    let mut desk = Desk::open(&house);
    desk.run("dumps.mjs", &[("SOLUTION", "db"), ("AXE", "yes")]);
    // Somebody is connected to the pooler, by the session of the server that it was given.
    let client = Client::first(&house, "db", &made).pooled();
    let mut psql = client.psql_of("app");
    psql.args(["--command", "SELECT pg_sleep(400)"]).stdout(Stdio::null()).stderr(Stdio::null());
    let mut connected = psql.spawn().expect("psql runs");
    let end = Instant::now() + PATIENCE;
    loop {
        let path = "/v1/solutions/db/figures?hours=1";
        let figures = house.api(Who::Account, "GET", path, None).expect("the API answers").body;
        let newest = |name: &str| {
            let all = figures["items"].as_array().expect("figures");
            let figure = all.iter().find(|figure| figure["name"] == name).expect("it is one of them");
            figure["points"].as_array().and_then(|points| points.last()?["value"].as_f64())
        };
        if (newest("pooler-clients"), newest("pooler-waiting")) == (Some(1.0), Some(0.0)) {
            assert!(newest("pooler-sessions").is_some_and(|sessions| sessions >= 1.0), "{figures}");
            break;
        }
        assert!(Instant::now() < end, "{figures}");
        std::thread::sleep(Duration::from_millis(500));
    }
    // Everything is kept, and there are some seconds to be had.
    until("a second can be chosen", || {
        let log = log(&house, "db");
        let time = |field: &str| log[field].as_str().and_then(|text| text.parse::<Timestamp>().ok());
        time("from").zip(time("to")).is_some_and(|(from, to)| to.duration_since(from) >= SignedDuration::from_secs(3))
    });
    desk.run("operation.mjs", &[("SOLUTION", "db"), ("AXE", "yes")]);
    let _ = connected.kill();
    let _ = connected.wait();
}
