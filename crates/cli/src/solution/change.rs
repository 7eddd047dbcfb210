//! `husorden solution label`, `rename`, `protect` and `unprotect`: changes that are no part of a kind's spec.

use crate::api::{Ask, to_value};
use crate::context::Context;
use crate::failure::Failure;
use crate::output;
use husorden_wire::api::{Solution, SolutionChange};
use ureq::http::Method;

/// Which labels to set.
#[derive(Debug, clap::Args)]
pub struct Label {
    /// The solution's name or id
    solution: String,
    /// `key=value` sets, `key-` takes off
    #[arg(required = true)]
    labels: Vec<String>,
}

impl Label {
    pub(crate) fn run(&self, context: &Context) -> Result<(), Failure> {
        let solution = super::get(context, &self.solution)?;
        let mut labels = solution.labels.clone();
        for label in &self.labels {
            match (label.split_once('='), label.strip_suffix('-')) {
                (Some((key, value)), _) => drop(labels.insert(key.to_owned(), value.to_owned())),
                (None, Some(key)) => drop(labels.remove(key)),
                (None, None) => {
                    return Err(Failure::Usage(format!(
                        "{label:?} is no label: key=value sets one, key- takes it off"
                    )));
                }
            }
        }
        let change = SolutionChange { labels: Some(labels), ..SolutionChange::default() };
        let solution = send(context, &solution, &change)?;
        let text = solution.labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ");
        output::done(context.format, &solution.name, &solution, &format!("{}: {text}", solution.name))
    }
}

/// A new name.
#[derive(Debug, clap::Args)]
pub struct Rename {
    /// The solution's name or id
    solution: String,
    /// Its new name
    name: String,
}

impl Rename {
    pub(crate) fn run(&self, context: &Context) -> Result<(), Failure> {
        let solution = super::get(context, &self.solution)?;
        let change = SolutionChange { name: Some(self.name.clone()), ..SolutionChange::default() };
        let changed = send(context, &solution, &change)?;
        output::done(context.format, &changed.name, &changed, &format!("{} → {}", solution.name, changed.name))
    }
}

/// Sets or takes off deletion protection.
pub(crate) fn protect(context: &Context, solution: &str, protected: bool) -> Result<(), Failure> {
    let solution = super::get(context, solution)?;
    let change = SolutionChange { protected: Some(protected), ..SolutionChange::default() };
    let solution = send(context, &solution, &change)?;
    let word = if solution.protected {
        context.word("beskyttet mod sletning", "protected from deletion")
    } else {
        context.word("ikke beskyttet mod sletning", "not protected from deletion")
    };
    output::done(context.format, &solution.name, &solution, &format!("{}: {word}", solution.name))
}

/// Sends a change of the solution as it was read; a newer one is not overwritten.
pub(crate) fn send(context: &Context, solution: &Solution, change: &SolutionChange) -> Result<Solution, Failure> {
    let path = super::path(&solution.id);
    let body = to_value(change)?;
    context.api.ask(&Ask::new(Method::PATCH, &path).with(&body).if_match(solution.generation))
}
