//! The head of a script's answer (RFC 3875, 6.2 and 6.3).

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};

/// The head may always have this many bytes, whatever requests may have.
pub(super) const BYTES_MIN: usize = 64 << 10;
const FIELDS_MAX: usize = 200;

/// The head, parsed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// Bytes of the body, where the script says so.
    pub(super) length: Option<u64>,
}

/// Splits what a script wrote after the empty line that ends the head; `None` while there is no such line.
pub(super) fn split(written: &mut BytesMut) -> Option<(Bytes, Bytes)> {
    let mut start = 0;
    loop {
        let line_end = start + written[start..].iter().position(|&byte| byte == b'\n')?;
        let line = &written[start..line_end];
        if line.is_empty() || line == b"\r" {
            let head = written.split_to(line_end + 1).freeze();
            return Some((head, written.split().freeze()));
        }
        start = line_end + 1;
    }
}

/// Parses a head; says what is wrong with one that is none.
pub(super) fn parse(head: &[u8]) -> Result<Head, String> {
    let mut headers = HeaderMap::new();
    let mut status = None;
    let mut count = 0;
    for line in head.split(|&byte| byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            continue;
        }
        count += 1;
        if count > FIELDS_MAX {
            return Err(format!("the answer has more than {FIELDS_MAX} header fields"));
        }
        let shown = || String::from_utf8_lossy(&line[..line.len().min(80)]).into_owned();
        let colon =
            line.iter().position(|&byte| byte == b':').ok_or_else(|| format!("no header field: {}", shown()))?;
        let value = line[colon + 1..].trim_ascii();
        let name = HeaderName::from_bytes(&line[..colon]).map_err(|_| format!("no header field: {}", shown()))?;
        let value = HeaderValue::from_bytes(value).map_err(|_| format!("no header value: {}", shown()))?;
        if name.as_str() == "status" {
            let code = value.as_bytes().get(..3).and_then(|code| StatusCode::from_bytes(code).ok());
            let code = code.filter(|code| code.as_u16() >= 200);
            status = Some(code.ok_or_else(|| format!("no status: {}", shown()))?);
        } else if !is_of_the_connection(&name) {
            headers.append(name, value);
        }
    }
    if count == 0 {
        return Err("the answer has no header".to_owned());
    }
    let length = one_length(&mut headers)?;
    let status = status
        .unwrap_or_else(|| if headers.contains_key(header::LOCATION) { StatusCode::FOUND } else { StatusCode::OK });
    Ok(Head { status, headers, length })
}

/// Fields that say something about a connection are not a script's to say (RFC 9110, 7.6.1).
fn is_of_the_connection(name: &HeaderName) -> bool {
    matches!(*name, header::CONNECTION | header::TRANSFER_ENCODING | header::UPGRADE | header::TE | header::TRAILER)
        || matches!(name.as_str(), "keep-alive" | "proxy-connection")
}

fn one_length(headers: &mut HeaderMap) -> Result<Option<u64>, String> {
    let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter();
    let Some(first) = lengths.next() else { return Ok(None) };
    if lengths.any(|other| other != first) {
        return Err("the answer has two lengths".to_owned());
    }
    let length = first
        .to_str()
        .ok()
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|text| text.parse::<u64>().ok())
        .ok_or_else(|| "the answer's length is no number".to_owned())?;
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    Ok(Some(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads() {
        let check = |written: &str, expected: Option<(u16, Option<u64>, &str)>| {
            let mut buffer = BytesMut::from(written);
            let (head, rest) = split(&mut buffer).expect("a whole head");
            let got = parse(&head).ok().map(|head| (head.status.as_u16(), head.length, rest));
            let expected =
                expected.map(|(status, length, rest)| (status, length, Bytes::copy_from_slice(rest.as_bytes())));
            assert_eq!(got, expected, "{written:?}");
        };
        check("Content-Type: text/html\r\n\r\nbody", Some((200, None, "body")));
        check("Status: 404 Not Found\nContent-Type: x/y\n\n", Some((404, None, "")));
        check("Location: /x\r\n\r\n", Some((302, None, "")));
        check("Status: 301\r\nLocation: /x\r\nContent-Length: 3\r\n\r\nabc", Some((301, Some(3), "abc")));
        check("Content-Length: 3\r\nContent-Length: 4\r\n\r\n", None);
        check("Content-Length: -3\r\n\r\n", None);
        check("Status: 100 Continue\r\n\r\n", None);
        check("Status: abc\r\n\r\n", None);
        check("PHP Warning\r\n\r\n", None);
        check("\r\nbody", None);
        assert!(split(&mut BytesMut::from("Content-Type: text/html\r\n")).is_none());
        let many = "X-A: b\r\n".repeat(FIELDS_MAX + 1) + "\r\n";
        check(&many, None);
    }

    #[test]
    fn a_script_says_nothing_about_the_connection() {
        let head =
            parse(b"Connection: close\r\nTransfer-Encoding: chunked\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\n")
                .expect("a head");
        assert_eq!(head.headers.len(), 2);
        assert_eq!(head.headers.get_all(header::SET_COOKIE).iter().count(), 2);
    }
}
