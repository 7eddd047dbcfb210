//! `husorden account` and `husorden token`: who there is, and who may ask.

pub(crate) mod token;

use crate::api::segment;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{self, Row};
use husorden_base::Language;
use husorden_wire::api::{Account, AccountCreate};

/// What can be done with accounts.
#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// List accounts
    #[command(visible_alias = "ls")]
    List {
        /// Part of the name, or the id
        #[arg(long, short)]
        search: Option<String>,
    },
    /// Make an account
    Create {
        /// Its name
        name: String,
        /// The language of its messages: da or en
        #[arg(long, value_parser = ["da", "en"], default_value = "en")]
        language: String,
    },
}

impl Verb {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::List { search } => {
                let query = search.map_or_else(String::new, |search| format!("?q={}", segment(&search)));
                output::list(context.format, &context.api.all::<Account>(&format!("/v1/accounts{query}"))?)
            }
            Self::Create { name, language } => {
                let language = if language == "da" { Language::Da } else { Language::En };
                let account: Account = context.api.post("/v1/accounts", &AccountCreate { name, language })?;
                output::one(context.format, &account.name, &account)
            }
        }
    }
}

impl Row for Account {
    const COLUMNS: &'static [&'static str] = &["name", "language", "created", "id"];

    fn cells(&self) -> Vec<String> {
        let language = match self.language {
            Language::Da => "da",
            Language::En => "en",
        };
        vec![self.name.clone(), language.to_owned(), output::moment(self.created), self.id.clone()]
    }

    fn name(&self) -> String {
        self.name.clone()
    }
}
