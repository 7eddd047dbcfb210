//! `husorden backup`, `husorden proof` and `husorden target`: what is backed up, what stands in it, whether it holds, and where it lies.

mod plan;
mod proof;
mod target;

pub use proof::Proofs;
pub(crate) use target::Verb as TargetVerb;

use crate::api::segment;
use crate::context::Context;
use crate::dump::take;
use crate::failure::Failure;
use crate::output::{self, Format, Row};
use crate::solution::path;
use crate::wait::{self, Far};
use husorden_base::Bytes;
use husorden_wire::api::{
    Backup, BackupChanges, BackupDifference, BackupEntry, BackupFolder, BackupOnly, BackupRestore, BackupRestoring,
    BackupVersion,
};
use serde_json::json;
use std::path::PathBuf;

/// What can be done with backups.
#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// List a solution's backups, newest first
    #[command(visible_alias = "ls")]
    List {
        /// The solution's name or id
        solution: String,
    },
    /// Back a solution up now
    Create {
        /// The solution's name or id
        solution: String,
    },
    /// Show a backup, with what a proof looks for and what it found
    Show {
        /// The solution's name or id
        solution: String,
        /// The backup's id
        backup: String,
    },
    /// Put a backup in the place of what is there; its state now is kept as a snapshot
    Restore(Restore),
    /// List a folder in a backup
    Files {
        /// The solution's name or id
        solution: String,
        /// The backup's id
        backup: String,
        /// The folder, from the volume's root
        #[arg(default_value = "")]
        folder: String,
    },
    /// Get a file of a backup, or a folder as a tar archive
    Get {
        /// The solution's name or id
        solution: String,
        /// The backup's id
        backup: String,
        /// Its path, from the volume's root
        path: String,
        /// Where to; `-` is standard output. It is there when it is whole
        file: PathBuf,
        /// The path is a folder, which comes as a tar archive
        #[arg(long)]
        folder: bool,
    },
    /// What is otherwise in a backup than in an older one
    Changes {
        /// The solution's name or id
        solution: String,
        /// The backup's id
        backup: String,
        /// The older backup's id
        #[arg(long, value_name = "BACKUP")]
        since: String,
        /// Only beneath this folder
        #[arg(default_value = "")]
        folder: String,
    },
    /// Which of the newest backups hold a file
    Versions {
        /// The solution's name or id
        solution: String,
        /// Its path, from the volume's root
        path: String,
    },
    /// When a solution is backed up
    #[command(subcommand)]
    Plan(plan::Verb),
}

/// What is put back of a backup.
#[derive(Debug, clap::Args)]
pub struct Restore {
    /// The solution's name or id
    solution: String,
    /// The backup's id
    backup: String,
    /// Only this file or folder
    #[arg(long, conflicts_with = "part")]
    path: Option<String>,
    /// Only this part, such as a database
    #[arg(long)]
    part: Option<String>,
    /// The file that somebody came in by: it comes back too, and a finding says so until it is another
    #[arg(long, value_name = "FILE", conflicts_with = "part")]
    hole: Option<String>,
}

impl Verb {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::List { solution } => {
                let all: Vec<Backup> = context.api.all(&format!("{}/backups", path(&solution)))?;
                output::list(context.format, &all)
            }
            Self::Create { solution } => {
                let made: Backup = context.api.post(&format!("{}/backups", path(&solution)), &json!({}))?;
                let backup = ended(context, &solution, made)?;
                let text =
                    format!("{} {}: {}", context.word("backup", "backup"), backup.id, state(&backup.state, context));
                output::done(context.format, &backup.id, &backup, &text)
            }
            Self::Show { solution, backup } => {
                let backup: Backup = context.api.get(&at(&solution, &backup, ""))?;
                output::one(context.format, &backup.id, &backup)
            }
            Self::Restore(restore) => restore.run(context),
            Self::Files { solution, backup, folder } => {
                let found: BackupFolder =
                    context.api.get(&at(&solution, &backup, &format!("/files?path={}", segment(&folder))))?;
                listed(context, &found, &found.entries, found.more)
            }
            Self::Get { solution, backup, path, file, folder } => {
                let of = if folder { "&as=folder" } else { "" };
                let at = at(&solution, &backup, &format!("/content?path={}{of}", segment(&path)));
                take(context, &at, &file)
            }
            Self::Changes { solution, backup, since, folder } => {
                let query = format!("/changes?since={}&path={}", segment(&since), segment(&folder));
                let found: BackupChanges = context.api.get(&at(&solution, &backup, &query))?;
                listed(context, &found, &found.changes, found.more)
            }
            Self::Versions { solution, path: file } => {
                let all: Vec<BackupVersion> =
                    context.api.all(&format!("{}/versions?path={}", path(&solution), segment(&file)))?;
                output::list(context.format, &all)
            }
            Self::Plan(verb) => verb.run(context),
        }
    }
}

