//! The variables a script is given (RFC 3875, and what PHP expects besides).

use super::record::pair;
use crate::accept::Scheme;
use crate::connection::Connection;
use crate::files::Script;
use crate::route::Route;
use http::header::{self, HeaderMap, HeaderName};
use http::request::Parts;
use std::io::Write as _;

/// Builds the variables. `length` is that of the request body.
pub(super) fn build(
    connection: &Connection,
    route: &Route,
    parts: &Parts,
    inner_root: &str,
    script: &Script,
    length: u64,
) -> Vec<u8> {
    let mut params = Vec::with_capacity(2 << 10);
    let mut add = |name: &str, value: &[u8]| pair(&mut params, name.as_bytes(), value);
    let peer = &connection.peer;
    let inner_root = inner_root.trim_end_matches('/');
    let mut number = Vec::with_capacity(20);
    let mut decimal = |value: u64| -> Vec<u8> {
        number.clear();
        // Writing to memory cannot fail.
        let _ = write!(number, "{value}");
        number.clone()
    };
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());

    add("GATEWAY_INTERFACE", b"CGI/1.1");
    add("REDIRECT_STATUS", b"200");
    add("SERVER_SOFTWARE", b"husorden");
    add("SERVER_PROTOCOL", protocol(parts.version).as_bytes());
    add("SERVER_NAME", route.host.as_bytes());
    add("SERVER_PORT", &decimal(u64::from(peer.local.port())));
    add("SERVER_ADDR", peer.local.ip().to_canonical().to_string().as_bytes());
    add("REMOTE_ADDR", peer.address.to_string().as_bytes());
    add("REMOTE_PORT", &decimal(u64::from(peer.port)));
    add("REQUEST_METHOD", parts.method.as_str().as_bytes());
    add("REQUEST_URI", target.as_bytes());
    add("QUERY_STRING", parts.uri.query().unwrap_or_default().as_bytes());
    add("DOCUMENT_ROOT", inner_root.as_bytes());
    add("DOCUMENT_URI", script.name.as_bytes());
    add("SCRIPT_NAME", script.name.as_bytes());
    add("SCRIPT_FILENAME", format!("{inner_root}{}", script.name).as_bytes());
    if !script.path_info.is_empty() {
        add("PATH_INFO", script.path_info.as_bytes());
        add("PATH_TRANSLATED", format!("{inner_root}{}", script.path_info).as_bytes());
    }
    match peer.scheme {
        Scheme::Https => {
            add("HTTPS", b"on");
            add("REQUEST_SCHEME", b"https");
        }
        Scheme::Http => add("REQUEST_SCHEME", b"http"),
    }
    // An empty one where there is no body, as PHP-FPM reads no body then.
    if length > 0 || parts.headers.contains_key(header::CONTENT_LENGTH) {
        add("CONTENT_LENGTH", &decimal(length));
    } else {
        add("CONTENT_LENGTH", b"");
    }
    let content_type = parts.headers.get(header::CONTENT_TYPE);
    add("CONTENT_TYPE", content_type.map_or(&b""[..], |value| value.as_bytes()));
    add("HTTP_HOST", route.authority.as_bytes());
    fields(&parts.headers, &mut add);
    params
}

fn protocol(version: http::Version) -> &'static str {
    match version {
        http::Version::HTTP_2 => "HTTP/2.0",
        http::Version::HTTP_10 => "HTTP/1.0",
        _ => "HTTP/1.1",
    }
}

/// The request's fields as `HTTP_` variables.
fn fields(headers: &HeaderMap, add: &mut impl FnMut(&str, &[u8])) {
    let mut variable = String::with_capacity(64);
    for name in headers.keys() {
        if !passes(name) {
            continue;
        }
        variable.clear();
        variable.push_str("HTTP_");
        variable.extend(name.as_str().chars().map(|c| if c == '-' { '_' } else { c.to_ascii_uppercase() }));
        let mut values = headers.get_all(name).iter();
        let first = values.next().map_or(&b""[..], |value| value.as_bytes());
        if values.size_hint().1 == Some(0) {
            add(&variable, first);
            continue;
        }
        let between: &[u8] = if name == header::COOKIE { b"; " } else { b", " };
        let mut joined = first.to_vec();
        for value in values {
            joined.extend_from_slice(between);
            joined.extend_from_slice(value.as_bytes());
        }
        add(&variable, &joined);
    }
}

/// Whether a field becomes a variable. `Proxy` would be taken for a proxy's address by programs that read `HTTP_PROXY`
/// (CVE-2016-5385); a name with an underscore would pass for the one with a hyphen.
fn passes(name: &HeaderName) -> bool {
    !matches!(
        *name,
        header::HOST
            | header::CONTENT_LENGTH
            | header::CONTENT_TYPE
            | header::CONNECTION
            | header::TRANSFER_ENCODING
            | header::UPGRADE
            | header::TE
            | header::TRAILER
            | header::EXPECT
    ) && !matches!(name.as_str(), "proxy" | "keep-alive" | "proxy-connection" | "http2-settings")
        && !name.as_str().contains('_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn fields_become_variables_once_and_harmless() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("accept-language", "da"),
            ("cookie", "a=1"),
            ("cookie", "b=2"),
            ("x-many", "1"),
            ("x-many", "2"),
            ("proxy", "http://192.0.2.1"),
            ("x_forwarded_for", "192.0.2.1"),
            ("content-length", "5"),
            ("host", "other.example"),
            ("connection", "close"),
            ("authorization", "Basic eA=="),
        ] {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let mut got = Vec::new();
        fields(&headers, &mut |name, value| {
            got.push(format!("{name}={}", String::from_utf8_lossy(value)));
        });
        got.sort();
        assert_eq!(
            got,
            ["HTTP_ACCEPT_LANGUAGE=da", "HTTP_AUTHORIZATION=Basic eA==", "HTTP_COOKIE=a=1; b=2", "HTTP_X_MANY=1, 2"]
        );
    }
}
