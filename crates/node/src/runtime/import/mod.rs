//! Importing an image: a disk that somebody else made, from a file or an address, becomes one that servers start from.
//!
//! ```text
//! asked ──▶ copied, with its checksum ──▶ judged by its header ──▶ made a raw disk in a sandbox ──▶ on the shelf
//!   │               │                            │                           │
//!   '───────────────┴───── refused: forgotten but for the reason ────────────'
//! ```
//!
//! One import runs at a time, on a thread of its own beside that of the builds: a download may take hours. What was imported is known by
//! the recipe that lies in its build beside the disk, so both are there or neither is. What a death cut off has no note on the shelf and
//! no work folder that is kept: both are swept when the shelf is next opened, and nothing is imported by itself.
//!
//! The file is a stranger's. Its header is read strictly before any tool opens it (`disk`), and the tool runs as an unprivileged
//! uid without network, sees the copy and the folder of the result, and is told the form: a lie in the file leads nowhere.

mod ask;
mod disk;
mod fetch;
#[cfg(test)]
mod tests;
mod words;

pub use ask::{Firmware, ImportAsk};
pub use disk::Format;

use super::catalogue::{Recipe, What, digest};
use super::image::{Architecture, DISK, Licence, System};
use super::shelf::Build;
use super::template::{self, Input};
use super::tools::{Tools, tail};
use super::worker::{Inner, Runtimes, WORK, clear};
use super::{BuildError, Part, build};
use ask::{From, Import};
use husorden_base::{Bytes, Refusal, RuntimeName, Text};
use husorden_kinds::RuntimeSight;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Makes the disk, in the runtime with the tool.
const SCRIPT: &str = include_str!("convert.sh");
/// The runtime that has the tool.
const TOOLS: &str = "image-import";
/// The recipe's file, beside the disk.
const NOTE: &str = "import.json";
const NOTE_BYTES_MAX: u64 = 64 << 10;
/// The copy's name in the sandbox.
const SOURCE: &str = "source";
/// Longest time that the tool may take, in seconds.
const CONVERT_S_MAX: u64 = 2 * 3600;
/// What of the pool is kept free, in percent: as much as is asked of it before a volume is made.
const POOL_FREE_PERCENT: u64 = 15;
/// How often one who waits for the tool's runtime asks for it.
const ASK: Duration = Duration::from_millis(100);
/// What is remembered of imports that were refused.
const FAILED_MAX: usize = 20;
/// How much of what the tool said is told.
const SAID_CHARS_MAX: usize = 300;

/// What was imported: part of the build that it became.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportRecipe {
    pub(super) name: RuntimeName,
    pub(super) title: Text,
    /// What system runs on it.
    pub(super) system: System,
    /// For which processor.
    pub(super) architecture: Architecture,
    /// Who licenses the operating system.
    pub(super) licence: Licence,
    /// The one firmware that it starts by, if it is only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) firmware: Option<Firmware>,
    /// The file's name, or its address without what may be a secret.
    pub(super) source: String,
    /// SHA-256 of the file in lower-case hexadecimal.
    pub(super) sha256: String,
    /// Its form.
    pub(super) format: Format,
    /// Size of the disk.
    pub(super) disk: Bytes,
}

impl ImportRecipe {
    fn recipe(self) -> Recipe {
        let digest = digest(&(&self, SCRIPT), &[]);
        Recipe { name: self.name.clone(), title: self.title.clone(), what: What::Import(self), digest }
    }
}

/// What is under way, and what came to nothing.
#[derive(Debug, Default)]
pub(super) struct Imports {
    current: Option<(ImportRecipe, Text)>,
    failed: BTreeMap<RuntimeName, (ImportRecipe, Refusal)>,
    worker: Option<JoinHandle<()>>,
}

/// Why an import came to nothing.
#[derive(Debug)]
enum ImportError {
    /// Who asked is told.
    Refused(Box<Refusal>),
    /// The node is on its way out.
    Stopped,
}

impl ImportError {
    fn ours(doing: &str, error: io::Error) -> Self {
        BuildError::io(doing)(error).into()
    }
}

