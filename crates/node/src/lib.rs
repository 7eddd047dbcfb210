//! The only role that is root: it holds wishes and measures, drives the engines through the walls, and reports.
//!
//! The walls stand in [`volume`], [`sandbox`], [`port`] and [`runtime`]; `host` puts them behind the one seam that kinds see.
//! Customers are served when control is gone and across a restart of this role: sandboxes are adopted, never restarted.
//! There is no async here: a node has few connections and many system calls, and threads say plainly who waits for what.

mod access;
mod attachments;
mod away;
pub mod backup;
mod burial;
pub mod ca;
mod causes;
mod certificates;
mod closed;
mod config;
mod console;
mod control;
pub mod doctor;
mod figures;
mod filling;
mod flow;
pub mod ground;
pub mod hole;
mod host;
mod house;
mod intake;
mod journal;
mod judge;
mod keeper;
mod keeping;
mod lines;
mod listen;
mod local;
mod measures;
pub mod network;
mod nobody;
mod node;
pub mod outside;
mod own_image;
pub mod port;
mod program;
mod proof;
mod quiesce;
mod register;
mod report;
mod routes;
pub mod runtime;
pub mod sandbox;
pub mod segment;
mod sweep;
#[cfg(test)]
mod tests;
mod trial;
pub mod unpack;
mod updates;
mod verbs;
pub mod volume;

pub use config::{Care, Config, Edge};
pub use ground::Ground;
pub(crate) use node::Node;

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

/// How a node fails to start.
#[derive(Debug, thiserror::Error)]
#[error("{doing}: {why}")]
pub struct Error {
    doing: &'static str,
    why: String,
}

fn failed<E: std::error::Error>(doing: &'static str) -> impl FnOnce(E) -> Error {
    move |error| Error { doing, why: causes::causes(&error) }
}

/// The walls, what stands on them, and everything a measure holds held. Nothing listens yet, and nobody works.
fn open(config: Config, machine_net: OwnedFd) -> Result<Arc<Node>, Error> {
    let ground = config.ground.clone();
    std::fs::create_dir_all(ground.home.join("node")).map_err(failed("making the node's folder"))?;
    let register = Arc::new(
        register::Register::open(&ground.home.join("node").join("register.redb"))
            .map_err(failed("opening the register"))?,
    );
    let pool_config = volume::PoolConfig {
        name: "main".to_owned(),
        source: config.pool.clone(),
        quota: volume::QuotaWish::default(),
    };
    let pool = volume::Pool::open(&ground, &pool_config).map_err(failed("opening the pool"))?;
    let ways = config.apart.then(|| machine_net.try_clone()).transpose();
    let ways = ways.map_err(failed("keeping the way to targets"))?;
    let runtimes =
        runtime::Runtimes::open(&ground, pool.root(), machine_net).map_err(failed("opening the runtimes"))?;
    let ports = port::Ports::open(&ground, &config.uplink).map_err(failed("opening the ports"))?;
    let house = Arc::new(house::House::default());
    let sandboxes = sandbox::Sandboxes::open(&ground, Arc::<house::House>::clone(&house))
        .map_err(failed("opening the sandboxes"))?;
    // Before anything else: what a measure holds is held.
    measures::hold_all(&register, &ports, &sandboxes);
    let ca = ca::Ca::open_or_make(&config.ca).map_err(failed("opening the certificate authority"))?;
    let certificates = Arc::new(certificates::Certificates::open(ca, ground.home.join("certificates")));
    let routes = routes::Routes::open(&ground, Arc::clone(&certificates), Arc::clone(&register))
        .map_err(failed("opening the routes"))?;
    let attachments = attachments::Attachments::open(&ground.home.join("node").join("attachments.key"))
        .map_err(failed("opening the key of attachments"))?;
    let listen_library = listen::put(&ground.run).map_err(failed("writing the library for listening servers"))?;
    let judges = judge::Judges::put(&ground.run).map_err(failed("writing the libraries that judge passwords"))?;
    let program = program::keep(&ground.home.join("node")).map_err(failed("keeping the platform's own program"))?;
    let node = Arc::new(Node {
        config,
        register,
        routes: Arc::new(routes),
        certificates,
        attachments,
        listen_library,
        judges,
        program,
        pool,
        runtimes: Arc::new(runtimes),
        ports: Arc::new(ports),
        sandboxes: Arc::new(sandboxes),
        keeper: keeper::Keeper::default(),
        verbs: verbs::Verbs::default(),
        reports: report::Reports::default(),
        voice: control::Voice::default(),
        unwished: std::sync::Mutex::default(),
        ending: AtomicBool::new(false),
        closed: AtomicBool::new(false),
        confirmed: AtomicBool::new(false),
        bailiff: measures::Bailiff::default(),
        consoles: console::Consoles::default(),
        outside: outside::Outside::default(),
        keeping: keeping::Keeping::default(),
        away: away::Away::default(),
        key: backup::NodeKey::default(),
        slots: backup::Slots::default(),
        reading: backup::Reading::default(),
        makings: backup::Makings::default(),
        holes: hole::Holes::default(),
        proofs: proof::Proofs::default(),
        trial: trial::Trial::open(&ground.home),
        ways,
        gate: std::sync::Mutex::new(()),
    });
    house.enter(&node);
    Ok(node)
}

/// Runs a node; `machine_net` is the network namespace by which the machine reaches its package archive. It runs until it is asked over its local socket to close everything. A signal ends it at once and leaves what runs
/// running: the next node adopts it.
///
/// # Errors
/// When a wall can't be opened.
pub fn run(config: Config, machine_net: OwnedFd) -> Result<(), Error> {
    let (edge_socket, local_socket) = (config.edge_socket(), config.local_socket());
    let node = open(config, machine_net)?;
    measures::start(&node).map_err(failed("starting those who carry measures out"))?;
    outside::start(&node).map_err(failed("starting those who look from outside"))?;
    access::start(&node).map_err(failed("starting who sees to allow-lists"))?;
    filling::start(&node).map_err(failed("starting who looks at volumes that fill"))?;
    hole::start(&node).map_err(failed("starting who looks at holes"))?;
    figures::start(&node).map_err(failed("starting who reads figures"))?;
    keeping::start(&node).map_err(failed("starting who keeps logs"))?;
    closed::start(&node).map_err(failed("starting who answers for what is closed"))?;
    let workers = keeper::start(&node).map_err(failed("starting the workers"))?;
    proof::sweep(&node);
    keeper::sweep(&node);
    let (counts, counted) = channel();
    node.routes.listen(&edge_socket, counts).map_err(failed("listening for edges"))?;
    local::listen(&node, &local_socket).map_err(failed("listening for local verbs"))?;
    let activity = Arc::clone(&node);
    std::thread::spawn(move || {
        for site in counted.into_iter().flatten() {
            activity.note_activity(&site);
        }
    });
    let talking = Arc::clone(&node);
    std::thread::spawn(move || control::talk(&talking));
    tracing::info!(node = node.config.name, "the node is there");
    node.tick();
    for worker in workers {
        // A worker that panicked has been logged; everything is closed all the same.
        drop(worker.join());
    }
    let result = node.close();
    node.closed.store(true, Ordering::Relaxed);
    // Whoever asked for this gets the answer before the process is gone.
    std::thread::sleep(Duration::from_millis(200));
    result
}
