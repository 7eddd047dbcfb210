//! Work of the platform's own on what is a solution's, beside its services and tasks: no pass sees it, no rest ends it, and it starts also where a
//! measure lets nothing of the solution itself start, or has it stand still. Whoever holds it waits for it; it ends with whoever holds it, or when the next node opens.

use super::process::{Exit, Process};
use super::start::Streams;
use super::state::{Key, Shared, Tail, Which, timespec};
use super::task::held_in_memory;
use super::{Resolved, SandboxError, Sandboxes, causes, key};
use husorden_base::Number;
use husorden_kinds::{Live, Sandbox, Task};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// It, while it runs.
pub(crate) struct Aside {
    shared: Arc<Shared>,
    key: Key,
    process: Process,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) exit: Exit,
    /// The kernel killed in it for want of memory.
    pub(crate) out_of_memory: bool,
}

impl Sandboxes {
    /// Starts it, as the uid of this number. Its places are said by whoever starts it, for they are none that a kind could name.
    ///
    /// # Errors
    /// When one with this name is there already, or it does not start.
    pub(crate) fn aside(
        &self,
        number: Number,
        name: &str,
        sandbox: &Sandbox,
        resolved: &Resolved,
        streams: [OwnedFd; 3],
    ) -> Result<Aside, SandboxError> {
        let key = key(number, name)?;
        {
            let mut state = self.shared.lock();
            if state.closing || state.quit || !state.asides.insert(key.clone()) {
                return Err(SandboxError::Ending(key.1));
            }
        }
        let which = Which::Aside(key.clone());
        let launched =
            self.shared.launch_at(&which, sandbox, &Live::default(), resolved, |_| Ok(Streams { streams, ears: None }));
        match launched {
            Ok((process, _)) => Ok(Aside { shared: Arc::clone(&self.shared), key, process }),
            Err(error) => {
                self.shared.put_aside_away(&key);
                Err(SandboxError::Machine {
                    what: "starting work of the platform's own",
                    source: io::Error::other(causes(&error)),
                })
            }
        }
    }
}

/// What is kept of what a task says that runs aside.
const OUTPUT_BYTES_MAX: usize = 16 << 10;
/// Pause between two looks at one.
const LOOK: Duration = Duration::from_millis(100);

impl Sandboxes {
    /// Runs a task to its end aside, with its standard output going elsewhere; no mark is left. Its last words where it failed.
    ///
    /// # Errors
    /// When it does not start.
    pub(crate) fn task_aside(
        &self,
        number: Number,
        task: &Task,
        resolved: &Resolved,
        stdout: OwnedFd,
        stop: &dyn Fn() -> bool,
    ) -> Result<Option<String>, SandboxError> {
        let machine = |source| SandboxError::Machine { what: "preparing a task", source };
        let (said, mouth) = io::pipe().map_err(machine)?;
        let mut said = File::from(OwnedFd::from(said));
        let quiet = fcntl_getfl(&said).and_then(|flags| fcntl_setfl(&said, flags | OFlags::NONBLOCK));
        quiet.map_err(|error| machine(error.into()))?;
        let stdin = held_in_memory(&task.stdin).map_err(machine)?;
        let aside = self.aside(number, &task.name, &task.sandbox, resolved, [stdin.into(), stdout, mouth.into()])?;
        let until = Instant::now() + Duration::from_secs(task.limit_s.into());
        let mut tail = Tail::new(OUTPUT_BYTES_MAX);
        let mut cut = None;
        while !aside.wait(LOOK) {
            tail.fill(&mut said);
            if cut.is_none() && Instant::now() >= until {
                cut = Some(format!("it took longer than {} seconds", task.limit_s));
            } else if cut.is_none() && stop() {
                cut = Some("it was stopped".to_owned());
            }
            if cut.is_some() {
                aside.kill();
            }
        }
        tail.fill(&mut said);
        let ended = aside.end();
        let why = match ended.exit {
            _ if cut.is_some() => cut,
            Exit::Code(0) => return Ok(None),
            exit if ended.out_of_memory => Some(format!("it used more memory than it may ({exit})")),
            exit => Some(exit.to_string()),
        };
        Ok(why.map(|why| if tail.text().is_empty() { why } else { format!("{why}: {}", tail.text()) }))
    }
}

impl Aside {
    /// Ends it.
    pub(crate) fn kill(&self) {
        self.process.kill();
    }

    /// Waits for its end, at most so long; whether it has ended.
    pub(crate) fn wait(&self, at_most: Duration) -> bool {
        let ended = poll(&mut [PollFd::from_borrowed_fd(self.process.fd(), PollFlags::IN)], Some(&timespec(at_most)));
        ended.is_ok_and(|ready| ready > 0)
    }

    /// Waits until it has ended, and says how.
    pub(crate) fn end(self) -> Ended {
        let exit = self.process.reap();
        let leaf = Which::Aside(self.key.clone()).leaf();
        Ended { exit, out_of_memory: self.shared.cgroups.oom_kills(self.key.0, &leaf) > 0 }
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        if !self.process.ended() {
            self.process.kill();
        }
        // One that was waited for is not there any more, and that is well.
        self.process.reap();
        self.shared.put_aside_away(&self.key);
    }
}

impl Shared {
    fn put_aside_away(&self, key: &Key) {
        self.clear(&Which::Aside(key.clone()));
        let mut state = self.lock();
        state.asides.remove(key);
        self.tidy(&state, key.0);
        self.changed.notify_all();
    }
}
