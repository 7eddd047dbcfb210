//! The volume wall on a real pool: a small file on a loop device. Where the machine has none, these tests fail; they skip nothing.

mod limits;

use super::*;
use crate::Ground;
use husorden_base::{Bytes, Number, SnapshotId};
use husorden_kinds::{Fill, VolumeSight};
use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

/// A ground in a folder of its own, and on drop nothing of it left: no mount, no loop device, no file.
pub(crate) struct Place {
    pub(crate) ground: Ground,
    folder: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("husorden-test-").tempdir_in("/var/tmp").expect("a folder");
        let at = |name: &str| folder.path().join(name);
        let ground = Ground {
            instance: "test".to_owned(),
            home: at("home"),
            run: at("run"),
            cache: at("cache"),
            catalogue: at("catalogue"),
            edge_gid: 990_000,
        };
        for path in [&ground.home, &ground.run, &ground.cache, &ground.catalogue] {
            fs::create_dir_all(path).expect("a folder");
        }
        Self { ground, folder }
    }

    pub(crate) fn config(&self, mib: u64) -> PoolConfig {
        PoolConfig {
            name: "main".to_owned(),
            source: Source::File { path: self.folder.path().join("home/main.pool"), size: Bytes::mib(mib) },
            quota: QuotaWish::Best,
        }
    }

    pub(crate) fn pool(&self, mib: u64) -> Arc<Pool> {
        Pool::open(&self.ground, &self.config(mib)).expect("a pool of our own")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let left = leftovers(&self.ground).expect("the machine says what is left");
        for mount in left.mounts.iter().rev() {
            let _ = Command::new("umount").arg("--lazy").arg(mount).status();
        }
        for device in &left.loops {
            let _ = Command::new("losetup").arg("--detach").arg(device).status();
        }
    }
}

const N: u32 = 7;

fn number(n: u32) -> Number {
    Number::new(n).expect("a number")
}

fn made(pool: &Arc<Pool>, n: u32, limit: Bytes) -> Volume {
    let volume = pool.volume(number(n));
    volume.create(limit, &["www".to_owned(), "db".to_owned()]).expect("a volume");
    volume
}

