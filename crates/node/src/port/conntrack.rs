//! The kernel's table of connections: those of a port are known by their mark, and forgotten by it in one walk.

use super::element::read_address;
use super::netlink::{Message, NESTED, Socket, attribute};
use husorden_base::Number;
use husorden_kinds::firewall::Protocol;
use nix::errno::Errno;
use std::net::IpAddr;

const GET: u16 = 0x0101;
const DELETE: u16 = 0x0102;
/// The connection as its first packet went, before any address in it was changed.
const ORIGINAL: u16 = 1;
/// The connection as its answers go: from the address that the first packet came to in the end.
const REPLY: u16 = 2;
const ZONE: u16 = 18;
const ID: u16 = 12;
/// Deletions in one go: their acknowledgements wait in the socket's buffer.
const DELETIONS_PER_SEND_MAX: usize = 64;
const MARK: u16 = 8;
const MARK_MASK: u16 = 21;

/// What marks a connection as a port's ("H" in ASCII); below it stand the direction and the port's number.
const OURS: u32 = 0x4800_0000;
/// Set where the connection was opened to the port, not by it. A number has 22 bits, so the bit above is free.
const INWARD: u32 = 1 << 22;
const _: () = assert!(Number::MAX < INWARD);

/// Which connections of a port are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opened {
    /// Those it opened.
    Outward,
    /// All.
    Either,
}

/// The mark of the connections that a port opens; those opened to it have [`inward_bit`] besides.
pub(crate) fn mark(number: Number) -> u32 {
    OURS | number.get()
}

/// The port whose connections have this mark.
pub(crate) fn marked(mark: u32) -> Option<Number> {
    Number::new(mark & (INWARD - 1)).filter(|_| mark & !(INWARD | (INWARD - 1)) == OURS)
}

/// The bit that tells a connection opened to a port.
pub(crate) fn inward_bit() -> u32 {
    INWARD
}

/// Forgets connections of a port.
pub(crate) fn forget(socket: &mut Socket, number: Number, opened: Opened) -> Result<(), Errno> {
    let (mark, mask) = match opened {
        Opened::Outward => (mark(number), u32::MAX),
        Opened::Either => (mark(number), !INWARD),
    };
    let message =
        Message::new(DELETE, 0, &[0, 0, 0, 0]).with(MARK, &mark.to_be_bytes()).with(MARK_MASK, &mask.to_be_bytes());
    socket.carry_out(vec![message], &[])
}

/// A connection that was opened to a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Inward {
    /// What it speaks; none for what no rule can name.
    pub(crate) protocol: Option<Protocol>,
    /// From where.
    pub(crate) from: IpAddr,
    /// To which address of the solution.
    pub(crate) at: IpAddr,
    /// To which port of the solution; 0 for what has none.
    pub(crate) to: u16,
    /// By which door, if by one: the TCP port of the node.
    pub(crate) by: Option<u16>,
}

/// Forgets connections opened to a port, but for those that are still allowed.
pub(crate) fn forget_inward(
    socket: &mut Socket,
    number: Number,
    allowed: impl Fn(Inward) -> bool,
) -> Result<(), Errno> {
    let ends =
        |original: &[u8], reply: Option<&[u8]>| !reply.and_then(|reply| inward(original, reply)).is_some_and(&allowed);
    forget_those(socket, (mark(number) | INWARD, u32::MAX), ends)
}

/// TCP's port of mail servers.
const MAIL: u16 = 25;

/// Forgets connections to TCP port 25 that were opened from these addresses. One to a neighbour's public address has the neighbour's mark, so
/// that they are known by who opened them.
pub(crate) fn forget_mail(socket: &mut Socket, own: impl Fn(IpAddr) -> bool) -> Result<(), Errno> {
    let ends = |original: &[u8], _: Option<&[u8]>| {
        let opened = Tuple::read(original);
        opened.is_some_and(|one| one.protocol == Some(Protocol::Tcp) && one.to.1 == MAIL && own(one.from.0))
    };
    forget_those(socket, (OURS, !(INWARD | (INWARD - 1))), ends)
}

/// Forgets those connections of a mark (and its mask) that are to end, each told by its first tuple and the one of its answers.
fn forget_those(
    socket: &mut Socket,
    (mark, mask): (u32, u32),
    ends: impl Fn(&[u8], Option<&[u8]>) -> bool,
) -> Result<(), Errno> {
    let question =
        Message::new(GET, 0, &[0, 0, 0, 0]).with(MARK, &mark.to_be_bytes()).with(MARK_MASK, &mask.to_be_bytes());
    let mut deletions = Vec::new();
    for body in socket.list(&question)? {
        let Some((head, attributes)) = body.split_first_chunk::<4>() else {
            continue;
        };
        let Some(original) = attribute(attributes, ORIGINAL) else {
            continue;
        };
        if !ends(original, attribute(attributes, REPLY)) {
            continue;
        }
        let mut message = Message::new(DELETE, 0, &[head[0], 0, 0, 0]).with(ORIGINAL | NESTED, original);
        for kind in [ZONE, ID] {
            if let Some(value) = attribute(attributes, kind) {
                message = message.with(kind, value);
            }
        }
        deletions.push(message);
    }
    for piece in deletions.chunks(DELETIONS_PER_SEND_MAX) {
        // One that ended by itself meanwhile is gone as wanted.
        socket.carry_out(piece.to_vec(), &[Errno::ENOENT])?;
    }
    Ok(())
}

/// A connection by both its tuples.
fn inward(original: &[u8], reply: &[u8]) -> Option<Inward> {
    let (asked, answers) = (Tuple::read(original)?, Tuple::read(reply)?);
    let by = (asked.to != answers.from).then_some(asked.to.1);
    let (at, to) = answers.from;
    Some(Inward { protocol: answers.protocol, from: answers.to.0, at, to, by })
}

/// Addresses and ports of one direction of a connection.
struct Tuple {
    protocol: Option<Protocol>,
    from: (IpAddr, u16),
    to: (IpAddr, u16),
}

impl Tuple {
    fn read(tuple: &[u8]) -> Option<Self> {
        let addresses = attribute(tuple, 1)?;
        let address =
            |four, six| attribute(addresses, four).or_else(|| attribute(addresses, six)).and_then(read_address);
        let over = attribute(tuple, 2)?;
        let protocol = match attribute(over, 1)?.first()? {
            6 => Some(Protocol::Tcp),
            17 => Some(Protocol::Udp),
            1 | 58 => Some(Protocol::Icmp),
            _ => None,
        };
        let port = |kind| attribute(over, kind)?.first_chunk::<2>().map(|port| u16::from_be_bytes(*port));
        let port = |kind| if protocol == Some(Protocol::Icmp) { Some(0) } else { port(kind) };
        Some(Self { protocol, from: (address(1, 3)?, port(2)?), to: (address(2, 4)?, port(3)?) })
    }
}