impl Restore {
    fn run(self, context: &Context) -> Result<(), Failure> {
        let what = match (&self.path, &self.part) {
            (Some(one), _) | (None, Some(one)) => one.clone(),
            (None, None) => context.word("alt", "everything").to_owned(),
        };
        context.confirm(&format!(
            "{what} {} {}. {}",
            context.word("bringes tilbage fra backuppen til", "will be put back from the backup into"),
            self.solution,
            context.word(
                "Tilstanden nu gemmes først som øjebliksbillede; `husorden solution undo` fortryder.",
                "Its state now is kept as a snapshot first; `husorden solution undo` undoes it."
            )
        ))?;
        let only = match (&self.path, &self.part) {
            (Some(_), _) => BackupOnly::Path,
            (None, Some(_)) => BackupOnly::Part,
            (None, None) => BackupOnly::Everything,
        };
        let form = BackupRestore { only, path: self.path, part: self.part, hole: self.hole };
        let asked: BackupRestoring = context.api.post(&at(&self.solution, &self.backup, "/restore"), &form)?;
        let order = wait::order(context, asked.order.clone())?;
        let shown = BackupRestoring { order, before: asked.before };
        let text = format!(
            "{}: {}; {} {}",
            self.solution,
            output::state(&shown.order.state, context.language),
            context.word("tilstanden før er øjebliksbilledet", "the state before is the snapshot"),
            shown.before
        );
        output::done(context.format, &shown.order.id, &shown, &text)
    }
}

fn at(solution: &str, backup: &str, rest: &str) -> String {
    format!("{}/backups/{}{rest}", path(solution), segment(backup))
}

/// The backup when it has ended.
fn ended(context: &Context, solution: &str, made: Backup) -> Result<Backup, Failure> {
    if context.wait_s_max.is_none() {
        return Ok(made);
    }
    let place = at(solution, &made.id, "");
    wait::until(context, context.word("backup", "backup"), || context.api.get::<Backup>(&place), far)
}

fn far(backup: &Backup) -> Far {
    let message = backup.message.clone().unwrap_or_default();
    match backup.state.as_str() {
        "writing" => Far::Working(message, None),
        "failed" => Far::Failed(message),
        _ => Far::There,
    }
}

/// A list within a document: people see rows, programs the document.
fn listed<T: Row>(context: &Context, document: &impl serde::Serialize, rows: &[T], more: bool) -> Result<(), Failure> {
    if context.format == Format::Json {
        return output::json(document);
    }
    output::list(context.format, rows)?;
    if more && context.format == Format::Table {
        output::put(context.word("… og flere; nævn en mappe længere nede", "… and more; name a folder further down"))?;
    }
    Ok(())
}

fn state<'a>(word: &'a str, context: &Context) -> &'a str {
    match (context.language, word) {
        (husorden_base::Language::Da, "ready") => "klar",
        (husorden_base::Language::Da, "writing") => "skrives",
        (_, other) => output::state(other, context.language),
    }
}

impl Row for Backup {
    const COLUMNS: &'static [&'static str] =
        &["id", "taken", "state", "why", "size", "sent", "proof", "target", "message"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            output::moment(self.taken),
            self.state.clone(),
            self.reason.clone(),
            Bytes(self.bytes).to_string(),
            Bytes(self.bytes_sent).to_string(),
            output::dash(self.proof.as_ref().map(|proof| proof.state.as_str())),
            self.target.clone(),
            output::dash(self.message.as_deref()),
        ]
    }

    fn name(&self) -> String {
        self.id.clone()
    }
}

impl Row for BackupEntry {
    const COLUMNS: &'static [&'static str] = &["name", "kind", "size", "changed"];

    fn cells(&self) -> Vec<String> {
        let size = if self.kind == "file" { Bytes(self.bytes).to_string() } else { String::new() };
        vec![self.name.clone(), self.kind.clone(), size, self.modified.map(output::moment).unwrap_or_default()]
    }

    fn name(&self) -> String {
        self.name.clone()
    }
}

impl Row for BackupDifference {
    const COLUMNS: &'static [&'static str] = &["path", "change", "kind", "before", "size"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.path.clone(),
            self.change.clone(),
            self.kind.clone(),
            Bytes(self.bytes_before).to_string(),
            Bytes(self.bytes).to_string(),
        ]
    }

    fn name(&self) -> String {
        self.path.clone()
    }
}

impl Row for BackupVersion {
    const COLUMNS: &'static [&'static str] = &["id", "taken", "size", "changed", "same"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.backup.clone(),
            output::moment(self.taken),
            Bytes(self.bytes).to_string(),
            self.modified.map(output::moment).unwrap_or_default(),
            if self.same { "*".to_owned() } else { String::new() },
        ]
    }

    fn name(&self) -> String {
        self.backup.clone()
    }
}
