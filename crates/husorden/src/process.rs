//! Processes by name: who they are beyond their pid, the lock that makes each role single, and how they are ended.
//!
//! A pid alone may be given to somebody else; a pid with its start time cannot. Every role holds a lock on its own file as
//! long as it lives and writes into it who it is, so that a role can neither run twice nor be taken for another process,
//! whoever was killed at whatever moment.

use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// A process, such that it cannot be mistaken for a later one with the same pid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    /// Its pid.
    pub(crate) pid: u32,
    /// When it started, in clock ticks since boot.
    pub(crate) started: u64,
}

impl Identity {
    /// The process that asks.
    pub(crate) fn own() -> io::Result<Self> {
        Self::of(std::process::id()).ok_or_else(|| io::Error::other("this process has no entry in /proc"))
    }

    /// The process that has this pid now; none when nobody has, or it is dead and only waits to be reaped.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name in brackets may hold anything, so the fields are counted from its end.
        let mut fields = stat[stat.rfind(')')? + 2..].split(' ');
        if matches!(fields.next()?, "Z" | "X") {
            return None;
        }
        // The state was field 3; the start time is field 22.
        let started = fields.nth(18)?.parse().ok()?;
        Some(Self { pid, started })
    }

    /// Whether it still lives.
    pub(crate) fn alive(self) -> bool {
        Self::of(self.pid) == Some(self)
    }

    /// Sends a signal, to this process and to no other. Nothing happens when it is gone.
    pub(crate) fn signal(self, signal: Signal) {
        let handle = i32::try_from(self.pid)
            .ok()
            .and_then(Pid::from_raw)
            .and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
        // Looked at after the handle is there: from then on the pid cannot be given away under us.
        if let Some(handle) = handle.filter(|_| self.alive()) {
            let _ = pidfd_send_signal(handle, signal);
        }
    }

    /// Asks it to end, waits, and ends it by force when the patience is over. True when force was needed.
    pub(crate) fn end(self, patience: Duration) -> bool {
        self.signal(Signal::TERM);
        if self.gone_within(patience) {
            return false;
        }
        self.signal(Signal::KILL);
        self.gone_within(Duration::from_secs(10));
        true
    }

    /// Waits until it is gone.
    pub(crate) fn gone_within(self, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        while self.alive() {
            if Instant::now() >= until {
                return false;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        true
    }
}

/// The right to be the one process of its name, held as long as it is alive.
#[derive(Debug)]
pub(crate) struct Single {
    /// Never read: the kernel gives the lock back when the last holder is gone, also after a kill.
    _lock: File,
}

/// Who takes a lock that another process holds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Taken;

impl Single {
    /// Becomes the one process of this name and writes down who that is.
    pub(crate) fn become_one(path: &Path) -> io::Result<Result<Self, Taken>> {
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o644).open(path)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Ok(Err(Taken)),
            Err(error) => return Err(error.into()),
        }
        file.set_len(0)?;
        file.rewind()?;
        serde_json::to_writer(&file, &Identity::own()?)?;
        file.write_all(b"\n")?;
        Ok(Ok(Self { _lock: file }))
    }

    /// The living process of this name, if there is one.
    pub(crate) fn holder(path: &Path) -> Option<Identity> {
        let mut file = File::open(path).ok()?;
        let mut text = String::new();
        file.read_to_string(&mut text).ok()?;
        let identity: Identity = serde_json::from_str(&text).ok()?;
        identity.alive().then_some(identity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_process_is_known_by_more_than_its_pid() {
        let own = Identity::own().expect("this process");
        assert!(own.alive());
        let other = Identity { started: own.started + 1, ..own };
        assert!(!other.alive());
        // A signal to somebody who is not there any more reaches nobody: this test would die otherwise.
        other.signal(Signal::KILL);
    }

    #[test]
    fn a_process_ends_when_asked_and_by_force() {
        for (script, forced) in [("exec sleep 60", false), ("trap '' TERM; while :; do sleep 0.05; done", true)] {
            let mut child = Command::new("sh").args(["-c", script]).spawn().expect("a shell starts");
            let identity = Identity::of(child.id()).expect("it lives");
            // The trap must be set before the signal comes; the shell's first child says so.
            if forced {
                let children = format!("/proc/{0}/task/{0}/children", child.id());
                while fs::read_to_string(&children).unwrap_or_default().is_empty() {
                    std::thread::sleep(Duration::from_millis(5));
                }
            }
            assert_eq!(identity.end(Duration::from_millis(300)), forced, "{script}");
            assert!(!identity.alive());
            child.wait().expect("it is reaped");
        }
    }

    #[test]
    fn a_name_is_held_once() {
        let path = std::env::temp_dir().join(format!("husorden-single-{}", std::process::id()));
        let first = Single::become_one(&path).expect("the file opens");
        assert!(first.is_ok());
        assert_eq!(Single::become_one(&path).expect("the file opens").err(), Some(Taken));
        assert_eq!(Single::holder(&path), Identity::own().ok());
        drop(first);
        assert!(Single::become_one(&path).expect("the file opens").is_ok());
        fs::remove_file(&path).expect("it is removed");
    }
}
