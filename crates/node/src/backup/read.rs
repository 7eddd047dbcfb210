//! Reading in a backup: the child's standard output is the connection on which control takes the bytes.

use super::child::Errand;
use super::job::{Came, Work};
use super::slots::Urgency;
use super::{refusal, run, unlock};
use crate::Node;
use husorden_base::{OrderId, Refusal};
use husorden_rules::Access;
use husorden_wire::node::{Reading, Repository, Wish};
use jiff::Timestamp;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

/// Longest time that one reading may take.
const LIMIT: Duration = Duration::from_secs(12 * 3600);

/// Why nothing may be read in its backups now: a measure holds it that leaves no data out.
pub(crate) fn unreadable(node: &Node, wish: &Wish) -> Option<Refusal> {
    let held = node.register.held(wish.solution, wish.account, Timestamp::now())?;
    let leaves = !held.sealed && matches!(held.access, Access::Full | Access::DataOut);
    crate::verbs::closed(node, wish).filter(|_| !leaves)
}

/// Hands it out: control has the bytes when this returns, and hears by the end of the order that they are all.
pub(crate) fn read(
    node: &Arc<Node>,
    wish: &Wish,
    order: OrderId,
    repository: &Repository,
    (copy, what): (&str, &Reading),
) -> Result<(), Refusal> {
    let over = || node.ending() || unreadable(node, wish).is_some();
    let Some(_slot) = node.slots.take(Urgency::WaitedFor, over) else {
        let ending = || refusal(super::job::FaultOf::Stopped, "the node is ending");
        return Err(unreadable(node, wish).unwrap_or_else(ending));
    };
    let secrets = unlock(node, Some(order), wish.solution)?;
    let stream = crate::control::give(&node.config.control_socket, &node.config.name, order)
        .map_err(|error| crate::verbs::ours(&error))?;
    let errand = Errand {
        number: super::whose(repository, wish),
        name: "read",
        repository,
        secrets: &secrets,
        work: Work::Read { copy: copy.to_owned(), what: what.clone() },
        binds: Vec::new(),
        into: Some(OwnedFd::from(stream)),
        limit: LIMIT,
        stop: &|| unreadable(node, wish),
    };
    match run(node, errand, &mut |_, _| ())? {
        Came::Read => Ok(()),
        other => Err(crate::verbs::ours(&std::io::Error::other(format!("a reading came to {other:?}")))),
    }
}
