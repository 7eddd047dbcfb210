//! Passwords of solutions: made at random or chosen, and kept only in the form in which the engine checks them.

use crate::app::App;
use crate::fault::Fault;
use crate::identity::password;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use husorden_base::Secret;
use husorden_kinds::Scheme;
use ring::{digest, hmac, pbkdf2};
use std::fmt::Write as _;
use std::num::NonZeroU32;

/// Letters of one that is made: 116 bits.
const LETTERS: usize = 20;
/// bcrypt rounds as a power of two: about 50 ms, for passwords that are random and long.
const BCRYPT_COST: u32 = 10;
/// Rounds of SCRAM-SHA-256, as PostgreSQL itself takes them.
const SCRAM_ROUNDS: NonZeroU32 = NonZeroU32::new(4096).expect("it is not zero");
const SALT_BYTES: usize = 16;

/// A fresh password and its hash.
pub(crate) async fn make(scheme: Scheme) -> Result<(Secret, String), Fault> {
    let password = Secret::generate(LETTERS);
    let hash = hash(&password, scheme).await?;
    Ok((password, hash))
}

/// A hash that no password leads to: for a user whose password is yet to be asked for.
pub(crate) async fn none(scheme: Scheme) -> Result<String, Fault> {
    Ok(make(scheme).await?.1)
}

/// The hash of a password that somebody chose; refused where the house's judge refuses it.
pub(crate) async fn chosen(
    app: &App,
    pointer: &str,
    text: &str,
    words: &[&str],
    scheme: Scheme,
) -> Result<String, Fault> {
    let given = password::given(pointer, text)?;
    let password = password::check(app, pointer, &given, words, false).await?;
    hash(&password, scheme).await
}

async fn hash(password: &Secret, scheme: Scheme) -> Result<String, Fault> {
    let secret = password.clone();
    // Hashing takes up to tens of milliseconds, so it is not done on the tasks' threads.
    let hashed = tokio::task::spawn_blocking(move || match scheme {
        Scheme::Bcrypt => bcrypt::hash_with_result(secret.reveal(), BCRYPT_COST)
            .map(|parts| parts.format_for_version(bcrypt::Version::TwoY))
            .map_err(|error| Fault::broken("hashing a password")(Box::new(error))),
        Scheme::ScramSha256 => {
            let mut salt = [0; SALT_BYTES];
            getrandom::fill(&mut salt).map_err(|error| Fault::broken("drawing a salt")(error.to_string().into()))?;
            Ok(scram(secret.reveal(), &salt))
        }
        Scheme::MysqlNative => Ok(mysql_native(secret.reveal())),
    });
    hashed.await.map_err(|error| Fault::broken("hashing a password")(Box::new(error)))?
}

/// RFC 5802 with SHA-256, in the form that PostgreSQL stores. The password is ASCII or has been normalised.
fn scram(password: &str, salt: &[u8]) -> String {
    let mut salted = [0; digest::SHA256_OUTPUT_LEN];
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, SCRAM_ROUNDS, salt, password.as_bytes(), &mut salted);
    let key = hmac::Key::new(hmac::HMAC_SHA256, &salted);
    let client = hmac::sign(&key, b"Client Key");
    let stored = digest::digest(&digest::SHA256, client.as_ref());
    let server = hmac::sign(&key, b"Server Key");
    let text = |bytes: &[u8]| STANDARD.encode(bytes);
    format!("SCRAM-SHA-256${SCRAM_ROUNDS}:{}${}:{}", text(salt), text(stored.as_ref()), text(server.as_ref()))
}

/// `*` and SHA-1 of SHA-1, as MySQL 4.1 and later have it.
fn mysql_native(password: &str) -> String {
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
        let verifier = scram("pencil", &salt);
        assert_eq!(
            verifier,
            "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
        );
    }

    #[test]
    fn the_native_hash_is_what_the_manual_shows() {
        assert_eq!(mysql_native("mypass"), "*6C8989366EAF75BB670AD8EA7A7FC1176A95CEF4");
    }
}
