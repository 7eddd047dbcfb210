//! The sandbox wall: OCI containers run by crun.
//!
//! [`Sandboxes`] keeps the services and tasks of every solution: services start at the first connection to their socket and
//! stop when they have been idle; tasks run once. All of it lives on when the node dies: the next [`Sandboxes::open`]
//! adopts what runs, by pidfd and with its listening socket, and restarts nothing.
//!
//! What is deliberately absent: a sandbox never has a capability, a host path that no [`Surroundings`] resolved, or a secret
//! in its arguments or environment. What belongs to no service that was set is reported by [`Sandboxes::strays`], never killed.

mod adopt;
mod aside;
mod beside;
mod birth;
mod bundle;
mod cgroup;
mod child;
mod close;
mod command;
mod crun;
pub(crate) mod disk;
mod ears;
mod enter;
mod fill;
mod launch;
mod process;
mod quiet;
mod reactor;
mod running;
mod seccomp;
mod service;
mod socket;
mod spec;
mod start;
mod state;
mod task;
mod tool;

pub(crate) use aside::Aside;
pub(crate) use beside::Beside;
pub use bundle::BundleError;
pub use cgroup::{CgroupError, Pressure, Usage};
pub use command::{Command, Done};
pub use crun::CrunError;
pub use disk::{Disk, Means};
pub use process::Exit;
pub use quiet::Quiet;
pub use socket::SocketError;
pub use spec::{Resolved, ResolvedBind, SpecError};

use crate::Ground;
use crate::causes::causes;
use bundle::Machine;
use cgroup::Cgroups;
use crun::Crun;
use husorden_base::Number;
use husorden_kinds::{Reach, Role, Sandbox, Service, ServiceSight, ServiceState, Task, TaskName, TaskSight};
use rustix::process::{Resource, Rlimit, getpid, getrlimit, set_child_subreaper, setrlimit};
pub use state::Streamed;
pub(crate) use state::timespec;
use state::{Key, Phase, Shared, TaskPhase};
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// Longest wait for the end of something that was told to end, so that a step stays within its two seconds.
const END_WAIT: Duration = Duration::from_millis(1_500);

/// Longest wait for a process that is just being put into a sandbox; it takes milliseconds.
const ENTER_WAIT: Duration = Duration::from_secs(10);

/// How long [`Sandboxes::close`] waits for services to end by themselves, where none of them asks for more.
const CLOSE_WAIT: Duration = Duration::from_secs(30);

/// Failures of a service in a row after which it is shown as failing even while it waits for the next connection.
const FAILURES_SHOWN: u32 = 3;

/// What the wall asks of the node around it.
pub trait Surroundings: Send + Sync {
    /// Where a sandbox's places are, and its network namespace, which may be made now. Called before each start, by the
    /// thread that starts it.
    ///
    /// # Errors
    /// Why it cannot start.
    fn resolve(&self, number: Number, sandbox: &Sandbox) -> Result<Resolved, String>;

    /// Leaves the marks of a task that has succeeded. Until it returns, the task is seen as running.
    ///
    /// # Errors
    /// Why one could not be left; the task counts as failed then.
    fn marks(&self, number: Number, task: &Task) -> Result<(), String>;

    /// Something happened. Called in order by the thread that watches everything, so it must return at once.
    fn event(&self, event: Event);
}

/// What happened to a sandbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A service runs, so many milliseconds after somebody connected.
    Started {
        /// Whose.
        number: Number,
        /// Which.
        role: Role,
        /// From the connection to the program's first instruction.
        cold_ms: u64,
    },
    /// A service's sandbox has ended.
    Ended {
        /// Whose.
        number: Number,
        /// Which.
        role: Role,
        /// How.
        exit: Exit,
        /// It had been told to.
        expected: bool,
        /// The kernel killed in it for want of memory.
        out_of_memory: bool,
        /// Its last words.
        words: String,
    },
    /// The kernel killed processes of a service that goes on running.
    OutOfMemory {
        /// Whose.
        number: Number,
        /// Which.
        role: Role,
        /// How many.
        kills: u64,
    },
    /// A task has ended.
    TaskEnded {
        /// Whose.
        number: Number,
        /// Which.
        name: TaskName,
        /// Why it failed, if it did.
        failed: Option<String>,
    },
}

/// What the wall could not do.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// A name that cannot be part of a path or a cgroup.
    #[error("{0:?} is no role or task: 1 to 32 of a-z, 0-9 and hyphens are")]
    Name(String),
    /// A measure holds the solution.
    #[error("solution {0} is held; nothing of it starts")]
    Held(Number),
    /// It was told to end and has not yet.
    #[error("{0} has not ended yet")]
    Ending(String),
    /// There is nothing to run a command in.
    #[error("{0} does not run")]
    NotRunning(String),
    /// A socket.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// A configuration.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// A cgroup.
    #[error(transparent)]
    Cgroup(CgroupError),
    /// The tool.
    #[error(transparent)]
    Crun(CrunError),
    /// The machine.
    #[error("{what}")]
    Machine {
        /// What was being done.
        what: &'static str,
        /// Why it failed.
        source: io::Error,
    },
}