impl std::convert::From<Refusal> for ImportError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

impl std::convert::From<BuildError> for ImportError {
    fn from(error: BuildError) -> Self {
        match error {
            BuildError::Stopped => Self::Stopped,
            other => words::ours(&other.told()).into(),
        }
    }
}

impl Runtimes {
    /// Imports an image; it goes on in the background, and [`Runtimes::images`] shows it.
    ///
    /// # Errors
    /// What is wrong with what is asked, or that another import is under way.
    pub fn import(&self, ask: ImportAsk) -> Result<RuntimeName, Refusal> {
        let import = ask::read(ask)?;
        let name = import.recipe.name.clone();
        self.inner.may_import(&self.inner.imports(), &name)?;
        self.ensure(&tools_name()).map_err(|error| words::ours(&error.told()))?;
        let mut imports = self.inner.imports();
        self.inner.may_import(&imports, &name)?;
        let asked = import.recipe.clone();
        let inner = Arc::clone(&self.inner);
        let thread = std::thread::Builder::new().name("import".to_owned()).spawn(move || inner.import(import));
        imports.worker = Some(thread.map_err(|error| words::ours(&error.to_string()))?);
        imports.failed.remove(&name);
        imports.current = Some((asked, words::waiting()));
        Ok(name)
    }

    /// Takes what was imported away, or the memory of what could not be. Nothing may be made from it any more.
    ///
    /// # Errors
    /// When nothing imported has the name, or its import is under way.
    pub fn remove_import(&self, name: &RuntimeName) -> Result<(), Refusal> {
        let mut imports = self.inner.imports();
        if imports.current.as_ref().is_some_and(|(current, _)| current.name == *name) {
            return Err(words::busy(name));
        }
        let forgotten = imports.failed.remove(name).is_some();
        if !self.inner.recipes.remove(name) {
            return if forgotten { Ok(()) } else { Err(words::not_imported(name)) };
        }
        let mut state = self.inner.state();
        for build in state.ready.iter().filter(|build| build.name == *name) {
            self.inner.shelf.remove(Part::Image, build).map_err(|error| words::ours(&error.told()))?;
        }
        state.ready.retain(|build| build.name != *name);
        Ok(())
    }
}

fn tools_name() -> RuntimeName {
    TOOLS.parse().expect("a catalogue name")
}

impl Inner {
    fn imports(&self) -> MutexGuard<'_, Imports> {
        self.imports.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether an import may begin: none is under way, and the name is free.
    fn may_import(&self, imports: &Imports, name: &RuntimeName) -> Result<(), Refusal> {
        match &imports.current {
            Some((current, _)) => Err(words::busy(&current.name)),
            None if self.recipes.get(name).is_some() => Err(words::taken(name)),
            None => Ok(()),
        }
    }

    /// What is being imported.
    pub(super) fn importing(&self) -> Option<ImportRecipe> {
        self.imports().current.as_ref().map(|(recipe, _)| recipe.clone())
    }

    pub(super) fn is_importing(&self, name: &RuntimeName) -> bool {
        self.imports().current.as_ref().is_some_and(|(recipe, _)| recipe.name == *name)
    }

    /// How far that is.
    pub(super) fn import_progress(&self) -> Option<Text> {
        self.imports().current.as_ref().map(|(_, progress)| progress.clone())
    }

    /// What could not be imported since the node started, and why.
    pub(super) fn imports_failed(&self) -> Vec<(ImportRecipe, Refusal)> {
        self.imports().failed.values().cloned().collect()
    }

