//! Targets and writers that break: no acknowledged backup is lost, no half one is listed.

use crate::child;
use crate::hand::*;
use husorden_backup::keeper::{Keeper, Ledger, Policy, Seen, expire};
use husorden_backup::read::{Want, path};
use husorden_backup::target::{Folder, Listed, Patience, Place, Steady, Target};
use husorden_backup::{Fault, Id, Key, Repository, Share, Source};
use jiff::SignedDuration;
use std::fs;
use std::io::Read;
use std::ops::Range;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

fn restores(repository: &Repository, snapshot: &Id, volume: &Path, home: &Path) {
    let back = home.join(format!("back-{}", snapshot.short()));
    fs::create_dir(&back).unwrap();
    let want = Want { path: path(b"volume"), owners: true, workers: 2 };
    repository.restore(snapshot, &want, folder(&back).as_fd()).unwrap();
    same(volume, &back);
    fs::remove_dir_all(&back).unwrap();
}

#[test]
fn a_writer_that_is_killed_leaves_nothing_half() {
    let home = tempfile::tempdir().unwrap();
    let (source, repo) = (home.path().join("volume"), home.path().join("repo"));
    volume(&source, 11);
    let mut chance = Chance::new(11);
    fs::write(source.join("more"), chance.bytes(60 << 20)).unwrap();
    let (repository, key) = made(&repo);
    drop(repository);
    let mut acknowledged = Vec::new();
    let mut killed = 0;
    for round in 0..10 {
        // Something new each time, so that each has something to write.
        fs::write(source.join(format!("new-{round}")), chance.bytes(8 << 20)).unwrap();
        let mut writer = child::start(&repo, &source, &key, &[]);
        std::thread::sleep(Duration::from_millis(20 + chance.below(900)));
        writer.kill().unwrap();
        writer.wait().unwrap();
        let mut said = String::new();
        writer.stdout.take().unwrap().read_to_string(&mut said).unwrap();
        let ids = said.lines().filter_map(|line| line.split("acknowledged ").nth(1)?.trim().parse::<Id>().ok());
        let before = acknowledged.len();
        acknowledged.extend(ids);
        killed += usize::from(acknowledged.len() == before);
        let repository = Repository::open(local(&repo), &key).unwrap();
        let listed: Vec<Id> = repository.snapshots().unwrap().into_iter().map(|(id, _)| id).collect();
        assert!(acknowledged.iter().all(|id| listed.contains(id)), "an acknowledged one is lost");
        let checked = repository.check(Share::All).unwrap();
        assert!(checked.findings.is_empty(), "{:?}", checked.findings);
        assert_eq!(checked.snapshots.len(), listed.len(), "every one that is listed is whole");
    }
    assert!(killed > 0, "at least one was killed before it ended");
    let repository = Repository::open(local(&repo), &key).unwrap();
    let last = write(&repository, &source, None).unwrap();
    restores(&repository, &last.snapshot, &source, home.path());
    println!("{killed} of 10 writers were killed before they ended");
}