/// A solution's services and tasks as they stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SandboxSight {
    /// Services that are set.
    pub services: BTreeMap<Role, ServiceSight>,
    /// Tasks that run or have failed.
    pub tasks: BTreeMap<TaskName, TaskSight>,
}

/// A sandbox that was adopted and belongs to no service that was set since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stray {
    /// Whose.
    pub number: Number,
    /// Which.
    pub role: Role,
    /// Its first process; none when it has ended meanwhile.
    pub pid: Option<u32>,
}

/// Every sandbox of one installation. Dropping it leaves what runs running, for the next node to adopt.
pub struct Sandboxes {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Sandboxes {
    /// Opens the wall and adopts what an earlier node left running. This process becomes the parent of every sandbox.
    ///
    /// # Errors
    /// When the machine lacks what sandboxes need.
    pub fn open(ground: &Ground, house: Arc<dyn Surroundings>) -> Result<Self, SandboxError> {
        let machine = |what| move |source| SandboxError::Machine { what, source };
        set_child_subreaper(Some(getpid()))
            .map_err(|error| machine("becoming the parent of sandboxes")(error.into()))?;
        let cgroups = Cgroups::detect(ground.cgroup())?;
        let crun = Crun::new(ground.run.join("crun"), &ground.run.join("tool"), cgroups.hidden())
            .map_err(machine("making the state folder of crun"))?;
        let facts = Machine { open_files_max: raise_open_files(), swap: cgroups.counts_swap(), io: cgroups.io() };
        let shared = Shared::new(ground.clone(), house, crun, cgroups, facts, process::boot());
        let shared = Arc::new(shared.map_err(machine("making the watch over sandboxes"))?);
        shared.adopt();
        let starts_max = 2 * std::thread::available_parallelism().map_or(1, usize::from);
        let threads =
            reactor::spawn(&shared, starts_max).map_err(machine("starting the threads of the sandbox wall"))?;
        Ok(Self { shared, threads: Mutex::new(threads) })
    }

    /// Sets a service: its socket is there when this returns. One that runs on another setting is stopped gently; the next
    /// connection starts it on this one.
    ///
    /// # Errors
    /// When the socket cannot be made, or the service is still being dropped.
    pub fn service_set(&self, number: Number, role: &str, service: &Service) -> Result<(), SandboxError> {
        let key = key(number, role)?;
        if let Reach::Port(_) = service.reach {
            // Its network namespace is made here, where nobody waits for the state.
            let resolved = self.shared.house.resolve(number, &service.sandbox);
            resolved.map_err(|why| SandboxError::Machine {
                what: "finding a service's port",
                source: io::Error::other(why),
            })?;
        }
        let mut state = self.shared.lock();
        if state.services.get(&key).is_some_and(|slot| slot.leaving) {
            return Err(SandboxError::Ending(key.1));
        }
        Ok(self.shared.set(&mut state, &key, service)?)
    }

    /// Takes a service and its socket away. What the edge reaches is killed; what only the solution itself reaches, a
    /// database, is told to end and killed when its time is up. The end of one that stays is long work: a later look shows it.
    ///
    /// # Errors
    /// When it has not ended within one and a half seconds; it goes on ending.
    pub fn service_drop(&self, number: Number, role: &str) -> Result<(), SandboxError> {
        let key = key(number, role)?;
        let mut state = self.shared.lock();
        let stays = state.services.get(&key).is_some_and(|slot| slot.service.stays());
        self.shared
            .drop_service(&mut state, &key)
            .map_err(|source| SandboxError::Machine { what: "taking a socket away", source })?;
        if stays {
            return Ok(());
        }
        let gone = self.shared.wait_until(state, END_WAIT, |state| !state.services.contains_key(&key));
        self.shared.tidy(&self.shared.lock(), number);
        if gone { Ok(()) } else { Err(SandboxError::Ending(key.1)) }
    }

    /// Starts a task. The same one that already runs is left alone; one that failed runs again.
    ///
    /// # Errors
    /// When the solution is held, or another setting of the task still runs: that one is ended.
    pub fn task_start(&self, number: Number, task: &Task) -> Result<(), SandboxError> {
        self.task_start_with(number, task, Streamed::default())
    }

