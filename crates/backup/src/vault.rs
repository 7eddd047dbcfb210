//! Keys of solutions at rest: wrapped by the vault's key, and for the recovery key that lies on paper.
//!
//! The vault's key belongs to a uid of its own outside the database; what is wrapped by it is bound to its solution, so that one can't be put
//! in the place of another. For the recovery key a solution's key is written as an `age` file to an X25519 recipient: on a machine
//! where nothing of the platform runs, `age -d` opens it. Whoever has only what is wrapped has nothing; whoever destroys both wrappings has
//! erased the solution's backups. Whatever else is short and for one reader's eyes is sealed in the same form.

mod platform;

pub use platform::{PlatformPaper, folder as platform_folder};

use crate::crypt::random;
use crate::fault::Fault;
use crate::key::Key;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use bech32::primitives::decode::CheckedHrpstring;
use bech32::{Bech32, Hrp};
use curve25519_dalek::montgomery::MontgomeryPoint;
use husorden_base::Secret;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::{hkdf, hmac};
use std::fmt;
use zeroize::{Zeroize, Zeroizing};

/// What every wrapping by the vault begins with.
const WRAPPED: &str = "v1.";
const PURPOSE: &[u8] = b"husorden backup key v1\0";
const SECRET: &[u8] = b"husorden secret v1\0";
const AGE_VERSION: &str = "age-encryption.org/v1\n";
const AGE_INFO: &[u8] = b"age-encryption.org/v1/X25519";
const RECIPIENT: &str = "age";
const IDENTITY: &str = "age-secret-key-";
/// A file of one chunk holds at most so many bytes.
pub const SEALED_MAX: usize = 64 << 10;
/// The only chunk of a short file: counter zero, and the sign that it is the last.
const ONLY_CHUNK: [u8; NONCE_LEN] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

/// The vault's key.
pub struct VaultKey([u8; 32]);

impl Drop for VaultKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl VaultKey {
    /// From its bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    fn aead(&self) -> LessSafeKey {
        LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, &self.0).expect("a key has 32 bytes"))
    }

    /// A solution's key, readable with this key and for this solution alone.
    #[must_use]
    pub fn wrap(&self, key: &Key, solution: &str) -> String {
        self.seal(key.bytes(), &[PURPOSE, solution.as_bytes()].concat())
    }

    /// The key of this solution.
    ///
    /// # Errors
    /// When it was wrapped by another key, for another solution, or is damaged.
    pub fn unwrap(&self, wrapped: &str, solution: &str) -> Result<Key, Fault> {
        let plain = self.unseal(wrapped, &[PURPOSE, solution.as_bytes()].concat())?;
        Ok(Key::from_bytes(plain.as_slice().try_into().map_err(|_| Fault::WrongKey)?))
    }

    /// A secret, readable with this key and for what it was said to be about alone.
    #[must_use]
    pub fn wrap_secret(&self, secret: &Secret, about: &str) -> String {
        self.seal(secret.reveal().as_bytes(), &[SECRET, about.as_bytes()].concat())
    }

    /// The secret about this.
    ///
    /// # Errors
    /// When it was wrapped by another key, is about something else, or is damaged.
    pub fn unwrap_secret(&self, wrapped: &str, about: &str) -> Result<Secret, Fault> {
        let plain = self.unseal(wrapped, &[SECRET, about.as_bytes()].concat())?;
        Ok(Secret::new(std::str::from_utf8(&plain).map_err(|_| Fault::WrongKey)?))
    }

    fn seal(&self, plain: &[u8], about: &[u8]) -> String {
        let nonce = random::<NONCE_LEN>();
        let mut sealed = Zeroizing::new(plain.to_vec());
        let unique = Nonce::assume_unique_for_key(nonce);
        let tag = self.aead().seal_in_place_separate_tag(unique, Aad::from(about), &mut sealed);
        let tag = tag.expect("what is wrapped is short");
        format!("{WRAPPED}{}", URL_SAFE_NO_PAD.encode([&nonce[..], &sealed, tag.as_ref()].concat()))
    }

    fn unseal(&self, wrapped: &str, about: &[u8]) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let sealed =
            wrapped.strip_prefix(WRAPPED).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok()).ok_or(Fault::WrongKey)?;
        let (nonce, sealed) = sealed.split_at_checked(NONCE_LEN).ok_or(Fault::WrongKey)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Fault::WrongKey)?;
        let mut sealed = Zeroizing::new(sealed.to_vec());
        let length =
            self.aead().open_in_place(nonce, Aad::from(about), &mut sealed).map_err(|_| Fault::WrongKey)?.len();
        sealed.truncate(length);
        Ok(sealed)
    }
}

