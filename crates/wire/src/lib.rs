//! Types of the public API and of the protocols between control and node, and control and the vault.
//!
//! The public door is strict: unknown fields are refused. The node protocol is lenient about fields it does not know and
//! carries a version, so that N speaks with N−1.

pub mod api;
pub mod node;
pub mod vault;
