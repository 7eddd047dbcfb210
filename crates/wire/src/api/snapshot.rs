//! Snapshots on a schedule.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What `before` says of a snapshot that was taken on its schedule.
pub const SCHEDULED: &str = "schedule";
/// Most snapshots on schedule that are kept of a solution.
pub const SNAPSHOTS_KEPT_MAX: u8 = 14;

/// How often a snapshot is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SnapshotEvery {
    /// Not at all.
    #[default]
    Off,
    /// Once an hour.
    Hourly,
    /// Once a day.
    Daily,
    /// Once a week.
    Weekly,
}

impl SnapshotEvery {
    /// Every one, the seldomest first.
    pub const ALL: [Self; 4] = [Self::Off, Self::Weekly, Self::Daily, Self::Hourly];

    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Hourly => "hourly",
            Self::Daily => "daily",
            Self::Weekly => "weekly",
        }
    }
}

/// When snapshots of a solution are taken by themselves, and how many are kept. Who holds its ETag changes it with `If-Match`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SnapshotSchedule {
    /// How often.
    pub every: SnapshotEvery,
    /// Hour of the day in which it is taken, 0 to 23, in `zone`; when within it follows from the solution, so that a machine's load is even. Of
    /// no account for hourly ones.
    pub hour: u8,
    /// Day of the week of a weekly one, such as `sunday`.
    pub day: String,
    /// The time zone, such as `Europe/Copenhagen`.
    pub zone: String,
    /// How many are kept, 1 to 14. Those beyond go by themselves, the oldest first; no others do.
    pub keep: u8,
    /// When the next one is taken; none while it is off, or the solution is not wished to run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub next: Option<Timestamp>,
    /// Since when none could be taken; tried again at each time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub missed: Option<Timestamp>,
    /// Why not, in the reader's language.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// A schedule as it shall be (`PUT`); what is left out stays as it is. Errors: `field` at `/every`, `/hour`, `/day`, `/zone`, `/keep`;
/// `changed-meanwhile` (412), `is-deleted` (409).
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SnapshotScheduleChange {
    /// How often.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<SnapshotEvery>,
    /// Hour of the day, 0 to 23.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hour: Option<u8>,
    /// Day of the week, such as `sunday`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day: Option<String>,
    /// The time zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// How many are kept, 1 to 14.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<u8>,
}
