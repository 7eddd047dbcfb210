//! The machine's part of a port: its namespace, its link, and the wish on disk that says they are ours.

use super::link::{self, Happenings, Links, Pair};
use super::table::GROUP;
use super::wished::{Record, Wished};
use super::{Error, INNER, NODE_MAC, PORT_MAC, Ports, host_net, link_name, netns, number_of, tap};
use husorden_base::Number;
use husorden_kinds::Port;
use husorden_kinds::tap::DEVICE;
use ipnet::IpNet;
use jiff::Timestamp;
use nix::errno::Errno;
use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsFd;
use std::path::PathBuf;
use tracing::warn;

/// The gateway every port sends to; no address of the node, only a name for its end of the link.
const GATEWAY4: Ipv4Addr = Ipv4Addr::new(169, 254, 1, 1);
/// The same for IPv6.
const GATEWAY6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);

#[derive(Debug)]
pub(super) struct Machine {
    pub(super) links: Links,
    pub(super) happenings: Happenings,
    /// Ports whose link was seen in order, and to which nothing has happened since.
    pub(super) seen: BTreeSet<Number>,
    /// The wishes on disk.
    pub(super) wished: Wished,
    /// Ports whose machine part this process has made or brought in order; what is inside changes only through us.
    pub(super) made: BTreeSet<Number>,
}

impl Ports {
    /// How much of the machine part stands, by cheap questions.
    pub(super) fn machine_part(&self, machine: &mut Machine, number: Number) -> Result<Part, Error> {
        let judged = {
            let mut rules = self.rules();
            rules.refresh()?;
            rules.shown.ports.contains_key(&number)
        };
        let name = self.ground.netns(number);
        let linked = machine.linked(number).map_err(Error::kernel(|| format!("finding the link of {number}")))?;
        let stands = [netns::exists(&name), linked == Part::Whole, judged];
        Ok(if stands == [true; 3] {
            Part::Whole
        } else if stands == [false; 3] && linked == Part::None && !netns::path(&name).exists() {
            Part::None
        } else {
            Part::Some
        })
    }

    /// Brings the machine part to what is wished, from whatever stands of it.
    pub(super) fn make(&self, machine: &mut Machine, number: Number, port: &Port) -> Result<(), Error> {
        machine.made.remove(&number);
        // The elements come first, so that a link is judged from its first packet.
        self.rules().bring(number, Some(port))?;
        let name = self.ground.netns(number);
        netns::make(&name)?;
        let kernel = |doing: &'static str| Error::kernel(move || format!("{doing} of {number}"));
        let mut inside = netns::within(&name, || {
            quiet(port.tap)?;
            Links::open().map_err(Error::kernel(|| "opening rtnetlink".to_owned()))
        })?;
        let outer_name = link_name(number);
        let mut outer = machine.links.find(&outer_name).map_err(kernel("finding the link"))?;
        let mut end = inside.find(INNER).map_err(kernel("finding the link"))?;
        let paired = match (&outer, &end) {
            (Some(outer), Some(end)) => outer.peer == end.index && end.peer == outer.index && outer.group == GROUP,
            _ => false,
        };
        if !paired {
            if outer.is_some() {
                machine.links.remove(&outer_name).map_err(kernel("removing the torn link"))?;
            }
            inside.remove(INNER).map_err(kernel("removing the torn link"))?;
            let pair = Pair {
                here: &outer_name,
                there: INNER,
                here_mac: NODE_MAC,
                there_mac: PORT_MAC,
                mtu: self.mtu,
                group: GROUP,
            };
            let path = netns::path(&name);
            let file = fs::File::open(&path).map_err(Error::file("opening", &path))?;
            machine.links.pair(&pair, file.as_fd()).map_err(kernel("making the link"))?;
            outer = machine.links.find(&outer_name).map_err(kernel("finding the link"))?;
            end = inside.find(INNER).map_err(kernel("finding the link"))?;
        }
        let (Some(outer), Some(end)) = (outer, end) else {
            return Err(kernel("finding both ends of the link")(Errno::ENODEV));
        };
        let loopback = inside.find("lo").map_err(kernel("finding the loopback"))?.map_or(1, |link| link.index);
        machine
            .links
            .run(outer_messages(number, outer.index, &port.public))
            .map_err(kernel("setting the node's end"))?;
        inside.run(inner_messages(number, end.index, loopback, port.tap)).map_err(kernel("setting the inner end"))?;
        if port.tap {
            let tap = tap::bring(&name, number, &mut inside, &port.public)?;
            self.leases.serve(&name, number, tap, &port.public)?;
            self.answer_for(machine, number, port)?;
        }
        self.networks().make(&self.ground, number, port, self.mtu)?;
        for member in &port.networks {
            let index = netns::within(&name, || tap::index(&member.number.tap(), number))?;
            self.leases.serve_member(&name, number, member, index)?;
        }
        link::wait_carries(&mut machine.links, &outer_name)
            .and_then(|()| link::wait_carries(&mut inside, INNER))
            .map_err(kernel("waiting for the link"))?;
        machine.made.insert(number);
        Ok(())
    }

