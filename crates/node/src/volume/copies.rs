//! What backups need of a volume: the folders at the top of a snapshot.

use super::{Volume, VolumeError};
use crate::volume::volume::{MARKS, fine_name};
use husorden_base::SnapshotId;
use rustix::fs::{Dir, FileType};
use std::path::PathBuf;

impl Volume {
    /// Where a snapshot lies, and the folders at its top that are the solution's own. The platform's marks are none.
    ///
    /// # Errors
    /// When there is no such snapshot.
    pub(crate) fn snapshot_folders(&self, id: &SnapshotId) -> Result<(PathBuf, Vec<String>), VolumeError> {
        let open = self.open_snapshot(id)?;
        let doing = || format!("listing snapshot {id} of solution {}", self.number());
        let list = || -> std::io::Result<Vec<String>> {
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
}
