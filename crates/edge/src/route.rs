//! The route phase: which site and which path a request names, parsed once and refused where it is unclear.

use crate::connection::Connection;
use crate::pages::Page;
use crate::table::SiteState;
use http::header::{HOST, HeaderMap};
use http::request::Parts;
use percent::decode;
use std::sync::Arc;

/// A request that names a site.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) site: Arc<SiteState>,
    /// The host as the client wrote it, with its port.
    pub(crate) authority: Box<str>,
    /// The host alone, in lower case.
    pub(crate) host: Box<str>,
    pub(crate) path: SitePath,
}

/// A path within a site: decoded, absolute, without empty, `.` or `..` segments and without NUL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SitePath(String);

impl SitePath {
    /// Parses the path of a request target (RFC 3986): percent-decoded once, doubled slashes taken as one.
    pub(crate) fn parse(raw: &str) -> Option<Self> {
        if !raw.starts_with('/') {
            return None;
        }
        if !raw.contains('%') && !raw.contains("/.") && !raw.contains("//") {
            return Some(Self(raw.to_owned()));
        }
        let decoded = decode(raw)?;
        let mut path = String::with_capacity(decoded.len());
        let mut is_directory = false;
        for segment in decoded.split('/') {
            match segment {
                "" | "." => is_directory = true,
                // Clients resolve these themselves (RFC 3986, 5.2.4); one that does not wants out.
                ".." => return None,
                name => {
                    path.push('/');
                    path.push_str(name);
                    is_directory = false;
                }
            }
        }
        if is_directory {
            path.push('/');
        }
        Some(Self(path))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The path as a file beneath the root.
    pub(crate) fn relative(&self) -> &str {
        &self.0[1..]
    }

    pub(crate) fn is_directory(&self) -> bool {
        self.0.ends_with('/')
    }

    /// Whether the path is for certificate challenges and their like, which are public by purpose.
    pub(crate) fn is_well_known(&self) -> bool {
        self.0.starts_with("/.well-known/")
    }

    /// Whether it names something that is never served: a dotfile, or a WordPress configuration and its copies.
    pub(crate) fn is_hidden(&self) -> bool {
        let mut path = self.0.as_str();
        if self.is_well_known() {
            path = &path["/.well-known".len()..];
        }
        path.split('/').any(is_hidden_name)
    }

    /// The path as it is written in a `Location`.
    pub(crate) fn encoded(&self) -> String {
        percent::encode(&self.0)
    }
}

/// See [`SitePath::is_hidden`]; for one name.
pub(crate) fn is_hidden_name(name: &str) -> bool {
    const CONFIG: &str = "wp-config.";
    name.starts_with('.') || name.get(..CONFIG.len()).is_some_and(|start| start.eq_ignore_ascii_case(CONFIG))
}

/// Finds the site of a request, or the page that says why there is none.
pub(crate) fn route(connection: &Connection, parts: &Parts) -> Result<Route, Page> {
    let limits = &connection.edge.limits;
    let uri = &parts.uri;
    let target_bytes = uri.path_and_query().map_or(0, |target| target.as_str().len());
    if target_bytes > limits.target_bytes_max {
        return Err(Page::TargetTooLong);
    }
    if header_bytes(&parts.headers) > limits.header_bytes_max {
        return Err(Page::HeaderTooLarge);
    }
    let (authority, host) = authority(parts).ok_or(Page::BadRequest)?;
    let path = SitePath::parse(uri.path()).ok_or(Page::BadRequest)?;
    let site = find(connection, &host)?;
    Ok(Route { site, authority, host, path })
}

fn find(connection: &Connection, host: &str) -> Result<Arc<SiteState>, Page> {
    let table = &connection.edge.table;
    let site = table.find(host);
    // A connection made for one site's name carries no requests for another's (RFC 9110, 15.5.20).
    if let Some(name) = &connection.peer.name
        && **name != *host
    {
        let named = table.find(name);
        match (&site, &named) {
            (Some(site), Some(named)) if site.site.solution == named.site.solution => {}
            _ => return Err(Page::Misdirected),
        }
    }
    site.ok_or(Page::UnknownHost)
}

fn header_bytes(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum()
}

/// The one host a request names, as written and in lower case without port and last dot.
fn authority(parts: &Parts) -> Option<(Box<str>, Box<str>)> {
    let mut fields = parts.headers.get_all(HOST).iter();
    let field = fields.next();
    if fields.next().is_some() {
        return None;
    }
    let field = field.map(http::HeaderValue::to_str).transpose().ok()?;
    // The absolute form, which HTTP/2 always has, goes before the field (RFC 9112, 3.2.2).
    let written = match parts.uri.authority() {
        Some(authority) => authority.as_str(),
        None => field?,
    };
    if let (true, Some(field)) = (parts.version == http::Version::HTTP_2, field)
        && !field.eq_ignore_ascii_case(written)
    {
        return None;
    }
    let (host, port) = match written.rsplit_once(':') {
        Some((host, port)) => (host, port),
        None => (written, ""),
    };
    if host.is_empty()
        || port.len() > 5
        || !port.bytes().all(|byte| byte.is_ascii_digit())
        || !host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
    {
        return None;
    }
    let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    Some((written.into(), name.into()))
}

/// Percent-encoding (RFC 3986, 2.1).
mod percent {
    /// Decodes once; `None` for what is no encoding, is no UTF-8, or holds a NUL.
    pub(super) fn decode(text: &str) -> Option<String> {
        let mut bytes = text.bytes();
        let mut decoded = Vec::with_capacity(text.len());
        while let Some(byte) = bytes.next() {
            decoded.push(if byte == b'%' {
                let high = char::from(bytes.next()?).to_digit(16)?;
                let low = char::from(bytes.next()?).to_digit(16)?;
                u8::try_from(high * 16 + low).ok()?
            } else {
                byte
            });
        }
        if decoded.contains(&0) {
            return None;
        }
        String::from_utf8(decoded).ok()
    }

