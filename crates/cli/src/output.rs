//! How answers are shown: a table for people, JSON for programs, names for pipes.

use crate::failure::Failure;
use comfy_table::{ContentArrangement, Table, presets};
use husorden_base::{Bytes, Language};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use std::io::Write;

/// In which form an answer is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A table.
    #[default]
    Table,
    /// The API's own JSON.
    Json,
    /// Names or ids, one a line.
    Name,
}

/// One thing as a row of a table.
pub(crate) trait Row: Serialize {
    /// The columns.
    const COLUMNS: &'static [&'static str];
    /// The cells.
    fn cells(&self) -> Vec<String>;
    /// What it is called by.
    fn name(&self) -> String;
}

/// Shows a list.
pub(crate) fn list<T: Row>(format: Format, items: &[T]) -> Result<(), Failure> {
    match format {
        Format::Json => json(&items),
        Format::Name => lines(items.iter().map(Row::name)),
        Format::Table => {
            let language = crate::language();
            let columns: Vec<&str> = T::COLUMNS.iter().map(|column| heading(column, language)).collect();
            put(&table(&columns, items.iter().map(Row::cells)))
        }
    }
}

/// Shows one thing with all there is to say about it.
pub(crate) fn one<T: Serialize>(format: Format, name: &str, item: &T) -> Result<(), Failure> {
    match format {
        Format::Json => json(item),
        Format::Name => lines([name.to_owned()]),
        Format::Table => {
            let value = crate::api::to_value(item)?;
            let mut rows = Vec::new();
            flatten("", &value, &mut rows);
            put(&pairs(&rows))
        }
    }
}

/// Shows that something was done.
pub(crate) fn done<T: Serialize>(format: Format, name: &str, item: &T, what: &str) -> Result<(), Failure> {
    match format {
        Format::Json => json(item),
        Format::Name => lines([name.to_owned()]),
        Format::Table => put(what),
    }
}

/// Shows a document as JSON.
pub(crate) fn json<T: Serialize + ?Sized>(item: &T) -> Result<(), Failure> {
    let text =
        serde_json::to_string_pretty(item).map_err(|error| Failure::Odd(format!("writing the answer: {error}")))?;
    put(&text)
}

/// Shows a text on standard output.
pub(crate) fn put(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        // Whoever reads has read enough: `husorden event list | head`.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => Err(Failure::Odd(format!("writing to standard output: {error}"))),
        Ok(()) => Ok(()),
    }
}

/// Passes an answer on to standard output as it is.
pub(crate) fn copy(answer: &mut impl std::io::Read) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match std::io::copy(answer, &mut out).and_then(|_| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => Err(Failure::Odd(format!("passing the answer on: {error}"))),
        Ok(()) => Ok(()),
    }
}

fn lines(names: impl IntoIterator<Item = String>) -> Result<(), Failure> {
    names.into_iter().try_for_each(|name| put(&name))
}

/// A table without lines, which is easy on the eyes and on `awk`.
pub(crate) fn table(columns: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = fresh();
    table.set_header(columns.iter().map(|column| column.to_uppercase()));
    for row in rows {
        // An empty cell would shift what `awk` counts.
        table.add_row(row.iter().map(|cell| if cell.is_empty() { "-".to_owned() } else { plain(cell) }));
    }
    tidy(&table)
}

fn pairs(rows: &[(String, String)]) -> String {
    let mut table = fresh();
    for (name, value) in rows {
        table.add_row([plain(name), plain(value)]);
    }
    tidy(&table)
}

fn fresh() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table
}

fn tidy(table: &Table) -> String {
    table
        .lines()
        .map(|line| line.trim_end().strip_prefix(' ').map_or_else(|| line.trim_end().to_owned(), str::to_owned))
        .collect::<Vec<_>>()
        .join("\n")
}

/// What customers wrote must not steer the terminal of whoever reads it.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

/// A document as lines of path and value.
fn flatten(path: &str, value: &Value, rows: &mut Vec<(String, String)>) {
    let scalar = |value: &Value| match value {
        Value::String(text) if text.is_empty() => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match value {
        Value::Null => {}
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                flatten(&path, value, rows);
            }
        }
        Value::Array(items) if items.iter().all(|item| !item.is_object() && !item.is_array()) => {
            if !items.is_empty() {
                let text = items.iter().map(scalar).collect::<Vec<_>>().join(", ");
                rows.push((path.to_owned(), text));
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                flatten(&format!("{path}.{index}"), item, rows);
            }
        }
        Value::Number(number) if is_size(path) => {
            let text = number.as_u64().map_or_else(|| number.to_string(), |bytes| Bytes(bytes).to_string());
            rows.push((path.to_owned(), text));
        }
        other => rows.push((path.to_owned(), scalar(other))),
    }
}

fn is_size(path: &str) -> bool {
    let last = path.rsplit('.').next().unwrap_or(path);
    path.starts_with("usage.")
        || matches!(last, "size" | "memory" | "bytes" | "bytes_read" | "bytes_sent")
        || last.ends_with("_bytes")
        || last.ends_with("bytes_max")
}

