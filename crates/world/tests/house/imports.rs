//! An image that is imported by the command line: refused in words, offered in forms, kept when the node dies, and taken away.

use super::SOON;
use husorden_world::{House, Who, text};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

#[test]
fn an_image_is_imported_offered_kept_and_removed() {
    let house = House::up("imports").expect("the house comes up");
    let mut disk = vec![0; 4 << 20];
    let path = house.home().join("own.raw");
    std::fs::write(&path, &disk).expect("a file");
    let file = path.display().to_string();
    let import = |more: &[&str]| {
        let words = [&["image", "import", "own-1", &file, "--licence-by", "Anna", "--title-en", "Own"], more].concat();
        house.run(&words).expect("it runs")
    };
    let refused = import(&[]);
    assert_eq!(refused.status.code(), Some(3), "{}", text(&refused.stdout));
    assert!(text(&refused.stderr).contains("no disk that anything starts from"), "{}", text(&refused.stderr));
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    std::fs::write(&path, &disk).expect("a file");
    let wrong = import(&["--sha256", &"0".repeat(64)]);
    assert_eq!(wrong.status.code(), Some(3), "{}", text(&wrong.stdout));
    assert!(text(&wrong.stderr).contains("was expected"), "{}", text(&wrong.stderr));
    let url = ["image", "import", "own-1", "https://images.example/disk.qcow2", "--licence-by", "Anna"];
    let url = house.run(&url).expect("it runs");
    assert!(!url.status.success() && text(&url.stderr).contains("--sha256"), "{}", text(&url.stderr));

    let done = import(&["--firmware", "uefi"]);
    assert!(done.status.success(), "{}{}", text(&done.stdout), text(&done.stderr));
    assert!(text(&done.stdout).contains("Anna: The terms are not stated."), "{}", text(&done.stdout));
    let node = house.kill("node").expect("it is killed");
    house.wait_reborn("node", node).expect("it comes back");

    let offered = || {
        let kinds = house.api(Who::Account, "GET", "/v1/kinds", None).expect("the API answers").body;
        let server = kinds["items"].as_array().expect("kinds").iter().find(|kind| kind["name"] == "server").cloned();
        let field = server.unwrap_or_default()["spec"]["properties"]["image"].clone();
        field["x-names"]["own-1"]["en"].clone()
    };
    let end = Instant::now() + SOON;
    while offered() != json!("Own (UEFI, from 4 MiB)") {
        assert!(Instant::now() < end, "{}", offered());
        std::thread::sleep(Duration::from_millis(200));
    }
    let listed = house.run(&["image", "list", "-o", "json"]).expect("it runs");
    let listed: Value = serde_json::from_slice(&listed.stdout).expect("JSON");
    let own = listed.as_array().expect("a list").iter().find(|one| one["name"] == "own-1").expect("it is kept");
    assert_eq!((&own["state"], &own["imported"]["source"]), (&json!("ready"), &json!("own.raw")), "{own}");
    let removed = house.run(&["image", "remove", "own-1"]).expect("it runs");
    assert!(removed.status.success(), "{}", text(&removed.stderr));
    let again = house.run(&["image", "remove", "own-1"]).expect("it runs");
    assert_eq!(again.status.code(), Some(3), "it is gone");
    let end = Instant::now() + SOON;
    while !offered().is_null() {
        assert!(Instant::now() < end, "it is offered no more");
        std::thread::sleep(Duration::from_millis(200));
    }
}
