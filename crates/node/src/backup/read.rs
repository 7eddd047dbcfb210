//! Reading in a backup: the child's standard output is the connection on which control takes the bytes.

use super::child::Errand;
use super::job::{Came, Work};
use super::slots::Urgency;
use super::{refusal, run, unlock};
use crate::Node;
use husorden_base::{OrderId, Refusal};
use husorden_wire::node::{Reading, Repository, Wish};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

/// Longest time that one reading may take.
const LIMIT: Duration = Duration::from_secs(12 * 3600);

/// Hands it out: control has the bytes when this returns, and hears by the end of the order that they are all.
pub(crate) fn read(
    node: &Arc<Node>,
    wish: &Wish,
    order: OrderId,
    repository: &Repository,
    (copy, what): (&str, &Reading),
) -> Result<(), Refusal> {
    let over = || node.ending() || crate::verbs::closed(node, wish).is_some();
    let Some(_slot) = node.slots.take(Urgency::WaitedFor, over) else {
        let ending = || refusal(super::job::FaultOf::Stopped, "the node is ending");
        return Err(crate::verbs::closed(node, wish).unwrap_or_else(ending));
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
        stop: &|| crate::verbs::closed(node, wish),
    };
    match run(node, errand, &mut |_, _| ())? {
        Came::Read => Ok(()),
        other => Err(crate::verbs::ours(&std::io::Error::other(format!("a reading came to {other:?}")))),
    }
}
