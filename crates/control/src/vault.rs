//! The client of the vault: what opens backups is asked for one at a time, on a connection of its own, and never read here.
//!
//! What is released is sealed to the node that asked; control hands it on as it is.

use crate::app::App;
use crate::fault::Fault;
use husorden_base::{Number, Refusal, Secret, SolutionId, TargetId, Text};
use husorden_wire::vault::{Answer, Ask, LINE_BYTES_MAX, Receipt, Refused, Status};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use zeroize::Zeroizing;

/// Why the vault did not do it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum VaultError {
    /// This control has none.
    #[error("this installation has no vault")]
    None,
    /// It does not answer.
    #[error("the vault does not answer: {0}")]
    Away(#[from] io::Error),
    /// It said something that is no answer to what was asked.
    #[error("the vault said what is no answer")]
    Garbage,
    /// It will not.
    #[error("the vault refused: {0}")]
    Refused(Refused),
}

impl VaultError {
    /// What people are told.
    pub(crate) fn told(&self) -> Text {
        let both = |da: &str, en: &str| Text::new(da, en);
        match self {
            Self::None => both(
                "Installationen har ingen boks, så intet kan sikkerhedskopieres",
                "The installation has no vault, so nothing can be backed up",
            ),
            Self::Away(_) | Self::Garbage => both(
                "Boksen, som har nøglerne til sikkerhedskopier, svarer ikke; prøv igen om lidt",
                "The vault, which has the keys of backups, does not answer; try again in a while",
            ),
            Self::Refused(Refused::NoKey) => both(
                "Løsningen er aldrig sikkerhedskopieret, så der er ingen nøgle",
                "The solution was never backed up, so there is no key",
            ),
            Self::Refused(Refused::Destroyed { .. }) => both(
                "Nøglen er destrueret, så løsningens sikkerhedskopier kan ikke åbnes mere",
                "The key was destroyed, so the solution's backups can't be opened any more",
            ),
            Self::Refused(Refused::NoRecovery) => both(
                "Der er ingen gendannelsesnøgle endnu; `husorden vault recovery` laver den",
                "There is no recovery key yet; `husorden vault recovery` makes it",
            ),
            Self::Refused(Refused::BadSecret) => {
                both("Hemmeligheden er tom eller længere end 16 KiB", "The secret is empty or longer than 16 KiB")
            }
            Self::Refused(_) => {
                both("Boksen ville ikke; dens log siger hvorfor", "The vault would not; its log says why")
            }
        }
    }
}

impl From<VaultError> for Fault {
    fn from(error: VaultError) -> Self {
        let (code, status) = match &error {
            VaultError::None | VaultError::Away(_) | VaultError::Garbage => ("vault-away", 503),
            VaultError::Refused(_) => ("vault-refused", 409),
        };
        tracing::warn!(%error, "the vault");
        let title = Text::new("Boksen kunne ikke hjælpe", "The vault could not help");
        Refusal::new(code, status, title, error.told()).into()
    }
}

/// What opens a solution's repository, or that of its log alone, at a target, sealed to the recipient, in base64.
pub(crate) async fn release(
    app: &App,
    (solution, number): (SolutionId, Number),
    (make, log): (bool, bool),
    target: TargetId,
    recipient: &str,
) -> Result<String, VaultError> {
    let recipient = recipient.to_owned();
    match ask(app, Ask::Release { solution, number, make, log, target: Some(target), recipient }).await? {
        Answer::Released { sealed } => Ok(sealed),
        _ => Err(VaultError::Garbage),
    }
}

/// Keeps a target's secret, in the place of the one before.
pub(crate) async fn keep(app: &App, target: TargetId, secret: Secret) -> Result<(), VaultError> {
    done(ask(app, Ask::Keep { target, secret }).await?)
}

/// Destroys a solution's key. Asked twice, it answers the same.
pub(crate) async fn destroy(app: &App, solution: SolutionId, number: Number) -> Result<Receipt, VaultError> {
    match ask(app, Ask::Destroy { solution, number }).await? {
        Answer::Destroyed { receipt } => Ok(receipt),
        _ => Err(VaultError::Garbage),
    }
}

/// How the vault is.
pub(crate) async fn status(app: &App) -> Result<Status, VaultError> {
    match ask(app, Ask::Status).await? {
        Answer::Status { status } => Ok(status),
        _ => Err(VaultError::Garbage),
    }
}

fn done(answer: Answer) -> Result<(), VaultError> {
    match answer {
        Answer::Done => Ok(()),
        _ => Err(VaultError::Garbage),
    }
}

async fn ask(app: &App, one: Ask) -> Result<Answer, VaultError> {
    let config = app.config().vault.as_ref().ok_or(VaultError::None)?;
    let answer = tokio::time::timeout(Duration::from_secs(config.wait_s), async {
        let mut stream = UnixStream::connect(&config.socket).await?;
        let mut text = Zeroizing::new(serde_json::to_vec(&one)?);
        text.push(b'\n');
        stream.write_all(&text).await?;
        let mut line = String::new();
        BufReader::new(stream.take(2 * LINE_BYTES_MAX as u64)).read_line(&mut line).await?;
        Ok::<_, io::Error>(line)
    });
    let line = answer.await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    match serde_json::from_str(&line).map_err(|_| VaultError::Garbage)? {
        Answer::Refused { why } => Err(VaultError::Refused(why)),
        answer => Ok(answer),
    }
}
