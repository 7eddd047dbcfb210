//! `husorden ledger`: the books.

use super::{export, of};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{self, Row};
use husorden_base::Money;
use husorden_wire::api::{LedgerEntry, Page, Payment, Posting};

/// What can be done with the ledger.
#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// List entries, oldest first
    #[command(visible_alias = "ls")]
    List {
        /// For staff: of this account
        #[arg(long)]
        account: Option<String>,
    },
    /// The sum of each ledger
    Balance {
        /// For staff: of this account
        #[arg(long)]
        account: Option<String>,
    },
    /// Enter money that came in (staff)
    Pay {
        /// From which account
        account: String,
        /// How much, such as "49.00 DKK"
        amount: Money,
        /// The bank's reference; the same one is entered once
        #[arg(long)]
        reference: String,
    },
    /// All of it as CSV, on standard output
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
                let path = of("/v1/ledger", account.as_deref());
                output::list(context.format, &context.api.all::<LedgerEntry>(&path)?)
            }
            Self::Balance { account } => {
                let page: Page<Posting> = context.api.get(&of("/v1/ledger/balance", account.as_deref()))?;
                output::list(context.format, &page.items)
            }
            Self::Pay { account, amount, reference } => {
                let form = Payment { account, amount, reference };
                let page: Page<Posting> = context.api.post("/v1/ledger/payments", &form)?;
                output::list(context.format, &page.items)
            }
            Self::Export { account } => export(context, &of("/v1/ledger/export", account.as_deref())),
        }
    }
}

impl Row for LedgerEntry {
    const COLUMNS: &'static [&'static str] = &["entry", "at", "kind", "text", "postings"];

    fn cells(&self) -> Vec<String> {
        let postings = self.postings.iter().map(|one| format!("{} {}", one.ledger, one.amount.decimal()));
        vec![
            self.id.to_string(),
            output::moment(self.at),
            self.kind.clone(),
            self.text.clone(),
            postings.collect::<Vec<_>>().join(", "),
        ]
    }

    fn name(&self) -> String {
        self.id.to_string()
    }
}

impl Row for Posting {
    const COLUMNS: &'static [&'static str] = &["ledger", "amount"];

    fn cells(&self) -> Vec<String> {
        vec![self.ledger.clone(), self.amount.in_words(crate::language())]
    }

    fn name(&self) -> String {
        self.ledger.clone()
    }
}
