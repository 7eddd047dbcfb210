//! What a site does about its attachment: it is told where to go and who it is there, and an application's data is moved there and
//! back. With `engine`, the only place that names the engines' tools.
//!
//! A move is one task of the site's own uid, in a sandbox that sees both databases. The data goes through a pipe; nothing lies on
//! the disk in between. What says where the data lies is the application's own configuration, which the task switches last.

use super::engine::{self, mark};
use super::spec::Spec;
use crate::{Io, Network, Task, Used};
use husorden_base::{Bytes, RuntimeName};
use serde_json::json;

/// The task that tells the site of its attachment, or that it has none.
pub(super) const TELL: &str = "attach";
/// The task that moves the data there.
pub(super) const OUT: &str = "move-out";
/// The task that moves it back.
pub(super) const IN: &str = "move-in";
/// The task that clears the site's own database away when its data lies there.
pub(super) const LEAVE: &str = "db-leave";
/// The value of a mark that is over.
pub(super) const NONE: &str = "none";

/// Seconds a move may take.
const MOVE_S: u32 = 6 * 3600;

/// Tells the site, in a file of its volume, what it uses; or takes the file away.
pub(super) fn tell(spec: &Spec, used: Option<&Used>, runtime: &RuntimeName) -> Task {
    let mut sandbox = engine::php_sandbox(spec, runtime);
    engine::script(&mut sandbox, "attach.sh", include_str!("files/attach.sh"));
    sandbox.binds.retain(|bind| bind.to != engine::PRIVATE);
    sandbox.binds.push(engine::private(true));
    sandbox.network = Network::Nothing;
    let digest = used.map_or_else(|| NONE.to_owned(), Used::digest);
    let told = used.map(|used| {
        json!({
            "protocol": used.protocol, "host": used.address, "port": used.port, "tls": true,
            "database": used.database, "user": used.username, "password": used.password.reveal(),
        })
    });
    Task {
        stdin: told.map(|told| told.to_string()).unwrap_or_default(),
        ..engine::task(TELL, sandbox, (mark::ATTACHED, &digest), 60)
    }
}

/// Where the data lies when it lies in what is attached.
pub(super) fn place(used: &Used) -> String {
    format!("{} {}", used.solution, used.database)
}

/// Moves the data out of the site's own database.
pub(super) fn out(spec: &Spec, used: &Used, database: &RuntimeName) -> Task {
    moving(spec, used, database, (OUT, include_str!("files/move-out.sh")), &place(used))
}

/// Moves the data back into the site's own database.
pub(super) fn back(spec: &Spec, used: &Used, database: &RuntimeName) -> Task {
    moving(spec, used, database, (IN, include_str!("files/move-in.sh")), NONE)
}

/// The server that the client comes with runs elsewhere; here are its tools, the site's files, and the way to both databases.
fn moving(spec: &Spec, used: &Used, database: &RuntimeName, (name, text): (&str, &str), place: &str) -> Task {
    let mut sandbox = engine::db_sandbox(spec, database);
    let shared = include_str!("files/move.sh");
    engine::script(&mut sandbox, "move.sh", &format!("{shared}{text}"));
    sandbox.argv[0] = "/bin/bash".to_owned();
    sandbox.files.insert(format!("{}/switch.pl", engine::GENERATED), include_str!("files/switch.pl").to_owned());
    sandbox.cwd = "/tmp".to_owned();
    sandbox.binds = vec![engine::folder("www", engine::WWW), engine::sockets()];
    sandbox.network = Network::Port;
    sandbox.limits.memory = Bytes::mib(256);
    sandbox.limits.io = Io::BACKGROUND;
    let (host, port) = (used.address, used.port);
    let (user, password, database) = (&used.username, used.password.reveal(), &used.database);
    Task {
        stdin: format!("{host}\n{port}\n{user}\n{password}\n{database}\n"),
        ..engine::task(name, sandbox, (mark::AWAY, place), MOVE_S)
    }
}

/// Clears the site's own database away.
pub(super) fn leave(spec: &Spec, database: &RuntimeName) -> Task {
    let mut sandbox = engine::db_sandbox(spec, database);
    engine::script(&mut sandbox, "leave.sh", "set -eu\ncd /srv/db\nrm -rf ./*\n");
    engine::task(LEAVE, sandbox, (mark::DB, NONE), 300)
}
