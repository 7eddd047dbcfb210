//! Backups: repositories in restic's format, written incrementally, read, restored, checked, and expired on the target's side.
//!
//! This crate knows no solutions, no nodes and no control. It is given a directory (a read-only snapshot of a volume), a target and a key,
//! and can do its work as the solution's own uid in a child process: nothing in it needs a right that the files do not give.
//!
//! The format is restic's, version 2, so that any repository opens with stock `restic` and the exported key. It is written by our own code
//! and not by `rustic_core`, for three reasons seen in its source: it reads every changed file whole, while its packer, through which unchanged
//! pieces could be taken over by reference, is private to it; what it holds in memory is not bounded by bytes; and its backends delete and
//! overwrite where the account on the target is to have no such right. The format itself is small: sealed blobs in packs, an index of them,
//! directories and snapshots as JSON.
//!
//! - [`Repository`]: open with a key, write a backup, read what is in one;
//! - [`target`]: where it lies. The node's side can add and read, and has no word for deleting;
//! - [`keeper`]: the target's own side: what expires, and what goes then;
//! - [`vault`]: keys, wrapped by the vault and by the recovery key that is kept on paper.

mod check;
mod crypt;
mod fault;
mod format;
mod id;
pub mod keeper;
mod key;
mod known;
mod progress;
mod queue;
pub mod read;
mod repository;
pub mod target;
pub mod vault;
mod write;

/// What the environment of a process that writes backups tells its allocator (glibc, `mallopt(3)`): large buffers go back to the kernel as soon as
/// they are let go of. Left to itself it keeps them among what lives longer once one of 32 MiB has come and gone, as opening a key takes, and a
/// first backup takes much more memory than it holds.
pub const ALLOCATOR: (&str, &str) = ("MALLOC_MMAP_THRESHOLD_", "262144");

pub use check::{Checked, Finding, Look, Share, check_names};
pub use fault::Fault;
pub use format::{Attribute, BlobType, Moment, Node, NodeType, Snapshot, Summary, Tree};
pub use id::{Id, NotAnId};
pub use key::Key;
pub use progress::Progress;
pub use repository::Repository;
pub use write::{Appended, Former, LOG, Options, Piece, Shelf, Source, Written};
