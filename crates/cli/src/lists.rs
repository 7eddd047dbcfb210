//! Nouns that are only looked at: measures, nodes, the caller and the API's own description.

use crate::api::{Ask, segment};
use crate::context::{Context, Globals};
use crate::failure::Failure;
use crate::output::{self, Row};
use husorden_wire::api::{BuildAsk, Me, Measure, Node, Solution, Statement, Stray, StrayTake};
use serde_json::Value;
use std::process::ExitCode;

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
            Self::List => output::list(context.format, &context.api.all::<Measure>("/v1/measures")?),
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
        let all: Vec<Node> = context.api.all("/v1/nodes")?;
        output::list(context.format, &all)
    }))
}

/// `husorden node build`: a node is asked for a build.
#[must_use]
pub fn build(globals: &Globals, node: String, runtime: String) -> ExitCode {
    crate::finish(globals.context().and_then(|context| {
        let said = format!("{node}: {runtime} {}", context.word("bygges på ny", "is being built anew"));
        let seen: Node = context.api.post("/v1/builds", &BuildAsk { node, runtime })?;
        output::done(context.format, &seen.name, &seen, &said)
    }))
}

/// `husorden node strays`: what nodes hold and control does not know of.
#[must_use]
pub fn strays(globals: &Globals) -> ExitCode {
    crate::finish(globals.context().and_then(|context| {
        let all: Vec<Stray> = context.api.all("/v1/strays")?;
        output::list(context.format, &all)
    }))
}

/// `husorden node take`: control takes over what a node holds.
#[must_use]
pub fn take(globals: &Globals, stray: &str, name: Option<String>) -> ExitCode {
    crate::finish(globals.context().and_then(|context| {
        let taken: Solution = context.api.post(&format!("/v1/strays/{}/take", segment(stray)), &StrayTake { name })?;
        let said = format!("{}: {}", taken.name, context.word("taget over", "taken over"));
        output::done(context.format, &taken.id, &taken, &said)
    }))
}

/// `husorden me`.
pub(crate) fn me(context: &Context) -> Result<(), Failure> {
    let me: Me = context.api.get("/v1/me")?;
    output::one(context.format, &me.role, &me)
}

/// `husorden ca`: a certificate in PEM, as a file has it.
pub(crate) fn ca(context: &Context) -> Result<(), Failure> {
    output::copy(&mut context.api.stream(&Ask::get("/v1/authority.pem"), "application/x-pem-file")?)
}

/// `husorden reverse-zone`: records as a zone file has them.
pub(crate) fn reverse_zone(context: &Context) -> Result<(), Failure> {
    output::copy(&mut context.api.stream(&Ask::get("/v1/reverse-zone"), "text/dns")?)
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

impl Row for Stray {
    const COLUMNS: &'static [&'static str] = &["id", "name", "kind", "account", "node"];

    fn cells(&self) -> Vec<String> {
        let account = self.account_name.clone().unwrap_or_else(|| self.account.clone());
        vec![self.solution.clone(), self.name.clone(), self.kind.clone(), account, self.node.clone()]
    }

    fn name(&self) -> String {
        self.solution.clone()
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
