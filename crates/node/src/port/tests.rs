//! The port wall on a real kernel: a node in a network namespace of its own, an outside world in a second one.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "timings are printed, and a test may panic")]

mod access;
mod guests;
mod mail;
mod networks;
mod public;
mod ways;

use super::*;
use crate::tests::PATIENCE;
use husorden_kinds::Allow;
use std::io::{Read, Write};
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

const OUTSIDE4: &str = "192.0.2.2";
const OUTSIDE6: &str = "2001:db8::2";
const NODE4: &str = "192.0.2.1";

/// A node's network namespace with an outside, torn down also when a test fails.
struct House {
    ground: Ground,
    uplink: Uplink,
    outside: String,
    stop: Arc<AtomicBool>,
    _folder: tempfile::TempDir,
}

impl Drop for House {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let prefix = format!("hus-{}-", self.ground.instance);
        for name in netns::list(&prefix).unwrap_or_default() {
            let _ = netns::remove(&format!("{prefix}{name}"));
        }
    }
}

/// Runs a test inside a fresh namespace that stands for the node's.
fn in_a_house(test: impl FnOnce(&House) + Send) {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    if !nix::unistd::geteuid().is_root() {
        panic!("the walls are tested as root");
    }
    netns::on_own_thread(move || {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let instance = format!("{:x}{}", std::process::id() % 0xf_ffff, COUNT.fetch_add(1, Ordering::Relaxed));
        let house = House {
            outside: format!("hus-{instance}-out"),
            ground: Ground {
                instance,
                home: folder.path().join("home"),
                run: folder.path().join("run"),
                cache: folder.path().join("cache"),
                catalogue: folder.path().join("catalogue"),
                edge_gid: 0,
            },
            uplink: Uplink {
                refuse: vec!["203.0.113.9/32".parse().unwrap()],
                name_servers: vec!["192.0.2.53".parse().unwrap(), "2001:db8::53".parse().unwrap()],
                ..Uplink::of("up0".parse().unwrap())
            },
            stop: Arc::new(AtomicBool::new(false)),
            _folder: folder,
        };
        house.build();
        test(&house);
        Ok(())
    })
    .unwrap();
}

impl House {
    fn build(&self) {
        netns::make(&self.outside).unwrap();
        let mut here = Links::open().unwrap();
        let file = fs::File::open(netns::path(&self.outside)).unwrap();
        let pair = Pair {
            here: "up0",
            there: "eth0",
            here_mac: [2, 0, 0, 0, 1, 1],
            there_mac: [2, 0, 0, 0, 1, 2],
            mtu: 1500,
            group: 0,
        };
        here.pair(&pair, file.as_fd()).unwrap();
        let up = here.find("up0").unwrap().unwrap().index;
        let lo = here.find("lo").unwrap().unwrap().index;
        let net = |text: &str| text.parse::<IpNet>().unwrap();
        here.run(vec![
            link::up(lo),
            link::up(up),
            link::address(up, NODE4.parse().unwrap(), 24),
            link::address(up, "2001:db8::1".parse().unwrap(), 64),
            link::route(up, net("0.0.0.0/0"), Some(address(OUTSIDE4))),
            link::route(up, net("::/0"), Some(address(OUTSIDE6))),
        ])
        .unwrap();
        netns::within(&self.outside, || {
            let mut there = Links::open().unwrap();
            let end = there.find("eth0").unwrap().unwrap().index;
            there
                .run(vec![
                    link::up(end),
                    link::address(end, OUTSIDE4.parse().unwrap(), 24),
                    link::address(end, OUTSIDE6.parse().unwrap(), 64),
                    link::route(end, net("100.64.0.0/10"), Some(NODE4.parse().unwrap())),
                    link::route(end, net("fd48:7573:6f72::/48"), Some("2001:db8::1".parse().unwrap())),
                ])
                .unwrap();
            Ok(())
        })
        .unwrap();
    }

    fn ports(&self) -> Ports {
        Ports::open(&self.ground, &self.uplink).unwrap()
    }

