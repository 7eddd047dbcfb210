//! An instance as a package: users with their passwords' hashes and rights, and every database.

use super::engine::{self, Engine, Family};
use super::spec::Spec;
use crate::{Order, Task};
use std::collections::BTreeMap;
use std::fmt::Write;

/// The task, if the server is there to be asked.
pub(super) fn task(order: &Order, marks: &BTreeMap<String, String>) -> Option<Task> {
    let spec = Spec::stored(&order.spec).ok()?;
    let held = engine::held(order, marks).filter(|held| held.own || !held.engine.has_identity())?;
    let mut sandbox = engine::sandbox(&spec, held.engine);
    sandbox.binds = vec![engine::sockets()];
    let words = |names: Vec<&String>| names.into_iter().cloned().collect::<Vec<_>>().join(" ");
    sandbox.env.insert("PARTS".to_owned(), words(spec.databases.keys().collect()));
    sandbox.env.insert("USERS".to_owned(), words(spec.users.keys().collect()));
    let script = match held.engine.family() {
        Family::Postgres => include_str!("files/postgres-package.sh"),
        Family::MariaDb => include_str!("files/mariadb-package.sh"),
    };
    Some(crate::package::task(order, sandbox, script, &readme(&spec, held.engine)))
}

fn readme(spec: &Spec, engine: Engine) -> String {
    let called = engine.called().en;
    let psql = "psql --quiet --set=ON_ERROR_STOP=1 --output=/dev/null --dbname=postgres";
    let (package, account, users, load) = match engine.family() {
        Family::Postgres => (engine.word(), "postgres", format!("{psql} --file=roles.sql"), psql),
        Family::MariaDb => ("mariadb-server", "root", "mariadb < users.sql".to_owned(), "mariadb"),
    };
    let debian = match engine {
        Engine::Postgres15 | Engine::MariaDb1011 => 12,
        Engine::Postgres17 | Engine::MariaDb118 => 13,
    };
    let mut text = format!(
        "## {called}\n\nI Debian {debian}, som root: · In Debian {debian}, as root:\n\n    apt-get install --yes {package}\n\n\
         Derefter som brugeren {account}; brugerne beholder deres adgangskoder. · Then as the user {account}; users keep their passwords.\n\n    {users}\n"
    );
    for name in spec.databases.keys() {
        writeln!(text, "    cat database/{name}.sql.gz.* | gunzip | {load}").expect("texts can be written");
    }
    text
}