/// Writes as root until the wish is met or the kernel says no.
fn fill(path: &Path, bytes: u64) -> std::io::Result<()> {
    let mut file = fs::File::create(path)?;
    let block: Vec<u8> = (0..1 << 20).map(|i: u32| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for _ in 0..bytes >> 20 {
        file.write_all(&block)?;
    }
    file.sync_all()
}

fn sees(volume: &Volume, name: &str) -> String {
    fs::read_to_string(volume.folder("www").join(name)).unwrap_or_else(|error| format!("<{error}>"))
}

fn says(volume: &Volume, name: &str, text: &str) {
    fs::write(volume.folder("www").join(name), text).expect("a write");
}

#[test]
fn a_volume_is_made_whole_and_shut_to_others() {
    let place = Place::new();
    let pool = place.pool(400);
    let volume = pool.volume(number(N));
    assert_eq!(volume.look().expect("a look"), VolumeSight::Absent);
    made(&pool, N, Bytes::mib(50));
    assert_eq!(volume.look().expect("a look"), VolumeSight::Live { limit: Bytes::mib(50) });
    let at = |path: PathBuf| {
        let meta = fs::metadata(path).expect("metadata");
        (meta.uid(), meta.gid(), meta.mode() & 0o7777)
    };
    let holder = volume.folder("www").parent().and_then(Path::parent).expect("a holder").to_owned();
    assert_eq!(at(holder.clone()), (0, 990_000, 0o710));
    assert_eq!(at(holder.join("live")), (0, 990_000, 0o710));
    assert_eq!(at(holder.join("live/marks")), (0, 0, 0o700));
    assert_eq!(at(volume.folder("www")), (1_000_007, 1_000_007, 0o755));
    assert_eq!(at(volume.folder("db")), (1_000_007, 1_000_007, 0o700));
    // Making it again changes nothing; another limit is another verb.
    says(&volume, "a", "one");
    made(&pool, N, Bytes::mib(9));
    assert_eq!(
        (sees(&volume, "a").as_str(), volume.look().expect("a look")),
        ("one", VolumeSight::Live { limit: Bytes::mib(50) })
    );
    assert_eq!(pool.numbers().expect("numbers"), [number(N)]);
    for bad in ["", "..", "marks", "a/b", "Www", ".x"] {
        assert!(pool.volume(number(8)).create(Bytes::mib(1), &[bad.to_owned()]).is_err(), "{bad:?}");
        assert_eq!(pool.volume(number(8)).look().expect("a look"), VolumeSight::Absent);
    }
}

/// Space of what was deleted comes back when the kernel's cleaner has been by.
fn wait_for(pool: &Arc<Pool>, done: impl Fn() -> bool) {
    for _ in 0..300 {
        pool.sync().expect("a sync");
        if done() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    panic!("it did not come to pass within 30 s");
}

#[test]
fn snapshot_restore_and_undo_bring_back_what_was() {
    let place = Place::new();
    let pool = place.pool(400);
    let volume = made(&pool, N, Bytes::mib(50));
    says(&volume, "a", "one");
    volume.set_mark("version", "1").expect("a mark");
    for bad in ["", ".", "..", ".x", "a/b", "../../snap/x", "A"] {
        assert!(volume.set_mark(bad, "1").is_err(), "{bad:?}");
    }
    volume.set_mark("app.version", "1").expect("dots group marks");
    let (first, undo) = (SnapshotId::new(), SnapshotId::new());
    let info = volume.snapshot(&first, Why::Customer, Some("before the sale".to_owned())).expect("a snapshot");
    says(&volume, "a", "two");
    volume.set_mark("version", "2").expect("a mark");
    assert_eq!(
        volume.snapshot(&first, Why::Customer, None).expect("the same one"),
        info,
        "an id names one snapshot for ever"
    );
    volume.snapshot(&undo, Why::Before { what: "restore".to_owned() }, None).expect("a snapshot");
    volume.restore(&first, &SnapshotId::new()).expect("a restore");
    assert_eq!((sees(&volume, "a").as_str(), volume.marks().expect("marks")["version"].as_str()), ("one", "1"));
    says(&volume, "b", "after");
    volume.restore(&undo, &SnapshotId::new()).expect("an undo");
    assert_eq!((sees(&volume, "a").as_str(), volume.marks().expect("marks")["version"].as_str()), ("two", "2"));
    assert!(!volume.folder("www").join("b").exists());
    let ids: Vec<_> = volume.snapshots().expect("a list").into_iter().map(|info| info.id).collect();
    assert_eq!(ids, [first, undo]);
    volume.snapshot_delete(&first).expect("a deletion");
    volume.snapshot_delete(&first).expect("gone is fine");
    assert!(matches!(volume.restore(&first, &SnapshotId::new()), Err(VolumeError::NoSnapshot(..))));
    assert_eq!(sees(&volume, "a"), "two");
    assert!(!volume.folder("../live.new").exists());
}

#[test]
fn a_restore_does_not_wait_for_those_who_still_look() {
    let place = Place::new();
    let pool = place.pool(300);
    let volume = made(&pool, N, Bytes::mib(50));
    says(&volume, "a", "one");
    let id = SnapshotId::new();
    volume.snapshot(&id, Why::Customer, None).expect("a snapshot");
    says(&volume, "a", "two");
    // A sandbox has the folder bound, and a file in it open.
    let bound = place.ground.run.join("pools/bound");
    fs::create_dir(&bound).expect("a folder");
    nix::mount::mount(Some(&volume.folder("www")), &bound, None::<&str>, nix::mount::MsFlags::MS_BIND, None::<&str>)
        .expect("a bind");
    let open = fs::File::open(bound.join("a")).expect("an open file");
    volume.restore(&id, &SnapshotId::new()).expect("a restore");
    assert_eq!(sees(&volume, "a"), "one");
    assert_eq!(std::io::read_to_string(&open).expect("still there"), "two");
    drop(open);
    nix::mount::umount(&bound).expect("let go");
    pool.release().expect("nothing holds the pool");
}

#[test]
fn a_restore_is_done_once_also_in_a_full_volume() {
    let place = Place::new();
    let pool = place.pool(400);
    let volume = made(&pool, N, Bytes::mib(20));
    says(&volume, "a", "one");
    let (id, before) = (SnapshotId::new(), SnapshotId::new());
    volume.snapshot(&id, Why::Customer, None).expect("a snapshot");
    assert!(fill(&volume.folder("www").join("b"), 40 << 20).is_err(), "it is full");
    volume.snapshot(&before, Why::Customer, None).expect("a snapshot");
    volume.set_limit(Bytes::mib(1)).expect("a limit below what is held");
    volume.restore(&id, &before).expect("a restore");
    assert_eq!(volume.marks().expect("marks")["restored"], before.to_string());
    assert_eq!(volume.look().expect("a look"), VolumeSight::Live { limit: Bytes::mib(1) });
    volume.set_limit(Bytes::mib(60)).expect("a limit");
    says(&volume, "a", "since");
    volume.restore(&id, &before).expect("the same restore again");
    assert_eq!(sees(&volume, "a"), "since");
    volume.restore(&id, &SnapshotId::new()).expect("another restore");
    assert_eq!(sees(&volume, "a"), "one");
}

#[test]
fn subvolumes_inside_hinder_neither_restore_nor_sweep() {
    let place = Place::new();
    let pool = place.pool(400);
    let volume = made(&pool, N, Bytes::mib(50));
    let (id, before) = (SnapshotId::new(), SnapshotId::new());
    volume.snapshot(&id, Why::Customer, None).expect("a snapshot");
    let nest = |folder: &Path| {
        let top = fs::File::open(folder).expect("a folder");
        btrfs::subvol_create(&top, "outer", None).expect("a subvolume");
        fs::create_dir(folder.join("outer/in")).expect("a folder");
        let inner = fs::File::open(folder.join("outer/in")).expect("a folder");
        btrfs::subvol_create(inner, "inner", None).expect("a subvolume");
    };
    nest(&volume.folder("www"));
    volume.restore(&id, &before).expect("a restore");
    assert!(!volume.folder("../live.new").exists() && !volume.folder("www").join("outer").exists());
    nest(&volume.folder("www"));
    volume.retain(&SnapshotId::new()).expect("it is retained");
    volume.revive().expect("and revived");
    // What cannot be swept: here a file where there should be a folder.
    let solutions = pool.root().join("solutions");
    fs::write(solutions.join(".new-9"), "").expect("a file");
    fs::write(solutions.join("7/live.new"), "").expect("a file");
    drop((pool, volume));
    let pool = place.pool(400);
    assert_eq!(pool.numbers().expect("numbers"), [number(N)]);
}

#[test]
fn what_a_crash_leaves_is_swept_and_nothing_else() {
    let place = Place::new();
    let pool = place.pool(400);
    let volume = made(&pool, N, Bytes::mib(50));
    says(&volume, "a", "one");
    let id = SnapshotId::new();
    volume.snapshot(&id, Why::Customer, None).expect("a snapshot");
    let solutions = pool.root().join("solutions");
    let lonely = SnapshotId::new();
    // A restore cut before and a creation and a deletion cut in the middle, and a note whose snapshot was never taken.
    let top = fs::File::open(&solutions).expect("solutions");
    btrfs::subvol_create(&top, ".new-9", None).expect("a subvolume");
    btrfs::subvol_create(&top, ".gone-10", None).expect("a subvolume");
    btrfs::subvol_create(fs::File::open(solutions.join(".gone-10")).expect("it"), "live", None).expect("a subvolume");
    btrfs::subvol_create(fs::File::open(solutions.join("7")).expect("it"), "live.new", None).expect("a subvolume");
    fs::write(solutions.join(format!("7/snap/{lonely}.json")), "{}").expect("a note");
    btrfs::group_create(pool.top(), btrfs::level1(11)).expect("a group");
    drop(top);
    // The node dies: the lock goes with it, mount and loop device stay.
    drop(pool);
    drop(volume);
    let pool = place.pool(400);
    let mut names: Vec<_> =
        fs::read_dir(&solutions).expect("a list").map(|e| e.expect("an entry").file_name()).collect();
    names.sort();
    assert_eq!(names, ["7"]);
    let mut inside: Vec<_> =
        fs::read_dir(solutions.join("7")).expect("a list").map(|e| e.expect("an entry").file_name()).collect();
    inside.sort();
    assert_eq!(inside, ["limit", "live", "snap"]);
    assert_eq!(pool.groups().expect("groups"), [number(N)]);
    let volume = pool.volume(number(N));
    assert_eq!((sees(&volume, "a").as_str(), volume.snapshots().expect("a list").len()), ("one", 1));
    // And from nothing but the file: unmounted and detached, as after a boot.
    drop(volume);
    pool.release().expect("a close");
    assert_eq!(leftovers(&place.ground).expect("leftovers"), Leftovers::default());
    let pool = place.pool(400);
    assert_eq!(pool.quota_mode(), QuotaMode::Simple);
    assert_eq!(sees(&pool.volume(number(N)), "a"), "one");
}

#[test]
fn a_closed_pool_is_off_its_device_even_when_somebody_held_that_open() {
    let place = Place::new();
    let pool = place.pool(300);
    let [device] = &leftovers(&place.ground).expect("leftovers").loops[..] else {
        panic!("one device carries the pool")
    };
    let held = fs::File::open(device).expect("the device");
    let lets_go = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(300));
        drop(held);
    });
    pool.release().expect("a close");
    assert_eq!(leftovers(&place.ground).expect("leftovers"), Leftovers::default());
    lets_go.join().expect("it let go");
}

