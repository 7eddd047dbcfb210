//! A tap: a guest has the port's addresses itself, is reached and held as any port is, and what it sends as somebody else goes nowhere.

use super::*;
use husorden_kinds::tap::{DEVICE, GATEWAY4, GATEWAY6, mac_text};
use std::process::Command;

/// A machine at the other end of a port's tap: a namespace of its own, to which every frame is carried.
pub(super) fn guest(house: &House, number: Number) -> String {
    let name = format!("hus-{}-guest{number}", house.ground.instance);
    netns::make(&name).unwrap();
    plug(house, number, DEVICE, (&name, "eth0"));
    for words in [
        "link set lo up".to_owned(),
        format!("link set eth0 address {} up", mac_text(number)),
        format!("addr add {}/32 dev eth0", number.ipv4()),
        format!("route add {GATEWAY4} dev eth0"),
        format!("route add default via {GATEWAY4} dev eth0"),
        format!("-6 addr add {}/128 dev eth0 nodad", number.ipv6()),
        format!("-6 route add default via {GATEWAY6} dev eth0"),
    ] {
        ip(&name, &words);
    }
    name
}

/// Carries every frame between a tap of a port and a card of a machine.
pub(super) fn plug(house: &House, number: Number, tap: &str, (name, card): (&str, &str)) {
    let theirs = netns::within(&house.name(number), || tap::open(tap, tap::FRAMES)).unwrap();
    let own = netns::within(name, || tap::open(card, tap::FRAMES)).unwrap();
    for (from, to) in [(&theirs, &own), (&own, &theirs)] {
        let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
        std::thread::spawn(move || {
            let mut frame = [0; 65_536];
            while let Ok(length) = from.read(&mut frame) {
                // What the other end does not take is lost, as on any link.
                let _ = to.write(&frame[..length]);
            }
        });
    }
}

