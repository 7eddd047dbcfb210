//! Where one installation stands on a machine: its name, its folders and the gid of its edge.

use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// One installation's place on a machine. Several may stand side by side (a demo and a test): every name that the kernel
/// sees (cgroup, network namespace, interface) carries the instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ground {
    /// Name of the installation, 1 to 8 of a–z and 0–9, such as `demo`.
    pub instance: String,
    /// What stays: pools, registers, caches of this installation, such as `/var/lib/husorden/demo`.
    pub home: PathBuf,
    /// What goes with the machine's next boot: sockets, bundles, mount points, such as `/run/husorden/demo`. On a tmpfs.
    pub run: PathBuf,
    /// Built runtimes and apps as streams, shared by all installations of a machine, such as `/var/cache/husorden`.
    pub cache: PathBuf,
    /// The catalogues: a folder that holds `runtimes/` and `apps/`.
    pub catalogue: PathBuf,
    /// Group of the edge, which may pass through to what it serves.
    pub edge_gid: u32,
}

impl Ground {
    /// Where the pool with this name is mounted.
    #[must_use]
    pub fn pool(&self, name: &str) -> PathBuf {
        self.run.join("pools").join(name)
    }

    /// Where the sockets of a solution's services lie.
    #[must_use]
    pub fn sockets(&self, number: husorden_base::Number) -> PathBuf {
        self.run.join("s").join(number.to_string())
    }

    /// The cgroup of everything this installation runs in sandboxes, relative to each controller's root.
    #[must_use]
    pub fn cgroup(&self) -> PathBuf {
        Path::new("husorden").join(&self.instance)
    }

    /// Name of the network namespace of a solution's port.
    #[must_use]
    pub fn netns(&self, number: husorden_base::Number) -> String {
        format!("hus-{}-{number}", self.instance)
    }

    /// Name of the network namespace of a private network.
    #[must_use]
    pub fn network(&self, number: husorden_kinds::NetworkNumber) -> String {
        format!("hus-{}-net-{number}", self.instance)
    }
}
