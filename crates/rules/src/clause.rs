//! The clauses of the house rules, by id. Their texts are data under `rules/`; this list says which ids exist.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The one list: an id here is a clause, and has its texts in a file of that name under `rules/`.
macro_rules! clauses {
    ($($id:literal),+ $(,)?) => {
        /// Every clause id.
        pub const CLAUSES: &[&str] = &[$($id),+];

        /// The texts that come with the product, as (file, text); none can be missing, for it would not compile.
        pub(crate) const SHIPPED: &[(&str, &str)] =
            &[$((concat!($id, ".toml"), include_str!(concat!("../../../rules/", $id, ".toml")))),+];
    };
}

clauses![
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
