//! Who answers a guest that asks for its addresses: the node itself, on each tap of a port, so that any system that can ask has them.
//!
//! ```text
//! guest ──DHCP──▶ 0.0.0.0:67 ┐
//! guest ──DHCPv6▶ [::]:547   ├─ in the port's namespace, bound to the tap ──▶ one thread for all ──▶ the guest's own addresses
//! guest ──who is a router?─▶ ┘
//! ```
//!
//! What is answered follows from the port's number and public addresses, or from what the guest has in a network, alone; nothing is remembered, so nothing can be used up or taken from another. A guest that
//! asks without end is heard a few times a second, and the others are not the slower for it.

mod four;
mod six;

#[cfg(test)]
pub(super) use four::tests::asks;

use super::{Error, netns};
use husorden_base::Number;
use husorden_kinds::public::main6;
use husorden_kinds::tap::{DEVICE, GATEWAY4, mac};
use husorden_kinds::{Membership, NetworkNumber};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use nix::sys::socket::{setsockopt, sockopt::BindToDevice};
use rustix::event::{Timespec, epoll};
use rustix::net::sockopt::set_ipv6_multicast_hops;
use rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto, socket_with};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tracing::{debug, warn};

/// Where clients ask, and where they are answered.
const PORT4: u16 = 67;
const CLIENT4: u16 = 68;
const PORT6: u16 = 547;
/// All agents of DHCPv6, all routers and all nodes of a link.
const AGENTS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2);
const ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);
const NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
/// What a router's advertisement must have come with: it was passed on by nobody.
const HOPS: u32 = 255;
/// A solicitation.
const SOLICITATION: u8 = 133;
/// Packets of one guest that are heard in a second.
const HEARD_PER_SECOND: u32 = 20;
/// Packets that are thrown away unheard when it is listened again: more than the kernel keeps.
const UNHEARD_MAX: u32 = 4_096;
/// Time between two advertisements that nobody asked for.
const ADVERTISE_EVERY: Duration = Duration::from_secs(600);
/// Longest packet that is read; longer ones ask for nothing of ours.
const PACKET_BYTES_MAX: usize = 1_500;

/// Who asks, and what it has on this link.
#[derive(Clone, Debug)]
pub(super) struct Guest {
    mac: [u8; 6],
    /// The one address that DHCP gives: the public one, if there is one.
    four: Ipv4Addr,
    /// Those that DHCPv6 gives, the one that others are to see first.
    six: Vec<Ipv6Addr>,
    /// The net from which a guest may take any other.
    net6: Option<Ipv6Net>,
    /// The node's end of the link.
    gateway: Ipv4Addr,
    way: Way,
    name_servers: Vec<IpAddr>,
}

/// Where a link leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Everywhere.
    Out,
    /// To this range, which is on the link, and to this prefix.
    Network(Ipv4Net, Ipv6Net),
}

impl Guest {
    /// Who is behind a port's own tap.
    fn of(number: Number, public: &[IpNet], name_servers: &[IpAddr]) -> Self {
        let four = public.iter().find_map(|net| if let IpNet::V4(four) = net { Some(four.addr()) } else { None });
        let net6 = public.iter().find_map(|net| if let IpNet::V6(six) = net { Some(*six) } else { None });
        Self {
            mac: mac(number),
            four: four.unwrap_or_else(|| number.ipv4()),
            six: net6.map(main6).into_iter().chain([number.ipv6()]).collect(),
            net6,
            gateway: GATEWAY4,
            way: Way::Out,
            name_servers: name_servers.to_vec(),
        }
    }

    /// Who is behind a tap in a private network.
    fn member(member: &Membership) -> Self {
        Self {
            mac: member.number.mac(),
            four: member.address,
            six: vec![member.address6()],
            net6: None,
            gateway: member.gateway(),
            way: Way::Network(member.range, member.prefix),
            name_servers: Vec::new(),
        }
    }
}