/// To whom a key is written for recovery: the public half, which may lie anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recipient([u8; 32]);

/// The half that lies on paper.
pub struct RecoveryKey(Zeroizing<[u8; 32]>);

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text =
            bech32::encode::<Bech32>(Hrp::parse(RECIPIENT).expect("letters"), &self.0).expect("32 bytes are short");
        f.write_str(&text)
    }
}

fn bech32_bytes(text: &str, hrp: &str) -> Option<[u8; 32]> {
    let checked = CheckedHrpstring::new::<Bech32>(text).ok()?;
    let bytes: Vec<u8> = checked.byte_iter().collect();
    (checked.hrp().to_lowercase() == hrp).then_some(bytes)?.try_into().ok()
}

impl std::str::FromStr for Recipient {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        bech32_bytes(text.trim(), RECIPIENT)
            .map(Self)
            .ok_or_else(|| Fault::Limit("a recipient begins with age1".to_owned()))
    }
}

impl RecoveryKey {
    /// A new one.
    #[must_use]
    pub fn generate() -> Self {
        Self(Zeroizing::new(random()))
    }

    /// As it is printed on paper, in the form that `age -i` reads.
    #[must_use]
    pub fn to_paper(&self) -> Secret {
        let text = bech32::encode_upper::<Bech32>(Hrp::parse(IDENTITY).expect("letters"), self.0.as_slice());
        Secret::new(text.expect("32 bytes are short"))
    }

    /// From paper.
    ///
    /// # Errors
    /// When it is none, or was mistyped: it carries a checksum.
    pub fn from_paper(text: &Secret) -> Result<Self, Fault> {
        bech32_bytes(text.reveal().trim(), IDENTITY).map(|bytes| Self(Zeroizing::new(bytes))).ok_or(Fault::WrongKey)
    }

    /// The public half.
    #[must_use]
    pub fn recipient(&self) -> Recipient {
        Recipient(MontgomeryPoint::mul_base_clamped(*self.0).to_bytes())
    }

    /// The key of a file that was written to this key's recipient.
    ///
    /// # Errors
    /// When it was written to another, or is damaged.
    pub fn open(&self, file: &[u8]) -> Result<Key, Fault> {
        let plain = self.unseal(file)?;
        let text = Secret::new(std::str::from_utf8(&plain).map_err(|_| Fault::WrongKey)?);
        Key::from_password(&text)
    }

    /// What was sealed to this key's recipient, of at most [`SEALED_MAX`] bytes.
    ///
    /// # Errors
    /// When it was sealed to another, is longer, or is damaged.
    pub fn unseal(&self, file: &[u8]) -> Result<Zeroizing<Vec<u8>>, Fault> {
        self.unseal_file(file).ok_or(Fault::WrongKey)
    }

    fn unseal_file(&self, file: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let mac_at = file.windows(5).position(|window| window == b"\n--- ")? + 1;
        let header = std::str::from_utf8(&file[..mac_at]).ok()?;
        let rest = &file[mac_at + 4..];
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        let mac = STANDARD_NO_PAD.decode(&rest[..end]).ok()?;
        let mut lines = header.strip_prefix(AGE_VERSION)?.lines();
        let file_key = std::iter::from_fn(|| Some((lines.next()?, lines.next()?))).find_map(|(stanza, body)| {
            let ephemeral: [u8; 32] =
                STANDARD_NO_PAD.decode(stanza.strip_prefix("-> X25519 ")?).ok()?.try_into().ok()?;
            let mut body = Zeroizing::new(STANDARD_NO_PAD.decode(body).ok()?);
            let shared = MontgomeryPoint(ephemeral).mul_clamped(*self.0).to_bytes();
            let wrap = wrap_key(&shared, &ephemeral, &self.recipient().0);
            let plain = aead(&wrap)
                .open_in_place(Nonce::assume_unique_for_key([0; NONCE_LEN]), Aad::empty(), &mut body)
                .ok()?;
            Some(Zeroizing::new(plain.to_vec()))
        })?;
        let header_mac = hmac::Key::new(hmac::HMAC_SHA256, derive(&[], &file_key, b"header").as_slice());
        hmac::verify(&header_mac, format!("{header}---").as_bytes(), &mac).ok()?;
        let (nonce, sealed) = rest[end + 1..].split_at_checked(16)?;
        let mut sealed = Zeroizing::new(sealed.to_vec());
        let payload = aead(&derive(nonce, &file_key, b"payload"));
        let nonce = Nonce::assume_unique_for_key(ONLY_CHUNK);
        let length = payload.open_in_place(nonce, Aad::empty(), &mut sealed).ok()?.len();
        sealed.truncate(length);
        Some(sealed)
    }
}

