//! The life of a connection or of one HTTP/2 stream: who may end it, and how it learns of it.
//!
//! Each has a [`Life`] that others hold too: its site's [`Streams`], which cut it when the site closes, and its worker's
//! sweep, which ends it when the client is too slow. Whoever wants it ended leaves a verdict and wakes the task; the task
//! looks at the verdict before it does anything else. So a stream that is blocked on a client that reads nothing is cut as
//! fast as one that runs.

use crate::clock;
use futures_util::task::AtomicWaker;
use std::collections::HashMap;
use std::sync::atomic::{
    AtomicBool, AtomicU8, AtomicU32, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use tokio::sync::Notify;

/// What is to become of a connection or stream. A later verdict may only be harder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    /// Go on.
    Live = 0,
    /// Finish the answers that run, then close.
    Finish = 1,
    /// End now: the client is too slow, or the drain took too long.
    End = 2,
    /// End now and take back what was not sent: the site was closed.
    Cut = 3,
}

/// What a connection is doing, for the sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Between requests.
    Idle = 0,
    /// In the middle of a request's header.
    Head = 1,
    /// Answering.
    Busy = 2,
    /// A stream whose answer has something to send and waits for the client to take it.
    Sending = 3,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Life {
    verdict: AtomicU8,
    waker: AtomicWaker,
    phase: AtomicU8,
    since_ms: AtomicU64,
    write_blocked_ms: AtomicU64,
    /// When bytes last went either way.
    moved_ms: AtomicU64,
    finish_ms: AtomicU64,
    streams: AtomicU32,
    /// An HTTP/2 connection: what is heard between requests need not be one.
    pub(crate) multiplexed: AtomicBool,
    /// Set when an answer was given before the request body was read, so that closing waits for the client to see it.
    pub(crate) unread: AtomicBool,
}

impl Life {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            verdict: AtomicU8::new(0),
            waker: AtomicWaker::new(),
            phase: AtomicU8::new(Phase::Idle as u8),
            since_ms: AtomicU64::new(clock::now_ms()),
            write_blocked_ms: AtomicU64::new(0),
            moved_ms: AtomicU64::new(0),
            finish_ms: AtomicU64::new(0),
            streams: AtomicU32::new(0),
            multiplexed: AtomicBool::new(false),
            unread: AtomicBool::new(false),
        })
    }

    /// The task that is to be woken by a verdict.
    pub(crate) fn register(&self, waker: &Waker) {
        self.waker.register(waker);
    }

    pub(crate) fn verdict(&self) -> Verdict {
        match self.verdict.load(Acquire) {
            0 => Verdict::Live,
            1 => Verdict::Finish,
            2 => Verdict::End,
            _ => Verdict::Cut,
        }
    }

    /// Leaves a verdict and wakes the task.
    pub(crate) fn judge(&self, verdict: Verdict) {
        if self.verdict.fetch_max(verdict as u8, Release) < verdict as u8 {
            if verdict == Verdict::Finish {
                self.finish_ms.store(clock::now_ms().max(1), Relaxed);
            }
            self.waker.wake();
        }
    }

    /// Takes a cut back where there is nothing to cut: the connection stays, and its next request finds the site closed. A
    /// drain that has begun goes on.
    pub(crate) fn pardon(&self) {
        let before = if self.finish_ms.load(Relaxed) == 0 { Verdict::Live } else { Verdict::Finish };
        // Whoever judged otherwise meanwhile is right.
        let _ = self.verdict.compare_exchange(Verdict::Cut as u8, before as u8, Acquire, Relaxed);
    }

    fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Relaxed);
        self.since_ms.store(clock::now_ms(), Relaxed);
    }

    /// Bytes came from the client.
    pub(crate) fn heard(&self) {
        self.moved_ms.store(clock::now_ms(), Relaxed);
        if self.phase.load(Relaxed) == Phase::Idle as u8 && !self.multiplexed.load(Relaxed) {
            self.enter(Phase::Head);
        }
    }

    /// A request is complete up to its header.
    pub(crate) fn request(&self) {
        self.streams.fetch_add(1, Relaxed);
        self.enter(Phase::Busy);
    }

    /// Whether nothing is being answered, and the client has taken what was.
    pub(crate) fn is_rested(&self) -> bool {
        self.streams.load(Relaxed) == 0 && self.write_blocked_ms.load(Relaxed) == 0
    }

    /// Its answer is over.
    pub(crate) fn answered(&self) {
        if self.streams.fetch_sub(1, Relaxed) == 1 {
            self.enter(Phase::Idle);
        }
    }

    /// The stream handed out a piece of its answer.
    pub(crate) fn sending(&self) {
        self.enter(Phase::Sending);
    }

    /// The stream waits for its site, not for the client.
    pub(crate) fn waiting(&self) {
        self.phase.store(Phase::Busy as u8, Relaxed);
    }

    /// The socket took nothing, or something again.
    pub(crate) fn write_blocked(&self, blocked: bool) {
        if !blocked {
            self.moved_ms.store(clock::now_ms(), Relaxed);
            if self.write_blocked_ms.load(Relaxed) != 0 {
                self.write_blocked_ms.store(0, Relaxed);
            }
        } else if self.write_blocked_ms.load(Relaxed) == 0 {
            self.write_blocked_ms.store(clock::now_ms().max(1), Relaxed);
        }
    }

    /// The sweep's look at it.
    pub(crate) fn sweep(&self, now_ms: u64, patience: &Patience) {
        let age = |moment: u64| now_ms.saturating_sub(moment);
        let blocked = self.write_blocked_ms.load(Relaxed);
        if blocked != 0 && age(blocked) > patience.write_stall_ms {
            return self.judge(Verdict::End);
        }
        let finish = self.finish_ms.load(Relaxed);
        let since = age(self.since_ms.load(Relaxed));
        let phase = self.phase.load(Relaxed);
        if phase == Phase::Head as u8 && since > patience.header_ms {
            self.judge(Verdict::End);
        } else if phase == Phase::Idle as u8 && since > patience.keep_alive_ms {
            self.judge(Verdict::Finish);
        } else if phase == Phase::Sending as u8 && since > patience.write_stall_ms {
            self.judge(Verdict::End);
        }
        // After its goodbye a connection has what it may still take: time for the last bytes, and not for ever.
        if finish != 0 && self.streams.load(Relaxed) == 0 && blocked == 0 {
            let quiet = age(finish.max(self.moved_ms.load(Relaxed)));
            if quiet > patience.header_ms || age(finish) > patience.header_ms + patience.write_stall_ms {
                self.judge(Verdict::End);
            }
        }
    }
}

