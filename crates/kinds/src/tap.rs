//! A tap: a port whose inner end is a link for a machine of the solution's own. What the port wall, the machine and its guest agree on
//! stands here, so that nobody need ask anybody.
//!
//! The guest has the port's addresses itself, each alone (/32 and /128), and sends everything to a gateway on the link. What it sends
//! with another's address is dropped by the node, as for any port; the link holds nobody else, so there is nobody to be taken for.

use husorden_base::Number;
use std::net::{Ipv4Addr, Ipv6Addr};

/// The tap, in the port's namespace.
pub const DEVICE: &str = "tap0";
/// Where guests send what goes anywhere; no address of the node, only a name for its end of the link.
pub const GATEWAY4: Ipv4Addr = Ipv4Addr::new(169, 254, 1, 2);
/// The same for IPv6.
pub const GATEWAY6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2);

/// Hardware address of a guest.
#[must_use]
pub fn mac(number: Number) -> [u8; 6] {
    let [_, high, middle, low] = number.get().to_be_bytes();
    [0x02, 0x48, 0x76, high, middle, low]
}

/// The same as people and machines write it.
#[must_use]
pub fn mac_text(number: Number) -> String {
    mac(number).map(|byte| format!("{byte:02x}")).join(":")
}
