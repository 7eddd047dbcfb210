//! Disks of a server beside its first: put into a guest that runs, grown and taken out under it; kept by whatever befalls machine and node;
//! and one with the first in snapshots.

use super::database::own_address;
use super::server::{Server, nix_kill, snapshot};
use husorden_world::{House, Who, text};
use serde_json::{Value, json};
use std::path::PathBuf;

#[test]
fn disks_come_and_go_under_a_server_that_runs() {
    let house = House::bare("disks", "care = { measure_s = 5 }").expect("the house comes up");
    let server = Server::make(&house, &json!({ "allow": [{ "net": own_address(&house) }] }));
    server.until("it is reached", || server.ssh("true").is_ok());
    refused(&server);
    let machine = server.machine();
    put_in(&server);
    counted(&server);
    grown(&server);
    taken_out(&server);
    node_dies(&server);
    assert_eq!((server.machine(), server.count("tiny: boot ")), (machine, 1), "it ran all the while");
    machine_dies(&server);
    one_moment(&server);
    rebuilt(&server);
    deleted(&server);
    changed_while_off(&server);
}

/// What is wrong is said at its field, and changes nothing.
fn refused(server: &Server<'_>) {
    let eight_and_one: serde_json::Map<String, Value> = (0..9).map(|at| (format!("d{at}"), json!({}))).collect();
    for (disks, pointer) in [
        (json!({ "data": { "size": 0 } }), "/spec/disks/data/size"),
        (json!({ "data": { "size": "20000 GiB" } }), "/spec/disks/data/size"),
        (json!({ "Data": {} }), "/spec/disks/Data"),
        (json!({ "a-name-that-is-too-long": {} }), "/spec/disks/a-name-that-is-too-long"),
        (Value::Object(eight_and_one), "/spec/disks"),
    ] {
        wrong(server, &disks, pointer);
    }
}

fn wrong(server: &Server<'_>, disks: &Value, pointer: &str) {
    let change = json!({ "spec": { "disks": disks } });
    let answer = server.house.api(Who::Account, "PATCH", "/v1/solutions/web", Some(&change)).expect("the API answers");
    let fields = answer.body["refusal"]["fields"].as_array().cloned().unwrap_or_default();
    assert_eq!(answer.status, 422, "{:?}", answer.body);
    assert!(fields.iter().any(|field| field["pointer"] == pointer), "{pointer}: {:?}", answer.body);
}

/// By the command line; the guest has it, by its name, and keeps files on it.
fn put_in(server: &Server<'_>) {
    let made = server.house.cli(Who::Account, &["server", "disk", "create", "web", "data", "--size", "64 MiB"]);
    let made = made.expect("it runs");
    assert!(made.status.success(), "{}{}", text(&made.stdout), text(&made.stderr));
    server.until("it is there", || sectors(server, "data") == Some(131_072));
    let device = device(server, "data").expect("it is there");
    server
        .ssh(&format!("mkdir -p /mnt && mke2fs /dev/{device} && mount -t ext2 /dev/{device} /mnt"))
        .expect("it takes a file system");
    server.ssh("echo kept > /mnt/file && sync").expect("it takes a file");
    let listed = server.house.cli(Who::Account, &["server", "disk", "list", "web"]).expect("it runs");
    assert!(text(&listed.stdout).contains("data"), "{}", text(&listed.stdout));
    let again = ["server", "disk", "create", "web", "data"];
    assert!(!server.house.cli(Who::Account, &again).expect("it runs").status.success(), "there is one of the name");
}

