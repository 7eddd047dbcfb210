//! Tokens: `hus_`, the role, random letters, and a checksum that finds typing errors and lets scanners know a real one.
//! Only the SHA-256 of a token is kept; it is as random as a key, so it needs no slow hash.

use husorden_base::Secret;
use sha2::{Digest, Sha256};

/// Letters of a token between its prefix and its checksum.
const LETTERS: usize = 32;
const CHECK_LETTERS: usize = 6;
/// Longest text that is looked at as a token.
const BYTES_MAX: usize = 100;

/// What a token may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Staff,
    Account,
}

impl Role {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Staff => "staff",
            Self::Account => "account",
        }
    }
}

/// A fresh token.
pub(crate) fn generate(role: Role) -> Secret {
    let body = format!("hus_{}_{}", role.word(), Secret::generate(LETTERS).reveal());
    let check = checksum(&body);
    Secret::new(format!("{body}{check}"))
}

/// Whether a text has the form of a token; spares the database what is none.
pub(crate) fn plausible(text: &str) -> bool {
    text.len() <= BYTES_MAX
        && text.is_ascii()
        && (text.starts_with("hus_staff_") || text.starts_with("hus_account_"))
        && text.len().checked_sub(CHECK_LETTERS).is_some_and(|at| checksum(&text[..at]) == text[at..])
}

/// A fresh secret of another kind: of a session, a device, or the link in a mail.
pub(crate) fn secret(word: &str) -> Secret {
    let body = format!("hus_{word}_{}", Secret::generate(LETTERS).reveal());
    let check = checksum(&body);
    Secret::new(format!("{body}{check}"))
}

/// Whether a text has the form of any secret of ours.
pub(crate) fn plausible_secret(text: &str) -> bool {
    text.len() <= BYTES_MAX
        && text.is_ascii()
        && text.starts_with("hus_")
        && text.len().checked_sub(CHECK_LETTERS).is_some_and(|at| checksum(&text[..at]) == text[at..])
}

/// What is kept of a token.
pub(crate) fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

fn checksum(body: &str) -> String {
    hex(&Sha256::digest(body.as_bytes())[..CHECK_LETTERS / 2])
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_with_a_typing_error_is_known_at_once() {
        let token = generate(Role::Staff);
        assert!(plausible(token.reveal()));
        let mut wrong = token.reveal().to_owned();
        wrong.replace_range(20..21, if &wrong[20..21] == "A" { "B" } else { "A" });
        for bad in ["", "hus_staff_", "Bearer", "hus_staff_æøå", &wrong, &"x".repeat(10_000)] {
            assert!(!plausible(bad), "{bad:?}");
        }
    }
}
