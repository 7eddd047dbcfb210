//! How the log of the site's own database becomes segments: it is asked to end the one that is open, by a user who comes from within its own
//! sandbox alone. The site's code is the same uid and comes by the same socket as everybody, so it has no say in its log.

use super::engine::{self, DB};
use super::spec::Spec;
use crate::segments;
use crate::{Order, Segments, Task};
use husorden_base::RuntimeName;
use std::collections::BTreeMap;

/// The client that asks: by the loopback of a network that the server has for itself. See `files/db-serve.pl`.
const CLIENT: &str = "--protocol=tcp --host=127.0.0.1 --port=3306 --skip-ssl --user=keeper";

/// How the log of the site's own database is kept.
pub(super) fn of(order: &Order, marks: &BTreeMap<String, String>) -> Option<Segments> {
    let spec = Spec::stored(&order.spec).ok()?;
    if segments::due(marks).is_some() {
        return None;
    }
    let database = engine::held(marks)?.0.catalogue()?;
    let mut sandbox = engine::db_sandbox(&spec, &database);
    segments::kept(&mut sandbox, database.as_str());
    sandbox.argv = crate::mariadb::keep_rest(database.as_str());
    let keep = crate::mariadb::keep(database.as_str(), CLIENT);
    Some(crate::mariadb::segments(DB, database.as_str(), keep, segments::rest(sandbox)))
}

/// Carries the log out to a time. Its server asks nobody who they are: nothing reaches it but this task.
pub(super) fn replay(spec: &Spec, database: &RuntimeName, at: &str) -> Task {
    let mut sandbox = engine::db_sandbox(spec, database);
    engine::script(&mut sandbox, "replay.sh", crate::mariadb::REPLAY);
    "/bin/bash".clone_into(&mut sandbox.argv[0]);
    sandbox
        .env
        .extend([("DB".to_owned(), database.to_string()), ("GRANTS".to_owned(), "--skip-grant-tables".to_owned())]);
    segments::replay(sandbox, at)
}
