//! Figures of solutions, in the database.

use super::{all, json, one};
use husorden_base::SolutionId;
use jiff::Timestamp;
use serde::Deserialize;
use sqlx::{PgConnection, PgPool};
use std::collections::BTreeMap;

/// What was measured in a minute.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct SampleRow {
    pub(crate) at: Timestamp,
    pub(crate) figures: BTreeMap<String, f64>,
}

/// Those of the last so many hours, oldest first; a day has 1,440 at most, and the days before it 144 each.
pub(crate) async fn list(
    conn: &mut PgConnection,
    solution: SolutionId,
    hours: u32,
) -> Result<Vec<SampleRow>, sqlx::Error> {
    let sql = "select to_jsonb(s) from sample s where solution = $1 and at > now() - make_interval(hours => $2)
               order by at limit 5000";
    all(json(sql).bind(solution.0).bind(i32::try_from(hours).unwrap_or(i32::MAX)), conn).await
}

/// What a figure was when it was last measured, if it is a whole number.
pub(crate) async fn newest(
    conn: &mut PgConnection,
    solution: SolutionId,
    figure: &str,
) -> Result<Option<u64>, sqlx::Error> {
    let sql = "select to_jsonb(round((figures->>$2)::numeric)) from sample where solution = $1 and figures ? $2
               order by at desc limit 1";
    one(json(sql).bind(solution.0).bind(figure.to_owned()), conn).await
}

/// Forgets what is old, and thins what is older than a day.
pub(crate) async fn sweep(system: &PgPool) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select sweep_samples()").fetch_one(system).await
}
