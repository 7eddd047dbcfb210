//! What is lawful in a spec and yet unwise: said to its owner for as long as it stands, with what to do about it.

use husorden_base::{Bytes, Text};
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

/// What is said of a volume from its fourth fifth on: how much is used, and what comes of it. `full`: the node says that it is.
#[must_use]
pub fn filled(used: Bytes, limit: Bytes, full: bool, when_full: &Text) -> Option<Finding> {
    let percent = u128::from(used.0) * 100 / u128::from(limit.0.max(1));
    let advice = |da: &str, en: &str| Text::new(format!("{da} {}", when_full.da), format!("{en} {}", when_full.en));
    let (name, severity, advice) = match percent {
        _ if full => (
            "disk-full",
            Severity::Danger,
            advice(
                "Gør løsningen større, slet øjebliksbilleder, eller ryd op i data. Intet er gået tabt.",
                "Make the solution larger, delete snapshots, or clear up its data. Nothing was lost.",
            ),
        ),
        90.. => (
            "disk-90",
            Severity::Warning,
            advice("Gør løsningen større, eller ryd op.", "Make the solution larger, or clear up."),
        ),
        80.. => {
            ("disk-80", Severity::Notice, advice("Gør løsningen større i tide.", "Make the solution larger in time."))
        }
        _ => return None,
    };
    let title = if full {
        Text::new(format!("Pladsen er brugt op: {used} af {limit}"), format!("The disk is used up: {used} of {limit}"))
    } else {
        Text::new(
            format!("{percent} % af pladsen er brugt: {used} af {limit}"),
            format!("{percent} % of the disk is used: {used} of {limit}"),
        )
    };
    Some(Finding { name, severity, title, advice, until: None })
}

/// What is said when there was no room for a log that reaches back as far as it should.
#[must_use]
pub fn log_broken(from: Timestamp) -> Finding {
    let second = from.strftime("%Y-%m-%d %H:%M:%S UTC");
    Finding {
        name: "log-broken",
        severity: Severity::Warning,
        title: Text::new(
            format!("Et tidspunkt kan kun fås fra {second} og frem"),
            format!("A point in time can be had from {second} on only"),
        ),
        advice: Text::new(
            "Der blev skrevet mere, end loggen har plads til. Gør løsningen større; så får loggen mere plads. Data har intet mistet.",
            "More was written than its log has room for. Make the solution larger, and the log has more room. The data has lost nothing.",
        ),
        until: None,
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_is_spoken_of_from_its_fourth_fifth_on() {
        let of = |used: u64, full| {
            filled(Bytes(used), Bytes(1000), full, &Text::new("Så.", "Then."))
                .map(|finding| (finding.name, finding.severity))
        };
        assert_eq!(of(799, false), None);
        assert_eq!(of(800, false), Some(("disk-80", Severity::Notice)));
        assert_eq!(of(900, false), Some(("disk-90", Severity::Warning)));
        assert_eq!(of(1000, false), Some(("disk-90", Severity::Warning)));
        assert_eq!(of(1000, true), Some(("disk-full", Severity::Danger)));
        // It is full until the node says that it is not: a little room is soon gone.
        assert_eq!(of(985, true), Some(("disk-full", Severity::Danger)));
        assert_eq!(filled(Bytes(0), Bytes(0), false, &Text::new("", "")), None);
    }
}