    /// Waits for the end of what was called off.
    pub(super) fn end_import(&self) {
        let worker = self.imports().worker.take();
        if worker.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that imports had died");
        }
    }

    /// Finds what was imported before, by the recipes that lie in the builds. The catalogue's names go first.
    pub(super) fn remember_imports(&self) {
        let builds: Vec<Build> = self.state().ready.clone();
        for build in builds.iter().filter(|build| self.recipes.get(&build.name).is_none()) {
            let Ok(text) = bounded(&self.shelf.path(Part::Image, build).join(NOTE)) else { continue };
            match serde_json::from_slice::<ImportRecipe>(&text) {
                Ok(recipe) if recipe.name == build.name => drop(self.recipes.add(recipe.recipe())),
                Ok(_) | Err(_) => {
                    tracing::warn!(name = %build.name, "the note of an imported image is not readable; it is not used");
                }
            }
        }
    }

    /// Imports, and remembers what came of it.
    fn import(&self, import: Import) {
        let (name, asked, began) = (import.recipe.name.clone(), import.recipe.clone(), Instant::now());
        tracing::info!(%name, source = asked.source, "importing");
        let work = self.logs.join(format!("{name}.{WORK}"));
        // A node with a network of its own has no way outside; the machine has.
        let entered = crate::network::enter(&self.machine_net);
        let entered = entered.map_err(|error| words::ours(&crate::causes::causes(&error)).into());
        let done = entered.and_then(|()| self.bring(import, &work, began));
        for cleared in [clear(&work), self.shelf.discard(Part::Image, &name)] {
            if let Err(error) = cleared {
                tracing::warn!(%name, error = error.told(), "something of an import stays until the next start");
            }
        }
        let mut imports = self.imports();
        match done {
            Ok((recipe, build)) => {
                tracing::info!(%name, build = build.build, seconds = build.seconds, "imported");
                self.state().ready.insert(0, build);
                self.recipes.add(recipe);
            }
            Err(ImportError::Stopped) => {}
            Err(ImportError::Refused(refusal)) => {
                tracing::warn!(%name, code = refusal.code, why = refusal.detail.en, "the import came to nothing");
                if imports.failed.len() >= FAILED_MAX {
                    imports.failed.pop_first();
                }
                imports.failed.insert(name, (asked, *refusal));
            }
        }
        imports.current = None;
    }

    fn tell(&self, progress: Text) -> Result<(), ImportError> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(ImportError::Stopped);
        }
        if let Some((_, told)) = &mut self.imports().current {
            *told = progress;
        }
        Ok(())
    }

    /// Brings the file in, judges it, and makes an image of it.
    fn bring(&self, import: Import, work: &Path, began: Instant) -> Result<(Recipe, Build), ImportError> {
        let Import { mut recipe, from } = import;
        let log = self.log(&recipe.name);
        fs::write(&log, b"").map_err(BuildError::io("beginning the import's log"))?;
        let tools = Tools { log: &log, stop: &self.stop };
        clear(work)?;
        // Root's own but for what the sandbox is shown.
        let input = work.join("input");
        let made =
            DirBuilder::new().mode(0o700).create(work).and_then(|()| DirBuilder::new().mode(0o755).create(&input));
        made.map_err(BuildError::io("making a work folder"))?;
        let copy = File::options().read(true).write(true).create_new(true).mode(0o644).open(input.join(SOURCE));
        let mut copy = copy.map_err(BuildError::io("making the copy"))?;
        let sha256 = match from {
            From::File(file) => {
                let of = file.metadata().map_or(0, |meta| meta.len());
                fetch::copy(file, &mut copy, work, |done| self.tell(words::copying(Bytes(done), Bytes(of))))?
            }
            From::Url(address) => {
                let to = copy.try_clone().map_err(BuildError::io("making the copy"))?;
                fetch::download(&address, to, work.to_owned(), |progress| self.tell(progress))?
            }
        };
        if !recipe.sha256.is_empty() && recipe.sha256 != sha256 {
            return Err(words::checksum(&recipe.sha256, &sha256).into());
        }
        let (head, length) = fetch::head(&copy).map_err(BuildError::io("reading the copy"))?;
        let disk = disk::read(&head, length).map_err(words::no_image)?;
        (recipe.sha256, recipe.format, recipe.disk) = (sha256, disk.format, disk.size);

        let root = self.tools_root()?;
        let target = self.shelf.fresh(Part::Image, &recipe.name)?;
        self.convert(&root, &target, &input, disk.format, tools)?;
        check(&target, disk.size)?;
        let name = recipe.name.clone();
        let packages = BTreeMap::from([(recipe.source.clone(), recipe.sha256.clone())]);
        let note = serde_json::to_vec_pretty(&recipe).expect("plain data has a JSON form");
        let file = File::options().write(true).create_new(true).mode(0o644).open(target.join(NOTE));
        file.and_then(|mut file| file.write_all(&note)).map_err(BuildError::io("writing the image's note"))?;
        let recipe = recipe.recipe();
        let build = Build {
            build: build::id(&recipe.digest, &packages),
            recipe: recipe.digest.clone(),
            built_at: Timestamp::now(),
            seconds: began.elapsed().as_secs(),
            size: self.shelf.seal(Part::Image, &name)?,
            template: false,
            name,
            packages,
        };
        self.tell(words::keeping())?;
        self.shelf.publish(Part::Image, &build)?;
        Ok((recipe, build))
    }

    /// Waits for the runtime that has the tool.
    fn tools_root(&self) -> Result<std::path::PathBuf, ImportError> {
        let name = tools_name();
        loop {
            if let Some(root) = self.root_of(&name) {
                return Ok(root);
            }
            let sight = self.state().sight(&name);
            if let RuntimeSight::Failed { reason } = sight {
                return Err(words::ours(&format!("{name}, which has the tool, could not be built: {reason}")).into());
            }
            self.tell(words::building_tools())?;
            std::thread::sleep(ASK);
        }
    }

    fn convert(
        &self,
        root: &Path,
        target: &Path,
        input: &Path,
        format: Format,
        tools: Tools<'_>,
    ) -> Result<(), ImportError> {
        let words = [format.word()];
        let mut command = template::command(root, target, SCRIPT, Some(Input { folder: input, words: &words }));
        let began = Instant::now();
        let look = || {
            self.tell(words::converting(percent(&tail(tools.log))))?;
            // A small file may hold much: what is made of it must not take the pool from those that run.
            let seen =
                rustix::fs::statvfs(target).map_err(|error| ImportError::ours("looking for room", error.into()))?;
            if seen.f_bavail.saturating_mul(100) < seen.f_blocks.saturating_mul(POOL_FREE_PERCENT) {
                let least = seen.f_blocks.saturating_mul(seen.f_frsize) / 100 * POOL_FREE_PERCENT;
                return Err(words::no_room(&words::pool(), Bytes(least)).into());
            }
            if began.elapsed().as_secs() >= CONVERT_S_MAX {
                return Err(words::too_slow(&words::conversion(), CONVERT_S_MAX).into());
            }
            Ok(())
        };
        // What the tool says of a file is told as it is, without the counting before it.
        match tools.watch("qemu-img", &mut command, look) {
            Err(ImportError::Refused(refusal)) if refusal.code == "failed" => {
                Err(words::unreadable(&last_words(&tail(tools.log))).into())
            }
            other => other,
        }
    }
}

