//! Cases, decisions, measures, statements of reasons and complaints.

use super::{Forfeit, Signed};
use husorden_base::Text;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// A case, as staff see it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Case {
    /// Its id.
    pub id: String,
    /// Its number, which strangers may see.
    pub number: String,
    /// Counts every change; also its ETag.
    pub version: u64,
    /// On which account.
    pub account: String,
    /// The account's name.
    pub account_name: String,
    /// On which solution, if on one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub solution: Option<String>,
    /// The solution's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub solution_name: Option<String>,
    /// The clause.
    pub clause: String,
    /// `open` or `closed`.
    pub state: String,
    /// Facts, as noted when it was opened.
    pub facts: String,
    /// Who opened it, as evidence says it.
    pub opened_by: String,
    /// The same for people; in a list of cases it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opened_by_whom: Option<Signed>,
    /// Its measures.
    pub measures: Vec<Measure>,
    /// Notes, oldest first; in a list of cases they are left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<CaseNote>,
    /// Complaints, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub complaints: Vec<Complaint>,
    /// When it was opened.
    #[schema(value_type = String)]
    pub created: Timestamp,
    /// When it was closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub closed: Option<Timestamp>,
    /// Why it was closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closing: Option<String>,
    /// Whether it was referred to the police, or the named reason why that was not due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub referral: Option<Referral>,
}

/// An order for a case; staff only.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CaseCreate {
    /// On which solution; or `account`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub solution: Option<String>,
    /// On which account, when not on one solution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The clause.
    pub clause: String,
    /// What is known.
    pub facts: String,
}

/// A note in a case; staff's own.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CaseNote {
    /// When.
    #[schema(value_type = String)]
    pub at: Timestamp,
    /// Who, as evidence says it.
    pub by: String,
    /// The same for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_whom: Option<Signed>,
    /// What.
    pub text: String,
}

/// A note to be added.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CaseNoteCreate {
    /// What is noted, 1 to 10,000 characters.
    pub text: String,
}

/// A case is closed.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CaseClose {
    /// Why it is done with.
    pub reasons: String,
    /// Needed under a clause that is marked criminal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub referral: Option<Referral>,
}

/// What became of the duty to report to the police.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "is", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Referral {
    /// It was referred.
    Made {
        /// The receiver's reference, or how it was sent.
        reference: String,
    },
    /// None was due.
    NotDue {
        /// Why not.
        reason: String,
    },
}

/// A measure.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Measure {
    /// Its id.
    pub id: String,
    /// Its case.
    pub case: String,
    /// The case number a stranger sees.
    pub case_number: String,
    /// The clause.
    pub clause: String,
    /// The version of the house rules it was decided under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules_version: Option<String>,
    /// What it holds: `{"of":"solution","id":…}` or `{"of":"account","id":…}`.
    #[schema(value_type = Object)]
    pub scope: Value,
    /// `full`, `decision`, `data-out` or `none`.
    pub access: String,
    /// Facts, for the account holder.
    pub facts: String,
    /// Reasons, for the account holder.
    pub reasons: String,
    /// `ordered` (decided), `kept` (written down on the node), `in-force`, `lifting` or `lifted`.
    pub state: String,
    /// It was decided, or lifted, more than ten seconds ago, and a node has not carried it out.
    #[serde(default)]
    pub late: bool,
    /// Since when.
    #[schema(value_type = String)]
    pub starts: Timestamp,
    /// When it ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub ends: Option<Timestamp>,
    /// When it was in force on every node it concerns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub in_force: Option<Timestamp>,
    /// When it was lifted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub lifted: Option<Timestamp>,
    /// Subscriptions that ended for breach by this decision, with the amounts that are forfeited.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forfeits: Vec<Forfeit>,
    /// What a probe met that reaches the solution as a stranger does; none until one has said something of what holds now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<MeasureSeen>,
    /// Why it was lifted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lift_reasons: Option<String>,
    /// Who decided, as evidence says it; told to staff only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<String>,
    /// Who decided, for people: to customers the roles and a number, unless the installation shows names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_by_whom: Option<Signed>,
}

/// A measure as strangers meet it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MeasureSeen {
    /// `closed` (everything it covers refuses, with the case number), `open` (after it was lifted: nothing shows it any more)
    /// or `not-seen` (neither could be seen yet; it is tried again).
    pub what: String,
    /// When.
    #[schema(value_type = String)]
    pub at: Timestamp,
    /// The probe that met it.
    pub by: String,
    /// The HTTP status it was answered with, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Solutions that were asked; 0 where nothing is reached from outside.
    pub asked: u32,
    /// Why it was not seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub why: Option<Text>,
}

/// Why a measure is lifted.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MeasureLift {
    /// Reasons, for the account holder.
    pub reasons: String,
}

/// The statement of reasons: a decision as the account holder reads it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Statement {
    /// The measure, with clause, version of the rules, facts and reasons.
    pub measure: Measure,
    /// The name of the solution it holds; none for a whole account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub solution_name: Option<String>,
    /// What is restricted and what is not, in the reader's language.
    pub restricted: Vec<String>,
    /// Whether automated means took part; people decide, so this is false.
    pub automated: bool,
    /// Where to complain: a path of the API.
    pub complain: String,
    /// Whether a complaint can be made now.
    pub can_complain: bool,
    /// Complaints made, oldest first.
    pub complaints: Vec<Complaint>,
}

/// A complaint about a measure.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Complaint {
    /// Its id.
    pub id: String,
    /// The case number.
    pub case_number: String,
    /// The measure it is about.
    pub measure: String,
    /// Who complained: a member's or token's signature.
    pub by: String,
    /// The same for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_whom: Option<Signed>,
    /// What was said.
    pub text: String,
    /// When.
    #[schema(value_type = String)]
    pub made: Timestamp,
    /// `upheld` (the measure was lifted) or `rejected`; none while it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// The answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// Who answered it, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_by_whom: Option<Signed>,
    /// When it was answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub answered: Option<Timestamp>,
}

/// A complaint to be made.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ComplaintCreate {
    /// Why the decision is wrong, 20 to 10,000 characters.
    pub text: String,
}

/// What staff decide on a complaint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ComplaintOutcome {
    /// The complaint is right: the measure is lifted.
    Upheld,
    /// The measure stays.
    Rejected,
}

/// A decision on a complaint.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ComplaintAnswer {
    /// What is decided.
    pub outcome: ComplaintOutcome,
    /// Why, for the account holder to read.
    pub reasons: String,
}
