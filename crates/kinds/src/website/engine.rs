//! PHP-FPM, MariaDB and the scripts of a website's tasks: with `settings` and `files`, the only place that names the engines'
//! tools.
//!
//! Everything here is text and data made from the spec. Both servers are handed their listening socket as file descriptor 3:
//! FPM is told of it by `FPM_SOCKETS`, MariaDB by systemd's `LISTEN_FDS`.

use super::app::App;
use super::settings;
use super::spec::{Database, Runtime, Spec};
use crate::{Bind, Credential, Io, Limits, Live, Network, Place, Reach, Sandbox, Service, Task};
use husorden_base::{Bytes, RuntimeName};
use std::collections::BTreeMap;

/// Folders of the volume: what is served; what PHP writes besides; the database's data, one folder a version; what the platform
/// writes for PHP to read.
pub(super) const FOLDERS: [&str; 4] = ["db", "private", "tmp", "www"];
/// The role of PHP-FPM.
pub(super) const PHP: &str = "php";
/// The role of MariaDB.
pub(super) const DB: &str = "db";
/// The credential of the application's first user.
pub(super) const ADMIN: &str = "admin";

/// Marks that the tasks leave on the volume.
pub(super) mod mark {
    /// The database's version; after an upgrade also what it came from, until that is tidied away.
    pub(in crate::website) const DB: &str = "db";
    /// The runtime that serves.
    pub(in crate::website) const RUNTIME: &str = "runtime";
    /// The application that was installed.
    pub(in crate::website) const APP: &str = "app";
    /// Generation of the password that was set last.
    pub(in crate::website) const CREDENTIAL: &str = "credential.admin";
    /// The address that the application was told.
    pub(in crate::website) const ADDRESS: &str = "address";
    /// What the site was told of its attachment last, or [`super::attached::NONE`].
    pub(in crate::website) const ATTACHED: &str = "attached";
    /// Where the application's data lies, when it does not lie on the volume.
    pub(in crate::website) const AWAY: &str = "away";
    /// What a site without application began with.
    pub(in crate::website) const CONTENT: &str = "content";
}

pub(super) const WWW: &str = "/srv/www";
pub(super) const TMP: &str = "/srv/tmp";
/// What the platform writes for PHP to read.
pub(super) const PRIVATE: &str = "/srv/private";
pub(super) const SOCKETS: &str = "/run/husorden";
/// Where the servers say they listen. A label: what they listen on is handed to them, and they may try to remove it when they end.
pub(super) const LISTEN: &str = "/run";
/// What stands in for a mail server.
pub(super) const NO_MAIL: &str = "/run/conf/no-mail.sh";
pub(super) const GENERATED: &str = "/run/conf";
const DB_SETTINGS: &str = "--defaults-file=/run/conf/mariadb.cnf";
const SIGQUIT: i32 = 3;
const SIGTERM: i32 = 15;
/// Form fields and headers beside the upload itself.
pub(super) const UPLOAD_MARGIN_MB: u32 = 8;
/// Longest that a request may hold up a change of settings.
const DRAIN_S_MAX: u32 = 30;

/// Largest request body: the largest upload, with room for the form around it.
pub(super) fn body(spec: &Spec) -> Bytes {
    Bytes::mib(u64::from(spec.php.upload_mb + UPLOAD_MARGIN_MB))
}

/// What the docroot is called inside the sandbox.
pub(super) fn inner_root(spec: &Spec) -> String {
    if spec.docroot.is_empty() { WWW.to_owned() } else { format!("{WWW}/{}", spec.docroot) }
}

/// The runtime that tasks run in where the site has none of its own.
pub(super) fn toolbox(spec: &Spec) -> RuntimeName {
    spec.runtime.catalogue().or(Runtime::Php84.catalogue()).expect("php-8.4 is in the catalogue")
}