/// A column's heading in the reader's language.
fn heading(column: &'static str, language: Language) -> &'static str {
    if language == Language::En {
        return column;
    }
    match column {
        "a week" => "om ugen",
        "access" => "adgang",
        "act" => "handling",
        "address" => "adresse",
        "asked" => "bestilt",
        "attempts" => "forsøg",
        "at" => "tid",
        "backed up" => "gemt",
        "backups" => "backupper",
        "before" => "før",
        "change" => "ændring",
        "changed" => "ændret",
        "default" => "standard",
        "level" => "niveau",
        "newest" => "nyeste",
        "path" => "sti",
        "proof" => "prøve",
        "proven" => "prøvet",
        "same" => "ens",
        "sent" => "sendt",
        "size" => "størrelse",
        "target" => "mål",
        "took" => "varighed",
        "why" => "hvorfor",
        "begun" => "begyndt",
        "by" => "af",
        "case" => "sag",
        "clause" => "punkt",
        "connected" => "forbundet",
        "created" => "oprettet",
        "ended" => "endt",
        "expires" => "udløber",
        "heard" => "hørt",
        "holds" => "holder",
        "kind" => "art",
        "label" => "mærke",
        "last" => "sidst",
        "language" => "sprog",
        "amount" => "beløb",
        "answers" => "svarer",
        "code" => "kode",
        "effective" => "gælder fra",
        "entry" => "postering",
        "in force" => "i kraft",
        "ledger" => "konto",
        "kinds" => "arter",
        "plan" => "plan",
        "period" => "periode",
        "postings" => "linjer",
        "price" => "pris",
        "published" => "udgivet",
        "purpose" => "formål",
        "quantity" => "antal",
        "renews" => "fornys",
        "sold" => "sælges",
        "subject" => "emne",
        "solutions" => "løsninger",
        "text" => "tekst",
        "until" => "til",
        "version" => "udgave",
        "account" => "konto",
        "made" => "indgivet",
        "measures" => "foranstaltninger",
        "waits" => "venter",
        "message" => "besked",
        "name" => "navn",
        "number" => "nummer",
        "opened" => "åbnet",
        "rights" => "rettigheder",
        "role" => "rolle",
        "since" => "siden",
        "solution" => "løsning",
        "state" => "tilstand",
        "taken" => "taget",
        "title" => "titel",
        "verb" => "ordre",
        "what" => "hvad",
        "yours" => "din",
        "who" => "hvem",
        other => other,
    }
}

/// A state in a sentence. In tables and documents it is the API's own word, which the filters take.
pub(crate) fn state(word: &str, language: Language) -> &str {
    match (language, word) {
        (Language::En, "in-force") => "in force",
        (Language::En, word) => word,
        (Language::Da, "queued") => "venter",
        (Language::Da, "working") => "i arbejde",
        (Language::Da, "done") => "færdig",
        (Language::Da, "failed") => "mislykket",
        (Language::Da, "running") => "kører",
        (Language::Da, "stopped") => "stoppet",
        (Language::Da, "closed") => "lukket",
        (Language::Da, "deleting") => "slettes",
        (Language::Da, "deleted") => "slettet",
        (Language::Da, "trouble") => "i vanskeligheder",
        (Language::Da, "unknown") => "ukendt",
        (Language::Da, "ordered") => "bestemt",
        (Language::Da, "kept") => "modtaget",
        (Language::Da, "in-force") => "i kraft",
        (Language::Da, "lifting") => "ophæves",
        (Language::Da, "lifted") => "ophævet",
        (Language::Da, other) => other,
    }
}

/// What an order does, in a sentence.
pub(crate) fn verb(word: &str, language: Language) -> &str {
    match (language, word) {
        (Language::En, "snapshot-delete") => "deletion of the snapshot",
        (Language::En, "back-up") => "backup",
        (Language::En, "backup-restore") => "restore of the backup",
        (Language::En, "backup-read") => "reading of the backup",
        (Language::En, "prove") => "proof of the backup",
        (Language::En, "unpack") => "unpacking",
        (Language::En, "dump") => "dump",
        (Language::En, "package") => "package",
        (Language::En, "load") => "loading",
        (Language::Da, "snapshot") => "øjebliksbillede",
        (Language::Da, "snapshot-delete") => "sletning af øjebliksbillede",
        (Language::Da, "restore") => "gendannelse",
        (Language::Da, "back-up") => "backup",
        (Language::Da, "backup-restore") => "gendannelse fra backup",
        (Language::Da, "backup-read") => "læsning i backup",
        (Language::Da, "prove") => "prøve af backup",
        (Language::Da, "unpack") => "udpakning",
        (Language::Da, "dump") => "udtræk",
        (Language::Da, "package") => "pakke",
        (Language::Da, "load") => "indlæsning",
        (Language::Da, "update") => "opdatering",
        (Language::Da, "wake") => "vækning",
        (Language::Da, "sleep") => "dvale",
        (Language::Da, "reset") => "nulstilling",
        (_, other) => other,
    }
}

/// A moment, to the second.
pub(crate) fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// A text, or a dash.
pub(crate) fn dash(text: Option<&str>) -> String {
    text.unwrap_or("-").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_table_is_plain() {
        let rows = [
            vec!["shop".to_owned(), "running".to_owned()],
            vec!["new".to_owned(), String::new()],
            vec!["a-longer-name".to_owned(), "closed\u{1b}[31m".to_owned()],
        ];
        insta::assert_snapshot!(table(&["name", "state"], rows), @r"
        NAME           STATE
        shop           running
        new            -
        a-longer-name  closed�[31m
        ");
    }

    #[test]
    fn a_document_becomes_lines() {
        let mut rows = Vec::new();
        let value = json!({"name": "shop", "spec": {"domains": ["a.example", "b.example"], "php": {"x": 1}},
            "usage": {"live": 1_048_576}, "message": null, "docroot": "", "items": [{"a": true}]});
        flatten("", &value, &mut rows);
        insta::assert_snapshot!(pairs(&rows), @r"
        docroot       -
        items.0.a     true
        name          shop
        spec.domains  a.example, b.example
        spec.php.x    1
        usage.live    1 MiB
        ");
    }
}
