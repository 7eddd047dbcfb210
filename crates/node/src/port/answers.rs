//! Where the node answers for ports that a measure holds: a listening socket of each family in the node's own namespace, to which the
//! table leads who is on a held port's list and comes by one of its doors.

use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::{Ip6tOriginalDst, OriginalDst};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, ipproto, listen as listens, socket_with, sockopt};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};

/// Connections that may wait to be taken.
const WAITING_MAX: i32 = 64;

/// Listens in the calling thread's network namespace, on a TCP port of each family that the kernel chooses.
pub(super) fn listen() -> io::Result<[TcpListener; 2]> {
    let open = |family, any: SocketAddr| -> io::Result<TcpListener> {
        let ear = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, Some(ipproto::TCP))?;
        if any.is_ipv6() {
            sockopt::set_ipv6_v6only(&ear, true)?;
        }
        bind(&ear, &any)?;
        listens(&ear, WAITING_MAX)?;
        Ok(TcpListener::from(ear))
    };
    Ok([
        open(AddressFamily::INET, (Ipv4Addr::UNSPECIFIED, 0).into())?,
        open(AddressFamily::INET6, (Ipv6Addr::UNSPECIFIED, 0).into())?,
    ])
}

/// The TCP port of the node that a connection asked for before it was led here: the door.
///
/// # Errors
/// When it was not led here.
pub fn door_of(stream: &TcpStream) -> io::Result<u16> {
    let port = match stream.local_addr()? {
        SocketAddr::V4(_) => getsockopt(stream, OriginalDst)?.sin_port,
        SocketAddr::V6(_) => getsockopt(stream, Ip6tOriginalDst)?.sin6_port,
    };
    Ok(u16::from_be(port))
}
