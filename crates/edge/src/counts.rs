//! What each site did, counted as it happens and told to the node about once a second.

use husorden_base::Number;
use husorden_base::site::Counts;
use std::sync::atomic::{
    AtomicBool, AtomicU32, AtomicU64,
    Ordering::{AcqRel, Relaxed},
};
use std::sync::{Arc, Mutex, PoisonError};

/// The running counts of one site.
#[derive(Debug)]
pub(crate) struct Tally {
    number: Number,
    listed: AtomicBool,
    requests: AtomicU64,
    dynamic: AtomicU64,
    errors: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    in_flight: AtomicU32,
}

impl Tally {
    pub(crate) fn new(number: Number) -> Arc<Self> {
        Arc::new(Self {
            number,
            listed: AtomicBool::new(false),
            requests: AtomicU64::new(0),
            dynamic: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            bytes_in: AtomicU64::new(0),
            bytes_out: AtomicU64::new(0),
            in_flight: AtomicU32::new(0),
        })
    }

    fn take(&self) -> Counts {
        Counts {
            number: self.number.get(),
            requests: self.requests.swap(0, Relaxed),
            dynamic: self.dynamic.swap(0, Relaxed),
            errors: self.errors.swap(0, Relaxed),
            bytes_in: self.bytes_in.swap(0, Relaxed),
            bytes_out: self.bytes_out.swap(0, Relaxed),
            in_flight: self.in_flight.load(Relaxed),
        }
    }
}

/// The sites that did something since the last report.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    active: Mutex<Vec<Arc<Tally>>>,
}

impl Ledger {
    fn list(&self, tally: &Arc<Tally>) {
        if !tally.listed.load(Relaxed) && !tally.listed.swap(true, AcqRel) {
            let mut active = self.active.lock().unwrap_or_else(PoisonError::into_inner);
            active.push(Arc::clone(tally));
        }
    }

    /// One request was answered.
    pub(crate) fn answered(&self, tally: &Arc<Tally>, status: u16, bytes_in: u64, bytes_out: u64) {
        tally.requests.fetch_add(1, Relaxed);
        tally.bytes_out.fetch_add(bytes_out, Relaxed);
        if bytes_in > 0 {
            tally.bytes_in.fetch_add(bytes_in, Relaxed);
        }
        if status >= 500 {
            tally.errors.fetch_add(1, Relaxed);
        }
        self.list(tally);
    }

    /// A request goes to the sandbox; `None` when the site has `max` there already.
    pub(crate) fn enter(self: &Arc<Self>, tally: &Arc<Tally>, max: u32) -> Option<InFlight> {
        if tally.in_flight.fetch_add(1, AcqRel) >= max {
            tally.in_flight.fetch_sub(1, AcqRel);
            return None;
        }
        tally.dynamic.fetch_add(1, Relaxed);
        self.list(tally);
        Some(InFlight { ledger: Arc::clone(self), tally: Arc::clone(tally) })
    }

    /// Takes what was counted. A site with requests in flight stays listed, so that the node keeps hearing of it and
    /// hears once more when the last one ends.
    pub(crate) fn take(&self) -> Vec<Counts> {
        let mut active = self.active.lock().unwrap_or_else(PoisonError::into_inner);
        let mut report = Vec::with_capacity(active.len());
        active.retain(|tally| {
            // Unlisted before it is read: what is counted from here on lists it again.
            tally.listed.store(false, Relaxed);
            let counts = tally.take();
            let stays = counts.in_flight > 0 && !tally.listed.swap(true, AcqRel);
            report.push(counts);
            stays
        });
        report
    }
}

/// A request that is at the sandbox.
#[derive(Debug)]
pub(crate) struct InFlight {
    ledger: Arc<Ledger>,
    tally: Arc<Tally>,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.tally.in_flight.fetch_sub(1, AcqRel);
        self.ledger.list(&self.tally);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_is_reported_while_it_works_and_once_when_it_rests() {
        let ledger = Arc::new(Ledger::default());
        let tally = Tally::new(Number::new(9).expect("9"));
        assert!(ledger.take().is_empty());
        let first = ledger.enter(&tally, 1).expect("room for one");
        assert!(ledger.enter(&tally, 1).is_none(), "and no more");
        for _ in 0..2 {
            let report = ledger.take();
            assert_eq!(report.len(), 1);
            assert_eq!(report[0].in_flight, 1);
        }
        drop(first);
        ledger.answered(&tally, 500, 3, 4);
        let report = ledger.take();
        assert_eq!((report[0].requests, report[0].errors, report[0].in_flight), (1, 1, 0));
        assert_eq!((report[0].bytes_in, report[0].bytes_out), (3, 4));
        assert!(ledger.take().is_empty());
    }
}
