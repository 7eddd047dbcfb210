//! The one client for fetches from outside on a customer's word. It resolves a name itself, refuses every address that is not
//! the public Internet's, and connects to the very address it judged, so that a name that changes its answer gains nothing.
//! It follows no redirect and reads no more than the head of an answer.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, Uri, header};
use http_body_util::Full;
use hyper_util::rt::TokioIo;
use ipnet::IpNet;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Longest address that is taken.
pub(crate) const URL_BYTES_MAX: usize = 2048;
/// Addresses of one name that are tried.
const ADDRESSES_MAX: usize = 4;
const CONNECT_WAIT: Duration = Duration::from_secs(5);
const WHOLE_WAIT: Duration = Duration::from_secs(15);

/// Why nothing came of a fetch.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OutsideError {
    #[error("the address is not https://, or has a name and password, or is too long")]
    Url,
    #[error("the name {0:?} was not found")]
    Unresolved(String),
    #[error("the name {0:?} leads to {1}, which is not an address of the public Internet")]
    Forbidden(String, IpAddr),
    #[error("connecting: {0}")]
    Connect(io::Error),
    #[error("speaking HTTP: {0}")]
    Http(#[from] hyper::Error),
    #[error("it took too long")]
    Slow,
}

/// The client.
#[derive(Clone)]
pub(crate) struct Outside {
    tls: TlsConnector,
    /// Ranges that are allowed all the same, by the operator's word: tests, and receivers of the operator's own.
    allow: Arc<[IpNet]>,
}

impl std::fmt::Debug for Outside {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outside").field("allow", &self.allow).finish_non_exhaustive()
    }
}

/// An address that was taken apart and may be asked, once it is resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    uri: Uri,
    host: String,
    port: u16,
    tls: bool,
}

impl Outside {
    /// A client that reaches the public Internet and these ranges.
    pub(crate) fn new(allow: &[IpNet]) -> Self {
        let mut roots = RootCertStore::empty();
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring speaks the default versions of TLS")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self { tls: TlsConnector::from(Arc::new(config)), allow: allow.into() }
    }

    /// Takes an address apart. Plain HTTP is spoken to addresses that the operator allowed, and to nobody else.
    pub(crate) fn target(&self, url: &str) -> Result<Target, OutsideError> {
        if url.len() > URL_BYTES_MAX {
            return Err(OutsideError::Url);
        }
        let uri: Uri = url.parse().map_err(|_| OutsideError::Url)?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(OutsideError::Url);
        };
        let host = authority.host().trim_matches(['[', ']']).to_ascii_lowercase();
        let tls = match scheme {
            "https" => true,
            "http" if host.parse().is_ok_and(|address| self.allowed(address)) => false,
            _ => return Err(OutsideError::Url),
        };
        if authority.as_str().contains('@') || host.is_empty() {
            return Err(OutsideError::Url);
        }
        // An address given as such is judged at once, so that the customer hears of it when they type it.
        if let Ok(address) = host.parse::<IpAddr>()
            && !self.may(address)
        {
            return Err(OutsideError::Forbidden(host, address));
        }
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        Ok(Target { uri, host, port, tls })
    }

    /// Posts a body and gives the status of the answer.
    pub(crate) async fn post(
        &self,
        target: &Target,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<StatusCode, OutsideError> {
        tokio::time::timeout(WHOLE_WAIT, self.post_at_leisure(target, headers, body))
            .await
            .map_err(|_| OutsideError::Slow)?
    }

    async fn post_at_leisure(
        &self,
        target: &Target,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<StatusCode, OutsideError> {
        let stream = self.connect(target).await?;
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() =
            target.uri.path_and_query().map_or("/", |path| path.as_str()).parse().map_err(|_| OutsideError::Url)?;
        *request.headers_mut() = headers;
        let host = target.uri.authority().map_or("", |authority| authority.as_str());
        let host = host.parse().map_err(|_| OutsideError::Url)?;
        request.headers_mut().insert(header::HOST, host);
        request.headers_mut().insert(header::USER_AGENT, http::HeaderValue::from_static("Husorden"));
        if target.tls {
            let name = ServerName::try_from(target.host.clone()).map_err(|_| OutsideError::Url)?;
            let stream = self.tls.connect(name, stream).await.map_err(OutsideError::Connect)?;
            speak(TokioIo::new(stream), request).await
        } else {
            speak(TokioIo::new(stream), request).await
        }
    }

    /// A connection to an address of the name that was judged; what resolves later is not asked.
    async fn connect(&self, target: &Target) -> Result<TcpStream, OutsideError> {
        let unresolved = || OutsideError::Unresolved(target.host.clone());
        let found = tokio::time::timeout(CONNECT_WAIT, tokio::net::lookup_host((target.host.as_str(), target.port)))
            .await
            .map_err(|_| unresolved())?
            .map_err(|_| unresolved())?;
        let addresses: Vec<SocketAddr> = found.take(ADDRESSES_MAX).collect();
        // One forbidden address among several is somebody's trick, not their mistake.
        if let Some(forbidden) = addresses.iter().find(|address| !self.may(address.ip())) {
            return Err(OutsideError::Forbidden(target.host.clone(), forbidden.ip()));
        }
        let mut last = None;
        for address in addresses {
            match tokio::time::timeout(CONNECT_WAIT, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => last = Some(OutsideError::Connect(error)),
                Err(_) => last = Some(OutsideError::Slow),
            }
        }
        Err(last.unwrap_or_else(unresolved))
    }

    fn may(&self, address: IpAddr) -> bool {
        is_public(address) || self.allowed(address)
    }

    fn allowed(&self, address: IpAddr) -> bool {
        self.allow.iter().any(|range| range.contains(&address))
    }
}

async fn speak<S>(stream: S, request: Request<Full<Bytes>>) -> Result<StatusCode, OutsideError>
where
    S: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
    let driver = tokio::spawn(connection);
    let response = sender.send_request(request).await;
    // What else the receiver has to say is not read: nobody here would look at it.
    driver.abort();
    Ok(response?.status())
}

