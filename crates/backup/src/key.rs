//! The key of a solution's backups, and the file in the repository that it opens.
//!
//! A solution's key is 32 random bytes that live in memory. Written as text it is the repository's password for stock `restic`. In the
//! repository lies the master key, sealed with what scrypt makes of that text.

use crate::crypt::{MasterKey, random};
use crate::fault::Fault;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use husorden_base::Secret;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use zeroize::{Zeroize, Zeroizing};

/// What stands before a password whose hash is the password of the log.
const OF_LOG: &str = "husorden log ";
/// Cost of scrypt for keys of ours. The password has 256 bits of chance, so there is nothing for the cost to slow down; restic takes what the
/// file says.
const OURS_LOG_N: u8 = 10;
const OURS_R: u32 = 8;
const OURS_P: u32 = 1;
/// Most memory that opening a key may take; a key file is read before anything is known of who wrote it.
const KDF_BYTES_MAX: u64 = 256 << 20;
/// Most times over that it is done. Restic takes as many as fit into half a second, on the machine and in the moment that the key is made.
const KDF_TIMES_MAX: u32 = 64;
/// Key files that are tried: who can add files to a repository must not be able to make opening it endless.
pub(crate) const KEYS_TRIED_MAX: usize = 20;

/// The key of one solution's backups: 32 random bytes, in memory only.
#[derive(Clone)]
pub struct Key([u8; 32]);

impl Drop for Key {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

impl Key {
    /// A new one.
    #[must_use]
    pub fn generate() -> Self {
        Self(random())
    }

    /// From its bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// What stock `restic` takes as password: what a customer is given when they leave.
    #[must_use]
    pub fn password(&self) -> Secret {
        Secret::new(URL_SAFE_NO_PAD.encode(self.0))
    }

    /// The key of the log's repository, which is made of this one and tells nothing of it: a node that sends a log away each minute holds it, and
    /// not the key of the backups.
    #[must_use]
    pub fn of_log(&self) -> Self {
        let text = Zeroizing::new(format!("{OF_LOG}{}", self.password().reveal()));
        Self(Sha256::digest(text.as_bytes()).into())
    }

    /// From an exported password.
    ///
    /// # Errors
    /// When it is not one of ours.
    pub fn from_password(password: &Secret) -> Result<Self, Fault> {
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(password.reveal().trim()).map_err(|_| Fault::WrongKey)?);
        Ok(Self(bytes.as_slice().try_into().map_err(|_| Fault::WrongKey)?))
    }
}

/// A file under `keys/`, as restic writes it.
#[derive(Serialize, Deserialize)]
pub(crate) struct KeyFile {
    created: String,
    username: String,
    hostname: String,
    kdf: String,
    #[serde(rename = "N")]
    n: u64,
    r: u32,
    p: u32,
    salt: String,
    data: String,
}

impl KeyFile {
    pub(crate) fn new(master: &MasterKey, password: &Secret, now: jiff::Timestamp) -> Self {
        let salt = random::<64>();
        let user = derive(password, &salt, OURS_LOG_N, OURS_R, OURS_P).expect("our own cost is allowed");
        Self {
            created: now.to_string(),
            username: "husorden".to_owned(),
            hostname: String::new(),
            kdf: "scrypt".to_owned(),
            n: 1 << OURS_LOG_N,
            r: OURS_R,
            p: OURS_P,
            salt: STANDARD.encode(salt),
            data: STANDARD.encode(user.seal(&master.to_json())),
        }
    }

    /// How dear it is to try: the cheap ones, which are ours, go first.
    pub(crate) fn cost(&self) -> u64 {
        self.n.saturating_mul(u64::from(self.r)).saturating_mul(u64::from(self.p))
    }

    /// The master key, when this password opens it.
    pub(crate) fn open(&self, password: &Secret) -> Option<MasterKey> {
        if self.kdf != "scrypt" || !self.n.is_power_of_two() || self.n < 2 {
            return None;
        }
        let bytes = self.n.saturating_mul(u64::from(self.r)).saturating_mul(128);
        if bytes > KDF_BYTES_MAX || self.p > KDF_TIMES_MAX {
            return None;
        }
        let salt = STANDARD.decode(&self.salt).ok()?;
        let data = STANDARD.decode(&self.data).ok()?;
        let user = derive(password, &salt, u8::try_from(self.n.ilog2()).ok()?, self.r, self.p)?;
        MasterKey::from_json(&Zeroizing::new(user.open("key", &data).ok()?))
    }
}

fn derive(password: &Secret, salt: &[u8], log_n: u8, r: u32, p: u32) -> Option<MasterKey> {
    let parameters = scrypt::Params::new(log_n, r, p).ok()?;
    let mut derived = Zeroizing::new([0; 64]);
    scrypt::scrypt(password.reveal().as_bytes(), salt, &parameters, derived.as_mut_slice()).ok()?;
    Some(MasterKey::from_bytes(&derived))
}