    /// A server that tells each caller the address it is seen under, and then sends without end.
    fn serve(&self, name: Option<&str>, port: u16) {
        let listen = || -> Result<TcpListener, Error> {
            let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).unwrap();
            listener.set_nonblocking(true).unwrap();
            Ok(listener)
        };
        let listener = match name {
            Some(name) => netns::within(name, listen).unwrap(),
            None => listen().unwrap(),
        };
        let stop = self.stop.clone();
        std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                if let Ok((mut stream, peer)) = listener.accept() {
                    let stop = stop.clone();
                    std::thread::spawn(move || {
                        stream.set_nonblocking(false).unwrap();
                        stream.set_write_timeout(Some(Duration::from_millis(100))).unwrap();
                        let mut fine = writeln!(stream, "{}", peer.ip().to_canonical()).is_ok();
                        while fine && !stop.load(Ordering::Relaxed) {
                            std::thread::sleep(Duration::from_millis(5));
                            fine = stream.write_all(b"tick\n").is_ok();
                        }
                    });
                } else {
                    std::thread::sleep(Duration::from_millis(5));
                }
            }
        });
    }

    fn name(&self, number: Number) -> String {
        self.ground.netns(number)
    }
}

fn number(number: u32) -> Number {
    Number::new(number).unwrap()
}

fn outbound() -> Port {
    Port { outbound: true, ..Port::default() }
}

/// An entry that stays.
fn allow(port: u16, net: &str) -> Allow {
    Allow { port, net: net.parse().unwrap(), until: None }
}

/// Tries to connect where that is refused or dropped.
fn connect(from: &str, to: IpAddr, port: u16) -> std::io::Result<TcpStream> {
    connect_within(from, to, port, Duration::from_millis(400))
}

/// Connects where that goes: on a machine that has other work the first packet may get lost, and the second is sent a second later.
fn reach(from: &str, to: IpAddr, port: u16) -> std::io::Result<TcpStream> {
    connect_within(from, to, port, PATIENCE)
}

fn connect_within(from: &str, to: IpAddr, port: u16, patience: Duration) -> std::io::Result<TcpStream> {
    netns::within(from, || Ok(TcpStream::connect_timeout(&SocketAddr::new(to, port), patience))).unwrap()
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// How many connections of a port the kernel remembers, as the tool tells it.
fn remembered(number: Number) -> usize {
    let own = [number.ipv4().to_string(), number.ipv6().to_string()];
    ["ipv4", "ipv6"]
        .into_iter()
        .flat_map(|family| {
            let listed = std::process::Command::new("conntrack").args(["-L", "-f", family]).output().unwrap();
            assert!(listed.status.success());
            String::from_utf8(listed.stdout).unwrap().lines().map(str::to_owned).collect::<Vec<_>>()
        })
        .filter(|line| {
            line.split_whitespace()
                .filter_map(|word| word.split_once('='))
                .any(|(_, value)| own.iter().any(|own| own == value))
        })
        .count()
}

/// What a server said first: the address it saw us under.
fn seen_as(stream: &mut TcpStream) -> String {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut text = String::new();
    let mut byte = [0];
    while stream.read(&mut byte).unwrap() == 1 && byte[0] != b'\n' {
        text.push(char::from(byte[0]));
    }
    text
}

/// Whether another byte comes sooner or later, once what had arrived is taken.
fn talks(stream: &mut TcpStream) -> bool {
    hears(stream, PATIENCE)
}

/// The same within a while, where nothing is to come.
fn still_talks(stream: &mut TcpStream) -> bool {
    hears(stream, Duration::from_millis(300))
}

fn hears(stream: &mut TcpStream, patience: Duration) -> bool {
    let mut buffer = [0; 4096];
    stream.set_nonblocking(true).unwrap();
    while stream.read(&mut buffer).is_ok_and(|length| length > 0) {}
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(patience)).unwrap();
    stream.read(&mut buffer).is_ok_and(|length| length > 0)
}

