//! Agreements: what is closed to all and opened to one solution, when staff have said yes to what its account asked for.

use super::Signed;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use utoipa::ToSchema;

/// How an agreement stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AgreementState {
    /// It waits for staff.
    Asked,
    /// It is in force.
    Agreed,
    /// Staff said no.
    Refused,
    /// It is over, or was withdrawn before anybody decided.
    Ended,
}

impl AgreementState {
    /// Every one, in the order in which they come.
    pub const ALL: [Self; 4] = [Self::Asked, Self::Agreed, Self::Refused, Self::Ended];

    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Agreed => "agreed",
            Self::Refused => "refused",
            Self::Ended => "ended",
        }
    }
}

impl fmt::Display for AgreementState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// The one subject there is: TCP port 25 out.
pub const PORT_25: &str = "port-25";

fn port_25() -> String {
    PORT_25.to_owned()
}

/// A request for an agreement.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AgreementAsk {
    /// What is to be opened: `port-25`, which is TCP port 25 out.
    #[serde(default = "port_25")]
    pub subject: String,
    /// Messages a week that are expected, 1 to 1,000,000.
    #[serde(default)]
    pub per_week: i64,
    /// What is sent and to whom, in at most 1,000 characters.
    #[serde(default)]
    pub purpose: String,
}

/// What staff decide.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AgreementDecide {
    /// Whether it is agreed.
    pub agree: bool,
    /// Why, for the account; required with a no.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// With a yes: when it ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub until: Option<Timestamp>,
}

/// Why staff end what was agreed.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AgreementEnd {
    /// Why, for the account.
    #[serde(default)]
    pub reason: String,
}

/// An agreement, from the day it was asked for. Who holds its ETag decides and ends it with `If-Match`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Agreement {
    /// Its id.
    pub id: String,
    /// Whose it is.
    pub account: String,
    /// The account's name.
    pub account_name: String,
    /// The solution that it is about.
    pub solution: String,
    /// The solution's name.
    pub solution_name: String,
    /// What it opens: `port-25`.
    pub subject: String,
    /// Messages a week that are expected.
    pub per_week: u32,
    /// What is sent and to whom.
    pub purpose: String,
    /// How it stands.
    pub state: AgreementState,
    /// Counts its changes; also the ETag.
    pub version: u64,
    /// When it was asked for.
    #[schema(value_type = String)]
    pub asked: Timestamp,
    /// By whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_by: Option<Signed>,
    /// When staff decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub decided: Option<Timestamp>,
    /// Who of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<Signed>,
    /// What they said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub until: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub ended: Option<Timestamp>,
    /// Who ended it; none where its time was up, or the solution is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_by: Option<Signed>,
    /// What staff said when they ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_reason: Option<String>,
}
