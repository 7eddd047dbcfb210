//! Members, invitations, staff and the account holder in the database, through the doors of accounts and of staff.

use super::{Digest, all, json, one};
use crate::account::language_word;
use husorden_base::{AccountId, InvitationId, Language, PersonId};
use husorden_wire::api::{AccountShown, Holder, Role, StaffRole};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

/// A person in an account.
#[derive(Debug, Deserialize)]
pub(crate) struct MemberRow {
    pub(crate) person: PersonId,
    pub(crate) email: String,
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) second_factor: bool,
    pub(crate) since: Timestamp,
}

/// A person of staff.
#[derive(Debug, Deserialize)]
pub(crate) struct StaffRow {
    pub(crate) person: PersonId,
    pub(crate) email: String,
    pub(crate) name: String,
    pub(crate) number: Option<u32>,
    pub(crate) roles: Vec<StaffRole>,
    pub(crate) second_factor: bool,
    pub(crate) since: Timestamp,
}

/// An invitation.
#[derive(Debug, Deserialize)]
pub(crate) struct InvitationRow {
    pub(crate) id: InvitationId,
    pub(crate) email: String,
    pub(crate) role: Option<Role>,
    pub(crate) staff_roles: Option<Vec<StaffRole>>,
    pub(crate) created: Timestamp,
    pub(crate) expires: Timestamp,
}

/// An invitation as it is written.
pub(crate) struct NewInvitation<'a> {
    pub(crate) id: InvitationId,
    pub(crate) account: Option<AccountId>,
    pub(crate) role: Option<Role>,
    pub(crate) staff_roles: Option<&'a [StaffRole]>,
    pub(crate) email: &'a str,
    pub(crate) language: Language,
    pub(crate) digest: Digest,
    pub(crate) expires: Timestamp,
}

/// What of an account is changed; none stays.
#[derive(Debug, Default)]
pub(crate) struct NewAccount {
    pub(crate) name: Option<String>,
    pub(crate) language: Option<Language>,
    pub(crate) holder: Option<Holder>,
    pub(crate) two_factor_required: Option<bool>,
}

fn words(roles: &[StaffRole]) -> Vec<String> {
    roles.iter().map(|role| role.word().to_owned()).collect()
}

pub(crate) async fn list(
    conn: &mut PgConnection,
    account: AccountId,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<MemberRow>, sqlx::Error> {
    all(
        json("select to_jsonb(m) from member_view m where account = $1 and ($2::uuid is null or person > $2) order by person limit $3")
            .bind(account.0)
            .bind(after)
            .bind(limit),
        conn,
    )
    .await
}

pub(crate) async fn get(
    conn: &mut PgConnection,
    account: AccountId,
    person: Uuid,
) -> Result<Option<MemberRow>, sqlx::Error> {
    let row = json("select to_jsonb(m) from member_view m where account = $1 and person = $2");
    one(row.bind(account.0).bind(person), conn).await
}

pub(crate) async fn set_role(
    conn: &mut PgConnection,
    account: AccountId,
    person: PersonId,
    role: Role,
) -> Result<(), sqlx::Error> {
    sqlx::query("update member set role = $3 where account = $1 and person = $2")
        .bind(account.0)
        .bind(person.0)
        .bind(role.word())
        .execute(conn)
        .await?;
    Ok(())
}

pub(crate) async fn remove(conn: &mut PgConnection, account: AccountId, person: PersonId) -> Result<(), sqlx::Error> {
    sqlx::query("delete from member where account = $1 and person = $2")
        .bind(account.0)
        .bind(person.0)
        .execute(conn)
        .await?;
    Ok(())
}

/// Writes an invitation with its mail. An earlier one of the same mailbox to the same place ends: the newest counts.
pub(crate) async fn invite(
    conn: &mut PgConnection,
    new: &NewInvitation<'_>,
    mail: &Value,
) -> Result<InvitationRow, sqlx::Error> {
    sqlx::query("update invitation set withdrawn = now() where account is not distinct from $1 and email = $2 and accepted is null and withdrawn is null")
        .bind(new.account.map(|account| account.0))
        .bind(new.email)
        .execute(&mut *conn)
        .await?;
    let row = json(
        "with i as (insert into invitation (id, account, role, staff_roles, email, language, digest, expires)
                    values ($1, $2, $3, $4, $5, $6, $7, $8::timestamptz)
                    returning id, email, role, staff_roles, created, expires)
         select to_jsonb(i) from i",
    )
    .bind(new.id.0)
    .bind(new.account.map(|account| account.0))
    .bind(new.role.map(Role::word))
    .bind(new.staff_roles.map(words))
    .bind(new.email.to_owned())
    .bind(language_word(new.language))
    .bind(new.digest.to_vec())
    .bind(new.expires.to_string());
    let row = one(row, &mut *conn).await?.ok_or(sqlx::Error::RowNotFound)?;
    sqlx::query("select invitation_mail($1, $2)").bind(new.id.0).bind(Json(mail)).execute(conn).await?;
    Ok(row)
}

