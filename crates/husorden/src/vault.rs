//! `husorden vault`: speaking with this machine's vault as root. The recovery key is made here, in this process, and shown once: the vault
//! is told its public half alone.

use crate::place::{Place, Which};
use crate::progress::line;
use anyhow::{Context, Result, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use husorden_backup::vault::{PlatformPaper, RecoveryKey, platform_folder};
use husorden_base::{Number, Secret, SolutionId, TargetId};
use husorden_vault::serve::ask;
use husorden_wire::node::Secrets;
use husorden_wire::vault::{Answer, Ask, Status};
use std::io::{BufRead, IsTerminal, Write, stdin, stdout};
use std::path::Path;
use std::process::ExitCode;

/// Letters of the recovery key that are typed again, from its end.
const TYPED_AGAIN: usize = 6;

/// What root says to the vault.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// How many keys it keeps, and whether there is a recovery key on paper
    Status {
        #[command(flatten)]
        which: Which,
    },
    /// Make the recovery key, show it once for paper, and have every key written for it
    Recovery {
        #[command(flatten)]
        which: Which,
        /// In the place of the one there is: the old paper opens nothing that is written from then on
        #[arg(long)]
        replace: bool,
        /// Write to standard output although that is no terminal; whoever reads it is to forget it
        #[arg(long)]
        into_pipe: bool,
    },
    /// Make the second paper, with which and the recovery key the platform is rebuilt, show it once, and begin to back the platform up
    Platform {
        #[command(flatten)]
        which: Which,
        /// In the place of the one there is: backups of the platform begin anew, and what was written opens with the old papers
        #[arg(long)]
        replace: bool,
        /// Write to standard output although that is no terminal; whoever reads it is to forget it
        #[arg(long)]
        into_pipe: bool,
    },
    /// A solution's key as it is written for the recovery key, an age file on standard output: `age -d -i paper.txt`
    Key {
        #[command(flatten)]
        which: Which,
        /// The solution's id
        solution: SolutionId,
        /// The solution's number
        #[arg(value_parser = number)]
        number: Number,
    },
}

fn number(text: &str) -> Result<Number, String> {
    text.parse().ok().and_then(Number::new).ok_or_else(|| "a solution's number is a whole number from 1 on".to_owned())
}

