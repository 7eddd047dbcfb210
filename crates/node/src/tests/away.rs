//! Logs leave the machine, on real engines: what was written lies at the target within seconds, and a table that was dropped comes back from there as
//! of the second before, with nothing of the source left; stock restic and the documented commands read it; what is spoilt or missing is told.

use super::proof::{inside, serve, settle};
use super::{PATIENCE, on_a_node_with_engines, wish};
use crate::Node;
use crate::backup::job::{VOLUME, Work};
use crate::backup::{Errand, Return, back_up, folders, restore, run};
use crate::segment::extract::extract;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use husorden_backup::Key;
use husorden_backup::vault::Recipient;
use husorden_base::{BackupId, OrderId, Refusal, SnapshotId};
use husorden_kinds::segments::REPLAY;
use husorden_wire::node::{
    Address, BackedUp, BackupOrigin, FromNode, LogAway, LogOrigin, OF_LOG, Repository, Returning, Secrets, Unlocked,
    Wish,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

fn repository(target: &Path, wish: &Wish, ending: &str) -> Repository {
    Repository {
        target: husorden_base::TargetId(uuid::Uuid::from_u128(77)),
        address: Address::Folder { path: target.display().to_string() },
        folder: format!("{}{ending}", wish.number),
        bytes_per_second: None,
    }
}

/// A control that releases: the key of the log where the log is asked for, and nothing else then.
fn control(node: &Arc<Node>, key: &Key, log: Repository) {
    let listener = UnixListener::bind(&node.config.control_socket).expect("a socket");
    let key = key.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut reader = BufReader::new(stream);
            let mut line = String::new();
            reader.read_line(&mut line).expect("a line");
            let Ok(FromNode::Unlock { recipient, log: of_log, .. }) = serde_json::from_str(&line) else { continue };
            let key = if of_log { key.of_log() } else { key.clone() };
            let secrets = Secrets { repository: key.password(), target: None };
            let recipient: Recipient = recipient.parse().expect("a recipient");
            let sealed = STANDARD.encode(recipient.seal(&serde_json::to_vec(&secrets).expect("plain data")));
            let repository = of_log.then(|| Box::new(log.clone()));
            let answer = serde_json::to_string(&Unlocked::Released { sealed, repository }).expect("plain data");
            writeln!(reader.get_mut(), "{answer}").expect("the node listens");
        }
    });
}

/// One engine, and how it is asked as its owner.
struct Asked<'a> {
    node: &'a Arc<Node>,
    engine: &'static str,
}

impl Asked<'_> {
    fn sql(&self, wish: &Wish, sql: &str) {
        let number = wish.number;
        self.node.sandboxes.wake(number).expect("it wakes");
        let end = Instant::now() + PATIENCE;
        while self.node.sandboxes.pid(number, "db").is_none() {
            assert!(Instant::now() < end, "it runs");
            std::thread::sleep(Duration::from_millis(50));
        }
        if self.engine.starts_with("postgresql") {
            inside(
                self.node,
                number,
                "db",
                &["/bin/sh", "/run/conf/ask.sh"],
                &format!("\\set ON_ERROR_STOP 1\n\\c app\n{sql}"),
            );
        } else {
            let client = ["/usr/bin/mariadb", "--no-defaults", "--socket=/run/husorden/db.sock", "--user=site", "app"];
            inside(self.node, number, "db", &client, sql);
        }
    }

    /// Fails inside when the table does not hold these.
    fn holds(&self, wish: &Wish, rows: &str) {
        let sql = if self.engine.starts_with("postgresql") {
            format!("SELECT 1 / (string_agg(n::text, ' ' ORDER BY n) = '{rows}')::int FROM t;\n")
        } else {
            format!(
                "SET sql_mode = 'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO'; CREATE TEMPORARY TABLE answer (x INT NOT NULL); \
                 INSERT INTO answer SELECT 1 / (GROUP_CONCAT(n ORDER BY n SEPARATOR ' ') = '{rows}') FROM t;\n"
            )
        };
        self.sql(wish, &sql);
    }
}