/// A tap: whose, and of which network; none of its port's own.
type Place = (Number, Option<NetworkNumber>);

/// What tells an ear of a tap from all others.
fn event_of((number, network): Place, ear: u64) -> epoll::EventData {
    let network = network.map_or(0, NetworkNumber::get);
    epoll::EventData::new_u64(u64::from(number.get()) << 26 | u64::from(network) << 2 | ear)
}

/// The tap and the ear that an event is about.
fn place_of(data: u64) -> Option<(Place, Ear)> {
    let number = u32::try_from(data >> 26).ok().and_then(Number::new)?;
    let network = u32::try_from(data >> 2 & u64::from(NetworkNumber::MAX)).ok().and_then(NetworkNumber::new);
    Some(((number, network), *EARS.get((data & 3) as usize)?))
}

/// What is heard on a tap, by the place of its socket in [`Line::sockets`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ear {
    Four,
    Six,
    Routers,
}

const EARS: [Ear; 3] = [Ear::Four, Ear::Six, Ear::Routers];

/// One tap.
#[derive(Debug)]
struct Line {
    place: Place,
    guest: Guest,
    /// The tap's number in its namespace.
    index: u32,
    sockets: [UdpSocket; 3],
    /// Packets that are still heard in this second.
    left: u32,
    /// Too much came, and it is not listened to until the second is over.
    deaf: bool,
    advertised: Instant,
}

#[derive(Debug)]
struct Shared {
    epoll: OwnedFd,
    lines: Mutex<BTreeMap<Place, Line>>,
    name_servers: Vec<IpAddr>,
    over: AtomicBool,
    begun: AtomicBool,
}

/// Who answers on the taps of a node.
#[derive(Debug)]
pub(super) struct Leases(Arc<Shared>);

impl Drop for Leases {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::Relaxed);
        self.0.lines().clear();
    }
}

impl Leases {
    /// Nobody is answered yet.
    pub(super) fn new(name_servers: &[IpAddr]) -> Result<Self, Error> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC);
        let epoll = epoll.map_err(|error| Error::kernel(|| "listening on taps".to_owned())(errno(error)))?;
        Ok(Self(Arc::new(Shared {
            epoll,
            lines: Mutex::default(),
            name_servers: name_servers.to_vec(),
            over: AtomicBool::new(false),
            begun: AtomicBool::new(false),
        })))
    }

    /// Answers on the port's own tap in the namespace with this name from now on.
    pub(super) fn serve(&self, name: &str, number: Number, index: i32, public: &[IpNet]) -> Result<(), Error> {
        self.answer(name, (number, None), DEVICE, index, Guest::of(number, public, &self.0.name_servers))
    }

    /// The same on its tap in a private network.
    pub(super) fn serve_member(
        &self,
        name: &str,
        number: Number,
        member: &Membership,
        index: i32,
    ) -> Result<(), Error> {
        let place = (number, Some(member.number));
        self.answer(name, place, &member.number.tap(), index, Guest::member(member))
    }

    fn answer(&self, name: &str, place: Place, device: &str, index: i32, guest: Guest) -> Result<(), Error> {
        // Two can't listen in one place: one that was there goes first.
        self.0.lines().remove(&place);
        let index = u32::try_from(index).unwrap_or(0);
        let path = netns::path(name);
        let sockets = netns::within(name, || {
            let each = [four(device), six(device, index), routers(device, index)];
            let [four, six, routers] = each.map(|socket| socket.map_err(Error::file("listening on the tap of", &path)));
            Ok([four?, six?, routers?])
        })?;
        for (socket, ear) in sockets.iter().zip(0_u64..) {
            epoll::add(&self.0.epoll, socket, event_of(place, ear), epoll::EventFlags::IN)
                .map_err(|error| Error::kernel(|| format!("listening on the tap of {}", place.0))(errno(error)))?;
        }
        let advertised = Instant::now();
        let line = Line { place, guest, index, sockets, left: HEARD_PER_SECOND, deaf: false, advertised };
        self.0.lines().insert(place, line);
        self.begin()
    }

    /// Lets go of a port's taps, so that its namespace can end.
    pub(super) fn leave(&self, number: Number) {
        self.0.lines().retain(|(of, _), _| *of != number);
    }

    /// Lets go of its tap in a network.
    pub(super) fn leave_network(&self, number: Number, network: NetworkNumber) {
        self.0.lines().remove(&(number, Some(network)));
    }

    /// Lets go of all.
    pub(super) fn leave_all(&self) {
        self.0.lines().clear();
    }

    /// The thread is made when the first guest is there.
    fn begin(&self) -> Result<(), Error> {
        if self.0.begun.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        let shared = Arc::clone(&self.0);
        let spawned = std::thread::Builder::new().name("leases".to_owned()).spawn(move || shared.work());
        spawned.map(drop).map_err(|error| {
            self.0.begun.store(false, Ordering::Relaxed);
            Error::file("starting the thread that answers on", std::path::Path::new(DEVICE))(error)
        })
    }
}

