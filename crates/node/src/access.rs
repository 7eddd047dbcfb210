//! What the node does by itself about who may connect: entries of allow-lists that end are cut, as is the leave to reach port 25, and who was
//! refused is told.
//!
//! It has a thread of its own, so that neither waits for a port that is being made. Nothing here depends on control: an entry
//! ends with control dead, and refusals that cannot be told are added up, so many and no more.

use crate::Node;
use crate::port::{Ended, Knock};
use husorden_base::SolutionId;
use husorden_wire::node::{FromNode, REFUSED_MAX, Refused};
use ipnet::IpNet;
use jiff::Timestamp;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tracing::warn;

/// Between two looks at entries that may have ended.
const LOOK: Duration = Duration::from_millis(500);
/// Looks between two readings of who was refused.
const READ_EVERY: u32 = 6;
/// Sources that are added up of one solution until they are told. More is a flood, and no list for people.
const SOURCES_PER_SOLUTION_MAX: usize = 50;
/// Sources that are added up in all.
const SOURCES_MAX: usize = 5_000;

/// Starts it.
///
/// # Errors
/// When a thread can't be made.
pub(crate) fn start(node: &Arc<Node>) -> std::io::Result<()> {
    let node = Arc::clone(node);
    std::thread::Builder::new().name("access".to_owned()).spawn(move || {
        let mut ledger = Ledger::default();
        let mut round = 0_u32;
        while !node.ending() {
            end(&node);
            if round.is_multiple_of(READ_EVERY) {
                match node.ports.knocks() {
                    Ok(knocks) => ledger.add(knocks, Timestamp::now(), |knock| node.register.owner(knock.number)),
                    Err(error) => warn!(%error, "who was refused could not be read"),
                }
                if node.voice.heard() {
                    ledger.lines().for_each(|refused| node.voice.say(&FromNode::Refused { refused }));
                }
            }
            round = round.wrapping_add(1);
            std::thread::sleep(LOOK);
        }
    })?;
    Ok(())
}

/// Entries that have ended.
fn end(node: &Node) {
    let mut any = false;
    let ended = node.ports.end(|number, ended| {
        any = true;
        let solution = node.register.owner(number);
        for (until, one) in ended {
            let (act, detail) = match one {
                Ended::Allow { port, net } => ("access.end", json!({ "net": net, "port": port, "until": until })),
                Ended::MailOut => ("mail-out.end", json!({ "until": until })),
            };
            if let Err(error) = node.register.witness(act, solution, detail) {
                warn!(%number, %error, "no line of evidence of what ended by the clock");
            }
        }
    });
    if let Err(error) = ended {
        warn!(
            error = crate::causes::causes(&error),
            "an entry that has ended could not be taken off; tried again in a moment"
        );
    }
    if any {
        crate::control::say_evidence(node);
    }
}

/// Refusals that are still to be told, added up.
#[derive(Debug, Default)]
struct Ledger {
    sources: BTreeMap<(SolutionId, u16, IpNet), Refused>,
}

impl Ledger {
    fn add(&mut self, knocks: Vec<Knock>, now: Timestamp, owner: impl Fn(&Knock) -> Option<SolutionId>) {
        for knock in knocks {
            let Some(solution) = owner(&knock) else { continue };
            let Knock { port, net, attempts, .. } = knock;
            let key = (solution, port, net);
            if let Some(known) = self.sources.get_mut(&key) {
                known.attempts = known.attempts.saturating_add(attempts);
                known.last = now;
                continue;
            }
            let floor = IpNet::from(std::net::IpAddr::from([0, 0, 0, 0]));
            let of_solution = self.sources.range((solution, 0, floor)..).take_while(|((of, ..), _)| *of == solution);
            if self.sources.len() < SOURCES_MAX && of_solution.count() < SOURCES_PER_SOLUTION_MAX {
                self.sources.insert(key, Refused { solution, port, net, attempts, first: now, last: now });
            }
        }
    }

    /// Everything, in lines that are not too long; it is forgotten here.
    fn lines(&mut self) -> impl Iterator<Item = Vec<Refused>> {
        let mut all = std::mem::take(&mut self.sources).into_values();
        std::iter::from_fn(move || {
            let line: Vec<Refused> = all.by_ref().take(REFUSED_MAX).collect();
            (!line.is_empty()).then_some(line)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use husorden_base::Number;

    fn knock(number: u32, from: [u8; 4], attempts: u32) -> Knock {
        let number = Number::new(number).expect("a number");
        Knock { number, port: 5432, net: IpNet::from(std::net::IpAddr::from(from)), attempts }
    }

    #[test]
    fn refusals_are_added_up_until_they_are_told() {
        let (one, two) = (SolutionId::new(), SolutionId::new());
        let owner = |knock: &Knock| match knock.number.get() {
            1 => Some(one),
            2 => Some(two),
            _ => None,
        };
        let at = |second| Timestamp::from_second(second).expect("a time");
        let mut ledger = Ledger::default();
        ledger.add(
            vec![knock(1, [192, 0, 2, 1], 3), knock(2, [192, 0, 2, 1], 1), knock(3, [192, 0, 2, 1], 1)],
            at(10),
            owner,
        );
        ledger.add(vec![knock(1, [192, 0, 2, 1], 1)], at(20), owner);
        let lines: Vec<Vec<Refused>> = ledger.lines().collect();
        let mut told = lines.concat();
        told.sort_by_key(|refused| refused.attempts);
        assert_eq!(told.len(), 2, "what is nobody's is not told");
        assert_eq!((told[0].solution, told[0].attempts), (two, 1));
        assert_eq!((told[1].attempts, told[1].first, told[1].last), (4, at(10), at(20)));
        assert_eq!(ledger.lines().count(), 0, "told once");
    }

    #[test]
    fn a_flood_of_sources_takes_no_more_than_its_share() {
        let (one, two) = (SolutionId::new(), SolutionId::new());
        let owner = |knock: &Knock| Some(if knock.number.get() == 1 { one } else { two });
        let mut ledger = Ledger::default();
        let flood = (0..=255_u8).flat_map(|high| [knock(1, [198, 51, high, 1], 1), knock(1, [198, 51, high, 2], 1)]);
        ledger.add(flood.collect(), Timestamp::UNIX_EPOCH, owner);
        ledger.add(vec![knock(2, [192, 0, 2, 1], 1)], Timestamp::UNIX_EPOCH, owner);
        let told: Vec<Refused> = ledger.lines().flatten().collect();
        assert_eq!(told.iter().filter(|refused| refused.solution == one).count(), SOURCES_PER_SOLUTION_MAX);
        assert_eq!(told.iter().filter(|refused| refused.solution == two).count(), 1);
    }
}
