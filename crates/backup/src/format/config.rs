//! The configuration of a repository: its version, its id, and the polynomial that stock restic cuts files by.

use crate::crypt::random;
use crate::id::Id;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Degree of the polynomial, by restic's definition.
const DEGREE: u32 = 53;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Config {
    pub(crate) version: u32,
    pub(crate) id: Id,
    #[serde(deserialize_with = "from_hex", serialize_with = "to_hex")]
    pub(crate) chunker_polynomial: u64,
}

impl Config {
    pub(crate) fn generate() -> Self {
        Self { version: 2, id: Id(random()), chunker_polynomial: polynomial() }
    }
}

fn to_hex<S: Serializer>(value: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format!("{value:x}"))
}

fn from_hex<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let text = String::deserialize(deserializer)?;
    u64::from_str_radix(&text, 16).map_err(de::Error::custom)
}

/// A random irreducible polynomial over GF(2). We do not cut by it; restic refuses a repository without one, and cuts by it when it writes
/// there itself.
fn polynomial() -> u64 {
    loop {
        let candidate = (u64::from_le_bytes(random()) & ((1 << DEGREE) - 1)) | 1 << DEGREE | 1;
        if irreducible(candidate) {
            return candidate;
        }
    }
}

fn remainder(mut value: u128, by: u64) -> u64 {
    let degree = 63 - by.leading_zeros();
    while value >> degree != 0 {
        let top = 127 - value.leading_zeros();
        value ^= u128::from(by) << (top - degree);
    }
    u64::try_from(value).expect("below the degree of the divisor")
}

fn square(value: u64, modulus: u64) -> u64 {
    // Squaring over GF(2) puts a zero between any two digits.
    let spread = (0..64).filter(|bit| value >> bit & 1 == 1).fold(0_u128, |sum, bit| sum | 1 << (bit * 2));
    remainder(spread, modulus)
}

fn coprime(one: u64, other: u64) -> bool {
    let (mut a, mut b) = (one, other);
    while b != 0 {
        (a, b) = (b, remainder(u128::from(a), b));
    }
    a == 1
}

/// Ben-Or's test: no factor of any degree up to half.
fn irreducible(candidate: u64) -> bool {
    const X: u64 = 2;
    let mut power = X;
    (1..=DEGREE / 2).all(|_| {
        power = square(power, candidate);
        coprime(candidate, power ^ X)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polynomials_that_are_known_are_judged_rightly() {
        // The one of restic's own documentation, and its product with others.
        assert!(irreducible(0x003D_A335_8B4D_C173));
        assert!(!irreducible((1 << 53) | 1), "x+1 divides it");
        assert!(!irreducible(0x003D_A335_8B4D_C172), "x divides it");
        let made = polynomial();
        assert_eq!(63 - made.leading_zeros(), DEGREE);
        let config = Config::generate();
        let text = serde_json::to_string(&config).expect("JSON");
        let back: Config = serde_json::from_str(&text).expect("the same");
        assert_eq!(back.chunker_polynomial, config.chunker_polynomial);
    }
}
