//! What the edge is told: the table of sites, kept current on every edge that is connected.
//!
//! The node listens; edges connect (normally one). A change is a line to each; `wait_applied` returns when every edge that is
//! connected has said that the change is in force.

use crate::Ground;
use crate::ca::Ca;
use crate::certificates::{self, Certificates, Reader};
use crate::register::{self, Register};
use husorden_base::site::{Certificate, Counts, FromEdge, Site, Standing, ToEdge};
use husorden_base::{Domain, Number, SolutionId};
use husorden_kinds::Route;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tracing::{info, warn};

/// Lines an edge may be behind before its connection is dropped; it comes back and takes the whole table.
const EDGE_LINES_MAX: usize = 100_000;

/// Longest line an edge may send, in bytes.
const EDGE_LINE_BYTES_MAX: u64 = 1 << 20;

struct Edge {
    lines: Sender<Arc<str>>,
    stream: UnixStream,
    waiting: Arc<std::sync::atomic::AtomicUsize>,
    applied: u64,
}

#[derive(Default)]
struct State {
    generation: u64,
    sites: BTreeMap<Number, Site>,
    /// What the sites are made from, as the register is to keep it.
    routes: BTreeMap<Number, Route>,
    edges: BTreeMap<u64, Edge>,
    next_edge: u64,
}

/// The edge's table, as this node keeps it.
pub(crate) struct Routes {
    ground: Ground,
    certificates: Arc<Certificates>,
    register: Arc<Register>,
    state: Mutex<State>,
    applied: Condvar,
    /// Held while the register keeps a route.
    keeping: Mutex<()>,
}

