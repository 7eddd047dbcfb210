//! The cgroups that sandboxes live in, on pure cgroup v2 and on hybrid machines.
//!
//! crun makes a sandbox's cgroup and sets its limits. On a hybrid machine the limits stand in the v1 controllers, and the
//! sandbox sits in the v2 tree as well: killing, freezing and pressure are read and done there, the same way as on pure v2.

use super::disk::Means;
use super::state::PLATFORMS;
use husorden_base::Number;
use rustix::event::{PollFd, PollFlags, poll};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Where the machine mounts its cgroups.
const ROOT: &str = "/sys/fs/cgroup";

/// Longest wait until a cgroup is frozen, or empty.
const SETTLE_MS_MAX: u64 = 2_000;

/// What the folder is called, after a solution's number, of the platform's own work on what is the solution's.
const ASIDE: &str = ".aside";

/// What cannot be done with cgroups.
#[derive(Debug, thiserror::Error)]
pub enum CgroupError {
    /// The machine has neither pure v2 nor the hybrid layout.
    #[error("this machine has neither cgroup v2 nor the hybrid layout at {ROOT}; sandboxes cannot be limited")]
    Layout,
    /// A file of a cgroup could not be used.
    #[error("using {path}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It did not happen in time.
    #[error("{path} did not become {what} within {SETTLE_MS_MAX} ms")]
    Late {
        /// Which.
        path: PathBuf,
        /// What was waited for.
        what: &'static str,
    },
}

/// What a sandbox uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Memory that cannot be given back at once.
    pub memory_bytes: u64,
    /// CPU time since the sandbox started.
    pub cpu_us: u64,
    /// Processes and threads.
    pub pids: u64,
    /// Processes the kernel killed for want of memory.
    pub oom_kills: u64,
    /// Share of the last ten seconds in which something waited for CPU, memory or disk, in hundredths of a percent; none
    /// where the kernel does not say.
    pub pressure: Option<Pressure>,
}

/// Pressure by resource, in hundredths of a percent of the last ten seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pressure {
    /// Waiting for CPU.
    pub cpu: u32,
    /// Waiting for memory.
    pub memory: u32,
    /// Waiting for disk.
    pub io: u32,
}

/// Whether the kernel's controllers are in one tree or in many.
#[derive(Clone, Debug)]
enum Layout {
    /// Pure v2.
    Unified,
    /// v1 controllers by name, and the v2 tree beside them.
    Hybrid(BTreeMap<String, PathBuf>),
}

/// The cgroups of one installation.
#[derive(Clone, Debug)]
pub(crate) struct Cgroups {
    layout: Layout,
    /// The v2 tree.
    core: PathBuf,
    /// This installation's cgroup, relative to each tree.
    base: PathBuf,
}

impl Cgroups {
    /// Finds out how this machine does it.
    pub(crate) fn detect(base: PathBuf) -> Result<Self, CgroupError> {
        Self::detect_in(Path::new(ROOT), &read(Path::new("/proc/self/mounts"))?, base)
    }

    /// As [`Cgroups::detect`], on a tree that stands anywhere, with a text of mounts.
    fn detect_in(root: &Path, mounts: &str, base: PathBuf) -> Result<Self, CgroupError> {
        if root.join("cgroup.controllers").exists() {
            return Ok(Self { layout: Layout::Unified, core: root.to_owned(), base });
        }
        let mut controllers = BTreeMap::new();
        for line in mounts.lines() {
            let fields: Vec<&str> = line.split(' ').collect();
            if let [_, folder, "cgroup", options, ..] = fields[..] {
                // A controller's name stands among the mount's options, several where they share a tree.
                for option in options.split(',') {
                    controllers.insert(option.to_owned(), PathBuf::from(folder));
                }
            }
        }
        let core = root.join("unified");
        if controllers.contains_key("memory") && core.join("cgroup.procs").exists() {
            Ok(Self { layout: Layout::Hybrid(controllers), core, base })
        } else {
            Err(CgroupError::Layout)
        }
    }

    /// The v2 tree of a hybrid machine, which crun must not see.
    pub(crate) fn hidden(&self) -> Option<&Path> {
        matches!(self.layout, Layout::Hybrid(_)).then_some(self.core.as_path())
    }