/// A target that breaks when it is told to.
struct Breaking {
    inner: Box<dyn Target>,
    /// Calls until it breaks.
    left: AtomicU64,
    how: How,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum How {
    /// Gone for good.
    Gone,
    /// Gone for some calls.
    Away,
    /// No room left.
    Full,
    /// Acknowledges late: the object is there, the answer is lost.
    Deaf,
    /// Half an object lies there under its name, as servers without our care leave it.
    Half,
}

impl Breaking {
    fn call<R>(&self, what: impl FnOnce() -> Result<R, Fault>) -> Result<R, Fault> {
        let left = self.left.load(Ordering::Relaxed);
        if left > 0 {
            self.left.store(left - 1, Ordering::Relaxed);
            return what();
        }
        match self.how {
            How::Gone => Err(Fault::Away { doing: "anything".to_owned(), why: "it is gone".to_owned() }),
            How::Full => Err(Fault::Full { doing: "anything".to_owned() }),
            How::Away | How::Half => {
                self.left.store(5, Ordering::Relaxed);
                Err(Fault::Away { doing: "anything".to_owned(), why: "for a while".to_owned() })
            }
            How::Deaf => {
                self.left.store(5, Ordering::Relaxed);
                what()?;
                Err(Fault::Away { doing: "anything".to_owned(), why: "no answer".to_owned() })
            }
        }
    }
}

impl Target for Breaking {
    fn prepare(&self) -> Result<(), Fault> {
        self.inner.prepare()
    }
    fn put(&self, place: Place, body: &[u8]) -> Result<(), Fault> {
        if self.how == How::Half && self.left.load(Ordering::Relaxed) == 0 && place != Place::Config {
            // A name can't be used twice: what broke off stays under it.
            let broken = Id::of(body);
            assert_eq!(place.path().rsplit('/').next().unwrap(), broken.to_string());
            self.left.store(5, Ordering::Relaxed);
            self.inner.put(place, &body[..body.len() / 2])?;
            return Err(Fault::Away { doing: "writing".to_owned(), why: "it broke off".to_owned() });
        }
        self.call(|| self.inner.put(place, body))
    }
    fn get(&self, place: Place, part: Option<Range<u64>>) -> Result<Vec<u8>, Fault> {
        self.call(|| self.inner.get(place, part))
    }
    fn list(&self, folder: Folder) -> Result<Vec<Listed>, Fault> {
        self.inner.list(folder)
    }
    fn size(&self, place: Place) -> Result<Option<u64>, Fault> {
        self.inner.size(place)
    }
}

#[test]
fn a_target_that_breaks_at_any_call_loses_nothing() {
    let home = tempfile::tempdir().unwrap();
    let source = home.path().join("volume");
    fs::create_dir_all(&source).unwrap();
    let mut chance = Chance::new(12);
    for number in 0..5 {
        fs::write(source.join(format!("file-{number}")), chance.bytes(5 << 20)).unwrap();
    }
    let patience = Patience { first_pause: Duration::from_millis(1), ..Patience::default() };
    for how in [How::Gone, How::Away, How::Full, How::Deaf, How::Half] {
        for after in 0..7 {
            let repo = home.path().join(format!("repo-{how:?}-{after}"));
            let (first, key) = made(&repo);
            let good = write(&first, &source, None).unwrap();
            fs::write(source.join("file-0"), chance.bytes(5 << 20)).unwrap();
            fs::write(source.join("file-1"), chance.bytes(20 << 20)).unwrap();
            let breaking = Breaking { inner: local(&repo), left: AtomicU64::new(u64::MAX), how };
            let breaking = Arc::new(breaking);
            struct Shared(Arc<Breaking>);
            impl Target for Shared {
                fn prepare(&self) -> Result<(), Fault> {
                    self.0.prepare()
                }
                fn put(&self, place: Place, body: &[u8]) -> Result<(), Fault> {
                    self.0.put(place, body)
                }
                fn get(&self, place: Place, part: Option<Range<u64>>) -> Result<Vec<u8>, Fault> {
                    self.0.get(place, part)
                }
                fn list(&self, folder: Folder) -> Result<Vec<Listed>, Fault> {
                    self.0.list(folder)
                }
                fn size(&self, place: Place) -> Result<Option<u64>, Fault> {
                    self.0.size(place)
                }
            }
            let steady = Steady::new(Shared(Arc::clone(&breaking)), patience.clone(), Arc::new(AtomicBool::new(false)));
            let repository = Repository::open(Box::new(steady), &key).unwrap();
            breaking.left.store(after, Ordering::Relaxed);
            let written = write(&repository, &source, Some(good.snapshot));
            let again = Repository::open(local(&repo), &key).unwrap();
            let listed: Vec<Id> = again.snapshots().unwrap().into_iter().map(|(id, _)| id).collect();
            assert!(listed.contains(&good.snapshot), "{how:?} after {after}");
            let whole = again.check(Share::All).unwrap();
            match (&written, how) {
                (Ok(written), _) => {
                    assert!(listed.contains(&written.snapshot) && whole.snapshots.contains(&written.snapshot));
                    restores(&again, &written.snapshot, &source, home.path());
                }
                (Err(fault), How::Gone | How::Full) => {
                    assert_eq!(listed.len(), 1, "{how:?} after {after}: {fault}");
                }
                (Err(fault), _) => panic!("{how:?} after {after}: {fault}"),
            }
            assert!(whole.snapshots.contains(&good.snapshot), "{how:?} after {after}");
            // What broke off is no reason for the next not to succeed.
            let next = write(&again, &source, Some(good.snapshot)).unwrap();
            restores(&again, &next.snapshot, &source, home.path());
            fs::remove_dir_all(&repo).unwrap();
        }
    }
}

#[test]
fn a_full_disk_refuses_and_loses_nothing() {
    let home = tempfile::tempdir().unwrap();
    let (source, mount) = (home.path().join("volume"), home.path().join("small"));
    fs::create_dir_all(&source).unwrap();
    fs::create_dir(&mount).unwrap();
    fs::write(source.join("file"), Chance::new(13).bytes(64 << 20)).unwrap();
    // A repository that fits is made beside, and copied onto the small disk in the writer's own mount namespace.
    let (repository, key) = made(&home.path().join("seed"));
    drop(repository);
    let script = format!(
        "mount -t tmpfs -o size=24m tmpfs {small} && cp -a {seed}/. {small}/ && \"$0\" \"$@\"; ls {small}/snapshots | wc -l | sed 's/^/listed /'",
        small = mount.display(),
        seed = home.path().join("seed").display()
    );
    let around = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script.as_str()];
    let writer = child::start(&mount, &source, &key, &around);
    let said = String::from_utf8(writer.wait_with_output().unwrap().stdout).unwrap();
    assert!(said.contains("fault the backup target is full"), "{said}");
    assert!(said.contains("listed 0"), "{said}");
}

