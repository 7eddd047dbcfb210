//! Signed notes as C2SP writes them: a text, an empty line, and a line for each signature (Ed25519).

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ed25519_dalek::{Signature, Signer, VerifyingKey};
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;
use zeroize::Zeroizing;

/// The byte that says Ed25519 in a key.
const ED25519: u8 = 1;
/// What a signature's line begins with.
const DASH: &str = "\u{2014} ";

/// Why a note or key does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// It does not read as a key.
    #[error("no key: name+hash+key is expected, as `husorden evidence key` prints it")]
    NoKey,
    /// It does not read as a signed note.
    #[error("no signed note: a text, an empty line and signatures are expected")]
    NoNote,
    /// None of the signatures is of a key that is trusted.
    #[error("no signature by {0}")]
    Unsigned(String),
    /// A signature of a trusted key is wrong.
    #[error("the signature by {0} does not fit the text")]
    Forged(String),
}

/// The key that checkpoints are signed with.
pub struct SigningKey {
    name: String,
    key: ed25519_dalek::SigningKey,
}

/// What a signature is checked with; as text `name+hash+key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    name: String,
    key: VerifyingKey,
}

fn key_id(name: &str, key: &VerifyingKey) -> [u8; 4] {
    let digest =
        Sha256::new().chain_update(name).chain_update([b'\n', ED25519]).chain_update(key.as_bytes()).finalize();
    [digest[0], digest[1], digest[2], digest[3]]
}

fn name_fits(name: &str) -> bool {
    !name.is_empty() && name.len() <= 200 && !name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+')
}

impl SigningKey {
    /// A key of these 32 random bytes.
    ///
    /// # Errors
    /// When the name can't be one of a key.
    pub fn new(name: &str, seed: &[u8; 32]) -> Result<Self, NoteError> {
        if !name_fits(name) {
            return Err(NoteError::NoKey);
        }
        Ok(Self { name: name.to_owned(), key: ed25519_dalek::SigningKey::from_bytes(seed) })
    }

    /// As it is kept in a file: secret.
    #[must_use]
    pub fn to_secret(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{} {}\n", self.name, BASE64_STANDARD.encode(self.key.as_bytes())))
    }

    /// As it was kept in a file.
    ///
    /// # Errors
    /// When the text is no key.
    pub fn from_secret(text: &str) -> Result<Self, NoteError> {
        let (name, key) = text.trim_end().split_once(' ').ok_or(NoteError::NoKey)?;
        let bytes = Zeroizing::new(BASE64_STANDARD.decode(key).map_err(|_| NoteError::NoKey)?);
        let seed = Zeroizing::new(<[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| NoteError::NoKey)?);
        Self::new(name, &seed)
    }

    /// What others check its signatures with.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey { name: self.name.clone(), key: self.key.verifying_key() }
    }

    /// The text, which ends with a line's end, with a signature below it.
    #[must_use]
    pub fn sign(&self, text: &str) -> String {
        let signature = self.key.sign(text.as_bytes());
        let id = key_id(&self.name, &self.key.verifying_key());
        let said = BASE64_STANDARD.encode([id.as_slice(), &signature.to_bytes()].concat());
        format!("{text}\n{DASH}{} {said}\n", self.name)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("name", &self.name).finish_non_exhaustive()
    }
}

impl PublicKey {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = u32::from_be_bytes(key_id(&self.name, &self.key));
        let key = BASE64_STANDARD.encode([&[ED25519], self.key.as_bytes().as_slice()].concat());
        write!(f, "{}+{id:08x}+{key}", self.name)
    }
}

impl FromStr for PublicKey {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        let mut parts = text.trim().splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NoteError::NoKey);
        };
        let bytes = BASE64_STANDARD.decode(key).map_err(|_| NoteError::NoKey)?;
        let Some((&ED25519, key)) = bytes.split_first() else { return Err(NoteError::NoKey) };
        let key = <&[u8; 32]>::try_from(key).map_err(|_| NoteError::NoKey)?;
        let key = VerifyingKey::from_bytes(key).map_err(|_| NoteError::NoKey)?;
        if !name_fits(name) || format!("{:08x}", u32::from_be_bytes(key_id(name, &key))) != id {
            return Err(NoteError::NoKey);
        }
        Ok(Self { name: name.to_owned(), key })
    }
}

