//! Sizes in bytes, written with binary units.

use serde::de::{Deserializer, Error, Visitor};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::marker::PhantomData;
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

impl From<u64> for Bytes {
    fn from(bytes: u64) -> Self {
        Self(bytes)
    }
}

/// Reads a size as people write it in settings, `8 GiB`, or as a number of bytes. For `#[serde(deserialize_with)]`; what programs
/// say to each other stays a number.
///
/// # Errors
/// When it is neither, or too large for its type.
pub fn setting<'de, D: Deserializer<'de>, T: TryFrom<u64>>(deserializer: D) -> Result<T, D::Error> {
    struct Size<T>(PhantomData<T>);
    impl<T: TryFrom<u64>> Visitor<'_> for Size<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a size such as \"8 GiB\", or a number of bytes")
        }

        fn visit_u64<E: Error>(self, bytes: u64) -> Result<T, E> {
            T::try_from(bytes).map_err(|_| E::custom(format!("{bytes} bytes are too many here")))
        }

        fn visit_i64<E: Error>(self, bytes: i64) -> Result<T, E> {
            let bytes = u64::try_from(bytes).map_err(|_| E::custom("a size is not negative"))?;
            self.visit_u64(bytes)
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
            let Bytes(bytes) = text.parse().map_err(E::custom)?;
            self.visit_u64(bytes)
        }
    }
    deserializer.deserialize_any(Size(PhantomData))
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

    #[derive(Debug, PartialEq, Deserialize)]
    struct Settings {
        #[serde(deserialize_with = "setting")]
        pool: Bytes,
        #[serde(default, deserialize_with = "setting")]
        small: u16,
    }

    #[test]
    fn a_setting_is_a_size_or_a_number_of_bytes() {
        let read = |text: &str| serde_json::from_str::<Settings>(text).map_err(|error| error.to_string());
        assert_eq!(read(r#"{"pool": "8 GiB"}"#), Ok(Settings { pool: Bytes::gib(8), small: 0 }));
        assert_eq!(read(r#"{"pool": 17, "small": "1 KiB"}"#), Ok(Settings { pool: Bytes(17), small: 1024 }));
        for (bad, why) in [
            (r#"{"pool": -1}"#, "not negative"),
            (r#"{"pool": "8 gigs"}"#, "is no size such as"),
            (r#"{"pool": 1, "small": "64 KiB"}"#, "too many"),
            (r#"{"pool": true}"#, "a size such as"),
        ] {
            let error = read(bad).expect_err(bad);
            assert!(error.contains(why), "{bad}: {error}");
        }
    }
}
