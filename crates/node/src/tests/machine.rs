//! A machine with a guest, on real engines: what it runs on was found out first, a measure lets it stand still, it is reset and made anew, and
//! a backup of it is proven by starting it.

use super::proof::{back_up, open, put_back, serve};
use super::{Heard, PATIENCE, measure, until};
use crate::{keeper, measures, trial};
use husorden_base::RuntimeName;
use husorden_kinds::{Outcome, RuntimeSight, Virtualisation, Waiting, kind};
use husorden_rules::measure::Fate;
use husorden_wire::node::{FromNode, Wish};
use jiff::Timestamp;
use serde_json::json;
use std::path::Path;
use std::time::{Duration, Instant};

#[test]
fn a_guest_is_tried_stands_still_is_reset_made_anew_and_proven() {
    on_a_node(|node, heard| {
        let mut form = json!({ "image": "tiny", "memory": "128 MiB", "disk": "128 MiB", "snapshot_room": "512 MiB" });
        form["disks"] = json!({ "data": { "size": "32 MiB" }, "kept": { "size": "16 MiB", "attached": false } });
        let wish = serve(node, "server", &form);
        let log =
            || std::fs::read_to_string(node.volume(wish.number).folder("log").join("serial.log")).unwrap_or_default();
        let booted = |words: &str, times: usize| {
            let end = Instant::now() + PATIENCE;
            while log().matches(words).count() < times {
                assert!(Instant::now() < end, "{words}: {}", log());
                std::thread::sleep(Duration::from_millis(50));
            }
        };
        booted("tiny: boot 1 of", 1);

        // What the machine is worth was found out before it ran, is a line of evidence, and is remembered.
        let verdict = trial::virtualisation(node);
        assert_ne!(verdict, Virtualisation::Untried);
        if Path::new(trial::DEVICE).exists() {
            eprintln!("{verdict:?}");
            let known = trial::known(&node.config.ground.home).expect("it is remembered");
            assert_eq!(known.verdict, verdict);
            crate::control::say_evidence(node);
            let told =
                |line: &FromNode| matches!(line, FromNode::Evidence(line) if line.act == "machine.virtualisation");
            assert_eq!(heard.all().iter().filter(|line| told(line)).count(), 1);
        }

        // It is asked for its figures from beside it.
        let gauge = kind("server").expect("a kind").gauges(&wish.spec).remove(0);
        let command = crate::sandbox::Command {
            argv: gauge.argv,
            stdin: gauge.stdin,
            limit: PATIENCE,
            output_bytes_max: 1 << 10,
        };
        let said = node.sandboxes.ask(wish.number, &gauge.role, &command).expect("it is asked");
        let said = husorden_kinds::figure::read(&String::from_utf8_lossy(&said.stdout));
        assert!(said["disk-read"] > 1e6 && said["disk-written"] > 0.0, "{said:?}");

        kept_in(node, &wish);

        // A measure that lets it stand still: no step is taken, nothing of it acts, and lifted it goes on where it was.
        measures::start(node).expect("bailiffs");
        let mut held = measure(&wish);
        held.fates.work = Fate::Waits;
        let cpu = || node.sandboxes.usage(wish.number)["qemu"].cpu_us;
        let still = || {
            let before = cpu();
            // A guest that rests is at work a few times a second.
            std::thread::sleep(Duration::from_secs(2));
            cpu() == before
        };
        measures::take(node, held.clone()).expect("it is kept");
        until("it stands still", still);
        let (_, outcome) = keeper::round(node, &wish, kind("server").expect("a kind"));
        assert!(matches!(outcome, Outcome::Settled(_)), "{outcome:?}");
        assert!(still() && node.ports.list().expect("ports").closed.contains(&wish.number));
        (held.lifted, held.revision) = (Some(Timestamp::now()), 2);
        measures::take(node, held).expect("it is lifted");
        until("it goes on", || !still());
        assert_eq!(log().matches("tiny: boot ").count(), 1, "it was not turned off");

        node.sandboxes.reset(wish.number).expect("it is reset");
        booted("tiny: boot 2 of", 1);

        // For a rescue it starts from a small system that is everybody's; its own disk lies beside that.
        let wished = |field: &str, value: serde_json::Value, generation| {
            let mut spec = wish.spec.clone();
            spec[field] = value;
            let wish = Wish { spec, generation, ..wish.clone() };
            node.register.take_wish(wish.clone()).expect("it is taken");
            let end = Instant::now() + PATIENCE;
            while !matches!(keeper::round(node, &wish, kind("server").expect("a kind")).1, Outcome::Settled(_)) {
                assert!(Instant::now() < end, "it comes to what is wished");
                std::thread::sleep(Duration::from_millis(50));
            }
            wish
        };
        wished("rescue", json!(true), 2);
        booted("of s7 on a disk of 131072 sectors", 1);
        assert!(log().contains("[vdb] 262144 512-byte logical blocks"), "its own disk is there: {}", log());
        booted("[sda] 65536 512-byte logical blocks", 3);
        let wish = wished("rescue", json!(false), 3);
        booted("of s7 on a disk of 262144 sectors", 3);

        // Its disks are opened by starting it.
        let (snapshot, noted) = back_up(node, &wish);
        for (what, mib) in [("disk.bytes", 128), ("disk.data.bytes", 32), ("disk.kept.bytes", 16)] {
            assert_eq!(noted.counts[what].least, mib << 20, "{what}");
        }
        let bench = put_back(node, &wish, &snapshot, &["vm", "log"]);
        let (passed, steps) = open(&bench, &noted);
        assert!(passed && steps.len() == 2, "{steps:?}");
        // One of whose other disks a part is missing starts, and is found out.
        let other = bench.volume().folder("vm").join("disks/data.raw");
        let other = std::fs::OpenOptions::new().write(true).open(other).expect("it is there");
        other.set_len(16 << 20).expect("it is cut");
        let (passed, steps) = open(&bench, &noted);
        assert!(!passed && steps.len() == 2 && steps[0].failed.is_none(), "{steps:?}");
        // One whose loader is gone starts nothing, and says so before its time is up.
        let disk = bench.volume().folder("vm").join("disk.raw");
        let disk = std::fs::OpenOptions::new().write(true).open(disk).expect("it is there");
        std::os::unix::fs::FileExt::write_all_at(&disk, &vec![0; 4 << 20], 0).expect("it is written");
        let (passed, steps) = open(&bench, &noted);
        assert!(!passed && steps[0].failed.as_ref().is_some_and(|why| why.en.contains("ended")), "{steps:?}");
        drop(bench);

        // Made anew it has no past.
        wished("rebuilt", json!(1), 4);
        booted("tiny: boot 1 of", 2);
    });
}

