//! Whether the machine's own virtualisation boots a guest: found out by booting one, in a sandbox as a uid that is nobody's, and remembered for
//! as long as the kernel is the same; beside the builds also for other installations of the machine.
//!
//! ```text
//! untried ──what the trial needs is built──▶ under way ──▶ boots | fails
//!    ▲                                                        │
//!    └──────── another kernel, or after a failure another build of what boots it ───┘
//! ```
//!
//! Invariant: nothing is concluded from the device alone, but that without it there is nothing to try.

use crate::Node;
use crate::nobody::Nobody;
use crate::proof::{Mute, look};
use husorden_base::{AccountId, Number, SolutionId, Text};
use husorden_kinds::{Aim, KINDS, Place, RuntimeSight, Task, Virtualisation};
use husorden_wire::node::Wish;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tracing::{info, warn};

/// The device.
pub(crate) const DEVICE: &str = "/dev/kvm";
/// Characters of the last words that are kept.
const WORDS_CHARS_MAX: usize = 300;

/// What was found out, and on what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Found {
    /// The kernel: its release and its version.
    kernel: String,
    /// The build that booted the guest, or did not.
    build: String,
    /// What came of it.
    pub(crate) verdict: Virtualisation,
    /// When.
    pub(crate) at: Timestamp,
}

impl Found {
    /// Whether it need not be found out again with that build: what booted once on this kernel boots, and what did not may with another.
    fn holds(&self, build: &str) -> bool {
        self.verdict == Virtualisation::Boots || self.build == build
    }
}

/// What is known of this machine's virtualisation.
pub(crate) struct Trial {
    path: PathBuf,
    found: Mutex<Option<Found>>,
    under_way: AtomicBool,
}

/// Where it is kept, in a folder of the installation and in one of the machine.
const FILE: &str = "virtualisation.json";

/// Where it is kept below the home of an installation.
fn path(home: &Path) -> PathBuf {
    home.join("node").join(FILE)
}

/// What was found out on this kernel; for who looks at a machine from beside its node.
pub(crate) fn known(home: &Path) -> Option<Found> {
    read(&path(home))
}

fn read(path: &Path) -> Option<Found> {
    let found: Found = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    (found.kernel == kernel()).then_some(found)
}

fn keep(path: &Path, found: &Found) -> std::io::Result<()> {
    let fresh = path.with_extension(format!("{}.new", std::process::id()));
    fs::write(&fresh, serde_json::to_vec(found)?)?;
    fs::rename(&fresh, path)
}

fn kernel() -> String {
    let read =
        |name: &str| fs::read_to_string(format!("/proc/sys/kernel/{name}")).unwrap_or_default().trim().to_owned();
    format!("{} {}", read("osrelease"), read("version"))
}

impl Trial {
    /// Reads what was found out before.
    pub(crate) fn open(home: &Path) -> Self {
        Self { path: path(home), found: Mutex::new(known(home)), under_way: AtomicBool::new(false) }
    }

    fn found(&self) -> Option<Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whose sandbox this is, if it is the trial's.
    pub(crate) fn wish(&self, of: Number) -> Option<Wish> {
        (of == Nobody::Trial.number() && self.under_way.load(Ordering::Relaxed)).then(|| Wish {
            public: husorden_kinds::Public::default(),
            rules: Vec::new(),
            mail_out: None,
            solution: SolutionId(uuid::Uuid::nil()),
            number: Nobody::Trial.number(),
            account: AccountId(uuid::Uuid::nil()),
            name: "trial".parse().expect("a name"),
            kind: String::new(),
            aim: Aim::Run,
            spec: Value::Null,
            credentials: BTreeMap::new(),
            networks: Vec::new(),
            from: None,
            from_backup: None,
            retain_until: None,
            released: None,
            epoch: 0,
            generation: 0,
        })
    }
}

/// What a trial runs on, beside the device: all of it in the catalogue.
fn needs(task: &Task) -> impl Iterator<Item = &husorden_base::RuntimeName> {
    let images = task.sandbox.binds.iter().filter_map(|bind| match &bind.from {
        Place::Image(name) => Some(name),
        _ => None,
    });
    std::iter::once(&task.sandbox.runtime).chain(images)
}

