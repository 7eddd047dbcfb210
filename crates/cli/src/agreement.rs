//! `husorden agreement`: what is closed to all and opened to one solution. The account asks, staff decide, and either ends it.

use crate::api::{Ask, segment, to_value};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{self, Row};
use husorden_wire::api::{Agreement, AgreementAsk, AgreementDecide, AgreementEnd, AgreementState, PORT_25};
use jiff::Timestamp;
use ureq::http::Method;

/// What can be done with agreements.
#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// List agreements, oldest first
    #[command(visible_alias = "ls")]
    List {
        /// Only those that stand so
        #[arg(long, value_parser = ["asked", "agreed", "refused", "ended"])]
        state: Option<String>,
    },
    /// Show one: what was asked for, what was said, when it ends
    Show {
        /// Its id
        agreement: String,
    },
    /// Ask that TCP port 25 out is opened to a server
    Ask {
        /// The server, by name or id
        solution: String,
        /// Messages a week that you expect
        #[arg(long, value_name = "MESSAGES")]
        per_week: i64,
        /// What is sent and to whom
        #[arg(long)]
        purpose: String,
    },
    /// Say yes or no to what was asked for (staff)
    Decide(Decide),
    /// Withdraw what was asked for, or end what was agreed; connections to port 25 are cut
    End {
        /// Its id
        agreement: String,
        /// Why, for the account to read (staff)
        #[arg(long)]
        reason: Option<String>,
    },
}

/// What is decided.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("answer").required(true).args(["yes", "no"]))]
pub struct Decide {
    /// Its id
    agreement: String,
    /// It is agreed
    #[arg(long = "agree")]
    yes: bool,
    /// It is refused
    #[arg(long = "refuse")]
    no: bool,
    /// Why, for the account to read; needed with --refuse
    #[arg(long)]
    reason: Option<String>,
    /// With --agree: when it ends by itself, a time or a while such as 90d
    #[arg(long, value_parser = crate::proposal::end, conflicts_with = "no")]
    until: Option<Timestamp>,
}

fn path(agreement: &str) -> String {
    format!("/v1/agreements/{}", segment(agreement))
}

impl Verb {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::List { state } => {
                let query = state.map(|state| format!("?state={state}")).unwrap_or_default();
                output::list(context.format, &context.api.all::<Agreement>(&format!("/v1/agreements{query}"))?)
            }
            Self::Show { agreement } => {
                let one: Agreement = context.api.get(&path(&agreement))?;
                output::one(context.format, &one.id, &one)
            }
            Self::Ask { solution, per_week, purpose } => {
                let form = AgreementAsk { subject: PORT_25.to_owned(), per_week, purpose };
                let at = format!("/v1/solutions/{}/agreements", segment(&solution));
                let one: Agreement = context.api.post(&at, &form)?;
                done(context, &one)
            }
            Self::Decide(decide) => {
                let form = AgreementDecide { agree: decide.yes, reason: decide.reason, until: decide.until };
                let one: Agreement = context.api.post(&format!("{}/decide", path(&decide.agreement)), &form)?;
                done(context, &one)
            }
            Self::End { agreement, reason } => {
                let before: Agreement = context.api.get(&path(&agreement))?;
                if before.state == AgreementState::Agreed {
                    context.confirm(&format!(
                        "{}: {}",
                        before.solution_name,
                        context.word(
                            "Slut aftalen? Port 25 ud lukkes, og åbne forbindelser dertil afbrydes.",
                            "End the agreement? Port 25 out is closed, and open connections to it are cut."
                        )
                    ))?;
                }
                let one: Agreement = match reason {
                    Some(reason) => {
                        let body = to_value(&AgreementEnd { reason })?;
                        let at = format!("{}/end", path(&agreement));
                        context.api.ask(&Ask::post(&at, &body).if_match(before.version))?
                    }
                    None => context.api.ask(&Ask::new(Method::DELETE, &path(&agreement)).if_match(before.version))?,
                };
                done(context, &one)
            }
        }
    }
}

fn done(context: &Context, one: &Agreement) -> Result<(), Failure> {
    let said = match one.state {
        AgreementState::Asked => {
            context.word("spurgt om port 25 ud; venter på svar", "port 25 out is asked for; it waits for an answer")
        }
        AgreementState::Agreed => context.word("port 25 ud er åben efter aftale", "port 25 out is open by agreement"),
        AgreementState::Refused => context.word("nej til port 25 ud", "no to port 25 out"),
        AgreementState::Ended => context.word("slut; port 25 ud er lukket", "over; port 25 out is closed"),
    };
    let until = one.until.filter(|_| one.state == AgreementState::Agreed);
    let until = until.map(|at| format!(" {} {}", context.word("til", "until"), output::moment(at))).unwrap_or_default();
    output::done(context.format, &one.id, one, &format!("{}: {said}{until}", one.solution_name))
}

impl Row for Agreement {
    const COLUMNS: &'static [&'static str] =
        &["solution", "subject", "state", "a week", "asked", "until", "purpose", "id"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.solution_name.clone(),
            self.subject.clone(),
            self.state.word().to_owned(),
            self.per_week.to_string(),
            output::moment(self.asked),
            output::dash(self.until.map(output::moment).as_deref()),
            self.purpose.chars().take(60).collect(),
            self.id.clone(),
        ]
    }

    fn name(&self) -> String {
        self.id.clone()
    }
}
