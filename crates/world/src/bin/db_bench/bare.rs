//! The peer: a server by hand, of the same runtime, its data on the machine's own disk.

use crate::instance::Instance;
use anyhow::{Context, Result, bail};
use husorden_world::House;
use husorden_world::hand::{self, INSIDE, Running, run, runtime};
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// User of the server: one that every runtime knows, for initdb asks for its name.
const UID: u32 = 65_534;
const PATIENCE: Duration = Duration::from_secs(60);
/// Where an instance sees what the platform made for it.
const GENERATED: &str = "/run/conf";
/// Where a server by hand listens for TCP.
pub(crate) const PORT: u16 = 18_432;

/// See the module.
pub(crate) struct Bare {
    folder: tempfile::TempDir,
    root: PathBuf,
    version: String,
}

impl Bare {
    /// A folder for a server of this engine, `postgresql-15` or the like; nothing in it yet.
    pub(crate) fn new(house: &House, engine: &str) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("husorden-bench").tempdir_in("/var/tmp")?;
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
        chown(folder.path(), Some(UID), Some(UID))?;
        let version = engine.split_once('-').context("an engine with its version")?.1.to_owned();
        Ok(Self { folder, root: runtime(house, engine)?, version })
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn inside(&self, program: &[&str]) -> Command {
        hand::command(&self.root, self.folder.path(), UID, program)
    }

    /// Where programs of PostgreSQL lie.
    fn bin(&self, program: &str) -> String {
        format!("/usr/lib/postgresql/{}/bin/{program}", self.version)
    }

    /// `initdb`, as the manual has it, with one user and one database besides.
    pub(crate) fn postgres_init(&self) -> Result<()> {
        run(&mut self.inside(&[
            &self.bin("initdb"),
            "-D",
            &format!("{INSIDE}/data"),
            "-U",
            "app",
            "--auth-local=trust",
            "--auth-host=trust",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
        ]))?;
        Ok(())
    }

    /// Starts PostgreSQL on its data and waits until it answers; `settings` as `name=value`.
    pub(crate) fn postgres(&self, settings: &[String]) -> Result<Running> {
        let (data, server) = (format!("{INSIDE}/data"), self.bin("postgres"));
        let mut program = vec![server, "-D".to_owned(), data];
        let own = [
            format!("unix_socket_directories={INSIDE}"),
            "listen_addresses=127.0.0.1".to_owned(),
            format!("port={PORT}"),
        ];
        for setting in settings.iter().chain(&own) {
            program.extend(["-c".to_owned(), setting.clone()]);
        }
        let program: Vec<&str> = program.iter().map(String::as_str).collect();
        let running = self.start(&program)?;
        self.until(|| self.psql("postgres", "select 1").map(drop))?;
        Ok(running)
    }

    /// psql of the machine, by the unix socket.
    pub(crate) fn psql(&self, database: &str, sql: &str) -> Result<String> {
        let to = format!("host={} port={PORT} user=app dbname={database}", self.folder.path().display());
        run(Command::new("psql").args(["-XAtq", &to, "-c", sql]))
    }

    /// The settings that an instance runs under, for a server on its own data; TLS by the same certificate.
    pub(crate) fn settings_of(&self, instance: &Instance<'_>) -> Result<Vec<String>> {
        let root = instance.root()?;
        let text = fs::read_to_string(root.join("run/conf/postgresql.conf")).context("the instance's settings")?;
        let kept = |line: &&str| {
            let ours =
                ["hba_file", "ident_file", "listen_addresses", "port", "unix_socket", "include", "ssl_cert", "ssl_key"];
            line.contains(" = ") && !line.starts_with('#') && !ours.iter().any(|start| line.starts_with(start))
        };
        let mut settings: Vec<String> = text
            .lines()
            .filter(kept)
            .filter_map(|line| line.split_once(" = "))
            .map(|(name, value)| format!("{name}={}", value.trim_matches('\'').replace(GENERATED, INSIDE)))
            .collect();
        self.judge(&root)?;
        for (setting, name) in [("ssl_cert_file", "chain.pem"), ("ssl_key_file", "key.pem")] {
            self.copy_in(&certificate(&root, name)?, name)?;
            settings.push(format!("{setting}={INSIDE}/{name}"));
        }
        Ok(settings)
    }

