//! MariaDB as an instance of its own: its settings and its service. What it shares with the small one of a site stands in
//! [`crate::mariadb`].

use super::engine::{self, CERTIFICATE, Engine, GENERATED, IDLE_STOP_S, JUDGE, Mode};
use super::parameters;
use super::spec::Spec;
use crate::{Brake, Fill, LIVE, Live, Network, Reach, Sandbox, Service};
use husorden_base::{Bytes, RuntimeName};
use std::collections::BTreeMap;

/// The TCP port inside.
pub(super) const TCP: u16 = 3306;
const SIGTERM: i32 = 15;

/// The server.
pub(super) fn service(spec: &Spec, engine: Engine) -> Service {
    let mut sandbox = engine::sandbox(spec, engine);
    sandbox.argv = vec!["/bin/sh".to_owned(), SERVE.to_owned()];
    sandbox.files.insert(SERVE.to_owned(), include_str!("files/mariadb-serve.sh").to_owned());
    sandbox.told_of_listeners(3);
    settings(&mut sandbox, spec, engine, Mode::Serving);
    engine::kept(&mut sandbox);
    crate::segments::kept(&mut sandbox, engine.word());
    engine::judged(&mut sandbox, engine);
    sandbox.binds.push(engine::certificate());
    sandbox.binds.push(engine::sockets());
    sandbox.files.insert(TURN_OUT.to_owned(), include_str!("files/mariadb-turn-out.sh").to_owned());
    sandbox.network = Network::Port;
    Service {
        sandbox,
        reach: Reach::Port(TCP),
        idle_stop_s: IDLE_STOP_S,
        stop_s: 120,
        stop_signal: SIGTERM,
        // It reads them when it starts only; while it runs it is told in SQL.
        live: Live { files: BTreeMap::from([(START_FILE.to_owned(), START.to_owned())]), signal: 0 },
        fill: brakes(),
    }
}

/// The server on what was restored: it answers the platform alone, carries out nobody's events and reaches nothing.
pub(super) fn opened(spec: &Spec, engine: Engine) -> Service {
    let mut sandbox = engine::sandbox(spec, engine);
    sandbox.argv = vec!["/usr/sbin/mariadbd".to_owned(), format!("--defaults-file={GENERATED}/mariadb.cnf")];
    sandbox.argv.push("--event-scheduler=OFF".to_owned());
    sandbox.told_of_listeners(1);
    settings(&mut sandbox, spec, engine, Mode::Upgrading);
    sandbox.binds.push(engine::sockets());
    crate::opening::service(sandbox, Live::default())
}

/// The script that serves.
const SERVE: &str = "/run/conf/serve.sh";

/// The client, as the platform.
const ASK: [&str; 6] = [
    "/usr/bin/mariadb",
    "--no-defaults",
    "--socket=/run/husorden/db.sock",
    "--user=site",
    "--batch",
    "--skip-column-names",
];
/// The command that asks the server what stands on standard input, as the platform.
pub(super) fn ask() -> Vec<String> {
    ASK.map(str::to_owned).to_vec()
}

/// The script that ends everybody's sessions and has the server read only.
const TURN_OUT: &str = "/run/conf/turn-out.sh";

/// What it does when its disk is used up: it takes no changes from anybody but the platform. The command waits for statements under way;
/// with three quarters of the reserve gone their sessions are ended.
fn brakes() -> BTreeMap<Fill, Brake> {
    let set = |on: u8| format!("SET SESSION lock_wait_timeout = 2; SET GLOBAL read_only = {on};\n");
    let files = BTreeMap::from([(START_FILE.to_owned(), format!("{START}SET GLOBAL read_only = 1;\n"))]);
    BTreeMap::from([
        (Fill::Room, Brake { argv: ask(), stdin: set(0), ..Brake::default() }),
        (Fill::Full, Brake { files: files.clone(), argv: ask(), stdin: set(1) }),
        (Fill::Over, Brake { files, argv: vec!["/bin/sh".to_owned(), TURN_OUT.to_owned()], ..Brake::default() }),
    ])
}

/// Its log, whose size is fixed. It goes by the memory and not by the disk, so that the disk grows without a restart.
pub(super) fn log(spec: &Spec) -> Bytes {
    Bytes((spec.memory.0 / 8).clamp(Bytes::mib(32).0, Bytes::gib(1).0))
}

/// Pages it keeps in memory.
pub(super) fn cache(spec: &Spec) -> Bytes {
    Bytes(spec.memory.0 * 2 / 5)
}

/// The settings, in the sandbox of a server or of an upgrade; that one has no network and answers nobody but itself.
pub(super) fn settings(sandbox: &mut Sandbox, spec: &Spec, engine: Engine, mode: Mode) {
    let reached = match mode {
        Mode::Serving => format!(
            "port = {TCP}\ninit-file = {LIVE}/{START_FILE}\nrequire-secure-transport = ON\ntls-version = TLSv1.2,TLSv1.3\n\
             ssl-cert = {CERTIFICATE}/chain.pem\nssl-key = {CERTIFICATE}/key.pem\n\
             plugin-dir = {GENERATED}\nplugin-load-add = {JUDGE}\n\
             # Without it the server does not start: no password goes unjudged.\nhusorden-password = FORCE_PLUS_PERMANENT\n\
             slow-query-log = ON\nslow-query-log-file = /tmp/said\n"
        ),
        Mode::Upgrading => "skip-networking\n".to_owned(),
    };
    sandbox.files.insert(format!("{GENERATED}/mariadb.cnf"), cnf(spec, &engine.catalogue(), &reached));
}

/// The file of it.
const START_FILE: &str = "start.sql";

/// Carried out at each start, before anybody is answered: the platform's own way in, by the unix socket, as the uid of the solution.
/// The user has the name of the uid, for up to version 10.11 the plugin knows no other.
const START: &str = "\
CREATE USER IF NOT EXISTS site@localhost IDENTIFIED VIA unix_socket;
GRANT ALL PRIVILEGES ON *.* TO site@localhost WITH GRANT OPTION;
";

fn cnf(spec: &Spec, engine: &RuntimeName, reached: &str) -> String {
    let mib = |bytes: u64| (bytes >> 20).max(1);
    format!(
        "\
{base}{logged}datadir = /srv/db/{engine}
socket = /run/db.sock
{reached}max-connections = {connections}
max-allowed-packet = 64M
max-password-errors = 1000
thread-cache-size = {cache}
table-open-cache = 2000
table-definition-cache = 1000
open-files-limit = 16384
innodb-buffer-pool-size = {pool}M
innodb-log-file-size = {log}M
innodb-log-buffer-size = 8M
innodb-flush-log-at-trx-commit = 1
innodb-flush-method = fsync
{parameters}",
        base = crate::mariadb::BASE,
        logged = crate::mariadb::LOGGED,
        connections = spec.connections + 5,
        cache = (spec.connections / 4).clamp(4, 64),
        pool = mib(cache(spec).0),
        log = mib(log(spec).0),
        parameters = parameters::mariadb(spec),
    )
}
