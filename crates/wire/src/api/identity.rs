//! Log-in and whoever does it: sessions, persons, members, invitations, staff, and the account holder.

use super::capability::{Capabilities, Capability, Role, StaffRole};
use husorden_base::{Language, Secret};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A log-in.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LogIn {
    /// The e-mail address.
    pub email: String,
    /// The password.
    #[schema(value_type = String)]
    pub password: Secret,
    /// `account` or `staff`.
    pub realm: Realm,
    /// What an earlier log-in from this device was given as `device`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub device: Option<Secret>,
}

/// On which side of the house.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Realm {
    /// Customers.
    Account,
    /// Staff.
    Staff,
}

/// What a session must do before it may do what the person's role may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Need {
    /// Give the code of the second factor.
    SecondFactor,
    /// Set up a second factor.
    SecondFactorEnrol,
    /// Accept the house rules.
    Rules,
}

/// A session with its secret, which is shown in this answer only. Every act that answers with this gives the session a new
/// secret; the one before opens nothing any more.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SessionOpened {
    /// The secret: goes into `Authorization: Bearer`.
    #[schema(value_type = String)]
    pub session: Secret,
    /// Its id.
    pub id: String,
    /// What must be done first.
    pub needs: Vec<Need>,
    /// Given once, when a device has logged in whole: to be sent as `device` with the next log-in from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub device: Option<Secret>,
    /// When it ends unless it is used.
    #[schema(value_type = String)]
    pub idle_ends: Timestamp,
    /// When it ends at the latest.
    #[schema(value_type = String)]
    pub ends: Timestamp,
}

/// The second factor: one of the two.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecondFactor {
    /// The code that the app shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// A recovery code, which then is spent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub recovery_code: Option<Secret>,
}

/// A proof that the person is still there: the code where a second factor is set up, else the password.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StepUp {
    /// The password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub password: Option<Secret>,
    /// The code that the app shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// The session that asks.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Session {
    /// Its id.
    pub id: String,
    /// Whose it is.
    pub person: Person,
    /// On which side of the house.
    pub realm: Realm,
    /// The account it stands in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Standing>,
    /// The accounts it may stand in.
    pub accounts: Vec<Standing>,
    /// The person's roles as staff, in a session of staff.
    pub staff_roles: Vec<StaffRole>,
    /// What it may, in the words of the API's capabilities; less while it needs something.
    #[schema(value_type = Vec<Capability>)]
    pub capabilities: Capabilities,
    /// What must be done first.
    pub needs: Vec<Need>,
    /// Until when dangerous things may be done without proving anew who it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub stepped_up_until: Option<Timestamp>,
    /// When it ends unless it is used.
    #[schema(value_type = String)]
    pub idle_ends: Timestamp,
    /// When it ends at the latest.
    #[schema(value_type = String)]
    pub ends: Timestamp,
}

/// A person's place in an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Standing {
    /// The account's id.
    pub id: String,
    /// The account's name.
    pub name: String,
    /// The person's role in it.
    pub role: Role,
}

/// The account that a session is to stand in.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionMove {
    /// The account's id or name.
    pub account: String,
}

/// One of a person's sessions.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SessionListed {
    /// Its id.
    pub id: String,
    /// Whether it is the one that asks.
    pub current: bool,
    /// On which side of the house.
    pub realm: Realm,
    /// The name of the account it stands in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The address it was begun from.
    pub address: String,
    /// What the browser or program called itself.
    pub device: String,
    /// When it was begun.
    #[schema(value_type = String)]
    pub begun: Timestamp,
    /// When it was used last, to within half a minute.
    #[schema(value_type = String)]
    pub seen: Timestamp,
}

/// A person, as it sees itself.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Person {
    /// Its id.
    pub id: String,
    /// Its e-mail address.
    pub email: String,
    /// Its name.
    pub name: String,
    /// The language it is spoken to in.
    #[schema(value_type = String)]
    pub language: Language,
    /// Its time zone, as the IANA database names it.
    pub time_zone: String,
    /// Whether a second factor is set up.
    pub second_factor: bool,
    /// Recovery codes that are not spent.
    pub recovery_codes_left: u32,
}

/// A change of a person. What is left out stays.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PersonChange {
    /// A new name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A new language.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub language: Option<Language>,
    /// A new time zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
}

/// A new password. All other sessions of the person end.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordChange {
    /// The password until now.
    #[schema(value_type = String)]
    pub old: Secret,
    /// The password from now on.
    #[schema(value_type = String)]
    pub new: Secret,
}

/// A wish for another e-mail address. It counts when the new mailbox has confirmed it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EmailChange {
    /// The new address; a mail goes there.
    pub email: String,
}

/// The secret of a mail about a changed address.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EmailSecret {
    /// The secret from the mail.
    #[schema(value_type = String)]
    pub secret: Secret,
}

/// The address that counts from now on.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct EmailChanged {
    /// The address.
    pub email: String,
}

/// A second factor that is being set up. It counts when a code of it was confirmed.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TotpBegun {
    /// The secret, to be typed into the app.
    #[schema(value_type = String)]
    pub secret: Secret,
    /// The same as the app reads it.
    #[schema(value_type = String)]
    pub uri: Secret,
    /// A picture of the same, as SVG.
    pub qr_svg: String,
}

/// The code that the app shows, to confirm that it was set up.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TotpConfirm {
    /// The code.
    pub code: String,
}

