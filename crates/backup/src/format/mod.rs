//! What lies in a repository, as restic's format version 2 has it: configuration, snapshots, trees and indexes as JSON, packs as bytes.

mod config;
mod index;
mod node;
mod pack;
mod quote;
mod snapshot;

pub(crate) use config::Config;
pub(crate) use index::{IndexBlob, IndexFile, IndexPack};
pub use node::{Attribute, Moment, Node, NodeType, Tree};
pub(crate) use pack::{HEADER_TAIL_BYTES, PackEntry, header_bytes, header_read, header_write};
pub use snapshot::{Snapshot, Summary};

use serde::{Deserialize, Serialize};

/// What a blob holds. The two never share a pack, so that trees can be read without touching files' contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BlobType {
    /// A piece of a file.
    Data,
    /// A directory.
    Tree,
}
