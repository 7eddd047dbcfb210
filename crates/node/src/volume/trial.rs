//! The copy of the live part on which something is tried while the live part serves. There is one at most, and it goes when it has
//! served its purpose. What is written on it counts against a bound of its own: as much as the live part has room for, so that what does
//! not fit there is found out here, and never less for what serves.

use super::volume::{open_folder, write_whole};
use super::{QuotaMode, Volume, VolumeError, btrfs, pool::destroy_subvolume};
use husorden_base::Bytes;
use husorden_kinds::TRIAL_OF;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

const TRIAL: &str = "trial";
const TRIAL_NEW: &str = "trial.new";
/// What a copy may hold at least: marks and logs of who finds that there is no room.
const ROOM_MIN: Bytes = Bytes::mib(16);

impl Volume {
    /// A folder of the copy, to bind into sandboxes.
    #[must_use]
    pub fn trial_folder(&self, name: &str) -> PathBuf {
        self.holder.join(TRIAL).join(name)
    }

    /// The marks of the copy, if there is one.
    ///
    /// # Errors
    /// When it cannot be seen.
    pub fn trial(&self) -> Result<Option<BTreeMap<String, String>>, VolumeError> {
        if self.there(TRIAL)? { self.marks_of(TRIAL).map(Some) } else { Ok(None) }
    }

    /// Makes the copy from the live part, in place of any that is there. Nothing may run on that one.
    ///
    /// # Errors
    /// When there is no live part, or the pool is full.
    pub fn trial_make(&self, of: &str) -> Result<(), VolumeError> {
        let doing = || format!("copying solution {} to try something", self.number);
        self.must_live()?;
        self.pool.admit()?;
        let bound = self.bound()?;
        let room = bound.limit.0.saturating_sub(self.used()?.0).max(ROOM_MIN.0);
        for name in [TRIAL, TRIAL_NEW] {
            destroy_subvolume(&self.pool.top(), &self.holder.join(name))?;
        }
        let fresh = self.holder.join(TRIAL_NEW);
        let made = (|| {
            let live = open_folder(&self.folder(""))?;
            btrfs::snapshot(open_folder(&self.holder)?, TRIAL_NEW, live, false, None)?;
            if self.pool.quota_mode() == QuotaMode::Simple {
                btrfs::group_limit(self.pool.top(), btrfs::subvol_id(open_folder(&fresh)?)?, room)?;
            }
            write_whole(&fresh.join("marks/.of"), &fresh.join("marks").join(TRIAL_OF), of.as_bytes())?;
            std::fs::rename(&fresh, self.holder.join(TRIAL))?;
            open_folder(&self.holder)?.sync_all()
        })();
        made.map_err(|error: io::Error| VolumeError::io(doing())(error))
    }

    /// Leaves a mark on the copy.
    ///
    /// # Errors
    /// When there is none.
    pub fn trial_mark(&self, key: &str, value: &str) -> Result<(), VolumeError> {
        let folder = self.holder.join(TRIAL).join("marks");
        write_whole(&folder.join(format!(".{key}")), &folder.join(key), value.as_bytes())
            .map_err(VolumeError::io(format!("leaving the mark {key} on a copy of solution {}", self.number)))
    }

    /// Destroys the copy; gone is fine.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn trial_drop(&self) -> Result<(), VolumeError> {
        for name in [TRIAL, TRIAL_NEW] {
            destroy_subvolume(&self.pool.top(), &self.holder.join(name))?;
        }
        Ok(())
    }

    /// Takes away a copy that a death left half made.
    pub(super) fn sweep_trial(&self) -> Result<(), VolumeError> {
        destroy_subvolume(&self.pool.top(), &self.holder.join(TRIAL_NEW))
    }
}
