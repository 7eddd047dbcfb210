//! Services on demand: from the first connection to the last, and back to sleep.
//!
//! The node and the sandbox hold the same listening socket. While nothing runs, the node watches it; while something runs,
//! the node keeps it open and looks away. So a stop loses nothing: who connects meanwhile waits in the socket and wakes the
//! service again.

use super::bundle::{Bundle, BundleError, Record};
use super::cgroup::CgroupError;
use super::crun::{CrunError, Start};
use super::launch::LISTENER_FD;
use super::process::{self, Process};
use super::socket;
use super::state::{Chore, Key, Phase, Running, Shared, Slot, State, Tail, Target, Which, timespec};
use super::{Event, causes};
use husorden_base::Number;
use husorden_kinds::{Place, Reach, Sandbox, Service};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{CWD, FileType, Gid, Mode, OFlags, Uid, chown, fcntl_getfl, fcntl_setfl, mknodat};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Last words of a service that are kept.
const WORDS_BYTES_MAX: usize = 4 << 10;

/// A service that ends by itself sooner than this has failed to start.
const QUICK_DEATH: Duration = Duration::from_secs(5);

/// After so many failures in a row whoever connects is turned away at once instead of waiting through the pause.
const FAILURES_BEFORE_TURNING_AWAY: u32 = 3;

/// Pauses after one failure, two, and so on.
const PAUSES: [Duration; 5] = [
    Duration::from_millis(250),
    Duration::from_secs(1),
    Duration::from_secs(4),
    Duration::from_secs(16),
    Duration::from_secs(60),
];

/// A start counts among those at work until the service accepts its first connection, at most so long.
const START_MS_MAX: u64 = 3_000;

/// How often it is looked whether a starting service has accepted, and longest time between two looks at one that runs.
const ACCEPT_LOOK: Duration = Duration::from_millis(10);
const TICK_MAX: Duration = Duration::from_secs(2);

/// The edge says again and again what it has open; what it said longer ago than this was said by one that is gone.
const EDGE_WORD: Duration = Duration::from_secs(60);

/// Time between two looks at a service that was told to end.
const TELL_AGAIN: Duration = Duration::from_secs(1);

/// A service younger than this may not listen for signals yet.
const YOUNG: Duration = Duration::from_secs(10);

/// Less CPU time than this, in thousandths of the time that passed, is idling.
const IDLE_CPU_PERMILLE: u64 = 20;

