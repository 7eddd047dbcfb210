//! The one nftables table: its text, and the elements that each port has in its sets.

use super::element::{Element, METERS, SETS, Set};
use super::netlink::{CREATE, Message, Nest, Socket, attribute, attributes};
use super::{Error, Uplink, conntrack};
use husorden_base::Number;
use ipnet::IpNet;
use nix::errno::Errno;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

/// The group that marks a link of this platform to nftables ("Hu" in ASCII).
pub(crate) const GROUP: u32 = 0x4875;

const TABLE: &str = "husorden";
const BASE: &str = include_str!("base.nft");

/// Private, shared, link-local, benchmarking, multicast and reserved IPv4 ranges (RFC 6890), which no port may reach.
const NEVER4: &str = "0.0.0.0/8, 10.0.0.0/8, 100.64.0.0/10, 127.0.0.0/8, 169.254.0.0/16, 172.16.0.0/12, 192.0.0.0/24, \
                      192.168.0.0/16, 198.18.0.0/15, 224.0.0.0/3";
/// All of IPv6 but global unicast (2000::/3), and in that the ranges that carry an IPv4 address within (Teredo, 6to4).
const NEVER6: &str = "::/3, 4000::/2, 8000::/1, 2001::/32, 2002::/16";

/// Where the internal addresses of all ports lie ([`Number::ipv4`], [`Number::ipv6`]).
const INTERNAL4: &str = "100.64.0.0/10";
const INTERNAL6: &str = "fd48:7573:6f72::/48";

/// Elements in one message: an attribute holds 64 KiB.
const ELEMENTS_PER_MESSAGE_MAX: usize = 400;

const NFTABLES: u16 = 10 << 8;
const NEW_ELEMENT: u16 = NFTABLES | 12;
const GET_ELEMENT: u16 = NFTABLES | 13;
const DELETE_ELEMENT: u16 = NFTABLES | 14;
const GET_GENERATION: u16 = NFTABLES | 16;
const DELETE_TABLE: u16 = NFTABLES | 2;
const BATCH_BEGIN: u16 = 16;
const BATCH_END: u16 = 17;
const FAMILY_INET: u8 = 1;

/// Packets and bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// Packets.
    pub packets: u64,
    /// Bytes, with their IP headers.
    pub bytes: u64,
}

/// What the kernel has in the sets.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shown {
    /// The generation of the ruleset it was seen at.
    pub(crate) generation: u32,
    /// Elements by port, those of `closed` apart.
    pub(crate) ports: BTreeMap<Number, BTreeSet<Element>>,
    /// Ports held by a measure.
    pub(crate) closed: BTreeSet<Number>,
}

/// The kernel's nftables and connection tracking, in the namespace it was opened in.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) socket: Socket,
}

impl Table {
    /// Writes the base table in one piece, with the TCP ports of the node's own that answer for closed ports. Elements that are in it
    /// already stay.
    pub(crate) fn write_base(uplink: &Uplink, answers: [u16; 2]) -> Result<(), Error> {
        let text = base_text(uplink, answers);
        let first = nft(&text);
        if first.is_err() && nft(&format!("list table inet {TABLE}")).is_ok() {
            // A table of another make, which cannot be changed into this one: it is replaced in one transaction, and the
            // next look finds which elements are missing.
            return nft(&format!("delete table inet {TABLE}\n{text}"));
        }
        first
    }

    /// Removes the table; that it is not there is no error.
    pub(crate) fn remove(&mut self) -> Result<(), Errno> {
        let message = Message::new(DELETE_TABLE, 0, &head()).with_text(1, TABLE);
        match self.transact(vec![message], None) {
            Err(Errno::ENOENT) => Ok(()),
            other => other,
        }
    }

