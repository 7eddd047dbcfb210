//! Restic's sealing: AES-256 in counter mode, authenticated by Poly1305-AES.
//!
//! A sealed text is 16 random bytes, the ciphertext, and 16 bytes of authentication. The authentication is looked at before a byte is
//! decrypted.

use crate::fault::Fault;
use aes::cipher::{BlockCipherEncrypt, KeyInit, KeyIvInit, StreamCipher};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use husorden_base::Secret;
use poly1305::Poly1305;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

/// Bytes that sealing adds.
pub(crate) const SEAL_BYTES: usize = 32;
const HALF: usize = 16;

type Counter = ctr::Ctr128BE<aes::Aes256>;

/// The key that everything in a repository is sealed with. It lies in the repository, wrapped by keys people hold.
#[derive(Clone)]
pub(crate) struct MasterKey {
    encrypt: [u8; 32],
    mac_k: [u8; 16],
    mac_r: [u8; 16],
}

#[derive(Serialize, Deserialize)]
struct Stored {
    mac: StoredMac,
    encrypt: Secret,
}

#[derive(Serialize, Deserialize)]
struct StoredMac {
    k: Secret,
    r: Secret,
}

/// Fills a buffer from the kernel's random numbers.
///
/// # Panics
/// When the kernel gives none: nothing safe can be done then.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the kernel gives random numbers");
    bytes
}

impl Drop for MasterKey {
    fn drop(&mut self) {
        self.encrypt.zeroize();
        self.mac_k.zeroize();
        self.mac_r.zeroize();
    }
}

impl MasterKey {
    pub(crate) fn generate() -> Self {
        Self::from_bytes(&Zeroizing::new(random::<64>()))
    }

    /// Cipher key, then `k` and `r` of the authentication, as scrypt's output is divided.
    pub(crate) fn from_bytes(bytes: &[u8; 64]) -> Self {
        let mut key = Self { encrypt: [0; 32], mac_k: [0; 16], mac_r: [0; 16] };
        key.encrypt.copy_from_slice(&bytes[..32]);
        key.mac_k.copy_from_slice(&bytes[32..48]);
        key.mac_r.copy_from_slice(&bytes[48..]);
        key
    }

    pub(crate) fn to_json(&self) -> Zeroizing<Vec<u8>> {
        let text = |bytes: &[u8]| Secret::new(STANDARD.encode(bytes));
        let stored =
            Stored { mac: StoredMac { k: text(&self.mac_k), r: text(&self.mac_r) }, encrypt: text(&self.encrypt) };
        Zeroizing::new(serde_json::to_vec(&stored).expect("texts are JSON"))
    }

    pub(crate) fn from_json(json: &[u8]) -> Option<Self> {
        let stored: Stored = serde_json::from_slice(json).ok()?;
        let bytes = |text: &Secret| STANDARD.decode(text.reveal()).ok().map(Zeroizing::new);
        Some(Self {
            encrypt: bytes(&stored.encrypt)?.as_slice().try_into().ok()?,
            mac_k: bytes(&stored.mac.k)?.as_slice().try_into().ok()?,
            mac_r: bytes(&stored.mac.r)?.as_slice().try_into().ok()?,
        })
    }

    fn tag(&self, nonce: &[u8; HALF], ciphertext: &[u8]) -> [u8; HALF] {
        let mut pad = aes::Block::from(*nonce);
        aes::Aes128::new(&self.mac_k.into()).encrypt_block(&mut pad);
        let mut key = poly1305::Key::default();
        key[..HALF].copy_from_slice(&self.mac_r);
        key[HALF..].copy_from_slice(&pad);
        Poly1305::new(&key).compute_unpadded(ciphertext).into()
    }

    /// Appends the sealed text to `out`.
    pub(crate) fn seal_onto(&self, plain: &[u8], out: &mut Vec<u8>) {
        let nonce = random::<HALF>();
        out.reserve(plain.len() + SEAL_BYTES);
        out.extend_from_slice(&nonce);
        let start = out.len();
        out.extend_from_slice(plain);
        Counter::new(&self.encrypt.into(), &nonce.into()).apply_keystream(&mut out[start..]);
        let tag = self.tag(&nonce, &out[start..]);
        out.extend_from_slice(&tag);
    }

    pub(crate) fn seal(&self, plain: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        self.seal_onto(plain, &mut out);
        out
    }

    /// What was sealed, or a fault that names `place`.
    pub(crate) fn open(&self, place: &str, sealed: &[u8]) -> Result<Vec<u8>, Fault> {
        let inner = sealed.len().checked_sub(SEAL_BYTES).ok_or_else(|| Fault::damaged(place, "it is too short"))?;
        let nonce: &[u8; HALF] = sealed[..HALF].try_into().expect("sixteen bytes");
        let ciphertext = &sealed[HALF..HALF + inner];
        // Every byte is looked at, so that the time tells nothing of how many are right.
        let differs = self
            .tag(nonce, ciphertext)
            .iter()
            .zip(&sealed[HALF + inner..])
            .fold(0, |sum, (one, other)| sum | (one ^ other));
        if differs != 0 {
            return Err(Fault::damaged(place, "it is not what was sealed with this repository's key"));
        }
        let mut plain = ciphertext.to_vec();
        Counter::new(&self.encrypt.into(), &(*nonce).into()).apply_keystream(&mut plain);
        Ok(plain)
    }
}