/// Open invitations: of an account, or of staff.
pub(crate) async fn invitations(
    conn: &mut PgConnection,
    account: Option<AccountId>,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<InvitationRow>, sqlx::Error> {
    all(
        json(
            "select to_jsonb(i) from (select id, email, role, staff_roles, created, expires from invitation
               where account is not distinct from $1 and accepted is null and withdrawn is null and expires > now()
                 and ($2::uuid is null or id > $2) order by id limit $3) i",
        )
        .bind(account.map(|account| account.0))
        .bind(after)
        .bind(limit),
        conn,
    )
    .await
}

/// Whether there was such an invitation to withdraw.
pub(crate) async fn withdraw(
    conn: &mut PgConnection,
    account: Option<AccountId>,
    id: Uuid,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "update invitation set withdrawn = now() where id = $2 and account is not distinct from $1 and accepted is null and withdrawn is null",
    )
    .bind(account.map(|account| account.0))
    .bind(id)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

pub(crate) async fn has_owner(conn: &mut PgConnection, account: AccountId) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select exists (select from member where account = $1 and role = 'owner')")
        .bind(account.0)
        .fetch_one(conn)
        .await
}

pub(crate) async fn staff_list(
    conn: &mut PgConnection,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<StaffRow>, sqlx::Error> {
    let rows =
        json("select to_jsonb(s) from staff_view s where $1::uuid is null or person > $1 order by person limit $2");
    all(rows.bind(after).bind(limit), conn).await
}

pub(crate) async fn staff_get(conn: &mut PgConnection, person: Uuid) -> Result<Option<StaffRow>, sqlx::Error> {
    one(json("select to_jsonb(s) from staff_view s where person = $1").bind(person), conn).await
}

pub(crate) async fn staff_roles(
    conn: &mut PgConnection,
    person: PersonId,
    roles: &[StaffRole],
) -> Result<(), sqlx::Error> {
    sqlx::query("update staff set roles = $2 where person = $1")
        .bind(person.0)
        .bind(words(roles))
        .execute(conn)
        .await?;
    Ok(())
}

pub(crate) async fn staff_remove(conn: &mut PgConnection, person: PersonId) -> Result<(), sqlx::Error> {
    sqlx::query("delete from staff where person = $1").bind(person.0).execute(conn).await?;
    Ok(())
}

pub(crate) async fn account(conn: &mut PgConnection, id: Uuid) -> Result<Option<AccountShown>, sqlx::Error> {
    one(json("select to_jsonb(a) from account a where id = $1").bind(id), conn).await
}

pub(crate) async fn account_change(
    conn: &mut PgConnection,
    id: AccountId,
    new: &NewAccount,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update account set name = coalesce($2, name), language = coalesce($3, language), holder = coalesce($4, holder),
                            two_factor_required = coalesce($5, two_factor_required) where id = $1",
    )
    .bind(id.0)
    .bind(new.name.as_deref())
    .bind(new.language.map(language_word))
    .bind(new.holder.as_ref().map(Json))
    .bind(new.two_factor_required)
    .execute(conn)
    .await?;
    Ok(())
}
