//! Proofs on real engines: what was noted while a solution served is found again on a copy of its snapshot, and each way of being otherwise
//! fails and says which.

use super::{PATIENCE, on_a_node_with_engines, until, wish};
use crate::backup::job::{ABOUT, Came, VOLUME, Work};
use crate::backup::{About, Errand, folders, run};
use crate::proof::{self, Asked, Bench};
use crate::sandbox::Command as Inside;
use crate::volume::Why;
use crate::{Node, keeper};
use husorden_base::SnapshotId;
use husorden_kinds::{Outcome, kind};
use husorden_wire::node::{Address, Counted, Level, Opened, ProofStep, Proven, Repository, Secrets, Wish};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A solution that serves.
pub(super) fn serve(node: &Arc<Node>, named: &str, form: &Value) -> Wish {
    let kind = kind(named).expect("there is such a kind");
    let spec = kind.parse(form, None).expect("the form holds");
    settle(node, Wish { kind: named.to_owned(), spec, ..wish(7) })
}

/// Brings a solution to what is wished.
pub(super) fn settle(node: &Arc<Node>, wish: Wish) -> Wish {
    let kind = kind(&wish.kind).expect("there is such a kind");
    node.register.take_wish(wish.clone()).expect("it is taken");
    let until = Instant::now() + PATIENCE;
    loop {
        crate::trial::consider(node);
        let (_, outcome) = keeper::round(node, &wish, kind);
        if let Outcome::Settled(_) = outcome {
            return wish;
        }
        assert!(Instant::now() < until, "{outcome:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Waits until a database answers.
fn awake(node: &Node, number: husorden_base::Number, argv: &[&str], stdin: &str) {
    until("it answers", || {
        node.sandboxes.exec(number, "db", &beside(argv, stdin)).is_ok_and(|done| done.code == Some(0))
    });
}

fn beside(argv: &[&str], stdin: &str) -> Inside {
    Inside {
        argv: argv.iter().map(|word| (*word).to_owned()).collect(),
        stdin: stdin.to_owned(),
        limit: PATIENCE,
        output_bytes_max: 64 << 10,
    }
}

/// Carries something out beside a service.
pub(super) fn inside(node: &Node, number: husorden_base::Number, role: &str, argv: &[&str], stdin: &str) {
    let done = node.sandboxes.exec(number, role, &beside(argv, stdin)).expect("it runs");
    assert_eq!(done.code, Some(0), "{}", String::from_utf8_lossy(&done.stderr));
}

/// Notes and takes a snapshot, as a backup does.
pub(super) fn back_up(node: &Arc<Node>, wish: &Wish) -> (SnapshotId, Opened) {
    let mut take = || {
        let taken = node.volume(wish.number).snapshot(&SnapshotId::new(), Why::Customer, None);
        Ok(taken.expect("a snapshot"))
    };
    let (snapshot, noted) = proof::noted(node, wish, &mut take).expect("it is noted");
    (snapshot.id, noted)
}

/// Puts a snapshot on the bench, as a restore does.
pub(super) fn put_back<'a>(node: &'a Arc<Node>, wish: &Wish, snapshot: &SnapshotId, folders: &[&str]) -> Bench<'a> {
    let volume = node.volume(wish.number);
    let names: Vec<String> = folders.iter().map(|name| (*name).to_owned()).collect();
    let bench = Bench::lay(node, node.proofs.turn(), wish, &names, &volume.marks().expect("marks")).expect("a bench");
    for name in folders {
        let (from, to) = (volume.snapshot_folder(snapshot, name), bench.volume().folder(name));
        let copied = Command::new("cp").args(["-a", "-T"]).args([&from, &to]).status().expect("cp runs");
        assert!(copied.success());
    }
    bench.volume().take_back(wish.number).expect("it is its own");
    bench
}

/// A repository with a backup of the snapshot in it, as the verb writes one.
struct Backed {
    repository: Repository,
    secrets: Secrets,
    copy: String,
}

fn written(node: &Arc<Node>, wish: &Wish, snapshot: &SnapshotId, noted: &Opened) -> Backed {
    let repository = Repository {
        target: husorden_base::TargetId::new(),
        address: Address::Folder {
            path: node.config.ground.home.parent().expect("a folder").join("target").display().to_string(),
        },
        folder: wish.number.to_string(),
        bytes_per_second: None,
    };
    let secrets = Secrets { repository: husorden_backup::Key::generate().password(), target: None };
    let volume = node.volume(wish.number);
    let about = About {
        solution: wish.solution,
        number: wish.number,
        kind: wish.kind.clone(),
        name: wish.name.clone(),
        spec: wish.spec.clone(),
        marks: volume.marks().expect("marks"),
        builds: node.register.builds(wish.solution),
        taken: Timestamp::now(),
        noted: noted.clone(),
        point: None,
    };
    let work = Work::Write {
        host: "here".to_owned(),
        tags: Vec::new(),
        taken: about.taken,
        notes: BTreeMap::from([(ABOUT.to_owned(), serde_json::to_string(&about).expect("plain data"))]),
        former: None,
        beside: false,
        first: true,
    };
    let (from, names) = volume.snapshot_folders(snapshot).expect("a snapshot");
    let errand = Errand {
        number: wish.number,
        name: "test",
        repository: &repository,
        secrets: &secrets,
        work,
        binds: folders(&from, &names, VOLUME, false),
        into: None,
        limit: PATIENCE,
        stop: &|| None,
    };
    let Came::Written { copy, .. } = run(node, errand, &mut |_, _| ()).expect("it is written") else {
        panic!("a backup")
    };
    Backed { repository, secrets, copy }
}

fn prove(node: &Arc<Node>, wish: &Wish, backed: &Backed, level: Level) -> Proven {
    let asked = Asked {
        solution: wish.solution,
        number: wish.number,
        repository: &backed.repository,
        secrets: &backed.secrets,
        copy: &backed.copy,
        level,
        stop: &|| None,
    };
    let proven = proof::prove(node, &asked, &mut |_| ()).expect("it comes to an end");
    assert!(!node.volume(proof::number()).folder("").exists(), "nothing is left of it");
    proven
}

/// Opens what is on the bench, and compares.
pub(super) fn open(bench: &Bench<'_>, noted: &Opened) -> (bool, Vec<ProofStep>) {
    let mut steps = Vec::new();
    let found = bench.open(&mut steps, &mut |_| (), &|| None).expect("it is opened");
    steps.push(proof::compared(noted, &found.said));
    let passed = found.whole && steps.iter().all(|step| step.failed.is_none());
    (passed, steps)
}

/// It does not pass, and the last step says why.
fn fails(bench: &Bench<'_>, noted: &Opened, da: &str, en: &str) {
    let (passed, steps) = open(bench, noted);
    assert!(!passed);
    let failed = steps.iter().rev().find_map(|step| step.failed.clone()).expect("a step that failed");
    assert!(failed.da.contains(da) && failed.en.contains(en), "{failed:?}");
}

fn exactly(count: u64) -> Counted {
    Counted { least: count, most: count }
}

#[test]
fn a_postgresql_is_proven_and_a_dropped_table_is_found() {
    on_a_node_with_engines(|node| {
        let wish = serve(node, "database", &json!({ "engine": "postgresql-17", "size": "1 GiB", "users": {} }));
        node.sandboxes.wake(wish.number).expect("it wakes");
        let ask = ["/bin/sh", "/run/conf/ask.sh"];
        let sql = "\\c app\nCREATE TABLE orders AS SELECT n, repeat('x', 100) AS text FROM generate_series(1, 20000) AS n;\n\
            CREATE INDEX ON orders (n);\nCREATE TABLE \"odd\tname\" (n int);\nCREATE UNLOGGED TABLE passing AS SELECT 1;\nCHECKPOINT;\n\
            INSERT INTO orders SELECT 0, 'after the checkpoint';\n";
        awake(node, wish.number, &ask, "SELECT 1;\n");
        inside(node, wish.number, "db", &ask, sql);
        let (snapshot, noted) = back_up(node, &wish);
        assert_eq!(noted.counts["app.public.orders"], exactly(20_001));
        assert_eq!(noted.counts["app.public.odd?name"], exactly(0));
        assert_eq!(noted.counts["app.public.passing"], Counted { least: 0, most: u64::MAX });
        assert_eq!(noted.counts["app"], exactly(3));

        let backed = written(node, &wish, &snapshot, &noted);
        for (level, steps) in [(Level::Hashes, 2), (Level::Pieces, 2), (Level::Restored, 3), (Level::Opened, 7)] {
            let proven = prove(node, &wish, &backed, level);
            assert!(proven.passed && proven.level == Some(level), "{proven:?}");
            assert_eq!(proven.steps.len(), steps, "{proven:?}");
            if level == Level::Opened {
                assert_eq!(proven.found.counts["app.public.orders"], exactly(20_001));
                assert!(proven.bytes > 5 << 20 && proven.took_ms > 0);
            }
        }
        // A pack of which a byte is another, another's backup, and a backup that is not there.
        let other = Wish { solution: super::wish(8).solution, ..wish.clone() };
        let proven = prove(node, &other, &backed, Level::Opened);
        assert!(!proven.passed && proven.level.is_none() && proven.steps.len() == 1, "{proven:?}");
        let Address::Folder { path } = &backed.repository.address else { panic!("a folder") };
        assert!(damage(&std::path::Path::new(path).join("7/data")), "a pack");
        for level in [Level::Hashes, Level::Pieces, Level::Restored, Level::Opened] {
            let proven = prove(node, &wish, &backed, level);
            assert!(!proven.passed && proven.level.is_none(), "{proven:?}");
            assert!(proven.steps.last().expect("a step").failed.is_some(), "{proven:?}");
        }
        let gone = Backed { copy: "0".repeat(64), ..backed };
        assert!(!prove(node, &wish, &gone, Level::Opened).passed);

        // What comes after the snapshot is none of the proof's.
        inside(node, wish.number, "db", &ask, "\\c app\nDELETE FROM orders WHERE n > 5;\n");
        let bench = put_back(node, &wish, &snapshot, &["db", "log"]);
        let (passed, steps) = open(&bench, &noted);
        assert!(passed, "{steps:?}");
        assert_eq!(steps.len(), 4);

        inside(node, proof::number(), "db", &["/bin/sh", "-c", PSQL], "\\c app\nDELETE FROM orders WHERE n = 9;\n");
        fails(&bench, &noted, "app.public.orders har 20000, og der blev noteret 20001", "app.public.orders has 20000");
        inside(node, proof::number(), "db", &["/bin/sh", "-c", PSQL], "\\c app\nDROP TABLE orders;\n");
        fails(&bench, &noted, "app.public.orders mangler", "app.public.orders is missing");
        drop(bench);
        assert!(!node.volume(proof::number()).folder("").exists(), "nothing is left of it");

        // A byte of a table that is not what was written.
        let bench = put_back(node, &wish, &snapshot, &["db", "log"]);
        let damaged = damage(&bench.volume().folder("db/postgresql-17/base"));
        assert!(damaged, "there was a large file to damage");
        fails(&bench, &noted, "", "");
        drop(bench);

        // What does not start says so, and nothing after it is tried.
        let bench = put_back(node, &wish, &snapshot, &["db", "log"]);
        std::fs::remove_file(bench.volume().folder("db/postgresql-17/global/pg_control")).expect("it was there");
        let (passed, steps) = open(&bench, &noted);
        assert!(!passed && steps.len() == 2, "{steps:?}");
        assert!(steps[0].failed.as_ref().is_some_and(|why| why.en.contains("pg_control")), "{:?}", steps[0]);
        drop(bench);
        assert!(!node.volume(proof::number()).folder("").exists());
        assert!(node.sandboxes.sight(proof::number()).services.is_empty());
    });
}

/// Asks the server on the bench, which has no script for it.
const PSQL: &str = "unset LD_PRELOAD; mkdir -p /tmp/s; ln -sf /run/husorden/db.sock /tmp/s/.s.PGSQL.5432; \
    PGOPTIONS='-c default_transaction_read_only=off' psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --host=/tmp/s --username=husorden --dbname=postgres --file=-";

/// Flips bits in the middle of the largest file beneath a folder.
fn damage(folder: &std::path::Path) -> bool {
    use std::os::unix::fs::FileExt;
    let files = Command::new("find").arg(folder).args(["-type", "f", "-size", "+1000k", "-print"]).output();
    let files = String::from_utf8(files.expect("find runs").stdout).expect("names of the server");
    let largest = files.lines().max_by_key(|path| std::fs::metadata(path).map_or(0, |meta| meta.len()));
    let Some(path) = largest else { return false };
    let file = std::fs::OpenOptions::new().read(true).write(true).open(path).expect("it opens");
    let mut bytes = [0; 64];
    let middle = file.metadata().expect("it is there").len() / 2 / 8192 * 8192 + 4096;
    file.read_exact_at(&mut bytes, middle).expect("it reads");
    bytes.iter_mut().for_each(|byte| *byte = !*byte);
    file.write_all_at(&bytes, middle).expect("it writes");
    true
}

#[test]
fn a_mariadb_is_proven_and_a_dropped_table_is_found() {
    on_a_node_with_engines(|node| {
        let form = json!({ "engine": "mariadb-11.8", "size": "1 GiB", "databases": { "shop": {} }, "users": {} });
        let wish = serve(node, "database", &form);
        let client = ["/usr/bin/mariadb", "--no-defaults", "--socket=/run/husorden/db.sock", "--user=site"];
        node.sandboxes.wake(wish.number).expect("it wakes");
        awake(node, wish.number, &client, "SELECT 1;\n");
        let sql = "CREATE TABLE shop.orders (n INT PRIMARY KEY, text VARCHAR(100)) ENGINE=InnoDB;\n\
            INSERT INTO shop.orders SELECT seq, REPEAT('x', 90) FROM shop_seq;\n";
        let sql = sql.replace("shop_seq", "(WITH RECURSIVE s AS (SELECT 1 AS seq UNION ALL SELECT seq + 1 FROM s WHERE seq < 900) SELECT seq FROM s) AS s");
        inside(
            node,
            wish.number,
            "db",
            &client,
            &format!("{sql}CREATE TABLE shop.`odd ``name` (n INT) ENGINE=Aria;\n"),
        );
        let (snapshot, noted) = back_up(node, &wish);
        assert_eq!(noted.counts["shop.orders"], exactly(900), "{noted:?}");
        assert_eq!(noted.counts["shop"], exactly(2));
        assert_eq!(noted.counts["shop.odd `name"], exactly(0));

        inside(node, wish.number, "db", &client, "DELETE FROM shop.orders WHERE n > 5;\n");
        let bench = put_back(node, &wish, &snapshot, &["db", "log"]);
        let (passed, steps) = open(&bench, &noted);
        assert!(passed, "{steps:?}");
        inside(node, proof::number(), "db", &client, "DROP TABLE shop.orders;\n");
        fails(&bench, &noted, "shop.orders mangler", "shop.orders is missing");
        // A node that was killed clears nothing; the next one does when it starts.
        std::mem::forget(bench);
        assert!(!node.sandboxes.sight(proof::number()).services.is_empty());
        proof::sweep(node);
        assert!(!node.volume(proof::number()).folder("").exists());
        assert!(node.sandboxes.sight(proof::number()).services.is_empty());
    });
}

#[test]
fn a_site_is_proven_and_an_emptied_folder_and_a_swapped_front_page_are_found() {
    on_a_node_with_engines(|node| {
        let form =
            json!({ "domains": ["shop.test"], "runtime": "php-8.4", "database": "mariadb-11.8", "size": "1 GiB" });
        let wish = serve(node, "website", &form);
        let volume = node.volume(wish.number);
        let page = |title: &str| {
            format!(
                "<?php $d = new mysqli('localhost', 'site', '', 'site'); $d->query('CREATE TABLE IF NOT EXISTS seen (n INT)'); ?><html><title>{title} &amp; <?= $d->query('SELECT COUNT(*) FROM seen')->fetch_row()[0] ?></title>"
            )
        };
        let put = |volume: &crate::volume::Volume, name: &str, text: &str| {
            let path = volume.folder("www").join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("it is made");
            std::fs::write(&path, text).expect("it is written");
            let owner = format!("{0}:{0}", volume.number().uid());
            assert!(
                Command::new("chown")
                    .args(["-R", &owner])
                    .arg(volume.folder("www"))
                    .status()
                    .expect("it runs")
                    .success()
            );
        };
        put(&volume, "index.php", &page("Shop"));
        for n in 0..20 {
            put(&volume, &format!("pictures/{}/{n}.png", n % 3), "a picture");
        }
        // The page makes its table when it is first asked for.
        back_up(node, &wish);
        let (snapshot, noted) = back_up(node, &wish);
        assert_eq!(noted.words["page.status"], "200", "{noted:?}");
        assert_eq!(noted.words["page.title"], "Shop & 0");
        assert_eq!(noted.counts["www/pictures"], exactly(20));
        assert_eq!(noted.counts["site.seen"], exactly(0));
        assert_eq!(noted.counts["site"], exactly(1));

        let folders = ["db", "private", "tmp", "www"];
        let bench = put_back(node, &wish, &snapshot, &folders);
        let (passed, steps) = open(&bench, &noted);
        assert!(passed && steps.len() == 6, "{steps:?}");
        put(&bench.volume(), "index.php", &page("Hacked"));
        fails(&bench, &noted, "page.title er »Hacked & 0«", "page.title is »Hacked & 0«, and »Shop & 0« was noted");
        put(&bench.volume(), "index.php", "<?php broken(");
        fails(&bench, &noted, "page.status er »500«", "page.status is »500«");
        put(&bench.volume(), "index.php", &page("Shop"));
        assert!(open(&bench, &noted).0, "and whole again");
        std::fs::remove_dir_all(bench.volume().folder("www/pictures/1")).expect("it was there");
        fails(&bench, &noted, "www/pictures har 13, og der blev noteret 20", "www/pictures has 13, and 20 were noted");
        std::fs::remove_dir_all(bench.volume().folder("www/pictures")).expect("it was there");
        fails(&bench, &noted, "www/pictures mangler", "www/pictures is missing");
        drop(bench);

        // A site of files alone has its front page in a file.
        let form = json!({ "domains": ["shop.test"], "runtime": "static", "database": "none", "size": "1 GiB" });
        let spec = kind("website").expect("a kind").parse(&form, None).expect("the form holds");
        let files = Wish { spec, generation: 2, ..wish };
        node.register.take_wish(files.clone()).expect("it is taken");
        put(&volume, "index.html", "<TITLE>\n Files\talone</TITLE>");
        let (_, noted) = back_up(node, &files);
        assert_eq!((noted.words["page.title"].as_str(), noted.words["page.status"].as_str()), ("Files alone", "200"));
    });
}
