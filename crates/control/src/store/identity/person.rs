//! What persons do with their own log-in, in the database: profile, password, second factor, resets, taking up invitations.

use super::{Digest, json, one};
use husorden_base::{AccountId, InvitationId, Language, PersonId};
use husorden_wire::api::{Role, StaffRole};
use jiff::Timestamp;
use serde::Deserialize;
use sqlx::PgExecutor;

/// What proofs are checked against; sealed secrets as hexadecimal digits.
#[derive(Deserialize)]
pub(crate) struct Proofs {
    pub(crate) password: String,
    pub(crate) totp: Option<String>,
    pub(crate) totp_pending: Option<String>,
    pub(crate) totp_step: i64,
}

/// Whose reset it is.
#[derive(Debug, Deserialize)]
pub(crate) struct Resetting {
    pub(crate) id: PersonId,
    pub(crate) email: String,
    pub(crate) name: String,
    pub(crate) language: Language,
    pub(crate) second_factor: bool,
}

/// An open invitation.
#[derive(Debug, Deserialize)]
pub(crate) struct Invited {
    pub(crate) id: InvitationId,
    pub(crate) account: Option<AccountId>,
    pub(crate) account_name: Option<String>,
    pub(crate) role: Option<Role>,
    pub(crate) staff_roles: Option<Vec<StaffRole>>,
    pub(crate) email: String,
    pub(crate) language: Language,
    pub(crate) known: bool,
}

/// A person that takes an invitation up and is not there yet.
pub(crate) struct NewPerson<'a> {
    pub(crate) name: &'a str,
    pub(crate) language: &'a str,
    pub(crate) hash: &'a str,
}

pub(crate) async fn proofs<'e>(system: impl PgExecutor<'e>, person: PersonId) -> Result<Proofs, sqlx::Error> {
    one(json("select person_proofs($1)").bind(person.0), system).await?.ok_or(sqlx::Error::RowNotFound)
}

pub(crate) async fn change<'e>(
    system: impl PgExecutor<'e>,
    person: PersonId,
    name: Option<&str>,
    language: Option<&str>,
    time_zone: Option<&str>,
) -> Result<(), sqlx::Error> {
    sqlx::query("select person_change($1, $2, $3, $4)")
        .bind(person.0)
        .bind(name)
        .bind(language)
        .bind(time_zone)
        .execute(system)
        .await?;
    Ok(())
}

/// False: the password was changed since it was checked.
pub(crate) async fn password<'e>(
    system: impl PgExecutor<'e>,
    person: PersonId,
    was: &str,
    hash: &str,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select person_password($1, $2, $3)").bind(person.0).bind(was).bind(hash).fetch_one(system).await
}

/// False: a code of this step or a later one was used already.
pub(crate) async fn totp_use<'e>(
    system: impl PgExecutor<'e>,
    person: PersonId,
    step: i64,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select totp_use($1, $2)").bind(person.0).bind(step).fetch_one(system).await
}

/// False: there is no such code, or it was used.
pub(crate) async fn recovery_use<'e>(
    system: impl PgExecutor<'e>,
    person: PersonId,
    digest: &Digest,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select recovery_use($1, $2)").bind(person.0).bind(digest.to_vec()).fetch_one(system).await
}

pub(crate) async fn recovery_left<'e>(system: impl PgExecutor<'e>, person: PersonId) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select recovery_left($1)").bind(person.0).fetch_one(system).await
}

pub(crate) async fn recovery_replace<'e>(
    system: impl PgExecutor<'e>,
    person: PersonId,
    digests: &[Digest],
) -> Result<(), sqlx::Error> {
    let digests: Vec<Vec<u8>> = digests.iter().map(|digest| digest.to_vec()).collect();
    sqlx::query("select recovery_replace($1, $2)").bind(person.0).bind(digests).execute(system).await?;
    Ok(())
}

pub(crate) async fn totp_begin<'e>(
    system: impl PgExecutor<'e>,
    person: PersonId,
    sealed: &[u8],
) -> Result<(), sqlx::Error> {
    sqlx::query("select totp_begin($1, $2)").bind(person.0).bind(sealed.to_vec()).execute(system).await?;
    Ok(())
}

/// False: another secret is pending by now.
pub(crate) async fn totp_confirm<'e>(
    system: impl PgExecutor<'e>,
    person: PersonId,
    sealed: &[u8],
    step: i64,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select totp_confirm($1, $2, $3)")
        .bind(person.0)
        .bind(sealed.to_vec())
        .bind(step)
        .fetch_one(system)
        .await
}

pub(crate) async fn totp_remove<'e>(system: impl PgExecutor<'e>, person: PersonId) -> Result<(), sqlx::Error> {
    sqlx::query("select totp_remove($1)").bind(person.0).execute(system).await?;
    Ok(())
}

/// Notes a reset, if somebody of the realm has the mailbox.
pub(crate) async fn reset_begin<'e>(
    system: impl PgExecutor<'e>,
    email: &str,
    realm: &'static str,
    digest: &Digest,
    expires: Timestamp,
) -> Result<Option<Resetting>, sqlx::Error> {
    one(
        json("select r from reset_begin($1, $2, $3, $4::timestamptz) r where r is not null")
            .bind(email.to_owned())
            .bind(realm)
            .bind(digest.to_vec())
            .bind(expires.to_string()),
        system,
    )
    .await
}

pub(crate) async fn reset_find<'e>(
    system: impl PgExecutor<'e>,
    digest: &Digest,
) -> Result<Option<Resetting>, sqlx::Error> {
    one(json("select r from reset_find($1) r where r is not null").bind(digest.to_vec()), system).await
}

/// False: the reset is spent.
pub(crate) async fn reset_use<'e>(
    system: impl PgExecutor<'e>,
    digest: &Digest,
    hash: &str,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select reset_use($1, $2)").bind(digest.to_vec()).bind(hash).fetch_one(system).await
}

pub(crate) async fn invitation_look<'e>(
    system: impl PgExecutor<'e>,
    digest: &Digest,
) -> Result<Option<Invited>, sqlx::Error> {
    one(json("select i from invitation_look($1) i where i is not null").bind(digest.to_vec()), system).await
}

/// Who took it up; none when it is not open any more.
pub(crate) async fn invitation_accept<'e>(
    system: impl PgExecutor<'e>,
    digest: &Digest,
    new: Option<&NewPerson<'_>>,
) -> Result<Option<PersonId>, sqlx::Error> {
    let who: Option<uuid::Uuid> = sqlx::query_scalar("select invitation_accept($1, $2, $3, $4, $5)")
        .bind(digest.to_vec())
        .bind(PersonId::new().0)
        .bind(new.map(|new| new.name.to_owned()))
        .bind(new.map(|new| new.language.to_owned()))
        .bind(new.map(|new| new.hash.to_owned()))
        .fetch_one(system)
        .await?;
    Ok(who.map(PersonId))
}
