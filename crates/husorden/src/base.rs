//! What lies under the roles: the node's network and the private PostgreSQL. Both are adopted where they stand already.

use crate::place::{Network, Place, Settings};
use crate::prepare::{Users, database_folder};
use crate::process::Identity;
use crate::users;
use anyhow::{Context, Result};
use husorden_base::Secret;
use husorden_control::bootstrap::{Bootstrap, migrate};
use husorden_control::embedded::{self, Embedded};
use husorden_node::network::NodeNet;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// How long the database gets to end.
const DATABASE_PATIENCE: Duration = Duration::from_secs(30);
/// How long its children get to notice that it was killed.
const CHILDREN_PATIENCE: Duration = Duration::from_secs(5);

/// Network and database.
#[derive(Debug)]
pub(crate) struct Base {
    /// One for as long as the database lives: its process belongs to the runtime that started it.
    runtime: Runtime,
    net: Option<NodeNet>,
    database: Option<Embedded>,
    /// How the private PostgreSQL is started, for when it has to be again.
    database_place: Option<embedded::Place>,
    instance: String,
}

impl Base {
    /// Nothing yet.
    pub(crate) fn new(place: &Place) -> Result<Self> {
        Ok(Self {
            runtime: runtime()?,
            net: None,
            database: None,
            database_place: None,
            instance: place.instance.clone(),
        })
    }

    /// Makes the node's own network, or brings what stands of it in order; nothing where the machine's is used.
    pub(crate) fn network(&mut self, place: &Place, settings: &Settings) -> Result<()> {
        self.net = match settings.node.network {
            Network::Own => Some(NodeNet::make(&place.instance).context("making the node's network")?),
            Network::Host => None,
        };
        Ok(())
    }

    /// The network, in words.
    pub(crate) fn network_text(&self) -> String {
        match &self.net {
            Some(net) => format!("network namespace {} with one link, {} to {}", net.namespace, net.host4, net.node4),
            None => "the machine's own network".to_owned(),
        }
    }

    /// The node's network, if it has one of its own.
    pub(crate) const fn net(&self) -> Option<&NodeNet> {
        self.net.as_ref()
    }

    /// Where the edge is reached from this machine.
    pub(crate) fn edge_address(&self) -> IpAddr {
        self.net.as_ref().map_or(Ipv4Addr::LOCALHOST, |net| net.node4).into()
    }

    /// Starts the private PostgreSQL, or adopts it, and brings the database to this release's shape.
    pub(crate) fn database(&mut self, place: &Place, settings: &Settings, users: &Users) -> Result<()> {
        if settings.database.socket_dir.is_none() {
            let database = embedded::Place {
                home: place.home.join("db"),
                run: place.run.join("db"),
                uid: users.database.uid.as_raw(),
                gid: users.database.gid.as_raw(),
                control_users: vec![users::CONTROL.to_owned()],
                durable: true,
            };
            clear_dead_locks(&database);
            let started = self.runtime.block_on(Embedded::start(database.clone()));
            self.database = Some(started.context("starting the private PostgreSQL")?);
            self.database_place = Some(database);
        }
        let database = husorden_control::Database::at(database_folder(place, settings));
        self.runtime.block_on(migrate(&database)).context("bringing the database to this release's shape")
    }

    /// The database, in words.
    pub(crate) fn database_text(&self) -> String {
        match self.database.as_ref().map(Embedded::pid) {
            Some(Some(pid)) => format!("private PostgreSQL runs (pid {pid}), its tables are of this release"),
            Some(None) => "private PostgreSQL runs, its tables are of this release".to_owned(),
            None => "the operator's PostgreSQL, its tables are of this release".to_owned(),
        }
    }

