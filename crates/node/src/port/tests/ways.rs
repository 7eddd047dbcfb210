//! From port to port: a way leads there, and the other port lets in or not.

use super::*;
use husorden_kinds::Way;

#[test]
fn a_way_leads_to_one_tcp_port_of_one_solution_that_lets_it_in() {
    in_a_house(|house| {
        let (site, other, server) = (number(1), number(2), number(3));
        let ports = house.ports();
        let way = |to: Number, port: u16| Port { ways: vec![Way { number: to, port }], ..outbound() };
        let lets = |from: Number| Port { allow: vec![allow(3306, &format!("{}/32", from.ipv4()))], ..Port::default() };
        for (at, port) in [(site, way(server, 3306)), (other, outbound()), (server, Port::default())] {
            ports.set(at, &port).unwrap();
            ports.ensure(at).unwrap();
            assert_eq!(ports.look(at).unwrap(), Some(port.digest()));
        }
        house.serve(Some(&house.name(server)), 3306);
        house.serve(Some(&house.name(server)), 3307);
        let to = IpAddr::from(server.ipv4());
        assert!(connect(&house.name(site), to, 3306).is_err(), "a way opens nothing by itself");
        ports.set(server, &lets(site)).unwrap();
        let mut open = reach(&house.name(site), to, 3306).unwrap();
        assert_eq!(seen_as(&mut open), site.ipv4().to_string());
        assert!(connect(&house.name(site), to, 3307).is_err(), "to that TCP port and no other");
        assert!(connect(&house.name(other), to, 3306).is_err(), "who has no way does not get there");
        ports.set(server, &lets(other)).unwrap();
        assert!(!still_talks(&mut open), "cut when it is no longer let in");
        assert!(connect(&house.name(other), to, 3306).is_err(), "an entry makes no way");

        // Whichever side a measure closes, it is over; and it is adopted with the rest.
        ports.set(server, &lets(site)).unwrap();
        for closed in [site, server] {
            let mut open = reach(&house.name(site), to, 3306).unwrap();
            ports.close(closed).unwrap();
            assert!(!still_talks(&mut open), "{closed}");
            assert!(connect(&house.name(site), to, 3306).is_err());
            ports.open_again(closed).unwrap();
        }
        drop(ports);
        let ports = house.ports();
        assert_eq!(ports.look(site).unwrap(), Some(way(server, 3306).digest()));
        assert!(reach(&house.name(site), to, 3306).is_ok());
        ports.set(site, &outbound()).unwrap();
        assert!(connect(&house.name(site), to, 3306).is_err());
        ports.shut().unwrap();
    });
}