/// A second factor that was set up.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TotpConfirmed {
    /// Codes for when the app is lost; each opens once. Shown in this answer only.
    #[schema(value_type = Vec<String>)]
    pub recovery_codes: Vec<Secret>,
    /// The session with its new secret.
    pub session: SessionOpened,
}

/// Fresh recovery codes; the earlier ones open nothing any more.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RecoveryCodes {
    /// The codes, shown in this answer only.
    #[schema(value_type = Vec<String>)]
    pub recovery_codes: Vec<Secret>,
}

/// A wish for a new password by somebody who forgot the old one.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordReset {
    /// The e-mail address; a mail goes there, if somebody has it.
    pub email: String,
    /// On which side of the house.
    pub realm: Realm,
}

/// A new password with the secret from the mail.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordResetUse {
    /// The secret from the mail.
    #[schema(value_type = String)]
    pub secret: Secret,
    /// The new password.
    #[schema(value_type = String)]
    pub password: Secret,
}

/// A password that was reset. Every session of the person has ended.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PasswordResetUsed {
    /// To be sent as `device` with the log-in that follows: it has an allowance of tries of its own.
    #[schema(value_type = String)]
    pub device: Secret,
}

/// A member of an account.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Member {
    /// The person's id.
    pub person: String,
    /// Its e-mail address.
    pub email: String,
    /// Its name.
    pub name: String,
    /// Its role.
    pub role: Role,
    /// Whether it has a second factor.
    pub second_factor: bool,
    /// Since when it is a member.
    #[schema(value_type = String)]
    pub since: Timestamp,
}

/// Another role for a member. Its sessions in the account end.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MemberChange {
    /// The new role.
    pub role: Role,
}

/// An invitation to an account, or to staff.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Invitation {
    /// Its id.
    pub id: String,
    /// Where the mail goes.
    pub email: String,
    /// The role in the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// The roles as staff.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub staff_roles: Vec<StaffRole>,
    /// When it was sent.
    #[schema(value_type = String)]
    pub created: Timestamp,
    /// Until when it can be taken up.
    #[schema(value_type = String)]
    pub expires: Timestamp,
}

/// An order for an invitation.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InvitationCreate {
    /// Where the mail goes.
    pub email: String,
    /// The role.
    pub role: Role,
    /// The language of the mail; the account's when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub language: Option<Language>,
}

/// The secret of an invitation.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InvitationSecret {
    /// The secret from the mail.
    #[schema(value_type = String)]
    pub secret: Secret,
}

/// An invitation, as whoever has its secret sees it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct InvitationSeen {
    /// The account's name; none when it is to staff.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The role in the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// The roles as staff.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub staff_roles: Vec<StaffRole>,
    /// To whom it was sent.
    pub email: String,
    /// Whether somebody with this address has a log-in already: then name and password are not asked for.
    pub known: bool,
}

/// Taking an invitation up. Whoever has a log-in sends the secret alone.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InvitationAccept {
    /// The secret from the mail.
    #[schema(value_type = String)]
    pub secret: Secret,
    /// For a new log-in: the person's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// For a new log-in: its password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub password: Option<Secret>,
    /// For a new log-in: its language.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub language: Option<Language>,
}

/// An invitation that was taken up; what is left is to log in.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct InvitationAccepted {
    /// As whom to log in.
    pub email: String,
    /// Where.
    pub realm: Realm,
}

/// Who the agreement is with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Holder {
    /// A person or a company.
    pub kind: HolderKind,
    /// The name.
    pub name: String,
    /// The company number, for a company in Denmark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cvr: Option<String>,
    /// The postal address, on one line.
    pub address: String,
    /// The country, two letters (ISO 3166).
    pub country: String,
    /// Where to write.
    pub email: String,
    /// Where to call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
}

/// What an account holder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HolderKind {
    /// A human being.
    Person,
    /// A company, or another body with a number of its own.
    Company,
}

/// An account with what its members and staff see of it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AccountShown {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The language its messages are in.
    #[schema(value_type = String)]
    pub language: Language,
    /// Who the agreement is with; none until it was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<Holder>,
    /// Whether every member must have a second factor.
    pub two_factor_required: bool,
    /// When it was made.
    #[schema(value_type = String)]
    pub created: Timestamp,
}

/// A change of an account. What is left out stays.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountChange {
    /// A new name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A new language.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub language: Option<Language>,
    /// Who the agreement is with, whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<Holder>,
    /// Whether every member must have a second factor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub two_factor_required: Option<bool>,
}

/// A person of staff.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct StaffMember {
    /// The person's id.
    pub person: String,
    /// Its e-mail address.
    pub email: String,
    /// Its name.
    pub name: String,
    /// The number that customers see instead of the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u32>,
    /// Its roles.
    pub roles: Vec<StaffRole>,
    /// Whether it has a second factor; without one it may do nothing but set one up.
    pub second_factor: bool,
    /// Since when it is staff.
    #[schema(value_type = String)]
    pub since: Timestamp,
}

/// An invitation to staff.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StaffInvite {
    /// Where the mail goes.
    pub email: String,
    /// The roles.
    pub roles: Vec<StaffRole>,
    /// The language of the mail.
    #[serde(default)]
    #[schema(value_type = String)]
    pub language: Language,
}

/// Other roles for a person of staff. Its sessions end.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StaffChange {
    /// The roles, all of them.
    pub roles: Vec<StaffRole>,
}
