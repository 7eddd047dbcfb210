//! What is asked for, and the one thread that builds it.

use super::catalogue::{Recipe, What};
use super::import::Imports;
use super::mirror::Mirror;
use super::recipes::Recipes;
use super::shelf::{Build, Shelf};
use super::tools::{Tools, tail};
use super::{BuildError, Part, app, build, catalogue, image, template};
use crate::Ground;
use husorden_base::{Bytes, RuntimeName, Text};
use husorden_kinds::RuntimeSight;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// First and longest pause before a failed build is tried again; it doubles in between.
const PAUSE_S_MIN: u64 = 30;
const PAUSE_S_MAX: u64 = 3600;
/// What the names of work folders end with.
pub(super) const WORK: &str = "work";

/// An entry of the catalogue as it stands on this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: RuntimeName,
    /// What people call it.
    pub title: Text,
    /// How it stands.
    pub sight: RuntimeSight,
    /// What is being done, while it is built.
    pub progress: Option<String>,
    /// The newest finished build.
    pub build: Option<String>,
    /// When that was built.
    pub built_at: Option<Timestamp>,
    /// What it takes in the pool.
    pub size: Option<Bytes>,
    /// How long it took, in seconds.
    pub seconds: Option<u64>,
    /// Versions of the packages that the recipe names; the note beside the build has all.
    pub packages: BTreeMap<String, String>,
    /// Every finished build, the newest first, with the versions of the same packages.
    pub builds: Vec<(String, Timestamp, BTreeMap<String, String>)>,
}

/// The runtimes and apps of a node.
#[derive(Debug)]
pub struct Runtimes {
    pub(super) inner: Arc<Inner>,
    worker: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) recipes: Recipes,
    pub(super) shelf: Shelf,
    /// Logs of builds, and their work folders.
    pub(super) logs: PathBuf,
    apt: PathBuf,
    /// The network namespace by which the package archive is reached.
    pub(super) machine_net: OwnedFd,
    pub(super) stop: AtomicBool,
    state: Mutex<State>,
    pub(super) imports: Mutex<Imports>,
    wake: Condvar,
}

#[derive(Debug, Default)]
pub(super) struct State {
    /// Asked for, with whether the cache may answer.
    queue: VecDeque<(RuntimeName, bool)>,
    current: Option<RuntimeName>,
    failed: BTreeMap<RuntimeName, Failure>,
    /// Newest first.
    pub(super) ready: Vec<Build>,
}

#[derive(Debug)]
struct Failure {
    reason: String,
    times: u32,
    again_at: Instant,
}

impl Runtimes {
    /// Reads the catalogue, opens the shelf in a pool, and sweeps what a death left. Entries that were built from a recipe that has
    /// changed since are built anew; the old build serves until then. Packages are fetched in the network namespace `machine_net`.
    ///
    /// # Errors
    /// A catalogue file that is wrong, with its line; or a pool that cannot be used.
    pub fn open(ground: &Ground, pool: &Path, machine_net: OwnedFd) -> Result<Self, BuildError> {
        let recipes = Recipes::new(catalogue::read(&ground.catalogue)?);
        let shelf = Shelf::open(pool, &ground.cache)?;
        let logs = ground.home.join("builds");
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(&logs)
            .map_err(BuildError::io("making the folder for logs"))?;
        sweep_work(&logs)?;
        let ready = shelf.builds()?;
        let inner = Inner {
            recipes,
            shelf,
            logs,
            apt: "/etc/apt".into(),
            machine_net,
            stop: AtomicBool::new(false),
            state: Mutex::new(State { ready, ..State::default() }),
            imports: Mutex::default(),
            wake: Condvar::new(),
        };
        let runtimes = Self { inner: Arc::new(inner), worker: Mutex::new(None) };
        runtimes.inner.remember_imports();
        for recipe in runtimes.inner.recipes.catalogued() {
            let stale = {
                let state = runtimes.inner.state();
                let mut builds = state.ready.iter().filter(|build| build.name == recipe.name).peekable();
                builds.peek().is_some() && !builds.any(|build| build.recipe == recipe.digest)
            };
            if stale {
                runtimes.ask(&recipe.name, true)?;
            }
        }
        Ok(runtimes)
    }

