//! Measures in the database.

use super::{all, json, one};
use crate::store::money::ForfeitRow;
use husorden_base::{AccountId, CaseId, MeasureId, Refusal, SolutionId, Text};
use husorden_rules::{Access, Decision, Fates, Scope};
use husorden_wire::api::{self, Capability};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

/// A measure with how far the nodes are.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct MeasureRow {
    pub(crate) id: MeasureId,
    pub(crate) case_id: CaseId,
    pub(crate) case_number: String,
    pub(crate) clause: String,
    pub(crate) account: AccountId,
    pub(crate) solution: Option<SolutionId>,
    pub(crate) access: String,
    pub(crate) reasons: String,
    pub(crate) starts: Timestamp,
    pub(crate) ends: Option<Timestamp>,
    pub(crate) silent_until: Option<Timestamp>,
    pub(crate) lifted: Option<Timestamp>,
    pub(crate) nodes: i64,
    pub(crate) kept_nodes: i64,
    pub(crate) force_nodes: i64,
    pub(crate) lifted_nodes: i64,
    pub(crate) in_force_at: Option<Timestamp>,
    pub(crate) lifted_at: Option<Timestamp>,
    pub(crate) fates: Fates,
    pub(crate) facts: String,
    pub(crate) rules_version: Option<String>,
    pub(crate) decided_by: String,
    pub(crate) decided_by_whom: Option<api::Signed>,
    pub(crate) lift_reasons: Option<String>,
    pub(crate) seen: Option<api::MeasureSeen>,
    pub(crate) forfeits: Vec<ForfeitRow>,
}

/// After how many seconds a measure that is not carried out everywhere is late.
pub(crate) const LATE_S: i64 = 10;

impl MeasureRow {
    /// How far it is: the last of the nodes counts.
    pub(crate) const fn state(&self) -> &'static str {
        if self.lifted.is_some() {
            if self.lifted_nodes == self.nodes { "lifted" } else { "lifting" }
        } else if self.nodes > 0 && self.force_nodes == self.nodes {
            "in-force"
        } else if self.nodes > 0 && self.kept_nodes == self.nodes {
            "kept"
        } else {
            "ordered"
        }
    }

    /// Whether a node has had time enough and has not carried it out.
    pub(crate) fn late(&self, now: Timestamp) -> bool {
        let since = match self.state() {
            "ordered" | "kept" => self.starts,
            "lifting" => self.lifted.unwrap_or(self.starts),
            _ => return false,
        };
        // What has ended by its own clock no longer waits to begin.
        let ended = self.lifted.is_none() && self.ends.is_some_and(|ends| ends <= now);
        !ended && now.duration_since(since) > SignedDuration::from_secs(LATE_S)
    }

    /// What it holds.
    pub(crate) const fn scope(&self) -> Scope {
        match self.solution {
            Some(id) => Scope::Solution { id },
            None => Scope::Account { id: self.account },
        }
    }

    /// As staff see it: with who decided.
    pub(crate) fn shown_to_staff(&self) -> api::Measure {
        api::Measure { decided_by: Some(self.decided_by.clone()), ..self.shown() }
    }

    /// As the account holder sees it.
    pub(crate) fn shown(&self) -> api::Measure {
        api::Measure {
            id: self.id.to_string(),
            case: self.case_id.to_string(),
            case_number: self.case_number.clone(),
            clause: self.clause.clone(),
            rules_version: self.rules_version.clone(),
            scope: serde_json::to_value(self.scope()).unwrap_or_default(),
            access: self.access.clone(),
            facts: self.facts.clone(),
            reasons: self.reasons.clone(),
            state: self.state().to_owned(),
            late: self.late(Timestamp::now()),
            starts: self.starts,
            ends: self.ends,
            in_force: (self.force_nodes == self.nodes).then_some(self.in_force_at).flatten(),
            lifted: if self.state() == "lifted" { self.lifted_at.or(self.lifted) } else { self.lifted },
            seen: self.seen.clone(),
            forfeits: self.forfeits.iter().map(ForfeitRow::shown).collect(),
            lift_reasons: self.lift_reasons.clone(),
            decided_by: None,
            decided_by_whom: self.decided_by_whom.clone(),
        }
    }
}

/// A measure that stands in a caller's way.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Holding {
    pub(crate) access: Access,
    #[serde(default)]
    fates: Fates,
    case_number: String,
    clause: String,
    starts: Timestamp,
    ends: Option<Timestamp>,
    silent_until: Option<Timestamp>,
}

