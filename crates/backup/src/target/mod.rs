//! Where backups lie: the seam to the outside. The node's side can add and read; it has no word for deleting or overwriting.
//!
//! [`Target`] is implemented for a directory ([`Local`]), for an SFTP account ([`Sftp`]), for restic's REST protocol ([`Rest`]) and for a bucket of
//! an S3 server ([`S3`]).
//! [`Steady`] stands before any of them and tries again. What only the target's own side may do is in `keeper`.

mod http;
mod local;
mod opened;
mod pace;
mod rest;
mod s3;
mod sftp;
mod sftp_wire;
mod steady;

pub use local::Local;
pub use opened::SshFiles;
pub use pace::Pace;
pub use rest::Rest;
pub use s3::{S3, S3Account};
pub use sftp::{Sftp, SftpAccount, session};
pub use steady::{Patience, Steady};

use crate::fault::Fault;
use crate::id::Id;
use std::fmt;
use std::ops::Range;

/// Largest object that is taken from a target: a pack ends soon after 16 MiB, an index and a tree's pack are smaller.
pub(crate) const OBJECT_BYTES_MAX: u64 = 512 << 20;

/// The folders of a repository, as restic names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Folder {
    /// Wrapped master keys.
    Keys,
    /// Packs of blobs.
    Data,
    /// What lies in which pack.
    Index,
    /// Backups.
    Snapshots,
}

impl Folder {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Keys, Self::Data, Self::Index, Self::Snapshots];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Keys => "keys",
            Self::Data => "data",
            Self::Index => "index",
            Self::Snapshots => "snapshots",
        }
    }
}

/// One object of a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// The configuration; the only object whose name is not its hash.
    Config,
    /// Any other.
    In(Folder, Id),
}

impl Place {
    /// Its path within the repository, in restic's default layout.
    #[must_use]
    pub fn path(&self) -> String {
        match self {
            Self::Config => "config".to_owned(),
            Self::In(Folder::Data, id) => format!("data/{}/{id}", &id.to_string()[..2]),
            Self::In(folder, id) => format!("{}/{id}", folder.name()),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config => f.write_str("config"),
            Self::In(folder, id) => write!(f, "{}/{}", folder.name(), id.short()),
        }
    }
}

/// An object that a listing shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub id: Id,
    /// Its bytes.
    pub bytes: u64,
}

/// Where backups lie. An implementation keeps three promises: an object is there whole or not at all under its name; what is there is
/// never changed; and an acknowledged one has reached the disk as far as the other side can say.
pub trait Target: Send + Sync {
    /// Makes the folders of a repository; those that are there stay.
    ///
    /// # Errors
    /// When the target does not do it.
    fn prepare(&self) -> Result<(), Fault>;

    /// Puts a new object. One that is there with as many bytes counts as put, for names are hashes.
    ///
    /// # Errors
    /// [`Fault::Spoiled`] when something of another size lies there; else what hindered it.
    fn put(&self, place: Place, body: &[u8]) -> Result<(), Fault>;

    /// Reads an object, or a part of it.
    ///
    /// # Errors
    /// [`Fault::Missing`], or what hindered it.
    fn get(&self, place: Place, part: Option<Range<u64>>) -> Result<Vec<u8>, Fault>;

    /// All objects of a folder. What has no id as its name is left out: it is what broke off, or no object.
    ///
    /// # Errors
    /// When the target does not do it.
    fn list(&self, folder: Folder) -> Result<Vec<Listed>, Fault>;

    /// Bytes of an object, when it is there.
    ///
    /// # Errors
    /// When the target does not do it.
    fn size(&self, place: Place) -> Result<Option<u64>, Fault>;
}

impl<T: Target + ?Sized> Target for &T {
    fn prepare(&self) -> Result<(), Fault> {
        (**self).prepare()
    }
    fn put(&self, place: Place, body: &[u8]) -> Result<(), Fault> {
        (**self).put(place, body)
    }
    fn get(&self, place: Place, part: Option<Range<u64>>) -> Result<Vec<u8>, Fault> {
        (**self).get(place, part)
    }
    fn list(&self, folder: Folder) -> Result<Vec<Listed>, Fault> {
        (**self).list(folder)
    }
    fn size(&self, place: Place) -> Result<Option<u64>, Fault> {
        (**self).size(place)
    }
}

/// What a put found in its place.
pub(crate) fn already(place: Place, found: u64, body: &[u8]) -> Result<(), Fault> {
    let expected = body.len() as u64;
    if found == expected { Ok(()) } else { Err(Fault::Spoiled { place: place.to_string(), found, expected }) }
}
