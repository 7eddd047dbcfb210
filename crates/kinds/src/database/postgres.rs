//! PostgreSQL: its settings, its service, and what its tasks need besides.
//!
//! It can't be told of listening sockets, so a library is preloaded that hands them over ([`Place::Listen`]). The settings file and
//! the file of who may connect are the platform's; what changes without a restart lies among the live files.

use super::engine::{self, CERTIFICATE, Engine, GENERATED, IDLE_STOP_S, JUDGE, Mode};
use super::segments;
use super::spec::Spec;
use super::{parameters, words};
use crate::{Bind, Brake, Fill, LIVE, Live, Network, Order, Place, Reach, Sandbox, Service};
use husorden_base::Bytes;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The TCP port inside.
pub(super) const TCP: u16 = 5432;
const SIGHUP: i32 = 1;
const SIGINT: i32 = 2;

/// What may be switched on: shipped with the server, with no way to files, programs or other machines.
pub(super) const EXTENSIONS: [&str; 22] = [
    "bloom",
    "btree_gin",
    "btree_gist",
    "citext",
    "cube",
    "earthdistance",
    "fuzzystrmatch",
    "hstore",
    "intarray",
    "isn",
    "lo",
    "ltree",
    "pg_stat_statements",
    "pg_trgm",
    "pgcrypto",
    "pgrowlocks",
    "pgstattuple",
    "seg",
    "tablefunc",
    "tcn",
    "unaccent",
    "uuid-ossp",
];

/// The server.
pub(super) fn service(spec: &Spec, engine: Engine, mode: Mode) -> Service {
    let mut sandbox = engine::sandbox(spec, engine);
    sandbox.argv = [
        &*format!("/usr/lib/postgresql/{}/bin/postgres", engine.version()),
        "-D",
        &format!("/srv/db/{}", engine.word()),
        "-c",
        &format!("config_file={GENERATED}/postgresql.conf"),
    ]
    .map(str::to_owned)
    .to_vec();
    sandbox.env.insert("LD_PRELOAD".to_owned(), format!("{GENERATED}/listen.so"));
    sandbox.binds.push(Bind { from: Place::Listen, to: format!("{GENERATED}/listen.so"), write: false });
    sandbox.binds.push(engine::certificate());
    sandbox.binds.push(engine::sockets());
    sandbox.network = Network::Port;
    sandbox.files.extend([
        (format!("{GENERATED}/postgresql.conf"), settings(spec, engine, mode)),
        (format!("{GENERATED}/pg_ident.conf"), IDENT.to_owned()),
        (ASK.to_owned(), include_str!("files/postgres-ask.sh").to_owned()),
    ]);
    engine::kept(&mut sandbox);
    crate::segments::kept(&mut sandbox, engine.word());
    engine::judged(&mut sandbox, engine);
    let reach = match mode {
        Mode::Serving => Reach::Port(TCP),
        Mode::Upgrading => Reach::Own,
    };
    let files = BTreeMap::from([
        ("pg_hba.conf".to_owned(), who_may_connect(spec, mode)),
        ("parameters.conf".to_owned(), parameters::postgres(spec)),
        (DISK.to_owned(), disk(spec)),
    ]);
    Service {
        sandbox,
        reach,
        idle_stop_s: IDLE_STOP_S,
        stop_s: 120,
        stop_signal: SIGINT,
        live: Live { files, signal: SIGHUP },
        fill: match mode {
            Mode::Serving => brakes(spec),
            Mode::Upgrading => BTreeMap::new(),
        },
    }
}

/// The server on what was restored: it answers the platform alone, keeps no log and reaches nothing.
pub(super) fn opened(spec: &Spec, engine: Engine) -> Service {
    let mut sandbox = engine::sandbox(spec, engine);
    sandbox.argv = [
        &*format!("/usr/lib/postgresql/{}/bin/postgres", engine.version()),
        "-D",
        &format!("/srv/db/{}", engine.word()),
        "-c",
        &format!("config_file={GENERATED}/postgresql.conf"),
    ]
    .map(str::to_owned)
    .to_vec();
    let alone = "# What was restored for a proof.\nssl = off\narchive_mode = off\nshared_preload_libraries = ''\n";
    sandbox.files.extend([
        (format!("{GENERATED}/postgresql.conf"), settings(spec, engine, Mode::Upgrading) + alone),
        (format!("{GENERATED}/pg_ident.conf"), IDENT.to_owned()),
    ]);
    sandbox.env.insert("LD_PRELOAD".to_owned(), format!("{GENERATED}/listen.so"));
    sandbox.binds.push(Bind { from: Place::Listen, to: format!("{GENERATED}/listen.so"), write: false });
    sandbox.binds.push(engine::sockets());
    let files = BTreeMap::from([
        ("pg_hba.conf".to_owned(), LOCAL.to_owned()),
        ("parameters.conf".to_owned(), parameters::postgres(spec)),
        (DISK.to_owned(), disk(spec)),
    ]);
    crate::opening::service(sandbox, Live { files, signal: SIGHUP })
}