impl Recipient {
    /// A solution's key as an age file; what stands in it is the password that stock `restic` takes.
    #[must_use]
    pub fn write(&self, key: &Key) -> Vec<u8> {
        self.seal(key.password().reveal().as_bytes())
    }

    /// Bytes as an age file that this recipient's key alone opens.
    ///
    /// # Panics
    /// When there are more than [`SEALED_MAX`]: what is sealed here is a key, a secret, a few of them.
    #[must_use]
    pub fn seal(&self, bytes: &[u8]) -> Vec<u8> {
        assert!(bytes.len() <= SEALED_MAX, "what is sealed is short");
        let file_key = Zeroizing::new(random::<16>());
        let secret = Zeroizing::new(random::<32>());
        let ephemeral = MontgomeryPoint::mul_base_clamped(*secret).to_bytes();
        let shared = MontgomeryPoint(self.0).mul_clamped(*secret).to_bytes();
        let wrap = wrap_key(&shared, &ephemeral, &self.0);
        let body = seal(&wrap, [0; NONCE_LEN], file_key.as_slice());
        let (ephemeral, body) = (STANDARD_NO_PAD.encode(ephemeral), STANDARD_NO_PAD.encode(body));
        let header = format!("{AGE_VERSION}-> X25519 {ephemeral}\n{body}\n---");
        let header_mac = hmac::Key::new(hmac::HMAC_SHA256, derive(&[], file_key.as_slice(), b"header").as_slice());
        let mac = STANDARD_NO_PAD.encode(hmac::sign(&header_mac, header.as_bytes()));
        let nonce = random::<16>();
        let payload = derive(&nonce, file_key.as_slice(), b"payload");
        let sealed = seal(&payload, ONLY_CHUNK, bytes);
        [format!("{header} {mac}\n").as_bytes(), &nonce, &sealed].concat()
    }
}

fn derive(salt: &[u8], from: &[u8], info: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut derived = Zeroizing::new([0; 32]);
    let extracted = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(from);
    let info = [info];
    let expanded = extracted.expand(&info, hkdf::HKDF_SHA256).expect("32 bytes can be derived");
    expanded.fill(derived.as_mut_slice()).expect("32 bytes were asked for");
    derived
}

fn wrap_key(shared: &[u8; 32], ephemeral: &[u8; 32], recipient: &[u8; 32]) -> Zeroizing<[u8; 32]> {
    derive(&[*ephemeral, *recipient].concat(), shared, AGE_INFO)
}

fn aead(key: &[u8; 32]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, key).expect("a key has 32 bytes"))
}

