//! Sizes in bytes, written with binary units.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A number of bytes. In JSON it is a plain number; people may write `512 MiB`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bytes(pub u64);

const UNITS: [(&str, u64); 5] = [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

impl Bytes {
    /// So many mebibytes.
    #[must_use]
    pub const fn mib(count: u64) -> Self {
        Self(count << 20)
    }

    /// So many gibibytes.
    #[must_use]
    pub const fn gib(count: u64) -> Self {
        Self(count << 30)
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, size) = UNITS.into_iter().find(|(_, size)| self.0 >= *size).unwrap_or(("B", 1));
        if self.0.is_multiple_of(size) {
            write!(f, "{} {unit}", self.0 / size)
        } else {
            #[allow(clippy::cast_precision_loss, reason = "one decimal is shown")]
            let value = self.0 as f64 / size as f64;
            write!(f, "{value:.1} {unit}")
        }
    }
}

impl FromStr for Bytes {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let wrong = || format!("{text:?} is no size such as 512 MiB or 10 GiB");
        let count: u64 = text[..split].parse().map_err(|_| wrong())?;
        let unit = text[split..].trim();
        let size = UNITS
            .into_iter()
            .find(|(name, _)| {
                unit.eq_ignore_ascii_case(name)
                    || (unit.len() == 1 && name.len() == 3 && name[..1].eq_ignore_ascii_case(unit))
            })
            .map(|(_, size)| size)
            .or(unit.is_empty().then_some(1))
            .ok_or_else(wrong)?;
        count.checked_mul(size).map(Self).ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_written() {
        for (text, bytes) in [("512 MiB", 512 << 20), ("10GiB", 10 << 30), ("2g", 2 << 30), ("17", 17), ("0 B", 0)] {
            assert_eq!(text.parse::<Bytes>(), Ok(Bytes(bytes)), "{text}");
        }
        for bad in ["", "GiB", "1.5 GiB", "99999999999 TiB", "3 parsecs", "-1"] {
            assert!(bad.parse::<Bytes>().is_err(), "{bad}");
        }
        assert_eq!(Bytes::gib(2).to_string(), "2 GiB");
        assert_eq!(Bytes(1_610_612_736).to_string(), "1.5 GiB");
    }
}