pub(super) fn ip(name: &str, words: &str) {
    netns::within(name, || {
        let done = Command::new("ip").args(words.split(' ')).output().unwrap();
        assert!(done.status.success(), "ip {words}: {}", String::from_utf8_lossy(&done.stderr));
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_guest_is_who_its_port_is_and_nobody_else() {
    in_a_house(|house| {
        let one = number(1);
        let ports = house.ports();
        let port = Port { allow: vec![allow(22, "192.0.2.0/24"), allow(22, "2001:db8::/32")], tap: true, ..outbound() };
        ports.set(one, &port).unwrap();
        ports.ensure(one).unwrap();
        let guest = guest(house, one);
        for tcp in [22, 80] {
            house.serve(Some(&guest), tcp);
        }
        house.serve(Some(&house.outside), 25);
        house.serve(Some(&house.outside), 7000);

        for (to, from) in [(IpAddr::from(one.ipv4()), OUTSIDE4), (one.ipv6().into(), OUTSIDE6)] {
            let mut inward = reach(&house.outside, to, 22).unwrap();
            assert_eq!(seen_as(&mut inward), from);
            assert!(connect(&house.outside, to, 80).is_err(), "not on the list");
        }
        let mut outward = reach(&guest, address(OUTSIDE4), 7000).unwrap();
        assert_eq!(seen_as(&mut outward), NODE4);
        assert!(connect(&guest, address(OUTSIDE4), 25).is_err(), "mail");
        assert_eq!(ports.counters().unwrap()[&one].spoofed, Count::default());

        // The next node finds it as it is, and made anew it is the same.
        drop(ports);
        let ports = house.ports();
        assert_eq!(ports.look(one).unwrap(), Some(port.digest()));
        ports.ensure(one).unwrap();
        assert!(talks(&mut outward), "nobody noticed");

        let mut inward = reach(&house.outside, one.ipv4().into(), 22).unwrap();
        ports.close(one).unwrap();
        assert!(!still_talks(&mut inward) && !still_talks(&mut outward), "a measure cuts both ways");
        ports.open_again(one).unwrap();

        // Another's address, whichever family, and another's hardware address.
        for words in ["addr add 198.51.100.9/32 dev eth0", "-6 addr add 2001:db8:9::9/128 dev eth0 nodad"] {
            ip(&guest, words);
        }
        ip(&guest, &format!("route replace default via {GATEWAY4} dev eth0 src 198.51.100.9"));
        ip(&guest, &format!("-6 route replace default via {GATEWAY6} dev eth0 src 2001:db8:9::9"));
        for (to, seen) in [(OUTSIDE4, 1), (OUTSIDE6, 2)] {
            assert!(connect(&guest, address(to), 7000).is_err());
            assert!(ports.counters().unwrap()[&one].spoofed.packets >= seen, "{to}");
        }
        ip(&guest, "link set eth0 address 02:00:00:00:00:99");
        assert!(connect(&house.outside, one.ipv4().into(), 22).is_err(), "the link knows one guest");
        ports.remove(one).unwrap();
        assert_eq!(ports.look(one).unwrap(), None);
    });
}

/// What a real client is answered; the script it calls says what it was told.
#[test]
fn any_guest_that_asks_is_told_its_own_addresses() {
    in_a_house(|house| {
        let one = number(1);
        let ports = house.ports();
        ports.set(one, &Port { tap: true, ..outbound() }).unwrap();
        ports.ensure(one).unwrap();
        let guest = guest(house, one);
        ip(&guest, &format!("addr del {}/32 dev eth0", one.ipv4()));
        let script = house.ground.home.with_file_name("told");
        fs::write(&script, "#!/bin/sh\n[ \"$1\" = bound ] && echo \"$ip/$mask $router $staticroutes $dns\"\nexit 0\n")
            .unwrap();
        nix::sys::stat::fchmodat(
            nix::fcntl::AT_FDCWD,
            &script,
            nix::sys::stat::Mode::S_IRWXU,
            nix::sys::stat::FchmodatFlags::FollowSymlink,
        )
        .unwrap();
        let ask = || {
            netns::within(&guest, || {
                let mut client = Command::new("busybox");
                client
                    .args(["udhcpc", "-f", "-q", "-n", "-t", "5", "-T", "1", "-O", "staticroutes", "-i", "eth0", "-s"])
                    .arg(&script);
                let done = client.output().unwrap();
                Ok(String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr))
            })
            .unwrap()
        };
        let told = ask();
        let expected = format!("{}/32 {GATEWAY4} {GATEWAY4}/32 0.0.0.0 0.0.0.0/0 {GATEWAY4} 192.0.2.53", one.ipv4());
        assert!(told.contains(&expected), "{told}");
        // Who was left by a node that died is answered by the next.
        drop(ports);
        let ports = house.ports();
        assert!(ask().contains(&expected));

        // Another card on the link, and who asks without end, get nothing; who asks afterwards is answered again.
        let flood = netns::within(&guest, || Ok(UdpSocket::bind("0.0.0.0:6868").unwrap())).unwrap();
        flood.set_broadcast(true).unwrap();
        nix::sys::socket::setsockopt(&flood, nix::sys::socket::sockopt::BindToDevice, &"eth0".into()).unwrap();
        let other = lease::asks([2, 0, 0, 0, 0, 9], 1, &[]);
        for _ in 0..2_000 {
            let _ = flood.send_to(&other, "255.255.255.255:67");
        }
        let began = Instant::now();
        assert!(ask().contains(&expected), "heard again after {:?}", began.elapsed());

        // A router is advertised to who asks for one, and the address is given by DHCPv6.
        let asks = netns::within(&guest, || {
            let socket = UdpSocket::bind("[::]:546").unwrap();
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
            let index = Links::open().unwrap().find("eth0").unwrap().unwrap().index;
            let solicit = [&[1, 1, 2, 3][..], &[0, 1, 0, 3, 0, 1, 9], &[0, 3, 0, 12], &[0; 12]].concat();
            let to = std::net::SocketAddrV6::new("ff02::1:2".parse().unwrap(), 547, 0, index.cast_unsigned());
            socket.send_to(&solicit, to).unwrap();
            let mut answer = [0; 512];
            let (length, _) = socket.recv_from(&mut answer).unwrap();
            Ok(answer[..length].to_vec())
        })
        .unwrap();
        let own = one.ipv6().octets();
        assert!(asks[0] == 2 && asks.windows(16).any(|part| part == own), "{asks:?}");
        let routed = netns::within(&guest, || {
            for (key, value) in [("forwarding", "0"), ("accept_ra", "1"), ("accept_ra_defrtr", "1")] {
                netns::set(&format!("ipv6/conf/eth0/{key}"), value)?;
            }
            ip_here("-6 route del default");
            // A link that comes up asks for a router.
            ip_here("link set eth0 down");
            ip_here("link set eth0 up");
            let until = Instant::now() + PATIENCE;
            loop {
                let shown = ip_here("-6 route show default");
                if shown.contains("proto ra") || Instant::now() > until {
                    return Ok(shown);
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        })
        .unwrap();
        assert!(routed.contains("via fe80::2"), "{routed}");
        ports.remove(one).unwrap();
    });
}

fn ip_here(words: &str) -> String {
    let done = Command::new("ip").args(words.split(' ')).output().unwrap();
    String::from_utf8_lossy(&done.stdout).into_owned()
}
