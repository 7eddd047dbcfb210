//! How the log of an instance becomes segments: PostgreSQL keeps each piece of its own accord, MariaDB is asked to end the one that is open.

use super::engine::{self, DB, Engine, Family};
use super::spec::Spec;
use crate::segments::{REPLAY, STORE, TOOL};
use crate::{Bind, Io, Keeping, Order, Place, Sandbox, Segments, Sign, Task};
use husorden_base::Bytes;
use std::collections::BTreeMap;

/// Seconds that PostgreSQL takes to keep a piece at most, once it is ended.
const KEEPS_S: u32 = 15;
/// Seconds that the rest of a log may take.
const LIMIT_S: u32 = 900;
/// Seconds that carrying it out again may take.
const REPLAY_S: u32 = 6 * 3600;
/// The mark that such a task leaves. It says nothing; a task leaves one.
const MARK: (&str, &str) = ("kept", "done");

/// How the log of what lies on the volume is kept.
pub(super) fn of(order: &Order, marks: &BTreeMap<String, String>) -> Option<Segments> {
    let spec = Spec::stored(&order.spec).ok()?;
    if due(marks).is_some() {
        return None;
    }
    // Data that does not yet know that it is another's is not this one's to be kept.
    let held = engine::held(order, marks).filter(|held| held.own || !held.engine.has_identity())?;
    let data = format!("db/{}", held.engine.word());
    let rest = rest(&spec, held.engine);
    Some(match held.engine.family() {
        Family::Postgres => Segments {
            role: DB.to_owned(),
            folder: format!("{data}/pg_wal"),
            prefix: "0".to_owned(),
            by: Sign::Time,
            keeping: Keeping::Engine {
                after_s: switch_s(order.log_s) + KEEPS_S,
                waiting: (format!("{data}/pg_wal/archive_status"), ".ready"),
            },
            rest,
        },
        Family::MariaDb => Segments {
            role: DB.to_owned(),
            folder: data,
            prefix: crate::mariadb::LOG.to_owned(),
            by: Sign::Size,
            keeping: Keeping::Command(crate::mariadb::keep(held.engine.word())),
            rest,
        },
    })
}

/// The time to which the log is to be carried out on the data as it was copied, while that is not done.
pub(super) fn due(marks: &BTreeMap<String, String>) -> Option<&str> {
    marks.get(REPLAY).map(String::as_str).filter(|mark| !mark.ends_with(DONE))
}

/// What is said after the time when it is done.
const DONE: &str = " done";

/// Carries the log out to a time.
pub(super) fn replay(order: &Order, spec: &Spec, engine: Engine, at: &str) -> Task {
    let mut sandbox = engine::sandbox(spec, engine);
    let text = match engine.family() {
        Family::Postgres => include_str!("files/postgres-replay.sh"),
        Family::MariaDb => include_str!("files/mariadb-replay.sh"),
    };
    engine::script(&mut sandbox, "replay.sh", text);
    match engine.family() {
        Family::Postgres => super::postgres::local(&mut sandbox, order, spec, engine),
        Family::MariaDb => {
            "/bin/bash".clone_into(&mut sandbox.argv[0]);
            super::mariadb::settings(&mut sandbox, spec, engine, super::engine::Mode::Upgrading);
        }
    }
    sandbox.binds.extend([
        Bind { from: Place::Folder(REPLAY.to_owned()), to: "/srv/replay".to_owned(), write: true },
        Bind { from: Place::Tool, to: TOOL.to_owned(), write: false },
    ]);
    sandbox.env.insert("AT".to_owned(), at.to_owned());
    engine::task("replay", sandbox, (REPLAY, &format!("{at}{DONE}")), REPLAY_S)
}

/// What a server needs to have its log kept.
pub(super) fn kept(sandbox: &mut Sandbox, engine: Engine) {
    sandbox.binds.extend([
        Bind { from: Place::Store(engine.word().to_owned()), to: STORE.to_owned(), write: true },
        Bind { from: Place::Tool, to: TOOL.to_owned(), write: false },
    ]);
}

/// Seconds after a change when PostgreSQL ends the piece that is open: a piece of it takes more room than one of MariaDB, which is asked.
const fn switch_s(log_s: u32) -> u32 {
    log_s + log_s / 2
}

/// The settings of it for PostgreSQL.
pub(super) fn postgres(engine: Engine, log_s: u32) -> String {
    let keep = format!(
        "env -u LD_PRELOAD {TOOL} log keep-wal --store {STORE} --times /usr/lib/postgresql/{}/bin/pg_waldump --name %f --from %p",
        engine.version()
    );
    format!("archive_mode = on\narchive_timeout = {}s\narchive_command = '{keep}'\n", switch_s(log_s))
}

/// Keeps what a server at rest had not kept.
fn rest(spec: &Spec, engine: Engine) -> Task {
    let mut sandbox = engine::sandbox(spec, engine);
    let data = format!("/srv/db/{}", engine.word());
    kept(&mut sandbox, engine);
    match engine.family() {
        Family::Postgres => {
            let bin = format!("/usr/lib/postgresql/{}/bin", engine.version());
            engine::script(&mut sandbox, "rest.sh", include_str!("files/postgres-rest.sh"));
            sandbox.env.extend([("BIN".to_owned(), bin), ("DATA".to_owned(), data)]);
        }
        Family::MariaDb => sandbox.argv = crate::mariadb::keep_rest(engine.word()),
    }
    sandbox.limits.memory = Bytes::mib(256);
    sandbox.limits.pids = 32;
    sandbox.limits.io = Io::BACKGROUND;
    engine::task("keep-log", sandbox, MARK, LIMIT_S)
}
