//! The most that a volume may hold: what was wished, and what the kernel holds it to.

use super::volume::write_whole;
use super::{Filling, Volume, VolumeError, btrfs};
use husorden_base::Bytes;
use std::fs;

/// The file of a volume that says what was wished.
pub(super) const BOUND: &str = "limit";

/// The most that a volume may hold, as wished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// What live part and snapshots together are to hold at most.
    pub limit: Bytes,
    /// Room beyond it that the kernel gives, and nobody is to count on. With a reserve the kernel's own limit never comes below what is
    /// held: whoever writes a log that may not fail has the reserve before it.
    pub reserve: Bytes,
}

impl From<Bytes> for Bound {
    fn from(limit: Bytes) -> Self {
        Self { limit, reserve: Bytes(0) }
    }
}

impl Volume {
    /// Changes the limit; it may be below what is held, and then nothing can be written until enough is deleted.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn set_limit(&self, bound: impl Into<Bound>) -> Result<(), VolumeError> {
        let bound = bound.into();
        self.set_store_room(bound.limit)?;
        self.set_wall(bound.wall(self.taken()?))?;
        write_whole(&self.holder.join(".limit"), &self.holder.join(BOUND), bound.text().as_bytes())
            .map_err(VolumeError::io(format!("setting the limit of solution {}", self.number)))
    }

    /// What it may hold as wished, unless the kernel holds it to something else: then that, so that a pass puts it right.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn bound(&self) -> Result<Bound, VolumeError> {
        let path = self.holder.join(BOUND);
        let text = fs::read_to_string(&path).map_err(VolumeError::io(format!("reading {}", path.display())))?;
        let bound = Bound::parse(&text)
            .ok_or_else(|| VolumeError::Strange(format!("{} says {text:?}, and that is no limit", path.display())))?;
        let wall = self.wall()?;
        let due = bound.wall(Bytes(0));
        let beyond = bound.reserve.0 > 0 && wall > due && self.taken()? > bound.limit;
        Ok(if self.group().is_none() || wall == due || beyond { bound } else { Bound::from(wall) })
    }

    /// What the kernel lets it hold.
    pub(super) fn wall(&self) -> Result<Bytes, VolumeError> {
        match self.group() {
            Some(_) => self.group_number("max_referenced"),
            None => Ok(Bytes(u64::MAX)),
        }
    }

    pub(super) fn set_wall(&self, wall: Bytes) -> Result<(), VolumeError> {
        if self.group().is_none() {
            return Ok(());
        }
        btrfs::group_limit(self.pool.top(), btrfs::level1(self.number.get()), wall.0)
            .map_err(VolumeError::io(format!("setting the limit of solution {}", self.number)))
    }

    /// What the kernel has given out: what is held, and what is written and has not yet reached the disk.
    pub(super) fn taken(&self) -> Result<Bytes, VolumeError> {
        let used = self.used()?;
        if self.group().is_none() {
            return Ok(used);
        }
        let reserved = ["rsv_data", "rsv_meta_pertrans", "rsv_meta_prealloc"];
        Ok(Bytes(used.0 + reserved.iter().filter_map(|name| Some(self.group_number(name).ok()?.0)).sum::<u64>()))
    }

    /// How full it is, given how full it was; some small reads.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn filling(&self) -> Result<Filling, VolumeError> {
        let bound = self.bound()?;
        Ok(Filling { taken: self.taken()?, bound, wall: self.wall()? })
    }
}
