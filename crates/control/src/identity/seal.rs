//! Sealing: secrets that must be read again are kept under a key that is not in the database. The key is a file of control's;
//! several controls on one database share it.

use husorden_base::Secret;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use zeroize::Zeroizing;

const KEY_BYTES: usize = 32;

/// Fills with random bytes of the kernel.
///
/// # Panics
/// When the kernel gives none: nothing safe can be done then.
pub(crate) fn random(bytes: &mut [u8]) {
    SystemRandom::new().fill(bytes).expect("the kernel gives random numbers");
}

/// The key.
pub(crate) struct Seal {
    key: LessSafeKey,
    digests: hmac::Key,
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal(…)")
    }
}

/// What was sealed does not open: another key, another owner, or changed bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a sealed secret does not open with control's key")]
pub(crate) struct DoesNotOpen;

impl Seal {
    /// Reads the key; at the first start it is made.
    pub(crate) fn open_or_make(path: &Path) -> io::Result<Self> {
        // Written beside and linked into place: who finds the file finds all of it, also when two controls start at once.
        if !path.exists() {
            let mut key = Zeroizing::new([0; KEY_BYTES]);
            random(&mut key[..]);
            let fresh = path.with_extension(format!("new-{}", std::process::id()));
            let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
            file.write_all(&key[..])?;
            file.sync_all()?;
            let linked = std::fs::hard_link(&fresh, path);
            std::fs::remove_file(&fresh)?;
            if let Err(error) = linked
                && error.kind() != io::ErrorKind::AlreadyExists
            {
                return Err(error);
            }
        }
        Self::read(path)
    }

    /// Reads the key.
    pub(crate) fn read(path: &Path) -> io::Result<Self> {
        let mut file = std::fs::File::open(path)?;
        if file.metadata()?.mode() & 0o077 != 0 {
            return Err(io::Error::other("others than its owner may read the key; its mode must be 0600"));
        }
        if file.metadata()?.len() != KEY_BYTES as u64 {
            return Err(io::Error::other(format!("the key is not {KEY_BYTES} bytes")));
        }
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        file.read_exact(&mut key[..])?;
        Ok(Self::new(&key))
    }

    fn new(key: &[u8; KEY_BYTES]) -> Self {
        let root = hmac::Key::new(hmac::HMAC_SHA256, key);
        // A key of its own for each use.
        let part = |name: &[u8]| hmac::sign(&root, name);
        let sealing =
            UnboundKey::new(&CHACHA20_POLY1305, part(b"seal").as_ref()).expect("a SHA-256 is as long as the key");
        Self { key: LessSafeKey::new(sealing), digests: hmac::Key::new(hmac::HMAC_SHA256, part(b"digest").as_ref()) }
    }

    /// Seals for an owner; it opens for no other.
    pub(crate) fn seal(&self, owner: &str, clear: &[u8]) -> Vec<u8> {
        let mut nonce = [0; NONCE_LEN];
        random(&mut nonce);
        let mut sealed = clear.to_vec();
        self.key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(owner.as_bytes()), &mut sealed)
            .expect("a secret is shorter than what the cipher can take");
        [nonce.as_slice(), &sealed].concat()
    }

    /// What was sealed for this owner.
    pub(crate) fn open(&self, owner: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, DoesNotOpen> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE_LEN).ok_or(DoesNotOpen)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| DoesNotOpen)?;
        let mut bytes = Zeroizing::new(sealed.to_vec());
        let length =
            self.key.open_in_place(nonce, Aad::from(owner.as_bytes()), &mut bytes).map_err(|_| DoesNotOpen)?.len();
        bytes.truncate(length);
        Ok(bytes)
    }

    /// A digest that nobody can search for who has the database alone; for secrets that people copy by hand.
    pub(crate) fn digest(&self, owner: &str, secret: &Secret) -> [u8; 32] {
        let tag = hmac::sign(&self.digests, format!("{owner} {}", secret.reveal()).as_bytes());
        tag.as_ref().try_into().expect("an HMAC-SHA256 is 32 bytes")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn what_is_sealed_opens_for_its_owner_only() {
        let (ours, theirs) = (Seal::new(&[1; 32]), Seal::new(&[2; 32]));
        let sealed = ours.seal("anna", b"secret");
        assert_eq!(ours.open("anna", &sealed).expect("it opens").as_slice(), b"secret");
        assert_ne!(sealed, ours.seal("anna", b"secret"));
        assert!(
            ours.open("bo", &sealed).is_err()
                && theirs.open("anna", &sealed).is_err()
                && ours.open("anna", b"").is_err()
        );
        let mut bent = sealed;
        bent[15] ^= 1;
        assert!(ours.open("anna", &bent).is_err());
    }

    #[test]
    fn the_key_is_made_once_and_is_the_owners_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("identity.key");
        let sealed = Seal::open_or_make(&path).expect("made").seal("anna", b"secret");
        assert_eq!(std::fs::metadata(&path).expect("a file").mode() & 0o777, 0o600);
        assert!(Seal::open_or_make(&path).expect("read").open("anna", &sealed).is_ok());
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("a mode");
        assert!(Seal::open_or_make(&path).is_err(), "a key that others can read");
    }
}
