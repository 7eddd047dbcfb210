//! The kernel's table of connections: those of a port are known by their mark, and forgotten by it in one walk.

use super::netlink::{Message, NESTED, Socket, attribute};
use husorden_base::Number;
use nix::errno::Errno;
use std::net::IpAddr;

const GET: u16 = 0x0101;
const DELETE: u16 = 0x0102;
/// The connection as its first packet went.
const ORIGINAL: u16 = 1;
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

/// Forgets connections opened to a port, but for those that are still allowed by where they come from and the TCP port
/// they go to.
pub(crate) fn forget_inward(
    socket: &mut Socket,
    number: Number,
    allowed: impl Fn(IpAddr, u16) -> bool,
) -> Result<(), Errno> {
    let question = Message::new(GET, 0, &[0, 0, 0, 0])
        .with(MARK, &(mark(number) | INWARD).to_be_bytes())
        .with(MARK_MASK, &u32::MAX.to_be_bytes());
    let mut deletions = Vec::new();
    for body in socket.list(&question)? {
        let Some((head, attributes)) = body.split_first_chunk::<4>() else {
            continue;
        };
        let Some(original) = attribute(attributes, ORIGINAL) else {
            continue;
        };
        if ends(original).is_some_and(|(source, port)| allowed(source, port)) {
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

/// Source address and destination port of a tuple.
fn ends(tuple: &[u8]) -> Option<(IpAddr, u16)> {
    let addresses = attribute(tuple, 1)?;
    let source = match (attribute(addresses, 1), attribute(addresses, 3)) {
        (Some(four), _) => IpAddr::from(<[u8; 4]>::try_from(four).ok()?),
        (None, Some(six)) => IpAddr::from(<[u8; 16]>::try_from(six).ok()?),
        (None, None) => return None,
    };
    let port = attribute(attribute(tuple, 2)?, 3)?;
    Some((source, u16::from_be_bytes(<[u8; 2]>::try_from(port).ok()?)))
}
