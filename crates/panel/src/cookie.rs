//! Cookies: all of them `__Host-`, so that no other host, port-forward or plain-HTTP page can plant or read one.

use http::{HeaderMap, HeaderValue, header};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// The session: a secret of the API, kept by the browser for us.
pub(crate) const SESSION: &str = "__Host-session";
/// What forms of a visitor without a session are bound to.
pub(crate) const VISIT: &str = "__Host-visit";
/// A sentence for the next page.
pub(crate) const FLASH: &str = "__Host-flash";
/// What the API gave a browser that has logged in whole; sent with its next log-in.
pub(crate) const DEVICE: &str = "__Host-device";
/// The language that was chosen.
pub(crate) const LANGUAGE: &str = "__Host-language";
/// Light or dark, where it was chosen.
pub(crate) const THEME: &str = "__Host-theme";

/// Most bytes of one cookie that are looked at.
const VALUE_BYTES_MAX: usize = 4_096;

/// How long a cookie stays.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stay {
    /// Until the browser is closed.
    Browser,
    /// For so many seconds.
    Seconds(u32),
}

/// The first cookie of this name, decoded.
pub(crate) fn read(headers: &HeaderMap, name: &str) -> Option<String> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(found, value)| *found == name && value.len() <= VALUE_BYTES_MAX)
        .and_then(|(_, value)| percent_decode_str(value).decode_utf8().ok().map(|text| text.into_owned()))
}

/// A cookie on its way out. The value is encoded, so that nothing in it can end the header or add an attribute.
pub(crate) fn set(name: &str, value: &str, stay: Stay) -> HeaderValue {
    let value = utf8_percent_encode(value, NON_ALPHANUMERIC);
    let age = match stay {
        Stay::Browser => String::new(),
        Stay::Seconds(seconds) => format!("; Max-Age={seconds}"),
    };
    let text = format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite=Lax{age}");
    HeaderValue::from_str(&text).expect("an encoded value is visible ASCII")
}

/// Takes a cookie away.
pub(crate) fn clear(name: &str) -> HeaderValue {
    set(name, "", Stay::Seconds(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_stays_a_value() {
        for value in ["plain", "a; Domain=evil.example", "two\r\nSet-Cookie: x=1", "æøå \u{202e}", ""] {
            let line = set(FLASH, value, Stay::Browser);
            let text = line.to_str().expect("ASCII").to_owned();
            assert_eq!(text.matches(';').count(), 4, "{text}");
            let mut headers = HeaderMap::new();
            let pair = text.split(';').next().expect("a pair");
            headers.insert(header::COOKIE, HeaderValue::from_str(&format!("other=1; {pair}")).expect("a header"));
            assert_eq!(read(&headers, FLASH).as_deref(), Some(value));
            assert_eq!(read(&headers, SESSION), None);
        }
    }
}
