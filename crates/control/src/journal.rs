//! What a solution's services said: asked of its node when somebody wants to see it, and kept nowhere else. It is the customer's own content,
//! so staff see it under a grant only, and the account sees that they did.

use crate::answer::Answer;
use crate::app::App;
use crate::caller::{Caller, Trail};
use crate::fault::Fault;
use crate::store::evidence::{Awaits, NewEvidence};
use crate::{solution, store};
use husorden_base::{AccountId, QuestionId, Refusal, Text};
use husorden_wire::api;
use husorden_wire::node::Question;
use serde_json::json;
use std::time::Duration;
use tokio::time::Instant;

/// Lines that are given when nothing is said of how many, and at most.
const LINES: usize = 200;
const LINES_MAX: usize = 1_000;
const SEARCH_CHARS_MAX: usize = 200;
/// How long a node is waited for, and between two looks.
const WAIT: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(40);
/// Length of the time that a line begins with; a space follows.
const TIME_BYTES: usize = 20;

/// The newest lines, oldest first.
pub(crate) async fn read(app: &App, caller: &Caller, text: &str, form: api::LogAsk) -> Result<Answer, Fault> {
    let lines = form.lines.unwrap_or(LINES);
    let mut wrong = Vec::new();
    if !(1..=LINES_MAX).contains(&lines) {
        wrong.push(("/lines", format!("1 til {LINES_MAX}"), format!("1 to {LINES_MAX}")));
    }
    let search = form.search.filter(|search| !search.is_empty());
    if search.as_ref().is_some_and(|search| search.chars().count() > SEARCH_CHARS_MAX) {
        wrong.push((
            "/search",
            format!("Højst {SEARCH_CHARS_MAX} tegn"),
            format!("At most {SEARCH_CHARS_MAX} characters"),
        ));
    }
    if let Some((pointer, da, en)) = wrong.into_iter().next() {
        return Err(Refusal::field(pointer, Text::new(da, en)).into());
    }
    let found = solution::find(app, caller, text).await?;
    let mut tx = caller.tenant(app, found.account, Some(found.id)).await?;
    if app.kind(&found.kind).and_then(|kind| kind.log()).is_none() {
        return Err(no_log().into());
    }
    if !caller.is_staff()
        && let Some(held) = store::solution::held_on(tx.conn(), found.id).await?
    {
        return Err(held.refusal(false).into());
    }
    let about = Question::Log { search, since: form.since, lines };
    let question = QuestionId::new();
    store::question::ask(tx.conn(), question, found.id, &about).await?;
    let mut trail = Trail::default();
    if caller.is_staff() {
        trail.evidence(NewEvidence {
            act: "log.read",
            account: Some(found.account),
            solution: Some(found.id),
            before: json!({ "since": form.since, "lines": lines }),
            awaits: Awaits::Nothing,
            visible_from: None,
        });
    }
    trail.finish(app, caller, tx, Answer::empty()).await?;
    let answered = wait(app, found.account, question).await?;
    let said = answered.ok_or_else(silent)?.unwrap_or_default();
    let items = said.lines().filter_map(line).collect();
    Ok(Answer::ok(api::Page::<api::LogLine> { items, next: None }))
}

/// Waits for the answer, and forgets the question whichever way it ends.
pub(crate) async fn wait(app: &App, account: AccountId, question: QuestionId) -> Result<Option<Option<String>>, Fault> {
    let until = Instant::now() + WAIT;
    loop {
        let mut tx = app.doors().tenant(account).await?;
        let answer = store::question::answer(tx.conn(), question).await?;
        if answer.is_some() || Instant::now() > until {
            store::question::forget(tx.conn(), question).await?;
            tx.commit().await?;
            return Ok(answer);
        }
        drop(tx);
        tokio::time::sleep(LOOK).await;
    }
}

fn line(line: &str) -> Option<api::LogLine> {
    let (at, said) = line.split_at_checked(TIME_BYTES)?;
    Some(api::LogLine { at: at.parse().ok()?, text: said.trim_start_matches(' ').to_owned() })
}

fn no_log() -> Refusal {
    Refusal::new(
        "no-log",
        409,
        Text::new("Der er ingen log at vise", "There is no log to show"),
        Text::new("Denne slags løsning gemmer ingen.", "This kind of solution keeps none."),
    )
}

pub(crate) fn silent() -> Refusal {
    Refusal::new(
        "node-silent",
        503,
        Text::new("Serveren svarede ikke i tide", "The node did not answer in time"),
        Text::new(
            "Prøv igen om lidt. Løsningen kan sagtens være i drift.",
            "Try again in a moment. The solution may well be serving.",
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_its_time_and_what_was_said() {
        let read = line("2026-01-01T10:00:00Z   indented").expect("a line");
        assert_eq!((read.at.to_string().as_str(), read.text.as_str()), ("2026-01-01T10:00:00Z", "indented"));
        for odd in ["", "2026", "2026-01-01 10:00:00 x what", "ææææææææææææææææææææ x"] {
            assert!(line(odd).is_none(), "{odd}");
        }
    }
}
