//! `husorden dump`: a part of a solution, such as a database, as a file: got, or loaded.

use crate::api::{Ask, Payload, segment};
use crate::context::Context;
use crate::failure::Failure;
use crate::output;
use crate::solution::{path, show};
use husorden_base::Bytes;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use ureq::http::Method;

/// Bytes that are written at a time.
const PIECE_BYTES: usize = 64 << 10;
/// How files of each format end.
const ENDINGS: [(&str, &str); 3] = [(".sql.gz", "sql.gz"), (".sql", "sql"), (".dump", "custom")];

/// What can be done with dumps.
#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// Get a part of a solution as a file, as it is at one moment
    Get {
        /// The solution's name or id
        solution: String,
        /// The part, such as a database
        part: String,
        /// The file; `-` is standard output. It is there when it is whole
        file: PathBuf,
        /// The format [default: by the file's name]
        #[arg(long)]
        format: Option<String>,
    },
    /// Load a file into a part of a solution; a snapshot is taken first
    Load {
        /// The solution's name or id
        solution: String,
        /// The part, such as a database
        part: String,
        /// The file
        file: PathBuf,
        /// The format [default: by the file's name]
        #[arg(long)]
        format: Option<String>,
    },
}

impl Verb {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Get { solution, part, file, format } => {
                let at = at("dump", &solution, &part, format.or_else(|| guessed(&file)).as_deref());
                take(context, &at, &file)
            }
            Self::Load { solution, part, file, format } => {
                let wrong = |error: io::Error| Failure::Usage(format!("{}: {error}", file.display()));
                let handle = File::open(&file).map_err(wrong)?;
                let bytes = handle.metadata().map_err(wrong)?.len();
                context.confirm(&format!(
                    "{} ({}) {} {part}, {solution}{}",
                    file.display(),
                    Bytes(bytes),
                    context.word("læses ind i", "will be loaded into"),
                    context.word(
                        ". Der tages først et øjebliksbillede; `husorden solution undo` fortryder.",
                        ". A snapshot is taken first; `husorden solution undo` undoes it."
                    )
                ))?;
                let at = at("load", &solution, &part, format.or_else(|| guessed(&file)).as_deref());
                let answer: Value = context.api.ask(&Ask {
                    payload: Payload::File(&handle, bytes),
                    once: Some(uuid::Uuid::new_v4().to_string()),
                    ..Ask::new(Method::POST, &at)
                })?;
                show(context, answer)
            }
        }
    }
}

/// Takes what the API hands out into a file, or to standard output for `-`.
pub(crate) fn take(context: &Context, at: &str, file: &Path) -> Result<(), Failure> {
    let mut body = context.api.stream(&Ask::get(at), "*/*")?;
    if file == Path::new("-") {
        return copy(&mut body, &mut io::stdout().lock()).map(drop).map_err(|error| cut(&error));
    }
    let bytes = keep(&mut body, file).map_err(|error| cut(&error))?;
    let text = format!("{} ({})", file.display(), Bytes(bytes));
    output::done(context.format, &file.display().to_string(), &json!({ "file": file, "bytes": bytes }), &text)
}

fn at(verb: &str, solution: &str, part: &str, format: Option<&str>) -> String {
    let format = format.map(|format| format!("&format={}", segment(format))).unwrap_or_default();
    format!("{}/{verb}?part={}{format}", path(solution), segment(part))
}

fn guessed(file: &Path) -> Option<String> {
    let name = file.file_name()?.to_string_lossy().to_lowercase();
    ENDINGS.into_iter().find(|(ending, _)| name.ends_with(ending)).map(|(_, format)| format.to_owned())
}

/// Writes the file beside its place and puts it there when it is whole: a stream that breaks leaves nothing.
fn keep(body: &mut impl Read, file: &Path) -> io::Result<u64> {
    let mut beside = file.as_os_str().to_owned();
    beside.push(".part");
    let beside = PathBuf::from(beside);
    let written = File::create(&beside).and_then(|mut to| {
        let bytes = copy(body, &mut to)?;
        to.sync_all()?;
        std::fs::rename(&beside, file)?;
        Ok(bytes)
    });
    if written.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    written
}

fn copy(from: &mut impl Read, to: &mut impl Write) -> io::Result<u64> {
    let mut piece = vec![0; PIECE_BYTES];
    let mut bytes = 0;
    loop {
        let length = from.read(&mut piece)?;
        if length == 0 {
            to.flush()?;
            return Ok(bytes);
        }
        to.write_all(&piece[..length])?;
        bytes += length as u64;
    }
}

fn cut(error: &io::Error) -> Failure {
    Failure::Work(format!("the stream broke, and nothing is kept of it: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stream that breaks after a while.
    struct Breaks(usize);

    impl Read for Breaks {
        fn read(&mut self, piece: &mut [u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(1).ok_or(io::ErrorKind::UnexpectedEof)?;
            piece[..3].copy_from_slice(b"abc");
            Ok(3)
        }
    }

    #[test]
    fn a_stream_that_breaks_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("shop.sql");
        assert!(keep(&mut Breaks(2), &file).is_err());
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0);
        assert_eq!(keep(&mut Breaks(2).take(6), &file).expect("it is written"), 6);
        assert_eq!(std::fs::read(&file).expect("it is there"), b"abcabc");
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1);
    }

    #[test]
    fn a_name_says_the_format() {
        for (name, format) in
            [("a.sql", Some("sql")), ("A.SQL.GZ", Some("sql.gz")), ("b.dump", Some("custom")), ("c", None)]
        {
            assert_eq!(guessed(Path::new(name)).as_deref(), format, "{name}");
        }
    }
}
