//! Firewalls in the database.

use super::{all, json, one};
use husorden_base::{AccountId, SolutionId};
use husorden_kinds::{Public, Rule};
use jiff::Timestamp;
use serde::Deserialize;
use sqlx::PgConnection;
use sqlx::types::Json;
use std::collections::BTreeMap;
use uuid::Uuid;

#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(crate) struct FirewallRow {
    pub(crate) id: Uuid,
    pub(crate) account: AccountId,
    pub(crate) name: String,
    pub(crate) rules: Vec<Rule>,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) solutions: Vec<SolutionId>,
    pub(crate) generation: u64,
    pub(crate) created: Timestamp,
    pub(crate) changed: Timestamp,
}

/// A solution that a set holds for.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Holder {
    pub(crate) id: SolutionId,
    pub(crate) name: String,
    pub(crate) public: Public,
    /// The rules of all sets that hold for it.
    pub(crate) rules: Vec<Rule>,
}

pub(crate) async fn list(
    conn: &mut PgConnection,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<FirewallRow>, sqlx::Error> {
    let sql =
        "select to_jsonb(f) from (select * from firewall where $1::uuid is null or id > $1 order by id limit $2) f";
    all(json(sql).bind(after).bind(limit), conn).await
}

/// How many an account has. Nobody else makes one for it until the transaction ends.
pub(crate) async fn count(conn: &mut PgConnection, account: AccountId) -> Result<i64, sqlx::Error> {
    sqlx::query("select pg_advisory_xact_lock(4818, hashtext($1::text))").bind(account.0).execute(&mut *conn).await?;
    sqlx::query_scalar("select count(*) from firewall where account = $1").bind(account.0).fetch_one(conn).await
}

/// Up to two with this id or name: two only for staff, when several accounts use the name.
pub(crate) async fn find(conn: &mut PgConnection, text: &str) -> Result<Vec<FirewallRow>, sqlx::Error> {
    let sql = match text.parse::<Uuid>() {
        Ok(id) => json("select to_jsonb(f) from firewall f where f.id = $1").bind(id),
        Err(_) => json("select to_jsonb(f) from firewall f where f.name = $1 limit 2").bind(text.to_owned()),
    };
    all(sql, conn).await
}

/// Locks one for a change.
pub(crate) async fn lock(conn: &mut PgConnection, id: Uuid) -> Result<Option<FirewallRow>, sqlx::Error> {
    one(json("select to_jsonb(f) from firewall f where f.id = $1 for update").bind(id), conn).await
}

/// Writes one, new or changed.
pub(crate) async fn put(conn: &mut PgConnection, row: &FirewallRow) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into firewall (id, account, name, rules, labels, solutions, generation) values ($1, $2, $3, $4, $5, $6, $7)
         on conflict (id) do update set name = excluded.name, rules = excluded.rules, labels = excluded.labels,
             solutions = excluded.solutions, generation = excluded.generation, changed = now()",
    )
    .bind(row.id)
    .bind(row.account.0)
    .bind(&row.name)
    .bind(Json(&row.rules))
    .bind(Json(&row.labels))
    .bind(row.solutions.iter().map(|id| id.0).collect::<Vec<_>>())
    .bind(i64::try_from(row.generation).unwrap_or(i64::MAX))
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn delete(conn: &mut PgConnection, id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query("delete from firewall where id = $1").bind(id).execute(conn).await?;
    Ok(())
}

/// The solutions that one holds for.
pub(crate) async fn holders(conn: &mut PgConnection, id: Uuid) -> Result<Vec<Holder>, sqlx::Error> {
    all(json("select firewall_holders($1)").bind(id), conn).await
}

/// The rules that would hold for a solution with these labels.
pub(crate) async fn rules(
    conn: &mut PgConnection,
    (account, solution): (AccountId, SolutionId),
    labels: &BTreeMap<String, String>,
) -> Result<Vec<Rule>, sqlx::Error> {
    let sql = json("select firewall_rules($1, $2, $3)").bind(account.0).bind(solution.0).bind(Json(labels.clone()));
    Ok(one(sql, conn).await?.unwrap_or_default())
}

/// Has nodes told again of solutions for which the rules have changed.
pub(crate) async fn tell(conn: &mut PgConnection, solutions: &[SolutionId]) -> Result<(), sqlx::Error> {
    let ids: Vec<Uuid> = solutions.iter().map(|id| id.0).collect();
    sqlx::query("select wish_again($1)").bind(ids).execute(conn).await?;
    Ok(())
}