/// How a route could not be set.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The register.
    #[error(transparent)]
    Register(#[from] register::Error),
    /// A certificate.
    #[error(transparent)]
    Certificate(#[from] certificates::Error),
    /// The socket.
    #[error("listening for edges on {path}")]
    Socket {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl Routes {
    /// Loads what was routed before; what a measure holds is closed from the first line an edge reads.
    ///
    /// # Errors
    /// When the register or the authority can't be read.
    pub(crate) fn open(
        ground: &Ground,
        certificates: Arc<Certificates>,
        register: Arc<Register>,
    ) -> Result<Self, Error> {
        let generation = register.boot_generation()?;
        let routes = Self {
            ground: ground.clone(),
            certificates,
            register: Arc::clone(&register),
            state: Mutex::new(State { generation, ..State::default() }),
            applied: Condvar::new(),
            keeping: Mutex::default(),
        };
        let now = jiff::Timestamp::now();
        for (number, mut route) in register.routes() {
            routes.lock().routes.insert(number, route.clone());
            let Some(wish) = register.owner(number).and_then(|solution| register.wish(solution)) else {
                continue;
            };
            if let Some(held) = register.held(wish.solution, wish.account, now) {
                route.standing = Standing::Closed { case: held.case_number };
            }
            match routes.site(wish.solution, number, &route) {
                Ok(site) => drop(routes.lock().sites.insert(number, site)),
                // One site without its certificate is no reason to serve none; its next pass sets it again.
                Err(error) => warn!(%number, %error, "a route could not be restored"),
            }
        }
        Ok(routes)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets one site's route and tells the edges. Returns the generation to wait for.
    ///
    /// # Errors
    /// When it can't be kept or certified.
    pub(crate) fn set(&self, solution: SolutionId, number: Number, route: &Route) -> Result<u64, Error> {
        let mut site = self.site(solution, number, route)?;
        let mut route = route.clone();
        // The plan may be older than a measure. Under the lock either the measure is seen here, or it closes what is set here.
        let mut state = self.lock();
        if let Some(wish) = self.register.wish(solution)
            && let Some(held) = self.register.held(solution, wish.account, jiff::Timestamp::now())
        {
            route.standing = Standing::Closed { case: held.case_number };
            site.standing = route.standing.clone();
        }
        state.routes.insert(number, route);
        if state.sites.get(&number) != Some(&site) {
            state.generation += 1;
            let line = ToEdge::Set { generation: state.generation, site: Box::new(site.clone()) };
            state.sites.insert(number, site);
            state.tell(&line);
        }
        let generation = state.generation;
        drop(state);
        self.keep(number)?;
        Ok(generation)
    }

    /// Has the register keep a route as it stands now. Not under the lock that the edge's lines are written under: who closes a
    /// site must not wait for the disk. Each writes the newest there is, so that the last one written is the last one said.
    fn keep(&self, number: Number) -> Result<(), register::Error> {
        let _keeping = self.keeping.lock().unwrap_or_else(PoisonError::into_inner);
        let route = self.lock().routes.get(&number).cloned();
        self.register.keep_route(number, route.as_ref())
    }

    /// Closes routes that are set, at once. Returns the generation to wait for.
    ///
    /// # Errors
    /// When one can't be kept; those before it are closed.
    pub(crate) fn close(&self, numbers: &[Number], case: &str) -> Result<u64, Error> {
        let mut generation = self.lock().generation;
        let mut closed = Vec::with_capacity(numbers.len());
        for number in numbers {
            {
                let mut state = self.lock();
                let Some(site) = state.sites.get_mut(number) else {
                    continue;
                };
                site.standing = Standing::Closed { case: case.to_owned() };
                let site = Box::new(site.clone());
                if let Some(route) = state.routes.get_mut(number) {
                    route.standing = site.standing.clone();
                }
                state.generation += 1;
                generation = state.generation;
                state.tell(&ToEdge::Set { generation, site });
            }
            closed.push(*number);
        }
        // The edge has it; the register is told after, so that the first refused answer does not wait for the disk.
        for number in closed {
            self.keep(number)?;
        }
        Ok(generation)
    }

    /// The edge forgets a site.
    ///
    /// # Errors
    /// When it can't be kept.
    pub(crate) fn drop_route(&self, solution: SolutionId, number: Number) -> Result<u64, Error> {
        let mut state = self.lock();
        state.routes.remove(&number);
        if state.sites.remove(&number).is_some() {
            state.generation += 1;
            let line = ToEdge::Drop { generation: state.generation, solution };
            state.tell(&line);
        }
        let generation = state.generation;
        drop(state);
        self.keep(number)?;
        Ok(generation)
    }

    /// Makes certificates anew that are within a third of their end, and tells the edge. For the clock, once a day.
    pub(crate) fn renew(&self) {
        for (number, route) in self.register.routes() {
            let Some(solution) = self.register.owner(number) else { continue };
            if let Err(error) = self.set(solution, number, &route) {
                warn!(%number, %error, "a certificate could not be renewed");
            }
        }
    }

    /// Digest of the route that is set.
    #[must_use]
    pub(crate) fn digest(&self, number: Number) -> Option<String> {
        self.register.route(number).map(|route| route.digest())
    }

    /// Waits until every connected edge has applied a generation. False when none is connected or the time is up.
    pub(crate) fn wait_applied(&self, generation: u64, time_max: Duration) -> bool {
        let end = Instant::now() + time_max;
        let mut state = self.lock();
        loop {
            if !state.edges.is_empty() && state.edges.values().all(|edge| edge.applied >= generation) {
                return true;
            }
            let Some(left) = end.checked_duration_since(Instant::now()) else {
                return false;
            };
            state = self.applied.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The lowest generation that a connected edge has applied; none when no edge is connected.
    #[must_use]
    pub(crate) fn applied(&self) -> Option<u64> {
        self.lock().edges.values().map(|edge| edge.applied).min()
    }

    fn site(&self, solution: SolutionId, number: Number, route: &Route) -> Result<Site, Error> {
        let folder =
            self.ground.pool("main").join("solutions").join(number.to_string()).join("live").join(&route.folder);
        let root = if route.docroot.is_empty() { folder } else { folder.join(&route.docroot) };
        Ok(Site {
            solution,
            number,
            domains: route.domains.clone(),
            root,
            handler: route.answer.handler(&self.ground.sockets(number)),
            standing: route.standing.clone(),
            certificate: self.certificate(number, route)?,
            https_only: route.https_only,
            body_bytes_max: route.body.0,
        })
    }

    /// The certificate of a site: made when there is none for just these names, or when it is within a third of its end.
    fn certificate(&self, number: Number, route: &Route) -> Result<Option<Certificate>, Error> {
        // The local authority is held to names that nobody can own; for others the edge shows its default until a public
        // authority has certified them.
        let covered: Vec<Domain> = route.domains.iter().filter(|domain| Ca::covers(domain)).cloned().collect();
        if covered.is_empty() {
            return Ok(None);
        }
        let held = self.certificates.ensure(&number.to_string(), &covered, Reader::Group(self.ground.edge_gid))?;
        Ok(Some(Certificate { chain: held.chain, key: held.key, fingerprint: format!("{number}-{}", held.stamp) }))
    }

    /// When the first of the certificates of sites that are served ends. The oldest is the first to, for all are made for as long.
    pub(crate) fn first_end(&self) -> Option<Timestamp> {
        let served: Vec<PathBuf> =
            self.lock().sites.values().filter_map(|site| Some(site.certificate.as_ref()?.chain.clone())).collect();
        let made = |chain: &PathBuf| std::fs::metadata(chain).and_then(|meta| meta.modified()).ok();
        let (_, oldest) = served.into_iter().filter_map(|chain| Some((made(&chain)?, chain))).min()?;
        husorden_base::certificate::ends(&std::fs::read_to_string(oldest).ok()?)
    }

    /// Listens for edges; each connection has a thread that reads and one that writes.
    ///
    /// # Errors
    /// When the socket can't be bound.
    pub(crate) fn listen(self: &Arc<Self>, socket: &Path, counts: Sender<Vec<Counts>>) -> Result<(), Error> {
        let failed = |source| Error::Socket { path: socket.to_owned(), source };
        let listener = crate::lines::bind(socket, 0o660, Some(self.ground.edge_gid)).map_err(failed)?;
        let routes = Arc::clone(self);
        std::thread::Builder::new()
            .name("edges".to_owned())
            .spawn(move || routes.accept(&listener, &counts))
            .map_err(failed)?;
        Ok(())
    }

    fn accept(self: &Arc<Self>, listener: &UnixListener, counts: &Sender<Vec<Counts>>) {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { continue };
            let (routes, counts) = (Arc::clone(self), counts.clone());
            let spawned = std::thread::Builder::new().name("edge".to_owned()).spawn(move || {
                if let Err(error) = routes.serve(stream, &counts) {
                    warn!(%error, "the connection of an edge ended");
                }
            });
            if let Err(error) = spawned {
                warn!(%error, "no thread for an edge");
            }
        }
    }

    fn serve(&self, stream: UnixStream, counts: &Sender<Vec<Counts>>) -> std::io::Result<()> {
        let mut writer = stream.try_clone()?;
        let (sender, receiver) = channel::<Arc<str>>();
        let waiting = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let writing = Arc::clone(&waiting);
        std::thread::Builder::new()
            .name("edge-writer".to_owned())
            .spawn(move || write_lines(&mut writer, &receiver, &writing))?;
        let mut reader = BufReader::new(stream);
        let id = {
            let mut state = self.lock();
            state.next_edge += 1;
            state.next_edge
        };
        let mut line = String::new();
        let result = loop {
            line.clear();
            match reader.by_ref().take(EDGE_LINE_BYTES_MAX).read_line(&mut line) {
                Ok(0) => break Ok(()),
                Ok(_) => {}
                Err(error) => break Err(error),
            }
            match serde_json::from_str::<FromEdge>(&line) {
                Ok(FromEdge::Hello { generation } | FromEdge::Behind { generation }) => {
                    let mut state = self.lock();
                    info!(edge = id, generation, ours = state.generation, "an edge takes the table");
                    let whole =
                        ToEdge::Table { generation: state.generation, sites: state.sites.values().cloned().collect() };
                    let edge = Edge {
                        lines: sender.clone(),
                        stream: reader.get_ref().try_clone()?,
                        waiting: Arc::clone(&waiting),
                        applied: 0,
                    };
                    edge.say(&whole);
                    state.edges.insert(id, edge);
                }
                Ok(FromEdge::Applied { generation }) => {
                    if let Some(edge) = self.lock().edges.get_mut(&id) {
                        edge.applied = edge.applied.max(generation);
                    }
                    self.applied.notify_all();
                }
                Ok(FromEdge::Counts { sites }) => drop(counts.send(sites)),
                Err(error) => {
                    break Err(std::io::Error::new(std::io::ErrorKind::InvalidData, error));
                }
            }
        };
        self.lock().edges.remove(&id);
        self.applied.notify_all();
        result
    }
}

impl State {
    fn tell(&mut self, line: &ToEdge) {
        self.edges.retain(|_, edge| edge.say(line));
    }
}

impl Edge {
    /// False when the edge no longer takes lines.
    fn say(&self, line: &ToEdge) -> bool {
        let mut text = serde_json::to_string(line).expect("plain data has a JSON form");
        text.push('\n');
        let waiting = self.waiting.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let heard = waiting < EDGE_LINES_MAX && self.lines.send(Arc::from(text)).is_ok();
        if !heard {
            // It must notice, so that it comes back for the whole table.
            let _ = self.stream.shutdown(std::net::Shutdown::Both);
        }
        heard
    }
}

fn write_lines(writer: &mut UnixStream, lines: &Receiver<Arc<str>>, waiting: &std::sync::atomic::AtomicUsize) {
    while let Ok(line) = lines.recv() {
        waiting.fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
        if writer.write_all(line.as_bytes()).is_err() {
            break;
        }
    }
    // A dropped edge must notice, so that it comes back for the whole table.
    let _ = writer.shutdown(std::net::Shutdown::Both);
}
