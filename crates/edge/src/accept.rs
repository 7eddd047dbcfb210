//! The accept phase: listeners, the limits on connections, and the workers that serve them.
//!
//! Each worker is a thread with a runtime of its own, so a request never changes core. One task a listener accepts and
//! hands each connection to the worker with the fewest.

use crate::clock;
use crate::config::{Config, Limits, ms};
use crate::connection::{self, Edge};
use crate::error::Error;
use crate::files;
use crate::life::{Life, Patience, Verdict};
use crate::log;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

const BACKLOG: u32 = 4_096;
const SWEEP_MS: u64 = 250;
/// Logs are handed over about once a second.
const SWEEPS_PER_FLUSH: u32 = 4;
/// After the kernel refused a connection for want of something, before it is asked again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What is spoken on a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Http,
    Https,
}

/// A connection on its way to a worker.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) tcp: std::net::TcpStream,
    pub(crate) peer: IpAddr,
    pub(crate) peer_port: u16,
    pub(crate) local: SocketAddr,
    pub(crate) scheme: Scheme,
    pub(crate) place: Place,
}

/// Opens what the configuration names, and takes what the caller bound.
pub(crate) fn listen(config: &mut Config) -> Result<Vec<(TcpListener, Scheme)>, Error> {
    let mut listeners = Vec::new();
    let bound = std::mem::take(&mut config.bound);
    for (addresses, given, scheme) in
        [(&config.https, bound.https, Scheme::Https), (&config.http, bound.http, Scheme::Http)]
    {
        for &address in addresses {
            let listener = open(address).map_err(|source| Error::Listen { address, source })?;
            listeners.push((listener, scheme));
        }
        for listener in given {
            listener.set_nonblocking(true).map_err(Error::Bound)?;
            listeners.push((TcpListener::from_std(listener).map_err(Error::Bound)?, scheme));
        }
    }
    if listeners.is_empty() {
        return Err(Error::NoListener);
    }
    Ok(listeners)
}

fn open(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Accepts until the stop.
pub(crate) async fn accept(
    listener: TcpListener,
    scheme: Scheme,
    workers: Arc<[Worker]>,
    census: Arc<Census>,
    stop: CancellationToken,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => return,
        };
        let (tcp, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
            Err(error) => {
                tracing::warn!(%error, "cannot accept");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let address = peer.ip().to_canonical();
        // A connection over a limit is closed without a word: a word would cost what the limit saves.
        let Some(place) = census.enter(address) else { continue };
        let (Ok(local), Ok(())) = (tcp.local_addr(), tcp.set_nodelay(true)) else { continue };
        let Ok(tcp) = tcp.into_std() else { continue };
        let arrival = Arrival { tcp, peer: address, peer_port: peer.port(), local, scheme, place };
        if let Some(worker) = workers.iter().min_by_key(|worker| worker.load.load(Relaxed)) {
            worker.load.fetch_add(1, Relaxed);
            let _ = worker.arrivals.send(arrival);
        }
    }
}

/// Who is connected.
#[derive(Debug)]
pub(crate) struct Census {
    by_address: Mutex<HashMap<IpAddr, usize>>,
    all: AtomicUsize,
    all_max: usize,
    per_address_max: usize,
}

impl Census {
    pub(crate) fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            by_address: Mutex::default(),
            all: AtomicUsize::new(0),
            all_max: limits.connections_max,
            per_address_max: limits.connections_per_address_max,
        })
    }

    fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let key = neighbourhood(address);
        let mut by_address = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        let here = by_address.entry(key).or_insert(0);
        if *here >= self.per_address_max || self.all.load(Relaxed) >= self.all_max {
            if *here == 0 {
                by_address.remove(&key);
            }
            return None;
        }
        *here += 1;
        self.all.fetch_add(1, Relaxed);
        Some(Place { census: Arc::clone(self), key })
    }
}

/// An IPv6 customer has at least a /64, so that is what counts as one address.
fn neighbourhood(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) >> 64 << 64).into()),
    }
}

/// A connection's place in the census.
#[derive(Debug)]
pub(crate) struct Place {
    census: Arc<Census>,
    key: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.census.all.fetch_sub(1, Relaxed);
        let mut by_address = self.census.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(here) = by_address.get_mut(&self.key) {
            *here -= 1;
            if *here == 0 {
                by_address.remove(&self.key);
            }
        }
    }
}

