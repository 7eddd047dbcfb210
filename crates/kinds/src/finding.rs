//! What is lawful in a spec and yet unwise: said to its owner for as long as it stands, with what to do about it.

use husorden_base::Text;
use jiff::Timestamp;
use serde::Serialize;

/// Something about a solution that its owner should see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Its name, such as `open-to-all`.
    pub name: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// What it is.
    pub title: Text,
    /// What to do about it.
    pub advice: Text,
    /// When it is over by itself, if it is.
    pub until: Option<Timestamp>,
}

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Notice,
    /// To be looked at.
    Warning,
    /// To be acted on.
    Danger,
}

impl Severity {
    /// Its word in the API.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Danger => "danger",
        }
    }
}
