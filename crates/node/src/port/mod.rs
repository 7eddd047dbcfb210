//! The port wall: a routed link in a network namespace of its own, under nftables.
//!
//! Each solution has a namespace with one link, `eth0` in it and `p<number>` on the node's side, an internal IPv4 and IPv6
//! address, and routes to them; nothing is bridged. One table `inet husorden` judges all ports by sets keyed by the link,
//! so that the cost of a packet and of a change does not grow with the number of ports. The wish for a port is written to
//! a file at once; the machine's part is made when a sandbox first needs it. All of it is done by messages to the kernel,
//! fit to be done again; only the base table is written by the `nft` tool, once at each start.
//!
//! Who may connect is judged after a door (a TCP port of the node that leads to one of a port) has changed where a connection
//! goes, so that a door opens nothing by itself. An entry that ends is cut by the node alone. First packets that are refused
//! are noted in the table, a limited number a port, and read from it.
//!
//! A port may have a tap for its inner end, for a machine that has the port's addresses itself and may ask for them there; the namespace then
//! passes on between the two links. Everything is judged on the node's side all the same, so that a guest changes nothing by what it is.
//!
//! Private networks are joined by further taps, each with its own way ([`network`]).
//!
//! Public addresses are the guest's own behind such a tap: the node sends what comes for them on over the port's internal address, and answers
//! for those of IPv4 on its uplink, so that they may lie in the uplink's own net or be routed to the node. What rules open holds at them alone.
//!
//! What is deliberately absent: no bridge, no questions about neighbours on a port's link but for the cards in private networks (both ends are
//! written down for good), no rule per port, no process per port.

mod answers;
mod conntrack;
mod element;
mod error;
mod knocks;
mod lease;
pub(crate) mod link;
mod machine;
pub(crate) mod netlink;
pub(crate) mod netns;
mod network;
mod rules;
mod table;
mod tap;
#[cfg(test)]
mod tests;
mod types;
mod wished;

pub use answers::door_of;
pub use error::Error;
pub use knocks::Knock;
pub use table::Count;
pub use types::{Counters, LinkName, Standing, Uplink};
pub use wished::Ended;

use crate::Ground;
use conntrack::Opened;
use husorden_base::Number;
use husorden_kinds::Port;
use ipnet::IpNet;
use jiff::Timestamp;
use knocks::Knocks;
use lease::Leases;
use link::{Happenings, Links, Pair};
use machine::{Machine, Part};
use netlink::Socket;
use network::Networks;
use nix::sched::{CloneFlags, unshare};
use nix::sys::socket::SockProtocol;
use rules::Rules;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::net::{IpAddr, TcpListener};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use table::{GROUP, Table};
use wished::Wished;

/// Hardware address of the node's end of every link: each is a segment of its own, so one serves all.
const NODE_MAC: [u8; 6] = [0x02, 0x48, 0x75, 0, 0, 1];
/// Hardware address of the solution's end of every link.
const PORT_MAC: [u8; 6] = [0x02, 0x48, 0x75, 0, 0, 2];
/// The solution's end of the link.
const INNER: &str = "eth0";
/// Entries in one allow-list.
pub const ALLOW_ENTRIES_MAX: usize = 1000;
/// Doors of one port.
pub const DOORS_MAX: usize = 64;
/// TCP ports of the node below this are no doors: what the machine itself listens on mostly lies there.
pub const DOOR_MIN: u16 = 1024;

/// The port wall of one node.
#[derive(Debug)]
pub struct Ports {
    ground: Ground,
    /// In IPv4 and IPv6.
    answers: [TcpListener; 2],
    mtu: u32,
    uplink: LinkName,
    /// Taken first, for as long as a port is made or taken away.
    machine: Mutex<Machine>,
    /// Taken second, and for as long as a port joins its private networks or leaves them.
    networks: Mutex<Networks>,
    /// Taken last and for a moment only, so that a measure never waits for a port that is being made.
    rules: Mutex<Rules>,
    /// Taken alone.
    knocks: Mutex<Knocks>,
    leases: Leases,
}

