//! Figures: what is measured of a solution that runs. A kind names its own and says how it is asked for them; the walls have some that
//! hold for all. Pure: what is read is numbers by name, and figures are made of two readings.

use crate::Role;
use husorden_base::Text;
use std::collections::BTreeMap;

/// Something that is measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figure {
    /// Its name, also that of the number it is made of.
    pub name: &'static str,
    /// What people call it.
    pub title: Text,
    /// What it is counted in.
    pub unit: Unit,
    /// How it comes of numbers.
    pub reading: Reading,
}

/// What a figure is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Things.
    Count,
    /// Bytes.
    Bytes,
    /// Hundredths.
    Percent,
    /// Things a second.
    PerSecond,
    /// Seconds.
    Seconds,
}

/// How a figure comes of the numbers that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// The number as it stands.
    Level,
    /// What a number that only grows has grown in a second.
    Rate,
    /// Of two numbers that only grow, the share in percent that the figure's own has of what both have grown.
    Share {
        /// The other.
        beside: &'static str,
    },
}

/// How a service is asked for its numbers: a command beside it, in its sandbox, that says one a line, name and number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gauge {
    /// Which service.
    pub role: Role,
    /// The command.
    pub argv: Vec<String>,
    /// Handed to its standard input.
    pub stdin: String,
}

impl Unit {
    /// Its word in the API.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Bytes => "bytes",
            Self::Percent => "percent",
            Self::PerSecond => "per-second",
            Self::Seconds => "seconds",
        }
    }
}

/// Figures of the walls, which every solution that runs has. Percent of processor are of one core.
#[must_use]
pub fn common() -> Vec<Figure> {
    let figure = |name, da: &str, en: &str, unit, reading| Figure { name, title: Text::new(da, en), unit, reading };
    vec![
        figure("disk", "Plads", "Disk", Unit::Bytes, Reading::Level),
        figure("memory", "Hukommelse", "Memory", Unit::Bytes, Reading::Level),
        figure("cpu", "Processor", "Processor", Unit::Percent, Reading::Rate),
        figure("received", "Modtaget pr. sekund", "Received a second", Unit::Bytes, Reading::Rate),
        figure("sent", "Sendt pr. sekund", "Sent a second", Unit::Bytes, Reading::Rate),
    ]
}

/// Numbers that a command said. What is no line of a name and a number is passed over.
#[must_use]
pub fn read(said: &str) -> BTreeMap<String, f64> {
    let line = |line: &str| {
        let (name, number) = line.split_once(char::is_whitespace)?;
        let number: f64 = number.trim().parse().ok()?;
        number.is_finite().then(|| (name.to_owned(), number))
    };
    said.lines().filter_map(line).collect()
}

/// The figures that two readings make, `seconds` apart; without the one before, those that need none. A number that has shrunk began
/// anew, and says nothing yet.
#[must_use]
pub fn figures(
    all: &[Figure],
    before: Option<(&BTreeMap<String, f64>, f64)>,
    now: &BTreeMap<String, f64>,
) -> BTreeMap<String, f64> {
    let grown = |name: &str| {
        let (before, _) = before?;
        let grown = now.get(name)? - before.get(name)?;
        (grown >= 0.0).then_some(grown)
    };
    let value = |figure: &Figure| match figure.reading {
        Reading::Level => now.get(figure.name).copied(),
        Reading::Rate => {
            let seconds = before.map(|(_, seconds)| seconds).filter(|seconds| *seconds > 0.0)?;
            Some(grown(figure.name)? / seconds)
        }
        Reading::Share { beside } => {
            let (own, other) = (grown(figure.name)?, grown(beside)?);
            (own + other > 0.0).then(|| 100.0 * own / (own + other))
        }
    };
    all.iter().filter_map(|figure| Some((figure.name.to_owned(), value(figure)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(all: &[(&str, f64)]) -> BTreeMap<String, f64> {
        all.iter().map(|(name, number)| ((*name).to_owned(), *number)).collect()
    }

    #[test]
    fn what_is_said_is_numbers_by_name_and_the_rest_is_passed_over() {
        let said = "connections 3\nsize\t1024\nWARNING: nothing\nhalf 0.5\nnot NaN\nempty\n\n";
        assert_eq!(read(said), numbers(&[("connections", 3.0), ("half", 0.5), ("size", 1024.0)]));
    }

    #[test]
    fn figures_are_made_of_two_readings() {
        let figure = |name, reading| Figure { name, title: Text::new("", ""), unit: Unit::Count, reading };
        let all = [
            figure("level", Reading::Level),
            figure("rate", Reading::Rate),
            figure("hit", Reading::Share { beside: "miss" }),
            figure("absent", Reading::Level),
        ];
        let before = numbers(&[("level", 9.0), ("rate", 100.0), ("hit", 10.0), ("miss", 10.0)]);
        let now = numbers(&[("level", 4.0), ("rate", 160.0), ("hit", 40.0), ("miss", 20.0)]);
        assert_eq!(figures(&all, None, &now), numbers(&[("level", 4.0)]));
        let made = figures(&all, Some((&before, 30.0)), &now);
        assert_eq!(made, numbers(&[("hit", 75.0), ("level", 4.0), ("rate", 2.0)]));
        // A server that was started anew counts from the beginning.
        assert_eq!(figures(&all, Some((&now, 30.0)), &before), numbers(&[("level", 9.0)]));
        // Nothing asked for: no share, rather than one of nothing.
        assert_eq!(figures(&all[2..3], Some((&now, 30.0)), &now), numbers(&[]));
    }
}