/// How long the sweep waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    pub(crate) header_ms: u64,
    pub(crate) keep_alive_ms: u64,
    pub(crate) write_stall_ms: u64,
}

/// What is open of one site while it is served. Shared by the successive forms of the site as long as it stays open; once
/// closed it stays closed, and a site that opens again gets a new one.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    open: Mutex<Open>,
    emptied: Notify,
}

#[derive(Debug, Default)]
struct Open {
    closed: bool,
    next: u64,
    lives: HashMap<u64, Arc<Life>>,
}

impl Streams {
    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Joins a connection or stream to the site; `None` when the site has closed meanwhile.
    pub(crate) fn join(self: &Arc<Self>, life: &Arc<Life>) -> Option<Member> {
        let mut open = self.lock();
        if open.closed {
            return None;
        }
        let key = open.next;
        open.next += 1;
        open.lives.insert(key, Arc::clone(life));
        Some(Member { streams: Arc::clone(self), key })
    }

    /// Closes the site: nothing joins any more, and what is open is cut.
    pub(crate) fn close(&self) {
        let mut open = self.lock();
        open.closed = true;
        for life in open.lives.values() {
            life.judge(Verdict::Cut);
        }
    }

    /// Waits until everything that was open is gone.
    pub(crate) async fn gone(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.lock().lives.is_empty() {
                return;
            }
            emptied.await;
        }
    }
}

/// A connection's or stream's place among its site's; dropped when it ends.
#[derive(Debug)]
pub(crate) struct Member {
    streams: Arc<Streams>,
    key: u64,
}

impl Member {
    /// Whether it is a place among these.
    pub(crate) fn of(&self, streams: &Arc<Streams>) -> bool {
        Arc::ptr_eq(&self.streams, streams)
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let mut open = self.streams.lock();
        open.lives.remove(&self.key);
        if open.closed && open.lives.is_empty() {
            self.streams.emptied.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn closing_cuts_what_is_open_and_lets_nothing_join() {
        let streams = Arc::new(Streams::default());
        let life = Life::new();
        let member = streams.join(&life).expect("open");
        streams.close();
        assert_eq!(life.verdict(), Verdict::Cut);
        assert!(streams.join(&Life::new()).is_none());
        let waiting = tokio::spawn({
            let streams = Arc::clone(&streams);
            async move { streams.gone().await }
        });
        drop(member);
        waiting.await.expect("gone once the last member is");
    }

    #[test]
    fn the_sweep_ends_the_slow_and_spares_the_busy() {
        let patience = Patience { header_ms: 10, keep_alive_ms: 100, write_stall_ms: 50 };
        let check = |prepare: &dyn Fn(&Life), after_ms: u64, expected: Verdict| {
            let life = Life::new();
            prepare(&life);
            life.sweep(clock::now_ms() + after_ms, &patience);
            assert_eq!(life.verdict(), expected, "after {after_ms} ms");
        };
        check(&|_| (), 90, Verdict::Live);
        check(&|_| (), 120, Verdict::Finish);
        check(&|life| life.heard(), 5, Verdict::Live);
        check(&|life| life.heard(), 20, Verdict::End);
        check(
            &|life| {
                life.heard();
                life.request();
            },
            1_000_000,
            Verdict::Live,
        );
        check(
            &|life| {
                life.request();
                life.write_blocked(true);
            },
            60,
            Verdict::End,
        );
        check(
            &|life| {
                life.request();
                life.write_blocked(true);
                life.write_blocked(false);
            },
            60,
            Verdict::Live,
        );
        check(
            &|life| {
                life.request();
                life.sending();
            },
            60,
            Verdict::End,
        );
        check(
            &|life| {
                life.request();
                life.sending();
                life.waiting();
            },
            60,
            Verdict::Live,
        );
    }
}
