//! The imported list, kept open, and opened anew when another took its place.

use crate::leaked::{FILE_NAME, Leaked, LeakedError, chain};
use jiff::Timestamp;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

/// The list of one folder.
#[derive(Debug)]
pub(crate) struct List {
    folder: Option<PathBuf>,
    open: RwLock<Open>,
}

/// What was found when the folder was last looked at, and the list that is used.
#[derive(Debug, Default)]
struct Open {
    seen: Option<Identity>,
    leaked: Option<Arc<Leaked>>,
    trouble: Option<String>,
}

/// What tells one file from the one that took its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
    changed: (i64, i64),
    bytes: u64,
}

/// How the imported list stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListState {
    /// Passwords in the list that is used; none was imported where it is empty.
    pub passwords: Option<u64>,
    /// When that list was imported.
    pub imported: Option<Timestamp>,
    /// Why the file in the folder is not used.
    pub trouble: Option<String>,
}

impl List {
    pub(crate) fn new(folder: Option<PathBuf>) -> Self {
        Self { folder, open: RwLock::default() }
    }

    pub(crate) fn contains(&self, password: &str) -> Result<bool, LeakedError> {
        self.leaked().map_or(Ok(false), |leaked| leaked.contains(password))
    }

    pub(crate) fn state(&self) -> ListState {
        let leaked = self.leaked();
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        ListState {
            passwords: leaked.as_ref().map(|leaked| leaked.count()),
            imported: leaked.as_ref().map(|leaked| leaked.imported()),
            trouble: open.trouble.clone(),
        }
    }

    /// The list to use now. One look at the file's metadata tells whether it is still the same; a choice of password costs
    /// a thousand times more anyway.
    fn leaked(&self) -> Option<Arc<Leaked>> {
        let folder = self.folder.as_ref()?;
        let seen = std::fs::metadata(folder.join(FILE_NAME)).ok().map(|metadata| Identity::of(&metadata));
        {
            let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
            // A list that vanished is used on: nobody imports nothing.
            if seen.is_none() || open.seen == seen {
                return open.leaked.clone();
            }
        }
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        if open.seen != seen {
            match Leaked::open(folder) {
                Ok(leaked) => {
                    tracing::info!(passwords = leaked.count(), "list of leaked passwords opened");
                    open.leaked = Some(Arc::new(leaked));
                    open.trouble = None;
                }
                // The list before stays in use, and the small one always is.
                Err(error) => {
                    let text = chain(&error);
                    tracing::error!(error = text, "the list of leaked passwords can't be used");
                    open.trouble = Some(text);
                }
            }
            open.seen = seen;
        }
        open.leaked.clone()
    }
}

impl Identity {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            changed: (metadata.mtime(), metadata.mtime_nsec()),
            bytes: metadata.len(),
        }
    }
}
