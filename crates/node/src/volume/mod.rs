//! The volume wall: btrfs subvolumes in a pool, everything of a solution under one limit.
//!
//! ```text
//! <pool>/solutions/<number>/            holder, passable for the edge
//!                     live/             what the solution has now; its folders belong to the solution's uid, its top to root
//!                     live/marks/       what tasks have left; travels with snapshots
//!                     trial/            a copy of live on which something is tried, outside the group, while that goes on
//!                     snap/<id>         read-only snapshots, each with <id>.json beside it
//!                     store/            what was kept of its log: no part of snapshots, see `store.rs`
//!                     retained          while the live part is gone: which snapshot brings it back
//! <pool>/runtimes|templates|apps/       see [`crate::runtime`]
//! ```
//!
//! States of a volume, and who moves it:
//!
//! ```text
//! absent --create, clone--> live --retain--> retained --destroy--> absent
//!                            ^  ^---restore---|  |
//!                            '-----revive--------'
//! ```
//!
//! Invariants: `live` and every snapshot are members of the quota group 1/`number`. The holder is not: a full group refuses
//! renames and new files, and the platform must be able to restore and delete in a full volume. Root touches only
//! the levels drawn above, never a path that a customer can change. Everything is built under a name that starts with a dot, or as
//! `live.new` or `trial.new`, and renamed; what a crash leaves under such names goes when the pool is opened.

mod bound;
pub(crate) mod btrfs;
mod carrier;
mod copies;
mod error;
mod filling;
mod health;
mod loopdev;
mod owner;
mod pool;
mod snapshot;
mod store;
mod trial;
#[allow(clippy::module_inception, reason = "the wall and the one thing on it share the name")]
mod volume;

pub use bound::Bound;
pub use error::VolumeError;
pub use filling::Filling;
pub use health::{PoolHealth, Scrub};
pub use pool::{Leftovers, Pool, PoolConfig, QuotaMode, QuotaWish, Source, leftovers};
pub use snapshot::{SnapshotInfo, Why};
pub use store::Line;
pub use volume::{Usage, Volume};

pub(crate) use error::run;
pub(crate) use pool::destroy_subvolume;
pub(crate) use volume::{open_folder, send};

#[cfg(test)]
pub(crate) mod tests;
