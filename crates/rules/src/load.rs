//! Reading the house rules from their files: texts in, rules out, or everything that is wrong with file, line and reason.

use crate::clause::{CLAUSES, SHIPPED};
use crate::house::{ClauseText, Owner, Rules, UsualMeasure};
use husorden_base::Text;
use jiff::civil::Date;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use toml::Spanned;

/// The file that says which version this is.
pub const INDEX: &str = "rules.toml";
/// Largest file, in bytes.
pub const FILE_BYTES_MAX: usize = 64 << 10;
const TITLE_CHARS_MAX: usize = 120;
const TEXT_CHARS_MAX: usize = 5_000;
const KINDS_MAX: usize = 64;

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wrong {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong, and what would be right.
    pub reason: String,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.reason)
    }
}

/// The rules that come with the product.
///
/// # Panics
/// Never in a build whose tests pass: the texts are part of the binary, and a test reads them.
#[must_use]
pub fn shipped() -> Rules {
    load(&shipped_files()).expect("the texts of the product hold")
}

fn shipped_files() -> Vec<(String, String)> {
    let index = (INDEX, include_str!("../../../rules/rules.toml"));
    std::iter::once(index)
        .chain(SHIPPED.iter().copied())
        .map(|(file, text)| (file.to_owned(), text.to_owned()))
        .collect()
}

/// Both languages, as they stand in a file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Both {
    da: Spanned<String>,
    en: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Index {
    version: Spanned<u32>,
    effective: Spanned<String>,
    summary: Both,
    kinds: BTreeMap<Spanned<String>, Both>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Clause {
    id: Spanned<String>,
    title: Both,
    says: Both,
    we: Both,
    you: Both,
    kinds: Vec<Spanned<String>>,
    answers: Spanned<String>,
    measures: Vec<Spanned<String>>,
    criminal: bool,
}

/// One file while it is read.
struct File<'a> {
    name: &'a str,
    text: &'a str,
    wrong: Vec<Wrong>,
}

impl<'a> File<'a> {
    fn read<T: serde::de::DeserializeOwned>(name: &'a str, text: &'a str) -> (Self, Option<T>) {
        let mut file = Self { name, text, wrong: Vec::new() };
        if text.len() > FILE_BYTES_MAX {
            file.wrong(0, format!("the file has {} bytes, at most {FILE_BYTES_MAX}", text.len()));
            return (file, None);
        }
        match toml::from_str(text) {
            Ok(read) => (file, Some(read)),
            Err(error) => {
                file.wrong(error.span().map_or(0, |span| span.start), error.message().to_owned());
                (file, None)
            }
        }
    }

    /// Something is wrong at this offset.
    fn wrong(&mut self, at: usize, reason: String) {
        let line = self.text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1;
        self.wrong.push(Wrong { file: self.name.to_owned(), line, reason });
    }

