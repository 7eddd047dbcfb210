//! `husorden passwords`: the list of leaked passwords that chosen ones are held against. It works on files of this machine.

use crate::context::Context;
use crate::failure::Failure;
use husorden_passwords::leaked::{FILE_NAME, Form, Leaked, LeakedError, Progress, chain, import};
use indicatif::{ProgressBar, ProgressStyle};
use std::fs::File;
use std::io::{IsTerminal, Read, stderr, stdin};
use std::path::{Path, PathBuf};

/// What can be done with lists of leaked passwords.
#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// Make the list that control looks in; control takes it up by itself
    Import {
        /// The list: lines `40HEX:COUNT` ordered by hash, as Pwned Passwords has them; `-` is standard input
        list: PathBuf,
        /// Folder for it; that of an installation is `control/passwords` in its home
        #[arg(long, value_name = "FOLDER")]
        out: PathBuf,
        /// The list has passwords, one a line, in any order
        #[arg(long)]
        plain: bool,
    },
    /// Read a whole list and say whether it is as it was made
    Check {
        /// Its folder
        folder: PathBuf,
    },
}

impl Verb {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Import { list, out, plain } => {
                let form = if plain { Form::Plain } else { Form::Hashes };
                let (source, bytes) = open(&list)?;
                let bar = bar(bytes);
                let imported = import(source, form, &out, &mut |progress| show(&bar, progress));
                bar.finish_and_clear();
                let imported = imported.map_err(|error| failed(&list, &error))?;
                say(&format!(
                    "{}: {} {} ({} {}, {} {})",
                    out.join(FILE_NAME).display(),
                    imported.count,
                    context.word("lækkede adgangskoder", "leaked passwords"),
                    imported.repeated,
                    context.word("gentagne linjer", "repeated lines"),
                    imported.skipped,
                    context.word("tomme eller for lange", "empty or too long"),
                ));
            }
            Self::Check { folder } => {
                let leaked = Leaked::open(&folder).map_err(|error| failed(&folder, &error))?;
                leaked.verify().map_err(|error| failed(&folder, &error))?;
                say(&format!(
                    "{}: {} {}, {} {}",
                    folder.join(FILE_NAME).display(),
                    leaked.count(),
                    context.word("lækkede adgangskoder", "leaked passwords"),
                    context.word("hel, importeret", "whole, imported"),
                    leaked.imported(),
                ));
            }
        }
        Ok(())
    }
}

fn open(list: &Path) -> Result<(Box<dyn Read>, Option<u64>), Failure> {
    if list == Path::new("-") {
        return Ok((Box::new(stdin().lock()), None));
    }
    let wrong = |error: std::io::Error| Failure::Usage(format!("{}: {error}", list.display()));
    let file = File::open(list).map_err(wrong)?;
    let bytes = file.metadata().map_err(wrong)?.len();
    Ok((Box::new(file), Some(bytes)))
}

/// A broken line is told with the list's name, as compilers do.
fn failed(path: &Path, error: &LeakedError) -> Failure {
    Failure::Work(format!("{}: {}", path.display(), chain(error)))
}

fn bar(bytes: Option<u64>) -> ProgressBar {
    if !stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = bytes.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
    let style = if bytes.is_some() { "{wide_bar} {bytes}/{total_bytes} {msg}" } else { "{spinner} {bytes} {msg}" };
    bar.with_style(ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn show(bar: &ProgressBar, progress: Progress) {
    bar.set_position(progress.bytes);
    bar.set_message(progress.lines.to_string());
}

fn say(line: &str) {
    #[allow(clippy::print_stdout, reason = "the command line prints what it did")]
    {
        println!("{line}");
    }
}
