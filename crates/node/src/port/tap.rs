//! The inner end of a port for a machine of the solution's own: a tap that its uid may open, with the way to it.
#![allow(unsafe_code, reason = "a tap is made by ioctl; each block says what keeps it sound")]

use super::link::{self, Links};
use super::{Error, host_net, netns};
use husorden_base::Number;
use husorden_kinds::tap::{DEVICE, GATEWAY4, GATEWAY6, mac};
use ipnet::IpNet;
use nix::errno::Errno;
use std::fs::File;
use std::net::IpAddr;
use std::os::fd::AsRawFd;

/// A link of frames, without a header of its own before each.
pub(super) const FRAMES: u16 = 0x0002 | 0x1000;
/// The same, with what a virtual card says of each frame before it.
const CARD: u16 = FRAMES | 0x4000;
/// The link-local net, which a guest may ask from.
pub(super) const LINK_LOCAL_PREFIX: u8 = 64;

/// As the kernel reads it (`struct ifreq`): a name and flags.
#[repr(C)]
struct Request {
    name: [u8; 16],
    flags: u16,
    rest: [u8; 22],
}

nix::ioctl_write_ptr_bad!(set_link, nix::request_code_write!(b'T', 202, std::mem::size_of::<i32>()), Request);
nix::ioctl_write_int!(set_lasting, b'T', 203);
nix::ioctl_write_int!(set_owner, b'T', 204);

/// Opens the tap of this name in the calling thread's namespace, which is made if there is none.
pub(super) fn open(name: &str, kind: u16) -> Result<File, Error> {
    let path = std::path::Path::new("/dev/net/tun");
    let file = File::options().read(true).write(true).open(path).map_err(Error::file("opening", path))?;
    let mut request = Request { name: [0; 16], flags: kind, rest: [0; 22] };
    request.name[..name.len()].copy_from_slice(name.as_bytes());
    // SAFETY: the request lives through the call and has the size that the kernel copies.
    unsafe { set_link(file.as_raw_fd(), &raw const request) }.map_err(Error::kernel(|| format!("opening {name}")))?;
    Ok(file)
}

/// Makes a tap in the calling thread's namespace for a solution's uid; it lasts until the namespace ends.
fn make(device: &str, number: Number) -> Result<(), Error> {
    let file = open(device, CARD)?;
    // SAFETY: the kernel takes a number by value.
    unsafe { set_owner(file.as_raw_fd(), number.uid().into()) }
        // SAFETY: as before.
        .and_then(|_| unsafe { set_lasting(file.as_raw_fd(), 1) })
        .map(drop)
        .map_err(Error::kernel(|| format!("making a tap of {number}")))
}

/// What the namespace is told of its tap: its own end is the guest's gateway, and both addresses lead to the guest.
fn messages(number: Number, tap: i32, public: &[IpNet]) -> Vec<link::Message> {
    let mut messages = vec![
        link::up(tap),
        link::address(tap, GATEWAY4.into(), 32),
        link::address(tap, GATEWAY6.into(), LINK_LOCAL_PREFIX),
    ];
    for own in [IpAddr::from(number.ipv4()), IpAddr::from(number.ipv6())] {
        messages.push(link::neighbour(tap, own, mac(number)));
        messages.push(link::route(tap, host_net(own), None));
    }
    messages.extend(lead(tap, number, public));
    messages
}

/// What leads to public addresses by a link: all of them go where the internal address is, so that nobody is asked who has one.
pub(super) fn lead(link: i32, number: Number, public: &[IpNet]) -> impl Iterator<Item = link::Message> {
    public.iter().map(move |net| {
        let via = if net.addr().is_ipv4() { IpAddr::from(number.ipv4()) } else { number.ipv6().into() };
        link::route(link, *net, Some(via))
    })
}

/// The number of a tap in the calling thread's namespace.
pub(super) fn index(device: &str, number: Number) -> Result<i32, Error> {
    let kernel = || Error::kernel(move || format!("finding a tap of {number}"));
    let tap = Links::open().and_then(|mut links| links.find(device)).map_err(kernel())?;
    tap.map(|tap| tap.index).ok_or_else(|| kernel()(Errno::ENODEV))
}

/// A tap in the namespace with this name, made if there is none; its number there.
pub(super) fn stand(name: &str, device: &str, number: Number, inside: &mut Links) -> Result<i32, Error> {
    let kernel = || Error::kernel(move || format!("finding a tap of {number}"));
    if inside.find(device).map_err(kernel())?.is_none() {
        netns::within(name, || make(device, number))?;
    }
    let tap = inside.find(device).map_err(kernel())?;
    tap.map(|tap| tap.index).ok_or_else(|| kernel()(Errno::ENODEV))
}

/// Brings the port's own tap to what is wished, from whatever stands of it, in the namespace with this name; its number there.
pub(super) fn bring(name: &str, number: Number, inside: &mut Links, public: &[IpNet]) -> Result<i32, Error> {
    let index = stand(name, DEVICE, number, inside)?;
    inside.run(messages(number, index, public)).map_err(Error::kernel(|| format!("setting the tap of {number}")))?;
    Ok(index)
}
