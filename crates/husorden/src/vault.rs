//! `husorden vault`: speaking with this machine's vault as root. The recovery key is made here, in this process, and shown once: the vault
//! is told its public half alone.

use crate::place::{Place, Which};
use crate::progress::line;
use anyhow::{Context, Result, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use husorden_backup::vault::RecoveryKey;
use husorden_base::{Number, SolutionId};
use husorden_vault::serve::ask;
use husorden_wire::vault::{Answer, Ask, Status};
use std::io::{BufRead, IsTerminal, Write, stdin, stdout};
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
                }
            }
            Self::Recovery { which, replace, into_pipe } => recovery(&which.place()?, replace, into_pipe)?,
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
    ensure!(
        stdout().is_terminal() || into_pipe,
        "the recovery key is shown once, on a terminal, for paper; standard output is none (--into-pipe to write it there all the same)"
    );
    if let Some(there) = status(place)?.recovery
        && !replace
    {
        bail!(
            "there is a recovery key already ({there}); with --replace another is made, and everything is written for it"
        );
    }
    let key = RecoveryKey::generate();
    let recipient = key.recipient().to_string();
    let paper = key.to_paper();
    line(
        "\nThis is the recovery key. It opens every backup of this installation when the machine, or the vault, is lost.\n\
         Write it on paper, or print it, and keep it where neither this machine nor its thief can reach: it is shown now and never again.\n\
         Whoever has it, and a copy of what the vault wrote for it, reads every backup.\n\
         \n\
         Dette er gendannelsesnøglen. Den åbner alle installationens sikkerhedskopier, når maskinen eller boksen er tabt.\n\
         Skriv den på papir, og læg den, hvor hverken denne maskine eller dens tyv kan nå: den vises nu og aldrig igen.\n",
    );
    line(&format!("    {}\n", paper.reveal()));
    line(&format!("    {recipient}   (its public half: what is written for it)\n"));
    if stdin().is_terminal() {
        let end = paper.reveal().len().saturating_sub(TYPED_AGAIN);
        let last = paper.reveal().get(end..).context("a key is longer")?;
        line(&format!(
            "Read its last {TYPED_AGAIN} characters from the paper and type them; nothing is changed before that:"
        ));
        let mut typed = String::new();
        stdin().lock().read_line(&mut typed)?;
        ensure!(
            typed.trim().eq_ignore_ascii_case(last),
            "that is not what was shown; nothing was changed, so begin again"
        );
    }
    said(place, &Ask::SetRecovery { recipient, replace })?;
    line("Every key is written for it from now on. Its use is described in docs/backups.md.");
    Ok(())
}