    /// One text: paragraphs are parted by empty lines, other line ends are only how the file is written.
    fn text(&mut self, what: &str, given: &Spanned<String>, chars_max: usize) -> String {
        let paragraphs: Vec<String> = given
            .get_ref()
            .split("\n\n")
            .map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" "))
            .filter(|paragraph| !paragraph.is_empty())
            .collect();
        let text = paragraphs.join("\n\n");
        let length = text.chars().count();
        if length == 0 {
            self.wrong(given.span().start, format!("{what} is empty"));
        } else if length > chars_max {
            self.wrong(given.span().start, format!("{what} has {length} characters, at most {chars_max}"));
        }
        if text.chars().any(|c| c.is_control() && c != '\n') || text.chars().any(turns_around) {
            self.wrong(given.span().start, format!("{what} has a control character"));
        }
        text
    }

    fn both(&mut self, what: &str, given: &Both, chars_max: usize) -> Text {
        Text::new(
            self.text(&format!("{what}.da"), &given.da, chars_max),
            self.text(&format!("{what}.en"), &given.en, chars_max),
        )
    }

    fn word<T: Copy>(&mut self, what: &str, given: &Spanned<String>, words: &[(&'static str, T)]) -> Option<T> {
        let found = words.iter().find(|(word, _)| word == given.get_ref()).map(|(_, value)| *value);
        if found.is_none() {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            self.wrong(given.span().start, format!("{:?} is no {what}; one of: {}", given.get_ref(), known.join(", ")));
        }
        found
    }
}

/// Characters that turn the direction of what follows, so that a text reads otherwise than it is.
const fn turns_around(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Reads the rules from (file, text) pairs.
///
/// # Errors
/// Everything that is wrong, sorted by file and line.
pub fn load(files: &[(String, String)]) -> Result<Rules, Vec<Wrong>> {
    let mut wrong = Vec::new();
    let mut rules = None;
    let mut known_kinds = None;
    if let Some((name, text)) = files.iter().find(|(name, _)| name == INDEX) {
        let (mut file, index) = File::read::<Index>(name, text);
        if let Some(index) = index {
            let read = read_index(&mut file, &index);
            known_kinds = Some(read.kinds.keys().cloned().collect::<Vec<_>>());
            rules = Some(read);
        }
        wrong.append(&mut file.wrong);
    } else {
        let reason = "the file is missing; it says version, date and summary".to_owned();
        wrong.push(Wrong { file: INDEX.to_owned(), line: 1, reason });
    }
    let mut found: BTreeMap<&'static str, ClauseText> = BTreeMap::new();
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    for (name, text) in files.iter().filter(|(name, _)| name != INDEX) {
        if !name.ends_with(".toml") {
            wrong.push(Wrong { file: name.clone(), line: 1, reason: "a clause's file ends with .toml".to_owned() });
            continue;
        }
        let (mut file, clause) = File::read::<Clause>(name, text);
        if let Some(clause) = clause {
            let id = clause.id.get_ref().clone();
            if let Some(first) = seen.insert(id.clone(), name) {
                file.wrong(clause.id.span().start, format!("the clause {id:?} stands in {first} too"));
            }
            match CLAUSES.iter().find(|known| **known == id) {
                Some(known) => {
                    if let Some(text) = read_clause(&mut file, &clause, known_kinds.as_deref()) {
                        found.insert(known, text);
                    }
                }
                None => {
                    let reason = format!("{id:?} is no clause; one of: {}", CLAUSES.join(", "));
                    file.wrong(clause.id.span().start, reason);
                }
            }
        } else {
            // A file that cannot be read is not also said to be missing.
            seen.insert(name.trim_end_matches(".toml").to_owned(), name);
        }
        wrong.append(&mut file.wrong);
    }
    for id in CLAUSES {
        if !seen.contains_key(*id) {
            let reason = format!("the clause {id:?} is missing");
            wrong.push(Wrong { file: format!("{id}.toml"), line: 1, reason });
        }
    }
    let Some(mut rules) = rules.filter(|_| wrong.is_empty()) else {
        wrong.sort();
        return Err(wrong);
    };
    rules.clauses = CLAUSES.iter().filter_map(|id| found.remove(id)).collect();
    Ok(rules)
}

fn read_index(file: &mut File<'_>, index: &Index) -> Rules {
    let mut rules = Rules {
        version: *index.version.get_ref(),
        effective: Date::ZERO,
        summary: file.both("summary", &index.summary, TEXT_CHARS_MAX),
        kinds: BTreeMap::new(),
        clauses: Vec::new(),
    };
    if !(1..=1_000_000).contains(&rules.version) {
        file.wrong(index.version.span().start, "a version is a number from 1".to_owned());
    }
    match index.effective.get_ref().parse::<Date>() {
        Ok(date) if (2000..=2999).contains(&date.year()) => rules.effective = date,
        Ok(_) | Err(_) => file.wrong(
            index.effective.span().start,
            format!("{:?} is no date such as 2027-01-31", index.effective.get_ref()),
        ),
    }
    if index.kinds.len() > KINDS_MAX {
        file.wrong(0, format!("{} kinds, at most {KINDS_MAX}", index.kinds.len()));
    }
    for (kind, title) in &index.kinds {
        let title = file.both(&format!("kinds.{}", kind.get_ref()), title, TITLE_CHARS_MAX);
        rules.kinds.insert(kind.get_ref().clone(), title);
    }
    rules
}

fn read_clause(file: &mut File<'_>, clause: &Clause, known_kinds: Option<&[String]>) -> Option<ClauseText> {
    let expected = format!("{}.toml", clause.id.get_ref());
    if file.name != expected {
        file.wrong(clause.id.span().start, format!("the clause {:?} belongs in {expected}", clause.id.get_ref()));
    }
    let mut kinds: Vec<String> = Vec::new();
    for kind in &clause.kinds {
        if let Some(known) = known_kinds
            && !known.contains(kind.get_ref())
        {
            let reason = format!("{:?} is no kind of {INDEX}; one of: {}", kind.get_ref(), known.join(", "));
            file.wrong(kind.span().start, reason);
        } else if kinds.contains(kind.get_ref()) {
            file.wrong(kind.span().start, format!("the kind {:?} stands there twice", kind.get_ref()));
        }
        kinds.push(kind.get_ref().clone());
    }
    let owners = Owner::ALL.map(|owner| (owner.word(), owner));
    let answers = file.word("owner", &clause.answers, &owners);
    let usual = UsualMeasure::ALL.map(|measure| (measure.word(), measure));
    let mut measures = Vec::new();
    for given in &clause.measures {
        if let Some(measure) = file.word("measure", given, &usual) {
            if measures.contains(&measure) {
                file.wrong(given.span().start, format!("the measure {:?} stands there twice", given.get_ref()));
            }
            measures.push(measure);
        }
    }
    Some(ClauseText {
        id: clause.id.get_ref().clone(),
        title: file.both("title", &clause.title, TITLE_CHARS_MAX),
        says: file.both("says", &clause.says, TEXT_CHARS_MAX),
        we: file.both("we", &clause.we, TEXT_CHARS_MAX),
        you: file.both("you", &clause.you, TEXT_CHARS_MAX),
        kinds,
        answers: answers?,
        measures,
        criminal: clause.criminal,
    })
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