    /// Asks for an entry; the build goes on in the background and [`Runtimes::status`] shows it. Asking again is fine.
    ///
    /// # Errors
    /// When the catalogue has no such entry.
    pub fn ensure(&self, name: &RuntimeName) -> Result<(), BuildError> {
        if self.inner.is_importing(name) {
            return Ok(());
        }
        let recipe = self.inner.recipes.get(name).ok_or_else(|| BuildError::Unknown(name.clone()))?;
        if self.inner.state().ready.iter().any(|build| build.name == *name && build.recipe == recipe.digest) {
            return Ok(());
        }
        self.ask(name, true)
    }

    /// Builds an entry of the catalogue anew from today's packages, whatever is there; the newest build serves what starts from then on.
    ///
    /// # Errors
    /// When the catalogue has no such entry.
    pub fn rebuild(&self, name: &RuntimeName) -> Result<(), BuildError> {
        if !self.inner.recipes.catalogued().any(|recipe| recipe.name == *name) {
            return Err(BuildError::Unknown(name.clone()));
        }
        self.ask(name, false)
    }

    fn ask(&self, name: &RuntimeName, from_cache: bool) -> Result<(), BuildError> {
        if let Some(recipe) = self.inner.recipes.get(name)
            && let What::Image(image) = &recipe.what
        {
            // Its tools are built first, and are not on this shelf's way when the cache has the image.
            let kept = from_cache && self.inner.shelf.has(&recipe.digest, name);
            if !kept && self.inner.root_of(&image.tools).is_none() {
                self.ask(&image.tools, true)?;
            }
        }
        let mut state = self.inner.state();
        let asked = state.current.as_ref() == Some(name) || state.queue.iter().any(|(queued, _)| queued == name);
        // One that failed is tried again by the worker when its pause is over.
        if !asked && (!from_cache || !state.failed.contains_key(name)) {
            state.queue.push_back((name.clone(), from_cache));
            self.inner.wake.notify_all();
        }
        drop(state);
        let mut worker = self.worker.lock().unwrap_or_else(PoisonError::into_inner);
        if worker.as_ref().is_none_or(JoinHandle::is_finished) {
            let inner = Arc::clone(&self.inner);
            let thread = std::thread::Builder::new().name("runtimes".to_owned()).spawn(move || {
                // A node with a network of its own has no way to the archive; the machine has.
                match crate::network::enter(&inner.machine_net) {
                    Ok(()) => inner.work(),
                    Err(error) => tracing::error!(error = %crate::causes::causes(&error), "nothing can be built"),
                }
            });
            *worker = Some(thread.map_err(BuildError::io("starting the thread that builds"))?);
        }
        Ok(())
    }

    /// How an entry stands. A runtime is ready with its template, not before.
    #[must_use]
    pub fn status(&self, name: &RuntimeName) -> RuntimeSight {
        if self.inner.is_importing(name) { RuntimeSight::Building } else { self.inner.state().sight(name) }
    }

    /// How all entries stand. Touches no disk.
    #[must_use]
    pub fn sights(&self) -> BTreeMap<RuntimeName, RuntimeSight> {
        let importing = self.inner.importing().map(|recipe| (recipe.name, RuntimeSight::Building));
        let state = self.inner.state();
        let all = self.inner.recipes.all().into_iter().map(|recipe| (recipe.name.clone(), state.sight(&recipe.name)));
        importing.into_iter().chain(all).collect()
    }

    /// Everything in the catalogue, as it stands.
    #[must_use]
    pub fn list(&self) -> Vec<Entry> {
        let state = self.inner.state();
        self.inner.recipes.all().iter().map(|recipe| self.entry(recipe, &state)).collect()
    }

