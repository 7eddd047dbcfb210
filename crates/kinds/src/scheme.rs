//! How engines keep passwords: the verifier of each scheme, as the engine itself would compute it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::{digest, hmac, pbkdf2};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha512};
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
    /// SHA-512 as `crypt(3)` has it (`$6$salt$…`), which systems keep the passwords of their users by.
    Sha512Crypt,
}

/// Rounds of SHA-512 that are meant where none are said.
const CRYPT_ROUNDS: usize = 5000;
/// The signs of `crypt(3)`, six bits each.
const CRYPT_SIGNS: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

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

/// A salt for [`sha512_crypt`], of twelve random bytes.
#[must_use]
pub fn crypt_salt(bytes: &[u8; 12]) -> String {
    bytes.chunks_exact(3).flat_map(|three| signs([three[0], three[1], three[2]], 4)).collect()
}

/// Three bytes as signs, the lowest six bits first.
fn signs([high, middle, low]: [u8; 3], count: usize) -> impl Iterator<Item = char> {
    let bits = u32::from(high) << 16 | u32::from(middle) << 8 | u32::from(low);
    (0..count).map(move |at| char::from(CRYPT_SIGNS[(bits >> (6 * at) & 0x3f) as usize]))
}

/// SHA-512 as `crypt(3)` has it ("Unix crypt using SHA-256 and SHA-512", Drepper 2007), with 5000 rounds. The salt is of its signs, sixteen at most.
#[must_use]
pub fn sha512_crypt(password: &str, salt: &str) -> String {
    let (key, salt_bytes) = (password.as_bytes(), salt.as_bytes());
    // A digest, repeated to the length of something.
    let repeated = |digest: &[u8], length: usize| digest.iter().copied().cycle().take(length).collect::<Vec<u8>>();
    let other = Sha512::new().chain_update(key).chain_update(salt_bytes).chain_update(key).finalize();
    let mut first = Sha512::new().chain_update(key).chain_update(salt_bytes).chain_update(repeated(&other, key.len()));
    let mut length = key.len();
    while length > 0 {
        if length & 1 == 1 {
            first.update(other)
        } else {
            first.update(key)
        }
        length >>= 1;
    }
    let first = first.finalize();
    let keys = (0..key.len()).fold(Sha512::new(), |sum, _| sum.chain_update(key)).finalize();
    let keys = repeated(&keys, key.len());
    let salts = (0..16 + usize::from(first[0])).fold(Sha512::new(), |sum, _| sum.chain_update(salt_bytes)).finalize();
    let salts = repeated(&salts, salt_bytes.len());
    let mut last = first;
    for round in 0..CRYPT_ROUNDS {
        let mut next = Sha512::new();
        if round % 2 == 1 {
            next.update(&keys)
        } else {
            next.update(last)
        }
        if round % 3 != 0 {
            next.update(&salts);
        }
        if round % 7 != 0 {
            next.update(&keys);
        }
        if round % 2 == 1 {
            next.update(last)
        } else {
            next.update(&keys)
        }
        last = next.finalize();
    }
    // The bytes in three columns of 21, of which each row begins one further on.
    let row = |at: usize| {
        let column = [at, at + 21, at + 42];
        [0, 1, 2].map(|turn| last[column[(turn + at) % 3]])
    };
    let hash: String = (0..21).flat_map(|at| signs(row(at), 4)).chain(signs([0, 0, last[63]], 2)).collect();
    format!("$6${salt}${hash}")
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

    #[test]
    fn sha512_crypt_is_what_crypt_computes() {
        let check = |password: &str, salt: &str, expected: &str| {
            assert_eq!(sha512_crypt(password, salt), format!("$6${salt}${expected}"));
        };
        // As `openssl passwd -6 -salt` says; the first is the paper's own.
        check(
            "Hello world!",
            "saltstring",
            "svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
        );
        check(
            "a short string",
            "roundstoolow",
            "pp8acAjqb30fokxnFfQ..R9tCzJp3.3YnsHreQNJqzs7Cx.LIaX3Lno97ngDUdqKKLL0fRgWElY02aQhduzYP0",
        );
        let long = "we have a short salt string but not a short password, longer than sixty-four bytes";
        check(
            long,
            "abcdefghijklmnop",
            "b9nSu4TZrNbOthMdoVfe.iwsxpO9QUD629jn4/JqWKCRLizMXfNJ5VpdC09MTnH67gtH/nUrn6rpv.Ie8XRrB1",
        );
        assert_eq!(crypt_salt(&[0, 0, 1, 255, 255, 255, 0, 0, 0, 0, 0, 64]), "/...zzzz...../..");
    }
}
