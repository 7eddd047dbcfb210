//! The table in memory: from a host name to its site in one look-up, changed in place.
//!
//! A change costs the same with ten sites and ten thousand. What a request found stays valid until it ends; a site that
//! closes cuts what was found before (see [`crate::life`]).

use crate::counts::Tally;
use crate::life::Streams;
use husorden_base::SolutionId;
use husorden_base::site::{Site, Standing, ToEdge};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock};

/// One site as the edge holds it. Replaced, never changed.
#[derive(Debug)]
pub(crate) struct SiteState {
    pub(crate) site: Site,
    /// What is open of it.
    pub(crate) streams: Arc<Streams>,
    /// What it did; outlives changes of the site.
    pub(crate) tally: Arc<Tally>,
}

impl SiteState {
    pub(crate) fn is_open(&self) -> bool {
        self.site.standing == Standing::Open
    }
}

/// What came of a message from the node.
#[derive(Debug)]
pub(crate) enum Change {
    /// In force for new requests; these streams were closed and are on their way out.
    Done { generation: u64, closed: Vec<Arc<Streams>> },
    /// Older than what is held: refused.
    Older { held: u64, offered: u64 },
    /// Does not follow on what is held: the whole table is needed.
    Gap { held: u64, offered: u64 },
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Table {
    inner: RwLock<Inner>,
    generation: AtomicU64,
}

#[derive(Debug, Default)]
struct Inner {
    hosts: HashMap<Box<str>, Arc<SiteState>>,
    sites: HashMap<SolutionId, Arc<SiteState>>,
}

impl Table {
    /// The generation held, 0 for none.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Relaxed)
    }

    /// The site that answers to a host name in lower case.
    pub(crate) fn find(&self, host: &str) -> Option<Arc<SiteState>> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner).hosts.get(host).cloned()
    }

    /// Applies one message. Only one task calls this, so the generation cannot move under it.
    pub(crate) fn apply(&self, message: ToEdge) -> Change {
        let held = self.generation();
        match message {
            ToEdge::Table { generation, sites } => {
                if generation < held {
                    return Change::Older { held, offered: generation };
                }
                let closed = self.replace(sites);
                self.generation.store(generation, Relaxed);
                Change::Done { generation, closed }
            }
            ToEdge::Set { generation, site } => {
                if let Some(refused) = out_of_step(held, generation) {
                    return refused;
                }
                let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
                let closed = inner.set(*site);
                drop(inner);
                self.generation.store(generation, Relaxed);
                Change::Done { generation, closed: closed.into_iter().collect() }
            }
            ToEdge::Drop { generation, solution } => {
                if let Some(refused) = out_of_step(held, generation) {
                    return refused;
                }
                let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
                let gone = inner.remove(solution);
                drop(inner);
                self.generation.store(generation, Relaxed);
                let closed = gone.map(|state| close(&state)).into_iter().collect();
                Change::Done { generation, closed }
            }
        }
    }

    /// Every site, for the copy on disk.
    pub(crate) fn sites(&self) -> Vec<Arc<SiteState>> {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        inner.sites.values().cloned().collect()
    }

    fn replace(&self, sites: Vec<Site>) -> Vec<Arc<Streams>> {
        // The new table is built beside the old one, so that requests wait for no more than the exchange.
        let mut fresh = Inner::default();
        let mut closed = Vec::new();
        let mut old = {
            let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
            inner.sites.clone()
        };
        for site in sites {
            let before = old.remove(&site.solution);
            let (state, was_closed) = succeed(before.as_deref(), site);
            closed.extend(was_closed);
            fresh.insert(Arc::new(state));
        }
        std::mem::swap(&mut *self.inner.write().unwrap_or_else(PoisonError::into_inner), &mut fresh);
        for streams in &closed {
            streams.close();
        }
        closed.extend(old.values().map(|state| close(state)));
        closed
    }
}

impl Inner {
    fn set(&mut self, site: Site) -> Option<Arc<Streams>> {
        let before = self.remove(site.solution);
        let (state, closed) = succeed(before.as_deref(), site);
        self.insert(Arc::new(state));
        // The new form stands before the old streams are told, so that none of them can look and find the old one.
        if let Some(streams) = &closed {
            streams.close();
        }
        closed
    }

    fn insert(&mut self, state: Arc<SiteState>) {
        for domain in &state.site.domains {
            self.hosts.insert(domain.as_str().into(), Arc::clone(&state));
        }
        self.sites.insert(state.site.solution, state);
    }

    fn remove(&mut self, solution: SolutionId) -> Option<Arc<SiteState>> {
        let state = self.sites.remove(&solution)?;
        for domain in &state.site.domains {
            // A name that moved to another site meanwhile stays with that one.
            if self.hosts.get(domain.as_str()).is_some_and(|held| held.site.solution == solution) {
                self.hosts.remove(domain.as_str());
            }
        }
        Some(state)
    }
}

