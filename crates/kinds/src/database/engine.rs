//! The engines, and what is asked of each: its service, and the tasks that bring its data to what is wished.

use super::people;
use super::spec::{Spec, same};
use super::{mariadb, postgres};
use crate::sandbox::{LEAKED, TOOL};
use crate::{Bind, Io, Limits, Log, Network, Order, Place, Protocol, Sandbox, Scheme, Service, Task};
use husorden_base::{Bytes, RuntimeName, Text};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The folders of the volume: the engine's data, one folder a version, and what it says.
pub(super) const FOLDERS: [&str; 2] = ["db", "log"];
/// What it says, in at most eight megabytes.
pub(super) const LOG: Log = Log { folder: "log", file: "db.log" };
/// The role of the server.
pub(super) const DB: &str = "db";
/// The role of the pooler before it.
pub(super) const POOLER: &str = "pooler";
/// The role of the server on the copy on which an upgrade is tried, and the task that tries it.
pub(super) const TRIAL: &str = "trial";
/// The task that brings the copy to rest first.
pub(super) const TRIAL_REST: &str = "trial-rest";
/// The task that upgrades, and what a snapshot is called that is taken before it.
pub(super) const UPGRADE: &str = "upgrade";
/// Where generated files lie.
pub(super) const GENERATED: &str = "/run/conf";
/// Where the certificate lies.
pub(super) const CERTIFICATE: &str = "/run/certificate";
/// Where the solution's sockets lie.
pub(super) const SOCKETS: &str = "/run/husorden";
/// Seconds without work or clients after which a server sleeps.
pub(super) const IDLE_STOP_S: u32 = 900;

/// Marks that the tasks leave on the volume.
pub(super) mod mark {
    /// The version of the data, whose instance it is, and after an upgrade what it came from until that is tidied away.
    pub(in crate::database) const ENGINE: &str = "engine";
    /// Digest of the users, databases and rights that were set last.
    pub(in crate::database) const PEOPLE: &str = "people";
    /// On the copy on which an upgrade is tried: it is at rest.
    pub(in crate::database) const TRIAL_RESTS: &str = "trial.rests";
    /// On that copy: the upgrade came to a good end there.
    pub(in crate::database) const TRIAL_DONE: &str = "trial.done";
}

/// An engine in a version. Within a family the order is that of versions: data goes up, never down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Engine {
    /// PostgreSQL 15 of Debian 12.
    #[serde(rename = "postgresql-15")]
    Postgres15,
    /// PostgreSQL 17 of Debian 13.
    #[serde(rename = "postgresql-17")]
    Postgres17,
    /// MariaDB 10.11 of Debian 12.
    #[serde(rename = "mariadb-10.11")]
    MariaDb1011,
    /// MariaDB 11.8 of Debian 13.
    #[serde(rename = "mariadb-11.8")]
    MariaDb118,
}

/// Words of the form, in the order they are shown.
pub(super) const ENGINES: [(&str, Engine); 4] = [
    ("postgresql-17", Engine::Postgres17),
    ("postgresql-15", Engine::Postgres15),
    ("mariadb-11.8", Engine::MariaDb118),
    ("mariadb-10.11", Engine::MariaDb1011),
];

/// A make of engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// PostgreSQL.
    Postgres,
    /// MariaDB.
    MariaDb,
}

/// The words of one make's engines.
pub(super) fn words_of(family: Family) -> Vec<&'static str> {
    ENGINES.iter().filter(|(_, engine)| engine.family() == family).map(|(word, _)| *word).collect()
}

/// Whether a server answers clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// It does.
    Serving,
    /// Its data is being read for an upgrade: it answers nobody but that.
    Upgrading,
}