#[test]
fn outward_goes_by_nat_and_only_where_it_may() {
    in_a_house(|house| {
        let (one, two) = (number(1), number(2));
        let ports = house.ports();
        for port in [25, 7000] {
            house.serve(Some(&house.outside), port);
        }
        house.serve(None, 7000);
        for at in [one, two] {
            ports.set(at, &outbound()).unwrap();
            ports.ensure(at).unwrap();
        }
        house.serve(Some(&house.name(two)), 7000);
        let from = house.name(one);

        let mut four = reach(&from, address(OUTSIDE4), 7000).unwrap();
        assert_eq!(seen_as(&mut four), NODE4, "under the node's address");
        let mut six = reach(&from, address(OUTSIDE6), 7000).unwrap();
        assert_eq!(seen_as(&mut six), "2001:db8::1");

        let before = ports.counters().unwrap()[&one];
        assert!(before.sent.packets >= 4 && before.received.bytes > 200);
        assert_eq!(before.spoofed, Count::default());
        assert_eq!(before.mail, Count::default());
        assert_eq!(before.refused_out, Count::default());

        let refused = |to: &str, port| {
            let error = reach(&from, address(to), port).expect_err("it is refused");
            assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "told, and not left to wait: {to} {port}");
        };
        refused(OUTSIDE4, 25);
        refused(OUTSIDE6, 25);
        refused(NODE4, 25);
        assert_eq!(ports.counters().unwrap()[&one].mail.packets, 3);

        let elsewhere = [
            two.ipv4().to_string(),
            two.ipv6().to_string(),
            NODE4.to_owned(),
            "2001:db8::1".to_owned(),
            "10.0.0.1".to_owned(),
            "169.254.169.254".to_owned(),
            "203.0.113.9".to_owned(),
            "fd00::1".to_owned(),
        ];
        for to in &elsewhere {
            refused(to, 7000);
        }
        let after = ports.counters().unwrap()[&one];
        assert_eq!(after.refused_out.packets, elsewhere.len() as u64);

        ports.set(one, &Port::default()).unwrap();
        refused(OUTSIDE4, 7000);
        assert!(!still_talks(&mut four), "what is no longer allowed is cut, though it was established");
        assert!(reach(&house.name(two), address(OUTSIDE4), 7000).is_ok(), "the other is as it was");
        ports.shut().unwrap();
    });
}

#[test]
fn forged_sources_are_dropped_and_counted() {
    in_a_house(|house| {
        let one = number(1);
        let ports = house.ports();
        ports.set(one, &outbound()).unwrap();
        ports.ensure(one).unwrap();
        let send = |own: IpAddr, to: IpAddr| {
            netns::within(&house.name(one), || {
                let mut links = Links::open().unwrap();
                let end = links.find(INNER).unwrap().unwrap().index;
                links.run(vec![link::address(end, own, host_net(own).prefix_len())]).unwrap();
                let socket = UdpSocket::bind((own, 0)).unwrap();
                socket.send_to(b"forged", (to, 53)).unwrap();
                Ok(())
            })
            .unwrap();
        };
        send(address("100.64.0.99"), address(OUTSIDE4));
        send(address("fd48:7573:6f72::99"), address(OUTSIDE6));
        let counters = ports.counters().unwrap()[&one];
        assert_eq!(counters.spoofed.packets, 2);
        assert_eq!(counters.sent, Count::default());
        ports.shut().unwrap();
    });
}

#[test]
fn inward_is_refused_but_for_the_list() {
    in_a_house(|house| {
        let one = number(1);
        let ports = house.ports();
        ports.set(one, &Port::default()).unwrap();
        ports.ensure(one).unwrap();
        house.serve(Some(&house.name(one)), 5432);
        let try_from_outside = |to: IpAddr| connect(&house.outside, to, 5432);
        let from_outside = |to: IpAddr| reach(&house.outside, to, 5432);
        let list = |nets: &[&str]| {
            let port = Port { allow: nets.iter().map(|net| allow(5432, net)).collect(), ..Port::default() };
            ports.set(one, &port).unwrap();
            assert_eq!(ports.look(one).unwrap(), Some(port.digest()));
        };
        assert!(try_from_outside(one.ipv4().into()).is_err());
        assert!(try_from_outside(one.ipv6().into()).is_err());
        assert!(ports.counters().unwrap()[&one].refused_in.packets >= 2);
        list(&["192.0.2.128/25", "2001:db8:1::/48"]);
        assert!(try_from_outside(one.ipv4().into()).is_err());
        assert!(try_from_outside(one.ipv6().into()).is_err());
        list(&["192.0.2.0/25", "192.0.2.2/32", "2001:db8::/64"]);
        let mut four = from_outside(one.ipv4().into()).unwrap();
        assert_eq!(seen_as(&mut four), OUTSIDE4, "not hidden by NAT");
        let mut six = from_outside(one.ipv6().into()).unwrap();
        assert_eq!(seen_as(&mut six), OUTSIDE6);
        assert!(connect(&house.outside, one.ipv4().into(), 5433).is_err(), "no other TCP port");
        list(&["2001:db8::/64"]);
        assert!(!still_talks(&mut four), "cut with its entry");
        assert!(talks(&mut six), "what is still allowed goes on");
        ports.shut().unwrap();
    });
}