    /// Whether the kernel counts swap.
    pub(crate) fn counts_swap(&self) -> bool {
        match &self.layout {
            // On v2 crun writes memory.swap.max, which the root does not have; its parents do not tell. /proc does.
            Layout::Unified => Path::new("/proc/swaps").exists(),
            Layout::Hybrid(controllers) => controllers["memory"].join("memory.memsw.limit_in_bytes").exists(),
        }
    }

    /// What the kernel can do about reading and writing.
    pub(crate) fn io(&self) -> Means {
        match &self.layout {
            Layout::Unified => Means::unified(&self.core),
            Layout::Hybrid(controllers) => Means::old(controllers.get("blkio")),
        }
    }

    /// A sandbox's cgroup as an OCI configuration names it.
    pub(crate) fn name(&self, number: Number, leaf: &str) -> String {
        format!("/{}", self.base.join(below(number, leaf)).display())
    }

    /// Makes the v2 cgroup of a sandbox on a hybrid machine; what starts it is born into this folder.
    pub(crate) fn folder(&self, number: Number, leaf: &str) -> Result<Option<File>, CgroupError> {
        if self.hidden().is_none() {
            return Ok(None);
        }
        let path = self.leaf(number, leaf);
        fs::create_dir_all(&path)
            .and_then(|()| File::open(&path))
            .map(Some)
            .map_err(|source| CgroupError::File { path, source })
    }

    /// The file by which a process that is to be in a sandbox's v2 cgroup enters it, on a hybrid machine.
    pub(crate) fn enter(&self, number: Number, leaf: &str) -> Result<Option<File>, CgroupError> {
        if self.hidden().is_none() {
            return Ok(None);
        }
        let path = self.leaf(number, leaf).join("cgroup.procs");
        File::options().write(true).open(&path).map(Some).map_err(|source| CgroupError::File { path, source })
    }

    /// Says that a process is about to be moved into a cgroup. The first move in a while waits until the kernel knows that no
    /// thread of the machine is just starting or ending, some ten milliseconds; those that follow soon do not. So the wait
    /// is begun here, by a move of this process to where it is already, and is over when the tool needs it.
    pub(crate) fn expect_moves(&self) {
        let core = self.core.clone();
        // Without it a start takes longer, and that is all.
        let _ = std::thread::Builder::new().name("cgroup-wait".to_owned()).spawn(move || {
            let text = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
            if let Some(own) = text.lines().find_map(|line| line.strip_prefix("0::/")) {
                let _ = write(&core.join(own).join("cgroup.procs"), "0");
            }
        });
    }

    /// Whether a process is in a sandbox's cgroup.
    pub(crate) fn holds(&self, number: Number, leaf: &str, pid: u32) -> bool {
        let pid = pid.to_string();
        read(&self.leaf(number, leaf).join("cgroup.procs")).is_ok_and(|text| text.lines().any(|line| line == pid))
    }

    /// Kills everything in a sandbox's cgroup and waits until it is empty. No cgroup is an empty one.
    pub(crate) fn kill(&self, number: Number, leaf: &str) -> Result<(), CgroupError> {
        let folder = self.leaf(number, leaf);
        if !folder.exists() {
            return Ok(());
        }
        write(&folder.join("cgroup.kill"), "1")?;
        wait_for(&folder, "populated 0", "empty")
    }

    /// Freezes or thaws everything of a solution at once, also what starts in it later; the platform's own work goes on.
    pub(crate) fn freeze(&self, number: Number, frozen: bool) -> Result<(), CgroupError> {
        let folder = self.core_of(number);
        if !frozen && !folder.exists() {
            return Ok(());
        }
        fs::create_dir_all(&folder).map_err(|source| CgroupError::File { path: folder.clone(), source })?;
        write(&folder.join("cgroup.freeze"), if frozen { "1" } else { "0" })?;
        if frozen {
            wait_for(&folder, "frozen 1", "frozen")?;
        }
        Ok(())
    }

