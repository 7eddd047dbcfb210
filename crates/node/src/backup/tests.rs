//! The child on real walls: a pool, a sandbox, and a target that is a folder.

use super::job::{Came, FORMER, FaultOf, VOLUME, Work};
use super::{Errand, folders, refusal, run};
use crate::Node;
use crate::tests::{on_a_node, wish};
use crate::volume::{Volume, Why};
use husorden_backup::Key;
use husorden_base::{Bytes, Number, Refusal, SnapshotId, TargetId};
use husorden_wire::node::{Address, Repository, Secrets};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A solution with a volume that holds something, and a target beside the pool.
pub(super) struct Place<'a> {
    pub(super) node: &'a Arc<Node>,
    pub(super) number: Number,
    pub(super) target: PathBuf,
    pub(super) key: Key,
}

impl<'a> Place<'a> {
    pub(super) fn of(node: &'a Arc<Node>, number: u32) -> Self {
        let wish = wish(number);
        node.register.take_wish(wish.clone()).expect("taken");
        let volume = node.volume(wish.number);
        volume.create(Bytes::mib(120), &["www".to_owned(), "tmp".to_owned()]).expect("a volume");
        let place = Self {
            node,
            number: wish.number,
            target: node.config.ground.home.parent().expect("a folder").join("target"),
            key: Key::generate(),
        };
        place.put("www/index.html", b"<title>The shop</title>");
        place.put("www/deep/er/page", &vec![7; 300_000]);
        place.put("www/closed", b"to its owner alone");
        fs::set_permissions(place.at("www/closed"), Permissions::from_mode(0o600)).expect("rights");
        symlink("deep/er", place.at("www/link")).expect("a link");
        let uid = Some(place.number.uid());
        std::os::unix::fs::lchown(place.at("www/link"), uid, uid).expect("its owner");
        place
    }

    pub(super) fn volume(&self) -> Volume {
        self.node.volume(self.number)
    }

    pub(super) fn at(&self, path: &str) -> PathBuf {
        self.volume().folder(path)
    }

    /// Puts a file there, as the solution itself would.
    pub(super) fn put(&self, path: &str, bytes: &[u8]) {
        let at = self.at(path);
        let mut folder = at.parent().expect("a folder").to_owned();
        fs::create_dir_all(&folder).expect("folders");
        fs::write(&at, bytes).expect("a file");
        let uid = Some(self.number.uid());
        chown(&at, uid, uid).expect("its owner");
        while folder != self.volume().folder("") {
            chown(&folder, uid, uid).expect("its owner");
            folder.pop();
        }
    }

    pub(super) fn repository(&self) -> Repository {
        Repository {
            target: TargetId(uuid::Uuid::from_u128(77)),
            address: Address::Folder { path: self.target.display().to_string() },
            folder: self.number.to_string(),
            bytes_per_second: None,
        }
    }

    pub(super) fn snapshot(&self) -> SnapshotId {
        let id = SnapshotId::new();
        self.volume().snapshot(&id, Why::Customer, None).expect("a snapshot");
        id
    }

    pub(super) fn work(&self, work: Work, binds: Vec<crate::sandbox::ResolvedBind>) -> Result<Came, Refusal> {
        self.work_until(work, binds, &|| None, &mut |_, _| ())
    }

    fn work_until(
        &self,
        work: Work,
        binds: Vec<crate::sandbox::ResolvedBind>,
        stop: &dyn Fn() -> Option<Refusal>,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Came, Refusal> {
        let secrets = Secrets { repository: self.key.password(), target: None };
        let repository = self.repository();
        let limit = Duration::from_secs(60);
        run(
            self.node,
            Errand {
                number: self.number,
                name: "test",
                repository: &repository,
                secrets: &secrets,
                work,
                binds,
                into: None,
                limit,
                stop,
            },
            progress,
        )
    }

    fn write(&self, id: &SnapshotId, former: Option<(&str, &SnapshotId)>) -> Result<Came, Refusal> {
        let (from, names) = self.volume().snapshot_folders(id).expect("a snapshot");
        let mut binds = folders(&from, &names, VOLUME, false);
        if let Some((_, former)) = former {
            let (from, names) = self.volume().snapshot_folders(former).expect("the former one");
            binds.extend(folders(&from, &names, FORMER, false));
        }
        let work = Work::Write {
            host: "here".to_owned(),
            tags: vec!["7".to_owned()],
            taken: Timestamp::now(),
            notes: BTreeMap::from([("about.json".to_owned(), "{}".to_owned())]),
            former: former.map(|(copy, _)| copy.to_owned()),
            beside: former.is_some(),
            first: former.is_none(),
        };
        self.work(work, binds)
    }
}

fn copy_of(came: &Came) -> &str {
    let Came::Written { copy, .. } = came else { panic!("{came:?}") };
    copy
}

/// Everything in a folder, by path: what it is, whose, and what it holds.
pub(super) fn everything(root: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            let about = fs::symlink_metadata(&entry).expect("it is there");
            let holds = if about.is_file() {
                format!("{:?}", husorden_backup::Id::of(&fs::read(&entry).expect("its bytes")))
            } else if about.is_symlink() {
                fs::read_link(&entry).expect("where it points").display().to_string()
            } else {
                folders.push(entry.clone());
                String::new()
            };
            let path = entry.strip_prefix(root).expect("beneath").display().to_string();
            found.insert(path, format!("{:o} {} {holds}", about.mode(), about.uid()));
        }
    }
    found
}

