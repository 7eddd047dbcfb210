//! What a port has in one network: a tap for its guest, a link to the network, and routes between the two alone.

use super::super::link::{self, Links, Pair, wait_carries};
use super::super::table::nft;
use super::super::{Error, NODE_MAC, PORT_MAC, host_net, netns, tap};
use super::{TABLES, text};
use husorden_base::Number;
use husorden_kinds::tap::GATEWAY6;
use husorden_kinds::{Membership, NetworkNumber, Port};
use ipnet::IpNet;
use nix::errno::Errno;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsFd;

/// What a port's end of the link sends to; no address of anything, only a name for the network's end.
const ROUTER4: Ipv4Addr = Ipv4Addr::new(169, 254, 1, 1);
/// The same for IPv6.
const ROUTER6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);

fn kernel(doing: &'static str, number: Number, network: NetworkNumber) -> impl FnOnce(Errno) -> Error {
    Error::kernel(move || format!("{doing} of {number} in the network {network}"))
}

/// Brings all of it to what is wished, from whatever stands of it.
pub(super) fn bring(port: &str, network: &str, number: Number, member: &Membership, mtu: u32) -> Result<(), Error> {
    let failed = |doing| kernel(doing, number, member.number);
    let open = || Links::open().map_err(Error::kernel(|| "opening rtnetlink".to_owned()));
    let mut inside = netns::within(port, || {
        take_any_way()?;
        open()
    })?;
    let mut router = netns::within(network, open)?;
    let tap = tap::stand(port, &member.number.tap(), number, &mut inside)?;
    let (near, far) = pair((port, &mut inside), &mut router, number, member.number, mtu)?;
    let table = TABLES + member.number.get();
    for link in [member.number.tap(), member.number.link()] {
        inside.split(&link, table).map_err(failed("setting the rules"))?;
    }
    netns::within(port, || {
        answer_for_others(&member.number.tap())?;
        nft(&text::tap(member))
    })?;
    inside.run(inner_messages(member, table, tap, near)).map_err(failed("setting the port's end"))?;
    // The network's end is switched on last, and says by that that all else stands.
    router.run(outer_messages(member, far)).map_err(failed("setting the network's end"))?;
    wait_carries(&mut router, &text::link_of(number))
        .and_then(|()| wait_carries(&mut inside, &member.number.link()))
        .map_err(failed("waiting for the link"))
}

/// The link between a port and a network, made anew where it is not whole; the numbers of both ends, the port's first.
fn pair(
    (port, inside): (&str, &mut Links),
    router: &mut Links,
    number: Number,
    network: NetworkNumber,
    mtu: u32,
) -> Result<(i32, i32), Error> {
    let failed = |doing| kernel(doing, number, network);
    let (here, there) = (text::link_of(number), network.link());
    let far = router.find(&here).map_err(failed("finding the link"))?;
    let near = inside.find(&there).map_err(failed("finding the link"))?;
    if let (Some(far), Some(near)) = (&far, &near)
        && far.peer == near.index
        && near.peer == far.index
    {
        return Ok((near.index, far.index));
    }
    router.remove(&here).and_then(|()| inside.remove(&there)).map_err(failed("removing the torn link"))?;
    let path = netns::path(port);
    let file = fs::File::open(&path).map_err(Error::file("opening", &path))?;
    let pair = Pair { here: &here, there: &there, here_mac: NODE_MAC, there_mac: PORT_MAC, mtu, group: 0 };
    router.pair(&pair, file.as_fd()).map_err(failed("making the link"))?;
    let far = router.find(&here).map_err(failed("finding the link"))?;
    let near = inside.find(&there).map_err(failed("finding the link"))?;
    match (near, far) {
        (Some(near), Some(far)) => Ok((near.index, far.index)),
        _ => Err(failed("finding both ends of the link")(Errno::ENODEV)),
    }
}

