//! What can go wrong on the volume wall.

use husorden_base::{Number, Refusal, SnapshotId};
use std::io;
use std::process::{Command, Stdio};

/// An error of the volume wall: what was being done, and why it did not work.
#[derive(Debug, thiserror::Error)]
pub enum VolumeError {
    /// The kernel said no.
    #[error("{doing}")]
    Io {
        /// What was being done.
        doing: String,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// A tool failed.
    #[error("{tool} failed: {said}")]
    Tool {
        /// The command.
        tool: String,
        /// Its last words.
        said: String,
    },
    /// Another process holds the pool.
    #[error("pool {0} is held by another node")]
    Held(String),
    /// Something is not as the platform leaves it, and was not touched.
    #[error("{0}")]
    Strange(String),
    /// The solution has no live volume.
    #[error("solution {0} has no live volume")]
    Absent(Number),
    /// There is no such snapshot.
    #[error("solution {0} has no snapshot {1}")]
    NoSnapshot(Number, SnapshotId),
    /// The pool takes nothing new.
    #[error("{0}")]
    Refused(Box<Refusal>),
}

impl VolumeError {
    /// For `map_err`: an I/O error with what was being done.
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing: doing.into(), source }
    }

    /// Whether it says that the solution's group is full.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.raw_os_error() == Some(nix::errno::Errno::EDQUOT as i32))
    }
}

/// How much of a failed tool's words is kept.
const SAID_BYTES_MAX: usize = 2048;

/// Runs a tool to its end and returns what it wrote to standard output.
pub(crate) fn run(command: &mut Command) -> Result<String, VolumeError> {
    let tool = command.get_program().to_string_lossy().into_owned();
    let out = command
        .stdin(Stdio::null())
        .env("LC_ALL", "C.UTF-8")
        .output()
        .map_err(VolumeError::io(format!("starting {tool}")))?;
    if out.status.success() {
        return Ok(String::from_utf8_lossy(&out.stdout).into_owned());
    }
    let from = out.stderr.len().saturating_sub(SAID_BYTES_MAX);
    Err(VolumeError::Tool {
        tool,
        said: format!("{}: {}", out.status, String::from_utf8_lossy(&out.stderr[from..]).trim()),
    })
}
