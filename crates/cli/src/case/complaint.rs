//! `husorden complaint`: the account's answer to a decision, and staff's to the complaint.

use crate::api::segment;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{self, Row};
use husorden_wire::api::{Complaint, ComplaintAnswer, ComplaintCreate, ComplaintOutcome};

/// What can be done with complaints.
#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// List complaints, oldest first
    #[command(visible_alias = "ls")]
    List {
        /// Only those that wait for an answer
        #[arg(long)]
        waiting: bool,
    },
    /// Complain about a measure
    Create {
        /// The measure's id
        measure: String,
        /// Why the decision is wrong
        #[arg(long)]
        text: String,
    },
    /// Decide on a complaint (staff)
    Answer {
        /// The complaint's id
        complaint: String,
        /// What is decided: upheld lifts the measure
        #[arg(long, value_parser = ["upheld", "rejected"])]
        outcome: String,
        /// Why, for the account holder to read
        #[arg(long)]
        reasons: String,
    },
}

impl Verb {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::List { waiting } => {
                let path = if waiting { "/v1/complaints?state=waiting" } else { "/v1/complaints" };
                output::list(context.format, &context.api.all::<Complaint>(path)?)
            }
            Self::Create { measure, text } => {
                let path = format!("/v1/measures/{}/complaints", segment(&measure));
                let made: Complaint = context.api.post(&path, &ComplaintCreate { text })?;
                let what = format!("{} {}", context.word("klage i sag", "complaint in case"), made.case_number);
                output::done(context.format, &made.id, &made, &what)
            }
            Self::Answer { complaint, outcome, reasons } => {
                let upheld = outcome == "upheld";
                let outcome = if upheld { ComplaintOutcome::Upheld } else { ComplaintOutcome::Rejected };
                let path = format!("/v1/complaints/{}/answer", segment(&complaint));
                let answered: Complaint = context.api.post(&path, &ComplaintAnswer { outcome, reasons })?;
                let what = if upheld {
                    context.word("klagen fik medhold; foranstaltningen ophæves", "upheld; the measure is being lifted")
                } else {
                    context.word("klagen er afvist; foranstaltningen står", "rejected; the measure stays")
                };
                output::done(context.format, &answered.id, &answered, what)
            }
        }
    }
}

impl Row for Complaint {
    const COLUMNS: &'static [&'static str] = &["case", "state", "made", "text", "id"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.case_number.clone(),
            self.outcome.clone().unwrap_or_else(|| "waiting".to_owned()),
            output::moment(self.made),
            self.text.chars().take(60).collect(),
            self.id.clone(),
        ]
    }

    fn name(&self) -> String {
        self.id.clone()
    }
}