/// The guest's end is its gateway, and what comes by either link goes to the guest, to the network or nowhere.
fn inner_messages(member: &Membership, table: u32, tap: i32, link: i32) -> Vec<link::Message> {
    let mut messages = vec![
        link::no_own_address(link),
        link::up(tap),
        link::up(link),
        link::address(tap, member.gateway().into(), 32),
        link::address(tap, GATEWAY6.into(), tap::LINK_LOCAL_PREFIX),
    ];
    messages.extend(link::nowhere(table));
    let both: [(IpAddr, IpAddr, IpNet); 2] = [
        (member.address.into(), ROUTER4.into(), member.range.into()),
        (member.address6().into(), ROUTER6.into(), member.prefix.into()),
    ];
    for (own, router, range) in both {
        messages.push(link::neighbour(tap, own, member.number.mac()));
        messages.push(link::neighbour(link, router, NODE_MAC));
        // What the namespace itself says to the guest goes by the first of these.
        messages.push(link::route(tap, host_net(own), None));
        messages.push(link::route_in(table, tap, host_net(own), None));
        messages.push(link::route_in(table, link, host_net(router), None));
        messages.push(link::route_in(table, link, range, Some(router)));
    }
    messages
}

fn outer_messages(member: &Membership, far: i32) -> Vec<link::Message> {
    let mut messages = vec![link::no_own_address(far), link::up(far)];
    for own in [IpAddr::from(member.address), member.address6().into()] {
        messages.push(link::neighbour(far, own, PORT_MAC));
        messages.push(link::route(far, host_net(own), None));
    }
    messages
}

/// Packets are judged by who is behind a link, not by where the kernel would send an answer, which in a table of its own it does not see.
pub(super) fn take_any_way() -> Result<(), Error> {
    for of in ["all", "default"] {
        netns::set(&format!("ipv4/conf/{of}/rp_filter"), "0")?;
    }
    Ok(())
}

/// A guest that asks who has an address of the range is answered at once, by the namespace itself.
fn answer_for_others(tap: &str) -> Result<(), Error> {
    netns::set(&format!("ipv4/conf/{tap}/rp_filter"), "0")?;
    netns::set(&format!("ipv4/conf/{tap}/proxy_arp"), "1")?;
    netns::set(&format!("ipv4/neigh/{tap}/proxy_delay"), "0")?;
    Ok(())
}

/// Takes away what a port has in a network that it left.
pub(in super::super) fn leave(port: &str, number: Number, network: NetworkNumber) -> Result<(), Error> {
    if !netns::exists(port) {
        return Ok(());
    }
    let failed = |doing| kernel(doing, number, network);
    let mut inside = netns::within(port, || Links::open().map_err(Error::kernel(|| "opening rtnetlink".to_owned())))?;
    for link in [network.tap(), network.link()] {
        inside.remove(&link).map_err(failed("removing the links"))?;
        inside.unsplit(&link, TABLES + network.get()).map_err(failed("removing the rules"))?;
    }
    Ok(())
}

/// Whether all that a port has in its networks stands, and both ends of each link are each other's.
pub(super) fn stands(ground: &crate::Ground, number: Number, port: &Port) -> Result<bool, Error> {
    let open = |name: &str| -> Result<Option<Links>, Error> {
        if !netns::exists(name) {
            return Ok(None);
        }
        netns::within(name, || Links::open().map_err(Error::kernel(|| "opening rtnetlink".to_owned()))).map(Some)
    };
    let Some(mut inside) = open(&ground.netns(number))? else { return Ok(port.networks.is_empty()) };
    for member in &port.networks {
        let failed = || kernel("finding the links", number, member.number);
        let Some(mut router) = open(&ground.network(member.number))? else { return Ok(false) };
        let tap = inside.find(&member.number.tap()).map_err(failed())?;
        let near = inside.find(&member.number.link()).map_err(failed())?;
        let far = router.find(&text::link_of(number)).map_err(failed())?;
        let (Some(tap), Some(near), Some(far)) = (tap, near, far) else { return Ok(false) };
        if !(tap.up && near.up && far.up && near.peer == far.index && far.peer == near.index) {
            return Ok(false);
        }
    }
    Ok(true)
}
