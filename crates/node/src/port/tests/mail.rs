//! TCP port 25 outside: closed without leave, open with it to whoever may be reached at all, and cut the moment the leave ends.

use super::public::{known, public};
use super::*;
use husorden_kinds::MailOut;
use serde_json::json;
use std::thread::sleep;

fn with_leave(until: Option<Timestamp>) -> Port {
    Port { mail_out: Some(MailOut { until }), ..outbound() }
}

/// Whose leave ended until now.
fn ended(ports: &Ports) -> Vec<Number> {
    let mut told = Vec::new();
    ports
        .end(|number, ended| told.extend(ended.iter().filter(|(_, one)| *one == Ended::MailOut).map(|_| number)))
        .unwrap();
    told
}

#[track_caller]
fn refused(from: &str, to: &str, port: u16) {
    let error = reach(from, address(to), port).expect_err("it is refused");
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "told, and not left to wait: {to} {port}");
}

#[test]
fn port_25_is_open_with_leave_alone_and_closes_by_the_clock() {
    in_a_house(|house| {
        let (one, two) = (number(1), number(2));
        let ports = house.ports();
        for port in [25, 7000] {
            house.serve(Some(&house.outside), port);
        }
        house.serve(None, 25);
        let until = Timestamp::now() + Duration::from_secs(15);
        ports.set(one, &with_leave(Some(until))).unwrap();
        ports.set(two, &outbound()).unwrap();
        for at in [one, two] {
            ports.ensure(at).unwrap();
        }
        let (from, other) = (house.name(one), house.name(two));
        let mut four = reach(&from, address(OUTSIDE4), 25).unwrap();
        assert_eq!(seen_as(&mut four), NODE4, "under the node's address");
        let mut six = reach(&from, address(OUTSIDE6), 25).unwrap();
        assert!(talks(&mut six));
        let mut elsewhere = reach(&from, address(OUTSIDE4), 7000).unwrap();
        assert_eq!(ports.counters().unwrap()[&one].mail, Count::default());

        // A neighbour has no leave by it, and nobody reaches by leave what nobody reaches.
        refused(&other, OUTSIDE4, 25);
        refused(&other, OUTSIDE6, 25);
        assert_eq!(ports.counters().unwrap()[&two].mail.packets, 2);
        let two4 = two.ipv4().to_string();
        let nowhere = [NODE4, "2001:db8::1", "10.0.0.1", "192.168.1.1", "203.0.113.9", "fd00::1", two4.as_str()];
        for to in nowhere {
            refused(&from, to, 25);
        }

        assert!(ended(&ports).is_empty());
        while Timestamp::now() < until {
            sleep(Duration::from_millis(10));
        }
        assert_eq!(ports.look(one).unwrap(), None, "what is in force is no longer what is wished");
        assert_eq!(ended(&ports), [one]);
        assert!(!still_talks(&mut four) && !still_talks(&mut six), "cut with the leave");
        assert!(talks(&mut elsewhere), "what goes elsewhere goes on");
        let before = ports.counters().unwrap()[&one].mail.packets;
        refused(&from, OUTSIDE4, 25);
        assert_eq!(ports.counters().unwrap()[&one].mail.packets, before + 1);
        assert!(ended(&ports).is_empty(), "told once");
        assert_eq!(ports.look(one).unwrap(), Some(with_leave(Some(until)).digest()), "nothing is left to do");
        ports.shut().unwrap();
    });
}

#[test]
fn leave_that_is_taken_back_is_gone_at_once_and_a_measure_beats_it() {
    in_a_house(|house| {
        let one = number(1);
        let ports = house.ports();
        for port in [25, 7000] {
            house.serve(Some(&house.outside), port);
        }
        ports.set(one, &with_leave(None)).unwrap();
        ports.ensure(one).unwrap();
        let from = house.name(one);
        let mut mail = reach(&from, address(OUTSIDE4), 25).unwrap();
        let mut elsewhere = reach(&from, address(OUTSIDE6), 7000).unwrap();
        assert!(talks(&mut mail));

        // Another process of the node finds it as it was.
        drop(ports);
        let ports = house.ports();
        assert_eq!(ports.look(one).unwrap(), Some(with_leave(None).digest()));
        assert!(talks(&mut mail));

        ports.close(one).unwrap();
        assert!(!still_talks(&mut mail));
        assert!(connect(&from, address(OUTSIDE4), 25).is_err(), "held by a measure");
        ports.open_again(one).unwrap();
        let mut mail = reach(&from, address(OUTSIDE4), 25).unwrap();
        let mut elsewhere_again = reach(&from, address(OUTSIDE6), 7000).unwrap();
        assert!(!still_talks(&mut elsewhere), "the measure cut all there was");

        ports.set(one, &outbound()).unwrap();
        assert!(!still_talks(&mut mail), "cut with the leave");
        assert!(talks(&mut elsewhere_again));
        refused(&from, OUTSIDE4, 25);
        ports.shut().unwrap();
    });
}

#[test]
fn a_neighbours_mail_server_is_outside_like_any_other() {
    in_a_house(|house| {
        let (one, two) = (number(1), number(2));
        let ports = house.ports();
        let rules = json!([{ "protocol": "tcp", "ports": "25", "from": ["0.0.0.0/0", "::/0"] }]);
        let name = known(house, &ports, two, &public("192.0.2.66", "2001:db8:0:8::1", rules));
        house.serve(Some(&name), 25);
        ports.set(one, &outbound()).unwrap();
        ports.ensure(one).unwrap();
        let from = house.name(one);
        refused(&from, "192.0.2.66", 25);
        ports.set(one, &with_leave(None)).unwrap();
        let mut four = reach(&from, address("192.0.2.66"), 25).unwrap();
        let mut six = reach(&from, address("2001:db8:0:8::1"), 25).unwrap();
        let mut incoming = reach(&house.outside, address("192.0.2.66"), 25).unwrap();
        assert!(talks(&mut four) && talks(&mut six));
        ports.set(one, &outbound()).unwrap();
        assert!(!still_talks(&mut four) && !still_talks(&mut six), "cut, though the neighbour lets it in still");
        assert!(talks(&mut incoming), "what comes to the neighbour from elsewhere goes on");
        ports.shut().unwrap();
    });
}
