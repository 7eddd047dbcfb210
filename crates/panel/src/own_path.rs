//! A path of our own: the only thing a redirect can lead to.

use std::fmt;

/// Longest path that is led to.
const CHARS_MAX: usize = 1_000;

/// A path, with its query, on the host that was asked. What could lead elsewhere cannot be one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OwnPath(String);

impl OwnPath {
    /// Parses a path. Refused: other hosts (`//evil.example`, `/\evil.example`), schemes, and what no header may hold.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let fine = text.starts_with('/')
            && !text.starts_with("//")
            && text.len() <= CHARS_MAX
            && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
        fine.then(|| Self(text.to_owned()))
    }

    /// A path that the code itself states.
    pub(crate) fn of(text: impl Into<String>) -> Self {
        let text = text.into();
        Self::parse(&text).unwrap_or_else(Self::home)
    }

    /// The first page.
    pub(crate) fn home() -> Self {
        Self("/".to_owned())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OwnPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_stays_here() {
        for (text, own) in [
            ("/", true),
            ("/solutions/shop?tab=events#top", true),
            ("//evil.example", false),
            ("/\\evil.example", false),
            ("/a\\b", false),
            ("https://evil.example/", false),
            ("javascript:alert(1)", false),
            ("/a\r\nSet-Cookie: x=1", false),
            ("/a b", false),
            ("/\t/evil.example", false),
            ("/æ", false),
            ("", false),
        ] {
            assert_eq!(OwnPath::parse(text).is_some(), own, "{text:?}");
        }
        assert_eq!(OwnPath::of("//evil.example"), OwnPath::home());
    }
}