impl Ports {
    /// Takes the wall over in the calling thread's network namespace: writes the base table and adopts what stands.
    /// Whoever calls it closes what measures hold before anything else: a table of an older make may have been replaced.
    ///
    /// # Errors
    /// When the uplink is missing, or the kernel or the nft tool refuses.
    pub fn open(ground: &Ground, uplink: &Uplink) -> Result<Self, Error> {
        let mut links = Links::open().map_err(Error::kernel(|| "opening rtnetlink".to_owned()))?;
        let happenings = Happenings::open().map_err(Error::kernel(|| "listening to rtnetlink".to_owned()))?;
        let open = || {
            let socket = Socket::open(SockProtocol::NetlinkNetFilter);
            socket.map(|socket| Table { socket }).map_err(Error::kernel(|| "opening nfnetlink".to_owned()))
        };
        let up = links
            .find(uplink.interface.as_str())
            .map_err(Error::kernel(|| format!("finding {}", uplink.interface)))?
            .ok_or_else(|| Error::NoUplink(uplink.interface.clone()))?;
        let failed = |source| Error::file("listening for closed ports in", Path::new("/"))(source);
        let answers = answers::listen().map_err(failed)?;
        let mut at = [0; 2];
        for (at, ear) in at.iter_mut().zip(&answers) {
            *at = ear.local_addr().map_err(failed)?.port();
        }
        // The table stands before anything is forwarded.
        Table::write_base(uplink, at)?;
        let accepts = format!("ipv6/conf/{}/accept_ra", uplink.interface);
        if netns::get(&accepts).as_deref() == Some("1") {
            // A machine that forwards no longer listens to routers unless told so with a 2.
            netns::set(&accepts, "2")?;
        }
        netns::set("ipv4/ip_forward", "1")?;
        netns::set("ipv6/conf/all/forwarding", "1")?;
        let folder = ground.run.join("ports");
        let wished = Wished::read(&folder)?;
        let mut table = open()?;
        let leases = Leases::new(&uplink.name_servers)?;
        let shown = table.show().map_err(Error::kernel(|| "listing the table".to_owned()))?;
        let networks = Networks::open(ground, wished.all(), &shown.closed)?;
        let ports = Self {
            ground: ground.clone(),
            answers,
            mtu: up.mtu,
            uplink: uplink.interface.clone(),
            machine: Mutex::new(Machine { links, happenings, seen: BTreeSet::new(), wished, made: BTreeSet::new() }),
            networks: Mutex::new(networks),
            rules: Mutex::new(Rules { table, shown }),
            knocks: Mutex::new(Knocks::open(open()?)?),
            leases,
        };
        ports.answer_again();
        Ok(ports)
    }

    /// Sets what a port lets through. The wish is on disk when this returns, and in force if the machine part stands;
    /// connections that are no longer allowed are cut.
    ///
    /// # Errors
    /// When a list is too long, a door leads elsewhere, the wish cannot be written, or the kernel refuses.
    pub fn set(&self, number: Number, port: &Port) -> Result<(), Error> {
        if port.allow.len() > ALLOW_ENTRIES_MAX {
            return Err(Error::AllowTooLong(port.allow.len()));
        }
        let mut machine = self.machine();
        machine.wished.admit(number, port)?;
        let stands = self.machine_part(&mut machine, number)? != Part::None;
        if stands {
            self.withdraw(&mut machine, number, port)?;
        }
        let now = Timestamp::now();
        // What it leaves is taken down while the record still says that it was there.
        for network in self.networks().leaving(number, port) {
            self.leases.leave_network(number, network);
            network::leave(&self.ground.netns(number), number, network)?;
        }
        self.write_record(number, port, now)?;
        machine.wished.put(number, port.clone(), now);
        self.networks().set(&self.ground, number, Some(port))?;
        if stands {
            self.make(&mut machine, number, port)?;
        }
        self.networks().changed(number);
        Ok(())
    }

    /// Makes the machine part if it is not there or not whole; the namespace that a sandbox is to join.
    ///
    /// # Errors
    /// When no port is set, or the kernel refuses.
    pub fn ensure(&self, number: Number) -> Result<PathBuf, Error> {
        let mut machine = self.machine();
        let port = machine.wished.get(number).cloned().ok_or(Error::NotSet(number))?;
        let whole = machine.made.contains(&number)
            && self.machine_part(&mut machine, number)? == Part::Whole
            && self.in_force(number, &port)
            && self.networks().whole(&self.ground, number, &port)?;
        if !whole {
            self.make(&mut machine, number, &port)?;
            self.networks().changed(number);
        }
        Ok(netns::path(&self.ground.netns(number)))
    }

