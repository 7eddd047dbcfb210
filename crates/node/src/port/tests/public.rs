//! Public addresses: what rules open is reached there and nothing else is, a guest is seen under its own and can take no other, and what is taken
//! away is gone at once. What goes over the uplink is looked at as it goes.

use super::guests::{guest, ip};
use super::*;
use husorden_kinds::firewall;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, recv, socket};
use serde_json::{Value, json};
use std::os::fd::AsRawFd;
use std::process::Command;
use std::sync::Mutex;

/// In the uplink's own net, so that somebody must answer for them there.
const ONE4: &str = "192.0.2.65";
const TWO4: &str = "192.0.2.66";
const ONE6: &str = "2001:db8:0:7::1";
const TWO6: &str = "2001:db8:0:8::1";

pub(super) fn public(four: &str, six: &str, rules: Value) -> Port {
    let net6 = IpNet::new(address(six), 64).unwrap().trunc();
    let rules = firewall::read(&rules).unwrap();
    Port { public: vec![address(four).into(), net6], passages: firewall::passages(&rules), tap: true, ..outbound() }
}

/// Rules by which the outside may come to TCP port 80 and UDP port 5353, and may ask for an echo.
fn open() -> Value {
    let from = ["192.0.2.0/24", "2001:db8::/32"];
    json!([
        { "protocol": "tcp", "ports": "80-81", "from": from },
        { "protocol": "udp", "ports": "5353", "from": from },
        { "protocol": "icmp", "from": from },
    ])
}

/// A guest with public addresses that the outside knows the way to.
pub(super) fn known(house: &House, ports: &Ports, number: Number, port: &Port) -> String {
    ports.set(number, port).unwrap();
    ports.ensure(number).unwrap();
    let name = guest(house, number);
    let [four, six] = [port.public[0], port.public[1]];
    let first = husorden_kinds::public::main6(if let IpNet::V6(six) = six { six } else { panic!("a net of IPv6") });
    ip(&name, &format!("addr add {four} dev eth0"));
    ip(&name, &format!("route replace default via {} dev eth0 src {}", husorden_kinds::tap::GATEWAY4, four.addr()));
    ip(&name, &format!("-6 addr add {first}/128 dev eth0 nodad"));
    ip(&house.outside, &format!("-6 route replace {six} via 2001:db8::1"));
    name
}

/// Whether an echo comes back.
fn echoes(from: &str, to: &str) -> bool {
    netns::within(from, || Ok(Command::new("busybox").args(["ping", "-c", "1", "-W", "1", to]).output().unwrap()))
        .unwrap()
        .status
        .success()
}

/// For whom the node answers on its uplink.
fn proxies() -> String {
    let told = Command::new("ip").args(["neigh", "show", "proxy"]).output().unwrap();
    String::from_utf8_lossy(&told.stdout).into_owned()
}

/// Every frame that arrives in a namespace from now on.
fn captured(house: &House, name: &str) -> Arc<Mutex<Vec<Vec<u8>>>> {
    let frames = Arc::new(Mutex::new(Vec::new()));
    let all = netns::within(name, || {
        let all = nix::sys::socket::SockProtocol::EthAll;
        Ok(socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_NONBLOCK, all).unwrap())
    })
    .unwrap();
    let (kept, stop) = (Arc::clone(&frames), house.stop.clone());
    std::thread::spawn(move || {
        let mut frame = [0; 2048];
        while !stop.load(Ordering::Relaxed) {
            match recv(all.as_raw_fd(), &mut frame, MsgFlags::empty()) {
                Ok(length) => kept.lock().unwrap().push(frame[..length].to_vec()),
                Err(_) => std::thread::sleep(Duration::from_millis(2)),
            }
        }
    });
    frames
}

/// How many of the frames have these bytes at this place.
fn with(frames: &Mutex<Vec<Vec<u8>>>, at: usize, bytes: &[u8]) -> usize {
    frames.lock().unwrap().iter().filter(|frame| frame.get(at..at + bytes.len()) == Some(bytes)).count()
}

