//! A disk image on real engines: made of a server's snapshot, servers made from it that are machines of their own, and what comes of them when
//! the image goes, is closed, or is another account's.

use super::database::own_address;
use super::server::Server;
use super::suspension;
use husorden_world::{House, Who, text};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

#[test]
fn servers_are_made_from_an_image_of_another() {
    let house = House::bare("golden", "").expect("the house comes up");
    let built = house.run(&["image", "build", "tiny", "-o", "json"]).expect("it runs");
    assert!(built.status.success(), "{}{}", text(&built.stdout), text(&built.stderr));
    let key = house.home().join("key");
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key).status();
    assert!(made.expect("ssh-keygen").success());
    let web = server(&house, &key, "web", "tiny", "128 MiB");
    web.booted(1);
    web.until("it is reached", || web.ssh("echo first > /disk/note && sync").is_ok());
    let snapshot = snapshot(&house);
    web.ssh("echo second > /disk/note && sync").expect("it is reached");
    let golden = image(&house, &snapshot);

    let small = ask(&house, "small", &json!({ "image": "golden", "disk": "128 MiB" }));
    assert_eq!(small.status, 201, "as large as the image's: {:?}", small.body);
    gone(&house, "small");
    let one = server(&house, &key, "one", "golden", "160 MiB");
    let shown = shown(&house, "one");
    assert_eq!((&shown["image"], &shown["spec"]["image"]), (&json!("golden"), &json!(format!("own-{golden}"))));
    // The disk of the snapshot, larger, in a machine that has its own name, addresses and keys.
    one.booted(2);
    one.until("it is reached", || one.ssh("true").is_ok());
    assert_eq!(one.ssh("cat /disk/note; hostname").as_deref(), Ok("first\none"));
    one.ssh("echo mine > /disk/note && sync").expect("it is reached");
    // Neither of the others knows of that.
    assert_eq!(web.ssh("cat /disk/note").as_deref(), Ok("second"));

    without_the_source(&house, &one);
    closed(&house);
    without_the_image(&house, &one);
}

fn ask(house: &House, name: &str, spec: &Value) -> husorden_world::Answer {
    let body = json!({ "kind": "server", "name": name, "spec": spec });
    house.api(Who::Account, "POST", "/v1/solutions", Some(&body)).expect("the API answers")
}

fn server<'a>(house: &'a House, key: &Path, name: &str, image: &str, disk: &str) -> Server<'a> {
    let public = std::fs::read_to_string(key.with_extension("pub")).expect("a key");
    let allow = json!([{ "net": own_address(house) }]);
    let spec = json!({ "image": image, "memory": "128 MiB", "disk": disk, "keys": [public], "allow": allow });
    let made = ask(house, name, &spec);
    assert_eq!(made.status, 201, "{:?}", made.body);
    house.wait_state(name, "running").expect("it is made");
    let one = &made.body["solution"];
    let (id, number) = (one["id"].as_str().expect("an id").to_owned(), one["number"].as_u64().expect("a number"));
    Server { house, id, number, key: key.to_owned() }
}

fn shown(house: &House, name: &str) -> Value {
    house.api(Who::Account, "GET", &format!("/v1/solutions/{name}"), None).expect("the API answers").body
}

fn snapshot(house: &House) -> String {
    let taken = house.api(Who::Account, "POST", "/v1/solutions/web/snapshots", Some(&json!({ "label": "first" })));
    let taken = taken.expect("the API answers");
    assert_eq!(taken.status, 202, "{:?}", taken.body);
    let order = house.wait_order(taken.body["id"].as_str().expect("an id")).expect("it ends");
    order["snapshot"].as_str().or(taken.body["snapshot"].as_str()).expect("a snapshot").to_owned()
}

