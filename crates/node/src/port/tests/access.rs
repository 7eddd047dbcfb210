//! Who may connect, with real packets: entries that end, doors, and what is noted of who was refused.

use super::*;
use husorden_kinds::Door;
use std::thread::sleep;

const INNER_PORT: u16 = 5432;
const DOOR: Door = Door { outer: 15432, inner: INNER_PORT };

fn until(net: &str, time: Duration) -> Allow {
    let until = Timestamp::now() + time;
    Allow { until: Some(until), ..allow(INNER_PORT, net) }
}

/// What ended until now.
fn ended(ports: &Ports) -> Vec<(Number, IpNet)> {
    let mut told = Vec::new();
    let mut tell = |number, ended: &[(Timestamp, Ended)]| {
        for (_, one) in ended {
            let Ended::Allow { net, .. } = one else { panic!("an entry of a list ends here") };
            told.push((number, *net));
        }
    };
    ports.end(&mut tell).unwrap();
    told
}

/// A try from the node's own namespace.
fn from_node(to: &str, port: u16) -> std::io::Result<TcpStream> {
    TcpStream::connect_timeout(&SocketAddr::new(address(to), port), Duration::from_millis(400))
}

/// A connection from the node's own namespace.
fn joined(to: &str, port: u16) -> TcpStream {
    TcpStream::connect_timeout(&SocketAddr::new(address(to), port), PATIENCE).unwrap()
}

#[test]
fn an_entry_ends_by_itself_and_cuts_who_came_by_it() {
    in_a_house(|house| {
        let one = number(1);
        let ports = house.ports();
        let try_from_outside = |to: IpAddr| connect(&house.outside, to, INNER_PORT);
        let from_outside = |to: IpAddr| reach(&house.outside, to, INNER_PORT);
        let time = Duration::from_secs(12);
        let port =
            Port { allow: vec![until("192.0.2.0/25", time), allow(INNER_PORT, "2001:db8::/64")], ..Port::default() };
        ports.set(one, &port).unwrap();
        ports.ensure(one).unwrap();
        house.serve(Some(&house.name(one)), INNER_PORT);
        let mut four = from_outside(one.ipv4().into()).unwrap();
        let mut six = from_outside(one.ipv6().into()).unwrap();
        assert!(ended(&ports).is_empty());
        assert!(talks(&mut four));
        let end = port.allow[0].until.unwrap();
        while Timestamp::now() < end {
            sleep(Duration::from_millis(10));
        }
        assert_eq!(ports.look(one).unwrap(), None, "what is in force is no longer what is wished");
        let begun = Instant::now();
        assert_eq!(ended(&ports), [(one, port.allow[0].net)]);
        println!("an entry ended: {:?}", begun.elapsed());
        assert!(!still_talks(&mut four), "cut with its entry");
        assert!(talks(&mut six), "what stays goes on");
        assert!(try_from_outside(one.ipv4().into()).is_err());
        assert_eq!(ports.look(one).unwrap(), Some(port.digest()), "nothing is left to do");
        assert!(ended(&ports).is_empty(), "told once");

        // Another process knows that it was told, and lets nobody in who has ended.
        drop(ports);
        let ports = house.ports();
        assert!(ended(&ports).is_empty());
        ports.set(one, &port).unwrap();
        assert!(try_from_outside(one.ipv4().into()).is_err());
        assert!(ended(&ports).is_empty());

        // What ends while no node runs is seen to by the next one.
        let port = Port { allow: vec![until("192.0.2.0/25", Duration::from_secs(8))], ..Port::default() };
        ports.set(one, &port).unwrap();
        let mut four = from_outside(one.ipv4().into()).unwrap();
        assert!(!still_talks(&mut six), "no longer on the list");
        drop(ports);
        sleep(Duration::from_millis(8100));
        let ports = house.ports();
        assert_eq!(ended(&ports), [(one, port.allow[0].net)]);
        assert!(!still_talks(&mut four));

        // What is taken off the list before its end is not told to have ended.
        ports
            .set(one, &Port { allow: vec![until("192.0.2.0/25", Duration::from_secs(6))], ..Port::default() })
            .unwrap();
        ports.set(one, &Port::default()).unwrap();
        sleep(Duration::from_millis(6100));
        assert!(ended(&ports).is_empty());
        ports.shut().unwrap();
    });
}

#[test]
fn ends_of_ten_thousand_ports_cost_nothing_until_they_come() {
    in_a_house(|house| {
        let ports = house.ports();
        let far = until("192.0.2.0/25", Duration::from_secs(3600));
        for at in (1..=10_000).map(number) {
            ports.set(at, &Port { allow: vec![far], ..Port::default() }).unwrap();
        }
        // Of the processor, for others have work too.
        let used = || Duration::try_from(rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime)).unwrap();
        let begun = used();
        for _ in 0..1_000 {
            assert!(ended(&ports).is_empty());
        }
        let each = (used() - begun) / 1_000;
        println!("a look at 10,000 ports that end later: {each:?}");
        assert!(each < Duration::from_micros(100), "{each:?}");
        ports.shut().unwrap();
    });
}

