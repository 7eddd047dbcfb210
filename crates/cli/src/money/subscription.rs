//! `husorden subscription`: what an account has ordered, and how it ends.

use super::{export, of};
use crate::api::segment;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{self, Row};
use husorden_wire::api::{Ending, Subscription, SubscriptionCreate, SubscriptionEnd};

/// What can be done with subscriptions.
#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// List subscriptions
    #[command(visible_alias = "ls")]
    List {
        /// For staff: of this account
        #[arg(long)]
        account: Option<String>,
    },
    /// Order a plan or an add-on
    Order {
        /// The plan's code
        plan: String,
        /// How many; of add-ons only
        #[arg(long, default_value_t = 1)]
        quantity: u32,
        /// For staff: for this account
        #[arg(long)]
        account: Option<String>,
    },
    /// What ending it now would mean in money; changes nothing
    Ending {
        /// Its id
        subscription: String,
        /// For staff: why it would be ended
        #[arg(long, value_parser = ["provider", "breach"])]
        why: Option<String>,
    },
    /// End it
    End {
        /// Its id
        subscription: String,
        /// When
        #[arg(long, value_parser = ["period-end", "now", "never"], default_value = "period-end")]
        when: String,
        /// For staff: why
        #[arg(long, value_parser = ["provider", "breach"])]
        why: Option<String>,
        /// For staff: the case of a breach
        #[arg(long)]
        case: Option<String>,
    },
    /// All of them as CSV, on standard output
    Export {
        /// For staff: of this account
        #[arg(long)]
        account: Option<String>,
    },
}

impl Verb {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::List { account } => {
                let path = of("/v1/subscriptions", account.as_deref());
                output::list(context.format, &context.api.all::<Subscription>(&path)?)
            }
            Self::Order { plan, quantity, account } => {
                let form = SubscriptionCreate { plan, quantity, account };
                let made: Subscription = context.api.post("/v1/subscriptions", &form)?;
                output::one(context.format, &made.id, &made)
            }
            Self::Ending { subscription, why } => {
                let ending = ending(context, &subscription, why.as_deref())?;
                shown(context, &ending)
            }
            Self::End { subscription, when, why, case } => {
                let path = format!("/v1/subscriptions/{}/end", segment(&subscription));
                if when == "now" {
                    let before = ending(context, &subscription, why.as_deref())?;
                    context.confirm(&format!(
                        "{} {}",
                        before.statement.get(context.language),
                        context.word("Det kan ikke fortrydes.", "It cannot be undone.")
                    ))?;
                    let form = SubscriptionEnd { when: Some(when), why, case };
                    let done: Ending = context.api.post(&path, &form)?;
                    return shown(context, &done);
                }
                let form = SubscriptionEnd { when: Some(when), why, case };
                let now: Subscription = context.api.post(&path, &form)?;
                output::one(context.format, &now.id, &now)
            }
            Self::Export { account } => export(context, &of("/v1/subscriptions/export", account.as_deref())),
        }
    }
}

fn ending(context: &Context, subscription: &str, why: Option<&str>) -> Result<Ending, Failure> {
    let why = why.map_or_else(String::new, |why| format!("?why={why}"));
    context.api.get(&format!("/v1/subscriptions/{}/ending{why}", segment(subscription)))
}

fn shown(context: &Context, ending: &Ending) -> Result<(), Failure> {
    output::done(context.format, &ending.subscription, ending, ending.statement.get(context.language))
}

impl Row for Subscription {
    const COLUMNS: &'static [&'static str] = &["plan", "state", "renews", "quantity", "price", "until", "id"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.plan.clone(),
            self.state.clone(),
            self.renews.to_string(),
            self.quantity.to_string(),
            self.period.net.in_words(crate::language()),
            output::moment(self.period.ends),
            self.id.clone(),
        ]
    }

    fn name(&self) -> String {
        self.id.clone()
    }
}
