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
mod make;
mod part;
mod pieces;
mod read;
mod replace;
mod restore;
mod slots;
pub(crate) mod stage;
#[cfg(test)]
pub(crate) mod tests;
mod unlock;
mod way;
mod write;

pub(crate) use crate::proof::noted;
pub(crate) use about::About;
pub(crate) use child::{Errand, folders, run};
pub(crate) use fault::refusal;
pub use inside::inside;
pub(crate) use make::{Makings, begin};
#[cfg(test)]
pub(crate) use pieces::room;
pub(crate) use read::{read, unreadable};
pub(crate) use restore::{Return, restore};
pub(crate) use slots::{Slots, Urgency};
pub(crate) use unlock::{NodeKey, unlock, unlock_log};
pub(crate) use write::{Held, Reading, back_up, forbidden, give_up};

use husorden_base::Number;
use husorden_wire::node::{OF_LOG, Repository, Wish};

/// Whose uid the files of a repository have: the solution's that it is named after.
pub(crate) fn whose_folder(repository: &Repository) -> Option<Number> {
    let number = repository.folder.strip_suffix(OF_LOG).unwrap_or(&repository.folder);
    Number::new(number.parse().ok().filter(|_| number.bytes().all(|byte| byte.is_ascii_digit()))?)
}

/// As [`whose_folder`], of a repository that is thought to be this solution's own.
fn whose(repository: &Repository, wish: &Wish) -> Number {
    whose_folder(repository).unwrap_or(wish.number)
}
