//! A private PostgreSQL for one machine: made, started, adopted and stopped by the platform, on a unix socket only.
//!
//! Who may come in is said by the kernel (peer authentication) and the ident map; there are no passwords. Starting is
//! idempotent: a cluster that was half made is made again, and a server that outlived its starter is adopted. New data is made
//! with the newest version installed; data that is there runs with the version it was made with, and is refused with the
//! command that upgrades it when that version is gone.

pub mod copying;

use crate::doors::{Role, options};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::process::{Child, Command};

/// Where Debian puts each major version's programs.
const PROGRAMS: &str = "/usr/lib/postgresql";
/// The oldest major version that will do, as Debian 12 has it.
const MAJOR_MIN: u32 = 15;
const READY_WAIT: Duration = Duration::from_secs(60);
const CHILDREN_WAIT: Duration = Duration::from_secs(20);
/// The superuser of the cluster; only root may be it, and only here.
const SUPERUSER: &str = "husorden_root";
/// Who copies: it may read the data and the log as the server writes them, and open no database.
const COPIER: &str = "husorden_copy";
/// How a new cluster is made; an upgrade must make it the same.
const INITDB: [&str; 6] = ["-U", SUPERUSER, "--auth=peer", "--encoding=UTF8", "--locale=C.UTF-8", "--data-checksums"];

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
    /// Operating system users that may copy the whole of it, and nothing else.
    pub copy_users: Vec<String>,
    /// Whether a commit waits for the disk. Off only for tests.
    pub durable: bool,
}

/// A private PostgreSQL that is ready.
#[derive(Debug)]
pub struct Embedded {
    place: Place,
    programs: Programs,
    /// None when a running server was adopted.
    child: Option<Child>,
}

/// Why the private PostgreSQL is not there.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// No version of Debian's package is there.
    #[error(
        "no PostgreSQL from {MAJOR_MIN} on is installed in {PROGRAMS}; install it with: apt-get install postgresql"
    )]
    Missing,
    /// The version the data was made with is not there.
    #[error(
        "the data in {data} was made by PostgreSQL {found}, which is not installed in {PROGRAMS}. Install it again with: apt-get install postgresql-{found}. With both there, go over to {newest} with: {command}"
    )]
    Major {
        /// The data folder.
        data: PathBuf,
        /// What PG_VERSION says.
        found: String,
        /// The newest version installed.
        newest: u32,
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

/// The programs of one major version.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Programs {
    major: u32,
    folder: PathBuf,
}

impl Programs {
    /// Those installed beneath a folder, the oldest first.
    fn installed(root: &Path) -> Vec<Self> {
        let entries = std::fs::read_dir(root).into_iter().flatten().flatten();
        let mut all: Vec<Self> = entries
            .filter_map(|entry| {
                let major: u32 = entry.file_name().to_str()?.parse().ok()?;
                let folder = entry.path().join("bin");
                let whole = ["postgres", "initdb", "pg_ctl"].iter().all(|tool| folder.join(tool).exists());
                (whole && major >= MAJOR_MIN).then_some(Self { major, folder })
            })
            .collect();
        all.sort_by_key(|programs| programs.major);
        all
    }

    /// Those for a place: of the version its data was made with, or the newest for new data.
    fn choose(root: &Path, place: &Place) -> Result<Self, EmbeddedError> {
        let mut all = Self::installed(root);
        let newest = all.pop().ok_or(EmbeddedError::Missing)?;
        let data = place.data();
        let Ok(text) = std::fs::read_to_string(data.join("PG_VERSION")) else {
            return Ok(newest);
        };
        let found = text.trim();
        if found == newest.major.to_string() {
            return Ok(newest);
        }
        match all.into_iter().find(|programs| found == programs.major.to_string()) {
            Some(programs) => {
                tracing::info!(major = programs.major, newest = newest.major, "PostgreSQL stays at the data's version");
                Ok(programs)
            }
            None => {
                let command = upgrade(place, root, found, &newest);
                Err(EmbeddedError::Major { data, found: found.to_owned(), newest: newest.major, command })
            }
        }
    }

    fn bin(&self, tool: &str) -> PathBuf {
        self.folder.join(tool)
    }
}