/// Why a sandbox did not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LaunchError {
    #[error("finding its places: {0}")]
    Resolve(String),
    #[error("making its configuration")]
    Bundle(#[from] BundleError),
    #[error("making its cgroup")]
    Cgroup(#[from] CgroupError),
    #[error(transparent)]
    Crun(#[from] CrunError),
    #[error(transparent)]
    Socket(#[from] socket::SocketError),
    #[error("taking hold of it")]
    Hold(#[from] io::Error),
}

/// A sandbox's standard streams, and the socket it serves.
pub(crate) struct Streams<'a> {
    pub(crate) stdin: Stdio,
    pub(crate) stdout: Stdio,
    pub(crate) stderr: Stdio,
    pub(crate) listener: Option<BorrowedFd<'a>>,
}

impl Shared {
    pub(crate) fn bundle(&self, which: &Which) -> Bundle {
        Bundle::new(self.ground.run.join("sandboxes").join(which.id()))
    }

    /// Starts a sandbox: what services and tasks have in common. `streams` is asked when the bundle's folder is there.
    pub(crate) fn launch<'a>(
        &self,
        which: &Which,
        sandbox: &Sandbox,
        streams: impl FnOnce(&Bundle) -> io::Result<Streams<'a>>,
    ) -> Result<Process, LaunchError> {
        let (number, leaf, id) = (which.number(), which.leaf(), which.id());
        let resolved = self.house.resolve(number, sandbox).map_err(LaunchError::Resolve)?;
        if sandbox.binds.iter().any(|bind| bind.from == Place::Sockets) {
            socket::make_folder(&self.ground.sockets(number), self.ground.edge_gid)?;
        }
        let bundle = self.bundle(which);
        self.crun.delete(&id)?;
        self.cgroups.kill(number, &leaf)?;
        bundle.write(sandbox, number, &resolved, &self.cgroups.name(number, &leaf), self.machine)?;
        let streams = streams(&bundle)?;
        let cgroup = self.cgroups.name(number, &leaf);
        let pid = self.crun.run(Start {
            id: &id,
            cgroup: &cgroup,
            end: &|| {
                // What cannot be ended now is ended before the next start.
                let _ = self.cgroups.kill(number, &leaf);
            },
            bundle: bundle.folder(),
            pid_file: &bundle.pid_file(),
            log: &bundle.log(),
            stdin: streams.stdin,
            stdout: streams.stdout,
            stderr: streams.stderr,
            listener: streams.listener,
            join: self.cgroups.enter(number, &leaf)?,
        })?;
        Ok(Process::hold(pid)?)
    }

    /// Clears away what is left of a sandbox whose processes are gone, or ends them.
    pub(crate) fn clear(&self, which: &Which) {
        let (number, leaf) = (which.number(), which.leaf());
        let tried = [
            self.crun.delete(&which.id()).map_err(|error| causes(&error)),
            self.cgroups
                .kill(number, &leaf)
                .and_then(|()| self.cgroups.remove(number, &leaf))
                .map_err(|error| causes(&error)),
            self.bundle(which).remove().map_err(|error| causes(&error)),
        ];
        for error in tried.into_iter().filter_map(Result::err) {
            // The next start of the same sandbox, and the next node, try it again.
            tracing::warn!(sandbox = which.id(), error, "something of an ended sandbox stays");
        }
    }

    /// Watches a sleeping service's socket.
    pub(crate) fn arm(&self, state: &mut State, key: &Key) {
        let Some(slot) = state.services.get_mut(key) else { return };
        if slot.armed.is_some() {
            return;
        }
        let Some(listener) = slot.listener.take() else { return };
        let armed = self.watch(state, listener.as_fd(), Target::Listener(key.clone()));
        if let Err(error) = &armed {
            tracing::error!(number = %key.0, role = key.1, error = %error, "a service's socket cannot be watched");
        }
        if let Some(slot) = state.services.get_mut(key) {
            slot.armed = armed.ok();
            slot.listener = Some(listener);
        }
    }

    /// Watches the sockets of a solution's sleeping services again, after something kept it from starting.
    pub(crate) fn listen_again(&self, state: &mut State, number: Number) {
        let sleeping: Vec<Key> = state
            .services_of(number)
            .filter(|(_, slot)| matches!(slot.phase, Phase::Sleeping))
            .map(|(key, _)| key.clone())
            .collect();
        for key in sleeping {
            self.arm(state, &key);
        }
    }

    pub(crate) fn disarm(&self, state: &mut State, key: &Key) {
        let Some(slot) = state.services.get_mut(key) else { return };
        let Some(token) = slot.armed.take() else { return };
        if let Some(listener) = slot.listener.take() {
            self.unwatch(state, listener.as_fd(), token);
            if let Some(slot) = state.services.get_mut(key) {
                slot.listener = Some(listener);
            }
        }
    }

    /// Puts a service to sleep: from here on a connection wakes it.
    pub(crate) fn sleep(&self, state: &mut State, key: &Key) {
        let Some(slot) = state.services.get_mut(key) else { return };
        slot.phase = Phase::Sleeping;
        self.mend_listener(state, key);
        self.set_timer(state, &Which::Service(key.clone()), None);
        self.arm(state, key);
    }

    /// Puts a new socket in the place of one that lived in the sandbox only, or that the sandbox has shut.
    fn mend_listener(&self, state: &mut State, key: &Key) {
        if state.services.get(key).is_some_and(Slot::is_deaf) {
            self.disarm(state, key);
            if let Some(slot) = state.services.get_mut(key) {
                slot.listener = None;
            }
        }
        let edge_gid = self.ground.edge_gid;
        let Some(slot) = state.services.get_mut(key) else { return };
        if slot.listener.is_none() && !slot.leaving {
            let folder = self.ground.sockets(key.0);
            match socket::make_folder(&folder, edge_gid)
                .and_then(|()| socket::bind(&folder, &key.1, slot.service.reach, key.0.uid(), edge_gid))
            {
                Ok(listener) => slot.listener = Some(listener),
                Err(error) => slot.reason = causes(&error),
            }
        }
    }

    /// Somebody connects to a service that does not run.
    pub(crate) fn knock(&self, state: &mut State, key: &Key) {
        let (held, may_start) = (state.held.contains(&key.0) || state.closing, state.may_start(key.0));
        if state.services.get(key).is_some_and(Slot::is_deaf) {
            // Nobody knocks: the socket was shut, and would be seen as readable for ever.
            self.mend_listener(state, key);
            self.arm(state, key);
            return;
        }
        let Some(slot) = state.services.get_mut(key) else { return };
        let turned_away = held || matches!(slot.phase, Phase::Paused);
        if turned_away {
            if let Some(listener) = &slot.listener {
                socket::turn_away(listener.as_fd());
            }
            return;
        }
        if matches!(slot.phase, Phase::Sleeping) && may_start {
            slot.phase = Phase::Queued;
            slot.knocked = Instant::now();
            self.disarm(state, key);
            self.start_later(state, Which::Service(key.clone()));
        } else {
            // Frozen: who knocks waits until the thaw, which watches the socket again.
            self.disarm(state, key);
        }
    }

    /// A worker's part: starts the service, and returns when it has accepted its first connection.
    pub(crate) fn start_service(&self, key: &Key) {
        let mut state = self.lock();
        let may_start = state.may_start(key.0);
        let Some(slot) = state.services.get_mut(key) else { return };
        if !matches!(slot.phase, Phase::Queued) {
            return;
        }
        if !may_start || slot.leaving {
            self.sleep(&mut state, key);
            return;
        }
        slot.phase = Phase::Starting;
        let (service, digest) = (slot.service.clone(), slot.digest.clone());
        let listener = slot.listener.as_ref().map(OwnedFd::try_clone).transpose();
        drop(state);

        let launched = listener.map_err(LaunchError::from).and_then(|listener| {
            self.launch_service(key, &service, listener.as_ref()).map(|started| (started, listener))
        });
        match launched {
            Ok(((process, words), listener)) => {
                let pid = process.pid();
                self.started(key, process, words, digest);
                if let (Some(listener), Ok(process)) = (listener, Process::hold(pid)) {
                    wait_for_accept(&process, listener.as_fd());
                }
            }
            Err(error) => {
                let which = Which::Service(key.clone());
                self.clear(&which);
                let mut state = self.lock();
                self.failed(&mut state, key, causes(&error));
                self.tidy(&state, key.0);
                self.changed.notify_all();
            }
        }
    }

    fn launch_service(
        &self,
        key: &Key,
        service: &Service,
        listener: Option<&OwnedFd>,
    ) -> Result<(Process, File), LaunchError> {
        let which = Which::Service(key.clone());
        let mut ear = None;
        let mut record = Record {
            number: key.0,
            role: key.1.clone(),
            service: service.clone(),
            pid: 0,
            start_ticks: 0,
            boot: self.boot.clone(),
            socket: listener.map_or(0, socket::inode),
        };
        let process = self.launch(&which, &service.sandbox, |bundle| {
            let (mouth, reader) = speaking_tube(&bundle.words(), key.0.uid())?;
            ear = Some(reader);
            // Before the start, so that a node that dies in the middle of it leaves something to adopt.
            bundle.write_record(&record).map_err(io::Error::other)?;
            if let Some(listener) = listener {
                // An earlier run may have changed how the socket, which is the same one, behaves.
                fcntl_setfl(listener, fcntl_getfl(listener)? - OFlags::NONBLOCK)?;
            }
            Ok(Streams {
                stdin: Stdio::null(),
                stdout: mouth.try_clone()?.into(),
                stderr: mouth.into(),
                listener: listener.map(AsFd::as_fd),
            })
        });
        let process = process.map_err(|error| with_words(error, ear.as_mut()))?;
        record.pid = process.pid();
        record.start_ticks = process::start_ticks(process.pid()).unwrap_or(0);
        let ear = ear.ok_or_else(|| io::Error::from(io::ErrorKind::BrokenPipe))?;
        match self.bundle(&which).write_record(&record) {
            Ok(()) => Ok((process, ear)),
            Err(error) => {
                // Without its record a sandbox cannot be adopted, so it does not run.
                process.kill();
                process.reap();
                Err(error.into())
            }
        }
    }

    /// Enters a sandbox that has just been started.
    fn started(&self, key: &Key, process: Process, words: File, digest: String) {
        let mut state = self.lock();
        self.run(&mut state, key, process, Some(words), digest);
        let cold_ms = state.services.get(key).map_or(0, |slot| slot.knocked.elapsed().as_millis());
        let cold_ms = u64::try_from(cold_ms).unwrap_or(u64::MAX);
        self.tell(&mut state, Event::Started { number: key.0, role: key.1.clone(), cold_ms });
        let held = state.held.contains(&key.0) || state.closing;
        let Some(slot) = state.services.get(key) else { return };
        let changed = slot.running().is_some_and(|running| running.digest != slot.digest);
        if held || slot.leaving {
            // A database that has just been started has opened its files: it ends as one that ran.
            let at_once = slot.service.reach == Reach::Edge;
            self.stop(&mut state, key, at_once);
        } else if changed {
            self.stop(&mut state, key, false);
        }
        self.changed.notify_all();
    }

    /// A sandbox runs: watch it. Also for one that was adopted.
    pub(crate) fn run(&self, state: &mut State, key: &Key, process: Process, words: Option<File>, digest: String) {
        let which = Which::Service(key.clone());
        let token = match self.watch(state, process.fd(), Target::Exit(which.clone())) {
            Ok(token) => token,
            Err(error) => {
                // What cannot be watched must not run: its end would go unseen.
                tracing::error!(sandbox = which.id(), error = %error, "a sandbox cannot be watched and is ended");
                process.kill();
                0
            }
        };
        let now = Instant::now();
        let running = Running {
            token,
            digest,
            started: now,
            told: None,
            active: now,
            cpu: (self.cgroups.cpu_us(key.0, &key.1), now),
            oom_kills: self.cgroups.oom_kills(key.0, &key.1),
            words,
            tail: Tail::new(WORDS_BYTES_MAX),
            process,
        };
        if token == 0 {
            self.clean_later(state, Chore::Service(key.clone(), running, false));
            return;
        }
        let Some(slot) = state.services.get_mut(key) else { return };
        slot.phase = Phase::Running(running);
        let tick = tick(&slot.service);
        self.set_timer(state, &which, Some(tick));
    }

    /// Tells a running service to end, or ends it at once.
    pub(crate) fn stop(&self, state: &mut State, key: &Key, at_once: bool) {
        let Some(slot) = state.services.get_mut(key) else { return };
        let service = slot.service.clone();
        slot.phase = match std::mem::replace(&mut slot.phase, Phase::Ending) {
            Phase::Running(mut running) => {
                running.told = Some(Instant::now());
                if at_once {
                    running.process.kill();
                } else {
                    running.process.signal(service.stop_signal);
                }
                slot.phase = Phase::Stopping(running);
                // What was killed needs no deadline, but it costs nothing either.
                let after = Duration::from_secs(service.stop_s.into()).min(TELL_AGAIN);
                self.set_timer(state, &Which::Service(key.clone()), Some(after));
                return;
            }
            Phase::Stopping(running) => {
                if at_once {
                    running.process.kill();
                }
                Phase::Stopping(running)
            }
            other => other,
        };
    }

    /// A service's timer has gone off.
    pub(crate) fn service_timer(&self, state: &mut State, key: &Key) {
        let frozen = state.frozen.contains(&key.0);
        let busy_neighbours = self.neighbours_busy(state, key);
        let which = Which::Service(key.clone());
        let Some(slot) = state.services.get_mut(key) else { return };
        let next = tick(&slot.service);
        match &mut slot.phase {
            Phase::Running(_) | Phase::Stopping(_) if frozen => {
                // What stands still is neither idle nor late.
                self.set_timer(state, &which, Some(next));
            }
            Phase::Running(running) => {
                let kills = self.look_at(key, running);
                if running.started.elapsed() > QUICK_DEATH {
                    slot.failures = 0;
                }
                let idle = Duration::from_secs(slot.service.idle_stop_s.into());
                if self.is_active(key, slot, busy_neighbours) {
                    if let Phase::Running(running) = &mut slot.phase {
                        running.active = Instant::now();
                    }
                    self.set_timer(state, &which, Some(next));
                } else if slot.running().is_some_and(|running| running.active.elapsed() >= idle) {
                    self.stop(state, key, false);
                } else {
                    self.set_timer(state, &which, Some(next));
                }
                if kills > 0 {
                    self.tell(state, Event::OutOfMemory { number: key.0, role: key.1.clone(), kills });
                }
            }
            Phase::Stopping(running) => {
                let told = running.told.unwrap_or(running.started);
                let left = Duration::from_secs(slot.service.stop_s.into()).saturating_sub(told.elapsed());
                if left.is_zero() {
                    return running.process.kill();
                }
                // The first process of a sandbox does not hear a signal before it listens for it: what was told so young is
                // told again.
                if told.duration_since(running.started) < YOUNG {
                    running.process.signal(slot.service.stop_signal);
                }
                self.set_timer(state, &which, Some(left.min(TELL_AGAIN)));
            }
            Phase::Paused => self.sleep(state, key),
            Phase::Sleeping | Phase::Queued | Phase::Starting | Phase::Ending => {}
        }
    }

    /// Hears what a service said, and counts what the kernel killed in it since the last time.
    fn look_at(&self, key: &Key, running: &mut Running) -> u64 {
        if let Some(words) = &mut running.words {
            running.tail.fill(words);
        }
        let kills = self.cgroups.oom_kills(key.0, &key.1);
        kills.saturating_sub(std::mem::replace(&mut running.oom_kills, kills))
    }

    /// Whether a service has worked since the last look. The edge counts what it asks of a service; what the edge does not
    /// see is at work while its CPU time grows or somebody who may use it runs.
    fn is_active(&self, key: &Key, slot: &mut Slot, busy_neighbours: bool) -> bool {
        let counted = slot.in_flight.is_some() && slot.service.reach == Reach::Edge;
        let waiting = slot.listener.as_ref().is_some_and(|listener| socket::knocked(listener.as_fd()));
        let open = slot.in_flight.is_some_and(|(count, said)| count > 0 && said.elapsed() < EDGE_WORD);
        let asked = open || slot.commands > 0 || waiting;
        let (reach, now) = (slot.service.reach, Instant::now());
        let Phase::Running(running) = &mut slot.phase else { return false };
        let cpu_us = self.cgroups.cpu_us(key.0, &key.1);
        let (before_us, before) = std::mem::replace(&mut running.cpu, (cpu_us, now));
        let passed_us = u64::try_from(now.duration_since(before).as_micros()).unwrap_or(u64::MAX);
        let computes =
            cpu_us.saturating_sub(before_us).saturating_mul(1_000) > passed_us.saturating_mul(IDLE_CPU_PERMILLE);
        asked || (computes && !counted) || (reach == Reach::Own && busy_neighbours)
    }

    /// Whether something of the solution runs that may use its own services.
    fn neighbours_busy(&self, state: &State, key: &Key) -> bool {
        state.services_of(key.0).any(|(_, slot)| {
            slot.service.reach == Reach::Edge && !matches!(slot.phase, Phase::Sleeping | Phase::Paused)
        }) || state.tasks_of(key.0).any(|(_, task)| !matches!(task.phase, super::state::TaskPhase::Failed(_)))
    }

    /// The first process of a service has ended: have it cleaned up.
    pub(crate) fn service_ended(&self, state: &mut State, key: &Key) {
        let Some(slot) = state.services.get_mut(key) else { return };
        let expected = matches!(slot.phase, Phase::Stopping(_));
        match std::mem::replace(&mut slot.phase, Phase::Ending) {
            Phase::Running(running) | Phase::Stopping(running) => {
                self.unwatch(state, running.process.fd(), running.token);
                self.set_timer(state, &Which::Service(key.clone()), None);
                self.clean_later(state, Chore::Service(key.clone(), running, expected));
            }
            other => slot.phase = other,
        }
    }

    /// A cleaner's part: puts away a sandbox that has ended, and lets the service sleep, pause or go.
    pub(crate) fn clean_service(&self, key: &Key, mut running: Running, expected: bool) {
        let exit = running.process.reap();
        let kills = self.look_at(key, &mut running);
        self.clear(&Which::Service(key.clone()));
        let mut state = self.lock();
        let words = running.tail.text();
        self.tell(
            &mut state,
            Event::Ended {
                number: key.0,
                role: key.1.clone(),
                exit,
                expected,
                out_of_memory: kills > 0,
                words: words.clone(),
            },
        );
        let Some(slot) = state.services.get(key) else { return };
        if slot.leaving {
            state.services.remove(key);
        } else if !expected && running.started.elapsed() < QUICK_DEATH {
            let why = if kills > 0 { "it used more memory than it may" } else { "it ended at once" };
            self.failed(&mut state, key, format!("{why} ({exit}): {words}"));
        } else {
            if let Some(slot) = state.services.get_mut(key) {
                slot.failures = 0;
            }
            self.sleep(&mut state, key);
        }
        self.tidy(&state, key.0);
        self.changed.notify_all();
    }

    /// A service did not start, or died at once: it is tried again after a pause.
    fn failed(&self, state: &mut State, key: &Key, reason: String) {
        let Some(slot) = state.services.get_mut(key) else { return };
        tracing::warn!(number = %key.0, role = key.1, reason, "a service does not start");
        if slot.leaving {
            state.services.remove(key);
            return;
        }
        slot.reason = reason;
        slot.failures = slot.failures.saturating_add(1);
        let turn_away = slot.failures >= FAILURES_BEFORE_TURNING_AWAY;
        let pause = PAUSES[(slot.failures as usize - 1).min(PAUSES.len() - 1)];
        // A listener that is missing is made here too.
        self.sleep(state, key);
        if let Some(slot) = state.services.get_mut(key) {
            slot.phase = Phase::Paused;
        }
        if !turn_away {
            self.disarm(state, key);
        }
        self.set_timer(state, &Which::Service(key.clone()), Some(pause));
    }

    /// Sets a service; see [`super::Sandboxes::service_set`].
    pub(crate) fn set(&self, state: &mut State, key: &Key, service: &Service) -> Result<(), socket::SocketError> {
        let folder = self.ground.sockets(key.0);
        socket::make_folder(&folder, self.ground.edge_gid)?;
        let digest = service.digest();
        if let Some(slot) = state.services.get_mut(key) {
            slot.claimed = true;
            if !socket::path(&folder, &key.1).exists() {
                // Somebody took the name away: a new socket is made as soon as nothing serves on the old one.
                return self.renew(state, key, service, digest);
            }
            if slot.digest == digest {
                return Ok(());
            }
            socket::dress(&folder, &key.1, service.reach, key.0.uid(), self.ground.edge_gid)?;
            slot.service = Arc::new(service.clone());
            slot.digest.clone_from(&digest);
            slot.failures = 0;
            match &slot.phase {
                Phase::Paused => self.sleep(state, key),
                Phase::Running(running) if running.digest != digest => self.stop(state, key, false),
                _ => {}
            }
            return Ok(());
        }
        let listener = socket::bind(&folder, &key.1, service.reach, key.0.uid(), self.ground.edge_gid)?;
        state.services.insert(key.clone(), Slot::new(Arc::new(service.clone()), Some(listener), true));
        self.arm(state, key);
        Ok(())
    }

    /// Sets a service whose socket has lost its name.
    fn renew(
        &self,
        state: &mut State,
        key: &Key,
        service: &Service,
        digest: String,
    ) -> Result<(), socket::SocketError> {
        self.disarm(state, key);
        let Some(slot) = state.services.get_mut(key) else { return Ok(()) };
        slot.service = Arc::new(service.clone());
        slot.digest = digest;
        slot.listener = None;
        match slot.phase {
            Phase::Sleeping | Phase::Paused | Phase::Queued => self.sleep(state, key),
            _ => self.stop(state, key, false),
        }
        Ok(())
    }

    /// Takes a service away; what still runs of it goes at once, or, where only the solution's own sandboxes use it, gently.
    pub(crate) fn drop_service(&self, state: &mut State, key: &Key) -> io::Result<()> {
        let folder = self.ground.sockets(key.0);
        socket::unlink(&folder, &key.1)?;
        self.disarm(state, key);
        let Some(slot) = state.services.get_mut(key) else { return Ok(()) };
        slot.listener = None;
        slot.leaving = true;
        let at_once = slot.service.reach == Reach::Edge;
        if slot.resting() {
            self.set_timer(state, &Which::Service(key.clone()), None);
            state.services.remove(key);
        } else {
            self.stop(state, key, at_once);
        }
        if state.services_of(key.0).next().is_none() {
            // Another may be set at any moment, which makes the folder again; one that is not empty stays.
            let _ = std::fs::remove_dir(folder);
        }
        Ok(())
    }

    /// The listener of a sandbox that an earlier node started, out of the sandbox itself, so that nobody who waits is lost.
    pub(crate) fn take_listener(&self, process: &Process, inode: u64) -> Option<OwnedFd> {
        let listener = process.descriptor(LISTENER_FD).ok()?;
        (socket::inode(&listener) == inode).then_some(listener)
    }
}

/// How often a running service is looked at.
fn tick(service: &Service) -> Duration {
    (Duration::from_secs(service.idle_stop_s.into()) / 4).clamp(Duration::from_millis(100), TICK_MAX)
}

/// Waits until nobody waits on the socket any more, the service has ended, or the time is up.
fn wait_for_accept(process: &Process, listener: BorrowedFd<'_>) {
    let deadline = Instant::now() + Duration::from_millis(START_MS_MAX);
    while Instant::now() < deadline && socket::knocked(listener) {
        let ended = poll(&mut [PollFd::from_borrowed_fd(process.fd(), PollFlags::IN)], Some(&timespec(ACCEPT_LOOK)));
        if ended.is_ok_and(|ready| ready > 0) {
            return;
        }
    }
}

/// A named pipe for what a service says, as (its end, ours). It outlives this node; while nobody listens, and when more is
/// said than is heard, words are lost and the speaker is not held up.
fn speaking_tube(path: &Path, uid: u32) -> io::Result<(File, File)> {
    mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o600), 0)?;
    chown(path, Some(Uid::from_raw(uid)), Some(Gid::from_raw(uid)))?;
    let mouth =
        File::options().read(true).write(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(path)?;
    Ok((mouth, open_ear(path)?))
}

/// The node's end of a [`speaking_tube`].
pub(crate) fn open_ear(path: &Path) -> io::Result<File> {
    File::options().read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(path)
}

/// What crun wrote to the service's standard error belongs to the reason.
fn with_words(error: LaunchError, ear: Option<&mut File>) -> LaunchError {
    let mut tail = Tail::new(WORDS_BYTES_MAX);
    if let Some(ear) = ear {
        tail.fill(ear);
    }
    match error {
        LaunchError::Crun(CrunError::Failed { verb, said }) if !tail.text().is_empty() => {
            LaunchError::Crun(CrunError::Failed { verb, said: format!("{said}; {}", tail.text()) })
        }
        other => other,
    }
}