/// PHP-FPM in this runtime.
pub(super) fn php(spec: &Spec, runtime: &RuntimeName) -> Service {
    let version = version(runtime);
    let mut sandbox = php_sandbox(spec, runtime);
    sandbox.argv = words(&[
        &format!("/usr/sbin/php-fpm{version}"),
        "--nodaemonize",
        "--force-stderr",
        "--fpm-config",
        "/run/conf/fpm.conf",
    ]);
    sandbox.env.insert("FPM_SOCKETS".to_owned(), format!("{LISTEN}/{PHP}.sock=3"));
    Service {
        sandbox,
        reach: Reach::Edge,
        idle_stop_s: 300,
        stop_s: drain_s(spec) + 5,
        stop_signal: SIGQUIT,
        live: Live::default(),
        fill: BTreeMap::new(),
    }
}

/// MariaDB of this version, whose log is kept.
pub(super) fn db(spec: &Spec, database: &RuntimeName) -> Service {
    let mut sandbox = db_sandbox(spec, database);
    let serve = format!("{GENERATED}/db-serve.pl");
    let start = format!("{GENERATED}/db-start.sql");
    let init = format!("--init-file={start}");
    sandbox.argv = words(&["/usr/bin/perl", &serve, "/usr/sbin/mariadbd", DB_SETTINGS, &init]);
    sandbox.told_of_listeners(1);
    sandbox.files.extend([
        (serve, include_str!("files/db-serve.pl").to_owned()),
        (start, include_str!("files/db-start.sql").to_owned()),
    ]);
    crate::segments::kept(&mut sandbox, database.as_str());
    Service {
        sandbox,
        reach: Reach::Own,
        // A little longer than PHP, so that the site's last requests never meet a database that is going.
        idle_stop_s: 360,
        stop_s: 60,
        stop_signal: SIGTERM,
        live: Live::default(),
        fill: BTreeMap::new(),
    }
}

/// The same on what was restored: it answers who looks whether it opens, and what it writes is thrown away.
pub(super) fn db_opened(spec: &Spec, database: &RuntimeName) -> Service {
    let mut sandbox = db_sandbox(spec, database);
    sandbox.argv = words(&["/usr/sbin/mariadbd", DB_SETTINGS]);
    sandbox.told_of_listeners(1);
    crate::opening::service(sandbox, Live::default())
}

/// Copies the prepared database into the volume.
pub(super) fn db_init(spec: &Spec, database: &RuntimeName) -> Task {
    let mut sandbox = db_sandbox(spec, database);
    script(&mut sandbox, "db-init.sh", crate::mariadb::INIT);
    sandbox.binds.push(Bind { from: Place::Template(database.clone()), to: "/srv/template".to_owned(), write: false });
    sandbox.env.insert("DB".to_owned(), database.to_string());
    task("db-init", sandbox, (mark::DB, database.as_str()), 120)
}

/// Lifts the data of an older version to this one.
pub(super) fn db_upgrade(spec: &Spec, from: &RuntimeName, to: &RuntimeName) -> Task {
    let mut sandbox = db_sandbox(spec, to);
    script(&mut sandbox, "db-upgrade.sh", crate::mariadb::UPGRADE);
    sandbox.env.insert("FROM".to_owned(), from.to_string());
    sandbox.env.insert("DB".to_owned(), to.to_string());
    let mark = format!("{to} from {from}");
    task("db-upgrade", sandbox, (mark::DB, &mark), 1800)
}

/// Removes the data of older versions.
pub(super) fn db_tidy(spec: &Spec, database: &RuntimeName) -> Task {
    let mut sandbox = db_sandbox(spec, database);
    script(&mut sandbox, "db-tidy.sh", crate::mariadb::TIDY);
    sandbox.env.insert("DB".to_owned(), database.to_string());
    task("db-tidy", sandbox, (mark::DB, database.as_str()), 120)
}

