//! Private networks on a node: each has a namespace of its own that passes on between its members, and nothing else.
//!
//! ```text
//!  port of one member                         the network                  port of another
//!  guest ─ t<network> ─ namespace ─ n<network> ═ m<number> ─ router ─ m<number> ═ n<network> ─ namespace ─ t<network> ─ guest
//! ```
//!
//! A port's namespace has for each network a tap and a link, and a table of routes for what comes by these two alone: to the network's range,
//! to the guest, and nowhere else. So nothing passes between a network and the port's way out, nor between two networks of one guest, and
//! ranges of different networks may be the same. The guest has the whole range on its card; what it asks for there the namespace answers
//! itself, so that its questions reach nobody.
//!
//! Routed rather than bridged: there is no link that two guests are on, so there are no hardware addresses to take over, nothing to flood, and
//! one place that judges, by the same addresses as the rest of the wall.
//!
//! A namespace stands as long as anybody is wished in it. Its table is written as a whole when that or a measure changes. What is
//! wished stands in the records of the ports, so nothing is remembered here that a node that died would lose.

mod member;
mod text;

use super::link::{Links, Pair};
use super::table::nft;
use super::{Error, Ground, NODE_MAC, PORT_MAC, netns};
use husorden_base::Number;
use husorden_kinds::{Membership, NetworkNumber, Port};
use ipnet::{Ipv4Net, Ipv6Net};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::BorrowedFd;

pub(super) use member::leave;

/// What comes by the links of a network goes by a table with this number and the network's; those below belong to the kernel.
const TABLES: u32 = 0x0100_0000;

/// The networks that anybody on this node is wished in.
#[derive(Debug, Default)]
pub(super) struct Networks {
    members: BTreeMap<NetworkNumber, BTreeMap<Number, Membership>>,
    /// The same from the other side, so that what is asked of one port costs nothing for the networks of others.
    joined: BTreeMap<Number, BTreeSet<NetworkNumber>>,
    /// Who is held by a measure, wherever they are.
    closed: BTreeSet<Number>,
    /// Networks whose namespace, where there is one, has the table that is due.
    judged: BTreeSet<NetworkNumber>,
    /// Ports whose change has begun and not ended.
    changing: BTreeSet<Number>,
    /// Ports all of whose links were seen; what is inside changes only through us.
    seen: BTreeSet<Number>,
}

impl Networks {
    /// Brings the machine to what the wishes say, from whatever stands of it: what a node that died left half done goes.
    pub(super) fn open<'a>(
        ground: &Ground,
        wished: impl Iterator<Item = (Number, &'a Port)>,
        closed: &BTreeSet<Number>,
    ) -> Result<Self, Error> {
        let mut networks = Self { closed: closed.clone(), ..Self::default() };
        for (number, port) in wished {
            networks.put(number, port);
        }
        for network in standing(ground)? {
            networks.settle(ground, network)?;
        }
        Ok(networks)
    }

    fn put(&mut self, number: Number, port: &Port) {
        for member in &port.networks {
            self.members.entry(member.number).or_default().insert(number, member.clone());
            self.joined.entry(number).or_default().insert(member.number);
        }
    }

    fn take_out(&mut self, number: Number) {
        for network in self.joined.remove(&number).unwrap_or_default() {
            if let Some(members) = self.members.get_mut(&network) {
                members.remove(&number);
            }
        }
    }

    /// What a port is in.
    fn of(&self, number: Number) -> BTreeMap<NetworkNumber, Membership> {
        let joined = self.joined.get(&number).into_iter().flatten();
        let each = joined.filter_map(|network| Some((*network, self.members.get(network)?.get(&number)?.clone())));
        each.collect()
    }

    /// The networks that a port is in and will not be when this is wished.
    pub(super) fn leaving(&self, number: Number, port: &Port) -> Vec<NetworkNumber> {
        let stays = |network: &NetworkNumber| port.networks.iter().any(|member| member.number == *network);
        self.of(number).into_keys().filter(|network| !stays(network)).collect()
    }

    /// Takes a port's wish in the place of what it was in; none where it goes. Until [`Networks::changed`] it counts as half done.
    pub(super) fn set(&mut self, ground: &Ground, number: Number, port: Option<&Port>) -> Result<(), Error> {
        self.changing.insert(number);
        self.seen.remove(&number);
        let before = self.of(number);
        self.take_out(number);
        if let Some(port) = port {
            self.put(number, port);
        }
        let after = self.of(number);
        let touched: BTreeSet<_> = before.keys().chain(after.keys()).copied().collect();
        for network in touched.iter().filter(|network| before.get(network) != after.get(network)) {
            self.judged.remove(network);
        }
        // One that nobody was left in and that could not be taken away is tried again with the next change of any.
        let left = self.members.iter().filter(|(_, members)| members.is_empty()).map(|(network, _)| *network);
        for network in left.chain(touched).filter(|network| !self.judged.contains(network)).collect::<BTreeSet<_>>() {
            self.settle(ground, network)?;
        }
        self.members.retain(|_, members| !members.is_empty());
        Ok(())
    }

    /// A port's change has ended.
    pub(super) fn changed(&mut self, number: Number) {
        self.changing.remove(&number);
    }

    /// Cuts a port off all its networks for a measure, or lets it back in.
    pub(super) fn hold(&mut self, ground: &Ground, number: Number, held: bool) -> Result<(), Error> {
        let changed = if held { self.closed.insert(number) } else { self.closed.remove(&number) };
        for network in self.of(number).into_keys() {
            if changed {
                self.judged.remove(&network);
            }
            if !self.judged.contains(&network) {
                self.judge(ground, network)?;
            }
        }
        Ok(())
    }

