//! What each port has in the table's sets: the keys, as the kernel keeps them.

use super::conntrack;
use husorden_base::Number;
use husorden_kinds::firewall::Protocol;
use husorden_kinds::public::PREFIX6;
use husorden_kinds::{Door, Passage, Port, Way};
use ipnet::IpNet;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

/// The sets that hold elements of ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Set {
    Closed,
    Own4,
    Own6,
    Nets6,
    Marks,
    Outbound,
    MailOut,
    Ways,
    Allow4,
    Allow6,
    Open4,
    Open6,
    Ping4,
    Ping6,
    Listed,
    Doors4,
    Doors6,
    Answers4,
    Answers6,
    Sent,
    Received,
    RefusedOut,
    RefusedIn,
    Spoofed,
    Mail,
    Knocks4,
    Knocks6,
}

/// The sets whose elements are set by us; the kernel fills the others.
pub(super) const SETS: [Set; 25] = [
    Set::Closed,
    Set::Own4,
    Set::Own6,
    Set::Nets6,
    Set::Marks,
    Set::Outbound,
    Set::MailOut,
    Set::Ways,
    Set::Allow4,
    Set::Allow6,
    Set::Open4,
    Set::Open6,
    Set::Ping4,
    Set::Ping6,
    Set::Listed,
    Set::Doors4,
    Set::Doors6,
    Set::Answers4,
    Set::Answers6,
    Set::Sent,
    Set::Received,
    Set::RefusedOut,
    Set::RefusedIn,
    Set::Spoofed,
    Set::Mail,
];

/// The sets of which every port with a machine part has one element that counts.
pub(super) const METERS: [Set; 6] =
    [Set::Sent, Set::Received, Set::RefusedOut, Set::RefusedIn, Set::Spoofed, Set::Mail];

impl Set {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Own4 => "own4",
            Self::Own6 => "own6",
            Self::Nets6 => "nets6",
            Self::Marks => "marks",
            Self::Outbound => "outbound",
            Self::MailOut => "mail-out",
            Self::Ways => "ways",
            Self::Allow4 => "allow4",
            Self::Allow6 => "allow6",
            Self::Open4 => "open4",
            Self::Open6 => "open6",
            Self::Ping4 => "ping4",
            Self::Ping6 => "ping6",
            Self::Listed => "listed",
            Self::Doors4 => "doors4",
            Self::Doors6 => "doors6",
            Self::Answers4 => "answers4",
            Self::Answers6 => "answers6",
            Self::Sent => "sent",
            Self::Received => "received",
            Self::RefusedOut => "refused-out",
            Self::RefusedIn => "refused-in",
            Self::Spoofed => "spoofed",
            Self::Mail => "mail",
            Self::Knocks4 => "knocks4",
            Self::Knocks6 => "knocks6",
        }
    }
}

/// One element of a set, as the kernel keeps it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Element {
    pub(crate) set: Set,
    pub(super) key: Vec<u8>,
    /// The last key of an interval.
    pub(super) end: Option<Vec<u8>>,
    /// What the key leads to, in a map.
    pub(super) value: Option<Vec<u8>>,
}

impl Element {
    /// An element whose key is the link alone.
    pub(crate) fn of(set: Set, number: Number) -> Self {
        Self { set, key: link_key(number), end: None, value: None }
    }

    fn mark(number: Number) -> Self {
        Self { value: Some(conntrack::mark(number).to_ne_bytes().to_vec()), ..Self::of(Set::Marks, number) }
    }

    fn own(number: Number, address: IpAddr) -> Self {
        let mut key = link_key(number);
        let set = put_address(&mut key, address, Set::Own4, Set::Own6);
        Self { set, key, end: None, value: None }
    }

    /// A net of the port's own, by its first address: single addresses of IPv4, and of IPv6 nets of the length that the table asks for.
    fn net(number: Number, net: IpNet) -> Self {
        let own = Self::own(number, net.network());
        if net.prefix_len() == PREFIX6 && own.set == Set::Own6 { Self { set: Set::Nets6, ..own } } else { own }
    }

    fn allow(number: Number, port: u16, from: IpNet) -> Self {
        let mut key = link_key(number);
        key.extend_from_slice(&padded(port));
        let mut end = key.clone();
        let set = put_address(&mut key, from.network(), Set::Allow4, Set::Allow6);
        put_address(&mut end, from.broadcast(), Set::Allow4, Set::Allow6);
        Self { set, key, end: Some(end), value: None }
    }

    fn open(number: Number, passage: &Passage) -> Self {
        let mut key = link_key(number);
        let mut end = key.clone();
        let sets = match protocol(passage.protocol) {
            None => (Set::Ping4, Set::Ping6),
            Some(protocol) => {
                for (key, port) in [(&mut key, passage.first), (&mut end, passage.last)] {
                    key.extend_from_slice(&[protocol, 0, 0, 0]);
                    key.extend_from_slice(&padded(port));
                }
                (Set::Open4, Set::Open6)
            }
        };
        let set = put_address(&mut key, passage.net.network(), sets.0, sets.1);
        put_address(&mut end, passage.net.broadcast(), sets.0, sets.1);
        Self { set, key, end: Some(end), value: None }
    }

