//! `husorden token`: tokens for the API. A new one is shown once, on standard output, for a file and not for a screen.

use crate::api::{Ask, segment};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{self, Row};
use husorden_wire::api::{Capabilities, Capability, Scope, Token, TokenCreate};
use jiff::Timestamp;
use serde_json::{Value, json};
use ureq::http::Method;

/// What can be done with tokens.
#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// List tokens; the tokens themselves are not kept
    #[command(visible_alias = "ls")]
    List,
    /// Make a token and show it once
    Create {
        /// What it is for
        label: String,
        /// What it may do, such as read,solution-change; without it, it only reads
        #[arg(long, value_delimiter = ',')]
        may: Vec<Capability>,
        /// It may do all that an account's token can; with --staff, all that staff's can
        #[arg(long, conflicts_with = "may")]
        may_all: bool,
        /// Only for solutions of this kind; may be given again
        #[arg(long)]
        kind: Vec<String>,
        /// Only for this solution, by name or id; may be given again
        #[arg(long)]
        solution: Vec<String>,
        /// Only for this backup target, by name or id; may be given again. With --staff --may target-keep
        #[arg(long, requires = "staff")]
        target: Vec<String>,
        /// Only from this network or address, as 192.0.2.0/24; may be given again
        #[arg(long)]
        from: Vec<String>,
        /// A token for staff
        #[arg(long)]
        staff: bool,
        /// For this account (staff)
        #[arg(long, conflicts_with = "staff")]
        account: Option<String>,
        /// When it ends, as 2027-01-31T12:00:00Z
        #[arg(long)]
        expires: Option<Timestamp>,
    },
    /// End a token; whoever uses it is refused from then on
    Delete {
        /// Its id
        token: String,
    },
}

impl Verb {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::List => output::list(context.format, &context.api.all::<Token>("/v1/tokens")?),
            Self::Create { label, may, may_all, kind, solution, target, from, staff, account, expires } => {
                let capabilities = match (may_all, staff) {
                    (true, true) => Capabilities::of_staff(),
                    (true, false) => Capabilities::of_account(),
                    (false, _) => may.into_iter().collect(),
                };
                let form = TokenCreate {
                    label,
                    scope: Scope { capabilities, kinds: kind, solutions: solution, targets: target },
                    cidrs: from,
                    account,
                    expires,
                };
                let token: Token = context.api.post("/v1/tokens", &form)?;
                output::one(context.format, token.token.as_deref().unwrap_or(&token.id), &token)
            }
            Self::Delete { token } => {
                context.confirm(&format!(
                    "{} {token} {}",
                    context.word("Nøglen", "The token"),
                    context.word(
                        "ophører med det samme. Det kan ikke fortrydes; en ny kan laves.",
                        "ends at once. This cannot be undone; another can be made."
                    )
                ))?;
                let path = format!("/v1/tokens/{}", segment(&token));
                let _: Value = context.api.ask(&Ask::new(Method::DELETE, &path))?;
                let done = context.word("ophørt", "ended");
                output::done(context.format, &token, &json!({ "id": token }), &format!("{token}: {done}"))
            }
        }
    }
}

impl Row for Token {
    const COLUMNS: &'static [&'static str] = &["id", "label", "role", "may", "created", "expires", "used"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            self.label.clone(),
            self.role.clone(),
            self.scope.capabilities.words(),
            output::moment(self.created),
            output::dash(self.expires.map(output::moment).as_deref()),
            output::dash(self.used.map(output::moment).as_deref()),
        ]
    }

    fn name(&self) -> String {
        self.id.clone()
    }
}
