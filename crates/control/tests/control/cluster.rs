//! A private PostgreSQL for each process of tests, and a database of its own for each test, copied from a migrated one.
//!
//! A runner may give each test a process of its own, so the server's data is made once for a build of the tests, kept, and copied.

use husorden_control::config::Database;
use husorden_control::doors::options;
use husorden_control::embedded::{Embedded, Place};
use husorden_control::{bootstrap, doors};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};
use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::sync::OnceCell;

static CLUSTER: OnceCell<PathBuf> = OnceCell::const_new();
static NEXT: AtomicU32 = AtomicU32::new(1);

/// uid and gid of the user that Debian's package makes.
pub fn postgres_user() -> (u32, u32) {
    let passwd = std::fs::read_to_string("/etc/passwd").expect("passwd");
    let line = passwd.lines().find(|line| line.starts_with("postgres:")).expect("a user postgres");
    let part = |n| line.split(':').nth(n).expect("a part").parse().expect("a number");
    (part(2), part(3))
}

/// A folder that goes when this process has ended, however it ends, after what runs in it was stopped.
pub fn folder() -> PathBuf {
    // In memory where that can be: files by the thousand come and go.
    let memory = Path::new("/dev/shm");
    let temporary = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    let folder = tempfile::Builder::new().prefix("hus-control-").tempdir_in(temporary).expect("a folder").keep();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).expect("open to pass");
    let script = "while [ -d /proc/$1 ]; do sleep 0.3; done
        pid=$(head -n1 \"$2\"/pg/data/postmaster.pid 2>/dev/null)
        if [ -n \"$pid\" ]; then kill -INT \"$pid\"; while [ -d \"/proc/$pid\" ]; do sleep 0.1; done; fi
        rm -rf \"$2\"";
    Command::new("setsid")
        .args(["--fork", "sh", "-c", script, "sh", &std::process::id().to_string()])
        .arg(&folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("the sweeper");
    folder
}

pub fn place(folder: &Path) -> Place {
    let (uid, gid) = postgres_user();
    Place {
        home: folder.join("pg"),
        run: folder.join("run"),
        uid,
        gid,
        control_users: vec!["nobody".to_owned()],
        copy_users: vec!["games".to_owned()],
        durable: false,
    }
}

/// The home of a stopped server whose database is migrated.
async fn template() -> PathBuf {
    let program = std::env::current_exe().expect("this program");
    let built = program.metadata().and_then(|data| data.modified()).expect("when it was built");
    let built = built.duration_since(std::time::UNIX_EPOCH).expect("a time").as_nanos();
    let name = program.file_name().expect("a name").to_string_lossy().into_owned();
    let crate_ = name.split('-').next().unwrap_or(&name).to_owned();
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR"));
    // Whoever comes first makes it; the others wait.
    let turn = File::create(kept.join(format!("{crate_}.turn"))).expect("a file");
    turn.lock().expect("a turn");
    let template = kept.join(format!("{crate_}.template-{built}"));
    if !template.exists() {
        for entry in kept.read_dir().expect("a folder").flatten() {
            if entry.file_name().to_string_lossy().starts_with(&format!("{crate_}.template-")) {
                std::fs::remove_dir_all(entry.path()).expect("an older one goes");
            }
        }
        let place = place(&folder());
        let home = place.home.clone();
        let embedded = Embedded::start(place).await.expect("a private PostgreSQL");
        bootstrap::migrate(&Database::at(embedded.socket_dir())).await.expect("the migrations run");
        embedded.stop().await.expect("it stops in order");
        let half = template.with_extension("half");
        let _ = std::fs::remove_dir_all(&half);
        copy(&home, &half);
        std::fs::rename(half, &template).expect("it is whole");
    }
    template
}

fn copy(from: &Path, to: &Path) {
    let done = Command::new("cp").args(["-a", "--no-target-directory"]).arg(from).arg(to).status().expect("cp runs");
    assert!(done.success(), "{} could not be copied", from.display());
}

async fn cluster() -> &'static Path {
    CLUSTER
        .get_or_init(|| async {
            let place = place(&folder());
            copy(&template().await, &place.home);
            let embedded = Embedded::start(place).await.expect("a private PostgreSQL");
            embedded.socket_dir().to_owned()
        })
        .await
}

pub async fn root(socket_dir: &Path, database: &str) -> PgConnection {
    options(socket_dir, "husorden_root", database).connect().await.expect("root is let in")
}

/// A database of one test.
pub async fn database() -> Database {
    let socket_dir = cluster().await;
    let name = format!("t{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let mut root = root(socket_dir, "postgres").await;
    // Copies of one template are made one at a time.
    let sql = format!(
        "select pg_advisory_lock(1); create database {name} template husorden owner husorden_owner; select pg_advisory_unlock(1)"
    );
    for statement in sql.split(';') {
        sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&mut root).await.expect("a copy of the template");
    }
    root.close().await.expect("closed");
    Database { name, ..Database::at(socket_dir) }
}

/// A connection as one of the roles.
pub async fn connect(database: &Database, role: doors::Role) -> PgConnection {
    options(&database.socket_dir, role.name(), &database.name).connect().await.expect("the role is let in")
}
