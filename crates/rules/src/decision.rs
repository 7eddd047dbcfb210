//! Decisions: what staff decide in a case, checked before anything is carried out.

use crate::measure::{Access, Fates};
use crate::{Clause, Scope};
use husorden_base::{FieldError, Refusal, SubscriptionId, Text};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// The fewest characters reasons may have: one word is no reason.
pub const REASONS_CHARS_MIN: usize = 20;
/// The most characters reasons or facts may have.
pub const REASONS_CHARS_MAX: usize = 10_000;

/// The most subscriptions that one decision ends.
pub const FORFEITS_MAX: usize = 100;

/// A decision as it is sent in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecisionForm {
    /// The clause that is broken.
    pub clause: String,
    /// Why, for the account holder to read.
    pub reasons: String,
    /// The facts it rests on, for the account holder to read. What a case was opened with stays with staff.
    #[serde(default)]
    pub facts: Option<String>,
    /// What is held.
    pub scope: Scope,
    /// What the account may still do.
    #[serde(default)]
    pub access: Access,
    /// What becomes of what is under way.
    #[serde(default)]
    pub fates: Fates,
    /// When it ends by itself.
    #[serde(default)]
    pub ends: Option<Timestamp>,
    /// Until when the account is not told; only under `law.order`.
    #[serde(default)]
    pub silent_until: Option<Timestamp>,
    /// Subscriptions of the account that end with it, for breach: what is left of their periods is forfeited (`money.breach`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forfeits: Vec<SubscriptionId>,
}

/// A decision that holds: it has a clause, reasons and a scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The clause.
    pub clause: Clause,
    /// Why.
    pub reasons: String,
    /// The facts it rests on, for the account holder.
    pub facts: Option<String>,
    /// What is held.
    pub scope: Scope,
    /// What the account may still do.
    pub access: Access,
    /// What becomes of what is under way.
    pub fates: Fates,
    /// When it ends by itself.
    pub ends: Option<Timestamp>,
    /// Until when the account is not told.
    pub silent_until: Option<Timestamp>,
    /// Subscriptions that end with it for breach, each named once.
    pub forfeits: Vec<SubscriptionId>,
}

impl DecisionForm {
    /// Checks the form.
    ///
    /// # Errors
    /// Every field that is wrong.
    pub fn check(self, now: Timestamp) -> Result<Decision, Refusal> {
        let spares = self.spares();
        let mut fields = Vec::new();
        let mut wrong = |pointer: &str, da: String, en: String| {
            fields.push(FieldError { pointer: pointer.to_owned(), detail: Text::new(da, en) });
        };
        let clause = self.clause.parse::<Clause>();
        if clause.is_err() {
            wrong(
                "/clause",
                format!("{:?} er intet punkt i husordenen", self.clause),
                format!("{:?} is no clause of the house rules", self.clause),
            );
        }
        let reasons = self.reasons.trim().to_owned();
        let length = reasons.chars().count();
        if !(REASONS_CHARS_MIN..=REASONS_CHARS_MAX).contains(&length) {
            wrong(
                "/reasons",
                format!(
                    "En afgørelse skal begrundes med {REASONS_CHARS_MIN} til {REASONS_CHARS_MAX} tegn; her er {length}"
                ),
                format!(
                    "A decision needs reasons of {REASONS_CHARS_MIN} to {REASONS_CHARS_MAX} characters; there are {length}"
                ),
            );
        }
        let facts = self.facts.map(|facts| facts.trim().to_owned());
        if facts.as_ref().is_some_and(|facts| facts.is_empty() || facts.chars().count() > REASONS_CHARS_MAX) {
            wrong("/facts", format!("1 til {REASONS_CHARS_MAX} tegn"), format!("1 to {REASONS_CHARS_MAX} characters"));
        }
        if self.ends.is_some_and(|ends| ends <= now) {
            wrong("/ends", "Tidspunktet er passeret".to_owned(), "That moment has passed".to_owned());
        }
        if self.ends.is_some_and(|ends| ends > now + SignedDuration::from_hours(24 * 3660)) {
            wrong("/ends", "Højst ti år frem".to_owned(), "At most ten years ahead".to_owned());
        }
        if self.silent_until.is_some() && self.clause != "law.order" {
            wrong(
                "/silent_until",
                "Kun et påbud (law.order) kan gøre en foranstaltning tavs".to_owned(),
                "Only an order (law.order) can make a measure silent".to_owned(),
            );
        }
        if let Some((da, en)) = spares {
            wrong("/forfeits", da.to_owned(), en.to_owned());
        }
        match clause {
            Ok(clause) if fields.is_empty() => Ok(Decision {
                clause,
                reasons,
                facts,
                scope: self.scope,
                access: self.access,
                fates: self.fates,
                ends: self.ends,
                silent_until: self.silent_until,
                forfeits: self.forfeits,
            }),
            Ok(_) | Err(_) => Err(Refusal::fields(fields)),
        }
    }
}