    /// The generation of the ruleset; every change by anybody makes a new one.
    pub(crate) fn generation(&mut self) -> Result<u32, Errno> {
        let answer = self.socket.ask(Message::new(GET_GENERATION, 0, &[0, 0, 0, 0]), &[])?.ok_or(Errno::EBADMSG)?;
        answer
            .get(4..)
            .and_then(|body| attribute(body, 1))
            .and_then(|bytes| bytes.first_chunk::<4>())
            .map(|bytes| u32::from_be_bytes(*bytes))
            .ok_or(Errno::EBADMSG)
    }

    /// Everything in the sets.
    pub(crate) fn show(&mut self) -> Result<Shown, Errno> {
        loop {
            let generation = self.generation()?;
            let mut shown = Shown { generation, ..Shown::default() };
            for set in SETS {
                self.each(set, |element, _| {
                    let Some(number) = element.number() else {
                        return;
                    };
                    if set == Set::Closed {
                        shown.closed.insert(number);
                    } else {
                        shown.ports.entry(number).or_default().insert(element);
                    }
                })?;
            }
            if self.generation()? == generation {
                return Ok(shown);
            }
        }
    }

    /// What the meters of every port say.
    pub(crate) fn meters(&mut self) -> Result<BTreeMap<Number, [Count; 6]>, Errno> {
        let mut found: BTreeMap<Number, [Count; 6]> = BTreeMap::new();
        for (place, set) in METERS.into_iter().enumerate() {
            self.each(set, |element, count| {
                if let Some(number) = element.number() {
                    found.entry(number).or_default()[place] = count;
                }
            })?;
        }
        Ok(found)
    }

    /// Adds and removes elements in one transaction. With a generation it is only done if nobody has changed anything
    /// since; `ERESTART` says that somebody has.
    pub(crate) fn change<'a>(
        &mut self,
        add: impl IntoIterator<Item = &'a Element>,
        remove: impl IntoIterator<Item = &'a Element>,
        generation: Option<u32>,
    ) -> Result<(), Errno> {
        let mut messages = element_messages(DELETE_ELEMENT, 0, remove);
        messages.extend(element_messages(NEW_ELEMENT, CREATE, add));
        if messages.is_empty() {
            return Ok(());
        }
        self.transact(messages, generation)
    }

    fn transact(&mut self, messages: Vec<Message>, generation: Option<u32>) -> Result<(), Errno> {
        let subsystem = [0, 0, 0, 10];
        let mut begin = Message::new(BATCH_BEGIN, 0, &subsystem);
        if let Some(generation) = generation {
            begin = begin.with(1, &generation.to_be_bytes());
        }
        let mut batch = vec![begin];
        batch.extend(messages);
        if let Some(last) = batch.last_mut() {
            last.flags |= super::netlink::ACK;
        }
        batch.push(Message::new(BATCH_END, 0, &subsystem));
        self.socket.batch(&batch)
    }

    /// Hands on each element of a set.
    pub(super) fn each(&mut self, set: Set, mut visit: impl FnMut(Element, Count)) -> Result<(), Errno> {
        let question = Message::new(GET_ELEMENT, 0, &head()).with_text(1, TABLE).with_text(2, set.name());
        for body in self.socket.list(&question)? {
            let Some(list) = body.get(4..).and_then(|body| attribute(body, 3)) else {
                continue;
            };
            for (_, element) in attributes(list) {
                let value = |kind| attribute(element, kind).and_then(|key| attribute(key, 1)).map(<[u8]>::to_vec);
                if let Some(key) = value(1) {
                    let read = Element { set, key, end: value(10), value: value(2) };
                    visit(read, read_count(element));
                }
            }
        }
        Ok(())
    }
}

fn head() -> [u8; 4] {
    [FAMILY_INET, 0, 0, 0]
}

