//! `husorden evidence`: lines, exports, keys, and the verifier, which needs no API.

use crate::api::{Ask, segment};
use crate::context::{Context, Globals};
use crate::failure::Failure;
use crate::output::{self, Row};
use husorden_base::{Language, Text};
use husorden_evidence::verify::{Outside, Report, verify};
use husorden_evidence::{PublicKey, note};
use husorden_wire::api::{Erasure, ErasureCreate, Evidence, EvidenceLog, Page, PersonLeft};
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};

/// Largest file of checkpoints that is read, in bytes.
const CHECKPOINTS_BYTES_MAX: u64 = 1 << 30;

/// What can be done with evidence.
#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// List lines of evidence, newest last
    #[command(visible_alias = "ls")]
    List(List),
    /// Write evidence to a file that `evidence verify` reads, or a table for people
    Export(Export),
    /// Verify an export offline, best with checkpoints from outside the house
    Verify(Verify),
    /// The log's public key
    Key,
    /// Who left and is named in the log still
    Left {
        /// Who left this account (staff); without it, who is a member nowhere
        #[arg(long)]
        account: Option<String>,
    },
    /// Erase what names a person who left; the lines stay, and the tree holds
    Erase {
        /// The person's id, as `evidence left` shows it
        person: String,
        /// From the lines of this account only (staff); without it from everywhere, with the person's log-in
        #[arg(long)]
        account: Option<String>,
    },
}

#[derive(Debug, clap::Args)]
pub struct List {
    /// Only lines with this in act, who, solution or details
    #[arg(long, short)]
    q: Option<String>,
    /// Only this act, or those that begin with it: `measure`
    #[arg(long)]
    act: Option<String>,
    /// Only lines by whom this is part of
    #[arg(long)]
    who: Option<String>,
    /// Only lines of this account (staff)
    #[arg(long)]
    account: Option<String>,
    /// Only lines of this solution
    #[arg(long)]
    solution: Option<String>,
    /// From this day or time on
    #[arg(long)]
    from: Option<String>,
    /// Up to, and without, this day or time
    #[arg(long)]
    to: Option<String>,
    /// Only the newest lines, so many
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u8).range(1..=200))]
    newest: Option<u8>,
}

#[derive(Debug, clap::Args)]
pub struct Export {
    /// Where to write; standard output when left out
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// A table for people instead of the file for the verifier
    #[arg(long)]
    csv: bool,
    /// Only this account (staff)
    #[arg(long)]
    account: Option<String>,
}

#[derive(Debug, clap::Args)]
pub struct Verify {
    /// The export
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Checkpoints from outside: files, or folders of them
    #[arg(long, value_name = "FILE")]
    checkpoint: Vec<PathBuf>,
    /// The public key as it was noted down before; without it the keys that the export names are believed
    #[arg(long, value_name = "KEY")]
    key: Vec<String>,
}

impl Verb {
    /// Carries it out. The verifier works without an API and without a token.
    pub(crate) fn run(self, globals: &Globals) -> Result<(), Failure> {
        match self {
            Self::Verify(verify) => verify.run(globals),
            Self::List(list) => list.run(&globals.context()?),
            Self::Export(export) => export.run(&globals.context()?),
            Self::Left { account } => {
                let context = globals.context()?;
                let path = query("/v1/erasures", &[("account", account.as_deref())]);
                output::list(context.format, &context.api.get::<Page<PersonLeft>>(&path)?.items)
            }
            Self::Erase { person, account } => {
                let context = globals.context()?;
                context.confirm(context.word(
                    "Det kan ikke fortrydes: hvem der gjorde noget, og hvorfra, slettes af loggen.",
                    "This cannot be undone: who did something, and from where, is erased from the log.",
                ))?;
                let asked: Erasure = context.api.post("/v1/erasures", &ErasureCreate { person, account })?;
                output::one(context.format, &asked.id, &asked)
            }
            Self::Key => {
                let context = globals.context()?;
                let log: EvidenceLog = context.api.get("/v1/evidence/key")?;
                output::one(context.format, &log.key, &log)
            }
        }
    }
}