    /// As [`Sandboxes::task_start`], with something open for standard input in place of the task's own text, or for standard output.
    ///
    /// # Errors
    /// As [`Sandboxes::task_start`].
    pub fn task_start_with(&self, number: Number, task: &Task, streamed: Streamed) -> Result<(), SandboxError> {
        let key = key(number, &task.name)?;
        let mut state = self.shared.lock();
        if state.held.contains(&number) {
            return Err(SandboxError::Held(number));
        }
        match state.tasks.get(&key) {
            Some(slot) if !matches!(slot.phase, TaskPhase::Failed(_)) => {
                if slot.digest == task.digest() && !slot.forgotten {
                    return Ok(());
                }
                self.shared.forget_task(&mut state, &key);
                return Err(SandboxError::Ending(key.1));
            }
            _ => self.shared.enter_task(&mut state, &key, task, streamed),
        }
        Ok(())
    }

    /// Ends a task if it runs, and forgets how it ended.
    ///
    /// # Errors
    /// When it has not ended within one and a half seconds.
    pub fn task_forget(&self, number: Number, name: &str) -> Result<(), SandboxError> {
        let key = key(number, name)?;
        let mut state = self.shared.lock();
        self.shared.forget_task(&mut state, &key);
        let gone = self.shared.wait_until(state, END_WAIT, |state| !state.tasks.contains_key(&key));
        if gone { Ok(()) } else { Err(SandboxError::Ending(key.1)) }
    }

    /// A solution's services and tasks as they stand.
    #[must_use]
    pub fn sight(&self, number: Number) -> SandboxSight {
        let state = self.shared.lock();
        let services = state.services_of(number).map(|((_, role), slot)| {
            let failing = || ServiceState::Failing { reason: slot.reason.clone() };
            let state = match &slot.phase {
                _ if slot.leaving => ServiceState::Stopping,
                Phase::Paused => failing(),
                Phase::Sleeping | Phase::Queued if slot.failures >= FAILURES_SHOWN => failing(),
                Phase::Sleeping | Phase::Queued if slot.ears.is_none() => failing(),
                Phase::Sleeping | Phase::Queued => ServiceState::Sleeping,
                Phase::Starting(digest) if *digest != slot.digest => ServiceState::Renewing,
                Phase::Stopping(running) if running.digest != slot.digest => ServiceState::Renewing,
                Phase::Starting(_) | Phase::Running(_) => ServiceState::Running,
                Phase::Stopping(_) | Phase::Ending => ServiceState::Stopping,
            };
            let runtime = slot.service.sandbox.runtime.clone();
            let build = slot.running().map(|running| running.build.clone());
            let gone = slot.leaving && slot.service.stays();
            let digest = if gone { String::new() } else { slot.digest.clone() };
            (role.clone(), ServiceSight { digest, state, runtime, build })
        });
        let tasks = state.tasks_of(number).map(|((_, name), slot)| {
            let failed = match &slot.phase {
                TaskPhase::Failed(reason) => Some(reason.clone()),
                _ => None,
            };
            (name.clone(), TaskSight { digest: slot.digest.clone(), failed })
        });
        SandboxSight { services: services.collect(), tasks: tasks.collect() }
    }

    /// What the edge has open with a service now. Each call says that the service has just been used; while it is above zero,
    /// and said again at least once a minute, the service is not idle.
    pub fn note_activity(&self, number: Number, role: &str, in_flight: u32) {
        let mut state = self.shared.lock();
        if let Some(slot) = state.services.get_mut(&(number, role.to_owned())) {
            slot.in_flight = Some((in_flight, std::time::Instant::now()));
            if let Phase::Running(running) = &mut slot.phase {
                running.active = std::time::Instant::now();
            }
        }
    }

    /// Holds a solution, or lets it go: while it is held nothing of it starts, and who connects is turned away at once.
    pub fn hold(&self, number: Number, held: bool) {
        let mut state = self.shared.lock();
        if held {
            state.held.insert(number);
        } else {
            state.held.remove(&number);
            self.shared.listen_again(&mut state, number);
        }
    }

    /// Freezes everything of a solution at once, or lets it go on. While it is frozen nothing of it starts; who connects
    /// waits.
    ///
    /// # Errors
    /// When the kernel does not do it in time; the solution counts as frozen then, and nothing starts.
    pub fn freeze(&self, number: Number, frozen: bool) -> Result<(), SandboxError> {
        let mut state = self.shared.lock();
        if frozen {
            state.frozen.insert(number);
            // A start under way is let come to its end: crun itself would be frozen in the middle of it.
            let started = |state: &state::State| {
                state.services_of(number).all(|(_, slot)| !matches!(slot.phase, Phase::Starting(_)))
                    && state.tasks_of(number).all(|(_, task)| !matches!(task.phase, TaskPhase::Starting))
            };
            self.shared.wait_until(state, END_WAIT, started);
            let mut state = self.shared.lock();
            state.still.insert(number);
            self.shared.wait_until(state, ENTER_WAIT, |state| !state.entering.contains_key(&number));
            return Ok(self.shared.cgroups.freeze(number, true)?);
        }
        self.shared.cgroups.freeze(number, false)?;
        state.still.remove(&number);
        state.frozen.remove(&number);
        self.shared.listen_again(&mut state, number);
        self.shared.tidy(&state, number);
        Ok(())
    }

