//! What backups need of a volume: the folders at the top of a snapshot, and room for what comes back.
//!
//! The top of a volume and its marks are the platform's; what lies in its folders is the solution's. So a backup has the folders, and the marks as a note.

use super::volume::{LIVE, LIVE_NEW, MARKS, RESTORED, SNAP, fine_mark, fine_name, write_whole};
use super::{Bound, Volume, VolumeError, destroy_subvolume, open_folder, owner};
use husorden_base::{Number, SnapshotId};
use rustix::fs::{Dir, FileType};
use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

/// Folders at the top of a volume at most.
const FOLDERS_MAX: usize = 64;

impl Volume {
    /// Where a snapshot lies, and the folders at its top that are the solution's own. The platform's marks are none.
    ///
    /// # Errors
    /// When there is no such snapshot.
    pub(crate) fn snapshot_folders(&self, id: &SnapshotId) -> Result<(PathBuf, Vec<String>), VolumeError> {
        let open = self.open_snapshot(id)?;
        let doing = || format!("listing snapshot {id} of solution {}", self.number());
        let list = || -> io::Result<Vec<String>> {
            let mut names = Vec::new();
            for entry in Dir::read_from(&open)? {
                let entry = entry?;
                let Ok(name) = entry.file_name().to_str() else { continue };
                if entry.file_type() == FileType::Directory && name != MARKS && fine_name(name, 32) {
                    names.push(name.to_owned());
                }
            }
            names.sort();
            Ok(names)
        };
        Ok((self.snapshot_path(id), list().map_err(VolumeError::io(doing()))?))
    }

    /// What tasks had left when a snapshot was taken.
    ///
    /// # Errors
    /// When there is no such snapshot.
    pub(crate) fn snapshot_marks(&self, id: &SnapshotId) -> Result<BTreeMap<String, String>, VolumeError> {
        self.open_snapshot(id)?;
        self.marks_of(&format!("{SNAP}/{id}"))
    }

    /// Makes what is to take the place of the live part, with these folders, and says where it lies. What is put into them counts as the
    /// solution's.
    ///
    /// # Errors
    /// When there is no live part, or a name is none for a folder.
    pub(crate) fn coming_make(&self, folders: &[String]) -> Result<PathBuf, VolumeError> {
        self.must_live()?;
        fine_folders(folders)?;
        let doing = || format!("making room for what comes back to solution {}", self.number);
        self.coming_drop()?;
        self.furnish(&self.holder, LIVE_NEW, folders, self.number).map_err(VolumeError::io(doing()))?;
        Ok(self.holder.join(LIVE_NEW))
    }

    /// Takes that away again.
    ///
    /// # Errors
    /// When the kernel refuses; the next restore and the next node try it again.
    pub(crate) fn coming_drop(&self) -> Result<(), VolumeError> {
        destroy_subvolume(&self.pool.top(), &self.holder.join(LIVE_NEW))
    }

    /// Puts it in the place of the live part, with these marks. Whoever calls this has taken the snapshot `before`, and stopped what runs.
    ///
    /// # Errors
    /// When it is not there.
    pub(crate) fn coming_take(&self, before: &SnapshotId, marks: &BTreeMap<String, String>) -> Result<(), VolumeError> {
        self.must_live()?;
        for (key, value) in marks {
            self.write_mark(LIVE_NEW, key, value)?;
        }
        self.take_place(before)
    }

    /// Whether the live part was put in its place after this snapshot was taken.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn was_restored(&self, before: &SnapshotId) -> Result<bool, VolumeError> {
        Ok(self.marks()?.get(RESTORED) == Some(&before.to_string()))
    }

    /// Makes the volume with these folders and has them filled, all of it or nothing. They belong to `owner` while they are filled, and to this
    /// solution when it is made. What fills says which marks it then has.
    ///
    /// # Errors
    /// As [`Volume::create`], and when it is not filled.
    pub(crate) fn create_filled(
        &self,
        bound: Bound,
        folders: &[String],
        owner: Number,
        fill: &mut dyn FnMut(&Path) -> io::Result<()>,
        marks: &BTreeMap<String, String>,
    ) -> Result<(), VolumeError> {
        fine_folders(folders)?;
        self.build(bound, |holder| {
            let live = holder.join(LIVE);
            self.furnish(holder, LIVE, folders, owner)?;
            fill(&live)?;
            if owner != self.number {
                owner::give(open_folder(&live)?.as_fd(), owner, self.number)?;
            }
            let folder = live.join(MARKS);
            marks.iter().filter(|(key, _)| fine_mark(key)).try_for_each(|(key, value)| {
                write_whole(&folder.join(format!(".{key}")), &folder.join(key), value.as_bytes())
            })
        })
    }
}

/// Names of folders that came from elsewhere.
fn fine_folders(folders: &[String]) -> Result<(), VolumeError> {
    match folders.iter().find(|name| !fine_name(name, 32) || name.as_str() == MARKS) {
        None if folders.len() <= FOLDERS_MAX => Ok(()),
        None => Err(VolumeError::Strange(format!("{} folders are too many for a volume", folders.len()))),
        Some(name) => Err(VolumeError::Strange(format!("{name:?} is no name for a folder of a volume"))),
    }
}