/// The text of a note that one of these keys has signed.
///
/// # Errors
/// When it is no note, none of them signed it, or a signature is wrong.
pub fn open<'n>(note: &'n str, keys: &[PublicKey]) -> Result<&'n str, NoteError> {
    let (text, signatures) = split(note)?;
    let mut signed = false;
    for line in signatures.lines() {
        let (name, said) = line.strip_prefix(DASH).and_then(|rest| rest.split_once(' ')).ok_or(NoteError::NoNote)?;
        let bytes = BASE64_STANDARD.decode(said).map_err(|_| NoteError::NoNote)?;
        let (id, signature) = bytes.split_at_checked(4).ok_or(NoteError::NoNote)?;
        let Some(key) = keys.iter().find(|key| key.name == name && key_id(name, &key.key) == id) else { continue };
        let forged = || NoteError::Forged(name.to_owned());
        let signature = Signature::from_slice(signature).map_err(|_| forged())?;
        key.key.verify_strict(text.as_bytes(), &signature).map_err(|_| forged())?;
        signed = true;
    }
    let names = || keys.iter().map(|key| key.name.as_str()).collect::<Vec<_>>().join(", ");
    if signed { Ok(text) } else { Err(NoteError::Unsigned(names())) }
}

/// A note's text, and its lines of signatures; nothing is checked.
///
/// # Errors
/// When it is no note.
pub fn split(note: &str) -> Result<(&str, &str), NoteError> {
    let at = note.rfind("\n\n").ok_or(NoteError::NoNote)?;
    let (text, signatures) = (&note[..=at], &note[at + 2..]);
    if signatures.is_empty() || !signatures.ends_with('\n') {
        return Err(NoteError::NoNote);
    }
    Ok((text, signatures))
}

/// The notes of a file that holds one after the other, with an empty line between them.
#[must_use]
pub fn several(text: &str) -> Vec<String> {
    let mut notes = Vec::new();
    let mut note = String::new();
    for line in text.lines() {
        let signed = note.lines().next_back().is_some_and(|last| last.starts_with(DASH));
        if signed && !line.starts_with(DASH) {
            notes.push(std::mem::take(&mut note));
        }
        if !(note.is_empty() && line.is_empty()) {
            note += line;
            note.push('\n');
        }
    }
    if !note.trim().is_empty() {
        notes.push(note);
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example that the format's first implementation documents.
    const KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const NOTE: &str = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n\u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

    fn ours() -> SigningKey {
        SigningKey::new("husorden.test/log", &[7; 32]).expect("a key")
    }

    #[test]
    fn a_note_of_another_implementation_opens() {
        let key: PublicKey = KEY.parse().expect("a key");
        assert_eq!(key.to_string(), KEY);
        assert!(open(NOTE, std::slice::from_ref(&key)).expect("it is signed").ends_with("problem is.\n"));
        let changed = NOTE.replacen("answer", "Answer", 1);
        assert_eq!(open(&changed, &[key]), Err(NoteError::Forged("PeterNeumann".to_owned())));
        assert!(matches!(open(NOTE, &[ours().public()]), Err(NoteError::Unsigned(_))));
    }

    #[test]
    fn what_is_signed_opens_and_keys_are_kept() {
        let key = SigningKey::from_secret(&ours().to_secret()).expect("a key");
        assert_eq!(key.public(), ours().public());
        let public: PublicKey = key.public().to_string().parse().expect("a key");
        assert_eq!(open(&key.sign("one\ntwo\n"), &[public]), Ok("one\ntwo\n"));
        assert!(!format!("{key:?}").contains("Bwc"), "a key is not shown");
    }

    #[test]
    fn nonsense_is_no_key_and_no_note() {
        for text in ["", "a+b", "a+00000000+AA==", &KEY.replace("c74f20a3", "c74f20a4"), &KEY.replace("Peter", "Piter")]
        {
            assert_eq!(text.parse::<PublicKey>(), Err(NoteError::NoKey), "{text}");
        }
        for text in ["", "text\n", "text\n\n", "text\n\n\u{2014} x", "text\n\nno dash AAAA\n"] {
            assert_eq!(open(text, &[ours().public()]), Err(NoteError::NoNote), "{text:?}");
        }
        assert!(SigningKey::new("a b", &[1; 32]).is_err());
    }

    #[test]
    fn notes_of_one_file() {
        let (one, two) = (ours().sign("a\n1\n"), ours().sign("a\n2\n"));
        for text in [format!("{one}\n{two}"), format!("{one}{two}"), format!("{one}\n{two}\n")] {
            assert_eq!(several(&text), [one.as_str(), two.as_str()]);
        }
        let cut = &two[..two.len() - 20];
        assert_eq!(several(&format!("{one}\n{cut}"))[0], one, "a last note that was cut hides none before it");
    }
}