#[test]
fn closing_cuts_what_is_open() {
    in_a_house(|house| {
        let one = number(1);
        let ports = house.ports();
        house.serve(Some(&house.outside), 7000);
        let port = Port { allow: vec![allow(5432, "192.0.2.0/24")], ..outbound() };
        ports.set(one, &port).unwrap();
        ports.ensure(one).unwrap();
        house.serve(Some(&house.name(one)), 5432);
        let from = house.name(one);
        let mut streams = [
            reach(&from, address(OUTSIDE4), 7000).unwrap(),
            reach(&from, address(OUTSIDE6), 7000).unwrap(),
            reach(&house.outside, one.ipv4().into(), 5432).unwrap(),
        ];
        for stream in &mut streams {
            assert!(talks(stream));
        }
        assert!(remembered(one) >= 3);
        let begun = Instant::now();
        ports.close(one).unwrap();
        println!("a port with connections closed: {:?}", begun.elapsed());
        ports.close(one).unwrap();
        for stream in &mut streams {
            assert!(!still_talks(stream), "{stream:?}");
        }
        assert!(connect(&from, address(OUTSIDE4), 7000).is_err());
        assert!(connect(&house.outside, one.ipv4().into(), 5432).is_err());
        assert!(connect(&from, address(NODE4), 7000).is_err());
        assert_eq!(remembered(one), 0, "no connection is remembered");
        assert_eq!(ports.list().unwrap().closed, BTreeSet::from([one]));
        assert_eq!(ports.look(one).unwrap(), Some(port.digest()));

        // The mark outlives the node's process and the port.
        drop(ports);
        let ports = house.ports();
        ports.ensure(one).unwrap();
        assert!(connect(&from, address(OUTSIDE4), 7000).is_err());
        ports.remove(one).unwrap();
        ports.set(one, &port).unwrap();
        ports.ensure(one).unwrap();
        assert!(connect(&from, address(OUTSIDE4), 7000).is_err());

        ports.open_again(one).unwrap();
        ports.open_again(one).unwrap();
        assert!(reach(&from, address(OUTSIDE4), 7000).is_ok());
        ports.shut().unwrap();
    });
}

#[test]
fn whatever_stands_is_brought_to_what_is_wished() {
    in_a_house(|house| {
        let one = number(1);
        let name = house.name(one);
        house.serve(Some(&house.outside), 7000);
        let ports = house.ports();
        assert_eq!(ports.look(one).unwrap(), None);
        assert!(matches!(ports.ensure(one), Err(Error::NotSet(_))));
        ports.set(one, &outbound()).unwrap();
        assert_eq!(ports.look(one).unwrap(), Some(outbound().digest()));
        assert!(ports.list().unwrap().namespaces.is_empty(), "made on first start only");
        let path = ports.ensure(one).unwrap();
        assert_eq!(path, netns::path(&name));
        let works = || reach(&name, address(OUTSIDE4), 7000).is_ok();
        assert!(works());
        let stream = &mut reach(&name, address(OUTSIDE4), 7000).unwrap();

        // Again, and by another process: nothing is interrupted.
        ports.ensure(one).unwrap();
        drop(ports);
        let ports = house.ports();
        assert_eq!(ports.look(one).unwrap(), Some(outbound().digest()));
        ports.ensure(one).unwrap();
        assert!(talks(stream), "adopted");

        // What a crash between any two steps leaves, and what a foreign hand breaks.
        type Break<'a> = &'a dyn Fn(&Ports);
        let breaks: [(&str, Break<'_>); 5] = [
            ("link gone", &|ports| {
                ports.machine().links.remove("p1").unwrap();
            }),
            ("link down", &|_| {
                let done = std::process::Command::new("ip").args(["link", "set", "p1", "down"]).status();
                assert!(done.unwrap().success());
            }),
            ("elements gone", &|ports| {
                let mut rules = ports.rules();
                let own: Vec<_> = element::elements(one, &outbound(), Timestamp::now()).into_iter().collect();
                rules.table.change([], own.iter().skip(2), None).unwrap();
            }),
            ("namespace gone", &|_| netns::remove(&name).unwrap()),
            ("name without namespace", &|_| {
                netns::remove(&name).unwrap();
                fs::write(netns::path(&name), "").unwrap();
            }),
        ];
        for (what, break_it) in breaks {
            break_it(&ports);
            assert_eq!(ports.look(one).unwrap(), None, "{what}");
            ports.set(one, &outbound()).unwrap();
            assert_eq!(ports.look(one).unwrap(), Some(outbound().digest()), "{what}");
            assert!(works(), "{what}");
        }

        ports.rules().table.remove().unwrap();
        assert!(ports.look(one).is_err(), "not knowing is not absence");
        drop(ports);
        let ports = house.ports();
        assert_eq!(ports.look(one).unwrap(), None);
        ports.ensure(one).unwrap();
        assert!(works());

        let all = BTreeSet::from([one]);
        let standing = ports.list().unwrap();
        assert_eq!([&standing.records, &standing.namespaces, &standing.links, &standing.elements], [&all; 4]);
        ports.remove(one).unwrap();
        assert_eq!(ports.list().unwrap(), Standing::default());
        ports.remove(one).unwrap();
        ports.set(one, &outbound()).unwrap();
        ports.ensure(one).unwrap();
        ports.shut().unwrap();
        ports.shut().unwrap();
        assert!(!netns::path(&name).exists());
        let left = std::process::Command::new("nft").args(["list", "ruleset"]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&left.stdout), "");
    });
}

