//! Up to when what is told of logs holds. Pure.
//!
//! Nothing is said of a log of which there is nothing new. That nobody has written for an hour is therefore told by the time up to which all
//! were looked at; of one with news that are not told yet what was told before holds, and that ends with the look before the news.

use husorden_base::SolutionId;
use husorden_wire::node::LogsTold;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// What was looked at, and what of it is not told.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// When the last whole round of looks began.
    looked: Option<Timestamp>,
    /// Logs with news: up to when what was told before holds, and the turn of the newest news.
    news: BTreeMap<SolutionId, (Timestamp, u64)>,
    turn: u64,
}

impl Told {
    /// All logs were looked at in a round that began then.
    pub(super) fn looked(&mut self, began: Timestamp) {
        self.looked = Some(began);
    }

    /// Something else than before was seen of a log.
    pub(super) fn changed(&mut self, solution: SolutionId) {
        self.turn += 1;
        let holds = self.looked.unwrap_or(Timestamp::UNIX_EPOCH);
        self.news.entry(solution).or_insert((holds, 0)).1 = self.turn;
    }

    /// The newest news of any log.
    pub(super) fn turn(&self) -> u64 {
        self.turn
    }

    /// What was seen of a log up to this turn is told.
    pub(super) fn told(&mut self, solution: SolutionId, turn: u64) {
        if self.news.get(&solution).is_some_and(|(_, newest)| *newest <= turn) {
            self.news.remove(&solution);
        }
    }

    /// What control may count on; none before the first round has ended.
    pub(super) fn said(&self) -> Option<LogsTold> {
        let untold = self.news.iter().map(|(solution, (holds, _))| (*solution, *holds)).collect();
        Some(LogsTold { to: self.looked?, untold })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    #[test]
    fn news_that_are_not_told_hold_back_what_is_said_of_their_own_log_alone() {
        let (shop, blog) = (SolutionId::new(), SolutionId::new());
        let mut told = Told::default();
        told.changed(shop);
        assert_eq!(told.said(), None, "nobody was looked at");
        let said = |told: &Told| {
            let said = told.said().expect("a round");
            let of = |solution| said.untold.get(&solution).copied().unwrap_or(said.to).as_second();
            (of(shop), of(blog))
        };
        told.looked(at(10));
        assert_eq!(said(&told), (0, 10));
        told.told(shop, told.turn());
        assert_eq!(said(&told), (10, 10));

        told.changed(shop);
        told.looked(at(14));
        assert_eq!(said(&told), (10, 14), "up to the look before the news");
        // A report whose log was read before the newest news were there.
        let turn = told.turn();
        told.changed(shop);
        told.told(shop, turn);
        told.looked(at(18));
        assert_eq!(said(&told), (10, 18));
        told.told(shop, told.turn());
        assert_eq!(said(&told), (18, 18));
        // The clock went back: what it shows is what is said.
        told.looked(at(5));
        assert_eq!(said(&told), (5, 5));
    }
}
