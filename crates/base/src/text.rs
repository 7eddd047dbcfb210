//! Texts in the two languages of the house.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A language the platform speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// Danish.
    Da,
    /// English, when nothing says otherwise.
    #[default]
    En,
}

impl Language {
    /// The first language of an `Accept-Language` header (RFC 9110, 12.5.4) that we speak, by weight.
    #[must_use]
    pub fn from_accept(header: &str) -> Self {
        let mut best = (0.0_f32, Self::default());
        for part in header.split(',').take(20) {
            let mut pieces = part.split(';');
            let tag = pieces.next().unwrap_or_default().trim().to_ascii_lowercase();
            let weight = pieces
                .find_map(|piece| piece.trim().strip_prefix("q=").and_then(|q| q.parse::<f32>().ok()))
                .unwrap_or(1.0);
            let language = match tag.split('-').next() {
                Some("da") => Self::Da,
                Some("en") => Self::En,
                _ => continue,
            };
            if weight > best.0 {
                best = (weight, language);
            }
        }
        best.1
    }
}

/// One text in Danish and English.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// Danish.
    pub da: String,
    /// English.
    pub en: String,
}

impl Text {
    /// Both languages at once.
    pub fn new(da: impl Into<String>, en: impl Into<String>) -> Self {
        Self { da: da.into(), en: en.into() }
    }

    /// The text in one language.
    #[must_use]
    pub fn get(&self, language: Language) -> &str {
        match language {
            Language::Da => &self.da,
            Language::En => &self.en,
        }
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.en)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_language_is_weighed() {
        for (header, expected) in [
            ("da", Language::Da),
            ("da-DK,da;q=0.9,en;q=0.8", Language::Da),
            ("en-GB,da;q=0.4", Language::En),
            ("en;q=0.2, da;q=0.7", Language::Da),
            ("fr, *;q=0.1", Language::En),
            ("", Language::En),
        ] {
            assert_eq!(Language::from_accept(header), expected, "{header:?}");
        }
    }
}
