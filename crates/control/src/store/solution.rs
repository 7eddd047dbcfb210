//! Solutions and their claims in the database.

use super::backup::PlanRow;
use super::{all, json, one, part};
use crate::state::aim_word;
use husorden_base::{AccountId, Number, OrderId, SolutionId};
use husorden_kinds::{Aim, Credential, Public, Rule};
use husorden_wire::api::ReverseName;
use husorden_wire::node::{BackupOrigin, Origin, Seen};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use sqlx::PgConnection;
use sqlx::types::Json;
use std::collections::BTreeMap;
use uuid::Uuid;

/// A solution as it is shown.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct SolutionView {
    pub(crate) id: SolutionId,
    pub(crate) number: Number,
    pub(crate) account: AccountId,
    pub(crate) account_name: String,
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) aim: Aim,
    pub(crate) spec: Value,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) protected: bool,
    pub(crate) epoch: u64,
    pub(crate) generation: u64,
    pub(crate) hold_for: Option<OrderId>,
    pub(crate) seen: Option<Seen>,
    pub(crate) seen_generation: u64,
    pub(crate) retain_until: Option<Timestamp>,
    pub(crate) deleted: Option<Timestamp>,
    pub(crate) created: Timestamp,
    pub(crate) changed: Timestamp,
    pub(crate) heard: Option<Timestamp>,
    /// Up to when what its node told of its log holds.
    pub(crate) told: Option<Timestamp>,
    pub(crate) now: Timestamp,
    pub(crate) case_number: Option<String>,
    pub(crate) closed: Option<bool>,
    pub(crate) backups: Option<PlanRow>,
    #[serde(default)]
    pub(crate) public: Public,
    /// The rules that hold at its public addresses.
    #[serde(default)]
    pub(crate) rules: Vec<Rule>,
    /// Names that lead back from them.
    #[serde(default)]
    pub(crate) names: Vec<ReverseName>,
    /// What people call the account's own image that it was made from.
    #[serde(default)]
    pub(crate) image: Option<String>,
}

/// A solution as it is changed: locked until the transaction ends.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct SolutionRow {
    pub(crate) id: SolutionId,
    pub(crate) number: Number,
    pub(crate) account: AccountId,
    pub(crate) node: String,
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) aim: Aim,
    pub(crate) aim_before: Aim,
    pub(crate) spec: Value,
    pub(crate) credentials: BTreeMap<String, Credential>,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) protected: bool,
    pub(crate) generation: u64,
    pub(crate) hold_for: Option<OrderId>,
    pub(crate) seen: Option<Seen>,
    pub(crate) retain_until: Option<Timestamp>,
}

impl SolutionRow {
    /// Whether the node has said that it has a volume, so that there is something to lose.
    pub(crate) fn has_volume(&self) -> bool {
        self.seen.as_ref().is_some_and(|seen| seen.usage.is_some())
    }
}

/// Up to two solutions with this id or name: two only for staff, when several accounts use the name.
pub(crate) async fn find(conn: &mut PgConnection, text: &str) -> Result<Vec<SolutionView>, sqlx::Error> {
    // Two statements: one for both would be planned without its index, and read every row there is.
    let sql = match text.parse::<Uuid>() {
        Ok(id) => json("select to_jsonb(v) || solution_reach(v.id) from solution_view v where v.id = $1").bind(id),
        Err(_) => json(
            "select to_jsonb(v) || solution_reach(v.id) from solution_view v where v.name = $1 and v.deleted is null limit 2",
        )
        .bind(text.to_owned()),
    };
    all(sql, conn).await
}

pub(crate) async fn get(conn: &mut PgConnection, id: SolutionId) -> Result<SolutionView, sqlx::Error> {
    one(json("select to_jsonb(v) || solution_reach(v.id) from solution_view v where v.id = $1").bind(id.0), conn)
        .await?
        .ok_or(sqlx::Error::RowNotFound)
}

/// What a list is narrowed to.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    pub(crate) kind: Option<String>,
    pub(crate) q: Option<String>,
    pub(crate) label: Option<(String, Option<String>)>,
    pub(crate) account: Option<AccountId>,
    /// Leaves out what is certainly not in this state; which is, the state's own rules say.
    pub(crate) state: Option<String>,
}