    fn listed(number: Number, port: u16) -> Self {
        let mut key = link_key(number);
        key.extend_from_slice(&padded(port));
        Self { set: Set::Listed, key, end: None, value: None }
    }

    fn way(number: Number, way: Way) -> Self {
        let mut key = link_key(number);
        key.extend_from_slice(&way.number.ipv4().octets());
        key.extend_from_slice(&padded(way.port));
        Self { set: Set::Ways, key, end: None, value: None }
    }

    /// A door leads to one of the solution's addresses.
    fn door(door: Door, to: IpAddr) -> Self {
        let mut value = Vec::new();
        let set = put_address(&mut value, to, Set::Doors4, Set::Doors6);
        value.extend_from_slice(&padded(door.inner));
        Self { set, key: door.outer.to_be_bytes().to_vec(), end: None, value: Some(value) }
    }

    /// The port it belongs to; none if neither the link's name nor the address it leads to is one of ours.
    pub(super) fn number(&self) -> Option<Number> {
        if matches!(self.set, Set::Doors4 | Set::Doors6) {
            return number_at(read_address(self.value.as_deref()?.split_last_chunk::<4>()?.0)?);
        }
        if matches!(self.set, Set::Answers4 | Set::Answers6) {
            return conntrack::marked(u32::from_ne_bytes(self.value.as_deref()?.try_into().ok()?));
        }
        let name = self.key.get(..16)?;
        let name = name.split(|byte| *byte == 0).next()?;
        super::number_of(std::str::from_utf8(name).ok()?)
    }
}

/// The number of what has ports; none for ICMP.
fn protocol(protocol: Protocol) -> Option<u8> {
    match protocol {
        Protocol::Tcp => Some(6),
        Protocol::Udp => Some(17),
        Protocol::Icmp => None,
    }
}

/// A TCP port as part of a longer key or value: each part begins at a whole word.
fn padded(port: u16) -> [u8; 4] {
    let [high, low] = port.to_be_bytes();
    [high, low, 0, 0]
}

pub(super) fn read_address(bytes: &[u8]) -> Option<IpAddr> {
    let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    four.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}

/// The port that has this address.
fn number_at(address: IpAddr) -> Option<Number> {
    let last = match address {
        IpAddr::V4(four) => four.to_bits().checked_sub(Ipv4Addr::new(100, 64, 0, 0).to_bits())?,
        IpAddr::V6(six) => u32::try_from(six.to_bits() & u128::from(u32::MAX)).ok()?,
    };
    let number = Number::new(last)?;
    [IpAddr::from(number.ipv4()), number.ipv6().into()].contains(&address).then_some(number)
}

fn link_key(number: Number) -> Vec<u8> {
    let mut key = super::link_name(number).into_bytes();
    key.resize(16, 0);
    key
}

fn put_address(key: &mut Vec<u8>, address: IpAddr, four: Set, six: Set) -> Set {
    match address {
        IpAddr::V4(address) => {
            key.extend_from_slice(&address.octets());
            four
        }
        IpAddr::V6(address) => {
            key.extend_from_slice(&address.octets());
            six
        }
    }
}

/// Who is answered by the node while a measure holds the port: each entry of its list, at each of its doors.
pub(crate) fn answers(number: Number, has: &BTreeSet<Element>) -> BTreeSet<Element> {
    let mut found = BTreeSet::new();
    for door in has {
        let (allow, set) = match door.set {
            Set::Doors4 => (Set::Allow4, Set::Answers4),
            Set::Doors6 => (Set::Allow6, Set::Answers6),
            _ => continue,
        };
        let Some(inner) = door.value.as_deref().and_then(<[u8]>::last_chunk::<4>) else { continue };
        let outer = [door.key.as_slice(), &[0, 0]].concat();
        for entry in has.iter().filter(|entry| entry.set == allow) {
            // A key is the link's name, the TCP port and the address.
            let at_door = |key: &[u8]| {
                let (port, address) = key.get(16..)?.split_first_chunk::<4>()?;
                (port == inner).then(|| [outer.as_slice(), address].concat())
            };
            let Some(key) = at_door(&entry.key) else { continue };
            let end = entry.end.as_deref().and_then(at_door);
            let value = Some((conntrack::mark(number) | conntrack::inward_bit()).to_ne_bytes().to_vec());
            found.insert(Element { set, key, end, value });
        }
    }
    found
}

