//! The node's own network for a first look: a namespace with one link to the machine, whose own network stays as it is.
//!
//! In production the node stands in the machine's namespace and none of this is made. Here the machine gets one link and
//! two small nets that nobody else uses, and nothing else: no forwarding, no NAT, no rule. So sites of a first look have
//! no way out beyond this machine.

use crate::port::link::{self, Links, Pair};
use crate::port::{Error, LinkName, netns};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use nix::errno::Errno;
use nix::sched::{CloneFlags, setns};
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

/// The range the small IPv4 nets are taken from: benchmarking (RFC 2544), which no network in service uses.
const RANGE4: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 0);
/// The small IPv6 nets follow on the one of the ports, in the same unique local prefix.
const RANGE6: u128 = 0xfd48_7573_6f72_0001_0000_0000_0000_0000;
/// How many small nets the range holds.
const NETS: u32 = 1 << 15;
/// So many are tried before giving up.
const NET_TRIES_MAX: u32 = 256;
/// The node's end of the link.
const INNER: &str = "up0";
const MTU_BYTES: u32 = 1500;
const HOST_MAC: [u8; 6] = [0x02, 0x48, 0x75, 0, 1, 1];
const NODE_MAC: [u8; 6] = [0x02, 0x48, 0x75, 0, 1, 2];

/// What a namespace that forwards is told.
const FORWARDS: [(&str, &str); 10] = [
    ("ipv4/ip_forward", "1"),
    ("ipv4/conf/all/rp_filter", "1"),
    ("ipv4/conf/default/rp_filter", "1"),
    ("ipv4/conf/all/accept_redirects", "0"),
    ("ipv6/conf/all/forwarding", "1"),
    ("ipv6/conf/all/accept_ra", "0"),
    ("ipv6/conf/default/accept_ra", "0"),
    // Where the kernel has it, it would push bridged packets through the rules a second time.
    ("bridge/bridge-nf-call-iptables", "0"),
    ("bridge/bridge-nf-call-ip6tables", "0"),
    ("bridge/bridge-nf-call-arptables", "0"),
];

/// A node's own network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeNet {
    /// The namespace's name.
    pub namespace: String,
    /// The link on the machine's side.
    pub outer: String,
    /// The link on the node's side: the node's uplink.
    pub inner: LinkName,
    /// The machine's address on the link.
    pub host4: Ipv4Addr,
    /// The node's address on the link: where the edge listens.
    pub node4: Ipv4Addr,
    /// The machine's IPv6 address on the link.
    pub host6: Ipv6Addr,
    /// The node's IPv6 address on the link.
    pub node6: Ipv6Addr,
}

/// The file that stands for a network namespace with this name; `nsenter --net=FILE` enters it.
#[must_use]
pub fn namespace(name: &str) -> PathBuf {
    netns::path(name)
}

/// The network namespace that the calling thread is in.
///
/// # Errors
/// When the kernel refuses.
pub fn current() -> Result<OwnedFd, Error> {
    let path = Path::new("/proc/thread-self/ns/net");
    fs::File::open(path).map(OwnedFd::from).map_err(Error::file("opening", path))
}

/// Moves the calling thread into a network namespace; threads and processes it starts afterwards are there too.
pub(crate) fn enter(namespace: impl AsFd) -> Result<(), Error> {
    setns(namespace, CloneFlags::CLONE_NEWNET).map_err(kernel("entering a network namespace"))
}

/// The names of an installation's network namespaces: the node's own and its ports'.
#[must_use]
pub fn namespaces(instance: &str) -> Vec<String> {
    let (own, ports) = (name(instance), format!("{}-", name(instance)));
    let entries = std::fs::read_dir(netns::FOLDER).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| *name == own || name.starts_with(&ports)).collect()
}

/// Makes a network namespace with nothing in it, if there is none of this name.
///
/// # Errors
/// When the kernel refuses.
pub fn make_namespace(name: &str) -> Result<(), Error> {
    netns::make(name)
}

