//! What nodes hold and control does not know of.

use super::{all, json};
use husorden_base::{AccountId, Number, SolutionId};
use husorden_wire::node::Wish;
use serde::Deserialize;
use sqlx::PgConnection;
use sqlx::types::Json;

#[derive(Debug, Deserialize)]
pub(crate) struct StrayRow {
    pub(crate) solution: SolutionId,
    pub(crate) node: String,
    pub(crate) number: Number,
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) account: AccountId,
    /// None where control does not know the account either.
    pub(crate) account_name: Option<String>,
}

/// Those that nodes named and that were not taken over since.
pub(crate) async fn list(conn: &mut PgConnection) -> Result<Vec<StrayRow>, sqlx::Error> {
    let sql = "select s.value || jsonb_build_object('node', n.name, 'account_name', a.name)
                 from node n cross join jsonb_array_elements(coalesce(n.health->'unwished', '[]')) s
                 left join account a on a.id = (s.value->>'account')::uuid
                where not exists (select from solution where id = (s.value->>'solution')::uuid)
                order by n.name, (s.value->>'number')::integer limit 1000";
    all(json(sql), conn).await
}

/// Whether control knew of it before it was to be taken over.
pub(crate) enum Known {
    /// Since now.
    Now,
    /// Somebody was faster.
    Before,
}

/// Writes a node's wish down as control's own.
pub(crate) async fn take(conn: &mut PgConnection, node: &str, wish: &Wish, name: &str) -> Result<Known, sqlx::Error> {
    let taken: bool = sqlx::query_scalar("select stray_take($1, $2, $3)")
        .bind(node)
        .bind(Json(wish))
        .bind(name)
        .fetch_one(conn)
        .await?;
    Ok(if taken { Known::Now } else { Known::Before })
}
