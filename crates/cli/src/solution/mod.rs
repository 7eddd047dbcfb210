//! `husorden solution`: what holds for solutions of every kind.

pub(crate) mod archive;
mod change;
mod delete;
mod figures;
mod list;
mod log;
mod open;
mod reverse_name;
mod run;
mod updates;

use crate::api::segment;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{self, Row};
use husorden_base::Bytes;
use husorden_wire::api::Solution;
use std::path::PathBuf;

/// What can be done with a solution of any kind.
#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// List solutions
    #[command(visible_alias = "ls")]
    List(list::List),
    /// Show one with all there is to say
    Show {
        /// Its name or id
        solution: String,
    },
    /// Show what was measured of it while it ran: lowest, mean, highest and newest of each figure
    Figures(figures::Figures),
    /// Show what its services said, the newest lines
    Log(log::Log),
    /// Get a picture of what its screen shows now
    Screenshot {
        /// Its name or id
        solution: String,
        /// The file, a PNG; `-` is standard output
        #[arg(long, default_value = "-")]
        out: PathBuf,
    },
    /// Show what it runs on, what newer there is, and when it may be updated
    Updates(run::Which),
    /// Update it now rather than in its maintenance window
    Update(run::Which),
    /// Start it after a stop
    Start(run::Which),
    /// Stop it: data is kept, nothing is served
    Stop(run::Which),
    /// Bring back what the last destructive change or deletion took
    Undo(run::Which),
    /// Start its services now rather than at the first request
    Wake(run::Which),
    /// Stop its services until the next request
    Sleep(run::Which),
    /// Take the power from it and start it again, as a loss of power would
    Reset(run::Which),
    /// Make its data anew from what it was made from; a snapshot is taken first
    Rebuild(run::Which),
    /// Let this machine's address connect for a while; it ends by itself
    Open(open::Open),
    /// Say which name leads back from one of its public addresses
    ReverseName(reverse_name::Rename),
    /// Delete it; it can be undone until the retention time is over
    Delete(delete::Delete),
    /// Set its labels
    Label(change::Label),
    /// Give it another name
    Rename(change::Rename),
    /// Get all of it as a package for leaving: a tar with the commands that bring it back on a plain Debian
    Package {
        /// Its name or id
        solution: String,
        /// The file; `-` is standard output. It is there when it is whole
        file: PathBuf,
    },
    /// Refuse its deletion
    Protect(run::Which),
    /// Allow its deletion again
    Unprotect(run::Which),
}

pub(crate) use change::send;
pub(crate) use list::List;
pub(crate) use run::{ended, show};

impl Verb {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::List(list) => list.run(context),
            Self::Show { solution } => {
                let solution = get(context, &solution)?;
                output::one(context.format, &solution.name, &solution)
            }
            Self::Package { solution, file } => {
                crate::dump::take(context, &format!("{}/package", path(&solution)), &file)
            }
            Self::Screenshot { solution, out } => {
                crate::dump::take(context, &format!("{}/screen", path(&solution)), &out)
            }
            Self::Figures(figures) => figures.run(context),
            Self::Log(log) => log.run(context),
            Self::Updates(which) => updates::show(context, &which.solution),
            Self::Update(which) => which.run(context, run::Act::Update),
            Self::Start(which) => which.run(context, run::Act::Start),
            Self::Stop(which) => which.run(context, run::Act::Stop),
            Self::Undo(which) => which.run(context, run::Act::Undo),
            Self::Wake(which) => which.run(context, run::Act::Wake),
            Self::Sleep(which) => which.run(context, run::Act::Sleep),
            Self::Reset(which) => which.run(context, run::Act::Reset),
            Self::Rebuild(which) => which.run(context, run::Act::Rebuild),
            Self::Open(open) => open.run(context),
            Self::ReverseName(rename) => rename.run(context),
            Self::Delete(delete) => delete.run(context),
            Self::Label(label) => label.run(context),
            Self::Rename(rename) => rename.run(context),
            Self::Protect(which) => change::protect(context, &which.solution, true),
            Self::Unprotect(which) => change::protect(context, &which.solution, false),
        }
    }
}

/// The path of a solution, by name or id.
pub(crate) fn path(solution: &str) -> String {
    format!("/v1/solutions/{}", segment(solution))
}

/// One solution.
pub(crate) fn get(context: &Context, solution: &str) -> Result<Solution, Failure> {
    context.api.get(&path(solution))
}

impl Row for Solution {
    const COLUMNS: &'static [&'static str] = &["name", "kind", "state", "disk", "created", "message"];

    fn cells(&self) -> Vec<String> {
        let disk = self.usage.as_ref().map(|usage| {
            let size = |key| Bytes(usage.get(key).copied().unwrap_or(0)).to_string();
            format!("{} / {}", size("live"), size("limit"))
        });
        vec![
            self.name.clone(),
            self.kind.clone(),
            self.state.clone(),
            output::dash(disk.as_deref()),
            output::moment(self.created),
            output::dash(self.message.as_deref().or(self.findings.first().map(|finding| finding.title.as_str()))),
        ]
    }

    fn name(&self) -> String {
        self.name.clone()
    }
}