#[test]
fn a_door_leads_in_and_opens_nothing() {
    in_a_house(|house| {
        let (one, two) = (number(1), number(2));
        let ports = house.ports();
        let set = |nets: &[&str], doors: &[Door]| {
            let allow = nets.iter().map(|net| allow(INNER_PORT, net)).collect();
            let port = Port { allow, doors: doors.to_vec(), ..Port::default() };
            ports.set(one, &port).unwrap();
            assert_eq!(ports.look(one).unwrap(), Some(port.digest()));
        };
        let all: &[&str] = &["192.0.2.0/25", "2001:db8::/64"];
        set(&[], &[DOOR]);
        ports.ensure(one).unwrap();
        house.serve(Some(&house.name(one)), INNER_PORT);
        let by_door = |to: &str| connect(&house.outside, address(to), DOOR.outer);
        let through_door = |to: &str| reach(&house.outside, address(to), DOOR.outer);
        for to in [NODE4, "2001:db8::1"] {
            assert!(by_door(to).is_err(), "a door opens nothing: {to}");
            assert!(from_node(to, DOOR.outer).is_err(), "nor for the node itself: {to}");
        }
        set(all, &[DOOR]);
        let mut four = through_door(NODE4).unwrap();
        assert_eq!(seen_as(&mut four), OUTSIDE4, "the client's own address");
        let mut six = through_door("2001:db8::1").unwrap();
        assert_eq!(seen_as(&mut six), OUTSIDE6);
        let mut own = joined(NODE4, DOOR.outer);
        assert_eq!(seen_as(&mut own), NODE4);
        assert!(from_node("127.0.0.1", DOOR.outer).is_err(), "loopback leads nowhere");
        assert!(connect(&house.outside, address(NODE4), INNER_PORT).is_err(), "no other TCP port of the node");
        assert!(remembered(one) >= 3);

        // Narrowed: those who may no longer are cut, by whichever door they came.
        set(&["2001:db8::/64"], &[DOOR]);
        assert!(!still_talks(&mut four));
        assert!(!still_talks(&mut own));
        assert!(talks(&mut six));
        assert!(by_door(NODE4).is_err());

        // A door that is taken away takes with it who came by it; who came another way goes on.
        set(all, &[DOOR]);
        let mut direct = reach(&house.outside, one.ipv4().into(), INNER_PORT).unwrap();
        let mut four = through_door(NODE4).unwrap();
        set(all, &[]);
        assert!(!still_talks(&mut four));
        assert!(!still_talks(&mut six));
        assert!(talks(&mut direct));
        assert!(by_door(NODE4).is_err());

        // A measure closes it like everything else.
        set(all, &[DOOR]);
        let mut streams = [through_door(NODE4).unwrap(), joined(NODE4, DOOR.outer)];
        ports.close(one).unwrap();
        for stream in &mut streams {
            assert!(!still_talks(stream));
        }
        assert_eq!(remembered(one), 0);
        assert!(from_node(NODE4, DOOR.outer).is_err());
        who_is_held_is_answered_by_the_node(house, &ports, one);
        set(&["2001:db8::/64"], &[DOOR]);
        assert!(by_door(NODE4).is_err(), "who is not on the list is told nothing");
        set(all, &[DOOR]);
        ports.open_again(one).unwrap();
        let mut four = through_door(NODE4).unwrap();
        assert_eq!(seen_as(&mut four), OUTSIDE4, "it leads in again");

        // One door leads to one solution.
        let wish = |doors: &[Door]| Port { doors: doors.to_vec(), ..Port::default() };
        assert!(matches!(ports.set(two, &wish(&[DOOR])), Err(Error::DoorHeld(15432))));
        assert_eq!(ports.look(two).unwrap(), None, "a port that is refused is not set");
        assert!(matches!(ports.set(two, &wish(&[Door { outer: 2222, inner: 22 }; 2])), Err(Error::DoorHeld(2222))));
        assert!(matches!(ports.set(two, &wish(&[Door { outer: 22, inner: 22 }])), Err(Error::DoorKept(22))));
        let many: Vec<Door> = (0..=64).map(|at| Door { outer: 20_000 + at, inner: 22 }).collect();
        assert!(matches!(ports.set(two, &wish(&many)), Err(Error::DoorsTooMany(65))));
        ports.remove(one).unwrap();
        ports.set(two, &wish(&[DOOR])).unwrap();
        ports.shut().unwrap();
    });
}