/// Takes a network namespace's name away; it ends with the last process in it.
///
/// # Errors
/// When the kernel refuses.
pub fn remove_namespace(name: &str) -> Result<(), Error> {
    netns::remove(name)
}

impl NodeNet {
    /// Makes the network of an installation, or brings what stands of it in order. The calling thread stands in the
    /// machine's namespace. What is there already keeps its addresses.
    ///
    /// # Errors
    /// When no free net is found or the kernel refuses.
    pub fn make(instance: &str) -> Result<Self, Error> {
        Self::stand(name(instance), &FORWARDS)
    }

    /// Makes the network of an installation's probe: a stranger with one link to the network of the calling thread, where the
    /// edge listens. It forwards nothing.
    pub(crate) fn make_probe(instance: &str) -> Result<Self, Error> {
        Self::stand(probe(instance), &[])
    }

    fn stand(name: String, settings: &'static [(&'static str, &'static str)]) -> Result<Self, Error> {
        let mut host = open()?;
        let standing = host.find(&name).map_err(kernel("finding the node's link"))?;
        let kept = match &standing {
            Some(outer) => host
                .addresses(outer.index)
                .map_err(kernel("reading the node's addresses"))?
                .iter()
                .find_map(|(address, _)| place_of(*address)),
            None => None,
        };
        let place = match kept {
            Some(place) => place,
            None => free_place(&name, &mut host)?,
        };
        let net = Self::at(&name, place);

        netns::make(&name)?;
        let mut inside = netns::within(&name, || {
            for (key, value) in settings {
                netns::set(key, value)?;
            }
            open()
        })?;
        let end = inside.find(INNER).map_err(kernel("finding the node's link"))?;
        let paired = matches!((&standing, &end), (Some(outer), Some(end))
            if outer.peer == end.index && end.peer == outer.index);
        if !paired {
            host.remove(&name).and_then(|()| inside.remove(INNER)).map_err(kernel("removing the torn link"))?;
            let path = netns::path(&name);
            let file = fs::File::open(&path).map_err(Error::file("opening", &path))?;
            let pair =
                Pair { here: &name, there: INNER, here_mac: HOST_MAC, there_mac: NODE_MAC, mtu: MTU_BYTES, group: 0 };
            host.pair(&pair, file.as_fd()).map_err(kernel("making the node's link"))?;
        }
        let index = |links: &mut Links, name: &str| {
            links
                .find(name)
                .and_then(|link| link.ok_or(Errno::ENODEV))
                .map(|link| link.index)
                .map_err(kernel("finding the node's link"))
        };
        let (outer, end) = (index(&mut host, &name)?, index(&mut inside, INNER)?);
        let loopback = index(&mut inside, "lo")?;
        host.run(vec![
            link::no_own_address(outer),
            link::up(outer),
            link::address(outer, net.host4.into(), 30),
            link::address(outer, net.host6.into(), 64),
        ])
        .map_err(kernel("setting the machine's end"))?;
        inside
            .run(vec![
                link::up(loopback),
                link::no_own_address(end),
                link::up(end),
                link::address(end, net.node4.into(), 30),
                link::address(end, net.node6.into(), 64),
                link::route(end, IpNet::from(Ipv4Net::default()), Some(net.host4.into())),
                link::route(end, IpNet::from(Ipv6Net::default()), Some(net.host6.into())),
            ])
            .map_err(kernel("setting the node's end"))?;
        link::wait_carries(&mut host, &name)
            .and_then(|()| link::wait_carries(&mut inside, INNER))
            .map_err(kernel("waiting for the node's link"))?;
        Ok(net)
    }

    /// The network of an installation as it stands; none if there is none, or not all of it.
    ///
    /// # Errors
    /// When the kernel refuses to tell.
    pub fn find(instance: &str) -> Result<Option<Self>, Error> {
        let name = name(instance);
        let mut host = open()?;
        let Some(outer) = host.find(&name).map_err(kernel("finding the node's link"))? else {
            return Ok(None);
        };
        let place = host
            .addresses(outer.index)
            .map_err(kernel("reading the node's addresses"))?
            .iter()
            .find_map(|(address, _)| place_of(*address));
        Ok(place.filter(|_| netns::exists(&name)).map(|place| Self::at(&name, place)))
    }

