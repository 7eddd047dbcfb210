//! An image that is imported by the command line: refused in words, offered in forms, kept when the node dies, and taken away.

use husorden_world::{House, PATIENCE, Who, text};
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
        let words =
            [&["image", "import", "brought-1", &file, "--licence-by", "Anna", "--title-en", "Own"], more].concat();
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
    let url = ["image", "import", "brought-1", "https://images.example/disk.qcow2", "--licence-by", "Anna"];
    let url = house.run(&url).expect("it runs");
    assert!(!url.status.success() && text(&url.stderr).contains("--sha256"), "{}", text(&url.stderr));

    let done = import(&["--firmware", "uefi"]);
    assert!(done.status.success(), "{}{}", text(&done.stdout), text(&done.stderr));
    assert!(text(&done.stdout).contains("Anna: The terms are not stated."), "{}", text(&done.stdout));
    let node = house.kill("node").expect("it is killed");
    house.wait_reborn("node", node).expect("it comes back");

    // What forms offer is what the node said last, which it says every ten seconds.
    let until_offered = |wanted: Value| {
        let end = Instant::now() + PATIENCE;
        loop {
            let answer = house.api(Who::Account, "GET", "/v1/kinds", None).expect("the API answers");
            let kinds = answer.body["items"].as_array().into_iter().flatten();
            let server = kinds.into_iter().find(|kind| kind["name"] == "server").cloned();
            let offered = server.map(|kind| kind["spec"]["properties"]["image"]["x-names"]["brought-1"]["en"].clone());
            if offered.as_ref() == Some(&wanted) {
                return;
            }
            assert!(Instant::now() < end, "{wanted}: {} {:?}", answer.status, offered);
            std::thread::sleep(Duration::from_secs(1));
        }
    };
    until_offered(json!("Own (UEFI, from 4 MiB)"));
    let listed = house.run(&["image", "list", "-o", "json"]).expect("it runs");
    let listed: Value = serde_json::from_slice(&listed.stdout).expect("JSON");
    let own = listed.as_array().expect("a list").iter().find(|one| one["name"] == "brought-1").expect("it is kept");
    assert_eq!((&own["state"], &own["imported"]["source"]), (&json!("ready"), &json!("own.raw")), "{own}");
    let removed = house.run(&["image", "remove", "brought-1"]).expect("it runs");
    assert!(removed.status.success(), "{}", text(&removed.stderr));
    let again = house.run(&["image", "remove", "brought-1"]).expect("it runs");
    assert_eq!(again.status.code(), Some(3), "it is gone");
    until_offered(Value::Null);
}