fn out_of_step(held: u64, offered: u64) -> Option<Change> {
    if offered <= held {
        Some(Change::Older { held, offered })
    } else if offered > held + 1 || held == 0 {
        Some(Change::Gap { held, offered })
    } else {
        None
    }
}

fn close(state: &SiteState) -> Arc<Streams> {
    state.streams.close();
    Arc::clone(&state.streams)
}

/// The form of a site that follows another, and the streams that its coming closes.
fn succeed(before: Option<&SiteState>, site: Site) -> (SiteState, Option<Arc<Streams>>) {
    let tally = match before {
        Some(before) if before.site.number == site.number => Arc::clone(&before.tally),
        _ => Tally::new(site.number),
    };
    let stays_open = site.standing == Standing::Open;
    let (streams, closed) = match before {
        Some(before) if before.is_open() && stays_open => (Arc::clone(&before.streams), None),
        Some(before) if before.is_open() => (Arc::default(), Some(Arc::clone(&before.streams))),
        _ => (Arc::default(), None),
    };
    (SiteState { site, streams, tally }, closed)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::life::{Life, Verdict};
    use husorden_base::Number;
    use husorden_base::site::Handler;

    pub(crate) fn site(number: u32, domains: &[&str]) -> Site {
        Site {
            solution: SolutionId::new(),
            number: Number::new(number).expect("a number"),
            domains: domains.iter().map(|d| d.parse().expect("a domain")).collect(),
            root: "/nowhere".into(),
            handler: Handler::Static,
            standing: Standing::Open,
            certificate: None,
            https_only: false,
            body_bytes_max: 1 << 20,
        }
    }

    fn done(change: Change) -> usize {
        match change {
            Change::Done { closed, .. } => closed.len(),
            other => panic!("expected Done, got {other:?}"),
        }
    }

    #[test]
    fn changes_follow_on_each_other_and_older_ones_are_refused() {
        let table = Table::default();
        let (a, b) = (site(1, &["a.example"]), site(2, &["b.example"]));
        assert!(matches!(
            table.apply(ToEdge::Set { generation: 1, site: Box::new(a.clone()) }),
            Change::Gap { held: 0, offered: 1 }
        ));
        done(table.apply(ToEdge::Table { generation: 5, sites: vec![a.clone(), b] }));
        assert!(matches!(
            table.apply(ToEdge::Table { generation: 4, sites: Vec::new() }),
            Change::Older { held: 5, offered: 4 }
        ));
        assert!(matches!(
            table.apply(ToEdge::Drop { generation: 7, solution: a.solution }),
            Change::Gap { held: 5, offered: 7 }
        ));
        done(table.apply(ToEdge::Drop { generation: 6, solution: a.solution }));
        assert!(table.find("a.example").is_none());
        assert!(table.find("b.example").is_some());
        assert_eq!(table.generation(), 6);
    }

    #[test]
    fn a_closing_site_cuts_its_own_streams_and_no_others() {
        let table = Table::default();
        let (mut a, b) = (site(1, &["a.example"]), site(2, &["b.example"]));
        done(table.apply(ToEdge::Table { generation: 1, sites: vec![a.clone(), b] }));
        let (of_a, of_b) = (Life::new(), Life::new());
        let found = table.find("a.example").expect("a");
        let member = found.streams.join(&of_a).expect("open");
        let _other = table.find("b.example").expect("b").streams.join(&of_b).expect("open");

        a.domains.push("www.a.example".parse().expect("a domain"));
        assert_eq!(done(table.apply(ToEdge::Set { generation: 2, site: Box::new(a.clone()) })), 0);
        assert_eq!(of_a.verdict(), Verdict::Live, "a change that keeps it open cuts nothing");

        a.standing = Standing::Closed { case: "2026-1".to_owned() };
        assert_eq!(done(table.apply(ToEdge::Set { generation: 3, site: Box::new(a.clone()) })), 1);
        assert_eq!(of_a.verdict(), Verdict::Cut);
        assert_eq!(of_b.verdict(), Verdict::Live);
        assert!(found.streams.join(&Life::new()).is_none(), "the old form takes no more");
        drop(member);

        a.standing = Standing::Open;
        done(table.apply(ToEdge::Set { generation: 4, site: Box::new(a) }));
        let again = table.find("www.a.example").expect("a");
        assert!(again.streams.join(&Life::new()).is_some(), "lifted");
    }

    #[test]
    fn a_name_that_moved_stays_with_its_new_site() {
        let table = Table::default();
        let (a, b) = (site(1, &["shop.example"]), site(2, &["shop.example"]));
        done(table.apply(ToEdge::Table { generation: 1, sites: vec![a.clone()] }));
        done(table.apply(ToEdge::Set { generation: 2, site: Box::new(b.clone()) }));
        done(table.apply(ToEdge::Drop { generation: 3, solution: a.solution }));
        assert_eq!(table.find("shop.example").expect("b").site.solution, b.solution);
    }
}
