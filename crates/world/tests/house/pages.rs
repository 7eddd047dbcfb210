//! The pages of a database in a real browser, over a real server. The pictures lie under `target/screens`. Where no browser or no Node.js
//! is, the test says so and does nothing.

use super::SITE;
use super::panel::{Desk, missing};
use husorden_world::{House, Who};
use serde_json::json;

#[test]
fn the_pages_of_a_database_in_a_browser() {
    if let Some(reason) = missing() {
        eprintln!("the pages of a database were not tried in a browser: {reason}");
        return;
    }
    let house = House::up("pages").expect("the house comes up");
    let body = json!({ "kind": "database", "name": "db", "spec": { "engine": "postgresql-17" } });
    let made = house.api(Who::Account, "POST", "/v1/solutions", Some(&body)).expect("the API answers");
    assert_eq!(made.status, 201, "{:?}", made.body);
    house.wait_state("db", "running", SITE).unwrap_or_else(|error| panic!("{error}"));
    let mut desk = Desk::open(&house);
    desk.run("dumps.mjs", &[("SOLUTION", "db"), ("AXE", "yes")]);
}