    pub(super) fn encode(path: &str) -> String {
        let mut encoded = String::with_capacity(path.len());
        for byte in path.bytes() {
            if byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=:@".contains(&byte) {
                encoded.push(char::from(byte));
            } else {
                encoded.push('%');
                for digit in [byte >> 4, byte & 15] {
                    encoded.push(char::from(b"0123456789ABCDEF"[usize::from(digit)]));
                }
            }
        }
        encoded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        for (raw, expected) in [
            ("/", Some("/")),
            ("/a/b.html", Some("/a/b.html")),
            ("/a//b/", Some("/a/b/")),
            ("//other.example/x", Some("/other.example/x")),
            ("/a/./b/.", Some("/a/b/")),
            ("/bl%C3%A5b%C3%A6r", Some("/blåbær")),
            ("/a%2Fb", Some("/a/b")),
            ("/a/../b", None),
            ("/%2e%2e/etc/passwd", None),
            ("/..%2f..%2fetc", None),
            ("/a%00.html", None),
            ("/a%zz", None),
            ("/a%4", None),
            ("/%ff", None),
            ("a", None),
        ] {
            let got = SitePath::parse(raw);
            assert_eq!(got.as_ref().map(SitePath::as_str), expected, "{raw:?}");
        }
    }

    #[test]
    fn hidden_names() {
        for (raw, expected) in [
            ("/.env", true),
            ("/a/.git/config", true),
            ("/.well-known/acme-challenge/x", false),
            ("/.well-known/.hidden", true),
            ("/x/.well-known/y", true),
            ("/.htaccess", true),
            ("/wp-config.php", true),
            ("/blog/WP-Config.PHP", true),
            ("/wp-config.php.bak", true),
            ("/wp-config.php~", true),
            ("/wp-config.bak", true),
            ("/wp-config-sample.php", false),
            ("/wp-content/style.css", false),
            ("/a.b/c", false),
            ("/%2eenv", true),
        ] {
            assert_eq!(SitePath::parse(raw).expect("a path").is_hidden(), expected, "{raw:?}");
        }
    }

    #[test]
    fn hosts() {
        let check = |host: &[&str], uri: &str, version: http::Version, expected: Option<&str>| {
            let mut request = http::Request::builder().uri(uri).version(version);
            for host in host {
                request = request.header(HOST, *host);
            }
            let (parts, ()) = request.body(()).expect("a request").into_parts();
            let got = authority(&parts).map(|(_, name)| name);
            assert_eq!(got.as_deref(), expected, "{host:?} {uri:?}");
        };
        let (h1, h2) = (http::Version::HTTP_11, http::Version::HTTP_2);
        check(&["Shop.Example:8443"], "/", h1, Some("shop.example"));
        check(&["shop.example."], "/", h1, Some("shop.example"));
        check(&[], "/", h1, None);
        check(&["a.example", "b.example"], "/", h1, None);
        check(&["a.example"], "http://b.example/x", h1, Some("b.example"));
        check(&[], "https://b.example/x", h2, Some("b.example"));
        check(&["a.example"], "https://b.example/x", h2, None);
        check(&["a b"], "/", h1, None);
        check(&["a.example:http"], "/", h1, None);
        check(&["[2001:db8::1]"], "/", h1, None);
        check(&["user@a.example"], "/", h1, None);
    }
}