    /// The digest of the port as it is in force; where no sandbox has needed it yet, of the wish. `None` where there is
    /// none, and where what is in force is not what was wished: setting it again mends it.
    ///
    /// # Errors
    /// When something could not be seen.
    pub fn look(&self, number: Number) -> Result<Option<String>, Error> {
        let mut machine = self.machine();
        let Some(port) = machine.wished.get(number).cloned() else {
            return Ok(None);
        };
        let fine = match self.machine_part(&mut machine, number)? {
            Part::None => true,
            Part::Some => false,
            Part::Whole => self.in_force(number, &port) && self.networks().whole(&self.ground, number, &port)?,
        };
        Ok(fine.then(|| port.digest()))
    }

    /// Takes a port away, machine part and wish. A measure's mark stays until [`Ports::open_again`].
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn remove(&self, number: Number) -> Result<(), Error> {
        let mut machine = self.machine();
        machine.made.remove(&number);
        self.leases.leave(number);
        self.answer_for(&mut machine, number, &Port::default())?;
        machine.links.remove(&link_name(number)).map_err(Error::kernel(|| format!("removing the link of {number}")))?;
        netns::remove(&self.ground.netns(number))?;
        self.networks().set(&self.ground, number, None)?;
        self.networks().changed(number);
        self.rules().bring(number, None)?;
        // The wish goes last: as long as it stands, what is left is known to be ours.
        let path = self.record_path(number);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(Error::file("removing", &path)(error));
            }
            _ => {}
        }
        machine.wished.remove(number);
        Ok(())
    }

    /// Sees to what has ended by the clock: nobody comes in by such an entry any more, port 25 is reached no more without leave, and whoever came
    /// or went by it is cut. Each is told once.
    ///
    /// # Errors
    /// When the kernel refuses; what is left is seen to the next time.
    pub fn end(&self, mut tell: impl FnMut(Number, &[(Timestamp, Ended)])) -> Result<(), Error> {
        let mut machine = self.machine();
        let now = Timestamp::now();
        for (number, ended) in machine.wished.due(now) {
            let Some(port) = machine.wished.get(number).cloned() else {
                machine.wished.done(number, &ended);
                continue;
            };
            {
                let mut rules = self.rules();
                rules.refresh()?;
                // Where no sandbox has needed the port yet, there is nothing to end.
                if rules.shown.ports.contains_key(&number) {
                    rules.bring(number, Some(&port))?;
                }
            }
            tell(number, &ended);
            self.write_record(number, &port, now)?;
            machine.wished.done(number, &ended);
        }
        Ok(())
    }

    /// Who was refused since this was asked last.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn knocks(&self) -> Result<Vec<Knock>, Error> {
        self.knocks.lock().unwrap_or_else(PoisonError::into_inner).fresh()
    }

    /// Closes a port for a measure: nothing passes any more either way, and its open connections are forgotten. It need
    /// not be set or made; what is made later is closed too.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn close(&self, number: Number) -> Result<(), Error> {
        {
            let mut rules = self.rules();
            rules.hold(number, true)?;
            rules.forget(number, Opened::Either)?;
        }
        self.networks().hold(&self.ground, number, true)
    }

    /// Who is on the list of a port that is closed and comes by its door is led to one of these, in IPv4 and IPv6. [`door_of`] tells
    /// which door it was, and [`Ports::behind`] whose.
    #[must_use]
    pub fn answers(&self) -> &[TcpListener; 2] {
        &self.answers
    }

    /// The port that a door of the node leads to.
    #[must_use]
    pub fn behind(&self, outer: u16) -> Option<Number> {
        self.machine().wished.behind(outer)
    }

    /// Opens a port again after a measure.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn open_again(&self, number: Number) -> Result<(), Error> {
        self.rules().hold(number, false)?;
        self.networks().hold(&self.ground, number, false)
    }

    /// What every port with a machine part has done since it was made.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn counters(&self) -> Result<BTreeMap<Number, Counters>, Error> {
        let meters = self.rules().table.meters().map_err(Error::kernel(|| "reading the counters".to_owned()))?;
        let named = |[sent, received, refused_out, refused_in, spoofed, mail]: [Count; 6]| Counters {
            sent,
            received,
            refused_out,
            refused_in,
            spoofed,
            mail,
        };
        Ok(meters.into_iter().map(|(number, counts)| (number, named(counts))).collect())
    }

    /// Everything that stands, place by place.
    ///
    /// # Errors
    /// When something could not be seen.
    pub fn list(&self) -> Result<Standing, Error> {
        let mut machine = self.machine();
        let links = machine.links.all().map_err(Error::kernel(|| "listing links".to_owned()))?;
        let networks_wished = self.networks().wished();
        let mut rules = self.rules();
        rules.refresh()?;
        Ok(Standing {
            records: machine.wished.numbers(),
            namespaces: self.namespaces()?,
            links: links.iter().filter(|link| link.group == GROUP).filter_map(|link| number_of(&link.name)).collect(),
            elements: rules.shown.ports.keys().copied().collect(),
            closed: rules.shown.closed.clone(),
            networks: network::standing(&self.ground)?,
            networks_wished,
        })
    }

    /// Removes every port, every wish and the table: the end of the installation's run on this machine.
    ///
    /// # Errors
    /// When the kernel refuses; what was removed until then stays removed, and it may be called again.
    pub fn shut(&self) -> Result<(), Error> {
        let mut machine = self.machine();
        machine.made.clear();
        self.leases.leave_all();
        for number in machine.wished.numbers() {
            self.answer_for(&mut machine, number, &Port::default())?;
        }
        machine.links.remove_group(GROUP).map_err(Error::kernel(|| "removing the links".to_owned()))?;
        // No link is left, so the table has nothing to judge; taken as a whole it goes at once.
        self.rules().table.remove().map_err(Error::kernel(|| "removing the table".to_owned()))?;
        for number in self.namespaces()? {
            netns::remove(&self.ground.netns(number))?;
        }
        network::shut(&self.ground)?;
        self.networks().clear();
        machine.wished.clear();
        let folder = self.ground.run.join("ports");
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::file("removing", &folder)(error)),
            _ => Ok(()),
        }
    }

    fn namespaces(&self) -> Result<BTreeSet<Number>, Error> {
        let found = netns::list(&format!("hus-{}-", self.ground.instance))?;
        Ok(found.iter().filter_map(|name| parse_number(name)).collect())
    }

    fn machine(&self) -> MutexGuard<'_, Machine> {
        // What a panic left half done is what the kernel shows, and that is looked at again.
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn networks(&self) -> MutexGuard<'_, Networks> {
        self.networks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn rules(&self) -> MutexGuard<'_, Rules> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the table shows exactly what is wished, as it was seen last.
    fn in_force(&self, number: Number, port: &Port) -> bool {
        let rules = self.rules();
        rules.shown.ports.get(&number) == Some(&rules::wanted(&rules.shown, number, port, Timestamp::now()))
    }
}

