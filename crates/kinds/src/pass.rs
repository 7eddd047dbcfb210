//! The pass, written once for all kinds: look, plan, apply, look again.
//!
//! Timer, wake and restart run this one path; a wake carries no data. "Settled" comes only from a fresh look that plans
//! nothing. A failed look takes no step, and a step that fails or has to wait ends the pass.

use crate::{Halt, Host, Kind, Order, ServiceState, Sight, Trouble, Waiting, update};
use husorden_base::Text;

/// How a pass ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A fresh look planned nothing and waits for nothing.
    Settled(Sight),
    /// A fresh look planned nothing, but waits; or a step waits for what is still ending.
    Waits(Sight, Waiting),
    /// The look failed: nothing was done.
    Blind(Trouble),
    /// A step failed: what came after it was not done.
    Failed(Trouble),
    /// Steps were still planned after the most rounds one pass may take; it goes on at the next.
    Unfinished(Sight),
}

/// Rounds of look, plan and apply in one pass. A plan that needs more is going round in circles.
pub const ROUNDS_MAX: usize = 16;

/// One pass over one solution.
pub fn pass(kind: &dyn Kind, order: &Order, host: &mut dyn Host) -> Outcome {
    let mut last = Sight::default();
    for _ in 0..ROUNDS_MAX {
        let sight = match host.look() {
            Ok(sight) => sight,
            Err(trouble) => return Outcome::Blind(trouble),
        };
        if let Some(waiting) = host.busy() {
            return Outcome::Waits(sight, waiting);
        }
        let plan = update::plan(kind, order, &sight);
        if plan.steps.is_empty() {
            return match plan.waiting.or_else(|| renewing(&sight)) {
                Some(waiting) => Outcome::Waits(sight, waiting),
                None => Outcome::Settled(sight),
            };
        }
        for step in &plan.steps {
            match host.apply(step) {
                Ok(()) => {}
                Err(Halt::Ending(text)) => return Outcome::Waits(sight, Waiting::Work { text }),
                Err(Halt::Failed(trouble)) => return Outcome::Failed(trouble),
            }
        }
        last = sight;
    }
    Outcome::Unfinished(last)
}

/// As it is set now a service serves only after it has ended; whoever comes before that may still be cut.
fn renewing(sight: &Sight) -> Option<Waiting> {
    let any = sight.services.values().any(|seen| seen.state == ServiceState::Renewing);
    any.then(|| Waiting::Work {
        text: Text::new(
            "Den startes på ny med de nye indstillinger.",
            "It is being started anew with the new settings.",
        ),
    })
}
