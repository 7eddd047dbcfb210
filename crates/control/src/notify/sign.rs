//! Signatures of webhooks after the Standard Webhooks scheme: HMAC-SHA256 over id, moment and body.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use husorden_base::Secret;
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use uuid::Uuid;
use zeroize::Zeroizing;

/// How the secrets of receivers begin.
const PREFIX: &str = "whsec_";
const KEY_BYTES: usize = 32;

/// The key that the secrets of all webhooks are made of. The database keeps none of them, and who has it alone signs nothing.
pub(crate) struct WebhookKey(hmac::Key);

impl WebhookKey {
    /// Reads the key; at the first start it is made. It is linked into place whole, also when two controls start at once.
    pub(crate) fn open_or_make(path: &Path) -> io::Result<Self> {
        if !path.exists() {
            let mut key = Zeroizing::new([0; KEY_BYTES]);
            let random = SystemRandom::new();
            random.fill(&mut key[..]).map_err(|_| io::Error::other("the kernel gives no random numbers"))?;
            let fresh = path.with_extension(format!("new-{}", std::process::id()));
            let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
            file.write_all(&key[..])?;
            file.sync_all()?;
            let linked = std::fs::hard_link(&fresh, path);
            std::fs::remove_file(&fresh)?;
            match linked {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
        }
        let mut file = std::fs::File::open(path)?;
        let about = file.metadata()?;
        if about.mode() & 0o077 != 0 || about.len() != KEY_BYTES as u64 {
            return Err(io::Error::other(format!("the key is {KEY_BYTES} bytes, and its mode is 0600")));
        }
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        file.read_exact(&mut key[..])?;
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &key[..])))
    }

    /// The secret of a webhook, as its receiver is given it.
    pub(crate) fn secret(&self, webhook: Uuid, turn: u32) -> Secret {
        let made = hmac::sign(&self.0, format!("webhook {webhook} {turn}").as_bytes());
        Secret::new(format!("{PREFIX}{}", BASE64_STANDARD.encode(made)))
    }
}

/// The header `webhook-signature`: version and signature. None when the secret is none of ours.
pub(crate) fn signature(secret: &Secret, id: &str, at_s: i64, body: &[u8]) -> Option<String> {
    let key = BASE64_STANDARD.decode(secret.reveal().strip_prefix(PREFIX)?).ok()?;
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &key));
    context.update(format!("{id}.{at_s}.").as_bytes());
    context.update(body);
    Some(format!("v1,{}", BASE64_STANDARD.encode(context.sign())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_those_of_the_scheme() {
        // The example of the scheme's own reference.
        let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let (id, at_s, body) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        let signed = signature(&secret, id, at_s, body);
        assert_eq!(signed.as_deref(), Some("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
        assert_ne!(signature(&secret, id, at_s + 1, body), signed);
        assert_ne!(signature(&secret, "msg_other", at_s, body), signed);
        assert_eq!(signature(&Secret::new("hus_account_x"), id, at_s, body), None);
    }

    #[test]
    fn secrets_are_each_webhooks_own_and_last() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("webhook.key");
        let key = WebhookKey::open_or_make(&path).expect("it is made");
        let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let secret = key.secret(one, 1);
        let again = WebhookKey::open_or_make(&path).expect("it is read").secret(one, 1);
        assert_eq!(secret, again);
        assert!(secret != key.secret(one, 2) && secret != key.secret(two, 1));
        assert!(signature(&secret, "id", 0, b"").is_some());
        std::fs::write(&path, "short").expect("written");
        assert!(WebhookKey::open_or_make(&path).is_err());
    }
}
