//! Links, addresses, routes and neighbours over rtnetlink, each verb fit to be done again.

pub(crate) use super::netlink::Message;
use super::netlink::{CREATE, EXCLUSIVE, Nest, REPLACE, Socket, attribute};
use ipnet::IpNet;
use nix::errno::Errno;
use nix::sys::socket::SockProtocol;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::{Duration, Instant};

const NEW_LINK: u16 = 16;
const DELETE_LINK: u16 = 17;
const GET_LINK: u16 = 18;
const NEW_ADDRESS: u16 = 20;
const GET_ADDRESS: u16 = 22;
const NEW_ROUTE: u16 = 24;
const DELETE_ROUTE: u16 = 25;
const GET_ROUTE: u16 = 26;
const NEW_NEIGHBOUR: u16 = 28;
const NEW_RULE: u16 = 32;
const DELETE_RULE: u16 = 33;
const DELETE_NEIGHBOUR: u16 = 29;

const FAMILY_4: u8 = 2;
const FAMILY_6: u8 = 10;
const UP: u32 = 1;

/// Before the rules that lead to the tables every namespace has, after that of its own addresses.
const RULE_PRIORITY: u32 = 100;

/// The kernel takes note of a link in a moment, unless it is very busy.
const CARRIES_WAIT_MAX: Duration = Duration::from_secs(2);

/// A link as the kernel shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    /// Its number in its namespace.
    pub(crate) index: i32,
    /// Its name.
    pub(crate) name: String,
    /// The largest packet in bytes.
    pub(crate) mtu: u32,
    /// The group it is in.
    pub(crate) group: u32,
    /// The number of the link at its other end, in that one's namespace.
    pub(crate) peer: i32,
    /// It is switched on.
    pub(crate) up: bool,
    /// It carries packets: switched on at both ends, and the kernel has taken note.
    pub(crate) carries: bool,
}

/// A pair of links, one here and one in another namespace.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pair<'a> {
    /// Name of the end here.
    pub(crate) here: &'a str,
    /// Name of the end there.
    pub(crate) there: &'a str,
    /// Hardware address of the end here.
    pub(crate) here_mac: [u8; 6],
    /// Hardware address of the end there.
    pub(crate) there_mac: [u8; 6],
    /// The largest packet in bytes.
    pub(crate) mtu: u32,
    /// The group of the end here.
    pub(crate) group: u32,
}

/// The kernel's routing part, in the namespace it was opened in.
#[derive(Debug)]
pub(crate) struct Links(Socket);

impl Links {
    /// Opens it in the calling thread's namespace.
    pub(crate) fn open() -> Result<Self, Errno> {
        Socket::open(SockProtocol::NetlinkRoute).map(Self)
    }

    /// The link with this name.
    pub(crate) fn find(&mut self, name: &str) -> Result<Option<Link>, Errno> {
        let question = Message::new(GET_LINK, 0, &link_head(0, 0, 0)).with_text(3, name);
        let answer = self.0.ask(question, &[Errno::ENODEV])?;
        Ok(answer.as_deref().and_then(read_link))
    }

    /// Every link.
    pub(crate) fn all(&mut self) -> Result<Vec<Link>, Errno> {
        let answers = self.0.list(&Message::new(GET_LINK, 0, &link_head(0, 0, 0)))?;
        Ok(answers.iter().filter_map(|body| read_link(body)).collect())
    }

    /// The addresses of a link, each with the length of its net.
    pub(crate) fn addresses(&mut self, index: i32) -> Result<Vec<(IpAddr, u8)>, Errno> {
        let mut found = Vec::new();
        for body in self.0.list(&Message::new(GET_ADDRESS, 0, &[0; 8]))? {
            let Some((head, attributes)) = body.split_first_chunk::<8>() else {
                continue;
            };
            // On a link with a far end the own address is the local one (2); IPv6 may show it as the other (1) only.
            let own = attribute(attributes, 2).or_else(|| attribute(attributes, 1));
            if i32::from_ne_bytes([head[4], head[5], head[6], head[7]]) == index
                && let Some(address) = own.and_then(read_address)
            {
                found.push((address, head[1]));
            }
        }
        Ok(found)
    }