#[test]
fn two_backups_at_once_are_both_whole() {
    let home = tempfile::tempdir().unwrap();
    let (one, other, repo) = (home.path().join("one"), home.path().join("other"), home.path().join("repo"));
    volume(&one, 14);
    volume(&other, 14);
    fs::write(other.join("more"), Chance::new(15).bytes(10 << 20)).unwrap();
    let (repository, key) = made(&repo);
    let written = std::thread::scope(|scope| {
        let threads = [&one, &other].map(|volume| {
            let (repo, key) = (&repo, &key);
            scope.spawn(move || write(&Repository::open(local(repo), key).unwrap(), volume, None).unwrap())
        });
        threads.map(|thread| thread.join().unwrap())
    });
    drop(repository);
    let repository = Repository::open(local(&repo), &key).unwrap();
    assert!(repository.check(Share::All).unwrap().findings.is_empty());
    restores(&repository, &written[0].snapshot, &one, home.path());
    restores(&repository, &written[1].snapshot, &other, home.path());
    restic(repo.to_str().unwrap(), &key, &["check".as_ref(), "--read-data".as_ref()]).unwrap();
}

#[test]
fn a_stop_and_a_deadline_end_a_backup_soon() {
    let home = tempfile::tempdir().unwrap();
    let (source, repo) = (home.path().join("volume"), home.path().join("repo"));
    volume(&source, 16);
    let (repository, _) = made(&repo);
    let stopped = options();
    stopped.stop.store(true, Ordering::Relaxed);
    let source = Source { volume: folder(&source), notes: Vec::new(), former: None };
    assert!(matches!(repository.write(&source, &stopped), Err(Fault::Stopped)));
    assert!(repository.snapshots().unwrap().is_empty());
    let patience = Patience { deadline: Some(std::time::Instant::now()), ..Patience::default() };
    let late = Steady::new(
        husorden_backup::target::Local::new(&repo, Arc::new(husorden_backup::target::Pace::free())),
        patience,
        Arc::default(),
    );
    assert!(matches!(late.list(Folder::Keys), Err(Fault::Deadline { .. })));
}

