//! Snapshots of a volume, and what is kept beside each.

use super::pool::destroy_subvolume;
use super::volume::{LIVE, SNAP, open_folder, remove_file, write_whole};
use super::{Volume, VolumeError, btrfs};
use crate::segment::window::Point;
use husorden_base::SnapshotId;
use husorden_kinds::Consistent;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io;
use std::path::PathBuf;

/// Why a snapshot was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "kebab-case")]
pub enum Why {
    /// A customer asked for it.
    Customer,
    /// By the platform, before it did something that may lose data; undo brings this one back. One on a schedule is noted here too, so that an
    /// older build of the node, which refuses words that it does not know, reads the note.
    Before {
        /// What, such as `restore`; or `schedule`.
        what: String,
    },
    /// By the platform, so that the log can be carried out again from it.
    Base,
    /// By the platform, for a backup to be made of it, where it stays until the next one, which reads what has changed since; or for a package.
    Backup,
    /// By the platform, when the solution was deleted: kept for the retention time.
    Retained,
}

/// A snapshot of a volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SnapshotInfo {
    /// Which.
    pub id: SnapshotId,
    /// When.
    pub taken_at: Timestamp,
    /// Why.
    pub why: Why,
    /// What its maker called it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Fields of the spec as they were with this data, where the wish was ahead of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spec: Option<serde_json::Value>,
    /// Where its log stood; none where none is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub point: Option<Point>,
    /// What it is worth, where something ran that could have been asked to hold still.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consistent: Option<Consistent>,
}

impl Volume {
    /// Takes a snapshot of the live part. Calling it again with the same id gives the first one.
    ///
    /// # Errors
    /// When there is no live part.
    pub fn snapshot(&self, id: &SnapshotId, why: Why, label: Option<String>) -> Result<SnapshotInfo, VolumeError> {
        self.snapshot_with(id, why, label, None)
    }

    /// As [`Volume::snapshot`], with fields of the spec that belong to this data.
    ///
    /// # Errors
    /// As [`Volume::snapshot`].
    pub fn snapshot_with(
        &self,
        id: &SnapshotId,
        why: Why,
        label: Option<String>,
        spec: Option<serde_json::Value>,
    ) -> Result<SnapshotInfo, VolumeError> {
        if let Some(info) = self.snapshot_info(id)? {
            return Ok(info);
        }
        self.must_live()?;
        let doing = || format!("taking snapshot {id} of solution {}", self.number);
        // Before the snapshot: a piece that is kept meanwhile is carried out once more, and none is missing.
        let point = self.point()?;
        let info = SnapshotInfo { id: *id, taken_at: Timestamp::now(), why, label, spec, point, consistent: None };
        // The note comes first: the snapshot's own commit then carries both to the device, and a note alone is nothing.
        self.write_note(&info)
            .and_then(|()| {
                btrfs::snapshot(
                    open_folder(&self.holder.join(SNAP))?,
                    &id.to_string(),
                    open_folder(&self.holder.join(LIVE))?,
                    true,
                    self.group(),
                )
            })
            .map_err(VolumeError::io(doing()))?;
        self.pool.mend_groups();
        Ok(info)
    }

    /// Notes of a snapshot what it turned out to be worth. A note that is lost on the way to the disk leaves the one before it.
    ///
    /// # Errors
    /// When there is no such snapshot.
    pub fn snapshot_is(&self, id: &SnapshotId, consistent: Consistent) -> Result<SnapshotInfo, VolumeError> {
        let info = self.snapshot_info(id)?.ok_or(VolumeError::NoSnapshot(self.number, *id))?;
        let info = SnapshotInfo { consistent: Some(consistent), ..info };
        self.write_note(&info).map_err(VolumeError::io(format!("noting snapshot {id} of solution {}", self.number)))?;
        Ok(info)
    }

    /// All snapshots, the oldest first.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn snapshots(&self) -> Result<Vec<SnapshotInfo>, VolumeError> {
        let mut found = Vec::new();
        for name in self.snap_entries()? {
            if let Some(id) = name.strip_suffix(".json").and_then(|id| id.parse().ok())
                && let Some(info) = self.snapshot_info(&id)?
            {
                found.push(info);
            }
        }
        found.sort_by_key(|info| (info.taken_at, info.id));
        Ok(found)
    }

    /// Deletes a snapshot; one that is gone is fine. The kernel frees its space in the background.
    ///
    /// # Errors
    /// When it is what brings a retained volume back.
    pub fn snapshot_delete(&self, id: &SnapshotId) -> Result<(), VolumeError> {
        if self.retained()?.as_ref() == Some(id) && !self.there(LIVE)? {
            return Err(VolumeError::Strange(format!("snapshot {id} is all that is left of solution {}", self.number)));
        }
        destroy_subvolume(&self.pool.top(), &self.snapshot_path(id))?;
        remove_file(&self.note(id)).map_err(VolumeError::io(format!("deleting snapshot {id}")))
    }

    /// A folder of a snapshot, to bind into sandboxes.
    #[must_use]
    pub(crate) fn snapshot_folder(&self, id: &SnapshotId, name: &str) -> PathBuf {
        self.snapshot_path(id).join(name)
    }

    pub(super) fn snapshot_path(&self, id: &SnapshotId) -> PathBuf {
        self.holder.join(SNAP).join(id.to_string())
    }

    fn write_note(&self, info: &SnapshotInfo) -> io::Result<()> {
        let text = serde_json::to_vec(info).expect("plain data has a JSON form");
        write_whole(&self.holder.join(SNAP).join(format!(".{}.json", info.id)), &self.note(&info.id), &text)
    }

    fn note(&self, id: &SnapshotId) -> PathBuf {
        self.holder.join(SNAP).join(format!("{id}.json"))
    }

    pub(super) fn open_snapshot(&self, id: &SnapshotId) -> Result<File, VolumeError> {
        match self.snapshot_info(id)? {
            None => Err(VolumeError::NoSnapshot(self.number, *id)),
            Some(_) => open_folder(&self.snapshot_path(id)).map_err(VolumeError::io(format!("opening snapshot {id}"))),
        }
    }

    /// The note of a snapshot that is whole; a note without its snapshot is none.
    pub(crate) fn snapshot_info(&self, id: &SnapshotId) -> Result<Option<SnapshotInfo>, VolumeError> {
        if !self.there(&format!("{SNAP}/{id}"))? {
            return Ok(None);
        }
        let doing = || format!("reading the note of snapshot {id}");
        match fs::read(self.note(id)) {
            Ok(text) => serde_json::from_slice(&text).map(Some).map_err(|error| VolumeError::io(doing())(error.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(VolumeError::io(doing())(error)),
        }
    }

    pub(super) fn snap_entries(&self) -> Result<Vec<String>, VolumeError> {
        let path = self.holder.join(SNAP);
        match fs::read_dir(&path) {
            Ok(entries) => entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
        .map_err(VolumeError::io(format!("listing {}", path.display())))
    }
}
