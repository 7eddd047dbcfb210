//! How much a volume, its log store and a pool may hold, and what is seen of it.

use super::*;

#[test]
fn a_full_log_store_still_says_whose_it_is_and_how_much_may_stay() {
    let place = Place::new();
    let pool = Pool::open(&place.ground, &place.config(900)).expect("a pool");
    let volume = made(&pool, N, Bytes::gib(2));
    let engine = "postgresql-17".parse().expect("a runtime");
    let line = volume.line_for(&engine, "a").expect("a line");
    let room = volume.store_room().expect("room");
    fill(&line.join("segment"), 300 << 20).expect("it fits");
    // The volume is made smaller, and with it what the store may hold: that is less than it holds.
    volume.set_limit(Bytes::mib(256)).expect("a limit");
    pool.sync().expect("a sync");
    let less = volume.store_room().expect("room");
    assert!(less < room && less < volume.store_used().expect("used"), "{less} of {room}");
    fill(&line.join("more"), 8 << 20).expect_err("it is full");
    for round in 0..300 {
        assert_eq!(volume.line_for(&engine, &format!("again {round}")).expect("it is said"), line);
    }
    let said = fs::read_to_string(line.join("about.json")).expect("it lies there");
    assert!(said.contains(&format!("{}", less.0)), "{said}");
    assert_eq!(volume.store_room().expect("room"), less, "the limit is back");
    assert_ne!(volume.line_for(&"postgresql-15".parse().expect("a runtime"), "a").expect("a new line"), line);
}

#[test]
fn the_limit_holds_for_root_and_after_a_restore() {
    for (wish, mode) in [(QuotaWish::Best, QuotaMode::Simple), (QuotaWish::Plain, QuotaMode::Plain)] {
        limit_holds(wish, mode);
    }
}

fn limit_holds(wish: QuotaWish, mode: QuotaMode) {
    let place = Place::new();
    let pool = Pool::open(&place.ground, &PoolConfig { quota: wish, ..place.config(600) }).expect("a pool");
    assert_eq!(pool.quota_mode(), mode);
    let volume = made(&pool, N, Bytes::mib(50));
    fill(&volume.folder("www").join("a"), 30 << 20).expect("30 of 50 fit");
    let id = SnapshotId::new();
    volume.snapshot(&id, Why::Customer, None).expect("a snapshot");
    volume.restore(&id, &SnapshotId::new()).expect("a restore");
    // 30 are held by the snapshot and the restored part together. With a limit on each subvolume another 50 would fit.
    let error = fill(&volume.folder("www").join("b"), 40 << 20).expect_err("70 do not fit in 50");
    assert_eq!(error.raw_os_error(), Some(nix::errno::Errno::EDQUOT as i32));
    pool.sync().expect("a sync");
    assert!(volume.used().expect("used").0 <= 52 << 20, "{:?}", volume.used());
    // A full volume: nothing is lost, the platform can still mark, snapshot and restore, and deleting makes room.
    assert_eq!(fs::metadata(volume.folder("www").join("a")).expect("kept").len(), 30 << 20);
    volume.set_mark("installed", "1").expect("a mark in a full volume");
    assert_eq!(volume.look().expect("a look"), VolumeSight::Live { limit: Bytes::mib(50) });
    let full = SnapshotId::new();
    volume.snapshot(&full, Why::Before { what: "restore".to_owned() }, None).expect("a snapshot of a full volume");
    volume.restore(&id, &SnapshotId::new()).expect("a restore of a full volume");
    volume.restore(&full, &SnapshotId::new()).expect("undo");
    assert_eq!(volume.marks().expect("marks").get("installed").map(String::as_str), Some("1"));
    fs::remove_file(volume.folder("www").join("b")).expect("rm works in a full volume");
    volume.snapshot_delete(&full).expect("a deletion");
    wait_for(&pool, || fill(&volume.folder("www").join("c"), 4 << 20).is_ok());
    // Raising the limit helps at once.
    volume.set_limit(Bytes::mib(90)).expect("a limit");
    fill(&volume.folder("www").join("d"), 20 << 20).expect("there is room again");
}

