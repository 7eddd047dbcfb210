//! Nodes in the database, and the named functions of the node link.

use super::all;
use super::json as read;
use husorden_base::{CaseId, MeasureId, Number, OrderId, QuestionId, SolutionId, TargetId, Text};
use husorden_evidence::chain;
use husorden_rules::Measure;
use husorden_wire::node::{
    EvidenceLine, Health, ImageHealth, MeasureSeen, MeasureState, Refused, Repository, RuntimeHealth, Sample, Seen,
    VerbState,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::types::Json;
use sqlx::{PgConnection, PgPool};
use std::collections::BTreeMap;
use uuid::Uuid;

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct NodeRow {
    pub(crate) name: String,
    pub(crate) connected: bool,
    pub(crate) heard: Option<Timestamp>,
    pub(crate) health: Value,
}

pub(crate) async fn list(conn: &mut PgConnection) -> Result<Vec<NodeRow>, sqlx::Error> {
    all(read("select to_jsonb(n) from node n order by name limit 1000"), conn).await
}

/// A build that did not hold for solutions of a node.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct HeldBackRow {
    pub(crate) node: String,
    pub(crate) runtime: String,
    pub(crate) build: String,
    pub(crate) solutions: u64,
    pub(crate) newest: Vec<SolutionId>,
    pub(crate) last: Timestamp,
}

/// Every build that did not hold. Why it did not may be the customers' own words, which stand with their solutions.
pub(crate) async fn held_back(conn: &mut PgConnection) -> Result<Vec<HeldBackRow>, sqlx::Error> {
    let sql = "select to_jsonb(h) from (
                   select s.node, r.key as runtime, r.value->>'build' as build, count(*) as solutions,
                          (array_agg(s.id order by (r.value->>'at')::timestamptz desc))[1:5] as newest,
                          max((r.value->>'at')::timestamptz) as last
                   from solution s, jsonb_each(case jsonb_typeof(s.seen->'builds'->'refused')
                                               when 'object' then s.seen->'builds'->'refused' else '{}' end) r
                   where s.deleted is null group by 1, 2, 3 order by last desc limit 200) h";
    all(read(sql), conn).await
}

/// Asks a node for a build; whether there is such a node.
pub(crate) async fn ask_build(conn: &mut PgConnection, node: &str, runtime: &str) -> Result<bool, sqlx::Error> {
    let sql = "insert into build_request (node, runtime) select name, $2 from node where name = $1
               on conflict (node, runtime) do update set asked = now()";
    Ok(sqlx::query(sql).bind(node).bind(runtime).execute(conn).await?.rows_affected() > 0)
}

/// What a node was asked to build in the last minute, as it is told of it.
pub(crate) async fn builds_asked(system: &PgPool, node: &str) -> Result<Vec<Value>, sqlx::Error> {
    all(read("select say from node_builds_asked($1)").bind(node.to_owned()), system).await
}

pub(crate) async fn expect(system: &PgPool, node: &str) -> Result<(), sqlx::Error> {
    sqlx::query("select node_expect($1)").bind(node).execute(system).await?;
    Ok(())
}

/// The runtimes of the node that a solution lies on. What an older node said without builds is read too.
pub(crate) async fn runtimes_of(
    conn: &mut PgConnection,
    solution: SolutionId,
) -> Result<Vec<RuntimeHealth>, sqlx::Error> {
    let found: Option<Json<Vec<RuntimeHealth>>> =
        sqlx::query_scalar("select solution_runtimes($1)").bind(solution.0).fetch_one(conn).await?;
    Ok(found.map(|runtimes| runtimes.0).unwrap_or_default())
}

/// Images that servers can be made from now on some node, by name.
pub(crate) async fn images(system: &PgPool) -> Result<BTreeMap<String, ImageHealth>, sqlx::Error> {
    let found: Json<BTreeMap<String, ImageHealth>> =
        sqlx::query_scalar("select images_known()").fetch_one(system).await?;
    Ok(found.0)
}

