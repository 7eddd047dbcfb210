//! Work of the platform's own on what is a solution's, beside its services and tasks: no pass sees it, no rest ends it, and it starts also where a
//! measure lets nothing of the solution itself start. Whoever holds it waits for it; it ends with whoever holds it, or when the next node opens.

use super::process::{Exit, Process};
use super::start::Streams;
use super::state::{Key, Shared, Which, timespec};
use super::{END_WAIT, Resolved, SandboxError, Sandboxes, causes, key};
use husorden_base::Number;
use husorden_kinds::{Live, Sandbox};
use rustix::event::{PollFd, PollFlags, poll};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

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
        // What is started into a sandbox that stands still would stand still with the tool.
        self.shared.wait_until(self.shared.lock(), END_WAIT, |state| !state.frozen.contains(&number));
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
