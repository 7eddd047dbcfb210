//! The shelf: finished builds as sealed subvolumes in the pool, each with a note beside it, and the cache from which another pool gets
//! them without building.

use super::tools::{Tools, bound};
use super::{BuildError, Part};
use crate::volume::{btrfs, destroy_subvolume, open_folder, send};
use husorden_base::{Bytes, RuntimeName};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Builds of one entry that the cache keeps: installations of different versions may share it.
const KEPT_MAX: usize = 3;
/// How often one who waits for another's build asks whether it is through.
const HOLD_ASK_MS: u64 = 200;

/// A finished build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Build {
    /// Of which entry.
    pub name: RuntimeName,
    /// What tells it from other builds of the entry: from the recipe and the versions that went in.
    pub build: String,
    /// Digest of the recipe.
    pub recipe: String,
    /// When it was built, here or elsewhere.
    pub built_at: Timestamp,
    /// How long that took.
    pub seconds: u64,
    /// What it takes in the pool, its template included.
    pub size: Bytes,
    /// It has a template.
    pub template: bool,
    /// Every Debian package in it, with its version; for an app from an archive, the archive with its checksum.
    pub packages: BTreeMap<String, String>,
}

#[derive(Debug)]
pub(super) struct Shelf {
    root: PathBuf,
    cache: PathBuf,
    top: Mutex<Option<Arc<File>>>,
}

impl Shelf {
    /// Opens the shelf and sweeps what a build that died has left.
    pub(super) fn open(pool: &Path, cache: &Path) -> Result<Self, BuildError> {
        let top = File::open(pool).map_err(BuildError::io(format!("opening {}", pool.display())))?;
        let top = Mutex::new(Some(Arc::new(top)));
        let shelf = Self { root: pool.to_owned(), cache: cache.to_owned(), top };
        for part in Part::ALL {
            let folder = shelf.root.join(part.folder());
            fs::create_dir_all(&folder).map_err(BuildError::io(format!("making {}", folder.display())))?;
        }
        // Root reads streams from here and trusts them: nobody else may put one.
        fs::DirBuilder::new().recursive(true).mode(0o700).create(cache).map_err(BuildError::io("making the cache"))?;
        let meta = fs::metadata(cache).map_err(BuildError::io("looking at the cache"))?;
        if meta.uid() != 0 || meta.mode() & 0o022 != 0 {
            return Err(BuildError::Machine(format!(
                "{} can be written by others than root: chmod go-w",
                cache.display()
            )));
        }
        shelf.sweep()?;
        Ok(shelf)
    }

    fn top(&self) -> Result<Arc<File>, BuildError> {
        self.top.lock().unwrap_or_else(PoisonError::into_inner).clone().ok_or(BuildError::Stopped)
    }