fn errno(error: rustix::io::Errno) -> nix::errno::Errno {
    nix::errno::Errno::from_raw(error.raw_os_error())
}

/// To the one link, whatever others there are.
fn bound(socket: UdpSocket, device: &str) -> io::Result<UdpSocket> {
    setsockopt(&socket, BindToDevice, &OsString::from(device))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Several listen on one port of a namespace, each on a tap of its own: to that it is bound before it has the port.
fn unbound(family: AddressFamily) -> io::Result<UdpSocket> {
    Ok(UdpSocket::from(socket_with(family, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?))
}

fn four(device: &str) -> io::Result<UdpSocket> {
    let socket = bound(unbound(AddressFamily::INET)?, device)?;
    rustix::net::bind(&socket, &SocketAddr::from((Ipv4Addr::UNSPECIFIED, PORT4)))?;
    socket.set_broadcast(true)?;
    Ok(socket)
}

fn six(device: &str, index: u32) -> io::Result<UdpSocket> {
    let socket = bound(unbound(AddressFamily::INET6)?, device)?;
    rustix::net::bind(&socket, &SocketAddr::from((Ipv6Addr::UNSPECIFIED, PORT6)))?;
    socket.join_multicast_v6(&AGENTS, index)?;
    Ok(socket)
}

fn routers(device: &str, index: u32) -> io::Result<UdpSocket> {
    let raw = socket_with(AddressFamily::INET6, SocketType::RAW, SocketFlags::CLOEXEC, Some(ipproto::ICMPV6))?;
    let socket = bound(UdpSocket::from(raw), device)?;
    set_ipv6_multicast_hops(&socket, HOPS)?;
    socket.join_multicast_v6(&ROUTERS, index)?;
    Ok(socket)
}

impl Shared {
    fn lines(&self) -> MutexGuard<'_, BTreeMap<Place, Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        let mut events = Vec::with_capacity(64);
        let mut second = Instant::now();
        while !self.over.load(Ordering::Relaxed) {
            events.clear();
            let pause = Timespec { tv_sec: 1, tv_nsec: 0 };
            match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), Some(&pause)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => {
                    warn!(%error, "guests are not answered any more when they ask for their addresses");
                    return;
                }
            }
            let mut lines = self.lines();
            for event in &events {
                let Some((place, ear)) = place_of(event.data.u64()) else { continue };
                if let Some(line) = lines.get_mut(&place) {
                    line.hear(ear);
                    if line.left == 0 && !line.deaf {
                        self.listen(line, false);
                    }
                }
            }
            if second.elapsed() >= Duration::from_secs(1) {
                second = Instant::now();
                for line in lines.values_mut() {
                    line.left = HEARD_PER_SECOND;
                    if line.deaf {
                        self.listen(line, true);
                    }
                    if line.advertised.elapsed() >= ADVERTISE_EVERY {
                        line.advertise();
                    }
                }
            }
        }
    }

    /// Listens to a tap again, or does not for a while.
    fn listen(&self, line: &mut Line, again: bool) {
        for (socket, ear) in line.sockets.iter().zip(0_u64..) {
            if again {
                // What came meanwhile is too old to be answered, and would be in the way of what is not.
                let mut packet = [0; PACKET_BYTES_MAX];
                let mut left = UNHEARD_MAX;
                while left > 0 && socket.recv_from(&mut packet).is_ok() {
                    left -= 1;
                }
            }
            let done = if again {
                epoll::add(&self.epoll, socket, event_of(line.place, ear), epoll::EventFlags::IN)
            } else {
                epoll::delete(&self.epoll, socket)
            };
            if let Err(error) = done {
                debug!(number = %line.place.0, %error, again, "a tap is not listened to as it should be");
            }
        }
        line.deaf = !again;
    }
}