/// Every element a port shall have at this time.
pub(crate) fn elements(number: Number, port: &Port, now: Timestamp) -> BTreeSet<Element> {
    let mut found: BTreeSet<Element> = METERS.into_iter().map(|set| Element::of(set, number)).collect();
    found.insert(Element::mark(number));
    found.insert(Element::own(number, number.ipv4().into()));
    found.insert(Element::own(number, number.ipv6().into()));
    found.extend(port.public.iter().map(|net| Element::net(number, *net)));
    found.extend(port.passages.iter().map(|passage| Element::open(number, passage)));
    if port.outbound {
        found.insert(Element::of(Set::Outbound, number));
    }
    if port.mail_out.is_some_and(|leave| leave.lasts(now)) {
        found.insert(Element::of(Set::MailOut, number));
    }
    found.extend(port.ways.iter().map(|way| Element::way(number, *way)));
    for door in &port.doors {
        found.insert(Element::listed(number, door.inner));
        found.insert(Element::door(*door, number.ipv4().into()));
        found.insert(Element::door(*door, number.ipv6().into()));
    }
    // Ranges that overlap would collide in the set, so they are put together first.
    let mut ranges: BTreeMap<u16, Vec<IpNet>> = BTreeMap::new();
    for allow in port.allow.iter().filter(|allow| allow.lasts(now)) {
        ranges.entry(allow.port).or_default().push(allow.net.trunc());
    }
    for (tcp, nets) in ranges {
        for net in IpNet::aggregate(&nets) {
            found.insert(Element::allow(number, tcp, net));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use husorden_kinds::{Allow, MailOut};

    fn number(number: u32) -> Number {
        Number::new(number).expect("a number")
    }

    fn count(port: &Port, now: Timestamp, set: Set) -> usize {
        elements(number(7), port, now).iter().filter(|element| element.set == set).count()
    }

    #[test]
    fn overlapping_ranges_become_one_element() {
        let allow = |port: u16, net: &str| Allow { port, net: net.parse().expect("a net"), until: None };
        let port = Port {
            allow: vec![
                allow(5432, "192.0.2.0/24"),
                allow(5432, "192.0.2.17/32"),
                allow(5432, "192.0.2.17/24"),
                allow(5432, "2001:db8::/32"),
                allow(80, "192.0.2.0/24"),
            ],
            ..Port::default()
        };
        let count = |set| count(&port, Timestamp::UNIX_EPOCH, set);
        assert_eq!(count(Set::Allow4), 2, "one a TCP port");
        assert_eq!(count(Set::Allow6), 1);
        assert_eq!(count(Set::Outbound), 0);
        assert_eq!(count(Set::Own4) + count(Set::Own6), 2);
    }

    #[test]
    fn an_entry_counts_up_to_its_end() {
        let until = Timestamp::from_second(1_000).expect("a time");
        let allow = |net: &str, until| Allow { port: 22, net: net.parse().expect("a net"), until };
        // The narrow one lies in the wide one, and outlasts it.
        let port =
            Port { allow: vec![allow("192.0.2.0/24", Some(until)), allow("192.0.2.7/32", None)], ..Port::default() };
        let at = |second| elements(number(7), &port, Timestamp::from_second(second).expect("a time"));
        let allowed = |second| {
            let elements = at(second);
            let nets = elements.into_iter().filter(|element| element.set == Set::Allow4);
            nets.map(|element| (element.key[20..].to_vec(), element.end.map(|end| end[20..].to_vec())))
                .collect::<Vec<_>>()
        };
        assert_eq!(allowed(999), [(vec![192, 0, 2, 0], Some(vec![192, 0, 2, 255]))]);
        assert_eq!(allowed(1_000), [(vec![192, 0, 2, 7], Some(vec![192, 0, 2, 7]))]);
    }

    #[test]
    fn port_25_is_open_up_to_the_end_of_the_leave() {
        let until = Timestamp::from_second(1_000).expect("a time");
        let at = |port: &Port, second| count(port, Timestamp::from_second(second).expect("a time"), Set::MailOut);
        let port = |mail_out| Port { outbound: true, mail_out, ..Port::default() };
        assert_eq!(at(&port(None), 999), 0, "closed without a leave");
        let leave = port(Some(MailOut { until: Some(until) }));
        assert_eq!((at(&leave, 999), at(&leave, 1_000)), (1, 0));
        assert_eq!(at(&port(Some(MailOut::default())), 1_000_000), 1);
    }

    #[test]
    fn an_element_knows_its_port() {
        for at in [1, 7, Number::MAX] {
            let number = number(at);
            assert_eq!(Element::of(Set::Sent, number).number(), Some(number));
            let port = Port { doors: vec![Door { outer: 15432, inner: 5432 }], ..Port::default() };
            let elements = elements(number, &port, Timestamp::UNIX_EPOCH);
            assert_eq!(elements.iter().filter(|one| matches!(one.set, Set::Doors4 | Set::Doors6)).count(), 2);
            assert!(elements.iter().all(|element| element.number() == Some(number)), "{at}");
        }
        let stray = Element { set: Set::Sent, key: b"eth0\0\0\0\0\0\0\0\0\0\0\0\0".to_vec(), end: None, value: None };
        assert_eq!(stray.number(), None);
        let elsewhere = Element::door(Door { outer: 15432, inner: 22 }, IpAddr::from([192, 0, 2, 1]));
        assert_eq!(elsewhere.number(), None);
    }
}
