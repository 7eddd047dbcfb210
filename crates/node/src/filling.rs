//! Volumes that fill: services that can be told are told before the disk refuses, and again when there is room; owners are told of all.
//!
//! Who can be told is looked at before it could have taken half of what is left at the rate its sandbox is bound to, and whatever else
//! runs a few times a minute. What sleeps takes nothing; a pass looks at it, and a start finds what was seen last.

use crate::Node;
use husorden_base::Number;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tracing::{info, warn};

/// Time between two looks at whose turn it is.
const LOOK: Duration = Duration::from_millis(200);
/// Time between two looks at what nobody can be told of but its owner.
const UNTOLD: Duration = Duration::from_secs(5);
/// Time to the next look at what could not be seen.
const BLIND: Duration = Duration::from_secs(2);

/// Starts it.
///
/// # Errors
/// When a thread can't be made.
pub(crate) fn start(node: &Arc<Node>) -> std::io::Result<()> {
    let node = Arc::clone(node);
    std::thread::Builder::new().name("filling".to_owned()).spawn(move || {
        let mut seen: BTreeMap<Number, (Instant, u64)> = BTreeMap::new();
        while !node.ending() {
            let writers = node.sandboxes.writers();
            seen.retain(|number, _| writers.contains_key(number));
            for (number, told) in writers {
                let (due, before) = seen.get(&number).copied().unwrap_or_else(|| (Instant::now(), 0));
                if due <= Instant::now() {
                    let (pause, step) = node.tell_of_filling(number).unwrap_or((BLIND, before));
                    if step > before {
                        node.report_filling(number);
                    }
                    // Nobody stops writing for being told: only its owner waits for it.
                    let pause = if told { pause } else { UNTOLD };
                    seen.insert(number, (Instant::now() + pause, step));
                }
            }
            std::thread::sleep(LOOK);
        }
    })?;
    Ok(())
}

impl Node {
    /// Sees how full a volume is; services that start from here on find it so. Says when to look again, and which step
    /// was reached.
    pub(crate) fn look_at_filling(&self, number: Number) -> Option<(Duration, u64)> {
        let before = self.sandboxes.fill(number);
        match self.volume(number).filling() {
            Ok(filling) => {
                let fill = filling.fill(before);
                self.sandboxes.set_fill(number, fill);
                if fill != before {
                    info!(%number, ?before, ?fill, "a volume fills, or has room again");
                    self.report_filling(number);
                }
                Some((filling.pause(fill), filling.step()))
            }
            Err(error) => {
                warn!(%number, error = crate::causes::causes(&error), "how full a volume is could not be read");
                None
            }
        }
    }

    /// The same, and tells what runs.
    fn tell_of_filling(&self, number: Number) -> Option<(Duration, u64)> {
        let seen = self.look_at_filling(number);
        self.sandboxes.tell_of_filling(number);
        seen
    }

    /// Has a pass report it; the pass has nothing else to do.
    fn report_filling(&self, number: Number) {
        if let Some(solution) = self.register.owner(number) {
            self.keeper.wake(solution);
        }
    }
}
