//! An operator's own folder of house rules: the one file of this crate that reads from the disk.

use crate::house::Rules;
use crate::load::{FILE_BYTES_MAX, Wrong, load, shipped};
use std::io::Read;
use std::path::Path;

/// Most files that a folder of rules may have.
const FILES_MAX: usize = 200;

/// Why the rules of a folder are not used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The folder or a file of it cannot be read.
    #[error("reading the house rules at {path}: {source}")]
    Io {
        /// Which.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// There are more files than clauses could need.
    #[error("the folder {0} has more than {FILES_MAX} files; is it the right one?")]
    Many(String),
    /// They do not hold.
    #[error("the house rules in {folder} do not hold:\n{}", lines(wrong))]
    Wrong {
        /// The folder.
        folder: String,
        /// Everything that is wrong.
        wrong: Vec<Wrong>,
    },
}

fn lines(wrong: &[Wrong]) -> String {
    wrong.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// The rules of a folder; with none, those that come with the product.
///
/// # Errors
/// When they cannot be read or do not hold; all that is wrong is told at once.
pub fn read(folder: Option<&Path>) -> Result<Rules, FolderError> {
    let Some(folder) = folder else { return Ok(shipped()) };
    let io = |path: &Path| {
        let path = path.display().to_string();
        move |source| FolderError::Io { path, source }
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io(folder))? {
        let path = entry.map_err(io(folder))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        if files.len() == FILES_MAX {
            return Err(FolderError::Many(folder.display().to_string()));
        }
        let mut text = String::new();
        std::fs::File::open(&path)
            .and_then(|file| file.take(FILE_BYTES_MAX as u64 + 1).read_to_string(&mut text))
            .map_err(io(&path))?;
        files.push((name, text));
    }
    load(&files).map_err(|wrong| FolderError::Wrong { folder: folder.display().to_string(), wrong })
}