impl Holding {
    /// Whether a route that stays open under a measure stays open under this one: what is sealed leaves only one's own log-in.
    pub(crate) fn leaves(&self, capability: Option<Capability>) -> bool {
        self.access != Access::None || capability == Some(Capability::Own)
    }

    /// Whether it leaves consoles open.
    pub(crate) fn leaves_console(&self) -> bool {
        self.fates.leave_console(self.access)
    }

    /// The refusal: clause, case, since when, until when, where to complain. What an order keeps silent is not told.
    pub(crate) fn refusal(&self, whole_account: bool) -> Refusal {
        let title = if whole_account {
            Text::new("Kontoen er lukket for ændringer", "The account is closed for changes")
        } else {
            Text::new("Løsningen er lukket for ændringer", "The solution is closed for changes")
        };
        if self.silent_until.is_some_and(|until| until > Timestamp::now()) {
            let detail = Text::new("Det kan ikke gøres nu.", "This cannot be done now.");
            return Refusal::new("not-now", 403, title, detail);
        }
        let code = if whole_account { "account-held" } else { "solution-held" };
        let mut refusal = Refusal::new(
            code,
            403,
            title,
            Text::new(
                format!(
                    "En foranstaltning efter husordenens punkt {} holder den. Læs afgørelsen under /v1/measures.",
                    self.clause
                ),
                format!(
                    "A measure under clause {} of the house rules holds it. Read the decision at /v1/measures.",
                    self.clause
                ),
            ),
        );
        refusal.clause = Some(self.clause.clone());
        refusal.case = Some(self.case_number.clone());
        refusal.since = Some(self.starts);
        refusal.until = self.ends;
        refusal.complain = Some("/v1/measures".to_owned());
        refusal
    }
}

/// What is written down with a decision besides the decision itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told<'a> {
    /// The facts it rests on, for the account holder.
    pub(crate) facts: &'a str,
    /// Who decided.
    pub(crate) by: &'a str,
}

/// Writes a measure that was decided, and to which nodes it goes.
pub(crate) async fn insert(
    conn: &mut PgConnection,
    id: MeasureId,
    case: (CaseId, &str),
    of: (AccountId, Option<SolutionId>),
    decision: &Decision,
    told: Told<'_>,
) -> Result<(), sqlx::Error> {
    let access = serde_json::to_value(decision.access).unwrap_or_default();
    sqlx::query(
        "insert into measure (id, case_id, case_number, clause, account, solution, access, fates, reasons, starts, ends, silent_until, facts, decided_by)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, now(), $10::timestamptz, $11::timestamptz, $12, $13)",
    )
    .bind(id.0)
    .bind(case.0.0)
    .bind(case.1)
    .bind(decision.clause.id())
    .bind(of.0.0)
    .bind(of.1.map(|id| id.0))
    .bind(access.as_str().unwrap_or_default())
    .bind(Json(&decision.fates))
    .bind(&decision.reasons)
    .bind(decision.ends.map(|at| at.to_string()))
    .bind(decision.silent_until.map(|at| at.to_string()))
    .bind(told.facts)
    .bind(told.by)
    .execute(&mut *conn)
    .await?;
    // On an account: every node, for what the account makes later may land on any.
    sqlx::query(
        "insert into measure_node (measure, node)
         select $1, name from node where $2::uuid is null or name = (select node from solution where id = $2)",
    )
    .bind(id.0)
    .bind(of.1.map(|id| id.0))
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn get(conn: &mut PgConnection, id: Uuid) -> Result<Option<MeasureRow>, sqlx::Error> {
    let sql = "select measure_told(m) from measure_view m where id = $1";
    one(json(sql).bind(id), conn).await
}

/// Locks a measure and says whether it was lifted.
pub(crate) async fn lock(conn: &mut PgConnection, id: Uuid) -> Result<Option<bool>, sqlx::Error> {
    sqlx::query_scalar("select lifted is not null from measure where id = $1 for update")
        .bind(id)
        .fetch_optional(conn)
        .await
}

pub(crate) async fn lift(conn: &mut PgConnection, id: Uuid, reasons: &str, by: &str) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update measure set lifted = now(), lift_reasons = $2, lifted_by = $3, revision = nextval('measure_revision') where id = $1",
    )
    .bind(id)
    .bind(reasons)
    .bind(by)
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn list(
    conn: &mut PgConnection,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<MeasureRow>, sqlx::Error> {
    all(
        json(
            "select measure_told(m) from measure_view m
             where $1::uuid is null or m.id > $1 order by m.id limit $2",
        )
        .bind(after)
        .bind(limit),
        conn,
    )
    .await
}