/// By a door of what is closed one gets to the node's own ear, which knows the door, and to nothing else.
fn who_is_held_is_answered_by_the_node(house: &House, ports: &Ports, held: Number) {
    for (place, to) in [NODE4, "2001:db8::1"].into_iter().enumerate() {
        let mut led = reach(&house.outside, address(to), DOOR.outer).unwrap();
        let (answered, _) = ports.answers()[place].accept().unwrap();
        assert_eq!(door_of(&answered).unwrap(), DOOR.outer);
        assert_eq!(ports.behind(DOOR.outer), Some(held));
        assert!(!still_talks(&mut led));
        let ear = ports.answers()[place].local_addr().unwrap().port();
        assert!(connect(&house.outside, address(to), ear).is_err(), "it is reached by doors alone");
    }
    assert!(connect(&house.outside, held.ipv4().into(), INNER_PORT).is_err());
    assert!(ports.look(held).unwrap().is_some(), "it is as it was wished");
}

#[test]
fn who_is_refused_is_noted_once_an_attempt() {
    in_a_house(|house| {
        let one = number(1);
        let ports = house.ports();
        ports.set(one, &Port { doors: vec![DOOR], ..Port::default() }).unwrap();
        ports.ensure(one).unwrap();
        house.serve(Some(&house.name(one)), INNER_PORT);
        let noted = || -> Vec<(u16, String, u32)> {
            let knocks = ports.knocks().unwrap();
            assert!(knocks.iter().all(|knock| knock.number == one));
            knocks.into_iter().map(|knock| (knock.port, knock.net.to_string(), knock.attempts)).collect()
        };
        let (four, six) = (format!("{OUTSIDE4}/32"), "2001:db8::/64".to_owned());
        assert_eq!(noted(), []);
        assert!(connect(&house.outside, one.ipv4().into(), INNER_PORT).is_err());
        assert!(connect(&house.outside, address(NODE4), DOOR.outer).is_err());
        assert!(connect(&house.outside, one.ipv6().into(), INNER_PORT).is_err());
        assert!(connect(&house.outside, one.ipv4().into(), 22).is_err());
        assert_eq!(noted(), [(22, four.clone(), 1), (INNER_PORT, four.clone(), 2), (INNER_PORT, six, 1)]);
        assert_eq!(noted(), [], "told once");

        // The kernel sends a first packet again after a second: that is still one attempt.
        let before = ports.counters().unwrap()[&one].refused_in.packets;
        netns::within(&house.outside, || {
            let to = SocketAddr::new(one.ipv4().into(), INNER_PORT);
            assert!(TcpStream::connect_timeout(&to, Duration::from_millis(1300)).is_err());
            Ok(())
        })
        .unwrap();
        assert!(ports.counters().unwrap()[&one].refused_in.packets >= before + 2, "it was sent again");
        assert_eq!(noted(), [(INNER_PORT, four.clone(), 1)]);

        // What is let in, and what a measure refuses, is nobody's to allow.
        ports.set(one, &Port { allow: vec![allow(INNER_PORT, "192.0.2.0/25")], ..Port::default() }).unwrap();
        assert!(reach(&house.outside, one.ipv4().into(), INNER_PORT).is_ok());
        ports.close(one).unwrap();
        assert!(connect(&house.outside, one.ipv4().into(), INNER_PORT).is_err());
        assert_eq!(noted(), []);
        ports.open_again(one).unwrap();

        // A node that starts anew does not tell again what the one before told.
        ports.set(one, &Port::default()).unwrap();
        assert!(connect(&house.outside, one.ipv4().into(), INNER_PORT).is_err());
        assert_eq!(noted(), [(INNER_PORT, four, 1)]);
        assert_eq!(house.ports().knocks().unwrap(), []);
        ports.shut().unwrap();
    });
}

#[test]
fn a_flood_is_refused_and_hardly_noted() {
    in_a_house(|house| {
        let (one, two) = (number(1), number(2));
        let ports = house.ports();
        for at in [one, two] {
            ports.set(at, &Port::default()).unwrap();
            ports.ensure(at).unwrap();
        }
        let attempts = 2_000_u32;
        let to = std::net::SocketAddrV4::new(one.ipv4(), INNER_PORT);
        netns::within(&house.outside, || {
            use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, connect, socket};
            let begun = Instant::now();
            for _ in 0..attempts {
                // Each is a first packet of its own; nobody waits for an answer.
                let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
                let stream = socket(AddressFamily::Inet, SockType::Stream, flags, None).unwrap();
                let _ = connect(std::os::fd::AsRawFd::as_raw_fd(&stream), &SockaddrIn::from(to));
            }
            println!("{attempts} first packets refused: {:?}", begun.elapsed());
            Ok(())
        })
        .unwrap();
        assert!(connect(&house.outside, two.ipv4().into(), INNER_PORT).is_err());
        let knocks = ports.knocks().unwrap();
        let of = |number| knocks.iter().filter(|knock| knock.number == number).map(|knock| knock.attempts).sum::<u32>();
        assert!(
            ports.counters().unwrap()[&one].refused_in.packets >= u64::from(attempts),
            "all are refused and counted"
        );
        assert!((10..200).contains(&of(one)), "few are noted: {}", of(one));
        assert_eq!(of(two), 1, "another's flood hides nobody");
        ports.shut().unwrap();
    });
}