/// Whether this kernel takes the wall's table and links, tried in a network namespace that ends with the trial.
pub(crate) fn try_out() -> Result<(), Error> {
    netns::on_own_thread(|| {
        unshare(CloneFlags::CLONE_NEWNET).map_err(Error::kernel(|| "making a network namespace".to_owned()))?;
        let uplink = Uplink::of(INNER.parse().expect("it is a link's name"));
        Table::write_base(&uplink, [1; 2])?;
        let own = Path::new("/proc/thread-self/ns/net");
        let file = fs::File::open(own).map_err(Error::file("opening", own))?;
        let pair = Pair { here: "p1", there: INNER, here_mac: NODE_MAC, there_mac: PORT_MAC, mtu: 1500, group: GROUP };
        let mut links = Links::open().map_err(Error::kernel(|| "opening rtnetlink".to_owned()))?;
        links.pair(&pair, file.as_fd()).map_err(Error::kernel(|| "making a pair of links".to_owned()))?;
        network::try_out(&mut links, file.as_fd())
    })
}

/// The node's end of a port's link.
fn link_name(number: Number) -> String {
    format!("p{number}")
}

/// The port a link's name belongs to.
fn number_of(link: &str) -> Option<Number> {
    parse_number(link.strip_prefix('p')?)
}

/// A number written as this wall writes it, and no other way.
fn parse_number(text: &str) -> Option<Number> {
    let number = Number::new(text.parse().ok()?)?;
    (number.to_string() == text).then_some(number)
}

/// The net that holds one address alone.
pub(crate) fn host_net(address: IpAddr) -> IpNet {
    IpNet::from(address)
}
