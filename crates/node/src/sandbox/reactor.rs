//! The wall's threads: one that watches, a few that start sandboxes, and a few that put them away.

use super::state::{Chore, Shared, State, Target, WAKE, Which, timespec};
use rustix::buffer::spare_capacity;
use rustix::event::epoll;
use std::io;
use std::sync::{Arc, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

/// Threads that put ended sandboxes away. More than one, so that a slow end holds up nobody else's.
const CLEANERS: usize = 2;

/// Events taken from the kernel at a time.
const EVENTS_AT_ONCE: usize = 256;

/// Starts the threads; `starts_max` sandboxes start at the same time.
pub(crate) fn spawn(shared: &Arc<Shared>, starts_max: usize) -> io::Result<Vec<JoinHandle<()>>> {
    let thread = |name: &str, body: fn(&Shared)| {
        let shared = Arc::clone(shared);
        Builder::new().name(name.to_owned()).spawn(move || body(&shared))
    };
    let mut threads = vec![thread("sandbox-watch", watch)?];
    for _ in 0..starts_max {
        threads.push(thread("sandbox-start", start)?);
    }
    for _ in 0..CLEANERS {
        threads.push(thread("sandbox-clean", clean)?);
    }
    Ok(threads)
}

fn watch(shared: &Shared) {
    let mut events = Vec::with_capacity(EVENTS_AT_ONCE);
    loop {
        let state = shared.lock();
        if state.quit {
            return;
        }
        let timeout = state.timers.first().map(|(at, _)| at.saturating_duration_since(Instant::now()));
        drop(state);
        // A millisecond more, so that a timer is not found a moment too early and asked for again.
        let timeout = timeout.map(|left| timespec(left + Duration::from_millis(1)));
        events.clear();
        if let Err(error) = epoll::wait(&shared.epoll, spare_capacity(&mut events), timeout.as_ref())
            && error != rustix::io::Errno::INTR
        {
            tracing::error!(%error, "sandboxes cannot be watched");
            std::thread::sleep(Duration::from_secs(1));
        }
        let mut state = shared.lock();
        for event in &events {
            let token = event.data.u64();
            if token == WAKE {
                // Only that it was written to counts.
                let _ = rustix::io::read(&shared.wake, &mut [0; 8]);
            }
            happened(shared, &mut state, token);
        }
        due(shared, &mut state);
        let told = std::mem::take(&mut state.events);
        drop(state);
        for event in told {
            shared.house.event(event);
        }
    }
}

fn happened(shared: &Shared, state: &mut State, token: u64) {
    // What is no longer watched has been dealt with since the kernel spoke.
    match state.targets.get(&token).cloned() {
        Some(Target::Listener(key)) => shared.knock(state, &key),
        Some(Target::Exit(Which::Service(key))) => shared.service_ended(state, &key),
        Some(Target::Exit(Which::Task(key))) => shared.task_ended(state, &key),
        Some(Target::Output(key)) => shared.task_output(state, &key),
        // Whoever holds work of the platform's own waits for it by itself.
        Some(Target::Exit(Which::Aside(_))) | None => {}
    }
}

fn due(shared: &Shared, state: &mut State) {
    let now = Instant::now();
    while let Some((at, which)) = state.timers.first().cloned() {
        if at > now {
            return;
        }
        state.timers.pop_first();
        match &which {
            Which::Service(key) => {
                if let Some(slot) = state.services.get_mut(key) {
                    slot.timer = None;
                }
                shared.service_timer(state, key);
            }
            Which::Task(key) => {
                if let Some(slot) = state.tasks.get_mut(key) {
                    slot.timer = None;
                }
                shared.task_timer(state, key);
            }
            Which::Aside(_) => {}
        }
    }
}

fn start(shared: &Shared) {
    let mut state = shared.lock();
    loop {
        if state.quit {
            return;
        }
        match state.starts.pop_front() {
            Some(which) => {
                drop(state);
                match &which {
                    Which::Service(key) => shared.start_service(key),
                    Which::Task(key) => shared.start_task(key),
                    Which::Aside(_) => {}
                }
                state = shared.lock();
            }
            None => state = shared.to_start.wait(state).unwrap_or_else(PoisonError::into_inner),
        }
    }
}

fn clean(shared: &Shared) {
    let mut state = shared.lock();
    loop {
        match state.chores.pop_front() {
            Some(chore) => {
                drop(state);
                match chore {
                    Chore::Service(key, running, expected) => shared.clean_service(&key, running, expected),
                    Chore::Task(key, run) => shared.clean_task(&key, run),
                }
                state = shared.lock();
            }
            // What has ended is put away before the thread goes.
            None if state.quit => return,
            None => state = shared.to_clean.wait(state).unwrap_or_else(PoisonError::into_inner),
        }
    }
}