impl DecisionForm {
    /// Why nothing can be forfeited by it, though it says so.
    fn spares(&self) -> Option<(&'static str, &'static str)> {
        let twice = |at: usize| self.forfeits[at + 1..].contains(&self.forfeits[at]);
        if self.forfeits.is_empty() {
            None
        } else if self.forfeits.len() > FORFEITS_MAX || (0..self.forfeits.len()).any(twice) {
            Some(("Højst 100 abonnementer, hvert nævnt én gang", "At most 100 subscriptions, each named once"))
        } else if self.clause == "load.exceptional" {
            Some(("Ekstraordinær belastning er ikke misligholdelse", "Exceptional load is no breach"))
        } else if self.silent_until.is_some() {
            Some((
                "En tavs foranstaltning kan ikke afslutte et abonnement: kontoen ville se det",
                "A silent measure cannot end a subscription: the account would see it",
            ))
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use husorden_base::SolutionId;

    fn form(clause: &str, reasons: &str) -> DecisionForm {
        DecisionForm {
            clause: clause.to_owned(),
            reasons: reasons.to_owned(),
            facts: None,
            scope: Scope::Solution { id: SolutionId::new() },
            access: Access::default(),
            fates: Fates::default(),
            ends: None,
            silent_until: None,
            forfeits: Vec::new(),
        }
    }

    #[test]
    fn no_decision_without_clause_and_reasons() {
        let now = Timestamp::from_second(1_000_000).expect("a second");
        let why = "The site scanned 192.0.2.0/24 for open SSH ports.";
        assert!(form("network.attack", why).check(now).is_ok());
        let check = |form: DecisionForm| -> Vec<String> {
            form.check(now).expect_err("it is refused").fields.into_iter().map(|field| field.pointer).collect()
        };
        assert_eq!(check(form("nonsense", why)), ["/clause"]);
        assert_eq!(check(form("nonsense", "bad")), ["/clause", "/reasons"]);
        assert_eq!(check(DecisionForm { facts: Some(" ".to_owned()), ..form("mail.spam", why) }), ["/facts"]);
        assert_eq!(check(DecisionForm { ends: Some(now), ..form("mail.spam", why) }), ["/ends"]);
        assert_eq!(check(DecisionForm { silent_until: Some(now), ..form("mail.spam", why) }), ["/silent_until"]);
        // What is forfeited is named once, is told at once, and only a breach forfeits.
        let one = SubscriptionId::new();
        let forfeits =
            |forfeits: &[SubscriptionId], form: DecisionForm| DecisionForm { forfeits: forfeits.to_vec(), ..form };
        assert!(forfeits(&[one, SubscriptionId::new()], form("mail.spam", why)).check(now).is_ok());
        let silent = DecisionForm { silent_until: Some(now), ..form("law.order", why) };
        for wrong in [
            forfeits(&[one, SubscriptionId::new(), one], form("mail.spam", why)),
            forfeits(&[one], form("load.exceptional", why)),
            forfeits(&[one], silent),
        ] {
            assert_eq!(check(wrong), ["/forfeits"]);
        }
    }
}
