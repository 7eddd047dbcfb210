//! A database as one stream: handed out as it is at one moment, and taken in again.
//!
//! Both are tasks of the instance's own uid. What is taken in was made by others, so it is carried out by a user that may no more than an
//! owner of that database, and the client that reads it may neither reach files nor become somebody else.

use super::engine::{self, Family};
use super::spec::Spec;
use crate::{Io, Order, StreamFormat, Task};
use husorden_base::Bytes;
use std::collections::BTreeMap;

/// Seconds a stream may take.
const LIMIT_S: u32 = 6 * 3600;
/// The mark that such a task leaves. It says nothing; a task leaves one.
const MARK: (&str, &str) = ("flow", "done");

const SQL: StreamFormat = StreamFormat { word: "sql", ending: "sql", media: "application/sql", share_percent: 80 };
const GZIP: StreamFormat =
    StreamFormat { word: "sql.gz", ending: "sql.gz", media: "application/gzip", share_percent: 20 };
const CUSTOM: StreamFormat =
    StreamFormat { word: "custom", ending: "dump", media: "application/octet-stream", share_percent: 20 };

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Handed out.
    Out,
    /// Taken in.
    In,
    /// Taken in, in the place of all that is there.
    Back,
}

/// The formats of an engine's streams.
pub(super) fn formats(family: Family) -> &'static [StreamFormat] {
    match family {
        Family::Postgres => &[GZIP, SQL, CUSTOM],
        Family::MariaDb => &[GZIP, SQL],
    }
}

/// The task, if the instance has that database and its server is there to be asked.
pub(super) fn task(
    order: &Order,
    marks: &BTreeMap<String, String>,
    part: &str,
    format: &str,
    way: Way,
) -> Option<Task> {
    let spec = Spec::stored(&order.spec).ok()?;
    let held = engine::held(order, marks).filter(|held| held.own || !held.engine.has_identity())?;
    let family = held.engine.family();
    let known = formats(family).iter().any(|known| known.word == format) && spec.databases.contains_key(part);
    let text = match (family, way) {
        (Family::Postgres, Way::Out) => include_str!("files/postgres-dump.sh"),
        (Family::Postgres, Way::In | Way::Back) => include_str!("files/postgres-load.sh"),
        (Family::MariaDb, Way::Out) => include_str!("files/mariadb-dump.sh"),
        (Family::MariaDb, Way::In | Way::Back) => include_str!("files/mariadb-load.sh"),
    };
    let mut sandbox = engine::sandbox(&spec, held.engine);
    engine::script(&mut sandbox, "flow.sh", text);
    "/bin/bash".clone_into(&mut sandbox.argv[0]);
    // It reads and writes no files of the server; that it asks by its socket.
    sandbox.cwd = "/tmp".to_owned();
    sandbox.binds = vec![engine::sockets()];
    sandbox.env.extend([("PART".to_owned(), part.to_owned()), ("FORMAT".to_owned(), format.to_owned())]);
    sandbox.limits.memory = Bytes::mib(256);
    sandbox.limits.pids = 32;
    sandbox.limits.io = Io::BACKGROUND;
    let name = match way {
        Way::Out => "dump",
        Way::In => "load",
        Way::Back => "put-back",
    };
    if way == Way::Back {
        sandbox.env.insert("EMPTY".to_owned(), "1".to_owned());
    }
    known.then(|| engine::task(name, sandbox, MARK, LIMIT_S))
}
