//! `husorden snapshot`: snapshots of a solution's volume.

mod schedule;

use crate::api::{Ask, segment};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{self, Row};
use crate::solution::path;
use crate::wait;
use husorden_wire::api::{Order, Snapshot};
use serde_json::{Value, json};
use ureq::http::Method;

/// What can be done with snapshots.
#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// List a solution's snapshots
    #[command(visible_alias = "ls")]
    List {
        /// The solution's name or id
        solution: String,
    },
    /// Take a snapshot
    Create {
        /// The solution's name or id
        solution: String,
        /// A label, for people
        #[arg(long, default_value = "")]
        label: String,
    },
    /// Bring a solution back to a snapshot; its state now is kept as another
    Restore {
        /// The solution's name or id
        solution: String,
        /// The snapshot's id
        snapshot: String,
    },
    /// Delete a snapshot
    Delete {
        /// The solution's name or id
        solution: String,
        /// The snapshot's id
        snapshot: String,
    },
    /// When they are taken by themselves, and how many of those are kept
    #[command(subcommand)]
    Schedule(schedule::Verb),
}

impl Verb {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::List { solution } => {
                let all: Vec<Snapshot> = context.api.all(&format!("{}/snapshots", path(&solution)))?;
                output::list(context.format, &all)
            }
            Self::Create { solution, label } => {
                let order: Order =
                    context.api.post(&format!("{}/snapshots", path(&solution)), &json!({ "label": label }))?;
                let order = wait::order(context, order)?;
                let id = order.snapshot.clone().unwrap_or_else(|| order.id.clone());
                output::done(
                    context.format,
                    &id,
                    &order,
                    &format!(
                        "{} {id}: {}",
                        output::verb("snapshot", context.language),
                        output::state(&order.state, context.language)
                    ),
                )
            }
            Self::Restore { solution, snapshot } => {
                context.confirm(&format!(
                    "{solution} {} {snapshot}. {}",
                    context.word("bringes tilbage til øjebliksbilledet", "will be brought back to the snapshot"),
                    context.word(
                        "Tilstanden nu gemmes først; `husorden solution undo` fortryder.",
                        "Its state now is kept first; `husorden solution undo` undoes it."
                    )
                ))?;
                let path = format!("{}/snapshots/{}/restore", path(&solution), segment(&snapshot));
                let answer: Value = context.api.post(&path, &json!({}))?;
                crate::solution::show(context, answer)
            }
            Self::Delete { solution, snapshot } => {
                context.confirm(&format!(
                    "{} {snapshot} {}",
                    context.word("Øjebliksbilledet", "The snapshot"),
                    context.word("slettes. Det kan ikke fortrydes.", "will be deleted. This cannot be undone.")
                ))?;
                let path = format!("{}/snapshots/{}", path(&solution), segment(&snapshot));
                let answer: Value = context.api.ask(&Ask::new(Method::DELETE, &path))?;
                if answer.is_null() {
                    return output::done(
                        context.format,
                        &snapshot,
                        &json!({ "id": snapshot }),
                        context.word("slettet", "deleted"),
                    );
                }
                crate::solution::show(context, answer)
            }
            Self::Schedule(verb) => verb.run(context),
        }
    }
}

impl Row for Snapshot {
    const COLUMNS: &'static [&'static str] = &["id", "taken", "state", "label", "before", "consistent"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            output::moment(self.taken),
            self.state.clone(),
            self.label.clone(),
            output::dash(self.before.as_deref()),
            output::dash(self.consistent.as_deref()),
        ]
    }

    fn name(&self) -> String {
        self.id.clone()
    }
}
