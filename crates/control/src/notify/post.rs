//! The post: letters leave by SMTP, or land as files in a folder where no mail server is configured.

use super::mail::Letter;
use crate::config::{MailTls, MailWay, Notify};
use lettre::message::header::{Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use std::io;
use std::path::Path;
use std::time::Duration;

const SMTP_WAIT: Duration = Duration::from_secs(30);
/// Largest file of a mail server's password.
const PASSWORD_BYTES_MAX: u64 = 1024;

/// Why a letter was not sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PostError {
    #[error("the letter can't be written: {0}")]
    Letter(String),
    #[error("the mail server refuses for good: {0}")]
    Refused(String),
    #[error("the mail server: {0}")]
    Server(String),
    #[error("{doing}: {source}")]
    File { doing: &'static str, source: io::Error },
}

impl PostError {
    /// Whether another try could never help.
    pub(crate) const fn is_final(&self) -> bool {
        matches!(self, Self::Letter(_) | Self::Refused(_))
    }
}

/// Marks the mail as sent by a program (RFC 3834), so that nobody's holiday answers it.
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// Sends a letter. The same job sent twice has the same Message-ID, which mailboxes show once.
pub(crate) async fn send(config: &Notify, to: &str, letter: Letter, job: i64) -> Result<(), PostError> {
    let message = written(config, to, letter, job)?;
    match &config.mail {
        MailWay::Hold => Err(PostError::Server("mails are held".to_owned())),
        MailWay::Folder { folder } => drop_off(folder, job, &message.formatted()).await,
        MailWay::Smtp { host, port, tls, user, password_file } => {
            let params = || TlsParameters::new(host.clone()).map_err(|error| PostError::Server(error.to_string()));
            let tls = match tls {
                MailTls::Implicit => Tls::Wrapper(params()?),
                MailTls::Starttls => Tls::Required(params()?),
                MailTls::None => Tls::None,
            };
            let mut smtp = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host.as_str())
                .port(*port)
                .timeout(Some(SMTP_WAIT))
                .tls(tls);
            if let (Some(user), Some(file)) = (user, password_file) {
                smtp = smtp.credentials(Credentials::new(user.clone(), password(file).await?));
            }
            smtp.build().send(message).await.map(drop).map_err(|error| {
                if error.is_permanent() {
                    PostError::Refused(error.to_string())
                } else {
                    PostError::Server(error.to_string())
                }
            })
        }
    }
}

/// The letter as it travels. Addresses and headers are parsed and encoded: nothing that came from people ends a line.
fn written(config: &Notify, to: &str, letter: Letter, job: i64) -> Result<Message, PostError> {
    let wrong = |error: &dyn std::fmt::Display| PostError::Letter(error.to_string());
    let to: Address = to.parse().map_err(|error| wrong(&error))?;
    let from: Mailbox = config.from.parse().map_err(|error| wrong(&error))?;
    let id = format!("<husorden-job-{job}@{}>", from.email.domain());
    Message::builder()
        .from(from)
        .to(Mailbox::new(None, to))
        .subject(letter.subject)
        .message_id(Some(id))
        .header(AutoSubmitted)
        .multipart(MultiPart::alternative_plain_html(letter.text, letter.html))
        .map_err(|error| wrong(&error))
}

/// The password is read for each mail, so that it can be changed without a restart.
async fn password(file: &Path) -> Result<String, PostError> {
    let failed = |source| PostError::File { doing: "reading the mail server's password", source };
    if tokio::fs::metadata(file).await.map_err(failed)?.len() > PASSWORD_BYTES_MAX {
        return Err(failed(io::Error::other("the file is too large for a password")));
    }
    let text = tokio::fs::read_to_string(file).await.map_err(failed)?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// A file per job: whoever watches the folder sees it whole or not at all.
async fn drop_off(folder: &Path, job: i64, bytes: &[u8]) -> Result<(), PostError> {
    let failed = |source| PostError::File { doing: "putting a mail into its folder", source };
    tokio::fs::create_dir_all(folder).await.map_err(failed)?;
    let (fresh, place) = (folder.join(format!(".{job}.new")), folder.join(format!("{job:08}.eml")));
    tokio::fs::write(&fresh, bytes).await.map_err(failed)?;
    tokio::fs::rename(&fresh, &place).await.map_err(failed)
}

#[cfg(test)]
mod tests;