#[test]
fn a_pool_is_held_by_one_node() {
    let place = Place::new();
    let pool = place.pool(300);
    assert!(matches!(Pool::open(&place.ground, &place.config(300)), Err(VolumeError::Held(_))));
    pool.release().expect("a close");
    place.pool(300);
}

#[test]
fn a_device_is_taken_only_when_it_is_blank_or_ours() {
    let place = Place::new();
    let file = place.ground.home.join("device");
    let blank = || fs::File::create(&file).and_then(|file| file.set_len(300 << 20)).expect("a file");
    blank();
    let attached = Command::new("losetup").args(["--find", "--show"]).arg(&file).output().expect("losetup");
    let device = PathBuf::from(String::from_utf8_lossy(&attached.stdout).trim());
    let config = PoolConfig { source: Source::Device { path: device.clone() }, ..place.config(0) };
    let foreign = Command::new("mke2fs").arg("-q").arg(&device).status().expect("mke2fs");
    assert!(foreign.success());
    let error = Pool::open(&place.ground, &config).expect_err("somebody else's file system").to_string();
    assert!(error.contains("carries something already") && error.contains("ext2"), "{error}");
    let probed = Command::new("blkid").arg("--probe").arg(&device).output().expect("blkid");
    assert!(String::from_utf8_lossy(&probed.stdout).contains("ext2"), "it was not touched");
    // Blank: made. Torn while it was made: made again, for the mark says that we had begun. Finished: left as it is.
    assert!(Command::new("wipefs").args(["-qa"]).arg(&device).status().expect("wipefs").success());
    let mark = |name: &str| place.ground.home.join("pools").join(name);
    Pool::open(&place.ground, &config).expect("a pool").release().expect("released");
    fs::rename(mark("main.made"), mark("main.begun")).expect("as a death leaves it");
    let pool = Pool::open(&place.ground, &config).expect("a pool");
    says(&made(&pool, N, Bytes::mib(50)), "a", "one");
    pool.release().expect("released");
    let pool = Pool::open(&place.ground, &config).expect("a pool");
    assert_eq!(sees(&pool.volume(number(N)), "a"), "one");
    assert!(mark("main.made").exists() && !mark("main.begun").exists());
    pool.release().expect("released");
}