    /// Starts the private PostgreSQL again when it died.
    pub(crate) fn look_after(&mut self) -> Result<()> {
        let Some(place) = &self.database_place else { return Ok(()) };
        if server_pid(&place.home.join("data")).is_some() {
            return Ok(());
        }
        tracing::error!("PostgreSQL died and is started again");
        let place = place.clone();
        // Our own dead child is reaped with what held it.
        self.database = None;
        clear_dead_locks(&place);
        let again = self.runtime.block_on(Embedded::start(place));
        self.database = Some(again.context("starting the private PostgreSQL again")?);
        Ok(())
    }

    /// Ends the database and takes the network away.
    pub(crate) fn stop(&mut self) {
        if let Some(database) = self.database.take()
            && let Err(error) = self.runtime.block_on(database.stop()).map_err(anyhow::Error::new)
        {
            tracing::error!("PostgreSQL did not end in good order: {error:#}");
        }
        if self.net.take().is_some()
            && let Err(error) = NodeNet::unmake(&self.instance)
        {
            tracing::error!("the node's network was not taken away: {error:#}");
        }
    }
}

/// Takes away the lock files of a PostgreSQL that is dead. PostgreSQL does so itself, but for one case: a killed server whose
/// new parent does not reap it looks alive to it for ever. Its last children must have gone first, for the file is also how a
/// new server would know of them.
fn clear_dead_locks(place: &embedded::Place) {
    let data = place.home.join("data");
    let locks = [data.join("postmaster.pid"), place.run.join(".s.PGSQL.5432.lock")];
    let until = Instant::now() + CHILDREN_PATIENCE;
    while locks.iter().any(|lock| lock.exists()) && server_pid(&data).is_none() {
        if !anybody_in(&data) {
            for lock in &locks {
                let _ = std::fs::remove_file(lock);
            }
            return;
        }
        if Instant::now() >= until {
            tracing::error!("children of a PostgreSQL that was killed do not end");
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Whether any process works in this folder, as every process of PostgreSQL does in its data.
fn anybody_in(folder: &Path) -> bool {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.map(|entry| entry.path().join("cwd")).any(|cwd| std::fs::read_link(cwd).is_ok_and(|path| path == folder))
}

/// The pid of this home's private PostgreSQL, if it lives.
pub(crate) fn database_pid(home: &Path) -> Option<u32> {
    server_pid(&home.join("db/data"))
}

/// The pid of the PostgreSQL on this data, as its own lock file says it.
fn server_pid(data: &Path) -> Option<u32> {
    let text = std::fs::read_to_string(data.join("postmaster.pid")).ok()?;
    let pid: u32 = text.lines().next()?.trim().parse().ok()?;
    // A pid that was given to somebody else meanwhile is not PostgreSQL.
    let program = std::fs::read_link(format!("/proc/{pid}/exe")).ok()?;
    let same = program.file_name().is_some_and(|name| name.to_string_lossy().starts_with("postgres"));
    (same && Identity::of(pid).is_some()).then_some(pid)
}

/// Ends a database and a network that outlived their supervisor.
pub(crate) fn stop_orphans(place: &Place) {
    if let Some(identity) = database_pid(&place.home).and_then(Identity::of) {
        // PostgreSQL's fast shutdown: connections are cut, what was committed is on disk.
        identity.signal(rustix::process::Signal::INT);
        if !identity.gone_within(DATABASE_PATIENCE) {
            identity.end(Duration::from_secs(5));
        }
    }
    // What is left of it is seen by the look that follows.
    let _ = NodeNet::unmake(&place.instance);
}

/// A fresh staff token, made by root in the database; an earlier one with the same label dies.
pub(crate) fn staff_token(place: &Place, settings: &Settings, label: &str) -> Result<Secret> {
    let database = husorden_control::Database::at(database_folder(place, settings));
    runtime()?.block_on(async {
        let mut owner = Bootstrap::connect(&database).await.context("connecting to the database as its owner")?;
        owner.ensure_token(None, label).await.context("making a staff token")
    })
}

/// A runtime for what is asynchronous; the supervisor itself is one thread that waits.
fn runtime() -> Result<Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().context("starting a runtime")
}
