//! The target's own side: what expires, what goes then, and what nobody may purge alone.
//!
//! It runs where backups lie, as a role with its own account, and trusts nothing that a node wrote. What it goes by is its own
//! [`Ledger`]: when it first saw each backup, by its own clock. The time in a backup, and the times of files, are the node's to choose.
//!
//! - [`expire`] decides (pure): which backups are kept, and for what reason;
//! - [`Order`] is a purge before its time: two people, or one and seven days;
//! - [`Keeper`] does it: removes backups, and packs that nothing has used for two days.
//!
//! Deciding needs no key. Finding out which packs are still used does: the solution's key is given for that, in memory, and forgotten.

mod expiry;
mod ledger;
mod order;
mod prune;
mod side;

pub use expiry::{Kept, Plan, Policy, Reason, Seen, expire};
pub use ledger::{Gone, Ledger, Purge, Word};
pub use order::{Approval, Order, OrderRefused, Staff, Standing};
pub use prune::{Keeper, Pruned};
pub use side::Side;
