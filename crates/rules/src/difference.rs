//! What changed from one version of the house rules to another: clause by clause, and word by word for display.

use crate::house::{ClauseText, Rules};
use husorden_base::Text;
use serde::{Deserialize, Serialize};
use similar::{ChangeTag, TextDiff};

/// What changed from one version to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// From which version.
    pub from: u32,
    /// To which.
    pub to: u32,
    /// The clauses that differ, in the order of the newer version; those that went come last.
    pub clauses: Vec<ClauseDifference>,
}

/// What changed in one clause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClauseDifference {
    /// Its id.
    pub id: String,
    /// What became of it.
    pub change: Change,
    /// Its texts that differ.
    pub texts: Vec<TextDifference>,
    /// What differs besides the texts: `kinds`, `answers`, `measures`, `criminal`.
    pub facts: Vec<FactDifference>,
}

/// What became of a clause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// It is new.
    Added,
    /// It says something else.
    Changed,
    /// It is gone.
    Removed,
}

/// How one text of a clause differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextDifference {
    /// `title`, `says`, `we` or `you`.
    pub part: String,
    /// In Danish.
    pub da: Vec<Piece>,
    /// In English.
    pub en: Vec<Piece>,
}

/// Words that stayed, came or went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    /// What became of them.
    pub is: Fate,
    /// The words, with the spaces between them.
    pub text: String,
}

/// What became of words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fate {
    /// They stayed.
    Same,
    /// They came.
    Added,
    /// They went.
    Removed,
}

/// How a fact of a clause differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FactDifference {
    /// Which.
    pub fact: String,
    /// As it was.
    pub from: serde_json::Value,
    /// As it is.
    pub to: serde_json::Value,
}

/// What changed from `old` to `new`.
#[must_use]
pub fn difference(old: &Rules, new: &Rules) -> Difference {
    let mut clauses = Vec::new();
    for clause in &new.clauses {
        match old.clause(&clause.id) {
            Some(before) if before == clause => {}
            before => clauses.push(compare(before, Some(clause))),
        }
    }
    clauses.extend(old.clauses.iter().filter(|was| new.clause(&was.id).is_none()).map(|was| compare(Some(was), None)));
    Difference { from: old.version, to: new.version, clauses }
}

fn compare(old: Option<&ClauseText>, new: Option<&ClauseText>) -> ClauseDifference {
    let (id, change) = match (old, new) {
        (_, Some(new)) => (new.id.clone(), if old.is_some() { Change::Changed } else { Change::Added }),
        (old, None) => (old.map(|old| old.id.clone()).unwrap_or_default(), Change::Removed),
    };
    let empty = Text::new("", "");
    let texts = [("title", 0), ("says", 1), ("we", 2), ("you", 3)]
        .into_iter()
        .filter_map(|(part, index)| {
            let (was, is) = (old.map_or(&empty, |c| texts(c)[index]), new.map_or(&empty, |c| texts(c)[index]));
            (was != is).then(|| TextDifference {
                part: part.to_owned(),
                da: pieces(&was.da, &is.da),
                en: pieces(&was.en, &is.en),
            })
        })
        .collect();
    let facts = match (old, new) {
        (Some(old), Some(new)) => facts(old)
            .into_iter()
            .zip(facts(new))
            .filter(|((_, from), (_, to))| from != to)
            .map(|((fact, from), (_, to))| FactDifference { fact: fact.to_owned(), from, to })
            .collect(),
        _ => Vec::new(),
    };
    ClauseDifference { id, change, texts, facts }
}

const fn texts(clause: &ClauseText) -> [&Text; 4] {
    [&clause.title, &clause.says, &clause.we, &clause.you]
}

fn facts(clause: &ClauseText) -> [(&'static str, serde_json::Value); 4] {
    let measures: Vec<&str> = clause.measures.iter().map(|measure| measure.word()).collect();
    [
        ("kinds", clause.kinds.clone().into()),
        ("answers", clause.answers.word().into()),
        ("measures", measures.into()),
        ("criminal", clause.criminal.into()),
    ]
}

/// Word by word; neighbours of the same fate are one piece.
fn pieces(old: &str, new: &str) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    for change in TextDiff::from_words(old, new).iter_all_changes() {
        let is = match change.tag() {
            ChangeTag::Equal => Fate::Same,
            ChangeTag::Insert => Fate::Added,
            ChangeTag::Delete => Fate::Removed,
        };
        match pieces.last_mut() {
            Some(last) if last.is == is => last.text.push_str(change.value()),
            _ => pieces.push(Piece { is, text: change.value().to_owned() }),
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::house::Owner;
    use crate::load::shipped;

    /// What a reader of only one side sees.
    fn side(pieces: &[Piece], without: Fate) -> String {
        pieces.iter().filter(|piece| piece.is != without).map(|piece| piece.text.as_str()).collect()
    }

    #[test]
    fn words_that_changed_are_told_and_no_others() {
        let old = shipped();
        assert!(difference(&old, &old).clauses.is_empty());
        let mut new = old.clone();
        new.version = 2;
        let clause = &mut new.clauses[3];
        let id = clause.id.clone();
        clause.we.en = clause.we.en.replacen("always", "nearly always", 1);
        clause.answers = Owner::ThirdParty;
        let gone = new.clauses.remove(7).id;
        let told = difference(&old, &new);
        assert_eq!((told.from, told.to, told.clauses.len()), (1, 2, 2));
        let one = &told.clauses[0];
        assert_eq!((one.id.as_str(), one.change, one.texts.len()), (id.as_str(), Change::Changed, 1));
        assert_eq!(one.texts[0].part, "we");
        let added: Vec<&str> = one.texts[0].en.iter().filter(|p| p.is == Fate::Added).map(|p| p.text.trim()).collect();
        assert_eq!(added, ["nearly"]);
        assert_eq!(one.facts.len(), 1);
        assert_eq!((one.facts[0].fact.as_str(), &one.facts[0].to), ("answers", &"third-party".into()));
        let two = &told.clauses[1];
        assert_eq!((two.id.as_str(), two.change), (gone.as_str(), Change::Removed));
        assert!(two.texts.iter().all(|text| text.da.iter().all(|piece| piece.is == Fate::Removed)));
        // And back again it is new.
        assert_eq!(difference(&new, &old).clauses[1].change, Change::Added);
    }

    #[test]
    fn both_sides_can_be_read_out_of_the_pieces() {
        for (old, new) in [("", "a b"), ("a b c", "a c"), ("en to\n\ntre", "en  to tre fire"), ("æ ø å", "å ø æ")]
        {
            let pieces = pieces(old, new);
            assert_eq!((side(&pieces, Fate::Added).as_str(), side(&pieces, Fate::Removed).as_str()), (old, new));
        }
    }
}
