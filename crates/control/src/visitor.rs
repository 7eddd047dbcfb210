//! Where a request comes from: the address of whoever sends it, and what their program calls itself.

use crate::app::App;
use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, header};
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Longest text kept of a program's name for itself.
const AGENT_CHARS_MAX: usize = 200;

/// The address of whoever sends a request. Control's listener puts it into the request; who calls the router in process, as
/// the panel does, puts the address of its own visitor there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Visitor(pub IpAddr);

impl Visitor {
    /// The peer of a connection, or, behind a proxy that does TLS, whom the proxy names last: what stands before that was
    /// written by the visitor.
    #[must_use]
    pub fn of(peer: IpAddr, behind_proxy: bool, headers: &HeaderMap) -> Self {
        let named = headers
            .get_all("x-forwarded-for")
            .iter()
            .next_back()
            .and_then(|value| value.to_str().ok())
            .and_then(|text| text.rsplit(',').next())
            .and_then(|text| text.trim().parse().ok())
            .filter(|_| behind_proxy);
        Self(named.unwrap_or(peer).to_canonical())
    }

    /// The addresses that one subscriber has at once: one of IPv4, a /64 of IPv6.
    pub(crate) fn host(self) -> IpAddr {
        masked(self.0, 32, 64)
    }

    /// The neighbourhood: a /24 of IPv4, a /48 of IPv6.
    pub(crate) fn network(self) -> IpAddr {
        masked(self.0, 24, 48)
    }
}

fn masked(address: IpAddr, four: u32, six: u32) -> IpAddr {
    match address {
        IpAddr::V4(address) => Ipv4Addr::from(u32::from(address) & u32::MAX << (32 - four)).into(),
        IpAddr::V6(address) => Ipv6Addr::from(u128::from(address) & u128::MAX << (128 - six)).into(),
    }
}

/// Where a request comes from.
#[derive(Clone, Debug)]
pub(crate) struct Whence {
    pub(crate) visitor: Visitor,
    /// As the program names itself; shown to the person beside the session, and trusted for nothing.
    pub(crate) agent: String,
}

impl FromRequestParts<App> for Whence {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Infallible> {
        let visitor = parts.extensions.get().copied().unwrap_or(Visitor(Ipv4Addr::LOCALHOST.into()));
        let agent = parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        Ok(Self { visitor, agent: agent.chars().take(AGENT_CHARS_MAX).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_proxy_is_believed_and_only_its_last_word() {
        let peer: IpAddr = "192.0.2.1".parse().expect("an address");
        let mut headers = HeaderMap::new();
        headers.append("x-forwarded-for", "203.0.113.9, 198.51.100.7".parse().expect("a value"));
        for (behind, expected) in [(false, "192.0.2.1"), (true, "198.51.100.7")] {
            assert_eq!(Visitor::of(peer, behind, &headers).0.to_string(), expected);
        }
        headers.append("x-forwarded-for", "nonsense".parse().expect("a value"));
        assert_eq!(Visitor::of(peer, true, &headers).0, peer);
        let mapped: IpAddr = "::ffff:192.0.2.77".parse().expect("an address");
        assert_eq!(Visitor::of(mapped, false, &headers).network().to_string(), "192.0.2.0");
        let six = Visitor("2001:db8:1:2:3::4".parse().expect("an address"));
        assert_eq!(
            (six.host().to_string(), six.network().to_string()),
            ("2001:db8:1:2::".into(), "2001:db8:1::".into())
        );
    }
}