#[test]
fn retained_revived_destroyed() {
    let place = Place::new();
    let pool = place.pool(400);
    let volume = made(&pool, N, Bytes::mib(50));
    says(&volume, "a", "one");
    volume.set_mark("installed", "1").expect("a mark");
    let id = SnapshotId::new();
    volume.retain(&id).expect("retained");
    volume.retain(&SnapshotId::new()).expect("again is fine");
    assert_eq!(volume.look().expect("a look"), VolumeSight::Retained);
    assert_eq!(volume.marks().expect("marks").len(), 0);
    assert!(volume.create(Bytes::mib(50), &[]).is_err(), "what is retained is not built over");
    assert!(matches!(volume.snapshot(&SnapshotId::new(), Why::Customer, None), Err(VolumeError::Absent(_))));
    assert!(volume.snapshot_delete(&id).is_err(), "it is all that is left");
    volume.revive().expect("revived");
    volume.revive().expect("again is fine");
    assert_eq!(volume.look().expect("a look"), VolumeSight::Live { limit: Bytes::mib(50) });
    assert_eq!((sees(&volume, "a").as_str(), volume.marks().expect("marks").len()), ("one", 1));
    // A customer may make subvolumes inside the own folder; they go with the rest.
    btrfs::subvol_create(fs::File::open(volume.folder("www")).expect("www"), "mine", None).expect("a subvolume");
    fill(&volume.folder("www").join("mine/a"), 3 << 20).expect("a write");
    volume.retain(&SnapshotId::new()).expect("retained");
    volume.destroy().expect("destroyed");
    volume.destroy().expect("again is fine");
    assert_eq!(volume.look().expect("a look"), VolumeSight::Absent);
    assert_eq!(fs::read_dir(pool.root().join("solutions")).expect("a list").count(), 0);
    wait_for(&pool, || {
        pool.sweep_groups().expect("a sweep");
        pool.groups().expect("groups").is_empty()
    });
}

