//! A command beside a service that runs, whose streams are somebody else's for as long as both last. It does not keep the service, and goes on
//! where a measure lets the service go on.

use super::command::Begun;
use super::process::Process;
use super::state::{Phase, Slot, timespec};
use super::{SandboxError, Sandboxes, key};
use husorden_base::Number;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

/// What is kept of its last words.
const WORDS_BYTES_MAX: u64 = 1 << 10;

/// Pause between two looks at one that was left alone.
const LEFT_LOOK: Duration = Duration::from_secs(60);

/// It, while it runs. It is killed with this.
pub(crate) struct Beside {
    begun: Begun,
    crun: Process,
}

impl Sandboxes {
    /// Starts it, as the service's uid with its limits.
    ///
    /// # Errors
    /// When the service does not run or stands still, or the command could not be started.
    pub(crate) fn beside(
        &self,
        number: Number,
        role: &str,
        argv: &[String],
        [stdin, stdout]: [OwnedFd; 2],
    ) -> Result<Beside, SandboxError> {
        let key = key(number, role)?;
        let sandbox = {
            let state = self.shared.lock();
            // What is started into a sandbox that stands still would stand still with the tool.
            let may = !state.closing && !state.quit && !state.frozen.contains(&number);
            let running = |slot: &&Slot| may && matches!(slot.phase, Phase::Running(_));
            let slot = state.services.get(&key).filter(running);
            slot.map(|slot| slot.service.sandbox.clone()).ok_or_else(|| SandboxError::NotRunning(key.1.clone()))?
        };
        let (tell, told) = mpsc::channel();
        let (shared, argv) = (Arc::clone(&self.shared), argv.to_vec());
        // The tool dies with the thread that started it, and would leave the command to nobody; whoever asked may be done sooner. So it has a
        // thread of its own, which lasts as long.
        let start = move || {
            let started =
                shared.begin_command(&key, &sandbox, &argv, (stdin.into(), stdout.into())).and_then(|begun| {
                    let holding = |source| SandboxError::Machine { what: "holding a command", source };
                    let crun = Process::hold(begun.child.id()).map_err(holding)?;
                    let ended = crun.fd().as_fd().try_clone_to_owned().map_err(holding)?;
                    Ok((Beside { begun, crun }, ended))
                });
            let (started, ended) = match started {
                Ok((beside, ended)) => (Ok(beside), Some(ended)),
                Err(error) => (Err(error), None),
            };
            if tell.send(started).is_ok()
                && let Some(ended) = ended
            {
                while poll(&mut [PollFd::new(&ended, PollFlags::IN)], None) == Err(Errno::INTR) {}
            }
        };
        let lost = |source| SandboxError::Machine { what: "starting a command", source };
        thread::Builder::new().name("beside".to_owned()).spawn(start).map_err(lost)?;
        told.recv().map_err(|gone| lost(io::Error::other(gone)))?
    }
}

impl Beside {
    /// Waits for its end, at most so long; whether it has ended.
    pub(crate) fn wait(&self, at_most: Duration) -> bool {
        let ended =
            poll(&mut [PollFd::from_borrowed_fd(self.crun.fd().as_fd(), PollFlags::IN)], Some(&timespec(at_most)));
        ended.is_ok_and(|ready| ready > 0)
    }

    /// Waits until it has ended: its last words where it failed.
    ///
    /// # Errors
    /// When it was lost.
    pub(crate) fn end(mut self) -> io::Result<Option<String>> {
        let status = self.begun.wait()?;
        let mut said = Vec::new();
        if let (_, Some(stderr)) = self.begun.child.streams() {
            // What it left behind may hold the other end open, and is not waited for.
            fcntl_setfl(&stderr, fcntl_getfl(&stderr)? | OFlags::NONBLOCK)?;
            let _ = stderr.take(WORDS_BYTES_MAX).read_to_end(&mut said);
        }
        Ok((!status.success()).then(|| String::from_utf8_lossy(&said).trim().to_owned()))
    }
}

impl Beside {
    /// Leaves it alone: it ends by itself, and is waited for then, which may be late where the service stands still.
    pub(crate) fn leave(self) {
        let left = thread::Builder::new().name("beside".to_owned()).spawn(move || while !self.wait(LEFT_LOOK) {});
        if let Err(error) = left {
            tracing::warn!(%error, "a command was killed, for nobody could wait for it");
        }
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        if !self.crun.ended() {
            self.begun.kill(&self.crun);
        }
        let _ = self.begun.wait();
    }
}