    /// Takes away what leads to public addresses that a port is to have no longer, before the wish for them goes: nobody is let in by them
    /// first, and what a crash leaves is seen as another port than was wished.
    pub(super) fn withdraw(&self, machine: &mut Machine, number: Number, port: &Port) -> Result<(), Error> {
        let held = machine.wished.get(number).map(|held| held.public.clone()).unwrap_or_default();
        let gone: Vec<IpNet> = held.into_iter().filter(|net| !port.public.contains(net)).collect();
        if gone.is_empty() {
            return Ok(());
        }
        self.rules().bring(number, Some(port))?;
        self.answer_for(machine, number, port)?;
        let kernel = |doing: &'static str| Error::kernel(move || format!("{doing} of {number}"));
        let lead = |links: &mut Links, name: &str| match links.find(name)? {
            Some(link) => links.take_back(gone.iter().map(|net| link::no_route(link.index, *net)).collect()),
            None => Ok(()),
        };
        lead(&mut machine.links, &link_name(number)).map_err(kernel("taking back public addresses"))?;
        let name = self.ground.netns(number);
        if netns::exists(&name) {
            netns::within(&name, || {
                let mut inside = Links::open().map_err(Error::kernel(|| "opening rtnetlink".to_owned()))?;
                lead(&mut inside, DEVICE).map_err(kernel("taking back public addresses"))
            })?;
        }
        Ok(())
    }

    /// Has the node answer on its uplink for the public addresses of IPv4 that a port is to have, and no longer for those it had. Nets of IPv6
    /// are routed to the node: nobody can answer for each address of one.
    pub(super) fn answer_for(&self, machine: &mut Machine, number: Number, port: &Port) -> Result<(), Error> {
        let four = |net: &IpNet| matches!(net, IpNet::V4(_)).then(|| net.addr());
        let held: Vec<IpAddr> =
            machine.wished.get(number).into_iter().flat_map(|held| &held.public).filter_map(four).collect();
        let wanted: Vec<IpAddr> = port.public.iter().filter_map(four).collect();
        if held.is_empty() && wanted.is_empty() {
            return Ok(());
        }
        let kernel = || Error::kernel(move || format!("answering for the public address of {number}"));
        let Some(up) = machine.links.find(self.uplink.as_str()).map_err(kernel())? else {
            return Err(Error::NoUplink(self.uplink.clone()));
        };
        // Nobody else answers for them, so there is no storm of answers to be spread over time.
        netns::set(&format!("ipv4/neigh/{}/proxy_delay", self.uplink), "0")?;
        let gone = held.iter().filter(|address| !wanted.contains(address));
        machine
            .links
            .take_back(gone.map(|address| link::proxy(up.index, *address, false)).collect())
            .map_err(kernel())?;
        machine
            .links
            .run(wanted.iter().map(|address| link::proxy(up.index, *address, true)).collect())
            .map_err(kernel())
    }

    /// Guests that an earlier node left running are answered by this one, and it answers for them on its uplink, which may be another link by now.
    pub(super) fn answer_again(&self) {
        let mut machine = self.machine();
        for number in machine.wished.numbers() {
            let name = self.ground.netns(number);
            let port = machine.wished.get(number).filter(|port| port.tap && netns::exists(&name)).cloned();
            let Some(port) = port else { continue };
            let served =
                self.serve_again(&name, number, &port).and_then(|()| self.answer_for(&mut machine, number, &port));
            if let Err(error) = served {
                // It is made anew with the port, when something needs that.
                warn!(%number, %error, "a guest is not answered when it asks for its addresses, or not answered for");
            }
        }
    }

