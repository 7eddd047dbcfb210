//! What the target's own side can do that no node can: remove.

use crate::fault::Fault;
use crate::id::Id;
use crate::target::{Folder, Local, Place, S3, Target};
use std::fs;
use std::time::{Duration, SystemTime};

/// A place where a repository lies, with an account that may remove.
pub trait Side: Target {
    /// Removes an object; one that is not there is removed.
    ///
    /// # Errors
    /// When the place hinders it.
    fn remove(&self, place: Place) -> Result<(), Fault>;

    /// Removes what broke off longer ago than this: packs that no index names, and what never got its name. Says how many.
    ///
    /// # Errors
    /// When the place hinders it.
    fn tidy(&self, known: &dyn Fn(&Id) -> bool, older: Duration) -> Result<usize, Fault>;
}

impl Side for Local {
    fn remove(&self, place: Place) -> Result<(), Fault> {
        match fs::remove_file(self.file(place)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Fault::files(format!("removing {place}"))(error))
            }
            _ => Ok(()),
        }
    }

    fn tidy(&self, known: &dyn Fn(&Id) -> bool, older: Duration) -> Result<usize, Fault> {
        let orphans = self.list(Folder::Data)?.into_iter().filter(|listed| !known(&listed.id));
        let mut paths: Vec<_> = orphans.map(|listed| self.file(Place::In(Folder::Data, listed.id))).collect();
        if let Ok(entries) = fs::read_dir(self.incoming()) {
            paths.extend(entries.flatten().map(|entry| entry.path()));
        }
        paths.retain(|path| {
            let age = fs::symlink_metadata(path).and_then(|about| about.modified()).ok();
            age.and_then(|modified| SystemTime::now().duration_since(modified).ok()).is_some_and(|age| age > older)
        });
        for path in &paths {
            fs::remove_file(path).map_err(Fault::files("tidying"))?;
        }
        Ok(paths.len())
    }
}

impl Side for S3 {
    fn remove(&self, place: Place) -> Result<(), Fault> {
        self.delete(place)
    }

    fn tidy(&self, known: &dyn Fn(&Id) -> bool, older: Duration) -> Result<usize, Fault> {
        let now = jiff::Timestamp::now();
        let mut tidied = 0;
        for (id, modified) in self.dated(Folder::Data)? {
            let age = modified.and_then(|at| Duration::try_from(now.duration_since(at)).ok());
            if !known(&id) && age.is_some_and(|age| age > older) {
                self.delete(Place::In(Folder::Data, id))?;
                tidied += 1;
            }
        }
        Ok(tidied)
    }
}
