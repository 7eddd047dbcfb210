//! The clauses of the house rules, by id. Their texts are data under `rules/`; this list says which ids exist.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Every clause id.
pub const CLAUSES: [&str; 28] = [
    "data.scope",
    "data.personal",
    "account.answerable",
    "provider.judgement",
    "measure.immediate",
    "money.breach",
    "content.violence",
    "content.sexual-abuse",
    "content.rights",
    "network.p2p",
    "mail.spam",
    "network.attack",
    "network.vpn",
    "commerce.illegal",
    "content.religious",
    "load.exceptional",
    "law.police",
    "licence.software",
    "licence.os",
    "liability.customer",
    "account.logout",
    "duty.infrastructure",
    "duty.server",
    "advice.server",
    "duty.database",
    "duty.website",
    "other.terms",
    "law.order",
];

/// A clause that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Clause(usize);

impl Clause {
    /// Its id.
    #[must_use]
    pub const fn id(self) -> &'static str {
        CLAUSES[self.0]
    }
}

impl FromStr for Clause {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        CLAUSES
            .iter()
            .position(|id| *id == text)
            .map(Self)
            .ok_or_else(|| format!("{text:?} is no clause; one of: {}", CLAUSES.join(", ")))
    }
}

impl TryFrom<String> for Clause {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Clause> for String {
    fn from(clause: Clause) -> Self {
        clause.id().to_owned()
    }
}

impl fmt::Display for Clause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}
