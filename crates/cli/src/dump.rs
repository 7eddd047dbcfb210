//! `husorden dump`: a part of a solution, such as a database, as a file: got, or loaded.

use crate::api::{Ask, Payload, segment};
use crate::context::Context;
use crate::failure::Failure;
use crate::output;
use crate::solution::{path, show};
use crate::wait::Teller;
use husorden_base::{Bytes, Language};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use ureq::http::Method;

/// Bytes that are written at a time.
const PIECE_BYTES: usize = 64 << 10;
/// Pause between two times that it is said how far a stream is.
const SAY_PAUSE: Duration = Duration::from_secs(1);
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
    let (mut body, expected) = context.api.stream_expected(&Ask::get(at))?;
    let mut far = Far::new(context.word("modtaget", "received"), expected, context.language);
    if file == Path::new("-") {
        let copied = copy(&mut body, &mut io::stdout().lock(), |bytes| far.say(bytes));
        return copied.map(drop).map_err(|error| cut(&error));
    }
    let bytes = keep(&mut body, file, |bytes| far.say(bytes)).map_err(|error| cut(&error))?;
    drop(far);
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
fn keep(body: &mut impl Read, file: &Path, far: impl FnMut(u64)) -> io::Result<u64> {
    let mut beside = file.as_os_str().to_owned();
    beside.push(".part");
    let beside = PathBuf::from(beside);
    let written = File::create(&beside).and_then(|mut to| {
        let bytes = copy(body, &mut to, far)?;
        to.sync_all()?;
        std::fs::rename(&beside, file)?;
        Ok(bytes)
    });
    if written.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    written
}

fn copy(from: &mut impl Read, to: &mut impl Write, mut far: impl FnMut(u64)) -> io::Result<u64> {
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
        far(bytes);
    }
}

/// Says how far a stream is while it comes. What it will come to is an estimate, so that all of it is not said before it is.
struct Far {
    teller: Teller,
    expected: Option<u64>,
    language: Language,
    said: Instant,
}

impl Far {
    fn new(what: &str, expected: Option<u64>, language: Language) -> Self {
        Self { teller: Teller::new(what), expected, language, said: Instant::now() }
    }

    fn say(&mut self, bytes: u64) {
        if self.said.elapsed() < SAY_PAUSE {
            return;
        }
        self.said = Instant::now();
        let (text, percent) = so_far(bytes, self.expected, self.language);
        self.teller.tell(&text, percent);
    }
}

fn so_far(bytes: u64, expected: Option<u64>, language: Language) -> (String, Option<u8>) {
    let Some(expected) = expected else { return (Bytes(bytes).to_string(), None) };
    let share = u128::from(bytes) * 100 / u128::from(expected.max(1));
    let of = match language {
        Language::Da => "af omkring",
        Language::En => "of about",
    };
    (format!("{} {of} {}", Bytes(bytes), Bytes(expected)), Some(u8::try_from(share).map_or(99, |share| share.min(99))))
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
        assert!(keep(&mut Breaks(2), &file, drop).is_err());
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0);
        assert_eq!(keep(&mut Breaks(2).take(6), &file, drop).expect("it is written"), 6);
        assert_eq!(std::fs::read(&file).expect("it is there"), b"abcabc");
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1);
    }

    #[test]
    fn a_stream_is_never_all_there_before_its_end() {
        let say = |bytes, expected| so_far(bytes, expected, Language::En);
        assert_eq!(say(1_536, None), ("1.5 KiB".to_owned(), None));
        assert_eq!(say(1_024, Some(4_096)), ("1 KiB of about 4 KiB".to_owned(), Some(25)));
        assert_eq!((say(9_000, Some(4_096)).1, say(1, Some(0)).1), (Some(99), Some(99)));
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
