//! How engines keep passwords: the verifier of each scheme, as the engine itself would compute it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::{digest, hmac, pbkdf2};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::num::NonZeroU32;

/// Rounds of SCRAM-SHA-256, as PostgreSQL itself takes them.
const SCRAM_ROUNDS: NonZeroU32 = NonZeroU32::new(4096).expect("it is not zero");

/// How an engine keeps a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scheme {
    /// bcrypt (`$2y$…`), which PHP's `password_verify` and `crypt(3)` read.
    Bcrypt,
    /// PostgreSQL's verifier for SCRAM-SHA-256 (RFC 5802, RFC 7677): `SCRAM-SHA-256$4096:salt$StoredKey:ServerKey`.
    ScramSha256,
    /// MySQL's native hash: `*` and SHA-1 of SHA-1 in hexadecimal. It has no salt, so it is for long random passwords.
    MysqlNative,
}

/// RFC 5802 with SHA-256, in the form that PostgreSQL stores. The password is ASCII or has been normalised.
#[must_use]
pub fn scram(password: &str, salt: &[u8]) -> String {
    let mut salted = [0; digest::SHA256_OUTPUT_LEN];
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, SCRAM_ROUNDS, salt, password.as_bytes(), &mut salted);
    let key = hmac::Key::new(hmac::HMAC_SHA256, &salted);
    let client = hmac::sign(&key, b"Client Key");
    let stored = digest::digest(&digest::SHA256, client.as_ref());
    let server = hmac::sign(&key, b"Server Key");
    let (salt, stored, server) = (STANDARD.encode(salt), STANDARD.encode(stored), STANDARD.encode(server));
    format!("SCRAM-SHA-256${SCRAM_ROUNDS}:{salt}${stored}:{server}")
}

/// `*` and SHA-1 of SHA-1, as MySQL 4.1 and later have it.
#[must_use]
pub fn mysql_native(password: &str) -> String {
    let sha1 = |bytes: &[u8]| digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, bytes);
    let twice = sha1(sha1(password.as_bytes()).as_ref());
    twice.as_ref().iter().fold("*".to_owned(), |mut text, byte| {
        let _ = write!(text, "{byte:02X}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scram_is_what_postgresql_computes() {
        // The exchange of RFC 7677, section 3: user "user", password "pencil".
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").expect("base64");
        assert_eq!(
            scram("pencil", &salt),
            "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
        );
    }

    #[test]
    fn the_native_hash_is_what_the_manual_shows() {
        assert_eq!(mysql_native("mypass"), "*6C8989366EAF75BB670AD8EA7A7FC1176A95CEF4");
    }
}
