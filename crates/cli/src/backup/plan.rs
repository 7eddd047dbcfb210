//! `husorden backup plan`: when a solution is backed up.

use crate::api::{Ask, to_value};
use crate::context::Context;
use crate::failure::Failure;
use crate::output;
use crate::solution::path;
use husorden_wire::api::{BackupPlan, BackupPlanChange};
use ureq::http::Method;

/// What can be done with a plan.
#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// Show a solution's plan, and how its backups stand
    Show {
        /// The solution's name or id
        solution: String,
    },
    /// Change it; what is left out stays
    Set(Set),
}

/// A change of a plan.
#[derive(Debug, clap::Args)]
pub struct Set {
    /// The solution's name or id
    solution: String,
    /// Back it up each day
    #[arg(long, conflicts_with = "off")]
    on: bool,
    /// Back it up no more, and why
    #[arg(long, value_name = "WHY")]
    off: Option<String>,
    /// Hour of the day in which the window begins, 0 to 23
    #[arg(long)]
    hour: Option<u8>,
    /// Hours that the window is long, 1 to 24
    #[arg(long)]
    hours: Option<u8>,
    /// The time zone of the hour, such as Europe/Copenhagen
    #[arg(long)]
    zone: Option<String>,
    /// Name of the target; empty for the installation's own (staff)
    #[arg(long)]
    target: Option<String>,
}

impl Verb {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Show { solution } => {
                let plan: BackupPlan = context.api.get(&at(&solution))?;
                output::one(context.format, &solution, &plan)
            }
            Self::Set(set) => {
                let on = match (set.on, &set.off) {
                    (true, _) => Some(true),
                    (false, Some(_)) => Some(false),
                    (false, None) => None,
                };
                if on == Some(false) {
                    context.confirm(&format!(
                        "{} {}",
                        set.solution,
                        context.word("sikkerhedskopieres ikke mere.", "will be backed up no more.")
                    ))?;
                }
                let form = BackupPlanChange {
                    on,
                    reason: set.off,
                    target: set.target,
                    hour: set.hour,
                    hours: set.hours,
                    zone: set.zone,
                };
                let plan: BackupPlan =
                    context.api.ask(&Ask::new(Method::PUT, &at(&set.solution)).with(&to_value(&form)?))?;
                output::one(context.format, &set.solution, &plan)
            }
        }
    }
}

fn at(solution: &str) -> String {
    format!("{}/backup-plan", path(solution))
}
