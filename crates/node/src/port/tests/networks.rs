//! Private networks: members reach each other and nobody else, whatever their ranges, and whatever a guest makes up. What is asserted is what
//! was captured at both ends.

use super::guests::{ip, plug};
use super::*;
use crate::tests::capture::Capture;
use husorden_kinds::tap::GATEWAY6;
use husorden_kinds::{Membership, NetworkNumber};

/// The TCP port that every guest listens on.
const TCP: u16 = 7000;

fn membership(network: u32, last: u8) -> Membership {
    Membership {
        number: NetworkNumber::new(network).unwrap(),
        // Every network has the same range, as those of different accounts may.
        range: "10.20.0.0/24".parse().unwrap(),
        prefix: format!("fd00:0:0:{network}::/64").parse().unwrap(),
        address: [10, 20, 0, last].into(),
    }
}

fn member(network: u32, last: u8) -> Port {
    Port { tap: true, networks: vec![membership(network, last)], ..outbound() }
}

/// A guest with a card in a network beside its own, set as its settings say, that listens.
fn guest(house: &House, number: Number, member: &Membership) -> String {
    let name = format!("hus-{}-guest-{number}", house.ground.instance);
    netns::make(&name).unwrap();
    plug(house, number, &member.number.tap(), (&name, "eth1"));
    for words in [
        "link set lo up".to_owned(),
        format!("link set eth1 address {} up", member.number.mac_text()),
        format!("addr add {}/{} dev eth1", member.address, member.range.prefix_len()),
        format!("-6 addr add {}/128 dev eth1 nodad", member.address6()),
        format!("-6 route add {} via {GATEWAY6} dev eth1", member.prefix),
    ] {
        ip(&name, &words);
    }
    house.serve(Some(&name), TCP);
    name
}

/// A port in a network with its guest.
fn join(house: &House, ports: &Ports, number: Number, network: u32, last: u8) -> (Membership, String) {
    ports.set(number, &member(network, last)).unwrap();
    ports.ensure(number).unwrap();
    let member = membership(network, last);
    let guest = guest(house, number, &member);
    (member, guest)
}

