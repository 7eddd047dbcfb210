//! Measures: what a decision orders, as the register on each node keeps it.
//!
//! A measure is no field of a wish. The node writes it down before it is acknowledged, reads it before any port, sandbox
//! or listener at boot, and reads it afresh in each pass.

use crate::Clause;
use husorden_base::{AccountId, CaseId, MeasureId, SolutionId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What a measure holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "kebab-case")]
pub enum Scope {
    /// One solution.
    Solution {
        /// Which.
        id: SolutionId,
    },
    /// Everything an account has, and what it makes while the measure is in force.
    Account {
        /// Which.
        id: AccountId,
    },
}

/// What the account may still do while a measure holds it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// Everything but what is closed.
    Full,
    /// See the decision, complain, log out; tokens and keys are dead.
    #[default]
    Decision,
    /// Also the console and download of backups.
    DataOut,
    /// Nothing: sealed, or by order. Backup, proof, scan, clone, export and expiry stop too.
    None,
}

/// What becomes of what is under way, stated with each measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Fates {
    /// Queued mail.
    pub mail: Fate,
    /// Cron and other things that start by themselves.
    pub cron: Fate,
    /// Open connections, streams and running requests.
    pub connections: Fate,
    /// Consoles and shells.
    pub console: Fate,
    /// What runs, of kinds that can stand still or go on behind a port that is closed; of others it is cut.
    #[serde(skip_serializing_if = "is_cut")]
    pub work: Fate,
}

impl Fates {
    /// Whether consoles stay open under a measure with these fates that leaves this access: what is sealed leaves none, and whoever may take
    /// their data out may do it by the console.
    #[must_use]
    pub fn leave_console(self, access: Access) -> bool {
        match access {
            Access::None => false,
            Access::DataOut => true,
            Access::Full | Access::Decision => self.console == Fate::Goes,
        }
    }
}

fn is_cut(fate: &Fate) -> bool {
    *fate == Fate::Cut
}

/// What becomes of one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fate {
    /// Goes on.
    Goes,
    /// Waits, and goes on after the measure.
    Waits,
    /// Is cut at once.
    Cut,
}

impl Default for Fates {
    /// Everything under way is cut, mail and cron wait.
    fn default() -> Self {
        Self { mail: Fate::Waits, cron: Fate::Waits, connections: Fate::Cut, console: Fate::Cut, work: Fate::Cut }
    }
}

/// One measure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measure {
    /// Its id.
    pub id: MeasureId,
    /// Numbered per installation and only growing: an older state of the same measure never replaces a newer.
    pub revision: u64,
    /// The case it was decided in; none when it was taken on a node with control dead, until control has given it one.
    pub case: Option<CaseId>,
    /// The case number a stranger may see.
    pub case_number: String,
    /// The clause it rests on.
    pub clause: Clause,
    /// What it holds.
    pub scope: Scope,
    /// What the account may still do.
    pub access: Access,
    /// What becomes of what is under way.
    pub fates: Fates,
    /// Since when.
    pub starts: Timestamp,
    /// When it ends by itself.
    pub ends: Option<Timestamp>,
    /// Until when the account is not told, where an order demands it.
    pub silent_until: Option<Timestamp>,
    /// When it was lifted.
    pub lifted: Option<Timestamp>,
}

impl Measure {
    /// Whether it holds at a moment.
    #[must_use]
    pub fn in_force(&self, now: Timestamp) -> bool {
        self.lifted.is_none() && self.starts <= now && self.ends.is_none_or(|ends| now < ends)
    }

    /// Whether it is about this solution of this account.
    #[must_use]
    pub fn covers(&self, solution: SolutionId, account: AccountId) -> bool {
        match self.scope {
            Scope::Solution { id } => id == solution,
            Scope::Account { id } => id == account,
        }
    }
}

/// What several measures together mean for one solution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The case number a stranger may see: of the measure in force the longest.
    pub case_number: String,
    /// The narrowest access of all.
    pub access: Access,
    /// Nothing may be copied, proven, exported or expired.
    pub sealed: bool,
    /// What becomes of what runs: of all fates the hardest.
    pub work: Fate,
    /// Whether every one of them leaves the console open.
    pub console: bool,
}

