//! `husorden proposal`: who tried to connect to a solution and was refused, and letting them in.

use crate::api::{Ask, segment};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{self, Row};
use crate::solution::path;
use crate::wait;
use husorden_wire::api::{Proposal, ProposalAccept, Solution};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use ureq::http::Method;

/// What can be done with proposals.
#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// List who tried to connect and was refused, newest first
    #[command(visible_alias = "ls")]
    List {
        /// The solution's name or id
        solution: String,
    },
    /// Put one on the list of who may connect
    Accept {
        /// The solution's name or id
        solution: String,
        /// The proposal's id, or its address
        proposal: String,
        /// Who it is, for people
        #[arg(long, default_value = "")]
        note: String,
        /// When it ends by itself: a time, or a while from now such as 2h, 30m or 7d; left out, it stays
        #[arg(long, value_parser = end)]
        until: Option<Timestamp>,
    },
    /// Take one away: it is nobody you know
    Dismiss {
        /// The solution's name or id
        solution: String,
        /// The proposal's id, or its address
        proposal: String,
    },
}

impl Verb {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::List { solution } => output::list(context.format, &all(context, &solution)?),
            Self::Accept { solution, proposal, note, until } => {
                let proposal = named(context, &solution, &proposal)?;
                let at = format!("{}/proposals/{}/accept", path(&solution), segment(&proposal.id));
                let changed: Solution = context.api.post(&at, &ProposalAccept { note, until })?;
                let seen = wait::solution(context, changed)?;
                let text =
                    format!("{} {} {}", proposal.net, context.word("må forbinde til", "may connect to"), seen.name);
                output::done(context.format, &seen.name, &seen, &text)
            }
            Self::Dismiss { solution, proposal } => {
                let proposal = named(context, &solution, &proposal)?;
                let at = format!("{}/proposals/{}", path(&solution), segment(&proposal.id));
                let _: Value = context.api.ask(&Ask::new(Method::DELETE, &at))?;
                let text = format!("{}: {}", proposal.net, context.word("afvist som forslag", "dismissed"));
                output::done(context.format, &proposal.id, &json!({ "id": proposal.id }), &text)
            }
        }
    }
}

fn all(context: &Context, solution: &str) -> Result<Vec<Proposal>, Failure> {
    context.api.all(&format!("{}/proposals", path(solution)))
}

/// The proposal that is meant, by its id or by the address it is about.
fn named(context: &Context, solution: &str, text: &str) -> Result<Proposal, Failure> {
    let mut found = all(context, solution)?;
    found.retain(|proposal| proposal.id == text || proposal.net == text);
    found.into_iter().next().ok_or_else(|| {
        Failure::Usage(format!(
            "{text:?} {}",
            context.word("er ikke blandt forslagene.", "is not among the proposals.")
        ))
    })
}

/// A time, or a while from now.
pub(crate) fn end(text: &str) -> Result<Timestamp, String> {
    if let Ok(at) = text.parse() {
        return Ok(at);
    }
    let wrong = || format!("{text:?} is no time such as 2030-01-31T16:00:00Z, and no while such as 2h, 30m or 7d");
    let while_from_now: SignedDuration = match text.strip_suffix('d') {
        Some(days) => SignedDuration::from_hours(24 * days.parse::<i64>().map_err(|_| wrong())?),
        None => text.parse().map_err(|_| wrong())?,
    };
    Timestamp::now().checked_add(while_from_now).map_err(|_| wrong())
}

impl Row for Proposal {
    const COLUMNS: &'static [&'static str] = &["id", "address", "port", "attempts", "last", "yours"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            self.net.clone(),
            self.port.to_string(),
            self.attempts.to_string(),
            output::moment(self.last),
            if self.own { "*".to_owned() } else { String::new() },
        ]
    }

    fn name(&self) -> String {
        self.id.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_a_time_or_a_while() {
        assert_eq!(end("2030-01-31T16:00:00Z").map(|at| at.to_string()), Ok("2030-01-31T16:00:00Z".to_owned()));
        for (text, minutes) in [("2h", 120), ("90m", 90), ("7d", 7 * 24 * 60)] {
            let left = end(text).expect(text).duration_since(Timestamp::now());
            // A moment has passed since.
            assert_eq!((left + SignedDuration::from_secs(30)).as_mins(), minutes, "{text}: {left}");
        }
        for text in ["", "tomorrow", "d", "2", "99999999999d"] {
            assert!(end(text).is_err(), "{text}");
        }
    }
}
