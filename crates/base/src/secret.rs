//! Secrets: never printed, wiped when dropped, generated from the kernel's random numbers.

use serde::{Deserialize, Serialize};
use std::fmt;
use zeroize::Zeroize;

/// A secret in clear. It shows itself only where [`Secret::reveal`] is called.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

/// No 0/O, 1/l/I: people read these aloud.
const ALPHABET: &[u8; 55] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz234567";

impl Secret {
    /// Takes a text as a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// A secret of `length` characters, 5.78 bits each, without bias.
    ///
    /// # Panics
    /// When the kernel gives no random numbers: nothing safe can be done then.
    #[must_use]
    pub fn generate(length: usize) -> Self {
        let mut text = String::with_capacity(length);
        let mut block = [0_u8; 64];
        while text.len() < length {
            getrandom::fill(&mut block).expect("the kernel gives random numbers");
            for byte in block {
                // 220 is the largest multiple of 55 below 256: what lies above would favour the first letters.
                if byte < 220 && text.len() < length {
                    text.push(char::from(ALPHABET[usize::from(byte % 55)]));
                }
            }
        }
        block.zeroize();
        Self(text)
    }

    /// The secret in clear.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_long_random_and_silent() {
        let (one, two) = (Secret::generate(24), Secret::generate(24));
        assert_eq!(one.reveal().len(), 24);
        assert_ne!(one, two);
        assert!(!format!("{one:?}").contains(one.reveal()));
    }
}
