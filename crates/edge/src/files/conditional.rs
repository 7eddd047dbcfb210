//! Conditional and range requests (RFC 9110, 13 and 14).

use super::cache::Entry;
use http::header::{self, HeaderMap, HeaderName};
use http::{HeaderValue, Method};
use std::time::SystemTime;

/// What the preconditions say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    Send,
    NotModified,
    Failed,
}

/// Holds a request's preconditions against a file, in the order of RFC 9110, 13.2.2.
pub(crate) fn check(headers: &HeaderMap, entry: &Entry, method: &Method) -> Condition {
    if let Some(tags) = headers.get(header::IF_MATCH) {
        if !lists(tags, &entry.etag, false) {
            return Condition::Failed;
        }
    } else if let Some(since) = date(headers, header::IF_UNMODIFIED_SINCE)
        && entry.modified > since
    {
        return Condition::Failed;
    }
    let unchanged = match headers.get(header::IF_NONE_MATCH) {
        Some(tags) => lists(tags, &entry.etag, true),
        None => date(headers, header::IF_MODIFIED_SINCE).is_some_and(|since| entry.modified <= since),
    };
    match unchanged {
        true if method == Method::GET || method == Method::HEAD => Condition::NotModified,
        true => Condition::Failed,
        false => Condition::Send,
    }
}

/// Whether a list of entity tags holds ours; weakly compared where `weak` says so (RFC 9110, 8.8.3.2).
fn lists(tags: &HeaderValue, ours: &HeaderValue, weak: bool) -> bool {
    let (Ok(tags), Ok(ours)) = (tags.to_str(), ours.to_str()) else { return false };
    tags.split(',')
        .map(str::trim)
        .any(|tag| tag == "*" || tag == ours || (weak && tag.strip_prefix("W/") == Some(ours)))
}

fn date(headers: &HeaderMap, name: HeaderName) -> Option<SystemTime> {
    httpdate::parse_http_date(headers.get(name)?.to_str().ok()?).ok()
}

/// Which part of a file is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slice {
    Whole,
    /// From `start` up to but without `end`.
    Part {
        start: u64,
        end: u64,
    },
    Outside,
}

/// The one range a request asks for. A range that cannot be understood, and a request for several, gets the whole file, as
/// RFC 9110, 14.2 allows.
pub(crate) fn slice(headers: &HeaderMap, entry: &Entry, length: u64) -> Slice {
    let Some(range) = headers.get(header::RANGE).and_then(|value| value.to_str().ok()) else {
        return Slice::Whole;
    };
    if let Some(validator) = headers.get(header::IF_RANGE) {
        let same = if validator.as_bytes().starts_with(b"\"") {
            *validator == entry.etag
        } else {
            *validator == entry.last_modified
        };
        if !same {
            return Slice::Whole;
        }
    }
    parse_range(range, length)
}

fn parse_range(range: &str, length: u64) -> Slice {
    let Some((first, last)) =
        range.strip_prefix("bytes=").filter(|spec| !spec.contains(',')).and_then(|spec| spec.trim().split_once('-'))
    else {
        return Slice::Whole;
    };
    let number = |text: &str| -> Option<u64> {
        (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().unwrap_or(u64::MAX))
    };
    match (number(first), number(last)) {
        (Some(start), _) if start >= length && (last.is_empty() || number(last).is_some()) => Slice::Outside,
        (Some(start), None) if last.is_empty() => Slice::Part { start, end: length },
        (Some(start), Some(last)) if last >= start => Slice::Part { start, end: last.saturating_add(1).min(length) },
        (None, Some(0)) if first.is_empty() => Slice::Outside,
        (None, Some(_)) if first.is_empty() && length == 0 => Slice::Outside,
        (None, Some(count)) if first.is_empty() => Slice::Part { start: length.saturating_sub(count), end: length },
        _ => Slice::Whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let part = |start, end| Slice::Part { start, end };
        for (range, length, expected) in [
            ("bytes=0-0", 10, part(0, 1)),
            ("bytes=2-5", 10, part(2, 6)),
            ("bytes=2-", 10, part(2, 10)),
            ("bytes=2-99", 10, part(2, 10)),
            ("bytes=-3", 10, part(7, 10)),
            ("bytes=-30", 10, part(0, 10)),
            ("bytes=-0", 10, Slice::Outside),
            ("bytes=10-", 10, Slice::Outside),
            ("bytes=10-12", 10, Slice::Outside),
            ("bytes=0-", 0, Slice::Outside),
            ("bytes=5-2", 10, Slice::Whole),
            ("bytes=0-1,3-4", 10, Slice::Whole),
            ("bytes=a-b", 10, Slice::Whole),
            ("bytes=-", 10, Slice::Whole),
            ("lines=0-1", 10, Slice::Whole),
            ("bytes=99999999999999999999-", 10, Slice::Outside),
        ] {
            assert_eq!(parse_range(range, length), expected, "{range} of {length}");
        }
    }
}