    /// Every route's destination, the default ones not.
    pub(crate) fn routes(&mut self) -> Result<Vec<IpNet>, Errno> {
        let mut found = Vec::new();
        for family in [FAMILY_4, FAMILY_6] {
            let mut head = [0_u8; 12];
            head[0] = family;
            for body in self.0.list(&Message::new(GET_ROUTE, 0, &head))? {
                let Some((head, attributes)) = body.split_first_chunk::<12>() else {
                    continue;
                };
                if let Some(address) = attribute(attributes, 1).and_then(read_address)
                    && let Ok(net) = IpNet::new(address, head[1])
                {
                    found.push(net);
                }
            }
        }
        Ok(found)
    }

    /// Makes a pair of links, both still switched off. The end there takes no address by itself.
    pub(crate) fn pair(&mut self, pair: &Pair<'_>, there: BorrowedFd<'_>) -> Result<(), Errno> {
        let peer = Nest::headed(&link_head(0, 0, 0))
            .with_text(3, pair.there)
            .with(1, &pair.there_mac)
            .with(4, &pair.mtu.to_ne_bytes())
            .with(28, &there.as_raw_fd().to_ne_bytes());
        let info = Nest::default().with_text(1, "veth").with_nest(2, &Nest::default().with_nest(1, &peer));
        let message = Message::new(NEW_LINK, CREATE | EXCLUSIVE, &link_head(0, 0, 0))
            .with_text(3, pair.here)
            .with(1, &pair.here_mac)
            .with(4, &pair.mtu.to_ne_bytes())
            .with(27, &pair.group.to_ne_bytes())
            .with_nest(18, &info);
        self.0.carry_out(vec![message], &[])
    }

    /// Takes back what was said by [`route`] and [`proxy`]; that it is not there is no error.
    pub(crate) fn take_back(&mut self, messages: Vec<Message>) -> Result<(), Errno> {
        self.0.carry_out(messages, &[Errno::ESRCH, Errno::ENOENT, Errno::ENODEV])
    }

    /// Carries out messages made by the functions of this module.
    pub(crate) fn run(&mut self, messages: Vec<Message>) -> Result<(), Errno> {
        self.0.carry_out(messages, &[])
    }

    /// Has what comes in by a link go by a table of its own, whether or not that was said before.
    pub(crate) fn split(&mut self, link: &str, table: u32) -> Result<(), Errno> {
        let rules = [FAMILY_4, FAMILY_6].map(|family| rule(NEW_RULE, CREATE | EXCLUSIVE, family, link, table));
        self.0.carry_out(rules.into(), &[Errno::EEXIST])
    }

    /// Takes that back, also where the link is gone. That it was not said is no error.
    pub(crate) fn unsplit(&mut self, link: &str, table: u32) -> Result<(), Errno> {
        let rules = [FAMILY_4, FAMILY_6].map(|family| rule(DELETE_RULE, 0, family, link, table));
        self.0.carry_out(rules.into(), &[Errno::ENOENT])
    }

    /// Removes a link, and with it the one at its other end. That it is not there is no error.
    pub(crate) fn remove(&mut self, name: &str) -> Result<(), Errno> {
        let message = Message::new(DELETE_LINK, 0, &link_head(0, 0, 0)).with_text(3, name);
        self.0.carry_out(vec![message], &[Errno::ENODEV])
    }

    /// Removes every link of a group at once, which takes the kernel about as long as one.
    pub(crate) fn remove_group(&mut self, group: u32) -> Result<(), Errno> {
        let message = Message::new(DELETE_LINK, 0, &link_head(0, 0, 0)).with(27, &group.to_ne_bytes());
        self.0.carry_out(vec![message], &[Errno::ENODEV])
    }
}

/// What happens to the links of a namespace, told by the kernel as it happens.
#[derive(Debug)]
pub(crate) struct Happenings(Socket);

