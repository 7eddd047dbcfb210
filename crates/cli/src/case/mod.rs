//! `husorden case`: cases under the house rules. No measure without a decision, no decision without a clause and reasons.

mod decide;
mod lift;

pub(crate) use lift::Lift;

use crate::api::segment;
use crate::context::Context;
use crate::failure::Failure;
use crate::lists::pages;
use crate::output::{self, Row};
use husorden_wire::api::{Case, CaseCreate};

/// What can be done with cases.
#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// List cases
    #[command(visible_alias = "ls")]
    List,
    /// Show one with its measures
    Show {
        /// Its number or id
        case: String,
    },
    /// Open a case
    Open {
        /// On this solution, by name or id
        #[arg(long, required_unless_present = "account")]
        solution: Option<String>,
        /// On this account as a whole
        #[arg(long, conflicts_with = "solution")]
        account: Option<String>,
        /// The clause of the house rules
        #[arg(long)]
        clause: String,
        /// What is known
        #[arg(long)]
        facts: String,
    },
    /// Decide a case: order a measure
    Decide(decide::Decide),
    /// Lift a measure
    Lift(Lift),
}

impl Verb {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::List => output::list(context.format, &pages::<Case>(context, "/v1/cases")?),
            Self::Show { case } => {
                let case = get(context, &case)?;
                output::one(context.format, &case.number, &case)
            }
            Self::Open { solution, account, clause, facts } => {
                let form = CaseCreate { solution, account, clause, facts };
                let case: Case = context.api.post("/v1/cases", &form)?;
                let what = format!("{} {} ({})", context.word("sag", "case"), case.number, case.id);
                output::done(context.format, &case.id, &case, &what)
            }
            Self::Decide(decide) => decide.run(context),
            Self::Lift(lift) => lift.run(context),
        }
    }
}

fn get(context: &Context, case: &str) -> Result<Case, Failure> {
    context.api.get(&format!("/v1/cases/{}", segment(case)))
}

impl Row for Case {
    const COLUMNS: &'static [&'static str] = &["number", "state", "clause", "opened", "measures", "id"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.number.clone(),
            self.state.clone(),
            self.clause.clone(),
            output::moment(self.created),
            self.measures.len().to_string(),
            self.id.clone(),
        ]
    }

    fn name(&self) -> String {
        self.id.clone()
    }
}
