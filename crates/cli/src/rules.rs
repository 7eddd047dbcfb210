//! `husorden rules`: the house rules to read, to check before they are used, and to accept.

use crate::api::segment;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{self, Format, Row};
use husorden_base::Text;
use husorden_rules::difference::{ClauseDifference, Fate, Piece};
use husorden_wire::api::{Rules, RulesAccept, RulesAcceptance, RulesAccepted, RulesClause, RulesVersion};
use std::fmt::Write;
use std::path::PathBuf;

/// Columns of a text.
const WIDTH: usize = 100;

/// What can be done with the house rules.
#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// Show the house rules, or one clause of them
    Show {
        /// Only this clause
        clause: Option<String>,
        /// Of this version [default: the one that holds now]
        #[arg(long)]
        version: Option<u32>,
        /// What changed from the version before, word by word
        #[arg(long, conflicts_with = "clause")]
        changes: bool,
    },
    /// Who answers for what
    Matrix,
    /// Check a folder of house rules before control is given it; asks no API
    Check {
        /// The folder, with rules.toml and a file a clause
        folder: PathBuf,
    },
    /// List the versions
    Versions,
    /// What the account has accepted
    Accepted {
        /// For staff: which account
        #[arg(long)]
        account: Option<String>,
    },
    /// Accept a version for the account
    Accept {
        /// Which: the one that was read
        version: u32,
    },
}

impl Verb {
    /// What needs no API.
    pub(crate) fn offline(&self, format: Format) -> Option<Result<(), Failure>> {
        let Self::Check { folder } = self else { return None };
        Some(check(folder, format))
    }

    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Show { clause, version, changes } => show(context, clause.as_deref(), version, changes),
            Self::Matrix => {
                let rules: Rules = context.api.get("/v1/rules")?;
                output::list(context.format, &rules.clauses)
            }
            Self::Check { folder } => check(&folder, context.format),
            Self::Versions => output::list(context.format, &context.api.all::<RulesVersion>("/v1/rules/versions")?),
            Self::Accepted { account } => {
                let query = account.map_or_else(String::new, |account| format!("?account={}", segment(&account)));
                let accepted: RulesAccepted = context.api.get(&format!("/v1/rules/acceptance{query}"))?;
                output::one(context.format, if accepted.accepted { "accepted" } else { "not-accepted" }, &accepted)
            }
            Self::Accept { version } => {
                let done: RulesAcceptance = context.api.post("/v1/rules/acceptance", &RulesAccept { version })?;
                let what = format!("{} {}", context.word("Accepteret: version", "Accepted: version"), done.version);
                output::done(context.format, &done.version.to_string(), &done, &what)
            }
        }
    }
}

fn check(folder: &std::path::Path, format: Format) -> Result<(), Failure> {
    let rules = husorden_rules::folder::read(Some(folder)).map_err(|error| Failure::Usage(error.to_string()))?;
    let what = format!("version {}, {}, {} clauses: they hold", rules.version, rules.effective, rules.clauses.len());
    output::done(format, &rules.version.to_string(), &rules, &what)
}

fn show(context: &Context, clause: Option<&str>, version: Option<u32>, changes: bool) -> Result<(), Failure> {
    let path = version.map_or_else(|| "/v1/rules".to_owned(), |version| format!("/v1/rules/versions/{version}"));
    let mut rules: Rules = context.api.get(&path)?;
    if let Some(id) = clause {
        rules.clauses.retain(|one| one.id == id);
        if rules.clauses.is_empty() {
            return Err(Failure::Usage(format!("{} {id}", context.word("intet punkt hedder", "no clause is called"))));
        }
    }
    if context.format != Format::Table {
        return output::one(context.format, &rules.version.to_string(), &rules);
    }
    let mut text = String::new();
    let get = |text: &Text| text.get(context.language).to_owned();
    if clause.is_none() {
        let head = context.word("Husorden, version", "House rules, version");
        let _ =
            writeln!(text, "{head} {} ({})\n{}\n", rules.version, output::moment(rules.effective), get(&rules.summary));
    }
    if changes {
        for one in rules.difference.iter().flat_map(|difference| &difference.clauses) {
            put_change(context, &mut text, one);
        }
    } else {
        for one in &rules.clauses {
            let _ = writeln!(text, "{} — {} ({})", one.id, get(&one.title), get(&one.answers.title));
            for part in [&one.says, &one.we, &one.you] {
                put_wrapped(&mut text, &get(part));
            }
        }
    }
    output::put(text.trim_end())
}

/// Words that went stand in [-…-], those that came in {+…+}, as other tools have it.
fn put_change(context: &Context, text: &mut String, one: &ClauseDifference) {
    let pieces = |pieces: &[Piece]| -> String {
        pieces
            .iter()
            .map(|piece| match piece.is {
                Fate::Same => piece.text.clone(),
                Fate::Added => format!("{{+{}+}}", piece.text),
                Fate::Removed => format!("[-{}-]", piece.text),
            })
            .collect()
    };
    let _ = writeln!(text, "{}", one.id);
    for part in &one.texts {
        put_wrapped(text, &pieces(if context.language == husorden_base::Language::Da { &part.da } else { &part.en }));
    }
    for fact in &one.facts {
        let _ = writeln!(text, "    {}: {} -> {}\n", fact.fact, fact.from, fact.to);
    }
}

fn put_wrapped(text: &mut String, words: &str) {
    let mut column = 0;
    for word in words.split_whitespace() {
        let long = word.chars().count();
        if column == 0 || column + 1 + long > WIDTH {
            text.push_str(if column == 0 { "    " } else { "\n    " });
            column = 4;
        } else {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += long;
    }
    text.push_str("\n\n");
}

impl Row for RulesVersion {
    const COLUMNS: &'static [&'static str] = &["version", "effective", "published", "in force", "hash"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.version.to_string(),
            output::moment(self.effective),
            output::moment(self.published),
            if self.in_force { "*" } else { "" }.to_owned(),
            self.hash.chars().take(16).collect(),
        ]
    }

    fn name(&self) -> String {
        self.version.to_string()
    }
}

impl Row for RulesClause {
    const COLUMNS: &'static [&'static str] = &["clause", "title", "answers", "kinds"];

    fn cells(&self) -> Vec<String> {
        let language = crate::language();
        vec![
            self.id.clone(),
            self.title.get(language).to_owned(),
            self.answers.title.get(language).to_owned(),
            self.kinds.join(", "),
        ]
    }

    fn name(&self) -> String {
        self.id.clone()
    }
}
