//! Agreements in the database.

use super::{all, json, one};
use husorden_base::{AccountId, SolutionId};
use husorden_wire::api::{Agreement, AgreementState, Signed};
use jiff::Timestamp;
use serde::Deserialize;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct AgreementRow {
    pub(crate) id: Uuid,
    pub(crate) account: AccountId,
    pub(crate) account_name: String,
    pub(crate) solution: SolutionId,
    pub(crate) solution_name: String,
    pub(crate) subject: String,
    pub(crate) per_week: u32,
    pub(crate) purpose: String,
    pub(crate) state: AgreementState,
    pub(crate) version: u64,
    pub(crate) asked: Timestamp,
    pub(crate) asked_by_whom: Option<Signed>,
    pub(crate) decided: Option<Timestamp>,
    pub(crate) decided_by_whom: Option<Signed>,
    pub(crate) reason: Option<String>,
    pub(crate) until: Option<Timestamp>,
    pub(crate) ended: Option<Timestamp>,
    pub(crate) ended_by_whom: Option<Signed>,
    pub(crate) end_reason: Option<String>,
}

impl AgreementRow {
    /// As the API shows it.
    pub(crate) fn shown(self) -> Agreement {
        Agreement {
            id: self.id.to_string(),
            account: self.account.to_string(),
            account_name: self.account_name,
            solution: self.solution.to_string(),
            solution_name: self.solution_name,
            subject: self.subject,
            per_week: self.per_week,
            purpose: self.purpose,
            state: self.state,
            version: self.version,
            asked: self.asked,
            asked_by: self.asked_by_whom,
            decided: self.decided,
            decided_by: self.decided_by_whom,
            reason: self.reason,
            until: self.until,
            ended: self.ended,
            ended_by: self.ended_by_whom,
            end_reason: self.end_reason,
        }
    }
}

/// What a list is narrowed to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) state: Option<AgreementState>,
    pub(crate) account: Option<AccountId>,
}

/// Agreements, oldest first.
pub(crate) async fn list(
    conn: &mut PgConnection,
    wanted: Wanted,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<AgreementRow>, sqlx::Error> {
    let sql = "select agreement_told(a) from agreement a
        where ($1::text is null or a.state = $1) and ($2::uuid is null or a.account = $2) and ($3::uuid is null or a.id > $3)
        order by a.id limit $4";
    all(
        json(sql)
            .bind(wanted.state.map(AgreementState::word))
            .bind(wanted.account.map(|id| id.0))
            .bind(after)
            .bind(limit),
        conn,
    )
    .await
}

/// Those of one solution, newest first.
pub(crate) async fn of_solution(
    conn: &mut PgConnection,
    solution: SolutionId,
    limit: i64,
) -> Result<Vec<AgreementRow>, sqlx::Error> {
    let sql = "select agreement_told(a) from agreement a where a.solution = $1 order by a.id desc limit $2";
    all(json(sql).bind(solution.0).bind(limit), conn).await
}

pub(crate) async fn get(conn: &mut PgConnection, id: Uuid) -> Result<Option<AgreementRow>, sqlx::Error> {
    one(json("select agreement_told(a) from agreement a where a.id = $1").bind(id), conn).await
}

/// Locks one for a change.
pub(crate) async fn lock(conn: &mut PgConnection, id: Uuid) -> Result<Option<AgreementRow>, sqlx::Error> {
    one(json("select agreement_told(a) from agreement a where a.id = $1 for update").bind(id), conn).await
}

/// How often one was asked for, for a solution, in the last days.
pub(crate) async fn asked_lately(conn: &mut PgConnection, solution: SolutionId, days: i32) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(
        "select count(*) from agreement where solution = $1 and asked > now() - make_interval(days => $2)",
    )
    .bind(solution.0)
    .bind(days)
    .fetch_one(conn)
    .await
}

/// A request as it is written.
#[derive(Debug)]
pub(crate) struct NewAgreement<'a> {
    pub(crate) id: Uuid,
    pub(crate) account: AccountId,
    pub(crate) solution: SolutionId,
    pub(crate) subject: &'a str,
    pub(crate) per_week: i32,
    pub(crate) purpose: &'a str,
    pub(crate) by: &'a str,
}

pub(crate) async fn insert(conn: &mut PgConnection, new: &NewAgreement<'_>) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into agreement (id, account, solution, subject, per_week, purpose, asked_by) values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(new.id)
    .bind(new.account.0)
    .bind(new.solution.0)
    .bind(new.subject)
    .bind(new.per_week)
    .bind(new.purpose)
    .bind(new.by)
    .execute(conn)
    .await?;
    Ok(())
}

/// Writes a decision down; with an end, the platform is to see to it.
pub(crate) async fn decide(
    conn: &mut PgConnection,
    id: Uuid,
    state: AgreementState,
    (reason, by): (Option<&str>, &str),
    until: Option<Timestamp>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update agreement set state = $2, version = version + 1, decided = now(), reason = $3, decided_by = $4, until = $5::timestamptz
          where id = $1",
    )
    .bind(id)
    .bind(state.word())
    .bind(reason)
    .bind(by)
    .bind(until.map(|at| at.to_string()))
    .execute(&mut *conn)
    .await?;
    if let Some(until) = until {
        let sql = "insert into job (kind, subject, due)
                   values ('agreement-end', jsonb_build_object('agreement', $1::uuid), $2::timestamptz)";
        sqlx::query(sql).bind(id).bind(until.to_string()).execute(conn).await?;
    }
    Ok(())
}

/// Ends one for its account.
pub(crate) async fn end(conn: &mut PgConnection, id: Uuid, by: &str) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update agreement set state = 'ended', version = version + 1, ended = now(), ended_by = $2 where id = $1",
    )
    .bind(id)
    .bind(by)
    .execute(conn)
    .await?;
    Ok(())
}

/// Ends one for staff, who say why.
pub(crate) async fn end_with(conn: &mut PgConnection, id: Uuid, by: &str, reason: &str) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update agreement set state = 'ended', version = version + 1, ended = now(), ended_by = $2, end_reason = $3 where id = $1",
    )
    .bind(id)
    .bind(by)
    .bind(reason)
    .execute(conn)
    .await?;
    Ok(())
}

/// One whose time is up is over; false when it is not, or was ended before.
pub(crate) async fn lapse(system: &PgPool, id: Uuid) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select agreement_lapse($1)").bind(id).fetch_one(system).await
}