impl Engine {
    pub(super) fn word(self) -> &'static str {
        ENGINES.iter().find(|(_, engine)| *engine == self).expect("every engine stands in the list").0
    }

    /// The engine with this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        ENGINES.into_iter().find(|(word, _)| *word == name).map(|(_, engine)| engine)
    }

    /// The catalogue's name.
    pub(super) fn catalogue(self) -> RuntimeName {
        self.word().parse().expect("the words for engines are runtime names")
    }

    pub(super) fn family(self) -> Family {
        match self {
            Self::Postgres15 | Self::Postgres17 => Family::Postgres,
            Self::MariaDb1011 | Self::MariaDb118 => Family::MariaDb,
        }
    }

    /// What people call it.
    pub(super) fn called(self) -> Text {
        same(match self {
            Self::Postgres15 => "PostgreSQL 15",
            Self::Postgres17 => "PostgreSQL 17",
            Self::MariaDb1011 => "MariaDB 10.11",
            Self::MariaDb118 => "MariaDB 11.8",
        })
    }

    /// The part after the engine's name: `17` of `postgresql-17`.
    pub(super) fn version(self) -> &'static str {
        self.word().split_once('-').map_or("", |(_, version)| version)
    }

    /// The TCP port it listens on, inside.
    pub(super) fn tcp(self) -> u16 {
        match self.family() {
            Family::Postgres => postgres::TCP,
            Family::MariaDb => mariadb::TCP,
        }
    }

    /// The form in which it keeps passwords.
    pub(super) fn scheme(self) -> Scheme {
        match self.family() {
            Family::Postgres => Scheme::ScramSha256,
            Family::MariaDb => Scheme::MysqlNative,
        }
    }

    /// The extensions that can be switched on.
    pub(super) fn extensions(self) -> &'static [&'static str] {
        match self.family() {
            Family::Postgres => &postgres::EXTENSIONS,
            Family::MariaDb => &[],
        }
    }

    /// Whether its data knows whose it is, so that a copy must be told that it is another's.
    pub(super) fn has_identity(self) -> bool {
        self.family() == Family::Postgres
    }
}

/// The server on the data of this version.
pub(super) fn service(spec: &Spec, engine: Engine, mode: Mode) -> Service {
    match engine.family() {
        Family::Postgres => postgres::service(spec, engine, mode),
        Family::MariaDb => mariadb::service(spec, engine),
    }
}

/// Room that the disk gives beyond the instance's size, and that nobody is to count on: a server that cannot write its log is a server
/// that stops. After it was told to take nothing more it still writes its log up to the next checkpoint and one beyond, the pages that its
/// cache has not yet written, each of them anew beside the old until the disk lets go of that, and what it needs after a kill.
pub(super) fn reserve(spec: &Spec) -> Bytes {
    let (log, cache) = match spec.engine.family() {
        Family::Postgres => (postgres::log(spec), postgres::cache(spec)),
        Family::MariaDb => (mariadb::log(spec), mariadb::cache(spec)),
    };
    Bytes(3 * log.0 + 2 * cache.0.min(spec.size.0) + RECOVERY.0)
}

/// What a server needs to come back after a kill.
const RECOVERY: Bytes = Bytes::mib(64);

/// Copies the prepared, empty server into the volume.
pub(super) fn init(order: &Order, spec: &Spec, engine: Engine) -> Task {
    let mut sandbox = sandbox(spec, engine);
    let text = match engine.family() {
        Family::Postgres => include_str!("files/postgres-init.sh"),
        Family::MariaDb => crate::mariadb::INIT,
    };
    script(&mut sandbox, "init.sh", text);
    if engine.family() == Family::Postgres {
        postgres::identity(&mut sandbox, order, engine);
    }
    template(&mut sandbox, engine);
    task("init", sandbox, (mark::ENGINE, &held_as(order, engine, None)), 120)
}

/// Tells a copy of another instance's data that it is an instance of its own.
pub(super) fn identify(order: &Order, spec: &Spec, engine: Engine) -> Task {
    let mut sandbox = sandbox(spec, engine);
    script(&mut sandbox, "identify.sh", include_str!("files/postgres-identify.sh"));
    postgres::identity(&mut sandbox, order, engine);
    task("identify", sandbox, (mark::ENGINE, &held_as(order, engine, None)), 300)
}

/// Brings the data of an older version to this one, beside it.
pub(super) fn upgrade(order: &Order, spec: &Spec, from: Engine, to: Engine) -> Task {
    let sandbox = upgrading(order, spec, from, to, DB);
    task(UPGRADE, sandbox, (mark::ENGINE, &held_as(order, to, Some(from))), 6 * 3600)
}

