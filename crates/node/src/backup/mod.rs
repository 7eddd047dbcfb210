//! Backups on the node: a child in a sandbox, as the solution's uid, reads a snapshot and writes to the repository, or puts back what lies there.
//!
//! ```text
//!   verb ──▶ [`child::run`] ──job──▶ sandbox: `husorden copy` ([`inside`]) ──▶ target
//!                 ▲                      │   the volume's folders, one way out, nothing else
//!                 └────lines, result─────┘
//! ```
//!
//! Root reads nothing that a customer made, and nothing that came from a target but the child's lines and the note that the node itself wrote into
//! the backup ([`About`]).

mod about;
mod child;
mod fault;
mod hand;
mod inside;
pub(crate) mod job;
mod noted;
mod replace;
mod stage;
#[cfg(test)]
mod tests;
mod way;

pub(crate) use about::About;
pub(crate) use child::{Errand, folders, run};
pub(crate) use fault::refusal;
pub use inside::inside;
pub(crate) use noted::noted;
