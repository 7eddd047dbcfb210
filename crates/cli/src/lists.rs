//! Nouns that are only looked at: measures, nodes, the caller and the API's own description.

use crate::api::segment;
use crate::context::{Context, Globals};
use crate::failure::Failure;
use crate::output::{self, Row};
use husorden_wire::api::{Me, Measure, Node, Page, Statement};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::process::ExitCode;

/// Most pages of one list that are read.
const PAGES_MAX: usize = 10_000;

/// Every page of a list.
pub(crate) fn pages<T: DeserializeOwned>(context: &Context, path: &str) -> Result<Vec<T>, Failure> {
    let mut items = Vec::new();
    let mut next: Option<String> = None;
    for _ in 0..PAGES_MAX {
        let after = next.as_deref().map_or_else(String::new, |after| {
            format!("{}after={}", if path.contains('?') { '&' } else { '?' }, segment(after))
        });
        let page: Page<T> = context.api.get(&format!("{path}{after}"))?;
        items.extend(page.items);
        match page.next {
            Some(after) => next = Some(after),
            None => return Ok(items),
        }
    }
    Err(Failure::Odd(format!("{path} has more than {PAGES_MAX} pages")))
}

/// What can be done with measures.
#[derive(Debug, clap::Subcommand)]
pub enum Measures {
    /// List measures
    #[command(visible_alias = "ls")]
    List,
    /// Show the statement of reasons: facts, clause, what is restricted, how to complain
    Show {
        /// The measure's id
        measure: String,
    },
    /// Lift a measure (staff)
    Lift(crate::case::Lift),
}

impl Measures {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::List => output::list(context.format, &pages::<Measure>(context, "/v1/measures")?),
            Self::Show { measure } => {
                let statement: Statement = context.api.get(&format!("/v1/measures/{}", segment(&measure)))?;
                output::one(context.format, &statement.measure.id, &statement)
            }
            Self::Lift(lift) => lift.run(context),
        }
    }
}

/// `husorden node list`: the nodes, as control knows them.
#[must_use]
pub fn nodes(globals: &Globals) -> ExitCode {
    crate::finish(globals.context().and_then(|context| {
        let all: Vec<Node> = pages(&context, "/v1/nodes")?;
        output::list(context.format, &all)
    }))
}

/// `husorden me`.
pub(crate) fn me(context: &Context) -> Result<(), Failure> {
    let me: Me = context.api.get("/v1/me")?;
    output::one(context.format, &me.role, &me)
}

/// `husorden openapi`: the description as it is, for tools.
pub(crate) fn openapi(context: &Context) -> Result<(), Failure> {
    let text: Value = context.api.get("/v1/openapi.json")?;
    output::json(&text)
}

/// What a scope holds, in short.
pub(crate) fn scope(scope: &Value) -> String {
    let part = |name: &str| scope.get(name).and_then(Value::as_str).unwrap_or("?").to_owned();
    format!("{} {}", part("of"), part("id"))
}

impl Row for Measure {
    const COLUMNS: &'static [&'static str] = &["id", "case", "clause", "holds", "access", "state", "since"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            self.case_number.clone(),
            self.clause.clone(),
            scope(&self.scope),
            self.access.clone(),
            self.state.clone(),
            output::moment(self.starts),
        ]
    }

    fn name(&self) -> String {
        self.id.clone()
    }
}

impl Row for Node {
    const COLUMNS: &'static [&'static str] = &["name", "connected", "heard"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            if self.connected { "yes" } else { "no" }.to_owned(),
            output::dash(self.heard.map(output::moment).as_deref()),
        ]
    }

    fn name(&self) -> String {
        self.name.clone()
    }
}