/// Puts a first page into an empty site.
pub(super) fn welcome(spec: &Spec, runtime: &RuntimeName) -> Task {
    let mut sandbox = php_sandbox(spec, runtime);
    script(&mut sandbox, "welcome.sh", include_str!("files/welcome.sh"));
    sandbox.files.insert(format!("{GENERATED}/welcome.html"), include_str!("files/welcome.html").to_owned());
    let index = match spec.runtime {
        Runtime::Static => "index.html",
        Runtime::Php82 | Runtime::Php84 => "index.php",
    };
    sandbox.env.insert("INDEX".to_owned(), index.to_owned());
    sandbox.env.insert("DOCROOT".to_owned(), spec.docroot.clone());
    sandbox.network = Network::Nothing;
    task("welcome", sandbox, (mark::CONTENT, "welcome"), 60)
}

/// Installs the application, with its address and its first user's password; what serves it then is the runtime in which it was installed,
/// with the same settings, so that is not tried once more.
pub(super) fn app_install(spec: &Spec, app: &App, runtime: &RuntimeName, credential: Option<&Credential>) -> Task {
    let order = serde_json::json!({
        "url": spec.address(),
        "title": app.title,
        "user": app.admin_user,
        "email": app.admin_email,
        "language": app.language.word(),
        "hash": credential.map(|credential| &credential.hash),
    });
    let name = ("app-install", "install.php");
    let mut task = app_task(spec, app, runtime, name, (mark::APP, app.name.word()), Network::Nothing);
    task.stdin = order.to_string();
    task.marks.extend(credential.map(|credential| (mark::CREDENTIAL.to_owned(), credential.generation.to_string())));
    task.marks.push((mark::ADDRESS.to_owned(), spec.address()));
    task.marks.push((mark::RUNTIME.to_owned(), runtime.to_string()));
    task
}

/// Sets the hash of the first user's password.
pub(super) fn app_credential(
    spec: &Spec,
    app: &App,
    runtime: &RuntimeName,
    credential: &Credential,
    network: Network,
) -> Task {
    let order = serde_json::json!({"user": credential.username, "hash": credential.hash});
    Task {
        stdin: order.to_string(),
        ..app_task(
            spec,
            app,
            runtime,
            ("credential-admin", "credential.php"),
            (mark::CREDENTIAL, &credential.generation.to_string()),
            network,
        )
    }
}

/// Tells the application its address.
pub(super) fn app_address(spec: &Spec, app: &App, runtime: &RuntimeName, network: Network) -> Task {
    let order = serde_json::json!({"url": spec.address()});
    Task {
        stdin: order.to_string(),
        ..app_task(spec, app, runtime, ("app-address", "address.php"), (mark::ADDRESS, &spec.address()), network)
    }
}

/// Tries a runtime with this site's settings and front page.
pub(super) fn probe(spec: &Spec, runtime: &RuntimeName) -> Task {
    let mut sandbox = php_sandbox(spec, runtime);
    script(&mut sandbox, "probe.sh", include_str!("files/probe.sh"));
    sandbox.files.insert(format!("{GENERATED}/probe.php"), include_str!("files/probe.php").to_owned());
    let version = version(runtime);
    sandbox.env.extend([
        ("PHP".to_owned(), version.to_owned()),
        ("MEMORY".to_owned(), format!("{}M", spec.php.memory_mb)),
        ("SITE".to_owned(), spec.domains[0].to_string()),
        ("ROOT".to_owned(), inner_root(spec)),
    ]);
    task("probe", sandbox, (mark::RUNTIME, runtime.as_str()), 90)
}

/// The application's own code is at work here, before anyone has logged in: it has no errand on the net but where its data lies.
fn app_task(
    spec: &Spec,
    app: &App,
    runtime: &RuntimeName,
    (name, file): (&str, &str),
    mark: (&str, &str),
    network: Network,
) -> Task {
    let mut sandbox = php_sandbox(spec, runtime);
    sandbox.argv = words(&[
        &format!("/usr/bin/php{}", version(runtime)),
        "-d",
        "memory_limit=256M",
        "-d",
        "display_errors=stderr",
        &format!("/srv/app/husorden/{file}"),
    ]);
    sandbox.binds.push(Bind { from: Place::App(app.name.word().to_owned()), to: "/srv/app".to_owned(), write: false });
    sandbox.network = network;
    sandbox.limits.memory = sandbox.limits.memory.max(Bytes::mib(384));
    task(name, sandbox, mark, 300)
}

