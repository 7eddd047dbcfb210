//! A private PostgreSQL for one machine: made, started, adopted and stopped by the platform, on a unix socket only.
//!
//! Who may come in is said by the kernel (peer authentication) and the ident map; there are no passwords. Starting is
//! idempotent: a cluster that was half made is made again, a server that outlived its starter is adopted, and a data folder
//! of another major version is refused with the command that upgrades it.

use crate::doors::Role;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::process::{Child, Command};

/// The major version this release is built for, as Debian 12 has it.
pub const MAJOR: u32 = 15;
const READY_WAIT: Duration = Duration::from_secs(60);
const CHILDREN_WAIT: Duration = Duration::from_secs(20);
/// The superuser of the cluster; only root may be it, and only here.
const SUPERUSER: &str = "husorden_root";

/// Where a private PostgreSQL lives and as whom.
#[derive(Clone, Debug)]
pub struct Place {
    /// Folder that keeps the data.
    pub home: PathBuf,
    /// Folder of the socket, short enough for a unix socket path.
    pub run: PathBuf,
    /// User that runs it; must have a passwd entry and must not be root.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// Operating system users that may come in as the tenant, staff and system roles.
    pub control_users: Vec<String>,
    /// Whether a commit waits for the disk. Off only for tests.
    pub durable: bool,
}

/// A private PostgreSQL that is ready.
#[derive(Debug)]
pub struct Embedded {
    place: Place,
    /// None when a running server was adopted.
    child: Option<Child>,
}

/// Why the private PostgreSQL is not there.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// Debian's package is missing.
    #[error("PostgreSQL {MAJOR} is not installed at {0}; install it with: apt-get install postgresql-{MAJOR}")]
    Missing(PathBuf),
    /// The data is of another major version.
    #[error("the data in {data} is of PostgreSQL {found}, this release runs {MAJOR}. Upgrade it with: {command}")]
    Major {
        /// The data folder.
        data: PathBuf,
        /// What PG_VERSION says.
        found: String,
        /// The command to run.
        command: String,
    },
    /// A file or folder could not be handled.
    #[error("{doing}: {source}")]
    Io {
        /// What was done.
        doing: String,
        /// Why it failed.
        source: std::io::Error,
    },
    /// A tool of PostgreSQL failed.
    #[error("{tool} failed: {said}")]
    Tool {
        /// Which.
        tool: &'static str,
        /// What it said.
        said: String,
    },
    /// The server ended or did not become ready.
    #[error("PostgreSQL did not become ready: {0}")]
    NotReady(String),
    /// A statement failed while roles and database were made.
    #[error("making roles and database: {0}")]
    Sql(#[from] sqlx::Error),
}

fn io(doing: impl Into<String>) -> impl FnOnce(std::io::Error) -> EmbeddedError {
    let doing = doing.into();
    move |source| EmbeddedError::Io { doing, source }
}

fn bin(tool: &str) -> PathBuf {
    PathBuf::from(format!("/usr/lib/postgresql/{MAJOR}/bin")).join(tool)
}

impl Embedded {
    /// Brings it up, from whatever is there, and returns when it answers and has its roles and database.
    ///
    /// # Errors
    /// See [`EmbeddedError`].
    pub async fn start(place: Place) -> Result<Self, EmbeddedError> {
        if !bin("postgres").exists() {
            return Err(EmbeddedError::Missing(bin("postgres")));
        }
        let data = place.data();
        check_major(&data)?;
        folder(&place.home, 0o700, &place)?;
        folder(&place.run, 0o755, &place)?;
        if !data.join("PG_VERSION").exists() {
            initdb(&place).await?;
        }
        configure(&place)?;
        let child = if running(&place).await? {
            tracing::info!(data = %data.display(), "a private PostgreSQL runs already and is adopted");
            if let Err(error) = tool(&place, "pg_ctl", &["reload"]).await {
                // It ended this moment; that it did is found out while we wait for its answer.
                tracing::warn!(%error, "the adopted server did not take its settings");
            }
            None
        } else {
            Some(spawn(&place)?)
        };
        let mut embedded = Self { place, child };
        embedded.ready().await?;
        embedded.furnish().await?;
        Ok(embedded)
    }

    /// Folder of the socket.
    #[must_use]
    pub fn socket_dir(&self) -> &Path {
        &self.place.run
    }

