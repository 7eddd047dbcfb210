//! Tasks: what runs once, leaves a mark when it succeeds, and its last words when it does not.

use super::process::{Exit, Process};
use super::start::{LaunchError, Streams};
use super::state::{Chore, Key, Shared, State, Streamed, Tail, Target, TaskPhase, TaskRun, TaskSlot, Which};
use super::{Event, causes};
use husorden_kinds::{Live, Task};
use rustix::fs::{MemfdFlags, OFlags, fcntl_getfl, fcntl_setfl, memfd_create};
use std::fs::File;
use std::io::{self, Seek, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

/// Pauses before a launch that failed is tried again. That a sandbox did not start says nothing of the task, and a task that failed
/// is not tried again by itself.
const LAUNCH_AGAIN: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(1)];

/// What is kept of a task's output.
const OUTPUT_BYTES_MAX: usize = 16 << 10;

impl Shared {
    /// Enters a task that is to run.
    pub(crate) fn enter_task(&self, state: &mut State, key: &Key, task: &Task, streamed: Streamed) {
        state.tasks.insert(
            key.clone(),
            TaskSlot {
                digest: task.digest(),
                streamed,
                task: Arc::new(task.clone()),
                phase: TaskPhase::Queued,
                tail: Tail::new(OUTPUT_BYTES_MAX),
                timed_out: false,
                forgotten: false,
                timer: None,
            },
        );
        self.start_later(state, Which::Task(key.clone()));
    }

    /// A worker's part: starts the task.
    pub(crate) fn start_task(&self, key: &Key) {
        let which = Which::Task(key.clone());
        let mut state = self.lock();
        let may_start = state.may_start(key.0);
        let Some(slot) = state.tasks.get_mut(key) else { return };
        if !matches!(slot.phase, TaskPhase::Queued) {
            return;
        }
        if slot.forgotten || !may_start {
            // The next pass asks for it again if it is still wanted.
            state.tasks.remove(key);
            self.changed.notify_all();
            return;
        }
        slot.phase = TaskPhase::Starting;
        let (task, streamed) = (slot.task.clone(), std::mem::take(&mut slot.streamed));
        drop(state);

        let mut launched = self.launch_task(&which, &task, &streamed);
        for pause in LAUNCH_AGAIN {
            let Err(error @ LaunchError::Crun(_)) = &launched else { break };
            tracing::warn!(sandbox = which.id(), error = causes(error), "a task did not start and is started again");
            self.clear(&which);
            std::thread::sleep(pause);
            launched = self.launch_task(&which, &task, &streamed);
        }
        match launched {
            Ok((process, output)) => {
                let mut state = self.lock();
                let watched = self.watch(&mut state, process.fd(), Target::Exit(which.clone())).and_then(|token| {
                    Ok((token, self.watch(&mut state, output.as_fd(), Target::Output(key.clone()))?))
                });
                let stopped = state.held.contains(&key.0) || state.closing;
                let Some(slot) = state.tasks.get_mut(key) else { return };
                if watched.is_err() || slot.forgotten || stopped {
                    slot.forgotten |= stopped;
                    process.kill();
                }
                let (token, output_token) = watched.unwrap_or((0, 0));
                let run = TaskRun { process, token, output, output_token };
                if token == 0 {
                    slot.phase = TaskPhase::Ending;
                    self.clean_later(&mut state, Chore::Task(key.clone(), run));
                } else {
                    slot.phase = TaskPhase::Running(run);
                    self.set_timer(&mut state, &which, Some(Duration::from_secs(task.limit_s.into())));
                }
            }
            Err(error) => {
                self.clear(&which);
                self.end_task(key, Err(format!("it did not start: {}", causes(&error))));
            }
        }
    }

    /// Launches a task's sandbox; with its first process, what it says.
    fn launch_task(&self, which: &Which, task: &Task, streamed: &Streamed) -> Result<(Process, File), LaunchError> {
        let mut output = None;
        let (process, _) = self.launch(which, &task.sandbox, &Live::default(), |_| {
            let (reader, writer) = io::pipe()?;
            let reader = File::from(OwnedFd::from(reader));
            fcntl_setfl(&reader, fcntl_getfl(&reader)? | OFlags::NONBLOCK)?;
            output = Some(reader);
            Ok(Streams {
                streams: [
                    match &streamed.stdin {
                        Some(open) => open.try_clone()?,
                        None => held_in_memory(&task.stdin)?.into(),
                    },
                    match &streamed.stdout {
                        Some(open) => open.try_clone()?,
                        None => writer.try_clone()?.into(),
                    },
                    writer.into(),
                ],
                ears: None,
            })
        })?;
        let output = output.ok_or_else(|| io::Error::from(io::ErrorKind::BrokenPipe))?;
        Ok((process, output))
    }

