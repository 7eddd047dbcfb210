//! What a verifier finds wrong, in words.

use husorden_base::Text;
use jiff::Timestamp;
use serde::Serialize;

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "finding", rename_all = "kebab-case")]
pub enum Finding {
    /// A checkpoint's signature does not hold.
    Signature {
        /// Where the checkpoint lies.
        place: String,
        /// What is wrong.
        why: String,
    },
    /// A checkpoint is of another log.
    OtherLog {
        /// Where the checkpoint lies.
        place: String,
        /// Whose it is.
        origin: String,
    },
    /// The tree was larger once.
    Shrunk {
        /// Leaves it had.
        size: u64,
        /// When.
        at: Timestamp,
        /// Leaves it has.
        now: u64,
    },
    /// The tree does not have the root that an outside checkpoint says: leaves were changed, removed, put in or moved.
    Rewritten {
        /// First leaf that may be another; those before are proved.
        from: u64,
        /// The leaves up to and without this one are the ones that may be others.
        to: u64,
        /// First and last line among the leaves in question.
        lines: Option<(u64, u64)>,
        /// When the tree was still seen as it was; none: never.
        since: Option<Timestamp>,
        /// When the tree had the root that it has no more.
        until: Timestamp,
        /// The checkpoint lies outside; else it is one of the export itself.
        outside: bool,
    },
    /// Leaves are not in the file.
    Missing {
        /// First of them.
        from: u64,
        /// Up to, and without.
        to: u64,
    },
    /// The file ends too early.
    Cut {
        /// Leaves in it.
        leaves: u64,
    },
    /// The proofs lead to no signed checkpoint.
    NoAnchor {
        /// Size of the tree they are of.
        size: u64,
    },
    /// A leaf is wrong.
    Leaf {
        /// Its place in the tree.
        index: u64,
        /// Its line.
        line: u64,
        /// What is wrong.
        why: Why,
    },
}

/// What is wrong with a leaf.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// It does not read as one.
    Shape,
    /// It stands before one that is older.
    Order,
    /// It is dated before the tree had room for it.
    BackDated {
        /// Its date.
        noted: Timestamp,
        /// It can't be older.
        not_before: Timestamp,
    },
    /// It is dated after a tree that holds it.
    DatedAhead {
        /// Its date.
        noted: Timestamp,
        /// It can't be younger.
        not_after: Timestamp,
    },
    /// The same half of the line is there twice.
    Twice,
    /// The row after the act has none before it.
    NoBefore,
    /// It is of another account than the export.
    OtherAccount,
    /// Its proof does not lead to the tree's root: it was changed, or never was in the tree.
    NotInTree,
    /// A visible value is not the one that was sealed.
    Value(String),
    /// A value is gone, and no line says who erased it.
    Gone(String),
}

impl Finding {
    /// In words.
    #[must_use]
    pub fn text(&self) -> Text {
        match self {
            Self::Signature { place, why } => Text::new(
                format!("Kontrolpunktet i {place} holder ikke: {why}"),
                format!("The checkpoint in {place} does not hold: {why}"),
            ),
            Self::OtherLog { place, origin } => Text::new(
                format!("Kontrolpunktet i {place} hører til en anden log, {origin}"),
                format!("The checkpoint in {place} is of another log, {origin}"),
            ),
            Self::Shrunk { size, at, now } => Text::new(
                format!("Slettet: træet havde {size} blade {at} og har siden haft {now}"),
                format!("Deleted: the tree had {size} leaves at {at} and later had {now}"),
            ),
            Self::Rewritten { from, to, lines, since, until, outside } => {
                let (da_lines, en_lines) = match lines {
                    Some((first, last)) => {
                        (format!(" (linje {first} til {last})"), format!(" (lines {first} to {last})"))
                    }
                    None => (String::new(), String::new()),
                };
                let (da_since, en_since) = match since {
                    Some(since) => (format!("efter {since}"), format!("after {since}")),
                    None => ("fra begyndelsen".to_owned(), "from the beginning".to_owned()),
                };
                let (da_who, en_who) = if *outside {
                    ("et kontrolpunkt udefra", "an outside checkpoint")
                } else {
                    ("eksportens eget kontrolpunkt", "the export's own checkpoint")
                };
                let last = to.saturating_sub(1).max(*from);
                Text::new(
                    format!(
                        "Omskrevet: blad {from} til {last}{da_lines} er ikke dem, som {da_who} fra {until} stod for; ændret {da_since}"
                    ),
                    format!(
                        "Rewritten: leaves {from} to {last}{en_lines} are not those that {en_who} of {until} stood for; changed {en_since}"
                    ),
                )
            }
            Self::Missing { from, to } => {
                let last = to.saturating_sub(1);
                Text::new(
                    format!("Slettet: blad {from} til {last} mangler"),
                    format!("Deleted: leaves {from} to {last} are missing"),
                )
            }
            Self::Cut { leaves } => Text::new(
                format!("Filen er afkortet: den ender efter {leaves} blade"),
                format!("The file is cut: it ends after {leaves} leaves"),
            ),
            Self::NoAnchor { size } => Text::new(
                format!("Intet underskrevet kontrolpunkt står for de {size} blade, som beviserne gælder"),
                format!("No signed checkpoint stands for the {size} leaves that the proofs are of"),
            ),
            Self::Leaf { index, line, why } => {
                let why = why.text();
                Text::new(
                    format!("Linje {line} (blad {index}): {}", why.da),
                    format!("Line {line} (leaf {index}): {}", why.en),
                )
            }
        }
    }
}

impl Why {
    fn text(&self) -> Text {
        match self {
            Self::Shape => Text::new("kan ikke læses som en linje", "does not read as a line"),
            Self::Order => Text::new("flyttet: den står efter en yngre", "moved: it stands after a younger one"),
            Self::BackDated { noted, not_before } => Text::new(
                format!("tilbagedateret: den siger {noted}, men er kommet til efter {not_before}"),
                format!("back-dated: it says {noted} but came in after {not_before}"),
            ),
            Self::DatedAhead { noted, not_after } => Text::new(
                format!("fremdateret: den siger {noted}, men var der allerede {not_after}"),
                format!("dated ahead: it says {noted} but was there at {not_after} already"),
            ),
            Self::Twice => Text::new("står der to gange", "is there twice"),
            Self::NoBefore => Text::new("har ingen række fra før handlingen", "has no row from before the act"),
            Self::OtherAccount => Text::new("hører til en anden konto", "is of another account"),
            Self::NotInTree => Text::new(
                "ændret eller indsat: dens bevis fører ikke til træets rod",
                "changed or put in: its proof does not lead to the tree's root",
            ),
            Self::Value(path) => Text::new(
                format!("ændret: {path} er ikke den værdi, der blev forseglet"),
                format!("changed: {path} is not the value that was sealed"),
            ),
            Self::Gone(path) => Text::new(
                format!("slettet: {path} er væk, og ingen linje siger, hvem der slettede den"),
                format!("deleted: {path} is gone, and no line says who erased it"),
            ),
        }
    }
}