    fn serve_again(&self, name: &str, number: Number, port: &Port) -> Result<(), Error> {
        let index = |device: &str| netns::within(name, || tap::index(device, number));
        self.leases.serve(name, number, index(DEVICE)?, &port.public)?;
        for member in &port.networks {
            self.leases.serve_member(name, number, member, index(&member.number.tap())?)?;
        }
        Ok(())
    }

    pub(super) fn record_path(&self, number: Number) -> PathBuf {
        self.ground.run.join("ports").join(format!("{number}.json"))
    }

    pub(super) fn write_record(&self, number: Number, port: &Port, ended: Timestamp) -> Result<(), Error> {
        let path = self.record_path(number);
        let fresh = path.with_extension("new");
        let record = Record { port: port.clone(), ended };
        let bytes = serde_json::to_vec(&record).expect("plain data has a JSON form");
        fs::write(&fresh, bytes).map_err(Error::file("writing", &fresh))?;
        fs::rename(&fresh, &path).map_err(Error::file("putting in place", &path))
    }
}

/// How much of a port's machine part stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    None,
    Some,
    Whole,
}

impl Machine {
    /// Whether a port's link is there and in order. The kernel is asked again only after something happened to it: a
    /// question about a link waits for every change to links that is under way.
    pub(super) fn linked(&mut self, number: Number) -> Result<Part, Errno> {
        match self.happenings.since()? {
            Some(names) => {
                for number in names.iter().filter_map(|name| number_of(name)) {
                    self.seen.remove(&number);
                }
            }
            None => self.seen.clear(),
        }
        if self.seen.contains(&number) {
            return Ok(Part::Whole);
        }
        Ok(match self.links.find(&link_name(number))? {
            Some(link) if link.up && link.group == GROUP => {
                self.seen.insert(number);
                Part::Whole
            }
            Some(_) => Part::Some,
            None => Part::None,
        })
    }
}

/// What a port's namespace is told before it has a link: nothing is taken from the link's other end on trust. Only where there is a tap it
/// passes anything on.
fn quiet(tap: bool) -> Result<(), Error> {
    let forward = if tap { "1" } else { "0" };
    for (key, value) in [
        ("ipv4/ip_forward", forward),
        ("ipv4/conf/all/accept_redirects", "0"),
        ("ipv6/conf/all/forwarding", forward),
        ("ipv6/conf/all/accept_ra", "0"),
        ("ipv6/conf/default/accept_ra", "0"),
        ("ipv6/conf/default/addr_gen_mode", "1"),
    ] {
        netns::set(key, value)?;
    }
    Ok(())
}

/// What a port's namespace is told of its link. Behind a tap the addresses are the guest's, and none of the namespace's own.
fn inner_messages(number: Number, end: i32, loopback: i32, tap: bool) -> Vec<link::Message> {
    let mut messages = vec![link::up(loopback), link::up(end)];
    for (own, gateway) in
        [(IpAddr::from(number.ipv4()), IpAddr::from(GATEWAY4)), (IpAddr::from(number.ipv6()), IpAddr::from(GATEWAY6))]
    {
        let everywhere = IpNet::new_assert(
            if own.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() },
            0,
        );
        if !tap {
            messages.push(link::address(end, own, host_net(own).prefix_len()));
        }
        messages.push(link::neighbour(end, gateway, NODE_MAC));
        messages.push(link::route(end, host_net(gateway), None));
        messages.push(link::route(end, everywhere, Some(gateway)));
    }
    messages
}

fn outer_messages(number: Number, outer: i32, public: &[IpNet]) -> Vec<link::Message> {
    let mut messages = vec![link::no_own_address(outer), link::up(outer)];
    for own in [IpAddr::from(number.ipv4()), IpAddr::from(number.ipv6())] {
        messages.push(link::neighbour(outer, own, PORT_MAC));
        messages.push(link::route(outer, host_net(own), None));
    }
    messages.extend(tap::lead(outer, number, public));
    messages
}
