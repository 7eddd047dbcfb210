//! The public addresses that the settings give a node to hand out, read strictly.

use anyhow::{Context, Result, bail};
use husorden_kinds::public::{PREFIX6, Pools};
use ipnet::{IpNet, Ipv4Net, Ipv4Subnets, Ipv6Net};
use std::net::Ipv4Addr;

/// The shortest prefix of IPv4: as many solutions as anybody puts on one node.
const PREFIX4_MIN: u8 = 16;
/// The shortest prefix of IPv6: 65,536 nets of a solution each.
const PREFIX6_MIN: u8 = 48;
/// Where the platform's own internal addresses lie, and what leads nowhere from outside.
const KEPT: [&str; 6] = ["100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "198.18.0.0/15", "224.0.0.0/3", "0.0.0.0/8"];

/// Reads both lists: of IPv4 addresses, prefixes and ranges such as `192.0.2.10-192.0.2.20`; of IPv6 prefixes of which each solution gets a /64.
pub(crate) fn read(ipv4: &[String], ipv6: &[String]) -> Result<Pools> {
    let mut pools = Pools::default();
    for text in ipv4 {
        pools.ipv4.extend(four(text).with_context(|| format!("node.public_ipv4: {text:?}"))?);
    }
    for text in ipv6 {
        pools.ipv6.push(six(text).with_context(|| format!("node.public_ipv6: {text:?}"))?);
    }
    let nets: Vec<IpNet> =
        pools.ipv4.iter().copied().map(IpNet::from).chain(pools.ipv6.iter().copied().map(IpNet::from)).collect();
    for (index, net) in nets.iter().enumerate() {
        if let Some(other) = nets[..index].iter().find(|other| other.contains(net) || net.contains(*other)) {
            bail!("the public addresses {net} and {other} overlap");
        }
    }
    Ok(pools)
}

fn four(text: &str) -> Result<Vec<Ipv4Net>> {
    let nets = match text.split_once('-') {
        Some((first, last)) => {
            let address = |text: &str| text.trim().parse::<Ipv4Addr>().context("a range has an address at each end");
            let (first, last) = (address(first)?, address(last)?);
            if first > last {
                bail!("the range ends before it begins");
            }
            Ipv4Subnets::new(first, last, 0).collect()
        }
        None => match text.trim().parse::<Ipv4Addr>() {
            Ok(one) => vec![Ipv4Net::from(one)],
            Err(_) => vec![text.trim().parse::<Ipv4Net>().context("neither an address, nor a prefix, nor a range")?],
        },
    };
    for net in &nets {
        if *net != net.trunc() {
            bail!("{net} begins within a range: {} is all of it", net.trunc());
        }
        if net.prefix_len() < PREFIX4_MIN {
            bail!("{net} is more than one node hands out: at most a /{PREFIX4_MIN}");
        }
        let kept = KEPT.iter().filter_map(|kept| kept.parse::<Ipv4Net>().ok());
        if let Some(kept) = kept.into_iter().find(|kept| kept.contains(net)) {
            bail!("{net} lies in {kept}, which nobody outside reaches");
        }
    }
    Ok(nets)
}

fn six(text: &str) -> Result<Ipv6Net> {
    let net = text.trim().parse::<Ipv6Net>().context("a prefix is expected, such as 2001:db8:100::/56")?;
    if net != net.trunc() {
        bail!("{net} begins within a range: {} is all of it", net.trunc());
    }
    if !(PREFIX6_MIN..=PREFIX6).contains(&net.prefix_len()) {
        bail!("a prefix of /{PREFIX6_MIN} to /{PREFIX6} is expected: each solution gets a /{PREFIX6} of it");
    }
    if net.network().segments()[0] & 0xe000 != 0x2000 {
        bail!("{net} is no global unicast (2000::/3)");
    }
    Ok(net)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(ipv4: &[&str], ipv6: &[&str]) -> Result<Pools> {
        let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        read(&texts(ipv4), &texts(ipv6))
    }

    #[test]
    fn addresses_prefixes_and_ranges_are_read() {
        let pools = both(&["192.0.2.9", "198.51.100.0/29", "203.0.113.10-203.0.113.12"], &["2001:db8:100::/56"]);
        let pools = pools.expect("pools");
        let told: Vec<String> = pools.ipv4.iter().map(ToString::to_string).collect();
        assert_eq!(told, ["192.0.2.9/32", "198.51.100.0/29", "203.0.113.10/31", "203.0.113.12/32"]);
        assert_eq!(pools.ipv6.len(), 1);
        assert!(both(&[], &[]).expect("none").is_empty());
    }

    #[test]
    fn what_can_be_no_pool_is_refused() {
        for wrong in
            ["192.0.2.9/24", "10.0.0.0/8", "100.64.3.0/24", "192.0.2.9-192.0.2.3", "eth0", "::1", "192.0.2.0/33"]
        {
            assert!(both(&[wrong], &[]).is_err(), "{wrong}");
        }
        for wrong in ["2001:db8::/32", "2001:db8::/65", "fd00::/56", "2001:db8::1/56", "192.0.2.0/24"] {
            assert!(both(&[], &[wrong]).is_err(), "{wrong}");
        }
        assert!(both(&["192.0.2.0/24", "192.0.2.7"], &[]).is_err(), "twice");
    }
}
