//! `husorden snapshot schedule`: when snapshots of a solution are taken by themselves.

use crate::api::{Ask, to_value};
use crate::context::Context;
use crate::failure::Failure;
use crate::output;
use crate::solution::path;
use clap::ValueEnum;
use husorden_wire::api::{SnapshotEvery, SnapshotSchedule, SnapshotScheduleChange};
use ureq::http::Method;

/// What can be done with a schedule.
#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// Show a solution's schedule, and when the next one is taken
    Show {
        /// The solution's name or id
        solution: String,
    },
    /// Change it; what is left out stays
    Set(Set),
}

/// How often.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Every {
    Off,
    Hourly,
    Daily,
    Weekly,
}

impl From<Every> for SnapshotEvery {
    fn from(every: Every) -> Self {
        match every {
            Every::Off => Self::Off,
            Every::Hourly => Self::Hourly,
            Every::Daily => Self::Daily,
            Every::Weekly => Self::Weekly,
        }
    }
}

/// A change of a schedule.
#[derive(Debug, clap::Args)]
pub struct Set {
    /// The solution's name or id
    solution: String,
    /// How often
    #[arg(long)]
    every: Option<Every>,
    /// Hour of the day in which it is taken, 0 to 23
    #[arg(long)]
    hour: Option<u8>,
    /// Day of the week of a weekly one, such as sunday
    #[arg(long)]
    day: Option<String>,
    /// The time zone of the hour, such as Europe/Copenhagen
    #[arg(long)]
    zone: Option<String>,
    /// How many are kept, 1 to 14; those beyond go by themselves, the oldest first
    #[arg(long)]
    keep: Option<u8>,
}

impl Verb {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Show { solution } => {
                let schedule: SnapshotSchedule = context.api.get(&at(&solution))?;
                output::one(context.format, &solution, &schedule)
            }
            Self::Set(set) => set.run(context),
        }
    }
}

impl Set {
    fn run(self, context: &Context) -> Result<(), Failure> {
        let place = at(&self.solution);
        if let Some(keep) = self.keep {
            let held: SnapshotSchedule = context.api.get(&place)?;
            if keep < held.keep {
                context.confirm(&format!(
                    "{}: {} {keep} {}",
                    self.solution,
                    context.word("de nyeste", "the newest"),
                    context.word(
                        "øjebliksbilleder efter tidsplan beholdes; ældre fjernes, og det kan ikke fortrydes.",
                        "snapshots on schedule are kept; older ones are removed, and that cannot be undone."
                    )
                ))?;
            }
        }
        let form = SnapshotScheduleChange {
            every: self.every.map(SnapshotEvery::from),
            hour: self.hour,
            day: self.day,
            zone: self.zone,
            keep: self.keep,
        };
        let schedule: SnapshotSchedule = context.api.ask(&Ask::new(Method::PUT, &place).with(&to_value(&form)?))?;
        output::one(context.format, &self.solution, &schedule)
    }
}

fn at(solution: &str) -> String {
    format!("{}/snapshot-schedule", path(solution))
}
