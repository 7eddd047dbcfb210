//! An image of the pool that is copied mid-write and opened elsewhere, as after a power cut: the disk beneath the pool is held still at one
//! instant while clients write, and copied. Each engine, started on the copy with nothing of the platform, has every row that was
//! acknowledged until then. The pool is told nothing: it is neither synced nor frozen itself.

use super::database::{Client, create, own_address, wait_running};
use husorden_world::{House, PATIENCE, Who, text};
use serde_json::json;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

const ENGINES: [(&str, &str); 2] = [("pg", "postgresql-17"), ("my", "mariadb-11.8")];

/// A disk that can be held still; it goes when it is dropped.
struct Disk {
    child: Child,
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
    device: String,
}

impl Disk {
    fn new(folder: &Path) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/house/image.sh");
        let mut child = Command::new("unshare")
            .args(["--mount", "--propagation", "private", "bash"])
            .arg(script)
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a disk");
        let (to, from) = (child.stdin.take(), BufReader::new(child.stdout.take().expect("a pipe")));
        let mut disk = Self { child, to, from, device: String::new() };
        disk.device = disk.line();
        disk
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.from.read_line(&mut line).expect("it says something");
        line.trim().to_owned()
    }

    fn ask(&mut self, command: &str) -> String {
        let to = self.to.as_mut().expect("it listens");
        writeln!(to, "{command}").and_then(|()| to.flush()).expect("it listens");
        self.line()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.to.take();
        let _ = self.child.wait();
    }
}

#[test]
fn an_image_of_the_pool_copied_mid_write_has_every_acknowledged_commit() {
    let mut disk = Disk::new(&PathBuf::from(format!("/var/tmp/husorden-test-disk-{}", std::process::id())));
    let house = House::up_with("image", "", &format!("device = \"{}\"", disk.device)).expect("the house comes up");
    let allow = json!([{ "net": own_address(&house) }]);
    let clients: Vec<Client<'_>> = ENGINES
        .iter()
        .map(|(name, engine)| {
            let made = create(&house, name, &json!({ "engine": engine, "allow": allow, "size": "512 MiB" }));
            wait_running(&house, name);
            Client::first(&house, name, &made)
        })
        .collect();
    let ask = |place: usize, sql: &str| {
        let client = &clients[place];
        if place == 0 { client.psql("app", sql) } else { client.mariadb("app", sql) }
    };
    for place in 0..ENGINES.len() {
        ask(place, "CREATE TABLE acknowledged (n int PRIMARY KEY)").expect("a table");
    }
    let (over, written) = (AtomicBool::new(false), [AtomicU32::new(0), AtomicU32::new(0)]);
    let until = std::thread::scope(|scope| {
        for (place, written) in written.iter().enumerate() {
            let (ask, over) = (&ask, &over);
            scope.spawn(move || {
                for n in 1.. {
                    if over.load(Ordering::Relaxed) {
                        return;
                    }
                    ask(place, &format!("INSERT INTO acknowledged VALUES ({n})")).expect("it is written");
                    written.store(n, Ordering::SeqCst);
                }
            });
        }
        let more = |than: [u32; 2]| {
            let end = Instant::now() + PATIENCE;
            while (0..2).any(|place| written[place].load(Ordering::SeqCst) < than[place] + 30) {
                assert!(Instant::now() < end, "they write");
                std::thread::sleep(Duration::from_millis(50));
            }
        };
        more([0, 0]);
        // Whatever was acknowledged by now was before the instant.
        let until = [written[0].load(Ordering::SeqCst), written[1].load(Ordering::SeqCst)];
        assert_eq!(disk.ask("copy"), "copied");
        // Afterwards they go on as if nothing had been.
        more(until);
        over.store(true, Ordering::Relaxed);
        until
    });
    let numbers = ENGINES.map(|(name, _)| {
        let one = house.api(Who::Account, "GET", &format!("/v1/solutions/{name}"), None).expect("the API answers").body;
        one["number"].as_u64().expect("a number")
    });
    let left = house.down().expect("down runs");
    assert!(left.status.success(), "{}{}", text(&left.stdout), text(&left.stderr));
    for (place, (_, engine)) in ENGINES.iter().enumerate() {
        let last = until[place];
        let seen = disk.ask(&format!("count {} {engine} {last}", numbers[place]));
        assert_eq!(seen, format!("{last} {last}"), "{engine}");
        eprintln!("{engine}: {last} rows were acknowledged before the instant, and all are in the image");
    }
}
