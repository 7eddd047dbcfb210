//! Cases in the database, with their notes.

use super::{all, json, one, part};
use crate::store::complaint::ComplaintRow;
use crate::store::measure::MeasureRow;
use husorden_base::{AccountId, CaseId, SolutionId};
use husorden_wire::api;
use jiff::Timestamp;
use serde::Deserialize;
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

/// A case with its measures; notes and complaints are there when one case is read.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct CaseRow {
    pub(crate) id: CaseId,
    pub(crate) number: String,
    pub(crate) version: u64,
    pub(crate) account: AccountId,
    pub(crate) account_name: String,
    pub(crate) solution: Option<SolutionId>,
    pub(crate) solution_name: Option<String>,
    pub(crate) clause: String,
    pub(crate) state: String,
    pub(crate) facts: String,
    pub(crate) opened_by: String,
    #[serde(default)]
    pub(crate) opened_by_whom: Option<api::Signed>,
    pub(crate) created: Timestamp,
    pub(crate) closed: Option<Timestamp>,
    pub(crate) closing: Option<String>,
    pub(crate) referral: Option<api::Referral>,
    #[serde(default)]
    pub(crate) measures: Vec<MeasureRow>,
    #[serde(default)]
    pub(crate) complaints: Vec<ComplaintRow>,
    #[serde(default)]
    pub(crate) notes: Vec<api::CaseNote>,
}

impl CaseRow {
    /// As staff see it.
    pub(crate) fn shown(self) -> api::Case {
        api::Case {
            id: self.id.to_string(),
            number: self.number,
            version: self.version,
            account: self.account.to_string(),
            account_name: self.account_name,
            solution: self.solution.map(|id| id.to_string()),
            solution_name: self.solution_name,
            clause: self.clause,
            state: self.state,
            facts: self.facts,
            opened_by: self.opened_by,
            opened_by_whom: self.opened_by_whom,
            measures: self.measures.iter().map(MeasureRow::shown_to_staff).collect(),
            notes: self.notes,
            complaints: self.complaints.into_iter().map(ComplaintRow::shown).collect(),
            created: self.created,
            closed: self.closed,
            closing: self.closing,
            referral: self.referral,
        }
    }
}

/// Which cases a desk wants to see.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) state: Option<String>,
    pub(crate) account: Option<AccountId>,
    pub(crate) solution: Option<SolutionId>,
    pub(crate) clause: Option<String>,
    /// Part of the number, the facts, or the account's name.
    pub(crate) q: Option<String>,
    /// Only those with a complaint that waits.
    pub(crate) complaint: bool,
}

pub(crate) async fn insert(
    conn: &mut PgConnection,
    id: CaseId,
    of: (AccountId, Option<SolutionId>),
    clause: &str,
    (facts, by): (&str, &str),
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into case_file (id, number, account, solution, clause, facts, opened_by)
         values ($1, 'H-' || to_char(now(), 'YYYY') || '-' || lpad(nextval('case_number')::text, 5, '0'), $2, $3, $4, $5, $6)",
    )
    .bind(id.0)
    .bind(of.0.0)
    .bind(of.1.map(|id| id.0))
    .bind(clause)
    .bind(facts)
    .bind(by)
    .execute(conn)
    .await?;
    Ok(())
}

/// The id of the case with this id or number, locked for a change: who decides sees what others decided before.
pub(crate) async fn lock(conn: &mut PgConnection, text: &str) -> Result<Option<CaseId>, sqlx::Error> {
    let id: Option<Uuid> =
        sqlx::query_scalar("select id from case_file where number = $1 or id::text = lower($1) for update")
            .bind(text)
            .fetch_optional(conn)
            .await?;
    Ok(id.map(CaseId))
}

/// Whole, by id or number.
pub(crate) async fn named(conn: &mut PgConnection, text: &str) -> Result<Option<CaseRow>, sqlx::Error> {
    one(
        json(
            "select to_jsonb(c) || jsonb_build_object('account_name', a.name, 'solution_name', s.name, 'opened_by_whom', signed(c.opened_by),
               'measures', coalesce((select jsonb_agg(measure_told(m) order by m.id) from measure_view m where m.case_id = c.id), '[]'),
               'complaints', coalesce((select jsonb_agg(complaint_told(k) order by k.id) from complaint k where k.case_id = c.id), '[]'),
               'notes', coalesce((select jsonb_agg(jsonb_build_object('at', n.at, 'by', n.by, 'by_whom', signed(n.by), 'text', n.text) order by n.id)
                                  from case_note n where n.case_id = c.id), '[]'))
             from case_file c join account a on a.id = c.account left join solution s on s.id = c.solution
             where c.number = $1 or c.id::text = lower($1)",
        )
        .bind(text.to_owned()),
        conn,
    )
    .await
}

/// Newest first, those before `after`. What words are found in is gathered first, each by its own index: behind row-level security
/// PostgreSQL takes every word for a common one, and would read case after case.
pub(crate) async fn list(
    conn: &mut PgConnection,
    wanted: &Wanted,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<CaseRow>, sqlx::Error> {
    all(
        json(
            "select to_jsonb(c) || jsonb_build_object(
               'measures', coalesce((select jsonb_agg(measure_told(m) order by m.id) from measure_view m where m.case_id = c.id), '[]'),
               'complaints', coalesce((select jsonb_agg(complaint_told(k) order by k.id) from complaint k where k.case_id = c.id), '[]'))
             from (
               select c.*, a.name as account_name, s.name as solution_name
               from case_file c join account a on a.id = c.account left join solution s on s.id = c.solution
               where ($1::uuid is null or c.id < $1) and ($2::text is null or c.state = $2) and ($3::uuid is null or c.account = $3)
                 and ($4::uuid is null or c.solution = $4) and ($5::text is null or c.clause = $5)
                 and ($6::text is null or c.id = any(array(
                      select f.id from case_file f where lower(f.number) like $6
                      union all select f.id from case_file f where lower(f.facts) like $6
                      union all select f.id from case_file f where f.account in (select id from account where lower(name) like $6))))
                 and (not $7 or exists (select from complaint k where k.case_id = c.id and k.outcome is null))
               order by c.id desc limit $8) c
             order by c.id desc",
        )
        .bind(after)
        .bind(wanted.state.clone())
        .bind(wanted.account.map(|id| id.0))
        .bind(wanted.solution.map(|id| id.0))
        .bind(wanted.clause.clone())
        .bind(wanted.q.as_deref().map(|q| part(&q.to_lowercase())))
        .bind(wanted.complaint)
        .bind(limit),
        conn,
    )
    .await
}

pub(crate) async fn note(conn: &mut PgConnection, case: CaseId, by: &str, text: &str) -> Result<(), sqlx::Error> {
    sqlx::query("insert into case_note (id, case_id, by, text) values ($1, $2, $3, $4)")
        .bind(Uuid::now_v7())
        .bind(case.0)
        .bind(by)
        .bind(text)
        .execute(conn)
        .await?;
    Ok(())
}

pub(crate) async fn close(
    conn: &mut PgConnection,
    case: CaseId,
    (reasons, by): (&str, &str),
    referral: Option<&api::Referral>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update case_file set state = 'closed', closed = now(), closing = $2, closed_by = $3, referral = $4 where id = $1",
    )
    .bind(case.0)
    .bind(reasons)
    .bind(by)
    .bind(referral.map(Json))
    .execute(conn)
    .await?;
    Ok(())
}