fn octets(text: &str) -> Vec<u8> {
    match address(text) {
        IpAddr::V4(four) => four.octets().to_vec(),
        IpAddr::V6(six) => six.octets().to_vec(),
    }
}

#[test]
fn a_guest_is_reached_at_its_public_addresses_by_what_rules_open() {
    in_a_house(|house| {
        let one = number(1);
        let ports = house.ports();
        let port = Port { allow: vec![allow(22, "192.0.2.2/32")], ..public(ONE4, ONE6, open()) };
        let guest = known(house, &ports, one, &port);
        for tcp in [22, 80, 81, 82] {
            house.serve(Some(&guest), tcp);
        }
        house.serve(Some(&house.outside), 7000);
        for (to, from) in [(ONE4, OUTSIDE4), (ONE6, OUTSIDE6)] {
            for tcp in [80, 81] {
                assert_eq!(seen_as(&mut reach(&house.outside, address(to), tcp).unwrap()), from, "{to} {tcp}");
            }
            assert!(connect(&house.outside, address(to), 82).is_err(), "no rule names it");
            assert!(echoes(&house.outside, to), "{to}");
            // It is seen under its own address, and not the node's.
            assert_eq!(seen_as(&mut reach(&guest, address(from), 7000).unwrap()), to);
        }
        // The list of SSH holds at the public address too, and it is a list of its own.
        assert!(reach(&house.outside, address(ONE4), 22).is_ok());
        assert!(connect(&house.outside, address(ONE6), 22).is_err(), "IPv6 does not stand on the list");
        assert!(connect(&house.outside, one.ipv4().into(), 80).is_err(), "rules open nothing at internal addresses");
        // Any other address of its net is its own as well.
        ip(&guest, "-6 addr add 2001:db8:0:7:9::9/128 dev eth0 nodad");
        assert!(reach(&house.outside, address("2001:db8:0:7:9::9"), 80).is_ok());

        let mut datagrams = UdpSocketPair::between(&house.outside, &guest, ONE4);
        assert!(datagrams.passes(5353) && !datagrams.passes(5354));
        // An error about what it sent itself needs no rule.
        let told = netns::within(&guest, || {
            let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
            socket.connect((OUTSIDE4, 9)).unwrap();
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
            socket.send(b"x").unwrap();
            Ok(socket.recv(&mut [0; 8]).unwrap_err().kind())
        })
        .unwrap();
        assert_eq!(told, ErrorKind::ConnectionRefused);

        // The next node finds it as it is, and answers for it on an uplink that is another one by now.
        let mut standing = reach(&house.outside, address(ONE4), 80).unwrap();
        drop(ports);
        let forgotten = Command::new("ip").args(["neigh", "del", "proxy", ONE4, "dev", "up0"]).status().unwrap();
        assert!(forgotten.success() && !proxies().contains(ONE4));
        let ports = house.ports();
        assert!(proxies().contains(ONE4));
        assert_eq!(ports.look(one).unwrap(), Some(port.digest()));
        assert!(talks(&mut standing));
        // A measure closes these as any.
        ports.close(one).unwrap();
        assert!(!still_talks(&mut standing) && connect(&house.outside, address(ONE6), 80).is_err());
        ports.open_again(one).unwrap();
        assert!(reach(&house.outside, address(ONE6), 80).is_ok());
        ports.remove(one).unwrap();
    });
}

/// Datagrams from one namespace to an address of another.
struct UdpSocketPair<'a> {
    from: &'a str,
    at: &'a str,
    to: &'a str,
}

impl<'a> UdpSocketPair<'a> {
    fn between(from: &'a str, at: &'a str, to: &'a str) -> Self {
        Self { from, at, to }
    }

