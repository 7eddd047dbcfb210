//! Members and staff: inviting, taking an invitation up, other roles, leaving. That an account keeps an owner is held by the
//! database, where changes at once take their turns.

use super::mail::{self, Template};
use super::{password, words};
use crate::app::App;
use crate::fault::Fault;
use crate::store::identity::member::NewInvitation;
use crate::store::identity::person::{self as rows, NewPerson};
use crate::visitor::Whence;
use crate::{store, token};
use husorden_base::{AccountId, InvitationId, Language, Refusal, Secret, Text};
use husorden_wire::api::{self, Role, StaffRole};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// How long an invitation holds.
const INVITATION_WAIT: SignedDuration = SignedDuration::from_hours(7 * 24);

/// To what somebody is invited.
pub(crate) enum To<'a> {
    Account { id: AccountId, name: &'a str, role: Role },
    Staff { roles: &'a [StaffRole] },
}

/// Writes an invitation and its mail through the door of whoever invites.
pub(crate) async fn invite(
    app: &App,
    conn: &mut sqlx::PgConnection,
    to: To<'_>,
    email: &str,
    language: Language,
) -> Result<store::identity::member::InvitationRow, Fault> {
    let mut fields = words::Fields::default();
    let email = fields.take("/email", words::email(email)).unwrap_or_default();
    if let To::Staff { roles: [] } = to {
        fields.wrong("/roles", Text::new("Nævn mindst én rolle", "Name at least one role"));
    }
    fields.done()?;
    let secret = token::secret("invite");
    let expires = Timestamp::now().saturating_add(INVITATION_WAIT).unwrap_or(Timestamp::MAX);
    let (account, role, staff_roles, about): (_, _, _, Value) = match to {
        To::Account { id, name, role } => (Some(id), Some(role), None, json!({ "account": name, "role": role })),
        To::Staff { roles } => (None, None, Some(roles), json!({ "staff_roles": roles })),
    };
    let mut data = about;
    data["expires"] = json!(expires);
    let subject = mail::subject(&email, language, Template::Invitation, data);
    let new = NewInvitation {
        id: InvitationId::new(),
        account,
        role,
        staff_roles,
        email: &email,
        language,
        digest: token::digest(secret.reveal()),
        expires,
    };
    Ok(store::identity::member::invite(conn, &new, &mail::with_secret(subject, app.seal(), &secret)).await?)
}

/// What an invitation is to, for whoever has its secret.
pub(crate) async fn look(app: &App, form: &api::InvitationSecret) -> Result<api::InvitationSeen, Fault> {
    let found = rows::invitation_look(app.doors().system(), &token::digest(form.secret.reveal())).await?;
    let found = found.ok_or_else(spent)?;
    Ok(api::InvitationSeen {
        account: found.account_name,
        role: found.role,
        staff_roles: found.staff_roles.unwrap_or_default(),
        email: found.email,
        known: found.known,
    })
}

/// Takes an invitation up. Whoever has its secret has the mailbox, and becomes no more than a member: to be let in, they log in.
pub(crate) async fn accept(
    app: &App,
    form: &api::InvitationAccept,
    whence: &Whence,
) -> Result<api::InvitationAccepted, Fault> {
    let system = app.doors().system();
    let digest = token::digest(form.secret.reveal());
    let invited = rows::invitation_look(system, &digest).await?.ok_or_else(spent)?;
    let mut new = None;
    if !invited.known {
        let mut fields = words::Fields::default();
        let name = fields.take("/name", words::name(form.name.as_deref().unwrap_or_default())).unwrap_or_default();
        fields.done()?;
        let typed = form.password.clone().unwrap_or_else(|| Secret::new(""));
        let chosen = password::check(app, "/password", &typed, &[&invited.email, &name], false).await?;
        new = Some((name, app.hasher().hash(&chosen).await?));
    }
    let language = crate::account::language_word(form.language.unwrap_or(invited.language));
    let new = new.as_ref().map(|(name, hash)| NewPerson { name, language, hash });
    let mut tx = system.begin().await?;
    let person = rows::invitation_accept(&mut *tx, &digest, new.as_ref()).await?.ok_or_else(spent)?;
    let before = json!({
        "invitation": invited.id, "person": person, "role": invited.role, "staff_roles": invited.staff_roles,
        "network": whence.visitor.network(),
    });
    let (realm, act) = match invited.account {
        Some(_) => (api::Realm::Account, "member.join"),
        None => (api::Realm::Staff, "staff.join"),
    };
    store::identity::evidence(&mut *tx, "mailbox", act, invited.account, &before).await?;
    tx.commit().await?;
    Ok(api::InvitationAccepted { email: invited.email, realm })
}

/// Only who may everything makes, changes or removes one who may everything.
pub(crate) fn may_touch(may_everything: bool, roles: &[Role]) -> Result<(), Refusal> {
    if may_everything || !roles.contains(&Role::Owner) {
        return Ok(());
    }
    Err(Refusal::new(
        "owners-only",
        403,
        Text::new("Kun en ejer gør det", "Only an owner does that"),
        Text::new(
            "Ejere indbydes, ændres og fjernes af en ejer af kontoen.",
            "Owners are invited, changed and removed by an owner of the account.",
        ),
    ))
}

fn spent() -> Refusal {
    Refusal::new(
        "invitation-spent",
        410,
        Text::new("Indbydelsen gælder ikke længere", "The invitation does not hold any more"),
        Text::new(
            "Den er brugt, trukket tilbage eller mere end 7 dage gammel. Bed om en ny.",
            "It was used, withdrawn, or is more than 7 days old. Ask for a new one.",
        ),
    )
}

/// An account is full.
pub(crate) fn too_many(count: usize, limit: u32) -> Refusal {
    Refusal::new(
        "too-many-members",
        409,
        Text::new("Kontoen har for mange medlemmer og indbydelser", "The account has too many members and invitations"),
        Text::new("Fjern et medlem eller træk en indbydelse tilbage.", "Remove a member or withdraw an invitation."),
    )
    .with_limit(format!("{count} members and invitations"), format!("{limit} members and invitations"))
}
