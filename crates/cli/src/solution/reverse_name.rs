//! `husorden solution reverse-name`: which name leads back from a public address.

use super::path;
use crate::api::{Ask, to_value};
use crate::context::Context;
use crate::failure::Failure;
use crate::output;
use husorden_wire::api::{ReverseNameForm, Solution};
use ureq::http::Method;

/// Of which address, and which name.
#[derive(Debug, clap::Args)]
pub struct Rename {
    /// Its name or id
    solution: String,
    /// One of its public addresses
    address: String,
    /// The name; left out, none leads back any more
    name: Option<String>,
}

impl Rename {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let text = match &self.name {
            Some(name) => format!(
                "{} → {name}\n{}",
                self.address,
                context.word(
                    "Sørg for, at navnet også fører frem til adressen; mange modtagere kræver begge.",
                    "See to it that the name leads to the address too; many receivers ask for both."
                )
            ),
            None => format!("{} → –", self.address),
        };
        let body = to_value(&ReverseNameForm { address: self.address, name: self.name })?;
        let at = format!("{}/reverse-names", path(&self.solution));
        let one: Solution = context.api.ask(&Ask::new(Method::PUT, &at).with(&body))?;
        output::done(context.format, &one.name, &one, &text)
    }
}