    /// Process id of the server, as its lock file says it.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        let text = std::fs::read_to_string(self.place.data().join("postmaster.pid")).ok()?;
        text.lines().next()?.trim().parse().ok()
    }

    /// Stops it: connections are cut, what was committed is on disk.
    ///
    /// # Errors
    /// When the server does not stop in 30 seconds.
    pub async fn stop(mut self) -> Result<(), EmbeddedError> {
        if running(&self.place).await? {
            tool(&self.place, "pg_ctl", &["stop", "-m", "fast", "-t", "30"]).await?;
        }
        if let Some(child) = &mut self.child {
            child.wait().await.map_err(io("waiting for PostgreSQL"))?;
        }
        Ok(())
    }

    async fn ready(&mut self) -> Result<(), EmbeddedError> {
        let begun = Instant::now();
        loop {
            let ended = match &mut self.child {
                Some(child) => child.try_wait().map_err(io("looking after PostgreSQL"))?,
                None => None,
            };
            // After a kill -9 the old server's children need a moment to notice; until then the new one will not start.
            if ended.is_some() && begun.elapsed() < CHILDREN_WAIT && self.log_tail().contains("shared memory block") {
                tokio::time::sleep(Duration::from_millis(200)).await;
                self.child = Some(spawn(&self.place)?);
                continue;
            }
            if let Some(status) = ended {
                return Err(EmbeddedError::NotReady(format!("it ended with {status}; {}", self.log_tail())));
            }
            match self.superuser("postgres").await {
                Ok(connection) => {
                    connection.close().await?;
                    return Ok(());
                }
                Err(error) if begun.elapsed() > READY_WAIT => {
                    return Err(EmbeddedError::NotReady(format!(
                        "no answer in {} s ({error}); {}",
                        READY_WAIT.as_secs(),
                        self.log_tail()
                    )));
                }
                // What was adopted was already dying: a killed process is listed until it is reaped.
                Err(_) if self.child.is_none() && !running(&self.place).await? => {
                    self.child = Some(spawn(&self.place)?);
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    fn log_tail(&self) -> String {
        let path = self.place.home.join("log");
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let tail: Vec<&str> = text.lines().rev().take(5).collect();
        let lines: Vec<&str> = tail.into_iter().rev().collect();
        format!("the end of {}: {}", path.display(), lines.join(" | "))
    }

    async fn superuser(&self, database: &str) -> Result<PgConnection, sqlx::Error> {
        options(&self.place.run, SUPERUSER, database).connect().await
    }

    /// Roles and database, if they are not there yet.
    async fn furnish(&self) -> Result<(), EmbeddedError> {
        let mut root = self.superuser("postgres").await?;
        for role in Role::ALL {
            let name = role.name();
            sqlx::raw_sql(AssertSqlSafe(format!(
                "do $$ begin if not exists (select from pg_roles where rolname = '{name}') then
                   create role {name} login nosuperuser nocreatedb nocreaterole nobypassrls noreplication;
                 end if; end $$"
            )))
            .execute(&mut root)
            .await?;
        }
        let there: bool = sqlx::query_scalar("select exists (select from pg_database where datname = 'husorden')")
            .fetch_one(&mut root)
            .await?;
        if !there {
            sqlx::raw_sql("create database husorden owner husorden_owner").execute(&mut root).await?;
        }
        sqlx::raw_sql(
            "revoke all on database husorden from public;
             grant connect on database husorden to husorden_tenant, husorden_staff, husorden_system",
        )
        .execute(&mut root)
        .await?;
        root.close().await?;
        let mut root = self.superuser("husorden").await?;
        sqlx::raw_sql("alter schema public owner to husorden_owner").execute(&mut root).await?;
        root.close().await?;
        Ok(())
    }
}

impl Place {
    fn data(&self) -> PathBuf {
        self.home.join("data")
    }
}

/// How to reach a database as one role.
#[must_use]
pub fn options(socket_dir: &Path, role: &str, database: &str) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .socket(socket_dir)
        .port(5432)
        .username(role)
        .database(database)
        .application_name("husorden")
        .disable_statement_logging()
}

fn check_major(data: &Path) -> Result<(), EmbeddedError> {
    let Ok(text) = std::fs::read_to_string(data.join("PG_VERSION")) else {
        return Ok(());
    };
    let found = text.trim().to_owned();
    if found == MAJOR.to_string() {
        return Ok(());
    }
    let (data, shown) = (data.to_owned(), data.display().to_string());
    let command = format!(
        "/usr/lib/postgresql/{MAJOR}/bin/pg_upgrade --old-bindir=/usr/lib/postgresql/{found}/bin \
         --new-bindir=/usr/lib/postgresql/{MAJOR}/bin --old-datadir={shown} --new-datadir={shown}.{MAJOR} \
         (as the database's user, into a folder made by initdb of {MAJOR}; then put the new folder in the old one's place)"
    );
    Err(EmbeddedError::Major { data, found, command })
}

/// A folder of the server's user.
fn folder(path: &Path, mode: u32, place: &Place) -> Result<(), EmbeddedError> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::create_dir_all(path).map_err(io(format!("making {}", path.display())))?;
    std::os::unix::fs::chown(path, Some(place.uid), Some(place.gid)).map_err(io(format!(
        "giving {} to uid {}",
        path.display(),
        place.uid
    )))?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
        .map_err(io(format!("closing {}", path.display())))
}

/// Makes the cluster beside its place and moves it there whole, so that a crash leaves nothing half made.
async fn initdb(place: &Place) -> Result<(), EmbeddedError> {
    let fresh = place.home.join("data.new");
    if fresh.exists() {
        std::fs::remove_dir_all(&fresh).map_err(io(format!("clearing {}", fresh.display())))?;
    }
    let fresh_text = fresh.display().to_string();
    let mut arguments = vec![
        "-D",
        fresh_text.as_str(),
        "-U",
        SUPERUSER,
        "--auth=peer",
        "--encoding=UTF8",
        "--locale=C.UTF-8",
        "--data-checksums",
    ];
    if !place.durable {
        arguments.push("--no-sync");
    }
    let output = command(place, "initdb").args(arguments).output().await.map_err(io("starting initdb"))?;
    if !output.status.success() {
        return Err(EmbeddedError::Tool {
            tool: "initdb",
            said: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        });
    }
    std::fs::rename(&fresh, place.data()).map_err(io("putting the new cluster in its place"))
}

/// Settings and doors, written at each start so that they are always this release's.
fn configure(place: &Place) -> Result<(), EmbeddedError> {
    let data = place.data();
    let durable = if place.durable { "on" } else { "off" };
    let settings = format!(
        "# Written by husorden at each start.\n\
         listen_addresses = ''\nunix_socket_directories = '{run}'\nunix_socket_permissions = 0777\nport = 5432\n\
         max_connections = 60\nshared_buffers = 64MB\nwork_mem = 4MB\nmaintenance_work_mem = 32MB\n\
         max_wal_size = 512MB\nrandom_page_cost = 1.1\njit = off\nmax_parallel_workers_per_gather = 0\n\
         fsync = {durable}\nfull_page_writes = {durable}\n\
         timezone = 'UTC'\nlog_timezone = 'UTC'\nlc_messages = 'C.UTF-8'\n\
         log_min_duration_statement = 1000\nidle_in_transaction_session_timeout = 60000\n",
        run = place.run.display(),
    );
    let mut ident = format!("husorden root {SUPERUSER}\n");
    for role in Role::ALL {
        ident.push_str(&format!("husorden root {}\n", role.name()));
    }
    for user in &place.control_users {
        for role in Role::DOORS {
            ident.push_str(&format!("husorden {user} {}\n", role.name()));
        }
    }
    for (name, text) in [
        ("postgresql.conf", settings.as_str()),
        ("pg_hba.conf", "local all all peer map=husorden\n"),
        ("pg_ident.conf", ident.as_str()),
    ] {
        let path = data.join(name);
        std::fs::write(&path, text).map_err(io(format!("writing {}", path.display())))?;
        std::os::unix::fs::chown(&path, Some(place.uid), Some(place.gid))
            .map_err(io(format!("giving away {}", path.display())))?;
    }
    Ok(())
}

fn command(place: &Place, tool: &str) -> Command {
    let mut command = Command::new(bin(tool));
    command
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("LC_ALL", "C.UTF-8")
        .current_dir("/")
        .uid(place.uid)
        .gid(place.gid)
        .stdin(Stdio::null());
    command
}

async fn tool(place: &Place, name: &'static str, arguments: &[&str]) -> Result<(), EmbeddedError> {
    let output = command(place, name)
        .args(arguments)
        .arg("-D")
        .arg(place.data())
        .output()
        .await
        .map_err(io(format!("starting {name}")))?;
    if output.status.success() {
        return Ok(());
    }
    Err(EmbeddedError::Tool { tool: name, said: String::from_utf8_lossy(&output.stderr).trim().to_owned() })
}

/// Whether a server runs on this data: `pg_ctl status` looks at the lock file and at the process it names.
async fn running(place: &Place) -> Result<bool, EmbeddedError> {
    let status = command(place, "pg_ctl")
        .arg("status")
        .arg("-D")
        .arg(place.data())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .await
        .map_err(io("starting pg_ctl"))?;
    Ok(status.success())
}

fn spawn(place: &Place) -> Result<Child, EmbeddedError> {
    let path = place.home.join("log");
    let log = std::fs::File::create(&path).map_err(io(format!("opening {}", path.display())))?;
    let errors = log.try_clone().map_err(io(format!("opening {}", path.display())))?;
    command(place, "postgres")
        .arg("-D")
        .arg(place.data())
        .stdout(log)
        .stderr(errors)
        // A group of its own: a Ctrl-C in the terminal stops the roles before the database, not with it.
        .process_group(0)
        .spawn()
        .map_err(io("starting PostgreSQL"))
}
