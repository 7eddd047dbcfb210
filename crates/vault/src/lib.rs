//! The vault: keys of solutions and secrets of targets, kept by a uid of its own outside the database, and released one at a time.
//!
//! It runs beside control and knows nothing but keys: no accounts, no orders, no network, no database. Whether a key may be released is
//! control's to judge; what the vault holds to whatever control says:
//!
//! - A key leaves it only sealed to a recipient, one solution at a time, with a line in the vault's own log.
//! - A key that was destroyed is never released nor made anew.
//! - To whom everything is written for recovery is said by root alone, so that who captured control can't name a paper of their own.
//!
//! [`store`] is what lies on the disk, [`serve`] the socket.

mod disk;
pub mod serve;
pub mod store;

pub use store::Store;

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Configuration of the vault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Folder of the vault alone: its key, and what is wrapped by it.
    pub folder: PathBuf,
    /// The unix socket that it answers on.
    pub socket: PathBuf,
    /// The user that control runs as, and the only one that is answered beside root.
    #[serde(default = "control")]
    pub control: String,
    /// Days for which the operator keeps copies of the folder, and of what is written for the recovery key; receipts of destroyed keys
    /// name the day after.
    #[serde(default = "copies_days")]
    pub copies_days: u16,
}

fn control() -> String {
    "husorden-control".to_owned()
}

/// Days for which copies of the vault's folder are kept, when nothing else is said.
#[must_use]
pub const fn copies_days() -> u16 {
    35
}