/// Registers a connection; answers with the epoch.
pub(crate) async fn hello(system: &PgPool, node: &str, link: Uuid, version: u32) -> Result<u64, sqlx::Error> {
    #[derive(Deserialize)]
    struct Welcome {
        epoch: u64,
    }
    let welcome: Json<Welcome> = sqlx::query_scalar("select node_hello($1, $2, $3)")
        .bind(node)
        .bind(link)
        .bind(i32::try_from(version).unwrap_or(i32::MAX))
        .fetch_one(system)
        .await?;
    Ok(welcome.0.epoch)
}

pub(crate) async fn goodbye(system: &PgPool, node: &str, link: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query("select node_goodbye($1, $2)").bind(node).bind(link).execute(system).await?;
    Ok(())
}

/// What a node must be told that was touched since a cursor: one line a row, the first says the next cursor.
pub(crate) fn changes<'e>(
    system: &'e PgPool,
    node: &str,
    since: i64,
) -> futures_util::stream::BoxStream<'e, Result<Json<Value>, sqlx::Error>> {
    sqlx::query_scalar("select say from node_changes($1, $2)").bind(node.to_owned()).bind(since).fetch(system)
}

/// Takes looks in one transaction.
pub(crate) async fn seen(system: &PgPool, node: &str, link: Uuid, looks: &[Seen]) -> Result<(), sqlx::Error> {
    let looks: Vec<Json<&Seen>> = looks.iter().map(Json).collect();
    sqlx::query("select node_seen($1, $2, look) from unnest($3::jsonb[]) look")
        .bind(node)
        .bind(link)
        .bind(looks)
        .execute(system)
        .await?;
    Ok(())
}

pub(crate) async fn wish_refused(
    system: &PgPool,
    node: &str,
    solution: Uuid,
    (epoch, generation): (u64, u64),
    why: &str,
) -> Result<(), sqlx::Error> {
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    sqlx::query("select node_wish_refused($1, $2, $3, $4, $5)")
        .bind(node)
        .bind(solution)
        .bind(number(epoch))
        .bind(number(generation))
        .bind(why)
        .execute(system)
        .await?;
    Ok(())
}

/// A key that may be released, and the line of evidence that says so.
#[derive(Debug, Deserialize)]
pub(crate) struct Unlock {
    pub(crate) evidence: i64,
    pub(crate) solution: SolutionId,
    pub(crate) number: Number,
    pub(crate) target: TargetId,
    /// The key may be made: it is to be written with.
    pub(crate) make: bool,
    /// Where the log goes, when it is the log's key.
    #[serde(default)]
    pub(crate) repository: Option<Box<Repository>>,
}

/// Whether a node may have what opens the backups that its order or wish is about. Written down before it has them.
pub(crate) async fn unlock(
    system: &PgPool,
    node: &str,
    order: Option<OrderId>,
    solution: SolutionId,
    recipient: &str,
) -> Result<Option<Unlock>, sqlx::Error> {
    let found: Option<Json<Unlock>> = sqlx::query_scalar("select node_unlock($1, $2, $3, $4)")
        .bind(node)
        .bind(order.map(|order| order.0))
        .bind(solution.0)
        .bind(recipient)
        .fetch_one(system)
        .await?;
    Ok(found.map(|unlock| unlock.0))
}

/// Whether a node may have what opens the log of a solution. Written down before it has that.
pub(crate) async fn unlock_log(
    system: &PgPool,
    node: &str,
    solution: SolutionId,
    recipient: &str,
    own_target: &str,
) -> Result<Option<Unlock>, sqlx::Error> {
    let found: Option<Json<Unlock>> = sqlx::query_scalar("select node_unlock_log($1, $2, $3, $4)")
        .bind(node)
        .bind(solution.0)
        .bind(recipient)
        .bind(own_target)
        .fetch_one(system)
        .await?;
    Ok(found.map(|unlock| unlock.0))
}

/// What came of it.
pub(crate) async fn unlocked(system: &PgPool, evidence: i64, refused: Option<&Text>) -> Result<(), sqlx::Error> {
    sqlx::query("select node_unlocked($1, $2)").bind(evidence).bind(refused.map(Json)).execute(system).await?;
    Ok(())
}

/// How far an order is; answers with the spool file that is needed no more.
pub(crate) async fn progress(
    system: &PgPool,
    node: &str,
    order: OrderId,
    state: &VerbState,
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar("select node_progress($1, $2, $3)")
        .bind(node)
        .bind(order.0)
        .bind(Json(state))
        .fetch_one(system)
        .await
}

