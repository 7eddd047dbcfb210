//! What a form may say, and what is refused where.

use super::super::spec::USER_DATA_BYTES_MAX;
use super::{KEY, spec};
use crate::Kind;
use crate::schema::{IMAGES_OF_NODES, add_known};
use crate::server::Server;
use husorden_base::{Bytes, Text};
use serde_json::{Value, json};

fn wrong(form: &Value, before: Option<&Value>) -> Vec<String> {
    let wrong = Server.parse(form, before).expect_err("it is refused");
    let mut pointers: Vec<String> = wrong.into_iter().map(|field| field.pointer).collect();
    pointers.sort();
    pointers
}

#[test]
fn an_empty_form_is_a_server() {
    let spec = spec(&json!({}));
    assert_eq!(
        (&spec["image"], &spec["cores"], &spec["restart"]),
        (&json!("debian-13"), &json!(1), &json!("on-failure"))
    );
    assert_eq!(
        Server.volume(&spec),
        Bytes(Bytes::gib(15).0 + Bytes::mib(32).0),
        "a disk, half of it for snapshots, and logs"
    );
    assert_eq!(Server.demand(&spec).memory, Bytes::gib(1));
}

#[test]
fn what_is_wrong_is_said_at_its_field() {
    for (form, pointers) in [
        (json!({"image": "Windows 3.11"}), vec!["/image"]),
        (json!({"image": "../etc"}), vec!["/image"]),
        (json!({"image": 13}), vec!["/image"]),
        (json!({"cores": 0}), vec!["/cores"]),
        (json!({"cores": 4096}), vec!["/cores"]),
        (json!({"memory": "1 MiB"}), vec!["/memory"]),
        (json!({"memory": "900 TiB"}), vec!["/memory"]),
        (json!({"memory": 1_073_741_825}), vec!["/memory"]),
        (json!({"disk": "1 EiB"}), vec!["/disk"]),
        (json!({"disk": 18_446_744_073_709_551_615_u64}), vec!["/disk"]),
        (json!({"disk": "1 GiB"}), vec!["/disk"]),
        (json!({"disk": -1, "cores": "two"}), vec!["/cores", "/disk"]),
        (json!({"keys": "ssh-ed25519"}), vec!["/keys"]),
        (json!({"keys": [KEY, "anna", 7]}), vec!["/keys/1", "/keys/2"]),
        (json!({"keys": vec![KEY; 51]}), vec!["/keys"]),
        (json!({"user_data": "x".repeat(USER_DATA_BYTES_MAX + 1)}), vec!["/user_data"]),
        (json!({"user_data": "a\u{0}b"}), vec!["/user_data"]),
        (json!({"user_data": ["#cloud-config"]}), vec!["/user_data"]),
        (json!({"firmware": "uefi", "memory": "128 MiB", "image": "tiny"}), vec!["/memory"]),
        (json!({"restart": "sometimes"}), vec!["/restart"]),
        (json!({"kernel": "/vmlinuz"}), vec!["/kernel"]),
        (json!({"disks": ["data"]}), vec!["/disks"]),
        (json!({"disks": {"data": {"size": "0 MiB"}}}), vec!["/disks/data/size"]),
        (json!({"disks": {"data": {"size": 16_777_217}}}), vec!["/disks/data/size"]),
        (json!({"disks": {"data": {"size": "9000 TiB"}}}), vec!["/disks/data/size"]),
        (json!({"disks": {"data": {"attached": "yes"}}}), vec!["/disks/data/attached"]),
        (json!({"disks": {"data": {"mount": "/data"}}}), vec!["/disks/data/mount"]),
        (json!({"disks": {"data": 20}}), vec!["/disks/data"]),
        (json!({"disks": {"Data": {}}}), vec!["/disks/Data"]),
        (json!({"disks": {"2nd": {}}}), vec!["/disks/2nd"]),
        (json!({"disks": {"": {}}}), vec!["/disks/"]),
        (json!({"disks": {"a/../b": {}}}), vec!["/disks/a~1..~1b"]),
        (json!({"disks": {"a-name-of-21-letters-": {}}}), vec!["/disks/a-name-of-21-letters-"]),
        (
            json!({"disks": {"a": {}, "b": {}, "c": {}, "d": {}, "e": {}, "f": {}, "g": {}, "h": {}, "i": {}}}),
            vec!["/disks"],
        ),
    ] {
        assert_eq!(wrong(&form, None), pointers, "{form}");
    }
}

#[test]
fn user_data_has_room_for_what_other_clouds_take_to_the_byte() {
    let full = "æ".repeat(USER_DATA_BYTES_MAX / 2);
    assert_eq!(spec(&json!({"user_data": full}))["user_data"], json!(full));
}

#[test]
fn keys_are_taken_once_each_and_with_single_blanks() {
    let spaced = KEY.replace(' ', "  ");
    assert_eq!(spec(&json!({"keys": [KEY, spaced]}))["keys"], json!([KEY]));
}