#[test]
fn a_table_of_another_make_is_replaced() {
    in_a_house(|house| {
        let one = number(1);
        house.serve(Some(&house.outside), 7000);
        let ports = house.ports();
        ports.set(one, &outbound()).unwrap();
        ports.ensure(one).unwrap();
        drop(ports);
        let other = "delete table inet husorden; add table inet husorden; \
                     add set inet husorden closed { type ipv4_addr; }";
        let done = std::process::Command::new("nft").arg(other).status();
        assert!(done.unwrap().success());
        let ports = house.ports();
        assert_eq!(ports.look(one).unwrap(), None, "its elements are to be set again");
        assert!(connect(&house.name(one), address(OUTSIDE4), 7000).is_err(), "until then nothing passes");
        ports.set(one, &outbound()).unwrap();
        assert_eq!(ports.look(one).unwrap(), Some(outbound().digest()));
        assert!(reach(&house.name(one), address(OUTSIDE4), 7000).is_ok());
        ports.shut().unwrap();
    });
}

#[test]
fn ten_thousand_ports_cost_what_one_costs() {
    in_a_house(|house| {
        let ports = house.ports();
        let port = |at: Number| Port { allow: vec![allow(5432, &format!("{}/32", at.ipv4()))], ..outbound() };
        let timed = |what: &str, act: &mut dyn FnMut()| {
            let begun = Instant::now();
            act();
            println!("{what}: {:?}", begun.elapsed());
        };
        timed("100 ports set and made, alone", &mut || {
            for at in (401..=500).map(number) {
                ports.set(at, &port(at)).unwrap();
                ports.ensure(at).unwrap();
            }
        });
        timed("10,000 sets of elements", &mut || {
            let mut rules = ports.rules();
            for piece in (1000..11_000).collect::<Vec<_>>().chunks(100) {
                let elements: Vec<_> = piece
                    .iter()
                    .flat_map(|at| element::elements(number(*at), &port(number(*at)), Timestamp::now()))
                    .collect();
                rules.table.change(&elements, [], None).unwrap();
            }
        });
        let real: Vec<_> = (1..=200).map(number).collect();
        timed("200 ports set and made", &mut || {
            for at in &real {
                ports.set(*at, &port(*at)).unwrap();
                ports.ensure(*at).unwrap();
            }
        });
        timed("10,000 looks", &mut || {
            for _ in 0..50 {
                for at in &real {
                    assert!(ports.look(*at).unwrap().is_some());
                }
            }
        });
        timed("200 ports closed", &mut || {
            for at in &real {
                ports.close(*at).unwrap();
            }
        });
        timed("1 port closed", &mut || ports.close(number(5000)).unwrap());
        timed("all counters", &mut || {
            assert_eq!(ports.counters().unwrap().len(), 10_300);
        });
        timed("a listing of everything", &mut || {
            assert_eq!(ports.list().unwrap().closed.len(), 201);
        });
        let mut ports = Some(ports);
        timed("200 ports removed", &mut || {
            ports.take().unwrap().shut().unwrap();
        });
    });
}