/// Sends a marked packet to an address, a few times over: the first may wait for an answer to who has it.
fn shout(from: &str, to: IpAddr, mark: &[u8]) {
    netns::within(from, || {
        let socket = UdpSocket::bind(if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" }).unwrap();
        for _ in 0..3 {
            let _ = socket.send_to(mark, (to, 9));
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn two_networks_with_one_range_stay_apart() {
    in_a_house(|house| {
        let ports = house.ports();
        let (one, one_guest) = join(house, &ports, number(1), 1, 2);
        let (two, two_guest) = join(house, &ports, number(2), 1, 3);
        // Another account's, with the very same range and addresses.
        let (far, far_guest) = join(house, &ports, number(3), 2, 3);
        assert_eq!(far.address, two.address);

        for (to, from) in
            [(IpAddr::from(two.address), IpAddr::from(one.address)), (two.address6().into(), one.address6().into())]
        {
            let mut stream = reach(&one_guest, to, TCP).unwrap();
            assert_eq!(seen_as(&mut stream), from.to_string(), "nobody changes who one is");
        }
        let near = Capture::of(Some(&two_guest));
        let others = [Some(house.name(number(3))), Some(far_guest.clone()), Some(house.outside.clone()), None]
            .map(|name| Capture::of(name.as_deref()));
        for to in [IpAddr::from(two.address), two.address6().into()] {
            shout(&one_guest, to, b"zq-one-says");
            assert!(near.holding(b"zq-one-says") >= 2, "captured where it was sent: {to}");
        }
        // Out, to the node, to other ports, and into other networks: no way leads there, also where the guest believes that one does.
        let outside = address(OUTSIDE4);
        for to in [outside, address(NODE4), number(3).ipv4().into(), far.address6().into()] {
            let family = if to.is_ipv4() { "" } else { "-6 " };
            let via = if to.is_ipv4() { one.gateway().to_string() } else { GATEWAY6.to_string() };
            ip(&one_guest, &format!("{family}route replace {to} via {via} dev eth1"));
            shout(&one_guest, to, b"zq-one-says");
            assert!(connect(&one_guest, to, TCP).is_err(), "{to}");
        }
        for (place, other) in others.iter().enumerate() {
            assert_eq!(other.holding(b"zq-one-says"), 0, "captured at {place}");
        }
        assert!(connect(&far_guest, one.address.into(), TCP).is_err(), "nobody of its network has that address");
        assert!(connect(&house.outside, two.address.into(), TCP).is_err());
        let mut own = reach(&far_guest, far.address.into(), TCP).unwrap();
        assert_eq!(seen_as(&mut own), far.address.to_string());

        assert_eq!(ports.list().unwrap().networks.len(), 2);
        for number in [1, 2, 3].map(number) {
            ports.remove(number).unwrap();
        }
        assert!(ports.list().unwrap().networks.is_empty(), "nobody is in them");
    });
}

/// An Ethernet frame of a guest that makes things up.
fn frame((from, to): ([u8; 6], [u8; 6]), kind: u16, body: &[u8]) -> Vec<u8> {
    [&to[..], &from, &kind.to_be_bytes(), body].concat()
}

/// The hardware address of a link.
fn mac_of(name: &str, link: &str) -> [u8; 6] {
    let shown = netns::within(name, || {
        let done = std::process::Command::new("ip").args(["-o", "link", "show", link]).output().unwrap();
        Ok(String::from_utf8(done.stdout).unwrap())
    });
    let shown = shown.unwrap();
    let text = shown.split("link/ether ").nth(1).unwrap().split(' ').next().unwrap();
    let bytes: Vec<u8> = text.split(':').map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
    bytes.try_into().unwrap()
}

/// A UDP packet from one address to another, with a mark in it.
fn packet(from: [u8; 4], to: [u8; 4], mark: &[u8]) -> Vec<u8> {
    let length = u16::try_from(28 + mark.len()).unwrap();
    let mut head = vec![0x45, 0];
    head.extend(length.to_be_bytes());
    head.extend([0, 1, 0, 0, 64, 17, 0, 0]);
    head.extend(from);
    head.extend(to);
    let sum = head.chunks(2).fold(0_u32, |sum, pair| sum + u32::from(u16::from_be_bytes([pair[0], pair[1]])));
    let sum = !u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap();
    head[10..12].copy_from_slice(&sum.to_be_bytes());
    head.extend([0, 9, 0, 9]);
    head.extend((length - 20).to_be_bytes());
    head.extend([0, 0]);
    head.extend(mark);
    head
}

/// A question or an answer about who has an address.
fn arp(operation: u8, mac: [u8; 6], from: [u8; 4], to: [u8; 4]) -> Vec<u8> {
    [&[0, 1, 8, 0, 6, 4, 0, operation][..], &mac, &from, &[0; 6], &to].concat()
}

#[test]
fn a_guest_that_lies_or_floods_reaches_nobody() {
    in_a_house(|house| {
        let ports = house.ports();
        let (two, two_guest) = join(house, &ports, number(2), 1, 3);
        let one = membership(1, 2);
        ports.set(number(1), &member(1, 2)).unwrap();
        ports.ensure(number(1)).unwrap();
        let mut tap = netns::within(&house.name(number(1)), || tap::open(&one.number.tap(), tap::FRAMES)).unwrap();
        let (near, own) = (Capture::of(Some(&two_guest)), Capture::of(Some(&house.name(number(1)))));
        let mac = one.number.mac();
        // To the port's own end, as what goes to another is sent.
        let way = (mac, mac_of(&house.name(number(1)), &one.number.tap()));
        let (me, them) = (one.address.octets(), two.address.octets());
        let mut say = |frame: &[u8]| tap.write_all(frame).unwrap();

        // The very frame that would pass, so that the ones below are not lost for another reason.
        say(&frame(way, 0x0800, &packet(me, them, b"zq-true")));
        let until = Instant::now() + PATIENCE;
        let mut came = 0;
        while came == 0 && Instant::now() < until {
            came = near.holding(b"zq-true");
            std::thread::sleep(Duration::from_millis(10));
        }
        // More than one: who has nobody listening there says so, and quotes it.
        assert!(came > 0, "it is who it says");
        for from in [[10, 20, 0, 9], them, [192, 0, 2, 9], [100, 64, 0, 1]] {
            say(&frame(way, 0x0800, &packet(from, them, b"zq-false")));
        }
        say(&frame(([2, 0, 0, 0, 0, 9], way.1), 0x0800, &packet(me, them, b"zq-false")));
        let six = |from: std::net::Ipv6Addr| {
            let head = [&[0x60, 0, 0, 0, 0, 16, 17, 64][..], &from.octets(), &two.address6().octets()].concat();
            [&head[..], &[0, 9, 0, 9, 0, 16, 0, 0], b"zq-false"].concat()
        };
        for from in [two.address6(), "fd00:0:0:1::9".parse().unwrap(), "2001:db8::9".parse().unwrap()] {
            say(&frame(way, 0x86dd, &six(from)));
        }
        // Frames that are neither, and one from a link of its own.
        say(&frame(way, 0x8100, b"zq-false"));
        say(&frame(way, 0x88cc, b"zq-false"));
        // That it has the other's address, and the gateway's.
        for from in [them, one.gateway().octets()] {
            say(&frame(way, 0x0806, &arp(2, mac, from, me)));
        }
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(near.holding(b"zq-false"), 0);
        assert!(near.frames().iter().all(|frame| frame[12..14] != [8, 6]), "no question of one's reaches the other");

        // A flood of questions is answered a limited number of times, and by nobody but the namespace.
        own.frames();
        let began = Instant::now();
        for _ in 0..5_000 {
            say(&frame(way, 0x0806, &arp(1, mac, me, them)));
        }
        std::thread::sleep(Duration::from_millis(200));
        let passed = began.elapsed().as_secs() + 1;
        let answer = [&[0, 1, 8, 0, 6, 4, 0, 2][..]].concat();
        let answers = own.holding(&answer) as u64;
        assert!(answers > 0 && answers <= 100 + 50 * passed, "{answers} answers in {passed} s");
        assert_eq!(
            near.frames().iter().filter(|frame| frame[12..14] == [8, 6]).count(),
            0,
            "the other hears nothing of it"
        );
    });
}

#[test]
fn a_measure_cuts_networks_too_and_the_next_node_finds_them_as_they_are() {
    in_a_house(|house| {
        let ports = house.ports();
        let (one, one_guest) = join(house, &ports, number(1), 1, 2);
        let (two, two_guest) = join(house, &ports, number(2), 1, 3);
        let mut talk = reach(&one_guest, two.address.into(), TCP).unwrap();
        assert!(talks(&mut talk));
        drop(ports);
        let ports = house.ports();
        assert_eq!(ports.look(number(1)).unwrap(), Some(member(1, 2).digest()));
        assert!(talks(&mut talk), "nobody noticed");

        ports.close(number(1)).unwrap();
        assert!(!still_talks(&mut talk));
        assert!(connect(&two_guest, one.address.into(), TCP).is_err(), "nor the other way");
        // It is held by whoever comes next as well.
        drop(ports);
        let ports = house.ports();
        assert!(connect(&one_guest, two.address6().into(), TCP).is_err());
        ports.open_again(number(1)).unwrap();
        reach(&one_guest, two.address6().into(), TCP).unwrap();
        reach(&two_guest, one.address.into(), TCP).unwrap();
    });
}

/// Whatever a node that died left half done, the next look sees that it is not as wished, and what is made then is whole.
#[test]
fn what_was_cut_anywhere_is_made_whole() {
    in_a_house(|house| {
        let ports = house.ports();
        let (one, one_guest) = join(house, &ports, number(1), 1, 2);
        let (_, two_guest) = join(house, &ports, number(2), 1, 3);
        let (port, network) = (house.name(number(1)), house.ground.network(one.number));
        let remove = |name: &str, link: &str| {
            netns::within(name, || {
                Links::open().unwrap().remove(link).unwrap();
                Ok(())
            })
            .unwrap();
        };
        let cuts: [(&str, &dyn Fn()); 4] = [
            ("the link", &|| remove(&port, "n1")),
            ("the network's end is off", &|| ip(&network, "link set m1 down")),
            ("the tap", &|| remove(&port, "t1")),
            ("the network", &|| {
                netns::remove(&network).unwrap();
            }),
        ];
        let mut ports = Some(ports);
        for (what, cut) in cuts {
            drop(ports.take());
            cut();
            let again = house.ports();
            assert_eq!(again.look(number(1)).unwrap(), None, "{what}");
            for number in [1, 2].map(number) {
                again.ensure(number).unwrap();
                assert!(again.look(number).unwrap().is_some(), "{what}");
            }
            if what == "the tap" {
                // A machine that lost its card is started again, and has another.
                plug(house, number(1), &one.number.tap(), (&one_guest, "eth2"));
                for words in [
                    "addr flush dev eth1".to_owned(),
                    format!("link set eth2 address {} up", one.number.mac_text()),
                    format!("addr add {}/24 dev eth2", one.address),
                ] {
                    ip(&one_guest, &words);
                }
            }
            reach(&two_guest, one.address.into(), TCP).unwrap_or_else(|error| panic!("{what}: {error}"));
            ports = Some(again);
        }
        // Who leaves is gone from it at once, and the others are not.
        let ports = ports.unwrap();
        let alone = Port { tap: true, ..outbound() };
        ports.set(number(1), &alone).unwrap();
        assert_eq!(ports.look(number(1)).unwrap(), Some(alone.digest()));
        netns::within(&port, || {
            let left = Links::open().unwrap().all().unwrap();
            assert!(left.iter().all(|link| !["t1", "n1"].contains(&link.name.as_str())), "{left:?}");
            Ok(())
        })
        .unwrap();
        assert!(connect(&two_guest, one.address.into(), TCP).is_err());
        assert_eq!(ports.list().unwrap().networks, [one.number].into());
        ports.shut().unwrap();
        assert!(netns::list(&format!("hus-{}-net-", house.ground.instance)).unwrap().is_empty());
    });
}