    /// A task says something.
    pub(crate) fn task_output(&self, state: &mut State, key: &Key) {
        let Some(slot) = state.tasks.get_mut(key) else { return };
        if let TaskPhase::Running(run) = &mut slot.phase
            && !slot.tail.fill(&mut run.output)
        {
            // It closed its output; its end is seen elsewhere.
            let (token, fd) = (run.output_token, run.output.try_clone());
            if let Ok(fd) = fd {
                self.unwatch(state, fd.as_fd(), token);
            }
        }
    }

    /// A task has run too long.
    pub(crate) fn task_timer(&self, state: &mut State, key: &Key) {
        let Some(slot) = state.tasks.get_mut(key) else { return };
        if let TaskPhase::Running(run) = &slot.phase {
            slot.timed_out = true;
            run.process.kill();
        }
    }

    /// The first process of a task has ended: have it cleaned up.
    pub(crate) fn task_ended(&self, state: &mut State, key: &Key) {
        let Some(slot) = state.tasks.get_mut(key) else { return };
        match std::mem::replace(&mut slot.phase, TaskPhase::Ending) {
            TaskPhase::Running(run) => {
                self.unwatch(state, run.process.fd(), run.token);
                self.unwatch(state, run.output.as_fd(), run.output_token);
                self.set_timer(state, &Which::Task(key.clone()), None);
                self.clean_later(state, Chore::Task(key.clone(), run));
            }
            other => slot.phase = other,
        }
    }

    /// A cleaner's part: puts away a task that has ended, and has its mark left if it succeeded.
    pub(crate) fn clean_task(&self, key: &Key, mut run: TaskRun) {
        let which = Which::Task(key.clone());
        let exit = run.process.reap();
        let kills = self.cgroups.oom_kills(key.0, &which.leaf());
        self.clear(&which);
        let mut state = self.lock();
        let Some(slot) = state.tasks.get_mut(key) else { return };
        while slot.tail.fill(&mut run.output) && has_more(&run.output) {}
        let (task, forgotten) = (slot.task.clone(), slot.forgotten);
        let why = match exit {
            _ if slot.timed_out => Some(format!("it took longer than {} seconds", task.limit_s)),
            _ if kills > 0 => Some(format!("it used more memory than it may ({exit})")),
            Exit::Code(0) => None,
            exit => Some(exit.to_string()),
        };
        let said = slot.tail.text();
        drop(state);
        let outcome = match why {
            Some(why) if said.is_empty() => Err(why),
            Some(why) => Err(format!("{why}: {said}")),
            None if forgotten => Ok(()),
            None => self.house.marks(key.0, &task).map_err(|error| format!("its mark could not be left: {error}")),
        };
        self.end_task(key, outcome);
    }

    fn end_task(&self, key: &Key, outcome: Result<(), String>) {
        let mut state = self.lock();
        let Some(slot) = state.tasks.get_mut(key) else { return };
        let failed = outcome.err();
        match &failed {
            Some(reason) if !slot.forgotten => slot.phase = TaskPhase::Failed(reason.clone()),
            _ => drop(state.tasks.remove(key)),
        }
        self.tell(&mut state, Event::TaskEnded { number: key.0, name: key.1.clone(), failed });
        self.tidy(&state, key.0);
        self.changed.notify_all();
    }

    /// Ends a task, and what it did is not wanted.
    pub(crate) fn forget_task(&self, state: &mut State, key: &Key) {
        let Some(slot) = state.tasks.get_mut(key) else { return };
        match &slot.phase {
            TaskPhase::Failed(_) | TaskPhase::Queued => drop(state.tasks.remove(key)),
            phase => {
                if let TaskPhase::Running(run) = phase {
                    run.process.kill();
                }
                slot.forgotten = true;
            }
        }
    }
}

/// A file that is nowhere but in memory, for what may be confidential.
pub(crate) fn held_in_memory(text: &str) -> io::Result<File> {
    let mut file = File::from(memfd_create("stdin", MemfdFlags::CLOEXEC)?);
    file.write_all(text.as_bytes())?;
    file.rewind()?;
    Ok(file)
}

fn has_more(pipe: &File) -> bool {
    rustix::io::ioctl_fionread(pipe).is_ok_and(|count| count > 0)
}