// Labels are asked for twice: behind row-level security PostgreSQL knows nothing of how rare one is and takes it for common,
// reading row after row; by the second condition it takes it for rare, and finds it by its index.
pub(crate) async fn list(
    conn: &mut PgConnection,
    filter: &Filter,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<SolutionView>, sqlx::Error> {
    let (label, value) = filter.label.clone().map_or((None, None), |(label, value)| (Some(label), value));
    all(
        json(
            "select to_jsonb(v) || solution_reach(v.id) from solution_view v
             where v.deleted is null and ($1::uuid is null or v.id > $1)
               and ($2::text is null or v.kind = $2)
               and ($3::text is null or v.name like $3)
               and ($4::text is null or (v.labels ? $4 and v.labels ?| array[$4] and ($5::text is null or v.labels->>$4 = $5)))
               and ($6::uuid is null or v.account = $6)
               and case $8::text
                     when 'trouble' then v.seen_state = 'trouble'
                     when 'running' then v.aim = 'run' and v.seen_state = 'settled'
                     when 'stopped' then v.aim = 'stop' and v.seen_state = 'settled'
                     when 'deleting' then v.aim = 'gone'
                     when 'closed' then v.id = any(array(select solution from measure where lifted is null and solution is not null))
                       or v.account = any(array(select account from measure where lifted is null and solution is null))
                     else true end
             order by v.id limit $7",
        )
        .bind(after)
        .bind(filter.kind.clone())
        .bind(filter.q.as_deref().map(part))
        .bind(label)
        .bind(value)
        .bind(filter.account.map(|account| account.0))
        .bind(limit)
        .bind(filter.state.clone()),
        conn,
    )
    .await
}

/// Locks a solution for a change. Only through the tenant door.
pub(crate) async fn lock(conn: &mut PgConnection, id: SolutionId) -> Result<Option<SolutionRow>, sqlx::Error> {
    one(json("select to_jsonb(s) from solution s where s.id = $1 and s.deleted is null for update").bind(id.0), conn)
        .await
}

/// How many solutions count against the account's limit. Nobody else makes one for the account until the transaction ends.
pub(crate) async fn count_to_create(conn: &mut PgConnection, account: AccountId) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select count_to_create($1)").bind(account.0).fetch_one(conn).await
}

/// What an account's solutions ask for: id, kind and spec of each that is still there.
pub(crate) async fn demands(
    conn: &mut PgConnection,
    account: AccountId,
) -> Result<Vec<(SolutionId, String, Value)>, sqlx::Error> {
    all(
        json("select jsonb_build_array(id, kind, spec) from solution where account = $1 and deleted is null")
            .bind(account.0),
        conn,
    )
    .await
}

/// A solution that is attached to another.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct AttachedBy {
    /// Its name.
    pub(crate) name: String,
    /// What of the other it uses.
    pub(crate) database: String,
}

/// Who of the account is attached to a solution, by what is wished and by what a node still sees of a change that waits.
pub(crate) async fn attached_to(conn: &mut PgConnection, id: SolutionId) -> Result<Vec<AttachedBy>, sqlx::Error> {
    all(
        json(
            "select jsonb_build_object('name', s.name, 'database', a->'database')
               from solution s, lateral (values (s.spec->'attach'), (s.held->'spec'->'attach')) v(a)
              where s.deleted is null and s.aim <> 'gone' and a->>'solution' = $1::text",
        )
        .bind(id.to_string()),
        conn,
    )
    .await
}

/// A solution as it is made. The database gives it its number and the epoch.
pub(crate) struct NewSolution<'a> {
    pub(crate) id: SolutionId,
    pub(crate) account: AccountId,
    pub(crate) node: &'a str,
    pub(crate) name: &'a str,
    pub(crate) kind: &'a str,
    pub(crate) spec: &'a Value,
    pub(crate) credentials: &'a BTreeMap<String, Credential>,
    pub(crate) labels: &'a BTreeMap<String, String>,
    pub(crate) protected: bool,
    pub(crate) from: Option<Origin>,
    pub(crate) from_backup: Option<&'a BackupOrigin>,
}

