//! The session machine: what a session may now, and how each act changes it. Pure; the clock is a parameter.
//!
//! ```text
//!            log-in by password
//!                    │
//!       ┌────────────┼──────────────────┐
//!       ▼            ▼                  ▼
//!   Code ──code──▶ Open ◀──confirm── Enrol        Open is stepped up for 15 minutes after any of these arrows,
//!       │            │ ▲ step-up        │         and after step-up
//!       └────────────┴─┴────────────────┘
//!                    ▼
//!   Ended: log-out, ended from elsewhere, idle, too old, rights changed, password changed, too many wrong codes
//! ```
//! Every arrow but the downward ones gives the session a new secret; the old one opens nothing from then on. Nothing leads
//! out of Ended.

use husorden_base::{AccountId, PersonId, SessionId};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// How long a session may do dangerous things after the person proved anew who it is.
pub(crate) const STEP_UP_S: i64 = 15 * 60;
/// How long a session may wait for its second factor.
pub(crate) const CODE_WAIT_S: i64 = 10 * 60;
/// Wrong codes and passwords within one session; the next one ends it.
pub(crate) const TRIES_MAX: i32 = 5;
/// A session's last use is noted this often.
const TOUCH_S: i64 = 20;

/// On which side of the house a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Realm {
    Account,
    Staff,
}

impl Realm {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Staff => "staff",
        }
    }
}

/// How long a session lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timeout {
    /// Without use, in seconds.
    pub idle_s: u32,
    /// At most, in seconds.
    pub absolute_s: u32,
}

/// A session as the database keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) person: PersonId,
    pub(crate) realm: Realm,
    pub(crate) account: Option<AccountId>,
    pub(crate) begun: Timestamp,
    pub(crate) seen: Timestamp,
    pub(crate) idle_s: u32,
    pub(crate) ends: Timestamp,
    pub(crate) second_factor: Option<Timestamp>,
    pub(crate) stepped_up: Option<Timestamp>,
    pub(crate) tries: i32,
    pub(crate) device: Option<Uuid>,
    pub(crate) address: String,
    pub(crate) agent: String,
    pub(crate) ended: Option<Timestamp>,
}

/// What is true of the person now, whatever it was when the session began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Factors {
    /// A second factor is set up.
    pub(crate) has: bool,
    /// One is required: by the account, or because the realm is staff.
    pub(crate) required: bool,
}

/// What a session may now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nothing, for ever.
    Ended,
    /// Give its second factor, or log out.
    Code,
    /// Set up a second factor, see its own profile, or log out.
    Enrol,
    /// What the person's role may; what is dangerous until this moment.
    Open { stepped_up_until: Option<Timestamp> },
}

/// What an act gives a session, together with a new secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Earned {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) second_factor: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stepped_up: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ends: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) idle_s: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) device: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) account: Option<AccountId>,
}

fn after(from: Timestamp, seconds: i64) -> Timestamp {
    from.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
}

/// When a session that was just opened by password ends, and whether it counts as stepped up: one that still waits for its
/// code has proven half of who it is.
pub(crate) fn opened(factors: Factors, timeout: Timeout, now: Timestamp) -> (Timestamp, Option<Timestamp>) {
    if factors.has { (after(now, CODE_WAIT_S), None) } else { (after(now, i64::from(timeout.absolute_s)), Some(now)) }
}

impl Session {
    /// What it may now.
    pub(crate) fn standing(&self, factors: Factors, now: Timestamp) -> Standing {
        if self.ended.is_some() || now >= self.ends || now >= self.idle_ends() {
            Standing::Ended
        } else if factors.has && self.second_factor.is_none() {
            Standing::Code
        } else if factors.required && !factors.has {
            Standing::Enrol
        } else {
            Standing::Open { stepped_up_until: self.stepped_up_until(now) }
        }
    }

    /// When it ends if it is not used.
    pub(crate) fn idle_ends(&self) -> Timestamp {
        after(self.seen, i64::from(self.idle_s))
    }