/// That the tool left the disk, and nothing else: who was misled by a file must not leave a way out of it.
fn check(target: &Path, size: Bytes) -> Result<(), ImportError> {
    let failed = |error| ImportError::ours("looking at the disk", error);
    let names: io::Result<Vec<_>> = fs::read_dir(target).map_err(failed)?.map(|entry| Ok(entry?.file_name())).collect();
    let meta = fs::symlink_metadata(target.join(DISK)).map_err(failed)?;
    let alone = names.map_err(failed)? == [DISK];
    if !alone || !meta.is_file() || meta.nlink() != 1 || meta.len() != size.0 {
        return Err(words::unreadable("the disk is not as large as its header says").into());
    }
    Ok(())
}

/// How much the tool says that it has done, in percent.
fn percent(log: &str) -> Option<u64> {
    let (before, _) = log.rsplit_once("/100%)")?;
    before.rsplit_once('(')?.1.split('.').next()?.parse().ok()
}

/// What the tool said last.
fn last_words(log: &str) -> String {
    let last = log.split(['\r', '\n']).map(str::trim).rfind(|line| !line.is_empty() && !line.ends_with("/100%)"));
    last.unwrap_or("it said nothing").chars().take(SAID_CHARS_MAX).collect()
}

fn bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    File::open(path)?.take(NOTE_BYTES_MAX).read_to_end(&mut text)?;
    Ok(text)
}