fn arrived(node: &Node, wish: &Wish, at: Timestamp) -> LogAway {
    let end = Instant::now() + PATIENCE;
    loop {
        let seen = node.away.seen(wish.solution);
        if let Some(seen) = seen.clone().filter(|seen| seen.to.is_none_or(|to| to >= at)) {
            return seen;
        }
        assert!(Instant::now() < end, "it lies at the target: {seen:?}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn a_dropped_table_comes_back(node: &Arc<Node>, engine: &'static str) {
    let target = node.config.ground.home.parent().expect("a folder").join("target");
    let key = Key::generate();
    let asked = Asked { node, engine };
    let form = json!({ "engine": engine, "size": "1 GiB", "users": {} });
    let of = wish(7);
    control(node, &key, repository(&target, &of, OF_LOG));
    crate::keeping::start(node).expect("it keeps");
    let source = serve(node, "database", &form);
    asked.sql(&source, "CREATE TABLE t (n INT PRIMARY KEY); INSERT INTO t VALUES (1);\n");
    let backed: BackedUp =
        back_up(node, &source, OrderId::new(), BackupId::new(), &repository(&target, &source, "")).expect("a backup");
    let point = backed.point.expect("its log is kept");
    std::thread::sleep(Duration::from_secs(4));
    asked.sql(&source, "INSERT INTO t VALUES (2);\n");
    std::thread::sleep(Duration::from_millis(1_200));
    let before = Timestamp::now().round(jiff::Unit::Second).expect("a time");
    std::thread::sleep(Duration::from_millis(1_800));
    asked.sql(&source, "DROP TABLE t; CREATE TABLE other (n INT);\n");
    if engine.starts_with("postgresql") {
        // Not to wait for the 45 seconds.
        asked.sql(&source, "SELECT pg_switch_wal();\n");
    }
    let away = arrived(node, &source, before + SignedDuration::from_secs(2));
    assert!(away.line == point.line && (away.first..=away.next).contains(&point.next), "{away:?} {point:?}");
    let text = serde_json::to_string(&away).expect("plain data");
    assert!(!text.contains(key.of_log().password().reveal()));

    // The machine's own pieces, and all else of the source, are gone.
    node.sandboxes.quiet(source.number).expect("it rests");
    let store = node.volume(source.number).line().expect("seen").expect("a line").folder;
    for entry in fs::read_dir(&store).expect("a store") {
        let path = entry.expect("an entry").path();
        if path.is_file() {
            fs::remove_file(path).expect("it goes");
        }
    }
    let origin = BackupOrigin {
        solution: source.solution,
        repository: repository(&target, &source, ""),
        copy: backed.copy.clone(),
        log: Some(LogOrigin { copy: away.copy.clone(), at: before, optional: false }),
    };
    let made = |from: &BackupOrigin, number| {
        let from_backup = Some(from.clone());
        settle(node, Wish { kind: source.kind.clone(), spec: source.spec.clone(), from_backup, ..wish(number) })
    };
    let beside = made(&origin, 8);
    asked.holds(&beside, "1 2");

    by_stock_restic(&target, &source, &key, engine);
    one_database_comes_back(&asked, &source, &repository(&target, &source, ""), &backed);
    what_is_spoilt_is_told(node, &target, &source, (&key, &backed, &away), before);
    // Where the log is gone, who said that the backup is better than nothing has that.
    fs::rename(target.join(format!("{}{OF_LOG}", source.number)), target.join("gone")).expect("it is gone");
    let log = Some(LogOrigin { copy: away.copy.clone(), at: Timestamp::now(), optional: true });
    asked.holds(&made(&BackupOrigin { log, ..origin }, 9), "1");
}

/// The backup's `app` takes the place of what is there, with all that came since; what stands beside it, and who may what, is as it was.
fn one_database_comes_back(asked: &Asked<'_>, source: &Wish, repository: &Repository, backed: &BackedUp) {
    let node = asked.node;
    asked.sql(source, "CREATE VIEW seen AS SELECT n FROM other; INSERT INTO other VALUES (7);\n");
    let before = SnapshotId::new();
    let back = |part: &str| {
        let what = Returning::Part { part: part.to_owned() };
        let back =
            Return { repository, copy: &backed.copy, what: &what, before: &before, hole: None, spec_follows: false };
        restore(node, source, OrderId::new(), &back)
    };
    assert_eq!(back("nothing").expect_err("there is none").code, "no-such-part");
    back("app").expect("it comes back");
    asked.holds(source, "1");
    let gone = if asked.engine.starts_with("postgresql") {
        "SELECT 1 / (to_regclass('other') IS NULL AND to_regclass('seen') IS NULL)::int;\n"
    } else {
        "SET sql_mode = 'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO'; CREATE TEMPORARY TABLE answer (x INT NOT NULL); \
         INSERT INTO answer SELECT 1 / (COUNT(*) = 0) FROM information_schema.tables WHERE table_schema = 'app' AND table_name IN ('other', 'seen');\n"
    };
    asked.sql(source, gone);
    // The snapshot from before it brings everything back.
    node.sandboxes.quiet(source.number).expect("it rests");
    node.volume(source.number).restore(&before, &SnapshotId::new()).expect("undone");
    asked.sql(source, "INSERT INTO other VALUES (8);\n");
}

/// As docs/backups.md says it: the log's password out of the backups', stock restic, and the pieces.
fn by_stock_restic(target: &Path, source: &Wish, key: &Key, engine: &str) {
    let derive = "printf 'husorden log %s' \"$PASSWORD\" | openssl dgst -sha256 -binary | basenc --base64url | tr -d =";
    let said = Command::new("sh").args(["-c", derive]).env("PASSWORD", key.password().reveal()).output().expect("sh");
    let password = String::from_utf8(said.stdout).expect("text").trim().to_owned();
    let back = target.join("back");
    let done = Command::new("restic")
        .args(["--no-cache", "--no-lock", "restore", "latest", "--target"])
        .arg(&back)
        .arg("-r")
        .arg(target.join(format!("{}{OF_LOG}", source.number)))
        .env("RESTIC_PASSWORD", password)
        .output()
        .expect("restic is installed");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let lines: Vec<PathBuf> =
        fs::read_dir(back.join("log")).expect("lines").map(|entry| entry.expect("a line").path()).collect();
    let [line] = lines.as_slice() else { panic!("{lines:?}") };
    assert!(line.ends_with(format!("000001-{engine}")), "{line:?}");
    let out = extract(line, &target.join("out")).expect("it is read");
    assert!(out.faults.is_empty() && !out.whole.is_empty(), "{:?}", out.faults);
    fs::remove_dir_all(back).expect("it goes");
}

/// A pack of the log with another byte in it, and one that is not there.
fn what_is_spoilt_is_told(
    node: &Arc<Node>,
    target: &Path,
    source: &Wish,
    (key, backed, away): (&Key, &BackedUp, &LogAway),
    at: Timestamp,
) {
    let repository = repository(target, source, OF_LOG);
    let secrets = Secrets { repository: key.of_log().password(), target: None };
    let room = node.volume(source.number).folder(REPLAY);
    let point = backed.point.expect("a point");
    let fetch = |work: Work, binds| -> Result<(), Refusal> {
        let errand = Errand {
            number: source.number,
            name: "test",
            repository: &repository,
            secrets: &secrets,
            work,
            binds,
            into: None,
            limit: PATIENCE,
            stop: &|| None,
        };
        run(node, errand, &mut |_, _| ()).map(drop)
    };
    let pieces = || {
        drop(fs::remove_dir_all(&room));
        crate::backup::room(&node.volume(source.number).folder(""), source.number).expect("a folder");
        let work =
            Work::Pieces { copy: away.copy.clone(), line: point.line, next: point.next, taken: backed.taken, at };
        fetch(work, folders(&node.volume(source.number).folder(""), &[REPLAY.to_owned()], VOLUME, true))
    };
    pieces().expect("all of it is there");
    let data = target.join(format!("{}{OF_LOG}/data", source.number));
    let mut packs: Vec<PathBuf> = Vec::new();
    for folder in fs::read_dir(&data).expect("packs") {
        let folder = folder.expect("a folder").path();
        packs.extend(fs::read_dir(folder).expect("packs").map(|entry| entry.expect("a pack").path()));
    }
    let whole: Vec<Vec<u8>> = packs.iter().map(|pack| fs::read(pack).expect("a pack")).collect();
    for (pack, bytes) in packs.iter().zip(&whole) {
        let mut other = bytes.clone();
        other[bytes.len() / 3] ^= 1;
        fs::remove_file(pack).and_then(|()| fs::write(pack, &other)).expect("it is spoilt");
    }
    assert_eq!(pieces().expect_err("it is spoilt").code, "backup-damaged");
    let check = || fetch(Work::Check { copy: None, hashes: true, contents: Some((0, 1)) }, Vec::new());
    check().expect("a check comes to its end");
    for (pack, bytes) in packs.iter().zip(&whole) {
        fs::write(pack, bytes).expect("it is whole again");
    }
    pieces().expect("and all of it is there again");
    for pack in &packs {
        fs::remove_file(pack).expect("it goes");
    }
    let missing = pieces().expect_err("it is missing").code;
    assert!(["backup-damaged", "backup-missing"].contains(&missing.as_str()), "{missing}");
}

#[test]
fn a_dropped_table_of_postgresql_comes_back_from_off_site() {
    on_a_node_with_engines(|node| a_dropped_table_comes_back(node, "postgresql-17"));
}

#[test]
fn a_dropped_table_of_mariadb_comes_back_from_off_site() {
    on_a_node_with_engines(|node| a_dropped_table_comes_back(node, "mariadb-11.8"));
}
