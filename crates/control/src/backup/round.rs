//! A round of a target's own side: what went there is noted, and it is told what must stay. What opens a repository is released to it, so
//! that packs which nothing uses can go; control can't read what the vault seals to it.

use crate::answer::Answer;
use crate::app::App;
use crate::caller::Caller;
use crate::fault::Fault;
use crate::{store, vault};
use husorden_base::{FieldError, Refusal, Text};
use husorden_wire::api::{self, ROUND_BACKUPS_MAX};
use husorden_wire::node::OF_LOG;

/// Longest name of a backup, hash, key or recipient, in bytes.
const WORD_BYTES_MAX: usize = 200;
/// Longest reason of a purge, in characters, and most who signed it.
const REASON_CHARS_MAX: usize = 2000;
const SIGNERS_MAX: usize = 16;

/// Notes what is said, and answers.
pub(crate) async fn round(app: &App, caller: &Caller, text: &str, said: api::TargetRound) -> Result<Answer, Fault> {
    let (number, of_log) = judge(&said)?;
    let mut tx = app.doors().staff().await?;
    let rows = store::target::list(tx.conn()).await?;
    // Who speaks for one target finds no other.
    let wanted = |row: &store::target::TargetRow| {
        (row.name == text || row.id.to_string() == text) && caller.narrow.speaks_for(row.id)
    };
    let target = rows.into_iter().find(wanted).ok_or_else(|| Refusal::not_found(text))?;
    drop(tx);
    let system = app.doors().system();
    let noted = store::target::round(system, target.id, number, &said).await?;
    let noted = noted.ok_or_else(|| Refusal::not_found(&said.folder))?;
    let mut word = api::TargetWord { proven: noted.proven, sealed: noted.sealed, ..api::TargetWord::default() };
    if let Some(recipient) = &said.recipient {
        match store::target::unlock(system, target.id, number, recipient).await? {
            None => {
                word.refused = Some(Text::new(
                    "Løsningen er forseglet, slettet eller har ingen backup her, så nøglen udleveres ikke",
                    "The solution is sealed, deleted or has no backup here, so the key is not released",
                ));
            }
            Some(unlock) => {
                let whose = (unlock.solution, unlock.number);
                let released = vault::release(app, whose, (unlock.make, of_log), unlock.target, recipient).await;
                let why = released.as_ref().err().map(vault::VaultError::told);
                store::node::unlocked(system, unlock.evidence, why.as_ref()).await?;
                (word.key, word.refused) = (released.ok(), why);
            }
        }
    }
    app.wake();
    Ok(Answer::ok(word))
}

/// The repository's number, and whether it is that of the log, where everything that is said can be kept.
fn judge(said: &api::TargetRound) -> Result<(i32, bool), Refusal> {
    let mut wrong = Vec::new();
    let mut bad = |pointer: &str, da: &str, en: &str| {
        wrong.push(FieldError { pointer: pointer.to_owned(), detail: Text::new(da, en) });
    };
    let word = |text: &str| {
        !text.is_empty() && text.len() <= WORD_BYTES_MAX && text.bytes().all(|byte| byte.is_ascii_graphic())
    };
    let purge = |purge: &api::Purge| {
        word(&purge.order)
            && purge.signers.len() <= SIGNERS_MAX
            && purge.signers.iter().all(|signer| word(signer))
            && purge.reason.chars().count() <= REASON_CHARS_MAX
            && !purge.reason.chars().any(|c| c.is_control() && c != '\n')
    };
    let (digits, of_log) = said.folder.strip_suffix(OF_LOG).map_or((said.folder.as_str(), false), |text| (text, true));
    let number = digits.parse::<i32>().ok().filter(|number| digits.bytes().all(|c| c.is_ascii_digit()) && *number > 0);
    if number.is_none() {
        bad(
            "/folder",
            "Mappen er en løsnings nummer, eller det med -log",
            "The folder is a solution's number, or that with -log",
        );
    }
    // Snapshots of a log are no backups, and stand in no list.
    if of_log && !(said.gone.is_empty() && said.missing.is_empty() && said.waiting.is_empty()) {
        bad("/folder", "Af en log siges intet", "Nothing is said of a log");
    }
    let gone = said.gone.iter().all(|gone| word(&gone.copy) && gone.purge.as_ref().is_none_or(purge));
    for (pointer, count, fine) in [
        ("/gone", said.gone.len(), gone),
        ("/missing", said.missing.len(), said.missing.iter().all(|copy| word(copy))),
        ("/waiting", said.waiting.len(), said.waiting.iter().all(purge)),
    ] {
        if count > ROUND_BACKUPS_MAX || !fine {
            bad(pointer, "Højst 1000, hver med et navn", "At most 1,000, each with a name");
        }
    }
    if said.recipient.as_deref().is_some_and(|recipient| !word(recipient)) {
        bad("/recipient", "En modtager som age1…", "A recipient such as age1…");
    }
    match number {
        Some(number) if wrong.is_empty() => Ok((number, of_log)),
        _ => Err(Refusal::fields(wrong)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_target_says_is_judged_at_the_door() {
        let round = |folder: &str| api::TargetRound { folder: folder.to_owned(), ..api::TargetRound::default() };
        let missing = |copies: Vec<String>| api::TargetRound { missing: copies, ..round("7") };
        for (said, expected) in [
            (round("7"), ""),
            (round("0"), "/folder"),
            (round("-7"), "/folder"),
            (round("+7"), "/folder"),
            (round("../7"), "/folder"),
            (round("7-log"), ""),
            (round("-log"), "/folder"),
            (round("7-log-log"), "/folder"),
            (api::TargetRound { missing: vec!["a".repeat(64)], ..round("7-log") }, "/folder"),
            (round("99999999999"), "/folder"),
            (missing(vec!["a".repeat(64)]), ""),
            (missing(vec![String::new()]), "/missing"),
            (missing(vec!["a\u{0}b".to_owned()]), "/missing"),
            (missing(vec!["a".repeat(201)]), "/missing"),
            (missing(vec!["a".to_owned(); ROUND_BACKUPS_MAX + 1]), "/missing"),
            (api::TargetRound { recipient: Some("age1 x".to_owned()), ..round("7") }, "/recipient"),
        ] {
            let found = judge(&said).err().map(|refusal| refusal.fields[0].pointer.clone()).unwrap_or_default();
            assert_eq!(found, expected, "{said:?}");
        }
    }
}
