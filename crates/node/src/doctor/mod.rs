//! What this machine can do and lacks, with the remedy.
//!
//! [`Facts`] are gathered from the machine and judged by a function that touches nothing, so that every verdict is tested
//! without a machine that deserves it.

mod facts;
mod judge;
#[cfg(test)]
mod tests;
mod tree;

pub use facts::{Cgroups, Disk, Facts, Kvm, Rest, Tool};
pub use judge::judge;
pub use tree::{Io, Tree};

use crate::Ground;
use husorden_base::{Language, Text};
use serde::Serialize;

/// How things stand with one need.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// As it should be.
    Fine,
    /// It goes on, with less.
    Degraded,
    /// It does not go without.
    Missing,
}

/// What the machine is used for; some things are let pass on a first look only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Setting {
    /// A demo, or a test.
    FirstLook,
    /// Customers' data.
    Production,
}

/// One need of the platform, and how this machine meets it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// A stable word for programs, such as `cgroups`.
    pub what: &'static str,
    /// How it stands.
    pub state: State,
    /// What was seen, and what follows.
    pub text: Text,
    /// What to do about it: the command, where one does it. There is one unless all is fine, or nothing can be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<Text>,
}

/// Examines this machine. The order of the findings is always the same.
#[must_use]
pub fn examine(ground: &Ground, setting: Setting) -> Vec<Finding> {
    judge(&Facts::gather(ground), setting)
}

fn fine(what: &'static str, da: impl Into<String>, en: impl Into<String>) -> Finding {
    Finding { what, state: State::Fine, text: Text::new(da, en), remedy: None }
}

fn wanting(what: &'static str, state: State, da: impl Into<String>, en: impl Into<String>, remedy: Text) -> Finding {
    Finding { what, state, text: Text::new(da, en), remedy: Some(remedy) }
}

/// A command is the same in every language.
fn run(command: impl Into<String>) -> Text {
    let command = command.into();
    Text::new(command.clone(), command)
}

/// The worst of them.
#[must_use]
pub fn worst(findings: &[Finding]) -> State {
    findings.iter().map(|finding| finding.state).max().unwrap_or(State::Fine)
}

/// The findings as plain text, one a line, each remedy beneath its own.
#[must_use]
pub fn render(findings: &[Finding], language: Language) -> String {
    let width = findings.iter().map(|finding| finding.what.len()).max();
    let width = width.unwrap_or(0);
    let mut text = String::new();
    for finding in findings {
        let state = match (finding.state, language) {
            (State::Fine, Language::Da) => "i orden",
            (State::Fine, Language::En) => "fine",
            (State::Degraded, Language::Da) => "nedsat",
            (State::Degraded, Language::En) => "degraded",
            (State::Missing, Language::Da) => "mangler",
            (State::Missing, Language::En) => "missing",
        };
        text.push_str(&format!("{:8}  {:width$}  {}\n", state, finding.what, finding.text.get(language)));
        if let Some(remedy) = &finding.remedy {
            let indent = width + 12;
            text.push_str(&format!("{:indent$}→ {}\n", "", remedy.get(language)));
        }
    }
    text
}
