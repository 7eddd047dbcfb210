//! What the platform's own backups and its rebuild need of the database: a named point with what was counted there, what a copy holds, and
//! the first words of a control that was rebuilt. All of it is root's, by the kernel's word; control itself has no part in it.

mod count;
mod rebuilt;
mod standing;

pub use count::{Found, Noted, compare, found, mark};
pub use rebuilt::{Adopted, Known, adopt, known};
pub use standing::{Proven, Standing};

use crate::config::Database;
use crate::embedded::copying::superuser;
use husorden_base::TargetId;
use husorden_wire::node::Address;
use serde_json::Value;
use sqlx::types::Json;
use std::path::Path;

/// Why the database could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum PlatformError {
    /// A statement failed.
    #[error("{doing}: {source}")]
    Sql {
        /// What was done.
        doing: &'static str,
        /// Why it failed.
        source: sqlx::Error,
    },
    /// What stands in the database does not read.
    #[error("{doing}: {why}")]
    Garbled {
        /// What was done.
        doing: &'static str,
        /// What was seen.
        why: String,
    },
}

fn sql(doing: &'static str) -> impl FnOnce(sqlx::Error) -> PlatformError {
    move |source| PlatformError::Sql { doing, source }
}

/// How the platform's own backups stand, as the file says; one that does not read says nothing.
pub(crate) fn standing(path: &Path) -> Standing {
    match Standing::read(path) {
        Ok(standing) => standing.unwrap_or_default(),
        Err(error) => {
            tracing::warn!(%error, "how the platform's own backups stand can't be read");
            Standing::default()
        }
    }
}

/// A target that is open: its id, how it is reached, and bytes a second at most.
///
/// # Errors
/// When the database does not answer, or the address is of another release.
pub async fn target(
    database: &Database,
    name: &str,
) -> Result<Option<(TargetId, Address, Option<u64>)>, PlatformError> {
    let doing = "looking for the target of the platform's backups";
    let mut connection = superuser(&database.socket_dir, &database.name).await.map_err(sql(doing))?;
    let row: Option<(uuid::Uuid, Json<Value>, Option<i64>)> =
        sqlx::query_as("select id, address, bytes_per_second from target where name = $1 and state = 'open'")
            .bind(name)
            .fetch_optional(&mut connection)
            .await
            .map_err(sql(doing))?;
    row.map(|(id, address, pace)| {
        let address = serde_json::from_value(address.0)
            .map_err(|error| PlatformError::Garbled { doing, why: error.to_string() })?;
        Ok((TargetId(id), address, pace.map(i64::unsigned_abs)))
    })
    .transpose()
}

/// A line of evidence of the platform's own; with `alarm`, an event for staff too.
///
/// # Errors
/// When the database does not answer.
pub async fn witness(
    database: &Database,
    act: &str,
    before: &Value,
    after: &Value,
    alarm: bool,
) -> Result<(), PlatformError> {
    let doing = "writing a line of evidence";
    let mut connection = superuser(&database.socket_dir, &database.name).await.map_err(sql(doing))?;
    sqlx::query(
        "with e as (insert into evidence (ended, who, act, before, after) values (now(), 'platform', $1, $2, $3))
         insert into event (kind, by, data) select $1, 'platform', $2::jsonb || $3::jsonb where $4",
    )
    .bind(act)
    .bind(Json(before))
    .bind(Json(after))
    .bind(alarm)
    .execute(&mut connection)
    .await
    .map_err(sql(doing))?;
    Ok(())
}

/// Whether the server has let go of what was to be copied. A slot that is made while a checkpoint ends can lose its log that way at once.
///
/// # Errors
/// When the database does not answer.
pub async fn slot_is_lost(database: &Database) -> Result<bool, PlatformError> {
    let doing = "looking at the log's slot";
    let mut connection = superuser(&database.socket_dir, &database.name).await.map_err(sql(doing))?;
    sqlx::query_scalar(
        "select exists (select from pg_replication_slots where slot_name = $1 and (wal_status = 'lost' or restart_lsn is null))",
    )
    .bind(crate::embedded::copying::SLOT)
    .fetch_one(&mut connection)
    .await
    .map_err(sql(doing))
}

/// Lets go of the log that is kept for the role that copies it; a slot that is not there is let go of already.
///
/// # Errors
/// When the database does not answer, or somebody copies by it now.
pub async fn forget_slot(database: &Database) -> Result<(), PlatformError> {
    let doing = "letting go of the log's slot";
    let mut connection = superuser(&database.socket_dir, &database.name).await.map_err(sql(doing))?;
    sqlx::query("select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = $1")
        .bind(crate::embedded::copying::SLOT)
        .execute(&mut connection)
        .await
        .map_err(sql(doing))?;
    Ok(())
}
