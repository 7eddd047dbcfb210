//! Names that people choose: of solutions, domains and runtimes.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

macro_rules! parsed_text {
    ($name:ident) => {
        impl $name {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl TryFrom<String> for $name {
            type Error = String;
            fn try_from(text: String) -> Result<Self, String> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }
    };
}

/// The name of a solution, unique in its account: 1 to 63 of a–z, 0–9 and inner hyphens, as a DNS label.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);
parsed_text!(Name);

impl FromStr for Name {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if is_label(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err("a name has 1 to 63 characters of a-z, 0-9 and hyphens, and no hyphen first or last".to_owned())
        }
    }
}

/// A runtime of the catalogue, such as `php-8.4`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RuntimeName(String);
parsed_text!(RuntimeName);

impl FromStr for RuntimeName {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let fine = !text.is_empty()
            && text.len() <= 63
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.'))
            && text.bytes().next().is_some_and(|b| b.is_ascii_lowercase())
            && !text.contains("..");
        if fine { Ok(Self(text.to_owned())) } else { Err(format!("{text:?} is no runtime name such as php-8.4")) }
    }
}

/// A fully qualified domain name in its ASCII form (RFC 5890 A-labels), lower case, without the last dot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Domain(String);
parsed_text!(Domain);

impl Domain {
    /// The longest name in octets without the last dot (RFC 1035, 2.3.4, in presentation form).
    pub const LENGTH_MAX: usize = 253;
}

impl FromStr for Domain {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.strip_suffix('.').unwrap_or(text);
        if text.is_empty() {
            return Err("a domain is needed, such as www.shop.example".to_owned());
        }
        if text.contains('*') {
            return Err("wildcards are not accepted: name each domain".to_owned());
        }
        if text.len() > 4 * Self::LENGTH_MAX {
            return Err(format!("a domain has at most {} characters", Self::LENGTH_MAX));
        }
        if text.parse::<std::net::IpAddr>().is_ok() {
            return Err("an address is no domain".to_owned());
        }
        let ascii = idna::domain_to_ascii_strict(text).map_err(|_| {
            format!(
                "{text:?} is no valid domain name: letters, digits and inner hyphens, at most 63 a label and 253 in all"
            )
        })?;
        if ascii.len() > Self::LENGTH_MAX {
            return Err(format!("a domain has at most {} characters, this has {}", Self::LENGTH_MAX, ascii.len()));
        }
        if !ascii.contains('.') {
            return Err(format!("{text:?} has no dot: give the whole name, such as www.{ascii}.example"));
        }
        if ascii.split('.').next_back().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit())) {
            return Err("the last part of a domain is no number".to_owned());
        }
        if !ascii.split('.').all(is_label) {
            return Err(format!("{text:?} is no valid domain name"));
        }
        Ok(Self(ascii))
    }
}

fn is_label(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains() {
        let long_label = format!("{}.example", "a".repeat(64));
        let long_name = format!("{}example", "abcdefgh.".repeat(40));
        for (text, expected) in [
            ("www.Shop.example", Some("www.shop.example")),
            ("www.shop.example.", Some("www.shop.example")),
            ("blåbær.example", Some("xn--blbr-roah.example")),
            ("*.shop.example", None),
            ("localhost", None),
            ("192.0.2.1", None),
            ("a.b.1", None),
            ("a..example", None),
            ("-a.example", None),
            ("a_b.example", None),
            ("", None),
            ("a b.example", None),
            ("a/b.example", None),
            (long_label.as_str(), None),
            (long_name.as_str(), None),
        ] {
            let got = text.parse::<Domain>().ok();
            assert_eq!(got.as_ref().map(Domain::as_str), expected, "{text:?}");
        }
    }

    #[test]
    fn names() {
        assert!("my-site".parse::<Name>().is_ok());
        for bad in ["", "-a", "a-", "A", "a b", "æ", "a.b"] {
            assert!(bad.parse::<Name>().is_err(), "{bad:?}");
        }
        assert!("php-8.4".parse::<RuntimeName>().is_ok());
        for bad in ["", "../x", "php/8", "8php", "p..p"] {
            assert!(bad.parse::<RuntimeName>().is_err(), "{bad:?}");
        }
    }
}
