//! The key of the platform's own backups, which follows from two papers: neither alone opens anything.
//!
//! One is the recovery key, a secret of X25519. The other, the *platform paper*, is one half of an exchange with it: the public half of a pair
//! whose secret half was used once, when the key was made, and thrown away. Whoever has the recovery key lacks 32 bytes of chance; whoever has
//! the platform paper lacks the secret of the exchange. The machine is given the key itself, which reads and writes the repository, and
//! neither of the papers.

use super::{Recipient, RecoveryKey, bech32_bytes, derive};
use crate::crypt::random;
use crate::fault::Fault;
use crate::key::Key;
use bech32::{Bech32, Hrp};
use curve25519_dalek::montgomery::MontgomeryPoint;
use husorden_base::Secret;
use std::fmt::Write;
use zeroize::Zeroizing;

const PAPER: &str = "husorden-platform-";
const KEY: &[u8] = b"husorden platform key v1";
const FOLDER: &[u8] = b"husorden platform folder v1";

/// The second paper.
pub struct PlatformPaper(Zeroizing<[u8; 32]>);

impl PlatformPaper {
    /// A new one for a recovery key, of which the public half is enough, and the key that follows from both.
    #[must_use]
    pub fn make(recovery: &Recipient) -> (Self, Key) {
        let secret = Zeroizing::new(random::<32>());
        let half = Zeroizing::new(MontgomeryPoint::mul_base_clamped(*secret).to_bytes());
        let shared = Zeroizing::new(MontgomeryPoint(recovery.0).mul_clamped(*secret).to_bytes());
        let key = mix(&shared, &half, recovery);
        (Self(half), key)
    }

    /// The key that follows from both papers.
    #[must_use]
    pub fn key(&self, recovery: &RecoveryKey) -> Key {
        let shared = Zeroizing::new(MontgomeryPoint(*self.0).mul_clamped(*recovery.0).to_bytes());
        mix(&shared, &self.0, &recovery.recipient())
    }

    /// As it is written on paper.
    #[must_use]
    pub fn to_paper(&self) -> Secret {
        let text = bech32::encode_upper::<Bech32>(Hrp::parse(PAPER).expect("letters"), self.0.as_slice());
        Secret::new(text.expect("32 bytes are short"))
    }

    /// From paper.
    ///
    /// # Errors
    /// When it is none, or was mistyped: it carries a checksum.
    pub fn from_paper(text: &Secret) -> Result<Self, Fault> {
        bech32_bytes(text.reveal().trim(), PAPER).map(|bytes| Self(Zeroizing::new(bytes))).ok_or(Fault::WrongKey)
    }
}

/// The folder of the repository that a key opens, at any target: who makes new papers begins a new repository, and both papers together find it.
#[must_use]
pub fn folder(key: &Key) -> String {
    let name = derive(&[], key.bytes(), FOLDER);
    name[..4].iter().fold("platform-".to_owned(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn mix(shared: &[u8; 32], half: &[u8; 32], recovery: &Recipient) -> Key {
    Key::from_bytes(*derive(&Zeroizing::new([*half, recovery.0].concat()), shared, KEY))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_follows_from_both_papers_and_from_neither_alone() {
        let recovery = RecoveryKey::generate();
        let (paper, key) = PlatformPaper::make(&recovery.recipient());
        let read = |paper: &PlatformPaper| PlatformPaper::from_paper(&paper.to_paper()).expect("it is read back");
        assert_eq!(read(&paper).key(&recovery).bytes(), key.bytes());
        assert_eq!(folder(&read(&paper).key(&recovery)), folder(&key));
        let (other_paper, other) = PlatformPaper::make(&recovery.recipient());
        assert_ne!(other.bytes(), key.bytes(), "made anew it is another");
        assert_ne!(folder(&other), folder(&key));
        for wrong in [other_paper.key(&recovery), paper.key(&RecoveryKey::generate())] {
            assert_ne!(wrong.bytes(), key.bytes());
        }
        let text = paper.to_paper();
        assert!(PlatformPaper::from_paper(&Secret::new(text.reveal().to_lowercase())).is_ok());
        let last = text.reveal().len() - 1;
        let slip = if text.reveal().ends_with('Q') { "P" } else { "Q" };
        assert!(PlatformPaper::from_paper(&Secret::new(format!("{}{slip}", &text.reveal()[..last]))).is_err());
        assert!(PlatformPaper::from_paper(&recovery.to_paper()).is_err(), "one is not taken for the other");
        assert!(RecoveryKey::from_paper(&text).is_err());
    }
}