    /// What a sandbox uses.
    pub(crate) fn usage(&self, number: Number, leaf: &str) -> Result<Usage, CgroupError> {
        let at = |controller: &str, file: &str| read(&self.controller(controller).join(below(number, leaf)).join(file));
        let number_in = |text: String| text.trim().parse::<u64>().unwrap_or(0);
        let (charged, cache, cpu_us) = match self.layout {
            Layout::Unified => (
                number_in(at("memory", "memory.current")?),
                field(&at("memory", "memory.stat")?, "inactive_file"),
                field(&at("cpu", "cpu.stat")?, "usage_usec"),
            ),
            Layout::Hybrid(_) => (
                number_in(at("memory", "memory.usage_in_bytes")?),
                field(&at("memory", "memory.stat")?, "total_inactive_file"),
                number_in(at("cpuacct", "cpuacct.usage")?) / 1_000,
            ),
        };
        let core = self.leaf(number, leaf);
        let pressure =
            |resource: &str| read(&core.join(format!("{resource}.pressure"))).ok().map(|text| average(&text));
        Ok(Usage {
            memory_bytes: charged.saturating_sub(cache),
            cpu_us,
            pids: number_in(at("pids", "pids.current")?),
            oom_kills: self.oom_kills(number, leaf),
            pressure: pressure("cpu").zip(pressure("memory")).zip(pressure("io")).map(|((cpu, memory), io)| Pressure {
                cpu,
                memory,
                io,
            }),
        })
    }

    /// CPU time of a sandbox so far; zero when it cannot be read.
    pub(crate) fn cpu_us(&self, number: Number, leaf: &str) -> u64 {
        let folder = |controller| self.controller(controller).join(below(number, leaf));
        match self.layout {
            Layout::Unified => read(&folder("cpu").join("cpu.stat")).map_or(0, |text| field(&text, "usage_usec")),
            Layout::Hybrid(_) => read(&folder("cpuacct").join("cpuacct.usage"))
                .ok()
                .and_then(|text| text.trim().parse::<u64>().ok())
                .map_or(0, |ns| ns / 1_000),
        }
    }

    /// Processes of a sandbox that were killed for want of memory; zero when it cannot be read.
    pub(crate) fn oom_kills(&self, number: Number, leaf: &str) -> u64 {
        let file = match self.layout {
            Layout::Unified => "memory.events",
            Layout::Hybrid(_) => "memory.oom_control",
        };
        let path = self.controller("memory").join(below(number, leaf)).join(file);
        read(&path).map_or(0, |text| field(&text, "oom_kill"))
    }

    /// Removes a sandbox's cgroup from every tree, after its last process is gone.
    pub(crate) fn remove(&self, number: Number, leaf: &str) -> Result<(), CgroupError> {
        let core = self.leaf(number, leaf);
        if core.exists() {
            wait_for(&core, "populated 0", "empty")?;
        }
        self.remove_everywhere(&below(number, leaf))
    }

    /// Removes a solution's cgroups; they must be without sandboxes.
    pub(crate) fn remove_solution(&self, number: Number) -> Result<(), CgroupError> {
        self.remove_everywhere(Path::new(&number.to_string()))?;
        self.remove_everywhere(Path::new(&format!("{number}{ASIDE}")))
    }

    /// Removes this installation's cgroup, and the one above when no other installation is left in it.
    pub(crate) fn remove_all(&self) {
        for tree in self.trees() {
            // Either may hold another installation or have gone with it; there is nothing to do about that.
            let _ = fs::remove_dir(tree.join(&self.base));
            if let Some(above) = self.base.parent().filter(|above| !above.as_os_str().is_empty()) {
                let _ = fs::remove_dir(tree.join(above));
            }
        }
    }

    /// Every sandbox that has a cgroup, as (solution, leaf).
    pub(crate) fn list(&self) -> Vec<(Number, String)> {
        let names = |folder: PathBuf| {
            fs::read_dir(folder)
                .into_iter()
                .flatten()
                .flatten()
                .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
                .filter_map(|entry| entry.file_name().into_string().ok())
                .collect::<Vec<_>>()
        };
        let base = self.core.join(&self.base);
        names(base.clone())
            .into_iter()
            .filter_map(|name| Some((Number::new(name.strip_suffix(ASIDE).unwrap_or(&name).parse().ok()?)?, name)))
            .flat_map(|(number, name)| names(base.join(name)).into_iter().map(move |leaf| (number, leaf)))
            .collect()
    }