pub(super) fn php_sandbox(spec: &Spec, runtime: &RuntimeName) -> Sandbox {
    let mut env = environment();
    // The empty first part stands for the runtime's own folder.
    env.insert("PHP_INI_SCAN_DIR".to_owned(), format!(":{GENERATED}/php"));
    env.insert("TMPDIR".to_owned(), TMP.to_owned());
    Sandbox {
        runtime: runtime.clone(),
        argv: Vec::new(),
        env,
        cwd: WWW.to_owned(),
        binds: vec![folder("www", WWW), folder("tmp", TMP), private(false), sockets()],
        files: BTreeMap::from([
            (format!("{GENERATED}/fpm.conf"), settings::fpm_conf(spec)),
            (format!("{GENERATED}/php/90-site.ini"), settings::php_ini()),
            (NO_MAIL.to_owned(), include_str!("files/no-mail.sh").to_owned()),
        ]),
        limits: Limits {
            memory: spec.memory,
            cpu_percent: spec.cpu_percent,
            // Each script may start a few programs; the rest is the master and a margin.
            pids: 32 + 8 * spec.php.workers,
            io: Io::default(),
        },
        network: Network::Port,
    }
}

pub(super) fn db_sandbox(spec: &Spec, database: &RuntimeName) -> Sandbox {
    Sandbox {
        runtime: database.clone(),
        argv: Vec::new(),
        env: environment(),
        cwd: "/srv/db".to_owned(),
        binds: vec![folder("db", "/srv/db")],
        files: BTreeMap::from([(format!("{GENERATED}/mariadb.cnf"), settings::mariadb_cnf(spec, database))]),
        limits: Limits { memory: Bytes::mib(384), cpu_percent: spec.cpu_percent, pids: 128, io: Io::default() },
        network: Network::Nothing,
    }
}

pub(super) fn drain_s(spec: &Spec) -> u32 {
    spec.php.max_execution_s.min(DRAIN_S_MAX)
}

/// The part after the engine's name: `8.4` of `php-8.4`.
pub(super) fn version(runtime: &RuntimeName) -> &str {
    runtime.as_str().split_once('-').map_or("", |(_, version)| version)
}

/// The database that the mark names, and whether an older one still lies beside it.
pub(super) fn held(marks: &BTreeMap<String, String>) -> Option<(Database, bool)> {
    let text = marks.get(mark::DB)?;
    let name = text.split(' ').next().unwrap_or_default();
    Some((Database::named(name)?, text.contains(' ')))
}

pub(super) fn task(name: &str, sandbox: Sandbox, mark: (&str, &str), limit_s: u32) -> Task {
    let marks = vec![(mark.0.to_owned(), mark.1.to_owned())];
    Task { name: name.to_owned(), sandbox, stdin: String::new(), marks, limit_s }
}

pub(super) fn script(sandbox: &mut Sandbox, name: &str, text: &str) {
    let path = format!("{GENERATED}/{name}");
    sandbox.argv = words(&["/bin/sh", &path]);
    sandbox.files.insert(path, text.to_owned());
}

pub(super) fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn environment() -> BTreeMap<String, String> {
    [("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"), ("HOME", "/tmp"), ("LANG", "C.UTF-8")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

pub(super) fn folder(name: &str, to: &str) -> Bind {
    Bind { from: Place::Folder(name.to_owned()), to: to.to_owned(), write: true }
}

/// What the platform writes for the site's own code.
pub(super) fn private(write: bool) -> Bind {
    Bind { from: Place::Folder("private".to_owned()), to: PRIVATE.to_owned(), write }
}

pub(super) fn sockets() -> Bind {
    Bind { from: Place::Sockets, to: SOCKETS.to_owned(), write: false }
}
