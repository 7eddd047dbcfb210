//! Alarms in the database: what is bad, since when, and when operators were told.

use super::{all, json};
use crate::alarm::Told;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use sqlx::types::Json;

/// A check that is bad.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Alarm {
    pub(crate) name: String,
    pub(crate) since: Timestamp,
    pub(crate) told: Option<Timestamp>,
}

/// What was bad at the last look.
pub(crate) async fn known(system: &PgPool) -> Result<Vec<Alarm>, sqlx::Error> {
    all(json("select alarms()"), system).await
}

/// Keeps what is bad now, and writes the mails of what is told, in one transaction.
pub(crate) async fn keep(system: &PgPool, alarms: &[Alarm], told: Option<&Told>) -> Result<(), sqlx::Error> {
    sqlx::query("select alarms_keep($1, $2)").bind(Json(alarms)).bind(told.map(Json)).execute(system).await?;
    Ok(())
}