    /// Removes the network of an installation; that there is none is no error. What still runs in it keeps the
    /// namespace, without a name and without a link, until it ends.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn unmake(instance: &str) -> Result<(), Error> {
        Self::fall(&name(instance))
    }

    /// Takes the probe's network away, as far as it is there.
    pub(crate) fn unmake_probe(instance: &str) -> Result<(), Error> {
        Self::fall(&probe(instance))
    }

    fn fall(name: &str) -> Result<(), Error> {
        open()?.remove(name).map_err(kernel("removing the node's link"))?;
        netns::remove(name)
    }

    /// The file that stands for the namespace.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        netns::path(&self.namespace)
    }

    /// Moves the calling thread into the namespace; threads and processes it starts afterwards are there too. Meant for
    /// the first lines of a role's process, before it has other threads.
    ///
    /// # Errors
    /// When the namespace is gone or the kernel refuses.
    pub fn enter(instance: &str) -> Result<(), Error> {
        let path = netns::path(&name(instance));
        let file = fs::File::open(&path).map_err(Error::file("opening", &path))?;
        setns(file, CloneFlags::CLONE_NEWNET).map_err(kernel("entering the node's namespace"))
    }

    fn at(name: &str, place: u32) -> Self {
        let four = RANGE4.to_bits() + place * 4;
        let six = RANGE6 + (u128::from(place) << 64);
        Self {
            namespace: name.to_owned(),
            outer: name.to_owned(),
            inner: INNER.parse().expect("it is a link's name"),
            host4: Ipv4Addr::from_bits(four + 1),
            node4: Ipv4Addr::from_bits(four + 2),
            host6: Ipv6Addr::from_bits(six + 1),
            node6: Ipv6Addr::from_bits(six + 2),
        }
    }
}

/// Namespace and link have one name, of at most 12 characters.
fn name(instance: &str) -> String {
    format!("hus-{instance}")
}

/// The same of the probe's network; a port's ends in a number.
fn probe(instance: &str) -> String {
    format!("hus-{instance}-p")
}

fn open() -> Result<Links, Error> {
    Links::open().map_err(kernel("opening rtnetlink"))
}

fn kernel(doing: &'static str) -> impl FnOnce(Errno) -> Error {
    Error::kernel(move || doing.to_owned())
}

/// Which of the small nets the machine's end of a link has its address in.
fn place_of(address: IpAddr) -> Option<u32> {
    let IpAddr::V4(address) = address else {
        return None;
    };
    let offset = address.to_bits().checked_sub(RANGE4.to_bits())?;
    (offset < NETS * 4 && offset % 4 == 1).then_some(offset / 4)
}

/// A small net that overlaps no route of this machine. The search begins at a place that the link's name gives, so
/// that two installations rarely meet and one finds its old addresses again.
fn free_place(name: &str, host: &mut Links) -> Result<u32, Error> {
    let routes = host.routes().map_err(kernel("listing the machine's routes"))?;
    choose(name, &routes).ok_or(Error::NoRange)
}

