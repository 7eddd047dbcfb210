//! The house rules of one version: what each clause says in both languages, who answers for it, and what is usually done.

use husorden_base::Text;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// The house rules of one version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// Grows by one with each change.
    pub version: u32,
    /// The day from which it holds, 00:00 UTC.
    pub effective: Date,
    /// What changed, for those who accepted the version before.
    pub summary: Text,
    /// The kinds of solutions that clauses may name, with what people call them.
    pub kinds: BTreeMap<String, Text>,
    /// The clauses, in the order of [`crate::clause::CLAUSES`].
    pub clauses: Vec<ClauseText>,
}

/// One clause.
///
/// The id is a text and not a [`crate::Clause`]: an old version may hold a clause that exists no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClauseText {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: Text,
    /// What is promised, or not allowed.
    pub says: Text,
    /// What the provider does.
    pub we: Text,
    /// What the customer can do.
    pub you: Text,
    /// The kinds it is about; none is every kind.
    pub kinds: Vec<String>,
    /// Who answers for it.
    pub answers: Owner,
    /// What is usually done about a breach; a human decides each time.
    pub measures: Vec<UsualMeasure>,
    /// Whether a breach may be a crime, so that a case under it needs a referral to the police, or a reason for none.
    pub criminal: bool,
}

/// Who answers for a clause: the six values of control ownership in STA-04 of the Cloud Controls Matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Owner {
    /// The provider alone.
    Provider,
    /// The customer alone.
    Customer,
    /// A third party does it; the provider answers to the customer for that.
    ThirdParty,
    /// Both, each for a part.
    ProviderAndCustomer,
    /// The provider and a third party; the customer has no part in it.
    ProviderAndThirdParty,
    /// Nobody: there is nothing to answer for.
    NotApplicable,
}

impl Owner {
    /// Every value.
    pub const ALL: [Self; 6] = [
        Self::Provider,
        Self::Customer,
        Self::ThirdParty,
        Self::ProviderAndCustomer,
        Self::ProviderAndThirdParty,
        Self::NotApplicable,
    ];

    /// The word in data.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Customer => "customer",
            Self::ThirdParty => "third-party",
            Self::ProviderAndCustomer => "provider-and-customer",
            Self::ProviderAndThirdParty => "provider-and-third-party",
            Self::NotApplicable => "not-applicable",
        }
    }

    /// For people.
    #[must_use]
    pub fn title(self) -> Text {
        match self {
            Self::Provider => Text::new("Vi svarer", "We answer"),
            Self::Customer => Text::new("Du svarer", "You answer"),
            Self::ThirdParty => Text::new(
                "En underleverandør udfører det; vi svarer for den",
                "A subcontractor does it; we answer for them",
            ),
            Self::ProviderAndCustomer => {
                Text::new("Vi svarer for vores del, du for din", "We answer for our part, you for yours")
            }
            Self::ProviderAndThirdParty => {
                Text::new("Vi og en underleverandør; vi svarer for begge", "We and a subcontractor; we answer for both")
            }
            Self::NotApplicable => {
                Text::new("Ingen; der er intet at svare for", "Nobody; there is nothing to answer for")
            }
        }
    }
}

/// What is usually done about a breach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UsualMeasure {
    /// Write to the account and hear its answer.
    Contact,
    /// Slow it down.
    Throttle,
    /// Stop only the traffic that breaks the clause.
    Restrict,
    /// Close the solution.
    SuspendSolution,
    /// Close everything the account has.
    SuspendAccount,
    /// End the agreement.
    End,
    /// Report it to the police.
    PoliceReport,
}

impl UsualMeasure {
    /// Every value.
    pub const ALL: [Self; 7] = [
        Self::Contact,
        Self::Throttle,
        Self::Restrict,
        Self::SuspendSolution,
        Self::SuspendAccount,
        Self::End,
        Self::PoliceReport,
    ];

    /// The word in data.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Contact => "contact",
            Self::Throttle => "throttle",
            Self::Restrict => "restrict",
            Self::SuspendSolution => "suspend-solution",
            Self::SuspendAccount => "suspend-account",
            Self::End => "end",
            Self::PoliceReport => "police-report",
        }
    }

    /// For people.
    #[must_use]
    pub fn title(self) -> Text {
        match self {
            Self::Contact => Text::new("Vi skriver til dig", "We write to you"),
            Self::Throttle => Text::new("Farten sættes ned", "It is slowed down"),
            Self::Restrict => Text::new("Den trafik spærres", "That traffic is blocked"),
            Self::SuspendSolution => Text::new("Løsningen lukkes", "The solution is closed"),
            Self::SuspendAccount => Text::new("Alt på kontoen lukkes", "Everything on the account is closed"),
            Self::End => Text::new("Aftalen bringes til ophør", "The agreement is ended"),
            Self::PoliceReport => Text::new("Politianmeldelse", "Report to the police"),
        }
    }
}

impl Rules {
    /// The moment from which it holds.
    ///
    /// # Panics
    /// Never: midnight UTC exists on every day that a [`Date`] of the loader can be.
    #[must_use]
    pub fn effective_at(&self) -> Timestamp {
        self.effective.to_zoned(TimeZone::UTC).expect("the loader takes only dates of this era").timestamp()
    }

    /// The one text that is stored and hashed: JSON with its fields in the order of the types.
    ///
    /// # Panics
    /// Never: the types are JSON.
    #[must_use]
    pub fn canonical(&self) -> String {
        serde_json::to_string(self).expect("texts, numbers and lists are JSON")
    }

    /// The SHA-256 of the canonical text.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.canonical()).into()
    }

    /// The clause with this id.
    #[must_use]
    pub fn clause(&self, id: &str) -> Option<&ClauseText> {
        self.clauses.iter().find(|clause| clause.id == id)
    }
}