    /// Lets go of the pool, so that it can be unmounted; nothing can be built afterwards.
    pub(super) fn release(&self) {
        *self.top.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn sweep(&self) -> Result<(), BuildError> {
        let builds = self.builds()?;
        for part in Part::ALL {
            let folder = self.root.join(part.folder());
            for entry in fs::read_dir(&folder).map_err(BuildError::io("sweeping builds"))? {
                let entry = entry.map_err(BuildError::io("sweeping builds"))?;
                let name = entry.file_name().to_string_lossy().into_owned();
                let path = entry.path();
                if path.extension().is_some_and(|extension| extension == "json") || !path.is_dir() {
                    continue;
                }
                // By hand-made names the platform does not go; those are somebody's own.
                let unfinished = name.starts_with(".new-");
                let noted = builds.iter().any(|build| name == stem(build));
                let ours = name
                    .rsplit_once('@')
                    .is_some_and(|(_, id)| id.len() == 12 && id.bytes().all(|b| b.is_ascii_hexdigit()));
                if unfinished || (ours && !noted) {
                    destroy_subvolume(&*self.top()?, &path)?;
                }
            }
        }
        Ok(())
    }

    /// Every finished build, the newest first.
    pub(super) fn builds(&self) -> Result<Vec<Build>, BuildError> {
        let mut found = Vec::new();
        for part in [Part::Runtime, Part::App, Part::Image] {
            let folder = self.root.join(part.folder());
            for entry in fs::read_dir(&folder).map_err(BuildError::io("listing builds"))? {
                let path = entry.map_err(BuildError::io("listing builds"))?.path();
                if path.extension().is_none_or(|extension| extension != "json") {
                    continue;
                }
                let text = fs::read(&path).map_err(BuildError::io("reading the note of a build"))?;
                let Ok(build) = serde_json::from_slice::<Build>(&text) else {
                    tracing::warn!(note = %path.display(), "a build's note is not readable; the build is not used");
                    continue;
                };
                let whole = path.with_extension("").is_dir() || path.with_file_name(stem(&build)).is_dir();
                if whole && (!build.template || self.path(Part::Template, &build).is_dir()) {
                    found.push(build);
                }
            }
        }
        found.sort_by_key(|build| std::cmp::Reverse(build.built_at));
        Ok(found)
    }

    /// Where a finished build lies.
    pub(super) fn path(&self, part: Part, build: &Build) -> PathBuf {
        self.root.join(part.folder()).join(stem(build))
    }

    /// Where a build is made.
    pub(super) fn fresh_path(&self, part: Part, name: &RuntimeName) -> PathBuf {
        self.root.join(part.folder()).join(format!(".new-{name}"))
    }

    /// An empty subvolume to build in.
    pub(super) fn fresh(&self, part: Part, name: &RuntimeName) -> Result<PathBuf, BuildError> {
        let path = self.fresh_path(part, name);
        destroy_subvolume(&*self.top()?, &path)?;
        let folder = self.root.join(part.folder());
        open_folder(&folder)
            .and_then(|folder| btrfs::subvol_create(folder, &format!(".new-{name}"), None))
            .map_err(BuildError::io(format!("making {}", path.display())))?;
        Ok(path)
    }

    /// Seals what was built against every write, and says how large it is.
    pub(super) fn seal(&self, part: Part, name: &RuntimeName) -> Result<Bytes, BuildError> {
        let path = self.fresh_path(part, name);
        let doing = || format!("sealing {}", path.display());
        let folder = open_folder(&path).map_err(BuildError::io(doing()))?;
        let top = self.top()?;
        btrfs::sync(&top)
            .and_then(|()| btrfs::live_bytes(&top, btrfs::subvol_id(&folder)?))
            .and_then(|size| btrfs::set_read_only(&folder, true).map(|()| Bytes(size)))
            .map_err(BuildError::io(doing()))
    }

    /// Gives a sealed build its name. The note comes last: what has none is not finished.
    pub(super) fn publish(&self, main: Part, build: &Build) -> Result<(), BuildError> {
        let doing = || format!("putting {} on the shelf", stem(build));
        let template = build.template.then_some(Part::Template);
        for part in template.into_iter().chain([main]) {
            let (from, to) = (self.fresh_path(part, &build.name), self.path(part, build));
            if to.exists() {
                // The same recipe with the same versions: what is there may be in use, and is as good.
                destroy_subvolume(&*self.top()?, &from)?;
            } else {
                fs::rename(&from, &to).map_err(BuildError::io(doing()))?;
            }
        }
        let note = self.root.join(main.folder()).join(format!("{}.json", stem(build)));
        write_note(&note, build).map_err(BuildError::io(doing()))?;
        btrfs::sync(self.top()?).map_err(BuildError::io(doing()))
    }

    /// Throws away what is made and has no name yet, if there is any.
    pub(super) fn discard(&self, part: Part, name: &RuntimeName) -> Result<(), BuildError> {
        Ok(destroy_subvolume(&*self.top()?, &self.fresh_path(part, name))?)
    }

    /// Takes a build off the shelf. Nothing may run on it.
    pub(super) fn remove(&self, main: Part, build: &Build) -> Result<(), BuildError> {
        let note = self.root.join(main.folder()).join(format!("{}.json", stem(build)));
        fs::remove_file(&note).map_err(BuildError::io(format!("removing {}", note.display())))?;
        for part in Part::ALL {
            if part == main || (build.template && part == Part::Template) {
                destroy_subvolume(&*self.top()?, &self.path(part, build))?;
            }
        }
        Ok(())
    }

    /// Waits for an entry's place in the cache: installations that share it build each thing once, and never write the same file.
    pub(super) fn hold(&self, name: &RuntimeName, tools: Tools<'_>) -> Result<File, BuildError> {
        let path = self.cache.join(format!("{name}.lock"));
        let doing = || format!("locking {}", path.display());
        let lock = fs::OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let lock = lock.map_err(BuildError::io(doing()))?;
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(lock),
                Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(HOLD_ASK_MS)),
                Err(TryLockError::Error(error)) => return Err(BuildError::io(doing())(error)),
            }
            tools.go_on()?;
        }
    }

    fn cached(&self, recipe: &str, name: &RuntimeName, what: &str) -> PathBuf {
        self.cache.join(format!("{name}@{recipe}.{what}"))
    }

    /// Keeps what was just sealed, as streams, for the next pool.
    pub(super) fn keep(&self, main: Part, build: &Build, tools: Tools<'_>) -> Result<(), BuildError> {
        let note = self.cached(&build.recipe, &build.name, "json");
        // The note goes first and comes back last: streams without it are not used.
        if let Err(error) = fs::remove_file(&note)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            return Err(BuildError::io("clearing the cache")(error));
        }
        let template = build.template.then_some(Part::Template);
        for part in [main].into_iter().chain(template) {
            tools.go_on()?;
            let target = self.cached(&build.recipe, &build.name, &format!("{}.zst", part.folder()));
            let fresh = target.with_extension("new");
            let doing = || format!("keeping {}", target.display());
            let source = open_folder(&self.fresh_path(part, &build.name)).map_err(BuildError::io(doing()))?;
            let out = File::create(&fresh).map_err(BuildError::io(doing()))?;
            let mut zstd = bound("zstd");
            zstd.args(["-q", "-3", "-T0"]).stdin(Stdio::piped()).stdout(out).stderr(tools.open_log()?);
            let mut child = zstd.spawn().map_err(BuildError::io("starting zstd"))?;
            let mut stdin = child.stdin.take().expect("its standard input was asked for as a pipe");
            let sent = send(&source, &mut stdin);
            drop(stdin);
            let status = child.wait().map_err(BuildError::io("waiting for zstd"))?;
            sent.map_err(BuildError::io(doing()))?;
            if !status.success() {
                return Err(tools.failed("zstd", &status.to_string()));
            }
            File::open(&fresh)
                .and_then(|file| file.sync_all())
                .and_then(|()| fs::rename(&fresh, &target))
                .map_err(BuildError::io(doing()))?;
        }
        write_note(&note, build).map_err(BuildError::io("keeping a build's note"))?;
        self.forget_old(&build.name).map_err(BuildError::io("clearing the cache"))
    }

    /// Takes all but the newest few of an entry's kept builds out of the cache.
    fn forget_old(&self, name: &RuntimeName) -> std::io::Result<()> {
        let mut notes = Vec::new();
        for entry in fs::read_dir(&self.cache)? {
            let entry = entry?;
            let file = entry.file_name().to_string_lossy().into_owned();
            if let Some(recipe) = file.strip_prefix(&format!("{name}@")).and_then(|rest| rest.strip_suffix(".json")) {
                notes.push((entry.metadata()?.modified()?, recipe.to_owned()));
            }
        }
        notes.sort();
        for (_, recipe) in notes.iter().rev().skip(KEPT_MAX) {
            fs::remove_file(self.cached(recipe, name, "json"))?;
            for part in Part::ALL {
                let stream = self.cached(recipe, name, &format!("{}.zst", part.folder()));
                if stream.exists() {
                    fs::remove_file(stream)?;
                }
            }
        }
        Ok(())
    }

    /// Whether the cache has an entry.
    pub(super) fn has(&self, recipe: &str, name: &RuntimeName) -> bool {
        self.cached(recipe, name, "json").exists()
    }

    /// Brings a kept build into this pool, not yet under its name. None where there is none.
    pub(super) fn fetch(
        &self,
        main: Part,
        recipe: &str,
        name: &RuntimeName,
        tools: Tools<'_>,
    ) -> Result<Option<Build>, BuildError> {
        let Ok(note) = fs::read(self.cached(recipe, name, "json")) else { return Ok(None) };
        let Ok(build) = serde_json::from_slice::<Build>(&note) else { return Ok(None) };
        let template = build.template.then_some(Part::Template);
        for part in [main].into_iter().chain(template) {
            tools.go_on()?;
            destroy_subvolume(&*self.top()?, &self.fresh_path(part, name))?;
            let file = self.cached(recipe, name, &format!("{}.zst", part.folder()));
            let mut zstd = bound("zstd");
            zstd.args(["-q", "-dc"]).arg(&file).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(tools.open_log()?);
            let mut unpacking = zstd.spawn().map_err(BuildError::io("starting zstd"))?;
            let stream = unpacking.stdout.take().expect("its standard output was asked for as a pipe");
            let mut receive = bound("btrfs");
            receive.arg("receive").arg(self.root.join(part.folder())).stdin(stream);
            receive.stdout(tools.open_log()?).stderr(tools.open_log()?);
            let mut receiving = receive.spawn().map_err(BuildError::io("starting btrfs receive"))?;
            drop(receive);
            let received = receiving.wait().map_err(BuildError::io("waiting for btrfs receive"))?;
            let unpacked = unpacking.wait().map_err(BuildError::io("waiting for zstd"))?;
            if !received.success() || !unpacked.success() {
                return Err(tools.failed("btrfs receive", &received.to_string()));
            }
        }
        Ok(Some(build))
    }
}

fn stem(build: &Build) -> String {
    format!("{}@{}", build.name, build.build)
}

fn write_note(note: &Path, build: &Build) -> std::io::Result<()> {
    let fresh = note.with_extension("json-new");
    fs::write(&fresh, serde_json::to_vec_pretty(build).expect("plain data has a JSON form"))?;
    fs::rename(&fresh, note)
}
