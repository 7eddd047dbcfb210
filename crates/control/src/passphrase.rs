//! Passwords of solutions: made at random or chosen, and kept only in the form in which the engine checks them.

use crate::app::App;
use crate::fault::Fault;
use crate::identity::password;
use husorden_base::Secret;
use husorden_kinds::Scheme;
use husorden_kinds::scheme::{crypt_salt, mysql_native, scram, sha512_crypt};

/// Letters of one that is made: 116 bits.
const LETTERS: usize = 20;
/// bcrypt rounds as a power of two: about 50 ms, for passwords that are random and long.
const BCRYPT_COST: u32 = 10;
const SALT_BYTES: usize = 16;

/// A fresh password and its hash.
pub(crate) async fn make(scheme: Scheme) -> Result<(Secret, String), Fault> {
    let password = Secret::generate(LETTERS);
    let hash = hash(&password, scheme).await?;
    Ok((password, hash))
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
        Scheme::ScramSha256 => Ok(scram(secret.reveal(), &drawn::<SALT_BYTES>()?)),
        Scheme::MysqlNative => Ok(mysql_native(secret.reveal())),
        Scheme::Sha512Crypt => Ok(sha512_crypt(secret.reveal(), &crypt_salt(&drawn()?))),
    });
    hashed.await.map_err(|error| Fault::broken("hashing a password")(Box::new(error)))?
}

/// Random bytes for a salt.
fn drawn<const BYTES: usize>() -> Result<[u8; BYTES], Fault> {
    let mut salt = [0; BYTES];
    getrandom::fill(&mut salt).map_err(|error| Fault::broken("drawing a salt")(error.to_string().into()))?;
    Ok(salt)
}