    /// The library that judges passwords, which the settings have the server load.
    fn judge(&self, root: &Path) -> Result<()> {
        let name = "judge.so";
        self.copy_in(&root.join(GENERATED.trim_start_matches('/')).join(name), name)
    }

    fn copy_in(&self, from: &Path, name: &str) -> Result<()> {
        let to = self.at(name);
        fs::copy(from, &to).with_context(|| format!("copying {}", from.display()))?;
        chown(&to, Some(UID), Some(UID))?;
        Ok(fs::set_permissions(&to, fs::Permissions::from_mode(0o600))?)
    }

    /// `mariadb-install-db`, as the manual has it.
    pub(crate) fn mariadb_init(&self) -> Result<()> {
        run(&mut self.inside(&[
            "mariadb-install-db",
            "--no-defaults",
            &format!("--datadir={INSIDE}/data"),
            "--skip-test-db",
            "--skip-name-resolve",
            "--auth-root-authentication-method=normal",
        ]))?;
        Ok(())
    }

    /// Starts MariaDB on its data and waits until it answers; `settings` is the name of a file in the folder, if there is one.
    pub(crate) fn mariadb(&self, settings: Option<&str>) -> Result<Running> {
        let first = settings.map_or("--no-defaults".to_owned(), |name| format!("--defaults-file={INSIDE}/{name}"));
        let socket = format!("--socket={INSIDE}/db.sock");
        let data = format!("--datadir={INSIDE}/data");
        let running = self.start(&["mariadbd", &first, &data, &socket, "--skip-networking", "--pid-file=/tmp/pid"])?;
        let socket = format!("--socket={}", self.at("db.sock").display());
        let ask =
            || run(Command::new("mariadb").args(["--no-defaults", &socket, "-u", "root", "-e", "select 1"])).map(drop);
        self.until(ask)?;
        Ok(running)
    }

    /// Writes the settings that an instance of MariaDB runs under, for a server on its own data; returns the name of the file.
    pub(crate) fn mariadb_settings_of(&self, instance: &Instance<'_>) -> Result<&'static str> {
        let root = instance.root()?;
        let text = fs::read_to_string(root.join("run/conf/mariadb.cnf")).context("the instance's settings")?;
        self.judge(&root)?;
        let ours = ["datadir", "socket", "port", "init-file", "require-secure", "tls-version", "ssl-", "pid-file"];
        let kept: Vec<&str> = text.lines().filter(|line| !ours.iter().any(|start| line.starts_with(start))).collect();
        fs::write(self.at("my.cnf"), kept.join("\n").replace(GENERATED, INSIDE))?;
        Ok("my.cnf")
    }

    fn start(&self, program: &[&str]) -> Result<Running> {
        let log = fs::File::create(self.at("log"))?;
        let child = self.inside(program).stdout(Stdio::null()).stderr(log).spawn();
        Ok(Running(child.context("starting a server by hand")?))
    }

    fn until(&self, ask: impl Fn() -> Result<()>) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        while let Err(error) = ask() {
            if Instant::now() > end {
                let said = fs::read_to_string(self.at("log")).unwrap_or_default();
                bail!("the server by hand does not answer: {error}\n{said}");
            }
        }
        Ok(())
    }
}

/// A file of the instance's certificate, beneath what its server sees.
fn certificate(root: &Path, name: &str) -> Result<PathBuf> {
    let text = fs::read_to_string(root.join("run/conf/postgresql.conf"))?;
    let line = text.lines().find(|line| line.starts_with("ssl_cert_file")).context("a certificate")?;
    let path = line.split('\'').nth(1).context("its path")?;
    let folder = Path::new(path).parent().context("its folder")?;
    Ok(root.join(folder.strip_prefix("/")?).join(name))
}