/// What is written to it is in the server's curves.
fn counted(server: &Server<'_>) {
    server.ssh("dd if=/dev/zero of=/mnt/much bs=1M count=32 conv=fsync && rm /mnt/much").expect("it takes a file");
    server.until("it is counted", || {
        let path = "/v1/solutions/web/figures?hours=1";
        let curves = server.house.api(Who::Account, "GET", path, None).expect("the API answers").body;
        let curves = curves["items"].as_array().expect("curves");
        let written = curves.iter().find(|curve| curve["name"] == "disk-written").expect("there is one of it");
        // A point is the mean of up to a minute, in which the first disk has next to nothing to do.
        let points = written["points"].as_array().expect("points");
        points.iter().any(|point| point["value"].as_f64().is_some_and(|bytes_s| bytes_s > 400_000.0))
    });
}

/// While it is in use.
fn grown(server: &Server<'_>) {
    server.change(&json!({ "disks": { "data": { "size": "128 MiB" } } }));
    server.until("it has grown", || sectors(server, "data") == Some(262_144));
    assert_eq!(server.ssh("cat /mnt/file").as_deref(), Ok("kept"));
    wrong(server, &json!({ "data": { "size": "64 MiB" } }), "/spec/disks/data/size");
}

/// Out of the guest and back, with what it holds.
fn taken_out(server: &Server<'_>) {
    server.ssh("umount /mnt").expect("nobody uses it");
    server.change(&json!({ "disks": { "data": { "attached": false } } }));
    server.until("it is gone", || device(server, "data").is_none());
    settled(server);
    // It grows while nobody has it, too.
    server.change(&json!({ "disks": { "data": { "size": "160 MiB" } } }));
    settled(server);
    assert_eq!(std::fs::metadata(file(server, "data")).expect("it is kept").len(), 160 << 20);
    server.change(&json!({ "disks": { "data": { "attached": true } } }));
    server.until("it is back", || sectors(server, "data") == Some(327_680));
    assert_eq!(mounted(server, "data"), "kept");
}

/// In the midst of a change: the one that comes after it finishes that.
fn node_dies(server: &Server<'_>) {
    server.change(&json!({ "disks": { "logs": { "size": "16 MiB" }, "data": { "size": "192 MiB" } } }));
    server.until("its file is made", || file(server, "logs").exists());
    let old = server.house.kill("node").expect("it ran");
    server.house.wait_reborn("node", old).expect("it is back");
    server.until("it is put in", || sectors(server, "logs") == Some(32_768));
    server.until("the other has grown", || sectors(server, "data") == Some(393_216));
    settled(server);
    assert_eq!(server.ssh("cat /mnt/file").as_deref(), Ok("kept"));
}

/// What starts again by itself has its disks.
fn machine_dies(server: &Server<'_>) {
    server.ssh("sync").expect("it is reached");
    nix_kill(server.machine());
    server.booted(2);
    server.until("it is reached again", || device(server, "data").is_some());
    assert!(device(server, "logs").is_some() && sectors(server, "data") == Some(393_216));
    assert_eq!(mounted(server, "data"), "kept");
}

/// A snapshot is of all disks, and brings all back.
fn one_moment(server: &Server<'_>) {
    server.ssh("echo one > /disk/first; echo one > /mnt/file; sync").expect("it is reached");
    let taken = snapshot(server);
    server.ssh("echo two > /disk/first; echo two > /mnt/file; sync; umount /mnt").expect("it is reached");
    server.change(&json!({ "disks": { "logs": { "attached": false } } }));
    settled(server);
    server.ordered(&format!("/v1/solutions/web/snapshots/{taken}/restore"));
    server.booted(3);
    server.until("it is reached again", || device(server, "data").is_some());
    assert_eq!(server.ssh("cat /disk/first").as_deref(), Ok("one"));
    assert_eq!(mounted(server, "data"), "one");
    server.until("the other is as it was too", || device(server, "logs").is_some());
}

/// The first disk is made anew, and no other.
fn rebuilt(server: &Server<'_>) {
    server.ssh("umount /mnt").expect("nobody uses it");
    let done = server.house.cli(Who::Account, &["solution", "rebuild", "web", "--yes"]).expect("it runs");
    assert!(done.status.success(), "{}{}", text(&done.stdout), text(&done.stderr));
    server.until("it has begun anew", || server.ssh("cat /disk/boots").as_deref() == Ok("1"));
    assert!(server.ssh("cat /disk/first").is_err());
    assert_eq!(mounted(server, "data"), "one");
}