    /// Cuts a solution off, for a measure: holds it, freezes it so that nothing in it acts any more, kills what the edge
    /// reaches and its tasks, and has the rest end gently.
    ///
    /// # Errors
    /// When it could not be frozen or thawed; what is to be killed has been killed then all the same.
    pub fn cut(&self, number: Number) -> Result<(), SandboxError> {
        self.hold(number, true);
        let occupied = self.shared.lock().occupied(number);
        let frozen = occupied.then(|| self.freeze(number, true));
        let mut state = self.shared.lock();
        let running: Vec<(Key, Reach)> = state
            .services_of(number)
            .filter(|(_, slot)| slot.running().is_some())
            .map(|(key, slot)| (key.clone(), slot.service.reach))
            .collect();
        for (key, reach) in &running {
            self.shared.stop(&mut state, key, reach.ends_at_once());
        }
        let tasks: Vec<Key> = state.tasks_of(number).map(|(key, _)| key.clone()).collect();
        for key in tasks {
            self.shared.forget_task(&mut state, &key);
        }
        drop(state);
        match frozen {
            Some(Ok(())) => self.freeze(number, false),
            Some(Err(error)) => self.freeze(number, false).and(Err(error)),
            None => Ok(()),
        }
    }

    /// Runs a command inside a service's sandbox that runs, and waits for its end.
    ///
    /// # Errors
    /// When the service does not run, or the command could not be started.
    pub fn exec(&self, number: Number, role: &str, command: &Command) -> Result<Done, SandboxError> {
        self.shared.command(&key(number, role)?, command, true)
    }

    /// As [`Sandboxes::exec`], without counting as work: a service that is only asked how it is goes to sleep all the same.
    ///
    /// # Errors
    /// As [`Sandboxes::exec`].
    pub fn ask(&self, number: Number, role: &str, command: &Command) -> Result<Done, SandboxError> {
        self.shared.command(&key(number, role)?, command, false)
    }

    /// What each service of a solution that runs uses.
    #[must_use]
    pub fn usage(&self, number: Number) -> BTreeMap<Role, Usage> {
        let running: Vec<Role> = self
            .shared
            .lock()
            .services_of(number)
            .filter(|(_, slot)| slot.running().is_some())
            .map(|((_, role), _)| role.clone())
            .collect();
        running
            .into_iter()
            // One that ends at this moment has no usage any more.
            .filter_map(|role| Some((role.clone(), self.shared.cgroups.usage(number, &role).ok()?)))
            .collect()
    }

    /// First process of a service that runs.
    #[must_use]
    pub fn pid(&self, number: Number, role: &str) -> Option<u32> {
        let state = self.shared.lock();
        Some(state.services.get(&(number, role.to_owned()))?.running()?.process.pid())
    }

    /// Solutions that have a sandbox now.
    #[must_use]
    pub fn occupied(&self) -> Vec<Number> {
        let state = self.shared.lock();
        let mut numbers: Vec<Number> =
            state.services.keys().chain(state.tasks.keys()).map(|(number, _)| *number).collect();
        numbers.dedup();
        numbers.sort_unstable();
        numbers.dedup();
        numbers.retain(|number| state.occupied(*number));
        numbers
    }

    /// Places of the machine that sandboxes stand on or have bound, of all that there are.
    ///
    /// # Errors
    /// When a configuration could not be read: then nothing may be said to be unused.
    pub fn places(&self) -> io::Result<Vec<PathBuf>> {
        // What starts at this moment stands on the newest build, and that one is in nobody's way.
        bundle::places(&self.shared.ground.run.join("sandboxes"))
    }

    /// What was adopted and has not been set since. Absent is not gone: it goes on until somebody says otherwise.
    #[must_use]
    pub fn strays(&self) -> Vec<Stray> {
        let state = self.shared.lock();
        let strays = state.services.iter().filter(|(_, slot)| !slot.claimed);
        strays
            .map(|((number, role), slot)| Stray {
                number: *number,
                role: role.clone(),
                pid: slot.running().map(|running| running.process.pid()),
            })
            .collect()
    }
}

fn key(number: Number, name: &str) -> Result<Key, SandboxError> {
    let fine = (1..=32).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if fine { Ok((number, name.to_owned())) } else { Err(SandboxError::Name(name.to_owned())) }
}

/// Allows this process as many open files as it may allow itself, for it holds a socket for every service that sleeps; how
/// many that are.
fn raise_open_files() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        // It stays as it was where it is not allowed.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    }
    limit.maximum.unwrap_or(1 << 20)
}
