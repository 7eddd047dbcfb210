//! A control that comes back from a backup: what it knows, and how it takes up again with nodes that know more.
//!
//! What was written after the backup is lost to control and not to the nodes. So numbers that may have been given are not given again, a
//! revision of a measure is newer than any that was said, and who has read events up to a number misses none that come. Sessions end: which of
//! them were ended after the backup is not known any more.

use super::{PlatformError, sql};
use crate::config::Database;
use crate::embedded::copying::superuser;
use jiff::Timestamp;
use serde_json::json;
use sqlx::types::Json;
use sqlx::{Connection, PgConnection};

/// Numbers of solutions and revisions of measures that are left out.
const NUMBERS_LEFT_OUT: i64 = 1_000;
/// Numbers of events and lines of evidence that are left out.
const LINES_LEFT_OUT: i64 = 100_000;

/// What a control knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Accounts.
    pub accounts: i64,
    /// Solutions that are not deleted.
    pub solutions: i64,
    /// Of those, the ones of the node that is asked about.
    pub of_node: i64,
    /// Of those, the ones that have a backup.
    pub with_backup: i64,
    /// E-mail addresses of members of staff.
    pub staff: Vec<String>,
    /// The epoch.
    pub epoch: i64,
    /// When the last line of evidence was written.
    pub newest: Option<Timestamp>,
}

/// How it takes up again.
#[derive(Clone, Debug)]
pub struct Adopted<'a> {
    /// The member of staff who confirmed it.
    pub by: &'a str,
    /// The backup it came from.
    pub copy: &'a str,
    /// Of when that is.
    pub of: Timestamp,
    /// A node whose pool is lost: its solutions are made again from their newest backups.
    pub lost_node: Option<&'a str>,
}

/// What a control that was just brought back knows.
///
/// # Errors
/// When the database does not answer.
pub async fn known(database: &Database, node: &str) -> Result<Known, PlatformError> {
    let doing = "looking at what was brought back";
    let mut connection = superuser(&database.socket_dir, &database.name).await.map_err(sql(doing))?;
    let (accounts, solutions, of_node, with_backup, epoch): (i64, i64, i64, i64, i64) = sqlx::query_as(
        "select (select count(*) from account), count(*), count(*) filter (where node = $1),
                count(*) filter (where node = $1 and exists (select from backup b where b.solution = s.id and b.state = 'ready')),
                (select epoch from platform)
           from solution s where deleted is null and aim <> 'gone'",
    )
    .bind(node)
    .fetch_one(&mut connection)
    .await
    .map_err(sql(doing))?;
    let staff = sqlx::query_scalar(
        "select p.email from staff s join person p on p.id = s.person where p.disabled is null order by 1 limit 1000",
    )
    .fetch_all(&mut connection)
    .await
    .map_err(sql(doing))?;
    let newest: Option<String> = sqlx::query_scalar(
        "select to_char(max(begun) at time zone 'utc', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') from evidence",
    )
    .fetch_one(&mut connection)
    .await
    .map_err(sql(doing))?;
    connection.close().await.map_err(sql(doing))?;
    let newest = newest.and_then(|text| text.parse().ok());
    Ok(Known { accounts, solutions, of_node, with_backup, staff, epoch, newest })
}

/// Raises the epoch and leaves out what may have been given. Says the new epoch, and how many solutions are made again from backups.
///
/// # Errors
/// When the database does not answer; then nothing is changed.
pub async fn adopt(database: &Database, adopted: &Adopted<'_>) -> Result<(i64, u64), PlatformError> {
    let doing = "raising the epoch";
    let mut connection = superuser(&database.socket_dir, &database.name).await.map_err(sql(doing))?;
    let done = all(&mut connection, adopted).await.map_err(sql(doing))?;
    connection.close().await.map_err(sql(doing))?;
    Ok(done)
}

async fn all(connection: &mut PgConnection, adopted: &Adopted<'_>) -> Result<(i64, u64), sqlx::Error> {
    let mut tx = connection.begin().await?;
    let epoch: i64 = sqlx::query_scalar(
        "update platform set epoch = epoch + 1, last_number = least(last_number + $1, 4194302) returning epoch",
    )
    .bind(NUMBERS_LEFT_OUT)
    .fetch_one(&mut *tx)
    .await?;
    for (sequence, left_out) in
        [("measure_revision", NUMBERS_LEFT_OUT), ("event_id", LINES_LEFT_OUT), ("evidence_id", LINES_LEFT_OUT)]
    {
        sqlx::query("select setval($1::regclass, nextval($1::regclass) + $2)")
            .bind(sequence)
            .bind(left_out)
            .execute(&mut *tx)
            .await?;
    }
    sqlx::query("update session set ended = now(), ended_why = 'rebuilt' where ended is null")
        .execute(&mut *tx)
        .await?;
    sqlx::query("update node set connected = false, link = null").execute(&mut *tx).await?;
    let mut made_again = 0;
    // The newest backup, and from there all of the log that is known to lie beside it.
    if let Some(node) = adopted.lost_node {
        made_again = sqlx::query(
            "update solution s set origin = null, seen = null, seen_state = null, seen_link = null, seen_generation = 0, filled = 0,
                    from_backup = jsonb_build_object('solution', s.id, 'repository', repository_of(s.id, b.target), 'copy', b.copy)
                        || case when s.seen->'away'->>'target' = b.target::text and s.seen->'away'->'line' = b.point->'line'
                                 and (b.point->>'next')::bigint between (s.seen->'away'->>'first')::bigint and (s.seen->'away'->>'next')::bigint
                           then jsonb_build_object('log', jsonb_build_object('copy', s.seen->'away'->>'copy', 'optional', true,
                                'at', to_char(now() at time zone 'utc', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')))
                           else '{}' end
               from (select distinct on (solution) solution, target, copy, point from backup where state = 'ready' order by solution, taken desc) b
              where b.solution = s.id and s.node = $1 and s.deleted is null and s.aim <> 'gone'",
        )
        .bind(node)
        .execute(&mut *tx)
        .await?
        .rows_affected();
    }
    sqlx::query("update solution set epoch = $1").bind(epoch).execute(&mut *tx).await?;
    let before = json!({ "copy": adopted.copy, "of": adopted.of });
    let after = json!({ "epoch": epoch, "by": adopted.by, "lost_node": adopted.lost_node, "made_again": made_again });
    sqlx::query(
        "insert into evidence (ended, who, act, before, after) values (now(), 'platform', 'platform.rebuilt', $1, $2)",
    )
    .bind(Json(&before))
    .bind(Json(&after))
    .execute(&mut *tx)
    .await?;
    sqlx::query("insert into event (kind, by, data) values ('platform.rebuilt', 'platform', $1::jsonb || $2::jsonb)")
        .bind(Json(&before))
        .bind(Json(&after))
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok((epoch, made_again))
}
