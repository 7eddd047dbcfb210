//! MariaDB, as the kinds that use it have it in common: how its data is made, lifted and tidied, and the settings that hold wherever
//! it runs. Data lies in `/srv/db`, one folder a version; settings in `/run/conf/mariadb.cnf`.

use crate::segments::{STORE, TOOL};
use crate::{Keeping, Segments, Sign, Task};

/// Copies the prepared, empty server. `DB` names the version.
pub(crate) const INIT: &str = include_str!("init.sh");
/// Lifts a copy of the data of the version `FROM` to the version `DB`.
pub(crate) const UPGRADE: &str = include_str!("upgrade.sh");
/// Removes the data of every version but `DB`.
pub(crate) const TIDY: &str = include_str!("tidy.sh");
/// Carries the log in `/srv/replay` out to the time `AT` on the data of the version `DB`. `GRANTS` says how the server takes who asks it.
pub(crate) const REPLAY: &str = include_str!("replay.sh");

/// Waits for the server.
pub(crate) const LOOK: &str = include_str!("look.sh");
/// Reads every table of the server.
pub(crate) const CHECK: &str = include_str!("check.sh");
/// Counts the rows of every table of the server; `LIMIT_MS` bounds it.
pub(crate) const COUNT: &str = include_str!("count.sh");

/// What holds wherever it runs: no way to other files, nothing sent home, no kernel interface that sandboxes lack.
pub(crate) const BASE: &str = "\
[mariadbd]
pid-file = /tmp/mariadbd.pid
tmpdir = /tmp
skip-name-resolve
skip-symbolic-links
local-infile = OFF
secure-file-priv = /tmp
feedback = OFF
performance-schema = OFF
character-set-server = utf8mb4
query-cache-type = OFF
query-cache-size = 0
# The sandbox has no io_uring.
innodb-use-native-aio = OFF
";

/// What the names of its binary logs begin with.
pub(crate) const LOG: &str = "binlog.";

/// Its log, without which it does not come back from a cut either, for what is a commit is decided there. Rows and not statements, so that what
/// is carried out again comes to the same, and so that whoever may make functions and triggers may do so with a log too; on the disk before a
/// change is acknowledged, so that the log never knows less than the data.
pub(crate) const LOGGED: &str = "\
log-bin = binlog
binlog-format = ROW
binlog-row-image = MINIMAL
sync-binlog = 1
log-bin-trust-function-creators = ON
max-binlog-size = 64M
";
/// How the log of a server is kept whose data lies in `db/ENGINE`, while it runs and when it is at rest.
pub(crate) fn segments(role: &str, engine: &str, keep: Vec<String>, rest: Task) -> Segments {
    Segments {
        role: role.to_owned(),
        folder: format!("db/{engine}"),
        prefix: LOG.to_owned(),
        by: Sign::Size,
        keeping: Keeping::Command(keep),
        rest,
    }
}

/// The command that has the log of a server that runs kept, beside it; `client` says how the server is reached, and as whom.
pub(crate) fn keep(engine: &str, client: &str) -> Vec<String> {
    let client = format!("/usr/bin/mariadb --no-defaults {client} --batch --skip-column-names");
    let mut argv = keep_rest(engine);
    argv.extend(["--client".to_owned(), client]);
    argv
}

/// The one that keeps the log of a server at rest.
pub(crate) fn keep_rest(engine: &str) -> Vec<String> {
    let data = format!("/srv/db/{engine}");
    [TOOL, "log", "keep-binlogs", "--store", STORE, "--data", &data, "--prefix", LOG].map(str::to_owned).to_vec()
}
