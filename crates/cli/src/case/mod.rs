//! `husorden case`: cases under the house rules. No measure without a decision, no decision without a clause and reasons.

pub(crate) mod complaint;
mod decide;
mod lift;

pub(crate) use lift::Lift;

use crate::api::segment;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{self, Row};
use husorden_wire::api::{Case, CaseClose, CaseCreate, CaseNoteCreate, Referral};

/// What can be done with cases.
#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// List cases, newest first
    #[command(visible_alias = "ls")]
    List(List),
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
    /// Add a note, which stays with staff
    Note {
        /// Its number or id
        case: String,
        /// What is noted
        text: String,
    },
    /// Decide a case: order a measure
    Decide(decide::Decide),
    /// Lift a measure
    Lift(Lift),
    /// Close a case in which nothing holds and nothing waits
    Close(Close),
}

/// Which cases.
#[derive(Debug, clap::Args)]
pub struct List {
    /// Only open or only closed ones
    #[arg(long, value_parser = ["open", "closed"])]
    state: Option<String>,
    /// Only those with a complaint that waits
    #[arg(long)]
    complaint: bool,
    /// Only under this clause
    #[arg(long)]
    clause: Option<String>,
    /// Part of the number, the facts or the account's name
    #[arg(long, short)]
    search: Option<String>,
}

impl List {
    fn run(&self, context: &Context) -> Result<(), Failure> {
        let waiting = self.complaint.then(|| "waiting".to_owned());
        let asked = [("state", &self.state), ("complaint", &waiting), ("clause", &self.clause), ("q", &self.search)];
        let query: Vec<String> = asked
            .into_iter()
            .filter_map(|(name, value)| value.as_ref().map(|value| format!("{name}={}", segment(value))))
            .collect();
        let path = if query.is_empty() { "/v1/cases".to_owned() } else { format!("/v1/cases?{}", query.join("&")) };
        output::list(context.format, &context.api.all::<Case>(&path)?)
    }
}

/// How a case ends.
#[derive(Debug, clap::Args)]
pub struct Close {
    /// Its number or id
    case: String,
    /// Why it is done with
    #[arg(long)]
    reasons: String,
    /// Under a criminal clause: where it was reported, with the receiver's reference
    #[arg(long, value_name = "REFERENCE", conflicts_with = "no_report")]
    reported: Option<String>,
    /// Under a criminal clause: why no report was due
    #[arg(long, value_name = "REASON")]
    no_report: Option<String>,
}

impl Close {
    fn run(self, context: &Context) -> Result<(), Failure> {
        let referral = match (self.reported, self.no_report) {
            (Some(reference), _) => Some(Referral::Made { reference }),
            (None, Some(reason)) => Some(Referral::NotDue { reason }),
            (None, None) => None,
        };
        let form = CaseClose { reasons: self.reasons, referral };
        let case: Case = context.api.post(&format!("/v1/cases/{}/close", segment(&self.case)), &form)?;
        let what = format!("{} {} {}", context.word("sag", "case"), case.number, context.word("lukket", "closed"));
        output::done(context.format, &case.id, &case, &what)
    }
}

impl Verb {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::List(list) => list.run(context),
            Self::Note { case, text } => {
                let path = format!("/v1/cases/{}/notes", segment(&case));
                let case: Case = context.api.post(&path, &CaseNoteCreate { text })?;
                let what = format!("{} {}", context.word("noteret i sag", "noted in case"), case.number);
                output::done(context.format, &case.id, &case, &what)
            }
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
            Self::Close(close) => close.run(context),
        }
    }
}

fn get(context: &Context, case: &str) -> Result<Case, Failure> {
    context.api.get(&format!("/v1/cases/{}", segment(case)))
}

impl Row for Case {
    const COLUMNS: &'static [&'static str] =
        &["number", "state", "clause", "account", "solution", "opened", "measures", "waits", "id"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.number.clone(),
            self.state.clone(),
            self.clause.clone(),
            self.account_name.clone(),
            output::dash(self.solution_name.as_deref()),
            output::moment(self.created),
            self.measures.len().to_string(),
            self.complaints.iter().filter(|complaint| complaint.outcome.is_none()).count().to_string(),
            self.id.clone(),
        ]
    }

    fn name(&self) -> String {
        self.id.clone()
    }
}