impl Verb {
    pub(crate) fn run(self, format: husorden_cli::Format) -> Result<ExitCode> {
        match self {
            Self::Status { which } => {
                let status = status(&which.place()?)?;
                if format == husorden_cli::Format::Json {
                    line(&serde_json::to_string_pretty(&status)?);
                } else {
                    line(&format!("keys           {}", status.keys));
                    line(&format!("destroyed      {}", status.destroyed));
                    line(&format!("targets        {}", status.targets));
                    let none = "none on paper yet: `husorden vault recovery` makes it";
                    line(&format!("recovery key   {}", status.recovery.as_deref().unwrap_or(none)));
                    let none = "none on paper yet: `husorden vault platform` makes it";
                    line(&format!("platform paper {}", if status.platform { "made" } else { none }));
                }
            }
            Self::Recovery { which, replace, into_pipe } => recovery(&which.place()?, replace, into_pipe)?,
            Self::Platform { which, replace, into_pipe } => platform(&which.place()?, replace, into_pipe)?,
            Self::Key { which, solution, number } => {
                let place = which.place()?;
                let Answer::Recovery { file } = said(&place, &Ask::Recovery { solution, number })? else {
                    bail!("the vault answered something else");
                };
                stdout().write_all(&STANDARD.decode(file).context("reading the vault's answer")?)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The key of the platform's own backups, with the secret of a target; nobody between the vault and this process reads it.
pub(crate) fn platform_secrets(socket: &Path, target: Option<TargetId>) -> Result<Secrets> {
    let own = RecoveryKey::generate();
    let one = Ask::Platform { target, recipient: own.recipient().to_string() };
    match ask(socket, &one).with_context(|| format!("asking the vault at {}", socket.display()))? {
        Answer::Released { sealed } => {
            let sealed = STANDARD.decode(sealed).context("reading the vault's answer")?;
            Ok(serde_json::from_slice(&own.unseal(&sealed)?)?)
        }
        Answer::Refused { why } => Err(why.into()),
        _ => bail!("the vault answered something else"),
    }
}

/// What the vault says; what it refuses is an error.
fn said(place: &Place, one: &Ask) -> Result<Answer> {
    let socket = place.vault_socket();
    match ask(&socket, one).with_context(|| format!("asking the vault at {}; is it up?", socket.display()))? {
        Answer::Refused { why } => Err(why.into()),
        answer => Ok(answer),
    }
}

/// How this machine's vault is.
pub(crate) fn status(place: &Place) -> Result<Status> {
    match said(place, &Ask::Status)? {
        Answer::Status { status } => Ok(status),
        _ => bail!("the vault answered something else"),
    }
}

fn recovery(place: &Place, replace: bool, into_pipe: bool) -> Result<()> {
    let paper = Paper::new("the recovery key", into_pipe)?;
    if let Some(there) = status(place)?.recovery
        && !replace
    {
        bail!(
            "there is a recovery key already ({there}); with --replace another is made, and everything is written for it"
        );
    }
    let key = RecoveryKey::generate();
    let recipient = key.recipient().to_string();
    line(
        "\nThis is the recovery key. It opens every backup of this installation when the machine, or the vault, is lost.\n\
         Write it on paper, or print it, and keep it where neither this machine nor its thief can reach: it is shown now and never again.\n\
         Whoever has it, and a copy of what the vault wrote for it, reads every backup.\n\
         \n\
         Dette er gendannelsesnøglen. Den åbner alle installationens sikkerhedskopier, når maskinen eller boksen er tabt.\n\
         Skriv den på papir, og læg den, hvor hverken denne maskine eller dens tyv kan nå: den vises nu og aldrig igen.\n",
    );
    paper.show(&key.to_paper(), &format!("{recipient}   (its public half: what is written for it)"))?;
    said(place, &Ask::SetRecovery { recipient, replace })?;
    line("Every key is written for it from now on. Its use is described in docs/backups.md.");
    line(
        "The platform itself is backed up once it has a paper of its own, kept apart from this one: `husorden vault platform`.",
    );
    Ok(())
}

fn platform(place: &Place, replace: bool, into_pipe: bool) -> Result<()> {
    let paper = Paper::new("the platform paper", into_pipe)?;
    let status = status(place)?;
    let recipient =
        status.recovery.context("there is no recovery key yet: `husorden vault recovery` makes it first")?;
    if status.platform && !replace {
        bail!(
            "there is a platform paper already; with --replace another is made, and backups of the platform begin anew with it"
        );
    }
    let (second, key) = PlatformPaper::make(&recipient.parse().context("reading the recovery key's public half")?);
    line(
        "\nThis is the platform paper. Together with the recovery key it rebuilds the platform on an empty machine: `husorden rebuild`.\n\
         Neither opens anything without the other, so keep them apart. It is shown now and never again.\n\
         \n\
         Dette er platformpapiret. Sammen med gendannelsesnøglen genopbygger det platformen på en tom maskine: `husorden rebuild`.\n\
         Ingen af dem åbner noget uden den anden, så gem dem hver for sig. Det vises nu og aldrig igen.\n",
    );
    let folder = platform_folder(&key);
    paper.show(&second.to_paper(), &format!("{folder}   (the repository's folder at the target)"))?;
    said(place, &Ask::SetPlatform { key: key.password(), recipient, replace })?;
    line("The platform is backed up from now on; `husorden platform status` says how it stands.");
    Ok(())
}

/// A secret that is shown once.
struct Paper {
    what: &'static str,
}

impl Paper {
    fn new(what: &'static str, into_pipe: bool) -> Result<Self> {
        ensure!(
            stdout().is_terminal() || into_pipe,
            "{what} is shown once, on a terminal, for paper; standard output is none (--into-pipe to write it there all the same)"
        );
        Ok(Self { what })
    }

    /// Shows it, and has its end typed from the paper where somebody can type.
    fn show(&self, paper: &Secret, about: &str) -> Result<()> {
        line(&format!("    {}\n", paper.reveal()));
        line(&format!("    {about}\n"));
        if !stdin().is_terminal() {
            return Ok(());
        }
        let end = paper.reveal().len().saturating_sub(TYPED_AGAIN);
        let last = paper.reveal().get(end..).with_context(|| format!("{} is longer", self.what))?;
        line(&format!(
            "Read its last {TYPED_AGAIN} characters from the paper and type them; nothing is changed before that:"
        ));
        let mut typed = String::new();
        stdin().lock().read_line(&mut typed)?;
        ensure!(
            typed.trim().eq_ignore_ascii_case(last),
            "that is not what was shown; nothing was changed, so begin again"
        );
        Ok(())
    }
}
