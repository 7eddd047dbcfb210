//! What the sandbox wall knows: services, tasks, timers and queues, all under one lock that is held for moments only.

use super::bundle::Machine;
use super::cgroup::Cgroups;
use super::crun::Crun;
use super::ears::Ears;
use super::process::Process;
use super::{Event, Surroundings};
use crate::Ground;
use husorden_base::Number;
use husorden_kinds::{Fill, Service, Task};
use rustix::event::{Timespec, epoll};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A service or a task of a solution, by role or name.
pub(crate) type Key = (Number, String);

/// What the last part of a cgroup begins with in which work of the platform's own runs.
pub(super) const PLATFORMS: &str = "a.";

/// What runs in a sandbox.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Which {
    Service(Key),
    Task(Key),
    /// Work of the platform's own.
    Aside(Key),
}

impl Which {
    /// Whose.
    pub(crate) fn number(&self) -> Number {
        match self {
            Self::Service((number, _)) | Self::Task((number, _)) | Self::Aside((number, _)) => *number,
        }
    }

    /// Last part of its cgroup; roles hold no dot, so that no role is a task's.
    pub(crate) fn leaf(&self) -> String {
        match self {
            Self::Service((_, role)) => role.clone(),
            Self::Task((_, name)) => format!("t.{name}"),
            Self::Aside((_, name)) => format!("{PLATFORMS}{name}"),
        }
    }

    /// Its name with crun, and of its folder.
    pub(crate) fn id(&self) -> String {
        format!("{}.{}", self.number(), self.leaf())
    }

    /// From what [`Which::id`] gave.
    pub(crate) fn parse(id: &str) -> Option<Self> {
        let (number, leaf) = id.split_once('.')?;
        let number = Number::new(number.parse().ok()?)?;
        Some(match leaf.split_once('.') {
            Some(("t", name)) => Self::Task((number, name.to_owned())),
            Some(("a", name)) => Self::Aside((number, name.to_owned())),
            Some(_) => return None,
            None => Self::Service((number, leaf.to_owned())),
        })
    }
}

/// What an event of the kernel is about.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    /// Somebody connects.
    Listener(Key),
    /// A first process has ended.
    Exit(Which),
    /// A task says something.
    Output(Key),
}

/// What a service does.
///
/// ```text
/// Sleeping --connection--> Queued --worker--> Starting --crun--> Running --idle, changed, dropped--> Stopping
///    ^ ^                                         |                  |                                   |
///    | +------------- pause over ---- Paused <---+-- failed         +-- died --> Ending <-- ended ------+
///    +------------------------------------------------- cleaned up -----------------+
/// ```
#[derive(Debug)]
pub(crate) enum Phase {
    Sleeping,
    Queued,
    /// As the service that has this digest.
    Starting(String),
    Running(Running),
    Stopping(Running),
    Ending,
    Paused,
}

/// A service's sandbox that runs.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) process: Process,
    pub(crate) token: u64,
    /// Digest of the service it was started as.
    pub(crate) digest: String,
    /// The build of its runtime that it stands on.
    pub(crate) build: String,
    pub(crate) started: Instant,
    /// When it was told to end.
    pub(crate) told: Option<Instant>,
    /// When it last did something.
    pub(crate) active: Instant,
    /// Whether somebody waited for it since it was started, and whether it has taken somebody up.
    pub(crate) waited: bool,
    pub(crate) served: bool,
    /// How full it was told that its volume is; none when an earlier node told it.
    pub(crate) fill: Option<Fill>,
    /// CPU time at the last tick, and when that was.
    pub(crate) cpu: (u64, Instant),
    pub(crate) oom_kills: u64,
    /// What it says.
    pub(crate) words: Option<File>,
    pub(crate) tail: Tail,
}

