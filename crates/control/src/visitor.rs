//! Where a request comes from: the address of whoever sends it.

use http::HeaderMap;
use std::net::IpAddr;

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
        assert_eq!(Visitor::of(mapped, false, &headers).0.to_string(), "192.0.2.77");
    }
}
