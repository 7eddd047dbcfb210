//! The log nobody can rewrite: leaves, the Merkle tree over them, signed checkpoints, the export file and its verifier.
//!
//! Nothing here does I/O on its own, reads a clock or draws a random number; salts and times are given. A line of evidence
//! becomes one leaf or two ([`leaf`]): the row before the act, and its completion after. Leaves are hashed into a tree of
//! RFC 6962's shape ([`tree`], [`proof`]), whose size and root are signed now and then ([`checkpoint`], [`note`]). Checkpoints
//! that lie where nobody of the house can write are what the rest is measured by ([`verify`]).

pub mod canonical;
pub mod chain;
pub mod checkpoint;
pub mod export;
pub mod field;
pub mod hash;
pub mod leaf;
pub mod lines;
pub mod note;
pub mod proof;
pub mod tree;
pub mod verify;

pub use checkpoint::Checkpoint;
pub use field::Class;
pub use hash::Hash;
pub use leaf::{Leaf, Line, Stage};
pub use note::{PublicKey, SigningKey};
pub use tree::{Frontier, TileId, Tiles};