/// A service that is set.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) service: Arc<Service>,
    pub(crate) digest: String,
    pub(crate) ears: Option<Ears>,
    /// They are watched under these tokens, in the same order; none while nobody watches.
    pub(crate) armed: Vec<u64>,
    pub(crate) phase: Phase,
    /// How often in a row it did not start or died at once.
    pub(crate) failures: u32,
    /// Why, the last time.
    pub(crate) reason: String,
    /// How often in a row it died at once after it had served.
    pub(crate) deaths: u32,
    /// Requests the edge has open with it, and when it said so; none when it never did.
    pub(crate) in_flight: Option<(u32, Instant)>,
    /// Commands that run inside.
    pub(crate) commands: u32,
    /// When somebody knocked, for the time a cold start takes.
    pub(crate) knocked: Instant,
    /// It goes as soon as nothing runs.
    pub(crate) leaving: bool,
    /// It was set in this node's life, not only found.
    pub(crate) claimed: bool,
    pub(crate) timer: Option<Instant>,
}

impl Slot {
    pub(crate) fn new(service: Arc<Service>, ears: Option<Ears>, claimed: bool) -> Self {
        Self {
            digest: service.digest(),
            service,
            ears,
            armed: Vec::new(),
            phase: Phase::Sleeping,
            failures: 0,
            reason: String::new(),
            deaths: 0,
            in_flight: None,
            commands: 0,
            knocked: Instant::now(),
            leaving: false,
            claimed,
            timer: None,
        }
    }

    /// The sandbox, while there is one.
    pub(crate) fn running(&self) -> Option<&Running> {
        match &self.phase {
            Phase::Running(running) | Phase::Stopping(running) => Some(running),
            _ => None,
        }
    }

    /// Whether a socket of it was shut by the sandbox it was handed to.
    pub(crate) fn is_deaf(&self) -> bool {
        self.ears.as_ref().is_some_and(Ears::broken)
    }

    /// Whether nothing of it is on the machine but its ears.
    pub(crate) fn resting(&self) -> bool {
        matches!(self.phase, Phase::Sleeping | Phase::Paused | Phase::Queued)
    }
}

/// What is open for a task in place of what it has else.
#[derive(Debug, Default)]
pub struct Streamed {
    /// For its standard input, in place of its own text.
    pub stdin: Option<OwnedFd>,
    /// For its standard output, which is else kept with its last words.
    pub stdout: Option<OwnedFd>,
}

/// A task that was started.
#[derive(Debug)]
pub(crate) struct TaskSlot {
    pub(crate) task: Arc<Task>,
    pub(crate) digest: String,
    pub(crate) streamed: Streamed,
    pub(crate) phase: TaskPhase,
    pub(crate) tail: Tail,
    pub(crate) timed_out: bool,
    /// Its end is not wanted any more.
    pub(crate) forgotten: bool,
    pub(crate) timer: Option<Instant>,
}

/// What a task does.
#[derive(Debug)]
pub(crate) enum TaskPhase {
    Queued,
    Starting,
    Running(TaskRun),
    Ending,
    Failed(String),
}

/// A task's sandbox that runs.
#[derive(Debug)]
pub(crate) struct TaskRun {
    pub(crate) process: Process,
    pub(crate) token: u64,
    pub(crate) output: File,
    pub(crate) output_token: u64,
}

/// Work for the threads that clean up.
#[derive(Debug)]
pub(crate) enum Chore {
    /// A service's sandbox has ended; whether it was told to.
    Service(Key, Running, bool),
    /// A task's has.
    Task(Key, TaskRun),
}

/// The last bytes of what was said.
#[derive(Debug)]
pub(crate) struct Tail {
    bytes: VecDeque<u8>,
    bytes_max: usize,
}

