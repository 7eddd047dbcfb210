//! `husorden log`: segments of engines' logs. `extract` is for people and needs nothing of the platform; the others run in a solution's own
//! sandbox.

use anyhow::{Context, Result, bail};
use husorden_node::segment::extract::{commands, extract};
use husorden_node::segment::keep::{self, By};
use husorden_node::segment::{fetch, target};
use jiff::Timestamp;
use std::path::PathBuf;
use std::process::ExitCode;

/// What an engine takes for a fault, and not for the end of its log.
const FAULT: u8 = 126;

/// Segments of a log.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// Write a log store as the engine's own files, check that none is missing or changed, and say what to do with them
    Extract {
        /// A folder with segments (files that end in `.seg`)
        store: PathBuf,
        /// Where the files go: an empty folder, or one that is not there yet
        #[arg(long)]
        to: PathBuf,
    },
    /// Keep one file of PostgreSQL's log
    #[command(hide = true)]
    KeepWal {
        #[arg(long)]
        store: PathBuf,
        #[arg(long)]
        times: PathBuf,
        #[arg(long)]
        name: String,
        #[arg(long)]
        from: PathBuf,
    },
    /// Keep what MariaDB has ended
    #[command(hide = true)]
    KeepBinlogs {
        #[arg(long)]
        store: PathBuf,
        #[arg(long)]
        data: PathBuf,
        #[arg(long)]
        prefix: String,
        #[arg(long)]
        client: Option<String>,
    },
    /// Note that everything a log holds is kept
    #[command(hide = true)]
    Note {
        #[arg(long)]
        store: PathBuf,
        #[arg(long)]
        data: PathBuf,
        #[arg(long)]
        prefix: String,
        #[arg(long)]
        by: Sign,
    },
    /// Fetch one file for an engine that carries its log out again
    #[command(hide = true)]
    Fetch {
        #[arg(long)]
        store: PathBuf,
        #[arg(long)]
        name: String,
        #[arg(long)]
        to: PathBuf,
    },
    /// Whether a time lies in a log (`time`) or after all of it (`end`)
    #[command(hide = true)]
    Target {
        #[arg(long)]
        store: PathBuf,
        #[arg(long)]
        at: Timestamp,
    },
}

/// What tells two states of a log apart.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum Sign {
    Size,
    Time,
}

impl Verb {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        match self {
            Self::Extract { store, to } => return out(store, to),
            Self::KeepWal { store, times, name, from } => {
                keep::wal(store, from, name, times).with_context(|| format!("keeping {name}"))?;
            }
            Self::KeepBinlogs { store, data, prefix, client } => {
                keep::binlogs(store, data, prefix, client.as_deref()).context("keeping the binary log")?;
            }
            Self::Note { store, data, prefix, by } => {
                let by = match by {
                    Sign::Size => By::Size,
                    Sign::Time => By::Time,
                };
                keep::note(store, data, prefix, by).context("noting what is kept")?;
            }
            Self::Fetch { store, name, to } => match fetch(store, name, to) {
                Ok(true) => {}
                Ok(false) => return Ok(ExitCode::FAILURE),
                Err(error) => {
                    tell(&format!("fetching {name}: {error}"));
                    return Ok(ExitCode::from(FAULT));
                }
            },
            Self::Target { store, at } => {
                let beyond = target(store, *at).context("reading the log")?;
                crate::progress::line(if beyond { "time" } else { "end" });
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn out(store: &std::path::Path, to: &std::path::Path) -> Result<ExitCode> {
    let done = extract(store, to)?;
    let Some(first) = done.whole.first() else { bail!("no segment of {} is whole", store.display()) };
    let span = |pick: fn((Timestamp, Timestamp)) -> Timestamp| -> Vec<Timestamp> {
        done.whole.iter().filter_map(|header| header.content.times).map(pick).collect()
    };
    let (firsts, lasts) = (span(|times| times.0), span(|times| times.1));
    crate::progress::line(&format!(
        "{} files of {} in {}, of solution {}",
        done.whole.len(),
        first.engine,
        to.display(),
        first.solution
    ));
    if let (Some(from), Some(until)) = (firsts.iter().min(), lasts.iter().max()) {
        crate::progress::line(&format!("first change {from}, last {until}"));
    }
    crate::progress::line("");
    let shown = to.canonicalize().unwrap_or_else(|_| to.to_owned());
    crate::progress::line(&commands(first, &shown));
    for fault in &done.faults {
        tell(fault);
    }
    Ok(if done.faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[allow(clippy::print_stderr, reason = "whoever started this hears what is wrong")]
fn tell(text: &str) {
    eprintln!("error: {text}");
}