    /// A solution's folder in the v2 tree.
    fn core_of(&self, number: Number) -> PathBuf {
        self.core.join(&self.base).join(number.to_string())
    }

    /// A sandbox's.
    fn leaf(&self, number: Number, leaf: &str) -> PathBuf {
        self.core.join(&self.base).join(below(number, leaf))
    }

    /// This installation's folder in the tree of a controller.
    fn controller(&self, name: &str) -> PathBuf {
        match &self.layout {
            Layout::Unified => self.core.join(&self.base),
            Layout::Hybrid(controllers) => controllers.get(name).unwrap_or(&self.core).join(&self.base),
        }
    }

    fn trees(&self) -> Vec<PathBuf> {
        let mut trees = vec![self.core.clone()];
        if let Layout::Hybrid(controllers) = &self.layout {
            trees.extend(controllers.values().cloned());
            trees.sort();
            trees.dedup();
        }
        trees
    }

    fn remove_everywhere(&self, below: &Path) -> Result<(), CgroupError> {
        for tree in self.trees() {
            let path = tree.join(&self.base).join(below);
            let deadline = Instant::now() + Duration::from_millis(SETTLE_MS_MAX);
            loop {
                match fs::remove_dir(&path) {
                    // A process that has just ended keeps its v1 cgroup busy until the kernel has put it away, and says
                    // nothing when it has.
                    Err(error) if error.kind() == io::ErrorKind::ResourceBusy && Instant::now() < deadline => {
                        std::thread::sleep(Duration::from_millis(1));
                    }
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        return Err(CgroupError::File { path, source: error });
                    }
                    _ => break,
                }
            }
        }
        Ok(())
    }
}

/// A sandbox's folder beneath this installation's. What is the platform's own stands beside what is the solution's and not in it, so that it goes on
/// where a measure lets the solution stand still.
fn below(number: Number, leaf: &str) -> PathBuf {
    let own = if leaf.starts_with(PLATFORMS) { ASIDE } else { "" };
    PathBuf::from(format!("{number}{own}/{leaf}"))
}

fn read(path: &Path) -> Result<String, CgroupError> {
    fs::read_to_string(path).map_err(|source| CgroupError::File { path: path.to_owned(), source })
}

fn write(path: &Path, text: &str) -> Result<(), CgroupError> {
    // Never created: a plain file made here by mistake would look like success.
    File::options()
        .write(true)
        .open(path)
        .and_then(|mut file| io::Write::write_all(&mut file, text.as_bytes()))
        .map_err(|source| CgroupError::File { path: path.to_owned(), source })
}

/// Waits until a line stands in `cgroup.events`, whose changes the kernel announces.
fn wait_for(folder: &Path, line: &str, what: &'static str) -> Result<(), CgroupError> {
    let path = folder.join("cgroup.events");
    let deadline = Instant::now() + Duration::from_millis(SETTLE_MS_MAX);
    let failed = |source| CgroupError::File { path: path.clone(), source };
    loop {
        let mut file = File::open(&path).map_err(failed)?;
        let mut text = String::new();
        io::Read::read_to_string(&mut file, &mut text).map_err(failed)?;
        if text.lines().any(|at| at == line) {
            return Ok(());
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(CgroupError::Late { path: folder.to_owned(), what });
        }
        let timeout =
            rustix::event::Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() };
        match poll(&mut [PollFd::new(&file, PollFlags::PRI)], Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(failed(error.into())),
        }
    }
}

/// The number behind a name in a file of `name number` lines.
fn field(text: &str, name: &str) -> u64 {
    text.lines()
        .filter_map(|line| line.split_once(' '))
        .find(|(key, _)| *key == name)
        .and_then(|(_, value)| value.trim().parse().ok())
        .unwrap_or(0)
}

/// `avg10` of a pressure file's first line, in hundredths.
fn average(text: &str) -> u32 {
    text.split_whitespace()
        .find_map(|word| word.strip_prefix("avg10="))
        .and_then(|value| value.replace('.', "").parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests;
