//! All that a service listens on: its unix socket, and where its port leads to it a TCP socket of each family. They are watched,
//! handed over, taken back and mended together.

use super::launch::{LISTENER_FD, LISTENERS_MAX};
use super::process::Process;
use super::socket::{self, SocketError};
use crate::Ground;
use crate::port::netns;
use husorden_base::Number;
use husorden_kinds::Reach;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, ipproto, listen, socket_with, sockopt};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

/// The listening sockets of one service, in the order in which its sandbox finds them.
#[derive(Debug)]
pub(crate) struct Ears(Vec<OwnedFd>);

impl Ears {
    /// Listens for a service. What stood under its name before is replaced.
    pub(crate) fn open(ground: &Ground, number: Number, role: &str, reach: Reach) -> Result<Self, SocketError> {
        let mut ears = Vec::with_capacity(LISTENERS_MAX);
        if let Reach::Port(port) = reach {
            let name = ground.netns(number);
            let failed = |source| SocketError { path: PathBuf::from(format!("TCP port {port} in {name}")), source };
            let opened = netns::within(&name, || Ok(tcp(port)));
            let opened = opened.map_err(|error| failed(io::Error::other(super::causes(&error))))?;
            ears.extend(opened.map_err(failed)?);
        }
        let folder = ground.sockets(number);
        ears.insert(0, socket::bind(&folder, role, reach, number.uid(), ground.edge_gid)?);
        Ok(Self(ears))
    }

    /// The listeners of a sandbox that an earlier node started, out of the sandbox itself, so that nobody who waits is lost.
    pub(crate) fn take(process: &Process, inodes: &[u64]) -> Option<Self> {
        let taken = inodes.iter().zip(LISTENER_FD..).map(|(inode, number)| {
            let ear = process.descriptor(number).ok()?;
            (socket::inode(&ear) == *inode).then_some(ear)
        });
        taken.collect::<Option<Vec<_>>>().filter(|ears| !ears.is_empty()).map(Self)
    }

    /// The same sockets once more.
    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        self.0.iter().map(OwnedFd::try_clone).collect::<io::Result<_>>().map(Self)
    }

    pub(crate) fn each(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.0.iter().map(AsFd::as_fd)
    }

    /// What tells them from others.
    pub(crate) fn inodes(&self) -> Vec<u64> {
        self.0.iter().map(socket::inode).collect()
    }

    /// Whether the service has shut one that it shares with the node.
    pub(crate) fn broken(&self) -> bool {
        self.each().any(socket::broken)
    }

    /// Whether somebody waits.
    pub(crate) fn knocked(&self) -> bool {
        self.each().any(socket::knocked)
    }

    /// Turns away everybody who waits.
    pub(crate) fn turn_away(&self) {
        self.each().for_each(socket::turn_away);
    }

    /// Makes them as a service expects them: an earlier run may have changed how the sockets, which are the same, behave.
    pub(crate) fn block(&self) -> io::Result<()> {
        for ear in self.each() {
            fcntl_setfl(ear, fcntl_getfl(ear)? - OFlags::NONBLOCK)?;
        }
        Ok(())
    }
}

/// Listens on a TCP port of the calling thread's network namespace, each family by itself, so that a server sees addresses
/// as they are.
fn tcp(port: u16) -> io::Result<[OwnedFd; 2]> {
    let open = |family, address: SocketAddr| -> io::Result<OwnedFd> {
        let ear = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, Some(ipproto::TCP))?;
        sockopt::set_socket_reuseaddr(&ear, true)?;
        if address.is_ipv6() {
            sockopt::set_ipv6_v6only(&ear, true)?;
        }
        bind(&ear, &address)?;
        listen(&ear, socket::WAITING_MAX)?;
        Ok(ear)
    };
    Ok([
        open(AddressFamily::INET, (Ipv4Addr::UNSPECIFIED, port).into())?,
        open(AddressFamily::INET6, (Ipv6Addr::UNSPECIFIED, port).into())?,
    ])
}

/// Whether somebody is connected to one of these TCP ports in the network namespace of a process.
pub(crate) fn connected(pid: u32, ports: &[u16]) -> bool {
    /// As the kernel writes it in the list of sockets.
    const ESTABLISHED: &str = "01";
    let wanted: Vec<String> = ports.iter().map(|port| format!(":{port:04X}")).collect();
    ["tcp", "tcp6"].iter().any(|list| {
        let Ok(text) = std::fs::read_to_string(format!("/proc/{pid}/net/{list}")) else { return false };
        text.lines().skip(1).any(|line| {
            let mut fields = line.split_whitespace().skip(1);
            let (local, _, state) = (fields.next(), fields.next(), fields.next());
            let ours = local.is_some_and(|local| wanted.iter().any(|port| local.ends_with(port)));
            ours && state == Some(ESTABLISHED)
        })
    })
}