/// Made by the command line; of what lay beside the disk nothing is left. Its number.
fn image(house: &House, snapshot: &str) -> u64 {
    let words = ["disk-image", "create", "golden", "--from", "web", "--snapshot", snapshot];
    let made = house.cli(Who::Account, &words).expect("it runs");
    assert!(made.status.success(), "{}{}", text(&made.stdout), text(&made.stderr));
    let golden = shown(house, "golden");
    assert_eq!((&golden["state"], &golden["spec"]["origin"]), (&json!("running"), &json!("tiny")), "{golden}");
    let number = golden["number"].as_u64().expect("a number");
    let folder = format!("/run/husorden/{}/pools/main/solutions/{number}/live", house.instance);
    let mut left: Vec<_> =
        std::fs::read_dir(format!("{folder}/vm")).expect("its folder").flatten().map(|one| one.file_name()).collect();
    left.sort();
    assert_eq!(left, ["disk.raw", "vars.fd"]);
    assert_eq!(std::fs::read_dir(format!("{folder}/log")).expect("its folder").count(), 0);
    let none = ask(house, "none", &json!({ "image": "own-999" }));
    assert_eq!(
        (none.status, &none.body["refusal"]["fields"][0]["pointer"]),
        (422, &json!("/spec/image")),
        "{:?}",
        none.body
    );
    let kinds = house.api(Who::Account, "GET", "/v1/kinds", None).expect("the API answers").body;
    assert!(kinds.to_string().contains(&format!("own-{number}")), "the form offers it");
    number
}

/// It outlives the server that it was made of, and who was made from it can be made from it anew.
fn without_the_source(house: &House, one: &Server<'_>) {
    gone(house, "web");
    let again = house.api(Who::Account, "POST", "/v1/solutions/one/rebuild", None).expect("the API answers");
    assert!(matches!(again.status, 200 | 202), "{:?}", again.body);
    one.until("it is as the image was", || one.ssh("cat /disk/note").as_deref() == Ok("first"));
    let undone = house.api(Who::Account, "POST", "/v1/solutions/one/undo", None).expect("the API answers");
    assert!(matches!(undone.status, 200 | 202), "{:?}", undone.body);
    one.until("what it had written is back", || one.ssh("cat /disk/note").as_deref() == Ok("mine"));
    // The settings that belong to the data come after it, and nobody is turned off for those that were held before.
    house.wait_state("one", "running").expect("it stands as wished");
    assert_eq!(one.ssh("cat /disk/boots").as_deref(), Ok("3"));
}

/// Nothing is made from what a measure holds.
fn closed(house: &House) {
    let golden = shown(house, "golden")["id"].as_str().expect("an id").to_owned();
    let measure = suspension::decide(house, &json!({ "of": "solution", "id": golden }));
    let made = ask(house, "two", &json!({ "image": "golden" }));
    assert_eq!(made.body["refusal"]["code"], "solution-held", "{:?}", made.body);
    let path = format!("/v1/measures/{}/lift", measure["id"].as_str().expect("an id"));
    let reasons = json!({ "reasons": "What it was closed for was mended." });
    let lifted = house.api(Who::Staff, "POST", &path, Some(&reasons)).expect("the API answers");
    assert!(matches!(lifted.status, 200 | 202), "{:?}", lifted.body);
    house.wait_state("golden", "running").expect("it is open again");
}

/// A server whose image is gone runs, and says so when it is to be made from it anew; when the image is back it goes on by itself.
fn without_the_image(house: &House, one: &Server<'_>) {
    gone(house, "golden");
    one.until("it goes on", || one.ssh("true").is_ok());
    let again = house.api(Who::Account, "POST", "/v1/solutions/one/rebuild", None).expect("the API answers");
    assert!(matches!(again.status, 200 | 202), "{:?}", again.body);
    one.until("it says so", || {
        let one = shown(house, "one");
        one["state"] == "trouble" && one["message"].as_str().is_some_and(|said| said.contains("disk image"))
    });
    let back = house.api(Who::Account, "POST", "/v1/solutions/golden/undo", None).expect("the API answers");
    assert!(matches!(back.status, 200 | 202), "{:?}", back.body);
    one.until("it is as the image was", || one.ssh("cat /disk/note").as_deref() == Ok("first"));
}

fn gone(house: &House, name: &str) {
    let answer = house.api(Who::Account, "DELETE", &format!("/v1/solutions/{name}"), None).expect("the API answers");
    assert!(matches!(answer.status, 200 | 202), "{:?}", answer.body);
    house.wait_state(name, "deleted").expect("it is gone");
}
