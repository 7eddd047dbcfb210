//! How an instance is opened for a proof, and what is noted of it: it starts, every table holds together, and each has so many rows.

use super::engine::{self, DB, Engine, Family, SOCKETS};
use super::spec::Spec;
use super::{mariadb, postgres};
use crate::opening::{COUNT_MS_MAX, task};
use crate::{Look, Noting, Opening, Order, Task};
use husorden_base::{Bytes, Text};
use std::collections::BTreeMap;

/// Seconds that taking up what was cut may take, and reading everything.
const START_S: u32 = 3_600;
const READ_S: u32 = 4 * 3_600;
/// Seconds that noting may take in all.
const NOTE_S: u32 = 120;

/// Rows of every table.
pub(super) fn noting(order: &Order, marks: &BTreeMap<String, String>) -> Noting {
    let around = read(order, marks).map(|(spec, engine)| count(&spec, engine, COUNT_MS_MAX, NOTE_S));
    Noting { around: around.into_iter().collect(), still: Vec::new() }
}

/// The server, and what it is asked.
pub(super) fn opening(order: &Order, marks: &BTreeMap<String, String>) -> Option<Opening> {
    let (spec, engine) = read(order, marks)?;
    let (service, look, check) = match engine.family() {
        Family::Postgres => (
            postgres::opened(&spec, engine),
            include_str!("files/postgres-look.sh"),
            include_str!("files/postgres-check.sh"),
        ),
        Family::MariaDb => (mariadb::opened(&spec, engine), crate::mariadb::LOOK, crate::mariadb::CHECK),
    };
    let called = engine.called();
    let how = match engine.family() {
        Family::Postgres => "pg_amcheck",
        Family::MariaDb => "CHECK TABLE",
    };
    let looks = vec![
        Look {
            what: Text::new(
                format!("{} starter på det genskabte, som efter en strømafbrydelse", called.da),
                format!("{} starts on what was restored, as after a power cut", called.en),
            ),
            task: asking(&spec, engine, "start", look, START_S),
            first: true,
        },
        Look {
            what: Text::new(
                format!("Alle tabeller og indekser læses efter med {how}"),
                format!("All tables and indexes are checked with {how}"),
            ),
            task: asking(&spec, engine, "check", check, READ_S),
            first: false,
        },
        Look {
            what: Text::new("Rækkerne i alle tabeller tælles", "The rows of all tables are counted"),
            task: count(&spec, engine, 0, READ_S),
            first: false,
        },
    ];
    Some(Opening { services: BTreeMap::from([(DB.to_owned(), service)]), looks })
}

/// The spec, and the engine that the data is of.
fn read(order: &Order, marks: &BTreeMap<String, String>) -> Option<(Spec, Engine)> {
    let spec = Spec::stored(&order.spec).ok()?;
    // Data that a log is still to be carried out on is not yet what is asked for.
    let held = engine::held(order, marks).filter(|_| crate::segments::due(marks).is_none())?;
    Some((spec, held.engine))
}

fn count(spec: &Spec, engine: Engine, limit_ms: u32, limit_s: u32) -> Task {
    let text = match engine.family() {
        Family::Postgres => include_str!("files/postgres-count.sh"),
        Family::MariaDb => crate::mariadb::COUNT,
    };
    let mut task = asking(spec, engine, "count", text, limit_s);
    task.sandbox.env.insert("LIMIT_MS".to_owned(), limit_ms.to_string());
    task
}

/// A task that asks the server by its socket, and sees nothing else.
fn asking(spec: &Spec, engine: Engine, name: &str, text: &str, limit_s: u32) -> Task {
    let mut sandbox = engine::sandbox(spec, engine);
    engine::script(&mut sandbox, &format!("{name}.sh"), text);
    sandbox.binds = vec![engine::sockets()];
    SOCKETS.clone_into(&mut sandbox.cwd);
    sandbox.env.insert("BIN".to_owned(), format!("/usr/lib/postgresql/{}/bin", engine.version()));
    sandbox.limits.memory = Bytes::mib(256);
    sandbox.limits.pids = 32;
    task(name, sandbox, limit_s)
}
