//! Backups on real walls: a pool, a sandbox, and a target that is a folder.

mod child;
pub(crate) mod control;
pub(crate) mod verbs;
mod ways;

use super::job::{Came, FORMER, VOLUME, Work};
use super::{Errand, folders, run};
use crate::Node;
use crate::tests::{PATIENCE, wish};
use crate::volume::{Volume, Why};
use husorden_backup::Key;
use husorden_base::{Bytes, Number, Refusal, Secret, SnapshotId, TargetId};
use husorden_wire::node::{Address, Repository, Secrets};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A solution with a volume that holds something, and a target beside the pool.
pub(crate) struct Place<'a> {
    pub(crate) node: &'a Arc<Node>,
    pub(crate) number: Number,
    pub(crate) target: PathBuf,
    pub(crate) key: Key,
}

impl<'a> Place<'a> {
    pub(crate) fn of(node: &'a Arc<Node>, number: u32) -> Self {
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

    pub(crate) fn volume(&self) -> Volume {
        self.node.volume(self.number)
    }

    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.volume().folder(path)
    }

    /// Puts a file there, as the solution itself would.
    pub(crate) fn put(&self, path: &str, bytes: &[u8]) {
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

    pub(crate) fn repository(&self) -> Repository {
        self.repository_at(Address::Folder { path: self.target.display().to_string() })
    }

    pub(crate) fn repository_at(&self, address: Address) -> Repository {
        Repository {
            target: TargetId(uuid::Uuid::from_u128(77)),
            address,
            folder: self.number.to_string(),
            bytes_per_second: None,
        }
    }

    /// A work on a target elsewhere.
    pub(crate) fn work_at(
        &self,
        address: Address,
        account: Option<Secret>,
        work: Work,
        binds: Vec<crate::sandbox::ResolvedBind>,
    ) -> Result<Came, Refusal> {
        let secrets = Secrets { repository: self.key.password(), target: account };
        let errand = Errand {
            number: self.number,
            name: "test",
            repository: &self.repository_at(address),
            secrets: &secrets,
            work,
            binds,
            into: None,
            limit: PATIENCE,
            stop: &|| None,
        };
        run(self.node, errand, &mut |_, _| ())
    }

    pub(crate) fn snapshot(&self) -> SnapshotId {
        let id = SnapshotId::new();
        self.volume().snapshot(&id, Why::Customer, None).expect("a snapshot");
        id
    }

    pub(crate) fn work(&self, work: Work, binds: Vec<crate::sandbox::ResolvedBind>) -> Result<Came, Refusal> {
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
        let limit = PATIENCE;
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

    pub(crate) fn write(&self, id: &SnapshotId, former: Option<(&str, &SnapshotId)>) -> Result<Came, Refusal> {
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

pub(crate) fn copy_of(came: &Came) -> &str {
    let Came::Written { copy, .. } = came else { panic!("{came:?}") };
    copy
}

/// Everything in a folder, by path: what it is, whose, and what it holds.
pub(crate) fn everything(root: &Path) -> BTreeMap<String, String> {
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
