//! Help for who lost both phone and recovery codes: asked for at log-in, checked by staff, stopped or used by a link in a mail.

use super::capability::Role;
use super::identity::Realm;
use husorden_base::Secret;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A wish for help with a lost second factor.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RescueAsk {
    /// The e-mail address; a mail goes there, if somebody with a second factor has it.
    pub email: String,
    /// On which side of the house.
    pub realm: Realm,
}

/// The secret of a link in a mail about a rescue.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RescueSecret {
    /// The secret from the mail.
    #[schema(value_type = String)]
    pub secret: Secret,
}

/// A lost second factor that was taken away. What is left is to log in, and to enrol anew.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RescueUsed {
    /// Whose it was.
    pub email: String,
    /// On which side of the house the log-in is.
    pub realm: Realm,
}

/// How far a rescue is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RescueState {
    /// Asked for; nobody has made sure who it is.
    Asked,
    /// Somebody has; the delay runs.
    Waiting,
    /// The link that takes the lost factor away was sent.
    Open,
    /// It was used.
    Used,
    /// The member stopped it.
    Stopped,
    /// Nothing came of it in time.
    Expired,
}

/// How somebody of staff made sure who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RescueHow {
    /// They came, with an identity document.
    InPerson,
    /// A video call with an identity document.
    Video,
    /// A call to the number that was on file before.
    CallBack,
    /// A letter to the holder's address that was answered.
    Letter,
}

impl RescueHow {
    /// Every way.
    pub const ALL: [Self; 4] = [Self::InPerson, Self::Video, Self::CallBack, Self::Letter];

    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::InPerson => "in-person",
            Self::Video => "video",
            Self::CallBack => "call-back",
            Self::Letter => "letter",
        }
    }
}

/// What somebody of staff writes down when they have made sure who it is.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RescueCheckCreate {
    /// How.
    pub how: RescueHow,
    /// What was seen or said, in 10 to 1000 characters; it becomes evidence.
    pub note: String,
}

/// A check that was made.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RescueCheck {
    /// Who of staff.
    pub by: String,
    /// What they are called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// When.
    #[schema(value_type = String)]
    pub at: Timestamp,
    /// How.
    pub how: RescueHow,
    /// What was seen or said.
    pub note: String,
}

/// An account of whoever asked.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RescueAccount {
    /// The account's id.
    pub account: String,
    /// Its name.
    pub name: String,
    /// The role in it.
    pub role: Role,
}

/// A rescue, as staff see it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Rescue {
    /// Its id.
    pub id: String,
    /// The person's id.
    pub person: String,
    /// The person's address.
    pub email: String,
    /// The person's name.
    pub name: String,
    /// On which side of the house.
    pub realm: Realm,
    /// How far it is.
    pub state: RescueState,
    /// The network it was asked from.
    pub network: String,
    /// When it was asked for.
    #[schema(value_type = String)]
    pub asked: Timestamp,
    /// When the link is sent; none before somebody has made sure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub opens: Option<Timestamp>,
    /// When it ends by itself.
    #[schema(value_type = String)]
    pub expires: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub ended: Option<Timestamp>,
    /// The accounts that the person is a member of.
    pub accounts: Vec<RescueAccount>,
    /// Who made sure, and how.
    pub checks: Vec<RescueCheck>,
}
