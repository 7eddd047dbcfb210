//! Bounds on writing, on a real pool: a sandbox that may write little a second writes slower, or doctor says that none is held to it.

use super::{Site, number, sandbox, task, until};
use husorden_base::Bytes;
use husorden_kinds::{Io, Task};
use husorden_node::doctor::{Setting, examine};
use husorden_node::volume::{Pool, PoolConfig, QuotaWish, Source};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A pool that is closed with the test, however it ends.
struct Open(Arc<Pool>);

impl Drop for Open {
    fn drop(&mut self) {
        if let Err(error) = self.0.release() {
            println!("the pool stays: {error}");
        }
    }
}

#[test]
fn a_sandbox_writes_no_faster_than_it_may() {
    let site = Site::new();
    let config = PoolConfig {
        name: "main".to_owned(),
        source: Source::File { path: site.house.home.join("pool.img"), size: Bytes::mib(400) },
        quota: QuotaWish::Best,
    };
    let pool = Open(Pool::open(&site.ground, &config).unwrap());
    pool.0.volume(number(7)).create(Bytes::mib(200), &["data".to_owned()]).unwrap();
    site.house.pool.set(Arc::clone(&pool.0)).unwrap();
    let wall = site.open();
    // Sixteen times a quarter of a MiB, each on the disk before the next.
    let script = "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do
        dd if=/dev/zero of=/srv/data/$i bs=256k count=1 conv=fsync 2>/dev/null || exit 1
    done";
    let timed = |name: &str, io: Io| {
        let mut task = Task { sandbox: sandbox(&["/bin/busybox", "sh", "-c", script]), ..task(name) };
        task.sandbox.limits.io = io;
        let began = Instant::now();
        wall.task_start(number(7), &task).unwrap();
        until("the task ends", || {
            let sight = wall.sight(number(7)).tasks.remove(name);
            assert_eq!(sight.as_ref().and_then(|sight| sight.failed.clone()), None);
            sight.is_none()
        });
        began.elapsed()
    };
    let free = timed("free", Io::default());
    let bound = timed("bound", Io { bytes_s: Bytes::mib(1), ..Io::default() });
    let few = timed("few", Io { ops_s: 40, ..Io::default() });
    println!("4 MiB in synced pieces: {free:?}; at 1 MiB/s {bound:?}; at 40 operations a second {few:?}");
    let findings = examine(&site.ground, Setting::FirstLook);
    let limits = findings.iter().find(|finding| finding.what == "io-limits").unwrap();
    if limits.text.en.contains("cannot bound") || pool.0.disk().is_none() {
        println!("this machine bounds nothing, and doctor says so: {}", limits.text.en);
    } else {
        // What is allowed at once at the beginning, and rounding, take a part off.
        assert!(bound > Duration::from_millis(2_500), "4 MiB at 1 MiB/s: {bound:?}");
        assert!(bound > 3 * free, "{bound:?} beside {free:?}");
        assert!(few > 2 * free && few > Duration::from_millis(800), "{few:?} beside {free:?}");
    }
    wall.task_forget(number(7), "free").unwrap();
    let keep = pool.0.clone();
    wall.close();
    drop(pool);
    assert!(keep.numbers().is_err(), "it is closed");
    let wall = site.open();
    site.close(wall);
}