impl Line {
    /// Answers what came. What can't be sent is lost, as on any link: whoever asked asks again.
    fn hear(&mut self, ear: Ear) {
        let mut packet = [0; PACKET_BYTES_MAX];
        while self.left > 0 {
            let socket = &self.sockets[ear as usize];
            let Ok((length, from)) = socket.recv_from(&mut packet) else { return };
            self.left -= 1;
            let asked = &packet[..length];
            let sent = match ear {
                Ear::Four => four::answer(asked, &self.guest)
                    .map(|answer| socket.send_to(&answer, (Ipv4Addr::BROADCAST, CLIENT4))),
                Ear::Six => six::answer(asked, &self.guest).map(|answer| socket.send_to(&answer, from)),
                Ear::Routers => (asked.first() == Some(&SOLICITATION)).then(|| self.advertise_once()),
            };
            if let Some(Err(error)) = sent {
                debug!(number = %self.place.0, ?ear, %error, "a guest was not answered");
            }
        }
    }

    fn advertise_once(&self) -> io::Result<usize> {
        let to = SocketAddr::V6(SocketAddrV6::new(NODES, 0, 0, self.index));
        self.sockets[Ear::Routers as usize].send_to(&six::advertisement(&self.guest), to)
    }

    fn advertise(&mut self) {
        self.advertised = Instant::now();
        if let Err(error) = self.advertise_once() {
            debug!(number = %self.place.0, %error, "a router was not advertised");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn guest() -> Guest {
        let name_servers = ["192.0.2.53", "2001:db8::53"].map(|address| address.parse().expect("an address"));
        Guest::of(Number::new(7).expect("7 is a number"), &[], &name_servers)
    }

    /// The same, with public addresses.
    pub(super) fn known() -> Guest {
        let nets = ["192.0.2.7/32", "2001:db8:0:7::/64"].map(|net| net.parse().expect("a net"));
        Guest::of(Number::new(7).expect("7 is a number"), &nets, &guest().name_servers)
    }

    pub(super) fn member() -> Guest {
        Guest::member(&Membership {
            number: NetworkNumber::new(12).expect("a number"),
            range: "10.20.0.0/24".parse().expect("a range"),
            prefix: "fd12:3456:789a:1::/64".parse().expect("a prefix"),
            address: "10.20.0.5".parse().expect("an address"),
        })
    }

    #[test]
    fn an_event_tells_which_tap_and_which_ear_it_is_about() {
        let of = |number, network| (Number::new(number).expect("a number"), NetworkNumber::new(network));
        for place in [of(7, 0), of(7, 12), of(Number::MAX, NetworkNumber::MAX), of(Number::MAX, 0)] {
            for (ear, at) in EARS.into_iter().zip(0_u64..) {
                assert_eq!(place_of(event_of(place, at).u64()), Some((place, ear)));
            }
        }
    }
}
