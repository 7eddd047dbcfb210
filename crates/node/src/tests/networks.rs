//! Private networks with real guests: two of one account that speak with each other, and one of another's with the same range and the same
//! address, that is reached by nobody and hears nothing.

use super::capture::Capture;
use super::proof::settle;
use super::{PATIENCE, wish};
use crate::Node;
use crate::port::netns;
use husorden_kinds::{Membership, NetworkNumber, kind};
use husorden_wire::node::Wish;
use serde_json::json;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// What one guest says to another.
const MARK: &str = "zq-one-says";

fn membership(network: u32, last: u8) -> Membership {
    Membership {
        number: NetworkNumber::new(network).expect("a number"),
        range: "10.20.0.0/24".parse().expect("a range"),
        prefix: format!("fd00:0:0:{network}::/64").parse().expect("a prefix"),
        address: [10, 20, 0, last].into(),
    }
}

fn guest(node: &std::sync::Arc<Node>, number: u32, key: &Path, membership: Membership) -> Wish {
    let public = std::fs::read_to_string(key.with_extension("pub")).expect("a key");
    let form = json!({ "image": "tiny", "memory": "128 MiB", "disk": "128 MiB", "snapshot_room": "128 MiB", "keys": [public] });
    let spec = kind("server").expect("a kind").parse(&form, None).expect("the form holds");
    settle(node, Wish { kind: "server".to_owned(), spec, networks: vec![membership], ..wish(number) })
}

/// What a guest said on its serial line, and what the kernel knows of its port.
fn said(node: &Node, of: &Wish) -> String {
    let log = std::fs::read_to_string(node.volume(of.number).folder("log").join("serial.log")).unwrap_or_default();
    let enter = format!("--net={}", netns::path(&node.config.ground.netns(of.number)).display());
    let ask = |words: &str| {
        let said = Command::new("nsenter").arg(&enter).args(words.split(' ')).output().expect("nsenter runs");
        String::from_utf8_lossy(&said.stdout).into_owned()
    };
    format!("{log}\n{}{}{}", ask("ip -s addr"), ask("ip neigh"), ask("nft list ruleset"))
}

/// Carries a command out in a guest that is reached, as root by SSH over its own address.
fn ssh(of: &Wish, key: &Path, command: &str) -> Result<String, String> {
    let mut ssh = Command::new("timeout");
    ssh.args(["600", "ssh", "-F", "none", "-o", "BatchMode=yes", "-o", "LogLevel=ERROR", "-o", "IdentitiesOnly=yes"]);
    // Emulated beside everything else it takes a while to greet.
    ssh.args(["-o", "ConnectTimeout=60", "-o", "ConnectionAttempts=10"]);
    ssh.args(["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-i"]).arg(key);
    let done = ssh.args([&format!("root@{}", of.number.ipv4()), command]).output().expect("ssh runs");
    let said = String::from_utf8_lossy(&done.stdout).trim().to_owned();
    if done.status.success() { Ok(said) } else { Err(said + &String::from_utf8_lossy(&done.stderr)) }
}

#[test]
fn guests_of_one_network_speak_and_those_of_another_hear_nothing() {
    super::on_a_node_with_engines(|node| {
        // The node speaks to its guests from an address that they can answer.
        for words in ["link set lo up", "addr add 192.0.2.1/32 dev lo"] {
            let done = Command::new("ip").args(words.split(' ')).status().expect("ip runs");
            assert!(done.success(), "{words}");
        }
        let folder = tempfile::tempdir_in("/var/tmp").expect("a folder");
        let key = folder.path().join("key");
        let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key).status();
        assert!(made.expect("ssh-keygen").success());
        let one = guest(node, 7, &key, membership(1, 2));
        let two = guest(node, 8, &key, membership(1, 3));
        // Its network is another account's.
        let far = guest(node, 9, &key, membership(2, 3));
        for wish in [&one, &two, &far] {
            let end = Instant::now() + PATIENCE;
            while let Err(error) = ssh(wish, &key, "true") {
                assert!(Instant::now() < end, "{}: {error}\n{}", wish.number, said(node, wish));
                std::thread::sleep(Duration::from_millis(500));
            }
        }
        assert!(ssh(&one, &key, "ip -4 addr show eth1").expect("it is reached").contains("10.20.0.2/24"));

        let at = |wish: &Wish| Capture::of(Some(&node.config.ground.netns(wish.number)));
        let router =
            |network| Capture::of(Some(&node.config.ground.network(NetworkNumber::new(network).expect("a number"))));
        let (near, inner) = (at(&two), router(1));
        let others = [at(&far), router(2), Capture::of(None)];
        std::thread::scope(|scope| {
            let listens = scope.spawn(|| ssh(&two, &key, "nc -l -p 7000 </dev/null"));
            // Until it listens there is nobody to speak to.
            let end = Instant::now() + PATIENCE;
            let say = format!("echo {MARK} | nc -w 60 10.20.0.3 7000");
            while let Err(error) = ssh(&one, &key, &say) {
                assert!(Instant::now() < end, "{error}");
            }
            let heard = listens.join().expect("it listened");
            assert_eq!(heard.as_deref(), Ok(MARK), "the one that is meant heard it");
        });
        assert!(near.holding(MARK.as_bytes()) > 0 && inner.holding(MARK.as_bytes()) > 0, "captured on its way");
        for (place, other) in others.iter().enumerate() {
            assert_eq!(other.holding(MARK.as_bytes()), 0, "captured at {place}");
        }
        ssh(&one, &key, "ping -c 2 -W 60 fd00:0:0:1::a14:3").expect("in IPv6 too");
        assert!(ssh(&far, &key, "ping -c 2 -W 2 10.20.0.2").is_err(), "nobody of its network has that address");
        assert!(ssh(&one, &key, "ping -c 1 -W 2 -I eth1 192.0.2.1").is_err(), "no way out");

        // One that takes another's address is heard by nobody.
        ssh(&one, &key, "ip addr add 10.20.0.9/24 dev eth1").expect("it is reached");
        assert!(ssh(&one, &key, "ping -c 2 -W 2 -I 10.20.0.9 10.20.0.3").is_err());
        ssh(&one, &key, "ping -c 2 -W 60 10.20.0.3").expect("as itself it is");

        assert_eq!(netns::list(&format!("hus-{}-net-", node.config.ground.instance)).expect("names").len(), 2);
        assert_eq!(crate::sweep::find(node).expect("it is swept").odd, Vec::new());
    });
}