/// The script that asks the server what stands on standard input.
const ASK: &str = "/run/conf/ask.sh";

/// The command that does so.
pub(super) fn ask() -> Vec<String> {
    vec!["/bin/sh".to_owned(), ASK.to_owned()]
}

/// What it does when its disk is used up. A transaction that begins writes nothing; a session may say otherwise for its own, so that its
/// owner can clear up. Whoever goes on writing that way finds, with three quarters of the reserve gone, that nobody is let in until there is room.
fn brakes(spec: &Spec) -> BTreeMap<Fill, Brake> {
    let disk = format!(
        "{}# It is used up.\ndefault_transaction_read_only = on\ntemp_file_limit = 64MB\nhusorden.disk = '{}'\n",
        disk(spec),
        words::used_up(spec.size)
    );
    let full = BTreeMap::from([(DISK.to_owned(), disk)]);
    let mut over = full.clone();
    over.insert("pg_hba.conf".to_owned(), format!("{LOCAL}{CLOSED}"));
    BTreeMap::from([
        (Fill::Full, Brake { files: full, ..Brake::default() }),
        (Fill::Over, Brake { files: over, argv: ask(), stdin: TURN_OUT.to_owned() }),
    ])
}

/// Ends everybody's sessions but the platform's own.
const TURN_OUT: &str = "\
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' AND usename <> 'husorden';
";

/// The live file of what follows from the size of the disk, so that it grows without a restart.
const DISK: &str = "disk.conf";

fn disk(spec: &Spec) -> String {
    format!("max_wal_size = {}MB\ntemp_file_limit = {}MB\n", log(spec).0 >> 20, (spec.size.0 / 4) >> 20)
}

/// The most its log takes between two checkpoints.
pub(super) fn log(spec: &Spec) -> Bytes {
    Bytes((spec.size.0 / 16).clamp(Bytes::mib(64).0, Bytes::gib(2).0))
}

/// Pages it keeps in memory.
pub(super) fn cache(spec: &Spec) -> Bytes {
    Bytes(spec.memory.0 / 4)
}

/// Tells tasks what the instance's data is to know itself as: a number that no other instance has.
pub(super) fn identity(sandbox: &mut Sandbox, order: &Order, engine: Engine) {
    let number = u64::try_from(order.solution.0.as_u128() & u128::from(u64::MAX >> 1)).unwrap_or(1).max(1);
    sandbox.env.insert("IDENTITY".to_owned(), number.to_string());
    sandbox.env.insert("BIN".to_owned(), format!("/usr/lib/postgresql/{}/bin", engine.version()));
    sandbox.files.insert(format!("{GENERATED}/identify.pl"), include_str!("files/identify.pl").to_owned());
}

/// What the upgrade needs: the old server answers on its unix socket, the new one is local to the task.
pub(super) fn upgrade(sandbox: &mut Sandbox, order: &Order, spec: &Spec, to: Engine) {
    engine::script(sandbox, "upgrade.sh", include_str!("files/postgres-upgrade.sh"));
    local(sandbox, order, spec, to);
    sandbox.binds.push(engine::sockets());
}

/// What a server needs that answers nobody but the task which starts it.
pub(super) fn local(sandbox: &mut Sandbox, order: &Order, spec: &Spec, to: Engine) {
    identity(sandbox, order, to);
    sandbox.files.extend([
        (format!("{GENERATED}/postgresql.conf"), settings(spec, to, Mode::Serving)),
        (format!("{GENERATED}/pg_ident.conf"), IDENT.to_owned()),
        (format!("{LIVE}/pg_hba.conf"), "local all husorden peer map=platform\n".to_owned()),
        (format!("{LIVE}/parameters.conf"), parameters::postgres(spec)),
        (format!("{LIVE}/{DISK}"), disk(spec)),
    ]);
}

