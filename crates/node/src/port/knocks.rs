//! Who was refused: what the table notes of connections that nobody let in, read and counted.

use super::Error;
use super::element::{Element, Set, read_address};
use super::table::Table;
use husorden_base::Number;
use ipnet::{IpNet, Ipv6Net};
use nix::errno::Errno;
use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;

/// The length of the prefix that one subscriber has in IPv6.
const SUBSCRIBER6: u8 = 64;

/// Attempts to connect to a port that were refused since the last reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Knock {
    /// To which solution.
    pub number: Number,
    /// To which TCP port of it.
    pub port: u16,
    /// From where: an IPv4 address, or an IPv6 /64.
    pub net: IpNet,
    /// How often. A packet that is sent again is no new attempt.
    pub attempts: u32,
}

/// The reader. It has a conversation with the kernel of its own, so that a long list delays no measure.
#[derive(Debug)]
pub(super) struct Knocks {
    table: Table,
    /// Attempts that were counted and still stand in the list.
    counted: HashSet<Element>,
}

impl Knocks {
    /// A reader that counts from now on.
    pub(super) fn open(table: Table) -> Result<Self, Error> {
        let mut knocks = Self { table, counted: HashSet::new() };
        knocks.fresh()?;
        Ok(knocks)
    }

    /// What was refused since the last reading.
    pub(super) fn fresh(&mut self) -> Result<Vec<Knock>, Error> {
        let mut standing = HashSet::new();
        for set in [Set::Knocks4, Set::Knocks6] {
            let read = self.table.each(set, |element, _| {
                standing.insert(element);
            });
            match read {
                // Without a table nobody is refused, nor let in.
                Ok(()) | Err(Errno::ENOENT) => {}
                Err(errno) => return Err(Error::kernel(|| "reading who was refused".to_owned())(errno)),
            }
        }
        let mut counts: BTreeMap<(Number, u16, IpNet), u32> = BTreeMap::new();
        for element in standing.difference(&self.counted) {
            if let Some(who) = read(element) {
                *counts.entry(who).or_default() += 1;
            }
        }
        self.counted = standing;
        Ok(counts.into_iter().map(|((number, port, net), attempts)| Knock { number, port, net, attempts }).collect())
    }
}

/// Link, TCP port, source address and source port, each begun at a whole word.
fn read(element: &Element) -> Option<(Number, u16, IpNet)> {
    let (port, rest) = element.key.get(16..)?.split_first_chunk::<4>()?;
    let (address, _) = rest.split_last_chunk::<4>()?;
    let net = match read_address(address)? {
        IpAddr::V4(four) => IpNet::from(IpAddr::V4(four)),
        IpAddr::V6(six) => IpNet::V6(Ipv6Net::new(six, SUBSCRIBER6).ok()?.trunc()),
    };
    Some((element.number()?, u16::from_be_bytes([port[0], port[1]]), net))
}
