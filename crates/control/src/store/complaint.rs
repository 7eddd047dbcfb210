//! Complaints in the database.

use super::{all, json, one};
use husorden_base::{AccountId, CaseId, MeasureId};
use husorden_wire::api;
use jiff::Timestamp;
use serde::Deserialize;
use sqlx::PgConnection;
use uuid::Uuid;

/// A complaint.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ComplaintRow {
    pub(crate) id: Uuid,
    pub(crate) case_number: String,
    pub(crate) measure: MeasureId,
    pub(crate) account: AccountId,
    by: String,
    by_whom: Option<api::Signed>,
    text: String,
    made: Timestamp,
    pub(crate) outcome: Option<String>,
    answer: Option<String>,
    answered: Option<Timestamp>,
    answered_by_whom: Option<api::Signed>,
}

impl ComplaintRow {
    pub(crate) fn shown(self) -> api::Complaint {
        api::Complaint {
            id: self.id.to_string(),
            case_number: self.case_number,
            measure: self.measure.to_string(),
            by: self.by,
            by_whom: self.by_whom,
            text: self.text,
            made: self.made,
            outcome: self.outcome,
            answer: self.answer,
            answered: self.answered,
            answered_by_whom: self.answered_by_whom,
        }
    }
}

/// What a complaint is about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct About<'a> {
    pub(crate) case: CaseId,
    pub(crate) case_number: &'a str,
    pub(crate) measure: MeasureId,
    pub(crate) account: AccountId,
}

pub(crate) async fn insert(
    conn: &mut PgConnection,
    about: About<'_>,
    by: &str,
    text: &str,
) -> Result<ComplaintRow, sqlx::Error> {
    one(
        json(
            "insert into complaint as k (id, case_id, case_number, measure, account, by, text) values ($1, $2, $3, $4, $5, $6, $7)
             returning complaint_told(k)",
        )
        .bind(Uuid::now_v7())
        .bind(about.case.0)
        .bind(about.case_number.to_owned())
        .bind(about.measure.0)
        .bind(about.account.0)
        .bind(by.to_owned())
        .bind(text.to_owned()),
        conn,
    )
    .await?
    .ok_or(sqlx::Error::RowNotFound)
}

pub(crate) async fn of_measure(conn: &mut PgConnection, measure: MeasureId) -> Result<Vec<ComplaintRow>, sqlx::Error> {
    all(json("select complaint_told(k) from complaint k where measure = $1 order by id").bind(measure.0), conn).await
}

/// Oldest first, those after `after`; what waits longest is answered first.
pub(crate) async fn list(
    conn: &mut PgConnection,
    waiting: bool,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<ComplaintRow>, sqlx::Error> {
    all(
        json(
            "select complaint_told(k) from complaint k where ($1::uuid is null or id > $1) and (not $2 or outcome is null)
             order by id limit $3",
        )
        .bind(after)
        .bind(waiting)
        .bind(limit),
        conn,
    )
    .await
}

/// Locks a complaint for its answer.
pub(crate) async fn lock(conn: &mut PgConnection, id: Uuid) -> Result<Option<ComplaintRow>, sqlx::Error> {
    one(json("select complaint_told(k) from complaint k where id = $1 for update").bind(id), conn).await
}

pub(crate) async fn answer(
    conn: &mut PgConnection,
    id: Uuid,
    outcome: &str,
    answer: &str,
    by: &str,
) -> Result<ComplaintRow, sqlx::Error> {
    one(
        json(
            "update complaint k set outcome = $2, answer = $3, answered = now(), answered_by = $4 where id = $1
             returning complaint_told(k)",
        )
        .bind(id)
        .bind(outcome.to_owned())
        .bind(answer.to_owned())
        .bind(by.to_owned()),
        conn,
    )
    .await?
    .ok_or(sqlx::Error::RowNotFound)
}
