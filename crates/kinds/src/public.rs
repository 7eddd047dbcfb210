//! Public addresses: an IPv4 address and a /64 of IPv6 that are a solution's own and lead to it from anywhere, as far as the rules of its
//! account's firewalls let them ([`crate::firewall`]).
//!
//! A kind that can have them puts [`schema`] among its properties and [`read`] into its reader of forms, keeps both words in its spec, and
//! gives [`Public::nets`] to its port. Which addresses they are is control's to say: they stand in the order and never in a spec, so that
//! nobody asks for another's.

use crate::form::Form;
use crate::schema::field;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The fields of a spec that ask for them, in IPv4 and IPv6.
pub const FIELDS: [&str; 2] = ["public_ipv4", "public_ipv6"];
/// Bits of the IPv6 net that a solution is given.
pub const PREFIX6: u8 = 64;

/// What a spec asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wants {
    /// An IPv4 address.
    pub ipv4: bool,
    /// A /64 of IPv6.
    pub ipv6: bool,
}

/// The addresses that a solution was given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Public {
    /// The one of IPv4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv4: Option<Ipv4Addr>,
    /// The net of IPv6, every address of which is the solution's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv6: Option<Ipv6Net>,
}

/// The addresses that an operator gives a node to hand out: nets of IPv4, each of whose addresses is one solution's, and nets of IPv6, each
/// of whose /64s is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pools {
    /// In IPv4.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ipv4: Vec<Ipv4Net>,
    /// In IPv6.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ipv6: Vec<Ipv6Net>,
}

impl Pools {
    /// Whether there is nothing to hand out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The address of IPv4 to give next: one that was nobody's before, and else the one that was somebody's the longest ago. Both lists are of
    /// all nodes; what rests stands among `taken`.
    #[must_use]
    pub fn next4(&self, taken: &[IpNet], used: &[IpNet]) -> Option<IpNet> {
        let hosts = self.ipv4.iter().flat_map(|net| net.network().to_bits()..=net.broadcast().to_bits());
        let each = hosts.map(|bits| IpNet::from(IpAddr::from(Ipv4Addr::from_bits(bits))));
        let within = |one: &IpNet| self.ipv4.iter().any(|net| IpNet::from(*net).contains(one));
        next(each, within, taken, used)
    }

    /// The net of IPv6 to give next, in the same way.
    #[must_use]
    pub fn next6(&self, taken: &[IpNet], used: &[IpNet]) -> Option<IpNet> {
        let each = self.ipv6.iter().filter_map(|net| net.subnets(PREFIX6).ok()).flatten().map(IpNet::from);
        let within = |one: &IpNet| self.ipv6.iter().any(|net| IpNet::from(*net).contains(one));
        next(each, within, taken, used)
    }
}

fn next(
    mut each: impl Iterator<Item = IpNet>,
    within: impl Fn(&IpNet) -> bool,
    taken: &[IpNet],
    used: &[IpNet],
) -> Option<IpNet> {
    let known: BTreeSet<&IpNet> = taken.iter().chain(used).collect();
    each.find(|one| !known.contains(one)).or_else(|| used.iter().find(|one| within(one)).copied())
}

impl Wants {
    /// What a stored spec asks for; none where its kind can have no public addresses.
    #[must_use]
    pub fn of(spec: &Value) -> Option<Self> {
        let [ipv4, ipv6] = FIELDS.map(|name| spec.get(name).and_then(Value::as_bool));
        Some(Self { ipv4: ipv4?, ipv6: ipv6? })
    }
}

impl Public {
    /// Whether there is none.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// What leads to the solution.
    #[must_use]
    pub fn nets(&self) -> Vec<IpNet> {
        let four = self.ipv4.map(|address| IpNet::from(IpAddr::from(address)));
        four.into_iter().chain(self.ipv6.map(IpNet::from)).collect()
    }

    /// The address of its net that a guest is told to take; it may take any other besides.
    #[must_use]
    pub fn main6(&self) -> Option<Ipv6Addr> {
        self.ipv6.map(main6)
    }
}

/// The address of a net that a guest is told to take.
#[must_use]
pub fn main6(net: Ipv6Net) -> Ipv6Addr {
    Ipv6Addr::from_bits(net.network().to_bits() | 1)
}