    /// Until when dangerous things may be done, if they may now.
    pub(crate) fn stepped_up_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.stepped_up.map(|at| after(at, STEP_UP_S)).filter(|until| *until > now)
    }

    /// Whether its use is worth a note now.
    pub(crate) fn stale(&self, now: Timestamp) -> bool {
        now >= after(self.seen, TOUCH_S)
    }

    /// What the second factor gives, whether by code or at its enrolment: the full time, counted from the log-in.
    pub(crate) fn second_factor(&self, timeout: Timeout, now: Timestamp) -> Earned {
        Earned {
            second_factor: Some(now),
            stepped_up: Some(now),
            ends: Some(after(self.begun, i64::from(timeout.absolute_s))),
            ..Earned::default()
        }
    }

    /// What proving anew gives: nothing but the right to dangerous things, for it must not lengthen the session.
    pub(crate) fn stepped_up(now: Timestamp) -> Earned {
        Earned { stepped_up: Some(now), ..Earned::default() }
    }

    /// Standing in another account, perhaps with another role and its time-outs.
    pub(crate) fn moved(&self, account: AccountId, timeout: Timeout) -> Earned {
        Earned {
            account: Some(account),
            idle_s: Some(timeout.idle_s),
            ends: Some(after(self.begun, i64::from(timeout.absolute_s)).min(self.ends)),
            ..Earned::default()
        }
    }
}

#[cfg(test)]
mod tests {
    //! The machine against a model that is told in other words: the model remembers when each proof was given and computes
    //! from the history; the machine keeps a row and forgets.

    use super::*;
    use proptest::prelude::*;

    const TIMEOUT: Timeout = Timeout { idle_s: 3600, absolute_s: 12 * 3600 };

    #[derive(Clone, Copy, Debug)]
    enum Act {
        LogIn,
        Code(usize),
        StepUp(usize),
        Use(usize),
        LogOut(usize),
        Everywhere,
        PasswordChange(usize),
        Enrol(usize),
        RemoveFactor(usize),
        Require(bool),
        Wait(i64),
    }

    fn act() -> impl Strategy<Value = Act> {
        let one = 0..6_usize;
        prop_oneof![
            3 => Just(Act::LogIn),
            3 => one.clone().prop_map(Act::Code),
            2 => one.clone().prop_map(Act::StepUp),
            3 => one.clone().prop_map(Act::Use),
            1 => one.clone().prop_map(Act::LogOut),
            1 => Just(Act::Everywhere),
            1 => one.clone().prop_map(Act::PasswordChange),
            2 => one.clone().prop_map(Act::Enrol),
            1 => one.prop_map(Act::RemoveFactor),
            1 => any::<bool>().prop_map(Act::Require),
            // Around each of the limits, and a little.
            4 => prop_oneof![Just(1), Just(19), Just(20), Just(599), Just(600), Just(899), Just(900), Just(3599), Just(3600), 1..40_000_i64].prop_map(Act::Wait),
        ]
    }

    /// What the model knows of one session: a history.
    #[derive(Clone, Debug)]
    struct Story {
        begun: i64,
        coded: bool,
        proven: Vec<i64>,
        noted: i64,
        over: bool,
    }

    impl Story {
        fn stands(&self, has: bool, required: bool, now: i64) -> &'static str {
            let waited = !self.coded && self.begun_with_factor();
            let life = if waited { 600 } else { 12 * 3600 };
            if self.over || now - self.begun >= life || now - self.noted >= 3600 {
                "ended"
            } else if has && !self.coded {
                "code"
            } else if required && !has {
                "enrol"
            } else if self.proven.iter().any(|at| now - at < 900) {
                "stepped up"
            } else {
                "open"
            }
        }

