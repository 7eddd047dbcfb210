//! Mails about log-ins, as jobs: to whom, which template, its data, and the secret that a link in it holds, sealed. The worker
//! that sends them opens the secret with [`secret`]; it stands in clear nowhere but in the mail.

use super::seal::Seal;
use crate::account::language_word;
use husorden_base::{Language, Secret};
use serde_json::{Value, json};

/// What a mail says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Template {
    /// An account or staff invite; holds a secret.
    Invitation,
    /// A new password was wished for; holds a secret.
    PasswordReset,
    /// Somebody logged in from a device not seen before.
    NewDevice,
    /// The password was changed or reset.
    PasswordChanged,
    /// A second factor was set up or taken away.
    SecondFactor,
    /// Somebody asked for help with a lost second factor; holds a secret that stops it.
    RescueAsked,
    /// Staff made sure who it is; holds a secret that stops it.
    RescueChecked,
    /// The lost second factor may be taken away; holds a secret that does it.
    RescueOpen,
    /// The help was stopped.
    RescueStopped,
    /// A new mailbox is asked whether it is one's own; holds a secret.
    EmailConfirm,
    /// The old mailbox hears of the new one; holds a secret that takes it back.
    EmailChanged,
}

impl Template {
    const fn word(self) -> &'static str {
        match self {
            Self::Invitation => "invitation",
            Self::PasswordReset => "password-reset",
            Self::NewDevice => "new-device",
            Self::PasswordChanged => "password-changed",
            Self::SecondFactor => "second-factor",
            Self::RescueAsked => "rescue-asked",
            Self::RescueChecked => "rescue-checked",
            Self::RescueOpen => "rescue-open",
            Self::RescueStopped => "rescue-stopped",
            Self::EmailConfirm => "email-confirm",
            Self::EmailChanged => "email-changed",
        }
    }
}

/// The subject of a job of kind `mail`.
pub(crate) fn subject(to: &str, language: Language, template: Template, data: Value) -> Value {
    json!({ "to": to, "language": language_word(language), "template": template.word(), "data": data })
}

/// The same with a secret for the mail's link.
pub(crate) fn with_secret(mut subject: Value, seal: &Seal, secret: &Secret) -> Value {
    let sealed = seal.seal(&owner(&subject), secret.reveal().as_bytes());
    subject["sealed"] = crate::token::hex(&sealed).into();
    subject
}

/// The secret that a mail's link holds; none when it has none, or it was sealed with another key.
pub(crate) fn secret(subject: &Value, seal: &Seal) -> Option<Secret> {
    let sealed = unhex(subject.get("sealed")?.as_str()?)?;
    let clear = seal.open(&owner(subject), &sealed).ok()?;
    String::from_utf8(clear.to_vec()).ok().map(Secret::new)
}

/// A sealed secret opens in the mail it was sealed for, and in no other.
fn owner(subject: &Value) -> String {
    let word = |name: &str| subject.get(name).and_then(Value::as_str).unwrap_or_default();
    format!("mail {} {}", word("template"), word("to"))
}

/// Bytes from hexadecimal digits.
pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}