#[test]
fn a_disk_grows_and_never_shrinks() {
    let before = spec(&json!({"disk": "20 GiB"}));
    assert_eq!(wrong(&json!({"disk": "10 GiB"}), Some(&before)), ["/disk"]);
    let after = Server.parse(&json!({"disk": "30 GiB"}), Some(&before)).expect("it grows");
    assert!(!Server.destructive(&before, &after));
    let other = Server.parse(&json!({"image": "debian-12"}), Some(&before)).expect("another image");
    assert!(Server.destructive(&before, &other), "a snapshot comes before the disk is made anew");
    let again = Server.rebuilt(&before).expect("it has an image");
    let again = Server.parse(&again, Some(&before)).expect("it is rebuilt");
    assert!(Server.destructive(&before, &again) && again["image"] == before["image"], "{again}");
}

#[test]
fn disks_beside_the_first_are_counted_with_their_snapshots() {
    let form = |disks: Value| json!({"disks": disks});
    let before = spec(&form(json!({"data": {"size": "20 GiB"}, "logs": {"size": "2 GiB", "attached": false}})));
    assert_eq!(before["disks"]["data"]["attached"], true, "who wants a disk wants it attached");
    // 10 GiB, 22 GiB beside them, and half of all.
    assert_eq!(Server.volume(&before), Bytes(Bytes::gib(48).0 + Bytes::mib(32).0));
    assert_eq!(Server.demand(&before).disk, Server.volume(&before));
    let change = |before: &Value, disks: Value| {
        let mut whole = before.clone();
        whole["disks"] = disks;
        Server.parse(&whole, Some(before))
    };
    let held = json!({"data": {"size": "20 GiB"}, "logs": {"size": "2 GiB"}});
    let after = change(&before, held).expect("one is attached");
    assert_eq!(Server.volume(&after), Server.volume(&before));
    assert!(!Server.destructive(&before, &after));
    let grown = change(&before, json!({"data": {"size": "40 GiB"}, "logs": {}})).expect("one grows");
    assert_eq!(grown["disks"]["logs"], before["disks"]["logs"], "what is not said is as before");
    assert_eq!(
        Server.volume(&grown),
        Bytes(Bytes::gib(78).0 + Bytes::mib(32).0),
        "the room follows while nobody chose it"
    );
    assert!(!Server.destructive(&before, &grown));
    let smaller = change(&before, json!({"data": {"size": "10 GiB"}, "logs": {}})).expect_err("it does not shrink");
    assert_eq!(smaller[0].pointer, "/disks/data/size");
    let without = change(&before, json!({"logs": {}})).expect("one is deleted");
    assert!(Server.destructive(&before, &without), "a snapshot comes before it is deleted");
    assert_eq!(Server.volume(&without), Server.volume(&before), "what it held lies in that");
    let mut lower = without.clone();
    lower["snapshot_room"] = json!("6 GiB");
    let lower = Server.parse(&lower, Some(&without)).expect("the room is the owner's to choose");
    assert_eq!(Server.volume(&lower), Bytes(Bytes::gib(18).0 + Bytes::mib(32).0));
    let kept = Server.parse(&json!({"cores": 2}), Some(&before)).expect("a form that does not name them");
    assert_eq!(kept["disks"], before["disks"]);
    assert_eq!(Server.parse(&json!({"disks": null}), Some(&before)).expect("none")["disks"], json!({}));
}

#[test]
fn an_image_that_was_imported_is_named_as_any_other() {
    let spec = spec(&json!({"image": "alpine-3.22", "disk": "256 MiB"}));
    assert_eq!(Server.image(&spec).expect("it is made from one").as_str(), "alpine-3.22");
    let mut schema = Server.schema();
    let named =
        [("tiny", "Another"), ("alpine-3.22", "Alpine")].map(|(word, name)| (word.to_owned(), Text::new(name, name)));
    add_known(&mut schema, IMAGES_OF_NODES, &named.into());
    let field = &schema["properties"]["image"];
    assert_eq!(field["x-known"], json!(["debian-13", "debian-12", "tiny", "alpine-3.22"]));
    assert_eq!(field["x-names"]["alpine-3.22"]["da"], "Alpine");
    assert_eq!(field["x-names"]["tiny"]["en"], "Tiny (for tests)", "the catalogue's own is called as it was");
}

#[test]
fn a_server_is_not_called_digits_alone() {
    assert!(Server.name_wrong("4711").is_some());
    assert!(Server.name_wrong("web-4711").is_none());
}

#[test]
fn the_schema_knows_every_field_of_the_spec_and_the_catalogue_every_image() {
    let (schema, spec) = (Server.schema(), spec(&json!({})));
    let fields: Vec<&String> = spec.as_object().expect("an object").keys().collect();
    assert_eq!(fields.len(), schema["properties"].as_object().expect("an object").len());
    for field in fields {
        let one = &schema["properties"][field];
        assert!(one["title"].is_string() && one["x-da"]["title"].is_string(), "{field}");
    }
    for offer in Server.offers() {
        Server.parse(&offer.spec, None).expect(offer.name);
    }
    for word in schema["properties"]["image"]["x-known"].as_array().expect("choices") {
        let word = word.as_str().expect("a word");
        assert!(schema["properties"]["image"]["x-names"][word].is_object(), "{word}");
        let path = format!("{}/../../images/{word}.toml", env!("CARGO_MANIFEST_DIR"));
        assert!(std::path::Path::new(&path).is_file(), "{path}");
    }
}