#[test]
fn what_expired_goes_and_everything_else_stays() {
    let home = tempfile::tempdir().unwrap();
    let (source, repo) = (home.path().join("volume"), home.path().join("repo"));
    fs::create_dir_all(&source).unwrap();
    let (repository, key) = made(&repo);
    let keeper = Keeper::new(&repo);
    let mut ledger = Ledger::default();
    let mut chance = Chance::new(17);
    let begun = now();
    let day = |day: i64| begun + SignedDuration::from_hours(24 * day);
    let mut volumes = Vec::new();
    for number in 0..20 {
        fs::write(source.join("changes"), chance.bytes(400_000)).unwrap();
        fs::write(source.join(format!("stays-{number}")), chance.bytes(1000)).unwrap();
        let written = write(&repository, &source, None).unwrap();
        let kept = home.path().join(format!("volume-{number}"));
        run("cp", &["-a".as_ref(), source.as_os_str(), kept.as_os_str()]);
        volumes.push((written.snapshot, kept));
        let at = ledger.now(day(number));
        assert!(ledger.note(&keeper.backups().unwrap(), at).is_empty());
    }
    let policy = Policy { hours_all: 1, days: 3, per_day_max: 1, weeks: 1, months: 1 };
    let seen: Vec<Seen> = ledger
        .received
        .iter()
        .map(|(id, received)| Seen { id: id.parse().unwrap(), received: *received, held: false })
        .collect();
    let plan = expire(&seen, &policy, day(19), &[volumes[4].0], false);
    let kept: Vec<Id> = plan.keep.iter().map(|kept| kept.id).collect();
    assert!((4..=6).contains(&kept.len()) && kept.contains(&volumes[4].0), "{plan:?}");
    // A clock that is put back makes nothing younger; packs wait two days from when they were first unused.
    let first = keeper.prune(&repository, &plan.expire, None, &mut ledger, day(3)).unwrap();
    assert_eq!((first.snapshots, first.packs), (20 - kept.len(), 0), "{first:?}");
    assert!(first.waiting > 5 && first.repacked > 5, "{first:?}");
    let second = keeper.prune(&repository, &[], None, &mut ledger, day(21)).unwrap();
    assert!(second.packs == first.waiting && second.bytes > 4 << 20 && second.repacked == 0, "{second:?}");
    let open = Repository::open(local(&repo), &key).unwrap();
    assert!(open.check(Share::All).unwrap().findings.is_empty());
    for (id, volume) in volumes.iter().filter(|(id, _)| kept.contains(id)) {
        restores(&open, id, volume, home.path());
    }
    restic(repo.to_str().unwrap(), &key, &["check".as_ref(), "--read-data".as_ref()]).unwrap();
    // A sealed repository is not touched.
    ledger.sealed = true;
    assert_eq!(
        keeper.prune(&open, &kept, None, &mut ledger, day(40)).unwrap(),
        husorden_backup::keeper::Pruned::default()
    );
    assert_eq!(keeper.backups().unwrap().len(), kept.len());
}

#[test]
fn an_erased_key_opens_nothing() {
    let home = tempfile::tempdir().unwrap();
    let (source, repo) = (home.path().join("volume"), home.path().join("repo"));
    volume(&source, 18);
    let (repository, key) = made(&repo);
    write(&repository, &source, None).unwrap();
    drop((repository, key));
    assert!(matches!(Repository::open(local(&repo), &Key::generate()), Err(Fault::WrongKey)));
    assert!(restic(repo.to_str().unwrap(), &Key::generate(), &["snapshots".as_ref()]).is_err());
}