impl Happenings {
    /// Listens in the calling thread's namespace from now on.
    pub(crate) fn open() -> Result<Self, Errno> {
        Socket::hearing(SockProtocol::NetlinkRoute, 1).map(Self)
    }

    /// Names of links to which anything happened since; none when too much did to be told.
    pub(crate) fn since(&mut self) -> Result<Option<Vec<String>>, Errno> {
        let mut names = Vec::new();
        loop {
            match self.0.heard() {
                Ok(bodies) if bodies.is_empty() => return Ok(Some(names)),
                Ok(bodies) => names.extend(bodies.iter().filter_map(|body| read_link(body)).map(|link| link.name)),
                Err(Errno::ENOBUFS) => return Ok(None),
                Err(errno) => return Err(errno),
            }
        }
    }
}

/// Waits until a link carries packets: until then the kernel drops what is sent, and a connection would begin with a lost
/// packet and the second it takes to send it again.
pub(crate) fn wait_carries(links: &mut Links, name: &str) -> Result<(), Errno> {
    let until = Instant::now() + CARRIES_WAIT_MAX;
    while !links.find(name)?.ok_or(Errno::ENODEV)?.carries {
        if Instant::now() > until {
            return Err(Errno::ENETDOWN);
        }
        std::thread::sleep(Duration::from_micros(500));
    }
    Ok(())
}

/// Switches a link on.
pub(crate) fn up(index: i32) -> Message {
    Message::new(NEW_LINK, 0, &link_head(index, UP, UP))
}

/// The link makes itself no IPv6 address.
pub(crate) fn no_own_address(index: i32) -> Message {
    let mode = Nest::default().with(8, &[1]);
    let families = Nest::default().with_nest(u16::from(FAMILY_6), &mode);
    Message::new(NEW_LINK, 0, &link_head(index, 0, 0)).with_nest(26, &families)
}

/// Gives a link an address.
pub(crate) fn address(index: i32, address: IpAddr, prefix: u8) -> Message {
    let (family, bytes) = family(address);
    // Detection of duplicates would hold an address back for a second; on these links there is nobody to collide with.
    let no_detection = if family == FAMILY_6 { 0x02 } else { 0 };
    let mut head = [family, prefix, no_detection, 0, 0, 0, 0, 0];
    head[4..].copy_from_slice(&index.to_ne_bytes());
    Message::new(NEW_ADDRESS, CREATE | REPLACE, &head).with(2, &bytes).with(1, &bytes)
}

/// Sends what goes to a net by a link, over a gateway if one is given. A net of length 0 is the default.
pub(crate) fn route(index: i32, to: IpNet, via: Option<IpAddr>) -> Message {
    let (family_to, bytes) = family(to.addr());
    let (main, boot, unicast) = (254, 3, 1);
    let scope = if via.is_none() && family_to == FAMILY_4 { 253 } else { 0 };
    let mut head = [0_u8; 12];
    head[..8].copy_from_slice(&[family_to, to.prefix_len(), 0, 0, main, boot, scope, unicast]);
    let mut message = Message::new(NEW_ROUTE, CREATE | REPLACE, &head);
    if to.prefix_len() > 0 {
        message = message.with(1, &bytes);
    }
    if let Some(via) = via {
        message = message.with(5, &family(via).1);
    }
    message.with(4, &index.to_ne_bytes())
}

/// The same in a table of its own.
pub(crate) fn route_in(table: u32, index: i32, to: IpNet, via: Option<IpAddr>) -> Message {
    route(index, to, via).with(15, &table.to_ne_bytes())
}

/// Whatever a table says nothing else of goes nowhere, and who sent it is told.
pub(crate) fn nowhere(table: u32) -> [Message; 2] {
    [FAMILY_4, FAMILY_6].map(|family| {
        let (unspecified, boot, unreachable) = (0, 3, 7);
        let mut head = [0_u8; 12];
        head[..8].copy_from_slice(&[family, 0, 0, 0, unspecified, boot, 0, unreachable]);
        Message::new(NEW_ROUTE, CREATE | REPLACE, &head).with(15, &table.to_ne_bytes())
    })
}

