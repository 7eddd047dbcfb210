//! The one file that knows the tool: crun.

use super::birth::Birth;
use super::child::{self, Born, Direct};
use super::enter::Entering;
use super::launch::{self, Before};
use super::process::Exit;
use super::tool::{FOLDERS, Tool};
use std::ffi::{CString, OsStr};
use std::fs::{self, File};
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Longest text of crun's own that is kept.
const LOG_BYTES_MAX: u64 = 4_096;

/// What crun did not do.
#[derive(Debug, thiserror::Error)]
pub enum CrunError {
    /// It could not be run at all.
    #[error("running crun")]
    Spawn(#[source] io::Error),
    /// It said no.
    #[error("crun {verb} failed: {said}")]
    Failed {
        /// What it was to do.
        verb: &'static str,
        /// Its words.
        said: String,
    },
}

/// The tool with this installation's state.
#[derive(Debug)]
pub(crate) struct Crun {
    state: PathBuf,
    tool: Tool,
    /// On hybrid machines: the v2 tree, with which crun refuses to work.
    hide: Option<CString>,
    /// Keeps the descriptors of listeners taken in this process, so that nothing else is found there when a child puts them on.
    _reserved: Vec<OwnedFd>,
}

/// A sandbox to start.
pub(crate) struct Start<'a> {
    pub(crate) id: &'a str,
    pub(crate) bundle: &'a Path,
    pub(crate) cgroup: &'a str,
    /// Ends whatever is in that cgroup, after a start that failed half way.
    pub(crate) end: &'a dyn Fn(),
    pub(crate) pid_file: &'a Path,
    pub(crate) log: &'a Path,
    /// Standard input, output and error.
    pub(crate) streams: [OwnedFd; 3],
    /// What the sandbox finds on descriptor 3 and after.
    pub(crate) listeners: Vec<BorrowedFd<'a>>,
    /// The v2 cgroup to be in from the first instruction.
    pub(crate) cgroup_folder: Option<File>,
    /// Let go of when it is in there.
    pub(crate) entering: Option<Entering<'a>>,
}

impl Crun {
    /// With its state in this folder, and a link to its program in that one.
    pub(crate) fn new(state: PathBuf, link: &Path, hide: Option<&Path>) -> io::Result<Self> {
        fs::create_dir_all(&state)?;
        let tool = Tool::new("crun", link)?;
        let null = File::open("/dev/null")?;
        let hide = hide.map(|path| CString::new(path.as_os_str().as_encoded_bytes())).transpose()?;
        let reserved = (0..launch::LISTENERS_MAX).map(|_| rustix::io::fcntl_dupfd_cloexec(&null, launch::LISTENER_FD));
        let reserved = reserved.collect::<Result<_, _>>()?;
        Ok(Self { state, tool, hide, _reserved: reserved })
    }

    /// Starts a sandbox and gives the pid of its first process, which becomes a child of this process when crun has ended.
    pub(crate) fn run(&self, start: Start<'_>) -> Result<u32, CrunError> {
        let listeners = start.listeners.iter().map(|fd| rustix::io::fcntl_dupfd_cloexec(fd, launch::ABOVE));
        let listeners: Vec<OwnedFd> =
            listeners.collect::<Result<_, _>>().map_err(|error| CrunError::Spawn(error.into()))?;
        let mut command = self.command(Some(start.log));
        command.arg("run").arg("--detach").arg("--bundle").arg(start.bundle);
        command.arg("--pid-file").arg(start.pid_file);
        if !listeners.is_empty() {
            command.arg(format!("--preserve-fds={}", listeners.len()));
        }
        command.arg(start.id);
        let text = |word: &OsStr| CString::new(word.as_bytes());
        let argv = [OsStr::new("crun")].into_iter().chain(command.get_args()).map(text).collect::<Result<Vec<_>, _>>();
        let (argv, program) = argv
            .and_then(|argv| Ok((argv, text(command.get_program())?)))
            .map_err(|error| CrunError::Spawn(error.into()))?;
        let tool = Born::start(&Birth {
            program: &program,
            argv: &argv,
            env: &[environment()],
            streams: start.streams,
            cgroup: start.cgroup_folder,
            before: Before { join: None, hide: self.hide.clone(), listeners },
        })
        .map_err(CrunError::Spawn)?;
        drop(start.entering);
        let status = tool.wait().map_err(CrunError::Spawn)?;
        let pid = fs::read_to_string(start.pid_file).ok().and_then(|text| text.trim().parse().ok());
        match pid {
            Some(pid) if status == Exit::Code(0) => {
                child::inherit(pid);
                Ok(pid)
            }
            _ => {
                (start.end)();
                child::bury(Some(tool.id()), start.cgroup);
                Err(CrunError::Failed { verb: "run", said: format!("{status}: {}", said(start.log)) })
            }
        }
    }

    /// Forgets a sandbox, and ends it if it still runs. One that is unknown is forgotten already.
    pub(crate) fn delete(&self, id: &str) -> Result<(), CrunError> {
        if !self.state.join(id).exists() {
            return Ok(());
        }
        let mut command = self.command(None);
        command.args(["delete", "--force", id]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        launch::prepare(&mut command, Before { hide: self.hide.clone(), ..Before::default() });
        let (status, said) = Direct::spawn(&mut command).and_then(Direct::hear_out).map_err(CrunError::Spawn)?;
        if status.success() { Ok(()) } else { Err(CrunError::Failed { verb: "delete", said }) }
    }

    /// Starts a command inside a sandbox that runs. What is returned is crun, which ends as the command does.
    pub(crate) fn exec(
        &self,
        id: &str,
        process: &Path,
        pid_file: &Path,
        join: Option<File>,
        (stdin, stdout): (Stdio, Stdio),
    ) -> Result<Direct, CrunError> {
        let mut command = self.command(None);
        command.arg("exec").arg("--process").arg(process).arg("--pid-file").arg(pid_file).arg(id);
        command.stdin(stdin).stdout(stdout).stderr(Stdio::piped());
        launch::prepare(&mut command, Before { join, hide: self.hide.clone(), ..Before::default() });
        Direct::spawn(&mut command).map_err(CrunError::Spawn)
    }

    /// Every sandbox crun knows of here.
    pub(crate) fn list(&self) -> Vec<String> {
        fs::read_dir(&self.state)
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect()
    }

    fn command(&self, log: Option<&Path>) -> Command {
        let mut command = Command::new(self.tool.path());
        command.arg0("crun").env_clear().env("PATH", FOLDERS.join(":"));
        command.arg("--root").arg(&self.state).arg("--cgroup-manager=cgroupfs");
        if let Some(log) = log {
            command.arg("--log").arg(log);
        }
        command
    }
}

/// What a start's environment holds.
fn environment() -> CString {
    CString::new(format!("PATH={}", FOLDERS.join(":"))).expect("folders hold no null")
}

fn said(log: &Path) -> String {
    let mut text = String::new();
    if let Ok(file) = File::open(log) {
        // What cannot be read as text is left out: it is only shown.
        let _ = io::Read::read_to_string(&mut io::Read::take(file, LOG_BYTES_MAX), &mut text);
    }
    match text.trim() {
        "" => "it gave no reason".to_owned(),
        text => text.to_owned(),
    }
}