    pub(super) fn entry(&self, recipe: &Recipe, state: &State) -> Entry {
        let newest = state.newest(recipe);
        let named: &[String] = match &recipe.what {
            What::Runtime(runtime) => &runtime.packages,
            What::App(app) => app.debian.as_ref().map_or(&[], |debian| &debian.packages),
            What::Image(image) => &image.packages,
            What::Import(_) => &[],
        };
        let packages = |build: &Build| -> BTreeMap<String, String> {
            let told = |name: &String| named.is_empty() || named.contains(name);
            build.packages.iter().filter(|(name, _)| told(name)).map(|(n, v)| (n.clone(), v.clone())).collect()
        };
        let builds = state.in_order(recipe).map(|build| (build.build.clone(), build.built_at, packages(build)));
        let progress = (state.current.as_ref() == Some(&recipe.name)).then(|| {
            let said = tail(&self.inner.log(&recipe.name));
            said.lines().rev().find_map(|line| line.strip_prefix("I: ")).unwrap_or("starting").to_owned()
        });
        Entry {
            name: recipe.name.clone(),
            title: recipe.title.clone(),
            sight: state.sight(&recipe.name),
            progress,
            build: newest.map(|build| build.build.clone()),
            built_at: newest.map(|build| build.built_at),
            size: newest.map(|build| build.size),
            seconds: newest.map(|build| build.seconds),
            packages: newest.map(packages).unwrap_or_default(),
            builds: builds.collect(),
        }
    }

    /// The root of a runtime: of this build of it, or where none is named, of the newest.
    #[must_use]
    pub fn path(&self, name: &RuntimeName, build: Option<&str>) -> Option<PathBuf> {
        self.part(name.as_str(), build, Part::Runtime)
    }

    /// What a runtime prepared for solutions to copy: this build of it, or where none is named, the newest.
    #[must_use]
    pub fn template(&self, name: &RuntimeName, build: Option<&str>) -> Option<PathBuf> {
        self.part(name.as_str(), build, Part::Template)
    }

    /// The newest finished build of an app.
    #[must_use]
    pub fn app(&self, name: &str) -> Option<PathBuf> {
        self.part(name, None, Part::App)
    }

    /// The newest finished build of an image.
    #[must_use]
    pub fn image(&self, name: &RuntimeName) -> Option<PathBuf> {
        self.part(name.as_str(), None, Part::Image)
    }

    /// The finished builds of each runtime that has any, the newest first. Touches no disk.
    #[must_use]
    pub fn shelf(&self) -> BTreeMap<RuntimeName, Vec<String>> {
        let state = self.inner.state();
        let mut shelf = BTreeMap::new();
        for recipe in self.inner.recipes.catalogued().filter(|recipe| matches!(recipe.what, What::Runtime(_))) {
            let builds: Vec<String> = state.in_order(recipe).map(|build| build.build.clone()).collect();
            if !builds.is_empty() {
                shelf.insert(recipe.name.clone(), builds);
            }
        }
        shelf
    }

    fn part(&self, name: &str, build: Option<&str>, part: Part) -> Option<PathBuf> {
        let state = self.inner.state();
        let recipe = self.inner.recipes.get(&name.parse::<RuntimeName>().ok()?)?;
        let build = match build {
            Some(wanted) => state.in_order(&recipe).find(|build| build.build == wanted)?,
            None => state.newest(&recipe)?,
        };
        let fits = match part {
            Part::Runtime => matches!(recipe.what, What::Runtime(_)),
            Part::Template => build.template,
            Part::App => matches!(recipe.what, What::App(_)),
            Part::Image => matches!(recipe.what, What::Image(_) | What::Import(_)),
        };
        fits.then(|| self.inner.shelf.path(part, build))
    }

    /// Takes builds off the shelf that neither serve nor are in use, and in whose place a newer one has served since before a
    /// moment; `used` names the places that sandboxes have, and `pinned` what solutions run on or may go back to. Answers with what
    /// went, as `name@build`.
    ///
    /// # Errors
    /// When one cannot be removed.
    pub fn tidy(
        &self,
        used: &[PathBuf],
        pinned: &BTreeSet<(RuntimeName, String)>,
        before: Timestamp,
    ) -> Result<Vec<String>, BuildError> {
        let mut state = self.inner.state();
        let mut removed = Vec::new();
        for old in state.ready.clone() {
            // No longer in the catalogue: what it is cannot be told, and somebody may still run on it.
            let Some(recipe) = self.inner.recipes.get(&old.name) else { continue };
            let serves =
                state.newest(&recipe).is_none_or(|newest| newest.build == old.build || newest.built_at > before);
            let in_use = Part::ALL.iter().any(|part| {
                let place = self.inner.shelf.path(*part, &old);
                used.iter().any(|used| used.starts_with(&place))
            });
            if serves || in_use || pinned.contains(&(old.name.clone(), old.build.clone())) {
                continue;
            }
            self.inner.shelf.remove(recipe.what.main(), &old)?;
            state.ready.retain(|build| !(build.name == old.name && build.build == old.build));
            removed.push(format!("{}@{}", old.name, old.build));
        }
        Ok(removed)
    }