/// Whether an address is one of the public Internet: no machine, network or neighbour of ours, and nothing that leads there
/// by another spelling. IANA's registries of special-purpose addresses say what is not.
pub(crate) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_broadcast()
        || address.is_documentation()
        || address.is_multicast()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (b == 18 || b == 19));
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(inner) = address.to_ipv4_mapped() {
        return is_public_v4(inner);
    }
    let s = address.segments();
    let inner = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    // NAT64 and 6to4 carry an IPv4 address.
    if s[0] == 0x64 && s[1] == 0xff9b && s[2..6] == [0; 4] {
        return is_public_v4(inner(s[6], s[7]));
    }
    if s[0] == 0x2002 {
        return is_public_v4(inner(s[1], s[2]));
    }
    // Global unicast is 2000::/3; the rest is local, multicast or reserved. Within it: Teredo and its neighbours, documentation.
    s[0] & 0xe000 == 0x2000
        && !(s[0] == 0x2001 && s[1] < 0x0200)
        && !(s[0] == 0x2001 && s[1] == 0x0db8)
        && s[0] != 0x3fff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_public_internet_is_outside() {
        // Nobody is asked here; these are addresses only.
        for (address, public) in [
            ("1.1.1.1", true),
            ("172.15.0.1", true),
            ("100.63.255.255", true),
            ("2a00::1", true),
            ("10.0.0.1", false),
            ("172.16.0.1", false),
            ("192.168.1.1", false),
            ("127.0.0.1", false),
            ("127.8.8.8", false),
            ("169.254.169.254", false),
            ("100.64.0.1", false),
            ("0.0.0.0", false),
            ("192.0.0.8", false),
            ("198.18.0.1", false),
            ("203.0.113.1", false),
            ("224.0.0.1", false),
            ("255.255.255.255", false),
            ("::", false),
            ("::1", false),
            ("fe80::1", false),
            ("fc00::1", false),
            ("fd12::1", false),
            ("ff02::1", false),
            ("::ffff:127.0.0.1", false),
            ("::ffff:10.0.0.1", false),
            ("::127.0.0.1", false),
            ("64:ff9b::7f00:1", false),
            ("64:ff9b::101:101", true),
            ("2002:7f00:1::", false),
            ("2001:db8::1", false),
            ("2001::1", false),
            ("fec0::1", false),
        ] {
            assert_eq!(is_public(address.parse().expect("an address")), public, "{address}");
        }
    }

    #[test]
    fn addresses_are_taken_apart_before_they_are_asked() {
        let (strict, loose) = (Outside::new(&[]), Outside::new(&["127.0.0.0/8".parse().expect("a range")]));
        for (url, good) in [
            ("https://hooks.shop.example/husorden?x=1", true),
            ("https://hooks.shop.example:8443/", true),
            ("http://hooks.shop.example/", false),
            ("https://user:word@hooks.shop.example/", false),
            ("ftp://hooks.shop.example/", false),
            ("hooks.shop.example", false),
            ("/v1/me", false),
            ("", false),
            ("https://127.0.0.1/", false),
            ("https://[::1]/", false),
            ("https://[::ffff:10.0.0.1]/", false),
            ("https://169.254.169.254/latest/meta-data", false),
            ("https://hooks.shop.example/\r\nHost: other", false),
        ] {
            assert_eq!(strict.target(url).is_ok(), good, "{url}");
        }
        assert!(strict.target(&format!("https://shop.example/{}", "x".repeat(URL_BYTES_MAX))).is_err());
        assert!(loose.target("http://127.0.0.1:8080/hook").is_ok());
        assert!(loose.target("http://10.0.0.1/hook").is_err());
    }

    #[tokio::test]
    async fn a_name_that_leads_home_is_refused_after_it_is_resolved() {
        // `localhost` is found without asking anybody, and leads here.
        let strict = Outside::new(&[]);
        let target = strict.target("https://localhost:9/").expect("a name says nothing yet");
        let error = strict.post(&target, HeaderMap::new(), Bytes::new()).await.expect_err("it is refused");
        assert!(matches!(error, OutsideError::Forbidden(..)), "{error}");
    }
}