/// One that is taken off the list is gone with its file, and an undo brings it back.
fn deleted(server: &Server<'_>) {
    server.ssh("umount /mnt").expect("nobody uses it");
    let before = server.house.api(Who::Account, "GET", "/v1/solutions/web", None).expect("the API answers").body;
    let dropped = server.house.cli(Who::Account, &["server", "disk", "drop", "web", "data", "--yes"]).expect("it runs");
    assert!(dropped.status.success(), "{}{}", text(&dropped.stdout), text(&dropped.stderr));
    server.until("it is gone", || device(server, "data").is_none());
    server.until("its file is gone", || !file(server, "data").exists());
    settled(server);
    assert!(device(server, "logs").is_some(), "the other stays");
    server.ordered("/v1/solutions/web/undo");
    server.until("it is reached again", || device(server, "data").is_some());
    assert_eq!(mounted(server, "data"), "one");
    let after = server.house.api(Who::Account, "GET", "/v1/solutions/web", None).expect("the API answers").body;
    assert_eq!(after["spec"], before["spec"]);
}

/// A server that is off, by whose doing ever, has what was wished when it is on.
fn changed_while_off(server: &Server<'_>) {
    server.ssh("umount /mnt; sync").expect("nobody uses it");
    let offs = server.count("husorden: the server has powered itself off");
    drop(server.tried("poweroff -f"));
    server.until("it is off", || server.count("husorden: the server has powered itself off") > offs);
    server.change(&json!({ "disks": { "more": { "size": "32 MiB" }, "logs": null } }));
    server.until("it is made", || file(server, "more").exists() && !file(server, "logs").exists());
    settled(server);
    server.order("stop");
    server.house.wait_state("web", "stopped").expect("it is off");
    server.change(&json!({ "disks": { "more": { "size": "48 MiB" } }, "firmware": "uefi", "memory": "256 MiB" }));
    server.order("start");
    server.until("it is on", || sectors(server, "more") == Some(98_304));
    assert!(server.ssh("test -d /sys/firmware/efi").is_ok(), "the same disk starts by the other firmware");
    assert!(device(server, "logs").is_none());
    assert_eq!(mounted(server, "data"), "one");
}

fn settled(server: &Server<'_>) {
    server.house.wait_state("web", "running").expect("nothing is left to do");
}

/// What the guest calls a disk, if it has one of that name.
fn device(server: &Server<'_>, name: &str) -> Option<String> {
    // A disk says its name as its serial number, behind four bytes.
    let each =
        "for one in /sys/block/sd*; do [ -e $one ] && echo ${one##*/} $(tail -c +5 $one/device/vpd_pg80); done; true";
    let said = server.ssh(each).ok()?;
    let found = said.lines().find_map(|line| line.split_once(' ').filter(|(_, serial)| serial.trim() == name));
    found.map(|(device, _)| device.to_owned())
}

/// How large the guest sees it.
fn sectors(server: &Server<'_>, name: &str) -> Option<u64> {
    let device = device(server, name)?;
    server.ssh(&format!("cat /sys/block/{device}/size")).ok()?.parse().ok()
}

/// Mounts it, and says what its file holds.
fn mounted(server: &Server<'_>, name: &str) -> String {
    let device = device(server, name).expect("it is there");
    server.ssh(&format!("mkdir -p /mnt && mount -t ext2 /dev/{device} /mnt && cat /mnt/file")).expect("it is mounted")
}

/// Where it lies.
fn file(server: &Server<'_>, name: &str) -> PathBuf {
    let (instance, number) = (&server.house.instance, server.number);
    format!("/run/husorden/{instance}/pools/main/solutions/{number}/live/vm/disks/{name}.raw").into()
}
