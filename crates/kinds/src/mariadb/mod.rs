//! MariaDB, as the kinds that use it have it in common: how its data is made, lifted and tidied, and the settings that hold wherever
//! it runs. Data lies in `/srv/db`, one folder a version; settings in `/run/conf/mariadb.cnf`.

/// Copies the prepared, empty server. `DB` names the version.
pub(crate) const INIT: &str = include_str!("init.sh");
/// Lifts a copy of the data of the version `FROM` to the version `DB`.
pub(crate) const UPGRADE: &str = include_str!("upgrade.sh");
/// Removes the data of every version but `DB`.
pub(crate) const TIDY: &str = include_str!("tidy.sh");

/// What holds wherever it runs: no way to other files, nothing sent home, no kernel interface that sandboxes lack.
pub(crate) const BASE: &str = "\
[mariadbd]
pid-file = /tmp/mariadbd.pid
tmpdir = /tmp
skip-name-resolve
skip-symbolic-links
skip-log-bin
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
