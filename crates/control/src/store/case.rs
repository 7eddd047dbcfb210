//! Cases in the database.

use super::{all, json, one};
use husorden_base::{AccountId, CaseId, SolutionId};
use jiff::Timestamp;
use serde::Deserialize;
use sqlx::PgConnection;
use uuid::Uuid;

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct CaseRow {
    pub(crate) id: CaseId,
    pub(crate) number: String,
    pub(crate) account: AccountId,
    pub(crate) solution: Option<SolutionId>,
    pub(crate) clause: String,
    pub(crate) state: String,
    pub(crate) facts: String,
    pub(crate) created: Timestamp,
}

pub(crate) async fn insert(
    conn: &mut PgConnection,
    id: CaseId,
    of: (AccountId, Option<SolutionId>),
    clause: &str,
    facts: &str,
) -> Result<CaseRow, sqlx::Error> {
    one(
        json(
            "with c as (insert into case_file (id, number, account, solution, clause, facts)
                        values ($1, 'H-' || to_char(now(), 'YYYY') || '-' || lpad(nextval('case_number')::text, 5, '0'), $2, $3, $4, $5)
                        returning *)
             select to_jsonb(c) from c",
        )
        .bind(id.0)
        .bind(of.0.0)
        .bind(of.1.map(|id| id.0))
        .bind(clause.to_owned())
        .bind(facts.to_owned()),
        conn,
    )
    .await?
    .ok_or(sqlx::Error::RowNotFound)
}

/// By id or number.
pub(crate) async fn named(conn: &mut PgConnection, text: &str) -> Result<Option<CaseRow>, sqlx::Error> {
    one(
        json("select to_jsonb(c) from case_file c where number = $1 or id::text = lower($1)").bind(text.to_owned()),
        conn,
    )
    .await
}

pub(crate) async fn list(
    conn: &mut PgConnection,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<CaseRow>, sqlx::Error> {
    all(
        json("select to_jsonb(c) from case_file c where $1::uuid is null or id > $1 order by id limit $2")
            .bind(after)
            .bind(limit),
        conn,
    )
    .await
}