    /// Calls a running build off, waits for its end and lets go of the pool. Nothing is built afterwards.
    pub fn close(&self) {
        self.inner.stop.store(true, Ordering::Relaxed);
        self.inner.wake.notify_all();
        self.inner.end_import();
        let worker = self.worker.lock().unwrap_or_else(PoisonError::into_inner).take();
        if worker.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that builds runtimes had died");
        }
        self.inner.shelf.release();
    }
}

impl Drop for Runtimes {
    fn drop(&mut self) {
        self.close();
    }
}

impl State {
    /// The build that serves: the newest of today's recipe, or while there is none, the newest of any.
    pub(super) fn newest(&self, recipe: &Recipe) -> Option<&Build> {
        let of_entry = || self.ready.iter().filter(|build| build.name == recipe.name);
        of_entry().find(|build| build.recipe == recipe.digest).or_else(|| of_entry().next())
    }

    /// Every finished build of an entry: the one that serves who comes, and then the others, the newest first.
    fn in_order<'a>(&'a self, recipe: &'a Recipe) -> impl Iterator<Item = &'a Build> {
        let first = self.newest(recipe);
        let others = self
            .ready
            .iter()
            .filter(move |build| build.name == recipe.name && first.is_none_or(|first| first.build != build.build));
        first.into_iter().chain(others)
    }

    pub(super) fn sight(&self, name: &RuntimeName) -> RuntimeSight {
        if self.ready.iter().any(|build| build.name == *name) {
            RuntimeSight::Ready
        } else if self.current.as_ref() == Some(name) || self.queue.iter().any(|(queued, _)| queued == name) {
            RuntimeSight::Building
        } else if let Some(failure) = self.failed.get(name) {
            RuntimeSight::Failed { reason: failure.reason.clone() }
        } else {
            RuntimeSight::Absent
        }
    }
}

impl Inner {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn log(&self, name: &RuntimeName) -> PathBuf {
        self.logs.join(format!("{name}.log"))
    }

    /// Builds what is asked for, one after the other, and what failed when its pause is over. Ends when the node does.
    fn work(&self) {
        while let Some((name, from_cache)) = self.next() {
            let began = Instant::now();
            tracing::info!(%name, "building");
            let recipe = self.recipes.get(&name).ok_or_else(|| BuildError::Unknown(name.clone()));
            let built = recipe.and_then(|recipe| self.build(&recipe, from_cache));
            let mut state = self.state();
            state.current = None;
            match built {
                Ok(build) => {
                    tracing::info!(%name, build = build.build, seconds = began.elapsed().as_secs(), "built");
                    state.failed.remove(&name);
                    state.ready.retain(|other| !(other.name == name && other.build == build.build));
                    state.ready.insert(0, build);
                }
                Err(BuildError::Stopped) => {}
                Err(error) => {
                    let times = state.failed.get(&name).map_or(0, |failure| failure.times);
                    let pause = Duration::from_secs((PAUSE_S_MIN << times.min(10)).min(PAUSE_S_MAX));
                    let reason = error.told();
                    tracing::error!(%name, reason, again_in_s = pause.as_secs(), "the build failed");
                    state.failed.insert(name, Failure { reason, times: times + 1, again_at: Instant::now() + pause });
                }
            }
        }
    }

