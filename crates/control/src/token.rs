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

/// The secrets of ours that stand in an address, also where it is percent-encoded, as cookies are that somebody copied.
pub(crate) fn secrets_in(address: &str) -> Vec<String> {
    let text = decoded(address);
    text.match_indices("hus_")
        .filter_map(|(at, _)| text[at..].split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next())
        .filter(|secret| plausible_secret(secret))
        .map(str::to_owned)
        .collect()
}

/// The address with what is percent-encoded in it decoded. What is no ASCII can be in no secret.
fn decoded(address: &str) -> String {
    let (mut text, mut rest) = (String::with_capacity(address.len()), address);
    while let Some(at) = rest.find('%') {
        text.push_str(&rest[..at]);
        let byte = rest.get(at + 1..at + 3).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        let (letter, taken) = byte.filter(u8::is_ascii).map_or(('%', 1), |byte| (char::from(byte), 3));
        text.push(letter);
        rest = &rest[at + taken..];
    }
    text.push_str(rest);
    text
}

/// Words of the secrets that links in mails hold.
const LINKS: [&str; 6] = ["reset", "invite", "rescue", "stop", "mailbox", "undo"];

/// Whether a secret is one of a link in a mail.
pub(crate) fn is_of_link(secret: &str) -> bool {
    LINKS.iter().any(|word| {
        secret.strip_prefix("hus_").and_then(|rest| rest.strip_prefix(word)).is_some_and(|rest| rest.starts_with('_'))
    })
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
    fn secrets_are_found_in_an_address_and_links_told_from_credentials() {
        for (word, of_link) in
            [("session", false), ("device", false), ("reset", true), ("invite", true), ("stop", true)]
        {
            let made = secret(word);
            let address = format!("/page/{}?then=/x", made.reveal());
            assert_eq!(secrets_in(&address), [made.reveal()]);
            let encoded = format!("/?s={}", made.reveal().replace('_', "%5F"));
            assert_eq!(secrets_in(&encoded), [made.reveal()]);
            assert_eq!(is_of_link(made.reveal()), of_link, "{word}");
        }
        assert!(!is_of_link(generate(Role::Account).reveal()) && !is_of_link(generate(Role::Staff).reveal()));
        for none in ["/hus_reset_x/hus_", "/%", "/%5", "/%5F%zz%æø", "/hus%5F"] {
            assert!(secrets_in(none).is_empty(), "{none}");
        }
    }

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
