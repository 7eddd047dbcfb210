//! What a look at the machine showed of one solution. Absent, known and unknown are three things: what could not be seen
//! makes the whole look fail, so that nothing is planned on a guess.

use crate::builds::Builds;
use crate::sandbox::{Role, TaskName};
use crate::virtualisation::Virtualisation;
use husorden_base::{Bytes, RuntimeName};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// One solution as it stands on the walls.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sight {
    /// Its volume.
    pub volume: VolumeSight,
    /// Room beyond the volume's limit.
    #[serde(default)]
    pub reserve: Bytes,
    /// What tasks have left on the live volume; they travel with snapshots, so that a restored volume says truly what it holds.
    pub marks: BTreeMap<String, String>,
    /// Marks of the copy on which something is tried, if there is one.
    #[serde(default)]
    pub trial: Option<BTreeMap<String, String>>,
    /// Services that are set, running or not.
    pub services: BTreeMap<Role, ServiceSight>,
    /// Tasks that run, or ended without leaving their mark.
    pub tasks: BTreeMap<TaskName, TaskSight>,
    /// Digest of the port that is set.
    pub port: Option<String>,
    /// Digest of the route that the edge is given.
    pub route: Option<String>,
    /// Runtimes, templates and apps that were asked about: all in the catalogue.
    pub runtimes: BTreeMap<RuntimeName, RuntimeSight>,
    /// Images that are there, with the size of each one's disk.
    #[serde(default)]
    pub images: BTreeMap<RuntimeName, Bytes>,
    /// The finished builds of each runtime that has any, the newest first.
    #[serde(default)]
    pub shelf: BTreeMap<RuntimeName, Vec<String>>,
    /// What it runs on.
    #[serde(default)]
    pub builds: Builds,
    /// Runtimes whose newest build another solution is the first to try: nobody else moves to it by the clock until that held.
    #[serde(default)]
    pub waits: BTreeSet<RuntimeName>,
    /// Its services come to rest and start no more until they may; who connects waits.
    #[serde(default)]
    pub quiet: bool,
    /// What the machine's own virtualisation is worth.
    #[serde(default)]
    pub virtualisation: Virtualisation,
}

/// A volume.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VolumeSight {
    /// There is none.
    #[default]
    Absent,
    /// It is there.
    Live {
        /// The most that live part and snapshots together may hold.
        limit: Bytes,
    },
    /// The live part is gone; a snapshot of it is retained.
    Retained,
}

/// A service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceSight {
    /// Digest of the service as set; empty for one that stays, was dropped, and has not ended.
    pub digest: String,
    /// What it does.
    pub state: ServiceState,
    /// The runtime it is set on.
    pub runtime: RuntimeName,
    /// The build that it runs on, while it runs.
    pub build: Option<String>,
}

impl ServiceState {
    /// Whether it was told to end and has not yet.
    #[must_use]
    pub const fn is_ending(&self) -> bool {
        matches!(self, Self::Stopping | Self::Renewing)
    }
}

impl ServiceSight {
    /// Whether it was dropped and has not ended.
    #[must_use]
    pub fn leaves(&self) -> bool {
        self.digest.is_empty()
    }
}

/// What a service does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServiceState {
    /// Nothing runs; the node listens for it.
    Sleeping,
    /// Its sandbox runs.
    Running,
    /// It was told to end and has not yet.
    Stopping,
    /// It runs, or still starts, as it was set before, and ends: the next that connects starts it as it is set now.
    Renewing,
    /// It did not start, or died again and again; it is tried again after a pause.
    Failing {
        /// Last words of its standard error.
        reason: String,
    },
}

/// A task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskSight {
    /// Digest of the task.
    pub digest: String,
    /// None while it runs; else why it failed.
    pub failed: Option<String>,
}

/// A catalogue entry on this node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RuntimeSight {
    /// Not built and not asked for.
    Absent,
    /// Being built.
    Building,
    /// Built.
    Ready,
    /// The build failed; it is tried again after a pause.
    Failed {
        /// Why.
        reason: String,
    },
}