/// One thread that serves.
#[derive(Debug)]
pub(crate) struct Worker {
    arrivals: mpsc::UnboundedSender<Arrival>,
    load: Arc<AtomicUsize>,
}

/// The lives of a worker's connections and streams, for its sweep. Dead ones are weeded out by the sweep.
#[derive(Debug, Default)]
pub(crate) struct Roll {
    lives: Mutex<Vec<Weak<Life>>>,
}

impl Roll {
    pub(crate) fn add(&self, life: &Arc<Life>) {
        self.lives.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(life));
    }

    fn each(&self, mut visit: impl FnMut(&Life)) {
        let mut lives = self.lives.lock().unwrap_or_else(PoisonError::into_inner);
        lives.retain(|life| {
            life.upgrade().is_some_and(|life| {
                visit(&life);
                true
            })
        });
    }
}

impl Worker {
    /// Starts the thread; it ends when `stop` was called and its connections are done or the drain's time is up.
    pub(crate) fn start(
        index: usize,
        edge: Arc<Edge>,
        stop: CancellationToken,
    ) -> Result<(Self, std::thread::JoinHandle<()>), Error> {
        let (arrivals, queue) = mpsc::unbounded_channel();
        let load = Arc::new(AtomicUsize::new(0));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .thread_name("edge-blocking")
            .build()
            .map_err(Error::Thread)?;
        let thread = std::thread::Builder::new()
            .name(format!("edge-{index}"))
            .spawn({
                let load = Arc::clone(&load);
                move || {
                    runtime.block_on(work(&edge, queue, load, stop));
                    log::flush(&edge.logs);
                    // A read of a dead disk must not hold up the end.
                    runtime.shutdown_background();
                }
            })
            .map_err(Error::Thread)?;
        Ok((Self { arrivals, load }, thread))
    }
}

async fn work(
    edge: &Arc<Edge>,
    mut queue: mpsc::UnboundedReceiver<Arrival>,
    load: Arc<AtomicUsize>,
    stop: CancellationToken,
) {
    let roll = Arc::new(Roll::default());
    let limits = &edge.limits;
    let patience = Patience {
        header_ms: limits.header_ms_max,
        keep_alive_ms: limits.keep_alive_ms_max,
        write_stall_ms: limits.write_stall_ms_max,
    };
    let mut sweep = tokio::time::interval(ms(SWEEP_MS));
    let mut drain_until: Option<Instant> = None;
    let mut sweeps: u32 = 0;
    loop {
        tokio::select! {
            Some(arrival) = queue.recv() => {
                serve(edge, arrival, &roll, &load);
            }
            _ = sweep.tick() => {
                clock::tick();
                files::forget();
                let now_ms = clock::now_ms();
                roll.each(|life| life.sweep(now_ms, &patience));
                sweeps = sweeps.wrapping_add(1);
                if sweeps.is_multiple_of(SWEEPS_PER_FLUSH) {
                    log::flush(&edge.logs);
                }
            }
            () = stop.cancelled(), if drain_until.is_none() => {
                drain_until = Some(Instant::now() + ms(limits.drain_ms_max));
                sweep = tokio::time::interval(ms(10));
            }
        }
        if let Some(until) = drain_until {
            let over = Instant::now() >= until;
            roll.each(|life| life.judge(if over { Verdict::End } else { Verdict::Finish }));
            if load.load(Relaxed) == 0 || Instant::now() >= until + ms(1_000) {
                return;
            }
        }
    }
}

fn serve(edge: &Arc<Edge>, arrival: Arrival, roll: &Arc<Roll>, load: &Arc<AtomicUsize>) {
    let loaded = Loaded(Arc::clone(load));
    let Ok(tcp) = TcpStream::from_std(arrival.tcp) else { return };
    let life = Life::new();
    roll.add(&life);
    let peer = connection::Peer {
        address: arrival.peer,
        port: arrival.peer_port,
        local: arrival.local,
        scheme: arrival.scheme,
        name: None,
    };
    let serving = connection::serve(Arc::clone(edge), tcp, peer, life, Arc::clone(roll));
    let place = arrival.place;
    tokio::spawn(async move {
        serving.await;
        drop((place, loaded));
    });
}

struct Loaded(Arc<AtomicUsize>);

impl Drop for Loaded {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}