/// That what comes in by a link goes by a table of its own.
fn rule(kind: u16, flags: u16, family: u8, link: &str, table: u32) -> Message {
    let to_table = 1;
    let head = [family, 0, 0, 0, 0, 0, 0, to_table, 0, 0, 0, 0];
    Message::new(kind, flags, &head)
        .with_text(3, link)
        .with(6, &RULE_PRIORITY.to_ne_bytes())
        .with(15, &table.to_ne_bytes())
}

/// Takes the route to a net by a link away ([`Links::take_back`]).
pub(crate) fn no_route(index: i32, to: IpNet) -> Message {
    let (family_to, bytes) = family(to.addr());
    let (main, nowhere) = (254, 255);
    let mut head = [0_u8; 12];
    head[..8].copy_from_slice(&[family_to, to.prefix_len(), 0, 0, main, 0, nowhere, 0]);
    Message::new(DELETE_ROUTE, 0, &head).with(1, &bytes).with(4, &index.to_ne_bytes())
}

/// Answers on a link for an address that lies behind another one, or does so no longer ([`Links::take_back`]).
pub(crate) fn proxy(index: i32, address: IpAddr, answered: bool) -> Message {
    let (family, bytes) = family(address);
    let proxy = 0x08_u8;
    let mut head = [0_u8; 12];
    head[0] = family;
    head[4..8].copy_from_slice(&index.to_ne_bytes());
    head[10] = proxy;
    let message = if answered {
        Message::new(NEW_NEIGHBOUR, CREATE | REPLACE, &head)
    } else {
        Message::new(DELETE_NEIGHBOUR, 0, &head)
    };
    message.with(1, &bytes)
}

/// Says once and for all which hardware address an address has, so that nothing need be asked on the link.
pub(crate) fn neighbour(index: i32, address: IpAddr, mac: [u8; 6]) -> Message {
    let (family, bytes) = family(address);
    let permanent = 0x80_u16;
    let mut head = [0_u8; 12];
    head[0] = family;
    head[4..8].copy_from_slice(&index.to_ne_bytes());
    head[8..10].copy_from_slice(&permanent.to_ne_bytes());
    Message::new(NEW_NEIGHBOUR, CREATE | REPLACE, &head).with(1, &bytes).with(2, &mac)
}

fn link_head(index: i32, flags: u32, change: u32) -> [u8; 16] {
    let mut head = [0_u8; 16];
    head[4..8].copy_from_slice(&index.to_ne_bytes());
    head[8..12].copy_from_slice(&flags.to_ne_bytes());
    head[12..].copy_from_slice(&change.to_ne_bytes());
    head
}

fn family(address: IpAddr) -> (u8, Vec<u8>) {
    match address {
        IpAddr::V4(address) => (FAMILY_4, address.octets().to_vec()),
        IpAddr::V6(address) => (FAMILY_6, address.octets().to_vec()),
    }
}

fn read_address(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(four) = <[u8; 4]>::try_from(bytes) {
        Some(IpAddr::from(four))
    } else {
        <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from)
    }
}

fn read_link(body: &[u8]) -> Option<Link> {
    let (head, attributes) = body.split_first_chunk::<16>()?;
    let number = |kind| {
        attribute(attributes, kind)
            .and_then(|bytes| bytes.first_chunk::<4>())
            .map_or(0, |bytes| u32::from_ne_bytes(*bytes))
    };
    let name = attribute(attributes, 3)?;
    Some(Link {
        index: i32::from_ne_bytes([head[4], head[5], head[6], head[7]]),
        name: String::from_utf8_lossy(name.strip_suffix(&[0]).unwrap_or(name)).into_owned(),
        mtu: number(4),
        group: number(27),
        peer: number(5).cast_signed(),
        up: u32::from_ne_bytes([head[8], head[9], head[10], head[11]]) & UP != 0,
        carries: attribute(attributes, 16) == Some(&[6]),
    })
}
