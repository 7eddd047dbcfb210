//! How the log of an instance becomes segments: PostgreSQL keeps each piece of its own accord, MariaDB is asked to end the one that is open.

use super::engine::{self, DB, Engine, Family};
use super::spec::Spec;
use crate::segments::{self, STORE, TOOL};
use crate::{Keeping, Order, Segments, Sign, Task};
use std::collections::BTreeMap;

/// Seconds that PostgreSQL takes to keep a piece at most, once it is ended.
const KEEPS_S: u32 = 15;

/// How the log of what lies on the volume is kept.
pub(super) fn of(order: &Order, marks: &BTreeMap<String, String>) -> Option<Segments> {
    let spec = Spec::stored(&order.spec).ok()?;
    if segments::due(marks).is_some() {
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
        Family::MariaDb => {
            crate::mariadb::segments(DB, held.engine.word(), crate::mariadb::keep(held.engine.word(), CLIENT), rest)
        }
    })
}

/// The client that asks the server to end what is open: the platform's own user comes by the unix socket.
const CLIENT: &str = "--socket=/run/husorden/db.sock --user=site";

/// Carries the log out to a time.
pub(super) fn replay(order: &Order, spec: &Spec, engine: Engine, at: &str) -> Task {
    let mut sandbox = engine::sandbox(spec, engine);
    let text = match engine.family() {
        Family::Postgres => include_str!("files/postgres-replay.sh"),
        Family::MariaDb => crate::mariadb::REPLAY,
    };
    engine::script(&mut sandbox, "replay.sh", text);
    match engine.family() {
        Family::Postgres => super::postgres::local(&mut sandbox, order, spec, engine),
        Family::MariaDb => {
            "/bin/bash".clone_into(&mut sandbox.argv[0]);
            super::mariadb::settings(&mut sandbox, spec, engine, super::engine::Mode::Upgrading);
        }
    }
    segments::replay(sandbox, at)
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
    segments::kept(&mut sandbox, engine.word());
    match engine.family() {
        Family::Postgres => {
            let bin = format!("/usr/lib/postgresql/{}/bin", engine.version());
            engine::script(&mut sandbox, "rest.sh", include_str!("files/postgres-rest.sh"));
            sandbox.env.extend([("BIN".to_owned(), bin), ("DATA".to_owned(), data)]);
        }
        Family::MariaDb => sandbox.argv = crate::mariadb::keep_rest(engine.word()),
    }
    segments::rest(sandbox)
}
