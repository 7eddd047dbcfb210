//! Grants in the database: leave for staff to act on an account's solutions.

use super::{all, json, one};
use husorden_base::{AccountId, GrantId, SolutionId};
use husorden_wire::api;
use jiff::Timestamp;
use serde::Deserialize;
use sqlx::PgConnection;
use uuid::Uuid;

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct GrantRow {
    pub(crate) id: GrantId,
    pub(crate) account: AccountId,
    pub(crate) solution: Option<SolutionId>,
    pub(crate) holder: Option<Uuid>,
    pub(crate) reason: String,
    pub(crate) by: String,
    pub(crate) by_whom: Option<api::Signed>,
    pub(crate) starts: Timestamp,
    pub(crate) ends: Timestamp,
    pub(crate) ended: Option<Timestamp>,
}

/// A grant that a change was made under.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct GrantUsed {
    pub(crate) id: GrantId,
    pub(crate) reason: String,
    pub(crate) broken: bool,
}

/// A grant as it is written.
#[derive(Debug)]
pub(crate) struct NewGrant<'a> {
    pub(crate) id: GrantId,
    pub(crate) account: AccountId,
    pub(crate) solution: Option<SolutionId>,
    /// Who broke the glass.
    pub(crate) holder: Option<Uuid>,
    pub(crate) reason: &'a str,
    pub(crate) by: &'a str,
    pub(crate) minutes: i32,
}

pub(crate) async fn insert(conn: &mut PgConnection, new: &NewGrant<'_>) -> Result<GrantRow, sqlx::Error> {
    one(
        json(
            "insert into access_grant as g (id, account, solution, holder, reason, by, ends)
                        values ($1, $2, $3, $4, $5, $6, now() + make_interval(mins => $7))
             returning to_jsonb(g) || jsonb_build_object('by_whom', signed(g.by))",
        )
        .bind(new.id.0)
        .bind(new.account.0)
        .bind(new.solution.map(|id| id.0))
        .bind(new.holder)
        .bind(new.reason.to_owned())
        .bind(new.by.to_owned())
        .bind(new.minutes),
        conn,
    )
    .await?
    .ok_or(sqlx::Error::RowNotFound)
}

/// The grant that lets this one of staff act on the solution, or with none on the whole account; one that was given comes before
/// one that was taken. It is held to the end of the transaction, so that who ends it waits for what was begun under it.
pub(crate) async fn usable(
    conn: &mut PgConnection,
    account: AccountId,
    solution: Option<SolutionId>,
    holder: Uuid,
) -> Result<Option<GrantUsed>, sqlx::Error> {
    one(
        json(
            "select jsonb_build_object('id', g.id, 'reason', g.reason, 'broken', g.holder is not null) from access_grant g
             where g.account = $1 and (g.solution is null or g.solution = $2) and (g.holder is null or g.holder = $3)
               and g.ended is null and g.ends > now()
             order by g.holder is not null, g.ends desc limit 1 for share",
        )
        .bind(account.0)
        .bind(solution.map(|id| id.0))
        .bind(holder),
        conn,
    )
    .await
}

/// Grants that are open now, of one account.
pub(crate) async fn open(conn: &mut PgConnection, account: AccountId) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select count(*) from access_grant where account = $1 and ended is null and ends > now()")
        .bind(account.0)
        .fetch_one(conn)
        .await
}

pub(crate) async fn list(
    conn: &mut PgConnection,
    account: Option<AccountId>,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<GrantRow>, sqlx::Error> {
    all(
        json(
            "select to_jsonb(g) || jsonb_build_object('by_whom', signed(g.by)) from access_grant g
             where ($1::uuid is null or g.account = $1) and ($2::uuid is null or g.id > $2) order by g.id limit $3",
        )
        .bind(account.map(|id| id.0))
        .bind(after)
        .bind(limit),
        conn,
    )
    .await
}

/// Ends a grant; none when there is no such grant that is open.
pub(crate) async fn end(conn: &mut PgConnection, id: Uuid) -> Result<Option<GrantRow>, sqlx::Error> {
    one(
        json(
            "update access_grant g set ended = now() where id = $1 and ended is null and ends > now()
             returning to_jsonb(g) || jsonb_build_object('by_whom', signed(g.by))",
        )
        .bind(id),
        conn,
    )
    .await
}
