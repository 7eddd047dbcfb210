//! Running the tools of a build: each in namespaces of its own, so that it ends with the node whatever way that dies, and leaves no
//! mount behind.

use super::BuildError;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How much of the log is told when a tool fails.
const SAID_BYTES_MAX: u64 = 1500;
/// How often a running tool is asked whether it has ended.
const ASK_MS: u64 = 50;

/// What a build's tools write to, and what calls them off.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tools<'a> {
    pub(super) log: &'a Path,
    pub(super) stop: &'a AtomicBool,
}

/// A command in mount and process namespaces of its own. It is killed with the thread that started it, and with it everything that it
/// started.
pub(super) fn contained(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--", "unshare", "--mount", "--propagation", "private"]);
    command.args(["--pid", "--fork", "--kill-child", "--mount-proc", "--", program]);
    command
}

/// A command that is killed with the thread that started it; for those that read from or write to another.
pub(super) fn bound(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--", program]);
    command
}

impl Tools<'_> {
    /// Runs a tool to its end; what it writes goes to the log.
    pub(super) fn run(&self, what: &str, command: &mut Command) -> Result<(), BuildError> {
        self.watch(what, command, || Ok(()))
    }

    /// Runs a tool to its end, or until a look at what it does says no; what it writes goes to the log.
    pub(super) fn watch<E: From<BuildError>>(
        &self,
        what: &str,
        command: &mut Command,
        look: impl FnMut() -> Result<(), E>,
    ) -> Result<(), E> {
        let log = self.open_log()?;
        let errors = log.try_clone().map_err(BuildError::io("opening the build's log"))?;
        command.stdout(log).stderr(errors);
        self.wait(what, command, look)
    }

    /// Runs a tool to its end and returns what it wrote; its errors go to the log.
    pub(super) fn read(&self, what: &str, command: &mut Command) -> Result<String, BuildError> {
        let mut out = tempfile_in(self.log)?;
        let handle = out.try_clone().map_err(BuildError::io("keeping a tool's output"))?;
        command.stdout(handle).stderr(self.open_log()?);
        self.wait(what, command, || Ok::<(), BuildError>(()))?;
        let mut text = String::new();
        out.rewind().and_then(|()| out.read_to_string(&mut text)).map_err(BuildError::io("reading a tool's output"))?;
        Ok(text)
    }

    fn wait<E: From<BuildError>>(
        &self,
        what: &str,
        command: &mut Command,
        mut look: impl FnMut() -> Result<(), E>,
    ) -> Result<(), E> {
        self.go_on()?;
        command.stdin(Stdio::null()).env("LC_ALL", "C.UTF-8").env("DEBIAN_FRONTEND", "noninteractive");
        let mut child = command.spawn().map_err(BuildError::io(format!("starting {what}")))?;
        loop {
            if let Some(status) = child.try_wait().map_err(BuildError::io(format!("waiting for {what}")))? {
                return if status.success() { Ok(()) } else { Err(self.failed(what, &status.to_string()).into()) };
            }
            if let Err(why) = self.go_on().map_err(E::from).and_then(|()| look()) {
                child.kill().and_then(|()| child.wait()).map_err(BuildError::io(format!("ending {what}")))?;
                return Err(why);
            }
            std::thread::sleep(Duration::from_millis(ASK_MS));
        }
    }

    /// Fails once the node is on its way out.
    pub(super) fn go_on(&self) -> Result<(), BuildError> {
        if self.stop.load(Ordering::Relaxed) { Err(BuildError::Stopped) } else { Ok(()) }
    }

    /// The error of a tool that failed, with the end of the log.
    pub(super) fn failed(&self, what: &str, status: &str) -> BuildError {
        BuildError::Tool { tool: what.to_owned(), said: format!("{status}: {}", tail(self.log).trim()) }
    }

    pub(super) fn open_log(&self) -> Result<File, BuildError> {
        OpenOptions::new().create(true).append(true).open(self.log).map_err(BuildError::io("opening the build's log"))
    }
}

/// A file without a name beside the log.
fn tempfile_in(log: &Path) -> Result<File, BuildError> {
    let folder = log.parent().map_or_else(|| PathBuf::from("/"), Path::to_owned);
    let flags = rustix::fs::OFlags::TMPFILE | rustix::fs::OFlags::RDWR | rustix::fs::OFlags::CLOEXEC;
    rustix::fs::open(&folder, flags, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR)
        .map(File::from)
        .map_err(|errno| BuildError::io("keeping a tool's output")(errno.into()))
}

/// The end of a log, as far as it can be read.
pub(super) fn tail(log: &Path) -> String {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = File::open(log)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(SAID_BYTES_MAX)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    String::from_utf8_lossy(&read().unwrap_or_default()).into_owned()
}