/// What brings the data to the newest version, for a shell of root. It takes place beside the data, and what was stays.
fn upgrade(place: &Place, root: &Path, found: &str, newest: &Programs) -> String {
    let (home, major) = (place.home.display(), newest.major);
    let (new, old) = (newest.folder.display(), root.join(found).join("bin"));
    format!(
        "setpriv --reuid={uid} --regid={gid} --clear-groups sh -ec 'cd {home}; {new}/initdb -D data.{major} {initdb}; \
         for data in data data.{major}; do echo local all all trust > $data/pg_hba.conf; done; \
         {new}/pg_upgrade -U {SUPERUSER} -b {old} -B {new} -d data -D data.{major}; \
         mv data data.{found}; mv data.{major} data'",
        uid = place.uid,
        gid = place.gid,
        initdb = INITDB.join(" "),
        old = old.display(),
    )
}

impl Embedded {
    /// Brings it up, from whatever is there, and returns when it answers and has its roles and database.
    ///
    /// # Errors
    /// See [`EmbeddedError`].
    pub async fn start(place: Place) -> Result<Self, EmbeddedError> {
        let data = place.data();
        let programs = Programs::choose(Path::new(PROGRAMS), &place)?;
        folder(&place.home, 0o700, &place)?;
        folder(&place.run, 0o755, &place)?;
        if !data.join("PG_VERSION").exists() {
            initdb(&place, &programs).await?;
        }
        configure(&place)?;
        let child = if place.server().is_some() {
            tracing::info!(data = %data.display(), "a private PostgreSQL runs already and is adopted");
            if let Err(error) = tool(&place, &programs, "pg_ctl", &["reload"]).await {
                // It ended this moment; that it did is found out while we wait for its answer.
                tracing::warn!(%error, "the adopted server did not take its settings");
            }
            None
        } else {
            clear_dead_locks(&place).await;
            Some(spawn(&place, &programs)?)
        };
        let mut embedded = Self { place, programs, child };
        embedded.ready().await?;
        embedded.furnish().await?;
        Ok(embedded)
    }

    /// Folder of the socket.
    #[must_use]
    pub fn socket_dir(&self) -> &Path {
        &self.place.run
    }