fn seal(key: &[u8; 32], nonce: [u8; NONCE_LEN], plain: &[u8]) -> Vec<u8> {
    let mut sealed = plain.to_vec();
    let sealing = aead(key);
    sealing
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut sealed)
        .expect("one chunk is short");
    sealed
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::process::{Command, Stdio};

    #[test]
    fn a_wrapped_key_opens_for_its_solution_and_its_vault_alone() {
        let (vault, key) = (VaultKey::from_bytes(random()), Key::generate());
        let wrapped = vault.wrap(&key, "7");
        assert_eq!(vault.unwrap(&wrapped, "7").expect("the same").bytes(), key.bytes());
        assert!(vault.unwrap(&wrapped, "8").is_err(), "another solution's");
        assert!(VaultKey::from_bytes(random()).unwrap(&wrapped, "7").is_err(), "another vault's");
        for at in 0..wrapped.len() {
            let mut broken = wrapped.clone().into_bytes();
            broken[at] = if broken[at] == b'A' { b'B' } else { b'A' };
            let broken = String::from_utf8(broken).expect("letters");
            assert!(vault.unwrap(&broken, "7").is_err(), "at {at}");
        }
    }

    #[test]
    fn a_wrapped_secret_opens_for_what_it_is_about_alone() {
        let (vault, key, secret) = (VaultKey::from_bytes(random()), Key::generate(), Secret::generate(40));
        let wrapped = vault.wrap_secret(&secret, "7");
        assert_eq!(vault.unwrap_secret(&wrapped, "7").expect("the same"), secret);
        assert!(vault.unwrap_secret(&wrapped, "8").is_err() && vault.unwrap(&wrapped, "7").is_err());
        assert!(vault.unwrap_secret(&vault.wrap(&key, "7"), "7").is_err(), "a key is no secret");
    }

    #[test]
    fn paper_is_read_and_a_slip_is_seen() {
        let (recovery, key) = (RecoveryKey::generate(), Key::generate());
        let file = recovery.recipient().write(&key);
        let paper = recovery.to_paper();
        let again =
            RecoveryKey::from_paper(&Secret::new(paper.reveal().to_lowercase())).expect("letters of either size");
        assert_eq!(again.open(&file).expect("the key").bytes(), key.bytes());
        assert!(RecoveryKey::generate().open(&file).is_err());
        assert!(
            RecoveryKey::from_paper(&Secret::new(paper.reveal().replacen('Q', "P", 1).replacen('Z', "Y", 1))).is_err()
                || !paper.reveal().contains(['Q', 'Z'])
        );
        let mut broken = file.clone();
        *broken.last_mut().expect("bytes") ^= 1;
        assert!(recovery.open(&broken).is_err());
        assert_eq!(recovery.recipient().to_string().parse::<Recipient>().expect("the same"), recovery.recipient());
    }

    #[test]
    fn what_is_sealed_is_opened_by_its_reader_alone() {
        let recovery = RecoveryKey::generate();
        for length in [0, 1, 5000, SEALED_MAX] {
            let bytes: Vec<u8> = (0..length).map(|at| u8::try_from(at % 251).expect("a byte")).collect();
            let sealed = recovery.recipient().seal(&bytes);
            assert_eq!(*recovery.unseal(&sealed).expect("its reader"), bytes);
            assert_ne!(sealed, recovery.recipient().seal(&bytes), "no two are alike");
            assert!(RecoveryKey::generate().unseal(&sealed).is_err());
            assert!(recovery.unseal(&sealed[..sealed.len() - 1]).is_err(), "cut short");
            assert!(recovery.unseal(&[&sealed[..], b"a"].concat()).is_err(), "longer");
        }
        for broken in
            [&b""[..], b"age-encryption.org/v1\n", b"\n--- \n", b"age-encryption.org/v1\n-> X25519 \n\n--- \n"]
        {
            assert!(recovery.unseal(broken).is_err());
        }
    }

    #[test]
    fn stock_age_opens_what_is_written_and_writes_what_is_opened() {
        let (recovery, key) = (RecoveryKey::generate(), Key::generate());
        let home = tempfile::tempdir().expect("a directory");
        let identity = home.path().join("identity");
        std::fs::write(&identity, recovery.to_paper().reveal()).expect("a file");
        let age = |arguments: &[&str], input: &[u8]| {
            let mut child = Command::new("age")
                .args(arguments)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .expect("age is installed");
            child.stdin.take().expect("a pipe").write_all(input).expect("written");
            child.wait_with_output().expect("an end").stdout
        };
        let identity = identity.to_str().expect("a path");
        let opened = age(&["-d", "-i", identity], &recovery.recipient().write(&key));
        assert_eq!(opened, key.password().reveal().as_bytes());
        let long = vec![b'x'; SEALED_MAX];
        assert_eq!(age(&["-d", "-i", identity], &recovery.recipient().seal(&long)), long);
        let to = recovery.recipient().to_string();
        assert_eq!(*recovery.unseal(&age(&["-r", &to], &long)).expect("one chunk"), long);
        let longer = age(&["-r", &to], &[&long[..], b"y"].concat());
        assert!(recovery.unseal(&longer).is_err(), "two chunks");
        let written = age(&["-r", &recovery.recipient().to_string()], key.password().reveal().as_bytes());
        assert_eq!(recovery.open(&written).expect("the key").bytes(), key.bytes());
    }
}
