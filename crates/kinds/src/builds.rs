//! Builds: which build of each runtime a solution runs on, and what came of moving to a newer one. The node's register keeps it; a plan
//! changes it by a [`Move`], and what comes of a move is said here, once, for the register and for the tests.
//!
//! ```text
//!   (none) --Begin--> Begun --Switch--> Trying --Proved--> (none), held
//!                                         |
//!                                         '--Failed--> Leaving --SwitchBack--> Back --Proved--> (none), refused
//!                                                                               | ^
//!                                                                         Failed| |Restored
//!                                                                               v |
//!                                                                             Spoiled
//! ```
//!
//! A build that was refused is not tried again by the same solution until a newer one is there.

use husorden_base::{RuntimeName, SnapshotId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Updates that are remembered of one solution.
const PAST_MAX: usize = 20;
/// Characters of a reason that are kept.
const REASON_CHARS_MAX: usize = 1_000;

/// What one solution runs on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Builds {
    /// The build of each runtime that its services run on.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub pins: BTreeMap<RuntimeName, Pin>,
    /// Builds that did not hold.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub refused: BTreeMap<RuntimeName, Refused>,
    /// The update under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update: Option<Update>,
    /// Somebody has asked for what is newest, whatever the time.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub asked: bool,
    /// Updates that ended, the newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub past: Vec<Past>,
}

/// The build of a runtime that a solution runs on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// The build.
    pub build: String,
    /// Since when.
    pub since: Timestamp,
    /// It came by an update whose probe held; a build that a solution began with was never compared with another.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub proved: bool,
}

/// A build that did not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// The build.
    pub build: String,
    /// When.
    pub at: Timestamp,
    /// Why: the last words of what failed.
    pub reason: String,
}

/// An update under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Update {
    /// Its id, and that of the snapshot which is taken first.
    pub id: SnapshotId,
    /// Of which runtime.
    pub runtime: RuntimeName,
    /// From which build.
    pub from: String,
    /// To which.
    pub to: String,
    /// Since when.
    pub began: Timestamp,
    /// How far it is.
    pub stage: Stage,
}

/// How far an update is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Stage {
    /// The old build serves still; what runs comes to rest, and a snapshot is taken.
    Begun,
    /// The new build serves and is being probed.
    Trying,
    /// The probe failed; what runs comes to rest.
    Leaving {
        /// Why it failed.
        reason: String,
    },
    /// The old build serves again and is being probed.
    Back {
        /// Why the new one failed.
        reason: String,
        /// The data was brought back to the snapshot.
        restored: bool,
    },
    /// The old build does not hold on the data as it is; what runs comes to rest.
    Spoiled {
        /// Why the new one failed.
        reason: String,
    },
}

/// An update that ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Past {
    /// Its id, and that of its snapshot.
    pub id: SnapshotId,
    /// Of which runtime.
    pub runtime: RuntimeName,
    /// From which build.
    pub from: String,
    /// To which.
    pub to: String,
    /// When it ended.
    pub at: Timestamp,
    /// How.
    pub end: End,
}

/// How an update ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum End {
    /// The new build serves.
    Held,
    /// The old one serves again.
    RolledBack {
        /// Why.
        reason: String,
        /// The data was brought back to the snapshot, for the old build did not open it any more.
        restored: bool,
        /// The old build held when it was probed.
        serves: bool,
    },
}

/// A change of what a solution runs on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "move", rename_all = "kebab-case")]
pub enum Move {
    /// These builds are what its services run on from now on.
    Pin {
        /// By runtime.
        builds: BTreeMap<RuntimeName, String>,
    },
    /// No service of it runs on these runtimes any more.
    Leave {
        /// Which.
        runtimes: BTreeSet<RuntimeName>,
    },
    /// An update begins.
    Begin {
        /// Of which runtime.
        runtime: RuntimeName,
        /// To which build.
        to: String,
    },
    /// It runs on the new build from now on.
    Switch,
    /// The probe held.
    Proved,
    /// The probe failed.
    Failed {
        /// Why.
        reason: String,
    },
    /// It runs on the old build again.
    SwitchBack,
    /// The data is as it was in the snapshot.
    Restored,
    /// Nothing is left of what somebody asked for.
    Answered,
}

impl Builds {
    /// The build that a service on this runtime is to run on.
    #[must_use]
    pub fn pinned(&self, runtime: &RuntimeName) -> Option<&str> {
        self.pins.get(runtime).map(|pin| pin.build.as_str())
    }

    /// What it is after a move. A move that fits no stage, said twice around a crash, changes nothing.
    pub fn make(&mut self, step: &Move, at: Timestamp, id: SnapshotId) {
        match step {
            Move::Pin { builds } => {
                for (runtime, build) in builds {
                    let pin = Pin { build: build.clone(), since: at, proved: false };
                    self.pins.insert(runtime.clone(), pin);
                }
            }
            Move::Leave { runtimes } => {
                self.pins.retain(|name, _| !runtimes.contains(name));
                self.refused.retain(|name, _| !runtimes.contains(name));
            }
            Move::Begin { runtime, to } => {
                if let (None, Some(from)) = (&self.update, self.pinned(runtime).map(str::to_owned)) {
                    let (runtime, to) = (runtime.clone(), to.clone());
                    self.update = Some(Update { id, runtime, from, to, began: at, stage: Stage::Begun });
                }
            }
            Move::Answered => self.asked = false,
            Move::Switch | Move::Proved | Move::Failed { .. } | Move::SwitchBack | Move::Restored => {
                if let Some(update) = self.update.take() {
                    self.go_on(update, step, at);
                }
            }
        }
    }

    fn go_on(&mut self, mut update: Update, step: &Move, at: Timestamp) {
        let stage = match (update.stage.clone(), step) {
            (Stage::Begun, Move::Switch) => {
                self.run_on(&update.runtime, &update.to, at);
                Stage::Trying
            }
            (Stage::Trying, Move::Proved) => {
                if let Some(pin) = self.pins.get_mut(&update.runtime) {
                    pin.proved = true;
                }
                self.refused.remove(&update.runtime);
                return self.end(update, at, End::Held);
            }
            (Stage::Trying, Move::Failed { reason }) => {
                Stage::Leaving { reason: reason.chars().take(REASON_CHARS_MAX).collect() }
            }
            (Stage::Leaving { reason }, Move::SwitchBack) => {
                self.run_on(&update.runtime, &update.from, at);
                Stage::Back { reason, restored: false }
            }
            (Stage::Back { reason, restored: false }, Move::Failed { .. }) => Stage::Spoiled { reason },
            (Stage::Spoiled { reason }, Move::Restored) => Stage::Back { reason, restored: true },
            (Stage::Back { reason, restored }, Move::Proved | Move::Failed { .. }) => {
                let refused = Refused { build: update.to.clone(), at, reason: reason.clone() };
                self.refused.insert(update.runtime.clone(), refused);
                return self.end(
                    update,
                    at,
                    End::RolledBack { reason, restored, serves: matches!(step, Move::Proved) },
                );
            }
            (stage, _) => stage,
        };
        update.stage = stage;
        self.update = Some(update);
    }

    fn run_on(&mut self, runtime: &RuntimeName, build: &str, since: Timestamp) {
        let pin = Pin { build: build.to_owned(), since, proved: false };
        self.pins.insert(runtime.clone(), pin);
    }

    fn end(&mut self, update: Update, at: Timestamp, end: End) {
        let Update { id, runtime, from, to, .. } = update;
        self.past.push(Past { id, runtime, from, to, at, end });
        let over = self.past.len().saturating_sub(PAST_MAX);
        self.past.drain(..over);
    }
}