    /// Process id of the server, while it lives.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.place.server()
    }

    /// Stops it: connections are cut, what was committed is on disk.
    ///
    /// # Errors
    /// When the server does not stop in 30 seconds.
    pub async fn stop(mut self) -> Result<(), EmbeddedError> {
        if self.place.server().is_some() {
            tool(&self.place, &self.programs, "pg_ctl", &["stop", "-m", "fast", "-t", "30"]).await?;
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
                self.child = Some(spawn(&self.place, &self.programs)?);
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
                // What was adopted was already dying.
                Err(_) if self.child.is_none() && self.place.server().is_none() => {
                    clear_dead_locks(&self.place).await;
                    self.child = Some(spawn(&self.place, &self.programs)?);
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
        sqlx::raw_sql(AssertSqlSafe(format!(
            "do $$ begin if not exists (select from pg_roles where rolname = '{COPIER}') then
               create role {COPIER} login replication nosuperuser nocreatedb nocreaterole nobypassrls;
             end if; end $$"
        )))
        .execute(&mut root)
        .await?;
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

    fn server(&self) -> Option<u32> {
        server_pid(&self.home)
    }
}

/// The pid of the private PostgreSQL that keeps its data in this home, while it lives. `pg_ctl status` is not asked: it takes
/// a killed server that nobody has reaped for alive, and a pid that was given to somebody else for the server.
#[must_use]
pub fn server_pid(home: &Path) -> Option<u32> {
    let data = home.join("data");
    let text = std::fs::read_to_string(data.join("postmaster.pid")).ok()?;
    let pid: u32 = text.lines().next()?.trim().parse().ok()?;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (before, after) = stat.rsplit_once(") ")?;
    let dead = after.starts_with(['Z', 'X']);
    let postgres = before.split_once('(')?.1.starts_with("postgres");
    (!dead && postgres).then_some(pid)
}

/// Takes away the lock files of a server that is dead. PostgreSQL does so itself, but for one case: a killed server whose
/// parent does not reap it looks alive to it for ever. Its last children must have gone first, for the file is also how a
/// new server would know of them.
async fn clear_dead_locks(place: &Place) {
    let locks = [place.data().join("postmaster.pid"), place.run.join(".s.PGSQL.5432.lock")];
    let begun = Instant::now();
    while locks.iter().any(|lock| lock.exists()) && place.server().is_none() {
        if !anybody_in(&place.data()) {
            for lock in &locks {
                let _ = std::fs::remove_file(lock);
            }
            return;
        }
        if begun.elapsed() >= CHILDREN_WAIT {
            tracing::error!("children of a PostgreSQL that was killed do not end");
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Whether any process works in this folder, as every process of PostgreSQL does in its data.
fn anybody_in(folder: &Path) -> bool {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.map(|entry| entry.path().join("cwd")).any(|cwd| std::fs::read_link(cwd).is_ok_and(|path| path == folder))
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
async fn initdb(place: &Place, programs: &Programs) -> Result<(), EmbeddedError> {
    let fresh = place.home.join("data.new");
    if fresh.exists() {
        std::fs::remove_dir_all(&fresh).map_err(io(format!("clearing {}", fresh.display())))?;
    }
    let fresh_text = fresh.display().to_string();
    let mut arguments = vec!["-D", fresh_text.as_str()];
    arguments.extend(INITDB);
    if !place.durable {
        arguments.push("--no-sync");
    }
    let output = command(place, programs, "initdb").args(arguments).output().await.map_err(io("starting initdb"))?;
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
         max_wal_size = 512MB\nmax_slot_wal_keep_size = 4GB\nrandom_page_cost = 1.1\njit = off\nmax_parallel_workers_per_gather = 0\n\
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
    for user in &place.copy_users {
        ident.push_str(&format!("husorden {user} {COPIER}\n"));
    }
    let doors = format!("local replication {COPIER} peer map=husorden\nlocal all all peer map=husorden\n");
    for (name, text) in
        [("postgresql.conf", settings.as_str()), ("pg_hba.conf", doors.as_str()), ("pg_ident.conf", ident.as_str())]
    {
        let path = data.join(name);
        std::fs::write(&path, text).map_err(io(format!("writing {}", path.display())))?;
        std::os::unix::fs::chown(&path, Some(place.uid), Some(place.gid))
            .map_err(io(format!("giving away {}", path.display())))?;
    }
    Ok(())
}

fn command(place: &Place, programs: &Programs, tool: &str) -> Command {
    let mut command = Command::new(programs.bin(tool));
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

async fn tool(place: &Place, programs: &Programs, name: &'static str, arguments: &[&str]) -> Result<(), EmbeddedError> {
    let output = command(place, programs, name)
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

fn spawn(place: &Place, programs: &Programs) -> Result<Child, EmbeddedError> {
    let path = place.home.join("log");
    let log = std::fs::File::create(&path).map_err(io(format!("opening {}", path.display())))?;
    let errors = log.try_clone().map_err(io(format!("opening {}", path.display())))?;
    command(place, programs, "postgres")
        .arg("-D")
        .arg(place.data())
        .stdout(log)
        .stderr(errors)
        // A group of its own: a Ctrl-C in the terminal stops the roles before the database, not with it.
        .process_group(0)
        .spawn()
        .map_err(io("starting PostgreSQL"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_stays_with_its_version() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().join("programs");
        let place = Place {
            home: folder.path().join("db"),
            run: folder.path().join("run"),
            uid: 100,
            gid: 101,
            control_users: Vec::new(),
            copy_users: Vec::new(),
            durable: true,
        };
        std::fs::create_dir_all(place.data()).expect("a folder");
        assert!(matches!(Programs::choose(&root, &place), Err(EmbeddedError::Missing)));
        for major in ["13", "15", "17", "16.old"] {
            let bin = root.join(major).join("bin");
            std::fs::create_dir_all(&bin).expect("a folder");
            for tool in ["postgres", "initdb", "pg_ctl"] {
                std::fs::write(bin.join(tool), "").expect("a program");
            }
        }
        // Only the client's programs of 18 are there.
        std::fs::create_dir_all(root.join("18/bin")).expect("a folder");
        let chosen = |place: &Place| Programs::choose(&root, place).map(|programs| programs.major);
        assert_eq!(chosen(&place).expect("the newest for new data"), 17);
        for (version, major) in [("15\n", Some(15)), ("17\n", Some(17)), ("13\n", None), ("16\n", None)] {
            std::fs::write(place.data().join("PG_VERSION"), version).expect("a version");
            assert_eq!(chosen(&place).ok(), major, "{version:?}");
        }
        let refusal = chosen(&place).expect_err("16 is gone").to_string();
        assert!(
            refusal.contains("apt-get install postgresql-16") && refusal.contains("17/bin/pg_upgrade"),
            "{refusal}"
        );
    }
}