/// Both fields as JSON Schema, for a kind's properties.
#[must_use]
pub fn schema() -> [(&'static str, Value); 2] {
    let flag = || json!({"type": "boolean", "default": false});
    let four = field(
        flag(),
        (
            "Public IPv4 address",
            "An address of its own that leads to it from anywhere. Nothing is let in there but what its list and firewalls say.",
        ),
        (
            "Offentlig IPv4-adresse",
            "En adresse for sig selv, der fører til den alle steder fra. Intet slippes ind dér ud over det, dens liste og firewalls siger.",
        ),
    );
    let six = field(
        flag(),
        (
            "Public IPv6 net",
            "A /64 of its own: every address of it leads to the server. Nothing is let in there but what its list and firewalls say.",
        ),
        (
            "Offentligt IPv6-net",
            "Et /64 for sig selv: hver adresse i det fører til serveren. Intet slippes ind dér ud over det, dens liste og firewalls siger.",
        ),
    );
    let [ipv4, ipv6] = FIELDS;
    [(ipv4, four), (ipv6, six)]
}

/// Reads both fields of a form; one that the form does not name is as it was in the spec before.
pub fn read(form: &mut Form<'_>, before: Option<&Value>) -> Wants {
    let before = before.and_then(Wants::of).unwrap_or_default();
    let [ipv4, ipv6] = FIELDS;
    Wants { ipv4: form.flag(ipv4, before.ipv4), ipv6: form.flag(ipv6, before.ipv6) }
}

/// A spec of earlier with the addresses of now: bringing data back gives none away, and takes none.
#[must_use]
pub fn keep(mut earlier: Value, now: &Value) -> Value {
    for name in FIELDS {
        if let (Some(kept), true) = (now.get(name), earlier.is_object()) {
            earlier[name] = kept.clone();
        }
    }
    earlier
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_asked_for_by_field_and_kept_when_data_comes_back() {
        let read_of = |form: Value, before: Option<&Value>| {
            let mut form = Form::new(&form, "");
            let wants = read(&mut form, before);
            (wants, form.finish().len())
        };
        let stored = json!({"public_ipv4": true, "public_ipv6": false});
        assert_eq!(read_of(json!({}), None), (Wants::default(), 0));
        assert_eq!(read_of(json!({}), Some(&stored)), (Wants { ipv4: true, ipv6: false }, 0));
        assert_eq!(read_of(json!({"public_ipv6": true}), Some(&stored)), (Wants { ipv4: true, ipv6: true }, 0));
        assert_eq!(read_of(json!({"public_ipv4": "yes"}), None).1, 1);
        assert_eq!(Wants::of(&json!({"public_ipv4": true})), None, "a kind has both or neither");
        let older = json!({"image": "debian-12"});
        assert_eq!(
            keep(older.clone(), &stored),
            json!({"image": "debian-12", "public_ipv4": true, "public_ipv6": false})
        );
        assert_eq!(keep(older.clone(), &json!({})), older);
    }

    #[test]
    fn what_was_nobodys_goes_first_and_what_rests_goes_to_nobody() {
        let nets = |list: &[&str]| list.iter().map(|net| net.parse().expect("a net")).collect::<Vec<IpNet>>();
        let pools = Pools {
            ipv4: vec!["192.0.2.8/31".parse().expect("a net"), "198.51.100.7/32".parse().expect("a net")],
            ipv6: vec!["2001:db8:0:8::/63".parse().expect("a net")],
        };
        let four = |taken: &[&str], used: &[&str]| pools.next4(&nets(taken), &nets(used)).map(|net| net.to_string());
        assert_eq!(four(&[], &[]).as_deref(), Some("192.0.2.8/32"), "each address of a net, the first one too");
        assert_eq!(four(&["192.0.2.8/32"], &["192.0.2.9/32"]).as_deref(), Some("198.51.100.7/32"));
        let all = ["192.0.2.8/32", "198.51.100.7/32"];
        assert_eq!(four(&all, &["203.0.113.1/32", "192.0.2.9/32"]).as_deref(), Some("192.0.2.9/32"), "of this node");
        assert_eq!(four(&["192.0.2.8/32", "192.0.2.9/32", "198.51.100.7/32"], &[]), None);
        let six = |taken: &[&str]| pools.next6(&nets(taken), &[]).map(|net| net.to_string());
        assert_eq!(six(&[]).as_deref(), Some("2001:db8:0:8::/64"));
        assert_eq!(six(&["2001:db8:0:8::/64"]).as_deref(), Some("2001:db8:0:9::/64"));
        assert_eq!(six(&["2001:db8:0:8::/64", "2001:db8:0:9::/64"]), None);
        assert_eq!(Pools::default().next4(&[], &[]), None);
    }

    #[test]
    fn a_net_has_a_first_address_to_be_told() {
        let public =
            Public { ipv4: Some([192, 0, 2, 7].into()), ipv6: Some("2001:db8:0:7::/64".parse().expect("a net")) };
        assert_eq!(
            public.nets().iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["192.0.2.7/32", "2001:db8:0:7::/64"]
        );
        assert_eq!(public.main6().map(|six| six.to_string()).as_deref(), Some("2001:db8:0:7::1"));
        assert!(Public::default().is_none() && !public.is_none());
    }
}
