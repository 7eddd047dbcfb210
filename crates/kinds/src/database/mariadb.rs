//! MariaDB as an instance of its own: its settings and its service. What it shares with the small one of a site stands in
//! [`crate::mariadb`].

use super::engine::{self, CERTIFICATE, Engine, GENERATED, IDLE_STOP_S, Mode};
use super::parameters;
use super::spec::Spec;
use crate::{Live, Network, Reach, Sandbox, Service};
use husorden_base::RuntimeName;

/// The TCP port inside.
pub(super) const TCP: u16 = 3306;
const SIGTERM: i32 = 15;

/// The server.
pub(super) fn service(spec: &Spec, engine: Engine) -> Service {
    let mut sandbox = engine::sandbox(spec, engine);
    sandbox.argv = vec!["/usr/sbin/mariadbd".to_owned(), format!("--defaults-file={GENERATED}/mariadb.cnf")];
    crate::mariadb::listens(&mut sandbox, 3);
    settings(&mut sandbox, spec, engine, Mode::Serving);
    sandbox.binds.push(engine::certificate());
    sandbox.network = Network::Port;
    Service {
        sandbox,
        reach: Reach::Port(TCP),
        idle_stop_s: IDLE_STOP_S,
        stop_s: 120,
        stop_signal: SIGTERM,
        live: Live::default(),
    }
}

/// The settings, in the sandbox of a server or of an upgrade; that one has no network and answers nobody but itself.
pub(super) fn settings(sandbox: &mut Sandbox, spec: &Spec, engine: Engine, mode: Mode) {
    let reached = match mode {
        Mode::Serving => format!(
            "port = {TCP}\ninit-file = {GENERATED}/start.sql\nrequire-secure-transport = ON\ntls-version = TLSv1.2,TLSv1.3\n\
             ssl-cert = {CERTIFICATE}/chain.pem\nssl-key = {CERTIFICATE}/key.pem\n"
        ),
        Mode::Upgrading => "skip-networking\n".to_owned(),
    };
    sandbox.files.insert(format!("{GENERATED}/mariadb.cnf"), cnf(spec, &engine.catalogue(), &reached));
    sandbox.files.insert(format!("{GENERATED}/start.sql"), START.to_owned());
}

/// Carried out at each start, before anybody is answered: the platform's own way in, by the unix socket, as the uid of the solution.
/// The user has the name of the uid, for up to version 10.11 the plugin knows no other.
const START: &str = "\
CREATE USER IF NOT EXISTS site@localhost IDENTIFIED VIA unix_socket;
GRANT ALL PRIVILEGES ON *.* TO site@localhost WITH GRANT OPTION;
";

fn cnf(spec: &Spec, engine: &RuntimeName, reached: &str) -> String {
    let memory = spec.memory.0;
    let mib = |bytes: u64| (bytes >> 20).max(1);
    format!(
        "\
{base}datadir = /srv/db/{engine}
socket = /run/db.sock
{reached}# Passwords that people set in SQL are judged by the server's own plugin.
plugin-load-add = simple_password_check
simple-password-check-minimal-length = 15
simple-password-check-digits = 0
simple-password-check-letters-same-case = 0
simple-password-check-other-characters = 0
max-connections = {connections}
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
        connections = spec.connections + 5,
        cache = (spec.connections / 4).clamp(4, 64),
        pool = mib(memory * 2 / 5),
        log = mib(spec.size.0 / 64).clamp(16, 1024),
        parameters = parameters::mariadb(spec),
    )
}