#[test]
fn a_clone_is_its_own_and_pays_for_what_it_changes() {
    let place = Place::new();
    let pool = place.pool(500);
    for quota in ["simple", "plain"] {
        let (pool, _second) = if quota == "simple" {
            (Arc::clone(&pool), None)
        } else {
            let second = Place::new();
            let config = PoolConfig { quota: QuotaWish::Plain, ..second.config(500) };
            let pool = Pool::open(&second.ground, &config).expect("a pool");
            assert_eq!(pool.quota_mode(), QuotaMode::Plain);
            (pool, Some(second))
        };
        let first = made(&pool, N, Bytes::mib(50));
        says(&first, "a", "one");
        let link = first.folder("www").join("link");
        symlink("/etc/passwd", &link).expect("a link");
        std::os::unix::fs::lchown(&link, Some(1_000_007), Some(1_000_007)).expect("given away");
        fill(&first.folder("www").join("big"), 20 << 20).expect("a write");
        let id = SnapshotId::new();
        first.snapshot(&id, Why::Customer, None).expect("a snapshot");
        let second = pool.volume(number(8));
        second.clone_from(&first, &id, Bytes::mib(30), None).expect("a clone");
        says(&second, "a", "two");
        assert_eq!((sees(&first, "a").as_str(), sees(&second, "a").as_str()), ("one", "two"), "{quota}");
        assert_eq!(fs::read_link(second.folder("www").join("link")).expect("a link"), Path::new("/etc/passwd"));
        // What was the first's is the second's, links themselves and not where they lead.
        let owner = |path: PathBuf| fs::symlink_metadata(path).expect("metadata").uid();
        assert_eq!(
            [second.folder("www"), second.folder("db"), second.folder("www").join("link")].map(owner),
            [1_000_008; 3]
        );
        assert_eq!(owner(second.folder("www").join("a")), 0, "and root's stays root's");
        assert_eq!(owner(first.folder("www").join("link")), 1_000_007, "the first keeps its own");
        assert_eq!(owner("/etc/passwd".into()), 0);
        pool.sync().expect("a sync");
        let used = second.used().expect("used").0;
        if quota == "simple" {
            assert!(used < 1 << 20, "a clone is free for the cloner, not {used}");
        } else {
            assert!(used >= 20 << 20, "a full copy, not {used}");
        }
        let error = fill(&second.folder("www").join("more"), 40 << 20).expect_err("40 do not fit in 30");
        assert_eq!(error.raw_os_error(), Some(nix::errno::Errno::EDQUOT as i32), "{quota}");
        first.destroy().expect("destroyed");
        assert_eq!(sees(&second, "a"), "two", "the clone outlives its source");
    }
}

