//! Updates: what a solution runs on, what newer there is, and what came of moving to it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// What a solution runs on, and how it is updated.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Updates {
    /// When it may be updated by itself.
    pub window: UpdateWindow,
    /// The runtime that is being updated now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub under_way: Option<String>,
    /// What it runs on.
    pub runs: Vec<RunsOn>,
    /// Updates that ended, newest first.
    pub past: Vec<UpdateEnded>,
}

/// The maintenance window, as its spec says it, and where that says nothing, as it follows from the solution's number.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct UpdateWindow {
    /// The time of day it opens, such as `02:30`.
    pub start: String,
    /// The time zone that is meant.
    pub zone: String,
    /// Whether it is open now.
    pub open: bool,
    /// When the one that is open, or else the next, began or begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub opens: Option<Timestamp>,
    /// When that closes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub closes: Option<Timestamp>,
}

/// A runtime that a solution runs on.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RunsOn {
    /// Its name, such as `php-8.4`.
    pub runtime: String,
    /// The build.
    pub build: String,
    /// Since when.
    #[schema(value_type = String)]
    pub since: Timestamp,
    /// Versions of what matters in it: package → version.
    pub packages: BTreeMap<String, String>,
    /// A newer build, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newer: Option<NewerBuild>,
    /// The build that was tried and did not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<BuildRefused>,
}

/// A newer build of a runtime.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct NewerBuild {
    /// Its id.
    pub build: String,
    /// When it was built.
    #[schema(value_type = String)]
    pub built: Timestamp,
    /// What is other in it: package → version.
    pub packages: BTreeMap<String, String>,
}

/// A build that did not hold. It is not tried again until a newer one is there.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct BuildRefused {
    /// Its id.
    pub build: String,
    /// When it was tried.
    #[schema(value_type = String)]
    pub at: Timestamp,
    /// The last words of what failed.
    pub reason: String,
}

/// An update that ended.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct UpdateEnded {
    /// Of which runtime.
    pub runtime: String,
    /// From which build.
    pub from: String,
    /// To which.
    pub to: String,
    /// When.
    #[schema(value_type = String)]
    pub at: Timestamp,
    /// Whether it held; else it was rolled back.
    pub held: bool,
    /// Why it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether the data was brought back to the snapshot.
    #[serde(default)]
    pub restored: bool,
    /// The snapshot that was taken first; of all updates the newest one's is kept.
    pub snapshot: String,
}
