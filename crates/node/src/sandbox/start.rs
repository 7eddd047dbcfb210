//! Starting a sandbox, and a service's way from the first knock to its first accepted connection.

use super::Resolved;
use super::bundle::{self, Bundle, BundleError, Record};
use super::cgroup::CgroupError;
use super::crun::{CrunError, Start};
use super::ears::Ears;
use super::process::{self, Process};
use super::running::tick;
use super::socket;
use super::state::{Chore, Key, Phase, Running, Shared, State, Tail, Target, Which, timespec};
use super::{Event, causes};
use husorden_kinds::{Fill, Live, Place, Sandbox, Service};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{CWD, FileType, Gid, Mode, OFlags, Uid, chown, mknodat};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// Last words of a service that are kept.
const WORDS_BYTES_MAX: usize = 4 << 10;

/// A start counts among those at work until the service accepts its first connection, at most so long.
const START_MS_MAX: u64 = 3_000;

/// How often it is looked whether a starting service has accepted.
const ACCEPT_LOOK: Duration = Duration::from_millis(10);

/// Why a sandbox did not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LaunchError {
    #[error("finding its places: {0}")]
    Resolve(String),
    #[error("the solution stands still")]
    Still,
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

/// A sandbox's standard streams, and the sockets it serves.
pub(crate) struct Streams<'a> {
    /// Standard input, output and error.
    pub(crate) streams: [OwnedFd; 3],
    pub(crate) ears: Option<&'a Ears>,
}

impl Shared {
    pub(crate) fn bundle(&self, which: &Which) -> Bundle {
        Bundle::new(self.ground.run.join("sandboxes").join(which.id()))
    }

