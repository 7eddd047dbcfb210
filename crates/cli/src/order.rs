//! `husorden order`: work that was asked for once, and how far it is.

use crate::api::segment;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{self, Row};
use crate::{solution, wait};
use husorden_wire::api::Order;

/// What can be done with orders.
#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// List a solution's orders
    #[command(visible_alias = "ls")]
    List {
        /// The solution's name or id
        solution: String,
    },
    /// Show one
    Show {
        /// Its id
        order: String,
    },
    /// Wait until it has ended
    Wait {
        /// Its id
        order: String,
    },
}

impl Verb {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let get = |order: &str| context.api.get::<Order>(&format!("/v1/orders/{}", segment(order)));
        match self {
            Self::List { solution } => {
                let all: Vec<Order> = context.api.all(&format!("{}/orders", solution::path(&solution)))?;
                output::list(context.format, &all)
            }
            Self::Show { order } => {
                let order = get(&order)?;
                output::one(context.format, &order.id, &order)
            }
            Self::Wait { order } => {
                let order = wait::order(context, get(&order)?)?;
                solution::ended(context, &order)
            }
        }
    }
}

impl Row for Order {
    const COLUMNS: &'static [&'static str] = &["id", "verb", "state", "asked", "message"];

    fn cells(&self) -> Vec<String> {
        let state = match self.percent {
            Some(percent) if self.ended.is_none() => format!("{} {percent} %", self.state),
            _ => self.state.clone(),
        };
        vec![
            self.id.clone(),
            self.verb.clone(),
            state,
            output::moment(self.created),
            output::dash(self.message.as_deref()),
        ]
    }

    fn name(&self) -> String {
        self.id.clone()
    }
}