#[test]
fn a_sent_snapshot_is_received_elsewhere() {
    let place = Place::new();
    let pool = place.pool(400);
    let volume = made(&pool, N, Bytes::mib(50));
    says(&volume, "a", "one");
    fill(&volume.folder("www").join("b"), 2 << 20).expect("a write");
    let id = SnapshotId::new();
    volume.snapshot(&id, Why::Customer, None).expect("a snapshot");
    let inbox = pool.root().join("inbox");
    fs::create_dir(&inbox).expect("a folder");
    let mut child = Command::new("btrfs")
        .arg("receive")
        .arg(&inbox)
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("btrfs");
    let mut stdin = child.stdin.take().expect("a pipe");
    let bytes = volume.send(&id, &mut stdin).expect("sent");
    drop(stdin);
    assert!(child.wait().expect("its end").success());
    assert!(bytes > 2 << 20, "{bytes}");
    assert_eq!(fs::read_to_string(inbox.join(format!("{id}/www/a"))).expect("the file"), "one");
    // A writer that fails ends the sending instead of hanging it.
    struct Broken;
    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("the other end is gone"))
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    assert!(volume.send(&id, &mut Broken).is_err());
}

#[test]
fn a_scrub_finds_what_a_disk_has_spoilt() {
    let place = Place::new();
    let pool = place.pool(300);
    let volume = made(&pool, N, Bytes::mib(100));
    fill(&volume.folder("www").join("a"), 8 << 20).expect("a write");
    let through = |pool: &Arc<Pool>| {
        pool.scrub().expect("a scrub");
        wait_for(pool, || pool.health().expect("health").last_scrub.is_some_and(|scrub| scrub.ended.is_some()));
        pool.health().expect("health")
    };
    let health = through(&pool);
    let scrub = health.last_scrub.expect("a scrub");
    assert!((scrub.errors, scrub.failed) == (0, None) && scrub.bytes.0 > 8 << 20, "{}", scrub.bytes);
    drop(volume);
    pool.release().expect("a close");
    // Spoil one block of the file's data in the pool's file: the pattern is known, so it is easily found.
    let path = place.ground.home.join("main.pool");
    let bytes = fs::read(&path).expect("the pool's file");
    let block: Vec<u8> = (0..4096).map(|i: u32| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let at = bytes.chunks(4096).position(|chunk| chunk == block).expect("the block is there") as u64 * 4096;
    let file = fs::OpenOptions::new().write(true).open(&path).expect("the pool's file");
    std::os::unix::fs::FileExt::write_all_at(&file, b"spoilt", at).expect("a write");
    drop(file);
    let pool = place.pool(300);
    let health = through(&pool);
    let scrub = health.last_scrub.expect("a scrub");
    assert!(scrub.uncorrectable >= 1 && health.device_errors >= 1, "{scrub:?} {}", health.device_errors);
}