#[test]
fn a_child_writes_and_puts_back_and_the_second_reads_what_changed() {
    on_a_node(|node| {
        let place = Place::of(node, 7);
        place.put("www/image", &vec![1; 40 << 20]);
        let first = place.snapshot();
        let came = place.write(&first, None).expect("written");
        let copy = copy_of(&came).to_owned();
        let own = fs::metadata(place.target.join("7")).expect("the repository");
        assert_eq!(
            (own.uid(), own.mode() & 0o777),
            (place.number.uid(), 0o700),
            "it is the solution's own, and nobody else's"
        );
        // One page of a large file, and a small file.
        let image = fs::File::options().write(true).open(place.at("www/image")).expect("the image");
        std::os::unix::fs::FileExt::write_all_at(&image, b"changed", 20 << 20).expect("written");
        drop(image);
        place.put("www/index.html", b"<title>Another</title>");
        let second = place.snapshot();
        let Came::Written { copy: newer, bytes, bytes_read, .. } =
            place.write(&second, Some((&copy, &first))).expect("written")
        else {
            panic!("a backup")
        };
        assert!(bytes > 40 << 20 && bytes_read < 1 << 20, "of {bytes} bytes {bytes_read} were read");

        let Came::Looked { folders: names, notes } =
            place.work(Work::Look { copy: copy.clone() }, Vec::new()).expect("looked")
        else {
            panic!("a look")
        };
        assert_eq!((names.as_slice(), notes["about.json"].as_str()), (&["tmp".to_owned(), "www".to_owned()][..], "{}"));
        for (of, snapshot, number) in [(copy, first, 8), (newer.clone(), second, 9)] {
            let other = Place { key: place.key.clone(), ..Place::of(node, number) };
            let empty = other.volume().folder("back");
            fs::create_dir(&empty).expect("a folder");
            for name in &names {
                fs::create_dir(empty.join(name)).expect("a folder");
                chown(empty.join(name), Some(place.number.uid()), Some(place.number.uid())).expect("its owner");
            }
            let binds = folders(&empty, &names, VOLUME, true);
            let came = place.work(Work::Restore { copy: of, folders: names.clone() }, binds).expect("restored");
            assert!(matches!(came, Came::Restored { ref lacking, .. } if lacking.is_empty()), "{came:?}");
            let (was, _) = place.volume().snapshot_folders(&snapshot).expect("the snapshot");
            for name in &names {
                assert_eq!(everything(&was.join(name)), everything(&empty.join(name)));
            }
        }
        let check = Work::Check { copy: Some(newer), hashes: true, contents: Some((0, 1)) };
        let Came::Checked { wrong, bytes_read, .. } = place.work(check, Vec::new()).expect("checked") else { panic!() };
        assert!(wrong == 0 && bytes_read > 0);
    });
}

#[test]
fn a_child_hears_that_it_is_to_stop_and_says_what_is_wrong() {
    on_a_node(|node| {
        let place = Place::of(node, 7);
        let missing = place.work(Work::Look { copy: "0".repeat(64) }, Vec::new()).expect_err("there is no target");
        assert_eq!(missing.code, "backup-target-away", "{missing:?}");
        let id = place.snapshot();
        let copy = copy_of(&place.write(&id, None).expect("written")).to_owned();
        let stranger = Place { key: Key::generate(), target: place.target.clone(), ..place };
        let refused = stranger.work(Work::Look { copy: copy.clone() }, Vec::new()).expect_err("another key");
        assert_eq!(refused.code, "backup-key");
        let absent = place.work(Work::Look { copy: "0".repeat(64) }, Vec::new()).expect_err("another backup");
        assert_eq!(absent.code, "backup-missing");
        fs::remove_dir_all(place.target.join("7")).expect("gone");
        let gone = place.write(&id, Some((&copy, &id))).expect_err("its backups are gone");
        assert_eq!(gone.code, "backup-missing", "a repository that was there is not begun anew in silence");
        let stop = || Some(refusal(FaultOf::Stopped, "sealed"));
        place.put("www/more", &vec![9; 1 << 20]);
        let slow = Repository { bytes_per_second: Some(1000), ..place.repository() };
        let secrets = Secrets { repository: place.key.password(), target: None };
        let (from, names) = place.volume().snapshot_folders(&place.snapshot()).expect("a snapshot");
        let work = Work::Write {
            host: String::new(),
            tags: Vec::new(),
            taken: Timestamp::now(),
            notes: BTreeMap::new(),
            former: None,
            beside: false,
            first: true,
        };
        let begun = Instant::now();
        let errand = Errand {
            number: place.number,
            name: "test",
            repository: &slow,
            secrets: &secrets,
            work,
            binds: folders(&from, &names, VOLUME, false),
            into: None,
            limit: Duration::from_secs(60),
            stop: &stop,
        };
        let stopped = run(node, errand, &mut |_, _| ()).expect_err("stopped");
        assert!(stopped.code == "backup-stopped" && begun.elapsed() < Duration::from_secs(10), "{stopped:?}");
    });
}