fn element_messages<'a>(kind: u16, flags: u16, elements: impl IntoIterator<Item = &'a Element>) -> Vec<Message> {
    let mut by_set: BTreeMap<Set, Vec<&Element>> = BTreeMap::new();
    for element in elements {
        by_set.entry(element.set).or_default().push(element);
    }
    let mut messages = Vec::new();
    for (set, elements) in by_set {
        for piece in elements.chunks(ELEMENTS_PER_MESSAGE_MAX) {
            let mut list = Nest::default();
            for element in piece {
                let mut nest = Nest::default().with_nest(1, &Nest::default().with(1, &element.key));
                if let Some(end) = &element.end {
                    nest = nest.with_nest(10, &Nest::default().with(1, end));
                }
                if let Some(value) = &element.value {
                    nest = nest.with_nest(2, &Nest::default().with(1, value));
                }
                list = list.with_nest(1, &nest);
            }
            messages.push(
                Message::new(kind, flags, &head()).with_text(1, TABLE).with_text(2, set.name()).with_nest(3, &list),
            );
        }
    }
    messages
}

/// The counter of an element: an expression of its own, or one in a list of them.
fn read_count(element: &[u8]) -> Count {
    let expression = attribute(element, 7)
        .or_else(|| attribute(element, 11).and_then(|list| attribute(list, 1)))
        .unwrap_or_default();
    let data = attribute(expression, 2).unwrap_or_default();
    let number = |kind| {
        attribute(data, kind).and_then(|bytes| bytes.first_chunk::<8>()).map_or(0, |bytes| u64::from_be_bytes(*bytes))
    };
    Count { packets: number(2), bytes: number(1) }
}

fn base_text(uplink: &Uplink, answers: [u16; 2]) -> String {
    let (mut never4, mut never6) = (NEVER4.to_owned(), NEVER6.to_owned());
    for net in &uplink.refuse {
        let list = match net {
            IpNet::V4(_) => &mut never4,
            IpNet::V6(_) => &mut never6,
        };
        let _ = write!(list, ", {}", net.trunc());
    }
    BASE.replace("{UPLINK}", uplink.interface.as_str())
        .replace("{GROUP}", &GROUP.to_string())
        .replace("{ANSWERS4}", &answers[0].to_string())
        .replace("{ANSWERS6}", &answers[1].to_string())
        .replace("{INTERNAL4}", INTERNAL4)
        .replace("{INTERNAL6}", INTERNAL6)
        .replace("{INWARD}", &conntrack::inward_bit().to_string())
        .replace("{NEVER4}", &never4)
        .replace("{NEVER6}", &never6)
}

/// Runs the nft tool on a text, in the calling thread's network namespace.
pub(super) fn nft(text: &str) -> Result<(), Error> {
    let started = Command::new("nft")
        .args(["-f", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let path = std::path::Path::new("nft");
    let mut child = started.map_err(Error::file("starting", path))?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(text.as_bytes()).map_err(Error::file("writing to", path))?;
    }
    let output = child.wait_with_output().map_err(Error::file("waiting for", path))?;
    if output.status.success() {
        Ok(())
    } else {
        let words = String::from_utf8_lossy(&output.stderr);
        Err(Error::Nft(words.chars().take(1000).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_text_is_filled_in() {
        let uplink = Uplink {
            refuse: vec!["203.0.113.9/32".parse().expect("a net")],
            ..Uplink::of("up0".parse().expect("a link name"))
        };
        let text = base_text(&uplink, [40_404, 40_406]);
        assert!(text.contains("oifname != \"up0\""));
        assert!(text.contains("198.18.0.0/15, 224.0.0.0/3, 203.0.113.9/32"));
        for left in ["UPLINK", "GROUP", "ANSWERS4", "ANSWERS6", "INWARD", "INTERNAL4", "INTERNAL6", "NEVER4", "NEVER6"]
        {
            let left = format!("{{{left}}}");
            assert!(BASE.contains(&left) && !text.contains(&left), "{left}");
        }
    }

    #[test]
    fn internal_addresses_lie_where_the_table_looks_for_them() {
        for number in [1, Number::MAX].map(|number| Number::new(number).expect("a number")) {
            let within = |net: &str, address: std::net::IpAddr| net.parse::<IpNet>().expect("a net").contains(&address);
            assert!(within(INTERNAL4, number.ipv4().into()) && within(INTERNAL6, number.ipv6().into()), "{number}");
        }
    }
}
