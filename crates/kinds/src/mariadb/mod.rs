//! MariaDB, as the kinds that use it have it in common: how its data is made, lifted and tidied, and the settings that hold wherever
//! it runs. Data lies in `/srv/db`, one folder a version; settings in `/run/conf/mariadb.cnf`.

use crate::segments::{STORE, TOOL};

/// Copies the prepared, empty server. `DB` names the version.
pub(crate) const INIT: &str = include_str!("init.sh");
/// Lifts a copy of the data of the version `FROM` to the version `DB`.
pub(crate) const UPGRADE: &str = include_str!("upgrade.sh");
/// Removes the data of every version but `DB`.
pub(crate) const TIDY: &str = include_str!("tidy.sh");

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

/// Where its log is kept: rows and not statements, so that what is carried out again comes to the same; on the disk before a change is
/// acknowledged, so that the log never knows less than the data.
pub(crate) const LOGGED: &str = "\
log-bin = binlog
binlog-format = ROW
binlog-row-image = MINIMAL
sync-binlog = 1
max-binlog-size = 64M
";
/// Where it is not.
pub(crate) const UNLOGGED: &str = "skip-log-bin\n";

/// Has the log of a server that runs kept, beside it.
pub(crate) fn keep(engine: &str) -> Vec<String> {
    let client =
        "/usr/bin/mariadb --no-defaults --socket=/run/husorden/db.sock --user=site --batch --skip-column-names";
    let mut argv = keep_rest(engine);
    argv.extend(["--client".to_owned(), client.to_owned()]);
    argv
}

/// Keeps the log of one that is at rest.
pub(crate) fn keep_rest(engine: &str) -> Vec<String> {
    let data = format!("/srv/db/{engine}");
    [TOOL, "log", "keep-binlogs", "--store", STORE, "--data", &data, "--prefix", LOG].map(str::to_owned).to_vec()
}