/// A query of those parts that are there.
fn query(path: &str, parts: &[(&str, Option<&str>)]) -> String {
    let mut query = path.to_owned();
    for (name, value) in parts {
        if let Some(value) = value {
            query += &format!("{}{name}={}", if query.contains('?') { '&' } else { '?' }, segment(value));
        }
    }
    query
}

impl List {
    fn run(&self, context: &Context) -> Result<(), Failure> {
        let mut path = query(
            "/v1/evidence",
            &[
                ("q", self.q.as_deref()),
                ("act", self.act.as_deref()),
                ("who", self.who.as_deref()),
                ("account", self.account.as_deref()),
                ("solution", self.solution.as_deref()),
                ("from", self.from.as_deref()),
                ("to", self.to.as_deref()),
            ],
        );
        let Some(newest) = self.newest else {
            return output::list(context.format, &context.api.all::<Evidence>(&path)?);
        };
        path = query(&path, &[("order", Some("newest")), ("limit", Some(&newest.to_string()))]);
        let mut page: Page<Evidence> = context.api.get(&path)?;
        page.items.reverse();
        output::list(context.format, &page.items)
    }
}

impl Export {
    fn run(&self, context: &Context) -> Result<(), Failure> {
        let format = if self.csv { "csv" } else { "jsonl" };
        let path = query("/v1/evidence/export", &[("format", Some(format)), ("account", self.account.as_deref())]);
        let mut from = context.api.stream(&Ask::get(&path), if self.csv { "text/csv" } else { "application/jsonl" })?;
        match &self.file {
            None => copy(&mut from, &mut io::stdout().lock(), Path::new("-")),
            Some(file) => {
                let mut to = File::create(file).map_err(|error| odd("making", file, &error))?;
                copy(&mut from, &mut to, file)?;
                to.sync_all().map_err(|error| odd("writing", file, &error))
            }
        }
    }
}

fn copy(from: &mut impl Read, to: &mut impl Write, file: &Path) -> Result<(), Failure> {
    io::copy(from, to).and_then(|_| to.flush()).map_err(|error| odd("writing", file, &error))
}

fn odd(doing: &str, file: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::Odd(format!("{doing} {}: {error}", file.display()))
}

impl Verify {
    fn run(&self, globals: &Globals) -> Result<(), Failure> {
        let mut outside = Vec::new();
        for path in &self.checkpoint {
            checkpoints(path, &mut outside)?;
        }
        let keys: Vec<PublicKey> = self
            .key
            .iter()
            .map(|key| key.parse().map_err(|error| Failure::Odd(format!("{key}: {error}"))))
            .collect::<Result<_, _>>()?;
        let file = File::open(&self.file).map_err(|error| odd("opening", &self.file, &error))?;
        let report =
            verify(BufReader::new(file), &outside, &keys).map_err(|error| odd("verifying", &self.file, &error))?;
        match globals.output() {
            output::Format::Json => output::json(&report)?,
            _ => output::put(&output::plain(&told(&report, crate::language())))?,
        }
        if report.holds() {
            return Ok(());
        }
        let count = report.findings.len() as u64 + report.more;
        let text = Text::new(
            format!("{count} fund: loggen er ikke, som den var"),
            format!("{count} findings: the log is not what it was"),
        );
        Err(Failure::Work(text.get(crate::language()).to_owned()))
    }
}

