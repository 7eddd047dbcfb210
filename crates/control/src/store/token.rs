//! Tokens in the database. The digest is written and never read.

use super::{all, json, one};
use crate::doors::Narrow;
use crate::store::measure::Holding;
use crate::token::Role;
use husorden_base::{AccountId, TokenId};
use husorden_wire::api::{self, Capabilities};
use ipnet::IpNet;
use jiff::Timestamp;
use serde::Deserialize;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// Who a token stands for.
#[derive(Debug, Deserialize)]
pub(crate) struct Found {
    pub(crate) id: TokenId,
    pub(crate) capabilities: Capabilities,
    #[serde(flatten)]
    pub(crate) narrow: Narrow,
    pub(crate) cidrs: Vec<IpNet>,
    pub(crate) used_lately: bool,
    pub(crate) account: Option<api::Account>,
    pub(crate) held: Option<Holding>,
}

/// The time of use, to the minute.
pub(crate) async fn used(system: &PgPool, id: TokenId) -> Result<(), sqlx::Error> {
    sqlx::query("select token_used($1)").bind(id.0).execute(system).await?;
    Ok(())
}

/// Whether a token that was let in is still good.
pub(crate) async fn stands(system: &PgPool, id: TokenId) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select token_stands($1)").bind(id.0).fetch_one(system).await
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct TokenRow {
    pub(crate) id: TokenId,
    pub(crate) role: String,
    pub(crate) account: Option<AccountId>,
    pub(crate) label: String,
    pub(crate) capabilities: Capabilities,
    #[serde(flatten)]
    pub(crate) narrow: Narrow,
    pub(crate) cidrs: Vec<IpNet>,
    pub(crate) used: Option<Timestamp>,
    pub(crate) created: Timestamp,
    pub(crate) expires: Option<Timestamp>,
}

pub(crate) async fn find(system: &PgPool, digest: &[u8; 32]) -> Result<Option<Found>, sqlx::Error> {
    one(json("select f from token_find($1) f where f is not null").bind(digest.to_vec()), system).await
}

/// The tokens that the door sees; of one role where it is named.
pub(crate) async fn list(
    conn: &mut PgConnection,
    of: Option<Role>,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<TokenRow>, sqlx::Error> {
    all(
        json(
            "select to_jsonb(t) from (select id, role, account, label, capabilities, kinds, solutions, targets, cidrs, used, created, expires from token
               where revoked is null and ($1::uuid is null or id > $1) and ($2::text is null or role = $2) order by id limit $3) t",
        )
        .bind(after)
        .bind(of.map(Role::word))
        .bind(limit),
        conn,
    )
    .await
}

/// A token as it is written.
pub(crate) struct NewToken<'a> {
    pub(crate) id: TokenId,
    pub(crate) digest: [u8; 32],
    pub(crate) role: &'a str,
    pub(crate) account: Option<AccountId>,
    pub(crate) label: &'a str,
    pub(crate) capabilities: Capabilities,
    pub(crate) narrow: &'a Narrow,
    pub(crate) cidrs: &'a [IpNet],
    pub(crate) expires: Option<Timestamp>,
}

pub(crate) async fn insert(conn: &mut PgConnection, new: &NewToken<'_>) -> Result<TokenRow, sqlx::Error> {
    one(
        json(
            "with t as (insert into token (id, digest, role, account, label, capabilities, kinds, solutions, targets, cidrs, expires)
                        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::cidr[], $11::timestamptz)
                        returning id, role, account, label, capabilities, kinds, solutions, targets, cidrs, used, created, expires)
             select to_jsonb(t) from t",
        )
        .bind(new.id.0)
        .bind(new.digest.to_vec())
        .bind(new.role.to_owned())
        .bind(new.account.map(|account| account.0))
        .bind(new.label.to_owned())
        .bind(new.capabilities.iter().map(|one| one.word().to_owned()).collect::<Vec<_>>())
        .bind(new.narrow.kinds.clone())
        .bind(new.narrow.solutions.iter().map(|id| id.0).collect::<Vec<_>>())
        .bind(new.narrow.targets.iter().map(|id| id.0).collect::<Vec<_>>())
        .bind(new.cidrs.iter().map(IpNet::to_string).collect::<Vec<_>>())
        .bind(new.expires.map(|at| at.to_string())),
        conn,
    )
    .await?
    .ok_or(sqlx::Error::RowNotFound)
}

/// Ends a token; none when there is no such token to end.
pub(crate) async fn revoke(conn: &mut PgConnection, id: Uuid) -> Result<Option<TokenRow>, sqlx::Error> {
    one(
        json(
            "with t as (update token set revoked = now() where id = $1 and revoked is null
                        returning id, role, account, label, capabilities, kinds, solutions, targets, cidrs, used, created, expires)
             select to_jsonb(t) from t",
        )
        .bind(id),
        conn,
    )
    .await
}
