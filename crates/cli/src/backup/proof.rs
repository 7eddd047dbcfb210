//! `husorden proof`: whether backups hold.

use crate::context::Context;
use crate::failure::Failure;
use crate::output::{self, Row};
use crate::solution::path;
use husorden_wire::api::{Proof, SolutionProof};

/// Proofs, and the role that makes them.
#[derive(Debug, clap::Args)]
pub struct Proofs {
    /// Run the proof role alone, with its file: whoever has the platform's own program sees to it
    #[arg(long, value_name = "FILE")]
    pub config: Option<std::path::PathBuf>,
    #[command(subcommand)]
    pub(crate) verb: Option<Verb>,
}

/// What can be done with proofs.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// List how each solution stands, or the proofs of one, newest first
    #[command(visible_alias = "ls")]
    List {
        /// The solution's name or id
        solution: Option<String>,
    },
}

impl Verb {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::List { solution: None } => {
                output::list(context.format, &context.api.all::<SolutionProof>("/v1/proofs")?)
            }
            Self::List { solution: Some(solution) } => {
                let all: Vec<Proof> = context.api.all(&format!("{}/proofs", path(&solution)))?;
                output::list(context.format, &all)
            }
        }
    }
}

/// A time that something took, for people.
fn took(took_ms: Option<u64>) -> String {
    took_ms.map_or_else(String::new, |ms| format!("{}.{} s", ms / 1000, ms % 1000 / 100))
}

/// How far it came, in the API's word.
fn level(proof: &Proof) -> String {
    let word = proof.level.and_then(|level| serde_json::to_value(level).ok());
    word.and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}

impl Row for SolutionProof {
    const COLUMNS: &'static [&'static str] = &["name", "kind", "state", "backed up", "proven", "level", "took"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            self.kind.clone(),
            self.state.clone(),
            self.backed_up.map(output::moment).unwrap_or_default(),
            self.proven.map(output::moment).unwrap_or_default(),
            self.proof.as_ref().map(level).unwrap_or_default(),
            took(self.proof.as_ref().and_then(|proof| proof.took_ms)),
        ]
    }

    fn name(&self) -> String {
        self.name.clone()
    }
}

impl Row for Proof {
    const COLUMNS: &'static [&'static str] = &["id", "at", "state", "level", "took", "taken", "message"];

    fn cells(&self) -> Vec<String> {
        let language = crate::language();
        let failed = self.steps.iter().find_map(|step| step.failed.as_ref());
        let why = self.message.as_deref().or(failed.map(|why| why.get(language)));
        vec![
            self.id.clone(),
            output::moment(self.ended.unwrap_or(self.made)),
            self.state.clone(),
            level(self),
            took(self.took_ms),
            output::moment(self.taken),
            output::dash(why),
        ]
    }

    fn name(&self) -> String {
        self.id.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_in_seconds() {
        assert_eq!([took(None), took(Some(950)), took(Some(61_234))], ["", "0.9 s", "61.2 s"]);
    }
}
