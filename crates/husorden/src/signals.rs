//! Signals, taken as they are waited for: the supervisor is one thread that sleeps here.

use anyhow::{Context, Result};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// The signals that ask for an end or tell of a child's.
#[derive(Debug)]
pub(crate) struct Signals {
    handle: SignalFd,
    /// An end was asked for; it stays so.
    asked: bool,
}

impl Signals {
    /// Takes the signals over from their defaults. Called before any thread is started. A child inherits what is blocked
    /// here, so each role opens its ears first of all.
    pub(crate) fn take() -> Result<Self> {
        let mut set = SigSet::empty();
        for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGCHLD] {
            set.add(signal);
        }
        set.thread_block().context("blocking signals")?;
        let handle = SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
            .context("opening the signals")?;
        Ok(Self { handle, asked: false })
    }

    /// Sleeps until the time is over, a child ended or an end is asked for. True when an end was ever asked for.
    pub(crate) fn sleep(&mut self, at_most: Duration) -> bool {
        let until = Instant::now() + at_most;
        loop {
            let mut woken = false;
            while let Ok(Some(signal)) = self.handle.read_signal() {
                woken = true;
                // A closed terminal ends a platform that was started in it, as Ctrl-C does.
                if signal.ssi_signo != Signal::SIGCHLD as u32 {
                    self.asked = true;
                }
            }
            let left = until.saturating_duration_since(Instant::now());
            if self.asked || woken || left.is_zero() {
                return self.asked;
            }
            let timeout = PollTimeout::try_from(left.min(Duration::from_secs(3600))).unwrap_or(PollTimeout::MAX);
            let mut handles = [PollFd::new(self.handle.as_fd(), PollFlags::POLLIN)];
            // Interrupted or over: the loop looks again.
            let _ = poll(&mut handles, timeout);
        }
    }
}
