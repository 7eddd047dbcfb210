//! The pooler of an instance of PostgreSQL: PgBouncer, a service of its own beside the server, with a port of its own. Many clients share
//! few sessions of the server.
//!
//! It keeps no password. A client proves itself by SCRAM against the verifier that the server holds now, which the pooler asks for as a
//! role that may read nothing else; and with what it learnt of the proof it logs in to the server as that very user. So a new password
//! holds for both ways at once, and rights are those of the user.

use super::engine::{self, CERTIFICATE, Engine, GENERATED, IDLE_STOP_S};
use super::names::POOLER as ROLE;
use super::spec::Spec;
use crate::{Io, LIVE, Limits, Live, Network, Reach, Sandbox, Service};
use husorden_base::Bytes;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The TCP port inside.
pub(super) const TCP: u16 = 6432;
/// Memory of its own, beside that of the server.
pub(super) const MEMORY: Bytes = Bytes::mib(128);
/// Clients at the same time.
pub(super) const CLIENTS_MAX: u32 = 1000;
/// Sessions of the server in which it asks for verifiers.
const ASKING: u32 = 2;
/// Prepared statements of clients that it knows at a time, in each session of the server.
const PREPARED: u32 = 200;
/// Seconds after which a session of the server that nobody uses is given back.
const SESSION_IDLE_S: u32 = 60;
const SIGHUP: i32 = 1;
const SIGQUIT: i32 = 3;
const SIGTERM: i32 = 15;

/// The service, for an instance that has one.
pub(super) fn service(spec: &Spec, engine: Engine) -> Option<Service> {
    let mode = spec.pooling()?;
    let mut sandbox = Sandbox {
        runtime: engine.catalogue(),
        argv: vec!["/bin/sh".to_owned(), format!("{GENERATED}/pooler.sh")],
        env: engine::environment(),
        cwd: "/tmp".to_owned(),
        binds: vec![engine::certificate(), engine::sockets()],
        files: BTreeMap::from([
            (format!("{GENERATED}/pooler.sh"), include_str!("files/postgres-pooler.sh").to_owned()),
            (ASK.to_owned(), include_str!("files/postgres-pools.sh").to_owned()),
        ]),
        limits: Limits {
            memory: MEMORY,
            // It is one thread.
            cpu_percent: spec.cpu_percent.min(100),
            pids: 16,
            io: Io::default(),
        },
        network: Network::Port,
    };
    sandbox.told_of_listeners(3);
    sandbox.env.insert("SAID_BY".to_owned(), "pooler".to_owned());
    engine::kept(&mut sandbox);
    let files = BTreeMap::from([
        ("pooler.ini".to_owned(), settings(spec, engine, mode)),
        ("pooler_hba.conf".to_owned(), who_may_connect(spec)),
    ]);
    Some(Service {
        sandbox,
        reach: Reach::Port(TCP),
        idle_stop_s: IDLE_STOP_S,
        stop_s: 5,
        // It holds nothing, so it ends at once; the word for that is another one from version 1.23 on.
        stop_signal: if engine == Engine::Postgres15 { SIGTERM } else { SIGQUIT },
        live: Live { files, signal: SIGHUP },
        fill: BTreeMap::new(),
    })
}

/// The script that asks it for its figures.
const ASK: &str = "/run/conf/pools.sh";

/// The command that does so.
pub(super) fn ask() -> Vec<String> {
    vec!["/bin/sh".to_owned(), ASK.to_owned()]
}

/// Whether it keeps prepared statements of clients over transactions: from version 1.21 on, which is Debian 13's.
pub(super) fn keeps_statements(engine: Engine) -> bool {
    engine != Engine::Postgres15
}

/// Asks for the verifier of who may log in now. Everything is named in full, for the question is put in the customer's database.
const VERIFIER: &str = "SELECT rolname, rolpassword FROM pg_catalog.pg_authid WHERE rolname OPERATOR(pg_catalog.=) $1 AND rolcanlogin \
                        AND (rolvaliduntil IS NULL OR rolvaliduntil OPERATOR(pg_catalog.>) pg_catalog.now())";

fn settings(spec: &Spec, engine: Engine, mode: &str) -> String {
    let mut text = "[databases]\n".to_owned();
    for database in spec.databases.keys() {
        let _ = writeln!(text, "{database} = host=/tmp/server dbname={database}");
    }
    let _ = write!(
        text,
        "\
[users]
{ROLE} = max_user_connections={ASKING}
[pgbouncer]
; What it listens on is handed to it.
listen_addr =
listen_port = {TCP}
unix_socket_dir =
auth_type = hba
auth_hba_file = {LIVE}/pooler_hba.conf
auth_user = {ROLE}
auth_query = {VERIFIER}
client_tls_sslmode = require
client_tls_cert_file = {CERTIFICATE}/chain.pem
client_tls_key_file = {CERTIFICATE}/key.pem
client_tls_protocols = secure
; Nobody is asked for a certificate; without the file of an authority it does not start.
client_tls_ca_file = {CERTIFICATE}/chain.pem
; It comes to the server by a socket.
server_tls_sslmode = disable
pool_mode = {mode}
default_pool_size = {size}
max_db_connections = {most}
max_client_conn = {CLIENTS_MAX}
server_idle_timeout = {SESSION_IDLE_S}
server_login_retry = 1
; What drivers of Java send, and the server takes as it is.
ignore_startup_parameters = extra_float_digits
log_connections = 0
log_disconnections = 0
log_stats = 0
",
        size = spec.pooler_size,
        most = spec.pooler_size + ASKING,
    );
    if keeps_statements(engine) {
        let _ = writeln!(text, "max_prepared_statements = {PREPARED}");
    }
    text
}

/// Its file of who may connect: the list, by TLS. What no line names is refused.
fn who_may_connect(spec: &Spec) -> String {
    let mut text = format!("host all {ROLE} all reject\n");
    for entry in &spec.allow {
        let _ = writeln!(text, "hostssl all all {} scram-sha-256", entry.net.trunc());
    }
    text
}