/// Does the same on a copy.
pub(super) fn trial(order: &Order, spec: &Spec, from: Engine, to: Engine) -> Task {
    let sandbox = on_copy(upgrading(order, spec, from, to, TRIAL));
    task(TRIAL, sandbox, (mark::TRIAL_DONE, to.word()), 6 * 3600)
}

/// Brings the copy to rest: it was taken while the server ran, and a later version takes up no work that was cut.
pub(super) fn trial_rest(spec: &Spec, from: Engine) -> Task {
    let mut sandbox = sandbox(spec, from);
    script(&mut sandbox, "rest.sh", include_str!("files/mariadb-rest.sh"));
    mariadb::settings(&mut sandbox, spec, from, Mode::Upgrading);
    task(TRIAL_REST, on_copy(sandbox), (mark::TRIAL_RESTS, from.word()), 1800)
}

/// The server of the version before, on the copy: it answers nobody but what is tried there.
pub(super) fn trial_service(spec: &Spec, engine: Engine) -> Service {
    let mut service = service(spec, engine, Mode::Upgrading);
    service.sandbox = on_copy(service.sandbox);
    service
}

/// The same sandbox on the copy, and without a network.
fn on_copy(mut sandbox: Sandbox) -> Sandbox {
    for bind in &mut sandbox.binds {
        if let Place::Folder(name) = &bind.from {
            bind.from = Place::Trial(name.clone());
        }
    }
    sandbox.network = Network::Nothing;
    sandbox.limits.io = Io::BACKGROUND;
    sandbox
}

/// What upgrades, given the role of the server of the version before.
fn upgrading(order: &Order, spec: &Spec, from: Engine, to: Engine, old: &str) -> Sandbox {
    let mut sandbox = sandbox(spec, to);
    sandbox.env.insert("FROM".to_owned(), from.word().to_owned());
    match to.family() {
        Family::Postgres => {
            sandbox.env.insert("OLD".to_owned(), format!("{SOCKETS}/{old}.sock"));
            postgres::upgrade(&mut sandbox, order, spec, to);
        }
        Family::MariaDb => {
            script(&mut sandbox, "upgrade.sh", crate::mariadb::UPGRADE);
            mariadb::settings(&mut sandbox, spec, to, Mode::Upgrading);
        }
    }
    sandbox
}

/// Removes the data of older versions.
pub(super) fn tidy(order: &Order, spec: &Spec, engine: Engine) -> Task {
    let mut sandbox = sandbox(spec, engine);
    script(&mut sandbox, "tidy.sh", crate::mariadb::TIDY);
    task("tidy", sandbox, (mark::ENGINE, &held_as(order, engine, None)), 300)
}

/// Sets users, databases and rights to what is wished.
pub(super) fn people(order: &Order, spec: &Spec, engine: Engine) -> Task {
    let mut sandbox = sandbox(spec, engine);
    let (text, sql) = match engine.family() {
        Family::Postgres => (include_str!("files/postgres-people.sh"), people::postgres(order, spec)),
        Family::MariaDb => (include_str!("files/mariadb-people.sh"), people::mariadb(order, spec)),
    };
    script(&mut sandbox, "people.sh", text);
    sandbox.binds.push(sockets());
    let task = task("people", sandbox, (mark::PEOPLE, &people::digest(order, spec)), 900);
    Task { stdin: sql, ..task }
}

/// Asks the server that runs what people ask of one.
pub(super) fn proof(spec: &Spec, engine: Engine) -> Task {
    let mut sandbox = sandbox(spec, engine);
    let text = match engine.family() {
        Family::Postgres => include_str!("files/postgres-proof.sh"),
        Family::MariaDb => include_str!("files/mariadb-proof.sh"),
    };
    script(&mut sandbox, "proof.sh", text);
    sandbox.binds.push(sockets());
    task(crate::update::PROOF, sandbox, (crate::update::PROOF, ""), 180)
}

/// What the volume holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) engine: Engine,
    /// It knows itself as this solution's.
    pub(super) own: bool,
    /// The data of an older version lies beside it.
    pub(super) older: bool,
}

