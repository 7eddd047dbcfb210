//! All SQL of control, one file a noun. Statements are plain strings; rows come as one JSON column that is read into a type.

pub(crate) mod account;
pub(crate) mod address;
pub(crate) mod agreement;
pub(crate) mod alarm;
pub(crate) mod backup;
pub(crate) mod case;
pub(crate) mod complaint;
pub(crate) mod erasure;
pub(crate) mod event;
pub(crate) mod evidence;
pub(crate) mod firewall;
pub(crate) mod grant;
pub(crate) mod idempotency;
pub(crate) mod identity;
pub(crate) mod job;
pub(crate) mod licence;
pub(crate) mod log;
pub(crate) mod look;
pub(crate) mod mail;
pub(crate) mod measure;
pub(crate) mod money;
pub(crate) mod network;
pub(crate) mod node;
pub(crate) mod order;
pub(crate) mod own_image;
pub(crate) mod question;
pub(crate) mod refused;
pub(crate) mod rules;
pub(crate) mod sample;
pub(crate) mod snapshot;
pub(crate) mod snapshot_schedule;
pub(crate) mod solution;
pub(crate) mod stray;
pub(crate) mod target;
pub(crate) mod token;
pub(crate) mod webhook;

use serde::de::DeserializeOwned;
use sqlx::postgres::PgArguments;
use sqlx::query::QueryScalar;
use sqlx::types::Json;
use sqlx::{PgExecutor, Postgres};

/// The pattern of `like` that finds a part of a text.
fn part(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 2);
    pattern.push('%');
    for c in text.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

/// A query whose rows are one JSON column.
type Rows<'q, T> = QueryScalar<'q, Postgres, Json<T>, PgArguments>;

/// A statement whose one column is JSON.
fn json<T: DeserializeOwned + Send + Unpin + 'static>(sql: &'static str) -> Rows<'static, T> {
    sqlx::query_scalar(sql)
}

async fn one<'e, T: DeserializeOwned + Send + Unpin + 'static>(
    query: Rows<'_, T>,
    executor: impl PgExecutor<'e>,
) -> Result<Option<T>, sqlx::Error> {
    Ok(query.fetch_optional(executor).await?.map(|row| row.0))
}

async fn all<'e, T: DeserializeOwned + Send + Unpin + 'static>(
    query: Rows<'_, T>,
    executor: impl PgExecutor<'e>,
) -> Result<Vec<T>, sqlx::Error> {
    Ok(query.fetch_all(executor).await?.into_iter().map(|row| row.0).collect())
}