fn choose(name: &str, routes: &[IpNet]) -> Option<u32> {
    let start = name.bytes().fold(5381_u32, |sum, byte| sum.wrapping_mul(33) ^ u32::from(byte));
    (0..NET_TRIES_MAX)
        // A stride that is odd visits every place; a large one leaves a range in use behind at once.
        .map(|step| start.wrapping_add(step.wrapping_mul(1021)) % NETS)
        .find(|place| {
            let net = NodeNet::at("", *place);
            routes
                .iter()
                // A default route overlaps everything and takes nothing.
                .filter(|route| route.prefix_len() > 0)
                .all(|route| {
                    let taken = match route {
                        IpNet::V4(route) => {
                            route.contains(&net.host4) || Ipv4Net::new_assert(net.host4, 30).contains(&route.network())
                        }
                        IpNet::V6(route) => {
                            route.contains(&net.host6) || Ipv6Net::new_assert(net.host6, 64).contains(&route.network())
                        }
                    };
                    !taken
                })
        })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;
    use nix::sched::unshare;
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpListener, TcpStream};
    use std::time::Duration;

    struct Gone<'a>(&'a str);
    impl Drop for Gone<'_> {
        fn drop(&mut self) {
            let _ = netns::remove(&name(self.0));
        }
    }

    #[test]
    fn the_choice_avoids_what_is_in_use() {
        let free = choose("demo", &[]).unwrap();
        assert_eq!(choose("demo", &[]), Some(free), "stable");
        let net = NodeNet::at("hus-demo", free);
        let default: IpNet = "0.0.0.0/0".parse().unwrap();
        assert_eq!(choose("demo", &[default]), Some(free));
        for taken in [
            IpNet::from(IpAddr::from(net.node4)),
            IpNet::from(IpAddr::from(net.host4)),
            IpNet::new(net.host4.into(), 24).unwrap().trunc(),
            IpNet::new(net.node6.into(), 64).unwrap().trunc(),
        ] {
            let other = choose("demo", &[taken]).unwrap();
            assert_ne!(other, free, "{taken}");
        }
        let all = "198.18.0.0/15".parse().unwrap();
        assert_eq!(choose("demo", &[all]), None);
        assert_eq!(place_of(net.host4.into()), Some(free));
        assert_eq!(place_of(net.node4.into()), None);
    }

    #[test]
    fn one_link_and_nothing_of_the_machine_is_changed() {
        let instance = format!("n{:x}", std::process::id() % 0xff_ffff);
        let _gone = Gone(&instance);
        netns::on_own_thread(|| {
            // The machine of this test is a namespace too.
            unshare(CloneFlags::CLONE_NEWNET).unwrap();
            let forwarding = || [netns::get("ipv4/ip_forward"), netns::get("ipv6/conf/all/forwarding")];
            netns::set("ipv4/ip_forward", "0").unwrap();
            let before = forwarding();
            assert_eq!(NodeNet::find(&instance).unwrap(), None);
            let net = NodeNet::make(&instance).unwrap();
            assert_eq!(NodeNet::make(&instance).unwrap(), net, "again");
            assert_eq!(NodeNet::find(&instance).unwrap().as_ref(), Some(&net));

            let listener = netns::within(&net.namespace, || {
                assert_eq!(netns::get("ipv4/ip_forward").as_deref(), Some("1"));
                Ok(TcpListener::bind((Ipv6Addr::UNSPECIFIED, 7000)).unwrap())
            })
            .unwrap();
            let server = std::thread::spawn(move || {
                for _ in 0..4 {
                    let (mut stream, _) = listener.accept().unwrap();
                    stream.write_all(b"here").unwrap();
                }
            });
            let reach = |to: IpAddr| {
                let to = SocketAddr::new(to, 7000);
                let mut stream = TcpStream::connect_timeout(&to, Duration::from_secs(2)).unwrap();
                let mut text = String::new();
                stream.read_to_string(&mut text).unwrap();
                assert_eq!(text, "here");
            };
            reach(net.node4.into());
            reach(net.node6.into());

            // What a crash may leave, or somebody may break.
            open()?.remove(&net.outer).unwrap();
            assert_eq!(NodeNet::find(&instance).unwrap(), None);
            assert_eq!(NodeNet::make(&instance).unwrap(), net);
            reach(net.node4.into());
            reach(net.node6.into());
            server.join().unwrap();

            assert_eq!(forwarding(), before);
            NodeNet::unmake(&instance).unwrap();
            NodeNet::unmake(&instance).unwrap();
            assert!(!net.path().exists());
            assert!(open()?.find(&net.outer).unwrap().is_none());
            Ok(())
        })
        .unwrap();
    }
}