impl Tail {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { bytes: VecDeque::new(), bytes_max }
    }

    pub(crate) fn push(&mut self, said: &[u8]) {
        let said = &said[said.len().saturating_sub(self.bytes_max)..];
        let over = (self.bytes.len() + said.len()).saturating_sub(self.bytes_max);
        self.bytes.drain(..over);
        self.bytes.extend(said);
    }

    /// Reads what is there now without waiting; false when the other side has closed. At most what a pipe holds, so that
    /// somebody who never stops talking holds nobody up.
    pub(crate) fn fill(&mut self, from: &mut File) -> bool {
        let mut buffer = [0; 16 << 10];
        for _ in 0..4 {
            match from.read(&mut buffer) {
                Ok(0) => return false,
                Ok(count) => self.push(&buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        true
    }

    pub(crate) fn text(&self) -> String {
        let bytes: Vec<u8> = self.bytes.iter().copied().collect();
        String::from_utf8_lossy(&bytes).trim().to_owned()
    }
}

/// Everything that changes.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) services: BTreeMap<Key, Slot>,
    pub(crate) tasks: BTreeMap<Key, TaskSlot>,
    /// Work of the platform's own that runs; whoever started it holds it.
    pub(crate) asides: BTreeSet<Key>,
    pub(crate) targets: HashMap<u64, Target>,
    last_token: u64,
    pub(crate) timers: BTreeSet<(Instant, Which)>,
    /// Solutions that may start nothing.
    pub(crate) held: BTreeSet<Number>,
    /// Solutions that are to stand still: nothing of them begins to start.
    pub(crate) frozen: BTreeSet<Number>,
    /// Those that do, or are just told to: nothing is put into their sandboxes.
    pub(crate) still: BTreeSet<Number>,
    /// How many processes are just being put into sandboxes of a solution.
    pub(crate) entering: BTreeMap<Number, u32>,
    /// Solutions whose services end and are not started again until their volume has been worked on.
    pub(crate) quiet: BTreeSet<Number>,
    /// Solutions whose volume is full, and how.
    pub(crate) fills: BTreeMap<Number, Fill>,
    pub(crate) starts: VecDeque<Which>,
    pub(crate) chores: VecDeque<Chore>,
    pub(crate) events: VecDeque<Event>,
    /// The threads are to end.
    pub(crate) quit: bool,
    /// Everything goes; nothing starts.
    pub(crate) closing: bool,
}

impl State {
    /// Whether something of the solution may start now.
    pub(crate) fn may_start(&self, number: Number) -> bool {
        let halted = [&self.held, &self.frozen, &self.quiet].into_iter().any(|set| set.contains(&number));
        !self.closing && !self.quit && !halted
    }

    /// How full the solution's volume is.
    pub(crate) fn fill(&self, number: Number) -> Fill {
        self.fills.get(&number).copied().unwrap_or_default()
    }

    /// Whether the solution has a sandbox, or one on its way.
    pub(crate) fn occupied(&self, number: Number) -> bool {
        self.services_of(number).any(|(_, slot)| !slot.resting())
            || self.tasks_of(number).any(|(_, task)| !matches!(task.phase, TaskPhase::Queued | TaskPhase::Failed(_)))
            || self.asides.range((number, String::new())..).next().is_some_and(|(at, _)| *at == number)
    }

    pub(crate) fn services_of(&self, number: Number) -> impl Iterator<Item = (&Key, &Slot)> {
        self.services.range((number, String::new())..).take_while(move |((at, _), _)| *at == number)
    }

    pub(crate) fn tasks_of(&self, number: Number) -> impl Iterator<Item = (&Key, &TaskSlot)> {
        self.tasks.range((number, String::new())..).take_while(move |((at, _), _)| *at == number)
    }
}

/// The wall's tools, and its state.
pub(crate) struct Shared {
    pub(crate) ground: Ground,
    pub(crate) house: Arc<dyn Surroundings>,
    pub(crate) crun: Crun,
    pub(crate) cgroups: Cgroups,
    pub(crate) machine: Machine,
    pub(crate) boot: String,
    pub(crate) epoll: OwnedFd,
    /// Written to when the watching thread must look at the state again.
    pub(crate) wake: OwnedFd,
    state: Mutex<State>,
    /// Something is to be started.
    pub(crate) to_start: Condvar,
    /// Something is to be cleaned up.
    pub(crate) to_clean: Condvar,
    /// Something has changed that a caller may wait for.
    pub(crate) changed: Condvar,
}

/// The token of [`Shared::wake`].
pub(crate) const WAKE: u64 = 0;

impl Shared {
    #[allow(clippy::too_many_arguments, reason = "each is made differently; a builder would only repeat the names")]
    pub(crate) fn new(
        ground: Ground,
        house: Arc<dyn Surroundings>,
        crun: Crun,
        cgroups: Cgroups,
        machine: Machine,
        boot: String,
    ) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let wake =
            rustix::event::eventfd(0, rustix::event::EventfdFlags::CLOEXEC | rustix::event::EventfdFlags::NONBLOCK)?;
        epoll::add(&epoll, &wake, epoll::EventData::new_u64(WAKE), epoll::EventFlags::IN)?;
        Ok(Self {
            ground,
            house,
            crun,
            cgroups,
            machine,
            boot,
            epoll,
            wake,
            state: Mutex::default(),
            to_start: Condvar::new(),
            to_clean: Condvar::new(),
            changed: Condvar::new(),
        })
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // A thread that panicked left the state between two statements at worst; serving on beats stopping all.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the watching thread look again.
    pub(crate) fn wake(&self) {
        // A counter that is full wakes as well.
        let _ = rustix::io::write(&self.wake, &1u64.to_ne_bytes());
    }

    /// Watches a descriptor until [`Shared::unwatch`]; its token.
    pub(crate) fn watch(&self, state: &mut State, fd: BorrowedFd<'_>, target: Target) -> io::Result<u64> {
        state.last_token += 1;
        let token = state.last_token;
        epoll::add(&self.epoll, fd, epoll::EventData::new_u64(token), epoll::EventFlags::IN)?;
        state.targets.insert(token, target);
        Ok(token)
    }

    pub(crate) fn unwatch(&self, state: &mut State, fd: BorrowedFd<'_>, token: u64) {
        if state.targets.remove(&token).is_some() {
            // It can only fail for a descriptor that is not watched.
            let _ = epoll::delete(&self.epoll, fd);
        }
    }

    /// Sets the one timer of a service or task, or takes it away.
    pub(crate) fn set_timer(&self, state: &mut State, which: &Which, after: Option<Duration>) {
        let at = after.map(|after| Instant::now() + after);
        let before = match which {
            Which::Service(key) => state.services.get_mut(key).map(|slot| std::mem::replace(&mut slot.timer, at)),
            Which::Task(key) => state.tasks.get_mut(key).map(|slot| std::mem::replace(&mut slot.timer, at)),
            // Whoever holds it keeps the time.
            Which::Aside(_) => None,
        };
        let Some(before) = before else { return };
        if let Some(before) = before {
            state.timers.remove(&(before, which.clone()));
        }
        if let Some(at) = at {
            let first = state.timers.first().is_none_or(|(first, _)| at < *first);
            state.timers.insert((at, which.clone()));
            if first {
                self.wake();
            }
        }
    }

    pub(crate) fn tell(&self, state: &mut State, event: Event) {
        state.events.push_back(event);
        self.wake();
    }

    pub(crate) fn start_later(&self, state: &mut State, which: Which) {
        state.starts.push_back(which);
        self.to_start.notify_one();
    }

    pub(crate) fn clean_later(&self, state: &mut State, chore: Chore) {
        state.chores.push_back(chore);
        self.to_clean.notify_one();
    }

    /// Waits until `done`, at most so long; whether it is.
    pub(crate) fn wait_until(
        &self,
        mut state: MutexGuard<'_, State>,
        at_most: Duration,
        done: impl Fn(&State) -> bool,
    ) -> bool {
        let deadline = Instant::now() + at_most;
        loop {
            if done(&state) {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Removes the cgroup of a solution when nothing of it runs. Under the lock, so that nothing starts in it meanwhile.
    pub(crate) fn tidy(&self, state: &State, number: Number) {
        if !state.occupied(number)
            && !state.frozen.contains(&number)
            && let Err(error) = self.cgroups.remove_solution(number)
        {
            tracing::warn!(%number, error = %crate::causes::causes(&error), "a solution's empty cgroup stays");
        }
    }
}

/// As the kernel takes durations.
pub(crate) fn timespec(duration: Duration) -> Timespec {
    Timespec { tv_sec: duration.as_secs().cast_signed(), tv_nsec: duration.subsec_nanos().into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_back() {
        let number = Number::new(7).expect("7");
        let name = |name: &str| (number, name.to_owned());
        for which in [Which::Service(name("php")), Which::Task(name("install")), Which::Aside(name("backup"))] {
            assert_eq!(Which::parse(&which.id()), Some(which));
        }
        assert_eq!((Which::parse("0.php"), Which::parse("7.x.php")), (None, None));
    }

    #[test]
    fn a_tail_keeps_the_end() {
        let mut tail = Tail::new(4);
        for said in ["ab", "cd", "e", "", "0123456789x"] {
            tail.push(said.as_bytes());
            assert!(tail.bytes.len() <= 4);
        }
        assert_eq!(tail.text(), "789x");
    }
}
