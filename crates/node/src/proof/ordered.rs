//! A proof as control orders it: what opens the repository is released for the order, and what is being done is told.

use super::{Asked, pressure, prove};
use crate::Node;
use crate::backup::job::FaultOf;
use crate::backup::{forbidden, refusal, unlock, whose_folder};
use husorden_base::{OrderId, Refusal, SolutionId, Text};
use husorden_wire::node::{FromNode, Level, Proven, Repository, VerbState, Wish};
use std::sync::Arc;

/// Proves the backup that an order names. The solution may be another node's: then there is no wish, its seals are control's to know,
/// and control withdraws the order.
///
/// # Errors
/// When it neither passed nor failed.
pub(crate) fn ordered(
    node: &Arc<Node>,
    (solution, wish): (SolutionId, Option<&Wish>),
    order: OrderId,
    (repository, copy, level): (&Repository, &str, Level),
) -> Result<Proven, Refusal> {
    let stop = || {
        let ending = || node.ending().then(|| refusal(FaultOf::Stopped, "the node is ending"));
        let withdrawn = || node.verbs.withdrawn(order).then(withdrawn);
        wish.and_then(|wish| forbidden(node, wish)).or_else(withdrawn).or_else(ending).or_else(pressure::now)
    };
    if let Some(why) = stop() {
        return Err(why);
    }
    let secrets = unlock(node, Some(order), solution)?;
    let number = whose_folder(repository).or(wish.map(|wish| wish.number));
    let number = number.ok_or_else(|| refusal(FaultOf::Limit, "the repository's folder is no solution's number"))?;
    let asked = Asked { solution, number, repository, secrets: &secrets, copy, level, stop: &stop };
    prove(node, &asked, &mut |text| {
        let state = VerbState::Running { text: text.clone(), percent: None };
        node.voice.say(&FromNode::Progress { order, state });
    })
}

/// Control has taken the order back. It does not say why, and who reads this need not know.
fn withdrawn() -> Refusal {
    Refusal::new(
        "withdrawn",
        409,
        Text::new("Prøven er trukket tilbage", "The proof was withdrawn"),
        Text::new(
            "Backuppen må ikke åbnes nu; den prøves, når den igen må.",
            "The backup may not be opened now; it is proven when it may be again.",
        ),
    )
}
