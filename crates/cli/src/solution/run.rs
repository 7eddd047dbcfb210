//! `husorden solution start`, `stop`, `undo`, `update`, `wake`, `sleep`, `reset` and `rebuild`: things done to a solution as a whole.

use crate::context::Context;
use crate::failure::Failure;
use crate::output::Format;
use crate::{credential, output, wait};
use husorden_wire::api::{Order, SolutionChanged};
use serde_json::{Value, json};

/// Which solution.
#[derive(Debug, clap::Args)]
pub struct Which {
    /// Its name or id
    pub(crate) solution: String,
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Start,
    Stop,
    Undo,
    Update,
    Wake,
    Sleep,
    Reset,
    Rebuild,
}

impl Act {
    const fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Undo => "undo",
            Self::Update => "updates",
            Self::Wake => "wake",
            Self::Sleep => "sleep",
            Self::Reset => "reset",
            Self::Rebuild => "rebuild",
        }
    }
}

impl Which {
    pub(crate) fn run(&self, context: &Context, act: Act) -> Result<(), Failure> {
        let name = &self.solution;
        let question = match act {
            Act::Stop => Some(context.word(
                "stoppes: den svarer ikke, før den startes igen. Data beholdes. Fortrydes med `husorden solution start`.",
                "will be stopped: it answers nothing until it is started again. Data is kept. `husorden solution start` brings it back.",
            )),
            Act::Undo => Some(context.word(
                "bringes tilbage til før den seneste destruktive ændring. Tilstanden nu gemmes først som øjebliksbillede.",
                "will be brought back to before the last destructive change. Its state now is kept as a snapshot first.",
            )),
            Act::Reset => Some(context.word(
                "nulstilles, som ved et strømsvigt: det, der ikke er skrevet til disken, går tabt. Den starter igen med det samme.",
                "will be reset, as by a loss of power: what is not written to its disk is lost. It starts again at once.",
            )),
            Act::Rebuild => Some(context.word(
                "laves om fra det, den blev lavet af. Det, den rummer nu, gemmes først som øjebliksbillede; `husorden solution undo` henter det.",
                "will be made anew from what it was made from. What it holds now is kept as a snapshot first; `husorden solution undo` brings it back.",
            )),
            Act::Start | Act::Update | Act::Wake | Act::Sleep => None,
        };
        if let Some(question) = question {
            context.confirm(&format!("{name} {question}"))?;
        }
        let answer: Value = context.api.post(&format!("{}/{}", super::path(name), act.word()), &json!({}))?;
        show(context, answer)
    }
}

/// Waits for what was asked and shows where it ended. The API answers with an order where a node does something once, and
/// with the solution where its aim changed.
pub(crate) fn show(context: &Context, answer: Value) -> Result<(), Failure> {
    let odd = |error: serde_json::Error| Failure::Odd(format!("the API answered something else than agreed: {error}"));
    if answer.get("verb").is_some() {
        let order: Order = serde_json::from_value(answer).map_err(odd)?;
        let order = wait::order(context, order)?;
        ended(context, &order)
    } else {
        let changed: SolutionChanged = serde_json::from_value(answer).map_err(odd)?;
        // Shown before the wait: a password that is shown once must not be lost to an impatient Ctrl-C.
        let told = !changed.credentials.is_empty();
        if told && context.format == Format::Table {
            for shown in &changed.credentials {
                output::put(&credential::text(context, shown))?;
            }
        } else if told {
            output::done(context.format, &changed.solution.name, &changed, "")?;
        }
        let solution = wait::solution(context, changed.solution)?;
        if told && context.format != Format::Table {
            return Ok(());
        }
        output::done(
            context.format,
            &solution.name,
            &solution,
            &format!("{}: {}", solution.name, output::state(&solution.state, context.language)),
        )
    }
}

/// Says where an order ended.
pub(crate) fn ended(context: &Context, order: &Order) -> Result<(), Failure> {
    let (verb, state) = (output::verb(&order.verb, context.language), output::state(&order.state, context.language));
    output::done(context.format, &order.id, order, &format!("{verb}: {state}"))
}