#[test]
fn usage_shows_live_and_snapshots_apart() {
    let place = Place::new();
    let pool = place.pool(400);
    let volume = made(&pool, N, Bytes::mib(100));
    fill(&volume.folder("www").join("a"), 10 << 20).expect("a write");
    volume.snapshot(&SnapshotId::new(), Why::Customer, None).expect("a snapshot");
    fs::remove_file(volume.folder("www").join("a")).expect("rm");
    fill(&volume.folder("www").join("b"), 4 << 20).expect("a write");
    pool.sync().expect("a sync");
    let usage = volume.usage().expect("usage");
    assert!((4 << 20..5 << 20).contains(&usage.live.0), "{usage:?}");
    assert!((10 << 20..11 << 20).contains(&usage.snapshots.0), "{usage:?}");
    assert_eq!(usage.limit, Bytes::mib(100));
}

#[test]
fn nothing_new_is_admitted_from_85_percent_on() {
    let place = Place::new();
    let pool = place.pool(300);
    let volume = made(&pool, N, Bytes::mib(300));
    let health = pool.health().expect("health");
    assert!((health.device_errors, health.read_only) == (0, false) && health.meta_used.0 > 0, "{health:?}");
    // What data could have shrinks a little when metadata takes room for itself, so it is filled until it is seen to be full.
    let percent = || pool.health().map(|health| health.data_used.0 * 100 / health.data_total.0).expect("health");
    for n in 0..100 {
        if percent() >= 88 {
            break;
        }
        fill(&volume.folder("www").join(n.to_string()), 4 << 20).expect("88 % fit");
        pool.sync().expect("a sync");
    }
    let other = pool.volume(number(8));
    let Err(VolumeError::Refused(refusal)) = other.create(Bytes::mib(1), &[]) else {
        panic!("a full pool, and something was made: {:?}", pool.health())
    };
    assert_eq!((refusal.code.as_str(), refusal.limit.as_deref()), ("pool-full", Some("85 %")));
    assert!(refusal.measured.is_some_and(|measured| measured.ends_with("data")));
    assert_eq!(other.look().expect("a look"), VolumeSight::Absent);
    // What is there works on.
    volume.snapshot(&SnapshotId::new(), Why::Customer, None).expect("a snapshot");
}

#[test]
fn a_reserve_stands_beyond_the_limit_and_what_is_not_yet_on_the_disk_counts() {
    let place = Place::new();
    let pool = place.pool(400);
    let volume = pool.volume(number(N));
    let bound = |limit, reserve| Bound { limit: Bytes::mib(limit), reserve: Bytes::mib(reserve) };
    let fill_now = |before| volume.filling().expect("it is seen").fill(before);
    volume.create(bound(30, 40), &["www".to_owned()]).expect("a volume");
    assert_eq!((volume.bound().expect("a bound"), fill_now(Fill::Room)), (bound(30, 40), Fill::Room));
    // Written, and nowhere near the disk yet.
    fs::write(volume.folder("www").join("a"), vec![7; 35 << 20]).expect("the reserve takes it");
    assert_eq!(fill_now(Fill::Room), Fill::Full);
    assert!(fill(&volume.folder("www").join("b"), 60 << 20).is_err(), "the reserve has an end");
    assert_eq!(fill_now(Fill::Full), Fill::Over);
    // A smaller size puts nobody against the wall.
    volume.set_limit(bound(20, 40)).expect("a limit");
    assert_eq!(volume.look().expect("a look"), VolumeSight::Live { limit: Bytes::mib(20) });
    assert_eq!(fill_now(Fill::Over), Fill::Full);
    fill(&volume.folder("www").join("c"), 5 << 20).expect("there is room for a log");
    for name in ["a", "b"] {
        fs::remove_file(volume.folder("www").join(name)).expect("it may always be deleted");
    }
    pool.sync().expect("it is freed");
    // The kernel is held to more than is wished: a look says so, and a pass puts it right.
    assert_ne!(volume.look().expect("a look"), VolumeSight::Live { limit: Bytes::mib(20) });
    volume.set_limit(bound(20, 40)).expect("a limit");
    assert_eq!((volume.bound().expect("a bound"), fill_now(Fill::Full)), (bound(20, 40), Fill::Room));
}