pub(crate) async fn measured(
    system: &PgPool,
    node: &str,
    (measure, revision): (MeasureId, u64),
    state: MeasureState,
    at: Timestamp,
) -> Result<(), sqlx::Error> {
    let state = match state {
        MeasureState::Kept => "kept",
        MeasureState::InForce => "inforce",
        MeasureState::Lifted => "lifted",
    };
    sqlx::query("select node_measured($1, $2, $3, $4, $5::timestamptz)")
        .bind(node)
        .bind(measure.0)
        .bind(i64::try_from(revision).unwrap_or(i64::MAX))
        .bind(state)
        .bind(at.to_string())
        .execute(system)
        .await?;
    Ok(())
}

/// What a node's probe met of a measure.
pub(crate) async fn measure_seen(system: &PgPool, node: &str, seen: &MeasureSeen) -> Result<(), sqlx::Error> {
    told(system, "select node_measure_seen($1, $2)", node, seen).await
}

/// Takes over a measure that was taken on the node; answers with it as the node is to hold it.
pub(crate) async fn measure_taken(
    system: &PgPool,
    node: &str,
    measure: &Measure,
    reasons: &str,
) -> Result<Option<Measure>, sqlx::Error> {
    let taken: Option<Json<Measure>> =
        sqlx::query_scalar("select case when node_concerned($1, $2) then node_measure_taken($1, $2, $3, $4) end")
            .bind(node)
            .bind(Json(measure))
            .bind(reasons)
            .bind(CaseId::new().0)
            .fetch_one(system)
            .await?;
    Ok(taken.map(|measure| measure.0))
}

/// Keeps lines of a node, oldest first; says at how many of them its chain does not hold.
pub(crate) async fn evidence(system: &PgPool, node: &str, lines: &[EvidenceLine]) -> Result<u64, sqlx::Error> {
    let lines: Vec<Value> = lines
        .iter()
        .map(|line| {
            let solution = line.solution.map(|id| id.to_string());
            let previous = line.previous.as_deref().and_then(|hash| hash.parse().ok());
            let hash = chain::link(line.serial, line.at, &line.act, solution.as_deref(), &line.detail, previous);
            json!({ "serial": line.serial, "at": line.at, "act": line.act, "solution": solution, "detail": line.detail,
                    "previous": previous, "hash": hash })
        })
        .collect();
    let broken: i64 =
        sqlx::query_scalar("select node_evidence($1, $2)").bind(node).bind(Json(lines)).fetch_one(system).await?;
    Ok(broken.unsigned_abs())
}

pub(crate) async fn health(system: &PgPool, node: &str, link: Uuid, health: &Health) -> Result<(), sqlx::Error> {
    sqlx::query("select node_health($1, $2, $3)").bind(node).bind(link).bind(Json(health)).execute(system).await?;
    Ok(())
}

/// Who was refused at the ports of a node's solutions.
pub(crate) async fn refused(system: &PgPool, node: &str, refused: &[Refused]) -> Result<(), sqlx::Error> {
    told(system, "select node_refused($1, $2)", node, &refused).await
}

/// What was measured of a node's solutions.
pub(crate) async fn samples(system: &PgPool, node: &str, samples: &[Sample]) -> Result<(), sqlx::Error> {
    told(system, "select node_samples($1, $2)", node, &samples).await
}

/// A node's answer to a question.
pub(crate) async fn answer(
    system: &PgPool,
    node: &str,
    question: QuestionId,
    text: Option<String>,
) -> Result<(), sqlx::Error> {
    let sql = "select node_answer($1, $2, $3)";
    sqlx::query(sql).bind(node).bind(question.0).bind(Json(json!({ "text": text }))).execute(system).await?;
    Ok(())
}

async fn told(
    system: &PgPool,
    sql: &'static str,
    node: &str,
    what: &(impl Serialize + Sync),
) -> Result<(), sqlx::Error> {
    sqlx::query(sql).bind(node).bind(Json(what)).execute(system).await?;
    Ok(())
}

/// The spool file of an open order of this node.
pub(crate) async fn spool(system: &PgPool, node: &str, order: OrderId) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar("select order_spool($1, $2)").bind(node).bind(order.0).fetch_one(system).await
}
