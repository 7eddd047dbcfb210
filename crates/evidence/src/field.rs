//! Which fields of a line stand in clear in its leaf, and for the others what they are for, for how long they are kept and
//! who erases them. docs/evidence.md shows this table; a test holds the two together.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Fields that name or count things of the platform and say nothing of a person by themselves. They stay for ever.
const CLEAR: [&str; 49] = [
    "access",
    "account",
    "aim",
    "break_glass",
    "capability",
    "case",
    "checkpoint",
    "class",
    "clause",
    "count",
    "credential",
    "done",
    "ends",
    "epoch",
    "erasure",
    "expires",
    "generation",
    "grant",
    "in_force",
    "invitation",
    "is",
    "kind",
    "lifted",
    "line",
    "lines_erased",
    "measure",
    "node",
    "number",
    "order",
    "person",
    "plan",
    "read_only",
    "realm",
    "refusal",
    "rescue",
    "revision",
    "role",
    "serial",
    "session",
    "settled",
    "size",
    "snapshot",
    "solution",
    "starts",
    "through",
    "token",
    "until",
    "verb",
    "version",
];

/// Longest text that stands in clear, in bytes. What is longer was written by somebody and is not an id or a word.
pub(crate) const CLEAR_BYTES_MAX: usize = 100;

/// What kind of personal data a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Who acted: the token or person behind a line.
    Who,
    /// Where from: addresses of the network, programs, devices.
    Origin,
    /// Names and ways to reach a person or company.
    Contact,
    /// What was written or set: reasons, facts, labels, a solution's spec.
    Detail,
}

impl Class {
    /// Every class.
    pub const ALL: [Self; 4] = [Self::Who, Self::Origin, Self::Contact, Self::Detail];

    /// Of the field with this name within a line's details. What is not known to be something else is a detail.
    #[must_use]
    pub fn of(name: &str) -> Self {
        match name {
            "who" => Self::Who,
            "ip" | "network" | "from" | "peer" | "address" | "cidrs" | "agent" | "user_agent" | "device" => {
                Self::Origin
            }
            "name" | "email" | "mail" | "to" | "phone" | "holder" | "company" | "cvr" | "invited" => Self::Contact,
            _ => Self::Detail,
        }
    }

    /// For how many days its fields are kept.
    #[must_use]
    pub const fn days_kept(self) -> u16 {
        match self {
            // Claims on a decision end after three years, and some after five.
            Self::Who | Self::Detail => 1_825,
            Self::Contact => 1_095,
            Self::Origin => 180,
        }
    }

    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Who => "who",
            Self::Origin => "origin",
            Self::Contact => "contact",
            Self::Detail => "detail",
        }
    }

    /// From its word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.word() == word)
    }
}

/// Whether a field of a line's details stands in its leaf as it is.
#[must_use]
pub fn is_clear(name: &str, value: &Value) -> bool {
    CLEAR.contains(&name)
        && match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => true,
            Value::String(text) => text.len() <= CLEAR_BYTES_MAX,
            Value::Array(_) | Value::Object(_) => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_may_be_a_persons_is_not_clear() {
        for (name, value, clear) in [
            ("case", json!("2026-0001"), true),
            ("number", json!(7), true),
            ("email", json!("someone@mail.example"), false),
            ("anything_new", json!(1), false),
            ("case", json!({ "name": "x" }), false),
            ("case", json!("x".repeat(101)), false),
        ] {
            assert_eq!(is_clear(name, &value), clear, "{name} {value}");
        }
        assert!(CLEAR.is_sorted(), "the list is read by people");
    }

    #[test]
    fn the_documentation_says_the_days_that_hold() {
        let text = include_str!("../../../docs/evidence.md");
        for class in Class::ALL {
            let row = text.lines().find(|line| line.starts_with(&format!("| {} ", class.word())));
            let row = row.unwrap_or_else(|| panic!("docs/evidence.md has no row for {}", class.word()));
            let cells: Vec<&str> = row.split('|').map(str::trim).collect();
            assert_eq!(cells[4], class.days_kept().to_string(), "{row}");
        }
    }
}