/// The platform's own way in: by the unix socket, as the uid of the solution.
const IDENT: &str = "platform site husorden\nplatform site husorden_load\nplatform site husorden_pool\n";

/// `postgresql.conf`.
fn settings(spec: &Spec, engine: Engine, mode: Mode) -> String {
    let memory = spec.memory.0;
    let mib = |bytes: u64| (bytes >> 20).max(1);
    let (listen, read_only) = match mode {
        Mode::Serving => ("0.0.0.0,::", ""),
        Mode::Upgrading => ("", "default_transaction_read_only = on\n"),
    };
    let workers = spec.cpu_percent.div_ceil(100).min(16);
    format!(
        "\
listen_addresses = '{listen}'
port = {TCP}
# A label: what it listens on is handed to it.
unix_socket_directories = '/run'
hba_file = '{LIVE}/pg_hba.conf'
ident_file = '{GENERATED}/pg_ident.conf'
max_connections = {connections}
superuser_reserved_connections = 5
shared_buffers = {shared}MB
effective_cache_size = {cache}MB
work_mem = {work}MB
maintenance_work_mem = {maintenance}MB
autovacuum_max_workers = 2
max_worker_processes = {processes}
max_parallel_workers = {workers}
max_parallel_workers_per_gather = {gather}
dynamic_shared_memory_type = mmap
huge_pages = off
wal_level = replica
max_wal_senders = 0
min_wal_size = 48MB
wal_compression = on
{archive}checkpoint_completion_target = 0.9
ssl = on
ssl_cert_file = '{CERTIFICATE}/chain.pem'
ssl_key_file = '{CERTIFICATE}/key.pem'
ssl_min_protocol_version = 'TLSv1.2'
password_encryption = 'scram-sha-256'
# Passwords that people set in SQL are judged by the platform's own library.
shared_preload_libraries = '{GENERATED}/{JUDGE},pg_stat_statements'
log_destination = 'stderr'
logging_collector = off
# Whoever keeps it writes the time.
log_line_prefix = '%u@%d %h '
log_min_duration_statement = 10s
log_connections = off
log_timezone = 'UTC'
timezone = 'UTC'
lc_messages = 'C'
jit = off
{read_only}include '{LIVE}/parameters.conf'
include '{LIVE}/{DISK}'
",
        connections = spec.connections + 5,
        shared = mib(cache(spec).0),
        cache = mib(memory / 2),
        work = mib(memory / (4 * u64::from(spec.connections))).min(64),
        maintenance = mib(memory / 16).min(1024),
        processes = workers + 4,
        gather = workers / 2,
        archive = segments::postgres(engine, spec.log_s),
    )
}

/// Nobody but the platform.
const LOCAL: &str = "local all husorden peer map=platform\nhost all husorden all reject\n";
/// Nobody else, in words: who connects reads that it is refused, not that no line names it.
const CLOSED: &str = "local all all reject\nhost all all all reject\n";
/// Who loads a file, for the customer and with an owner's rights.
const LOADS: &str = "local all husorden_load peer map=platform\nhost all husorden_load all reject\n";

/// The pooler, which asks for verifiers as a role of its own and comes for its clients as themselves.
const POOLED: &str = "\
local all husorden_pool peer map=platform
host all husorden_pool all reject
local all all scram-sha-256
";

/// `pg_hba.conf`: the platform by its socket, and the list by TLS. What no line names is refused.
fn who_may_connect(spec: &Spec, mode: Mode) -> String {
    let pooled = spec.pooling().is_some() && mode == Mode::Serving;
    let mut text = format!("{LOCAL}{LOADS}{}", if pooled { POOLED } else { "" });
    for entry in &spec.allow {
        let _ = writeln!(text, "hostssl all all {} scram-sha-256", entry.net.trunc());
    }
    // Who is attached comes as nobody else, and to that one database.
    for guest in &spec.guests {
        let (database, user) = (&guest.database, &guest.credential.username);
        let _ = writeln!(text, "hostssl \"{database}\" \"{user}\" {} scram-sha-256", guest.net());
    }
    text
}
