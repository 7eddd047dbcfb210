//! Update now: somebody asks for the newest builds, whatever the time. The wish for it is written down, and passes carry it out as they do
//! in the maintenance window; the verb drives them, so that its end is that of the update.

use crate::{Node, keeper};
use husorden_base::{OrderId, Refusal, SolutionId, Text};
use husorden_kinds::builds::{Builds, End, Past};
use husorden_kinds::{Outcome, Standing, Waiting, kind};
use husorden_wire::node::{FromNode, VerbState};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Longest that the verb waits for the update; it goes on by itself after that.
const WAIT_MAX: Duration = Duration::from_secs(1800);
/// Pause between two passes.
const PAUSE: Duration = Duration::from_millis(200);
/// Passes that may fail in a row.
const FAILURES_MAX: u32 = 5;

/// Brings a solution to the newest builds and says how that ended.
pub(crate) fn now(node: &Arc<Node>, solution: SolutionId, order: OrderId) -> Result<(), Refusal> {
    let ask = |asked| node.register.ask_for_newest(solution, asked).map_err(|error| crate::verbs::ours(&error));
    let before = node.register.builds(solution).past.last().map(|past| past.id);
    ask(true)?;
    let (began, mut failures) = (Instant::now(), 0);
    loop {
        let Some(wish) = node.register.wish(solution) else { return Err(not_served()) };
        let Some(kind) = kind(&wish.kind) else { return Err(not_served()) };
        let (wished, outcome) = keeper::round(node, &wish, kind);
        let builds = node.register.builds(solution);
        let (at_rest, late) = (builds.update.is_none(), began.elapsed() > WAIT_MAX);
        if at_rest && !builds.asked {
            return ended(&builds, before);
        }
        failures = if matches!(outcome, Outcome::Blind(_) | Outcome::Failed(_)) { failures + 1 } else { 0 };
        let stuck = match (&outcome, at_rest) {
            (Outcome::Waits(_, Waiting::Trouble { text }), true) => Some(text.clone()),
            (Outcome::Blind(trouble) | Outcome::Failed(trouble), true) if failures > FAILURES_MAX => {
                Some(trouble.text.clone())
            }
            _ => None,
        };
        if wished.standing() != Standing::Open {
            ask(false)?;
            return Err(not_served());
        }
        if late || stuck.is_some() || node.ending() {
            ask(false)?;
            return Err(not_now(stuck));
        }
        if let Outcome::Waits(_, Waiting::Work { text }) = outcome {
            node.voice.say(&FromNode::Progress { order, state: VerbState::Running { text, percent: None } });
        }
        std::thread::sleep(PAUSE);
    }
}

/// What the updates since then came to; without any, whether the newest build is one that did not hold.
fn ended(builds: &Builds, before: Option<husorden_base::SnapshotId>) -> Result<(), Refusal> {
    let known = builds.past.iter().rposition(|past| Some(past.id) == before).map_or(0, |place| place + 1);
    let since: &[Past] = &builds.past[known..];
    for past in since {
        if let End::RolledBack { reason, restored, .. } = &past.end {
            return Err(rolled_back(past.runtime.as_str(), reason, *restored));
        }
    }
    match builds.refused.iter().next().filter(|_| since.is_empty()) {
        Some((runtime, refused)) => Err(Refusal::new(
            "update-refused",
            409,
            Text::new("Den nyeste udgave holdt ikke", "The newest build did not hold"),
            Text::new(
                format!(
                    "{runtime} blev prøvet {} og rullet tilbage: {}. Den prøves igen, når der er en nyere.",
                    refused.at, refused.reason
                ),
                format!(
                    "{runtime} was tried at {} and rolled back: {}. It is tried again when a newer one is there.",
                    refused.at, refused.reason
                ),
            ),
        )),
        None => Ok(()),
    }
}

fn rolled_back(runtime: &str, reason: &str, restored: bool) -> Refusal {
    let (da, en) = if restored {
        (" Data er som i øjebliksbilledet fra før.", " The data is as in the snapshot from before.")
    } else {
        ("", "")
    };
    Refusal::new(
        "update-rolled-back",
        422,
        Text::new("Opdateringen holdt ikke og er rullet tilbage", "The update did not hold and was rolled back"),
        Text::new(
            format!("{runtime}: den gamle udgave er i brug igen.{da} Det sidste, der blev sagt: {reason}"),
            format!("{runtime}: the old build serves again.{en} The last words: {reason}"),
        ),
    )
}

fn not_served() -> Refusal {
    Refusal::new(
        "not-served",
        409,
        Text::new("Løsningen kører ikke", "The solution does not run"),
        Text::new(
            "Kun det, der kører, opdateres. Start den, og prøv igen.",
            "Only what runs is updated. Start it, and try again.",
        ),
    )
}

fn not_now(why: Option<Text>) -> Refusal {
    let why = why.unwrap_or_else(|| {
        Text::new(
            "Det tog for længe. En opdatering, der er begyndt, gøres færdig af sig selv.",
            "It took too long. An update that has begun is finished by itself.",
        )
    });
    Refusal::new("not-updated", 409, Text::new("Den kunne ikke opdateres nu", "It could not be updated now"), why)
}