pub(crate) async fn insert(conn: &mut PgConnection, new: &NewSolution<'_>) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into solution (id, account, node, name, kind, aim, spec, credentials, labels, protected, origin, from_backup)
         values ($1, $2, $3, $4, $5, 'run', $6, $7, $8, $9, $10, $11)",
    )
    .bind(new.id.0)
    .bind(new.account.0)
    .bind(new.node)
    .bind(new.name)
    .bind(new.kind)
    .bind(Json(new.spec))
    .bind(Json(new.credentials))
    .bind(Json(new.labels))
    .bind(new.protected)
    .bind(new.from.map(Json))
    .bind(new.from_backup.map(Json))
    .execute(conn)
    .await?;
    Ok(())
}

/// Writes a changed wish under a new generation, and answers with it. With a hold, the node goes on seeing the spec as it
/// was until the order ends; everything else, such as a stop or who may connect, reaches it at once. For that the held wish has
/// a generation of its own, one below.
pub(crate) async fn save(
    conn: &mut PgConnection,
    row: &SolutionRow,
    hold: Option<OrderId>,
) -> Result<u64, sqlx::Error> {
    let generation: i64 = sqlx::query_scalar(
        "update solution set
           hold_for = coalesce(hold_for, $2),
           held = case when hold_for is not null or $2 is not null
                       then jsonb_build_object(
                           'spec', coalesce(held->'spec', spec)
                               || case when $6::jsonb ? 'allow'
                                       then jsonb_build_object('allow', $6->'allow', 'open_to_all', $6->'open_to_all')
                                       else '{}' end,
                           'generation', generation + 1) end,
           generation = generation + case when hold_for is not null or $2 is not null then 2 else 1 end,
           name = $3, aim = $4, aim_before = $5, spec = $6, credentials = $7, labels = $8, protected = $9,
           retain_until = $10::timestamptz, changed = now()
         where id = $1 returning generation",
    )
    .bind(row.id.0)
    .bind(hold.map(|order| order.0))
    .bind(&row.name)
    .bind(aim_word(row.aim))
    .bind(aim_word(row.aim_before))
    .bind(Json(&row.spec))
    .bind(Json(&row.credentials))
    .bind(Json(&row.labels))
    .bind(row.protected)
    .bind(row.retain_until.map(|at| at.to_string()))
    .fetch_one(conn)
    .await?;
    Ok(generation.unsigned_abs())
}

/// The narrowest measure that is on the solution itself.
pub(crate) async fn held_on(
    conn: &mut PgConnection,
    id: SolutionId,
) -> Result<Option<super::measure::Holding>, sqlx::Error> {
    one(json("select h from held_on($1) h where h is not null").bind(id.0), conn).await
}

/// Takes a name for a solution; false when it is another's.
pub(crate) async fn claim(
    conn: &mut PgConnection,
    row: (SolutionId, AccountId),
    (space, key): (&str, &str),
    coming: bool,
) -> Result<bool, sqlx::Error> {
    let taken = sqlx::query(
        "insert into claim (space, key, solution, account, state) values ($1, $2, $3, $4, $5) on conflict do nothing",
    )
    .bind(space)
    .bind(key)
    .bind(row.0.0)
    .bind(row.1.0)
    .bind(if coming { "coming" } else { "held" })
    .execute(conn)
    .await?;
    Ok(taken.rows_affected() == 1)
}

/// The names a solution holds: (space, key, state).
pub(crate) async fn claims(
    conn: &mut PgConnection,
    id: SolutionId,
) -> Result<Vec<(String, String, String)>, sqlx::Error> {
    sqlx::query_as("select space, key, state from claim where solution = $1 order by space, key")
        .bind(id.0)
        .fetch_all(conn)
        .await
}

/// Gives a name free, or says how it stands while a change is held.
pub(crate) async fn claim_state(
    conn: &mut PgConnection,
    id: SolutionId,
    (space, key): (&str, &str),
    state: Option<&str>,
) -> Result<(), sqlx::Error> {
    match state {
        Some(state) => {
            sqlx::query("update claim set state = $4 where solution = $1 and space = $2 and key = $3")
                .bind(id.0)
                .bind(space)
                .bind(key)
                .bind(state)
                .execute(conn)
                .await?
        }
        None => {
            sqlx::query("delete from claim where solution = $1 and space = $2 and key = $3")
                .bind(id.0)
                .bind(space)
                .bind(key)
                .execute(conn)
                .await?
        }
    };
    Ok(())
}
