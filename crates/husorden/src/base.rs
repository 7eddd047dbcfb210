//! What lies under the roles: the node's network and the private PostgreSQL. Both are adopted where they stand already.

use crate::place::{LOCAL_TARGET, Network, Place, Settings};
use crate::prepare::{Users, database_folder, identity_key};
use crate::process::Identity;
use crate::progress::told;
use crate::users;
use anyhow::{Context, Result};
use husorden_base::Secret;
use husorden_control::bootstrap::{Bootstrap, Made, NewLogIn, migrate};
use husorden_control::embedded::{self, Embedded};
use husorden_node::network::NodeNet;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// How long the database gets to end.
const DATABASE_PATIENCE: Duration = Duration::from_secs(30);
/// How long one try to start it again may hold up the watch over the roles. What was begun goes on, and the next try finds it.
const TRY_WAIT: Duration = Duration::from_secs(10);
/// Pause after the first try that failed; doubles with each further one.
const PAUSE_MIN: Duration = Duration::from_secs(1);
/// A life this long says that the database is well again.
const WELL: Duration = Duration::from_secs(60);

/// Network and database.
#[derive(Debug)]
pub(crate) struct Base {
    /// One for as long as the database lives: its process belongs to the runtime that started it.
    runtime: Runtime,
    net: Option<NodeNet>,
    database: Option<Embedded>,
    /// How the private PostgreSQL is started, for when it has to be again.
    database_place: Option<embedded::Place>,
    /// The pause after the next death or failed try.
    pause: Duration,
    pause_max: Duration,
    /// No try before this moment.
    not_before: Instant,
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
            pause: PAUSE_MIN,
            pause_max: PAUSE_MIN,
            not_before: Instant::now(),
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
        self.pause_max = Duration::from_secs(settings.supervisor.pause_max_s.into());
        if settings.database.socket_dir.is_none() {
            let database = embedded::Place {
                home: place.home.join("db"),
                run: place.run.join("db"),
                uid: users.database.uid.as_raw(),
                gid: users.database.gid.as_raw(),
                control_users: vec![users::CONTROL.to_owned()],
                copy_users: vec![users::PLATFORM.to_owned()],
                durable: true,
            };
            let started = self.runtime.block_on(Embedded::start(database.clone()));
            self.database = Some(started.context("starting the private PostgreSQL")?);
            self.database_place = Some(database);
        }
        let database = husorden_control::Database::at(database_folder(place, settings));
        self.runtime.block_on(async {
            migrate(&database).await?;
            // A first look has backups too, though they go with the machine; the operator's targets take its place.
            let mut owner = Bootstrap::connect(&database).await.context("connecting to the database as its owner")?;
            let folder = place.backups().display().to_string();
            owner.ensure_target(LOCAL_TARGET, &folder).await.context("making a target for backups")
        })
    }

    /// The database, in words.
    pub(crate) fn database_text(&self) -> String {
        match self.database.as_ref().map(Embedded::pid) {
            Some(Some(pid)) => format!("private PostgreSQL runs (pid {pid}), its tables are of this release"),
            Some(None) => "private PostgreSQL runs, its tables are of this release".to_owned(),
            None => "the operator's PostgreSQL, its tables are of this release".to_owned(),
        }
    }

    /// Starts the private PostgreSQL again when it died, with a growing pause when it does not stay.
    pub(crate) fn look_after(&mut self) -> Result<()> {
        let Some(place) = &self.database_place else { return Ok(()) };
        let now = Instant::now();
        if self.database.as_ref().is_some_and(|database| database.pid().is_some()) {
            if now > self.not_before + WELL {
                self.pause = PAUSE_MIN;
            }
            return Ok(());
        }
        if now < self.not_before {
            return Ok(());
        }
        tracing::error!("PostgreSQL died and is started again");
        self.database = None;
        let start = Embedded::start(place.clone());
        let again = self.runtime.block_on(async { tokio::time::timeout(TRY_WAIT, start).await });
        let pause = self.pause;
        self.not_before = Instant::now() + pause;
        self.pause = (pause * 2).min(self.pause_max);
        let next = || format!("starting the private PostgreSQL again; the next try comes after {} s", pause.as_secs());
        let again = again.with_context(|| format!("no answer in {} s", TRY_WAIT.as_secs())).with_context(next)?;
        self.database = Some(again.with_context(next)?);
        Ok(())
    }

    /// Ends the database and takes the network away.
    pub(crate) fn stop(&mut self) {
        if let Some(database) = self.database.take()
            && let Err(error) = self.runtime.block_on(database.stop()).map_err(anyhow::Error::new)
        {
            tracing::error!("PostgreSQL did not end in good order: {}", told(&error));
        }
        if self.net.take().is_some()
            && let Err(error) = NodeNet::unmake(&self.instance).map_err(anyhow::Error::new)
        {
            tracing::error!("the node's network was not taken away: {}", told(&error));
        }
    }
}

/// The pid of this home's private PostgreSQL, if it lives.
pub(crate) fn database_pid(home: &Path) -> Option<u32> {
    embedded::server_pid(&home.join("db"))
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

/// A person with a log-in, made by root in the database: the first can be invited by nobody.
pub(crate) fn person(place: &Place, settings: &Settings, new: &NewLogIn<'_>) -> Result<Made> {
    let database = husorden_control::Database::at(database_folder(place, settings));
    let identity = husorden_control::Identity::at(identity_key(place));
    runtime()?.block_on(async {
        let mut owner = Bootstrap::connect(&database).await.context("connecting to the database as its owner")?;
        owner.ensure_person(&identity, new).await.context("making a log-in")
    })
}

/// A runtime for what is asynchronous; the supervisor itself is one thread that waits.
fn runtime() -> Result<Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().context("starting a runtime")
}