    /// Makes all that a port has in its networks.
    pub(super) fn make(&mut self, ground: &Ground, number: Number, port: &Port, mtu: u32) -> Result<(), Error> {
        for member in &port.networks {
            let network = ground.network(member.number);
            if !netns::exists(&network) {
                self.judged.remove(&member.number);
                netns::make(&network)?;
            }
            if !self.judged.contains(&member.number) {
                netns::within(&network, passes_on)?;
                self.judge(ground, member.number)?;
            }
            member::bring(&ground.netns(number), &network, number, member, mtu)?;
        }
        Ok(())
    }

    /// Whether all that a port has in its networks stands as it is wished.
    pub(super) fn whole(&mut self, ground: &Ground, number: Number, port: &Port) -> Result<bool, Error> {
        if self.changing.contains(&number) || port.networks.iter().any(|member| !self.judged.contains(&member.number)) {
            return Ok(false);
        }
        if !port.networks.is_empty() && !self.seen.contains(&number) {
            if !member::stands(ground, number, port)? {
                return Ok(false);
            }
            self.seen.insert(number);
        }
        Ok(true)
    }

    /// The networks that anybody is wished in.
    pub(super) fn wished(&self) -> BTreeSet<NetworkNumber> {
        self.members.iter().filter(|(_, members)| !members.is_empty()).map(|(network, _)| *network).collect()
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Brings a network's namespace to who is wished in it: without anybody it goes, and with it every link to it.
    fn settle(&mut self, ground: &Ground, network: NetworkNumber) -> Result<(), Error> {
        let name = ground.network(network);
        let members: BTreeSet<Number> =
            self.members.get(&network).into_iter().flatten().map(|(number, _)| *number).collect();
        if netns::exists(&name) {
            netns::within(&name, passes_on)?;
            self.judge(ground, network)?;
            forget_links(&name, network, &members)?;
        }
        if members.is_empty() {
            self.judged.remove(&network);
            netns::remove(&name)?;
        } else {
            self.judged.insert(network);
        }
        Ok(())
    }

    /// Writes the table of a network's router.
    fn judge(&mut self, ground: &Ground, network: NetworkNumber) -> Result<(), Error> {
        let name = ground.network(network);
        if netns::exists(&name) {
            let none = BTreeMap::new();
            let text = text::router(self.members.get(&network).unwrap_or(&none), &self.closed);
            netns::within(&name, || nft(&text))?;
        }
        self.judged.insert(network);
        Ok(())
    }
}

/// Whether this kernel takes what networks need, tried in the calling thread's namespace.
pub(super) fn try_out(links: &mut Links, own: BorrowedFd<'_>) -> Result<(), Error> {
    let member = Membership {
        number: NetworkNumber::new(1).expect("1 is a number"),
        range: Ipv4Net::new_assert(Ipv4Addr::new(10, 0, 0, 0), 24),
        prefix: Ipv6Net::new_assert(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0), 64),
        address: Ipv4Addr::new(10, 0, 0, 2),
    };
    let (tap, link) = (member.number.tap(), member.number.link());
    let pair = Pair { here: &tap, there: &link, here_mac: NODE_MAC, there_mac: PORT_MAC, mtu: 1500, group: 0 };
    links
        .pair(&pair, own)
        .and_then(|()| links.split(&tap, TABLES))
        .map_err(Error::kernel(|| "giving a link routes of its own".to_owned()))?;
    nft(&text::tap(&member))?;
    let number = Number::new(1).expect("1 is a number");
    nft(&text::router(&BTreeMap::from([(number, member)]), &BTreeSet::new()))
}

/// The networks whose namespace stands.
pub(super) fn standing(ground: &Ground) -> Result<BTreeSet<NetworkNumber>, Error> {
    let found = netns::list(&format!("hus-{}-net-", ground.instance))?;
    Ok(found.iter().filter_map(|number| NetworkNumber::new(number.parse().ok()?)).collect())
}

/// Takes the namespaces of all networks away; the links to them have gone with the ports.
pub(super) fn shut(ground: &Ground) -> Result<(), Error> {
    for network in standing(ground)? {
        netns::remove(&ground.network(network))?;
    }
    Ok(())
}

/// Takes away the links of who is no longer a member.
fn forget_links(name: &str, network: NetworkNumber, members: &BTreeSet<Number>) -> Result<(), Error> {
    let kernel = || Error::kernel(move || format!("taking old links off the network {network}"));
    let mut links = netns::within(name, || Links::open().map_err(kernel()))?;
    let kept: BTreeSet<String> = members.iter().map(|number| text::link_of(*number)).collect();
    for link in links.all().map_err(kernel())? {
        if link.name.starts_with('m') && !kept.contains(&link.name) {
            links.remove(&link.name).map_err(kernel())?;
        }
    }
    Ok(())
}

/// What a network's namespace is told before it has a link.
fn passes_on() -> Result<(), Error> {
    for (key, value) in [
        ("ipv4/ip_forward", "1"),
        ("ipv4/conf/all/accept_redirects", "0"),
        ("ipv6/conf/all/forwarding", "1"),
        ("ipv6/conf/all/accept_ra", "0"),
        ("ipv6/conf/default/accept_ra", "0"),
        ("ipv6/conf/default/addr_gen_mode", "1"),
    ] {
        netns::set(key, value)?;
    }
    member::take_any_way()
}