    /// Whether one comes to this port.
    fn passes(&mut self, port: u16) -> bool {
        let listens = netns::within(self.at, || Ok(UdpSocket::bind((Ipv6Addr::UNSPECIFIED, port)).unwrap())).unwrap();
        listens.set_read_timeout(Some(Duration::from_millis(700))).unwrap();
        netns::within(self.from, || {
            UdpSocket::bind("0.0.0.0:0").unwrap().send_to(b"x", (address(self.to), port)).unwrap();
            Ok(())
        })
        .unwrap();
        listens.recv(&mut [0; 8]).is_ok()
    }
}

#[test]
fn what_a_rule_no_longer_opens_is_cut_and_what_is_given_up_leads_nowhere() {
    in_a_house(|house| {
        let one = number(1);
        let ports = house.ports();
        let guest = known(house, &ports, one, &public(ONE4, ONE6, open()));
        for tcp in [80, 81] {
            house.serve(Some(&guest), tcp);
        }
        let mut by_80 = reach(&house.outside, address(ONE4), 80).unwrap();
        let mut by_81 = reach(&house.outside, address(ONE6), 81).unwrap();
        let only = json!([{ "protocol": "tcp", "ports": "81", "from": ["2001:db8::2"] }]);
        ports.set(one, &public(ONE4, ONE6, only)).unwrap();
        assert!(!still_talks(&mut by_80), "it was established, and no rule lets it in any more");
        assert!(talks(&mut by_81), "this one still may");
        assert!(connect(&house.outside, address(ONE4), 80).is_err() && !echoes(&house.outside, ONE4));
        assert!(ports.counters().unwrap()[&one].refused_in.packets >= 1);
        // At a public address the world knocks everywhere; only where there is a list of its own is that noted.
        assert_eq!(ports.knocks().unwrap(), []);

        // Without public addresses nothing leads there, and nobody answers for them.
        assert!(proxies().contains(ONE4));
        ports.set(one, &Port { tap: true, ..outbound() }).unwrap();
        assert!(!still_talks(&mut by_81));
        assert!(!proxies().contains(ONE4));
        for words in [["route", "show", ONE4], ["-6", "route", "show"]] {
            let routes = Command::new("ip").args(words.iter().filter(|word| !word.is_empty())).output().unwrap();
            let routes = String::from_utf8_lossy(&routes.stdout).into_owned();
            assert!(!routes.contains(ONE4) && !routes.contains("2001:db8:0:7"), "{routes}");
        }
        // The next one may have it, but no two at once.
        let two = number(2);
        ports.set(two, &public(ONE4, ONE6, open())).unwrap();
        assert!(matches!(ports.set(one, &public(ONE4, TWO6, open())), Err(Error::PublicHeld(_))));
        ports.shut().unwrap();
        assert!(proxies().is_empty());
    });
}

