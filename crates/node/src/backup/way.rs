//! The one way from a child's sandbox to the target, and nothing else. A folder is bound in; its repositories belong to their solutions' uids.

use super::fault::refusal;
use super::job::{FaultOf, TARGET, Way as Inside};
use crate::Node;
use crate::sandbox::ResolvedBind;
use husorden_base::{Number, Refusal, Secret};
use husorden_wire::node::{Address, Repository, Secrets};
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, chown};
use std::path::{Path, PathBuf};

/// A way that is open.
#[derive(Debug)]
pub(super) enum Way {
    /// A folder of this machine.
    Folder(PathBuf),
}

/// Opens the way to a repository. A target's folder is made only before its first backup: later, one that is not there is a disk that is away.
///
/// # Errors
/// When the target is not there, or its folder is not what the platform makes.
pub(super) fn open(
    _: &Node,
    number: Number,
    repository: &Repository,
    _: &Secrets,
    first: bool,
) -> Result<Way, Refusal> {
    if repository.folder.is_empty() || !repository.folder.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(refusal(FaultOf::Limit, &format!("{:?} is no folder of a repository", repository.folder)));
    }
    match &repository.address {
        Address::Folder { path } => folder(Path::new(path), &repository.folder, number, first).map(Way::Folder),
        Address::Sftp { .. } | Address::Rest { .. } => {
            Err(refusal(FaultOf::Limit, "this release writes to folders alone; take a target that is a folder"))
        }
    }
}

fn folder(path: &Path, name: &str, number: Number, first: bool) -> Result<PathBuf, Refusal> {
    let away = |doing: &str, error: &io::Error| refusal(FaultOf::Away, &format!("{doing} {}: {error}", path.display()));
    if !path.is_absolute() {
        return Err(refusal(FaultOf::Refused, &format!("{} is no absolute path", path.display())));
    }
    if first {
        DirBuilder::new().recursive(true).mode(0o711).create(path).map_err(|error| away("making", &error))?;
    }
    let own = path.join(name);
    match DirBuilder::new().mode(0o700).create(&own) {
        Ok(()) => chown(&own, Some(number.uid()), Some(number.uid())).map_err(|error| away("making", &error))?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(away("opening", &error)),
    }
    let about = fs::symlink_metadata(&own).map_err(|error| away("opening", &error))?;
    if !about.is_dir() || about.uid() != number.uid() {
        let said = format!("{} is no folder of solution {number}; it was put there by somebody else", own.display());
        return Err(refusal(FaultOf::Refused, &said));
    }
    Ok(own)
}

impl Way {
    /// What is bound for it.
    pub(super) fn binds(&self) -> Vec<ResolvedBind> {
        match self {
            Self::Folder(path) => vec![ResolvedBind { from: path.clone(), to: TARGET.to_owned(), write: true }],
        }
    }

    /// What the child is told of it.
    pub(super) fn inside(&self) -> Inside {
        match self {
            Self::Folder(_) => Inside::Folder,
        }
    }

    /// What of the target's account the child is given.
    pub(super) fn account(&self, _: &Secrets) -> Option<Secret> {
        match self {
            Self::Folder(_) => None,
        }
    }
}