/// Who broke out of the machine would be where this probe is: it meets no file, socket or address of anybody else.
fn kept_in(node: &crate::Node, wish: &Wish) {
    for words in ["link set lo up", "addr add 192.0.2.1/32 dev lo"] {
        assert!(std::process::Command::new("ip").args(words.split(' ')).status().expect("ip runs").success());
    }
    let listener = std::net::TcpListener::bind("0.0.0.0:0").expect("somebody listens on the node");
    let port = listener.local_addr().expect("a port").port();
    let abstracted =
        <std::os::unix::net::SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name("husorden-probed")
            .expect("a name");
    let _named = std::os::unix::net::UnixListener::bind_addr(&abstracted).expect("and on a name of no folder");
    std::net::TcpStream::connect(("192.0.2.1", port)).expect("who is on the node meets the one");
    std::os::unix::net::UnixStream::connect_addr(&abstracted).expect("and the other");
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    let folder = tempfile::Builder::new().permissions(open).tempdir_in("/var/tmp").expect("a folder of the machine");
    let file = folder.path().join("everybodys");
    std::fs::write(&file, "read by whoever sees it").expect("a file");
    let command = crate::sandbox::Command {
        argv: ["/usr/bin/perl", "-", &port.to_string(), file.to_str().expect("a path")].map(str::to_owned).to_vec(),
        stdin: include_str!("probe.pl").to_owned(),
        limit: PATIENCE,
        output_bytes_max: 4 << 10,
    };
    let said = node.sandboxes.ask(wish.number, "qemu", &command).expect("it is asked");
    let (said, failed) = (String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
    let expected = "own socket: yes\nabstract socket: no\n127.0.0.1: no\n192.0.2.1: no\n169.254.1.2: no\nfile: no\n\
        written: /dev/shm /run /srv/log /srv/vm /srv/vm/disks /tmp\nothers' processes: 0\nraw socket: no\nnamespace: no\n";
    assert_eq!((&*said, &*failed), (expected, ""));
}

/// A node with engines, and who hears what it says from the beginning.
fn on_a_node(test: impl FnOnce(&std::sync::Arc<crate::Node>, &Heard) + Send) {
    super::on_a_node_with_engines(|node| test(node, &Heard::of(node)));
}

/// A disk that somebody else made is imported, and a server that was waiting for it starts by the disk's own loader.
#[test]
fn a_server_is_made_from_an_imported_disk() {
    super::on_a_node_with_engines(|node| {
        let name = |text: &str| text.parse::<RuntimeName>().expect("a name");
        let form = json!({ "image": "brought-1", "memory": "128 MiB", "disk": "128 MiB", "snapshot_room": "128 MiB" });
        let server = kind("server").expect("a kind");
        let spec = server.parse(&form, None).expect("the form holds");
        let wish = Wish { kind: "server".to_owned(), spec, ..super::wish(7) };
        node.register.take_wish(wish.clone()).expect("it is taken");
        // Nobody has such an image, which is said to its owner and asked of nobody.
        until("its owner is told", || match keeper::round(node, &wish, server).1 {
            Outcome::Waits(_, Waiting::Trouble { text }) => text.en.contains("no image called brought-1"),
            _ => false,
        });

        for needed in [name("tiny"), name("image-import")] {
            node.runtimes.ensure(&needed).expect("it is asked for");
            let end = Instant::now() + PATIENCE;
            while node.runtimes.status(&needed) != RuntimeSight::Ready {
                assert!(Instant::now() < end, "{needed}: {:?}", node.runtimes.status(&needed));
                std::thread::sleep(Duration::from_millis(100));
            }
        }
        // As another cloud hands it out: compressed, in QEMU's own form.
        let folder = tempfile::tempdir_in("/var/tmp").expect("a folder");
        let disk = node.runtimes.image(&name("tiny")).expect("it is there").join("disk.raw");
        std::fs::copy(disk, folder.path().join("disk.raw")).expect("a copy");
        let made = std::process::Command::new("unshare")
            .args(["--mount", "--propagation", "private", "--", "sh", "-ec", "mount --bind \"$2\" \"$1/mnt\"; exec chroot \"$1\" qemu-img convert -c -f raw -O qcow2 /mnt/disk.raw /mnt/own.qcow2", "sh"])
            .arg(node.runtimes.path(&name("image-import"), None).expect("it is there"))
            .arg(folder.path())
            .status();
        assert!(made.expect("unshare").success());

        let socket = folder.path().join("local.sock");
        crate::local::listen(node, &socket).expect("it listens");
        let verb = |request: serde_json::Value| -> serde_json::Value {
            use std::io::{Read, Write};
            let mut stream = std::os::unix::net::UnixStream::connect(&socket).expect("it answers");
            writeln!(stream, "{request}").expect("it is asked");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).expect("it answers");
            serde_json::from_str(&answer).expect("JSON")
        };
        let listed = || -> serde_json::Value {
            let images = verb(json!({ "do": "images" }));
            images["ok"]
                .as_array()
                .expect("a list")
                .iter()
                .find(|one| one["name"] == "brought-1")
                .cloned()
                .unwrap_or_default()
        };
        let ask = json!({
            "name": "brought-1", "source": folder.path().join("own.qcow2"), "sha256": null, "title": { "da": "Egen", "en": "Own" },
            "licence": { "by": "Debian", "terms": { "da": "Fri", "en": "Free" } }, "system": "linux", "firmware": null,
        });
        let begun = verb(json!({ "do": "image-import", "ask": ask }));
        assert_eq!(begun["ok"]["name"], "brought-1", "{begun}");
        until("it is imported", || listed()["state"] != "importing");
        assert_eq!(
            (&listed()["state"], &listed()["licence"]["by"]),
            (&json!("ready"), &json!("Debian")),
            "{}",
            listed()
        );
        let health = node.health();
        let told = health.runtimes.iter().find(|one| one.name == "brought-1").and_then(|one| one.image.clone());
        assert!(told.is_some_and(|image| image.imported && image.disk == husorden_base::Bytes::mib(64)));

        let wish = super::proof::settle(node, wish);
        let log =
            || std::fs::read_to_string(node.volume(wish.number).folder("log").join("serial.log")).unwrap_or_default();
        let end = Instant::now() + PATIENCE;
        while !(log().contains("The disk's own loader starts the system.") && log().contains("tiny: boot 1 of")) {
            assert!(Instant::now() < end, "{}", log());
            std::thread::sleep(Duration::from_millis(50));
        }
        // As long as a server may be made anew from it, it stays.
        let kept = verb(json!({ "do": "image-remove", "name": "brought-1" }));
        assert_eq!(kept["refusal"]["code"], "image-in-use", "{kept}");
        assert_eq!(verb(json!({ "do": "image-remove", "name": "tiny" }))["refusal"]["code"], "no-such-image");
        assert_eq!(
            verb(json!({ "do": "image-build", "name": "brought-1", "anew": true }))["refusal"]["code"],
            "imported"
        );
    });
}