/// Reads the mark of the data.
pub(super) fn held(order: &Order, marks: &BTreeMap<String, String>) -> Option<Held> {
    let text = marks.get(mark::ENGINE)?;
    let mut words = text.split(' ');
    let engine = Engine::named(words.next()?)?;
    let owner = (words.next() == Some("of")).then(|| words.next()).flatten();
    Some(Held { engine, own: owner == Some(order.solution.to_string().as_str()), older: words.next() == Some("from") })
}

fn held_as(order: &Order, engine: Engine, from: Option<Engine>) -> String {
    let from = from.map(|from| format!(" from {}", from.word())).unwrap_or_default();
    format!("{} of {}{from}", engine.word(), order.solution)
}

/// The sandbox that services and tasks of an engine have in common.
pub(super) fn sandbox(spec: &Spec, engine: Engine) -> Sandbox {
    let mut env = environment();
    env.insert("DB".to_owned(), engine.word().to_owned());
    Sandbox {
        runtime: engine.catalogue(),
        argv: Vec::new(),
        env,
        cwd: "/srv/db".to_owned(),
        binds: vec![Bind { from: Place::Folder("db".to_owned()), to: "/srv/db".to_owned(), write: true }],
        files: BTreeMap::new(),
        limits: Limits {
            memory: spec.memory,
            cpu_percent: spec.cpu_percent,
            pids: 96 + 2 * spec.connections,
            io: Io::default(),
        },
        network: Network::Nothing,
    }
}

/// What programs find in their environment wherever they run.
pub(super) fn environment() -> BTreeMap<String, String> {
    [("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"), ("HOME", "/tmp"), ("LANG", "C.UTF-8")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

/// Has passwords that people set in SQL put before the platform's judge.
pub(super) fn judged(sandbox: &mut Sandbox, engine: Engine) {
    let protocol = match engine.family() {
        Family::Postgres => Protocol::Postgresql,
        Family::MariaDb => Protocol::Mysql,
    };
    sandbox.binds.extend([
        Bind { from: Place::Judge(protocol), to: format!("{GENERATED}/{JUDGE}"), write: false },
        Bind { from: Place::Tool, to: TOOL.to_owned(), write: false },
        Bind { from: Place::Leaked, to: LEAKED.to_owned(), write: false },
    ]);
}

/// The library that does so, among the generated files.
pub(super) const JUDGE: &str = "judge.so";

/// Has a server start with somebody beside it who keeps what it says.
pub(super) fn kept(sandbox: &mut Sandbox) {
    for (name, text) in [("start.sh", include_str!("files/start.sh")), ("keep.pl", include_str!("files/keep.pl"))] {
        sandbox.files.insert(format!("{GENERATED}/{name}"), text.to_owned());
    }
    sandbox.argv.splice(0..0, ["/bin/sh".to_owned(), format!("{GENERATED}/start.sh")]);
    let from = Place::Folder(LOG.folder.to_owned());
    sandbox.binds.push(Bind { from, to: "/srv/log".to_owned(), write: true });
}

/// The prepared, empty server.
pub(super) fn template(sandbox: &mut Sandbox, engine: Engine) {
    let from = Place::Template(engine.catalogue());
    sandbox.binds.push(Bind { from, to: "/srv/template".to_owned(), write: false });
}

pub(super) fn sockets() -> Bind {
    Bind { from: Place::Sockets, to: SOCKETS.to_owned(), write: false }
}

pub(super) fn certificate() -> Bind {
    Bind { from: Place::Certificate, to: CERTIFICATE.to_owned(), write: false }
}

pub(super) fn script(sandbox: &mut Sandbox, name: &str, text: &str) {
    let path = format!("{GENERATED}/{name}");
    sandbox.argv = vec!["/bin/sh".to_owned(), path.clone()];
    sandbox.files.insert(path, text.to_owned());
}

pub(super) fn task(name: &str, sandbox: Sandbox, mark: (&str, &str), limit_s: u32) -> Task {
    let marks = vec![(mark.0.to_owned(), mark.1.to_owned())];
    Task { name: name.to_owned(), sandbox, stdin: String::new(), marks, limit_s }
}
