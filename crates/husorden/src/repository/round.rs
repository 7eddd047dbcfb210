//! Rounds over all repositories of a place: what went is told to control, what must stay is heard from it, and what expired is removed with keys
//! that control's vault seals to this process and that are forgotten when the repository is done.
//!
//! Control's word only ever keeps more. Where it does not answer nothing expires, since a seal would not be heard of.

use super::place::{Book, Where};
use super::{All, PolicyArgs, prune};
use anyhow::{Context, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use husorden_backup::keeper::{Gone, Purge, Word};
use husorden_backup::vault::RecoveryKey;
use husorden_cli::api::{Ask, Client};
use husorden_cli::{Failure, Globals};
use husorden_wire::api::{self, ROUND_BACKUPS_MAX};
use husorden_wire::node::{OF_LOG, Secrets};

/// Rounds with control, which `--api`, `--token-file` and `--cacert` reach.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ControlArgs {
    /// The target's name in control; the token is one of staff that may `target-keep` and nothing else
    #[arg(long, value_name = "NAME")]
    target: Option<String>,
    /// Remove what expired, with keys that control's vault seals to this process
    #[arg(long, requires = "target")]
    expire: bool,
}

/// Control, as a target's own side sees it.
pub(super) struct Control {
    client: Client,
    path: String,
    expire: bool,
    key: RecoveryKey,
}

impl ControlArgs {
    pub(super) fn open(&self, globals: &Globals) -> Result<Option<Control>> {
        let Some(target) = &self.target else { return Ok(None) };
        if !target.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
            bail!("{target:?} is no target's name");
        }
        let path = format!("/v1/targets/{target}/rounds");
        Ok(Some(Control { client: globals.client()?, path, expire: self.expire, key: RecoveryKey::generate() }))
    }
}

/// Every repository once. One that can't be read does not keep from the others.
pub(super) fn all(
    all: &All,
    control: &Control,
    policy: &PolicyArgs,
    tell: &mut dyn FnMut(&str, Result<String>),
) -> Result<()> {
    for at in all.repositories()? {
        let name = at.name()?.to_owned();
        // The platform's own: control neither knows nor keeps what opens it, and expires it by nobody's word but this side's own.
        if name.starts_with("platform-") {
            continue;
        }
        tell(&name, one(&at, control, policy));
    }
    Ok(())
}

fn one(at: &Where, control: &Control, policy: &PolicyArgs) -> Result<String> {
    let mut book = at.note()?;
    let due = control.expire && (!book.plan(policy).expire.is_empty() || book.ledger.has_due(book.now));
    let (told, word) = control.say(at, &mut book, due)?;
    let mut said = format!("{told} told");
    if let (true, Some(key)) = (due, &word.key) {
        let file = STANDARD.decode(key).context("the key is base64")?;
        let opened = control.key.unseal(&file).context("the key was sealed to another")?;
        let secrets: Secrets = serde_json::from_slice(&opened).context("the key is no JSON")?;
        let repository = at.open_with(&secrets.repository)?;
        // What control has just said is part of it: a seal, and the last one that was proven.
        let expired = book.plan(policy).expire;
        let pruned = prune(at, &repository, &mut book, &expired, None)?;
        control.say(at, &mut book, false)?;
        said = format!("{said}; {pruned}");
    } else if let Some(why) = word.refused {
        said = format!("{said}; nothing expires: {}", why.en);
    }
    Ok(said)
}

impl Control {
    /// Tells what is to be told, and keeps what control says. Gives how many backups it was told of.
    fn say(&self, at: &Where, book: &mut Book, open: bool) -> Result<(usize, api::TargetWord)> {
        let folder = at.name()?.to_owned();
        let of_log = folder.ends_with(OF_LOG);
        if of_log {
            // Control has a list of backups. Of a log it knows the newest snapshot, which never goes, and is told of none.
            book.ledger.untold.clear();
            book.ledger.waiting.clear();
            book.missing.clear();
        }
        let told = book.ledger.untold.len().min(ROUND_BACKUPS_MAX);
        let waiting = book.ledger.waiting.len().min(ROUND_BACKUPS_MAX);
        let round = api::TargetRound {
            folder,
            gone: book.ledger.untold[..told].iter().map(gone).collect(),
            missing: book.missing.iter().take(ROUND_BACKUPS_MAX).map(ToString::to_string).collect(),
            waiting: book.ledger.waiting[..waiting].iter().map(purge).collect(),
            recipient: open.then(|| self.key.recipient().to_string()),
        };
        let body = serde_json::to_value(&round)?;
        // Not as a request that is kept to be answered again: a key may be in the answer.
        let mut ask = Ask::post(&self.path, &body);
        ask.once = None;
        let word: api::TargetWord = match self.client.ask(&ask) {
            Err(Failure::Refused(problem)) if problem.status == 404 => {
                bail!("control knows no solution {} or no such target", round.folder)
            }
            answer => answer?,
        };
        book.ledger.untold.drain(..told);
        book.ledger.waiting.drain(..waiting);
        let proven = word.proven.clone().filter(|_| !of_log);
        book.ledger.word = Word { proven, sealed: word.sealed };
        book.save()?;
        Ok((told, word))
    }
}

fn gone(gone: &Gone) -> api::BackupGone {
    api::BackupGone { copy: gone.copy.clone(), at: gone.at, purge: gone.purge.as_ref().map(purge) }
}

fn purge(purge: &Purge) -> api::Purge {
    let Purge { order, reason, signers, seen } = purge.clone();
    api::Purge { order, reason, signers, seen }
}