    /// Starts a sandbox: what services and tasks have in common; with the build that it stands on. `streams` is asked when the bundle's folder is there.
    pub(crate) fn launch<'a>(
        &self,
        which: &Which,
        sandbox: &Sandbox,
        live: &Live,
        streams: impl FnOnce(&Bundle) -> io::Result<Streams<'a>>,
    ) -> Result<(Process, String), LaunchError> {
        let resolved = self.house.resolve(which.number(), sandbox).map_err(LaunchError::Resolve)?;
        self.launch_at(which, sandbox, live, &resolved, streams)
    }

    /// As [`Shared::launch`], with its places found already.
    pub(crate) fn launch_at<'a>(
        &self,
        which: &Which,
        sandbox: &Sandbox,
        live: &Live,
        resolved: &Resolved,
        streams: impl FnOnce(&Bundle) -> io::Result<Streams<'a>>,
    ) -> Result<(Process, String), LaunchError> {
        self.cgroups.expect_moves();
        let (number, leaf, id) = (which.number(), which.leaf(), which.id());
        if sandbox.binds.iter().any(|bind| bind.from == Place::Sockets) {
            socket::make_folder(&self.ground.sockets(number), self.ground.edge_gid)?;
        }
        let bundle = self.bundle(which);
        self.crun.delete(&id)?;
        self.cgroups.kill(number, &leaf)?;
        bundle.write(sandbox, live, number, resolved, &self.cgroups.name(number, &leaf), self.machine)?;
        let streams = streams(&bundle)?;
        let cgroup = self.cgroups.name(number, &leaf);
        let entering = match which {
            Which::Service(_) | Which::Task(_) => Some(self.enter(number).ok_or(LaunchError::Still)?),
            // It does not stand still with the solution.
            Which::Aside(_) => None,
        };
        let pid = self.crun.run(Start {
            entering,
            id: &id,
            cgroup: &cgroup,
            end: &|| {
                // What cannot be ended now is ended before the next start.
                let _ = self.cgroups.kill(number, &leaf);
            },
            bundle: bundle.folder(),
            pid_file: &bundle.pid_file(),
            log: &bundle.log(),
            streams: streams.streams,
            listeners: streams.ears.map(|ears| ears.each().collect()).unwrap_or_default(),
            cgroup_folder: self.cgroups.folder(number, &leaf)?,
        })?;
        Ok((Process::hold(pid)?, bundle::build(&resolved.root)))
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

    /// A worker's part: starts the service, and returns when it has accepted its first connection.
    pub(crate) fn start_service(&self, key: &Key) {
        let mut state = self.lock();
        let (may_start, fill) = (state.may_start(key.0), state.fill(key.0));
        let Some(slot) = state.services.get_mut(key) else { return };
        if !matches!(slot.phase, Phase::Queued) {
            return;
        }
        if !may_start || slot.leaving {
            self.rest(&mut state, key);
            return;
        }
        let (service, digest) = (slot.service.clone(), slot.digest.clone());
        slot.phase = Phase::Starting(digest.clone());
        let live = service.live_at(fill);
        let ears = slot.ears.as_ref().map(Ears::try_clone).transpose();
        drop(state);

        let waited = ears.as_ref().is_ok_and(|ears| ears.as_ref().is_some_and(Ears::knocked));
        let launched = ears
            .map_err(LaunchError::from)
            .and_then(|ears| self.launch_service(key, &service, &live, ears.as_ref()).map(|started| (started, ears)));
        match launched {
            Ok(((process, build, words), ears)) => {
                let pid = process.pid();
                self.started(key, process, words, (digest, build), fill, waited);
                if let (Some(ears), Ok(process)) = (ears, Process::hold(pid)) {
                    let accepted = wait_for_accept(&process, &ears);
                    let mut state = self.lock();
                    let slot = state.services.get_mut(key).map(|slot| &mut slot.phase);
                    if let Some(Phase::Running(running) | Phase::Stopping(running)) = slot
                        && running.process.pid() == pid
                    {
                        running.served |= waited && accepted;
                    }
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
        live: &Live,
        ears: Option<&Ears>,
    ) -> Result<(Process, String, File), LaunchError> {
        let which = Which::Service(key.clone());
        let mut ear = None;
        let mut record = Record {
            number: key.0,
            role: key.1.clone(),
            service: service.clone(),
            pid: 0,
            start_ticks: 0,
            boot: self.boot.clone(),
            sockets: ears.map(Ears::inodes).unwrap_or_default(),
        };
        let process = self.launch(&which, &service.sandbox, live, |bundle| {
            let (mouth, reader) = speaking_tube(&bundle.words(), key.0.uid())?;
            ear = Some(reader);
            // Before the start, so that a node that dies in the middle of it leaves something to adopt.
            bundle.write_record(&record).map_err(io::Error::other)?;
            if let Some(ears) = ears {
                ears.block()?;
            }
            Ok(Streams { streams: [File::open("/dev/null")?.into(), mouth.try_clone()?.into(), mouth.into()], ears })
        });
        let (process, build) = process.map_err(|error| with_words(error, ear.as_mut()))?;
        record.pid = process.pid();
        record.start_ticks = process::start_ticks(process.pid()).unwrap_or(0);
        let ear = ear.ok_or_else(|| io::Error::from(io::ErrorKind::BrokenPipe))?;
        match self.bundle(&which).write_record(&record) {
            Ok(()) => Ok((process, build, ear)),
            Err(error) => {
                // Without its record a sandbox cannot be adopted, so it does not run.
                process.kill();
                process.reap();
                Err(error.into())
            }
        }
    }

    /// Enters a sandbox that has just been started.
    fn started(&self, key: &Key, process: Process, words: File, as_what: (String, String), fill: Fill, waited: bool) {
        let mut state = self.lock();
        self.run(&mut state, key, process, Some(words), as_what);
        if let Some(Phase::Running(running)) = state.services.get_mut(key).map(|slot| &mut slot.phase) {
            (running.fill, running.waited) = (Some(fill), waited);
        }
        let cold_ms = state.services.get(key).map_or(0, |slot| slot.knocked.elapsed().as_millis());
        let cold_ms = u64::try_from(cold_ms).unwrap_or(u64::MAX);
        self.tell(&mut state, Event::Started { number: key.0, role: key.1.clone(), cold_ms });
        let held = state.held.contains(&key.0) || state.closing;
        let Some(slot) = state.services.get(key) else { return };
        if held || slot.leaving {
            // A database that has just been started has opened its files: it ends as one that ran.
            let at_once = slot.service.reach.ends_at_once();
            self.stop(&mut state, key, at_once);
        } else {
            self.bring(&mut state, key);
        }
        self.changed.notify_all();
    }

    /// A sandbox runs, as a service with this digest and on this build: watch it. Also for one that was adopted.
    pub(crate) fn run(
        &self,
        state: &mut State,
        key: &Key,
        process: Process,
        words: Option<File>,
        (digest, build): (String, String),
    ) {
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
            build,
            started: now,
            told: None,
            active: now,
            waited: false,
            served: false,
            fill: None,
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
}

/// Waits until nobody waits on the socket any more, the service has ended, or the time is up. Whether it was the first.
fn wait_for_accept(process: &Process, ears: &Ears) -> bool {
    let deadline = Instant::now() + Duration::from_millis(START_MS_MAX);
    while Instant::now() < deadline && ears.knocked() {
        let ended = poll(&mut [PollFd::from_borrowed_fd(process.fd(), PollFlags::IN)], Some(&timespec(ACCEPT_LOOK)));
        if ended.is_ok_and(|ready| ready > 0) {
            break;
        }
    }
    !ears.knocked()
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