/// What the measures in force mean together for one solution; none when nothing holds it.
pub fn hold<'a>(
    measures: impl IntoIterator<Item = &'a Measure>,
    solution: SolutionId,
    account: AccountId,
    now: Timestamp,
) -> Option<Held> {
    let mut in_force: Vec<&Measure> =
        measures.into_iter().filter(|measure| measure.covers(solution, account) && measure.in_force(now)).collect();
    in_force.sort_by_key(|measure| (measure.starts, measure.id));
    let first = in_force.first()?;
    // `DataOut` gives more than `Decision`, so narrowness is not the order of the variants.
    let narrowness = |access: Access| match access {
        Access::Full => 0,
        Access::DataOut => 1,
        Access::Decision => 2,
        Access::None => 3,
    };
    let access =
        in_force.iter().map(|measure| measure.access).max_by_key(|access| narrowness(*access)).unwrap_or_default();
    let work = in_force.iter().map(|measure| measure.fates.work).max().unwrap_or(Fate::Cut);
    let console = in_force.iter().all(|measure| measure.fates.leave_console(measure.access));
    Some(Held { case_number: first.case_number.clone(), access, sealed: access == Access::None, work, console })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measure(scope: Scope, access: Access, starts: i64, ends: Option<i64>) -> Measure {
        let second = |s| Timestamp::from_second(s).expect("a second");
        Measure {
            id: MeasureId::new(),
            revision: 1,
            case: None,
            case_number: format!("S-{starts}"),
            clause: "network.attack".parse().expect("a clause"),
            scope,
            access,
            fates: Fates::default(),
            starts: second(starts),
            ends: ends.map(second),
            silent_until: None,
            lifted: None,
        }
    }

    #[test]
    fn measures_add_up_to_the_narrowest() {
        let (solution, account) = (SolutionId::new(), AccountId::new());
        let now = Timestamp::from_second(100).expect("a second");
        let on_solution = Scope::Solution { id: solution };
        let on_account = Scope::Account { id: account };
        let none: [Measure; 0] = [];
        assert_eq!(hold(&none, solution, account, now), None);
        let past = measure(on_solution, Access::None, 1, Some(100));
        let future = measure(on_solution, Access::None, 101, None);
        let other = measure(Scope::Account { id: AccountId::new() }, Access::None, 1, None);
        assert_eq!(hold([&past, &future, &other], solution, account, now), None);
        let wide = measure(on_account, Access::DataOut, 10, None);
        let narrow = measure(on_solution, Access::Decision, 20, None);
        let held = hold([&narrow, &wide], solution, account, now).expect("two measures hold it");
        let expected = Held {
            case_number: "S-10".to_owned(),
            access: Access::Decision,
            sealed: false,
            work: Fate::Cut,
            console: false,
        };
        assert_eq!(held, expected);
        assert!(hold([&wide], solution, account, now).expect("held").console, "data may be taken out by it");
        let still = |mut measure: Measure, work| {
            measure.fates.work = work;
            measure
        };
        let (waits, goes) = (still(wide.clone(), Fate::Waits), still(narrow.clone(), Fate::Goes));
        assert_eq!(hold([&waits, &goes], solution, account, now).expect("held").work, Fate::Waits);
        assert_eq!(hold([&waits, &narrow], solution, account, now).expect("held").work, Fate::Cut);
        let open = Fates { console: Fate::Goes, ..Fates::default() };
        for (access, goes, cut) in [
            (Access::Full, true, false),
            (Access::Decision, true, false),
            (Access::DataOut, true, true),
            (Access::None, false, false),
        ] {
            let leave = (open.leave_console(access), Fates::default().leave_console(access));
            assert_eq!(leave, (goes, cut), "{access:?}");
        }
        let said = serde_json::to_value(Fates::default()).expect("JSON");
        assert!(said.get("work").is_none(), "a node of the version before reads it: {said}");
        let one: Fates = serde_json::from_str(r#"{"work":"goes"}"#).expect("what is not said is as ever");
        assert_eq!(one, Fates { work: Fate::Goes, ..Fates::default() });
        let sealing = measure(on_account, Access::None, 50, None);
        assert!(hold([&narrow, &sealing], solution, account, now).expect("held").sealed);
        let lifted = Measure { lifted: Some(now), ..sealing };
        assert!(!hold([&narrow, &lifted], solution, account, now).expect("held").sealed);
    }
}
