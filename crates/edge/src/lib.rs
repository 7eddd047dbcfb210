//! TLS, HTTP and the way to each site: a straight function with named phases.
//!
//! A request passes accept → tls → route → gate → files or fastcgi → respond → log, each a module of that
//! name. Three things are deliberately absent: the edge never reads the database, never asks the node anything on a
//! request's way, and never reloads. Its table comes from the node as data (see [`husorden_base::site`]), is kept on disk,
//! and is changed in place; closing a site cuts what is open of it.
//!
//! Each worker is a thread with a runtime of its own; what they share is the table, the cache of small files, the
//! certificates and the counts.

mod accept;
mod clock;
mod config;
mod connection;
mod counts;
mod error;
mod fastcgi;
mod files;
mod gate;
mod gzip;
mod keep;
mod life;
mod link;
mod log;
mod pages;
mod request;
mod respond;
mod route;
mod socket;
mod table;
mod tls;

pub use config::{Bound, Config, Limits};
pub use error::{CertificateError, Error};

use accept::{Census, Scheme, Worker};
use connection::Edge;
use files::cache::Cache;
use keep::Keeper;
use link::Link;
use log::Logs;
use std::fs::DirBuilder;
use std::future::Future;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::Arc;
use table::Table;
use tls::Tls;
use tokio_util::sync::CancellationToken;

/// Descriptors that are not for connections: logs, listeners, caches, the runtime's own.
const DESCRIPTORS_KEPT: usize = 512;

/// Serves until `shutdown` resolves, then lets running answers finish and returns.
///
/// # Errors
///
/// Where it cannot start: an address that is taken, a default certificate that cannot be loaded, a directory that cannot be
/// written. Once it serves, it goes on.
pub async fn run(mut config: Config, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
    clock::tick();
    let descriptors = raise_descriptors();
    if config.limits.connections_max == 0 {
        // Each connection may hold a file or a program's socket open beside its own.
        config.limits.connections_max = (descriptors.saturating_sub(DESCRIPTORS_KEPT) / 2).max(64);
    }
    let spool_dir = config.state_dir.join("spool");
    for directory in [&config.state_dir, &spool_dir, &config.log_dir] {
        make_directory(directory)?;
    }

    // The table comes before any listener: what was closed when the edge stopped is closed when it answers again.
    let table = Arc::new(Table::default());
    let kept = config.state_dir.join("table");
    keep::load(&kept, &table)?;
    tracing::info!(generation = table.generation(), "table loaded");
    let keeper = Keeper::start(kept, Arc::clone(&table))?;
    let tls = Tls::new(Arc::clone(&table), &config.default_chain, &config.default_key, config.limits.certificates_max)?;
    let listeners = accept::listen(&mut config)?;
    let https_port = config.https_port.or_else(|| {
        let first = listeners.iter().find(|(_, scheme)| *scheme == Scheme::Https)?;
        first.0.local_addr().ok().map(|address| address.port())
    });
    let (logs, log_thread) = Logs::start(config.log_dir, config.limits.log_bytes_max, config.limits.log_files_max)?;
    let ledger = Arc::default();
    let edge = Arc::new(Edge {
        cache: Cache::new(&config.limits),
        table: Arc::clone(&table),
        ledger: Arc::clone(&ledger),
        tls,
        logs: logs.clone(),
        https_port: https_port.unwrap_or(443),
        spool_dir,
        limits: config.limits,
    });

    let link = Link { table, ledger, keeper };
    let (stop, over) = (CancellationToken::new(), CancellationToken::new());
    // Whatever ends this future, dropped in the middle or returned from, also stops its threads and its link.
    let _guards = (stop.clone().drop_guard(), over.clone().drop_guard());
    let linked = tokio::spawn({
        let over = over.clone();
        async move { over.run_until_cancelled(link.run(&config.node_socket)).await }
    });
    let count = match config.workers {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        count => count,
    };
    let mut workers = Vec::with_capacity(count);
    let mut threads = Vec::with_capacity(count);
    for index in 0..count {
        let (worker, thread) = Worker::start(index, Arc::clone(&edge), stop.clone())?;
        workers.push(worker);
        threads.push(thread);
    }
    let workers: Arc<[Worker]> = workers.into();
    let census = Census::new(&edge.limits);
    for (listener, scheme) in listeners {
        let (workers, census) = (Arc::clone(&workers), Arc::clone(&census));
        tokio::spawn(accept::accept(listener, scheme, workers, census, stop.clone()));
    }

    shutdown.await;
    tracing::info!("draining");
    stop.cancel();
    let drained = tokio::task::spawn_blocking(move || {
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a worker had panicked");
            }
        }
        logs.stop();
        let _ = log_thread.join();
    });
    // The link stays up through the drain: a site that is closed now is still cut.
    let _ = drained.await;
    over.cancel();
    let _ = linked.await;
    tracing::info!("drained");
    Ok(())
}

/// [`run`] on a runtime of its own, for a process that is nothing but the edge.
///
/// # Errors
///
/// As [`run`].
pub fn run_blocking(config: Config, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::Thread)?
        .block_on(run(config, shutdown))
}

fn make_directory(path: &Path) -> Result<(), Error> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o750)
        .create(path)
        .map_err(|source| Error::State { path: path.to_owned(), source })
}

/// Raises the limit of open files as far as it goes, and says how far that is.
fn raise_descriptors() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    let held = if raised.is_ok() { limit.maximum } else { limit.current };
    held.and_then(|held| usize::try_from(held).ok()).unwrap_or(65_536)
}
