//! Evidence in the database: the row is written before the act and completed after it. The doors add lines and see them; only
//! named functions complete them, and nobody changes or removes one.

use super::{all, json};
use husorden_base::{AccountId, MeasureId, OrderId, SolutionId};
use husorden_wire::api;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

/// What completes a line.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Awaits {
    /// Nothing: the act is the transaction itself.
    Nothing,
    /// The node settles on this generation.
    Generation(u64),
    /// The order ends.
    Order(OrderId),
    /// The measure is in force, or lifted.
    Measure(MeasureId),
}

/// A line as it is written.
#[derive(Debug)]
pub(crate) struct NewEvidence {
    pub(crate) act: &'static str,
    pub(crate) account: Option<AccountId>,
    pub(crate) solution: Option<SolutionId>,
    pub(crate) before: Value,
    pub(crate) awaits: Awaits,
    pub(crate) visible_from: Option<Timestamp>,
}

pub(crate) async fn insert(conn: &mut PgConnection, who: &str, line: &NewEvidence) -> Result<(), sqlx::Error> {
    let (generation, order, measure) = match line.awaits {
        Awaits::Nothing => (None, None, None),
        Awaits::Generation(generation) => (Some(i64::try_from(generation).unwrap_or(i64::MAX)), None, None),
        Awaits::Order(order) => (None, Some(order.0), None),
        Awaits::Measure(measure) => (None, None, Some(measure.0)),
    };
    sqlx::query(
        "insert into evidence (who, act, account, solution, before, await_generation, await_order, await_measure, ended, after, visible_from)
         values ($1, $2, $3, $4, $5, $6, $7, $8,
                 case when $6 is null and $7 is null and $8 is null then now() end,
                 case when $6 is null and $7 is null and $8 is null then '{}'::jsonb end,
                 greatest(now(), coalesce($9::timestamptz, now())))",
    )
    .bind(who)
    .bind(line.act)
    .bind(line.account.map(|id| id.0))
    .bind(line.solution.map(|id| id.0))
    .bind(Json(&line.before))
    .bind(generation)
    .bind(order)
    .bind(measure)
    .bind(line.visible_from.map(|at| at.to_string()))
    .execute(conn)
    .await?;
    Ok(())
}

/// In which order lines are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Order {
    /// Oldest first.
    #[default]
    Oldest,
    /// Newest first.
    Newest,
}

/// Which lines are asked for. Words are in lower case.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    /// Lines that follow this one in the order.
    pub(crate) after: Option<u64>,
    /// Lines that stand before this one in the order: the nearest to it, in the order.
    pub(crate) before: Option<u64>,
    pub(crate) limit: i64,
    pub(crate) order: Order,
    /// Within act, who, solution and details.
    pub(crate) words: Option<String>,
    /// This act, or those whose first words it is.
    pub(crate) act: Option<String>,
    /// Within who.
    pub(crate) who: Option<String>,
    pub(crate) account: Option<Uuid>,
    pub(crate) solution: Option<Uuid>,
    pub(crate) from: Option<Timestamp>,
    pub(crate) to: Option<Timestamp>,
}

/// The same lines in either direction.
macro_rules! lines {
    ($direction:literal) => {
        concat!(
            "select to_jsonb(l) from (select e.id, begun, ended, who, signed(who) as who_is, act, account, solution, node, before, after, erased,
                    (select min(index) from evidence_leaf f where f.line = e.id) as leaf
               from evidence e
              where ($1::bigint is null or e.id > $1) and ($2::bigint is null or e.id < $2)
                and ($3::uuid is null or account = $3) and ($4::uuid is null or solution = $4)
                and ($5::text is null or act = $5 or starts_with(act, $5 || '.'))
                and ($6::text is null or strpos(lower(who), $6) > 0)
                and ($7::timestamptz is null or begun >= $7::timestamptz) and ($8::timestamptz is null or begun < $8::timestamptz)
                and ($9::text is null
                     or strpos(lower(concat_ws(' ', act, who, solution, node, before, after)), $9) > 0)
              order by e.id ",
            $direction,
            " limit $10) l"
        )
    };
}

/// Lines in the order that was asked for.
pub(crate) async fn list(conn: &mut PgConnection, asked: &Asked) -> Result<Vec<api::Evidence>, sqlx::Error> {
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    // A page back is read away from its end, and turned.
    let back = asked.before.is_some();
    let upwards = (asked.order == Order::Oldest) != back;
    let (above, below) = match asked.order {
        Order::Oldest => (asked.after, asked.before),
        Order::Newest => (asked.before, asked.after),
    };
    let query = if upwards { json(lines!("asc")) } else { json(lines!("desc")) };
    let mut lines: Vec<api::Evidence> = all(
        query
            .bind(above.map(number))
            .bind(below.map(number))
            .bind(asked.account)
            .bind(asked.solution)
            .bind(asked.act.clone())
            .bind(asked.who.clone())
            .bind(asked.from.map(|at| at.to_string()))
            .bind(asked.to.map(|at| at.to_string()))
            .bind(asked.words.clone())
            .bind(asked.limit),
        conn,
    )
    .await?;
    if back {
        lines.reverse();
    }
    Ok(lines)
}
