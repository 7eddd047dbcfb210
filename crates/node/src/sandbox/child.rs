//! The tool's own processes: those this process starts and waits for, and those the tool leaves to it.
//!
//! To start a sandbox crun forks a process of its own, which goes on for a moment after crun has ended and is the parent of the
//! sandbox for as long. As the nearest subreaper this process inherits it, and must collect it as well as the sandbox.

use super::birth::{Birth, born};
use super::process::Exit;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, WaitId, WaitIdOptions, getpid, pidfd_open, waitid};
use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Longest wait for the tool's own process to go after a start.
const LEAVE_MAX: Duration = Duration::from_secs(2);

/// The tool's name, as the kernel shows it of its processes.
const TOOL: &str = "crun";

/// Children somebody here waits for. Held while one is started, so that none is taken for an inherited one.
static WAITED_FOR: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// A child that is waited for by whoever holds this.
#[derive(Debug)]
pub(crate) struct Direct(Child);

/// The same of a child that was born into its cgroup.
#[derive(Debug)]
pub(crate) struct Born(u32);

impl Born {
    pub(crate) fn start(birth: &Birth<'_>) -> io::Result<Self> {
        let mut waited_for = waited_for();
        let pid = born(birth)?;
        waited_for.insert(pid);
        Ok(Self(pid))
    }

    pub(crate) fn id(&self) -> u32 {
        self.0
    }

    /// Waits for its end.
    pub(crate) fn wait(&self) -> io::Result<Exit> {
        let pid = Pid::from_raw(self.0.cast_signed()).ok_or(io::ErrorKind::InvalidInput)?;
        loop {
            match waitid(WaitId::Pid(pid), WaitIdOptions::EXITED) {
                Ok(status) => return Ok(status.map_or(Exit::Unknown, Exit::of)),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl Drop for Born {
    fn drop(&mut self) {
        waited_for().remove(&self.0);
    }
}

impl Direct {
    pub(crate) fn spawn(command: &mut Command) -> io::Result<Self> {
        let mut waited_for = waited_for();
        let child = command.spawn()?;
        waited_for.insert(child.id());
        Ok(Self(child))
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn streams(&mut self) -> (Option<ChildStdout>, Option<ChildStderr>) {
        (self.0.stdout.take(), self.0.stderr.take())
    }

    pub(crate) fn wait(&mut self) -> io::Result<ExitStatus> {
        self.0.wait()
    }

    /// Waits for the end, and gives what was said on standard error.
    pub(crate) fn hear_out(mut self) -> io::Result<(ExitStatus, String)> {
        let mut said = Vec::new();
        if let Some(stderr) = &mut self.0.stderr {
            stderr.read_to_end(&mut said)?;
        }
        Ok((self.0.wait()?, String::from_utf8_lossy(&said).trim().to_owned()))
    }
}

impl Drop for Direct {
    fn drop(&mut self) {
        waited_for().remove(&self.0.id());
    }
}

/// What `/proc` says of a process.
struct Stat {
    name: String,
    dead: bool,
    parent: u32,
    session: u32,
}

impl Stat {
    fn read(pid: u32) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (before, after) = text.rsplit_once(')')?;
        // After the name: state, parent, process group, session.
        let fields: Vec<&str> = after.split_whitespace().collect();
        Some(Self {
            name: before.split_once('(')?.1.to_owned(),
            dead: fields.first() == Some(&"Z"),
            parent: fields.get(1)?.parse().ok()?,
            session: fields.get(3)?.parse().ok()?,
        })
    }
}

/// Makes this process the parent of a sandbox's first process: waits until the tool's own is gone, and collects it.
pub(crate) fn inherit(pid: u32) {
    let me = getpid().as_raw_nonzero().get().cast_unsigned();
    let deadline = Instant::now() + LEAVE_MAX;
    while Instant::now() < deadline {
        let Some(parent) = Stat::read(pid).map(|stat| stat.parent).filter(|parent| *parent != me) else { break };
        let Some(Ok(tool)) = Pid::from_raw(parent.cast_signed()).map(|raw| pidfd_open(raw, PidfdFlags::empty())) else {
            continue;
        };
        if Stat::read(pid).is_some_and(|stat| stat.parent == parent) {
            // That it still is the parent shows that the descriptor is of the right process.
            let left = deadline.saturating_duration_since(Instant::now());
            let _ = poll(&mut [PollFd::new(&tool, PollFlags::IN)], Some(&super::state::timespec(left)));
            let _ = waitid(WaitId::PidFd(tool.as_fd()), WaitIdOptions::EXITED | WaitIdOptions::NOHANG);
        }
    }
    collect(|_, stat| stat.name.starts_with(TOOL));
}

/// Collects what a start that failed left dead: the tool's own processes, and a sandbox's first process that nobody waited
/// for, known by its cgroup or by the session of the tool that was to start it.
pub(crate) fn bury(session: Option<u32>, cgroup: &str) {
    let inside = |pid: u32| {
        fs::read_to_string(format!("/proc/{pid}/cgroup"))
            .is_ok_and(|text| text.lines().any(|line| line.trim_end_matches(" (deleted)").ends_with(cgroup)))
    };
    collect(|pid, stat| stat.name.starts_with(TOOL) || Some(stat.session) == session || inside(pid));
}

/// Collects what a tool that failed left dead, by the session that it led.
pub(crate) fn bury_session(session: u32) {
    collect(|_, stat| stat.session == session);
}

/// Collects dead children that nobody here waits for and that are wanted; children of other kinds are left to who waits for
/// them.
fn collect(wanted: impl Fn(u32, &Stat) -> bool) {
    let waited_for = waited_for();
    let threads = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let children = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    let pids: Vec<u32> = children
        .flat_map(|text| text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect();
    for pid in pids.into_iter().filter(|pid| !waited_for.contains(pid)) {
        if Stat::read(pid).is_some_and(|stat| stat.dead && wanted(pid, &stat))
            && let Some(raw) = Pid::from_raw(pid.cast_signed())
        {
            // It is dead and ours, so it is there.
            let _ = waitid(WaitId::Pid(raw), WaitIdOptions::EXITED | WaitIdOptions::NOHANG);
        }
    }
}

fn waited_for() -> MutexGuard<'static, BTreeSet<u32>> {
    WAITED_FOR.lock().unwrap_or_else(PoisonError::into_inner)
}