        /// A log-in that proved nothing whole was one that waits for its code.
        fn begun_with_factor(&self) -> bool {
            !self.proven.contains(&self.begun)
        }
    }

    fn word(standing: Standing) -> &'static str {
        match standing {
            Standing::Ended => "ended",
            Standing::Code => "code",
            Standing::Enrol => "enrol",
            Standing::Open { stepped_up_until: Some(_) } => "stepped up",
            Standing::Open { stepped_up_until: None } => "open",
        }
    }

    /// What the statement `session_rotate` does.
    fn rotate(session: &mut Session, earned: Earned, now: Timestamp) {
        session.seen = now;
        session.second_factor = earned.second_factor.or(session.second_factor);
        session.stepped_up = earned.stepped_up.or(session.stepped_up);
        session.ends = earned.ends.unwrap_or(session.ends);
        session.idle_s = earned.idle_s.unwrap_or(session.idle_s);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn the_machine_does_what_the_model_says(acts in prop::collection::vec(act(), 1..60)) {
            let (mut sessions, mut stories): (Vec<Session>, Vec<Story>) = (Vec::new(), Vec::new());
            let (mut second, mut has, mut required) = (1_000_000_i64, false, false);
            for act in acts {
                let now = Timestamp::from_second(second).expect("a second");
                let factors = Factors { has, required };
                let here = |number: usize| (number < sessions.len()).then_some(number);
                let open = |number: usize| here(number).filter(|n| matches!(sessions[*n].standing(factors, now), Standing::Open { .. }));
                match act {
                    Act::LogIn => {
                        let (ends, stepped_up) = opened(factors, TIMEOUT, now);
                        sessions.push(Session {
                            id: SessionId::new(), person: PersonId::new(), realm: Realm::Account, account: None,
                            begun: now, seen: now, idle_s: TIMEOUT.idle_s, ends, second_factor: None, stepped_up, tries: 0,
                            device: None, address: String::new(), agent: String::new(), ended: None,
                        });
                        stories.push(Story { begun: second, coded: false, proven: if has { vec![] } else { vec![second] }, noted: second, over: false });
                    }
                    Act::Code(n) => if let Some(n) = here(n).filter(|n| sessions[*n].standing(factors, now) == Standing::Code) {
                        let earned = sessions[n].second_factor(TIMEOUT, now);
                        rotate(&mut sessions[n], earned, now);
                        let story = &mut stories[n];
                        (story.coded, story.noted) = (true, second);
                        story.proven.push(second);
                    },
                    Act::StepUp(n) => if let Some(n) = open(n) {
                        rotate(&mut sessions[n], Session::stepped_up(now), now);
                        stories[n].proven.push(second);
                        stories[n].noted = second;
                    },
                    Act::Use(n) => if let Some(n) = here(n) {
                        if sessions[n].standing(factors, now) != Standing::Ended && sessions[n].stale(now) {
                            sessions[n].seen = now;
                        }
                        if stories[n].stands(has, required, second) != "ended" && second - stories[n].noted >= 20 {
                            stories[n].noted = second;
                        }
                    },
                    Act::LogOut(n) => if let Some(n) = here(n) {
                        sessions[n].ended.get_or_insert(now);
                        stories[n].over = true;
                    },
                    Act::Everywhere => {
                        for session in &mut sessions { session.ended.get_or_insert(now); }
                        for story in &mut stories { story.over = true; }
                    }
                    Act::PasswordChange(n) => if let Some(n) = open(n) {
                        for (other, session) in sessions.iter_mut().enumerate() { if other != n { session.ended.get_or_insert(now); } }
                        for (other, story) in stories.iter_mut().enumerate() { story.over |= other != n; }
                        rotate(&mut sessions[n], Session::stepped_up(now), now);
                        stories[n].proven.push(second);
                        stories[n].noted = second;
                    },
                    Act::Enrol(n) => if let Some(n) = here(n).filter(|_| !has)
                        && matches!(sessions[n].standing(factors, now), Standing::Enrol | Standing::Open { stepped_up_until: Some(_) }) {
                        let earned = sessions[n].second_factor(TIMEOUT, now);
                        rotate(&mut sessions[n], earned, now);
                        has = true;
                        let story = &mut stories[n];
                        (story.coded, story.noted) = (true, second);
                        story.proven.push(second);
                    },
                    Act::RemoveFactor(n) => if let Some(n) = open(n) && has && sessions[n].stepped_up_until(now).is_some() { has = false; },
                    Act::Require(now_required) => required = now_required,
                    Act::Wait(seconds) => second += seconds,
                }
                let now = Timestamp::from_second(second).expect("a second");
                for (number, (session, story)) in sessions.iter().zip(&stories).enumerate() {
                    let stands = word(session.standing(Factors { has, required }, now));
                    prop_assert_eq!(stands, story.stands(has, required, second), "session {} after {:?}", number, act);
                }
            }
        }
    }
}