    /// Waits for something to build; none when the node is on its way out.
    fn next(&self) -> Option<(RuntimeName, bool)> {
        let mut state = self.state();
        loop {
            if self.stop.load(Ordering::Relaxed) {
                return None;
            }
            if let Some((name, from_cache)) = state.queue.pop_front() {
                state.current = Some(name.clone());
                return Some((name, from_cache));
            }
            let now = Instant::now();
            if let Some((name, _)) = state.failed.iter().find(|(_, failure)| failure.again_at <= now) {
                let name = name.clone();
                state.current = Some(name.clone());
                return Some((name, true));
            }
            let soonest = state.failed.values().map(|failure| failure.again_at.saturating_duration_since(now)).min();
            let pause = soonest.unwrap_or(Duration::from_secs(PAUSE_S_MAX));
            state = self.wake.wait_timeout(state, pause).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn build(&self, recipe: &Recipe, from_cache: bool) -> Result<Build, BuildError> {
        let log = self.log(&recipe.name);
        fs::write(&log, b"").map_err(BuildError::io("beginning the build's log"))?;
        let tools = Tools { log: &log, stop: &self.stop };
        let main = recipe.what.main();
        let _held = self.shelf.hold(&recipe.name, tools)?;
        if from_cache {
            match self.shelf.fetch(main, &recipe.digest, &recipe.name, tools) {
                Ok(Some(build)) => {
                    self.shelf.publish(main, &build)?;
                    return Ok(build);
                }
                Ok(None) => {}
                Err(BuildError::Stopped) => return Err(BuildError::Stopped),
                Err(error) => {
                    tracing::warn!(name = %recipe.name, error = error.told(), "the cache did not serve; building")
                }
            }
        }
        let work = self.logs.join(format!("{}.{WORK}", recipe.name));
        clear(&work)?;
        fs::DirBuilder::new().mode(0o755).create(&work).map_err(BuildError::io("making a work folder"))?;
        let built = self.build_fresh(recipe, main, &work, tools);
        clear(&work)?;
        built
    }

    /// The root of the newest build of a runtime.
    pub(super) fn root_of(&self, runtime: &RuntimeName) -> Option<PathBuf> {
        let state = self.state();
        let build = state.newest(&*self.recipes.get(runtime)?)?;
        Some(self.shelf.path(Part::Runtime, build))
    }

    fn build_fresh(&self, recipe: &Recipe, main: Part, work: &Path, tools: Tools<'_>) -> Result<Build, BuildError> {
        let began = Instant::now();
        let target = self.shelf.fresh(main, &recipe.name)?;
        let mut has_template = false;
        let packages = match &recipe.what {
            What::Runtime(runtime) => {
                let mirror = Mirror::of_machine(&self.apt)?;
                let packages = build::runtime(runtime, &mirror, &target, work, tools)?;
                if let Some(wish) = &runtime.template {
                    let template = self.shelf.fresh(Part::Template, &recipe.name)?;
                    template::make(&target, &template, &wish.script, None, tools)?;
                    has_template = true;
                }
                packages
            }
            What::App(app) => app::build(app, || Mirror::of_machine(&self.apt), &target, work, tools)?,
            What::Image(image) => {
                let root = self.root_of(&image.tools).ok_or_else(|| {
                    BuildError::Machine(format!("{}, which has the tools, is not built", image.tools))
                })?;
                image::build(image, &Mirror::of_machine(&self.apt)?, &root, &target, work, tools)?
            }
            What::Import(_) => {
                return Err(BuildError::Machine(format!("{} was imported, which nothing builds anew", recipe.name)));
            }
        };
        let mut size = self.shelf.seal(main, &recipe.name)?;
        if has_template {
            size.0 += self.shelf.seal(Part::Template, &recipe.name)?.0;
        }
        let build = Build {
            name: recipe.name.clone(),
            build: build::id(&recipe.digest, &packages),
            recipe: recipe.digest.clone(),
            built_at: Timestamp::now(),
            seconds: began.elapsed().as_secs(),
            size,
            template: has_template,
            packages,
        };
        // A cache that cannot be written costs the next pool a build, not this one its runtime.
        if let Err(error) = self.shelf.keep(main, &build, tools) {
            if matches!(error, BuildError::Stopped) {
                return Err(error);
            }
            tracing::warn!(name = %recipe.name, error = error.told(), "the build could not be kept in the cache");
        }
        self.shelf.publish(main, &build)?;
        Ok(build)
    }
}

/// Takes away the work folders of builds and imports that a death cut off.
fn sweep_work(logs: &Path) -> Result<(), BuildError> {
    for entry in fs::read_dir(logs).map_err(BuildError::io("sweeping work folders"))? {
        let path = entry.map_err(BuildError::io("sweeping work folders"))?.path();
        if path.extension().is_some_and(|extension| extension == WORK) && path.is_dir() {
            clear(&path)?;
        }
    }
    Ok(())
}

pub(super) fn clear(folder: &Path) -> Result<(), BuildError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(BuildError::io(format!("clearing {}", folder.display()))(error))
        }
        _ => Ok(()),
    }
}
