//! Commands run inside a sandbox that runs.

use super::cgroup::CgroupError;
use super::child::{Direct, bury_session};
use super::crun::CrunError;
use super::process::Process;
use super::state::{Key, Phase, Shared, State, Which, timespec};
use super::task::held_in_memory;
use super::{SandboxError, spec};
use rustix::event::{PollFd, PollFlags, poll};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A command to run inside a sandbox.
#[derive(Clone, Debug)]
pub struct Command {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Handed to standard input.
    pub stdin: String,
    /// It is ended after so long.
    pub limit: Duration,
    /// Of each stream the first so many bytes are kept.
    pub output_bytes_max: usize,
}

/// What a command did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// Exit code; none when it was ended by a signal or ran too long.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
    /// More was said than is kept.
    pub cut: bool,
    /// It ran too long and was ended.
    pub timed_out: bool,
}

/// Commands get a name each, for the files that go with them.
static COUNT: AtomicU64 = AtomicU64::new(0);

impl Shared {
    /// Runs a command beside a service, as the same uid with the same limits; `works` says whether it keeps the service awake.
    pub(crate) fn command(&self, key: &Key, command: &Command, works: bool) -> Result<Done, SandboxError> {
        // A service may answer before its start is entered here.
        let starting =
            |state: &State| state.services.get(key).is_some_and(|slot| matches!(slot.phase, Phase::Starting(_)));
        self.wait_until(self.lock(), command.limit, |state| !starting(state));
        let mut state = self.lock();
        let may = state.may_start(key.0);
        let slot = state.services.get_mut(key).filter(|slot| may && matches!(slot.phase, Phase::Running(_)));
        let Some(slot) = slot else {
            return Err(SandboxError::NotRunning(key.1.clone()));
        };
        slot.commands += u32::from(works);
        let service = slot.service.clone();
        drop(state);
        let done = self.run_command(key, &service.sandbox, command);
        if let Some(slot) = self.lock().services.get_mut(key) {
            slot.commands -= u32::from(works);
            if let (false, Phase::Running(running)) = (works, &mut slot.phase) {
                // What the question itself took of the processor is not taken for work.
                running.cpu = (self.cgroups.cpu_us(key.0, &key.1), Instant::now());
            }
        }
        done
    }

    fn run_command(
        &self,
        key: &Key,
        sandbox: &husorden_kinds::Sandbox,
        command: &Command,
    ) -> Result<Done, SandboxError> {
        let stdin = held_in_memory(&command.stdin)
            .map_err(|source| SandboxError::Machine { what: "holding its input", source })?;
        let begun = self.begin_command(key, sandbox, &command.argv, (stdin.into(), Stdio::piped()))?;
        attend(begun, command).map_err(|source| SandboxError::Machine { what: "attending to a command", source })
    }

    /// Starts a command in a service's sandbox, with standard input and output as they are said.
    pub(crate) fn begin_command(
        &self,
        key: &Key,
        sandbox: &husorden_kinds::Sandbox,
        argv: &[String],
        (stdin, stdout): (Stdio, Stdio),
    ) -> Result<Begun, SandboxError> {
        let which = Which::Service(key.clone());
        let bundle = self.bundle(&which);
        let name = format!("command-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let process = spec::process(sandbox, argv, key.0, self.machine.open_files_max)
            .map_err(|error| SandboxError::Bundle(error.into()))?;
        let files =
            Files { config: bundle.write_process(&name, &process)?, pid: bundle.folder().join(format!("{name}.pid")) };
        let join = self.cgroups.enter(key.0, &key.1)?;
        let _entering = self.enter(key.0).ok_or_else(|| SandboxError::NotRunning(key.1.clone()))?;
        let child = self.crun.exec(&which.id(), &files.config, &files.pid, join, (stdin, stdout))?;
        Ok(Begun { child, files })
    }
}

/// A command that was started. What runs for it here is crun, which ends as the command does.
pub(crate) struct Begun {
    pub(crate) child: Direct,
    files: Files,
}

/// The files that go with a command; the whole folder goes with the sandbox.
struct Files {
    config: PathBuf,
    pid: PathBuf,
}

impl Begun {
    /// Ends it. The command is a child of crun; when it dies, crun ends with it.
    pub(crate) fn kill(&self, crun: &Process) {
        let inside = fs::read_to_string(&self.files.pid).ok().and_then(|text| text.trim().parse().ok());
        match inside.and_then(|pid| Process::hold(pid).ok()) {
            Some(inside) => inside.kill(),
            None => crun.kill(),
        }
    }

    /// Waits for crun's end. Where that failed, the process that it was about to put into the sandbox may be dead and nobody's, and the sandbox
    /// could not end before it is collected.
    pub(crate) fn wait(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait()?;
        if !status.success() {
            bury_session(self.child.id());
        }
        Ok(status)
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        for file in [&self.config, &self.pid] {
            let _ = fs::remove_file(file);
        }
    }
}

/// Hears a command out, at most as long and as much as it may.
fn attend(mut begun: Begun, command: &Command) -> io::Result<Done> {
    let deadline = Instant::now() + command.limit;
    let (stdout, stderr) = begun.child.streams();
    let mut streams =
        [stdout.map(|pipe| File::from(OwnedFd::from(pipe))), stderr.map(|pipe| File::from(OwnedFd::from(pipe)))];
    let mut kept = [Vec::new(), Vec::new()];
    let (mut cut, mut timed_out) = (false, false);
    let mut buffer = [0; 16 << 10];
    while streams.iter().any(Option::is_some) {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            timed_out = true;
            break;
        }
        let open: Vec<usize> = (0..2).filter(|index| streams[*index].is_some()).collect();
        let mut fds: Vec<PollFd<'_>> = streams.iter().flatten().map(|file| PollFd::new(file, PollFlags::IN)).collect();
        match poll(&mut fds, Some(&timespec(left))) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let ready: Vec<usize> =
            open.into_iter().zip(&fds).filter(|(_, fd)| !fd.revents().is_empty()).map(|(index, _)| index).collect();
        for index in ready {
            let Some(file) = &mut streams[index] else { continue };
            match file.read(&mut buffer)? {
                0 => streams[index] = None,
                count => {
                    let room = command.output_bytes_max.saturating_sub(kept[index].len());
                    kept[index].extend_from_slice(&buffer[..count.min(room)]);
                    cut |= count > room;
                }
            }
        }
    }
    // Its streams may be closed while it still works; the time counts for that too.
    let crun = Process::hold(begun.child.id())?;
    let left = deadline.saturating_duration_since(Instant::now());
    let ended = poll(&mut [PollFd::from_borrowed_fd(crun.fd().as_fd(), PollFlags::IN)], Some(&timespec(left)));
    if !ended.is_ok_and(|ready| ready > 0) {
        timed_out = true;
        begun.kill(&crun);
    }
    let status = begun.wait()?;
    let [stdout, stderr] = kept;
    let code = status.code().filter(|_| !timed_out && status.signal().is_none());
    Ok(Done { code, stdout, stderr, cut, timed_out })
}

impl From<CrunError> for SandboxError {
    fn from(error: CrunError) -> Self {
        Self::Crun(error)
    }
}

impl From<CgroupError> for SandboxError {
    fn from(error: CgroupError) -> Self {
        Self::Cgroup(error)
    }
}
