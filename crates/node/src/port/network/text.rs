//! What a network's router and a member's tap are told to let through: text for the `nft` tool, made from who is in the network. Pure.
//!
//! The router knows each link by the one member behind it: nothing comes in but from that member's addresses, and nothing goes out but to
//! another's. Before that, on the member's own tap, stands what a link alone could be used for: another's hardware address, answers for
//! others, and floods of questions.

use husorden_base::Number;
use husorden_kinds::Membership;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// Questions after neighbours and routers that a member may ask in a second, and how many at once.
const QUESTIONS_PER_SECOND: u32 = 50;
const QUESTIONS_AT_ONCE: u32 = 100;

/// The network's end of a member's link.
pub(super) fn link_of(number: Number) -> String {
    format!("m{number}")
}

/// The whole table of a network's router, in the place of the one there is, as one transaction. Who is held by a measure is cut off.
pub(super) fn router(members: &BTreeMap<Number, Membership>, closed: &BTreeSet<Number>) -> String {
    let open = || members.iter().filter(|(number, _)| !closed.contains(number));
    let own4 = elements(open().map(|(number, member)| (*number, member.address.to_string())));
    let own6 = elements(open().map(|(number, member)| (*number, member.address6().to_string())));
    format!(
        r#"table inet husorden-network
delete table inet husorden-network
table inet husorden-network {{
	set own4 {{ type ifname . ipv4_addr; {own4} }}
	set own6 {{ type ifname . ipv6_addr; {own6} }}
	chain entry {{
		type filter hook prerouting priority raw; policy drop;
		iifname . ip saddr @own4 accept
		iifname . ip6 saddr @own6 accept
	}}
	chain through {{
		type filter hook forward priority filter; policy drop;
		oifname . ip daddr @own4 accept
		oifname . ip6 daddr @own6 accept
	}}
	chain to-router {{ type filter hook input priority filter; policy drop; }}
	chain from-router {{ type filter hook output priority filter; policy drop; }}
}}
"#
    )
}

fn elements(pairs: impl Iterator<Item = (Number, String)>) -> String {
    let mut text = String::new();
    for (number, address) in pairs {
        let _ =
            write!(text, "{}\"{}\" . {address}", if text.is_empty() { "elements = { " } else { ", " }, link_of(number));
    }
    if text.is_empty() { text } else { text + " }" }
}

/// The table of a member's tap: the guest is who it is, and asks no more than a guest need.
pub(super) fn tap(member: &Membership) -> String {
    let (device, mac, own4, own6) = (member.number.tap(), member.number.mac_text(), member.address, member.address6());
    let limit = format!("limit rate {QUESTIONS_PER_SECOND}/second burst {QUESTIONS_AT_ONCE} packets");
    format!(
        r#"table netdev {device}
delete table netdev {device}
table netdev {device} {{
	chain asks {{
		{limit} accept
		drop
	}}
	chain from-guest {{
		type filter hook ingress device "{device}" priority filter; policy drop;
		ether saddr != {mac} drop
		ether type arp arp saddr ether {mac} arp saddr ip {{ {own4}, 0.0.0.0 }} goto asks
		ether type ip ip saddr {own4} accept
		ether type ip ip saddr 0.0.0.0 udp dport 67 goto asks
		icmpv6 type {{ nd-router-advert, nd-redirect }} drop
		icmpv6 type {{ nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert, mld-listener-report, mld2-listener-report }} ip6 saddr {{ {own6}, fe80::/10, :: }} goto asks
		ether type ip6 ip6 saddr {own6} accept
		ether type ip6 ip6 saddr fe80::/10 udp dport 547 goto asks
	}}
}}
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use husorden_kinds::NetworkNumber;

    fn member(last: u8) -> Membership {
        Membership {
            number: NetworkNumber::new(12).expect("a number"),
            range: "10.20.0.0/24".parse().expect("a range"),
            prefix: "fd12:3456:789a:1::/64".parse().expect("a prefix"),
            address: [10, 20, 0, last].into(),
        }
    }

    #[test]
    fn a_router_knows_each_member_by_its_link_and_forgets_who_is_held() {
        let number = |number| Number::new(number).expect("a number");
        let members = BTreeMap::from([(number(7), member(5)), (number(8), member(6))]);
        let text = router(&members, &BTreeSet::new());
        assert!(text.contains("elements = { \"m7\" . 10.20.0.5, \"m8\" . 10.20.0.6 }"), "{text}");
        assert!(text.contains("\"m8\" . fd12:3456:789a:1::a14:6 }"), "{text}");
        let text = router(&members, &BTreeSet::from([number(8)]));
        assert!(text.contains("elements = { \"m7\" . 10.20.0.5 }") && !text.contains("m8"), "{text}");
        assert!(!router(&BTreeMap::new(), &BTreeSet::new()).contains("elements"), "a set without elements has none");
    }

    #[test]
    fn a_tap_lets_its_own_guest_alone_through() {
        let text = tap(&member(5));
        for said in ["device \"t12\"", "ether saddr != 02:48:77:00:00:0c drop", "ip saddr 10.20.0.5 accept"] {
            assert!(text.contains(said), "{said} is not in {text}");
        }
    }
}