/// What is known now, for a look.
pub(crate) fn virtualisation(node: &Node) -> Virtualisation {
    if !Path::new(DEVICE).exists() {
        let reason = Text::new("Maskinen har intet /dev/kvm.", "The machine has no /dev/kvm.");
        return Virtualisation::Fails { reason };
    }
    if let Some(found) = node.trial.found() {
        return found.verdict;
    }
    // What can't be built holds nobody up; it is built again by itself, and tried then.
    let task = KINDS.iter().find_map(|kind| kind.trial());
    let unbuilt =
        task.iter().flat_map(needs).any(|name| matches!(node.runtimes.status(name), RuntimeSight::Failed { .. }));
    if !unbuilt {
        return Virtualisation::Untried;
    }
    let reason = Text::new(
        "Det kunne ikke prøves, for det, der skal bruges, kunne ikke gøres klar.",
        "It could not be tried, for what that needs could not be made ready.",
    );
    Virtualisation::Fails { reason }
}

/// Begins a trial if one is due. Costs next to nothing when none is.
pub(crate) fn consider(node: &Arc<Node>) {
    let Some(task) = KINDS.iter().find_map(|kind| kind.trial()).filter(|_| Path::new(DEVICE).exists()) else { return };
    if !needs(&task).all(|name| node.runtimes.status(name) == RuntimeSight::Ready) {
        return;
    }
    let build = node.runtimes.shelf().remove(&task.sandbox.runtime).and_then(|builds| builds.into_iter().next());
    let build = build.unwrap_or_default();
    let due = node.trial.found().is_none_or(|found| !found.holds(&build));
    if !due || node.trial.under_way.swap(true, Ordering::Relaxed) {
        return;
    }
    let of = Arc::clone(node);
    let spawned = std::thread::Builder::new().name("trial".to_owned()).spawn(move || {
        carry_out(&of, &task, build);
        of.trial.under_way.store(false, Ordering::Relaxed);
        crate::keeper::sweep(&of);
    });
    if let Err(error) = spawned {
        warn!(%error, "no thread to try the machine's virtualisation");
        node.trial.under_way.store(false, Ordering::Relaxed);
    }
}

/// Finds it out, or takes over what another installation of this machine has, and writes it down.
fn carry_out(node: &Arc<Node>, task: &Task, build: String) {
    // One that a node left which died is ended first.
    let _ = node.sandboxes.task_forget(Nobody::Trial.number(), &task.name);
    let of_the_machine = node.config.ground.cache.join(FILE);
    let found = match read(&of_the_machine).filter(|found| found.holds(&build)) {
        Some(found) => found,
        None => match carried_out(node, task) {
            None => return,
            Some(verdict) => Found { kernel: kernel(), build, verdict, at: Timestamp::now() },
        },
    };
    if let Err(error) = node.register.witness("machine.virtualisation", None, json!({ "found": found })) {
        warn!(%error, "no line of evidence of a trial");
    }
    for path in [&node.trial.path, &of_the_machine] {
        if let Err(error) = keep(path, &found) {
            warn!(%error, path = %path.display(), "what a trial showed could not be kept; it is tried again after the next start");
        }
    }
    *node.trial.found.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
}

/// What it shows; nothing where the node ends meanwhile.
fn carried_out(node: &Arc<Node>, task: &Task) -> Option<Virtualisation> {
    let verdict = match look(node, Nobody::Trial.number(), task, || node.ending().then_some(())) {
        Ok(_) => Virtualisation::Boots,
        Err(Mute::Stopped(())) => return None,
        Err(Mute::Failed(words)) => {
            let words = crate::causes::last_words(&words, WORDS_CHARS_MAX);
            let reason = Text::new(format!("Prøven sagde: {words}"), format!("The trial said: {words}"));
            Virtualisation::Fails { reason }
        }
    };
    info!(?verdict, "the machine's virtualisation was tried");
    Some(verdict)
}