#[test]
fn a_guest_can_take_no_address_but_its_own() {
    in_a_house(|house| {
        let (one, two) = (number(1), number(2));
        let ports = house.ports();
        let (first, second) = (
            known(house, &ports, one, &public(ONE4, ONE6, open())),
            known(house, &ports, two, &public(TWO4, TWO6, open())),
        );
        house.serve(Some(&second), 80);
        house.serve(Some(&house.outside), 7000);
        // Neighbours meet at their public addresses, under their own, as far as rules go.
        assert_eq!(seen_as(&mut reach(&first, address(TWO4), 80).unwrap()), ONE4);
        assert_eq!(seen_as(&mut reach(&first, address(TWO6), 80).unwrap()), ONE6);
        assert!(connect(&first, address(TWO4), 22).is_err());

        let frames = captured(house, &house.outside);
        // The neighbour's addresses, one of the outside's, and one of a net that begins as its own does.
        for taken in [TWO4, OUTSIDE4] {
            ip(&first, &format!("addr add {taken}/32 dev eth0"));
            ip(&first, &format!("route replace default via {} dev eth0 src {taken}", husorden_kinds::tap::GATEWAY4));
            let to = if taken == TWO4 { OUTSIDE4 } else { NODE4 };
            let _ = netns::within(&first, || Ok(UdpSocket::bind((taken, 0)).unwrap().send_to(b"x", (to, 9))));
        }
        for taken in [TWO6, "2001:db8:0:6::1"] {
            ip(&first, &format!("-6 addr add {taken}/128 dev eth0 nodad"));
            let _ = netns::within(&first, || {
                Ok(UdpSocket::bind((address(taken), 0)).unwrap().send_to(b"x", (OUTSIDE6, 9)))
            });
        }
        // Its frames are carried by threads of this test, which have other work.
        let until = Instant::now() + PATIENCE;
        while ports.counters().unwrap()[&one].spoofed.packets < 4 && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(ports.counters().unwrap()[&one].spoofed.packets, 4);
        // It says to its link whose addresses it has, in IPv4 and IPv6.
        let said = netns::within(&first, || {
            netns::set("ipv6/conf/eth0/accept_dad", "1")?;
            ip_add_with_detection(OUTSIDE6);
            let arp = ["arping", "-U", "-c", "2", "-I", "eth0", "-s", OUTSIDE4, OUTSIDE4];
            Ok(Command::new("busybox").args(arp).output().unwrap())
        })
        .unwrap();
        assert!(String::from_utf8_lossy(&said.stdout).contains("Sent 2"), "{said:?}");
        // What goes over the uplink has been seen when this has.
        let mut other = reach(&second, address(OUTSIDE4), 7000).unwrap();
        assert_eq!(seen_as(&mut other), TWO4, "nobody believed it");
        let until = Instant::now() + PATIENCE;
        while with(&frames, 26, &octets(TWO4)) == 0 && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(10));
        }
        let mine = mac(one);
        assert_eq!(with(&frames, 6, &mine), 0, "no frame of the guest's own leaves its link");
        assert!(with(&frames, 26, &octets(TWO4)) > 0, "the neighbour's are seen");
        let from_first_to_9 = frames
            .lock()
            .unwrap()
            .iter()
            .filter(|frame| frame.get(12..14) == Some(&[8, 0]) && frame.get(36..38) == Some(&[0, 9]))
            .count();
        assert_eq!(from_first_to_9, 0, "nothing of what it sent as another");
        assert_eq!(with(&frames, 22, &octets(TWO6)) + with(&frames, 22, &octets("2001:db8:0:6::1")), 0);
        ports.shut().unwrap();
    });
}

use husorden_kinds::tap::mac;

fn ip_add_with_detection(taken: &str) {
    let done = Command::new("ip").args(["-6", "addr", "add", &format!("{taken}/128"), "dev", "eth0"]).output().unwrap();
    assert!(done.status.success());
}

#[test]
fn echoes_are_let_in_by_rule_and_not_without_end() {
    in_a_house(|house| {
        let one = number(1);
        let ports = house.ports();
        let guest = known(house, &ports, one, &public(ONE4, ONE6, open()));
        let frames = captured(house, &guest);
        netns::within(&house.outside, || {
            let raw =
                socket(AddressFamily::Inet, SockType::Raw, SockFlag::empty(), nix::sys::socket::SockProtocol::Icmp);
            let raw = UdpSocket::from(raw.unwrap());
            for _ in 0..600 {
                // An echo request with nothing in it, and its checksum.
                raw.send_to(&[8, 0, 0xf7, 0xff, 0, 0, 0, 0], (ONE4, 0)).unwrap();
            }
            Ok(())
        })
        .unwrap();
        std::thread::sleep(Duration::from_millis(500));
        // Requests of ICMP that came to the guest: a hundred at once, and then fifty a second.
        let asked = frames
            .lock()
            .unwrap()
            .iter()
            .filter(|frame| frame.get(23) == Some(&1) && frame.get(34) == Some(&8))
            .count();
        assert!((50..300).contains(&asked), "{asked}");
        ports.remove(one).unwrap();
    });
}