/// The notes of a file, or of every file in a folder.
fn checkpoints(path: &Path, outside: &mut Vec<Outside>) -> Result<(), Failure> {
    let data = std::fs::metadata(path).map_err(|error| odd("looking at", path, &error))?;
    if data.is_dir() {
        let entries = std::fs::read_dir(path).map_err(|error| odd("reading", path, &error))?;
        let mut files: Vec<PathBuf> =
            entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file()).collect();
        files.sort();
        return files.iter().try_for_each(|file| checkpoints(file, outside));
    }
    if data.len() > CHECKPOINTS_BYTES_MAX {
        return Err(odd("reading", path, &"the file is too large for one of checkpoints"));
    }
    let text = std::fs::read_to_string(path).map_err(|error| odd("reading", path, &error))?;
    let place = path.display().to_string();
    outside.extend(note::several(&text).into_iter().map(|note| Outside { place: place.clone(), note }));
    Ok(())
}

/// The report in words.
fn told(report: &Report, language: Language) -> String {
    let mut lines = Vec::new();
    let mut say = |da: String, en: String| lines.push(Text::new(da, en).get(language).to_owned());
    let header = &report.header;
    say(
        format!(
            "Log {}, eksporteret {}: {} blade, {} værdier slettet efter reglerne",
            header.origin, header.made, report.leaves, report.erased
        ),
        format!(
            "Log {}, exported {}: {} leaves, {} values erased by the rules",
            header.origin, header.made, report.leaves, report.erased
        ),
    );
    say(
        format!(
            "Kontrolpunkter udefra: {}, heraf {} i overensstemmelse, {} uden bevis i filen, {} yngre end eksporten",
            report.outside, report.outside_agreed, report.outside_unproved, report.outside_younger
        ),
        format!(
            "Outside checkpoints: {}, of which {} agree, {} without a proof in the file, {} younger than the export",
            report.outside, report.outside_agreed, report.outside_unproved, report.outside_younger
        ),
    );
    if let Some((size, at)) = report.protected {
        say(
            format!("De første {size} blade er beskyttet af et kontrolpunkt udefra fra {at}"),
            format!("The first {size} leaves are protected by an outside checkpoint of {at}"),
        );
    } else {
        say(
            "Intet kontrolpunkt udefra beskytter loggen: filen er kun holdt op mod sig selv".to_owned(),
            "No outside checkpoint protects the log: the file was held against itself only".to_owned(),
        );
    }
    if let Some(since) = report.unprotected_since {
        say(
            format!("Ubeskyttet siden {since}: {} sekunder", report.unprotected_s),
            format!("Unprotected since {since}: {} seconds", report.unprotected_s),
        );
    }
    if report.key_from_export {
        say(
            "Nøglen er taget fra eksporten selv; giv den, du noterede tidligere, med --key".to_owned(),
            "The key was taken from the export itself; give the one you noted down before with --key".to_owned(),
        );
    }
    for finding in &report.findings {
        let text = finding.text();
        say(format!("✗ {}", text.da), format!("✗ {}", text.en));
    }
    if report.more > 0 {
        say(format!("✗ og {} fund til", report.more), format!("✗ and {} findings more", report.more));
    }
    if report.holds() {
        say("✓ Intet er fundet galt".to_owned(), "✓ Nothing was found wrong".to_owned());
    }
    lines.join("\n")
}

impl Row for PersonLeft {
    const COLUMNS: &'static [&'static str] = &["person", "name", "email", "left", "erased", "fields"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.person.clone(),
            output::dash(self.name.as_deref()),
            output::dash(self.email.as_deref()),
            output::dash(self.left.map(output::moment).as_deref()),
            output::dash(self.done.map(output::moment).as_deref()),
            self.fields.to_string(),
        ]
    }

    fn name(&self) -> String {
        self.person.clone()
    }
}

impl Row for Evidence {
    const COLUMNS: &'static [&'static str] = &["number", "begun", "ended", "who", "act", "solution"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.to_string(),
            output::moment(self.begun),
            output::dash(self.ended.map(output::moment).as_deref()),
            self.who_is.as_ref().map_or_else(|| self.who.clone(), |whom| whom.words(crate::language())),
            self.act.clone(),
            output::dash(self.solution.as_deref()),
        ]
    }

    fn name(&self) -> String {
        self.id.to_string()
    }
}
